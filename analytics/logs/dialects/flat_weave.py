"""Weave's calls: trees of operations of which only some are calls of a model.

Calls of weave 0.54.0 (``Call.to_dict``, ``trace_server/token_costs.py``), also as its table exports them to
CSV or TSV (``CallsTableButtons.tsx``): ``summary.usage`` by model, costs in USD and ``latency_ms`` under
``summary.weave``.

- Usage is added up towards the root, so that an operation around the calls of a model repeats their sum. One
  that sums up several requests is no call.
- Input has what a cache had a part in, as Weave's integrations see to since they count it; the provider's own
  response, where it is the output, comes first. Thoughts of Gemini stand beside the output, in the total.
- What cache reads and writes cost stands beside the prompt's cost. A negative part is from an input that left
  the cache out; then, and where output was left out, the cost is not what was paid.
- A scorer's output, an annotation and a thumb are feedback in ``summary.weave.feedback``.
- The CSV has a column for each leaf that the table showed, named by its dotted path, model names with their
  dots in it; of feedback one per type. It has ids and the trace always, the operation around only if that
  column was shown: without it, what lies in what follows from the times within a trace.
"""

import re
from collections.abc import Iterator
from typing import Any

from analytics.logs.dialects import usage
from analytics.logs.dialects.dialect import Nested, Passed, Record
from analytics.logs.dialects.flat import (
    RATED,
    RATER,
    Export,
    dialect,
    first,
    paid,
    placed,
    prepared,
    row,
    scored,
    users_own,
    value,
    whole,
)
from analytics.logs.dialects.opening import epoch_s, kept, listing, mapping, number, seconds_between
from analytics.logs.dialects.phoenix import literal
from analytics.logs.dialects.response import SERVICE, billed, counted

_EFFORTS = ("reasoning_effort", "reasoning.effort")
_CALL = Export(
    fields={
        "request_id": ("trace_id", "id"),
        "call_id": ("id",),
        "ts": ("started_at",),
        "unit_id": ("thread_id", "wb_user_id"),
        "effort": tuple(f"inputs.{name}" for name in _EFFORTS),
        "prompt": ("inputs.messages", "inputs.input"),
        "answer": ("output.choices", "output"),
    },
    carried=("op_name",),
    users={"attributes": ("attributes",)},
)
_PARTS = tuple(
    f"{kind}_total_cost"
    for kind in (
        *("prompt_tokens", "completion_tokens"),
        *("cache_read_input_tokens", "cache_creation_input_tokens"),
    )
)
_TIMEOUT = re.compile(r"time(d|_|-|\s)*out|deadline", re.IGNORECASE)
_SCORER = re.compile(r"^(\w+\.)?score$")
_THUMBS = {"👍": 1.0, "👎": 0.0}
_RUNNABLE, _ANNOTATION = "wandb.runnable.", "wandb.annotation."
_NESTED = ("attributes", "inputs", "output", "summary")
_BY_MODEL, _COSTS, _FEEDBACK = "summary.usage.", "summary.weave.costs.", "summary.weave.feedback."
_GROUP = re.compile(r"_details$|^cache_creation$|^server_tool_use$")


def _calls(record: Record) -> Iterator[Record | Passed | Nested]:
    """The call of a model that a call of an operation is, if it used one model."""
    members = prepared(_CALL, _unflattened(record))
    by_model = value(members, "summary.usage")
    models = list(by_model.items()) if isinstance(by_model, dict) else []
    operation = str(members.get("op_name") or "").rpartition("/op/")[2].partition(":")[0]
    scores = _feedback(value(members, "summary.weave.feedback"))
    asked = value(members, "inputs.model")
    item: Record | Passed = Passed("operations without a model call")
    made = None
    if len(models) > 1:
        item = Passed("operations around calls of several models")
    elif models and (whole(value(models[0][1], "requests")) or 0) > 1:
        item = Passed("operations around several calls of a model")
    elif models or (members.get("exception") and asked):
        name, told = (models or [(str(asked), {})])[0]
        item = kept({**row(_CALL, members), **_call(members, name, told), **scores})
        made = counted(told).made
    trace, around = members.get("trace_id"), members.get("parent_id")
    times = epoch_s(members.get("started_at")), epoch_s(members.get("ended_at"))
    yield placed(
        item,
        members.get("id"),
        around,
        says=users_own(_CALL, members),
        same_call=scores,
        answer_tokens=made,
        passes_over="calls of a scorer" if _SCORER.search(operation) else None,
        within=None if around is not None or trace is None or None in times else (str(trace), *times),
    )


