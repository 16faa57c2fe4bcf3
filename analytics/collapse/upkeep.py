"""The cells of a large dataset, kept beside its rows: made once, then only added to."""

from typing import TYPE_CHECKING

import duckdb

from analytics.collapse import keeping
from analytics.logs.storage import tables
from analytics.logs.storage.quoting import quoted
from analytics.logs.storage.tables import Kept
from analytics.logs.storage.upkeep import Due
from analytics.measure.tiers import shares_models

if TYPE_CHECKING:
    from analytics.logs.store import Store


def kept_up(store: "Store", dataset: str) -> None:
    """See to it that a large dataset has cells that say what its rows say; others are left alone."""
    if store.cells_due(dataset) is not None:
        store.keep_cells(dataset, lambda cursor, kept, due: _filled(cursor, dataset, kept, due))


def _filled(cursor: duckdb.DuckDBPyConnection, dataset: str, kept: Kept, due: Due) -> None:
    table = tables.of(cursor, dataset, "decisions")
    rows = f"query_table(['decisions', {quoted(table)}], true)"
    if not due.anew:
        files = ", ".join(quoted(file_id) for file_id in due.files)
        rows = f"(SELECT * FROM {rows} WHERE file_id IN ({files}))"  # noqa: S608 - our own names only
    keeping.add(
        cursor,
        kept,
        source="all" if due.anew else due.files[0],
        log=rows,
        requests=_requests(cursor, dataset, table, rows, kept),
        several_pairs=shares_models(cursor, dataset),
    )


def _requests(cursor: duckdb.DuckDBPyConnection, dataset: str, table: str, rows: str, kept: Kept) -> int:
    """Requests that are new; with several pairs an earlier row may be of the same request."""
    pairs = "SELECT count(DISTINCT (fast_model, strong_model)) FROM ladder WHERE dataset = ?"
    ((count,),) = cursor.execute(pairs, [dataset]).fetchall()
    distinct = "SELECT count(DISTINCT hash(request_id)) FROM {}"
    if count <= 1:
        return int(cursor.execute(distinct.format(rows)).fetchall()[0][0])
    ((whole,),) = cursor.execute(distinct.format(table)).fetchall()
    known = f"SELECT coalesce(sum(requests), 0) FROM {kept.cells} WHERE part = 'log'"  # noqa: S608
    return int(whole - cursor.execute(known).fetchall()[0][0])
