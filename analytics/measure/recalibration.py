"""Recalibration: a confidence that means what it says, and what that can and cannot change.

A strictly increasing map keeps the order of confidences, and so the set of policies: the best threshold of
a category only gets another name. It matters where one threshold serves several categories or models, where
a threshold is set without tuning, and where confidences are compared over time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.estimate import LEVEL, Estimate, Floats
from analytics.measure.calibration import binned_ece, perfect_ece
from analytics.measure.calibration import isotonic as isotonic_fit
from analytics.measure.graded import FEW, HELD_OUT_FOLDS, PICKED_FOLDS, Graded, summed
from analytics.measure.overconfidence import logistic
from analytics.measure.reliability import equal_width, residual_inflation

Method = Literal["isotonic", "platt"]
Map = Callable[[Floats], Floats]

REVERSED = "The fitted slope is negative: it would turn the order of the confidences round, so it is refused."
ONE_LEVEL = "One value of the confidence, or one class of answers, gives nothing to fit."
FEW_ROWS = f"Fewer than {FEW} graded answers with a confidence in one half of the log."


@dataclass(frozen=True, slots=True)
class Recalibration:
    """One map, fitted on folds 0 to 9 and scored on folds 10 to 19.

    Attributes:
        method: ``isotonic`` or ``platt``.
        reason: Why there is none; None where there is.
        ece_before: Of the confidences as they are, on the scored half.
        ece_after: Of the mapped ones.
        perfect_before: Mean ECE of the same confidences, perfectly calibrated.
        perfect_after: The same for the mapped ones.
        brier_change: Mean change of the squared error of an answer, with its interval; below 0 is better.
        levels_before: Distinct confidences in the log.
        levels_after: Distinct mapped ones: a map that merges some leaves a part of the policies.
        claims: Mapped value of 0.5, 0.8, 0.9, 0.95 and 1.0.
    """

    method: Method
    reason: str | None
    ece_before: float | None = None
    ece_after: float | None = None
    perfect_before: float | None = None
    perfect_after: float | None = None
    brier_change: Estimate | None = None
    levels_before: int = 0
    levels_after: int = 0
    claims: tuple[tuple[float, float], ...] = ()


SHOWN = (0.5, 0.8, 0.9, 0.95, 1.0)


def recalibration(graded: Graded, method: Method, *, level: float = LEVEL) -> Recalibration:
    """What a recalibration of these answers' confidence does on answers that it was not fitted on."""
    fitted, scored = graded.within(PICKED_FOLDS), graded.within(HELD_OUT_FOLDS)
    if min(fitted.rows, scored.rows) < FEW:
        return Recalibration(method, FEW_ROWS)
    found = platt_map(fitted) if method == "platt" else isotonic_map(fitted)
    if isinstance(found, str):
        return Recalibration(method, found)
    c, mapped = scored.confidence, found(scored.confidence)
    after = _relabelled(scored, mapped)
    before_null, after_null = (
        perfect_ece(entry, equal_width(entry), inflation=residual_inflation(entry))
        for entry in (scored, after)
    )
    # (h - y)^2 - (c - y)^2 is linear in the grade, so its variance follows from the same sums.
    change = scored.mean(mapped**2 - c**2, -2 * (mapped - c), method="paired, held out", level=level)
    return Recalibration(
        method=method,
        reason=None,
        ece_before=binned_ece(scored, equal_width(scored)),
        ece_after=binned_ece(after, equal_width(after)),
        perfect_before=None if before_null is None else before_null.mean,
        perfect_after=None if after_null is None else after_null.mean,
        brier_change=change,
        levels_before=graded.confidence.size,
        levels_after=np.unique(np.round(found(graded.confidence), 12)).size,
        claims=tuple((at, float(found(np.array([at]))[0])) for at in SHOWN),
    )


def platt_map(fitted: Graded) -> Map | str:
    """A logistic curve of the confidence, with Platt's smoothed targets; the reason where there is none.

    References:
        Platt (1999), Advances in Large Margin Classifiers.
    """
    if fitted.confidence.size < 2 or min(fitted.right, fitted.wrong) <= 0:  # noqa: PLR2004 - a slope needs two
        return ONE_LEVEL
    high, low = (fitted.right + 1) / (fitted.right + 2), 1 / (fitted.wrong + 2)
    line = logistic(fitted.confidence, fitted.n, low * fitted.n + (high - low) * fitted.total)
    if line is None:
        return ONE_LEVEL
    intercept, slope = line
    if slope <= 0:
        return REVERSED
    return lambda c: 1 / (1 + np.exp(-(intercept + slope * c)))


def isotonic_map(fitted: Graded) -> Map | str:
    """The isotonic fit, linear between the confidences that it was fitted on; the reason if none.

    References:
        Zadrozny & Elkan (2002), KDD.
    """
    if fitted.confidence.size < 2 or min(fitted.right, fitted.wrong) <= 0:  # noqa: PLR2004 - as above
        return ONE_LEVEL
    at, fit = fitted.confidence, isotonic_fit(fitted)
    return lambda c: np.interp(c, at, fit)


def _relabelled(graded: Graded, mapped: Floats) -> Graded:
    """The same answers with other confidences."""
    distinct, place = np.unique(mapped, return_inverse=True)
    n, total, squares = (
        summed(place, values, size=distinct.size) for values in (graded.n, graded.total, graded.squares)
    )
    return Graded(
        np.clip(distinct, 0.0, 1.0), n, total, squares, graded.fold, place[graded.level], graded.parts,
        clustered=graded.clustered,
    )  # fmt: skip
