"""LangSmith's runs and feedback: trees of which only some nodes are calls of a model.

Names of langsmith 0.15.1 (``Run``, ``Feedback``, ``UsageMetadata``); its bulk export has the same fields,
objects as JSON text:

- a call is a run of type llm; the sums that chains and agents carry are passed over. Its trace is the
  request;
- ``session_id`` is the project, not a session: that stands in the metadata, as ``session_id`` or
  ``thread_id``;
- costs are USD, as decimal texts;
- ``prompt_tokens`` and ``completion_tokens`` include all their kinds, whose counts stand in
  ``*_token_details`` under names of the provider's. The wrapper of Gemini's client alone leaves thoughts out
  of the output, not out of the total;
- what was written to a cache is ``cache_creation``, or ``ephemeral_5m_input_tokens`` and
  ``ephemeral_1h_input_tokens`` in its place; what was read beyond 200,000 tokens stands apart;
- a call of OpenAI's priority or flex tier has the tier's name among the kinds, and before theirs
  (``flex_cache_read``). Other tiers stand in the response, or among the parameters as asked for;
- ``feedback_stats`` has the mean of each feedback. On a chain it holds for the one call inside.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analytics.logs.dialects import flat_grades, usage
from analytics.logs.dialects.dialect import Nested, Passed, Record
from analytics.logs.dialects.flat import (
    Export,
    dialect,
    first,
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
from analytics.logs.dialects.opening import kept, listing, mapping, seconds_between

_TIMEOUT = re.compile(r"time(d|_|-|\s)*out|deadline", re.IGNORECASE)
_DEEPEST = 50
_EFFORTS = ("reasoning_effort", "reasoning.effort")
_UNITS = ("session_id", "thread_id", "conversation_id", "user_id")
_META = ("extra.metadata", "metadata")
_ASKED = ("extra.invocation_params", *(f"{place}.ls_invocation_params" for place in _META))
_DETAILS = {
    "prompt": (
        "prompt_token_details.raw", "prompt_token_details", "outputs.usage_metadata.input_token_details",
    ),
    "completion": (
        "completion_token_details.raw", "completion_token_details",
        "outputs.usage_metadata.output_token_details",
    ),
}  # fmt: skip
_TIERS = ("priority", "flex")
_COUNTED = ("prompt_tokens", "completion_tokens", "total_tokens")
_WRITTEN = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")

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
        "service_tier": (
            "outputs.service_tier", "outputs.llm_output.service_tier",
            *(f"{place}.service_tier" for place in _ASKED),
        ),
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
        **_tokens(members),
        "latency_s": seconds_between(start, members.get("end_time")),
        "ttft_s": seconds_between(start, members.get("first_token_time")),
        "cost_usd": paid(members.get("total_cost"), *tokens),
        "status": "timeout" if late else "error" if error else members.get("status"),
    }


def _tokens(members: Record) -> Record:
    """Tokens by kind, and the tier of those that OpenAI bills apart."""
    sent, made, total = (
        first(members, (name, f"outputs.usage_metadata.{other}"))
        for name, other in zip(_COUNTED, ("input_tokens", "output_tokens", "total_tokens"), strict=True)
    )
    given, spent = (mapping(first(members, paths)) for paths in _DETAILS.values())
    lives = [whole(given.get(name)) for name in _WRITTEN]
    written = _sum(given, "cache_creation", "cache_write")
    by_life = sum(life or 0 for life in lives)
    told = usage.Counts(
        whole(sent),
        whole(made),
        whole(total),
        cached=_sum(given, "cache_read", "cache_read_over_200k"),
        written=max(written or 0, by_life) if by_life else written,
        hour=lives[1],
        thought=_sum(spent, "reasoning"),
    )
    tier = next((tier for tier in _TIERS if tier in given or tier in spent), None)
    return usage.columns(told) | ({} if tier is None else {"service_tier": tier})


def _sum(details: Mapping[str, Any], *kinds: str) -> int | None:
    """Tokens of some kinds in any tier; null where none is told."""
    names = [f"{tier}{kind}" for tier in ("", *(f"{tier}_" for tier in _TIERS)) for kind in kinds]
    found = [count for name in names if (count := whole(details.get(name))) is not None]
    return sum(found) if found else None


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
DIALECTS = (RUNS, FEEDBACK)
