"""A log as the pages see it, from kept cells alone: no row is read."""

from collections.abc import Iterable

import duckdb
import polars as pl

from analytics.collapse.parts import MERGED, PARTS, TYPES, PartName
from analytics.collapse.units import Units, units
from analytics.errors import NotIdentifiedError
from analytics.logs.storage import facts, tables
from analytics.logs.storage.facts import Facts
from analytics.logs.storage.tables import Kept
from analytics.tuning.cells import within_limit

_NARROW: dict[str, pl.DataType] = {"fold": pl.UInt8(), "step": pl.Int16(), "bin": pl.Int32()}
_NAMES = "task_category, fast_model, strong_model, policy_kind, arm, route"
_HISTOGRAMS = f"""
    SELECT {_NAMES}, list(step::SMALLINT) AS step, list(bin::INTEGER) AS bin, list(n) AS n,
        list(weight) AS weight
    FROM (
        SELECT {_NAMES}, step, bin, sum(n)::BIGINT AS n, sum(weight) AS weight
        FROM {tables.HISTOGRAMS} GROUP BY ALL)
    GROUP BY ALL"""  # noqa: S608 - our own names only
# A source with any row has a size in it, also where no request has an arm.
_WITHOUT_ARMS = f"""
    SELECT count(*) FROM (
        SELECT file_id FROM {tables.CELLS} WHERE part IN ('log', 'arm_sizes') GROUP BY file_id
        HAVING count_if(part = 'log' AND n > 0) > 0 AND count_if(part = 'arm_sizes') = 0)"""  # noqa: S608
_PAIR = ["task_category", "fast_model", "strong_model"]


def part(cursor: duckdb.DuckDBPyConnection, kept: Kept, name: PartName) -> pl.DataFrame:
    """One part of a dataset's cells, those of all its sources merged.

    Args:
        cursor: A cursor of its own for this call.
        kept: The dataset's cells.
        name: Of the part.

    Returns:
        The keys and values of ``PARTS[name]``; no rows where the log has nothing of it, one for ``log``.
    """
    if name == "latency":
        return _histograms(cursor, kept)
    found = PARTS[name]
    merged = [f"{MERGED[value]}({value})::{TYPES[value]} AS {value}" for value in found.values]
    columns = ", ".join([*found.keys, *merged])
    grouped = f"GROUP BY {', '.join(found.keys)}" if found.keys else ""
    frame: pl.DataFrame = cursor.sql(
        f"SELECT {columns} FROM {tables.CELLS} WHERE part = $part {grouped}",  # noqa: S608 - our own names
        params={"cells": kept.cells, "part": name},
    ).pl()
    return frame.with_columns(pl.col(key).cast(_NARROW[key]) for key in found.keys if key in _NARROW)


def made_before(lacking: str) -> NotIdentifiedError:
    """The refusal of a question to which the cells of an earlier version have no answer.

    Args:
        lacking: What such cells do, as "have no ...".
    """
    return NotIdentifiedError(
        f"The cells of this log, or of some of its files, {lacking}: an earlier version of tiertune made "
        "them. Make the cells file again where the log is, with this version (tiertune cells), and load it "
        "in place of the earlier one."
    )


def arms_kept(cursor: duckdb.DuckDBPyConnection, kept: Kept) -> bool:
    """Whether all sources of a dataset's cells have the parts ``OF_ARMS``."""
    ((lacking,),) = cursor.execute(_WITHOUT_ARMS, {"cells": kept.cells}).fetchall()
    return not lacking


def _histograms(cursor: duckdb.DuckDBPyConnection, kept: Kept) -> pl.DataFrame:
    """The part ``latency``: millions of rows with few names in them, which cross once each."""
    frame: pl.DataFrame = cursor.sql(_HISTOGRAMS, params={"histograms": kept.histograms}).pl()
    names = frame.with_columns(pl.col(pl.String).cast(pl.Categorical))
    return names.explode("step", "bin", "n", "weight").select(
        *PARTS["latency"].keys, *PARTS["latency"].values
    )


