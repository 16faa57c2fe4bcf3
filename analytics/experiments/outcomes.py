"""What every arm's requests cost and got right, aggregated in the database by what was assigned.

A request counts for the arm that it was assigned to, whatever route it took. Its outcome is that of the
served answer; its cost and latency are those of the calls that serving it took, shadow calls left out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import polars as pl

from analytics.experiments import from_cells
from analytics.experiments.moments import FEATURES, KNOWN, PRODUCTS, Moments
from analytics.logs.storage import tables

if TYPE_CHECKING:
    from analytics.logs.store import Store

Unit = Literal["request", "unit"]

MOST_UNITS = 20_000
"""Above this many units they are dealt into ``BUCKETS`` by a hash of their name.

A bucket is a unit as well, so variances stay unbiased; only degrees of freedom, of which a thousand are
left, are given up.
"""
BUCKETS = 1_024

_SEEN = {side: f"coalesce({side}_correct, {side}_cost_usd, {side}_latency_s)" for side in ("fast", "strong")}
_TAKEN = f"""coalesce(escalated,
    CASE WHEN {_SEEN["fast"]} IS NULL AND {_SEEN["strong"]} IS NOT NULL THEN true
        WHEN {_SEEN["fast"]} IS NOT NULL AND {_SEEN["strong"]} IS NULL THEN false END)"""
_FIRST = "coalesce(policy_kind, 'cascade') = 'cascade'"


def _spent(fast: str, strong: str, router: str) -> str:
    return f"""CASE WHEN taken THEN {strong} + CASE WHEN {_FIRST} THEN {fast} ELSE 0 END
        WHEN NOT taken THEN {fast} END + coalesce({router}, 0)"""


SERVED = f"""
    SELECT request_id, coalesce(unit_id, request_id) AS unit, experiment, arm, ts, task_category, taken,
        fast_model, strong_model, confidence, threshold, propensity, policy_kind,
        strong_cost_usd AS strong_cost, fast_correct, strong_correct,
        CASE WHEN taken THEN strong_correct WHEN NOT taken THEN fast_correct END AS correct,
        {_spent("fast_cost_usd", "strong_cost_usd", "router_cost_usd")} AS cost,
        {_spent("fast_latency_s", "strong_latency_s", "router_latency_s")} AS latency
    FROM (SELECT *, {_TAKEN} AS taken FROM {{log}}) AS told"""  # noqa: S608 - our own names only
"""One row per request of ``{log}``, with the columns of ``decisions``, as every engine can read it."""
_DECISIONS = f"""{SERVED.format(log=tables.DECISIONS)}
    WHERE ($fast IS NULL OR fast_model = $fast) AND ($strong IS NULL OR strong_model = $strong)"""

# A failed call that was served is a wrong answer, not a missing one; the last served call is the answer.
_GRADE = "coalesce(correct, CASE WHEN status IN ('error', 'timeout') THEN 0 END)"
_CALLS = f"""
    SELECT called.*, taken, fast_model, strong_model, d.confidence, d.threshold, d.propensity, d.policy_kind,
        d.strong_cost_usd AS strong_cost, fast_correct, strong_correct
    FROM (
        SELECT request_id, min(coalesce(unit_id, request_id)) AS unit, min(experiment) AS experiment,
            min(arm) AS arm, min(ts) AS ts, min(task_category) AS task_category,
            last({_GRADE} ORDER BY call_index, ts) FILTER (coalesce(served, true)) AS correct,
            CASE WHEN count(cost_usd) = count(*)
                THEN sum(cost_usd) + coalesce(max(router_cost_usd), 0) END AS cost,
            CASE WHEN count(latency_s) = count(*)
                THEN sum(latency_s) + coalesce(max(router_latency_s), 0) END AS latency
        FROM {tables.CALLS} WHERE NOT coalesce(shadow, false) GROUP BY request_id) AS called
    LEFT JOIN (
        SELECT *, {_TAKEN} AS taken FROM {tables.DECISIONS}) AS d USING (request_id)
    WHERE ($fast IS NULL OR fast_model = $fast) AND ($strong IS NULL OR strong_model = $strong)"""  # noqa: S608
# The last served call has the first place; one without a number or time comes last, as in the row above.
_LATE = "CASE WHEN {0} IS NULL THEN 1 ELSE 0 END DESC, {0} DESC"
SERVED_CALLS = f"""
    SELECT called.request_id, unit, experiment, arm, ts, task_category, taken, fast_model, strong_model,
        correct, cost, latency
    FROM (
        SELECT request_id, min(coalesce(unit_id, request_id)) AS unit, min(experiment) AS experiment,
            min(arm) AS arm, min(ts) AS ts, min(task_category) AS task_category,
            max(CASE WHEN place = 1 AND coalesce(served, true) THEN {_GRADE} END) AS correct,
            CASE WHEN count(cost_usd) = count(*)
                THEN sum(cost_usd) + coalesce(max(router_cost_usd), 0) END AS cost,
            CASE WHEN count(latency_s) = count(*)
                THEN sum(latency_s) + coalesce(max(router_latency_s), 0) END AS latency
        FROM (
            SELECT *, row_number() OVER (PARTITION BY request_id, coalesce(served, true)
                ORDER BY {_LATE.format("call_index")}, {_LATE.format("ts")}) AS place
            FROM {{calls}} WHERE NOT coalesce(shadow, false)) AS placed GROUP BY request_id) AS called
    LEFT JOIN (
        SELECT request_id, {_TAKEN} AS taken, fast_model, strong_model FROM {{log}}) AS paired
        ON paired.request_id = called.request_id"""  # noqa: S608 - our own names only
"""The same of a log with one row per call, ``{calls}``, and the decisions that its calls make, ``{log}``."""
_FORMS = {"decisions": _DECISIONS, "calls": _CALLS}

_WINDOW = "($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"
_CATEGORIES = "($categories IS NULL OR list_contains($categories, coalesce(task_category, $uncategorised)))"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests of a log an experiment is read from.

    Attributes:
        dataset: Name of the log.
        experiment: Name of the experiment; None for arms without one.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.
        categories: Categories that count, ``Uncategorised`` for none; None for all.
        fast: Only requests of this fast model; None for all.
        strong: Only requests of this strong model; None for all.
        whole_log: Every request counts, whatever its experiment, in one arm named ``WHOLE``.
    """

    dataset: str
    experiment: str | None
    since: date | datetime | None = None
    until: date | datetime | None = None
    categories: tuple[str, ...] | None = None
    fast: str | None = None
    strong: str | None = None
    whole_log: bool = False


