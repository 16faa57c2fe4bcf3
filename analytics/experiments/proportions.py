"""Tests and intervals for two proportions: exact for small tables, score and Wald for margins, Bayes.

References:
    Boschloo (1970), Statistica Neerlandica 24; Barnard (1945), Nature 156; Farrington & Manning (1990),
    Statistics in Medicine 9; Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from analytics.estimate import normal_quantile

MOST_EXACT = 200
"""Requests per arm up to which Boschloo's test is used; its time grows with their square."""
LEAST_EXPECTED = 10
"""Expected right and wrong answers per arm from which the normal approximation is used."""

Exact = Literal["boschloo", "barnard", "fisher"]


def exact_p_value(x1: int, n1: int, x2: int, n2: int, *, test: Exact = "boschloo") -> float:
    """Two-sided p-value that two proportions are equal; 1 where all or none of both succeed.

    Args:
        x1: Successes of the first sample, 0 to ``n1``.
        n1: Its size, at least 1.
        x2: Successes of the second sample.
        n2: Its size.
        test: Boschloo's (twice the smaller one-sided value), Barnard's with pooled variance, or Fisher's.
    """
    if x1 + x2 in (0, n1 + n2):
        return 1.0
    return _exact(x1, n1, x2, n2, test)


@lru_cache(maxsize=4096)
def _exact(x1: int, n1: int, x2: int, n2: int, test: Exact) -> float:
    from scipy import stats  # noqa: PLC0415 - off the page path

    # The two samples are columns, or scipy's exact tests answer another question.
    table = np.array([[x1, x2], [n1 - x1, n2 - x2]])
    if test == "fisher":
        return float(stats.fisher_exact(table).pvalue)
    found = stats.boschloo_exact(table) if test == "boschloo" else stats.barnard_exact(table)
    return min(float(found.pvalue), 1.0)


def pooled_z_p_value(x1: int, n1: int, x2: int, n2: int) -> float | None:
    """Two-sided p-value of the pooled z test without correction; None where all or none succeed."""
    pooled = (x1 + x2) / (n1 + n2)
    variance = pooled * (1 - pooled) * (1 / n1 + 1 / n2)
    if variance <= 0:
        return None
    return math.erfc(abs(x1 / n1 - x2 / n2) / math.sqrt(2 * variance))


def equality(x1: int, n1: int, x2: int, n2: int) -> tuple[float | None, str]:
    """P-value that two proportions are equal, and the test that gave it.

    Small samples: Boschloo. Large ones with few successes or failures: Fisher. Else the pooled z test.
    None where all or none succeed in both, which no test can tell apart.
    """
    if x1 + x2 in (0, n1 + n2):
        return None, "none: the same outcome throughout"
    if max(n1, n2) <= MOST_EXACT:
        return exact_p_value(x1, n1, x2, n2), "Boschloo's exact test"
    share = (x1 + x2) / (n1 + n2)
    if min(n1, n2) * min(share, 1 - share) < LEAST_EXPECTED:
        return exact_p_value(x1, n1, x2, n2, test="fisher"), "Fisher's exact test"
    return pooled_z_p_value(x1, n1, x2, n2), "pooled z test"


@dataclass(frozen=True, slots=True)
class Noninferiority:
    """Whether a proportion is at most a margin below another.

    Attributes:
        z_wald: Statistic with the variance of the estimates.
        p_wald: Its one-sided p-value.
        z_score: Statistic with the variance under the margin.
        p_score: Its one-sided p-value.
        p_equivalence: Two one-sided Wald tests: neither above nor below by the margin.
    """

    z_wald: float | None
    p_wald: float | None
    z_score: float | None
    p_score: float | None
    p_equivalence: float | None


def noninferiority(x1: int, n1: int, x2: int, n2: int, margin: float) -> Noninferiority:
    """One-sided tests of ``x1 / n1 - x2 / n2 <= -margin``.

    Args:
        x1: Successes of the treatment.
        n1: Its size.
        x2: Successes of the control.
        n2: Its size.
        margin: Loss that is allowed, in (0, 1).

    Returns:
        Values are None where the variance is 0.
    """
    p1, p2 = x1 / n1, x2 / n2
    above = p1 - p2 + margin
    wald = math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    q1, q2 = constrained(x1, n1, x2, n2, -margin)
    score = math.sqrt(q1 * (1 - q1) / n1 + q2 * (1 - q2) / n2)
    z_wald = above / wald if wald > 0 else None
    z_score = above / score if score > 0 else None
    below = (p1 - p2 - margin) / wald if wald > 0 else None
    p_wald = None if z_wald is None else upper_tail(z_wald)
    equivalence = None if p_wald is None or below is None else max(p_wald, upper_tail(-below))
    return Noninferiority(
        z_wald, p_wald, z_score, None if z_score is None else upper_tail(z_score), equivalence
    )


