"""Rows of a CSV file: strict reading, every lost line counted."""

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from analytics.errors import SchemaError
from analytics.logs.dialects.dialect import Dialect, plain
from analytics.logs.reading.column_names import check_names
from analytics.logs.reading.csv_feed import Feed
from analytics.logs.reading.flat_rows import FlatRows
from analytics.logs.reading.lines import Lines
from analytics.logs.reading.records import Records, chosen_tool, refuse_none
from analytics.logs.reading.rows import BATCH, RowsFile, Tally, texts
from analytics.logs.reading.staging import LIMITS, shown

Known = Callable[[str], bool]
Progress = Callable[[int], None]

_DELIMITERS = (",", ";", "\t", "|")
_LINE_FEED = ord("\n")
_SEP_LINE = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
_VALUE = re.compile(
    r"[-+]?[0-9]*[.,]?[0-9]+([eE][-+]?[0-9]+)?%?|\d{4}-\d\d-\d\d.*|\d\d?[./]\d\d?[./]\d{2,4}.*"
)
_NO_HEADER = (
    "No known column names in line 1. Expected at least request_id, category, confidence, correct, cost. "
    "Add a header line with the column names and load the file again."
)
NO_HEADER_NO_ROWS = "The file has no header and no rows. Nothing was loaded. Export it again."
_NO_ROWS = (
    "The file has a header but no rows: line 1 was read as column names, and nothing follows. "
    "Nothing was loaded. Export it again."
)


@dataclass(frozen=True, slots=True)
class CsvRows:
    """What was read.

    Attributes:
        columns: Names of the columns of ``rows.parquet``.
        delimiter: Between fields.
        tool: That wrote the file; None for a plain table.
    """

    columns: list[str]
    delimiter: str
    tool: Dialect | None


@dataclass(frozen=True, slots=True)
class Table:
    """What the header says.

    Attributes:
        names: Of all columns.
        kept: Positions of those that are read.
        delimiter: Between fields.
    """

    names: list[str]
    kept: Sequence[int]
    delimiter: str


def read_csv(
    lines: Lines,
    head: str,
    folder: Path,
    *,
    tally: Tally,
    known: Known,
    progress: Progress,
    given: Dialect | None,
) -> CsvRows:
    """Write ``rows.parquet`` from a CSV file.

    Blocks in which every line is plainly one record are read by Polars; any other block goes line by line
    through Python's strict reader, up to where a record ends with a block.

    Args:
        lines: The file's lines.
        head: Its beginning as text, for the choice of the delimiter.
        folder: The private folder.
        tally: Takes the counts and the reasons.
        known: Whether a column name means something to us.
        progress: Called with the records read so far.
        given: Shape of the records as the user says it; None: to be recognised.

    Raises:
        SchemaError: No usable header, no rows, or a line past the limit.
    """
    csv.field_size_limit(LIMITS.line_bytes)
    separator = _SEP_LINE.match(head)
    delimiter = separator[1] if separator else _delimiter(head, known)
    blocks = lines.blocks()
    feed = Feed(lines, blocks)
    names = _header(csv.reader(feed, delimiter=delimiter, strict=True), skip_first=separator is not None)
    if feed.nul:
        raise SchemaError(
            f"Line {feed.number} (the header) holds a NUL byte. Write column names as plain text."
        )
    tool = chosen_tool(frozenset(plain(name) for name in names), given)
    table = _table(names, delimiter, known, tally, tool)
    sink = _ToolRows(folder, table, tally, known, tool) if tool else _TableRows(folder, table, tally)
    try:
        for block in itertools.chain([feed.rest()], blocks):
            frame = _plain_rows(block, lines, table) if block else None
            if frame is not None:
                sink.frame(feed.number + 1, frame)
                feed.passed(frame.height)
            elif block:
                feed.put(block)
                for numbers, rows in _batches(feed, table, tally):
                    sink.rows(numbers, rows)
            progress(tally.read)
    finally:
        columns = sink.close()
    tally.first_broken = lines.first_broken
    refuse_none(tally, otherwise=_NO_ROWS)
    return CsvRows(columns, delimiter, tool)


