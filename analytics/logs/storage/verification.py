"""Whether a file is a sound database of ours; this runs in a child process, because it may be hostile."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from analytics.errors import SchemaError
from analytics.logs.schema import TABLES
from analytics.logs.storage import ledger, migration
from analytics.logs.storage.copies import is_database
from analytics.logs.storage.database import connected, hardened, is_damage
from analytics.logs.storage.migration import ForeignError, prepared
from analytics.logs.storage.quoting import identifier

_OF_DATASET = re.compile(rf"({'|'.join(TABLES)})_(\d+)")
_NOT_OURS = (
    "This is no backup that tiertune wrote. Nothing was changed. Name a file that tiertune backup made."
)
_DAMAGED = "This backup is damaged: {}. Nothing was changed. Use an earlier one."
_LATER = "This backup was made by a later version of tiertune. Nothing was changed. Update tiertune first."
_OTHER_OBJECTS = """
    SELECT view_name FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT function_name FROM duckdb_functions() WHERE NOT internal
    UNION ALL SELECT type_name FROM duckdb_types() WHERE NOT internal
    UNION ALL SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name <> 'main'
    UNION ALL SELECT index_name FROM duckdb_indexes()
    UNION ALL SELECT sequence_name FROM duckdb_sequences() WHERE sequence_name <> 'versions'"""
# Decisions that were made from calls hold sums of whole numbers, which are wider.
_COLUMNS = """
    SELECT table_name, column_name,
        replace(data_type, 'HUGEINT', 'BIGINT') || coalesce(' ' || column_default, '')
    FROM duckdb_columns()
    WHERE NOT internal AND database_name = current_database()"""
_FILES = """
    SELECT coalesce(files.form, datasets.form) AS form, sum(loaded), list(file_id ORDER BY file_id)
    FROM files JOIN datasets ON datasets.name = files.dataset WHERE dataset = ? GROUP BY ALL"""


def verified(path: Path, folder: Path, *, progress: Callable[[int], None]) -> list[dict[str, Any]]:
    """The datasets of a backup, all of which was read; one of an earlier version is brought up to this one.

    Args:
        path: A private copy of the backup, by itself.
        folder: Private folder for what is spilled.
        progress: Called with the rows read so far.

    Returns:
        Per dataset: name, rows (of its log), file_ids.

    Raises:
        SchemaError: It is no backup of ours, damaged, or by a later version.
    """
    if not is_database(path):
        raise SchemaError(_NOT_OURS)
    try:
        connection = connected(path, folder, folder, read_only=True)
        layout = migration.layout(connection)
        if layout is None:
            raise SchemaError(_NOT_OURS)
        if layout > migration.VERSION:
            raise SchemaError(_LATER)
        if layout < migration.VERSION:
            connection.close()
            hardened(path, folder, folder).close()
            connection = connected(path, folder, folder, read_only=True)
        with connection:
            connection.execute("SET max_execution_time = 0")
            _require_our_tables(connection)
            if not ledger.fits(connection):
                raise SchemaError(_DAMAGED.format("what it says of its datasets and files makes no sense"))
            return _read(connection, progress)
    except ForeignError:
        raise SchemaError(_NOT_OURS) from None
    except duckdb.Error as error:
        raise SchemaError(_said(error)) from None


def layout(path: Path, folder: Path) -> int | None:
    """The layout of a database of ours, which is only looked at; None if it is none, or cannot be opened.

    Args:
        path: Of the file.
        folder: Private folder for what is spilled.
    """
    try:
        with connected(path, folder, folder, read_only=True) as connection:
            return migration.layout(connection)
    except (duckdb.Error, ForeignError):
        return None


def _said(error: duckdb.Error) -> str:
    text = str(error)
    if "newer version of DuckDB" in text or "with version number" in text:
        return _LATER
    if is_damage(error) or isinstance(error, duckdb.IOException):
        return _DAMAGED.format("what lies on the disk is not what was written")
    return _DAMAGED.format("not all of it can be read")


def _require_our_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse whatever a database of ours does not have: views, macros, other tables, other columns."""
    if connection.execute(_OTHER_OBJECTS).fetchall():
        raise SchemaError(_NOT_OURS)
    with duckdb.connect() as fresh:
        prepared(fresh)
        wanted, keys = _columns(fresh), ledger.keys(fresh)
    found = _columns(connection)
    whole = wanted.keys() <= found.keys() and all(found[name] == wanted[name] for name in wanted)
    if not whole or ledger.keys(connection) != keys:
        raise SchemaError(_NOT_OURS)
    numbers = {row[0] for row in connection.execute("SELECT id FROM datasets").fetchall()}
    for name in found.keys() - wanted.keys():
        match = _OF_DATASET.fullmatch(name)
        if (
            match is None
            or int(match[2]) not in numbers
            or not found[name].items() <= wanted[match[1]].items()
        ):
            raise SchemaError(_NOT_OURS)


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Types of columns by table."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(_COLUMNS).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def _read(connection: duckdb.DuckDBPyConnection, progress: Callable[[int], None]) -> list[dict[str, Any]]:
    """Read every block of every table, and compare the rows with what the ledger says of the files."""
    rows, done = {}, 0
    for table in _columns(connection):
        counted = connection.execute(
            f"SELECT count(*), bit_xor(hash(one)) FROM {identifier(table)} AS one"  # noqa: S608 - our own names
        ).fetchone()
        rows[table] = int(counted[0]) if counted else 0
        done += rows[table]
        progress(done)
    found = []
    in_place = {row[0] for row in connection.execute("SELECT dataset FROM folders").fetchall()}
    for key, name, log in connection.execute("SELECT id, name, form FROM datasets ORDER BY name").fetchall():
        file_ids: list[str] = []
        loaded = {}
        for form, number, ids in connection.execute(_FILES, [name]).fetchall():
            loaded[form] = int(number or 0)
            file_ids += ids
        for form in {log, *loaded}:
            beside = rows.get(f"histograms_{key}", 0) if form == "cells" else 0
            if name not in in_place and rows.get(f"{form}_{key}", 0) + beside != loaded.get(form, 0):
                raise SchemaError(_DAMAGED.format("a dataset has other rows than its files gave"))
        found.append({"name": name, "rows": rows.get(f"{log}_{key}", 0), "file_ids": file_ids})
    return found
