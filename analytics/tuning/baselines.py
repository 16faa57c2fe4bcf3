"""The permanent controls: never escalate, always strong, in force, random at the same cost, the oracle."""

from collections.abc import Iterable, Mapping

import polars as pl

from analytics.estimate import Estimate, undefined
from analytics.tuning.curve import Point, oracle_point
from analytics.tuning.evaluation import Evaluation, evaluate
from analytics.tuning.log import Selection
from analytics.tuning.policy_sums import everywhere, in_force_policy
from analytics.tuning.sums import levels


def baselines(
    selection: Selection, *, folds: Iterable[int] | None, covered: tuple[str, ...], level: float
) -> dict[str, Evaluation]:
    """Evaluations of never escalate, always strong and, where it is known, the policy in force.

    Args:
        selection: The rows in question.
        folds: Folds to evaluate on; None for all rows.
        covered: Categories that the overall figures are about.
        level: Coverage of the intervals.
    """
    kept = None if folds is None else tuple(folds)
    policies = {
        "fast_only": everywhere(selection, "fast_only"),
        "strong_only": everywhere(selection, "strong_only"),
    }
    force = in_force_policy(selection)
    if force is not None:
        policies["in_force"] = force
    return {
        name: evaluate(selection, policy, folds=kept, covered=covered, level=level)
        for name, policy in policies.items()
    }


def control_points(
    selection: Selection,
    chosen: Point,
    fixed: Mapping[str, Evaluation],
    *,
    folds: Iterable[int] | None,
    level: float,
) -> dict[str, Point | None]:
    """The permanent controls on the rows that ``chosen`` and the baselines were evaluated on."""
    fast, strong = fixed["fast_only"].overall, fixed["strong_only"].overall
    kept = None if folds is None else tuple(folds)
    return {
        "fast_only": fast,
        "strong_only": strong,
        "in_force": fixed["in_force"].overall if "in_force" in fixed else None,
        "random": _random(selection, fast, strong, chosen, level=level),
        "oracle": _oracle(selection, kept, fixed["fast_only"].covered, level=level),
    }


def _random(selection: Selection, fast: Point, strong: Point, chosen: Point, *, level: float) -> Point | None:
    found = random_point(fast, strong, cost=chosen.cost_per_request_usd.value, kind=selection.policy_kind)
    if found is None:
        return None
    share, accuracy = found
    cost, n = chosen.cost_per_request_usd, chosen.accuracy.n
    reason = "No interval: it is a point on the line from always fast to always strong."
    return Point(
        name="random",
        threshold=None,
        accuracy=Estimate(accuracy, None, None, n, "expected value", level),
        cost_per_request_usd=Estimate(cost.value, None, None, cost.n, "expected value", level),
        escalation_rate=Estimate(share, None, None, n, "expected value", level),
        latency_p95_s=undefined(reason, level=level),
    )


def _oracle(
    selection: Selection, folds: tuple[int, ...] | None, covered: tuple[str, ...], *, level: float
) -> Point:
    rows = selection.rows.filter(pl.col("task_category").is_in(covered))
    if folds is not None:
        rows = rows.filter(pl.col("fold").is_in(folds))
    return oracle_point(levels(rows), level=level)


def random_point(fast: Point, strong: Point, *, cost: float | None, kind: str) -> tuple[float, float] | None:
    """Escalation share and accuracy of escalating at random for the same mean cost.

    Args:
        fast: Never escalate.
        strong: Always strong.
        cost: Mean cost per request to match, USD.
        kind: ``cascade`` (an escalated request pays both calls) or ``predictive``.

    Returns:
        Share in [0, 1] and accuracy; None where costs or outcomes are unknown.
    """
    values = (
        fast.accuracy.value, strong.accuracy.value, fast.cost_per_request_usd.value,
        strong.cost_per_request_usd.value, cost,
    )  # fmt: skip
    if any(value is None for value in values):
        return None
    low, high, cheap, dear, target = (float(value or 0.0) for value in values)
    step = dear if kind == "cascade" else dear - cheap
    if step <= 0:
        return None
    share = min(max((target - cheap) / step, 0.0), 1.0)
    return share, low + share * (high - low)
