"""What gateways export: Helicone's requests, OpenRouter's generations, Portkey's logs.

Helicone (``HeliconeRequest`` in its packages/llm-mapper/types.ts; rows of ``/v1/request/query-clickhouse``,
which its exporter writes as JSON, JSON lines or CSV):

- ``delay_ms`` and ``time_to_first_token`` are milliseconds, ``cost`` and ``costUSD`` USD; 0 where it knows
  no price;
- ``prompt_tokens`` leave out what was read from or written to a cache. ``completion_tokens`` leave out
  ``reasoning_tokens`` where ``total_tokens`` counts them besides. What was written for an hour and the
  service tier stand in bodies only; where a body has the provider's own counts, those count;
- properties are texts. Scores are whole numbers or flags, the latter with a mark behind their name;
- its CSV doubles the quotes in objects twice, leaves out scores and cached tokens, and asks for columns
  that it names otherwise, so that model, latency and cost may be empty: latency is then the time between
  request and response.

OpenRouter (``GenerationResponseData``, Python SDK 1.3.84): times are milliseconds, costs USD, all discounts
included. Tokens are the provider's own (``native_tokens_*``), as billed; those written to a cache are not
told. The service tier is the one that the provider reported. With a key of one's own the provider's bill
comes on top. A latency below the time of generating is the time to the first token.

Portkey (docs, log exports): ``cost`` is in US cents, ``response_time`` in milliseconds, a trace is a request.
Costs in another currency are left out, and 0 for a call with tokens that no cache answered. A log has no
fields for cached and reasoning tokens or the service tier: they are read from the provider's response, which
in Portkey's translation of Anthropic leaves a cache's tokens out of ``prompt_tokens`` but not out of the
total. A feedback runs from -10 to 10: above 0 is good, 0 says nothing.
"""

from typing import Any

from analytics.logs.dialects.dialect import Passed, Record
from analytics.logs.dialects.flat import (
    RATED,
    RATER,
    Export,
    dialect,
    first,
    model,
    opened,
    paid,
    prepared,
    refused,
    row,
    scored,
    total,
    value,
    whole,
)
from analytics.logs.dialects.opening import kept, number, seconds_between
from analytics.logs.dialects.response import answer, billed

_MS = {"latency_s": 1000, "ttft_s": 1000}
_FLAG = "-hcone-bool"
_NO_CACHE = "00000000-0000-0000-0000-000000000000"
# Codes of its own for requests without an HTTP status (``statusBadge.tsx``): -3 is cancelled, -4 a threat.
_HELICONE_STATUS = {-1: "timeout", -3: "error", -4: "error"}
_PENDING = (-2.0, 0.0)
_NO_CHAT = ("/embeddings", "/moderations", "/images/", "/audio/", "/rerank")
_EFFORT = ("reasoning_effort", "reasoning.effort", "output_config.effort")

_HELICONE = Export(
    fields={
        "request_id": ("request_id", "response_id"),
        "call_id": ("request_id", "response_id"),
        "ts": ("request_created_at",),
        "unit_id": (
            "request_properties.Helicone-Session-Id", "properties.Helicone-Session-Id", "request_user_id",
        ),
        "cached_tokens": ("prompt_cache_read_tokens",),
        "cache_write_tokens": ("prompt_cache_write_tokens",),
        "reasoning_tokens": ("reasoning_tokens",),
        "service_tier": ("request_body.service_tier",),
        "latency_s": ("delay_ms", "latency"),
        "ttft_s": ("time_to_first_token",),
        "cost_usd": ("cost_usd", "cost"),
        "effort": tuple(f"request_body.{path}" for path in _EFFORT),
        "prompt": ("request_body.messages", "request_body.input", "request_body.prompt"),
    },
    hints={"task_category": ("prompt_id",)},
    users={"properties": ("request_properties", "properties")},
    per=_MS,
)  # fmt: skip


