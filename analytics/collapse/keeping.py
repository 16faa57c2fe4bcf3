"""Cells into a dataset's table: what a source comes to is added, and what many have come to is merged."""

from typing import TYPE_CHECKING

import duckdb

from analytics.collapse import units
from analytics.collapse.parts import MERGED, NOT_KEPT, PARTS, PartName
from analytics.collapse.statements import selects
from analytics.logs.storage import tables
from analytics.logs.storage.quoting import quoted
from analytics.logs.storage.tables import Kept
from analytics.tuning.cells import BINNED, MOST_PROBABILITIES, whole_grades

if TYPE_CHECKING:
    from analytics.logs.store import Store

MOST_SOURCES = 4
"""Beyond this many sources their cells are merged into those of one, in the background."""
_ALL = "all"

# Users are counted by their sketch, since they come back in other sources.
_LOG = """SELECT count(*) AS n, {requests} AS requests, count(unit_id) AS unit_rows, min(ts) AS first_ts,
    max(ts) AS last_ts FROM {log}"""


def add(
    cursor: duckdb.DuckDBPyConnection,
    kept: Kept,
    *,
    source: str,
    log: str,
    requests: int,
    several_pairs: bool,
) -> None:
    """Add the cells of rows that are new.

    Args:
        cursor: Inside a transaction.
        kept: The dataset's tables of cells.
        source: Names the rows; SHA-256 or the like.
        log: A relation with the columns of ``decisions``, as it stands after FROM.
        requests: Distinct requests among them.
        several_pairs: Whether a model stands in several pairs.
    """
    statements = selects(log=log, several_pairs=several_pairs, whole=whole_grades(cursor, log))
    statements["log"] = _LOG.format(log=log, requests=int(requests))
    binned = _binned(cursor, log)
    for name in NOT_KEPT:
        del statements[name]
    for name, select in statements.items():
        text = select
        for placeholder, condition in binned.items():
            text = text.replace(placeholder, condition)
        _insert(cursor, _table(kept, name), source, name, text)
    _insert(cursor, kept.cells, source, units.PART, units.SELECT.format(log=log))


def clear(cursor: duckdb.DuckDBPyConnection, kept: Kept) -> None:
    """Forget all cells of a dataset."""
    for table in kept:
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names only


def compact_later(store: "Store", dataset: str) -> None:
    """Merge the cells of many sources while the caller goes on; few are left as they are."""

    def compact(cursor: duckdb.DuckDBPyConnection) -> None:
        kept = tables.kept_cells(cursor, dataset)
        if kept is not None and _sources(cursor, kept) > MOST_SOURCES:
            _merge(cursor, kept)

    with store.cursor() as cursor:
        kept = tables.kept_cells(cursor, dataset)
        many = kept is not None and _sources(cursor, kept) > MOST_SOURCES
    if many:
        store.later(compact)


def _merge(cursor: duckdb.DuckDBPyConnection, kept: Kept) -> None:
    """Let the cells of all sources be those of one: as many as there are, they take as long to read."""
    for table in kept:
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE {table}_merged AS SELECT * FROM {table} LIMIT 0")  # noqa: S608
    for name, part in PARTS.items():
        table = _table(kept, name)
        values = ", ".join(f"{MERGED[value]}({value}) AS {value}" for value in part.values)
        keys = "".join(f"{key}, " for key in part.keys)
        grouped = f"GROUP BY {', '.join(part.keys)}" if part.keys else ""
        select = f"SELECT {keys}{values} FROM {table} WHERE part = '{name}' {grouped}"  # noqa: S608
        _insert(cursor, f"{table}_merged", _ALL, name, select)
    _insert(cursor, f"{kept.cells}_merged", _ALL, units.PART, units.MERGED_SKETCH.format(cells=kept.cells))
    for table in kept:
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608
        cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {table}_merged")  # noqa: S608
        cursor.execute(f"DROP TABLE {table}_merged")


def _table(kept: Kept, name: PartName) -> str:
    return kept.histograms if name == "latency" else kept.cells


def _insert(
    cursor: duckdb.DuckDBPyConnection, table: str, source: str, name: PartName | str, select: str
) -> None:
    cursor.execute(
        f"""INSERT INTO {table} BY NAME
            SELECT {quoted(source)} AS file_id, '{name}' AS part, found.*
            FROM ({select}) AS found"""  # noqa: S608 - our own names only
    )


def _sources(cursor: duckdb.DuckDBPyConnection, kept: Kept) -> int:
    """Each has one row on its size."""
    ((count,),) = cursor.execute(f"SELECT count(*) FROM {kept.cells} WHERE part = 'log'").fetchall()  # noqa: S608
    return int(count)


def _binned(cursor: duckdb.DuckDBPyConnection, log: str) -> dict[str, str]:
    """Placeholder -> whether the probabilities of these rows are binned, as SQL."""
    counted = ", ".join(f"approx_count_distinct({name})" for name in BINNED)
    (found,) = cursor.execute(f"SELECT {counted} FROM {log}").fetchall()  # noqa: S608
    return {
        placeholder: str(count > MOST_PROBABILITIES).lower()
        for placeholder, count in zip(BINNED.values(), found, strict=True)
    }
