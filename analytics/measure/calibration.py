"""Can the confidence be trusted: how well it ranks, and how far it is from the share that is right."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analytics.estimate import LEVEL, Estimate, Floats, undefined

if TYPE_CHECKING:
    from analytics.measure.graded import Graded, Ints

ECE_BINS = 10
DRAWS = 200
SEED = 20_261_127
MOST_LEVELS = 4096
_BRIER = "mean of (confidence - grade)^2"


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


def binned_ece(graded: "Graded", index: "Ints") -> float | None:
    """Expected calibration error over the bins of ``index``; None without graded answers."""
    if not graded.rows:
        return None
    gaps = np.bincount(index, weights=graded.total - graded.n * graded.confidence)
    return float(np.abs(gaps).sum() / graded.rows)


def largest_gap(graded: "Graded", index: "Ints") -> float | None:
    """Largest difference of confidence and accuracy in a bin (MCE); None without graded answers."""
    if not graded.rows:
        return None
    gaps = np.bincount(index, weights=graded.total - graded.n * graded.confidence)
    n = np.bincount(index, weights=graded.n)
    return float((np.abs(gaps[n > 0]) / n[n > 0]).max())


@dataclass(frozen=True, slots=True)
class PerfectEce:
    """The ECE that the same confidences would show if they were perfectly calibrated.

    Attributes:
        mean: Over the draws.
        high: 95th percentile of the draws.
        p_value: Share of draws, counting the log itself as one, with at least the ECE of the log.
    """

    mean: float
    high: float
    p_value: float


def perfect_ece(
    graded: "Graded", index: "Ints", *, draws: int = DRAWS, inflation: float = 1.0
) -> PerfectEce | None:
    """ECE under perfect calibration, by seeded draws of grades at the logged confidences.

    Grades between 0 and 1 vary less than 0/1 grades, and several answers of a user vary together: the
    draws are narrowed or widened by as much.

    Args:
        graded: Graded answers.
        index: Bin of each confidence.
        draws: How many.
        inflation: Design effect of several answers per user.
    """
    found = binned_ece(graded, index)
    if found is None:
        return None
    at, n, bins = _merged(graded, index)
    chance = np.random.default_rng(SEED)
    drawn = chance.binomial(n.astype(np.int64), np.clip(at, 0.0, 1.0), size=(draws, at.size)) - n * at
    drawn *= np.sqrt(_dispersion(graded) * inflation)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    simulated = np.abs(np.add.reduceat(drawn, starts, axis=1)).sum(axis=1) / graded.rows
    p_value = (1 + int((simulated >= found - 1e-12).sum())) / (draws + 1)
    return PerfectEce(float(simulated.mean()), float(np.quantile(simulated, LEVEL)), p_value)


def _merged(graded: "Graded", index: "Ints") -> tuple[Floats, Floats, "Ints"]:
    """Confidence, answers and bin, neighbouring confidences merged where there are very many."""
    if graded.confidence.size <= MOST_LEVELS:
        return graded.confidence, graded.n, index
    step = np.minimum(np.floor(graded.confidence * MOST_LEVELS), MOST_LEVELS - 1)
    firsts = np.flatnonzero((np.diff(step, prepend=-1) != 0) | (np.diff(index, prepend=-1) != 0))
    n = np.add.reduceat(graded.n, firsts)
    return np.add.reduceat(graded.n * graded.confidence, firsts) / n, n, index[firsts]


def _dispersion(graded: "Graded") -> float:
    """Variance of grades around their isotonic fit, relative to grades of 0 and 1; 1 for those."""
    if graded.binary:
        return 1.0
    fit = isotonic(graded)
    bernoulli = float((graded.n * fit * (1 - fit)).sum())
    around = float((graded.squares - 2 * fit * graded.total + graded.n * fit**2).sum())
    return min(max(around / bernoulli, 0.0), 1.0) if bernoulli > 0 else 1.0


def debiased_squared_error(graded: "Graded", index: "Ints") -> float | None:
    """Squared calibration error over bins without the bias of few answers per bin; may be negative.

    References:
        Kumar, Liang & Ma (2019), NeurIPS 32.
    """
    if not graded.rows:
        return None
    n = np.bincount(index, weights=graded.n)
    kept = n > 0
    n = n[kept]
    gap, mean, squares = (
        np.bincount(index, weights=values)[kept] / n
        for values in (graded.total - graded.n * graded.confidence, graded.total, graded.squares)
    )
    noise = np.where(n > 1, (squares - mean**2) / np.maximum(n - 1, 1), 0.0)
    return float((n * (gap**2 - noise)).sum() / graded.rows)


def brier(graded: "Graded", *, level: float = LEVEL) -> Estimate:
    """Mean squared difference of confidence and grade.

    The interval of grades between 0 and 1 comes from the spread between folds, since cells hold no higher
    powers of them.

    References:
        Brier (1950), Monthly Weather Review 78.
    """
    if not graded.rows:
        return undefined("No graded fast answer has a confidence.", method=_BRIER, level=level)
    c = graded.confidence
    if graded.binary:
        return graded.mean(c**2, 1 - 2 * c, method=_BRIER, level=level)
    value = _squared_error(graded, c)
    n, total, squares = graded.parts
    at = c[graded.level]
    variance = graded.fold_variance((at**2 - value) * n - 2 * at * total + squares)
    if variance is None:
        return Estimate(value, None, None, graded.rows, _BRIER, level)
    half = graded.quantile((1 + level) / 2) * float(np.sqrt(variance))
    return Estimate(value, value - half, value + half, graded.rows, _BRIER, level)


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A Brier score in parts, ``miscalibration - discrimination + uncertainty``.

    Attributes:
        miscalibration: What recalibration could save (Murphy: reliability).
        discrimination: What the confidence's ranking is worth (Murphy: resolution).
        uncertainty: The score of always claiming the mean accuracy.
    """

    miscalibration: float
    discrimination: float
    uncertainty: float


