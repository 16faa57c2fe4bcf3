"""The waist of the road: one GROUP BY that turns decisions into sufficient statistics.

A cell is every request that agrees in category, pair, arm, fold, confidence and in what of it was
observed. Its columns are counts, sums, sums of squares and of products, so cells of parts add up to
the cells of the whole. It is the only thing that scans a log.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from analytics.tuning.halves import HALF

MOST_CELLS = 500_000
MOST_PROBABILITIES = 100

KEYS = (
    "task_category", "fast_model", "strong_model", "policy_kind", "confidence_kind", "experiment", "arm",
    "fold", "confidence", "propensity", "sampling_probability", "grade_probability", "fast_graded",
    "strong_graded", "fast_cost_known", "strong_cost_known", "escalated",
)  # fmt: skip
UNIT_FIRST = "unit_first"
"""A key on request: true for the row of a unit and pair with both grades and the smallest MD5 of its id.

Tests that need one row per user ask for it; finding it takes as long as all other cells together.
"""

BINNED = {name: f"$bin_{name}" for name in ("propensity", "sampling_probability")}
"""Probability -> the condition in ``sql`` under which it is binned: where there are very many of them."""

# Grades in between are rounded by one hash per request, the same for both sides, so that their
# expectation stays (CERTIFICATE: exact tests need counts). Grades of 0 and 1 need no hash.
_ROUND = "'tiertune-grade' || request_id"
_U = f"(('0x' || md5({_ROUND})[1:8])::UINTEGER::DOUBLE / 4294967296.0)"


def _rounded(grade: str) -> str:
    return f"CASE WHEN {grade} > 0 AND {grade} < 1 THEN {_U} < {grade} ELSE {grade} >= 1 END"


def _portable(probability: str) -> str:
    # Powers differ in their last digit from engine to engine, and a key must be the same on all.
    return f"greatest(round({probability}, 12), 1e-12)"


def _probability(column: str, value: str) -> str:
    # Bins of 1% on a log scale: a weight is the reciprocal, so small probabilities need fine ones.
    binned = f"least({_portable(f'pow(1.01, round(ln({value}) / ln(1.01)))')}, 1.0)"
    # Without the second condition an unknown one would become 1: least() passes over nulls.
    return f"CASE WHEN {BINNED[column]} AND {value} IS NOT NULL THEN {binned} ELSE {value} END"


SHADOW_PROBABILITY = """CASE WHEN grade_probability IS NULL THEN sampling_probability
    WHEN sampling_probability < grade_probability * (1 - 1e-9)
    THEN round(sampling_probability / grade_probability, 12) END"""
"""Probability of the shadow answer alone: a log has the product of it and that of the grade."""


def _propensity() -> str:
    # Bins of 1% of the odds: the action that was not taken has the rest of the probability.
    odds = "pow(1.01, round(ln(propensity / (1 - propensity)) / ln(1.01)))"
    shared = _portable(f"{odds} / (1 + {odds})")
    binned = f"CASE WHEN propensity < 1 THEN {shared} ELSE propensity END"
    return f"CASE WHEN {BINNED['propensity']} THEN {binned} ELSE propensity END"


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
    "rounded_fast": f"count(*) FILTER ({_rounded('fast_correct')})",
    "rounded_strong": f"count(*) FILTER ({_rounded('strong_correct')})",
    "rounded_both": f"count(*) FILTER ({_rounded('fast_correct')} AND {_rounded('strong_correct')})",
}  # fmt: skip
_GAINED = "(strong_correct > fast_correct)::TINYINT"
# Two fifths of the time that cells take are spent on these; where every grade is 0 or 1 others say the same.
_OF_WHOLE_GRADES = {
    **dict.fromkeys(("fast_correct_sq", "rounded_fast"), _SUMS["fast_correct_sum"]),
    **dict.fromkeys(("strong_correct_sq", "rounded_strong"), _SUMS["strong_correct_sum"]),
    "rounded_both": _SUMS["correct_x"],
    **dict.fromkeys(("gain_sum", "gain_n"), f"coalesce(sum({_GAINED}), 0)::DOUBLE"),
    "gain_cost_sum": f"coalesce(sum(strong_cost_usd * {_GAINED}), 0)",
    "gain_latency_sum": f"coalesce(sum(strong_latency_s * {_GAINED}), 0)",
}
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
    "table": "query_table(['decisions', $source], true)",
    "file": "read_parquet($source, hive_partitioning = false)",
}
# Units are told apart over the whole log, whatever the window.
_MARKED = """(
    WITH log AS (SELECT *, coalesce(unit_id, request_id) AS unit FROM {source}),
    firsts AS (
        SELECT fast_model, strong_model, unit, min(md5(request_id)) AS first
        FROM log WHERE {both} GROUP BY ALL)
    SELECT log.*, coalesce({both} AND md5(request_id) = first, false) AS unit_first
    FROM log LEFT JOIN firsts ON log.unit = firsts.unit
        AND log.fast_model IS NOT DISTINCT FROM firsts.fast_model
        AND log.strong_model IS NOT DISTINCT FROM firsts.strong_model)"""
_WINDOW = "($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"


_COMPUTED = {
    "policy_kind": "coalesce(policy_kind, 'cascade')",
    "propensity": _propensity(),
    "sampling_probability": _probability("sampling_probability", f"({SHADOW_PROBABILITY})"),
    "fast_graded": "fast_correct IS NOT NULL",
    "strong_graded": "strong_correct IS NOT NULL",
    "fast_cost_known": "fast_cost_usd IS NOT NULL",
    "strong_cost_known": "strong_cost_usd IS NOT NULL",
}
_FIXED = {
    "policy_kind": "'cascade'",
    **dict.fromkeys(("confidence_kind", "experiment", "arm"), "NULL::VARCHAR"),
    **dict.fromkeys(("propensity", "sampling_probability", "grade_probability"), "NULL::DOUBLE"),
}
"""Key -> its value in a log without such a column. Most logs lack some, and each key takes its time."""
_OBSERVED = ("fast_graded", "strong_graded", "fast_cost_known", "strong_cost_known")
_PACKED = "observed"
"""Four keys as one number while rows are grouped: each key takes its time."""
_BY_TIME = f"CASE WHEN ts < $cut THEN fold % {HALF} ELSE {HALF} + fold % {HALF} END::UTINYINT"


def sql(keys: Sequence[str] = KEYS, sums: Sequence[str] = SUMS, *, whole: bool = False) -> dict[str, str]:
    """Column of the cells -> its SQL over ``decisions``, with the placeholders of ``BINNED``.

    Args:
        keys: Some of ``KEYS``.
        sums: Some of ``SUMS``.
        whole: Whether every grade is known to be 0 or 1: sums are the same, in three fifths of the time.
    """
    texts = _SUMS | _OF_WHOLE_GRADES if whole else _SUMS
    return {key: _COMPUTED.get(key, key) for key in keys} | {name: texts[name] for name in sums}


def whole_grades(
    cursor: duckdb.DuckDBPyConnection, relation: str, params: Mapping[str, object] | None = None
) -> bool:
    """Whether every grade of a relation, as it stands after FROM, is 0, 1 or unknown."""
    query = f"""SELECT EXISTS (SELECT 1 FROM {relation}
        WHERE fast_correct NOT IN (0, 1) OR strong_correct NOT IN (0, 1))"""  # noqa: S608 - our own names only
    ((between,),) = cursor.execute(query, dict(params or {})).fetchall()
    return not between


def _collapse(
    kind: str,
    keys: Sequence[str],
    sums: Sequence[str],
    *,
    by_time: bool,
    fixed: Collection[str] = (),
    whole: bool = False,
    window: bool = True,
) -> str:
    unknown = [name for name in (*keys, *sums) if name not in (*KEYS, *SUMS, UNIT_FIRST)]
    if unknown:
        raise ValueError(f"cells have no columns {', '.join(unknown)}")
    texts = sql(keys, sums, whole=whole) | {key: _FIXED[key] for key in keys if key in fixed}
    if by_time and "fold" in keys:
        texts["fold"] = _BY_TIME
    bits = {key: 1 << bit for bit, key in enumerate(key for key in keys if key in _OBSERVED)}
    found = {key: f"({_PACKED} & {bit}) <> 0" for key, bit in bits.items()}
    packed = " | ".join(f"(({texts.pop(key)})::UTINYINT * {bit})::UTINYINT" for key, bit in bits.items())
    inner = {_PACKED: packed, **texts} if packed else texts
    columns = ", ".join(f"{text} AS {name}" for name, text in inner.items())
    # By place, since a name would mean the column of the log and not what is made of it.
    groups = ", ".join(
        str(place)
        for place, name in enumerate(inner, 1)
        if name == _PACKED or (name in keys and name not in fixed)
    )
    source = _SOURCES[kind]
    if UNIT_FIRST in keys:
        source = _MARKED.format(source=source, both=_BOTH)
    shown = ", ".join(f"{found.get(name, name)} AS {name}" for name in (*keys, *sums))
    where = f"WHERE {_WINDOW}" if window else ""
    return f"SELECT {shown} FROM (SELECT {columns} FROM {source} {where} GROUP BY {groups})"  # noqa: S608


_PROBABILITIES = {
    kind: (
        "SELECT approx_count_distinct(propensity), approx_count_distinct(sampling_probability) "  # noqa: S608
        f"FROM {source} WHERE {_WINDOW}"
    )
    for kind, source in _SOURCES.items()
}


def _fixed(cursor: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Keys that are the same in every row of a table, as it has no column for them."""
    held = cursor.execute(
        """SELECT column_name FROM duckdb_columns()
           WHERE table_name = ? AND database_name = current_database()""",
        [table],
    ).fetchall()
    return _FIXED.keys() - {name for (name,) in held} if held else set()


