"""The tables that hold rows: one per dataset and form, with the columns that its files gave.

``decisions``, ``calls`` and ``grades`` themselves are empty and have every column; a query reads a
dataset's table and the empty one together, by name, so that absent columns are null. That costs nothing,
while a stored column of nulls takes its time at every load. No name of a dataset is ever part of a query.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import duckdb

from analytics.errors import TiertuneError
from analytics.logs.schema import TABLES, Column, Form

DECISIONS = "query_table(['decisions', $decisions], true)"
CALLS = "query_table(['calls', $calls], true)"
GRADES = "query_table(['grades', $grades], true)"
CELLS = "query_table(['cells', $cells], true)"
HISTOGRAMS = "query_table(['histograms', $histograms], true)"
IN_HISTOGRAMS = "part = 'latency'"
LARGE = 4_000_000
"""Rows from which on a table is not counted again for every file that comes."""
KEPT: tuple[Form, Form] = ("cells", "histograms")

ELSEWHERE = "elsewhere"
"""Database in memory with the views of logs whose rows stay in a folder."""

_ALWAYS: dict[Form, frozenset[str]] = {
    "decisions": frozenset({"file_id", "request_id", "fast_model", "strong_model", "fold"}),
    "calls": frozenset({"file_id", "request_id", "model"}),
    "grades": frozenset({"file_id", "correct"}),
    **dict.fromkeys(("cells", "histograms"), frozenset({"file_id", "part"})),
}
_AS_THEY_ARE = frozenset({"request_id", "unit_id", "call_id"})
"""Texts that hardly repeat: compressed, a table would take 40% less space, and a fifth longer to load."""
_RANGES = {
    "confidence": "{0} >= 0 AND {0} <= 1",
    "correct": "{0} >= 0 AND {0} <= 1",
    "propensity": "{0} > 0 AND {0} <= 1",
    "sampling_probability": "{0} > 0 AND {0} <= 1",
    "grade_probability": "{0} > 0 AND {0} <= 1",
}


def create_templates(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the empty tables that have every column."""
    for form, columns in TABLES.items():
        fields = ", ".join(f"{column.name} {column.sql_type}" for column in columns)
        cursor.execute(f"CREATE OR REPLACE TABLE {form} ({fields})")


def name(form: Form, key: int) -> str:
    """Name of the table with a dataset's rows of one form, whether it exists or not."""
    return f"{form}_{int(key)}"


class RowsElsewhereError(TiertuneError):
    """A question about single requests of a log of which only sums are here."""

    kind = "not_identified"

    def __init__(self) -> None:
        super().__init__(
            "This needs single requests, and only sums of this log can be reached: it was loaded as a cells "
            "file, or the folder with its rows is gone or was changed. Ask where the log is, or load its "
            "rows."
        )


_VIEW = "SELECT 1 FROM duckdb_views() WHERE database_name = ? AND view_name = ?"


def of(cursor: duckdb.DuckDBPyConnection, dataset: str, form: Form) -> str:
    """What to bind for ``$decisions`` and the like: a dataset's table, or the empty one where it has none.

    Raises:
        RowsElsewhereError: The dataset was loaded from a cells file, and its rows are asked for.
    """
    found = cursor.execute("SELECT id, form FROM datasets WHERE name = ?", [dataset]).fetchall()
    if not found:
        return form
    if found[0][1] == "cells" != form:
        view = name(form, int(found[0][0]))
        if not cursor.execute(_VIEW, [ELSEWHERE, view]).fetchall():
            raise RowsElsewhereError
        return f"{ELSEWHERE}.{view}"
    return held(cursor, int(found[0][0]), form)


class Kept(NamedTuple):
    """The tables with the cells of a dataset, for ``$cells`` and ``$histograms``."""

    cells: str
    histograms: str


_FRESH = """
    SELECT id FROM datasets LEFT JOIN kept_cells ON kept_cells.dataset = datasets.name
    WHERE name = $dataset
        AND (form = 'cells' OR kept_cells.version = datasets.version AND kept_cells.pending = '')"""


