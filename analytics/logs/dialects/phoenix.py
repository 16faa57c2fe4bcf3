"""Spans and annotations as Phoenix gives them out, in data frames and REST answers, and spans like them.

Columns of ``get_spans_dataframe`` and ``get_span_annotations_dataframe`` (arize-phoenix-client 3.5.0,
``resources/spans`` and ``utils/annotation_helpers``; arize-phoenix 20.26.1, ``trace/dsl/query.py`` and
``server/api/routers/v1``). Attributes stand under ``attributes.*``; those of the user's own are objects
there, which CSV writes as Python literals. Spans as OpenTelemetry's console exporter and JavaScript's SDK
dump them have the same members under other names.

An annotation is a grade where its score lies in [0, 1] or its label is a word such as correct. Of which
criterion it is stands in ``annotation_name``; scores of faults, such as hallucination, are passed over.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from analytics.logs.dialects import evaluations, opening, otel, span_names, span_values, spans
from analytics.logs.dialects.dialect import NO_FIELD, Dialect, Match, Nested, Passed, Record
from analytics.logs.dialects.opening import kept, listing, mapping, member
from analytics.logs.dialects.spans import Event, Span

_LITERAL = 1 << 16
_TRACE = (
    "context.trace_id",
    "context.traceId",
    "spanContext.traceId",
    "_spanContext.traceId",
    "trace_id",
    "traceId",
)
_SPAN = (
    "context.span_id",
    "context.spanId",
    "spanContext.spanId",
    "_spanContext.spanId",
    "span_id",
    "spanId",
)
_PARENT = ("parent_id", "parentSpanId", "parent_span_id", "parentSpanContext.spanId")
_START = ("start_time", "startTime")
_END = ("end_time", "endTime")
_CODE = ("status_code", "status.status_code", "status.code", "status")
_MESSAGE = ("status_message", "status.description", "status.message")
_INDEXES = ("column 1", "__index_level_0__", "Unnamed: 0", "index")
_SPAN_ID = re.compile(r"^[0-9a-f]{16}$")
_KINDS = frozenset(
    {"LLM", "CHAIN", "TOOL", "AGENT", "RETRIEVER", "RERANKER", "EMBEDDING", "EVALUATOR", "GUARDRAIL"}
    | {"PROMPT", "DECISION"}
)
_FAILED = frozenset({"2", "error", "statuscode.error", "status_code_error"})


def literal(value: Any) -> Any:
    """A value, or what a text holds that is JSON or a Python literal of an object or a list."""
    found = opening.opened(value)
    if not isinstance(found, str) or found.lstrip()[:1] not in {"{", "["} or len(found) > _LITERAL:
        return found
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value


def opened(record: Record) -> Iterator[Record | Passed | Nested]:
    """The model call that a span is."""
    kind = record.get("span_kind")
    attributes = span_values.dotted(mapping(literal(record.get("attributes"))))
    for column, value in record.items():
        name = column.removeprefix("attributes.")
        if name != column:
            held = literal(value) if span_names.of_user(name) or "." not in name else value
            attributes |= span_values.dotted({name: held})
    if isinstance(kind, str) and kind.upper() in _KINDS:
        attributes.setdefault("openinference.span.kind", kind)
    yield spans.told(
        Span(
            trace_id=otel.identifier(_member(record, _TRACE)),
            span_id=otel.identifier(_member(record, _SPAN)) or _index(record),
            parent_id=otel.identifier(_member(record, _PARENT)),
            name=str(record.get("name") or ""),
            start=span_values.nanoseconds(_member(record, _START)),
            end=span_values.nanoseconds(_member(record, _END)),
            failed=str(_member(record, _CODE)).lower() in _FAILED,
            message=str(_member(record, _MESSAGE) or ""),
            attributes=span_values.with_opened(attributes),
            events=tuple(_events(literal(record.get("events")))),
            resource=otel.own_attributes(mapping(record.get("resource"))),
        )
    )


def opened_annotations(record: Record) -> Iterator[Record | Passed]:
    """The grade that an annotation is."""
    result = mapping(literal(record.get("result")))
    members = {name: _member({**result, **record}, (f"result.{name}", name)) for name in ("score", "label")}
    name = record.get("annotation_name", record.get("name"))
    found = evaluations.evaluation({**members, "name": name, "annotator_kind": record.get("annotator_kind")})
    if record.get("document_position") is not None:
        yield Passed("annotations of retrieved documents")
    elif evaluations.of_faults(found.name):
        yield Passed("scores of faults, not of correctness")
    elif found.grade is None:
        yield Passed("annotations without a grade from 0 to 1")
    else:
        trace, session = otel.identifier(_member(record, _TRACE)), record.get("session_id")
        span = otel.identifier(_member(record, _SPAN))
        yield kept(
            {
                "span_id": span if span or trace or session else _index(record),
                "trace_id": trace,
                "session_id": session,
                "annotation_name": found.name,
                "annotator_kind": found.source,
                "grade": found.grade,
                "updated_at": span_values.iso(
                    span_values.nanoseconds(_member(record, ("updated_at", "created_at")))
                ),
            }
        )


def _index(record: Record) -> str | None:
    """The span id of a data frame's nameless index."""
    found = (otel.identifier(record.get(name)) for name in _INDEXES)
    return next((text for text in found if text and _SPAN_ID.match(text)), None)


