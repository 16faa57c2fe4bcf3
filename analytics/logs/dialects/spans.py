"""What one span of a trace says of a model call, whichever convention it follows.

- A model call is a span whose operation is chat, text_completion or generate_content, or whose OpenInference
  kind is LLM; without either, one that names a model and counts output tokens. All others are passed over.
- The model is the one that answered. Where that is but a dated version of the one asked for, it goes by the
  name asked for, so that a failed call, which has no other, is told of the same model.
- Both conventions count cached tokens as input and reasoning as output. Some instrumentations do not: where a
  part is more than its whole, or the total says so, the part is added.
- Latency is end minus start. The first token's time is in seconds, or that of its event.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from analytics.logs.dialects import evaluations, span_names, usage
from analytics.logs.dialects.dialect import Nested, Passed, Record
from analytics.logs.dialects.opening import kept, member, number
from analytics.logs.dialects.span_values import Attributes, count, first, iso, seconds

_VERSION = re.compile(
    r"[-@:](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|\d{2}-\d{4}|\d{2}-\d{2}|latest|default)(-v\d+)?(:\d+)?"
)
_TIMEOUT = re.compile(r"time(d|_|-|\s)*out|deadline", re.IGNORECASE)
_TIMEOUT_CODES = frozenset({"408", "504"})
_FIRST = re.compile(r"first[ _.-]?(token|chunk)", re.IGNORECASE)
_LONGEST_VALUE = 1_000
_NO_CALL = "spans without a model call"
_GRADABLE = frozenset({_NO_CALL, "chain and workflow spans", "agent spans"})
_SAME = frozenset({"correct", "correct_source", "ttft_s", "effort"})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened within a span; ``at`` is in nanoseconds since 1970, null if unknown."""

    name: str
    at: int | None
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """One span, whatever file it was in.

    Attributes:
        trace_id, span_id, parent_id: As texts; null where absent.
        name: Of the span.
        start, end: Nanoseconds since 1970; null if unknown.
        failed: Whether its status says so.
        message: Of the status.
        attributes: By dotted name.
        events: In their order.
        resource: The user's own attributes of whatever made the span, by dotted name.
    """

    trace_id: str | None
    span_id: str | None
    parent_id: str | None
    name: str
    start: int | None
    end: int | None
    failed: bool
    message: str
    attributes: Attributes
    events: tuple[Event, ...] = ()
    resource: Attributes = field(default_factory=dict)


def told(span: Span) -> Nested | Record | Passed:
    """The call that a span tells of, or why it tells of none, with its place in the trace."""
    reason = _reason(span)
    item: Record | Passed = _row(span) if reason is None else Passed(reason)
    if span.span_id is None:
        return item
    key = f"{span.trace_id}/{span.span_id}"
    around = f"{span.trace_id}/{span.parent_id}" if span.parent_id else None
    says: dict[str, Any] = {
        f"attributes.{name}": value for name, value in span_names.told_inside(span.attributes).items()
    }
    says |= kept({"unit_id": first(span.attributes, span_names.UNIT)})
    if isinstance(item, Passed):
        return Nested(
            item,
            key,
            around,
            says=says,
            same_call=_same_call(_graded(span)) if item.reason in _GRADABLE else {},
            separate=item.reason in span_names.SEPARATE,
            passes_over=span_names.NOT_THE_USERS.get(item.reason),
        )
    asked, answered, _ = _models(span.attributes)
    if asked and not answered:
        del item["model"]
    return Nested(
        item,
        key,
        around,
        says=says,
        same_call=_same_call(item.items()),
        answer_tokens=item.get("output_tokens"),
        alias=("model", asked, answered) if asked else None,
    )


