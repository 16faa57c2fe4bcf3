"""Everything that one log says about its confidence, by category and over all of them."""

from dataclasses import dataclass

import polars as pl

from analytics.estimate import LEVEL, Estimate
from analytics.measure.calibration import (
    Decomposition,
    PerfectEce,
    binned_ece,
    brier,
    corp,
    debiased_squared_error,
    perfect_ece,
)
from analytics.measure.graded import Graded, graded, graded_by_category
from analytics.measure.multiplicity import holm
from analytics.measure.overconfidence import Cox, Flag, Tests, calibration_tests, cox, flags
from analytics.measure.ranking import Selective, Signal, Word, selective, signal
from analytics.measure.reliability import equal_mass, equal_width, residual_inflation
from analytics.measure.smoothing import smooth_ece


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the confidence of one category, or of all together, can be trusted.

    Attributes:
        answers: What it is computed from.
        signal: Whether it says which answers are right, with the AUROC.
        adjusted: The p-value of the signal, adjusted for all categories.
        word: The verdict on the signal.
        flag: Whether it claims too much, with the gap.
        ece: Calibration error over ten bins of equal width; None without answers, like all that follow.
        perfect: What the ECE would be under perfect calibration.
        ece_equal_mass: Over ten bins of about as many answers.
        debiased: Squared calibration error over those, without the bias of small bins; may be negative.
        smooth: Calibration error without bins.
        brier: Mean squared error.
        parts: Its decomposition by an isotonic fit.
        tests: Of perfect calibration; they take answers as independent.
        cox: Recalibration line on the log odds.
        selective: Areas under the risk of answering only the most confident.
    """

    answers: Graded
    signal: Signal
    adjusted: float | None
    word: Word
    flag: Flag
    ece: float | None
    perfect: PerfectEce | None
    ece_equal_mass: float | None
    debiased: float | None
    smooth: float | None
    brier: Estimate
    parts: Decomposition | None
    tests: Tests
    cox: Cox
    selective: Selective


def trust(rows: pl.DataFrame, *, clustered: bool = False, level: float = LEVEL) -> dict[str | None, Trust]:
    """How far the confidence can be trusted in every category, and under None in all of them together.

    P-values are adjusted over the categories; those of all together stand for themselves.

    Args:
        rows: Of ``identification.contributions``.
        clustered: Whether users have several requests.
        level: Coverage.
    """
    by_category = graded_by_category(rows, clustered=clustered)
    whole = graded(rows, clustered=clustered)
    signals = {name: signal(entry, level=level) for name, entry in by_category.items()}
    adjusted = dict(zip(signals, holm([entry.p_value for entry in signals.values()]), strict=True))
    flagged = flags(by_category, level=level)
    found: dict[str | None, Trust] = {None: _trust(whole, level=level)}
    for name, answers in by_category.items():
        found[name] = _trust(
            answers, level=level, found=signals[name], adjusted=adjusted[name], flag=flagged[name]
        )
    return found


def _trust(
    answers: Graded,
    *,
    level: float,
    found: Signal | None = None,
    adjusted: float | None = None,
    flag: Flag | None = None,
) -> Trust:
    """The figures of one set of answers; signal and flag are judged alone where they are not given."""
    if found is None:
        found = signal(answers, level=level)
        adjusted = found.p_value
    if flag is None:
        flag = flags({"": answers}, level=level)[""]
    width, mass = equal_width(answers), equal_mass(answers)
    return Trust(
        answers=answers,
        signal=found,
        adjusted=adjusted,
        word=found.word(adjusted),
        flag=flag,
        ece=binned_ece(answers, width),
        perfect=perfect_ece(answers, width, inflation=residual_inflation(answers)),
        ece_equal_mass=binned_ece(answers, mass),
        debiased=debiased_squared_error(answers, mass),
        smooth=smooth_ece(answers),
        brier=brier(answers, level=level),
        parts=corp(answers),
        tests=calibration_tests(answers),
        cox=cox(answers, level=level),
        selective=selective(answers),
    )
