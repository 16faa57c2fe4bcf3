"""Calls and a ladder -> decisions: fast and strong outcome of a request side by side.

One decision per ladder pair whose fast model the request called. Where the strong model was not called
its name comes from the ladder and its outcome is null. Fast is whatever the ladder says, not the call
that came first.
"""

import duckdb

from analytics.logs.storage import catalogue, tables
from analytics.logs.storage.ingest import FOLD
from analytics.logs.storage.ladder import LABEL

_TOKENS = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
_SUMMED = ("cost_usd", "latency_s", *_TOKENS)
_EITHER = (
    "ts", "segment", "threshold", "propensity", "router_cost_usd", "router_latency_s", "grade_probability",
    "correct_source", "unit_id", "experiment", "arm", "attributes", "prompt",
)  # fmt: skip

# A sum is known only where each of its parts is: an unknown cost is never counted as nothing.
_SUMS = ", ".join(
    f"CASE WHEN count({name}) = count(*) THEN sum({name}) END AS {name}_sum" for name in _SUMMED
)

_STEPS = """steps AS (
    SELECT category, fast_model, strong_model FROM (SELECT DISTINCT category FROM sides) AS found
    JOIN ladder ON dataset = $dataset AND (task_category IS NOT DISTINCT FROM category
        OR task_category IS NULL AND NOT EXISTS (
            SELECT 1 FROM ladder AS own WHERE own.dataset = $dataset AND own.task_category = category)))"""

# One row per request and model: what its calls add up to, and the last call for everything else.
_SIDES = f"""
    CREATE OR REPLACE TEMP TABLE sides AS
    WITH called AS (
        SELECT row, {LABEL} AS label, request_id, call_index, ts, task_category, served, shadow,
            {", ".join(_SUMMED)}
        FROM {{calls}}),
    requests AS (
        SELECT request_id, min(task_category) AS category, min(label) = max(label) AS alone
        FROM called GROUP BY request_id),
    summed AS (
        SELECT request_id, label,
            arg_max(row, (coalesce(call_index, -1), coalesce(ts, TIMESTAMP '-infinity'))) AS last,
            bool_or(served) AS was_served, bool_and(coalesce(shadow, false)) AS was_shadow, {_SUMS}
        FROM called GROUP BY request_id, label)
    SELECT summed.*, category, alone, c.* EXCLUDE (request_id, row)
    FROM summed JOIN requests USING (request_id) JOIN {{calls}} AS c ON c.row = summed.last"""  # noqa: S608

_MATCHED = f"""
    WITH {_STEPS},
    matched AS (
        SELECT f.request_id, f.category, fast_model, strong_model, f.last AS fast_row, s.last AS strong_row
        FROM sides AS f JOIN steps ON fast_model = f.label AND steps.category IS NOT DISTINCT FROM f.category
        LEFT JOIN sides AS s ON s.request_id = f.request_id AND s.label = strong_model
        UNION ALL
        SELECT s.request_id, s.category, fast_model, strong_model, NULL, s.last
        FROM sides AS s
        JOIN steps ON strong_model = s.label AND steps.category IS NOT DISTINCT FROM s.category
        WHERE s.alone AND s.policy_kind = 'predictive')"""  # noqa: S608

_ESCALATED = """CASE
    WHEN strong_row IS NULL THEN CASE WHEN f.was_served IS FALSE THEN NULL ELSE false END
    WHEN s.was_shadow THEN false
    WHEN s.was_served THEN true
    WHEN f.was_served THEN false
    WHEN s.was_served IS FALSE AND f.was_served IS NULL THEN false
    WHEN s.status IN ('error', 'timeout') AND coalesce(f.status NOT IN ('error', 'timeout'), true)
        AND coalesce(f.call_index > s.call_index, f.ts > s.ts, false) THEN false
    ELSE true END"""
"""Whether the strong answer was served; null where neither was: fast not served, strong not called.

Where nobody says so it was, unless it failed and the fast model was the fallback.
"""