def _same_call(columns: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Columns that hold for a call inside if that is the same, or the only one."""
    return {name: value for name, value in columns if name in _SAME and value is not None}


def _reason(span: Span) -> str | None:
    """Why a span is no model call; null if it is one."""
    attributes = span.attributes
    if attributes.get("logfire.span_type") == "pending_span":
        return "spans that had only begun"
    named = first(attributes, ("gen_ai.operation.name", "openinference.span.kind", "llm.request.type"))
    word = span_names.snake(named) if isinstance(named, str) else ""
    if word in {"", "unknown"}:
        word = _implied(span)
    return None if word in span_names.CALLS else span_names.PASSED.get(word, _NO_CALL)


def _implied(span: Span) -> str:
    """The operation of a span that does not name it: as frameworks mark it, or by its own name or tokens."""
    step = span.attributes.get("ai.operationId")
    if isinstance(step, str):
        return "chat" if step.endswith((".doGenerate", ".doStream")) else ""
    inner = span.attributes.get("traceloop.span.kind")
    if isinstance(inner, str):
        return span_names.snake(inner)
    asked, _, model = _models(span.attributes)
    if model is None:
        return ""
    operation, _, rest = span.name.partition(" ")
    if rest and rest in {asked, model}:
        return operation
    return "chat" if count(first(span.attributes, span_names.OUTPUT)) is not None else ""


def _row(span: Span) -> Record:
    attributes = span.attributes
    _, _, model = _models(attributes)
    return kept(
        {
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "parent_span_id": span.parent_id,
            "start_time": iso(span.start),
            "latency_s": seconds(span.start, span.end),
            "ttft_s": _first_token_s(span),
            "model": model,
            "effort": _effort(attributes),
            **_tokens(attributes),
            "service_tier": first(attributes, span_names.SERVICE),
            "cost_usd": _cost(attributes),
            "status": _status(span),
            "unit_id": first(attributes, span_names.UNIT),
            **dict(_graded(span)),
            "prompt": _text(first(attributes, span_names.PROMPT)),
            "answer": _text(first(attributes, span_names.ANSWER)),
            "span.name": span.name,
            "span.provider": first(attributes, span_names.PROVIDER),
            **_columns(attributes),
            **{f"resource.{name}": value for name, value in span.resource.items()},
        }
    )


def _graded(span: Span) -> Iterator[tuple[str, Any]]:
    """Columns of the evaluations on a span and in its events."""
    events = [event.attributes for event in span.events if event.name.startswith(evaluations.EVENT)]
    return evaluations.graded(evaluations.evaluations(span.attributes, events))


def _columns(attributes: Attributes) -> dict[str, Any]:
    """The user's own attributes, and those of a convention that are short values of their own."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        column = span_names.column(name)
        if column is None:
            continue
        long = len(value) > _LONGEST_VALUE if isinstance(value, str) else isinstance(value, list | dict)
        if not long or column.startswith("attributes."):
            found[column] = value
    return found


def _models(attributes: Attributes) -> tuple[str | None, str | None, str | None]:
    """The model asked for, the one that answered, and the name that the call goes by."""
    parameters = first(attributes, span_names.PARAMETERS)
    asked = first(attributes, span_names.REQUEST_MODEL) or member(parameters, "model")
    asked = asked if isinstance(asked, str) else None
    answered = first(attributes, span_names.RESPONSE_MODEL)
    if not isinstance(answered, str):
        named = first(attributes, span_names.ANY_MODEL)
        answered = named if isinstance(named, str) and named != asked else None
    if asked is None or answered is None:
        return asked, answered, answered or asked
    name = asked if is_version(answered, asked) else answered
    return asked, name, name


def is_version(answered: str, asked: str) -> bool:
    """Whether one name is the other with a date or the like behind it; prefixes of providers do not count."""
    long, short = answered.lower(), asked.lower().rpartition("/")[2]
    long = long if long.startswith(short) else long.rpartition("/")[2]
    rest = long[len(short) :]
    return long.startswith(short) and (not rest or _VERSION.fullmatch(rest) is not None)


def _effort(attributes: Attributes) -> str | None:
    parameters = first(attributes, span_names.PARAMETERS)
    found = first(attributes, span_names.EFFORT)
    inner = (member(parameters, *path) for path in span_names.EFFORT_PARAMETERS)
    word = next((value for value in (found, *inner) if isinstance(value, str) and value.strip()), None)
    return word.strip().lower() if word else None


def _tokens(attributes: Attributes) -> Record:
    """Token counts in which input includes what was cached and output what was reasoned."""
    return usage.columns(
        usage.counts({name: first(attributes, names) for name, names in span_names.COUNTS.items()})
    )


def _cost(attributes: Attributes) -> float | None:
    """USD; null where a call with tokens cost nothing, which price tables say of models that they lack."""
    whole = number(first(attributes, span_names.COST))
    parts = [number(attributes.get(name)) for name in span_names.COST_PARTS]
    known = [part for part in parts if part is not None]
    if whole is None and len(known) == len(parts):
        whole = sum(known)
    if whole is None or whole < 0:
        return None
    free = not count(first(attributes, span_names.INPUT)) and not count(first(attributes, span_names.OUTPUT))
    return whole if whole or free else None


def _status(span: Span) -> str:
    """success, error or timeout."""
    errors = [span.attributes.get("error.type"), *_exceptions(span)]
    if not span.failed and span.attributes.get("error.type") in (None, ""):
        return "success"
    words = [str(text) for text in (*errors, span.message) if text is not None]
    late = any(text in _TIMEOUT_CODES or _TIMEOUT.search(text) for text in words)
    return "timeout" if late else "error"


def _exceptions(span: Span) -> Iterator[Any]:
    for event in span.events:
        if event.name == "exception":
            yield event.attributes.get("exception.type")


def _first_token_s(span: Span) -> float | None:
    whole = number(first(span.attributes, span_names.FIRST_CHUNK_S))
    if whole is not None:
        return whole
    milliseconds = number(first(span.attributes, span_names.FIRST_CHUNK_MS))
    if milliseconds is not None:
        return milliseconds / 1_000
    return next((seconds(span.start, event.at) for event in span.events if _FIRST.search(event.name)), None)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
