"""The cost-accuracy frontier of a curve, and the areas that sum a curve up.

Points with an undefined coordinate (NaN) are never on a frontier; an area over one is undefined.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

TOLERANCE = 1e-12
"""Shares closer than this are equal: two of the same counts may differ in the last bit."""
_SWEEPS = 8
_FEW = 128


def pareto(cost: ArrayLike, correct: ArrayLike) -> Indices:
    """Indices of the points that no other point beats, cheapest first.

    A point is beaten if another costs no more and is correct no less often, one of them strictly. Of
    equal points the first stays.

    Args:
        cost: Cost per point, shape ``(m,)``.
        correct: Correct answers or accuracy per point, shape ``(m,)``.
    """
    costs, gains = _floats(cost), _floats(correct)
    known = np.flatnonzero(np.isfinite(costs) & np.isfinite(gains))
    order = known[np.lexsort((known, -gains[known], costs[known]))]
    best = np.maximum.accumulate(gains[order]) if order.size else gains[order]
    return order[np.concatenate(([True], gains[order][1:] > best[:-1]))] if order.size else order


def hull(cost: ArrayLike, correct: ArrayLike) -> Indices:
    """Indices of the vertices of the upper left concave envelope, cheapest first.

    The price of a further correct answer rises strictly from vertex to vertex. Steps that gain nothing
    are dropped, gains that cost nothing are taken before the first vertex, and points in the middle of a
    straight piece are no vertices.

    Args:
        cost: Cost per point, shape ``(m,)``.
        correct: Correct answers or accuracy per point, shape ``(m,)``.
    """
    vertices = pareto(cost, correct)
    costs, gains = _floats(cost), _floats(correct)
    # A point under the line between its neighbours is no vertex, whatever happens to them: whole sweeps
    # remove nearly all of those at once; the monotone chain settles the rest, and few points alone.
    for _ in range(_SWEEPS if vertices.size > _FEW else 0):
        price = icer(costs, gains, along=vertices)
        under = np.flatnonzero(price[:-1] >= price[1:]) + 1
        if not under.size:
            return vertices
        vertices = np.delete(vertices, under)
    return _chain(costs, gains, vertices)


def icer(cost: ArrayLike, correct: ArrayLike, *, along: ArrayLike) -> Floats:
    """Incremental cost-effectiveness: cost of one more correct answer between successive points.

    Args:
        cost: Cost per point, shape ``(m,)``.
        correct: Correct answers or accuracy per point, shape ``(m,)``.
        along: Indices of ``k`` points in the order in which they are bought, such as the ``hull``.

    Returns:
        ``k - 1`` prices, 0 where the gain is free, NaN where nothing is gained; along a hull they rise
        strictly and are never NaN.
    """
    path = np.asarray(along, dtype=np.intp)
    spent, gained = np.diff(_floats(cost)[path]), np.diff(_floats(correct)[path])
    price: Floats = np.full(spent.shape, np.nan)
    with np.errstate(over="ignore"):  # next to no gain costs next to infinity
        np.divide(spent, gained, out=price, where=gained > 0)
    return price


def aiq(cost: ArrayLike, quality: ArrayLike) -> float | None:
    """Average improvement in quality: mean height of the frontier over the range of costs.

    The height is the non-decreasing concave envelope, flat from its last vertex to the largest cost. The
    area is divided by the range, as the paper defines it; its released code divides by the largest cost.

    Args:
        cost: Cost per point, shape ``(m,)``.
        quality: Accuracy (or correct answers) per point, shape ``(m,)``.

    Returns:
        None where a coordinate is undefined or all points cost the same.

    References:
        Hu et al. (2024), RouterBench, arXiv 2403.12031.
    """
    costs, heights = _floats(cost), _floats(quality)
    if not costs.size or not (np.isfinite(costs).all() and np.isfinite(heights).all()):
        return None
    vertices = hull(costs, heights)
    least, most = float(costs.min()), float(costs.max())
    if most <= least:
        return None
    x = np.append(costs[vertices], most)
    y = np.append(heights[vertices], heights[vertices[-1]])
    return float(np.trapezoid(y, x)) / (most - least)


def apgr(
    escalation_rate: ArrayLike, accuracy: ArrayLike, *, fast_accuracy: float, strong_accuracy: float
) -> float | None:
    """Average performance gap recovered: area under PGR over the escalation rate, by the trapezoid rule.

    PGR is ``(accuracy - fast) / (strong - fast)``; random escalation scores 0.5. Where the curve does
    not reach the ends (a missing confidence always escalates), the routes fast_only at 0 and strong_only
    at 1 complete it.

    Args:
        escalation_rate: In [0, 1], shape ``(m,)``, any order.
        accuracy: In [0, 1], shape ``(m,)``.
        fast_accuracy: Accuracy of the fast model on the same rows.
        strong_accuracy: Accuracy of the strong model on the same rows.

    Returns:
        None unless the strong model is better and every point is known.

    References:
        Ong et al. (2024), RouteLLM, arXiv 2406.18665; trapezoids as in its released code.
    """
    curve = gap_recovered(escalation_rate, accuracy, fast_accuracy, strong_accuracy)
    return None if curve is None else area_of(*curve)


def cpt(
    escalation_rate: ArrayLike,
    accuracy: ArrayLike,
    *,
    fast_accuracy: float,
    strong_accuracy: float,
    share: float,
) -> float | None:
    """Call-performance threshold: least escalation rate that recovers ``share`` of the gap.

    Only points of the curve count, nothing is interpolated; strong_only at 1 always recovers all of it.

    Args:
        escalation_rate: In [0, 1], shape ``(m,)``, any order.
        accuracy: In [0, 1], shape ``(m,)``.
        fast_accuracy: Accuracy of the fast model on the same rows.
        strong_accuracy: Accuracy of the strong model on the same rows.
        share: Part of the gap, in [0, 1]; 0.5 for CPT(50%).

    Returns:
        None unless the strong model is better and every point is known.

    References:
        Ong et al. (2024), RouteLLM, arXiv 2406.18665.
    """
    curve = gap_recovered(escalation_rate, accuracy, fast_accuracy, strong_accuracy)
    return None if curve is None else least_rate(*curve, share=share)


def gap_recovered(
    escalation_rate: ArrayLike, accuracy: ArrayLike, fast_accuracy: float, strong_accuracy: float
) -> tuple[Floats, Floats] | None:
    """Escalation rate and PGR, ascending from 0 to 1; None where PGR is undefined. See ``apgr``."""
    gap = strong_accuracy - fast_accuracy
    rates, reached = _floats(escalation_rate), _floats(accuracy)
    # Not "gap <= TOLERANCE": a NaN must fail too.
    if not gap > TOLERANCE or not (np.isfinite(rates).all() and np.isfinite(reached).all()):
        return None
    order = np.argsort(rates, kind="stable")
    x = np.concatenate(([0.0], rates[order], [1.0]))
    y = np.concatenate(([0.0], (reached[order] - fast_accuracy) / gap, [1.0]))
    return x, y


def area_of(rates: Floats, recovered: Floats) -> float:
    """APGR of what ``gap_recovered`` returns."""
    return float(np.trapezoid(recovered, rates))


def least_rate(rates: Floats, recovered: Floats, *, share: float) -> float:
    """CPT of what ``gap_recovered`` returns, for a ``share`` of the gap in [0, 1]."""
    return float(rates[recovered >= share - TOLERANCE].min())


def _chain(costs: Floats, gains: Floats, candidates: Indices) -> Indices:
    """Andrew's monotone chain over points already ascending in both coordinates."""
    kept: list[int] = []
    prices: list[float] = []  # of the step that ends at each kept point but the first
    x, y = costs.tolist(), gains.tolist()
    for point in candidates.tolist():
        price = 0.0
        while kept:
            price = (x[point] - x[kept[-1]]) / (y[point] - y[kept[-1]])
            if not prices or prices[-1] < price:
                break
            kept.pop()
            prices.pop()
        if kept:
            prices.append(price)
        kept.append(point)
    return np.array(kept, dtype=np.intp)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)
