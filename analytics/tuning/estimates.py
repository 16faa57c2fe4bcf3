"""The figures of policies, each with its interval, from their totals."""

import math

import numpy as np
from numpy.typing import NDArray

from analytics.estimate import LEVEL, Estimate, Floats, undefined, wilson_band
from analytics.tuning.sums import Sums, accuracy_band, cost_band

NO_COSTS = "This log has no costs on the rows that this route needs."
FEW_COSTS = "Costs are known for less than half of the requests that this route is about."
NO_GRADES = "This log has no grades."
NOT_IDENTIFIED = "This log cannot tell: some requests have no outcome on this route."
CLUSTERED = 1 + 1e-9
"""Beyond this inflation users widen an interval; below, the order of a sum does."""


def accuracy_estimates(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> list[Estimate]:
    """Accuracy under each policy; the interval of bounds stays where there is no value."""
    band = accuracy_band(sums, inflation=inflation, level=level)
    binary = np.abs(sums.squares - sums.total) <= 1e-9 * sums.n
    clustered = ", clustered" if inflation > CLUSTERED else ""
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
            found.append(Estimate(value, _known(low), _known(high), int(n), method, level))
    return found


def accuracy_estimate(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> Estimate:
    """Accuracy under one policy; see ``accuracy_estimates``."""
    return accuracy_estimates(sums, inflation=inflation, level=level)[0]


def cost_estimates(sums: Sums, *, inflation: float = 1.0, level: float = LEVEL) -> list[Estimate]:
    """Mean cost per request under each policy, USD."""
    band = cost_band(sums, inflation=inflation, level=level)
    known = "normal, clustered" if inflation > CLUSTERED else "normal"
    found = []
    for n, gap, value, low, high in zip(
        *_lists(sums.cost_n, sums.cost_gap, band["value"], band["low"], band["high"]), strict=True
    ):
        if math.isnan(value):
            reason = NO_COSTS if n == 0 else NOT_IDENTIFIED if gap > 0 else FEW_COSTS
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
    method = "Wilson, clustered" if inflation > CLUSTERED else "Wilson"
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
