"""Where should each category's threshold be, and how sure are we?"""

import streamlit as st

from dashboard import components, evidence, findings, honesty, reasons, rows, state, story, studies
from dashboard.charts import optimism
from dashboard.goal_picker import controls
from dashboard.plan_panel import plan_panel
from dashboard.prices_tab import prices_tab
from dashboard.stability_panel import stability_panel
from dashboard.threshold_box import ONE_POINT, threshold_box
from dashboard.untuned import wanted
from dashboard.worse_tab import worse_tab

QUESTION = "Where should each threshold be, and how sure are we?"

state.require_log(
    QUESTION, then="what every threshold would have done, and which one each category should have"
)
with components.explained(QUESTION):
    selection = state.selection()

head = st.container()
category, goal = controls(selection.categories)
with components.explained(QUESTION):
    tuning, reason = state.recommended(goal)
    curve = state.curve(category)

with head:
    components.title_block(QUESTION, reason if tuning is None else story.thresholds_answer(tuning))
threshold_box(curve, tuning, margin=goal.margin or ONE_POINT)

if tuning is None:
    wanted("This page will then show which threshold each category should have, and how sure that is.")
    plan_panel(selection, goal)
    components.provenance(evidence.of_curve(curve))
    st.stop()

for title, body in findings.suspected(studies.suspicions()):
    components.finding(title, body)
if tuning.promise and not tuning.certified:
    components.finding("Nothing is certified yet", reasons.said(tuning.promise))
components.section("All categories")
chosen = rows.chosen(tuning)
of = "A" if tuning.certified else "Held-out a"
table, meter, steady, money, worse, buy = st.tabs(
    ["Table", "Optimism", "Stability", "Prices", "Made worse", "What to buy"],
    key="view",
    on_change="rerun",
    bind="query-params",
)
with table:
    components.table(
        chosen,
        {
            "category": components.text_column("Category", 160),
            "verdict": components.verdict_column(),
            "threshold": components.text_column("Threshold", 110, right=True),
            "accuracy": components.text_column(f"{of}ccuracy", 150, right=True),
            "vs_strong": components.points_column("vs strong", 90),
            "saved": components.share_column("Saved", 130, "green"),
            "saved_interval": components.text_column("95% interval", 110, right=True),
            "n": components.number_column("n" if tuning.certified else "Held-out n", 92),
        },
        key="chosen",
        alt="The chosen route of every category, with its accuracy and what it saves.",
        file="tiertune-thresholds",
    )
    components.caption(story.about(tuning, goal))
    st.page_link(
        "views/experiments.py",
        label="Plan a test of these thresholds",
        icon=":material/science:",
        query_params={**state.sidebar_params(), "shown": ["Next test"]},
    )
with meter:
    figure, alt = optimism.meter(tuning), optimism.described(tuning)
    components.bare_chart(figure, key="optimism", alt=alt)
    components.caption(
        f"{honesty.optimism(tuning)} {optimism.READING} Dollars are saved against {story.reference(tuning)}."
        f"{story.left_out(tuning)}"
    )
if steady.open:
    with steady:
        stability_panel(selection, goal, tuning, category)
if money.open:
    with money:
        prices_tab(goal, tuning)
if worse.open:
    with worse:
        worse_tab(category)
if buy.open:
    with buy:
        plan_panel(selection, goal)
components.provenance([*evidence.of_tuning(tuning, selection), *evidence.of_curve(curve)])
