"""What is wrong or missing in a log, and what follows from it: warnings and the sidebar's list."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from dashboard import words

if TYPE_CHECKING:
    from analytics.measure.suspicions import Suspicion
    from analytics.tuning.curve import Curve
    from analytics.tuning.log import Log, Selection

Line = tuple[str, str]

MOST = 2
UNGRADED = 0.2
OVERCONFIDENT = 0.1
LEAST_GRADED = 100
FULL = 0.999


def findings(
    selection: "Selection", curves: Mapping[str, "Curve"], suspicions: "Sequence[Suspicion]"
) -> list[Line]:
    """At most two warnings, the most harmful first: title and body."""
    found = [_unpriced(curves), _worse(curves), _overconfident(selection), _ungraded(curves)]
    known = [entry for entry in found if entry is not None]
    return [*suspected(suspicions, worse=_worse(curves) is not None), *known][:MOST]


def suspected(suspicions: "Sequence[Suspicion]", *, worse: bool = False) -> list[Line]:
    """What looks wrong in the log itself: title and body.

    Args:
        suspicions: As ``suspicions.suspicions`` has them.
        worse: Whether a worse strong model is said elsewhere.
    """
    found = []
    for item in suspicions:
        where = f" in {words.listing(item.categories, limit=2)}" if item.categories else ""
        if not (worse and item.kind == "strong_worse"):
            found.append((item.title + where, item.body))
    return found


def _unpriced(curves: Mapping[str, "Curve"]) -> Line | None:
    if any(curve.fast_only.cost_per_request_usd.value is not None for curve in curves.values()):
        return None
    body = (
        "The cheapest policy is then the one with the fewest escalations. Add costs or tokens to the log, "
        "or state a cost per call under Change mapping when it is loaded."
    )
    return "This log has no costs", body


def _worse(curves: Mapping[str, "Curve"]) -> Line | None:
    """Categories in which hardly ever escalating is more accurate than always, beyond the interval."""
    worse = []
    for name, curve in curves.items():
        rows = curve.points.filter(pl.col("vs_strong_low") > 0)
        if rows.height and rows["escalation_rate"][0] < OVERCONFIDENT:
            worse.append(name)
    if not worse:
        return None
    body = (
        "There its answers are less often right than the fast model's, beyond the 95% interval. Escalating "
        "such requests costs money and correct answers."
    )
    return f"The strong model is worse in {words.listing(worse, limit=2)}", body


def _overconfident(selection: "Selection") -> Line | None:
    """What the fast model claims on average against how often it is right; else where it claims too much."""
    graded = pl.col("fast_right") + pl.col("fast_wrong")
    sums = [
        (graded * pl.col("confidence")).sum().alias("claimed"),
        pl.col("fast_right").sum().alias("right"),
        graded.sum().alias("n"),
    ]
    rows = selection.rows.drop_nulls("confidence")
    whole = rows.select(sums).row(0, named=True)
    if not whole["n"]:
        return None
    body = (
        "Thresholds are picked from outcomes, so this does not bias them; do not copy a threshold from "
        "another model or category."
    )
    claimed, right = whole["claimed"] / whole["n"], whole["right"] / whole["n"]
    if claimed - right >= OVERCONFIDENT:
        first = f"It claims {words.percent(claimed, digits=0)} on average and is right "
        return (
            "The fast model is overconfident",
            f"{first}{words.percent(right, digits=0)} of the time. {body}",
        )
    gap = (pl.col("claimed") - pl.col("right")) / pl.col("n")
    where = (
        rows.group_by("task_category")
        .agg(sums)
        .filter((pl.col("n") >= LEAST_GRADED) & (gap >= OVERCONFIDENT))
        .sort(gap, descending=True)
    )
    if where.is_empty():
        return None
    top = where.row(0, named=True)
    claimed, right = top["claimed"] / top["n"], top["right"] / top["n"]
    name = words.plain(top["task_category"], limit=40)
    first = f"In {name} it claims {words.percent(claimed, digits=0)} on average and is "
    title = f"The fast model is overconfident in {words.listing(where['task_category'], limit=2)}"
    return title, f"{first}right {words.percent(right, digits=0)} of the time. {body}"


def _ungraded(curves: Mapping[str, "Curve"]) -> Line | None:
    rows = sum(curve.n for curve in curves.values())
    graded = sum(curve.graded_n for curve in curves.values())
    if rows == 0 or graded >= rows * (1 - UNGRADED):
        return None
    if graded == 0:
        return "No request is graded", "Accuracy is unknown. Grade a random sample of answers and log it."
    body = (
        "Accuracies are about the graded ones only. If the others are harder or easier, the picture is off: "
        "grade a random sample, not the complaints."
    )
    return f"{words.percent(1 - graded / rows, digits=0)} of requests are not graded", body


def lacks(facts: Mapping[str, Any], log: "Log") -> list[Line]:
    """What the log does not hold, and what follows for the pages: name and consequence.

    Args:
        facts: The dataset's row of the catalogue.
        log: The dataset.
    """
    found = [_confidence(facts), _grades(facts), _pairs(facts), _costs(facts)]
    if not facts["latency_share"]:
        found.append(("Latencies", "No latency limit can be kept."))
    if facts["first_ts"] is None:
        found.append(("Times", "Nothing can be shown over time, and there is no date filter."))
    if log.in_force.is_empty():
        found.append(("The policy in force", "The log does not say by which threshold it was routed."))
    return [line for line in found if line is not None]


def _confidence(facts: Mapping[str, Any]) -> Line | None:
    share = facts["confidence_share"] or 0.0
    if not share:
        return "Confidence", "No threshold can be tuned. Log what the fast model says of its answer."
    if share < FULL:
        return (
            "Some confidences",
            f"{words.percent(1 - share)} of requests have none; More filters says what becomes of them.",
        )
    return None


def _grades(facts: Mapping[str, Any]) -> Line | None:
    share = facts["graded_share"] or 0.0
    if not share:
        return "Grades", "Accuracy is unknown; only cost and share escalated are shown."
    return (
        None if share >= FULL else ("Some grades", f"{words.percent(1 - share)} of fast answers have none.")
    )


def _pairs(facts: Mapping[str, Any]) -> Line | None:
    share = facts["both_graded_share"] or 0.0
    if not facts["graded_share"] or share >= FULL:
        return None
    body = (
        f"Both answers are graded for {words.percent(share)} of requests. Raising a threshold can be told "
        "only where a share of kept requests has a shadow answer."
    )
    return "Strong answers of kept requests", body


def _costs(facts: Mapping[str, Any]) -> Line | None:
    share = facts["cost_share"] or 0.0
    if not share:
        return "Costs", "Policies are compared by share escalated instead."
    return None if share >= FULL else ("Some costs", f"{words.percent(1 - share)} of requests have none.")
