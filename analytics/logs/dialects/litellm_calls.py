"""One call as LiteLLM logs it -> one row: ids, times, tokens, cost, what the caller and the router say of it.

Columns have the names and paths of LiteLLM. Those that are computed have names of their own, below.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from analytics.logs.dialects import opening
from analytics.logs.dialects.dialect import Passed, Record
from analytics.logs.dialects.litellm_routing import EVALUATION, evaluation, routing

SAID = "metadata.spend_logs_metadata"
ASKED = "metadata.requester_metadata"
USAGE = "metadata.usage_object"
_WRITTEN = ("prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens")
HOUR = ".".join((USAGE, *_WRITTEN))
REQUEST, CALL, ORDER, UNIT = "request_key", "call_key", "call_order", "unit_key"
LOGPROB, ANSWER = "response.mean_logprob", "response.answer"
CATEGORY, CALLERS_ARM = "caller.category", "caller.arm"

_CARRIED = (
    "id", "request_id", "litellm_call_id", "trace_id", "session_id", "call_type", "model", "model_group",
    "model_id", "custom_llm_provider", "user", "end_user", "team_id",
)  # fmt: skip
_NAMES = {
    name.lower().replace("_", ""): name
    for name in (
        *_CARRIED, "startTime", "endTime", "completionStartTime", "prompt_tokens", "completion_tokens",
        "spend", "response_cost", "cache_hit", "status", "stream", "metadata", "request_tags", "messages",
        "response", "proxy_server_request", "model_parameters", "model_map_information", "cost_breakdown",
        "zero_cost_diagnostic", "error_information", "classifier_input", "originating_request_masked",
    )
}  # fmt: skip
_CHAT = frozenset(
    {
        f"{prefix}{name}{suffix}"
        for prefix in ("", "a")
        for name, suffix in (
            ("completion", ""), ("text_completion", ""), ("responses", ""), ("anthropic_messages", ""),
            ("generate_content", ""), ("generate_content", "_stream"), ("create_interaction", ""),
        )
    }
)  # fmt: skip
_PASS_THROUGH = frozenset({"pass_through_endpoint", "llm_passthrough_route", "allm_passthrough_route"})
_ALONE = frozenset({"responses", "aresponses", "create_interaction", "acreate_interaction"})
_CHAT_MODES = frozenset({"chat", "completion", "responses"})
_CLASSIFIERS = frozenset({"CapabilityClassifierDecision", "LLMV2Verdict", "TierClassification"})
_HEALTH_CHECK = "litellm-internal-health-check"
_UNKNOWN_MODEL = "unknown-model"
_REDACTED = "redacted-by-litellm"
_TIMEOUT_CODES = frozenset({"408", "504"})
_SHOWN = 40
_OBJECTS = {"metadata", "cost_breakdown", "zero_cost_diagnostic", "classifier_input"}
_OBJECTS |= {"originating_request_masked"}
_CATEGORIES = ("task_category", "category", "cat", "task_type", "task")
_ARMS = ("arm", "variant")


def row(record: Record) -> Record | Passed:
    """The row of one logged call, or why it is no call of the user's."""
    call = {_own_name(key): value for key, value in record.items()}
    for name in _OBJECTS & call.keys():
        call[name] = opening.pruned(opening.mapping(call[name]))
    metadata = call.get("metadata") or {}
    tags = opening.listing(call.get("request_tags"))
    reason = _passed_over(call, metadata, tags)
    if reason:
        return Passed(reason)
    status, prompt = _status(call, metadata), _prompt(call)
    flat = {
        **{name: opening.text(call.get(name)) for name in _CARRIED},
        **_ids(call, metadata, prompt, failed=status != "success"),
        **_times(call),
        **_usage(call, metadata, status),
        "status": status,
        "reasoning_effort": _effort(call, metadata),
        SAID: opening.mapping(metadata.get("spend_logs_metadata")),
        ASKED: _scalars(opening.mapping(metadata.get("requester_metadata"))),
        "tags": opening.tagged(tags),
        EVALUATION: evaluation(metadata),
        **_answer(call.get("response")),
        "messages": prompt if isinstance(prompt, str) or not prompt else json.dumps(prompt, default=str),
    }
    places = (flat[SAID], flat["tags"], flat[ASKED])
    flat[CATEGORY], flat[CALLERS_ARM] = _first(places, _CATEGORIES), _first(places, _ARMS)
    flat |= routing(metadata, alone=flat[CALLERS_ARM] is None)
    return opening.kept(flat)


@lru_cache(maxsize=1024)
def _own_name(key: str) -> str:
    """LiteLLM's spelling of a member, which warehouses write in lower case or with underscores."""
    return _NAMES.get(key.lower().replace("_", ""), key)


