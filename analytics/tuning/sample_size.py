"""How many graded pairs a certificate takes."""

import math

import numpy as np

from analytics.estimate import normal_quantile
from analytics.tuning.noninferiority import constrained


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
        None where the loss reaches the margin, so that no number would do.
    """
    loss, differing = lost_rate - won_rate, lost_rate + won_rate
    if loss > margin * (1 - 1e-9) or margin <= 0:
        return None
    least = math.ceil(math.log(delta) / math.log(1 - margin))
    q = float(constrained(np.asarray(lost_rate), np.asarray(won_rate), np.asarray(1.0), margin))
    below = math.sqrt(2 * q + margin - margin**2)
    above = math.sqrt(max(differing - loss**2, 0.0))
    z = normal_quantile(1 - delta) * below + normal_quantile(power) * above
    return max(least, math.ceil((z / (margin - loss)) ** 2))
