"""P-values of several questions asked at once."""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted so that all those below a level hold at once at that level.

    Args:
        p_values: One per question; None where it could not be asked, which does not count.

    Returns:
        In the same order, None where None.

    References:
        Holm (1979), Scandinavian Journal of Statistics 6.
    """
    asked = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(asked):
        largest = max(largest, min(1.0, (len(asked) - rank) * p))
        adjusted[place] = largest
    return adjusted


def false_discovery(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini-Hochberg values; what could not be tested does not count."""
    from scipy.stats import false_discovery_control  # noqa: PLC0415 - off the page path

    asked = [p for p in p_values if p is not None]
    if not asked:
        return [None] * len(p_values)
    found = iter(float(value) for value in false_discovery_control(asked))
    return [None if p is None else next(found) for p in p_values]
