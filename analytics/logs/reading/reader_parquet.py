"""Rows of a Parquet file, every value really read; footers are not believed."""

import contextlib
import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.errors import SchemaError
from analytics.logs.dialects.dialect import Dialect, record_names
from analytics.logs.reading.column_names import check_names
from analytics.logs.reading.flat_rows import FlatRows, plain_text
from analytics.logs.reading.records import Records, chosen_tool, refuse_none
from analytics.logs.reading.rows import RowsFile, Tally
from analytics.logs.reading.staging import LIMITS

Known = Callable[[str], bool]
Progress = Callable[[int], None]

_BATCH = 16_384
_DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError)
_UUID_BYTES = 16
_YEAR_1_S, _YEAR_10000_S = -62_135_596_800, 253_402_300_800
_NO_ROWS = "The Parquet file has no rows. Nothing was loaded. Export it again."


class NotPlainError(ValueError):
    """A text of a Parquet file holds a NUL character, or a time no calendar year: rows have to be copied."""


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """What was read.

    Attributes:
        columns: Names of the columns, dotted where nested.
        tool: That wrote the file; None for a plain table.
        whole: Whether the file itself can be read again as the staged rows, so that no copy was written.
    """

    columns: list[str]
    tool: Dialect | None
    whole: bool


def read_parquet(
    path: Path,
    folder: Path,
    *,
    tally: Tally,
    known: Known,
    progress: Progress,
    given: Dialect | None,
    copied: bool = False,
) -> ParquetRows:
    """Read a Parquet file; write ``rows.parquet`` unless its columns are plain as they stand.

    Plain ones are checked when their values are looked at. In a copy structs are opened; lists and maps
    become JSON text, times ISO text in UTC, numbers their shortest text after float32 was widened.
    Metadata is ignored.

    Raises:
        SchemaError: The file is damaged, has no rows, or two columns of one name.
    """
    with damage(), opened(path) as file:
        return _read(file, folder, tally=tally, known=known, progress=progress, given=given, copied=copied)


@contextlib.contextmanager
def damage() -> Iterator[None]:
    """Refuse a Parquet file if what is read of it is no Parquet.

    Raises:
        SchemaError: It is damaged.
    """
    try:
        yield
    except _DAMAGE as error:
        if isinstance(error, NotPlainError):
            raise
        raise SchemaError(
            "The Parquet file is damaged. Nothing was loaded. Copy or export it again."
        ) from None


def opened(path: Path) -> pq.ParquetFile:
    """A Parquet file from outside, its pages checked where they carry a sum."""
    return pq.ParquetFile(
        str(path), coerce_int96_timestamp_unit="us", page_checksum_verification=True, pre_buffer=False
    )


def _read(
    file: pq.ParquetFile,
    folder: Path,
    *,
    tally: Tally,
    known: Known,
    progress: Progress,
    given: Dialect | None,
    copied: bool,
) -> ParquetRows:
    schema = file.schema_arrow
    check_names(schema.names)
    chosen = _chosen(schema.names, known, tally)
    wanted = [schema.names[i] for i in chosen]
    tool = chosen_tool(_record_names(schema), given)
    if tool is not None:
        columns = _tool_rows(file, folder, tool, tally=tally, known=known, progress=progress)
        return ParquetRows(columns, tool, whole=False)
    if not copied and len(chosen) == len(schema.names) and all(map(is_plain, schema.types)):
        tally.read = file.metadata.num_rows
        whole, names = True, wanted
    else:
        whole, names = False, _table_rows(file, folder, wanted, tally=tally, progress=progress)
    refuse_none(tally, otherwise=_NO_ROWS)
    return ParquetRows(names, None, whole)


def is_plain(kind: pa.DataType) -> bool:
    """Whether values of this type can be used as they stand, without a copy as text."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_float32(kind)
        or pa.types.is_float64(kind)
        or pa.types.is_boolean(kind)
        or (pa.types.is_timestamp(kind) and kind.unit in {"ms", "us"} and kind.tz in {None, "UTC"})
    )


def has_nul(column: pa.Array) -> bool:
    """Whether a text of a column holds a NUL character."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    texts = column.buffers()[2]
    # The bytes of all texts lie side by side, so one look at them is enough for nearly every column.
    if texts is None or b"\0" not in texts.to_pybytes():
        return False
    return bool(pc.any(pc.match_substring(column, "\0")).as_py())


def has_no_year(column: pa.Array) -> bool:
    """Whether a time of a column is outside of the years 1 to 9999, at which Polars and DuckDB stop."""
    if not pa.types.is_timestamp(column.type):
        return False
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    found = pc.min_max(column.cast(pa.timestamp(column.type.unit)).cast(pa.int64())).as_py()
    least, most = found["min"], found["max"]
    return least is not None and (least < _YEAR_1_S * per_second or most >= _YEAR_10000_S * per_second)


def _table_rows(
    file: pq.ParquetFile, folder: Path, wanted: list[str], *, tally: Tally, progress: Progress
) -> list[str]:
    schema = file.schema_arrow
    names = [name for column in wanted for name, _ in _leaves(column, _empty(schema.field(column).type))]
    rows = RowsFile(folder, len(names))
    try:
        for batch in file.iter_batches(_BATCH, columns=wanted or None, use_threads=True):
            batch.validate(full=True)
            columns = [column for name in wanted for _, column in _leaves(name, batch.column(name))]
            _write(rows, names, [text_column(column) for column in columns], batch.num_rows, tally)
            progress(tally.read)
    finally:
        rows.close()
    if tally.read != file.metadata.num_rows:
        raise ValueError("footer and pages disagree")
    return names


