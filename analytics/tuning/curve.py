"""The curve of a category: accuracy, cost and escalation at every threshold, with the controls."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Estimate, Floats, mean_band, undefined
from analytics.logs.schema import UNCATEGORISED
from analytics.measure.calibration import auroc, ece
from analytics.tuning.frontier import aiq, apgr, cpt
from analytics.tuning.latency import p95_curve
from analytics.tuning.log import Selection
from analytics.tuning.sums import (
    Levels,
    Sums,
    accuracy_band,
    accuracy_estimate,
    control_sums,
    cost_band,
    cost_estimate,
    escalation_estimate,
    levels,
    threshold_sums,
)

NO_LATENCY = "This log has no latencies on enough of the rows that this route needs."


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


def curve(selection: Selection, *, category: str | None = None, level: float = LEVEL) -> Curve:
    """Every threshold of one category, or one threshold for all categories together.

    Args:
        selection: The rows in question.
        category: Name of a category in the selection; None pools all of them.
        level: Coverage of the intervals.

    Returns:
        The curve; ``points`` has one row per region between neighbouring confidences, ascending, with
        ``threshold`` (smallest confidence kept; null in the last row: escalate all), ``low_edge`` (the
        next smaller confidence; null in the first row), ``escalation_rate``, ``escalated_n``, ``accuracy``
        with ``accuracy_low`` and ``accuracy_high`` (null accuracy where not identified; the interval then
        covers the bounds ``bound_low`` to ``bound_high``), ``identified``, ``cost_per_request_usd`` with
        ``cost_low`` and ``cost_high``, ``cost_per_correct_usd``, ``latency_p95_s``, ``vs_strong`` (accuracy
        minus that of always strong) with ``vs_strong_low`` and ``vs_strong_high``, and ``saved`` (share of
        the cost of always strong).
    """
    names = pooled_categories(selection) if category is None else (category,)
    at = levels(selection.rows.filter(pl.col("task_category").is_in(names)))
    points = _points(selection, at, histograms(selection, names), level=level)
    return _assembled(selection, category, at, points, level=level)


def _points(selection: Selection, at: Levels, timed: pl.DataFrame, *, level: float) -> pl.DataFrame:
    sums = threshold_sums(at, missing=selection.missing)
    accuracy = accuracy_band(sums, inflation=selection.accuracy_inflation, level=level)
    cost = cost_band(sums, inflation=selection.cost_inflation, level=level)
    rows = np.maximum(sums.rows, 1.0)
    right = np.where(sums.gap == 0, sums.total, np.nan)
    per_correct = _ratio(cost["value"] * sums.n, right)
    strong_cost = cost_band(control_sums(at, "strong_only"))["value"][0]
    versus = _versus_strong(selection, at, level=level)
    u = at.confidence
    return pl.DataFrame(
        {
            "threshold": np.append(u, np.nan),
            "low_edge": np.append([np.nan], u) if u.size else np.array([np.nan]),
            "escalation_rate": sums.escalated / rows,
            "escalated_n": sums.escalated.astype(np.int64),
            "accuracy": accuracy["value"],
            "accuracy_low": accuracy["low"],
            "accuracy_high": accuracy["high"],
            "bound_low": accuracy["bound_low"],
            "bound_high": accuracy["bound_high"],
            "identified": (sums.gap == 0) & (sums.n > 0),
            "cost_per_request_usd": cost["value"],
            "cost_low": cost["low"],
            "cost_high": cost["high"],
            "cost_per_correct_usd": per_correct,
            "latency_p95_s": _latency(timed, u),
            **versus,
            "saved": 1 - _ratio(cost["value"], np.full_like(rows, strong_cost)),
        },
        nan_to_null=True,
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _versus_strong(selection: Selection, at: Levels, *, level: float) -> dict[str, Floats]:
    """Accuracy minus always strong: only the requests that are kept can differ."""
    flat = Levels(at.confidence, {**at.columns, "zero": np.zeros_like(at.columns["rows"])})

    def kept(column: str) -> Floats:
        return flat.at_thresholds(column, "zero", missing=selection.missing)

    n = np.full_like(flat.columns["zero"], at.everywhere("n"))
    lost, squares, gap = kept("gain_sum"), kept("gain_sq"), kept("keep_gap") + kept("esc_gap")
    low, high = mean_band(-lost, squares, n, level=level, inflation=selection.accuracy_inflation)
    known = (gap == 0) & (n > 0)
    return {
        "vs_strong": np.where(known, -lost / np.maximum(n, 1), np.nan),
        "vs_strong_low": np.where(known, low, np.nan),
        "vs_strong_high": np.where(known, high, np.nan),
    }


def pooled_categories(selection: Selection) -> tuple[str, ...]:
    """The categories that one curve for all is about.

    Where most graded requests are identified on both routes, the others are left out, so that a rare
    category does not hide the rest; else all stay, and the curve has bounds.
    """
    known = pl.col("estimator").is_in(("paired", "shadow_difference"))
    both = selection.regimes.filter(known)
    if 2 * both["graded_rows"].sum() > selection.regimes["graded_rows"].sum():
        return tuple(sorted(both["task_category"].to_list()))
    return selection.categories


def histograms(selection: Selection, names: tuple[str, ...]) -> pl.DataFrame:
    """The latency histograms of the rows of some categories of a selection."""
    pairs = pl.DataFrame(
        [(name, *selection.pairs[name]) for name in names],
        schema={"task_category": pl.String, "fast_model": pl.String, "strong_model": pl.String},
        orient="row",
    )
    table = (
        selection.log.latency.with_columns(pl.col("task_category").fill_null(UNCATEGORISED))
        .filter(pl.col("policy_kind") == selection.policy_kind)
        .join(pairs, on=["task_category", "fast_model", "strong_model"], how="semi", nulls_equal=True)
    )
    if selection.arm is not None:
        table = table.filter(pl.col("arm") == selection.arm)
    return table if selection.missing != "exclude" else table.filter(pl.col("step") >= 0)


def _latency(timed: pl.DataFrame, confidence: Floats) -> Floats:
    p95 = p95_curve(timed, confidence)
    return np.full(confidence.size + 1, np.nan) if p95 is None else p95


def latency_estimate(value: float | None, n: int, *, level: float) -> Estimate:
    """A percentile read from histograms: a value exact to a bin, no interval."""
    if value is None:
        return undefined(NO_LATENCY, n=n, method="histogram, all rows", level=level)
    return Estimate(value, None, None, n, "histogram, all rows", level)


def point(
    selection: Selection, name: str, sums: Sums, *, threshold: float | None, p95: float | None, level: float
) -> Point:
    """The figures of one policy from its totals."""
    return Point(
        name=name,
        threshold=threshold,
        accuracy=accuracy_estimate(sums, inflation=selection.accuracy_inflation, level=level),
        cost_per_request_usd=cost_estimate(sums, inflation=selection.cost_inflation, level=level),
        escalation_rate=escalation_estimate(sums, level=level),
        latency_p95_s=latency_estimate(p95, int(sums.rows[0]), level=level),
    )


def oracle_sums(at: Levels) -> Sums:
    """Totals of the right choice for every request: escalate exactly where the strong answer is better."""
    base = control_sums(at, "fast_only")
    hidden = np.array([at.everywhere("keep_gap") + at.everywhere("esc_gap")])
    return Sums(
        n=base.n,
        total=base.total + at.everywhere("oracle_sum"),
        squares=np.full(1, np.nan),
        gap=hidden,
        cost_n=base.cost_n,
        cost=base.cost + at.everywhere("oracle_cost_sum"),
        cost_squares=np.full(1, np.nan),
        cost_gap=np.array([at.everywhere("esc_cost_gap")]),
        rows=base.rows,
        escalated=np.full(1, np.nan),
    )


def oracle_point(at: Levels, *, level: float) -> Point:
    """Escalate exactly the requests whose strong answer is better; undefined unless both are known."""
    sums = oracle_sums(at)
    n, nothing = int(sums.n[0]), "No interval: it is a bound that no router reaches."
    known = n > 0 and sums.gap[0] == 0
    covered = known and sums.cost_gap[0] == 0 and sums.cost_n[0] >= sums.rows[0] / 2
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
    fast, strong = selection.pairs[category]
    wanted = None if category == UNCATEGORISED else category
    table = selection.log.in_force.filter(
        (pl.col("fast_model") == fast)
        & (pl.col("strong_model") == strong)
        & pl.col("task_category").eq_missing(pl.lit(wanted, pl.String))
    )
    return None if table.height == 0 else table["threshold"][0]


def sums_at(sums: Sums, index: int) -> Sums:
    """The totals of one threshold out of those of all."""
    return Sums(*(getattr(sums, name)[index : index + 1] for name in Sums.__dataclass_fields__))


def _assembled(
    selection: Selection, category: str | None, at: Levels, points: pl.DataFrame, *, level: float
) -> Curve:
    controls = {
        name: point(selection, name, control_sums(at, name), threshold=None, p95=p95, level=level)
        for name, p95 in (("fast_only", points["latency_p95_s"][0]), ("strong_only", None))
    }
    force = None
    threshold = in_force_threshold(selection, category) if category is not None else None
    if threshold is not None:
        index = int(np.searchsorted(at.confidence, threshold, side="left"))
        sums = sums_at(threshold_sums(at, missing=selection.missing), index)
        p95 = points["latency_p95_s"][index]
        force = point(selection, "in_force", sums, threshold=threshold, p95=p95, level=level)
    fast, strong = controls["fast_only"], controls["strong_only"]
    areas, reasons = _areas(points, fast, strong)
    ranking = _ranking(at, reasons)
    names = pooled_categories(selection) if category is None else (category,)
    known = selection.regimes.filter(pl.col("task_category").is_in(names))
    left_out = [name for name in selection.categories if category is None and name not in names]
    if left_out:
        reasons["left_out"] = f"Left out, since this log cannot tell: {', '.join(left_out)}."
    estimators = known["estimator"].unique().to_list()
    pair = selection.pairs[category] if category is not None else (None, None)
    return Curve(
        task_category=category,
        fast_model=pair[0],
        strong_model=pair[1],
        policy_kind=selection.policy_kind,
        estimator=estimators[0] if len(estimators) == 1 else "mixed",
        n=int(at.everywhere("rows")),
        graded_n=int(at.everywhere("n")),
        pairs=int(at.everywhere("pairs")),
        missing_confidence=int(at.columns["rows"][0]),
        points=points,
        fast_only=fast,
        strong_only=strong,
        oracle=oracle_point(at, level=level),
        in_force=force,
        **areas,
        **ranking,
        reasons=reasons,
    )


def _areas(
    points: pl.DataFrame, fast: Point, strong: Point
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The field's area metrics of an exact curve, null with a reason where they are undefined."""
    areas: dict[str, float | None] = {"apgr": None, "cpt50": None, "cpt80": None, "aiq": None}
    reasons: dict[str, str] = {}
    low, high = fast.accuracy.value, strong.accuracy.value
    if low is None or high is None or not points["identified"].all():
        reasons |= dict.fromkeys(areas, "This log does not hold both outcomes on every route.")
        return areas, reasons
    share, accuracy = points["escalation_rate"].to_numpy(), points["accuracy"].to_numpy()
    ends = {"fast_accuracy": low, "strong_accuracy": high}
    areas["apgr"] = apgr(share, accuracy, **ends)
    areas["cpt50"] = cpt(share, accuracy, **ends, share=0.5)
    areas["cpt80"] = cpt(share, accuracy, **ends, share=0.8)
    if areas["apgr"] is None:
        reasons |= dict.fromkeys(
            ("apgr", "cpt50", "cpt80"), "The strong model is not better than the fast one."
        )
    cost = points["cost_per_request_usd"]
    areas["aiq"] = None if cost.has_nulls() else aiq(cost.to_numpy(), accuracy)
    if areas["aiq"] is None:
        reasons["aiq"] = "Costs are missing, or every threshold costs the same."
    return areas, reasons


def _ranking(at: Levels, reasons: dict[str, str]) -> dict[str, float | None]:
    """AUROC and ECE of the confidence, over requests whose fast answer is graded."""
    right, wrong = at.columns["fast_right"][1:], at.columns["fast_wrong"][1:]
    found = {"auroc": auroc(right, wrong), "ece": ece(at.confidence, right, wrong)}
    if found["auroc"] is None:
        reasons["auroc"] = "Fast answers are all right, all wrong or not graded."
    if found["ece"] is None:
        reasons["ece"] = "No graded fast answer has a confidence."
    return found
