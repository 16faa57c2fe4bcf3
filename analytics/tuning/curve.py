"""The curve of a category: accuracy, cost and escalation at every threshold, with the controls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Estimate, undefined
from analytics.logs.schema import UNCATEGORISED
from analytics.tuning.areas import areas, ranking
from analytics.tuning.bounds import dearest_strong, to_log
from analytics.tuning.estimates import accuracy_estimates, cost_estimates, escalation_estimates
from analytics.tuning.log import Selection, largest_weight
from analytics.tuning.overlap import overlap_table
from analytics.tuning.points import point_tables
from analytics.tuning.sums import (
    Levels,
    Sums,
    control_sums,
    joined,
    levels,
    oracle_sums,
    threshold_sums,
)
from analytics.tuning.timing import fast_p95, latency_estimate, p95_steps
from analytics.tuning.traffic import graded_by_traffic

BOTH_ROUTES = ("paired", "shadow_difference", "exploration_difference", "doubly_robust")
"""Estimators that can identify every threshold."""
TOO_FEW = "Too few requests were routed at random for the thresholds that would need them."


@dataclass(frozen=True, slots=True)
class Point:
    """One policy's figures.

    Attributes:
        name: What the policy is called.
        threshold: Its threshold; None where it is no threshold or differs by category.
        accuracy: Expected accuracy.
        cost_per_request_usd: Mean cost per request, USD.
        escalation_rate: Share of requests escalated.
        latency_p95_s: 95th percentile of latency, seconds, of all rows.
    """

    name: str
    threshold: float | None
    accuracy: Estimate
    cost_per_request_usd: Estimate
    escalation_rate: Estimate
    latency_p95_s: Estimate


@dataclass(frozen=True, slots=True)
class Curve:
    """Every threshold of one category (or of all together), with the permanent controls.

    Attributes:
        task_category: Category; None for all categories together.
        fast_model: Label of the fast model; None where categories differ.
        strong_model: Label of the strong model; None where categories differ.
        policy_kind: ``cascade`` or ``predictive``.
        estimator: How accuracy was estimated, see ``identification.regimes``.
        n: Requests.
        graded_n: Requests that accuracy is about.
        pairs: Requests with both answers graded.
        missing_confidence: Requests without a confidence.
        points: One row per threshold, see ``curve``.
        fast_only: Never escalate.
        strong_only: Always the strong model, without a fast call.
        oracle: The right choice for every request; unreachable.
        in_force: The policy in force; None where unknown.
        apgr: Area under the recovered performance gap; None with a reason.
        cpt50: Smallest escalation rate that recovers half of the gap.
        cpt80: The same for four fifths.
        aiq: Mean quality of the concave frontier over its range of costs.
        auroc: How well confidence ranks right above wrong fast answers.
        ece: Expected calibration error, ten bins of equal width.
        reasons: Why what is None is None.
        overlap: How well requests routed at random cover each threshold, see ``overlap.overlap_table``; None
            where none was, or for several categories.
        harmed: Pairs whose fast answer is better: as many speak against "strong is never worse".
    """

    task_category: str | None
    fast_model: str | None
    strong_model: str | None
    policy_kind: str
    estimator: str
    n: int
    graded_n: int
    pairs: int
    missing_confidence: int
    points: pl.DataFrame
    fast_only: Point
    strong_only: Point
    oracle: Point
    in_force: Point | None
    apgr: float | None
    cpt50: float | None
    cpt80: float | None
    aiq: float | None
    auroc: float | None
    ece: float | None
    reasons: dict[str, str] = field(default_factory=dict)
    overlap: pl.DataFrame | None = None
    harmed: float = 0.0


def curve(selection: Selection, *, category: str | None = None, level: float = LEVEL) -> Curve:
    """Every threshold of one category, or one threshold for all categories together.

    Args:
        selection: The rows in question.
        category: Name of a category in the selection; None pools all of them.
        level: Coverage of the intervals.

    Returns:
        The curve; ``points`` has one row per region between neighbouring confidences, ascending, with
        ``threshold`` (smallest confidence kept; null in the last row: escalate all), ``low_edge`` (the next
        smaller confidence; null in the first row), ``escalation_rate``, ``escalated_n``, ``accuracy`` with
        ``accuracy_low`` and ``accuracy_high`` (null accuracy where not identified; the interval then covers
        the bounds ``bound_low`` to ``bound_high``; ``bound_low_mtr`` to ``bound_high_mtr``, with the interval
        ``mtr_low`` to ``mtr_high``, are those if the strong model is never worse), ``identified``,
        ``cost_per_request_usd`` with ``cost_low`` and ``cost_high`` (null where strong calls would be paid
        that were never made; then between ``cost_bound_low`` and ``cost_bound_high``),
        ``cost_per_correct_usd``, ``latency_p95_s``, ``vs_strong`` (accuracy minus that of always strong) with
        ``vs_strong_low`` and ``vs_strong_high``, and ``saved`` (share of the cost of always strong).
    """
    names = pooled_categories(selection) if category is None else (category,)
    return _curves(selection, [(category, names)], level=level)[0]


def curves(selection: Selection, *, level: float = LEVEL) -> dict[str, Curve]:
    """The ``curve`` of every category of a selection, in little more than the time of one."""
    if not selection.categories:
        return {}
    found = _curves(selection, [(name, (name,)) for name in selection.categories], level=level)
    return dict(zip(selection.categories, found, strict=True))


def pooled_categories(selection: Selection) -> tuple[str, ...]:
    """The categories that one curve for all is about.

    Where most graded requests are identified on both routes, the others are left out, so that a rare
    category does not hide the rest; else all stay, and the curve has bounds.
    """
    known = pl.col("estimator").is_in(BOTH_ROUTES)
    both = selection.regimes.filter(known)
    if 2 * both["graded_rows"].sum() > selection.regimes["graded_rows"].sum():
        return tuple(sorted(both["task_category"].to_list()))
    return selection.categories


def point(
    selection: Selection,
    name: str,
    sums: Sums,
    *,
    threshold: float | None,
    p95: float | None,
    level: float,
    spread: float = 1.0,
) -> Point:
    """The figures of one policy from its totals; ``spread`` widens the interval of its accuracy."""
    return _several(selection, name, [sums], thresholds=[threshold], p95s=[p95], level=level, spread=spread)[
        0
    ]


def _several(
    selection: Selection,
    name: str,
    parts: Sequence[Sums],
    *,
    thresholds: Sequence[float | None],
    p95s: Sequence[float | None],
    level: float,
    spread: float = 1.0,
) -> list[Point]:
    """The figures of one policy in several groups of requests."""
    sums = joined(parts)
    accuracies = accuracy_estimates(sums, inflation=selection.accuracy_inflation * spread, level=level)
    costs = cost_estimates(sums, inflation=selection.cost_inflation, level=level)
    shares = escalation_estimates(sums, inflation=selection.cost_inflation, level=level)
    latencies = [
        latency_estimate(p95, int(rows), level=level) for p95, rows in zip(p95s, sums.rows, strict=True)
    ]
    columns = zip(thresholds, accuracies, costs, shares, latencies, strict=True)
    return [Point(name, *figures) for figures in columns]


def oracle_point(at: Levels, *, level: float) -> Point:
    """Escalate exactly the requests whose strong answer is better; undefined unless both are known."""
    sums = oracle_sums(at)
    n, nothing = int(sums.n[0]), "No interval: it is a bound that no router reaches."
    known = n > 0 and sums.gap[0] == 0
    covered = known and sums.cost_gap[0] == 0 and sums.cost_n[0] >= sums.n[0] / 2
    return Point(
        name="oracle",
        threshold=None,
        accuracy=Estimate(float(sums.total[0] / n), None, None, n, "oracle", level)
        if known
        else undefined("This log does not hold both outcomes.", n=n, level=level),
        cost_per_request_usd=Estimate(
            float(sums.cost[0] / sums.cost_n[0]), None, None, int(sums.cost_n[0]), "oracle", level
        )
        if covered
        else undefined("Costs or both outcomes are missing.", level=level),
        escalation_rate=undefined(nothing, level=level),
        latency_p95_s=undefined(nothing, level=level),
    )


def in_force_threshold(selection: Selection, category: str) -> float | None:
    """The latest threshold that the log says the category was routed by; None where it says none."""
    table = selection.log.in_force
    names = ("task_category", "fast_model", "strong_model", "threshold")
    columns = [table[name].to_list() for name in names]
    for name, fast, strong, threshold in zip(*columns, strict=True):
        known = UNCATEGORISED if name is None else name
        if known == category and (fast, strong) == selection.pairs[category]:
            return float(threshold)
    return None


def sums_at(sums: Sums, index: int) -> Sums:
    """The totals of one threshold out of those of all."""
    return Sums(*(getattr(sums, name)[index : index + 1] for name in Sums.__dataclass_fields__))


def _curves(
    selection: Selection, asked: Sequence[tuple[str | None, tuple[str, ...]]], *, level: float
) -> list[Curve]:
    """The curve of each (category or None, categories that it is about)."""
    ats = [_levels(selection, category, names) for category, names in asked]
    swept = [threshold_sums(at, missing=selection.missing) for at in ats]
    kept, escalated = ([control_sums(at, name) for at in ats] for name in ("fast_only", "strong_only"))
    timed = [p95_steps(selection, names) for _, names in asked]
    weights = [largest_weight(selection, names) for _, names in asked]
    tables = point_tables(
        selection,
        ats,
        swept,
        strong=escalated,
        timed=timed,
        weights=weights,
        dearest=[dearest_strong(selection, names) for _, names in asked],
        level=level,
    )
    latencies = [table["latency_p95_s"] for table in tables]
    none = [None] * len(ats)
    p95s = [
        fast_p95(selection, names, at, p95) for (_, names), at, p95 in zip(asked, ats, latencies, strict=True)
    ]
    fast = _several(selection, "fast_only", kept, thresholds=none, p95s=p95s, level=level)
    strong = _several(selection, "strong_only", escalated, thresholds=none, p95s=none, level=level)
    categories = [category for category, _ in asked]
    force = _in_force(selection, categories, ats, swept, latencies=latencies, level=level)
    return [
        _assembled(
            selection, names, at, table, (never, always, force.get(category)), category=category, level=level
        )
        for (category, names), at, table, never, always in zip(asked, ats, tables, fast, strong, strict=True)
    ]


def _levels(selection: Selection, category: str | None, names: tuple[str, ...]) -> Levels:
    if category is not None:
        return selection.levels[category]
    return levels(graded_by_traffic(selection.rows.filter(pl.col("task_category").is_in(names))))


def _assembled(
    selection: Selection,
    names: tuple[str, ...],
    at: Levels,
    points: pl.DataFrame,
    controls: tuple[Point, Point, Point | None],
    *,
    category: str | None,
    level: float,
) -> Curve:
    fast, strong, force = controls
    found, reasons = areas(points, fast.accuracy.value, strong.accuracy.value)
    ranked = ranking(at, reasons)
    left_out = [name for name in selection.categories if category is None and name not in names]
    if left_out:
        reasons["left_out"] = f"Left out, since this log cannot tell: {', '.join(left_out)}."
    # A filter of a frame takes longer than all of this, twenty times over.
    columns = (selection.regimes[name].to_list() for name in ("task_category", "estimator", "shadow_reason"))
    observed = [(estimator, why) for name, estimator, why in zip(*columns, strict=True) if name in names]
    estimators = {estimator for estimator, _ in observed}
    if points.height and not points["identified"].all() and at.everywhere("n") > 0:
        whys = dict.fromkeys(why for _, why in observed if why is not None)
        reasons["identified"] = " ".join([*whys, to_log(at)]).strip() or TOO_FEW
    pair = selection.pairs[category] if category is not None else (None, None)
    return Curve(
        task_category=category,
        fast_model=pair[0],
        strong_model=pair[1],
        policy_kind=selection.policy_kind,
        estimator=estimators.pop() if len(estimators) == 1 else "mixed",
        n=int(at.everywhere("rows")),
        graded_n=int(at.everywhere("n")),
        pairs=int(at.everywhere("pairs")),
        harmed=at.everywhere("harmed"),
        missing_confidence=int(at.columns["rows"][0]),
        points=points,
        fast_only=fast,
        strong_only=strong,
        oracle=oracle_point(at, level=level),
        in_force=force,
        **found,
        **ranked,
        reasons=reasons,
        overlap=None if category is None else overlap_table(selection, category),
    )


def _in_force(
    selection: Selection,
    categories: Sequence[str | None],
    ats: Sequence[Levels],
    swept: Sequence[Sums],
    *,
    latencies: Sequence[pl.Series],
    level: float,
) -> dict[str | None, Point]:
    """The policy in force of the categories where it is known."""
    found: dict[str | None, tuple[Sums, float, float | None]] = {}
    for category, at, sums, p95 in zip(categories, ats, swept, latencies, strict=True):
        threshold = None if category is None else in_force_threshold(selection, category)
        if threshold is not None:
            index = int(np.searchsorted(at.confidence, threshold, side="left"))
            found[category] = (sums_at(sums, index), threshold, p95[index])
    if not found:
        return {}
    sums_of, thresholds, p95s = zip(*found.values(), strict=True)
    points = _several(selection, "in_force", sums_of, thresholds=thresholds, p95s=p95s, level=level)
    return dict(zip(found, points, strict=True))
