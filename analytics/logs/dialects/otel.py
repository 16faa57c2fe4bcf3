"""OpenTelemetry traces and logs as OTLP JSON: GenAI and OpenInference spans, evaluations as log records.

``resourceSpans[].scopeSpans[].spans[]`` (opentelemetry-proto, ``docs/specification.md`` on JSON, and
``examples/``; opentelemetry-exporter-otlp-json-file 0.66b1), one document per line as the collector's file
exporter writes, or one document. Read as well: the older ``instrumentationLibrarySpans``, names in snake case
and enums by name, as JSON mappings of other libraries write them, and attributes as a plain object.

- Times are nanoseconds since 1970 as text, exact beyond 2^53; a time of 0 is none.
- Of an attribute that stands twice the last counts: software that does not merge them appends the later one.
- Trace and span ids are hexadecimal whatever their capitals.
- There is no cost in OpenTelemetry's convention: it is priced from tokens.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from analytics.logs.dialects import evaluations, span_names, span_values, spans
from analytics.logs.dialects.dialect import NO_FIELD, Dialect, Match, Nested, Passed, Record, signed
from analytics.logs.dialects.opening import kept, listing
from analytics.logs.dialects.spans import Event, Span

_HEX = re.compile(r"^[0-9A-Fa-f]+$")
_RESOURCE = ("resource_spans", "resource_logs")
_SCOPE = ("scope_spans", "instrumentation_library_spans", "scope_logs", "instrumentation_library_logs")
_LEAF = ("spans", "log_records")
_KINDS = {
    spelling: kind
    for kind in ("string", "bool", "int", "double", "array", "kvlist", "bytes")
    for spelling in (f"{kind}Value", f"{kind}_value", f"{kind.capitalize()}Value")
}
_INTEGER = re.compile(r"^[+-]?\d{1,30}$")
_FAILED = frozenset({"2", "error", "status_code_error"})
_DEEPEST = 20
_METRICS = (
    "This file holds OpenTelemetry metrics, which are sums over many calls: no threshold can be tuned from "
    "them. Export the traces (a traces pipeline with the file exporter) and load those. Nothing was loaded."
)


def value(given: Any, *, depth: int = 0) -> Any:
    """What an OTLP ``AnyValue`` holds; anything else as it is."""
    if not isinstance(given, dict) or depth > _DEEPEST:
        return given
    for name, held in given.items():
        kind = _KINDS.get(name)
        if kind == "int":
            return int(held) if isinstance(held, str) and _INTEGER.match(held) else held
        if kind == "array":
            return [value(element, depth=depth + 1) for element in listing(_values(held))]
        if kind == "kvlist":
            return pivoted(_values(held), depth=depth + 1)
        if kind is not None:
            return held
    return given or None


def pivoted(given: Any, *, depth: int = 0) -> dict[str, Any]:
    """Attributes by name from a list of keys and values, or from a plain object; of one name the last."""
    if isinstance(given, Mapping):
        return {str(key): value(held, depth=depth) for key, held in given.items()}
    found = {}
    for pair in listing(given):
        key = pair.get("key") if isinstance(pair, dict) else None
        if isinstance(key, str):
            found[key] = value(pair.get("value"), depth=depth)
    return found


def identifier(given: Any) -> str | None:
    """A trace or span id, in lower case if hexadecimal and without ``0x``; null where empty or zero."""
    if not isinstance(given, str | int) or isinstance(given, bool):
        return None
    text = str(given).strip().removeprefix("0x")
    if not text.strip("0"):
        return None
    return text.lower() if _HEX.match(text) else text


def attributes_of(given: Any) -> dict[str, Any]:
    """Attributes by dotted name, those in ``metadata`` and tags opened."""
    return span_values.with_opened(span_values.dotted(pivoted(given)))


def own_attributes(resource: Any) -> dict[str, Any]:
    """The user's own attributes of a resource, by dotted name."""
    found = attributes_of(_named(resource).get("attributes"))
    return {name: held for name, held in found.items() if span_names.of_user(name)}


def span(record: Mapping[str, Any], resource: Mapping[str, Any] | None = None) -> Span:
    """A span of OTLP JSON, whatever the spelling of its members."""
    members = _named(record)
    status = _named(members.get("status"))
    code = str(status.get("code", "")).lower()
    return Span(
        trace_id=identifier(members.get("trace_id")),
        span_id=identifier(members.get("span_id")),
        parent_id=identifier(members.get("parent_span_id")),
        name=str(members.get("name") or ""),
        start=span_values.nanoseconds(members.get("start_time_unix_nano")),
        end=span_values.nanoseconds(members.get("end_time_unix_nano")),
        failed=code in _FAILED,
        message=str(status.get("message") or ""),
        attributes=attributes_of(members.get("attributes")),
        events=tuple(_events(members.get("events"))),
        resource=resource or {},
    )


