"""Rows of a CSV file: strict reading, every lost line counted."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analytics.errors import SchemaError
from analytics.logs.reading.lines import Lines
from analytics.logs.reading.rows import BATCH, RowsFile, Tally, texts
from analytics.logs.reading.staging import LIMITS, shown

if TYPE_CHECKING:
    from _csv import Reader

Known = Callable[[str], bool]
Progress = Callable[[int], None]

_DELIMITERS = (",", ";", "\t", "|")
_FLUSH_BYTES = 32 << 20
_SEP_LINE = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
_VALUE = re.compile(
    r"[-+]?[0-9]*[.,]?[0-9]+([eE][-+]?[0-9]+)?%?|\d{4}-\d\d-\d\d.*|\d\d?[./]\d\d?[./]\d{2,4}.*"
)
_NO_HEADER = (
    "No known column names in line 1. Expected at least request_id, category, confidence, correct, cost. "
    "Add a header line with the column names and load the file again."
)


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

    @property
    def columns(self) -> list[str]:
        """Names of the columns that are read."""
        return [self.names[i] for i in self.kept]


def read_csv(
    lines: Lines, head: str, folder: Path, *, tally: Tally, known: Known, progress: Progress
) -> Table:
    """Write ``rows.parquet`` from a CSV file and return what its header says.

    Args:
        lines: The file's lines.
        head: Its beginning as text, for the choice of the delimiter.
        folder: The private folder.
        tally: Takes the counts and the reasons.
        known: Whether a column name means something to us.
        progress: Called with the records read so far.

    Raises:
        SchemaError: No usable header, no rows, or a line past the limit.
    """
    csv.field_size_limit(LIMITS.line_bytes)
    separator = _SEP_LINE.match(head)
    delimiter = separator[1] if separator else _delimiter(head[separator.end() if separator else 0 :], known)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    names = _header(reader, skip_first=separator is not None)
    if lines.nul_line:
        raise SchemaError(
            f"Line {reader.line_num} (the header) holds a NUL byte. Write column names as plain text."
        )
    table = _table(names, delimiter, known, tally)
    file = RowsFile(folder, len(table.columns))
    try:
        for numbers, rows in _batches(reader, lines, table, tally):
            fields = list(zip(*rows, strict=True))
            file.write(numbers, [texts(fields[i]) for i in table.kept])
            progress(tally.read)
    finally:
        file.close()
    tally.first_broken = lines.first_broken
    if tally.read == 0:
        raise SchemaError("The file has a header but no rows. Nothing was loaded.")
    return table


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
        raise SchemaError("The file has no header and no rows. Nothing was loaded.")
    return [name.strip() or f"column {place}" for place, name in enumerate(names, 1)]


def _table(names: list[str], delimiter: str, known: Known, tally: Tally) -> Table:
    recognised = [known(name) for name in names]
    values = sum(bool(_VALUE.fullmatch(name)) for name in names)
    # One value may happen to be spelt like a column; a header has no numbers beside it.
    if values and sum(recognised) <= (1 if values > 1 else 0):
        raise SchemaError(_NO_HEADER)
    check_names(names)
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


def check_names(names: list[str]) -> None:
    """Refuse two columns of one name.

    Raises:
        SchemaError: Two names are equal, or differ only in case.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        first = seen.setdefault(name.casefold(), place)
        if first == place:
            continue
        if names[first] == name:
            raise SchemaError(
                f'Column "{shown(name)}" appears twice (columns {first + 1} and {place + 1}). '
                "Rename or remove one of them; nothing was loaded."
            )
        raise SchemaError(
            f'"{shown(names[first])}" and "{shown(name)}" differ only in case '
            f"(columns {first + 1} and {place + 1}). Rename one of them; nothing was loaded."
        )


def _batches(
    reader: "Reader", lines: Lines, table: Table, tally: Tally
) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Good records with the line each starts on, in batches bounded by rows and by bytes."""
    numbers: list[int] = []
    rows: list[list[str]] = []
    last, flushed, going = reader.line_num, lines.bytes_read, True
    width = len(table.names)
    while going:
        going = False
        try:
            for record in reader:
                start, last = last + 1, reader.line_num
                if len(record) != width or lines.nul_line >= start or lines.broken_line >= start:
                    _judge(record, (start, last), lines, table.names, tally)
                    continue
                tally.read += 1
                numbers.append(start)
                rows.append(record)
                if len(rows) >= BATCH or lines.bytes_read - flushed > _FLUSH_BYTES:
                    yield numbers, rows
                    numbers, rows, flushed = [], [], lines.bytes_read
        except csv.Error as error:
            last = _quote_fault(str(error), last + 1, reader.line_num, lines, tally)
            going = True
    if rows:
        yield numbers, rows


def _judge(record: list[str], span: tuple[int, int], lines: Lines, names: list[str], tally: Tally) -> None:
    """Reject a record that is not whole, unless it is a blank line; ``span`` is its first and last line."""
    start, last = span
    if lines.nul_line >= start or lines.broken_line >= start:
        mark = "\0" if lines.nul_line >= start else "\ufffd"
        place = next((i for i, cell in enumerate(record) if mark in cell), len(names))
        name = names[place] if place < len(names) else None
        if mark == "\0":
            tally.reject(start, name, f"NUL byte in {shown(name or 'the record')}")
        else:
            tally.reject(start, name, "not valid text in this encoding")
    elif record and (len(record) > 1 or record[0].strip()):
        found = f"{len(record)} field{'s' if len(record) > 1 else ''}"
        more = f"; it runs from line {start:,} to {last:,}" if last > start else ""
        tally.reject(start, None, f"{found} where {len(names)} are expected{more}")


def _quote_fault(text: str, start: int, last: int, lines: Lines, tally: Tally) -> int:
    """Reject the lines that a stray quote swallowed; the number of the last of them.

    Every physical line counts, because nobody knows how many records they were.
    """
    if "field larger" in text:
        # The reader cannot find back: what follows may be inside or outside of the quote.
        last += lines.rest()
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
