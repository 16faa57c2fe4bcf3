"""The thresholds of a category that its log cannot tell apart in accuracy, and the cheapest of them.

Two thresholds differ only on the requests whose confidence lies between them, so their difference is that
of paired grades and far better known than either accuracy. Since the threshold to compare with was itself
chosen from the log, one critical value serves every pair of thresholds at once.

References:
    METHODS 2.2 (paired difference of two thresholds); Bonett & Price (2012), J. Educational and Behavioral
    Statistics 37; Hsu (1996), Multiple Comparisons, chapter 4 (comparisons with the best); Chernozhukov,
    Chetverikov & Kato (2013), Annals of Statistics 41 (Gaussian multiplier bootstrap of a maximum).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.errors import NotIdentifiedError
from analytics.estimate import LEVEL, Floats, normal_quantile
from analytics.tuning.log import Selection, largest_weight
from analytics.tuning.sums import Levels, Sums, control_sums, cost_band, joined, threshold_sums

DRAWS = 999
MOST_COMPARED = 128
"""Thresholds that the critical value allows for; between neighbours of them little can differ."""
_SEED = 20_261_127

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Plateau:
    """Thresholds whose accuracy cannot be told from that of one of them.

    Attributes:
        task_category: The category.
        points: One row per threshold as in ``curve.points``, the last "escalate all" (with the cost of
            always strong): ``threshold``, ``low_edge``, ``identified``, ``difference`` (its accuracy minus
            that of the reference) with the simultaneous ``difference_low`` and ``difference_high``,
            ``inside`` (cannot be told apart), ``cost_per_request_usd``, ``escalation_rate``; null where the
            log does not identify them.
        reference: Row of ``points`` that the others are compared with.
        best: Row of the most accurate threshold that is identified, the lowest of equal ones.
        cheapest: Row of the cheapest threshold inside; by escalations where costs are not known.
        by_cost: Whether ``cheapest`` is by cost.
        critical_value: Standard errors that a difference must exceed.
        n: Requests that accuracy is about.
        level: Probability that every threshold outside truly differs.
    """

    task_category: str
    points: pl.DataFrame
    reference: int
    best: int
    cheapest: int
    by_cost: bool
    critical_value: float
    n: int
    level: float

    @property
    def inside(self) -> list[int]:
        """Rows of the thresholds that cannot be told from the reference, itself included."""
        return np.flatnonzero(self.points["inside"].to_numpy()).tolist()


def plateau(
    selection: Selection, category: str, *, index: int | None = None, level: float = LEVEL
) -> Plateau:
    """The thresholds that cannot be told from one of them, within the region that the log identifies.

    With probability ``level`` every threshold left outside truly differs from the reference, whichever
    that is. So the plateau around the best one in this log holds the truly best one at least as often.

    Args:
        selection: The rows in question.
        category: One of its categories.
        index: Row of the reference among the curve's thresholds, ascending, the last "escalate all"; None
            for the most accurate one that is identified.
        level: Simultaneous coverage.

    Raises:
        NotIdentifiedError: The log does not identify the reference, or any threshold.
    """
    at, n, known, accuracy = _identified(selection, category)
    best = int(np.argmax(np.where(known, accuracy, -np.inf)))
    reference = best if index is None else index
    if not known[reference]:
        raise NotIdentifiedError("This log cannot tell the accuracy of this threshold.")
    # What lies between two thresholds is the difference of two cumulative sums over the levels.
    gains, squares = (np.append(0.0, np.cumsum(at.columns[name][1:])) for name in ("gain_sum", "gain_sq"))
    weight = largest_weight(selection, (category,))
    inflation = selection.accuracy_inflation
    spare = 2 * weight**2
    critical = _critical_value(tuple(_compared(squares[known])), spare=spare, level=level)
    total = gains - gains[reference]
    between = np.abs(squares - squares[reference])
    error = np.sqrt((between + spare) * inflation) / n
    difference = total / n
    same = np.arange(gains.size) == reference
    half = np.where(same, 0.0, critical * error)
    inside = known & (same | (np.abs(difference) <= half))
    cost, escalated, rows = _costs(selection, at)
    by_cost = bool(np.isfinite(cost[inside]).all())
    order = cost if by_cost else escalated
    cheapest = int(np.argmin(np.where(inside, order, np.inf)))
    edges = at.confidence
    unknown = np.where(known, 1.0, np.nan)
    columns = {
        "threshold": np.append(edges, np.nan),
        "low_edge": np.append(np.nan, edges),
        "identified": known,
        "difference": difference * unknown,
        "difference_low": np.maximum(difference - half, -1.0) * unknown,
        "difference_high": np.minimum(difference + half, 1.0) * unknown,
        "inside": inside,
        "cost_per_request_usd": cost,
        "escalation_rate": escalated / max(rows, 1.0),
    }
    points = pl.DataFrame([pl.Series(name, values, nan_to_null=True) for name, values in columns.items()])
    return Plateau(category, points, reference, best, cheapest, by_cost, critical, int(n), level)


def _identified(selection: Selection, category: str) -> tuple[Levels, float, Bools, Floats]:
    """Levels of a category, its graded requests, which thresholds are identified, and their accuracies."""
    at = selection.levels[category]
    sums = threshold_sums(at, missing=selection.missing)
    known = (sums.gap == 0) & (sums.n > 0)
    if not known.any():
        raise NotIdentifiedError("This log does not identify the accuracy of any threshold here.")
    return at, float(sums.n[0]), known, sums.total / np.maximum(sums.n, 1.0)


def _costs(selection: Selection, at: Levels) -> tuple[Floats, Floats, float]:
    """Cost per request and escalations of every threshold; escalating all as always strong, the cheaper."""
    sums = threshold_sums(at, missing=selection.missing)
    without_last = Sums(*(getattr(sums, name)[:-1] for name in Sums.__dataclass_fields__))
    whole = joined([without_last, control_sums(at, "strong_only")])
    return cost_band(whole)["value"], whole.escalated, float(whole.rows[0])


@lru_cache(maxsize=256)
def _critical_value(squares: tuple[float, ...], *, spare: float, level: float) -> float:
    """Standard errors that, at the level, no difference between two thresholds exceeds by chance.

    The requests between two thresholds are independent of those between two others, so under equal
    accuracies the cumulative gain is a random walk whose variance is the cumulative sum of squares. It is
    the same for every reference, so the next one of a category finds it here.

    Args:
        squares: Distinct cumulative squared gains at the thresholds in question, ascending.
        spare: Variance of the two requests that are added, see ``paired_band``.
        level: Coverage.
    """
    at = np.array(squares)
    draw = np.random.default_rng(_SEED)
    steps = draw.standard_normal((DRAWS, at.size - 1)) * np.sqrt(np.diff(at))
    walk = np.concatenate([np.zeros((DRAWS, 1)), np.cumsum(steps, axis=1)], axis=1)
    largest = np.zeros(DRAWS)
    for lag in range(1, at.size):
        errors = np.sqrt(at[lag:] - at[:-lag] + spare)
        np.maximum(largest, np.abs((walk[:, lag:] - walk[:, :-lag]) / errors).max(axis=1), out=largest)
    # The rank that keeps the level exactly: ceil(level (draws + 1)) of the draws in order.
    rank = min(int(np.ceil(level * (DRAWS + 1))), DRAWS) - 1
    return max(float(np.partition(largest, rank)[rank]), normal_quantile((1 + level) / 2))


def _compared(squares: Floats) -> Floats:
    """At most ``MOST_COMPARED`` of the distinct cumulative squares, evenly by what lies between them."""
    distinct = np.unique(squares)
    if distinct.size <= MOST_COMPARED:
        return distinct
    wanted = np.linspace(distinct[0], distinct[-1], MOST_COMPARED)
    nearest: Ints = np.unique(np.searchsorted(distinct, wanted, side="left"))
    return distinct[nearest]
