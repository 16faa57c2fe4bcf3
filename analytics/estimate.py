"""One number with its uncertainty, and the intervals that give it.

Intervals are two-sided; ``level`` is their coverage. Undefined is ``None`` with a reason, never 0.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
SIGNIFICANT_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number shown to a reader.

    Attributes:
        value: Point estimate; None where undefined.
        low: Lower end of the interval; None where undefined.
        high: Upper end of the interval; None where undefined.
        n: Rows behind the number.
        method: How value and interval were made.
        level: Coverage of the interval.
        reason: Why ``value`` is None; None where it is defined.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    level: float = LEVEL
    reason: str | None = None

    def as_json(self) -> dict[str, float | int | str | None]:
        """The estimate as machine output has it: rounded to twelve significant digits."""
        document: dict[str, float | int | str | None] = {
            "value": rounded(self.value),
            "low": rounded(self.low),
            "high": rounded(self.high),
            "n": self.n,
            "method": self.method,
            "level": self.level,
        }
        if self.reason is not None:
            document["reason"] = self.reason
        return document


def undefined(reason: str, *, n: int = 0, method: str = "none", level: float = LEVEL) -> Estimate:
    """An estimate without a value, and why there is none."""
    return Estimate(None, None, None, n, method, level, reason)


def rounded(value: float | None) -> float | None:
    """``value`` to twelve significant digits, so that the order of a sum cannot show; None stays."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


@lru_cache(maxsize=64)
def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution at ``probability`` in (0, 1)."""
    return NormalDist().inv_cdf(probability)


def wilson(correct: float, n: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for a proportion; see ``wilson_band``."""
    low, high = wilson_band(np.array([correct]), np.array([n]), level=level)
    return float(low[0]), float(high[0])


def wilson_band(correct: Floats, n: Floats, *, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Wilson's score intervals for proportions.

    Args:
        correct: Numbers (or effective numbers) of successes, each 0 to ``n``, any shape.
        n: Numbers (or effective numbers) of trials, same shape; at 0 the interval is (0, 1).
        level: Coverage.

    References:
        Wilson (1927), JASA 22; Brown, Cai & DasGupta (2001), Statistical Science 16.
    """
    z = normal_quantile((1 + level) / 2)
    trials = np.maximum(n, 1e-12)
    share = np.clip(correct / trials, 0.0, 1.0)
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    low = np.where((correct <= 0) | (n <= 0), 0.0, np.maximum(0.0, centre - half))
    high = np.where((correct >= n) | (n <= 0), 1.0, np.minimum(1.0, centre + half))
    return low, high


def newcombe(x1: int, n1: int, x2: int, n2: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Interval for the difference of two independent proportions, ``x1 / n1 - x2 / n2``.

    References:
        Newcombe (1998), Statistics in Medicine 17, method 10.
    """
    p1, p2 = x1 / n1, x2 / n2
    low1, high1 = wilson(x1, n1, level=level)
    low2, high2 = wilson(x2, n2, level=level)
    difference = p1 - p2
    return (
        difference - math.hypot(p1 - low1, high2 - p2),
        difference + math.hypot(high1 - p1, p2 - low2),
    )


def mean_interval(
    total: float, squares: float, n: int, *, level: float = LEVEL, inflation: float = 1.0
) -> tuple[float, float] | None:
    """Normal interval for a mean from its sums; None below two rows. See ``mean_band``."""
    if n < 2:  # noqa: PLR2004 - a variance needs two values
        return None
    low, high = mean_band(
        np.array([total]), np.array([squares]), np.array([float(n)]), level=level, inflation=inflation
    )
    return float(low[0]), float(high[0])


def mean_band(
    total: Floats, squares: Floats, n: Floats, *, level: float = LEVEL, inflation: float = 1.0
) -> tuple[Floats, Floats]:
    """Normal intervals for means from their sums; NaN below two rows.

    Args:
        total: Sums of the values, any shape.
        squares: Sums of their squares, same shape.
        n: Numbers of values, same shape.
        level: Coverage.
        inflation: Design effect by which the variance of the means is multiplied.
    """
    enough = n > 1
    rows = np.where(enough, n, 2.0)
    mean = total / rows
    variance = np.maximum(squares - rows * mean * mean, 0.0) / (rows - 1)
    half = normal_quantile((1 + level) / 2) * np.sqrt(variance * inflation / rows)
    return np.where(enough, mean - half, np.nan), np.where(enough, mean + half, np.nan)


def ratio_interval(
    numerator: float,
    denominator: float,
    squares: tuple[float, float, float],
    n: int,
    *,
    level: float = LEVEL,
    inflation: float = 1.0,
) -> tuple[float, float] | None:
    """Log-scale delta interval for a ratio of sums such as cost per correct answer.

    Args:
        numerator: Sum of x over ``n`` rows, positive.
        denominator: Sum of y over the same rows, positive.
        squares: Sums of x squared, y squared and x times y.
        n: Rows.
        level: Coverage.
        inflation: Design effect.

    References:
        Deng, Knoblich & Lu (2018), KDD: the delta method for ratios.
    """
    if n < 2 or numerator <= 0 or denominator <= 0:  # noqa: PLR2004 - a variance needs two rows
        return None
    ratio = numerator / denominator
    xx, yy, xy = squares
    residual = max(xx - 2 * ratio * xy + ratio * ratio * yy, 0.0) / (n - 1)
    error = math.sqrt(residual * inflation / n) / (denominator / n)
    half = normal_quantile((1 + level) / 2) * error / ratio
    return ratio * math.exp(-half), ratio * math.exp(half)


def imbens_manski(
    lower: float, upper: float, lower_error: float, upper_error: float, *, level: float = LEVEL
) -> tuple[float, float]:
    """Interval for a value between two estimated bounds; see ``imbens_manski_band``."""
    bounds = [np.array([value]) for value in (lower, upper, lower_error, upper_error)]
    low, high = imbens_manski_band(bounds[0], bounds[1], bounds[2], bounds[3], level=level)
    return float(low[0]), float(high[0])


def imbens_manski_band(
    lower: Floats, upper: Floats, lower_error: Floats, upper_error: Floats, *, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Intervals that cover values known only to lie between two estimated bounds.

    Args:
        lower: Estimated lower bounds, any shape.
        upper: Estimated upper bounds, each at least ``lower``, same shape.
        lower_error: Standard errors of ``lower``, same shape.
        upper_error: Standard errors of ``upper``, same shape.
        level: Coverage.

    References:
        Imbens & Manski (2004), Econometrica 72, equation 7.
    """
    from scipy.special import ndtr  # noqa: PLC0415 - kept off the import path of pages

    worst = np.maximum(np.maximum(lower_error, upper_error), 1e-300)
    width = (upper - lower) / worst
    below = np.full_like(width, normal_quantile(level))
    above = np.full_like(width, normal_quantile((1 + level) / 2))
    for _ in range(60):
        middle = (below + above) / 2
        short = ndtr(middle + width) - ndtr(-middle) < level
        below, above = np.where(short, middle, below), np.where(short, above, middle)
    return lower - above * lower_error, upper + above * upper_error
