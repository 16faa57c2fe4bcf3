"""Can the confidence be trusted, and does it say anything about each category?"""

import streamlit as st

from dashboard import (
    components,
    confidence_data,
    confidence_evidence,
    confidence_parts,
    confidence_tables,
    state,
    story_confidence,
)

QUESTION = "Can the confidence be trusted?"
THEN = "how often answers of each confidence are right, and in which categories it says anything"

state.require_log(QUESTION, then=THEN)
with components.explained(QUESTION):
    selection = state.selection()
    found = confidence_data.figures()
    cover = confidence_data.coverage()

nothing = story_confidence.none(found, cover)
if nothing is not None:
    answer, lacking, add = nothing
    components.title_block(QUESTION, answer)
    components.empty(
        lacking,
        add=add,
        then=f"This page will then show {THEN}.",
        icon=":material/speed:",
        link=("views/how_to_log.py", "How to log"),
    )
    st.stop()

with components.explained(QUESTION):
    gains = confidence_data.gains()
components.title_block(QUESTION, story_confidence.answer(found))
confidence_parts.cards(found)
for title, body in story_confidence.warnings(found, gains, cover)[: story_confidence.MOST]:
    components.finding(title, body)

category, by = confidence_parts.controls(selection.categories)
confidence_parts.pictures(found, gains, category, by=by)

components.section("All categories")
confidence_tables.category_table(found, gains, selection.pairs)
components.caption(story_confidence.SIGNAL_READ)

components.section("What recalibration would change")
recalibrated = confidence_data.recalibrated(category)
confidence_tables.recalibration_table(recalibrated)
components.caption(story_confidence.recalibration_read(recalibrated))
components.provenance(confidence_evidence.evidence(found[category], gains[category], cover, selection))