def _first(places: Iterable[Mapping[str, Any]], names: Iterable[str]) -> str | None:
    """What the caller says under any of these names."""
    return next(
        (found for name in names for place in places if (found := opening.text(place.get(name)))), None
    )


def _passed_over(call: Record, metadata: Record, tags: list[Any]) -> str | None:
    origin = metadata.get("internal_call_origin")
    if not origin and _is_classifier(call):
        origin = "autorouter_classifier"
    if origin:
        return f"call that LiteLLM made itself ({str(origin)[:_SHOWN]})"
    if _HEALTH_CHECK in tags or opening.text(call.get("team_id")) == _HEALTH_CHECK:
        return "health check"
    if (opening.text(call.get("model")) or _UNKNOWN_MODEL) == _UNKNOWN_MODEL:
        return "call that names no model"
    kind = _kind(call)
    mode = opening.member(_model_map(call, metadata), "mode")
    if kind in _CHAT or (not kind and (not isinstance(mode, str) or mode in _CHAT_MODES)):
        return None
    if kind in _PASS_THROUGH:
        used = opening.number(call.get("prompt_tokens")) or opening.number(call.get("completion_tokens"))
        return None if used else "pass-through call without tokens"
    return f"no chat call ({(kind or str(mode))[:_SHOWN]})"


def _kind(call: Record) -> str:
    """What sort of call it is; LiteLLM logs some with the name of its own enumeration before them."""
    return (opening.text(call.get("call_type")) or "").removeprefix("CallTypes.")


def _is_classifier(call: Record) -> bool:
    """Whether a payload, which does not carry its origin, is of the router's own call to its classifier."""
    name = opening.member(call.get("model_parameters"), "response_format", "json_schema", "name")
    audited = call.get("classifier_input") or call.get("originating_request_masked")
    return bool(audited) or (isinstance(name, str) and name in _CLASSIFIERS)


def _model_map(call: Record, metadata: Record) -> Any:
    found = call.get("model_map_information") or metadata.get("model_map_information")
    return opening.member(found, "model_map_value")


def _status(call: Record, metadata: Record) -> str:
    """success, error or timeout."""
    word = opening.text(call.get("status")) or opening.text(metadata.get("status")) or "success"
    if word == "success":
        return word
    error = opening.mapping(call.get("error_information") or metadata.get("error_information"))
    late = "timeout" in (opening.text(error.get("error_class")) or "").lower()
    return "timeout" if late or opening.text(error.get("error_code")) in _TIMEOUT_CODES else "error"


def _ids(call: Record, metadata: Record, prompt: Any, *, failed: bool) -> Record:
    """Request, call and unit; a failed attempt shares LiteLLM's call id with the answer that followed."""
    said = opening.mapping(metadata.get("spend_logs_metadata"))
    own = opening.text(call.get("litellm_call_id"))
    entry = opening.text(call.get("id")) or opening.text(call.get("request_id"))
    trace = opening.text(call.get("trace_id")) or opening.text(call.get("session_id"))
    users = (said.get(name) for name in ("unit_id", "user_id", "session_id", "conversation_id"))
    named = next((found for value in users if (found := opening.text(value))), None)
    user = opening.text(call.get("end_user")) or opening.text(
        opening.member(call.get("model_parameters"), "user")
    )
    return {
        REQUEST: opening.text(said.get("request_id")) or _traced(call, trace, prompt) or _whole(own) or entry,
        CALL: f"failed {own or entry}" if failed and (own or entry) else own or entry,
        UNIT: named or user or opening.text(call.get("session_id")) or trace,
    }


def _whole(call_id: str | None) -> str | None:
    """The id of the proxied request; earlier attempts that were billed end in ``-attempt-0`` and so on."""
    head, mark, number = (call_id or "").rpartition("-attempt-")
    return head if mark and number.isdigit() else call_id


def _traced(call: Record, trace: str | None, prompt: Any) -> str | None:
    """Id of a request by its trace: with its messages where these are logged, since a trace may be a session.

    Where LiteLLM keeps sessions apart from traces (``request_correlation_in_logs``) the trace alone will do.
    """
    session = opening.text(call.get("session_id")) if opening.text(call.get("trace_id")) else None
    if trace and prompt and _kind(call) not in _ALONE:
        canonical = json.dumps(opening.pruned(prompt), sort_keys=True, default=str)
        return f"{trace}/{hashlib.sha256(canonical.encode(errors='replace')).hexdigest()[:16]}"
    return trace if session and session != trace else None


