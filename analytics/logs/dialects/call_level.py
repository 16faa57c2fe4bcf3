"""The call-level table: one row per model call, the answer's columns without a side."""

from analytics.logs.dialects.dialect import Dialect, Match
from analytics.logs.dialects.words import ANSWER, CALL, REQUEST, confidence_like

# A call has no fast side, and whether it was escalated follows from the request's other calls.
_REQUEST = {name: found for name, found in REQUEST.items() if found[0] != "escalated"}
_NAMES = {**_REQUEST, **ANSWER, **CALL}
# What a name in a tool's metadata, properties or tags may stand for; the rest are the tool's own.
_USERS = frozenset(
    {"request_id", "task_category", "segment", "policy_kind", "confidence", "confidence_kind", "threshold"}
    | {"propensity", "sampling_probability", "router_cost_usd", "router_latency_s", "unit_id", "experiment"}
    | {"arm", "served", "shadow", "cache_hit", "tier", "effort", "correct", "correct_source"}
)


def match(name: str) -> Match | None:
    """Field and rank of a plain name."""
    return _NAMES[name] if name in _NAMES else confidence_like(name)


def of_users(name: str) -> Match | None:
    """Field and rank of a plain name that a user gave where the tool takes any: no time, cost or tokens."""
    found = ("task_category", 1) if name == "cat" else match(name)
    return found if found and found[0] in _USERS else None


DIALECT = Dialect(
    name="call_level",
    title="Call-level table, one row per model call",
    form="calls",
    recognises=lambda _: True,
    match=match,
)
