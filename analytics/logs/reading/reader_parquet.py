"""Rows of a Parquet file, every value really read; footers are not believed."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.errors import SchemaError
from analytics.logs.reading.flat_rows import plain_text
from analytics.logs.reading.reader_csv import check_names
from analytics.logs.reading.rows import RowsFile, Tally
from analytics.logs.reading.staging import LIMITS

Known = Callable[[str], bool]
Progress = Callable[[int], None]

_BATCH = 16_384
_UUID_BYTES = 16


def read_parquet(path: Path, folder: Path, *, tally: Tally, known: Known, progress: Progress) -> list[str]:
    """Write ``rows.parquet`` from a Parquet file and return the column names, dotted where nested.

    Structs are opened; lists and maps become JSON text, times ISO text in UTC, numbers their shortest
    text after float32 was widened. Metadata is ignored.

    Raises:
        SchemaError: The file is damaged, has no rows, or two columns of one name.
    """
    try:
        with pq.ParquetFile(
            str(path), coerce_int96_timestamp_unit="us", page_checksum_verification=True, pre_buffer=False
        ) as file:
            return _read(file, folder, tally=tally, known=known, progress=progress)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, UnicodeDecodeError):
        raise SchemaError(
            "The Parquet file is damaged. Nothing was loaded. Copy or export it again."
        ) from None


def _read(file: pq.ParquetFile, folder: Path, *, tally: Tally, known: Known, progress: Progress) -> list[str]:
    schema = file.schema_arrow
    check_names(schema.names)
    chosen = _chosen(schema.names, known, tally)
    wanted = [schema.names[i] for i in chosen]
    names = [name for i in chosen for name, _ in _leaves(schema.names[i], _empty(schema.field(i).type))]
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
    if tally.read == 0:
        raise SchemaError("The Parquet file has no rows. Nothing was loaded.")
    return names


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
    for unit in ("s", "us", "ns"):
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
