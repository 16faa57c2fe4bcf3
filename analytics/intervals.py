"""Intervals for ratios, quantiles and whole curves, which need more than a mean and its error.

References:
    Fieller (1954), J. Royal Statistical Society B 16; David & Nagaraja (2003), Order Statistics, section 7.1;
    Massart (1990), Annals of Probability 18; Efron & Tibshirani (1993), An Introduction to the Bootstrap.
"""

import math

import numpy as np

from analytics.estimate import LEVEL, Floats, normal_quantile

RESAMPLES = 10_000


def ratio_error(numerator: Floats, denominator: Floats) -> float | None:
    """Standard error of ``sum(numerator) / sum(denominator)`` by the delta method; None where undefined.

    Args:
        numerator: One value per request, shape ``(n,)``, such as its cost.
        denominator: The same of what it is divided by, such as whether the answer is correct.
    """
    n, below = numerator.size, float(denominator.sum())
    if n < 2 or below == 0:  # noqa: PLR2004 - a variance needs two rows
        return None
    residual = numerator - float(numerator.sum()) / below * denominator
    return float(residual.std(ddof=1)) / abs(below / n) / math.sqrt(n)


def fieller(numerator: Floats, denominator: Floats, *, level: float = LEVEL) -> tuple[float, float] | None:
    """Interval for ``sum(numerator) / sum(denominator)``; None where the data leave it without bounds.

    Args:
        numerator: One value per request, shape ``(n,)``.
        denominator: The same of what it is divided by.
        level: Coverage.
    """
    n = numerator.size
    if n < 2:  # noqa: PLR2004 - a variance needs two rows
        return None
    z2 = normal_quantile((1 + level) / 2) ** 2
    ((v11, v12), (_, v22)) = np.cov(numerator, denominator, ddof=1) / n
    above, below = float(numerator.mean()), float(denominator.mean())
    a, b, c = below**2 - z2 * v22, above * below - z2 * v12, above**2 - z2 * v11
    if a <= 0:
        return None
    root = math.sqrt(max(b * b - a * c, 0.0))
    return (b - root) / a, (b + root) / a


def quantile_ranks(n: int, share: float, *, level: float = LEVEL) -> tuple[int | None, int | None, float]:
    """Ranks, from 1, of the ordered values between which a quantile lies, whatever their distribution.

    Args:
        n: Number of values.
        share: Which quantile, in (0, 1).
        level: Coverage.

    Returns:
        Rank of the lower and of the upper end, None where ``n`` is too small for that end, and the coverage
        that the two have.
    """
    from scipy.stats import binom  # noqa: PLC0415 - kept off the import path of pages

    tail = (1 - level) / 2
    low, high = int(binom.ppf(tail, n, share)), int(binom.ppf(1 - tail, n, share)) + 1
    covered = float(binom.cdf(min(high, n + 1) - 1, n, share) - binom.cdf(low - 1, n, share))
    return low if low >= 1 else None, high if high <= n else None, covered


def gain_half_width(n: int, *, level: float = LEVEL) -> float:
    """Half width of a band around accuracy gained over never escalating, at every threshold at once.

    Gain is the difference of two sub-distributions (answers won and lost), each within its own band.

    Args:
        n: Requests with both answers graded, at least 1.
        level: Coverage of the whole band.
    """
    return 2 * math.sqrt(math.log(4 / (1 - level)) / (2 * n))


def bootstrap_mean(
    values: Floats, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float, float] | None:
    """Standard error and percentile interval of a mean over resamples of the values; None without values.

    Args:
        values: Shape ``(n,)``.
        level: Coverage.
        resamples: How many are drawn.
        seed: Of the draws, so that the same values give the same interval.
    """
    n = values.size
    if n == 0:
        return None
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    means = counts @ values / n
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(means.std()), float(low), float(high)
