"""How well a confidence ranks: right answers above wrong ones, and whether it says anything at all."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.estimate import LEVEL, Estimate, Floats, undefined
from analytics.measure.calibration import auroc
from analytics.measure.graded import FEW, FEW_OF_EITHER, UNGRADED, Graded
from analytics.measure.reliability import midranks

Word = Literal["signal", "reversed", "none", "unseen", "constant", "too_few"]

MOST_WITHOUT_SIGNAL = 0.55
"""An AUROC of at most this, interval included, is no signal that a threshold could use."""
SIGNIFICANT = 0.05
_AUROC = "DeLong"
_ONE_CLASS = "Fast answers with a confidence are all right or all wrong."


@dataclass(frozen=True, slots=True)
class Signal:
    """Whether a confidence says anything about which fast answers are right.

    Attributes:
        auroc: With DeLong's interval; undefined where all answers are right, or all wrong.
        p_value: Of the rank test against no association, two-sided; None where it cannot be asked.
        levels: Distinct confidences.
        n: Graded answers with a confidence.
        right: Sum of their grades.
        wrong: Sum of what is missing from full grades.
    """

    auroc: Estimate
    p_value: float | None
    levels: int
    n: int
    right: float
    wrong: float

    def word(self, adjusted: float | None) -> Word:
        """The verdict in one word.

        Args:
            adjusted: ``p_value`` adjusted for all that were asked at once.

        Returns:
            ``signal``; ``reversed`` (right answers have the lower confidence); ``none`` (the interval of
            the AUROC ends at or below ``MOST_WITHOUT_SIGNAL``); ``unseen`` (not significant, and too few
            answers to rule a signal out); ``constant`` (one value only); ``too_few``.
        """
        if self.n >= FEW and self.levels == 1:
            return "constant"
        if adjusted is None or self.auroc.value is None:
            return "too_few"
        if adjusted < SIGNIFICANT:
            return "signal" if self.auroc.value > 1 / 2 else "reversed"
        high = self.auroc.high
        return "none" if high is not None and high <= MOST_WITHOUT_SIGNAL else "unseen"


def signal(graded: Graded, *, level: float = LEVEL) -> Signal:
    """What a confidence says about which answers are right."""
    found = auroc_estimate(graded, level=level)
    p_value = None
    if enough(graded) and graded.confidence.size > 1 and found.value is not None:
        z = trend_z(
            Weighted(graded.n, graded.n, graded.total, graded.total, graded.squares), midranks(graded.n)
        )
        if z is not None:
            p_value = two_sided(z / math.sqrt(graded.inflation(*_influence(graded, found.value))))
    return Signal(found, p_value, graded.confidence.size, graded.rows, graded.right, graded.wrong)


def enough(graded: Graded) -> bool:
    """Whether there are enough right and wrong answers to say anything."""
    return graded.rows >= FEW and min(graded.right, graded.wrong) >= FEW_OF_EITHER


def auroc_estimate(graded: Graded, *, level: float = LEVEL) -> Estimate:
    """AUROC with DeLong's standard error, from counts by confidence.

    A grade between 0 and 1 counts as that much of a right answer and the rest of a wrong one. There is no
    interval where one side has a single answer, or where the ranking is perfect, since the standard error
    is then zero.

    References:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44.
    """
    if not graded.rows:
        return undefined(UNGRADED, method=_AUROC, level=level)
    value = auroc(graded.total, graded.n - graded.total)
    if value is None:
        return undefined(_ONE_CLASS, n=graded.rows, method=_AUROC, level=level)
    variance = delong_variance(graded)
    if not variance:
        return Estimate(value, None, None, graded.rows, _AUROC, level)
    error = math.sqrt(variance * graded.inflation(*_influence(graded, value)))
    half = graded.quantile((1 + level) / 2) * error
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0), graded.rows, _AUROC, level)


def delong_variance(graded: Graded) -> float | None:
    """Variance of the AUROC over independent answers; None with fewer than two right or wrong ones."""
    right, wrong = graded.right, graded.wrong
    value = auroc(graded.total, graded.n - graded.total)
    if value is None or min(right, wrong) <= 1:
        return None
    above, below = _placements(graded)
    up, down = (above - value) / right, (below - value) / wrong
    # Of y up + (1 - y) down: each part with its own n / (n - 1), so that grades of 0 and 1 give DeLong's.
    first, second = right / (right - 1), wrong / (wrong - 1)
    n, total, squares = graded.n, graded.total, graded.squares
    own = first * squares * up**2 + second * (n - 2 * total + squares) * down**2
    mixed = 2 * math.sqrt(first * second) * (total - squares) * up * down
    return max(float((own + mixed).sum()), 0.0)


def _placements(graded: Graded) -> tuple[Floats, Floats]:
    """At each confidence: the share of wrong answers below it, and of right answers above it; ties half."""
    right, wrong = graded.total, graded.n - graded.total
    below = (np.cumsum(wrong) - wrong / 2) / wrong.sum()
    above = 1 - (np.cumsum(right) - right / 2) / right.sum()
    return below, above


def _influence(graded: Graded, value: float) -> tuple[Floats, Floats]:
    """The AUROC's influence of an answer as constant and slope of its grade."""
    above, below = _placements(graded)
    n = float(graded.n.sum())
    up, down = (above - value) * n / graded.right, (below - value) * n / graded.wrong
    return down, up - down


