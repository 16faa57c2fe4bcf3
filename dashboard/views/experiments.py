"""Did the change work, and how long must the next test run?"""

import streamlit as st

from dashboard import components, experiment_parts, experiments_data, state, words
from dashboard.experiment_controls import controls
from dashboard.experiment_evidence import actions, evidence
from dashboard.experiment_plan import plan_tab

QUESTION = "Did the change work?"
THEN = "whether the change worked, by metric and category, and how long the next test must run"

state.require_log(QUESTION, then=THEN)
with components.explained(QUESTION):
    found = experiments_data.arms()

if found.is_empty():
    components.title_block(
        QUESTION, "This log has no experiment yet; a test can be planned from its traffic."
    )
    components.empty(
        "No experiment in this dataset",
        add="Add two columns: experiment, its name, and arm, the arm that each request was assigned to.",
        then=f"This page will then show {THEN}.",
        icon=":material/science:",
        link=("views/how_to_log.py", "How to log"),
    )
    components.section("Plan a test")
    plan_tab()
    st.stop()

head = st.container()
question = controls(found)
with components.explained(QUESTION):
    study = experiments_data.study(
        question.experiment,
        control=question.control,
        treatment=question.treatment,
        margin=question.margin,
        value_usd=question.value_usd,
        read=question.read,
        split=question.split,
    )

with head:
    if study.answer is None:
        components.title_block(QUESTION, "Nothing is read from this experiment: its arms cannot be compared.")
    else:
        components.title_block(QUESTION, words.plain(study.answer.sentence, limit=700))
experiment_parts.cards(study)
experiment_parts.findings(study)
if study.comparison is None:
    components.section("Plan a test")
    plan_tab()
    st.stop()

experiment_parts.pictures(study, study.comparison, question)
actions(study, study.comparison, question)
components.provenance(evidence(study))
