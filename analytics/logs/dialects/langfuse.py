"""Langfuse's observations: blob export (``observations_v2/`` and legacy ``observations/``), API, UI export.

Names are those of the blob export; the API's and the UI's camel case is read the same. A generation is a
model call; of the other observations none is. The calls of one trace are one request.

- Latency is computed from the times: the ``latency`` column is in milliseconds or seconds, depending on when
  the export was set up.
- Calls in environments that start with ``langfuse`` are Langfuse's own, made for its evaluators.
- Metadata may stand as JSON text, also in its values; ``scope`` and ``resourceAttributes`` in it describe the
  instrumentation and are left out. Tags like ``key:value`` are read as fields.
- A trace as the API returns it holds its observations and gives them its user, session, tags and name.
- The UI's export adds a column per score, a list of values: it is named ``scores.NAME`` where there is one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analytics.logs.dialects import call_level
from analytics.logs.dialects.dialect import (
    FREE,
    NO_FIELD,
    Dialect,
    Match,
    Passed,
    Record,
    by_path,
    plain,
    signed,
)
from analytics.logs.dialects.langfuse_record import cost_usd, leaves, named, scalar, text, tokens
from analytics.logs.dialects.opening import kept, listing, mapping, opened, seconds_between, tagged

_TIMEOUT = re.compile(r"tim(?:ed?|ing)[\s_-]*out|deadline[\s_-]*exceeded|\b(?:408|504)\b", re.IGNORECASE)
_TYPES = (
    "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL",
)  # fmt: skip
_INSTRUMENTATION = ("resourceAttributes", "scope")
_EFFORTS = ("reasoning_effort", "output_config_effort", "thinking_level")
_OF_TRACE = ("session_id", "user_id", "tags", "release", "environment")
# Fields of Langfuse's own that are lists or may be, so that they are no scores.
_NO_SCORES = frozenset(
    {"input", "output", "metadata", "tags", "trace_tags", "comments", "observations", "scores"}
    | {"tool_calls", "tool_call_names", "tool_definitions", "model_parameters", "usage_details"}
)

_PATHS = {
    "request_id": ("trace_id",),
    "call_id": ("id",),
    "unit_id": ("session_id", "user_id"),
    "ts": ("start_time",),
    "model": ("provided_model_name",),
    "effort": ("model_parameters.reasoning_effort",),
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "reasoning_tokens": ("reasoning_tokens",),
    "cached_tokens": ("cached_tokens",),
    "cache_write_tokens": ("cache_write_tokens",),
    "cache_write_1h_tokens": ("cache_write_1h_tokens",),
    "cost_usd": ("total_cost",),
    "latency_s": ("latency_s",),
    "ttft_s": ("ttft_s",),
    "status": ("status",),
    "task_category": ("?", "trace_name", "name"),
    "segment": ("?", "environment"),
    "arm": ("?", "release", "prompt_version", "version"),
    "prompt": ("input",),
    "answer": ("output",),
}

_named_path = by_path(
    _PATHS, free=("metadata.attributes", "metadata", "trace_metadata", "tags"), generic=call_level.of_users
)


def match(name: str) -> Match | None:
    """Field and rank of a plain name; of scores those that are called a grade are one."""
    if not name.startswith("scores_"):
        return _named_path(name)
    found = call_level.match(name.removeprefix("scores_"))
    return (found[0], found[1] + FREE) if found and found[0] == "correct" else NO_FIELD


def rows(record: Record) -> Iterator[Record | Passed]:
    """The model call in an observation, or those in a trace; else why there is none."""
    names = named(record)
    if "start_time" in names or "observations" not in names:
        yield _call(names, _scores(record))
        return
    calls = [inner for inner in map(opened, listing(names["observations"])) if isinstance(inner, Mapping)]
    if not calls:
        yield Passed("traces that only name their observations: export the observations instead")
    trace = {name: names[name] for name in _OF_TRACE if name in names}
    trace |= kept({"trace_id": names.get("id"), "trace_name": names.get("name")})
    trace["trace_metadata"] = names.get("metadata")
    for inner in calls:
        yield _call({**trace, **named(inner)}, {})
    for _ in listing(names.get("scores")):
        yield Passed("scores inside a trace: load the export of scores for them")


def _call(names: Record, scores: Record) -> Record | Passed:
    kind = str(names.get("type", "")).strip().upper()
    if kind in _TYPES:
        return Passed(f"observations of type {kind}")
    model = scalar(names.get("provided_model_name")) or scalar(names.get("model"))
    if kind != "GENERATION" and (kind or not model):
        return Passed("observations of no known type")
    if str(names.get("environment", "")).startswith(("langfuse", "llm-as-a-judge")):
        return Passed("calls that Langfuse made itself, such as its evaluators'")
    start = names.get("start_time")
    single = ("trace_id", "id", "session_id", "user_id", "start_time", "name", "trace_name", "environment")
    row = {name: scalar(names.get(name)) for name in (*single, "release", "prompt_version", "version")}
    row |= tokens(names)
    row |= {
        "provided_model_name": model,
        "model_parameters.reasoning_effort": _effort(names.get("model_parameters")),
        "total_cost": cost_usd(names),
        "latency_s": seconds_between(start, names.get("end_time")),
        "ttft_s": seconds_between(start, names.get("completion_start_time")),
        "status": _status(names),
        "input": text(names.get("input")),
        "output": text(names.get("output")),
    }
    return kept({**row, **_users_own(names), **scores})


def _users_own(names: Record) -> Record:
    """Metadata and tags by dotted path."""
    found: Record = {}
    for name in ("metadata", "trace_metadata"):
        members = mapping(names.get(name))
        told = {key: value for key, value in members.items() if key not in _INSTRUMENTATION}
        found |= {f"{name}.{path}": value for path, value in leaves(told).items()}
    tags = names.get("tags", names.get("trace_tags"))
    pairs = tagged(tags)
    found |= {f"tags.{key}": value for key, value in pairs.items()}
    bare = sorted({tag for tag in listing(tags) if isinstance(tag, str) and not tagged([tag])})
    return {**found, "tags": ", ".join(bare)}


def _scores(record: Mapping[str, Any]) -> Record:
    """Columns that are named by a score and hold a list with one value."""
    found: Record = {}
    for key, value in record.items():
        values = listing(value) if plain(str(key)) not in _NO_SCORES else []
        if len(values) == 1 and isinstance(values[0], str | int | float):
            found[f"scores.{key}"] = values[0]
    return found


def _effort(parameters: Any) -> str | None:
    """``reasoning_effort`` or ``reasoning.effort``, wherever it stands among a model's parameters."""
    found = (
        value
        for path, value in leaves(parameters).items()
        if isinstance(value, str) and plain(path).endswith(_EFFORTS)
    )
    return next(found, None)


