"""The staged rows of a file, batch by batch: the text of ``rows.parquet``, or a plain Parquet file itself."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from analytics.logs.reading.reader_parquet import (
    NotPlainError,
    damage,
    has_no_year,
    has_nul,
    opened,
    text_column,
)
from analytics.logs.reading.staging import ROWS, Staged

BATCH = 2 * 122_880
"""Rows of a batch: two of the row groups that DuckDB stores, which then need not be cut anew."""


def batches(
    folder: Path, staged: Staged, positions: Sequence[int], *, size: int = BATCH, checked: bool = False
) -> Iterator[pl.DataFrame]:
    """Frames of ``line`` and the columns ``c{position}``: text, or numbers, flags and times as they stand.

    A thread reads one frame ahead.

    Args:
        folder: The private folder.
        staged: As it was read.
        positions: Columns wanted.
        size: Rows of a frame at most.
        checked: Whether a Parquet file from outside is checked on the way.

    Raises:
        SchemaError: That file is damaged.
        NotPlainError: It cannot serve as the staged rows.
    """
    frames = (
        _copied(folder, positions, size) if staged.source is None else _own(staged, positions, size, checked)
    )
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(next, frames, None)
        while (frame := coming.result()) is not None:
            coming = ahead.submit(next, frames, None)
            yield frame


def _copied(folder: Path, positions: Sequence[int], size: int) -> Iterator[pl.DataFrame]:
    names = ["line", *(f"c{position}" for position in positions)]
    with opened(folder / ROWS) as file:
        for batch in file.iter_batches(size, columns=names, use_threads=True):
            yield pl.DataFrame(pl.from_arrow(batch)).select(names)


def _own(staged: Staged, positions: Sequence[int], size: int, checked: bool) -> Iterator[pl.DataFrame]:  # noqa: FBT001
    wanted = [staged.columns[position] for position in positions]
    done = 0
    with damage(), opened(Path(str(staged.source))) as file:
        for batch in file.iter_batches(size, columns=wanted, use_threads=True):
            if checked:
                batch.validate(full=True)
                if any(has_nul(column) or has_no_year(column) for column in batch.columns):
                    raise NotPlainError
            lines = pl.Series("line", range(done + 1, done + batch.num_rows + 1), pl.Int64)
            columns = [
                _series(f"c{position}", batch.column(name))
                for position, name in zip(positions, wanted, strict=True)
            ]
            done += batch.num_rows
            yield pl.DataFrame([lines, *columns])
        if done != file.metadata.num_rows:
            raise ValueError("footer and pages disagree")


def relation(connection: duckdb.DuckDBPyConnection, folder: Path, staged: Staged) -> duckdb.DuckDBPyRelation:
    """The staged rows in a scratch database: columns ``c0``, ``c1``, ... by position."""
    path = staged.source or str(folder / ROWS)
    found = connection.read_parquet(path, hive_partitioning=False)
    if staged.source is None:
        return found
    names = ", ".join(f"c{position}" for position in range(len(staged.columns)))
    found.create_view("source")
    return connection.sql(f"SELECT * FROM source AS renamed({names})")  # noqa: S608 - positions only


def as_text(values: pl.Series) -> pl.Series:
    """Values as the text that a copy of them would have; empty texts become null."""
    if values.dtype == pl.String:
        return values
    return pl.Series(values.name, text_column(values.to_arrow()), pl.String)


def _series(name: str, column: pa.Array) -> pl.Series:
    values = pl.Series(name, column)
    if values.dtype == pl.String:
        empty = values == ""
        return values.set(empty, None) if empty.any() else values
    if isinstance(values.dtype, pl.Datetime):
        return values.dt.replace_time_zone(None)
    return values