_CONFIDENCE = """CASE
    WHEN f.confidence IS NOT NULL THEN f.{0}
    WHEN coalesce(f.policy_kind, s.policy_kind) = 'predictive'
        AND coalesce(s.confidence_kind, 'predictive') = 'predictive' THEN s.{0} END"""
"""A strong call's own confidence is never used; a forecast is about the fast answer wherever it stands."""


def _side(alias: str, side: str, served: str) -> str:
    failed = f"{alias}.status IN ('error', 'timeout') AND {served}"
    columns = [f"coalesce({alias}.correct, CASE WHEN {failed} THEN 0 END) AS {side}_correct"]
    columns += [f"{alias}.{name}_sum AS {side}_{name}" for name in _SUMMED]
    return ", ".join(columns)


_DECISIONS = f"""
    CREATE OR REPLACE TABLE {{table}} AS {_MATCHED},
    judged AS (
        SELECT matched.*, {_ESCALATED} AS escalated
        FROM matched LEFT JOIN sides AS f ON f.last = fast_row LEFT JOIN sides AS s ON s.last = strong_row)
    SELECT *, {FOLD} AS fold FROM (
        SELECT coalesce(f.file_id, s.file_id) AS file_id, m.request_id,
            m.category AS task_category, fast_model, strong_model, escalated,
            coalesce(f.policy_kind, s.policy_kind, 'cascade') AS policy_kind,
            {_CONFIDENCE.format("confidence")} AS confidence,
            {_CONFIDENCE.format("confidence_kind")} AS confidence_kind,
            {_side("f", "fast", "escalated IS FALSE")}, {_side("s", "strong", "escalated")},
            CASE WHEN 'priced' IN (f.cost_source, s.cost_source) THEN 'priced'
                ELSE coalesce(f.cost_source, s.cost_source) END AS cost_source,
            CASE WHEN escalated THEN s.answer ELSE f.answer END AS answer,
            least(f.sampling_probability, s.sampling_probability) AS sampling_probability,
            {", ".join(f"coalesce(f.{name}, s.{name}) AS {name}" for name in _EITHER)}
        FROM judged AS m
        LEFT JOIN sides AS f ON f.last = fast_row LEFT JOIN sides AS s ON s.last = strong_row)
    """  # noqa: S608 - our own names only

_STRONG_ONLY = f"""
    WITH {_STEPS}
    SELECT count(DISTINCT s.request_id)
    FROM sides AS s JOIN steps ON strong_model = s.label AND steps.category IS NOT DISTINCT FROM s.category
    WHERE s.alone AND s.policy_kind IS DISTINCT FROM 'predictive' AND NOT EXISTS (
        SELECT 1 FROM steps AS other
        WHERE other.fast_model = s.label AND other.category IS NOT DISTINCT FROM s.category)"""  # noqa: S608


def rebuild_decisions(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Replace the decisions of a call-level dataset by what its calls and its ladder give.

    Args:
        cursor: Inside a transaction.
        dataset: Name of a dataset of form ``calls``.
    """
    key = catalogue.key(cursor, dataset)
    cursor.execute(_SIDES.format(calls=tables.with_row(cursor, "calls", key)))
    cursor.execute(_DECISIONS.format(table=tables.name("decisions", key)), {"dataset": dataset})
    cursor.execute("DROP TABLE sides")


def strong_only_requests(cursor: duckdb.DuckDBPyConnection, dataset: str) -> int:
    """How many requests of a cascade called the strong model alone and so give no decision.

    0 for a dataset of form ``decisions``.
    """
    key = catalogue.key(cursor, dataset)
    cursor.execute(_SIDES.format(calls=tables.with_row(cursor, "calls", key)))
    found = cursor.execute(_STRONG_ONLY, {"dataset": dataset}).fetchone()
    cursor.execute("DROP TABLE sides")
    return int(found[0]) if found else 0
