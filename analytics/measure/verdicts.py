"""Whether the strong model is worth its price in one category, measured on the log.

Four verdicts replace the prior that a task taxonomy would give:

* ``wins`` - more often right beyond doubt, and an extra correct answer is not dear;
* ``helps_dear`` - more often right beyond doubt, but an extra correct answer is dear;
* ``do_not_overpay`` - surely not more often right by as much as ``SMALL_GAIN``;
* ``cannot_tell`` - everything else, always with the reason.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from analytics.estimate import Estimate, undefined

Word = Literal["wins", "helps_dear", "do_not_overpay", "cannot_tell"]

SMALL_GAIN = 0.05
"""A gain in accuracy that is surely below this (five points) is not worth paying for."""

DEAR = 5.0
"""An extra correct answer is dear above this multiple of the strong model's average price for a correct one.

Where the fast model costs next to nothing the multiple is strong accuracy over gain, so 5 asks that a
fifth of the strong model's correct answers be ones that the fast model would have missed.
"""

ENOUGH = 30
"""Graded answers on each side below which no verdict is given, as for thresholds."""


class Outcome(Protocol):
    """What always taking one model gives: the controls of a curve have this shape."""

    @property
    def accuracy(self) -> Estimate:
        """Mean grade in [0, 1]."""

    @property
    def cost_per_request_usd(self) -> Estimate:
        """Mean cost per request, USD."""


class Controls(Protocol):
    """The part of a curve that a verdict reads."""

    @property
    def task_category(self) -> str | None:
        """Category; None where all are pooled or the rows have none."""

    @property
    def fast_only(self) -> Outcome:
        """Always fast."""

    @property
    def strong_only(self) -> Outcome:
        """Always strong."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The measured verdict for one category.

    Attributes:
        task_category: The category.
        word: The verdict.
        gain: Strong accuracy minus fast accuracy; value None where one of them is.
        cost_per_extra_correct_usd: Added cost per added correct answer, USD; value None where the gain is
            not positive or a cost is unknown, 0 or less where the strong model is not dearer.
        reason: One sentence for a reader.
    """

    task_category: str | None
    word: Word
    gain: Estimate
    cost_per_extra_correct_usd: Estimate
    reason: str


def verdicts(curves: Iterable[Controls], *, value_usd: float | None = None) -> list[Verdict]:
    """The verdict of each curve, in their order.

    Args:
        curves: One curve per category.
        value_usd: What a correct answer is worth, USD; then dear means dearer than that.
    """
    return [
        verdict(curve.task_category, curve.fast_only, curve.strong_only, value_usd=value_usd)
        for curve in curves
    ]


def verdict(
    category: str | None, fast: Outcome, strong: Outcome, *, value_usd: float | None = None
) -> Verdict:
    """The verdict from what always fast and always strong give.

    Args:
        category: Its name, passed through.
        fast: Accuracy and cost of the fast model on the category's rows.
        strong: The same for the strong model.
        value_usd: What a correct answer is worth, USD; None compares with the strong model's average price.
    """
    gain = difference(strong.accuracy, fast.accuracy)
    extra = cost_per_extra_correct(fast, strong)
    word, reason = _judged(gain, extra, strong, value_usd)
    return Verdict(category, word, gain, extra, reason)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """``first - second`` with the interval that two separate intervals give.

    Both estimates usually come from the same requests and then go up and down together; the interval
    ignores that and is too wide rather than too narrow.

    References:
        Zou & Donner (2008), Statistics in Medicine 27, equation 3 (MOVER, correlation 0).
    """
    n = min(first.n, second.n)
    if first.value is None or second.value is None:
        return undefined(first.reason or second.reason or "One of the two is unknown.", n=n)
    value = first.value - second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Estimate(value, None, None, n, "difference", first.level)
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, low, high, n, "difference of two intervals", first.level)


def cost_per_extra_correct(fast: Outcome, strong: Outcome) -> Estimate:
    """Added cost per added correct answer, USD; undefined where accuracy does not rise.

    The interval joins the extremes of both differences, so its coverage is at least the level of the two
    by Bonferroni's argument; its upper end is None while the gain may be zero.
    """
    gain = difference(strong.accuracy, fast.accuracy)
    added = difference(strong.cost_per_request_usd, fast.cost_per_request_usd)
    n = min(gain.n, added.n)
    if added.value is None:
        return undefined(added.reason or "Costs are not known.", n=n)
    if gain.value is None:
        return undefined(gain.reason or "Grades are not known.", n=n)
    if gain.value <= 0:
        return undefined("The strong model gives no extra correct answers.", n=n)
    low, high = _box(added, gain)
    return Estimate(added.value / gain.value, low, high, n, "ratio of differences", gain.level)


def _box(added: Estimate, gain: Estimate) -> tuple[float | None, float | None]:
    """Extremes of ``added / gain`` over both intervals; None where the gain may be zero."""
    if added.low is None or added.high is None or gain.low is None or gain.high is None:
        return None, None
    surely = gain.low > 0
    cheapest = gain.high if added.low > 0 else gain.low
    dearest = gain.low if added.high > 0 else gain.high
    low = added.low / cheapest if surely or added.low > 0 else None
    high = added.high / dearest if surely or added.high <= 0 else None
    return low, high


def _judged(gain: Estimate, extra: Estimate, strong: Outcome, value_usd: float | None) -> tuple[Word, str]:
    """Word and reason: first what forbids a verdict, then the gain, then its price."""
    if gain.value is None or gain.low is None or gain.high is None:
        return "cannot_tell", gain.reason or "This log does not grade both models in this category."
    if gain.n < ENOUGH:
        return "cannot_tell", f"Only {gain.n} graded answers; a verdict needs {ENOUGH} on each side."
    if gain.high < SMALL_GAIN:
        worse = f"The strong model is right {_points(-gain.value)} less often."
        small = f"The strong model surely gains less than {_points(SMALL_GAIN)}."
        return "do_not_overpay", worse if gain.high < 0 else small
    if gain.low <= 0:
        return "cannot_tell", f"The gain may be anything from {_points(gain.low)} to {_points(gain.high)}."
    return _priced(gain.value, extra, strong, value_usd)


def _priced(gain: float, extra: Estimate, strong: Outcome, value_usd: float | None) -> tuple[Word, str]:
    """The verdict on a gain that is surely positive."""
    cost, accuracy = strong.cost_per_request_usd.value, strong.accuracy.value
    if extra.value is None or cost is None or not accuracy:
        return "cannot_tell", f"Right {_points(gain)} more often; what that costs is not in this log."
    if extra.value <= 0:
        return "wins", "More often right, and not dearer."
    if value_usd is not None:
        dear = extra.value > value_usd
        return ("helps_dear" if dear else "wins"), f"Costs {extra.value / value_usd:.1f} times its value."
    times = extra.value / (cost / accuracy)
    return ("helps_dear" if times > DEAR else "wins"), f"Costs {times:.1f} times a usual correct answer."


def _points(share: float) -> str:
    """A difference of shares in words: ``12.3 points``."""
    return f"{100 * share:.1f} points".replace("-", "−")