@dataclass(frozen=True, slots=True)
class Weighted:
    """Sums of weighted outcomes at each confidence; arrays of shape ``(m,)``.

    Attributes:
        weight: Sum of the weights.
        squared: Sum of the squared weights.
        total: Sum of weight times outcome.
        squared_total: Sum of squared weight times outcome.
        squares: Sum of squared weight times squared outcome.
    """

    weight: Floats
    squared: Floats
    total: Floats
    squared_total: Floats
    squares: Floats


def trend_z(outcomes: Weighted, score: Floats) -> float | None:
    """Score test of no trend of an outcome over a score, as a standard normal deviate.

    With weights of 1 it is the linear-by-linear test with its permutation variance; with 0/1 outcomes and
    ranks as score the Mann-Whitney test with its correction for ties.

    Args:
        outcomes: By confidence.
        score: Of each confidence, such as its rank, ``(m,)``.

    Returns:
        None where score or outcome is the same for all.

    References:
        Mann & Whitney (1947); Agresti (2013), Categorical Data Analysis, section 3.4.1.
    """
    weights, squared = float(outcomes.weight.sum()), float(outcomes.squared.sum())
    if weights <= 0 or weights**2 <= squared:
        return None
    rows = weights**2 / squared
    mean = float(outcomes.total.sum()) / weights
    around = outcomes.squares - 2 * mean * outcomes.squared_total + mean**2 * outcomes.squared
    centred = score - float((outcomes.weight * score).sum()) / weights
    spread = float(around.sum()) / squared * rows / (rows - 1)
    variance = spread * float((outcomes.squared * centred**2).sum())
    if variance <= 1e-12 * float(outcomes.squares.sum()) * rows:
        return None
    return float((centred * outcomes.total).sum()) / math.sqrt(variance)


def two_sided(z: float) -> float:
    """Two-sided p-value of a standard normal deviate."""
    return math.erfc(abs(z) / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class Selective:
    """Risk of answering only the most confident requests, averaged over how many are answered.

    Attributes:
        aurc: Mean over k of the error among the k most confident; ties averaged over their orders.
        optimal: The same for a ranking without mistakes; None for grades between 0 and 1.
        excess: ``aurc - optimal``.
        augrc: Mean over k of the share of all answers that are wrong and among the k most confident.
    """

    aurc: float | None
    optimal: float | None
    excess: float | None
    augrc: float | None


def selective(graded: Graded) -> Selective:
    """AURC, E-AURC and AUGRC; None without graded answers.

    References:
        Geifman, Uziel & El-Yaniv (2019), ICLR; Zhou et al. (2024), arXiv 2410.15361; Traub et al. (2024).
    """
    from scipy.special import digamma  # noqa: PLC0415 - kept off the import path of pages

    if not graded.rows:
        return Selective(None, None, None, None)
    n = graded.n[::-1]
    wrong = (graded.n - graded.total)[::-1]
    before, errors = np.cumsum(n) - n, np.cumsum(wrong) - wrong
    rate, rows = wrong / n, float(n.sum())
    harmonic = digamma(before + n + 1) - digamma(before + 1)
    aurc = float((rate * n + (errors - rate * before) * harmonic).sum() / rows)
    augrc = float((n * errors + rate * n * (n + 1) / 2).sum() / rows**2)
    if not graded.binary:
        return Selective(aurc, None, None, augrc)
    best = graded.wrong - graded.right * (digamma(rows + 1) - digamma(graded.right + 1))
    optimal = float(best / rows)
    return Selective(aurc, optimal, aurc - optimal, augrc)