class _TableRows:
    """Rows of a plain table on their way to ``rows.parquet``."""

    def __init__(self, folder: Path, table: Table, tally: Tally) -> None:
        self._table, self._tally = table, tally
        self._file = RowsFile(folder, len(table.kept))

    def frame(self, start: int, frame: pl.DataFrame) -> None:
        numbers = pa.array(np.arange(start, start + frame.height), pa.int64())
        self._file.write(numbers, [frame.to_series(i).to_arrow() for i in self._table.kept])
        self._tally.read += frame.height

    def rows(self, numbers: list[int], rows: list[list[str]]) -> None:
        if rows:
            fields = list(zip(*rows, strict=True))
            self._file.write(numbers, [texts(fields[i]) for i in self._table.kept])
            self._tally.read += len(rows)

    def close(self) -> list[str]:
        self._file.close()
        return [self._table.names[i] for i in self._table.kept]


class _ToolRows:
    """Rows of a tool's export, each opened as the tool's dialect has it."""

    def __init__(self, folder: Path, table: Table, tally: Tally, known: Known, tool: Dialect) -> None:
        self._table = table
        self._records = Records(FlatRows(folder, known=known), tally, given=tool)

    def frame(self, start: int, frame: pl.DataFrame) -> None:
        for number, row in enumerate(frame.iter_rows(), start):
            self._take(number, row)

    def rows(self, numbers: list[int], rows: list[list[str]]) -> None:
        for number, row in zip(numbers, rows, strict=True):
            self._take(number, row)

    def _take(self, number: int, row: Sequence[str | None]) -> None:
        record = {name: value for name, value in zip(self._table.names, row, strict=True) if value}
        self._records.take(number, record, size=sum(map(len, record.values())))

    def close(self) -> list[str]:
        return self._records.close()


def _delimiter(head: str, known: Known) -> str:
    def score(delimiter: str) -> tuple[int, int]:
        try:
            rows = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
            first = next((row for row in rows if any(cell.strip() for cell in row)), [])
        except csv.Error:
            return 0, 0
        return sum(known(cell.strip()) for cell in first), len(first)

    return max(_DELIMITERS, key=score)


def _header(reader: Iterator[list[str]], *, skip_first: bool) -> list[str]:
    try:
        if skip_first:
            next(reader)
        names = next((row for row in reader if any(cell.strip() for cell in row)), None)
    except csv.Error:
        raise SchemaError(
            "The header line opens a quote that never closes or does not end a value. Mend line 1."
        ) from None
    if names is None:
        raise SchemaError(NO_HEADER_NO_ROWS)
    return [name.strip() or f"column {place}" for place, name in enumerate(names, 1)]


def _table(names: list[str], delimiter: str, known: Known, tally: Tally, tool: Dialect | None) -> Table:
    """What the header says; of a tool's export every column is taken."""
    recognised = [tool is not None or known(name) for name in names]
    values = sum(bool(_VALUE.fullmatch(name)) for name in names)
    # One value may happen to be spelt like a column; a header has no numbers beside it.
    if values and sum(recognised) <= (1 if values > 1 else 0):
        raise SchemaError(_NO_HEADER)
    repeated = tool.repeated if tool else ()
    check_names([*(name for name in names if plain(name) not in repeated)])
    kept = range(len(names))
    if len(names) <= LIMITS.columns:
        return Table(names, kept, delimiter)
    chosen = tuple(i for i in kept if recognised[i])
    if not chosen or len(chosen) > LIMITS.columns:
        raise SchemaError(
            f"The file has {len(names):,} columns; the limit is {LIMITS.columns:,}. Export fewer columns."
        )
    tally.notes.append(
        f"The file has {len(names):,} columns, more than {LIMITS.columns:,}: "
        f"only the {len(chosen)} with known names were read."
    )
    return Table(names, chosen, delimiter)