def cells(
    cursor: duckdb.DuckDBPyConnection,
    source: str | Path,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
    cut: datetime | None = None,
    keys: Sequence[str] = KEYS,
    sums: Sequence[str] = SUMS,
) -> pl.DataFrame:
    """Sufficient statistics of a log, one row per cell.

    Args:
        cursor: A cursor of its own for this call.
        source: A dataset's table (``storage.tables.of``), or the path of a Parquet file with the columns of
            ``decisions``.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.
        cut: Time whose sides become the two halves of the folds, see ``halves``; every request has one.
        keys: Some of ``KEYS``, for a question that needs no more: fewer and larger cells; or
            ``UNIT_FIRST`` beside them.
        sums: Some of ``SUMS``; each one left out saves time.

    Returns:
        ``keys`` (null where not observed; ``confidence`` null is a missing confidence; ``grade_probability``
        is that with which a joined grade was drawn, ``sampling_probability`` what is left of it: that of
        the shadow answer) and ``sums``:
        counts as Int64, sums over what was observed as Float64 (USD, seconds, grades). At most
        ``MOST_CELLS`` rows: beyond that confidences are floored to multiples of 2**-10, 2**-9, ...
    """
    kind = "file" if isinstance(source, Path) else "table"
    window = {"source": str(source), "since": since, "until": until}
    limited = since is not None or until is not None
    fixed = set() if kind == "file" else _fixed(cursor, str(source))
    if fixed.issuperset(keys):
        fixed = set()  # without any GROUP BY, no row would still be a cell
    sampled = [key for key in BINNED if key in keys and key not in fixed]
    bins: dict[str, bool] = {}
    if sampled:
        (distinct,) = cursor.execute(_PROBABILITIES[kind], window).fetchall()
        counts = dict(zip(BINNED, distinct, strict=True))
        bins = {f"bin_{key}": counts[key] > MOST_PROBABILITIES for key in sampled}
    whole = not _OF_WHOLE_GRADES.keys().isdisjoint(sums) and whole_grades(
        cursor, _SOURCES[kind], {"source": str(source)}
    )
    by_time = cut is not None and "fold" in keys
    limits = window if limited else {"source": str(source)}
    asked = {**limits, **bins, **({"cut": cut} if by_time else {})}
    statement = _collapse(kind, keys, sums, by_time=by_time, fixed=fixed, whole=whole, window=limited)
    frame = cursor.sql(statement, params=asked).pl()
    counted = [name for name in sums if name in COUNTS]
    return within_limit(frame.with_columns(pl.col(counted).cast(pl.Int64)))


def added(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Cells of the whole from the cells of its parts."""
    whole = pl.concat(parts)
    keys = [name for name in whole.columns if name not in SUMS]
    return whole.group_by(keys).agg(pl.exclude(keys).sum())


def within_limit(frame: pl.DataFrame) -> pl.DataFrame:
    """The cells, with confidences floored to binary fractions until there are few enough."""
    for exponent in (10, 9, 8, 7):
        if frame.height <= MOST_CELLS or "confidence" not in frame.columns:
            break
        steps = 2**exponent
        frame = added([frame.with_columns((pl.col("confidence") * steps).floor() / steps)])
    return frame