def sweep(cursor: duckdb.DuckDBPyConnection, kept: Kept) -> pl.DataFrame:
    """The cells of a dataset as ``tuning.cells.cells`` gives them."""
    return within_limit(part(cursor, kept, "sweep"))


def in_force(cursor: duckdb.DuckDBPyConnection, kept: Kept, swept: pl.DataFrame) -> pl.DataFrame:
    """The thresholds in force, as ``facts.in_force`` gives them.

    The latest threshold is the one with the last time; of several the one with most requests, then the
    larger one, since sums do not know the order of requests. ``served_under_latest`` is null where only
    some requests of a pair have a threshold.
    """
    found = part(cursor, kept, "thresholds").sort(
        "last_ts", "n", "threshold", descending=True, nulls_last=True, maintain_order=True
    )
    whole = found.group_by(_PAIR, maintain_order=True).agg(
        pl.col("threshold").first(),
        pl.len().alias("distinct_thresholds").cast(pl.Int64),
        pl.col("n").sum().alias("rows_with_threshold"),
        pl.col("last_ts").max(),
        _share(pl.col("agree_n").sum(), pl.col("known_n").sum()).alias("served_as_logged"),
    )
    obeyed = (
        swept.lazy()
        .join(whole.lazy().select(*_PAIR, "threshold"), on=_PAIR, nulls_equal=True)
        .group_by(_PAIR)
        .agg(
            pl.col("n").sum().alias("rows"),
            pl.col("n").filter(pl.col("escalated").is_not_null()).sum().alias("known"),
            pl.col("n")
            .filter(
                pl.col("escalated")
                == (pl.col("confidence").is_null() | (pl.col("confidence") < pl.col("threshold")))
            )
            .sum()
            .alias("agreed"),
        )
        .collect()
    )
    under = pl.when(pl.col("rows") == pl.col("rows_with_threshold")).then(
        _share(pl.col("agreed"), pl.col("known"))
    )
    return (
        whole.join(obeyed, on=_PAIR, how="left", nulls_equal=True)
        .with_columns(under.alias("served_under_latest"))
        .drop("rows", "known", "agreed")
        .sort(_PAIR, nulls_last=True)
    )


def dearest(cursor: duckdb.DuckDBPyConnection, kept: Kept, swept: pl.DataFrame) -> pl.DataFrame:
    """The dearest strong call of each category and pair, as ``bounds.dearest`` gives it."""
    found = part(cursor, kept, "dearest").rename({"dearest": "strong_cost_usd"})
    pairs = swept.select(_PAIR).unique().sort(_PAIR, nulls_last=True)
    return pairs.join(found, on=_PAIR, how="left", nulls_equal=True)


def facts_of(cursor: duckdb.DuckDBPyConnection, dataset: str, kept: Kept, swept: pl.DataFrame) -> Facts:
    """Size and content of a log, as ``facts.facts`` gives them."""
    log = part(cursor, kept, "log").row(0, named=True)
    found: Units = units(cursor, kept, log)
    files = facts.files_of(cursor, dataset)
    names = set(swept["task_category"])
    return Facts(
        requests=log["requests"] or 0,
        rows=log["n"] or 0,
        units=found.count,
        first_ts=log["first_ts"],
        last_ts=log["last_ts"],
        categories=(*sorted(names - {None}), *({None} & names)),
        pairs=tuple(sorted(swept.select(_PAIR[1:]).unique().iter_rows())),
        arms=_named(swept["arm"]),
        experiments=_named(swept["experiment"]),
        files=len(files.ids),
        log_sha256=facts.log_sha256(files.ids),
        confidence_kinds=_named(swept["confidence_kind"]),
        confidence_sources=files.sources,
        largest_unit=found.largest if found.count and found.count < (log["requests"] or 0) else None,
    )


def _named(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def _share(some: pl.Expr, all_of_them: pl.Expr) -> pl.Expr:
    return pl.when(all_of_them > 0).then(some / all_of_them)
