"""Rows of one converted file into a dataset's table: duplicates, conflicts, folds.

Reads only what our own child process wrote. Every function runs inside the caller's transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from analytics.logs.reading.staging import Problem
from analytics.logs.schema import FOLDS, TABLES, Form
from analytics.logs.storage import tables
from analytics.logs.storage.quoting import quoted

KEYS: dict[Form, tuple[str, ...]] = {
    "decisions": ("request_id", "fast_model", "strong_model"),
    "calls": ("request_id", "model", "effort", "call_index", "call_id"),
    "grades": ("request_id", "call_id", "unit_id", "model", "side", "grader", "ts"),
    "cells": (),
    "histograms": (),
}
CONFLICTS: dict[Form, str] = {
    "decisions": "the same request id and models stand earlier with other values; the first is kept",
    "calls": "the same request id and model stand earlier with other values; the first is kept",
    "cells": "",
    "histograms": "",
    "grades": "the same answer has another grade by the same grader at the same time; the first is kept",
}

_STORED: dict[Form, str] = {
    "decisions": tables.DECISIONS,
    "calls": tables.CALLS,
    "grades": tables.GRADES,
}
_UNIT = "coalesce(unit_id, request_id)"
FOLD = f"(('0x' || left(md5({_UNIT}), 8))::UINTEGER % {FOLDS})::UTINYINT"
"""First eight hex digits of the MD5 of the unit, modulo the number of folds: the same on every engine."""

_SOURCE = "read_parquet($path, file_row_number = true, hive_partitioning = false)"
_DESCRIBE = f"DESCRIBE SELECT * FROM {_SOURCE}"  # noqa: S608 - our own names only


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of the rows of one converted file.

    Attributes:
        loaded: Rows that are new.
        duplicates: Rows that were there already, or stand earlier in the file, with the same values.
        conflicts: Rows with a known key and other values; not loaded.
    """

    loaded: int
    duplicates: int
    conflicts: list[Problem] = field(default_factory=list)


def ingest_rows(
    cursor: duckdb.DuckDBPyConnection,
    key: int,
    typed: Path,
    *,
    form: Form,
    file_id: str,
    distinct: bool = False,
) -> Ingested:
    """Insert the rows of ``typed`` that are new; the first of several with one key counts, by line.

    Args:
        cursor: Inside a transaction.
        key: Number of the dataset.
        typed: Parquet file with ``line`` and canonical columns of the form; absent ones are null.
        form: decisions, calls or grades.
        file_id: SHA-256 of the content that the rows came from.
        distinct: Whether it is known that no two rows of the file have the same request id.
    """
    if form == "cells":
        return _cells(cursor, key, typed, file_id=file_id)
    present = _present(cursor, typed, form)
    dropped = _dropped(cursor, key, typed, form=form, present=present, distinct=distinct)
    table = tables.ready(cursor, form, key, present)
    own = f"$file_id AS file_id{f', {FOLD} AS fold' if form == 'decisions' else ''}"
    selected = ", ".join(f"{sql} AS {name}" for name, sql in _columns(form, present).items())
    new = "WHERE file_row_number NOT IN (SELECT row FROM dropped)" if dropped else ""
    inserted = cursor.execute(
        f"""INSERT INTO {table} BY NAME
            SELECT {own}, {", ".join(present)} FROM (SELECT {selected} FROM {_SOURCE} {new})""",  # noqa: S608
        {"path": str(typed), "file_id": file_id},
    ).fetchone()
    cursor.execute("DROP TABLE IF EXISTS dropped")
    conflicts = _conflicts(dropped, form)
    return Ingested(int(inserted[0]) if inserted else 0, len(dropped) - len(conflicts), conflicts)


def _cells(cursor: duckdb.DuckDBPyConnection, key: int, typed: Path, *, file_id: str) -> Ingested:
    """Insert a cells file: its rows add to those of others, so that none is a duplicate."""
    loaded = 0
    forms: tuple[tuple[Form, str], ...] = (("cells", "NOT"), ("histograms", ""))
    for form, other in forms:
        present = _present(cursor, typed, form)
        table = tables.ready(cursor, form, key, present)
        selected = ", ".join(f"{sql} AS {name}" for name, sql in _columns(form, present).items())
        inserted = cursor.execute(
            f"""INSERT INTO {table} BY NAME SELECT $file_id AS file_id, {", ".join(present)}
                FROM (SELECT {selected} FROM {_SOURCE}) WHERE {other} ({tables.IN_HISTOGRAMS})""",  # noqa: S608
            {"path": str(typed), "file_id": file_id},
        ).fetchone()
        loaded += int(inserted[0]) if inserted else 0
    return Ingested(loaded, 0)


def _present(cursor: duckdb.DuckDBPyConnection, typed: Path, form: Form) -> list[str]:
    """The form's columns that a converted file has, in the order of the schema."""
    described = cursor.execute(_DESCRIBE, {"path": str(typed)}).fetchall()
    found = {str(row[0]) for row in described}
    return [column.name for column in TABLES[form] if column.mappable and column.name in found]


def _conflicts(dropped: list[tuple[int, bool]], form: Form) -> list[Problem]:
    return [Problem(int(line), None, CONFLICTS[form]) for line, same in dropped if not same]


