"""What was claimed against what came true: the bins of a reliability diagram."""

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Floats, mean_band, wilson_band
from analytics.measure.graded import Graded, Ints, summed

BINS = 10
HOLLOW = 10
"""Bins with fewer answers are drawn hollow."""


def reliability_table(graded: Graded, index: Ints, *, level: float = LEVEL) -> pl.DataFrame:
    """Confidence against accuracy in bins.

    Args:
        graded: Graded answers.
        index: Bin of each confidence, see ``equal_width`` and ``equal_mass``.
        level: Coverage of the intervals.

    Returns:
        One row per bin that is not empty: ``bin``, ``n``, ``first`` and ``last`` (its confidences),
        ``confidence`` (their mean), ``accuracy``, ``low``, ``high`` (Wilson, or normal for grades between
        0 and 1, both allowing for several answers per user; null where a bin is too small).
    """
    n, claimed, right, squares = binned(graded, index)
    kept = np.flatnonzero(n > 0)
    n, claimed, right, squares = n[kept], claimed[kept], right[kept], squares[kept]
    inflation = residual_inflation(graded)
    low, high = (
        wilson_band(right / inflation, n / inflation, level=level)
        if graded.binary
        else mean_band(right, squares, n, level=level, inflation=inflation)
    )
    return pl.DataFrame(
        {
            "bin": kept,
            "n": n.astype(np.int64),
            "first": [float(graded.confidence[index == place].min()) for place in kept],
            "last": [float(graded.confidence[index == place].max()) for place in kept],
            "confidence": claimed / n,
            "accuracy": right / n,
            "low": np.clip(low, 0.0, 1.0),
            "high": np.clip(high, 0.0, 1.0),
        },
        nan_to_null=True,
    )


def equal_width(graded: Graded, *, bins: int = BINS) -> Ints:
    """Bin of each confidence in [b / bins, (b + 1) / bins), the last one closed.

    References:
        Guo et al. (2017), ICML 34, who put edges into the lower bin.
    """
    # Edges are the doubles b / bins: floor(c * bins) would put 0.29 and the like into the wrong bin.
    edges = np.array([edge / bins for edge in range(1, bins)])
    return np.searchsorted(edges, graded.confidence, side="right")


def equal_mass(graded: Graded, *, bins: int = BINS) -> Ints:
    """Bin of each confidence so that bins hold about as many answers; ties are never split."""
    return quantile_bins(graded.n, bins=bins)


def quantile_bins(n: Floats, *, bins: int = BINS) -> Ints:
    """Bin of each level by the average rank of its ``n`` rows, so that bins hold about as many."""
    rows = float(n.sum())
    place = np.floor(bins * (midranks(n) - 0.5) / max(rows, 1.0))
    return np.minimum(place, bins - 1).astype(np.int64)


def midranks(n: Floats) -> Floats:
    """Average rank of the rows at each level, ties sharing one; ranks begin at 1."""
    return np.cumsum(n) - (n - 1) / 2


def binned(graded: Graded, index: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Answers, sum of confidences, sum of grades and sum of squared grades in every bin."""
    size = int(index.max()) + 1 if index.size else 0
    return (
        summed(index, graded.n, size=size),
        summed(index, graded.n * graded.confidence, size=size),
        summed(index, graded.total, size=size),
        summed(index, graded.squares, size=size),
    )


def residual_inflation(graded: Graded) -> float:
    """Design effect of several answers per user on accuracy at a given confidence, at least 1."""
    if not graded.clustered or not graded.rows:
        return 1.0
    gap = graded.confidence - float((graded.n * graded.confidence - graded.total).sum()) / graded.rows
    return graded.inflation(gap, -np.ones_like(gap))
