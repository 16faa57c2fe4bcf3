"""The Overview of a log from which no threshold can be tuned: what is known all the same, and what to add."""

from typing import TYPE_CHECKING

from dashboard import components, evidence
from dashboard.charts import plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.tuning.curve import Curve, Point


def untuned(question: str, reason: str, pooled: "Curve", findings: "Sequence[tuple[str, str]]") -> None:
    """Title, cards of the controls, the plane without a recommendation, and the way to more.

    Args:
        question: Title of the page.
        reason: Why there is no recommendation, escaped.
        pooled: The pooled curve.
        findings: Warnings, title and body.
    """
    fast, strong = pooled.fast_only, pooled.strong_only
    components.title_block(question, reason)
    components.cards(
        [
            components.card("Fast accuracy", fast.accuracy, "percent"),
            components.card("Strong accuracy", strong.accuracy, "percent"),
            components.card("Fast cost", fast.cost_per_request_usd, "money", hint="Per request."),
            components.card("Strong cost", strong.cost_per_request_usd, "money", hint="Per request."),
            components.card("AUROC", None, "percent", hint="How well confidence ranks answers.")
            if pooled.auroc is None
            else components.Card("AUROC", f"{pooled.auroc:.2f}", "0.50 = chance"),
        ]
    )
    marks: dict[str, Point | None] = {"fast_only": fast, "strong_only": strong, "oracle": pooled.oracle}
    left = "is cheaper" if plane.by_cost(pooled) else "escalates less"
    if any(point.accuracy.value is not None for point in (fast, strong)):
        components.chart(
            plane.strategies(pooled, marks),
            key="plane",
            title=plane.title(pooled),
            alt=plane.described(marks),
            note=f"Higher is better, further left {left}. Bars are 95% intervals.",
        )
    for title, body in findings:
        components.finding(title, body)
    wanted("This page will then show the recommended policy, what it saves and what changes by category.")
    components.provenance(evidence.of_curve(pooled))


def wanted(then: str) -> None:
    """What a log needs for a recommendation.

    Args:
        then: What the page will show with it.
    """
    components.empty(
        "What would make a recommendation possible",
        add="A confidence for every fast answer, grades, and strong answers for a share of kept requests.",
        then=then,
        icon=":material/tune:",
        link=("views/how_to_log.py", "How to log"),
    )
