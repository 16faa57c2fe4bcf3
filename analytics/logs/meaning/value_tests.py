"""What the values of a column say that its name does not: guesses to be confirmed, never more."""

from typing import Literal

from analytics.logs import prices
from analytics.logs.dialects.dialect import plain
from analytics.logs.meaning.profile import ColumnProfile

Scale = Literal["grade", "percent", "mixed", "other"]

WHY = 30
FEW = 0.01
_TEN = 10.0
_HALF = 0.5
_NO_CATEGORY = frozenset(
    {"provider", "region", "country", "language", "lang", "locale", "status", "error", "metric", "version"}
    | {"env", "environment", "host", "answer", "response", "output", "prompt", "completion", "model"}
    | {"grader", "judge", "letter", "choice", "finish", "stop"}
)
_CATEGORIES = (2, 200)
_PER_CATEGORY = 5
_NO_CONFIDENCE = frozenset(
    {"temperature", "top", "similarity", "distance", "toxicity", "ratio", "share", "rate", "load", "cpu"}
    | {"cost", "price", "fee", "spend", "latency", "time", "duration", "seconds", "weight", "random"}
)
_MANY, _NEARLY_SURE = 20, 0.9
_VERDICTS = frozenset({"pass", "passed", "fail", "failed", "correct", "incorrect", "right", "wrong"})


def grade_scale(profile: ColumnProfile) -> Scale:
    """Whether a column holds grades from 0 to 1 or words, percent, both, or something else (1 to 10)."""
    if profile.numbers + profile.words_yes_no == 0:
        return "other"
    outside = profile.hundred + profile.over_hundred + profile.negative
    if outside <= FEW * profile.numbers:
        return "grade"
    if profile.over_hundred + profile.negative > FEW * profile.numbers or (profile.high or 0) <= _TEN:
        return "other"
    return "mixed" if profile.inner > FEW * profile.numbers else "percent"


def span(profile: ColumnProfile) -> str:
    """The range of a column's numbers in words."""
    return f"{profile.low:.9g} to {profile.high:.9g}" if profile.low is not None else "no numbers"


def kind(profile: ColumnProfile) -> str:
    """The values in a few words."""
    if profile.numbers and profile.numbers == profile.filled:
        if profile.ends == profile.numbers:
            return "Only 0 and 1"
        if profile.inner + profile.ends == profile.numbers:
            return "Numbers from 0 to 1"
        return (
            "Positive whole numbers"
            if profile.whole == profile.numbers and not profile.negative
            else "Numbers"
        )
    return shortened(f"{profile.distinct} different texts")


def shortened(text: str) -> str:
    """A reason of at most 30 characters."""
    return text if len(text) <= WHY else text[: WHY - 1] + "…"


def like_times(profile: ColumnProfile) -> str | None:
    """Dates, or numbers that are a time of 2015 to 2100."""
    dated = profile.iso + profile.slashed + profile.named_month == profile.filled
    return "Looks like a time" if dated or max(profile.epochs.values(), default=0) == profile.filled else None


def like_confidences(profile: ColumnProfile) -> str | None:
    """Many different numbers from 0 to nearly 1; those of costs and durations end far below."""
    if set(plain(profile.name).split("_")) & _NO_CONFIDENCE or (profile.high or 0.0) < _NEARLY_SURE:
        return None
    shares = profile.inner + profile.ends == profile.filled and profile.inner > _HALF * profile.filled
    return "Numbers from 0 to 1" if shares and profile.distinct > _MANY else None


def like_verdicts(profile: ColumnProfile) -> str | None:
    """Right and wrong in words; 0 and 1, or yes and no, could as well say something else."""
    said = {value.strip().lower() for value in profile.values}
    return "Grades in words" if len(said) > 1 and said <= _VERDICTS else None


def like_grades(profile: ColumnProfile) -> str | None:
    """Anything from 0 to 1 or in words, in a file that is known to hold grades."""
    if profile.numbers + profile.words_yes_no != profile.filled or grade_scale(profile) != "grade":
        return None
    return "Grades in words" if profile.words_yes_no else kind(profile)


def like_models(profile: ColumnProfile) -> str | None:
    """Models of the price list."""
    priced = profile.values and all(prices.price(value) for value in profile.values)
    return "Models with a known price" if priced else None


def like_categories(profile: ColumnProfile) -> str | None:
    """Short texts that repeat."""
    words = set(plain(profile.name).split("_"))
    few, many = _CATEGORIES
    fitting = (
        not profile.varies
        and not words & _NO_CATEGORY
        and few <= profile.distinct <= many
        and profile.filled >= _PER_CATEGORY * profile.distinct
        and profile.numbers + profile.words_yes_no + profile.iso + profile.slashed + profile.named_month == 0
        and few <= profile.longest <= 2 * WHY
    )
    return f"{profile.distinct} short repeated texts" if fitting else None
