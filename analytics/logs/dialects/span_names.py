"""Attribute names of the two conventions for traces of model calls, and what other names may stand for.

``gen_ai.*`` as in open-telemetry/semantic-conventions-genai (``model/gen-ai/registry.yaml``, commit 002c8a6)
and opentelemetry-semantic-conventions 0.66b2; older names as in opentelemetry-semantic-conventions-ai 0.5.1
(OpenLLMetry). ``llm.*`` as in openinference-semantic-conventions 0.1.42. OpenTelemetry has no cost: those of
OpenInference, OpenLIT 1.45 (``gen_ai.usage.cost``) and Pydantic AI 2.68 (``operation.cost``) are in USD.
"""

from functools import lru_cache
from typing import Any

from analytics.logs.dialects import call_level
from analytics.logs.dialects.dialect import NO_FIELD, TAIL, WEAK, Match, plain
from analytics.logs.dialects.span_values import Attributes

REQUEST_MODEL = ("gen_ai.request.model", "llm.request.model_name")
RESPONSE_MODEL = ("gen_ai.response.model", "llm.response.model_name")
ANY_MODEL = ("llm.model_name", "ai.model.id")
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
INPUT = (
    "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)  # fmt: skip
OUTPUT = (
    "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
    "llm.usage.completion_tokens",
)  # fmt: skip
TOTAL = ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens")
CACHED = (
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input",
)  # fmt: skip
WRITTEN = (
    "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens", "llm.token_count.prompt_details.cache_write",
)  # fmt: skip
SERVICE = (
    "gen_ai.response.service_tier",
    "gen_ai.openai.response.service_tier", "openai.response.service_tier",
    "gen_ai.openai.request.service_tier", "openai.request.service_tier",
)  # fmt: skip
REASONING = (
    "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)  # fmt: skip
COUNTS = {
    "sent": INPUT, "made": OUTPUT, "total": TOTAL, "cached": CACHED, "written": WRITTEN, "thought": REASONING,
}  # fmt: skip
COST = ("llm.cost.total", "gen_ai.usage.cost", "operation.cost")
COST_PARTS = ("llm.cost.prompt", "llm.cost.completion")
EFFORT = (
    "gen_ai.request.reasoning.level", "gen_ai.request.reasoning_effort", "gen_ai.request.reasoning.effort",
    "gen_ai.openai.request.reasoning_effort", "llm.request.reasoning_effort",
)  # fmt: skip
EFFORT_PARAMETERS = (
    ("reasoning_effort",), ("reasoning", "effort"), ("output_config", "effort"),
    ("config", "thinking_config", "thinking_level"), ("thinking_config", "thinking_level"),
)  # fmt: skip
PARAMETERS = ("llm.invocation_parameters",)
FIRST_CHUNK_S = (
    "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token", "gen_ai.server.ttft",
)  # fmt: skip
FIRST_CHUNK_MS = ("ai.response.msToFirstChunk",)
UNIT = (
    "gen_ai.conversation.id", "session.id", "user.id", "enduser.id", "enduser.pseudo.id",
)  # fmt: skip
PROMPT = ("input.value", "gen_ai.input.messages", "gen_ai.prompt")
ANSWER = ("output.value", "gen_ai.output.messages", "gen_ai.completion")

CALLS = frozenset(
    {"chat", "text_completion", "generate_content", "llm", "completion", "completions", "chat_completion"}
    | {"chat_completions", "responses", "messages"}
)
PASSED = {
    "embeddings": "embedding spans", "embedding": "embedding spans",
    "execute_tool": "tool spans", "tool": "tool spans",
    "invoke_agent": "agent spans", "create_agent": "agent spans", "agent": "agent spans",
    "invoke_workflow": "chain and workflow spans", "chain": "chain and workflow spans",
    "workflow": "chain and workflow spans", "task": "chain and workflow spans", "plan": "agent spans",
    "retrieval": "retrieval spans", "retriever": "retrieval spans", "reranker": "reranking spans",
    "rerank": "reranking spans", "evaluator": "evaluation spans", "guardrail": "guardrail spans",
    "prompt": "prompt spans", "decision": "decision spans", "create_memory": "memory spans",
    "search_memory": "memory spans", "update_memory": "memory spans", "upsert_memory": "memory spans",
    "delete_memory": "memory spans",
}  # fmt: skip
SEPARATE = frozenset({"tool spans", "agent spans"})
NOT_THE_USERS = {
    "evaluation spans": "calls of an evaluator",
    "guardrail spans": "calls of a guardrail",
    "reranking spans": "calls of a reranker",
}

# First steps of the names that a convention has given away: OpenTelemetry's, OpenInference's, and those of
# instrumentations. What stands below them is no attribute of the user's.
CONVENTIONS = frozenset((
    "ai", "annotation", "annotations", "anthropic", "agent", "artifact", "aws", "az", "azure", "browser",
    "cicd", "client", "cloud", "cloudevents", "cloudfoundry", "code", "completion", "container", "cpu",
    "cpython", "db", "decision", "deployment", "destination", "device", "disk", "dns", "document",
    "documents", "elasticsearch", "embedding", "enduser", "error", "evaluation", "evaluations", "event",
    "exception", "faas", "feature_flag", "file", "gcp", "gen_ai", "geo", "graph", "graphql", "heroku",
    "host", "http", "hw", "input", "jsonrpc", "k8s", "langchain", "linux", "llm", "log", "logfire", "mcp",
    "message", "message_content", "messaging", "net", "network", "nfs", "openai", "openinference",
    "opentracing", "operation", "os", "otel", "output", "peer", "pool", "process", "profile", "prompt",
    "reranker", "retrieval", "rpc", "security_rule", "server", "service", "session", "source", "system",
    "telemetry", "thread", "tls", "tool", "tool_call", "trace", "traceloop", "url", "user", "user_agent",
    "vcs", "vertexai", "webengine",
))  # fmt: skip
OF_USERS = ("traceloop.association.properties.", "ai.telemetry.metadata.")

_MADE_FROM = frozenset(
    {*INPUT, *OUTPUT, *TOTAL, *CACHED, *WRITTEN, *REASONING, *COST, *EFFORT, *PARAMETERS, *FIRST_CHUNK_S}
    | {*FIRST_CHUNK_MS, *UNIT, *PROMPT, *ANSWER, *PROVIDER, "gen_ai.system_instructions", "llm.tools"}
    | {"gen_ai.tool.definitions", "ai.prompt", "ai.response.text", "exception.stacktrace"}
)
_TOLD_INSIDE = frozenset((
    "task_category", "segment", "confidence", "confidence_kind", "policy_kind", "threshold", "propensity",
    "sampling_probability", "router_cost_usd", "router_latency_s", "unit_id", "experiment", "arm", "shadow",
))  # fmt: skip
_GIVEN = _TOLD_INSIDE | {"served", "correct", "correct_source", "cache_hit", "cost_usd"}
_NOT_GIVEN = frozenset({"subject", "function_name"})
_GRADES = frozenset({"correct", "is_correct", "correctness", "accuracy", "grade", "passed"})
_OF_ROUTE = frozenset({"fast", "route", "router", "routing", "cascade", "escalation", "small", "cheap"})
_OF_ELSE = frozenset({"intent", "asr", "ocr", "sentiment", "moderation", "retrieval", "rerank", "search"})
_OF_ELSE |= {"language", "lang", "detection", "classifier", "classification", "judge", "speech", "entity"}

snake = lru_cache(10_000)(plain)


@lru_cache(50_000)
def of_user(name: str) -> bool:
    """Whether an attribute of this dotted name is the user's own, not a convention's."""
    return name.partition(".")[0] not in CONVENTIONS or name.startswith(OF_USERS)


@lru_cache(50_000)
def column(name: str) -> str | None:
    """The column of an attribute; null for one that others are made from, texts and what is in a list."""
    if of_user(name):
        return f"attributes.{name}"
    return None if name in _MADE_FROM or any(step.isdigit() for step in name.split(".")) else f"span.{name}"


def custom(name: str) -> Match | None:
    """Field and rank of the last step, in snake case, of a user's own attribute."""
    if name == "cat":
        return "task_category", 1
    found = None if name in _NOT_GIVEN else call_level.match(name)
    if found is None or found[0] not in _GIVEN or (found[1] >= WEAK and found[0] != "confidence"):
        return None
    if (found[0] == "correct" and name not in _GRADES) or (found[0] == "cost_usd" and "usd" not in name):
        return None
    return found


def about_else(name: str) -> bool:
    """Whether a plain name ends in a confidence that is of something else than an answer."""
    return name.endswith(("confidence", "confidence_score")) and bool(set(name.split("_")) & _OF_ELSE)


def told_inside(attributes: Attributes) -> dict[str, Any]:
    """The user's own attributes of a span that hold for the calls inside it.

    A confidence beside the word that the request was escalated may be the strong answer's: it holds only
    where its name speaks of the routing or of the fast answer.
    """
    fields = {name: field for name in attributes if (field := _inside(name)) is not None}
    if "confidence" in fields.values() and any(
        snake(name).endswith("escalated") and str(value).lower() in {"true", "1", "yes"}
        for name, value in attributes.items()
    ):
        unclear = {name for name, field in fields.items() if field == "confidence" and not _of_route(name)}
        return {name: attributes[name] for name in fields if name not in unclear}
    return {name: attributes[name] for name in fields}


@lru_cache(50_000)
def _inside(name: str) -> str | None:
    """The field that an attribute of a span gives the calls inside it; null if none."""
    if not of_user(name) or about_else(plain(name)):
        return None
    found = custom(plain(name.rpartition(".")[2]))
    return found[0] if found and found[0] in _TOLD_INSIDE else None


def _of_route(name: str) -> bool:
    return not _OF_ROUTE.isdisjoint(plain(name).split("_"))


FIELDS: dict[str, Match] = {
    "trace_id": ("request_id", 1), "span_id": ("call_id", 1), "start_time": ("ts", 1),
    **{name: (name, 1) for name in (
        "latency_s", "ttft_s", "model", "effort", "input_tokens", "output_tokens", "cached_tokens",
        "cache_write_tokens", "service_tier",
        "reasoning_tokens", "cost_usd", "status", "unit_id", "correct", "correct_source", "prompt", "answer",
    )},
    "parent_span_id": NO_FIELD,
}  # fmt: skip
UNITS = {
    "ts": "iso", "latency_s": "s", "ttft_s": "s", "cost_usd": "usd", "correct": "fraction",
}  # fmt: skip


def match(name: str) -> Match | None:
    """Field and rank of a column's plain name, or of the last step of the user's own attribute.

    Traces carry many attributes: none is guessed by its values alone.
    """
    if name in FIELDS:
        return FIELDS[name]
    if name.startswith(("span_", "evaluation_")) or about_else(name):
        return NO_FIELD
    if name.startswith("resource_"):
        steps = name.split("_")
        found = (custom("_".join(steps[at:])) for at in range(1, len(steps)))
        known = next((one for one in found if one), None)
        return (known[0], known[1] + 2 * TAIL) if known else NO_FIELD
    return custom(name) or (None if name.startswith("attributes_") else NO_FIELD)