def _helicone(members: Record) -> Record:
    status = number(members.get("response_status"))
    prompt, made = members.get("prompt_tokens"), members.get("completion_tokens")
    read, written = members.get("prompt_cache_read_tokens"), members.get("prompt_cache_write_tokens")
    thought = whole(members.get("reasoning_tokens"))
    sums = total(prompt, made)
    apart = sums is not None and whole(members.get("total_tokens")) == sums + (thought or 0)
    source = members.get("cache_reference_id")
    hit = isinstance(source, str) and source not in {_NO_CACHE, members.get("request_id")}
    scores = {name.removesuffix(_FLAG): _score(one) for name, one in _pairs(members.get("scores"))}
    rating = members.get("feedback_rating")
    found: Record = {
        "model": members.get("model_override")
        or model(members.get("request_model"), members.get("response_model"))
        or first(members, ("model", "request_body.model")),
        "status": _HELICONE_STATUS.get(int(status), int(status)) if status is not None else None,
        "input_tokens": total(prompt, read, written),
        "output_tokens": total(made, thought if apart else 0),
        "cache_hit": hit or None,
        RATED: rating,
        RATER: "feedback" if rating is not None else None,
        **scored(scores),
        **answer(members.get("response_body")),
        **billed(members.get("response_body")),
    }
    cost = first(members, ("cost_usd", "cost"))
    found["cost_usd"] = _of_cache(cost) if hit else paid(cost, sums)
    if first(members, ("delay_ms", "latency")) is None:
        times = members.get("request_created_at"), members.get("response_created_at")
        found["latency_s"] = seconds_between(*times)
    return found


def _of_cache(cost: Any) -> float:
    """What an answer from the gateway's own cache cost; nothing unless it says otherwise."""
    return number(cost) or 0.0


def _pairs(scores: Any) -> list[tuple[str, Any]]:
    found = value({"scores": scores}, "scores")
    return [(str(name), one) for name, one in found.items()] if isinstance(found, dict) else []


def _score(held: Any) -> Any:
    return value(held, "value") if isinstance(held, dict) else held


def _unescaped(held: Any) -> Any:
    """An object in Helicone's CSV, whose exporter doubles its quotes before those of the cell are doubled."""
    return held.replace('""', '"') if isinstance(held, str) and held.startswith('{""') else held


def _helicone_passed(members: Record) -> str | None:
    path = str(members.get("request_path") or members.get("target_url") or "")
    if any(part in path for part in _NO_CHAT):
        return "requests that are no chat"
    status = number(members.get("response_status"))
    if status in _PENDING or (status is None and not whole(members.get("completion_tokens"))):
        return "requests that have not ended"
    named = ("model_override", "request_model", "response_model", "model", "request_body.model")
    if first(members, named) is None:
        return "requests that name no model, as in Helicone's CSV: export them as JSON lines (format jsonl)"
    return None


_requests = opened(_HELICONE, computed=_helicone, passed=_helicone_passed)

_OPENROUTER = Export(
    fields={
        "request_id": ("request_id", "id"),
        "call_id": ("id",),
        "ts": ("created_at",),
        "model": ("model",),
        "unit_id": ("session_id", "external_user"),
        "input_tokens": ("native_tokens_prompt",),
        "output_tokens": ("native_tokens_completion",),
        "reasoning_tokens": ("native_tokens_reasoning",),
        "cached_tokens": ("native_tokens_cached",),
        "service_tier": ("service_tier",),
    },
    hints={"arm": ("preset_id",)},
    carried=("router", "provider_name", "finish_reason"),
)


def _generation(record: Record) -> Any:
    """The row of one generation, alone or under ``data`` as the API answers it."""
    inner = record.get("data")
    members = prepared(_OPENROUTER, inner if isinstance(inner, dict) else record)
    kind = members.get("api_type")
    if kind not in {None, "completions"}:
        yield Passed(f"generations that are no chat ({str(kind)[:40]})")
        return
    late, made = number(members.get("latency")), number(members.get("generation_time"))
    split = late is not None and made is not None and made > late
    cost, upstream = number(members.get("total_cost")), number(members.get("upstream_inference_cost"))
    own_key = str(members.get("is_byok")).lower() == "true"
    failed = str(members.get("cancelled")).lower() == "true" or members.get("finish_reason") == "error"
    yield kept(
        {
            **row(_OPENROUTER, members),
            "latency_s": None if late is None else (late + (made or 0 if split else 0)) / 1000,
            "ttft_s": late / 1000 if split and late is not None else None,
            "cost_usd": None if cost is None else cost + (upstream or 0 if own_key else 0),
            "status": "error" if failed else "success",
            "cache_hit": True if members.get("response_cache_source_id") else None,
        }
    )