def _columns(form: Form, present: list[str]) -> dict[str, str]:
    """Canonical column -> SQL over the file. No user text is in it."""
    columns = {
        column.name: f"CAST({column.name if column.name in present else 'NULL'} AS {column.sql_type})"
        for column in TABLES[form]
        if column.mappable
    }
    if form == "decisions" and "policy_kind" in present:
        columns["policy_kind"] = f"coalesce({columns['policy_kind']}, 'cascade')"
    return columns


def _dropped(
    cursor: duckdb.DuckDBPyConnection,
    key: int,
    typed: Path,
    *,
    form: Form,
    present: list[str],
    distinct: bool,
) -> list[tuple[int, bool]]:
    """(line, whether the content is the same) of rows that repeat a key; their numbers are in ``dropped``.

    Keys are hashed first: only rows whose hash occurs twice are looked at in full, usually none.
    """
    keys = KEYS[form]
    columns = _columns(form, present)
    stored = tables.columns(cursor, form, key)
    rows = _STORED[form]
    table: dict[str, str] = {form: tables.name(form, key) if stored else form}
    hashed = f"hash({', '.join(columns[name] for name in keys)})"
    own = f"SELECT {hashed} AS key FROM {_SOURCE}"  # noqa: S608
    within = _within(cursor, form, table[form], typed, present) if stored else "true"
    repeated = f"SELECT key FROM ({own}) GROUP BY key HAVING count(*) > 1"  # noqa: S608
    known = f"""SELECT DISTINCT hash({", ".join(keys)}) AS key FROM {rows}
        WHERE {within} AND hash({", ".join(keys)}) IN ({own})"""  # noqa: S608
    wanted = [*([] if distinct else [repeated]), *([known] if stored else [])]
    if not wanted:
        return []
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE suspects AS {' UNION '.join(wanted)}",
        {"path": str(typed), **(table if stored else {})},
    )
    if cursor.execute("SELECT count(*) FROM suspects").fetchone() == (0,):
        cursor.execute("DROP TABLE suspects")
        return []
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    cursor.execute(
        f"""CREATE OR REPLACE TEMP TABLE candidates AS
            SELECT {selected}, line, file_row_number AS row,
                row_number() OVER (PARTITION BY {", ".join(keys)} ORDER BY line, file_row_number) AS place
            FROM {_SOURCE} WHERE {hashed} IN (SELECT key FROM suspects)""",  # noqa: S608
        {"path": str(typed)},
    )
    same_key = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in keys)
    same = " AND ".join(_same(name, columns) for name in columns if name not in keys)
    names = ", ".join(columns)
    cursor.execute(
        f"""CREATE OR REPLACE TEMP TABLE kept AS
            SELECT {names}, -1::BIGINT AS row FROM {rows}
            WHERE {within} AND hash({", ".join(keys)}) IN (SELECT key FROM suspects)""",  # noqa: S608
        table,
    )
    cursor.execute(
        f"""INSERT INTO kept SELECT {names}, row FROM candidates AS a
            WHERE place = 1 AND NOT EXISTS (SELECT 1 FROM kept AS b WHERE {same_key})"""  # noqa: S608
    )
    cursor.execute(
        f"""CREATE OR REPLACE TEMP TABLE dropped AS
            SELECT a.row, a.line, {same} AS same FROM candidates AS a JOIN kept AS b ON {same_key}
            WHERE a.row <> b.row"""  # noqa: S608
    )
    found = cursor.execute("SELECT line, same FROM dropped ORDER BY line, row").fetchall()
    for name in ("suspects", "candidates", "kept"):
        cursor.execute(f"DROP TABLE {name}")
    return found


def _within(
    cursor: duckdb.DuckDBPyConnection, form: Form, table: str, typed: Path, present: list[str]
) -> str:
    """SQL for the stored rows that a new file may repeat: of a large log, those of files about its period.

    A row without a time may be of any, and so may its whole file.
    """
    if "ts" not in present or not tables.is_large(cursor, table):
        return "true"
    period = f"SELECT min(ts), max(ts), count(*) = count(ts) FROM {_SOURCE}"  # noqa: S608
    first, last, timed = cursor.execute(period, {"path": str(typed)}).fetchall()[0]
    if first is None or not timed:
        return "true"
    files = cursor.execute(
        f"""SELECT file_id FROM {_STORED[form]} GROUP BY file_id
            HAVING count(*) > count(ts) OR NOT (max(ts) < $first OR min(ts) > $last)""",  # noqa: S608
        {form: table, "first": first, "last": last},
    ).fetchall()
    return f"file_id IN ({', '.join(quoted(found) for (found,) in files)})" if files else "false"


def _same(name: str, columns: Iterable[str]) -> str:
    """SQL of whether two rows agree on a column; costs by price say nothing, as prices change."""
    if name.endswith("cost_source"):
        return "true"
    source = f"{name.removesuffix('_usd')}_source"
    if source not in columns:
        return f"a.{name} IS NOT DISTINCT FROM b.{name}"
    logged = "CASE WHEN {0}.{1} IS DISTINCT FROM 'priced' THEN {0}.{2} END"
    return " IS NOT DISTINCT FROM ".join(logged.format(row, source, name) for row in ("a", "b"))