def _call(members: Record, model: str, told: Any) -> Record:
    start, end = members.get("started_at"), members.get("ended_at")
    late = number(value(members, "summary.weave.latency_ms"))
    measured = seconds_between(start, end)
    error = members.get("exception")
    failed = error or value(members, "summary.weave.status") in {"error", "descendant_error"}
    output, asked = (value(members, name) for name in ("output", "inputs"))
    tokens = usage.columns(counted(told)) | billed(output)
    return {
        "model": model,
        "service_tier": first(told, SERVICE) or first(asked, SERVICE),
        **tokens,
        "cost_usd": _cost(value(value(members, "summary.weave.costs"), model), told, tokens),
        "latency_s": measured if measured is not None or late is None else late / 1000,
        "status": ("timeout" if _TIMEOUT.search(str(error)) else "error") if failed else "success",
    }


def _cost(costs: Any, told: Any, tokens: Record) -> float | None:
    """USD; None where Weave reckoned with other tokens than the provider counted."""
    parts = [found for name in _PARTS if (found := number(value(costs, name))) is not None]
    made, sent = counted(told).made, counted(told).sent
    less = made is not None and made < (tokens.get("output_tokens") or 0)
    if not parts or min(parts) < 0 or less:
        return None
    return paid(sum(parts), sent, made)


def _feedback(given: Any) -> Record:
    """Scores of scorers and annotations of people by their name, and a thumb as a rating."""
    found: Record = {}
    for one in listing(given):
        kind = str(value(one, "feedback_type") or "")
        if kind.startswith(_RUNNABLE):
            output = value(one, "payload.output")
            name = kind.removeprefix(_RUNNABLE)
            parts = output if isinstance(output, dict) else {"": output}
            found |= scored({f"{name}.{key}".strip("."): part for key, part in parts.items()})
        if kind.startswith(_ANNOTATION):
            found |= scored({kind.removeprefix(_ANNOTATION): value(one, "payload.value")})
        thumb = _THUMBS.get(str(value(one, "payload.emoji")))
        if thumb is not None:
            found |= {RATED: thumb, RATER: "feedback"}
    return found


def _unflattened(record: Record) -> Record:
    """A record whose dotted columns are objects again."""
    dotted = {name: held for name, held in record.items() if name.partition(".")[0] in _NESTED}
    dotted = {name: held for name, held in dotted.items() if "." in name}
    if not dotted:
        return record
    found = {name: held for name, held in record.items() if name not in dotted}
    found |= {name: mapping(literal(found[name])) or found[name] for name in _NESTED if name in found}
    feedback: dict[str, Record] = {}
    for name, held in dotted.items():
        kind, payload, path = name.removeprefix(_FEEDBACK).partition(".payload.")
        if name.startswith(_FEEDBACK) and payload:
            one = feedback.setdefault(kind, {"feedback_type": kind})
            _put(one, ("payload", *path.split(".")), held)
        else:
            _put(found, _steps(name), held)
    if feedback:
        _put(found, ("summary", "weave", "feedback"), list(feedback.values()))
    return found


def _steps(name: str) -> tuple[str, ...]:
    """The steps of a dotted column's path; a model's name is one of them, whatever dots it has."""
    prefix = next((one for one in (_BY_MODEL, _COSTS) if name.startswith(one)), None)
    if prefix is None:
        return tuple(name.split("."))
    parts = name.removeprefix(prefix).split(".")
    leaf = len(parts) - 1
    while leaf > 1 and _GROUP.search(parts[leaf - 1]):
        leaf -= 1
    return (*prefix.strip(".").split("."), ".".join(parts[:leaf]), *parts[leaf:])


def _put(into: Record, steps: tuple[str, ...], held: Any) -> None:
    """Place a value where the steps lead, unless something else than an object stands on the way."""
    for step in steps[:-1]:
        inner = into.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        into = inner
    into.setdefault(steps[-1], held)


WEAVE = dialect("weave", "Weave calls", _CALL, "op_name trace_id started_at", opened=_calls)
DIALECTS = (WEAVE,)
