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


def kept_up(store: "Store", dataset: str, *, anew: bool = True) -> None:
    """See to it that a large dataset has cells that say what its rows say; others are left alone.

    Args:
        store: Where it is.
        dataset: Its name.
        anew: Whether to make them from all rows if that is what it takes; else files are added at most.
    """
    due = store.cells_due(dataset)
    if due is not None and (anew or not due.anew):
        store.keep_cells(dataset, lambda cursor, kept, due: _filled(cursor, dataset, kept, due))
        keeping.compact_later(store, dataset)


def _filled(cursor: duckdb.DuckDBPyConnection, dataset: str, kept: Kept, due: Due) -> None:
    table = tables.of(cursor, dataset, "decisions")
    whole = f"query_table(['decisions', {quoted(table)}], true)"
    files = ", ".join(quoted(file_id) for file_id in due.files)
    rows = whole if due.anew else f"(SELECT * FROM {whole} WHERE file_id IN ({files}))"  # noqa: S608 - our own names only
    requests = _requests(cursor, rows)
    if not due.anew and _spread(cursor, dataset, whole, kept, requests):
        keeping.clear(cursor, kept)
        rows, requests = whole, _requests(cursor, whole)
    keeping.add(
        cursor,
        kept,
        source=due.files[0] if due.files else "all",
        log=rows,
        requests=requests,
        several_pairs=shares_models(cursor, dataset),
    )


def _requests(cursor: duckdb.DuckDBPyConnection, rows: str) -> int:
    ((found,),) = cursor.execute(f"SELECT count(DISTINCT hash(request_id)) FROM {rows}").fetchall()  # noqa: S608
    return int(found)


def _spread(cursor: duckdb.DuckDBPyConnection, dataset: str, whole: str, kept: Kept, new: int) -> bool:
    """Whether a request has rows in new files and in earlier ones: then its calls would count twice."""
    pairs = "SELECT count(DISTINCT (fast_model, strong_model)) FROM ladder WHERE dataset = ?"
    ((count,),) = cursor.execute(pairs, [dataset]).fetchall()
    if count == 1:  # a request has one row, since no key repeats
        return False
    known = f"SELECT coalesce(sum(requests), 0) FROM {kept.cells} WHERE part = 'log'"  # noqa: S608
    ((before,),) = cursor.execute(known).fetchall()
    return bool(_requests(cursor, whole) != before + new)
