"""What the values of each column look like, counted over the whole file."""

import math
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.logs.dialects import DIALECTS
from analytics.logs.dialects.dialect import WEAK, Dialect
from analytics.logs.meaning import keys, units
from analytics.logs.reading import staged_rows
from analytics.logs.reading.staging import Staged

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]

DISTINCT = 1_000
VALUES = 40
PROFILED = 400
_LONG = 60
_HUNDRED, _BRIEF, _LASTING, _MONTHS_A_YEAR = 100, 20, 120, 12
_ANY_TEXT = frozenset({"request_id", "call_id", "unit_id", "attributes", "prompt", "answer"})

_EPOCHS = {"epoch_s": 1.0, "epoch_ms": 1e3, "epoch_us": 1e6, "epoch_ns": 1e9}
_FROM, _TO = 1420070400.0, 4133980800.0  # 2015 and 2101 in epoch seconds
_ISO = r"^\s*\d{4}-\d{1,2}-\d{1,2}([T ]|\s*$)"
_SLASHED = r"^\s*(\d{1,2})([./-])(\d{1,2})[./-]\d{4}(\s|$)"
_MONTHS = r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b.*\d{4}"
_DECIMAL_COMMA = r"^\s*[+-]?(0|\d{1,3}(\.\d{3})*|\d+),\d+([eE][+-]?\d+)?\s*$"
_GROUPED_COMMA = r"^\s*[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?\s*$"
_GRADES = [re.escape(word) for word in (*units.CORRECT_WORDS, *units.WRONG_WORDS)]
_MARKS = r"[%€£¥₹]"
_CURRENCY = r"(?i)[$€£¥₹]|\b(usd|eur|gbp)\b"
# Whether a text could be any of these or a grade in words, so that nothing else need be looked at twice.
_TELLING = r"^[\s+\-(]*[\d$€£¥₹]|\d\s*%|" + _CURRENCY + "|" + _MONTHS + rf"|^\s*({'|'.join(_GRADES)})\s*$"


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
        varies: Whether it differs between calls of one request; looked at only where it could be guessed to
            say something of the request.
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
    varies: bool = False


class Profiles:
    """Profiles of a file's columns while its rows pass by. Runs in the child process.

    Beyond 400 columns only those with known names are looked at; the others have a name and a position.

    Args:
        folder: The private folder.
        staged: As the file was read.

    Attributes:
        positions: Columns that are looked at.
    """

    def __init__(self, folder: Path, staged: Staged) -> None:
        self._folder, self._staged, self._dialect = folder, staged, DIALECTS[staged.dialect]
        self.positions = keys.known_first(self._dialect, staged.columns)[:PROFILED]
        self._counts = {at: _Counts(_matters(self._dialect, staged.columns[at])) for at in self.positions}
        self._ids = keys.IdCheck(self._dialect, {at: staged.columns[at] for at in self.positions})

    def add(self, batch: pl.DataFrame, pool: ThreadPoolExecutor) -> None:
        """Take the next rows: ``c{position}`` of every position."""
        added = [pool.submit(self._counts[at].add, batch[f"c{at}"]) for at in self.positions]
        self._ids.add(batch)
        for one in added:
            one.result()

    @property
    def id_alone(self) -> str | None:
        """Name of the id column if it tells all rows apart without the models; known once they are found."""
        return self._ids.alone

    def so_far(self) -> list[ColumnProfile]:
        """Profiles of the rows that have passed; what identifies a row is open."""
        return self._profiles({})

    def found(self) -> list[ColumnProfile]:
        """One profile per source column, in the order of ``staged.columns``."""
        key = self._ids.key()
        file = (self._folder, self._staged, self._dialect)
        distinct = {at: len(self._counts[at].distinct) for at in self.positions}
        if key is None:
            key = keys.keys(*file, distinct)
        return self._profiles(key, keys.varying(*file, key, distinct))

    def _profiles(
        self, key: dict[int, keys.Key], varying: frozenset[int] = frozenset()
    ) -> list[ColumnProfile]:
        return [
            self._counts[position].profile(name, position, key.get(position), varies=position in varying)
            if position in self._counts
            else ColumnProfile(name, position)
            for position, name in enumerate(self._staged.columns)
        ]


def _matters(dialect: Dialect, name: str) -> bool:
    """Whether anything depends on what a column's values look like: not so for ids and the like."""
    found = keys.field_of(dialect, name)
    return found is None or found[1] >= WEAK or found[0] not in _ANY_TEXT


