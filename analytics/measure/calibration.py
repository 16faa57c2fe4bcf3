"""Can the confidence be trusted: how well it ranks, and how far it is from the share that is right."""

import numpy as np

from analytics.estimate import Floats

ECE_BINS = 10


def auroc(right: Floats, wrong: Floats) -> float | None:
    """Probability that a right answer has a higher confidence than a wrong one, ties counting half.

    Args:
        right: Right answers (sum of grades) at each distinct confidence, ascending, shape ``(m,)``.
        wrong: Wrong answers at the same, shape ``(m,)``.

    Returns:
        None where all answers are right, or all are wrong.

    References:
        Mann & Whitney (1947), Annals of Mathematical Statistics 18.
    """
    if right.sum() <= 0 or wrong.sum() <= 0:
        return None
    below = np.cumsum(wrong) - wrong
    return float((right * (below + wrong / 2)).sum() / (right.sum() * wrong.sum()))


def ece(confidence: Floats, right: Floats, wrong: Floats) -> float | None:
    """Expected calibration error over ten bins of equal width; a value on an edge goes to the higher bin.

    Args:
        confidence: Distinct confidences in [0, 1], shape ``(m,)``.
        right: Right answers at each, shape ``(m,)``.
        wrong: Wrong answers at each, shape ``(m,)``.

    Returns:
        None without graded answers.

    References:
        Guo et al. (2017), ICML 34 (who put edges into the lower bin).
    """
    n = right + wrong
    if n.sum() <= 0:
        return None
    # Edges are the doubles k / 10: floor(c * 10) would put 0.29 and the like into the wrong bin.
    edges = np.array([edge / ECE_BINS for edge in range(1, ECE_BINS)])
    bins = np.searchsorted(edges, confidence, side="right")
    gaps = np.bincount(bins, weights=right - n * confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / n.sum())