def constrained(x1: int, n1: int, x2: int, n2: int, difference: float) -> tuple[float, float]:
    """Maximum likelihood estimates of two proportions whose difference ``p1 - p2`` is given.

    References:
        Miettinen & Nurminen (1985), Statistics in Medicine 4, appendix: the closed form of the cubic.
    """
    whole = n1 + n2
    # a p2^3 + b p2^2 + c p2 + d = 0 for the second proportion.
    a = float(whole)
    b = (n1 + 2 * n2) * difference - whole - (x1 + x2)
    c = (n2 * difference - whole - 2 * x2) * difference + x1 + x2
    d = x2 * difference * (1 - difference)
    v = b**3 / (27 * a**3) - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max(b * b / (9 * a * a) - c / (3 * a), 0.0)), v)
    if u == 0:
        second = -b / (3 * a)
    else:
        w = (math.pi + math.acos(min(1.0, max(-1.0, v / u**3)))) / 3
        second = 2 * u * math.cos(w) - b / (3 * a)
    second = min(max(second, 0.0, -difference), 1.0, 1 - difference)
    return second + difference, second


def upper_tail(z: float) -> float:
    """Probability that a standard normal variable exceeds ``z``."""
    return math.erfc(z / math.sqrt(2)) / 2


def probability_better(x1: int, n1: int, x2: int, n2: int) -> float:
    """Probability that the second proportion is the larger one, with uniform priors.

    Integrated over the posterior of the proportion with more data, between its extreme quantiles.
    """
    if (x1, n1) == (x2, n2):
        return 0.5
    from scipy.integrate import quad  # noqa: PLC0415 - off the page path
    from scipy.stats import beta  # noqa: PLC0415

    first, second = beta(x1 + 1, n1 - x1 + 1), beta(x2 + 1, n2 - x2 + 1)
    tiny = 1e-15
    low, high = float(second.ppf(tiny)), float(second.isf(tiny))
    turns = sorted(
        float(item.ppf(share)) for item in (first, second) for share in (0.001, 0.05, 0.5, 0.95, 0.999)
    )
    inside = [point for point in turns if low < point < high]
    found, _ = quad(
        lambda p: float(second.pdf(p)) * float(first.cdf(p)),
        low,
        high,
        points=inside,
        epsabs=1e-12,
        epsrel=1e-10,
        limit=400,
    )
    return min(max(float(found), 0.0), 1.0)


def probability_above(effect: float, error: float) -> float | None:
    """Probability that an effect is above 0, by its estimate, error and a flat prior; None at error 0."""
    return upper_tail(-effect / error) if error > 0 else None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Requests per arm that a test takes, exact before rounding up."""

    n_raw: float

    @property
    def n_per_arm(self) -> int:
        """Whole requests."""
        return math.ceil(self.n_raw - 1e-9)


def superiority_size(p1: float, p2: float, *, alpha: float = 0.05, power: float = 0.8) -> Sizes:
    """Requests per arm for the two-sided pooled z test to find ``p1`` against ``p2``.

    References:
        Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, equation 4.14 without
        continuity correction; the formula of R's ``power.prop.test``.
    """
    mean = (p1 + p2) / 2
    under = math.sqrt(2 * mean * (1 - mean))
    above = math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    z = normal_quantile(1 - alpha / 2) * under + normal_quantile(power) * above
    return Sizes((z / (p1 - p2)) ** 2)


def noninferiority_size(p: float, margin: float, *, alpha: float = 0.025, power: float = 0.8) -> Sizes:
    """Requests per arm to show that two equal proportions ``p`` differ by less than a margin, one-sided.

    The textbook size of the Wald test. Newcombe's interval asks for up to 8% more where the margin is as
    large as the share of wrong answers: its power is then 77% instead of 80%.
    """
    z = normal_quantile(1 - alpha) + normal_quantile(power)
    return Sizes(2 * p * (1 - p) * (z / margin) ** 2)


def detectable(p: float, n: float, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """Smallest rise over ``p`` that ``n`` requests per arm find; None where even certainty is not enough."""
    from scipy.optimize import brentq  # noqa: PLC0415 - off the page path

    if p >= 1 or superiority_size(p, 1.0, alpha=alpha, power=power).n_raw > n:
        return None

    def short(other: float) -> float:
        return superiority_size(p, other, alpha=alpha, power=power).n_raw - n

    return float(brentq(short, p + 1e-9 * (1 - p), 1.0, xtol=1e-12)) - p