def _prompt(call: Record) -> Any:
    """The messages of a call, from the payload or the stored body; None where they are not logged."""
    stored = opening.member(call.get("proxy_server_request"), "messages")
    found = opening.opened(call.get("messages")) or stored
    return None if not found or _REDACTED in str(found) else found


def _times(call: Record) -> Record:
    start = opening.epoch_s(call.get("startTime"))
    latency = opening.seconds_between(call.get("startTime"), call.get("endTime"))
    first = opening.seconds_between(call.get("startTime"), call.get("completionStartTime"))
    streamed = _flag(call.get("stream"))
    if "spend" in call:
        # A spend-log row says so only where the request's body is stored. Without a stream the first
        # token is logged as the end.
        streamed = _flag(opening.member(call.get("proxy_server_request"), "stream"))
        streamed = streamed is not False and first != latency
    shown = streamed and first is not None and latency is not None and first <= latency
    moment = _moment(start)
    return {
        "startTime": moment,
        ORDER: round(start * 1e6) if start is not None and moment else None,
        "latency_s": latency,
        "ttft_s": first if shown else None,
    }


def _moment(epoch_s: float | None) -> str | None:
    try:
        return None if epoch_s is None else dt.datetime.fromtimestamp(epoch_s, dt.UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def _flag(value: Any) -> bool | None:
    found = value if isinstance(value, bool) else (opening.text(value) or "").lower()
    return {True: True, False: False, "true": True, "false": False}.get(found)


def _usage(call: Record, metadata: Record, status: str) -> Record:
    """Tokens, cost and whether it came from the cache; what LiteLLM does not know it logs as 0."""
    usage = opening.mapping(metadata.get("usage_object")) or opening.mapping(
        metadata.get("additional_usage_values")
    )
    tokens = [
        _count(call.get(name)) or _count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")
    ]
    known = any(tokens)
    hit = _flag(call.get("cache_hit"))
    cost = opening.number(call.get("spend") if "spend" in call else call.get("response_cost"))
    priced = (call.get("cost_breakdown") or metadata.get("cost_breakdown")) and not call.get(
        "zero_cost_diagnostic"
    )
    if not cost and status == "success" and not priced:
        cost = None
    found: Record = {
        "prompt_tokens": (tokens[0] or 0) if known else None,
        "completion_tokens": (tokens[1] or 0) if known else None,
        "cache_hit": hit,
        "spend" if "spend" in call else "response_cost": 0.0 if hit else cost,
    }
    details = (
        ("completion_tokens_details", "reasoning_tokens", None),
        ("prompt_tokens_details", "cached_tokens", usage.get("cache_read_input_tokens")),
        ("prompt_tokens_details", "cache_creation_tokens", usage.get("cache_creation_input_tokens")),
    )
    for group, name, other in details:
        part = _count(opening.member(usage, group, name))
        found[f"{USAGE}.{group}.{name}"] = _count(other) if part is None else part
    found[HOUR] = _count(opening.member(usage, *_WRITTEN))
    found["service_tier"] = _service(call, usage)
    return found


def _service(call: Record, usage: Record) -> str | None:
    """The service tier that the answer names, else the one asked for."""
    places = (usage, call.get("response"), call.get("model_parameters"))
    return next(
        (word for place in places if (word := opening.text(opening.member(place, "service_tier")))), None
    )


def _count(value: Any) -> float | int | None:
    found = opening.number(value)
    return int(found) if found is not None and found.is_integer() else found


def _effort(call: Record, metadata: Record) -> str | None:
    """Reasoning effort: as sent to the model, else as the router's tier or the caller's body asks for it."""
    tier = opening.member(metadata, "routing_decision", "tier_litellm_params")
    for found in (call.get("model_parameters"), tier, call.get("proxy_server_request")):
        for path in (("reasoning_effort",), ("reasoning_effort", "effort"), ("reasoning", "effort")):
            effort = opening.text(opening.member(found, *path))
            if effort:
                return effort
        if opening.text(opening.member(found, "thinking", "type")) in {"enabled", "adaptive"}:
            return "think"
    return None


def _answer(response: Any) -> Record:
    """Text of the first answer, and the mean log-probability of its tokens."""
    choices = opening.listing(opening.member(response, "choices"))
    first = choices[0] if choices else None
    tokens = opening.listing(opening.member(first, "logprobs", "content"))
    return {
        LOGPROB: opening.mean_logprob(opening.member(token, "logprob") for token in tokens),
        ANSWER: opening.text(opening.member(first, "message", "content")),
    }


def _scalars(members: Record) -> Record:
    return {name: value for name, value in members.items() if isinstance(value, str | int | float)}
