"""Which rows the cells of a large dataset know: all of a version, or all but some files that came since.

Cells are a cache: what is not known to be only an addition has them made anew. Below ``tables.LARGE`` rows
counting is quick, and none are kept.
"""

from dataclasses import dataclass

import duckdb

from analytics.logs.storage import catalogue, tables


@dataclass(frozen=True, slots=True)
class Due:
    """What has to be done before the cells of a large dataset say what its rows say.

    Attributes:
        anew: Whether they are made from all rows.
        files: Else the ids of files whose rows are to be added.
    """

    anew: bool
    files: tuple[str, ...] = ()


def due(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Due | None:
    """What has to be done; None where nothing has, or the dataset is not large."""
    if catalogue.form(cursor, dataset) != "decisions":
        return None
    if not tables.is_large(cursor, tables.of(cursor, dataset, "decisions")):
        return None
    found = cursor.execute("SELECT version, pending FROM kept_cells WHERE dataset = ?", [dataset]).fetchall()
    if not found or found[0][0] != catalogue.version(cursor, dataset):
        return Due(anew=True)
    files = tuple(filter(None, str(found[0][1]).split(",")))
    return Due(anew=False, files=files) if files else None


def done(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """The cells know all rows of this version."""
    cursor.execute(
        "INSERT OR REPLACE INTO kept_cells VALUES (?, ?, '')", [dataset, catalogue.version(cursor, dataset)]
    )


def appended(cursor: duckdb.DuckDBPyConnection, dataset: str, before: int, file_id: str) -> None:
    """A file was added to what cells knew; joined grades may have changed other rows besides."""
    key = catalogue.key(cursor, dataset)
    if not tables.columns(cursor, "grades", key):
        cursor.execute(
            """UPDATE kept_cells SET version = ?, pending = ltrim(pending || ',' || ?, ',')
               WHERE dataset = ? AND version = ?""",
            [catalogue.version(cursor, dataset), file_id, dataset, before],
        )


def carried(cursor: duckdb.DuckDBPyConnection, dataset: str, before: int) -> None:
    """Give a dataset a new version whose rows are those of the one before."""
    catalogue.changed(cursor, dataset)
    cursor.execute(
        "UPDATE kept_cells SET version = ? WHERE dataset = ? AND version = ?",
        [catalogue.version(cursor, dataset), dataset, before],
    )
