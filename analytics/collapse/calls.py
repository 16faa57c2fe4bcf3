"""What tiers, models and categories cost and get right, from kept cells: as ``measure.tiers`` gives it."""

from collections.abc import Sequence
from datetime import date, datetime

import duckdb
import polars as pl

from analytics.collapse.log import part
from analytics.collapse.parts import PartName
from analytics.logs.schema import TIERS, UNCATEGORISED
from analytics.logs.storage.tables import Kept
from analytics.tuning.latency import WIDTH

_PERCENTILES = {"latency_p50_s": 0.5, "latency_p95_s": 0.95}


def tier_sums(
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    kept: Kept,
    *,
    keys: Sequence[str],
    since: date | datetime | None = None,
    until: date | datetime | None = None,
    categories: Sequence[str] | None = None,
    steps: Sequence[date] | None = None,
) -> pl.DataFrame:
    """Sums over the calls of each group, whole days only.

    Args:
        cursor: A cursor of its own for this call.
        dataset: Name of the dataset, for the tiers of its models.
        kept: The dataset's cells.
        keys: Some of task_category, tier, model, day.
        since: First day that counts, UTC; None for no limit.
        until: First day that no longer counts, UTC; None for no limit.
        categories: Names that count, ``UNCATEGORISED`` for calls without one; None for all.
        steps: First days of longer steps, in order: ``day`` is then the one that a day belongs to.

    Returns:
        As ``measure.tiers.tier_table``; percentiles are exact to 0.5%, and null where both a day and a
        category are asked for, which no histogram has.
    """
    tiers: pl.DataFrame = cursor.sql(
        "SELECT model, tier FROM models WHERE dataset = $dataset", params={"dataset": dataset}
    ).pl()

    def counted(name: PartName) -> pl.DataFrame:
        found = _asked(part(cursor, kept, name), since=since, until=until, categories=categories)
        if steps is not None and "day" in found.columns:
            place = pl.Series("day", steps).search_sorted(found["day"], side="right") - 1
            found = found.with_columns(pl.Series("day", steps).gather(place).alias("day"))
        return found.join(tiers, on="model", how="left")

    calls = counted("calls")
    names = [name for name in calls.columns if name not in {"task_category", "model", "day", "tier"}]
    known = [name for name in names if name.endswith("_tokens")]
    sums = [
        pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)
        if name in known
        else pl.col(name).sum()
        for name in names
    ]
    found = calls.group_by(keys).agg(sums).rename({"n": "calls"})
    by_day = "day" in keys or since is not None or until is not None
    by_category = "task_category" in keys or categories is not None
    bins = None if by_day and by_category else counted("day_latency" if by_day else "call_latency")
    found = _with_percentiles(found, bins, keys)
    order = {name: place for place, name in enumerate(TIERS)}
    ranked = [
        pl.col(key).replace_strict(order, default=None, return_dtype=pl.Int64)
        if key == "tier"
        else pl.col(key)
        for key in keys
    ]
    return found.select(*keys, pl.exclude(*keys)).sort(ranked, nulls_last=True)


def _asked(
    frame: pl.DataFrame,
    *,
    since: date | datetime | None,
    until: date | datetime | None,
    categories: Sequence[str] | None,
) -> pl.DataFrame:
    if "day" in frame.columns and since is not None:
        frame = frame.filter(pl.col("day") >= _day(since))
    if "day" in frame.columns and until is not None:
        frame = frame.filter(pl.col("day") < _day(until))
    if "task_category" in frame.columns and categories is not None:
        frame = frame.filter(pl.col("task_category").fill_null(UNCATEGORISED).is_in(list(categories)))
    return frame


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _with_percentiles(found: pl.DataFrame, bins: pl.DataFrame | None, keys: Sequence[str]) -> pl.DataFrame:
    if bins is None:
        return found.with_columns(pl.lit(None, pl.Float64).alias(name) for name in _PERCENTILES)
    running = (
        bins.group_by(*keys, "bin")
        .agg(pl.col("n").sum())
        .sort("bin")
        .with_columns(
            pl.col("n").cum_sum().over(keys).alias("below"), pl.col("n").sum().over(keys).alias("all")
        )
    )
    quantiles = running.group_by(keys).agg(
        (WIDTH ** (pl.col("bin").filter(pl.col("below") >= share * pl.col("all")).min() + 0.5)).alias(name)
        for name, share in _PERCENTILES.items()
    )
    return found.join(quantiles, on=list(keys), how="left", nulls_equal=True)
