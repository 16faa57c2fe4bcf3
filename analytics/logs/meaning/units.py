"""Values as they stand in a log, turned into typed ones.

Every function takes a column of text (null where the file had nothing) and returns a column of the same
length. What cannot be read is null, or NaN where the text is a number that is none ("nan", "inf");
whether that costs the row or only the value is for ``convert`` to say. Units are decided for a whole
column, never value by value.
"""

import math

import polars as pl
import pyarrow as pa

TRUE_WORDS = ("true", "yes", "y", "t", "on", "1", "1.0")
FALSE_WORDS = ("false", "no", "n", "f", "off", "0", "0.0")
CORRECT_WORDS = (*TRUE_WORDS, "pass", "passed", "correct", "right", "ok", "good", "success")
WRONG_WORDS = (*FALSE_WORDS, "fail", "failed", "incorrect", "wrong", "bad", "failure")
ESCALATED_WORDS = (*TRUE_WORDS, "escalated", "escalate", "route", "routed", "strong", "defer", "deferred")
KEPT_WORDS = (*FALSE_WORDS, "kept", "keep", "fast")
NOTHING = ("", "na", "n/a", "nan", "none", "null", "nil", "unknown", "ungraded", "missing", "-", "—", "?")
STATUS_WORDS = {
    **dict.fromkeys(("success", "succeeded", "ok", "true", "1", "completed", "complete", "done"), "success"),
    **dict.fromkeys(("error", "failure", "failed", "fail", "false", "0", "exception", "cancelled"), "error"),
    **dict.fromkeys(("timeout", "timed_out", "timed out", "deadline_exceeded", "408", "504"), "timeout"),
}  # fmt: skip
HTTP = {"2": "success", "4": "error", "5": "error"}

_GROUPED_POINT = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_GROUPED_COMMA = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?$"
_DOLLARS = r"(?i)^([+-]?)(?:us\$|\$|usd)\s*|\s*(?:us\$|\$|usd)$"
_BRACKETS = r"^\((.+)\)$"

_PER_SECOND = {"ms": 1e3, "us": 1e6, "ns": 1e9}
_EPOCHS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}

_ISO = {None: len("2026-01-31T12:00:00"), "UTC": len("2026-01-31T12:00:00Z")}
"""Zone -> least length of an ISO 8601 moment to the second, without a zone and with one."""
_USUAL = ("%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f")
_TIMES = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%a, %d %b %Y %H:%M:%S%#z")
_LOCAL = (
    "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%Y/%m/%d",
    *(f"%Y/%m/%dT{time}" for time in _TIMES),
    "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%a, %d %b %Y %H:%M:%S",
)  # fmt: skip
_DAY_FIRST = ("%d/%m/%Y", *(f"%d/%m/%Y {time}" for time in _TIMES))
_MONTH_FIRST = ("%m/%d/%Y", *(f"%m/%d/%Y {time}" for time in _TIMES))


def number(text: pl.Series, *, decimal: str = ".") -> pl.Series:
    """The number that each text is, as Float64; NaN and infinities stay what they are.

    Args:
        text: Column of strings.
        decimal: Decimal mark. The other mark may group thousands ("1,234.5"); anything else is no number.
    """
    if decimal == ",":
        grouped = text.str.contains(_GROUPED_COMMA)
        bare = pl.select(
            pl.when(grouped).then(text.str.replace_all(".", "", literal=True))
            .when(text.str.contains(".", literal=True)).then(None).otherwise(text)
        ).to_series()  # fmt: skip
        return bare.str.strip_chars().str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    values = text.cast(pl.Float64, strict=False)
    # Almost every column is done here; only what is left over is looked at more closely.
    left = values.is_null() & text.is_not_null()
    if not left.any():
        return values
    rest = text.filter(left).str.strip_chars()
    grouped = rest.str.contains(_GROUPED_POINT)
    again = pl.select(
        pl.when(grouped).then(rest.str.replace_all(",", "", literal=True)).otherwise(rest)
    ).to_series()
    return values.scatter(left.arg_true(), again.cast(pl.Float64, strict=False))


