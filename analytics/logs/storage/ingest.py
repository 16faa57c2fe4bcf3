"""Rows of one converted file into the store's tables: duplicates, conflicts, folds, first rows of units.

Reads only what our own child process wrote. Every function runs inside the caller's transaction.
"""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from analytics.logs.reading.staging import Problem
from analytics.logs.schema import FOLDS, TABLES, Form

KEYS: dict[Form, tuple[str, ...]] = {
    "decisions": ("request_id", "fast_model", "strong_model"),
    "calls": ("request_id", "model", "effort", "call_index", "call_id"),
}
CONFLICT = "the same request id and model stand earlier with other values; the first is kept"

_UNIT = "coalesce(unit_id, request_id)"
FOLD = f"(('0x' || md5({_UNIT})[1:8])::UINTEGER % {FOLDS})::UTINYINT"
"""First eight hex digits of the MD5 of the unit, modulo the number of folds: the same on every engine."""

BOTH_GRADED = "(fast_correct IS NOT NULL AND strong_correct IS NOT NULL)"

_SOURCE = "read_parquet($path, file_row_number = true, hive_partitioning = false)"
_DESCRIBE = f"DESCRIBE SELECT * FROM {_SOURCE}"  # noqa: S608 - our own names only

_UNIT_FIRST = f"""
    WITH ranked AS (
        SELECT rowid AS row, unit_first AS marked, row_number() OVER (
            PARTITION BY fast_model, strong_model, {_UNIT} ORDER BY md5(request_id), request_id) = 1 AS first
        FROM decisions WHERE dataset = $dataset AND {BOTH_GRADED})
    UPDATE decisions SET unit_first = ranked.first FROM ranked
    WHERE decisions.rowid = ranked.row AND ranked.first <> ranked.marked"""  # noqa: S608 - our own names only


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
    cursor: duckdb.DuckDBPyConnection, dataset: str, typed: Path, *, form: Form, file_id: str
) -> Ingested:
    """Insert the rows of ``typed`` that are new; the first of several with one key counts, by line.

    Args:
        cursor: Inside a transaction.
        dataset: Where the rows go.
        typed: Parquet file with ``line`` and canonical columns of the form; absent ones are null.
        form: ``decisions`` or ``calls``.
        file_id: SHA-256 of the content that the rows came from.
    """
    where = {"path": str(typed), "dataset": dataset}
    described = cursor.execute(_DESCRIBE, {"path": str(typed)}).fetchall()
    present = {str(row[0]) for row in described}
    columns = _columns(form, present)
    dropped = _dropped(cursor, where, form, columns)
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    own = "$dataset AS dataset, $file_id AS file_id"
    if form == "decisions":
        own += f", {FOLD} AS fold, {BOTH_GRADED} AS unit_first"
    new = "WHERE file_row_number NOT IN (SELECT row FROM dropped)" if dropped else ""
    inserted = cursor.execute(
        f"INSERT INTO {form} BY NAME SELECT {own}, * FROM (SELECT {selected} FROM {_SOURCE} {new})",  # noqa: S608
        {**where, "file_id": file_id},
    ).fetchone()
    conflicts = [Problem(int(line), None, CONFLICT) for line, same in dropped if not same]
    cursor.execute("DROP TABLE IF EXISTS dropped")
    return Ingested(int(inserted[0]) if inserted else 0, len(dropped) - len(conflicts), conflicts)


def mark_unit_first(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Mark, per pair, the row of each unit that has both grades and the smallest MD5 of its request id.

    Rows have to be marked already wherever both grades are known, which is all where there are no units.
    """
    shared = cursor.execute(
        "SELECT count(unit_id) > 0 FROM decisions WHERE dataset = $dataset", {"dataset": dataset}
    ).fetchone()
    if shared and shared[0]:
        cursor.execute(_UNIT_FIRST, {"dataset": dataset})


def _columns(form: Form, present: set[str]) -> dict[str, str]:
    """Canonical column -> SQL over the file. No user text is in it."""
    columns = {
        column.name: f"CAST({column.name if column.name in present else 'NULL'} AS {column.sql_type})"
        for column in TABLES[form]
        if column.mappable
    }
    if form == "decisions":
        columns["policy_kind"] = f"coalesce({columns['policy_kind']}, 'cascade')"
    return columns


def _dropped(
    cursor: duckdb.DuckDBPyConnection, where: dict[str, str], form: Form, columns: dict[str, str]
) -> list[tuple[int, bool]]:
    """(line, whether the content is the same) of rows that repeat a key; their numbers are in ``dropped``.

    Keys are hashed first: only rows whose hash occurs twice are looked at in full, usually none.
    """
    keys = KEYS[form]
    hashed = f"hash({', '.join(columns[key] for key in keys)})"
    stored = f"hash({', '.join(keys)})"
    cursor.execute(
        f"""CREATE OR REPLACE TEMP TABLE suspects AS SELECT key FROM (
            SELECT {hashed} AS key FROM {_SOURCE} UNION ALL
            SELECT {stored} FROM {form} WHERE dataset = $dataset) GROUP BY key HAVING count(*) > 1""",  # noqa: S608
        where,
    )
    if cursor.execute("SELECT count(*) FROM suspects").fetchone() == (0,):
        return []
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    cursor.execute(
        f"""CREATE OR REPLACE TEMP TABLE candidates AS
            SELECT {selected}, line, file_row_number AS row,
                row_number() OVER (PARTITION BY {", ".join(keys)} ORDER BY line, file_row_number) AS place
            FROM {_SOURCE} WHERE {hashed} IN (SELECT key FROM suspects)""",  # noqa: S608
        {"path": where["path"]},
    )
    same_key = " AND ".join(f"a.{key} IS NOT DISTINCT FROM b.{key}" for key in keys)
    same = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in columns if name not in keys)
    names = ", ".join(columns)
    cursor.execute(
        f"""CREATE OR REPLACE TEMP TABLE kept AS
            SELECT {names}, -1::BIGINT AS row FROM {form}
            WHERE dataset = $dataset AND {stored} IN (SELECT key FROM suspects)""",  # noqa: S608
        {"dataset": where["dataset"]},
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
    for table in ("suspects", "candidates", "kept"):
        cursor.execute(f"DROP TABLE {table}")
    return found
