"""What each tier, model and category costs and gets right: sums per group, then estimates.

A call is a row of ``calls``, or an observed side of a decision in a log that has one row per request.
A shadow call counts as any other: it was paid for.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal

import duckdb
import polars as pl

from analytics.collapse.calls import tier_sums
from analytics.estimate import LEVEL, mean_interval, ratio_interval, wilson
from analytics.logs.schema import TIERS, UNCATEGORISED
from analytics.logs.storage import tables
from analytics.logs.storage.ladder import LABEL

Grouping = Literal["category", "tier", "model", "day", "category_tier", "tier_day"]
GROUPINGS: dict[Grouping, tuple[str, ...]] = {
    "category": ("task_category",),
    "tier": ("tier",),
    "model": ("model",),
    "day": ("day",),
    "category_tier": ("task_category", "tier"),
    "tier_day": ("tier", "day"),
}
MIN_COST_COVERAGE = 0.5
"""Below this share of calls with a known cost no cost figure is given."""

_MEASURES = ("correct", "cost_usd", "latency_s", "input_tokens", "output_tokens")

# A failed call that was served is a wrong answer, not a missing one.
LOGGED = f"""
    SELECT ts, task_category, {LABEL} AS model, cost_usd, latency_s, input_tokens, output_tokens,
        coalesce(correct, CASE WHEN status IN ('error', 'timeout') AND coalesce(served, NOT shadow, true)
            THEN 0 END) AS correct
    FROM {{calls}}"""  # noqa: S608 - our own names only
"""The calls of a call-level log in ``{calls}``."""


def _observed(side: str, taken: str) -> str:
    known = ", ".join(f"{side}_{name}" for name in _MEASURES)
    columns = ", ".join(f"{side}_{name} AS {name}" for name in _MEASURES)
    return f"""SELECT request_id, ts, task_category, {side}_model AS model, {columns}
        FROM {{log}} WHERE ({taken} OR coalesce({known}) IS NOT NULL)"""  # noqa: S608


SIDES = f"""
    {_observed("fast", "coalesce(policy_kind, 'cascade') = 'cascade' OR escalated IS FALSE")}
    UNION ALL
    {_observed("strong", "escalated IS TRUE")}"""
"""The calls that decisions in ``{log}`` show: the observed sides of each."""

# Where a model stands in several pairs, one call of it is on several rows.
ONCE = f"""
    SELECT request_id, model, {", ".join(f"any_value({name}) AS {name}" for name in ("ts", "task_category"))},
        {", ".join(f"any_value({name}) AS {name}" for name in _MEASURES)}
    FROM ({SIDES}) GROUP BY request_id, model"""  # noqa: S608

_SHARED_MODEL = """
    SELECT count(*) > 0 FROM (
        SELECT model FROM (
            SELECT DISTINCT fast_model, strong_model, unnest([fast_model, strong_model]) AS model
            FROM ladder WHERE dataset = $dataset)
        GROUP BY model HAVING count(*) > 1)"""

_BOTH = "FILTER (cost_usd IS NOT NULL AND correct IS NOT NULL)"
SUMS = {
    "calls": "count(*)",
    "graded": "count(correct)",
    "correct_sum": "coalesce(sum(correct), 0)::DOUBLE",
    "correct_sq": "coalesce(sum(correct * correct), 0)::DOUBLE",
    "cost_n": "count(cost_usd)",
    "cost_sum": "coalesce(sum(cost_usd), 0)::DOUBLE",
    "cost_sq": "coalesce(sum(cost_usd * cost_usd), 0)::DOUBLE",
    "both_n": f"count(*) {_BOTH}",
    "both_cost_sum": f"coalesce(sum(cost_usd) {_BOTH}, 0)::DOUBLE",
    "both_cost_sq": f"coalesce(sum(cost_usd * cost_usd) {_BOTH}, 0)::DOUBLE",
    "both_correct_sum": f"coalesce(sum(correct) {_BOTH}, 0)::DOUBLE",
    "both_correct_sq": f"coalesce(sum(correct * correct) {_BOTH}, 0)::DOUBLE",
    "cost_x_correct": "coalesce(sum(cost_usd * correct), 0)::DOUBLE",
    "latency_n": "count(latency_s)",
    "input_tokens": "sum(input_tokens)::BIGINT",
    "output_tokens": "sum(output_tokens)::BIGINT",
}
"""What adds up over calls -> its SQL; tokens are null where none is known."""
PERCENTILES = {"latency_p50_s": 0.5, "latency_p95_s": 0.95}
_COLUMNS = ", ".join(
    [
        *(f"{text} AS {name}" for name, text in SUMS.items()),
        *(f"quantile_cont(latency_s::DOUBLE, {share}) AS {name}" for name, share in PERCENTILES.items()),
    ]
)


def tier_table(
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    *,
    by: Grouping = "category",
    since: date | datetime | None = None,
    until: date | datetime | None = None,
    categories: Sequence[str | None] | None = None,
) -> pl.DataFrame:
    """Sums over the calls of each group.

    Args:
        cursor: A cursor of its own for this call.
        dataset: Name of the dataset.
        by: What a group is.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.
        categories: Categories that count, None or ``Uncategorised`` for calls without one; None for all.

    Returns:
        The columns of the grouping (task_category, tier, model, day; null: uncategorised, unknown tier,
        no time), in order with tiers cheapest first; calls, graded, correct_sum, correct_sq; cost_n,
        cost_sum (USD), cost_sq; over calls with grade and cost both_n, both_cost_sum, both_cost_sq,
        both_correct_sum, both_correct_sq, cost_x_correct; latency_n, latency_p50_s, latency_p95_s
        (seconds, linear quantiles, null where none is known); input_tokens, output_tokens (sums, null
        where none is known).
    """
    keys = ", ".join(GROUPINGS[by])
    order = ", ".join("list_position($tiers, tier)" if key == "tier" else key for key in GROUPINGS[by])
    wanted = None if categories is None else [UNCATEGORISED if name is None else name for name in categories]
    kept = tables.kept_cells(cursor, dataset)
    if kept is not None:
        return tier_sums(
            cursor,
            dataset,
            kept,
            keys=GROUPINGS[by],
            since=since,
            until=until,
            categories=wanted,
        )
    sql, table = _calls(cursor, dataset)
    statement = f"""
        WITH called AS ({sql})
        SELECT {keys}, {_COLUMNS} FROM (
            SELECT called.*, tier, CAST(ts AS DATE) AS day
            FROM called LEFT JOIN (SELECT model, tier FROM models WHERE dataset = $dataset) USING (model)
            WHERE ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
                AND ($categories IS NULL
                    OR list_contains($categories, coalesce(task_category, $uncategorised))))
        GROUP BY {keys} ORDER BY {order}"""  # noqa: S608 - our own names only
    values = {
        "dataset": dataset,
        **table,
        "since": since,
        "until": until,
        "categories": wanted,
        "uncategorised": UNCATEGORISED,
    }
    if "tier" in GROUPINGS[by]:
        values["tiers"] = list(TIERS)
    found: pl.DataFrame = cursor.sql(statement, params=values).pl()
    return found


def tier_estimates(table: pl.DataFrame, *, level: float = LEVEL) -> pl.DataFrame:
    """Estimates beside the sums of ``tier_table``.

    Args:
        table: As ``tier_table`` returns it.
        level: Coverage of the intervals.

    Returns:
        The columns of ``table`` and for each of accuracy, cost_per_call_usd and cost_per_correct_usd the
        value, ``_low``, ``_high`` and ``_reason`` (why it is null, else null); cost_usd (total of the
        known costs) and cost_usd_reason. Intervals: Wilson for grades of 0 and 1, else normal; log-scale
        delta for cost per correct answer. An interval needs two calls and is null below.
    """
    rows = [_estimated(row, level) for row in table.iter_rows(named=True)]
    return pl.concat([table, pl.DataFrame(rows, schema=_ESTIMATES)], how="horizontal")


_ESTIMATES: dict[str, Any] = {
    f"{name}{part}": pl.String if part == "_reason" else pl.Float64
    for name in ("accuracy", "cost_per_call_usd", "cost_per_correct_usd")
    for part in ("", "_low", "_high", "_reason")
} | {"cost_usd": pl.Float64, "cost_usd_reason": pl.String}


def _calls(cursor: duckdb.DuckDBPyConnection, dataset: str) -> tuple[str, dict[str, str]]:
    """SQL for the calls of a dataset, logged or the observed sides of its decisions, and its table."""
    form = cursor.execute("SELECT form FROM datasets WHERE name = ?", [dataset]).fetchall()
    if form == [("calls",)]:
        return LOGGED.format(calls=tables.CALLS), {"calls": tables.of(cursor, dataset, "calls")}
    table = {"decisions": tables.of(cursor, dataset, "decisions")}
    return (ONCE if shares_models(cursor, dataset) else SIDES).format(log=tables.DECISIONS), table


def shares_models(cursor: duckdb.DuckDBPyConnection, dataset: str) -> bool:
    """Whether a model stands in several pairs of a dataset, so that one call may be on several rows."""
    return cursor.execute(_SHARED_MODEL, {"dataset": dataset}).fetchall() == [(True,)]


def _estimated(row: dict[str, Any], level: float) -> dict[str, Any]:
    cost_reason = _cost_reason(row)
    return {
        **_named("accuracy", *_accuracy(row, level)),
        **_named("cost_per_call_usd", *_cost_per_call(row, level, cost_reason)),
        **_named("cost_per_correct_usd", *_cost_per_correct(row, level, cost_reason)),
        "cost_usd": None if cost_reason else row["cost_sum"],
        "cost_usd_reason": cost_reason,
    }


def _named(
    name: str, value: float | None, ends: tuple[float, float] | None, why: str | None
) -> dict[str, Any]:
    low, high = ends or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high, f"{name}_reason": why}


Figure = tuple[float | None, tuple[float, float] | None, str | None]


def _accuracy(row: dict[str, Any], level: float) -> Figure:
    n, total, squares = row["graded"], row["correct_sum"], row["correct_sq"]
    if not n:
        return None, None, "no call is graded"
    if total == squares:
        return total / n, wilson(total, n, level=level), None
    ends = mean_interval(total, squares, n, level=level)
    return total / n, ends and (max(ends[0], 0.0), min(ends[1], 1.0)), None


def _cost_per_call(row: dict[str, Any], level: float, reason: str | None) -> Figure:
    if reason:
        return None, None, reason
    value = row["cost_sum"] / row["cost_n"]
    ends = mean_interval(row["cost_sum"], row["cost_sq"], row["cost_n"], level=level)
    return value, ends and (max(ends[0], 0.0), ends[1]), None


def _cost_per_correct(row: dict[str, Any], level: float, reason: str | None) -> Figure:
    if reason:
        return None, None, reason
    if not row["both_n"]:
        return None, None, "no call has both a grade and a cost"
    if not row["both_correct_sum"]:
        return None, None, "no graded answer is correct"
    squares = (row["both_cost_sq"], row["both_correct_sq"], row["cost_x_correct"])
    ends = ratio_interval(row["both_cost_sum"], row["both_correct_sum"], squares, row["both_n"], level=level)
    finite = ends if ends and math.isfinite(ends[1]) else None
    return row["both_cost_sum"] / row["both_correct_sum"], finite, None


def _cost_reason(row: dict[str, Any]) -> str | None:
    if not row["cost_n"]:
        return "no cost is known"
    if row["cost_n"] < MIN_COST_COVERAGE * row["calls"]:
        return f"the cost of only {row['cost_n']:,} of {row['calls']:,} calls is known"
    return None
