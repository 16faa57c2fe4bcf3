"""Whether an effect differs between categories, and what it is where each category tells little.

References:
    Greenland & Robins (1985), Biometrics 41; Cochran (1954), Biometrics 10; Higgins & Thompson (2002),
    Statistics in Medicine 21; DerSimonian & Laird (1986), Controlled Clinical Trials 7.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.estimate import Floats


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """How much effects differ between categories.

    Attributes:
        pooled: Effect over categories, weighted by precision.
        q: Cochran's Q.
        degrees: Its degrees of freedom.
        p_value: That all categories have one effect.
        i_squared: Share of the variation that is more than chance, in [0, 1].
        between: Variance of the true effects between categories (DerSimonian-Laird), at least 0.
    """

    pooled: float
    q: float
    degrees: int
    p_value: float
    i_squared: float
    between: float


def heterogeneity(effects: Sequence[float], errors: Sequence[float]) -> Heterogeneity | None:
    """Cochran's test; None with fewer than two categories.

    Args:
        effects: One per category.
        errors: Their standard errors, positive.
    """
    if len(effects) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    from scipy.special import chdtrc  # noqa: PLC0415 - off the page path

    found, weights = np.asarray(effects), 1 / np.asarray(errors) ** 2
    pooled = float((weights * found).sum() / weights.sum())
    q = float((weights * (found - pooled) ** 2).sum())
    degrees = len(effects) - 1
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return Heterogeneity(
        pooled,
        q,
        degrees,
        float(chdtrc(degrees, q)),
        max(0.0, (q - degrees) / q) if q > 0 else 0.0,
        max(0.0, (q - degrees) / scale) if scale > 0 else 0.0,
    )


def shrunk(effects: Sequence[float], errors: Sequence[float], spread: Heterogeneity) -> Floats:
    """Each category's effect drawn towards the pooled one, the more the less its own data tell."""
    found, variance = np.asarray(effects), np.asarray(errors) ** 2
    own = spread.between / (spread.between + variance)
    return np.asarray(own * found + (1 - own) * spread.pooled, dtype=np.float64)


def mantel_haenszel(strata: Sequence[tuple[int, int, int, int]]) -> tuple[float, float] | None:
    """Difference of two proportions over strata, and its standard error; None without any pair of arms.

    Args:
        strata: Successes and size of the control, then of the treatment.
    """
    rows = [row for row in strata if row[1] > 0 and row[3] > 0]
    weight = sum(n1 * n2 / (n1 + n2) for _, n1, _, n2 in rows)
    if weight == 0:
        return None
    total = sum((x2 * n1 - x1 * n2) / (n1 + n2) for x1, n1, x2, n2 in rows)
    variance = sum(
        (x1 * (n1 - x1) * n2**3 + x2 * (n2 - x2) * n1**3) / (n1 * n2 * (n1 + n2) ** 2)
        for x1, n1, x2, n2 in rows
    )
    return total / weight, math.sqrt(variance) / weight