def kept_cells(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Kept | None:
    """A dataset's cells, where they answer what its rows would; None where rows have to."""
    found = cursor.execute(_FRESH, {"dataset": dataset}).fetchall()
    if not found:
        return None
    key = int(found[0][0])
    return Kept(held(cursor, key, "cells"), held(cursor, key, "histograms"))


def cells_alone(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Kept | None:
    """The cells of a dataset that was loaded as cells; None where its rows are in reach.

    Raises:
        RowsElsewhereError: Its rows are in a folder that is gone or was changed.
    """
    try:
        of(cursor, dataset, "decisions")
    except RowsElsewhereError:
        kept = kept_cells(cursor, dataset)
        if kept is None or cursor.execute("SELECT 1 FROM folders WHERE dataset = ?", [dataset]).fetchall():
            raise
        return kept
    return None


def kept_ready(cursor: duckdb.DuckDBPyConnection, key: int) -> Kept:
    """The tables for a dataset's cells, made if they are not there."""
    made = [ready(cursor, form, key, [column.name for column in TABLES[form]]) for form in KEPT]
    return Kept(*made)


def held(cursor: duckdb.DuckDBPyConnection, key: int, form: Form) -> str:
    """A dataset's table by the dataset's number, or the empty one where it has none."""
    return name(form, key) if columns(cursor, form, key) else form


def is_large(cursor: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether a table has at least ``LARGE`` rows, as the database estimates."""
    found = cursor.execute(
        """SELECT estimated_size FROM duckdb_tables()
           WHERE table_name = ? AND database_name = current_database()""",
        [table],
    ).fetchall()
    return bool(found and found[0][0] >= LARGE)


def columns(cursor: duckdb.DuckDBPyConnection, form: Form, key: int) -> list[str]:
    """Columns that a dataset's table has, in order; empty where there is no such table."""
    found = cursor.execute(
        """SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND NOT internal
               AND database_name = current_database()
           ORDER BY column_index""",
        [name(form, key)],
    ).fetchall()
    return [str(row[0]) for row in found]


def ready(cursor: duckdb.DuckDBPyConnection, form: Form, key: int, present: Iterable[str]) -> str:
    """Name of a dataset's table, made or widened so that it has the columns ``present``."""
    existing = columns(cursor, form, key)
    wanted = {*_ALWAYS[form], *present}
    table = name(form, key)
    if wanted <= set(existing):
        return table
    if existing:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_narrow")
    given = [column for column in TABLES[form] if column.name in wanted | set(existing)]
    fields = ", ".join(_field(form, column) for column in given)
    cursor.execute(f"CREATE TABLE {table} ({fields})")
    if existing:
        cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {table}_narrow")  # noqa: S608 - our own names
        cursor.execute(f"DROP TABLE {table}_narrow")
    return table


def drop_columns(
    cursor: duckdb.DuckDBPyConnection, form: Form, key: int, gone: Iterable[str], *, values: Mapping[str, str]
) -> None:
    """Drop columns of a dataset's table, the values of some of which others get.

    The table is written anew: a column that is dropped from a table with a check leaves a log file that
    DuckDB 2.0.0 cannot replay, should the process be killed before the next checkpoint.

    Args:
        cursor: Inside a transaction.
        form: Of the table.
        key: Number of the dataset.
        gone: Columns to drop.
        values: Column that stays -> the one whose values it gets.
    """
    table, dropped = name(form, key), set(gone)
    left = [column for column in columns(cursor, form, key) if column not in dropped]
    cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_wide")
    fields = ", ".join(_field(form, column) for column in TABLES[form] if column.name in left)
    cursor.execute(f"CREATE TABLE {table} ({fields})")
    selected = ", ".join(f"{values.get(column, column)} AS {column}" for column in left)
    cursor.execute(f"INSERT INTO {table} BY NAME SELECT {selected} FROM {table}_wide ORDER BY rowid")  # noqa: S608
    cursor.execute(f"DROP TABLE {table}_wide")


def drop(cursor: duckdb.DuckDBPyConnection, form: Form, key: int) -> None:
    """Forget a dataset's rows of one form."""
    cursor.execute(f"DROP TABLE IF EXISTS {name(form, key)}")


def with_row(cursor: duckdb.DuckDBPyConnection, form: Form, key: int) -> str:
    """A dataset's rows as a subquery: ``row`` (its place in the table) and every column of the form."""
    existing = set(columns(cursor, form, key))
    if not existing:
        return f"(SELECT 0::BIGINT AS row, * FROM {form})"  # noqa: S608 - our own names only
    selected = ", ".join(
        column.name if column.name in existing else f"NULL::{column.sql_type} AS {column.name}"
        for column in TABLES[form]
    )
    return f"(SELECT rowid AS row, {selected} FROM {name(form, key)})"  # noqa: S608 - our own names only


def _field(form: Form, column: Column) -> str:
    """Definition of a column; NaN and infinity are refused because they pass every threshold."""
    stored = " USING COMPRESSION uncompressed" if column.name in _AS_THEY_ARE else ""
    text = f"{column.name} {column.sql_type}{stored}"
    if column.name == "file_id" or (column.name == "request_id" and form != "grades"):
        return f"{text} NOT NULL"
    if column.sql_type != "DOUBLE" or form in {
        "cells",
        "histograms",
    }:  # sums were looked at when they were read
        return text
    wanted = _RANGES.get(column.name.removeprefix("fast_").removeprefix("strong_"), "isfinite({0})")
    return f"{text} CHECK ({wanted.format(column.name)})"
