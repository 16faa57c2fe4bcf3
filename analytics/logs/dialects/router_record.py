"""The record that a confidence-based router returns: one row per request with the served answer.

``answer, model_used, confidence, latency, escalated, fast_model_confidence, total_tokens``. The router
asks the fast model first, so the record is a cascade decision that shows one side at a time:

- confidence is ``fast_model_confidence`` where present, else ``confidence`` if the request was not
  escalated, else null: an escalated record's own confidence is the strong answer's;
- grade: the fast answer's if kept, the strong answer's if escalated;
- latency and cost are the request's totals. A kept request made one call, so they are the fast call's. An
  escalated one made two, whose sum cannot be split: both sides stay unknown rather than wrong;
- ``total_tokens`` cannot be split into input and output and is not read;
- a kept record names the fast model and an escalated one the strong model; the other name is the one that
  the file's other records show most often.
"""

from analytics.logs.dialects.dialect import Dialect, Match
from analytics.logs.dialects.words import ANSWER, REQUEST, confidence_like

_SERVED = {"correct": "fast_correct", "cost_usd": "fast_cost_usd", "latency_s": "fast_latency_s"}
_GRADES = tuple(name for name, found in ANSWER.items() if found[0] == "correct")


def match(name: str) -> Match | None:
    """Field and rank of a plain name."""
    if name == "fast_model_confidence":
        return "confidence", 0
    if name == "confidence":
        return "confidence", 1
    if name in REQUEST:
        return REQUEST[name]
    if name == "model_used":
        return "fast_model", 0
    if name in ANSWER:
        field, rank = ANSWER[name]
        return (_SERVED[field], rank) if field in _SERVED else None
    return confidence_like(name)


DIALECT = Dialect(
    name="router_record",
    title="Router record, one row per request with the served answer",
    form="decisions",
    recognises=lambda names: (
        {"model_used", "escalated"} <= names and bool(names & {"confidence", "fast_model_confidence"})
    ),
    match=match,
    units={"fast_latency_s": "s"},
    of_served=frozenset({"confidence"}),
    one_side=True,
    extra={"strong_model": ("model_used",), "strong_correct": _GRADES, "confidence": ("confidence",)},
)
