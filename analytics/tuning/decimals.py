"""Thresholds that people can read: the shortest decimal that means the same policy."""

import math
from decimal import Decimal


def shortest_decimal(low: float, high: float, *, closed: bool = False) -> float:
    """The decimal with the fewest places after the point in ``(low, high]``, as a float64.

    A decimal counts as inside if the float64 nearest to it is: a router compares float64, so 0.3 is in
    (0.2, 0.3] although the float64 called 0.3 is a little less. Of several with equally few places the
    one closest to ``high`` is taken. ``high`` itself always qualifies, so there is always one.

    Args:
        low: Lower end, finite, left out: the next smaller observed confidence.
        high: Upper end, finite, included: the smallest confidence kept.
        closed: Whether ``low`` is included too, as in the first interval [0, u_1].

    Raises:
        ValueError: The ends are not finite, or nothing lies between them.
    """
    if not (math.isfinite(low) and math.isfinite(high)) or low > high or (low == high and not closed):
        raise ValueError(f"no threshold lies between {low!r} and {high!r}")
    numerator, denominator = float(high).as_integer_ratio()
    # The shortest text that reads back as ``high`` bounds the search.
    enough = max(0, -int(Decimal(repr(float(high))).as_tuple().exponent))
    for places in range(enough + 1):
        scale = 10**places
        below = numerator * scale // denominator
        # One above the exact value may still be the text of ``high``: 0.3 is above the float64 0.3.
        for digits in (below + 1, below):
            value: float = digits / scale
            if low < value <= high or (closed and value == low):
                return value
    return float(high)
