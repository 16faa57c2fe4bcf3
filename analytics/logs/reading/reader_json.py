"""Rows of JSON lines, a JSON array, one object, or an object that wraps an array."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analytics.errors import SchemaError
from analytics.logs.dialects.dialect import Dialect
from analytics.logs.reading.flat_rows import FlatRows, UnusableRowError
from analytics.logs.reading.json_stream import JsonParser, JsonRecord, JsonStream
from analytics.logs.reading.lines import Lines
from analytics.logs.reading.records import Records, refuse_none
from analytics.logs.reading.rows import Tally
from analytics.logs.reading.staging import LIMITS

Known = Callable[[str], bool]
Progress = Callable[[int], None]

_WRAPPERS = frozenset(
    {
        "data",
        "rows",
        "items",
        "results",
        "records",
        "logs",
        "entries",
        "observations",
        "traces",
        "runs",
        "requests",
    }
)
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
        json.loads(next(filled, b""))
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
    rows, parser = FlatRows(folder, known=known), JsonParser()
    records = Records(rows, tally, given=given)
    for number, line in enumerate(lines.raw(), 1):
        if not line.strip():
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
    tally.first_broken = lines.first_broken
    return _finished(rows, records, tally, unit="line")


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
    rows = FlatRows(folder, known=known)
    records = Records(rows, tally, given=given)
    try:
        for number, record in enumerate(_records(stream, tally.notes), 1):
            try:
                row = _row(_readable(record, number, stream, tally))
                records.take(number, row, size=len(record.text))
            except UnusableRowError as fault:
                tally.reject(number, fault.column, str(fault))
            if tally.read % _PROGRESS_ROWS == 0:
                progress(tally.read)
    except RecursionError:
        raise SchemaError(
            f"JSON nested too deeply: more than {LIMITS.nesting} levels. Nothing was loaded."
        ) from None
    except json.JSONDecodeError:
        raise SchemaError(
            f"The JSON is broken or cut off after {tally.read:,} records (line {stream.line():,}). "
            "Nothing was loaded. Export it again, or write one object per line."
        ) from None
    except ValueError:
        raise SchemaError(f"Record {tally.read + 1:,} {_TOO_LONG_NUMBER}. Nothing was loaded.") from None
    return _finished(rows, records, tally, unit="record")


def _readable(record: JsonRecord, number: int, stream: JsonStream, tally: Tally) -> JsonRecord:
    byte = stream.broken_byte(record.text)
    if byte is None:
        return record
    tally.first_broken = tally.first_broken or (number, byte or None)
    raise UnusableRowError(_BROKEN)


def _finished(
    rows: FlatRows, records: Records, tally: Tally, *, unit: str
) -> tuple[list[str], Dialect | None]:
    """The columns and the tool.

    Raises:
        SchemaError: There are no rows.
    """
    records.settle()
    if rows.count:
        return rows.close(notes=tally.notes), records.tool
    rows.close()
    refuse_none(tally, otherwise="The file has no rows. Nothing was loaded.")
    first = tally.problems[0]
    raise SchemaError(
        f"No {unit} of the file is a usable JSON object ({unit} {first.line:,}: {first.reason}). "
        "Write one JSON object per request."
    )


def _records(stream: JsonStream, notes: list[str]) -> Iterator[JsonRecord]:
    """The values that are to be rows."""
    if stream.peek() == "[":
        yield from stream.elements()
    elif stream.peek() == "{":
        yield from _members(stream, notes)
    else:
        yield stream.value()
    stream.finish()


def _members(stream: JsonStream, notes: list[str]) -> Iterator[JsonRecord]:
    """The rows under a member such as "data", else the object itself as one row."""
    others: dict[str, Any] = {}
    wrapper, texts, repeated = None, [], []
    stream.take("{")
    while stream.peek() != "}":
        key = str(stream.value().value)
        stream.take(":")
        if wrapper is None and key.lower() in _WRAPPERS and stream.peek() == "[":
            wrapper = key
            yield from stream.elements()
        else:
            member = stream.value()
            texts.append(member.text)
            repeated += [*member.repeated, *([key] if key in others else [])]
            others[key] = member.value
        if not stream.more("}"):
            break
    stream.take("}")
    if wrapper is None:
        yield JsonRecord(others, "{" + ",".join(texts) + "}", repeated)
    else:
        notes.append(f'Rows found under "{wrapper}".')
        notes.extend(_page_notes(others))


def _page_notes(others: dict[str, Any]) -> list[str]:
    """A warning if the document is one page of several, by the members beside the rows."""
    flat = {key.lower().replace("_", ""): item for key, item in others.items()}
    for name in ("meta", "pagination", "paging", "page", "links"):
        if isinstance(flat.get(name), dict):
            flat |= {key.lower().replace("_", ""): item for key, item in flat.pop(name).items()}
    page, pages = flat.get("page", flat.get("currentpage")), flat.get("totalpages", flat.get("pages"))
    if isinstance(page, int) and isinstance(pages, int):
        return [f"This is page {page} of {pages}; load the other pages too."] if pages > 1 else []
    if isinstance(page, int):
        return [f"This is page {page} of an API answer; there may be more pages to load."]
    following = ("hasmore", "next", "cursor", "nextcursor", "nextpage", "nextpagetoken")
    more = any(flat.get(key) for key in following)
    return ["This is one page of an API answer; load the other pages too."] if more else []
