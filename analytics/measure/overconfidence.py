"""Does the model claim more than it gets right: the signed gap, its tests, and flags by category."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.estimate import LEVEL, Estimate, Floats, undefined
from analytics.measure.graded import UNGRADED, Graded
from analytics.measure.multiplicity import holm

Claim = Literal["overconfident", "fair", "too_few"]

MARGIN = 0.05
LEAST_ROWS = 50
SIGNIFICANT = 0.05
_CLIP = 1e-6
_STEPS = 50
_GAP = "mean of confidence - grade"
_SLOPE = "logistic regression on the log odds of the confidence"


@dataclass(frozen=True, slots=True)
class Flag:
    """What one model claims in one category.

    Attributes:
        gap: Mean confidence minus accuracy, with its interval.
        p_value: One-sided, of no overconfidence; None where it cannot be asked.
        adjusted: The same, adjusted for all categories.
        word: ``overconfident``, ``fair`` (not shown to be), or ``too_few``.
    """

    gap: Estimate
    p_value: float | None
    adjusted: float | None
    word: Claim


def flags(answers: Mapping[str, Graded], *, level: float = LEVEL) -> dict[str, Flag]:
    """Which categories' confidences are too high, all of them judged at once.

    Flagged are gaps that Holm's procedure leaves significant, whose interval lies above ``MARGIN``, from at
    least ``LEAST_ROWS`` answers.

    Args:
        answers: Graded answers by category, each of one model.
        level: Coverage of the intervals.
    """
    gaps = {name: gap(entry, level=level) for name, entry in answers.items()}
    asked = {name: _one_sided(entry) if entry.rows >= LEAST_ROWS else None for name, entry in answers.items()}
    adjusted = dict(zip(asked, holm(list(asked.values())), strict=True))
    return {
        name: Flag(gaps[name], asked[name], adjusted[name], _word(gaps[name], adjusted[name]))
        for name in answers
    }


def gap(graded: Graded, *, level: float = LEVEL) -> Estimate:
    """Mean of confidence minus grade; above 0 is overconfident."""
    return graded.mean(graded.confidence, -np.ones_like(graded.confidence), method=_GAP, level=level)


def _one_sided(graded: Graded) -> float | None:
    from scipy.special import stdtr  # noqa: PLC0415 - kept off the import path of pages

    value = float((graded.n * graded.confidence - graded.total).sum()) / graded.rows
    error = graded.error(graded.confidence - value, -np.ones_like(graded.confidence))
    if not error:
        return None
    freedom = np.unique(graded.fold).size - 1 if graded.clustered else graded.rows - 1
    return float(stdtr(freedom, -value / error)) if freedom >= 1 else None


def _word(found: Estimate, adjusted: float | None) -> Claim:
    if adjusted is None or found.low is None:
        return "too_few"
    return "overconfident" if adjusted < SIGNIFICANT and found.low > MARGIN else "fair"


@dataclass(frozen=True, slots=True)
class Tests:
    """Tests of perfect calibration as standard normal deviates; None where the variance is zero.

    Attributes:
        in_the_large: Of all answers together; below 0 is overconfident.
        spiegelhalter: Of the Brier score.
    """

    in_the_large: float | None
    spiegelhalter: float | None


def calibration_tests(graded: Graded) -> Tests:
    """Tests of the hypothesis that grades are drawn at the stated confidences.

    References:
        Spiegelhalter (1986), Statistics in Medicine 5; Cox (1958), Biometrika 45.
    """
    c, residual = graded.confidence, graded.total - graded.n * graded.confidence
    variance = graded.n * c * (1 - c)
    tilt = 1 - 2 * c
    return Tests(
        _deviate(residual, variance),
        _deviate(residual * tilt, variance * tilt**2),
    )


def _deviate(total: Floats, variance: Floats) -> float | None:
    whole = float(variance.sum())
    return float(total.sum()) / math.sqrt(whole) if whole > 0 else None


@dataclass(frozen=True, slots=True)
class Cox:
    """Cox's recalibration line on the log odds.

    Attributes:
        slope: Below 1 the confidences are too extreme; with its interval.
        intercept: None where the slope is undefined.
    """

    slope: Estimate
    intercept: float | None


def cox(graded: Graded, *, level: float = LEVEL) -> Cox:
    """Slope and intercept of the right answers' log odds on those of the confidence.

    Confidences are clipped to [1e-6, 1 - 1e-6].

    References:
        Cox (1958), Biometrika 45.
    """
    if not graded.rows:
        return Cox(undefined(UNGRADED, method=_SLOPE, level=level), None)
    clipped = np.clip(graded.confidence, _CLIP, 1 - _CLIP)
    odds = np.log(clipped / (1 - clipped))
    found = logistic(odds, graded.n, graded.total)
    if found is None:
        reason = "One value of the confidence, or one that parts right from wrong without a mistake."
        return Cox(undefined(reason, n=graded.rows, method=_SLOPE, level=level), None)
    intercept, slope = found
    share = 1 / (1 + np.exp(-(intercept + slope * odds)))
    spread = graded.n * share * (1 - share)
    centred = odds - float((spread * odds).sum() / spread.sum())
    bread = float((spread * centred**2).sum()) / graded.rows
    error = graded.error(-centred * share / bread, centred / bread)
    half = None if error is None else graded.quantile((1 + level) / 2) * error
    low, high = (None, None) if half is None else (slope - half, slope + half)
    return Cox(Estimate(slope, low, high, graded.rows, _SLOPE, level), intercept)


def logistic(score: Floats, n: Floats, total: Floats) -> tuple[float, float] | None:
    """Intercept and slope of a logistic regression by Newton's method; None where it has no solution.

    Args:
        score: At each level, ``(m,)``.
        n: Answers at each level.
        total: Sum of their grades, in [0, ``n``].
    """
    if score.size < 2 or not 0 < total.sum() < n.sum():  # noqa: PLR2004 - a line needs two levels
        return None
    middle = float((n * score).sum() / n.sum())
    scale = math.sqrt(float((n * (score - middle) ** 2).sum() / n.sum()))
    if scale <= 0:
        return None
    x = np.stack([np.ones_like(score), (score - middle) / scale])
    mean = float(total.sum() / n.sum())
    beta = np.array([math.log(mean / (1 - mean)), 0.0])
    for _ in range(_STEPS):
        share = _sigmoid(beta @ x)
        information = (x * (n * share * (1 - share))) @ x.T
        if np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return None
        step: Floats = np.linalg.solve(information, x @ (total - n * share)).astype(np.float64)
        beta = beta + _halved(x, n, total, beta, step)
        if np.abs(step).max() < 1e-10:  # noqa: PLR2004 - converged
            slope = float(beta[1]) / scale
            return float(beta[0]) - slope * middle, slope
    return None


def _halved(x: Floats, n: Floats, total: Floats, beta: Floats, step: Floats) -> Floats:
    """The step, halved until it does not lower the likelihood."""
    before = _likelihood(x, n, total, beta)
    for _ in range(20):
        if _likelihood(x, n, total, beta + step) >= before - 1e-12 * abs(before):
            break
        step = step / 2
    return step


def _likelihood(x: Floats, n: Floats, total: Floats, beta: Floats) -> float:
    odds = beta @ x
    return float((total * odds - n * np.logaddexp(0.0, odds)).sum())


def _sigmoid(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
