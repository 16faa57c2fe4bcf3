"""Looking early without fooling oneself: intervals and p-values that hold at every look.

References:
    Johari, Koomen, Pekelis & Walsh (2022), Operations Research 70: the mixture SPRT; Waudby-Smith et al.
    (2024), Annals of Statistics: asymptotic confidence sequences; Robbins (1970), Annals of Mathematical
    Statistics 41; Lan & DeMets (1983), Biometrika 70; Armitage, McPherson & Rowe (1969), J. Royal
    Statistical Society A 132.
"""

import math
from functools import lru_cache

import numpy as np

from analytics.estimate import LEVEL, Floats, normal_quantile

LEAST_PER_ARM = 100
"""Requests per arm before which the plugged-in variance is too uncertain to look at."""
_GRID = 801


def mixture_radius(error: Floats, tau: float, *, level: float = LEVEL) -> Floats:
    """Half widths of a confidence sequence for a mean or a difference of means.

    Args:
        error: Standard errors of the estimate at the looks, any shape, positive.
        tau: Standard deviation of the effects that are mixed over, about the smallest effect that matters.
        level: Coverage at all looks at once.
    """
    variance, mixed = error**2, error**2 + tau**2
    bound = math.log(1 / (1 - level)) + np.log(mixed / variance) / 2
    return np.asarray(np.sqrt(2 * variance * mixed / tau**2 * bound), dtype=np.float64)


def mixture_p_values(effect: Floats, error: Floats, tau: float) -> Floats:
    """Always-valid p-values at successive looks: the least of 1 / likelihood ratio so far, at most 1.

    Args:
        effect: Estimates at the looks, in order of time; a NaN is no look.
        error: Their standard errors.
        tau: As for ``mixture_radius``.
    """
    variance, mixed = error**2, error**2 + tau**2
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        log_ratio = np.log(variance / mixed) / 2 + tau**2 * effect**2 / (2 * variance * mixed)
        p = np.exp(-np.maximum(log_ratio, 0.0))
    return np.minimum.accumulate(np.where(np.isfinite(p), p, 1.0))