def corp(graded: "Graded") -> Decomposition | None:
    """Decomposition of the Brier score by an isotonic fit; None without graded answers.

    References:
        Dimitriadis, Gneiting & Jordan (2021), PNAS 118.
    """
    if not graded.rows:
        return None
    raw = _squared_error(graded, graded.confidence)
    fitted = _squared_error(graded, isotonic(graded))
    constant = _squared_error(graded, np.full_like(graded.confidence, graded.right / graded.rows))
    return Decomposition(raw - fitted, constant - fitted, constant)


def murphy(graded: "Graded") -> Decomposition | None:
    """Decomposition of the Brier score by distinct confidences; None without graded answers.

    References:
        Murphy (1973), Journal of Applied Meteorology 12; exact only by distinct values.
    """
    if not graded.rows:
        return None
    mean, overall = graded.total / graded.n, graded.right / graded.rows
    reliability = float((graded.n * (graded.confidence - mean) ** 2).sum() / graded.rows)
    resolution = float((graded.n * (mean - overall) ** 2).sum() / graded.rows)
    return Decomposition(reliability, resolution, _squared_error(graded, np.full_like(mean, overall)))


def isotonic(graded: "Graded") -> Floats:
    """Non-decreasing least-squares fit of the grades at each confidence, ``(m,)``.

    References:
        Barlow et al. (1972), Statistical Inference under Order Restrictions.
    """
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - kept off the import path of pages

    if not graded.rows:
        return np.zeros(0)
    fit: Floats = isotonic_regression(graded.total / graded.n, weights=graded.n).x
    return fit


def _squared_error(graded: "Graded", forecast: Floats) -> float:
    own = graded.squares - 2 * forecast * graded.total + graded.n * forecast**2
    return float(own.sum() / graded.rows)
