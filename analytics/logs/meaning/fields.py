"""One field of the table from its text: typed values, and what is wrong with those that have none."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analytics.logs.meaning import units
from analytics.logs.meaning.scales import bare
from analytics.logs.rates import SERVICES, STANDARD
from analytics.logs.reading.staged_rows import as_text
from analytics.logs.schema import TIERS

MOST_USD = 10_000.0
LONGEST_CATEGORY = 200
EARLIEST, LATEST = datetime(2015, 1, 1), datetime(2101, 1, 1)  # noqa: DTZ001  # naive UTC, as stored

WORDS = {
    "policy_kind": {kind: kind for kind in ("cascade", "predictive")},
    "confidence_kind": {kind: kind for kind in ("self_report", "logprob", "verifier", "predictive")},
    "cost_source": {kind: kind for kind in ("logged", "priced")},
    "correct_source": {kind: kind for kind in ("human", "judge", "exact", "feedback")},
    "service_tier": {kind: kind for kind in SERVICES},
}
WORDS["correct_source"] |= {"llm": "judge", "model": "judge", "auto": "exact", "user": "feedback"}
WORDS["service_tier"] |= {"batches": "batch", "fast": "priority"}
WORDS["service_tier"] |= dict.fromkeys(("default", "auto", "on_demand", "scale", "standard_only"), STANDARD)
"""Field -> words in lower snake case -> the value that they stand for."""
EMPTY = "confidence is empty"
_FLAGS = frozenset({"served", "shadow", "cache_hit", "escalated"})
_REPEATED = _FLAGS | {"status", "tier", "task_category", "segment", "model", "arm", "experiment"}
_FEW = 100
_WHOLE = frozenset(
    {
        *("input_tokens", "output_tokens", "reasoning_tokens"),
        *("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    }
)
# Field -> lowest and highest value, units that leave a number as it stands.
_SPANS: dict[str, tuple[float, float, frozenset[str | None]]] = {
    "confidence": (0.0, 1.0, frozenset({None, "fraction"})),
    "correct": (0.0, 1.0, frozenset({None, "fraction"})),
    **dict.fromkeys(("cost_usd", "router_cost_usd"), (0.0, MOST_USD, frozenset({None, "usd"}))),
    **dict.fromkeys(
        ("latency_s", "router_latency_s", "ttft_s"), (0.0, sys.float_info.max, frozenset({None, "s"}))
    ),
}


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


def typed(name: str, column: pl.Series, reading: Reading) -> Field:
    """Values of one canonical field and the faults among them.

    Args:
        name: Canonical field.
        column: Strings, null where the file has nothing; or numbers, flags or times as they stand in it.
        reading: Unit, decimal mark, order of dates.
    """
    base = bare(name)
    plain = _plain(base, column, reading)
    if plain is not None:
        empty = base == "confidence" and plain.null_count()
        return plain, [Fault(plain.is_null(), EMPTY, rejects=False)] if empty else []
    text = as_text(column)
    if base in WORDS:
        return _by_value(text, lambda words: _word(words, base))
    read = _READ.get(base, _text)
    return _by_value(text, lambda words: read(words, reading)) if base in _REPEATED else read(text, reading)


def _by_value(text: pl.Series, read: Callable[[pl.Series], Field]) -> Field:
    """What ``read`` gives, asked once for each of the few different texts that such a column has."""
    words = text.unique()
    if len(words) > _FEW:
        return read(text)
    values, faults = read(words)
    if values.dtype == pl.String and values.equals(words) and not any(fault.rows.any() for fault in faults):
        return text, []

    def spread(of_words: pl.Series) -> pl.Series:
        return text.replace_strict(words, of_words, return_dtype=of_words.dtype)

    found = [Fault(spread(fault.rows), fault.reason, fault.rejects) for fault in faults if fault.rows.any()]
    return spread(values), found


def _plain(base: str, column: pl.Series, reading: Reading) -> pl.Series | None:
    """The values of a column in which nothing is amiss; null where something has to be looked at.

    Nearly every column of nearly every log ends here. What comes out is what the closer look would give.
    """
    kind = column.dtype
    if base in _FLAGS:
        return column if kind == pl.Boolean else None
    if base in _SPANS:
        return _plain_number(base, column, reading)
    if base == "ts" and isinstance(kind, pl.Datetime) and reading.unit in {None, "iso"}:
        values = column.cast(pl.Datetime("us"))
        good = _within(values, EARLIEST, LATEST - timedelta(microseconds=1))
    elif base in _WHOLE and kind.is_integer():
        values = column.cast(pl.Int64, strict=False)
        good = _within(values, 0, None)
    else:
        return None
    return values if good and values.null_count() == column.null_count() else None


def _plain_number(base: str, column: pl.Series, reading: Reading) -> pl.Series | None:
    low, high, as_is = _SPANS[base]
    kind = column.dtype
    numeric = kind == pl.String or kind.is_numeric() or (kind == pl.Boolean and base == "correct")
    if not numeric or reading.decimal != "." or reading.unit not in as_is:
        return None
    values = column.cast(pl.Float64, strict=False)
    same = values.null_count() == column.null_count() and _within(values, low, high)
    return values if same else None


def _within(values: pl.Series, low: Any, high: Any) -> bool:
    """Whether all known values are finite and from ``low`` to ``high``, both included."""
    if values.dtype.is_float() and not values.is_finite().all():
        return False
    least, most = values.min(), values.max()
    return least is None or bool(least >= low and (high is None or most <= high))


def _text(text: pl.Series, _: Reading) -> Field:
    bare = text.str.strip_chars()
    empty = bare == ""
    return bare.set(empty, None) if empty.any() else bare, []


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
        _unreadable(good, text, "probability outside 0 (excluded) to 1", rejects=True)
    ]


def _moment(text: pl.Series, reading: Reading) -> Field:
    values = units.moment(text, unit=reading.unit, dates=reading.dates, decimal=reading.decimal)
    inside = ((values >= EARLIEST) & (values < LATEST)).fill_null(value=False)
    return values, [
        _unreadable(values.is_not_null(), text, "no time that can be read", rejects=True),
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
    values = words.replace_strict(WORDS[base], default=None, return_dtype=pl.String)
    return values, [_unreadable(values.is_not_null(), text, f"no known {base}")]


def _unreadable(good: pl.Series, text: pl.Series, reason: str, *, rejects: bool = False) -> Fault:
    """The texts that say something and are no value."""
    bad = ~good
    return Fault(bad & ~units.nothing(text) if bad.any() else bad, reason, rejects)


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
    **dict.fromkeys(_WHOLE, _tokens),
}