def _member(record: Mapping[str, Any], paths: Iterable[str]) -> Any:
    """The first value under some dotted paths, whether they are column names or lead into objects."""
    for path in paths:
        found = record.get(path)
        found = member(record, *path.split(".")) if found is None else found
        if found not in (None, "") and not isinstance(found, Mapping):
            return found
    return None


def _events(given: Any) -> Iterator[Event]:
    for event in listing(given):
        members = mapping(event)
        at = span_values.nanoseconds(_member(members, ("timestamp", "time")))
        yield Event(
            str(members.get("name") or ""), at, span_values.dotted(mapping(members.get("attributes")))
        )


_ANNOTATION_FIELDS: dict[str, Match] = {
    "span_id": ("call_id", 1),
    "trace_id": ("request_id", 1),
    "session_id": ("unit_id", 1),
    "annotation_name": ("grader", 1),
    "annotator_kind": ("correct_source", 1),
    "grade": ("correct", 1),
    "updated_at": ("ts", 1),
}
_IDS = ({"context_trace_id", "context_span_id"}, {"span_context_trace_id", "span_context_span_id"})


def _is_span(names: frozenset[str]) -> bool:
    """Whether records have a span's ids, its start and attributes."""
    attributes = "attributes" in names or any(name.startswith("attributes_") for name in names)
    ids = any(wanted <= names for wanted in (*_IDS, {"trace_id", "span_id"}))
    return attributes and ids and "start_time" in names


def _is_annotation(names: frozenset[str]) -> bool:
    """Whether records have an annotator's kind and a result."""
    return "annotator_kind" in names and not names.isdisjoint(
        ("result_score", "result_label", "result", "score", "label")
    )


SPANS = Dialect(
    name="phoenix",
    title="Spans as Phoenix exports them, one row per model call",
    form="calls",
    recognises=_is_span,
    match=span_names.match,
    opened=opened,
    repeated=frozenset({"context_span_id"}),
    units=span_names.UNITS,
)
ANNOTATIONS = Dialect(
    name="phoenix_annotations",
    title="Annotations as Phoenix exports them, one row per grade",
    form="grades",
    recognises=_is_annotation,
    match=lambda name: _ANNOTATION_FIELDS.get(name, NO_FIELD),
    opened=opened_annotations,
    tails=False,
    units=otel.GRADE_UNITS,
)

DIALECTS = (SPANS, ANNOTATIONS)