def confidence(text: pl.Series, *, unit: str | None = None, decimal: str = ".") -> pl.Series:
    """Confidence in [0, 1]; null for everything else.

    Args:
        text: Column of strings.
        unit: fraction (default), percent, or logprob, of which the exponential is taken.
        decimal: Decimal mark.
    """
    values = scaled(text, unit=unit, decimal=decimal)
    return _where(values.is_between(0.0, 1.0), values)


def grade(text: pl.Series, *, unit: str | None = None, decimal: str = ".") -> pl.Series:
    """Grade in [0, 1] from numbers or words (yes, pass, ...); NaN for numbers outside, null for the rest."""
    values = scaled(text, unit=unit, decimal=decimal)
    values = _where(values.is_between(0.0, 1.0) | values.is_null(), values, math.nan)
    left = values.is_null() & text.is_not_null()
    if not left.any():
        return values
    words = text.filter(left).str.strip_chars().str.to_lowercase()
    return values.scatter(left.arg_true(), _words(words, CORRECT_WORDS, WRONG_WORDS).cast(pl.Float64))


def cost_usd(text: pl.Series, *, unit: str | None = None, decimal: str = ".") -> pl.Series:
    """Cost in USD; "$", "US$" and "USD" are dropped, accounting brackets are a minus sign.

    Args:
        text: Column of strings.
        unit: usd (default) or cents.
        decimal: Decimal mark.
    """
    values = number(text, decimal=decimal)
    left = values.is_null() & text.is_not_null()
    if left.any():
        bare = (
            text.filter(left)
            .str.strip_chars()
            .str.replace(_BRACKETS, "-${1}")
            .str.replace_all(_DOLLARS, "${1}")
        )
        values = values.scatter(left.arg_true(), number(bare, decimal=decimal))
    return _divided(values, by=100.0) if unit == "cents" else values


def seconds(text: pl.Series, *, unit: str | None = None, decimal: str = ".") -> pl.Series:
    """Duration in seconds from s (default), ms, us or ns."""
    values = number(text, decimal=decimal)
    return values if unit in {None, "s"} else _divided(values, by=_PER_SECOND[str(unit)])


def whole(text: pl.Series, *, decimal: str = ".") -> pl.Series:
    """Whole numbers from 0 as Int64; null for everything else."""
    exact = text.cast(pl.Int64, strict=False)
    if (exact.is_null() & text.is_not_null()).any():
        values = number(text, decimal=decimal)
        fits = (values == values.floor()) & (values.abs() < 2.0**53)
        exact = pl.select(
            pl.when(exact.is_not_null())
            .then(exact)
            .otherwise(_where(fits, values).cast(pl.Int64, strict=False))
        ).to_series()
    return _where(exact >= 0, exact)


def flag(text: pl.Series, *, escalated: bool = False) -> pl.Series:
    """Yes or no as Boolean, null for other words; ``escalated`` also knows "route", "keep" and the like."""
    true, false = (ESCALATED_WORDS, KEPT_WORDS) if escalated else (TRUE_WORDS, FALSE_WORDS)
    return _words(text.str.strip_chars().str.to_lowercase(), true, false)


def status(text: pl.Series) -> pl.Series:
    """success, error or timeout from words, booleans and HTTP codes; null for other words."""
    words = text.str.strip_chars().str.to_lowercase()
    codes = words.str.extract(r"^([245])\d\d$").replace_strict(HTTP, default=None, return_dtype=pl.String)
    named = words.replace_strict(STATUS_WORDS, default=None, return_dtype=pl.String)
    return pl.select(pl.coalesce(named, codes)).to_series()


def moment(
    text: pl.Series, *, unit: str | None = None, dates: str | None = None, decimal: str = "."
) -> pl.Series:
    """UTC moment as naive Datetime in microseconds; null where the text is none or no such day exists.

    Args:
        text: Column of strings. ISO 8601 with or without a zone (without: UTC), month names, and dates
            with slashes, dots or dashes where ``dates`` gives their order; or numbers, by ``unit``.
        unit: epoch_s, epoch_ms, epoch_us or epoch_ns; iso or null for text.
        dates: dmy or mdy.
        decimal: Decimal mark of epoch numbers.
    """
    if unit in _EPOCHS:
        return _from_epoch(text, per_second=_EPOCHS[str(unit)], decimal=decimal)
    iso = _iso(text)
    if iso is not None:
        return iso
    for form in _USUAL:
        found = text.str.to_datetime(form, strict=False, time_unit="us")
        left = found.is_null() & text.is_not_null()
        if not left.any():
            return found
        if found.is_not_null().any():
            break
    return found.scatter(left.arg_true(), _spelt_out(text.filter(left), dates=dates))


