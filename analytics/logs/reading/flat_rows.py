"""JSON objects as rows of dotted columns, where a new column may turn up in any line."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics.logs.reading.rows import BATCH, RowsFile, texts
from analytics.logs.reading.staging import LIMITS

if TYPE_CHECKING:
    from analytics.logs.reading.nesting import Nesting

_CELLS = 2_000_000


class UnusableRowError(ValueError):
    """A record that cannot be a row; the text is the reason, ``column`` the key that is meant."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.column = column


def plain_text(value: Any) -> str | None:
    """A scalar as text: shortest round trip for numbers, null for null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else str(value)


def flattened(record: dict[str, Any], objects: set[str]) -> dict[str, Any]:
    """Members by dotted path; objects are opened and noted in ``objects``, lists become JSON text.

    Raises:
        UnusableRowError: Two members have the same path.
    """
    flat: dict[str, Any] = {}
    stack: list[tuple[str, dict[str, Any]]] = [("", record)]
    while stack:
        prefix, members = stack.pop()
        for key, value in members.items():
            path = prefix + key
            if path in flat:
                raise UnusableRowError("a key stands twice in one object", path)
            if isinstance(value, dict):
                objects.add(path)
                stack.append((path + ".", value))
            elif isinstance(value, list):
                flat[path] = json.dumps(value, ensure_ascii=False)
            else:
                flat[path] = value
    return flat


class FlatRows:
    """Rows on their way to ``rows.parquet``.

    Batches are spilled with the columns that they have; the file is written when all columns are known.

    Args:
        folder: The private folder.
        known: Whether a column name means something to us; beyond the column limit only those are kept.
    """

    def __init__(self, folder: Path, *, known: Callable[[str], bool]) -> None:
        self._folder, self._known = folder, known
        self._columns: dict[str, None] = {}
        self._left_out: set[str] = set()
        self._objects: set[str] = set()
        self._numbers: list[int] = []
        self._rows: list[dict[str, Any]] = []
        self._size = 0
        self._spills: list[Path] = []
        self.count = 0

    def add(self, number: int, record: dict[str, Any], *, size: int) -> None:
        """Take one record; ``size`` is the length of its text.

        Raises:
            UnusableRowError: Two members have the same path.
        """
        flat = flattened(record, self._objects)
        if not flat.keys() <= self._columns.keys():
            self._admit(flat)
        self._rows.append(flat)
        self._numbers.append(number)
        self.count += 1
        self._size += size
        if len(self._rows) >= BATCH or self._size > 32 << 20 or len(self._rows) * len(self._columns) > _CELLS:
            self._spill()

    def _admit(self, flat: Iterable[str]) -> None:
        for path in flat:
            if path in self._columns:
                continue
            if len(self._columns) < LIMITS.columns or self._known(path):
                self._columns[path] = None
            elif len(self._left_out) < 100_000:  # noqa: PLR2004 - enough to say "100,000 and more"
                self._left_out.add(path)

    def _spill(self) -> None:
        present = dict.fromkeys(path for row in self._rows for path in row if path in self._columns)
        arrays = [_column([row.get(path) for row in self._rows]) for path in present]
        names = ["", *present]  # positions count, names may be anything
        table = pa.Table.from_arrays([pa.array(self._numbers, pa.int64()), *arrays], names=names)
        path = self._folder / f"spill-{len(self._spills)}"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        self._spills.append(path)
        self._rows, self._numbers, self._size = [], [], 0

    def close(self, *, notes: list[str] | None = None, nesting: "Nesting | None" = None) -> list[str]:
        """Write ``rows.parquet``, remove what was spilled, return the column names.

        Args:
            notes: Takes a sentence if columns were left out.
            nesting: What follows for the rows from how their records lie inside one another.
        """
        if self._rows:
            self._spill()
        self._admit(nesting.names if nesting else {})
        columns = list(self._columns)
        mixed = {path for path in columns if path in self._objects}
        file = RowsFile(self._folder, len(columns))
        done = 0
        for spill in self._spills:
            with pa.OSFile(str(spill), "rb") as source:
                table = pa.ipc.open_file(source).read_all().combine_chunks()
            done, first = done + table.num_rows, done
            if nesting is not None:
                table = nesting.amended(table, first).combine_chunks()
            if not table.num_rows:
                spill.unlink()
                continue
            found = dict(zip(table.schema.names[1:], table.columns[1:], strict=True))
            empty = pa.nulls(table.num_rows, pa.large_string())
            file.write(
                table.column(0).combine_chunks(),
                [
                    _with_objects(path, found, empty) if path in mixed else _whole(found.get(path), empty)
                    for path in columns
                ],
            )
            spill.unlink()
        file.close()
        if self._left_out and notes is not None:
            notes.append(
                f"The file has more than {LIMITS.columns:,} columns: of the others only those with known "
                "names were read."
            )
        return columns


def _column(values: Sequence[Any]) -> pa.Array:
    if set(map(type, values)) <= {str, type(None)}:
        return texts(values)
    return texts([plain_text(value) for value in values])


def _whole(column: pa.ChunkedArray | None, empty: pa.Array) -> pa.Array:
    return empty if column is None else column.combine_chunks()


def _with_objects(path: str, found: dict[str, pa.ChunkedArray], empty: pa.Array) -> pa.Array:
    """A column that is a scalar in some rows and an object in others says ``{...}`` in the latter."""
    inside = [column.combine_chunks() for name, column in found.items() if name.startswith(path + ".")]
    whole = _whole(found.get(path), empty)
    if not inside:
        return whole
    opened = pc.is_valid(pc.coalesce(*inside))
    return pc.coalesce(
        whole, pc.if_else(opened, pa.scalar("{...}", pa.large_string()), pa.scalar(None, pa.large_string()))
    )