WHOLE = "log"


@contextmanager
def requests(store: "Store", scope: Scope) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, dict[str, Any]]]:
    """A cursor, SQL for one row per request of the log, and the values that this SQL needs.

    The rows are those of all experiments and of none; ``within`` says which are the experiment's.
    """
    from analytics.logs.schema import UNCATEGORISED  # noqa: PLC0415 - one name

    with store.cursor() as cursor:
        found = cursor.execute("SELECT form FROM datasets WHERE name = ?", [scope.dataset]).fetchone()
        form = "calls" if found == ("calls",) else "decisions"
        values: dict[str, Any] = {
            "decisions": tables.of(cursor, scope.dataset, "decisions"),
            "fast": scope.fast,
            "strong": scope.strong,
        }
        if form == "calls":
            values["calls"] = tables.of(cursor, scope.dataset, "calls")
        within = f"{_WINDOW} AND {_CATEGORIES}"
        if not scope.whole_log:
            values["experiment"] = scope.experiment
            within += " AND arm IS NOT NULL AND experiment IS NOT DISTINCT FROM $experiment"
        arm = f" REPLACE ('{WHOLE}' AS arm)" if scope.whole_log else ""
        asked = {
            "since": scope.since,
            "until": scope.until,
            "categories": None if scope.categories is None else list(scope.categories),
            "uncategorised": UNCATEGORISED,
        }
        sql = f"SELECT *{arm}, {within} AS within FROM ({_FORMS[form]})"  # noqa: S608 - our own names only
        yield cursor, sql, values | asked


VALUES = {
    "n": "1",
    "k": "CASE WHEN correct IS NOT NULL THEN 1 ELSE 0 END",
    "y": "coalesce(correct, 0)",
    "part": "CASE WHEN correct > 0 AND correct < 1 THEN 1 ELSE 0 END",
    "cn": "CASE WHEN cost IS NOT NULL THEN 1 ELSE 0 END",
    "c": "coalesce(cost, 0)",
    "bn": "CASE WHEN cost IS NOT NULL AND correct IS NOT NULL THEN 1 ELSE 0 END",
    "bg": "CASE WHEN cost IS NOT NULL THEN coalesce(correct, 0) ELSE 0 END",
    "bc": "CASE WHEN correct IS NOT NULL THEN coalesce(cost, 0) ELSE 0 END",
    "en": "CASE WHEN taken IS NOT NULL THEN 1 ELSE 0 END",
    "e": "CASE WHEN taken THEN 1 ELSE 0 END",
    "ln": "CASE WHEN latency IS NOT NULL THEN 1 ELSE 0 END",
    "l": "coalesce(latency, 0)",
}
BETWEEN = """EXISTS (SELECT 1 FROM between_routes AS b
    WHERE b.category = coalesce(r.task_category, $uncategorised)
        AND r.confidence >= b.low AND r.confidence < b.high)"""
"""Whether the confidence of a request ``r`` lies where two arms route differently."""