def scaled(text: pl.Series, *, unit: str | None, decimal: str) -> pl.Series:
    """Number of a share: as it stands, a hundredth of it for percent, its exponential for logprob."""
    bare = text.str.strip_chars().str.strip_suffix("%").str.strip_chars_end() if unit == "percent" else text
    values = number(bare, decimal=decimal)
    if unit == "percent":
        return _divided(values, by=100.0)
    return values.exp() if unit == "logprob" else values


def nothing(text: pl.Series) -> pl.Series:
    """Whether each text only says that there is no value: empty, "n/a", "none", "unknown", ..."""
    return text.is_null() | text.str.strip_chars().str.to_lowercase().is_in(NOTHING)


def _divided(values: pl.Series, *, by: float) -> pl.Series:
    """Quotients rounded once; by a plain number Polars multiplies with the reciprocal: 57 / 100 > 0.57."""
    return values / pl.Series([by]).new_from_index(0, len(values))


def _words(words: pl.Series, true: tuple[str, ...], false: tuple[str, ...]) -> pl.Series:
    return pl.select(pl.when(words.is_in(true)).then(True).when(words.is_in(false)).then(False)).to_series()


def _where(mask: pl.Series, values: pl.Series, other: float | None = None) -> pl.Series:
    return pl.select(pl.when(mask).then(values).otherwise(other)).to_series()


def _iso(text: pl.Series) -> pl.Series | None:
    """Moments of a column in which all are ISO 8601 to the second, all with a zone or all without; else null.

    Arrow needs a tenth of the time that a format takes, and refuses a column for one value that is no such.
    """
    shortest = text.str.len_bytes().min()
    strings = text.to_arrow()
    for zone, length in _ISO.items():
        if not isinstance(shortest, int) or shortest < length:
            continue
        try:
            moments = strings.cast(pa.timestamp("us", zone)).cast(pa.timestamp("us"))
        except pa.ArrowInvalid:
            continue
        return pl.Series(text.name, moments)
    return None


def _spelt_out(text: pl.Series, *, dates: str | None) -> pl.Series:
    clean = (
        text.str.strip_chars()
        .str.replace(r"^(\d{4}[-/]\d{1,2}[-/]\d{1,2}) +", "${1}T")
        .str.replace(r"(:\d\d),(\d+)", "${1}.${2}")
        .str.replace(r" *(UTC|GMT)$", "")
        .str.replace(r" +([+-]\d\d:?\d\d)$", "${1}")
    )
    found = pl.Series([None] * len(clean), dtype=pl.Datetime("us"))
    for form in (*_ZONED, *_LOCAL):
        found = _filled(found, clean, form)
    if dates in {"dmy", "mdy"}:
        slashed = clean.str.replace(r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})", "${1}/${2}/${3}")
        for form in _DAY_FIRST if dates == "dmy" else _MONTH_FIRST:
            found = _filled(found, slashed, form)
    return found


def _filled(found: pl.Series, text: pl.Series, form: str) -> pl.Series:
    left = found.is_null() & text.is_not_null()
    if not left.any():
        return found
    parsed = text.filter(left).str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone(None)
    return found.scatter(left.arg_true(), parsed) if parsed.is_not_null().any() else found


def _from_epoch(text: pl.Series, *, per_second: int, decimal: str) -> pl.Series:
    exact = text.cast(pl.Int64, strict=False)
    values = number(text, decimal=decimal)
    # Whole numbers stay whole: a double holds nanoseconds of today only to 256.
    if per_second > 10**6:
        micros = exact // (per_second // 10**6)
        rest = values / (per_second // 10**6)
    else:
        micros = _where(exact.abs() < 10**18 // (10**6 // per_second), exact) * (10**6 // per_second)
        rest = values * (10**6 // per_second)
    rest = _where(rest.abs() < 2.0**62, rest).round()
    return (
        pl.select(pl.coalesce(micros, rest.cast(pl.Int64, strict=False))).to_series().cast(pl.Datetime("us"))
    )
