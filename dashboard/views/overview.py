"""What do we spend, what do we get, and what would the recommended policy change?"""

import streamlit as st

from dashboard import components, evidence, findings, rows, state, story, studies
from dashboard.charts import plane, spend
from dashboard.untuned import untuned

QUESTION = "What would a better threshold change?"

state.require_log(QUESTION, then="what each strategy costs and gets right, and what would change")
with components.explained(QUESTION):
    selection = state.selection()
    curves = state.curves()
    goal = state.goal()
    tuning, reason = state.recommended(goal)
warnings = findings.findings(selection, curves, studies.suspicions())

if tuning is None:
    untuned(QUESTION, reason, state.curve(), warnings)
    st.stop()

pooled = state.curve()
components.title_block(QUESTION, story.overview_answer(tuning))
policy, strong = tuning.figures.overall, tuning.controls["strong_only"]
components.cards(
    [
        components.card("Accuracy", policy.accuracy, "percent", hint="Of the recommended policy."),
        components.card("Cost per request", policy.cost_per_request_usd, "money"),
        components.card("Saved vs strong", tuning.vs_strong[None].saved, "percent", digits=0),
        components.card("Escalated", policy.escalation_rate, "percent", digits=0, note=story.today(tuning)),
        components.ratio_card("Correct per $", story.per_dollar(policy), "strong", story.per_dollar(strong)),
    ]
)
marks = story.marks(tuning)
components.chart(
    plane.strategies(pooled, marks),
    key="plane",
    title=plane.title(pooled),
    alt=plane.described(marks),
    note=plane.reading(pooled) + story.left_out(tuning),
)
for title, body in warnings:
    components.finding(title, body)

components.section("What changes, category by category")
changes = rows.changes(tuning, curves)
table, picture = st.tabs(["Table", "Spend"], key="changes", bind="query-params", on_change="rerun")
with table:
    components.table(
        changes,
        {
            "category": components.text_column("Category", 142),
            "verdict": components.verdict_column(),
            "today": components.text_column("Today", 72, right=True),
            "new": components.text_column("New", 106, right=True),
            "accuracy": components.number_column("Accuracy", 80, "%.1f%%"),
            "accuracy_change": components.points_column("vs today", 80),
            "cost_usd": components.money_column("Cost per request", 122, changes["cost_usd"]),
            "cost_change": components.number_column("vs today", 76, "%+.0f%%"),
            "escalated": components.share_column("Escalated", 110),
            "requests": components.number_column("Requests", 78),
        },
        key="changes-table",
        alt="What the recommended policy changes, one row per category.",
        file="tiertune-changes",
    )
with picture:
    components.bare_chart(spend.spend(changes), key="spend", alt=spend.described(changes))
    components.caption(
        "A hollow square is today, a filled circle the recommended policy: its cost per request times "
        "the requests of this log."
    )
components.provenance([*evidence.of_tuning(tuning, selection), *evidence.of_curve(pooled)])
