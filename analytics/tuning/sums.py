"""Totals of a log under one policy or under every threshold, and the estimates that follow from them.

Keep iff ``confidence >= threshold``. Between two neighbouring observed confidences every threshold is
the same policy, so a log with m distinct confidences has m + 1 of them, "escalate all" included.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

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

    def swept(
        self, keeps: Sequence[str | None], escalates: Sequence[str | None], *, missing: Missing = "escalate"
    ) -> Floats:
        """``at_thresholds`` of several pairs of columns in one go, None for nothing; ``(k, m + 1)``."""
        kept, escalated = self._stacked(keeps), self._stacked(escalates)
        total = np.zeros((len(keeps), self.confidence.size + 1))
        total[:, :-1] = np.cumsum(kept[:, :0:-1], axis=1)[:, ::-1]
        total[:, 1:] += np.cumsum(escalated[:, 1:], axis=1)
        total += (kept if missing == "keep" else escalated)[:, :1]
        return total

    def _stacked(self, names: Sequence[str | None]) -> Floats:
        stacked = np.zeros((len(names), self.confidence.size + 1))
        for place, name in enumerate(names):
            if name is not None:
                stacked[place] = self.columns[name]
        return stacked

    def everywhere(self, column: str) -> float:
        """Total of one column over all slots."""
        return float(np.add.reduce(self.columns[column]))


def levels(contributions: pl.DataFrame) -> Levels:
    """What each distinct confidence contributes, from the rows of ``identification.contributions``."""
    return _levels(_by_confidence(contributions, "confidence"))


def levels_by_category(contributions: pl.DataFrame) -> dict[str, Levels]:
    """The ``levels`` of every category, by one GROUP BY for all."""
    table = _by_confidence(contributions, "task_category", "confidence")
    parts = table.partition_by("task_category", as_dict=True)
    return {name: _levels(part) for (name,), part in parts.items()}


def _by_confidence(contributions: pl.DataFrame, *keys: str) -> pl.DataFrame:
    table = contributions.group_by(keys).agg(pl.col(CONTRIBUTIONS).sum().cast(pl.Float64))
    return table.sort(keys, nulls_last=False)


def _levels(table: pl.DataFrame) -> Levels:
    confidence = table["confidence"]
    columns = {name: table[name].to_numpy() for name in CONTRIBUTIONS}
    if table.height == 0 or confidence[0] is not None:
        columns = {name: np.append(0.0, column) for name, column in columns.items()}
    return Levels(confidence.drop_nulls().to_numpy().astype(np.float64), columns)


_KEPT = (
    "n", "keep_sum", "keep_sq", "keep_gap", "keep_cost_n", "keep_cost_sum", "keep_cost_sq", None, "rows",
    None,
)  # fmt: skip
_ESCALATED = (
    "n", "esc_sum", "esc_sq", "esc_gap", "esc_cost_n", "esc_cost_sum", "esc_cost_sq", "esc_cost_gap", "rows",
    "rows",
)  # fmt: skip


def threshold_sums(at: Levels, *, missing: Missing = "escalate") -> Sums:
    """Totals at every threshold; arrays of shape ``(m + 1,)``, the last "escalate all"."""
    return Sums(*at.swept(_KEPT, _ESCALATED, missing=missing))


def joined(parts: Sequence[Sums]) -> Sums:
    """Totals of several groups of policies one after the other."""
    return Sums(*(np.concatenate([getattr(part, name) for part in parts]) for name in SUM_NAMES))


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


def accuracy_estimates(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> list[Estimate]:
    """Accuracy under each policy; the interval of bounds stays where there is no value."""
    band = accuracy_band(sums, inflation=inflation, level=level)
    binary = np.abs(sums.squares - sums.total) <= 1e-9 * sums.n
    clustered = ", clustered" if inflation > 1 else ""
    found = []
    for n, gap, value, low, high, exact in zip(
        *_lists(sums.n, sums.gap, band["value"], band["low"], band["high"], binary), strict=True
    ):
        if n == 0:
            found.append(undefined(NO_GRADES, level=level))
        elif gap > 0:
            method = "bounds, Imbens-Manski"
            found.append(Estimate(None, _known(low), _known(high), int(n), method, level, NOT_IDENTIFIED))
        else:
            method = ("Wilson" if exact else "normal") + clustered
            # A weighted estimate may leave [0, 1] by chance; no accuracy does.
            share = min(max(value, 0.0), 1.0)
            found.append(Estimate(share, _known(low), _known(high), int(n), method, level))
    return found


def accuracy_estimate(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> Estimate:
    """Accuracy under one policy; see ``accuracy_estimates``."""
    return accuracy_estimates(sums, inflation=inflation, level=level)[0]


def cost_estimates(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> list[Estimate]:
    """Mean cost per request under each policy, USD."""
    band = cost_band(sums, inflation=inflation, level=level)
    known = "normal, clustered" if inflation > 1 else "normal"
    found = []
    for n, gap, value, low, high in zip(
        *_lists(sums.cost_n, sums.cost_gap, band["value"], band["low"], band["high"]), strict=True
    ):
        if math.isnan(value):
            reason = NOT_IDENTIFIED if gap > 0 and n > 0 else NO_COSTS
            found.append(undefined(reason, n=int(n), method="normal", level=level))
        else:
            found.append(Estimate(value, _known(low), _known(high), int(n), known, level))
    return found


def cost_estimate(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> Estimate:
    """Mean cost per request under one policy; see ``cost_estimates``."""
    return cost_estimates(sums, inflation=inflation, level=level)[0]


def escalation_estimates(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> list[Estimate]:
    """Share of requests escalated under each policy."""
    lows, highs = wilson_band(sums.escalated / inflation, sums.rows / inflation, level=level)
    method = "Wilson, clustered" if inflation > 1 else "Wilson"
    return [
        Estimate(escalated / rows, low, high, int(rows), method, level)
        if rows
        else undefined("There are no requests.", level=level)
        for escalated, rows, low, high in zip(*_lists(sums.escalated, sums.rows, lows, highs), strict=True)
    ]


def _lists(*arrays: Floats | NDArray[np.bool_]) -> list[list[float]]:
    return [array.tolist() for array in arrays]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