def _batches(feed: Feed, table: Table, tally: Tally) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Good records with the line each starts on, until a record ends where a block does."""
    numbers: list[int] = []
    rows: list[list[str]] = []
    reader = csv.reader(feed, delimiter=table.delimiter, strict=True)
    before = feed.number
    last, width = 0, len(table.names)
    while True:
        try:
            for record in reader:
                start, last = last + 1, reader.line_num
                if (
                    len(record) != width
                    or not any(record)
                    or feed.nul >= before + start
                    or feed.broken >= before + start
                ):
                    _judge(record, (before + start, before + last), feed, table.names, tally)
                else:
                    numbers.append(before + start)
                    rows.append(record)
                if not feed.left or len(rows) >= BATCH:
                    yield numbers, rows
                    numbers, rows = [], []
                    if not feed.left:
                        return
        except csv.Error as error:
            last = _quote_fault(str(error), before + last + 1, before + reader.line_num, feed, tally) - before
            if feed.left:
                continue
        break
    yield numbers, rows


def _plain_rows(block: bytes, lines: Lines, table: Table) -> pl.DataFrame | None:
    """The rows of a block of whole records without quotes, none of them empty; null for any other block.

    Exact because nothing in such a block can be read in two ways: with as many delimiters as that many
    whole records have, and Polars refusing a line with too many, no line has too few.
    """
    if b'"' in block or b"\0" in block or not (table.delimiter.isascii() and lines.is_text(block)):
        return None
    if b"\r" in block:
        if block.count(b"\r") != block.count(b"\r\n"):
            return None
        block = block.replace(b"\r\n", b"\n")
    codes = np.frombuffer(block, np.uint8)
    count = int(np.count_nonzero(codes == _LINE_FEED)) + (not block.endswith(b"\n"))
    width = len(table.names)
    delimiters = int(np.count_nonzero(codes == ord(table.delimiter)))
    if block.startswith(b"\n") or b"\n\n" in block or delimiters != count * (width - 1):
        return None
    empty = b"\n" + table.delimiter.encode() * (width - 1) + b"\n"
    if width > 1 and empty in b"\n" + block + b"\n":
        return None
    try:
        frame = pl.read_csv(
            block,
            has_header=False,
            separator=table.delimiter,
            quote_char=None,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.shape == (count, width) else None


def _judge(record: list[str], span: tuple[int, int], feed: Feed, names: list[str], tally: Tally) -> None:
    """Reject a record that is not whole, unless it is a blank line; ``span`` is its first and last line."""
    start, last = span
    if feed.nul >= start or feed.broken >= start:
        mark = "\0" if feed.nul >= start else "\ufffd"
        place = next((i for i, cell in enumerate(record) if mark in cell), len(names))
        name = names[place] if place < len(names) else None
        if mark == "\0":
            tally.reject(start, name, f"NUL byte in {shown(name or 'the record')}")
        else:
            tally.reject(start, name, "not valid text in this encoding")
    elif len(record) == len(names) > 1:
        tally.reject(start, None, "all its fields are empty")
    elif record and (len(record) > 1 or record[0].strip()):
        found = f"{len(record)} field{'s' if len(record) > 1 else ''}"
        more = f"; it runs from line {start:,} to {last:,}" if last > start else ""
        tally.reject(start, None, f"{found} where {len(names)} are expected{more}")


def _quote_fault(text: str, start: int, last: int, feed: Feed, tally: Tally) -> int:
    """Reject the lines that a stray quote swallowed; the number of the last of them.

    Every physical line counts, because nobody knows how many records they were.
    """
    if "field larger" in text:
        # The reader cannot find back: what follows may be inside or outside of the quote.
        last += feed.skip_all()
        reason = f"opens a quote that does not close within {LIMITS.line_bytes >> 20} MiB"
    elif "unexpected end" in text:
        reason = "opens a quote that never closes"
    elif last > start:
        reason = "opens a quote that does not close properly"
    else:
        reason = "a quote inside a value is not doubled"
    swallowed = last - start + 1
    more = f"; {swallowed:,} lines from here on were not read" if swallowed > 1 else ""
    tally.reject(start, None, reason + more, records=swallowed)
    return last