class _Counts:
    """Running counts of one column; ``closely``: whether its values are looked at one by one."""

    def __init__(self, closely: bool) -> None:  # noqa: FBT001 - the one thing that there is to say
        self.closely = closely
        self.total: dict[str, int] = {}
        self.low, self.high = math.inf, -math.inf
        self.longest = 0
        self.distinct: dict[str, None] = {}

    def add(self, column: pl.Series) -> None:
        filled = column.drop_nulls() if column.null_count() else column
        self._count(rows=len(column), filled=len(filled))
        if filled.is_empty():
            return
        values, weights = self._counted(filled)
        self._lengths(values)
        if not self.closely:
            return
        if isinstance(values.dtype, pl.Datetime):
            self._count(iso=len(filled))
        elif values.dtype == pl.Boolean:
            self._count(words_yes_no=len(filled))
        elif values.dtype != pl.String:
            self._numbers(values.cast(pl.Float64).to_numpy(), weights)
        else:
            numbers = values.cast(pl.Float64, strict=False)
            known = numbers.is_not_null()
            if known.any():
                self._numbers(numbers.filter(known).to_numpy(), _of(weights, known))
            if not known.all():
                self._texts(values.filter(~known), _of(weights, ~known))

    def profile(self, name: str, position: int, key: keys.Key | None, *, varies: bool) -> ColumnProfile:
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
            varies=varies,
            **counted,
        )

    def _count(self, **more: int) -> None:
        for name, count in more.items():
            self.total[name] = self.total.get(name, 0) + count

    def _counted(self, filled: pl.Series) -> tuple[pl.Series, Counts | None]:
        """The different values with how often each occurs; where most differ, all values and no counts."""
        if len(self.distinct) >= DISTINCT:
            return filled, None
        counted = filled.alias("value").value_counts(name="count")
        if not all(value in self.distinct for value in staged_rows.as_text(counted["value"])):
            for value in staged_rows.as_text(filled.unique(maintain_order=True).head(DISTINCT)):
                self.distinct.setdefault(value)
        return counted["value"], counted["count"].to_numpy()

    def _lengths(self, values: pl.Series) -> None:
        if values.dtype != pl.String:
            values = staged_rows.as_text(values.head(1))
        if int(values.str.len_bytes().to_numpy().max()) > self.longest:
            self.longest = max(self.longest, int(values.str.len_chars().to_numpy().max()))

    def _numbers(self, values: Floats, weights: Counts | None) -> None:
        finite = np.isfinite(values)
        if not finite.all():
            values, weights = values[finite], None if weights is None else weights[finite]
        if not len(values):
            return

        def number(mask: Flags) -> int:
            return int(np.count_nonzero(mask)) if weights is None else int(weights[mask].sum())

        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        ends = number((values == 0) | (values == 1))
        self._count(
            numbers=len(values) if weights is None else int(weights.sum()),
            inner=number((values > 0) & (values < 1)),
            ends=ends,
            hundred=number((values > 1) & (values <= _HUNDRED)) if high > 1 else 0,
            negative=number(values < 0) if low < 0 else 0,
            over_hundred=number(values > _HUNDRED) if high > _HUNDRED else 0,
            whole=number(values == np.round(values)),
            under_20=number(values <= _BRIEF),
            over_120=number(values >= _LASTING) if high >= _LASTING else 0,
        )
        if high >= _FROM:
            self._count(
                **{
                    unit: number((values >= _FROM * factor) & (values < _TO * factor))
                    for unit, factor in _EPOCHS.items()
                }
            )

    def _texts(self, texts: pl.Series, weights: Counts | None) -> None:
        dated = texts.str.contains(_ISO)
        if dated.any():
            self._count(iso=int(dated.sum()) if weights is None else int(weights[dated.to_numpy()].sum()))
            texts, weights = texts.filter(~dated), _of(weights, ~dated)
        told = (texts.str.len_bytes() <= _LONG) & texts.str.contains(_TELLING)
        if not told.any():
            return
        short, weights = texts.filter(told), _of(weights, told)

        def number(mask: pl.Series) -> int:
            sure = mask.fill_null(value=False)
            return int(sure.sum()) if weights is None else int(weights[sure.to_numpy()].sum())

        slashed = short.str.extract_groups(_SLASHED).struct.unnest()
        first, second = (slashed[name].cast(pl.Int64) for name in ("1", "3"))
        words = short.str.strip_chars().str.to_lowercase()
        marked = units.cost_usd(short.str.replace_all(_MARKS, ""))
        comma = units.number(short, decimal=",").set(marked.is_not_null(), None)
        for values in (marked, comma):
            known = values.is_not_null()
            self._numbers(values.filter(known).to_numpy(), _of(weights, known))
        self._count(
            words_yes_no=number(words.is_in([*units.CORRECT_WORDS, *units.WRONG_WORDS])),
            percent_signs=number(short.str.contains(r"\d\s*%\s*$")),
            commas=number(short.str.contains(_DECIMAL_COMMA) & ~short.str.contains(_GROUPED_COMMA)),
            grouped=number(short.str.contains(_GROUPED_COMMA)),
            currency=number(short.str.contains(_CURRENCY) & short.str.contains(r"\d")),
            named_month=number(short.str.contains(_MONTHS)),
            slashed=number(first.is_not_null()),
            dotted=number(slashed["2"] == "."),
            first_over_12=number(first > _MONTHS_A_YEAR),
            second_over_12=number(second > _MONTHS_A_YEAR),
        )


def _of(weights: Counts | None, mask: pl.Series) -> Counts | None:
    return None if weights is None else weights[mask.to_numpy()]
