"""Rows of JSON lines, a JSON array, one object, or an object that wraps an array."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analytics.errors import SchemaError
from analytics.logs.dialects.dialect import Dialect
from analytics.logs.reading.flat_rows import FlatRows, UnusableRowError
from analytics.logs.reading.json_records import json_records
from analytics.logs.reading.json_stream import JsonParser, JsonRecord, JsonStream
from analytics.logs.reading.lines import Lines
from analytics.logs.reading.records import Records, refuse_none
from analytics.logs.reading.rows import Tally
from analytics.logs.reading.staging import LIMITS
from analytics.logs.reading.unfolding import is_folded, unfolded

Known = Callable[[str], bool]
Progress = Callable[[int], None]

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TOO_DEEP = f"nested deeper than {LIMITS.nesting} levels"
_BROKEN = "not valid text in this encoding"
_TOO_LONG_NUMBER = "holds a number with too many digits"
_PROGRESS_ROWS = 1_000


def _row(record: JsonRecord) -> dict[str, Any]:
    """The record's value, if it can be a row.

    Raises:
        UnusableRowError: Why it cannot.
    """
    value, text = record.value, record.text
    if not isinstance(value, dict):
        raise UnusableRowError("not a JSON object")
    if not value:
        raise UnusableRowError("the object is empty")
    if text.count("{") + text.count("[") > LIMITS.nesting and _depth(value) > LIMITS.nesting:
        raise UnusableRowError(_TOO_DEEP)
    if record.repeated:
        raise UnusableRowError("a key stands twice in one object", record.repeated[0])
    if _ESCAPED_SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise UnusableRowError("invalid Unicode escape") from None
    if "\\u0000" in text and "\0" in "".join(_strings(value)):
        raise UnusableRowError("NUL character in a text")
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def is_json_lines(lines: Lines) -> bool:
    """Whether the first line is a whole JSON value and others follow."""
    filled = (line for line in lines.raw() if line.strip())
    try:
        first = next(filled, b"")
        if not (is_folded(first) and first.rstrip().endswith(b"}")):
            json.loads(first)
    except RecursionError:
        pass
    except (ValueError, SchemaError):  # no JSON, or longer than a line may be
        return False
    try:
        return next(filled, None) is not None
    except SchemaError:
        return True


def read_json_lines(
    lines: Lines, folder: Path, *, tally: Tally, known: Known, progress: Progress, given: Dialect | None
) -> tuple[list[str], Dialect | None]:
    """Write ``rows.parquet`` from JSON lines; the column names, dotted where nested, and the tool.

    Raises:
        SchemaError: No line is a JSON object, or a line passes the limit.
    """
    parser = JsonParser()
    records = Records(FlatRows(folder, known=known), tally, given=given)
    for number, line in enumerate(lines.raw(), 1):
        if not line.strip():
            continue
        if is_folded(line):
            _unfold_line(line, number, records, tally, converted=lines.converted)
            continue
        text, good = lines.text(line, number)
        try:
            record = _line_record(text, parser, broken=not good)
            records.take(number, _row(record), size=len(text))
        except UnusableRowError as fault:
            tally.reject(number, fault.column, str(fault))
        except json.JSONDecodeError as error:
            tally.reject(number, None, f"not JSON from character {error.colno} on")
        except RecursionError:
            tally.reject(number, None, _TOO_DEEP)
        except ValueError:
            tally.reject(number, None, _TOO_LONG_NUMBER)
        if tally.read % _PROGRESS_ROWS == 0:
            progress(tally.read)
    tally.first_broken = lines.first_broken or tally.first_broken
    return _finished(records, tally, unit="line")


def _unfold_line(line: bytes, number: int, records: Records, tally: Tally, *, converted: bool) -> None:
    """Take the records of a line that is a document with many; what stands behind a fault in it is lost."""
    stream = JsonStream(io.BytesIO(line), converted=converted, longest=LIMITS.document_bytes)
    taken = 0
    try:
        for record in unfolded(stream, tally.notes):
            _take(record, number, stream, records, tally)
            taken += 1
        stream.finish()
    except RecursionError:
        tally.reject(number, None, _TOO_DEEP)
    except json.JSONDecodeError:
        tally.reject(number, None, f"broken or cut off after {taken:,} of its records")
    except ValueError:
        tally.reject(number, None, _TOO_LONG_NUMBER)


def _take(record: JsonRecord, number: int, stream: JsonStream, records: Records, tally: Tally) -> None:
    try:
        row = _row(_readable(record, number, stream, tally))
        records.take(number, row, size=len(record.text))
    except UnusableRowError as fault:
        tally.reject(number, fault.column, str(fault))


def _line_record(text: str, parser: JsonParser, *, broken: bool) -> JsonRecord:
    if broken:
        raise UnusableRowError(_BROKEN)
    value, end = parser.value(text, len(text) - len(text.lstrip(" \t")))
    if text[end:].strip():
        raise UnusableRowError(f"not JSON from character {end + 1} on")
    return JsonRecord(value, text, parser.repeated)


def read_json(
    stream: JsonStream,
    folder: Path,
    *,
    tally: Tally,
    known: Known,
    progress: Progress,
    given: Dialect | None,
) -> tuple[list[str], Dialect | None]:
    """Write ``rows.parquet`` from one JSON document; the column names, dotted where nested, and the tool.

    Args:
        stream: The document.
        folder: The private folder.
        tally: Takes the counts; records are numbered from 1.
        known: Whether a column name means something to us.
        progress: Called with the records read so far.
        given: Shape of the records as the user says it; None: to be recognised.

    Raises:
        SchemaError: The document is broken, nested too deeply, or holds no objects.
    """
    records = Records(FlatRows(folder, known=known), tally, given=given)
    number = 0
    try:
        for number, record in enumerate(json_records(stream, tally.notes), 1):
            _take(record, number, stream, records, tally)
            if tally.read % _PROGRESS_ROWS == 0:
                progress(tally.read)
    except RecursionError:
        raise SchemaError(
            f"JSON nested too deeply: more than {LIMITS.nesting} levels at line {stream.line():,}. "
            "Nothing was loaded. Write one flat object per request."
        ) from None
    except json.JSONDecodeError:
        whole = f"{number:,} record{'' if number == 1 else 's'}"
        raise SchemaError(
            f"The JSON is broken or cut off after {whole} (line {stream.line():,}). "
            "Nothing was loaded. Export it again, or write one object per line."
        ) from None
    except ValueError:
        raise SchemaError(f"Record {number + 1:,} {_TOO_LONG_NUMBER}. Nothing was loaded.") from None
    return _finished(records, tally, unit="record")


def _readable(record: JsonRecord, number: int, stream: JsonStream, tally: Tally) -> JsonRecord:
    byte = stream.broken_byte(record.text)
    if byte is None:
        return record
    tally.first_broken = tally.first_broken or (number, byte or None)
    raise UnusableRowError(_BROKEN)


def _finished(records: Records, tally: Tally, *, unit: str) -> tuple[list[str], Dialect | None]:
    """The columns and the tool.

    Raises:
        SchemaError: There are no rows.
    """
    columns = records.close()
    if records.kept:
        return columns, records.tool
    refuse_none(tally, otherwise="The file has no rows. Nothing was loaded. Export it again.")
    first = tally.problems[0]
    raise SchemaError(
        f"No {unit} of the file is a usable JSON object ({unit} {first.line:,}: {first.reason}). "
        "Write one JSON object per request."
    )
