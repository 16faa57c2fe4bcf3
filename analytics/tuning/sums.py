"""Totals of a log under one policy or under every threshold, and the estimates that follow from them.

Keep iff ``confidence >= threshold``. Between two neighbouring observed confidences every threshold is
the same policy, so a log with m distinct confidences has m + 1 of them, "escalate all" included.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.estimate import (
    LEVEL,
    Estimate,
    Floats,
    imbens_manski_band,
    mean_band,
    undefined,
    wilson_band,
)
from analytics.tuning.identification import CONTRIBUTIONS, Missing

LEAST_COST_COVERAGE = 0.5
NO_COSTS = "This log has no costs on the rows that this route needs."
NO_GRADES = "This log has no grades."
NOT_IDENTIFIED = "This log cannot tell: some requests have no outcome on this route."


@dataclass(frozen=True, slots=True)
class Sums:
    """Totals over requests under one or several policies; arrays of one shape.

    Attributes:
        n: Requests that accuracy is about.
        total: Sum of their outcomes where known.
        squares: Sum of squares of the same.
        gap: Requests whose outcome is unknown.
        cost_n: Requests whose cost is known.
        cost: Sum of it, USD.
        cost_squares: Sum of squares of the same.
        cost_gap: Requests whose cost was never incurred in this log.
        rows: All requests.
        escalated: Requests that are escalated.
    """

    n: Floats
    total: Floats
    squares: Floats
    gap: Floats
    cost_n: Floats
    cost: Floats
    cost_squares: Floats
    cost_gap: Floats
    rows: Floats
    escalated: Floats

    def __add__(self, other: "Sums") -> "Sums":
        """Totals over both sets of requests."""
        return Sums(*(getattr(self, name) + getattr(other, name) for name in SUM_NAMES))


SUM_NAMES = tuple(Sums.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Levels:
    """What each distinct confidence contributes; slot 0 of every array is the missing confidence."""

    confidence: Floats
    columns: dict[str, Floats]

    def at_thresholds(self, keep: str, escalate: str, *, missing: Missing = "escalate") -> Floats:
        """Total at every threshold: kept from there up, escalated below; shape ``(m + 1,)``."""
        kept, escalated = self.columns[keep], self.columns[escalate]
        above = np.concatenate([np.cumsum(kept[:0:-1])[::-1], [0.0]])
        below = np.concatenate([[0.0], np.cumsum(escalated[1:])])
        total: Floats = above + below + (kept[0] if missing == "keep" else escalated[0])
        return total

    def everywhere(self, column: str) -> float:
        """Total of one column over all slots."""
        return float(self.columns[column].sum())


def levels(contributions: pl.DataFrame) -> Levels:
    """What each distinct confidence contributes, from the rows of ``identification.contributions``."""
    table = (
        contributions.group_by("confidence")
        .agg(pl.col(CONTRIBUTIONS).sum())
        .sort("confidence", nulls_last=False)
    )
    if table.height == 0 or table["confidence"][0] is not None:
        empty = table.clear(1)
        table = pl.concat([empty.with_columns(pl.col(CONTRIBUTIONS).fill_null(0)), table])
    columns = {name: table[name].cast(pl.Float64).to_numpy() for name in CONTRIBUTIONS}
    return Levels(table["confidence"][1:].to_numpy().astype(np.float64), columns)


def threshold_sums(at: Levels, *, missing: Missing = "escalate") -> Sums:
    """Totals at every threshold; arrays of shape ``(m + 1,)``, the last "escalate all"."""

    def swept(keep: str, escalate: str) -> Floats:
        return at.at_thresholds(keep, escalate, missing=missing)

    zero = {**at.columns, "zero": np.zeros_like(at.columns["rows"])}
    flat = Levels(at.confidence, zero)
    return Sums(
        n=swept("n", "n"),
        total=swept("keep_sum", "esc_sum"),
        squares=swept("keep_sq", "esc_sq"),
        gap=swept("keep_gap", "esc_gap"),
        cost_n=swept("keep_cost_n", "esc_cost_n"),
        cost=swept("keep_cost_sum", "esc_cost_sum"),
        cost_squares=swept("keep_cost_sq", "esc_cost_sq"),
        cost_gap=flat.at_thresholds("zero", "esc_cost_gap", missing=missing),
        rows=swept("rows", "rows"),
        escalated=flat.at_thresholds("zero", "rows", missing=missing),
    )


_CONTROLS = {
    "fast_only": ("keep_sum", "keep_sq", "keep_gap", "fast_cost_n", "fast_cost_sum", "fast_cost_sq", None, 0),
    "strong_only": (
        "esc_sum", "esc_sq", "esc_gap", "strong_cost_n", "strong_cost_sum", "strong_cost_sq",
        "esc_cost_gap", 1,
    ),
}  # fmt: skip


def control_sums(at: Levels, name: str) -> Sums:
    """Totals under ``fast_only`` or ``strong_only``; arrays of shape ``(1,)``."""
    total, squares, gap, cost_n, cost, cost_squares, cost_gap, escalated = _CONTROLS[name]
    values = [at.everywhere(column) for column in ("n", total, squares, gap, cost_n, cost, cost_squares)]
    rows = at.everywhere("rows")
    values += [at.everywhere(cost_gap) if cost_gap else 0.0, rows, rows * escalated]
    return Sums(*(np.array([value]) for value in values))


def accuracy_band(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> dict[str, Floats]:
    """Accuracy with its interval; where outcomes are unknown, bounds instead of a value.

    Returns:
        ``value`` (NaN where not identified), ``low``, ``high``, ``bound_low``, ``bound_high``. Wilson
        intervals for 0/1 outcomes, normal ones otherwise, Imbens-Manski ones around bounds.
    """
    n, total, squares, gap = sums.n, sums.total, sums.squares, sums.gap
    rows = np.maximum(n, 1.0)
    value = np.where((gap == 0) & (n > 0), total / rows, np.nan)
    bound_low, bound_high = total / rows, (total + gap) / rows
    binary = np.abs(squares - total) <= 1e-9 * rows
    low, high = wilson_band(total / inflation, n / inflation, level=level)
    normal_low, normal_high = mean_band(total, squares, n, level=level, inflation=inflation)
    low = np.where(binary, low, np.clip(normal_low, 0.0, 1.0))
    high = np.where(binary, high, np.clip(normal_high, 0.0, 1.0))
    unknown = gap > 0
    if unknown.any():
        errors = [
            np.sqrt(np.maximum(sq / rows - mean**2, 0.0) * inflation / rows)
            for sq, mean in ((squares, bound_low), (squares + gap, bound_high))
        ]
        wide_low, wide_high = imbens_manski_band(bound_low, bound_high, *errors, level=level)
        low = np.where(unknown, np.clip(wide_low, 0.0, 1.0), low)
        high = np.where(unknown, np.clip(wide_high, 0.0, 1.0), high)
    nothing = n == 0
    return {
        "value": value,
        "low": np.where(nothing, np.nan, low),
        "high": np.where(nothing, np.nan, high),
        "bound_low": np.where(nothing, np.nan, bound_low),
        "bound_high": np.where(nothing, np.nan, bound_high),
    }


def cost_band(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> dict[str, Floats]:
    """Mean cost per request with its interval, USD; NaN where unknown on half of the rows or more."""
    covered = sums.cost_n / np.maximum(sums.rows, 1.0)
    known = (sums.cost_gap == 0) & (covered >= LEAST_COST_COVERAGE) & (sums.cost_n > 0)
    value = np.where(known, sums.cost / np.maximum(sums.cost_n, 1.0), np.nan)
    low, high = mean_band(sums.cost, sums.cost_squares, sums.cost_n, level=level, inflation=inflation)
    return {
        "value": value,
        "low": np.where(known, np.maximum(low, 0.0), np.nan),
        "high": np.where(known, high, np.nan),
    }


def accuracy_estimate(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> Estimate:
    """Accuracy under one policy; the interval of bounds stays where there is no value."""
    n = int(sums.n[0])
    if n == 0:
        return undefined(NO_GRADES, level=level)
    band = accuracy_band(sums, inflation=inflation, level=level)
    low, high = _known(band["low"][0]), _known(band["high"][0])
    if sums.gap[0] > 0:
        return Estimate(None, low, high, n, "bounds, Imbens-Manski", level, NOT_IDENTIFIED)
    binary = abs(sums.squares[0] - sums.total[0]) <= 1e-9 * n
    method = ("Wilson" if binary else "normal") + (", clustered" if inflation > 1 else "")
    # A weighted estimate may leave [0, 1] by chance; no accuracy does.
    return Estimate(min(max(float(band["value"][0]), 0.0), 1.0), low, high, n, method, level)


def cost_estimate(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> Estimate:
    """Mean cost per request under one policy, USD."""
    band = cost_band(sums, inflation=inflation, level=level)
    n, value = int(sums.cost_n[0]), _known(band["value"][0])
    if value is None:
        reason = NOT_IDENTIFIED if sums.cost_gap[0] > 0 and n > 0 else NO_COSTS
        return undefined(reason, n=n, method="normal", level=level)
    method = "normal, clustered" if inflation > 1 else "normal"
    return Estimate(value, _known(band["low"][0]), _known(band["high"][0]), n, method, level)


def escalation_estimate(sums: Sums, *, level: float = LEVEL) -> Estimate:
    """Share of requests escalated under one policy."""
    rows, escalated = sums.rows[0], sums.escalated[0]
    if rows == 0:
        return undefined("There are no requests.", level=level)
    low, high = wilson_band(sums.escalated, sums.rows, level=level)
    return Estimate(float(escalated / rows), float(low[0]), float(high[0]), int(rows), "Wilson", level)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
