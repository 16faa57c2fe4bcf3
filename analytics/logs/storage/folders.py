"""Logs whose rows stay in a folder of Parquet files: which files belong to them, and a view of their rows.

Their cells are in the database. The views are in a database of their own in memory, since they name places
on this machine, which no backup should carry.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from analytics.logs.meaning.in_place import InPlace, in_place
from analytics.logs.meaning.mapping import Mapping
from analytics.logs.storage import catalogue, tables
from analytics.logs.storage.quoting import quoted

ENDINGS = (".parquet", ".parq", ".pq")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is a log.

    Attributes:
        path: Absolute.
        mapping: What its columns mean.
        types: Column of its files -> type in DuckDB.
        answers: JSON text of what the user said when it was opened.
    """

    path: Path
    mapping: Mapping
    types: dict[str, str]
    answers: str

    @property
    def known(self) -> bool:
        """Whether it is known where it lies on this machine; a restored backup does not say."""
        return self.path != Path()

    def read(self) -> InPlace:
        """How its rows are read."""
        return in_place(self.mapping, self.types)


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a folder.

    Attributes:
        path: Relative to the folder.
        size: Bytes.
        modified_ns: When it was last changed, nanoseconds since 1970.
        file_id: SHA-256 of its content; empty while it is not known.
        first_ts: Of its rows, UTC; None without times.
        last_ts: Of its rows, UTC; None without times.
    """

    path: str
    size: int
    modified_ns: int
    file_id: str = ""
    first_ts: datetime | None = None
    last_ts: datetime | None = None

    def same(self, other: "Place | None") -> bool:
        """Whether it is the same file, unchanged as far as size and time tell."""
        return other is not None and (self.size, self.modified_ns) == (other.size, other.modified_ns)


def listed(path: Path) -> list[Place]:
    """The Parquet files in a folder and below, by name; hidden ones and those of other tools are left out."""
    found = []
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path)
        if file.suffix.lower() in ENDINGS and not any(part[0] in "._" for part in inner.parts):
            stat = file.stat()
            found.append(Place(str(inner), stat.st_size, stat.st_mtime_ns))
    return found


def folder(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Folder | None:
    """The folder of a dataset; None where its rows are no folder's."""
    found = cursor.execute(
        "SELECT path, mapping, types, answers FROM folders WHERE dataset = ?", [dataset]
    ).fetchall()
    if not found:
        return None
    path, mapping, types, answers = found[0]
    return Folder(Path(path), Mapping.from_json(mapping), json.loads(types), answers)


def places(cursor: duckdb.DuckDBPyConnection, dataset: str) -> list[Place]:
    """The files of a folder that its cells are made of, by name."""
    found = cursor.execute(
        """SELECT path, size, modified_ns, file_id, first_ts, last_ts FROM places
           WHERE dataset = ? ORDER BY path""",
        [dataset],
    ).fetchall()
    return [Place(*row) for row in found]


def allowed(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The folders that the database may read; those that are not there are left out."""
    held = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'folders'").fetchall()
    if not held:
        return []
    found = connection.execute("SELECT path FROM folders WHERE path <> ''").fetchall()
    return [path for (path,) in found if Path(path).is_dir()]


def source(root: Path, files: Iterable[Place]) -> str:
    """The rows of some files of a folder as a relation, with the keys in the folders' names as columns."""
    paths = [str(root / place.path) for place in files]
    by_key = any("=" in part for path in paths for part in Path(path).parent.parts)
    names = ", ".join(quoted(path) for path in paths)
    return (
        f"read_parquet([{names}], union_by_name = true, hive_partitioning = {str(by_key).lower()}, "
        f"hive_types_autocast = false, filename = {quoted(FILENAME)})"
    )


FILENAME = "tiertune file"
"""Column with the path of a row's file."""


def show(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the view of every folder's rows, where its files are as its cells saw them."""
    for dataset, key in connection.execute(
        "SELECT name, id FROM datasets JOIN folders ON dataset = name"
    ).fetchall():
        view(connection, dataset, key)


def view(connection: duckdb.DuckDBPyConnection, dataset: str, key: int) -> None:
    """Make the view of a folder's rows; drop it where some file is gone or was changed."""
    name = f"{tables.ELSEWHERE}.{tables.name('decisions', key)}"
    connection.execute(f"DROP VIEW IF EXISTS {name}")
    found, files = folder(connection, dataset), places(connection, dataset)
    if found is None or not files or not found.known or not _unchanged(found.path, files):
        return
    left_out = connection.execute("SELECT sum(rejected) FROM files WHERE dataset = ?", [dataset]).fetchall()
    rows = found.read().rows(source(found.path, files), sound=left_out == [(0,)])
    connection.execute(f"CREATE VIEW {name} AS {rows}")


def _unchanged(root: Path, files: Sequence[Place]) -> bool:
    try:
        stats = [(root / place.path).stat() for place in files]
    except OSError:
        return False
    return all(
        (place.size, place.modified_ns) == (stat.st_size, stat.st_mtime_ns)
        for place, stat in zip(files, stats, strict=True)
    )


def register(
    cursor: duckdb.DuckDBPyConnection, dataset: str, found: Folder, *, badge: str | None = None
) -> None:
    """Make a dataset of a folder, or give it what is known of the folder now."""
    catalogue.require_form(cursor, dataset, "cells", badge)
    cursor.execute(
        "INSERT OR REPLACE INTO folders VALUES (?, ?, ?, ?, ?)",
        [dataset, str(found.path), found.mapping.to_json(), json.dumps(found.types), found.answers],
    )


def keep_places(cursor: duckdb.DuckDBPyConnection, dataset: str, files: Sequence[Place]) -> None:
    """Remember the files that a folder's cells are made of."""
    cursor.execute("DELETE FROM places WHERE dataset = ?", [dataset])
    if files:
        cursor.executemany(
            "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (dataset, one.file_id, one.path, one.size, one.modified_ns, one.first_ts, one.last_ts)
                for one in files
            ],
        )