def opened(record: Record) -> Iterator[Record | Passed | Nested]:
    """The model calls in one document, or in a span without one around it."""
    for leaf, kind, resource in _leaves(record):
        if kind == "spans":
            yield spans.told(span(leaf, resource))
        else:
            yield Passed("log records (load them as grades from a file of their own)")


def opened_logs(record: Record) -> Iterator[Record | Passed]:
    """The evaluations among the log records of one document."""
    for leaf, kind, _ in _leaves(record):
        yield _grade(_named(leaf)) if kind == "log_records" else Passed("spans, which are no grades")


def _leaves(record: Record) -> Iterator[tuple[Mapping[str, Any], str, dict[str, Any]]]:
    """Spans and log records with their kind and the attributes of their resource."""
    members = _named(record)
    if "span_id" in members and "trace_id" in members:
        yield record, "spans", {}
        return
    for outer in _inner(members, _RESOURCE):
        inside = _named(outer)
        resource = own_attributes(inside.get("resource"))
        for scope in _inner(inside, _SCOPE):
            named = _named(scope)
            for kind in _LEAF:
                yield from ((leaf, kind, resource) for leaf in _inner(named, (kind,)))


def _inner(members: Mapping[str, Any], names: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for name in names:
        for element in listing(members[name]) if name in members else ():
            if not isinstance(element, Mapping):
                raise TypeError(name)
            yield element


def _grade(log: Mapping[str, Any]) -> Record | Passed:
    """One ``gen_ai.evaluation.result`` as a grade."""
    attributes = attributes_of(log.get("attributes"))
    body = log.get("body")
    held = value(body)
    if isinstance(held, Mapping):
        attributes = span_values.dotted(held) | attributes
    name = log.get("event_name") or attributes.get("event.name") or ""
    found = evaluations.conventional(attributes)
    if found is None or (name and not str(name).startswith(evaluations.EVENT)):
        return Passed("log records that are no evaluation")
    if evaluations.of_faults(found.name):
        return Passed("scores of faults, not of correctness")
    if found.grade is None:
        return Passed("evaluations without a grade from 0 to 1")
    at = span_values.nanoseconds(log.get("time_unix_nano")) or span_values.nanoseconds(
        log.get("observed_time_unix_nano")
    )
    return kept(
        {
            "trace_id": identifier(log.get("trace_id")),
            "span_id": identifier(log.get("span_id")),
            "response_id": attributes.get("gen_ai.response.id"),
            "unit_id": span_values.first(attributes, span_names.UNIT),
            "time": span_values.iso(at),
            "evaluation": found.name,
            "grade": found.grade,
            "graded_by": found.source,
        }
    )


def _events(given: Any) -> Iterator[Event]:
    for event in listing(given):
        members = _named(event)
        at = span_values.nanoseconds(members.get("time_unix_nano"))
        yield Event(
            str(members.get("name") or ""), at, span_values.dotted(pivoted(members.get("attributes")))
        )


def _named(given: Any) -> dict[str, Any]:
    """An object's members under their names in snake case; nothing of what is no object."""
    return (
        {span_names.snake(str(key)): held for key, held in given.items()}
        if isinstance(given, Mapping)
        else {}
    )


def _values(held: Any) -> Any:
    return held.get("values") if isinstance(held, Mapping) and "values" in held else held


GRADE_FIELDS: dict[str, Match] = {
    "trace_id": ("request_id", 1),
    "span_id": ("call_id", 1),
    "unit_id": ("unit_id", 1),
    "time": ("ts", 1),
    "evaluation": ("grader", 1),
    "grade": ("correct", 1),
    "graded_by": ("correct_source", 1),
}
GRADE_UNITS = {"ts": "iso", "correct": "fraction"}


def grade_match(name: str) -> Match:
    """Field and rank of a plain name of a grade's column."""
    return GRADE_FIELDS.get(name, NO_FIELD)


DIALECT = Dialect(
    name="otlp",
    title="OpenTelemetry traces (OTLP JSON), one row per model call",
    form="calls",
    recognises=signed("resource_spans", "trace_id span_id start_time_unix_nano"),
    match=span_names.match,
    opened=opened,
    units=span_names.UNITS,
)
LOGS = Dialect(
    name="otlp_logs",
    title="OpenTelemetry log records (OTLP JSON), one row per evaluation",
    form="grades",
    recognises=signed("resource_logs"),
    match=grade_match,
    opened=opened_logs,
    tails=False,
    units=GRADE_UNITS,
)
METRICS = Dialect(
    name="otlp_metrics",
    title="OpenTelemetry metrics",
    form="calls",
    recognises=signed("resource_metrics"),
    match=lambda _: None,
    refusal=_METRICS,
)

DIALECTS = (DIALECT, LOGS, METRICS)
