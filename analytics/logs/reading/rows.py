"""The staged rows of one file: every value as text, every column by position."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.logs.reading.staging import LIMITS, ROWS, Problem

BATCH = 20_000


@dataclass(slots=True)
class Tally:
    """Counts and reasons while a file is read.

    Attributes:
        read: Records seen so far, rejected ones included.
        rejected: Records that will not be in ``rows.parquet``.
        problems: The first of them, with line and reason.
        problems_total: How many there are.
        notes: Sentences about how the file was read.
        first_broken: Line and byte of the first record that is no text in the encoding; byte null where
            it is not known.
    """

    read: int = 0
    rejected: int = 0
    problems: list[Problem] = field(default_factory=list)
    problems_total: int = 0
    notes: list[str] = field(default_factory=list)
    first_broken: tuple[int, int | None] | None = None

    def reject(self, line: int, column: str | None, reason: str, *, records: int = 1) -> None:
        """Count ``records`` records from ``line`` on as read and rejected, for one reason."""
        self.read += records
        self.rejected += records
        self.problems_total += 1
        if len(self.problems) < LIMITS.problems:
            self.problems.append(Problem(line, column, reason))


def texts(values: Sequence[str | None]) -> pa.Array:
    """An Arrow string column; empty strings become null."""
    array = pa.array(values, pa.string())
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


class RowsFile:
    """``rows.parquet`` while it is written, in batches.

    Args:
        folder: The private folder.
        columns: Number of source columns.
    """

    def __init__(self, folder: Path, columns: int) -> None:
        fields = [pa.field("line", pa.int64()), *(pa.field(f"c{i}", pa.string()) for i in range(columns))]
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(
            os.fspath(folder / ROWS), self._schema, compression="zstd", compression_level=1
        )

    def write(self, lines: Sequence[int] | pa.Array, columns: Sequence[pa.Array]) -> None:
        """Append rows; ``columns`` are string arrays as long as ``lines``."""
        numbers = lines if isinstance(lines, pa.Array) else pa.array(lines, pa.int64())
        self._writer.write_table(pa.Table.from_arrays([numbers, *columns], schema=self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()
