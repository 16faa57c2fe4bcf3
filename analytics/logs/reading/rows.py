"""The staged rows of one file: every value as text, every column by position."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.logs.reading.staging import LIMITS, ROWS, Problem

BATCH = 20_000
_GROUP_ROWS = 200_000
_GROUP_BYTES = 64 << 20
_AHEAD = 2


@dataclass(slots=True)
class Tally:
    """Counts and reasons while a file is read.

    Attributes:
        read: Records seen so far, rejected ones included.
        rejected: Records that will not be in ``rows.parquet``.
        problems: The first of them, with line and reason.
        problems_total: How many there are.
        notes: Sentences about how the file was read.
        passed: Records that are no model call of the user's, by reason; neither read nor rejected.
        first_broken: Line and byte of the first record that is no text in the encoding; byte null where
            it is not known.
    """

    read: int = 0
    rejected: int = 0
    problems: list[Problem] = field(default_factory=list)
    problems_total: int = 0
    notes: list[str] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    first_broken: tuple[int, int | None] | None = None

    def reject(self, line: int, column: str | None, reason: str, *, records: int = 1) -> None:
        """Count ``records`` records from ``line`` on as read and rejected, for one reason."""
        self.read += records
        self.rejected += records
        self.problems_total += 1
        if len(self.problems) < LIMITS.problems:
            self.problems.append(Problem(line, column, reason))

    def pass_over(self, reason: str, *, records: int = 1) -> None:
        """Count records that are not to be rows."""
        self.passed[reason] = self.passed.get(reason, 0) + records


def texts(values: Sequence[str | None]) -> pa.Array:
    """An Arrow string column; empty strings become null."""
    array = pa.array(values, pa.large_string())
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.large_string()), array)


class Behind:
    """Calls done one after the other in a thread of their own, with at most two waiting."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def call(self, work: Callable[..., None], *args: Any) -> None:
        """Do ``work(*args)`` after what was asked for before; what that raised is raised here."""
        while len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(work, *args))

    def close(self) -> None:
        """Wait for what was asked for; what it raised is raised here."""
        try:
            for work in self._waiting:
                work.result()
        finally:
            self._waiting.clear()
            self._thread.shutdown()


class RowsFile:
    """``rows.parquet`` while it is written: short batches are gathered to row groups of useful size.

    Args:
        folder: The private folder.
        columns: Number of source columns.
    """

    def __init__(self, folder: Path, columns: int) -> None:
        fields = [
            pa.field("line", pa.int64()),
            *(pa.field(f"c{i}", pa.large_string()) for i in range(columns)),
        ]
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(
            os.fspath(folder / ROWS),
            self._schema,
            compression="lz4",
            use_dictionary=False,
            write_statistics=False,
        )
        self._behind = Behind()
        self._batches: list[pa.RecordBatch] = []
        self._held = self._bytes = 0

    def write(self, lines: Sequence[int] | pa.Array, columns: Sequence[pa.Array]) -> None:
        """Append rows; ``columns`` are string arrays as long as ``lines``."""
        numbers = lines if isinstance(lines, pa.Array) else pa.array(lines, pa.int64())
        arrays = [
            column if pa.types.is_large_string(column.type) else column.cast(pa.large_string())
            for column in columns
        ]
        batch = pa.RecordBatch.from_arrays([numbers, *arrays], schema=self._schema)
        self._batches.append(batch)
        self._held += batch.num_rows
        self._bytes += batch.nbytes
        if self._held >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._batches:
            table = pa.Table.from_batches(self._batches)
            self._behind.call(self._writer.write_table, table, table.num_rows)
        self._batches, self._held, self._bytes = [], 0, 0

    def close(self) -> None:
        """Write what is held and the footer."""
        try:
            self._flush()
            self._behind.close()
        finally:
            self._writer.close()
