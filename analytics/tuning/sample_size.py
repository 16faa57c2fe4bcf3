"""How many graded pairs a certificate takes."""

import math

import numpy as np

from analytics.estimate import normal_quantile
from analytics.tuning.noninferiority import constrained

_NO_ROOM = 1e-9


def least_pairs(margin: float, delta: float) -> int:
    """Pairs below which no policy can be certified, even if keeping loses not one answer.

    Args:
        margin: Loss in (0, 1) that is allowed.
        delta: Probability in (0, 1) of a false certificate.

    Raises:
        ValueError: Either is outside its range.
    """
    return _least(1 - margin, delta)


def least_pairs_floor(min_accuracy: float, delta: float) -> int:
    """Graded answers below which no floor can be shown, even if not one is wrong.

    Args:
        min_accuracy: The floor, in (0, 1).
        delta: Probability in (0, 1) of a false certificate.

    Raises:
        ValueError: Either is outside its range.
    """
    return _least(min_accuracy, delta)


def _least(good: float, delta: float) -> int:
    """The smallest n with ``good ** n <= delta``."""
    if not 0 < good < 1 or not 0 < delta < 1:
        raise ValueError("A margin, a floor and an error must be between 0 and 1")
    return math.ceil(math.log(delta) / math.log(good))


def pairs_needed(
    lost_rate: float, won_rate: float, margin: float, *, delta: float, power: float = 0.8
) -> int | None:
    """Pairs with which a policy would be certified with some chance, if its rates hold.

    Args:
        lost_rate: Share of pairs that keeping loses.
        won_rate: Share of pairs that keeping wins.
        margin: Loss in [0, 1) that is allowed.
        delta: Probability of a false certificate.
        power: Chance of a certificate.

    Returns:
        None where the loss reaches the margin, so that no number would do, and where the margin is 0.
    """
    loss, differing = lost_rate - won_rate, lost_rate + won_rate
    if margin - loss <= _NO_ROOM or margin <= 0:
        return None
    q = float(constrained(np.asarray(lost_rate), np.asarray(won_rate), np.asarray(1.0), margin))
    below = math.sqrt(2 * q + margin - margin**2)
    above = math.sqrt(max(differing - loss**2, 0.0))
    z = normal_quantile(1 - delta) * below + normal_quantile(power) * above
    return max(least_pairs(margin, delta), math.ceil((z / (margin - loss)) ** 2))