def _status(names: Record) -> str | None:
    """How the call ended by level and message; None where nothing says that it has."""
    level = str(names.get("level", "")).upper()
    if level == "ERROR":
        return "timeout" if _TIMEOUT.search(str(names.get("status_message", ""))) else "error"
    return "success" if level and "end_time" in names else None


_observations = signed(
    "trace_id start_time parent_observation_id",
    "trace_id start_time usage_details",
    "trace_id start_time provided_model_name",
    "trace_id start_time end_time level type model usage",
    "html_path timestamp observations",
)
_traces = signed(
    "timestamp bookmarked public session_id", "html_path timestamp", "session_duration count_traces"
)

DIALECT = Dialect(
    name="langfuse",
    title="Langfuse observations",
    form="calls",
    recognises=_observations,
    match=match,
    opened=rows,
    tails=False,
    units={"latency_s": "s", "ttft_s": "s", "cost_usd": "usd"},
    extra={"unit_id": ("user_id",)},
)

TRACES = Dialect(
    name="langfuse_traces",
    title="Langfuse traces",
    form="calls",
    recognises=lambda names: _traces(names) and not _observations(names),
    match=match,
    refusal=(
        "This is Langfuse's list of traces or sessions, which tells no model and no tokens of any call. Load "
        "the export of observations instead (observations_v2/, or observations/ of an older export). Nothing "
        "was loaded."
    ),
)

DIALECTS = (DIALECT, TRACES)