_PORTKEY = Export(
    fields={
        "request_id": ("trace_id", "id"),
        "call_id": ("id", "trace_id"),
        "ts": ("created_at",),
        "model": ("ai_model", "response.body.model", "response.model", "request.body.model", "request.model"),
        "unit_id": ("metadata._user",),
        "input_tokens": ("req_units",),
        "output_tokens": ("res_units",),
        "service_tier": ("request.body.service_tier", "request.service_tier"),
        "cost_usd": ("cost",),
        "latency_s": ("response_time",),
        "status": ("response_status_code", "is_success"),
        "effort": tuple(f"{place}.{path}" for place in ("request.body", "request") for path in _EFFORT),
        "prompt": ("request.body.messages", "request.messages"),
    },
    hints={"task_category": ("prompt_slug",), "arm": ("config",)},
    carried=("ai_org", "mode", "cache_status", "virtual_key"),
    users={"metadata": ("metadata",)},
    per={"latency_s": 1000, "cost_usd": 100},
)


def _portkey(members: Record) -> Record:
    """Tokens, hits of its caches, feedback, and no cost that is in no dollars."""
    dollars = str(members.get("cost_currency") or "USD").upper() == "USD"
    hit = "hit" in str(members.get("cache_status", "")).lower()
    rating = number(first(members, ("weighted_feedback", "feedback.value", "feedback")))
    body = first(members, ("response.body", "response"))
    cents = members.get("cost")
    cost = _of_cache(cents) if hit else paid(cents, members.get("req_units"), members.get("res_units"))
    return {
        "cache_hit": hit or None,
        "cost_usd": None if cost is None or not dollars else cost / _PORTKEY.per["cost_usd"],
        RATED: None if not rating else float(rating > 0),
        RATER: "feedback" if rating else None,
        **answer(body),
        **billed(body),
    }


def _portkey_passed(members: Record) -> str | None:
    url = str(members.get("request_url") or "")
    return "requests that are no chat" if any(part in url for part in _NO_CHAT) else None


HELICONE = dialect(
    "helicone",
    "Helicone requests",
    _HELICONE,
    "response_id request_created_at request_properties",
    "request_id request_created_at request_properties delay_ms",
    "request_id request_created_at response_status request_model",
    opened=lambda record: _requests({name: _unescaped(held) for name, held in record.items()}),
)
GENERATIONS = dialect(
    "openrouter_generations",
    "OpenRouter generations",
    _OPENROUTER,
    "native_tokens_prompt native_tokens_completion",
    "data_native_tokens_prompt data_native_tokens_completion",
    opened=_generation,
)
ACTIVITY = refused(
    "openrouter_activity",
    "OpenRouter activity by day",
    "This is OpenRouter's activity, which sums requests by day, model and provider: it tells what was spent, "
    "but no single call, so no threshold can be set from it. Ask for the calls themselves: GET "
    "/api/v1/generation?id=ID with the id that every answer carries, and load the answers as JSON lines. "
    "Nothing was loaded.",
    "model_permaslug requests",
    "data_model_permaslug data_requests",
)
PORTKEY = dialect(
    "portkey",
    "Portkey logs",
    _PORTKEY,
    "ai_model ai_org",
    "ai_model req_units",
    "ai_model res_units",
    "ai_model total_units",
    opened=opened(_PORTKEY, computed=_portkey, passed=_portkey_passed),
    note="Portkey's costs are in US cents and were divided by 100.",
)
DIALECTS = (HELICONE, GENERATIONS, ACTIVITY, PORTKEY)
