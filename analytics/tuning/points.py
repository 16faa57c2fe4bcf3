"""The rows of curves: the figures of every threshold, of many categories in one go.

Only cumulative sums go category by category; all else is elementwise, so that twenty curves cost little
more than one.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from analytics.estimate import Floats
from analytics.tuning.bounds import accuracy_bounds, cost_bounds
from analytics.tuning.latency import at_steps
from analytics.tuning.log import Selection
from analytics.tuning.sums import (
    Levels,
    Sums,
    accuracy_band,
    cost_band,
    estimable_at,
    joined,
    paired_band,
)


def point_tables(
    selection: Selection,
    ats: Sequence[Levels],
    swept: Sequence[Sums],
    *,
    strong: Sequence[Sums],
    timed: Sequence[Floats | None],
    weights: Sequence[float],
    dearest: Sequence[float | None],
    level: float,
) -> list[pl.DataFrame]:
    """The ``points`` of a curve, one table for each of several groups of requests.

    Args:
        selection: The rows in question.
        ats: What each confidence contributes, group by group.
        swept: The groups' ``threshold_sums``.
        strong: The groups' totals under ``strong_only``.
        timed: The groups' ``latency.p95_by_step``; None without latencies.
        weights: The largest weight of a request in each group.
        dearest: The dearest strong call in each group, USD; None where there is none.
        level: Coverage of the intervals.

    Returns:
        Tables with the columns that ``curve`` describes.
    """
    if not ats:
        return []
    sums = joined(swept)
    accuracy = accuracy_band(sums, inflation=selection.accuracy_inflation, level=level)
    cost = cost_band(sums, inflation=selection.cost_inflation, level=level)
    sizes = [at.confidence.size + 1 for at in ats]
    strong_cost = cost_band(joined(strong))["value"]
    right = np.where(sums.gap == 0, sums.total, np.nan)
    none = np.array([np.nan])
    columns = {
        "threshold": np.concatenate([part for at in ats for part in (at.confidence, none)]),
        "low_edge": np.concatenate([part for at in ats for part in (none, at.confidence)]),
        "escalation_rate": sums.escalated / np.maximum(sums.rows, 1.0),
        "escalated_n": sums.escalated.astype(np.int64),
        "accuracy": accuracy["value"],
        "accuracy_low": accuracy["low"],
        "accuracy_high": accuracy["high"],
        "bound_low": accuracy["bound_low"],
        "bound_high": accuracy["bound_high"],
        **accuracy_bounds(
            sums, ats, missing=selection.missing, inflation=selection.accuracy_inflation, level=level
        ),
        "identified": (sums.gap == 0) & (sums.n > 0),
        "cost_per_request_usd": cost["value"],
        "cost_low": cost["low"],
        "cost_high": cost["high"],
        "cost_per_correct_usd": _ratio(cost["value"] * sums.n, right),
        "latency_p95_s": np.concatenate([_latency(steps, at) for steps, at in zip(timed, ats, strict=True)]),
        **cost_bounds(sums, ats, dearest, missing=selection.missing),
        **_versus_strong(
            selection,
            ats,
            np.repeat(weights, sizes),
            np.array(sizes),
            level=level,
        ),
        "saved": 1 - _ratio(cost["value"], np.repeat(strong_cost, sizes)),
    }
    series = [pl.Series(name, column, nan_to_null=True) for name, column in columns.items()]
    ends = np.cumsum(sizes)
    # Slices of series, not of a frame: that would be planned and collected once per curve.
    return [
        pl.DataFrame([column.slice(int(end) - size, size) for column in series])
        for end, size in zip(ends, sizes, strict=True)
    ]


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _latency(by_step: Floats | None, at: Levels) -> Floats:
    if by_step is None:
        return np.full(at.confidence.size + 1, np.nan)
    return at_steps(by_step, at.confidence)


def _versus_strong(
    selection: Selection,
    ats: Sequence[Levels],
    weights: Floats,
    sizes: np.ndarray,
    *,
    level: float,
) -> dict[str, Floats]:
    """Accuracy minus always strong: only the requests that are kept can differ."""
    kept = ("gain_sum", "gain_sq", "keep_gap", "esc_gap", "rows")
    nothing = (None,) * len(kept)
    swept = [at.swept(kept, nothing, missing=selection.missing) for at in ats]
    lost, squares, keep_gap, escalate_gap, rows = np.concatenate(swept, axis=1)
    n = np.repeat([at.everywhere("n") for at in ats], sizes)
    low, high = paired_band(
        -lost, squares, n, weight=weights, inflation=selection.accuracy_inflation, level=level
    )
    # Where nothing is kept the two are one policy.
    low, high = np.where(rows > 0, low, 0.0), np.where(rows > 0, high, 0.0)
    told = [estimable_at(at, missing=selection.missing) for at in ats]
    known = (keep_gap + escalate_gap == 0) & (n > 0) & np.concatenate([part & part[-1] for part in told])
    return {
        "vs_strong": np.where(known, 0.0 - lost / np.maximum(n, 1), np.nan),
        "vs_strong_low": np.where(known, low, np.nan),
        "vs_strong_high": np.where(known, high, np.nan),
    }
