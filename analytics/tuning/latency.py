"""Latency by confidence as mergeable histograms, and percentiles of routes from them.

Bins are 1% wide on a log scale, so a percentile is exact to half a percent and histograms of parts add.
"""

from collections.abc import Mapping
from datetime import date, datetime

import duckdb
import numpy as np
import polars as pl

from analytics.estimate import Floats
from analytics.tuning.cells import SHADOW_PROBABILITY

STEPS = 128
WIDTH = 1.01
QUANTILE = 0.95
LEAST_COVERED = 0.95

_ROUTES = {
    "keep": (
        "CASE policy_kind WHEN 'predictive' THEN coalesce(router_latency_s, 0) ELSE 0 END + fast_latency_s"
    ),
    "escalate": (
        "CASE policy_kind WHEN 'predictive' THEN coalesce(router_latency_s, 0) ELSE fast_latency_s END"
        " + strong_latency_s"
    ),
    "strong": "strong_latency_s",
}
_HISTOGRAM = """
SELECT task_category, fast_model, strong_model, coalesce(policy_kind, 'cascade') AS policy_kind, arm,
       coalesce(floor(confidence * 128)::SMALLINT, -1) AS step, '{name}' AS route,
       floor(ln(greatest({latency}, 1e-6)) / ln(1.01))::INTEGER AS bin, count(*) AS n,
       sum({weight}) AS weight
FROM {{log}} WHERE {latency} IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 8"""
_ROWS = """
SELECT task_category, fast_model, strong_model, coalesce(policy_kind, 'cascade') AS policy_kind, arm,
       coalesce(floor(confidence * 128)::SMALLINT, -1) AS step, 'rows' AS route, 0 AS bin, count(*) AS n,
       count(*)::DOUBLE AS weight
FROM {log} GROUP BY 1, 2, 3, 4, 5, 6"""
_WEIGHT = {
    "keep": "1.0",
    **dict.fromkeys(
        ("escalate", "strong"),
        f"CASE WHEN escalated IS NOT FALSE THEN 1.0 ELSE 1 / coalesce({SHADOW_PROBABILITY}, 1) END",
    ),
}
_PARTS = [
    _HISTOGRAM.format(name=name, latency=f"({sql})", weight=_WEIGHT[name]) for name, sql in _ROUTES.items()
]
SQL = " UNION ALL ".join([*_PARTS, _ROWS])
"""The histograms over ``{log}``, a relation with the columns of ``decisions``."""
_WINDOW = """(
    SELECT * FROM query_table(['decisions', $source], true)
    WHERE ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until))"""


def latency_cells(
    cursor: duckdb.DuckDBPyConnection,
    source: str,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
) -> pl.DataFrame:
    """Histograms of the latency if kept and if escalated, by confidence floored to multiples of 2**-7.

    ``source`` is a dataset's table, as ``storage.tables.of`` names it.

    Returns:
        Columns task_category, fast_model, strong_model, policy_kind, arm, step (0 to 128, -1 for a
        missing confidence), route (``keep``, ``escalate``, ``strong`` for the strong call alone; ``rows``
        counts all requests), bin (latency in seconds is 1.01**bin and up), n, weight (rows divided by
        their sampling probability).
    """
    window = {"source": source, "since": since, "until": until}
    found: pl.DataFrame = cursor.sql(SQL.format(log=_WINDOW), params=window).pl()
    return found


def histograms_by_category(
    histograms: pl.DataFrame,
    pairs: Mapping[str, tuple[str, str]],
    *,
    policy_kind: str,
    arm: str | None = None,
    without_missing: bool = False,
) -> dict[str, pl.DataFrame]:
    """The histograms of each category's pair.

    Args:
        histograms: Rows of ``latency_cells``.
        pairs: Of each category the (fast, strong) pair.
        policy_kind: ``cascade`` or ``predictive``.
        arm: The only arm of an experiment that counts; None for all.
        without_missing: Leave requests without a confidence out.
    """
    parts = histograms.partition_by("task_category", as_dict=True, maintain_order=False)
    found = {}
    for name, (fast, strong) in pairs.items():
        wanted = (
            (pl.col("policy_kind") == policy_kind)
            & pl.col("fast_model").eq_missing(pl.lit(fast))
            & pl.col("strong_model").eq_missing(pl.lit(strong))
        )
        if arm is not None:
            wanted &= pl.col("arm") == arm
        if without_missing:
            wanted &= pl.col("step") >= 0
        found[name] = parts.get((name,), histograms.clear()).filter(wanted)
    return found