def _tool_rows(
    file: pq.ParquetFile, folder: Path, tool: Dialect, *, tally: Tally, known: Known, progress: Progress
) -> list[str]:
    """Each row as a record of the tool that wrote the file."""
    records = Records(FlatRows(folder, known=known), tally, given=tool)
    number = 0
    for batch in file.iter_batches(_BATCH // 8):
        batch.validate(full=True)
        size = batch.nbytes // max(batch.num_rows, 1)
        # Python has no time outside of the years 1 to 9999; as text it is said to be none.
        columns = [text_column(column) if has_no_year(column) else column for column in batch.columns]
        readable = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        for row in readable.to_pylist(maps_as_pydicts="lossy"):
            number += 1
            record = {name: _member(value) for name, value in row.items() if value is not None}
            if "\0" in json.dumps(record, ensure_ascii=False):
                tally.reject(number, None, "NUL character in a text")
            else:
                records.take(number, record, size=size)
        progress(tally.read)
    if number != file.metadata.num_rows:
        raise ValueError("footer and pages disagree")
    found = records.close()
    refuse_none(tally, otherwise=_NO_ROWS)
    return found


def _member(value: Any) -> Any:
    """A value as JSON would have it: times as ISO text in UTC, others that JSON lacks as text."""
    if isinstance(value, dict):
        return {str(key): _member(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_member(item) for item in value]
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat() if value.tzinfo else value.isoformat()
    return value if value is None or isinstance(value, str | int | float) else _plain(value)


def _record_names(schema: pa.Schema) -> frozenset[str]:
    """Plain names of the columns and of what their structs hold."""

    def members(kind: pa.DataType) -> dict[str, Any]:
        return {field.name: members(field.type) for field in kind} if pa.types.is_struct(kind) else {}

    return record_names({field.name: members(field.type) for field in schema})


def _chosen(names: list[str], known: Known, tally: Tally) -> list[int]:
    if len(names) <= LIMITS.columns:
        return list(range(len(names)))
    chosen = [i for i, name in enumerate(names) if known(name)]
    if not chosen:
        raise SchemaError(
            f"The file has {len(names):,} columns; the limit is {LIMITS.columns:,}. Export fewer columns."
        )
    tally.notes.append(
        f"The file has {len(names):,} columns, more than {LIMITS.columns:,}: "
        f"only the {len(chosen)} with known names were read."
    )
    return chosen


def _empty(kind: pa.DataType) -> pa.Array:
    return pa.nulls(0, kind)


def _leaves(name: str, column: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Columns under a column: its struct members by dotted name, else itself."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if not pa.types.is_struct(column.type):
        yield name, column
        return
    for field, member in zip(column.type, column.flatten(), strict=True):
        yield from _leaves(f"{name}.{field.name}", member)


def _write(rows: RowsFile, names: list[str], columns: list[pa.Array], count: int, tally: Tally) -> None:
    """Write a batch without the rows that hold NUL characters."""
    numbers = pa.array(range(tally.read + 1, tally.read + count + 1), pa.int64())
    good = pa.array([True] * count)
    for name, column in zip(names, columns, strict=True):
        bad = pc.fill_null(pc.match_substring(column, "\0"), fill_value=False)
        if pc.any(bad).as_py():
            for number in numbers.filter(pc.and_(good, bad)).to_pylist():
                tally.reject(number, name, "NUL character in a text")
            good = pc.and_not(good, bad)
    kept = pc.sum(good).as_py() or 0
    if kept == count:
        rows.write(numbers, columns)
    else:
        rows.write(numbers.filter(good), [column.filter(good) for column in columns])
    tally.read += kept


def text_column(column: pa.Array) -> pa.Array:
    """Any Arrow column as text; empty texts become null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return text_column(column.dictionary_decode())
    if pa.types.is_floating(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_timestamp(kind):
        return _iso(column)
    elif pa.types.is_duration(kind):
        column = pc.divide(
            column.cast(pa.int64()).cast(pa.float64()), {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        )
    elif pa.types.is_fixed_size_binary(kind) and kind.byte_width == _UUID_BYTES:
        return pa.array(
            [None if item is None else str(uuid.UUID(bytes=item)) for item in column.to_pylist()], pa.string()
        )
    elif pa.types.is_nested(kind):
        return pa.array([_json(item) for item in column.to_pylist()], pa.string())
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        text = pa.array([_binary_text(item) for item in column.to_pylist()], pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _iso(column: pa.Array) -> pa.Array:
    """Times as ISO text in UTC, with no more digits than they have."""
    for unit in ("s", "us", "ns", column.type.unit):  # the last where no other has room for it
        try:
            # Arrow keeps zoned times in UTC: dropping the zone leaves UTC.
            text = column.cast(pa.timestamp(column.type.unit)).cast(pa.timestamp(unit)).cast(pa.string())
        except pa.ArrowInvalid:
            continue
        return pc.binary_join_element_wise(pc.replace_substring(text, " ", "T"), "Z", "")
    raise ValueError("a time without a unit")


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return _binary_text(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _binary_text(value: Any) -> str | None:
    """UTF-8 bytes as text, others as hexadecimal digits."""
    if not isinstance(value, bytes):
        return plain_text(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
