"""The waist of the road: one GROUP BY that turns decisions into sufficient statistics.

A cell is every request that agrees in category, pair, arm, fold, confidence and in what of it was
observed. Its columns are counts, sums, sums of squares and of products, so cells of parts add up to
the cells of the whole. It is the only thing that scans a log.
"""

from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

MOST_CELLS = 500_000
MOST_PROBABILITIES = 100

KEYS = (
    "task_category", "fast_model", "strong_model", "policy_kind", "confidence_kind", "experiment", "arm",
    "fold", "confidence", "propensity", "sampling_probability", "fast_graded", "strong_graded",
    "fast_cost_known", "strong_cost_known", "escalated", "unit_first",
)  # fmt: skip

# Grades in between are rounded by one hash per request, the same for both sides, so that their
# expectation stays (CERTIFICATE: exact tests need counts). Grades of 0 and 1 need no hash.
_ROUND = "'tiertune-grade' || request_id"
_U = f"(('0x' || md5({_ROUND})[1:8])::UINTEGER::DOUBLE / 4294967296.0)"


def _rounded(grade: str) -> str:
    return f"CASE WHEN {grade} > 0 AND {grade} < 1 THEN {_U} < {grade} ELSE {grade} >= 1 END"


def _probability(column: str) -> str:
    return f"CASE WHEN $bin_{column} THEN least(floor({column} * 20) + 0.5, 19.5) / 20 ELSE {column} END"


_BOTH = "fast_correct IS NOT NULL AND strong_correct IS NOT NULL"
_SUMS: dict[str, str] = {
    "n": "count(*)",
    **{
        f"{side}_{measure}_{name}": f"coalesce(sum({power}), 0)::DOUBLE"
        for side in ("fast", "strong")
        for measure, column in (("correct", f"{side}_correct"), ("cost", f"{side}_cost_usd"))
        for name, power in (("sum", column), ("sq", f"{column} * {column}"))
    },
    **{
        f"{side}_latency_{name}": sql
        for side in ("fast", "strong")
        for name, sql in (
            ("n", f"count({side}_latency_s)"),
            ("sum", f"coalesce(sum({side}_latency_s), 0)"),
            ("sq", f"coalesce(sum({side}_latency_s * {side}_latency_s), 0)"),
        )
    },
    "correct_x": "coalesce(sum(fast_correct * strong_correct), 0)",
    "fast_correct_x_cost": "coalesce(sum(fast_correct * fast_cost_usd), 0)",
    "strong_correct_x_cost": "coalesce(sum(strong_correct * strong_cost_usd), 0)",
    "strong_correct_x_fast_cost": "coalesce(sum(strong_correct * fast_cost_usd), 0)",
    "cost_x": "coalesce(sum(fast_cost_usd * strong_cost_usd), 0)",
    "latency_x": "coalesce(sum(fast_latency_s * strong_latency_s), 0)",
    "router_cost_sum": "coalesce(sum(router_cost_usd), 0)",
    "router_latency_sum": "coalesce(sum(router_latency_s), 0)",
    "gain_sum": "coalesce(sum(greatest(strong_correct - fast_correct, 0)), 0)",
    "gain_n": "count(*) FILTER (strong_correct > fast_correct)",
    "gain_cost_sum": "coalesce(sum(strong_cost_usd) FILTER (strong_correct > fast_correct), 0)",
    "gain_latency_sum": "coalesce(sum(strong_latency_s) FILTER (strong_correct > fast_correct), 0)",
    "rounded_fast": f"count(*) FILTER ({_BOTH} AND {_rounded('fast_correct')})",
    "rounded_strong": f"count(*) FILTER ({_BOTH} AND {_rounded('strong_correct')})",
    "rounded_both": (
        f"count(*) FILTER ({_BOTH} AND {_rounded('fast_correct')} AND {_rounded('strong_correct')})"
    ),
}  # fmt: skip
COUNTS = (
    "n",
    "fast_latency_n",
    "strong_latency_n",
    "gain_n",
    "rounded_fast",
    "rounded_strong",
    "rounded_both",
)
SUMS = tuple(_SUMS)

_SOURCES = {
    "table": "(SELECT * FROM decisions WHERE dataset = $source)",
    "file": "read_parquet($source, hive_partitioning = false)",
}
_WINDOW = "($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"


def _collapse(kind: str) -> str:
    computed = {
        "policy_kind": "coalesce(policy_kind, 'cascade')",
        "propensity": _probability("propensity"),
        "sampling_probability": _probability("sampling_probability"),
        "fast_graded": "fast_correct IS NOT NULL",
        "strong_graded": "strong_correct IS NOT NULL",
        "fast_cost_known": "fast_cost_usd IS NOT NULL",
        "strong_cost_known": "strong_cost_usd IS NOT NULL",
    }
    keys = [f"{computed.get(key, key)} AS {key}" for key in KEYS]
    sums = [f"{sql} AS {name}" for name, sql in _SUMS.items()]
    positions = ", ".join(str(position + 1) for position in range(len(KEYS)))
    return f"SELECT {', '.join(keys + sums)} FROM {_SOURCES[kind]} WHERE {_WINDOW} GROUP BY {positions}"  # noqa: S608


_COLLAPSE = {kind: _collapse(kind) for kind in _SOURCES}
_PROBABILITIES = {
    kind: (
        "SELECT approx_count_distinct(propensity), approx_count_distinct(sampling_probability) "  # noqa: S608
        f"FROM {source} WHERE {_WINDOW}"
    )
    for kind, source in _SOURCES.items()
}


def cells(
    cursor: duckdb.DuckDBPyConnection,
    source: str | Path,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
) -> pl.DataFrame:
    """Sufficient statistics of a log, one row per cell.

    Args:
        cursor: A cursor of its own for this call.
        source: A dataset's name, or the path of a Parquet file with the columns of ``decisions``.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.

    Returns:
        ``KEYS`` (null where not observed; ``confidence`` null is a missing confidence) and ``SUMS``:
        counts as Int64, sums over what was observed as Float64 (USD, seconds, grades). At most
        ``MOST_CELLS`` rows: beyond that confidences are floored to multiples of 2**-10, 2**-9, ...
    """
    kind = "file" if isinstance(source, Path) else "table"
    window = {"source": str(source), "since": since, "until": until}
    (distinct,) = cursor.execute(_PROBABILITIES[kind], window).fetchall()
    bins = {
        f"bin_{column}": count > MOST_PROBABILITIES
        for column, count in zip(("propensity", "sampling_probability"), distinct, strict=True)
    }
    frame = cursor.sql(_COLLAPSE[kind], params={**window, **bins}).pl()
    return _within_limit(frame.with_columns(pl.col(COUNTS).cast(pl.Int64)))


def added(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Cells of the whole from the cells of its parts."""
    return pl.concat(parts).group_by(KEYS).agg(pl.col(SUMS).sum())


def _within_limit(frame: pl.DataFrame) -> pl.DataFrame:
    """The cells, with confidences floored to binary fractions until there are few enough."""
    for exponent in (10, 9, 8, 7):
        if frame.height <= MOST_CELLS:
            break
        steps = 2**exponent
        frame = added([frame.with_columns((pl.col("confidence") * steps).floor() / steps)])
    return frame