_COUNTED = tuple(dict.fromkeys(KNOWN.values()))
_OUTER = ", ".join(
    [
        "count(*) AS units",
        *(f"count(*) FILTER ({name} > 0) AS seen_{name}" for name in _COUNTED),
        *(f"sum({name})::DOUBLE AS {name}" for name in FEATURES),
        *(f"sum({one}::DOUBLE * {two})::DOUBLE AS {one}_x_{two}" for one, two in PRODUCTS),
    ]
)
_TOTALLED = {
    "n": "count(*)",
    "k": "count(correct)",
    "y": "coalesce(sum(correct), 0)",
    "part": "count_if(correct > 0 AND correct < 1)",
    "cn": "count(cost)",
    "c": "coalesce(sum(cost), 0)",
    "bn": "count(cost) FILTER (correct IS NOT NULL)",
    "bg": "coalesce(sum(correct) FILTER (cost IS NOT NULL), 0)",
    "bc": "coalesce(sum(cost) FILTER (correct IS NOT NULL), 0)",
    "en": "count(taken)",
    "e": "count_if(taken)",
    "ln": "count(latency)",
    "l": "coalesce(sum(latency), 0)",
}
"""The same features of a group of requests, by aggregates that skip nulls: much faster."""
_GROUPED = ", ".join(f"({sql})::DOUBLE AS {name}" for name, sql in _TOTALLED.items())
_INNER = ", ".join(f"{sql} AS {name}" for name, sql in VALUES.items())
_TOTALS = ", ".join(f"sum({name})::DOUBLE AS {name}" for name in FEATURES)
_CLUSTERS: dict[str, str] = {
    "unit": "unit",
    "bucket": f"(hash(unit) % {BUCKETS})::INT",
}


def arm_moments(
    store: "Store",
    scope: Scope,
    *,
    unit: Unit,
    units: int,
    left_out: pl.DataFrame | None = None,
    between: pl.DataFrame | None = None,
) -> dict[tuple[str | None, str], Moments]:
    """Moments of every arm, in all and by category.

    Args:
        store: The open store.
        scope: The experiment.
        unit: What was assigned: requests, or users with all their requests.
        units: How many there are; many are dealt into buckets.
        left_out: Units that do not count, column ``unit``; None for none.
        between: Confidences that count in each category, from ``low`` to below ``high``; categories that it
            does not name do not count. None for all.

    Returns:
        By category (``None`` for all together, ``Uncategorised`` where requests have none) and arm.
    """
    with requests(store, scope) as (cursor, sql, values):
        kept = "within"
        if left_out is not None and left_out.height:
            cursor.register("left_out", left_out)
            kept += " AND unit NOT IN (SELECT unit FROM left_out)"
        if between is not None:
            cursor.register("between_routes", between)
            kept += f" AND {BETWEEN}"
        named = "coalesce(task_category, $uncategorised) AS category"
        if unit == "request":
            rows = f"SELECT arm, {named}, {_INNER} FROM ({sql}) AS r WHERE {kept}"  # noqa: S608 - our own names only
            statement = f"SELECT arm, category, false AS whole, {_OUTER} FROM ({rows}) GROUP BY ALL"  # noqa: S608
        else:
            cluster = _CLUSTERS["unit" if units <= MOST_UNITS else "bucket"]
            statement = f"""
                WITH clusters AS MATERIALIZED (
                    SELECT arm, {named}, {cluster} AS cluster, {_GROUPED}
                    FROM ({sql}) AS r WHERE {kept} GROUP BY ALL),
                whole AS (SELECT arm, cluster, {_TOTALS} FROM clusters GROUP BY ALL)
                SELECT arm, category, false AS whole, {_OUTER} FROM clusters GROUP BY ALL
                UNION ALL SELECT arm, NULL, true, {_OUTER} FROM whole GROUP BY ALL"""  # noqa: S608
        found = cursor.sql(statement, params=values).pl()
    moments = {
        (None if row["whole"] else row["category"], row["arm"]): _moments(row)
        for row in found.sort("arm", "category", nulls_last=True).iter_rows(named=True)
    }
    if unit == "request":
        for (_, arm), part in list(moments.items()):
            moments[None, arm] = moments[None, arm] + part if (None, arm) in moments else part
    return moments


def _moments(row: dict[str, Any]) -> Moments:
    return Moments(
        row["units"],
        {name: row[f"seen_{name}"] for name in _COUNTED},
        {name: row[name] for name in FEATURES},
        {(one, two): row[f"{one}_x_{two}"] for one, two in PRODUCTS},
    )


_ARMS = """
    SELECT * FROM (
        SELECT experiment, arm, count(DISTINCT request_id) AS requests,
            count(DISTINCT coalesce(unit_id, request_id)) AS units, min(ts) AS first_ts, max(ts) AS last_ts
        FROM {} WHERE arm IS NOT NULL GROUP BY experiment, arm)
    ORDER BY max(last_ts) OVER (PARTITION BY experiment) DESC NULLS LAST, experiment, arm"""


def arms(store: "Store", dataset: str) -> pl.DataFrame:
    """The arms of every experiment of a log.

    Returns:
        experiment (null: arms without one), arm, requests, units, first_ts, last_ts (null without times);
        the latest experiment first, arms in order of their names.
    """
    with store.cursor() as cursor:
        told = from_cells.arms(cursor, dataset)
        if told is not None:
            return told
        found = cursor.execute("SELECT form FROM datasets WHERE name = ?", [dataset]).fetchone()
        form: Literal["calls", "decisions"] = "calls" if found == ("calls",) else "decisions"
        source = tables.CALLS if form == "calls" else tables.DECISIONS
        rows: pl.DataFrame = cursor.sql(
            _ARMS.format(source), params={form: tables.of(cursor, dataset, form)}
        ).pl()
    return rows