def p95_curve(histograms: pl.DataFrame, confidence: Floats, *, on_missing: str = "escalate") -> Floats | None:
    """95th percentile of latency at each threshold, seconds.

    Args:
        histograms: Rows of ``latency_cells`` of the requests in question.
        confidence: The distinct confidences that are thresholds, ascending, shape ``(m,)``.
        on_missing: What a missing confidence does (``escalate`` or ``keep``).

    Returns:
        Shape ``(m + 1,)``, the last for "escalate all"; NaN where less than 95% of the requests have
        the latency that their route needs. None where the log has no latencies.
    """
    by_step = p95_by_step(histograms, on_missing=on_missing)
    return None if by_step is None else at_steps(by_step, confidence)


def at_steps(by_step: Floats, confidence: Floats) -> Floats:
    """The values of ``p95_by_step`` at each threshold and at "escalate all", shape ``(m + 1,)``."""
    found: Floats = by_step[np.append(np.floor(confidence * STEPS).astype(int), STEPS + 1)]
    return found


def p95_by_step(histograms: pl.DataFrame, *, on_missing: str = "escalate") -> Floats | None:
    """95th percentile of latency at each multiple of 2**-7, seconds, and at "escalate all".

    Args:
        histograms: Rows of ``latency_cells`` of the requests in question.
        on_missing: What a missing confidence does (``escalate`` or ``keep``).

    Returns:
        Shape ``(STEPS + 2,)``; NaN and None as in ``p95_curve``.
    """
    timed = histograms.filter(pl.col("route") != "rows")
    if timed.height == 0:
        return None
    first = int(timed["bin"].to_numpy().min())
    shape = (STEPS + 2, int(timed["bin"].to_numpy().max()) - first + 1)
    tables = {}
    for route in ("keep", "escalate"):
        part = timed.filter(pl.col("route") == route)
        table = np.zeros(shape)
        np.add.at(
            table, (part["step"].to_numpy() + 1, part["bin"].to_numpy() - first), part["weight"].to_numpy()
        )
        tables[route] = table
    rows = np.zeros(STEPS + 2)
    counted = histograms.filter(pl.col("route") == "rows")
    np.add.at(rows, counted["step"].to_numpy() + 1, counted["weight"].to_numpy())
    above = np.concatenate([np.cumsum(tables["keep"][:0:-1], axis=0)[::-1], np.zeros((1, shape[1]))])
    below = np.concatenate([np.zeros((1, shape[1])), np.cumsum(tables["escalate"][1:], axis=0)])
    mixed = np.cumsum(above + below + tables[on_missing][0], axis=1)
    total = mixed[:, -1]
    place = (mixed < QUANTILE * total[:, None]).sum(axis=1)
    middle = WIDTH ** (first + place + 0.5)
    by_step: Floats = np.where(total >= LEAST_COVERED * rows.sum(), middle, np.nan)
    return by_step


RouteBins = tuple[pl.DataFrame, float]
"""Weights by ``bin`` of the latencies that a rule needs of a category, and how many requests there are."""


def mixed_p95(parts: list[tuple[pl.DataFrame, str, float | None, str]]) -> float | None:
    """95th percentile of latency over categories that take different routes, seconds.

    Args:
        parts: Of each category its ``latency_cells``, its route, its threshold (None without one) and
            what a missing confidence does (``escalate`` or ``keep``).

    Returns:
        The middle of the bin; None where less than 95% of the requests have the latency they need.
    """
    return p95_of([route_bins(*part) for part in parts])


def route_bins(frame: pl.DataFrame, route: str, threshold: float | None, on_missing: str) -> RouteBins:
    """The latencies of one category under one rule; arguments as ``mixed_p95`` has them."""
    counted = pl.col("route") == "rows"
    rows = float(frame.filter(counted)["weight"].sum())
    step = 0 if threshold is None else int(np.floor(threshold * STEPS))
    below = pl.when(pl.col("step") < 0).then(on_missing == "escalate").otherwise(pl.col("step") < step)
    escalated = pl.lit(value=False) if route == "fast_only" else below
    wanted = pl.when(escalated).then(pl.lit("escalate")).otherwise(pl.lit("keep"))
    if route == "strong_only":
        wanted = pl.lit("strong")
    found = frame.filter(~counted & (pl.col("route") == wanted))
    return found.group_by("bin").agg(pl.col("weight").sum()), rows


def p95_of(parts: list[RouteBins]) -> float | None:
    """The percentile of several categories together, as ``mixed_p95`` has it."""
    if not parts:
        return None
    rows = sum(size for _, size in parts)
    table = pl.concat([bins for bins, _ in parts]).group_by("bin").agg(pl.col("weight").sum()).sort("bin")
    total = float(table["weight"].sum())
    if total == 0 or total < LEAST_COVERED * rows:
        return None
    place = int(np.searchsorted(table["weight"].cum_sum().to_numpy(), QUANTILE * total))
    return float(WIDTH ** (table["bin"][min(place, table.height - 1)] + 0.5))
