"""TensorZero's tables: inferences, the calls of models that they made, and feedback.

Names of tensorzero 2026.6.0 (``StoredChatInference``, ``StoredJsonInference``) and of its data model for
ClickHouse and Postgres (docs/gateway/data-model; ``StoredModelInference`` and the migrations of its columns
for what came later: ``cached``, ``cost``, ``provider_cache_*``). Times are in milliseconds.

- Tokens are put in order as OpenAI counts them: input has what a cache had a part in, output has reasoning.
  Older rows of Anthropic's leave the cache out; where the provider's response is there, its counts count. It
  alone tells reasoning tokens, what was written for an hour and the service tier that was had.
- A call has a cost where its provider's prices are in the configuration; in other currencies than USD it is
  left out. An answer from the gateway's own cache (``cached``) costs nothing.
- The function is the task's category and the variant the arm: it is drawn at random per episode. Without a
  model's name the variant is taken for the model.
- The inferences of one function in one episode are one request, unless the tag ``request_id`` says it; the
  episode is the unit.
- A row of ModelInference is one call of a provider. It names no function, so it is best joined to its
  inference.
- Feedback names an inference or an episode as its target, and does not say which: both are tried.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from analytics.logs.dialects import flat_grades
from analytics.logs.dialects.dialect import Passed, Record
from analytics.logs.dialects.flat import Export, dialect, first, named, opened, paid, users_own, value
from analytics.logs.dialects.response import billed
from analytics.logs.dialects.span_values import iso

_PER = {"latency_s": 1000, "ttft_s": 1000}
_TOKENS = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "reasoning_tokens": ("output_tokens_details.reasoning_tokens",),
    "cached_tokens": ("provider_cache_read_input_tokens", "input_tokens_details.cached_tokens"),
    "cache_write_tokens": ("provider_cache_write_input_tokens",),
}
_TIMED = 7
_EFFORT = ("inference_params.chat_completion.reasoning_effort",)

_INFERENCE = Export(
    fields={
        "call_id": ("inference_id", "id"),
        "task_category": ("function_name",),
        "model": ("model_name", "variant_name"),
        "unit_id": ("episode_id",),
        "latency_s": ("processing_time_ms", "response_time_ms"),
        "ttft_s": ("ttft_ms",),
        "effort": _EFFORT,
        "service_tier": ("inference_params.chat_completion.service_tier",),
        "prompt": ("input",),
        "answer": ("output",),
        **_TOKENS,
    },
    hints={"arm": ("variant_name",)},
    carried=("model_provider_name", "snapshot_hash"),
    users={"tags": ("tags",)},
    per=_PER,
)
_MODEL = Export(
    fields={
        "request_id": ("inference_id",),
        "call_id": ("id",),
        "model": ("model_name",),
        "latency_s": ("response_time_ms",),
        "ttft_s": ("ttft_ms",),
        "prompt": ("input_messages",),
        "answer": ("output",),
        **_TOKENS,
    },
    carried=("model_provider_name", "finish_reason", "snapshot_hash"),
    per=_PER,
)


def _moment(members: Record, *ids: str) -> Any:
    """When a row was written: its timestamp, else the one in its id (``SELECT *`` leaves out the former)."""
    return members.get("timestamp") or next(
        (found for name in ids if (found := _of_uuid(members.get(name)))), None
    )


def _of_uuid(found: Any) -> str | None:
    """The moment in a UUID of version 7, whose first 48 bits are milliseconds since 1970."""
    try:
        known = uuid.UUID(str(found))
    except ValueError:
        return None
    milliseconds = known.int >> 80
    return iso(milliseconds * 1_000_000) if known.version == _TIMED else None


def _inference(members: Record) -> Record:
    asked = users_own(_INFERENCE, members).get("tags.request_id")
    episode, function = members.get("episode_id"), members.get("function_name")
    own = f"{episode}/{function}" if episode else first(members, ("inference_id", "id"))
    return {"request_id": asked or own, "ts": _moment(members, "inference_id", "id"), **_paid(members)}


def _model(members: Record) -> Record:
    return {"ts": _moment(members, "id", "inference_id"), **_paid(members)}


def _paid(members: Record) -> Record:
    """What a call of a model used and cost, and whether the gateway's own cache answered it."""
    hit = str(members.get("cached")).lower() in {"true", "1"}
    dollars = str(members.get("currency") or "USD").upper() == "USD"
    cost = paid(members.get("cost")) if dollars else None
    return {
        "cost_usd": 0.0 if hit else cost,
        "cache_hit": hit or None,
        **({} if hit else billed(members.get("raw_response"))),
    }


def _feedback(record: Record) -> Iterator[Record | Passed]:
    """The grade that a row of feedback is."""
    members = named(record)
    name, target = members.get("metric_name"), members.get("target_id")
    if name is None:
        yield Passed("feedback in words")
        return
    yield flat_grades.grade(
        name,
        members.get("value"),
        call_id=target,
        request_id=target,
        unit_id=target,
        ts=_moment(members, "id"),
        correct_source=_source(value(members, "tags")),
    )


def _source(tags: Any) -> str | None:
    """Feedback that TensorZero's interface or evaluations gave says so in its tags."""
    found = tags if isinstance(tags, dict) else {}
    if "tensorzero::human_feedback" in found:
        return "human"
    return "judge" if "tensorzero::evaluator_inference_id" in found else None


INFERENCES = dialect(
    "tensorzero_inferences",
    "TensorZero inferences",
    _INFERENCE,
    "function_name variant_name episode_id",
    opened=opened(_INFERENCE, computed=_inference),
)
MODEL_INFERENCES = dialect(
    "tensorzero_model_inferences",
    "TensorZero model inferences",
    _MODEL,
    "inference_id model_name model_provider_name",
    absent="function_name",
    opened=opened(_MODEL, computed=_model),
)
FEEDBACK = flat_grades.dialect(
    "tensorzero_feedback",
    "TensorZero feedback",
    _feedback,
    "target_id metric_name value",
    "target_id target_type value",
)
DIALECTS = (INFERENCES, MODEL_INFERENCES, FEEDBACK)
