"""Does the confidence still mean what it meant: gap, Brier score and AUROC over time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import duckdb
import numpy as np
import polars as pl

from analytics.collapse import answers
from analytics.estimate import LEVEL, Estimate, Floats, mean_interval
from analytics.logs.schema import UNCATEGORISED
from analytics.logs.storage import tables
from analytics.measure.graded import FEW, Graded, summed
from analytics.measure.ranking import auroc_estimate
from analytics.measure.reliability import BINS
from analytics.measure.timeline import starts, step_days

MOST_LEVELS = 5000
STEPS_PER_UNIT = 1024
WEEK, DAILY_BELOW = 7, 21

_WHERE = f"""FROM {tables.DECISIONS}
    WHERE confidence IS NOT NULL AND fast_correct IS NOT NULL AND ts >= $first AND ts < $until
        AND ($categories IS NULL OR coalesce(task_category, $uncategorised) IN (SELECT unnest($categories)))
        AND ($fast IS NULL OR fast_model = $fast) AND ($strong IS NULL OR strong_model = $strong)
        AND ($arm IS NULL OR arm = $arm) AND ($kind IS NULL OR coalesce(policy_kind, 'cascade') = $kind)"""
_DISTINCT = f"SELECT approx_count_distinct(confidence) {_WHERE}"
_BY_STEP = f"""
    SELECT (ts::DATE - $begin::DATE) // $days AS step,
        CASE WHEN $binned THEN floor(confidence * {STEPS_PER_UNIT}) / {STEPS_PER_UNIT} ELSE confidence END
            AS level,
        count(*) AS n, sum(confidence) AS confidence_sum, sum(fast_correct) AS correct_sum,
        sum(fast_correct * fast_correct) AS correct_sq,
        sum((confidence - fast_correct) ** 2) AS residual_sq,
        sum((confidence - fast_correct) ** 4) AS residual_fourth
    {_WHERE} GROUP BY 1, 2 ORDER BY 1, 2"""


def confidence_by_step(
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    *,
    first: date,
    last: date,
    categories: Sequence[str] | None = None,
    pair: tuple[str | None, str | None] = (None, None),
    arm: str | None = None,
    policy_kind: str | None = None,
) -> pl.DataFrame:
    """Sums over graded fast answers by step of time and confidence, by one GROUP BY.

    Args:
        cursor: A cursor of its own for this call.
        dataset: Name of the dataset.
        first: First day, UTC.
        last: Last day, UTC, inclusive.
        categories: Categories that count, requests without one under ``UNCATEGORISED``; None for all.
        pair: Fast and strong model that count; None for either.
        arm: Arm that counts; None for all.
        policy_kind: ``cascade`` or ``predictive``; None for both.

    Returns:
        ``day`` (first day of the step, see ``steps_of``), ``level`` (the confidence, floored to
        1/1024 where there are very many, and as in ``collapse.answers`` where only cells can be reached),
        ``n``, ``confidence_sum``, ``correct_sum``, ``correct_sq``, ``residual_sq`` and
        ``residual_fourth`` (powers of confidence minus grade), in order.

    Raises:
        NotIdentifiedError: Only cells can be reached, and they were made without answers by day.
    """
    days = steps_of(first, last)
    begin = starts(first, last, days=days)[0]
    given = {
        "first": first,
        "until": last + timedelta(days=1),
        "categories": None if categories is None else list(categories),
        "uncategorised": UNCATEGORISED,
        "fast": pair[0],
        "strong": pair[1],
        "arm": arm,
        "kind": policy_kind,
    }
    steps = {"begin": begin, "days": days}
    alone = tables.cells_alone(cursor, dataset)
    if alone is not None:
        frame = answers.by_step(cursor, alone, given | steps)
    else:
        rows = {**given, "decisions": tables.of(cursor, dataset, "decisions")}
        ((levels,),) = cursor.execute(_DISTINCT, rows).fetchall()
        frame = cursor.sql(_BY_STEP, params=rows | steps | {"binned": levels > MOST_LEVELS}).pl()
    day = pl.lit(begin) + pl.duration(days=pl.col("step") * days)
    return frame.select(day.cast(pl.Date).alias("day"), pl.exclude("step"))


def steps_of(first: date, last: date) -> int:
    """Days per step: 1 in the first three weeks, from then on a week or more, as ``timeline.step_days``.

    A day seldom has enough graded answers to rank them.
    """
    return 1 if (last - first).days < DAILY_BELOW else max(WEEK, step_days(first, last))


def drift(
    steps: pl.DataFrame, *, gap_inflation: float = 1.0, auroc_inflation: float = 1.0, level: float = LEVEL
) -> pl.DataFrame:
    """Gap, Brier score and AUROC of every step of time with their intervals.

    Args:
        steps: Of ``confidence_by_step``.
        gap_inflation: Design effect of several answers per user on gap and Brier score.
        auroc_inflation: The same on the AUROC.
        level: Coverage.

    Returns:
        ``day``, ``n`` and for each of ``gap``, ``brier`` and ``auroc`` its value with ``_low`` and
        ``_high``; null in steps with fewer than ``FEW`` answers, and where undefined.
    """
    rows = [
        {"day": day} | _step(part, gap_inflation, auroc_inflation, level)
        for (day,), part in sorted(steps.partition_by("day", as_dict=True).items())
    ]
    return pl.DataFrame(rows, schema=_DRIFT, orient="row")


_FIGURES = ("gap", "brier", "auroc")
_DRIFT = {"day": pl.Date, "n": pl.Int64} | {
    f"{name}{end}": pl.Float64 for name in _FIGURES for end in ("", "_low", "_high")
}


def _step(
    part: pl.DataFrame, gap_inflation: float, auroc_inflation: float, level: float
) -> dict[str, float | int | None]:
    totals = part.select(pl.exclude("day", "level").sum()).row(0, named=True)
    n = int(totals["n"])
    if n < FEW:
        return {"n": n}
    gap, brier = totals["confidence_sum"] - totals["correct_sum"], totals["residual_sq"]
    found: dict[str, float | int | None] = {"n": n}
    for name, total, squares in (
        ("gap", gap, totals["residual_sq"]),
        ("brier", brier, totals["residual_fourth"]),
    ):
        low, high = mean_interval(total, squares, n, level=level, inflation=gap_inflation) or (None, None)
        found |= {name: total / n, f"{name}_low": low, f"{name}_high": high}
    ranked = _widened(auroc_estimate(graded_steps(part), level=level), auroc_inflation)
    return found | {"auroc": ranked.value, "auroc_low": ranked.low, "auroc_high": ranked.high}


def _widened(estimate: Estimate, inflation: float) -> Estimate:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate
    value, factor = estimate.value, math.sqrt(inflation)
    low = max(0.0, value - (value - estimate.low) * factor)
    return replace(estimate, low=low, high=min(1.0, value + (estimate.high - value) * factor))


def graded_steps(steps: pl.DataFrame) -> Graded:
    """The answers of some steps as independent ones of a single fold."""
    table = steps.group_by("level").agg(pl.col("n", "correct_sum", "correct_sq").sum()).sort("level")
    n, total, squares = (
        table[name].to_numpy().astype(np.float64) for name in ("n", "correct_sum", "correct_sq")
    )
    return Graded(
        confidence=table["level"].to_numpy().astype(np.float64),
        n=n,
        total=total,
        squares=squares,
        fold=np.zeros(table.height, dtype=np.int64),
        level=np.arange(table.height),
        parts=np.stack([n, total, squares]),
    )


@dataclass(frozen=True, slots=True)
class Shift:
    """The later half of a log against its earlier half.

    Attributes:
        split: First day of the later half.
        gap_change: Gap of the later half minus that of the earlier, with Welch's interval.
        p_value: Of no change of the gap, two-sided.
        ks: Largest difference of the two distributions of the confidence.
        ks_p_value: Of one distribution (conservative where confidences are tied).
        psi: Population stability index over ten bins; .1 and .25 are folklore, not tests.
    """

    split: date
    gap_change: Estimate
    p_value: float | None
    ks: float
    ks_p_value: float
    psi: float


def shift(steps: pl.DataFrame, *, inflation: float = 1.0, level: float = LEVEL) -> Shift | None:
    """Whether the later half of the graded answers differs from the earlier; None with too few of either.

    Args:
        steps: Of ``confidence_by_step``.
        inflation: Design effect of several answers per user on the gap.
        level: Coverage.

    References:
        Welch (1947), Biometrika 34; Kolmogorov (1933) and Smirnov (1939) for two samples.
    """
    from scipy.special import kolmogorov, stdtr, stdtrit  # noqa: PLC0415 - kept off the import path of pages

    by_day = steps.group_by("day").agg(pl.col("n").sum()).sort("day")
    if by_day.height < 2:  # noqa: PLR2004 - two halves need two steps
        return None
    ends = by_day["n"].cum_sum().to_numpy()
    middle = int(np.argmin(np.abs(ends[:-1] - ends[-1] / 2))) + 1
    split: date = by_day["day"][middle]
    halves = [steps.filter(pl.col("day") < split), steps.filter(pl.col("day") >= split)]
    if min(int(half["n"].sum()) for half in halves) < FEW:
        return None
    (n1, mean1, var1), (n2, mean2, var2) = (_residuals(half) for half in halves)
    error = math.sqrt((var1 / n1 + var2 / n2) * inflation)
    change = mean2 - mean1
    rows = int(n1 + n2)
    if error > 0:
        freedom = (var1 / n1 + var2 / n2) ** 2 / ((var1 / n1) ** 2 / (n1 - 1) + (var2 / n2) ** 2 / (n2 - 1))
        p_value = 2 * float(stdtr(freedom, -abs(change) / error))
        half = -float(stdtrit(freedom, (1 - level) / 2)) * error
        estimate = Estimate(change, change - half, change + half, rows, "Welch", level)
    else:
        p_value, estimate = None, Estimate(change, None, None, rows, "Welch", level)
    counts = _counts(halves)
    shares = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).max())
    effective = n1 * n2 / (n1 + n2) / inflation
    return Shift(
        split=split,
        gap_change=estimate,
        p_value=p_value,
        ks=distance,
        ks_p_value=float(kolmogorov(math.sqrt(effective) * distance)),
        psi=stability_index(*_binned_counts(halves)),
    )


def stability_index(before: Floats, after: Floats) -> float:
    """Population stability index of two sets of counts; half a row is added to each bin if one is empty."""
    kept = before + after > 0
    first, second = before[kept], after[kept]
    if min(first.min(), second.min()) <= 0:
        first, second = first + 0.5, second + 0.5
    first, second = first / first.sum(), second / second.sum()
    return float(((second - first) * np.log(second / first)).sum())


def _residuals(half: pl.DataFrame) -> tuple[float, float, float]:
    """Rows, mean and variance of confidence minus grade."""
    totals = half.select(pl.col("n", "confidence_sum", "correct_sum", "residual_sq").sum()).row(0)
    n, claimed, right, squares = (float(value) for value in totals)
    mean = (claimed - right) / n
    return n, mean, max(squares - n * mean * mean, 0.0) / (n - 1)


def _counts(halves: list[pl.DataFrame]) -> Floats:
    """Answers at every confidence of either half, ``(2, m)``."""
    levels = np.unique(np.concatenate([half["level"].to_numpy() for half in halves]))
    return np.stack([_counted(half, levels, size=levels.size, side="left") for half in halves])


def _binned_counts(halves: list[pl.DataFrame]) -> tuple[Floats, Floats]:
    """Answers of either half in ten bins of equal width."""
    edges = np.array([edge / BINS for edge in range(1, BINS)])
    first, second = (_counted(half, edges, size=BINS, side="right") for half in halves)
    return first, second


def _counted(half: pl.DataFrame, edges: Floats, *, size: int, side: Literal["left", "right"]) -> Floats:
    place = np.searchsorted(edges, half["level"].to_numpy(), side=side)
    return summed(place, half["n"].to_numpy().astype(np.float64), size=size)
