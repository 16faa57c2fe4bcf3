"""Calls in somebody's database paired into decisions, by the rules of ``logs.storage.pairing``.

What one portable SELECT leaves out: a ladder of its own for a category, prices for unknown costs, joined
grades, and duplicates. Of calls that nothing orders, any one counts as the last.
"""

from typing import cast

import sqlglot
from sqlglot import exp

from analytics.collapse.dialects import TEXT
from analytics.errors import SchemaError
from analytics.logs.storage.ladder import LABEL
from analytics.measure.tiers import LOGGED

__all__ = ["DECISIONS", "LOGGED", "relations"]

DECISIONS = "tiertune_decisions"
_LABELLED, _RANKED, _REQUESTS = "tiertune_labelled", "tiertune_ranked", "tiertune_requests"
_SIDES, _STEPS, _MATCHED, _JUDGED = "tiertune_sides", "tiertune_steps", "tiertune_matched", "tiertune_judged"

_SUMMED = ("cost_usd", "latency_s", "input_tokens", "output_tokens")
_LAST = (
    "confidence",
    "confidence_kind",
    "correct",
    "status",
    "policy_kind",
    "call_index",
    "sampling_probability",
)
_EITHER = (
    "ts", "threshold", "propensity", "router_cost_usd", "router_latency_s", "unit_id", "experiment", "arm",
)  # fmt: skip

# No relation here has the name of a column elsewhere: ClickHouse puts a relation's text where it is used, and
# there takes the one for the other.

# The last call of a model in a request says everything but its sums. A sum is known where all parts are.
_OF_SIDE = ", ".join(
    [
        "max(CASE WHEN served THEN 1 WHEN NOT served THEN 0 END) = 1 AS was_served",
        "min(CASE WHEN shadow THEN 1 ELSE 0 END) = 1 AS was_shadow",
        *(f"CASE WHEN count({name}) = count(*) THEN sum({name}) END AS {name}" for name in _SUMMED),
        *(f"max(CASE WHEN place = 1 THEN {name} END) AS {name}" for name in (*_LAST, *_EITHER)),
    ]
)
_ESCALATED = """CASE
    WHEN s.label IS NULL THEN CASE WHEN f.was_served IS FALSE THEN NULL ELSE false END
    WHEN s.was_shadow THEN false
    WHEN s.was_served THEN true
    WHEN f.was_served THEN false
    WHEN s.was_served IS FALSE AND f.was_served IS NULL THEN false
    WHEN s.status IN ('error', 'timeout') AND (f.status IS NULL OR NOT f.status IN ('error', 'timeout'))
        AND coalesce(f.call_index > s.call_index, f.ts > s.ts, false) THEN false
    ELSE true END"""
_CONFIDENCE = """CASE
    WHEN f.confidence IS NOT NULL THEN f.{0}
    WHEN coalesce(f.policy_kind, s.policy_kind) = 'predictive'
        AND coalesce(s.confidence_kind, 'predictive') = 'predictive' THEN s.{0} END"""
_SIDE = """coalesce({alias}.correct,
    CASE WHEN {alias}.status IN ('error', 'timeout') AND {served} THEN 0 END)
        AS {side}_correct, """ + ", ".join(f"{{alias}}.{name} AS {{side}}_{name}" for name in _SUMMED)
_BOTH_SIDES = f"""FROM {{0}} AS matched
    JOIN {_REQUESTS} AS r ON r.request_id = matched.request_id
    LEFT JOIN {_SIDES} AS f ON f.request_id = matched.request_id AND f.label = matched.fast_label
    LEFT JOIN {_SIDES} AS s ON s.request_id = matched.request_id AND s.label = matched.strong_label"""


def _selects(calls: str) -> dict[str, str]:
    return {
        _LABELLED: f"SELECT {LABEL} AS label, given.* FROM {calls} AS given",  # noqa: S608 - our own names only
        _RANKED: f"""SELECT named.*, row_number() OVER (PARTITION BY request_id, label
            ORDER BY coalesce(call_index, -1) DESC, coalesce(ts, CAST('1970-01-01' AS TIMESTAMP)) DESC)
            AS place
            FROM {_LABELLED} AS named""",  # noqa: S608
        _REQUESTS: f"""SELECT request_id, min(task_category) AS category, min(label) = max(label) AS alone
            FROM {_LABELLED} GROUP BY request_id""",  # noqa: S608
        _SIDES: f"SELECT request_id, label, {_OF_SIDE} FROM {_RANKED} GROUP BY request_id, label",  # noqa: S608
        _MATCHED: f"""SELECT f.request_id, t.fast_model, t.strong_model, f.label AS fast_label,
                t.strong_model AS strong_label
            FROM {_SIDES} AS f JOIN {_STEPS} AS t ON t.fast_model = f.label
            UNION ALL SELECT s.request_id, t.fast_model, t.strong_model, CAST(NULL AS VARCHAR), s.label
            FROM {_SIDES} AS s JOIN {_STEPS} AS t ON t.strong_model = s.label
            JOIN {_REQUESTS} AS r ON r.request_id = s.request_id
            WHERE r.alone AND s.policy_kind = 'predictive'""",  # noqa: S608
        _JUDGED: f"SELECT matched.*, r.category, {_ESCALATED} AS escalated {_BOTH_SIDES.format(_MATCHED)}",
        DECISIONS: f"""SELECT matched.request_id, matched.category AS task_category, matched.fast_model,
            matched.strong_model,
            coalesce(f.policy_kind, s.policy_kind, 'cascade') AS policy_kind,
            {_CONFIDENCE.format("confidence")} AS confidence,
            {_CONFIDENCE.format("confidence_kind")} AS confidence_kind,
            {_SIDE.format(alias="f", side="fast", served="matched.escalated IS FALSE")},
            {_SIDE.format(alias="s", side="strong", served="matched.escalated")},
            matched.escalated,
            CASE WHEN s.sampling_probability IS NULL OR f.sampling_probability < s.sampling_probability
                THEN f.sampling_probability ELSE s.sampling_probability END AS sampling_probability,
            {", ".join(f"coalesce(f.{name}, s.{name}) AS {name}" for name in _EITHER)}
            {_BOTH_SIDES.format(_JUDGED)}""",
    }


def relations(calls: str, ladder: list[tuple[str, str]]) -> dict[str, exp.Query]:
    """Name -> query of what comes between ``calls``, a relation of clean calls, and ``DECISIONS``.

    Args:
        calls: Name of a relation with the columns of ``source.READ["calls"]``.
        ladder: (fast, strong) labels of models; they hold in every category.

    Raises:
        SchemaError: There is no ladder, or a label is none that can be written as a literal.
    """
    if not ladder:
        raise SchemaError("Calls are paired by a ladder of models, FAST>STRONG: name at least one pair.")
    steps: exp.Query | None = None
    for fast, strong in ladder:
        row = exp.select(exp.alias_(_text(fast), "fast_model"), exp.alias_(_text(strong), "strong_model"))
        steps = row if steps is None else exp.union(steps, row, distinct=False)
    found: dict[str, exp.Query] = {_STEPS: steps} if steps is not None else {}
    for name, text in _selects(calls).items():
        found[name] = cast("exp.Query", sqlglot.parse_one(text, read="duckdb"))
    return found


def _text(label: str) -> exp.Expression:
    if not label.isprintable() or "\\" in label:
        raise SchemaError(f"{label!r} is no label of a model that every engine can be told.")
    return exp.cast(exp.Literal.string(label), TEXT)
