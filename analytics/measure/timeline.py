"""What each tier cost and got right over time, in steps that suit the length of the log."""

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from analytics.collapse.calls import tier_sums
from analytics.logs.schema import UNCATEGORISED
from analytics.logs.storage import tables
from analytics.measure.tiers import tier_estimates, tier_table

MOST_STEPS = 60
STEPS_DAYS = (1, 7, 28)
DAILY_UP_TO = 31
"""A log of up to this many days is shown by day: weeks would leave a handful of points."""


def timeline(
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    *,
    first: date,
    last: date,
    categories: Sequence[str | None] | None = None,
) -> pl.DataFrame:
    """Estimates by tier and step of time.

    Percentiles do not add up over days, so each step is its own group-by over the rows of its days.

    Args:
        cursor: A cursor of its own for this call.
        dataset: Name of the dataset.
        first: First day, UTC.
        last: Last day, UTC, inclusive.
        categories: Categories that count, None for calls without one; None for all.

    Returns:
        ``day`` (Date, first day of the step) and the columns of ``tier_estimates`` by tier; no rows for
        steps without calls.
    """
    days = step_days(first, last)
    kept = tables.kept_cells(cursor, dataset)
    if kept is not None:
        return _from_cells(cursor, dataset, kept, first=first, last=last, categories=categories)
    parts = []
    for start in starts(first, last, days=days):
        until = min(start + timedelta(days=days), last + timedelta(days=1))
        sums = tier_table(
            cursor, dataset, by="tier", since=max(start, first), until=until, categories=categories
        )
        parts.append(tier_estimates(sums).select(pl.lit(start).alias("day"), pl.all()))
    return pl.concat(parts)


def _from_cells(
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    kept: tables.Kept,
    *,
    first: date,
    last: date,
    categories: Sequence[str | None] | None,
) -> pl.DataFrame:
    """The same where cells are kept, whose histograms add up over days."""
    wanted = None if categories is None else [UNCATEGORISED if name is None else name for name in categories]
    sums = tier_sums(
        cursor,
        dataset,
        kept,
        keys=("day", "tier"),
        since=first,
        until=last + timedelta(days=1),
        categories=wanted,
        steps=starts(first, last, days=step_days(first, last)),
    )
    return tier_estimates(sums)


def step_days(first: date, last: date) -> int:
    """Days per step: 1 up to ``DAILY_UP_TO`` days, then a week, then four weeks or as many as are needed."""
    span = (last - first).days + 1
    if span <= DAILY_UP_TO:
        return STEPS_DAYS[0]
    for days in STEPS_DAYS[1:]:
        if span <= days * MOST_STEPS:
            return days
    return STEPS_DAYS[-1] * -(-span // (STEPS_DAYS[-1] * MOST_STEPS))


def starts(first: date, last: date, *, days: int) -> list[date]:
    """First days of the steps; weeks begin on Mondays, so that logs of one period share their steps."""
    begin = first if days == 1 else first - timedelta(days=first.weekday())
    return [begin + timedelta(days=offset) for offset in range(0, (last - begin).days + 1, days)]
