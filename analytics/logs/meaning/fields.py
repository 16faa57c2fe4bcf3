"""One field of the table from its text: typed values, and what is wrong with those that have none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from analytics.logs.meaning import units
from analytics.logs.meaning.scales import bare
from analytics.logs.schema import TIERS

MOST_USD = 10_000.0
LONGEST_CATEGORY = 200
EARLIEST, LATEST = datetime(2015, 1, 1), datetime(2101, 1, 1)  # noqa: DTZ001  # naive UTC, as stored

_KINDS = {
    "policy_kind": {kind: kind for kind in ("cascade", "predictive")},
    "confidence_kind": {kind: kind for kind in ("self_report", "logprob", "verifier", "predictive")},
    "cost_source": {kind: kind for kind in ("logged", "priced")},
    "correct_source": {kind: kind for kind in ("human", "judge", "exact", "feedback")},
}
_KINDS["correct_source"] |= {"llm": "judge", "model": "judge", "auto": "exact", "user": "feedback"}
EMPTY = "confidence is empty"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a column is read.

    Attributes:
        unit: See ``mapping.Mapping.units``.
        decimal: Decimal mark.
        dates: Order of day and month.
    """

    unit: str | None = None
    decimal: str = "."
    dates: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Rows whose text is no value of the field.

    Attributes:
        rows: Boolean, one per row.
        reason: One clause for people.
        rejects: Whether the record is rejected; otherwise the value is unknown and the record stays.
    """

    rows: pl.Series
    reason: str
    rejects: bool


Field = tuple[pl.Series, list[Fault]]
_Read = Callable[[pl.Series, Reading], Field]


def typed(name: str, text: pl.Series, reading: Reading) -> Field:
    """Values of one canonical field and the faults among them.

    Args:
        name: Canonical field.
        text: Column of strings, null where the file has nothing.
        reading: Unit, decimal mark, order of dates.
    """
    base = bare(name)
    if base in _KINDS:
        return _word(text, base)
    values, faults = _READ.get(base, _text)(text, reading)
    nul = text.str.contains("\0", literal=True).fill_null(value=False)
    if nul.any():
        faults = [*faults, Fault(nul, f"NUL byte in {base.removeprefix('task_')}", rejects=True)]
    return values, faults


def _text(text: pl.Series, _: Reading) -> Field:
    bare = text.str.strip_chars()
    return bare.set(bare == "", None), []


def _category(text: pl.Series, reading: Reading) -> Field:
    values, faults = _text(text, reading)
    long = (values.str.len_chars() > LONGEST_CATEGORY).fill_null(value=False)
    return values, [*faults, Fault(long, f"category longer than {LONGEST_CATEGORY} characters", rejects=True)]


def _confidence(text: pl.Series, reading: Reading) -> Field:
    values = units.confidence(text, unit=reading.unit, decimal=reading.decimal)
    empty = text.is_null()
    outside = values.is_null() & _finite(text, reading)
    words = values.is_null() & ~outside & ~empty
    return values, [
        Fault(words, "confidence is no number", rejects=False),
        Fault(outside, "confidence outside 0 to 1", rejects=False),
        Fault(empty, EMPTY, rejects=False),
    ]


def _finite(text: pl.Series, reading: Reading) -> pl.Series:
    bare = text.str.strip_chars().str.strip_suffix("%")
    return units.number(bare, decimal=reading.decimal).is_finite().fill_null(value=False)


def _grade(text: pl.Series, reading: Reading) -> Field:
    values = units.grade(text, unit=reading.unit, decimal=reading.decimal)
    absent = units.nothing(text)
    outside = values.is_nan().fill_null(value=False) & ~absent
    return values.fill_nan(None), [
        Fault(values.is_null() & ~absent, "grade is no number and no known word", rejects=True),
        Fault(outside, "grade outside 0 to 1", rejects=False),
    ]


def _cost(text: pl.Series, reading: Reading) -> Field:
    values = units.cost_usd(text, unit=reading.unit, decimal=reading.decimal)
    unreadable = values.is_null() & ~units.nothing(text)
    negative = (values < 0).fill_null(value=False)
    endless = (~values.is_finite()).fill_null(value=False)
    huge = (values > MOST_USD).fill_null(value=False) & ~endless
    return values, [
        Fault(unreadable, "cost is no number in USD", rejects=True),
        Fault(negative & ~endless, "cost is negative", rejects=True),
        Fault(endless, "cost is not finite", rejects=True),
        Fault(huge, f"impossible cost (> {MOST_USD:,.0f} USD a request)", rejects=True),
    ]


def _latency(text: pl.Series, reading: Reading) -> Field:
    values = units.seconds(text, unit=reading.unit, decimal=reading.decimal)
    good = (values.is_finite() & (values >= 0)).fill_null(value=False)
    return values.set(~good, None), [_unreadable(good, text, "latency is no duration")]


def _tokens(text: pl.Series, reading: Reading) -> Field:
    values = units.whole(text, decimal=reading.decimal)
    return values, [_unreadable(values.is_not_null(), text, "no whole number")]


def _threshold(text: pl.Series, reading: Reading) -> Field:
    values = units.scaled(text, unit=reading.unit, decimal=reading.decimal)
    good = values.is_finite().fill_null(value=False)
    return values.set(~good, None), [_unreadable(good, text, "threshold is no number")]


def _probability(text: pl.Series, reading: Reading) -> Field:
    values = units.number(text, decimal=reading.decimal)
    good = ((values > 0) & (values <= 1)).fill_null(value=False)
    return values.set(~good, None), [
        Fault(~good & ~units.nothing(text), "probability outside 0 (excluded) to 1", rejects=True)
    ]


def _moment(text: pl.Series, reading: Reading) -> Field:
    values = units.moment(text, unit=reading.unit, dates=reading.dates, decimal=reading.decimal)
    inside = ((values >= EARLIEST) & (values < LATEST)).fill_null(value=False)
    return values, [
        Fault(values.is_null() & ~units.nothing(text), "no time that can be read", rejects=True),
        Fault(values.is_not_null() & ~inside, "time outside 2015-2100", rejects=True),
    ]


def _order(text: pl.Series, reading: Reading) -> Field:
    if reading.unit == "time":
        return units.moment(text, unit="iso", dates=reading.dates).dt.epoch("us"), []
    if reading.unit:
        return units.moment(text, unit=reading.unit, decimal=reading.decimal).dt.epoch("us"), []
    return _tokens(text, reading)


def _flag(text: pl.Series, _: Reading) -> Field:
    values = units.flag(text)
    return values, [_unreadable(values.is_not_null(), text, "neither yes nor no")]


def _escalated(text: pl.Series, _: Reading) -> Field:
    values = units.flag(text, escalated=True)
    return values, [_unreadable(values.is_not_null(), text, "neither yes nor no")]


def _status(text: pl.Series, _: Reading) -> Field:
    values = units.status(text)
    return values, [_unreadable(values.is_not_null(), text, "status word is not known")]


def _tier(text: pl.Series, _: Reading) -> Field:
    words = text.str.strip_chars().str.to_lowercase()
    return words.set(~words.is_in(TIERS), None), []


def _word(text: pl.Series, base: str) -> Field:
    words = text.str.strip_chars().str.to_lowercase().str.replace_all("[ -]", "_")
    values = words.replace_strict(_KINDS[base], default=None, return_dtype=pl.String)
    return values, [_unreadable(values.is_not_null(), text, f"no known {base}")]


def _unreadable(good: pl.Series, text: pl.Series, reason: str) -> Fault:
    return Fault(~good & ~units.nothing(text), reason, rejects=False)


_READ: dict[str, _Read] = {
    "ts": _moment,
    "task_category": _category,
    "confidence": _confidence,
    "correct": _grade,
    "cost_usd": _cost,
    "router_cost_usd": _cost,
    "latency_s": _latency,
    "router_latency_s": _latency,
    "ttft_s": _latency,
    "threshold": _threshold,
    "propensity": _probability,
    "sampling_probability": _probability,
    "call_index": _order,
    "escalated": _escalated,
    "status": _status,
    "tier": _tier,
    **dict.fromkeys(("served", "shadow", "cache_hit"), _flag),
    **dict.fromkeys(("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"), _tokens),
}
