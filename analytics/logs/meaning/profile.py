"""What the values of each column look like, counted over the whole file."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from analytics.logs.meaning import keys, units
from analytics.logs.reading.staging import Staged

BATCH = 100_000
DISTINCT = 1_000
VALUES = 40
PROFILED = 400
_LONG = 60

_EPOCHS = {"epoch_s": 1.0, "epoch_ms": 1e3, "epoch_us": 1e6, "epoch_ns": 1e9}
_FROM, _TO = 1420070400.0, 4133980800.0  # 2015 and 2101 in epoch seconds
_ISO = r"^\s*\d{4}-\d{1,2}-\d{1,2}([T ]|\s*$)"
_SLASHED = r"^\s*(\d{1,2})([./-])(\d{1,2})[./-]\d{4}(\s|$)"
_MONTHS = r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\d{4}"
_DECIMAL_COMMA = r"^\s*[+-]?(0|\d{1,3}(\.\d{3})*|\d+),\d+([eE][+-]?\d+)?\s*$"
_GROUPED_COMMA = r"^\s*[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?\s*$"
_MARKS = r"[%€£¥₹]"
_CURRENCY = r"(?i)[$€£¥₹]|\b(usd|eur|gbp)\b"


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """Counts over one column. Numbers include those with a decimal comma, a percent sign or a currency mark.

    Attributes:
        name: In the file.
        position: The column is ``c{position}`` of ``rows.parquet``.
        rows: Of the file.
        filled: With any value.
        distinct: Different values, counted up to 1,000.
        values: All of them where they are at most 40, in the order they come.
        samples: The first three.
        numbers: Finite numbers.
        low, high: Of the numbers.
        inner, ends, hundred: Numbers strictly between 0 and 1; exactly 0 or 1; above 1 and up to 100.
        negative, over_hundred, whole: Numbers below 0; above 100; without a fraction.
        under_20, over_120: Numbers at most 20 and at least 120, which tells seconds from milliseconds.
        words_yes_no, percent_signs: Texts that are a grade in words; that end in "%".
        commas, grouped, currency: Texts with a decimal comma; with commas at thousands; with a
            currency mark.
        iso, named_month: Texts that look like an ISO date; that name a month and a year.
        slashed, first_over_12, second_over_12, dotted: Texts like 3/4/2026; those that start with a day; that
            start with a month; that have dots instead of slashes.
        epochs: Numbers that are a time of 2015 to 2100, by unit.
        longest: Characters of the longest value.
        key: For the best id column, the columns that identify a row together with the models; empty where
            only the line does; null for every other column.
        repeats: Rows that share that key with an earlier row of other content.
        ordered_by: Time column that tells calls of one request and model apart.
    """

    name: str
    position: int
    rows: int = 0
    filled: int = 0
    distinct: int = 0
    values: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    numbers: int = 0
    low: float | None = None
    high: float | None = None
    inner: int = 0
    ends: int = 0
    hundred: int = 0
    negative: int = 0
    over_hundred: int = 0
    whole: int = 0
    under_20: int = 0
    over_120: int = 0
    words_yes_no: int = 0
    percent_signs: int = 0
    commas: int = 0
    grouped: int = 0
    currency: int = 0
    iso: int = 0
    named_month: int = 0
    slashed: int = 0
    dotted: int = 0
    first_over_12: int = 0
    second_over_12: int = 0
    epochs: dict[str, int] = field(default_factory=dict)
    longest: int = 0
    key: tuple[str, ...] | None = None
    repeats: int = 0
    ordered_by: str | None = None


def profile(rows_parquet: Path, staged: Staged) -> list[ColumnProfile]:
    """One profile per source column, in the order of ``staged.columns``.

    Reads the file once in batches; beyond 400 columns only those with known names are looked at, the
    others have a name and a position. Runs in the child process.
    """
    looked_at = keys.known_first(staged.columns)[:PROFILED]
    counts = {position: _Counts() for position in looked_at}
    for batch in _batches(rows_parquet, looked_at):
        for position, column in zip(looked_at, batch.iter_columns(), strict=True):
            counts[position].add(column)
    found = keys.keys(rows_parquet, staged.columns, {at: len(counts[at].distinct) for at in looked_at})
    return [
        counts[position].profile(name, position, found.get(position))
        if position in counts
        else ColumnProfile(name, position)
        for position, name in enumerate(staged.columns)
    ]


def _batches(rows_parquet: Path, positions: list[int]) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(rows_parquet) as file:
        for batch in file.iter_batches(BATCH, columns=[f"c{position}" for position in positions]):
            frame = pl.DataFrame(pl.from_arrow(batch))
            yield frame.select(f"c{position}" for position in positions)


class _Counts:
    """Running counts of one column."""

    def __init__(self) -> None:
        self.total: dict[str, int] = {}
        self.low, self.high = math.inf, -math.inf
        self.longest = 0
        self.distinct: dict[str, None] = {}

    def add(self, text: pl.Series) -> None:
        filled = text.drop_nulls()
        self._count(rows=len(text), filled=len(filled))
        if filled.is_empty():
            return
        if len(self.distinct) < DISTINCT:
            for value in filled.unique(maintain_order=True).head(DISTINCT):
                self.distinct.setdefault(value)
        self.longest = max(self.longest, int(filled.str.len_chars().to_numpy().max()))
        values = filled.cast(pl.Float64, strict=False)
        self._numbers(values.filter(values.is_finite()))
        self._texts(filled.filter(values.is_null()))

    def profile(self, name: str, position: int, key: keys.Key | None) -> ColumnProfile:
        distinct = list(self.distinct)[:DISTINCT]
        counted = {**self.total}
        epochs = {unit: counted.pop(unit, 0) for unit in _EPOCHS}
        return ColumnProfile(
            name,
            position,
            distinct=len(distinct),
            values=tuple(distinct) if len(distinct) <= VALUES else (),
            samples=tuple(value[:_LONG] for value in distinct[:3]),
            low=self.low if counted.get("numbers") else None,
            high=self.high if counted.get("numbers") else None,
            longest=self.longest,
            epochs=epochs,
            key=key.columns if key else None,
            repeats=key.repeats if key else 0,
            ordered_by=key.ordered_by if key else None,
            **counted,
        )

    def _count(self, **more: int) -> None:
        for name, count in more.items():
            self.total[name] = self.total.get(name, 0) + count

    def _numbers(self, values: pl.Series) -> None:
        if values.is_empty():
            return
        array = values.to_numpy()
        self.low, self.high = min(self.low, float(array.min())), max(self.high, float(array.max()))
        self._count(
            numbers=len(array),
            inner=int(((array > 0) & (array < 1)).sum()),
            ends=int(((array == 0) | (array == 1)).sum()),
            hundred=int(((array > 1) & (array <= 100)).sum()),  # noqa: PLR2004
            negative=int((array < 0).sum()),
            over_hundred=int((array > 100).sum()),  # noqa: PLR2004
            whole=int((array == array.round()).sum()),
            under_20=int((array <= 20).sum()),  # noqa: PLR2004
            over_120=int((array >= 120).sum()),  # noqa: PLR2004
            **{
                unit: int(((array >= _FROM * factor) & (array < _TO * factor)).sum())
                for unit, factor in _EPOCHS.items()
            },
        )

    def _texts(self, texts: pl.Series) -> None:
        short = texts.filter(texts.str.len_bytes() <= _LONG)
        if short.is_empty():
            return
        slashed = short.str.extract_groups(_SLASHED).struct.unnest()
        first, second = (slashed[name].cast(pl.Int64) for name in ("1", "3"))
        words = short.str.strip_chars().str.to_lowercase()
        marked = units.cost_usd(short.str.replace_all(_MARKS, ""))
        comma = units.number(short.filter(marked.is_null()), decimal=",")
        for values in (marked, comma):
            self._numbers(values.filter(values.is_finite()))
        self._count(
            words_yes_no=int(words.is_in([*units.CORRECT_WORDS, *units.WRONG_WORDS]).sum()),
            percent_signs=int(short.str.contains(r"\d\s*%\s*$").sum()),
            commas=int((short.str.contains(_DECIMAL_COMMA) & ~short.str.contains(_GROUPED_COMMA)).sum()),
            grouped=int(short.str.contains(_GROUPED_COMMA).sum()),
            currency=int((short.str.contains(_CURRENCY) & short.str.contains(r"\d")).sum()),
            iso=int(short.str.contains(_ISO).sum()),
            named_month=int(short.str.contains(_MONTHS).sum()),
            slashed=int(first.is_not_null().sum()),
            dotted=int((slashed["2"] == ".").sum()),
            first_over_12=int((first > 12).sum()),  # noqa: PLR2004
            second_over_12=int((second > 12).sum()),  # noqa: PLR2004
        )
