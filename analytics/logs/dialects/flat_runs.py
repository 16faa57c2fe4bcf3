"""LangSmith's runs and feedback, and Weave's calls: trees of which only some nodes are calls of a model.

LangSmith (``Run`` and ``Feedback`` of langsmith 0.15.1; its bulk export has the same fields, objects as
JSON text):

- a call is a run of type llm; the sums that chains and agents carry are passed over. Its trace is the
  request;
- ``session_id`` is the project, not a session: that stands in the metadata, as ``session_id`` or
  ``thread_id``;
- costs are USD, as decimal texts; ``prompt_tokens`` and ``completion_tokens`` include all their kinds;
- ``feedback_stats`` has the mean of each feedback. On a chain it holds for the one call inside.

Weave (calls of weave 0.54.0; ``summary.usage`` by model, costs in USD and ``latency_ms`` under
``summary.weave``):

- usage is added up towards the root, so that a call around the calls of a model repeats their sum;
- a scorer's output and a thumb are feedback in ``summary.weave.feedback``.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analytics.logs.dialects import flat_grades
from analytics.logs.dialects.dialect import Nested, Passed, Record
from analytics.logs.dialects.flat import (
    RATED,
    RATER,
    Export,
    dialect,
    first,
    inclusive,
    named,
    paid,
    placed,
    prepared,
    row,
    scored,
    users_own,
    value,
    whole,
)
from analytics.logs.dialects.opening import kept, listing, number, seconds_between

_TIMEOUT = re.compile(r"time(d|_|-|\s)*out|deadline", re.IGNORECASE)
_DEEPEST = 50
_EFFORTS = ("reasoning_effort", "reasoning.effort")
_UNITS = ("session_id", "thread_id", "conversation_id", "user_id")
_META = ("extra.metadata", "metadata")

_RUN = Export(
    fields={
        "request_id": ("trace_id", "id"),
        "call_id": ("id",),
        "ts": ("start_time",),
        "model": (
            *(f"{place}.ls_model_name" for place in _META), "extra.invocation_params.model",
            "extra.invocation_params.model_name", "outputs.llm_output.model_name", "inputs.model",
        ),
        "unit_id": (*(f"{place}.{name}" for name in _UNITS for place in _META), "thread_id"),
        "input_tokens": ("prompt_tokens", "outputs.usage_metadata.input_tokens"),
        "output_tokens": ("completion_tokens", "outputs.usage_metadata.output_tokens"),
        "reasoning_tokens": ("completion_token_details.reasoning",),
        "cached_tokens": ("prompt_token_details.cache_read",),
        "effort": tuple(f"extra.invocation_params.{name}" for name in _EFFORTS),
        "prompt": ("inputs.messages", "inputs.prompts", "inputs"),
        "answer": ("outputs.output", "outputs.generations", "outputs"),
    },
    carried=("name", "extra.metadata.ls_provider"),
    users={"metadata": _META, "tags": ("tags",)},
)  # fmt: skip


def _runs(record: Record, depth: int = 0) -> Iterator[Record | Passed | Nested]:
    """The call that a run is, and those of the runs that it was loaded with."""
    members = prepared(_RUN, record)
    key, around = members.get("id"), members.get("parent_run_id")
    kind = str(members.get("run_type") or "")
    stats = value(members, "feedback_stats")
    means = {name: value(held, "avg") for name, held in (stats.items() if isinstance(stats, dict) else ())}
    scores = scored(means)
    said = {**users_own(_RUN, members), "unit_id": first(members, _RUN.fields["unit_id"])}
    reason = _no_call(members, kind)
    item = Passed(reason) if reason else kept({**row(_RUN, members), **_run(members), **scores})
    yield placed(
        item,
        key,
        around,
        says=kept(said),
        same_call=scores,
        answer_tokens=None if reason else whole(members.get("completion_tokens")),
        separate=kind == "tool",
    )
    for inner in listing(members.get("child_runs")) if depth < _DEEPEST else []:
        if isinstance(inner, Mapping):
            yield from _runs({**inner, "parent_run_id": inner.get("parent_run_id") or key}, depth + 1)


def _no_call(members: Record, kind: str) -> str | None:
    if kind != "llm":
        return f"runs of type {kind[:40] or 'unknown'}"
    return "runs that have not ended" if members.get("status") == "pending" else None


def _run(members: Record) -> Record:
    start, error = members.get("start_time"), members.get("error")
    late = bool(error) and _TIMEOUT.search(str(error))
    tokens = members.get("prompt_tokens"), members.get("completion_tokens")
    return {
        "latency_s": seconds_between(start, members.get("end_time")),
        "ttft_s": seconds_between(start, members.get("first_token_time")),
        "cost_usd": paid(members.get("total_cost"), *tokens),
        "status": "timeout" if late else "error" if error else members.get("status"),
    }


_SOURCES = {"model": "judge", "auto_eval": "judge", "app": "human"}


def _feedback(record: Record) -> Iterator[Record | Passed]:
    """The grade that a row of feedback is."""
    members = named(record)
    score, word = members.get("score"), members.get("value")
    if members.get("comparative_experiment_id") or members.get("feedback_group_id"):
        yield Passed("preferences between runs")
        return
    yield flat_grades.grade(
        members.get("key"),
        word if score is None else score,
        call_id=members.get("run_id"),
        request_id=members.get("trace_id"),
        ts=members.get("modified_at") or members.get("created_at"),
        correct_source=_SOURCES.get(str(value(members, "feedback_source.type"))),
    )


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
_USAGE = {
    "input": ("prompt_tokens", "input_tokens"),
    "output": ("completion_tokens", "output_tokens"),
    "cached": (
        "cache_read_input_tokens", "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
    ),
    "reasoning": (
        "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens",
    ),
}  # fmt: skip
_SCORER = re.compile(r"^(\w+\.)?score$")
_THUMBS = {"👍": 1.0, "👎": 0.0}
_RUNNABLE = "wandb.runnable."


def _calls(record: Record) -> Iterator[Record | Passed | Nested]:
    """The call of a model that a call of an operation is, if it used one model."""
    members = prepared(_CALL, record)
    usage = value(members, "summary.usage")
    models = list(usage.items()) if isinstance(usage, dict) else []
    operation = str(members.get("op_name") or "").rpartition("/op/")[2].partition(":")[0]
    scores = _weave_feedback(value(members, "summary.weave.feedback"))
    asked = value(members, "inputs.model")
    item: Record | Passed = Passed("operations without a model call")
    made = None
    if len(models) > 1:
        item = Passed("operations around calls of several models")
    elif models or (members.get("exception") and asked):
        found = {**row(_CALL, members), **_call(members, *(models or [(str(asked), {})])[0]), **scores}
        item, made = kept(found), whole(found["output_tokens"])
    yield placed(
        item,
        members.get("id"),
        members.get("parent_id"),
        says=users_own(_CALL, members),
        same_call=scores,
        answer_tokens=made,
        passes_over="calls of a scorer" if _SCORER.search(operation) else None,
    )


def _call(members: Record, model: str, usage: Any) -> Record:
    sent, made, cached, thought = (first(usage, paths) for paths in _USAGE.values())
    costs = value(value(members, "summary.weave.costs"), model)
    parts = value(costs, "prompt_tokens_total_cost"), value(costs, "completion_tokens_total_cost")
    start, end = members.get("started_at"), members.get("ended_at")
    late = number(value(members, "summary.weave.latency_ms"))
    measured = seconds_between(start, end)
    status = value(members, "summary.weave.status")
    error = members.get("exception")
    failed = error or status in {"error", "descendant_error"}
    counts = value(usage, "total_tokens"), value(usage, "cache_creation_input_tokens")
    return {
        "model": model,
        "input_tokens": inclusive(sent, made, counted=counts[0], cached=cached, written=counts[1]),
        "output_tokens": whole(made),
        "cached_tokens": whole(cached),
        "reasoning_tokens": whole(thought),
        "cost_usd": paid(sum(number(part) or 0 for part in parts), sent, made) if any(parts) else None,
        "latency_s": measured if measured is not None or late is None else late / 1000,
        "status": ("timeout" if _TIMEOUT.search(str(error)) else "error") if failed else "success",
    }


def _weave_feedback(given: Any) -> Record:
    """Scores of scorers by their name, and a thumb as a rating."""
    found: Record = {}
    for one in listing(given):
        kind = str(value(one, "feedback_type") or "")
        if kind.startswith(_RUNNABLE):
            output = value(one, "payload.output")
            name = kind.removeprefix(_RUNNABLE)
            parts = output if isinstance(output, dict) else {"": output}
            found |= scored({f"{name}.{key}".strip("."): part for key, part in parts.items()})
        thumb = _THUMBS.get(str(value(one, "payload.emoji")))
        if thumb is not None:
            found |= {RATED: thumb, RATER: "feedback"}
    return found


RUNS = dialect(
    "langsmith",
    "LangSmith runs",
    _RUN,
    "run_type dotted_order",
    "run_type trace_id start_time",
    opened=_runs,
)
FEEDBACK = flat_grades.dialect(
    "langsmith_feedback",
    "LangSmith feedback",
    _feedback,
    "run_id key score feedback_source",
    "run_id key score value correction",
)
WEAVE = dialect("weave", "Weave calls", _CALL, "op_name trace_id started_at", opened=_calls)
DIALECTS = (RUNS, FEEDBACK, WEAVE)