def proportion_sequence(
    successes: Floats, n: Floats, *, level: float | Floats = LEVEL
) -> tuple[Floats, Floats]:
    """Exact intervals for one proportion that hold at every look: Robbins' beta-binomial mixture.

    Args:
        successes: So far, at each look.
        n: Trials so far; at 0 the interval is (0, 1).
        level: Coverage at all looks at once; one for all, or one for each.

    Returns:
        The ends of ``{p: (n + 1) Binomial(successes; n, p) > 1 - level}``.
    """
    from scipy.special import betaln, xlog1py, xlogy  # noqa: PLC0415 - off the page path

    bound = np.log1p(-np.asarray(level)) + betaln(successes + 1, n - successes + 1)
    mode = successes / np.maximum(n, 1)

    def inside(p: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return np.asarray(xlogy(successes, p) + xlog1py(n - successes, -p) > bound)

    ends = []
    for edge in (0.0, 1.0):
        out, within = np.full_like(mode, edge), mode.copy()
        for _ in range(60):
            middle = (out + within) / 2
            kept = inside(middle)
            within, out = np.where(kept, middle, within), np.where(kept, out, middle)
        ends.append(np.where(n > 0, np.where(inside(np.full_like(mode, edge)), edge, out), edge))
    return ends[0], ends[1]


def difference_sequence(
    x1: Floats, n1: Floats, x2: Floats, n2: Floats, *, level: float | Floats = LEVEL
) -> tuple[Floats, Floats]:
    """Exact intervals for ``p1 - p2`` that hold at every look: both proportions at half the error."""
    each = (1 + level) / 2
    low1, high1 = proportion_sequence(x1, n1, level=each)
    low2, high2 = proportion_sequence(x2, n2, level=each)
    return low1 - high2, high1 - low2


def difference_p_values(x1: Floats, n1: Floats, x2: Floats, n2: Floats) -> Floats:
    """Always-valid p-values that two proportions are equal: the least error at which they are told apart."""
    low, high = np.full(np.shape(x1), math.log(1e-12)), np.zeros(np.shape(x1))
    for _ in range(40):
        middle = (low + high) / 2
        ends = difference_sequence(x1, n1, x2, n2, level=-np.expm1(middle))
        apart = (ends[0] > 0) | (ends[1] < 0)
        low, high = np.where(apart, low, middle), np.where(apart, middle, high)
    return np.minimum.accumulate(np.minimum(np.exp(high), 1.0))


def running(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The intersection of a confidence sequence so far, which holds as well; NaN is no look."""
    lows = np.maximum.accumulate(np.where(np.isnan(low), -np.inf, low))
    highs = np.minimum.accumulate(np.where(np.isnan(high), np.inf, high))
    none = np.isinf(lows) | np.isinf(highs) | (lows > highs)
    return np.where(none, low, lows), np.where(none, high, highs)


def spent(time: Floats, *, alpha: float) -> Floats:
    """Error that O'Brien-Fleming spending has used up at information times in (0, 1], one-sided."""
    from scipy.special import ndtr  # noqa: PLC0415 - off the page path

    return np.asarray(2 - 2 * ndtr(normal_quantile(1 - alpha / 2) / np.sqrt(time)), dtype=np.float64)


def spending_bounds(time: Floats, *, alpha: float = 0.025) -> Floats:
    """Upper z bounds of a group-sequential test at planned looks, one-sided.

    Args:
        time: Increasing information times, the last one 1.
        alpha: One-sided error over all looks.
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - off the page path

    budget = np.diff(spent(time, alpha=alpha), prepend=0.0)
    bounds: list[float] = []
    state: tuple[Floats, Floats] | None = None
    for place, step in enumerate(budget):
        bounds.append(float(brentq(_excess, 0.0, 12.0, args=(state, time, place, float(step)), xtol=1e-10)))
        state = _continued(state, time, place, bounds[-1], two_sided=False)
    return np.array(bounds)


def _excess(
    bound: float, state: tuple[Floats, Floats] | None, time: Floats, place: int, step: float
) -> float:
    return _crossed(state, time, place, bound, two_sided=False) - step


@lru_cache(maxsize=256)
def peeking_error(looks: int, *, level: float = LEVEL) -> float:
    """True false-positive rate of a fixed-horizon test that is looked at several times, evenly spaced.

    Args:
        looks: How often, at least 1; each stops the experiment if its interval leaves out zero.
        level: Coverage of each single interval.
    """
    time = np.arange(1, looks + 1) / looks
    bound = normal_quantile((1 + level) / 2)
    state, total = None, 0.0
    for place in range(looks):
        total += _crossed(state, time, place, bound, two_sided=True)
        state = _continued(state, time, place, bound, two_sided=True)
    return total


def _crossed(
    state: tuple[Floats, Floats] | None, time: Floats, place: int, bound: float, *, two_sided: bool
) -> float:
    """Probability to leave at this look and not before."""
    from scipy.special import ndtr  # noqa: PLC0415 - off the page path

    edge = bound * math.sqrt(time[place])
    if state is None:
        out = float(ndtr(-bound))
        return 2 * out if two_sided else out
    points, density = state
    step = math.sqrt(time[place] - time[place - 1])
    leaving = ndtr((points - edge) / step)
    if two_sided:
        leaving = leaving + ndtr((-edge - points) / step)
    return float(density @ leaving)


def _continued(
    state: tuple[Floats, Floats] | None, time: Floats, place: int, bound: float, *, two_sided: bool
) -> tuple[Floats, Floats]:
    """Where the statistic is if it has not left: grid points and their probabilities (Simpson's rule)."""
    edge = bound * math.sqrt(time[place])
    bottom = -edge if two_sided else -9.0 * math.sqrt(time[place])
    points = np.linspace(bottom, edge, _GRID)
    weights = np.full(_GRID, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    weights *= (edge - bottom) / (_GRID - 1) / 3
    if state is None:
        scale = math.sqrt(time[place])
        return points, weights * np.exp(-((points / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))
    before, density = state
    step = math.sqrt(time[place] - time[place - 1])
    kernel = np.exp(-(((points[:, None] - before) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
    return points, weights * (kernel @ density)
