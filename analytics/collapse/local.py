"""The cells of a log that DuckDB holds, and files of cells."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import polars as pl

from analytics.collapse import answers
from analytics.collapse.log import arms_kept, part, sweep
from analytics.collapse.parts import OF_ARMS, PARTS, POLARS, PartName
from analytics.collapse.statements import selects
from analytics.collapse.units import units
from analytics.experiments.outcomes import SERVED_CALLS
from analytics.logs.schema import CELL_LAYOUT
from analytics.logs.storage import tables
from analytics.logs.store import Store
from analytics.measure import tiers
from analytics.spreadsheet import csv_text
from analytics.tuning.cells import cells, within_limit

ENDINGS = (".parquet", ".csv")


def collapsed(store: Store, dataset: str) -> pl.DataFrame:
    """All parts of a dataset's cells: one row per cell, columns as in ``parts.POLARS``."""
    with store.cursor() as cursor:
        kept = tables.kept_cells(cursor, dataset)
        if kept is not None:
            lacking = _lacking(cursor, kept)
            parts = {name: _kept(cursor, kept, name) for name in PARTS if name not in lacking}
            if lacking and store.reachable(dataset):
                parts |= _of_rows(cursor, dataset, lacking)
            return stacked(parts)
    pairs = {(pair.fast_model, pair.strong_model) for pair in store.ladder(dataset).pairs}
    places = Counter(model for pair in pairs for model in set(pair))
    with store.cursor() as cursor:
        decisions = tables.of(cursor, dataset, "decisions")
        named = {"decisions": decisions, "calls": tables.of(cursor, dataset, "calls")}
        logged = cursor.execute("SELECT form = 'calls' FROM datasets WHERE name = ?", [dataset]).fetchone()
        found = selects(
            log=tables.DECISIONS,
            calls=tiers.LOGGED.format(calls=tables.CALLS) if logged == (True,) else None,
            served=SERVED_CALLS.format(calls=tables.CALLS, log=tables.DECISIONS)
            if logged == (True,)
            else None,
            several_pairs=any(count > 1 for count in places.values()),
        )
        parts = {"sweep": cells(cursor, decisions)}
        for name, text in found.items():
            if name != "sweep":
                given = {key: value for key, value in named.items() if f"${key}" in text}
                parts[name] = cursor.sql(text, params=given).pl()
    return stacked(parts)


def _lacking(cursor: duckdb.DuckDBPyConnection, kept: tables.Kept) -> set[PartName]:
    """Parts that these cells do not have: ``NOT_KEPT``, and those that an earlier version did not write."""
    lacking: set[PartName] = set() if arms_kept(cursor, kept) else set(OF_ARMS)
    return lacking if answers.complete(cursor, kept) else lacking | {"confidence_days"}


def _of_rows(
    cursor: duckdb.DuckDBPyConnection, dataset: str, names: Iterable[PartName]
) -> dict[PartName, pl.DataFrame]:
    """Parts of a log with one row per request."""
    given = {"decisions": tables.of(cursor, dataset, "decisions")}
    found = selects(log=tables.DECISIONS)
    return {name: cursor.sql(found[name], params=given).pl() for name in names}


def _kept(cursor: duckdb.DuckDBPyConnection, kept: tables.Kept, name: PartName) -> pl.DataFrame:
    """A part that is kept; of users the sketch knows how many there are."""
    if name == "sweep":
        return sweep(cursor, kept)
    found = part(cursor, kept, name)
    if name != "log":
        return found
    told = units(cursor, kept, found.row(0, named=True))
    return found.with_columns(units=pl.lit(told.count, pl.Int64), largest_unit=pl.lit(told.largest, pl.Int64))


def stacked(parts: Mapping[PartName, pl.DataFrame]) -> pl.DataFrame:
    """Parts under each other, with the columns of ``parts.POLARS``; what a part does not have is null."""
    return pl.concat([_widened(name, rows) for name, rows in parts.items()])


def fitted(frame: pl.DataFrame) -> pl.DataFrame:
    """What an engine answered, in the types of a cells file, with as many cells as ``cells`` would have.

    Args:
        frame: Columns named as in ``parts.POLARS``, in any order and of any types that can be cast.
    """
    typed = frame.select(pl.col(name).cast(kind) for name, kind in POLARS.items())
    sweep = pl.col("part") == "sweep"
    return pl.concat([within_limit(typed.filter(sweep)).select(*POLARS), typed.filter(~sweep)])


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a cells file: Parquet (Zstandard), or CSV by the ending.

    In CSV names that a spreadsheet would run have an apostrophe in front, see ``spreadsheet.unescaped``.

    Raises:
        OSError: It cannot be written.
    """
    if path.suffix == ".csv":
        path.write_text(csv_text(frame), encoding="utf-8", newline="")
    else:
        frame.write_parquet(path, compression="zstd")


def _widened(name: PartName, rows: pl.DataFrame) -> pl.DataFrame:
    given = rows.with_columns(tiertune_cells=pl.lit(CELL_LAYOUT), part=pl.lit(name))
    return given.select(
        (pl.col(column) if column in given.columns else pl.lit(None).alias(column)).cast(kind)
        for column, kind in POLARS.items()
    )
