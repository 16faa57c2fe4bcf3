"""MLflow's traces and assessments.

Names of mlflow 3.17.2: ``Trace.to_dict`` (info and spans), ``TraceInfo.to_dict`` and the data frame of
``search_traces``; traces of version 2 had other names for the same.

- A trace is a request. Its spans of type CHAT_MODEL and LLM are the calls; a trace that came without its
  spans is one call with the trace's sums, if a tag or its metadata name the model.
- ``request_time`` is milliseconds or ISO text, ``execution_duration`` milliseconds, or text like ``1.5s``
  in answers of the API. Spans have nanoseconds.
- Attributes of spans and the trace's token usage and cost are JSON texts. Costs are USD.
- Input has the tokens that a cache had a part in, except where Claude Code was traced. Reasoning tokens and
  the service tier stand in no usage, only in the provider's response if that is the span's output; its counts
  come first. Of Gemini the usage leaves out thoughts, and so does the cost, which is then none.
- Ids of spans are base64 in traces and hexadecimal in assessments.
- Assessments of the trace grade the one call in it; those of a span grade that. Expectations are no grades.
- Traces that a scorer made, and names that start with ``mlflow.``, are MLflow's own.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from analytics.logs.dialects import evaluations, flat_grades, usage
from analytics.logs.dialects.dialect import Nested, Passed, Record
from analytics.logs.dialects.flat import Export, dialect, first, named, paid, placed, value, whole
from analytics.logs.dialects.langfuse_record import leaves, text
from analytics.logs.dialects.opening import kept, listing, number
from analytics.logs.dialects.response import SERVICE, billed
from analytics.logs.dialects.span_values import iso, nanoseconds, seconds

_TIMEOUT = re.compile(r"time(d|_|-|\s)*out|deadline", re.IGNORECASE)
_DURATION = re.compile(r"^\d+(\.\d+)?s$")
_SPAN_BYTES = 8
_OWN = "mlflow."
_CALLS = frozenset({"CHAT_MODEL", "LLM"})
_SOURCES = {"HUMAN": "human", "LLM_JUDGE": "judge", "AI_JUDGE": "judge", "CODE": "exact"}
_META = ("trace_metadata", "request_metadata")
_UNIT = tuple(f"{place}.mlflow.trace.{name}" for name in ("session", "user") for place in _META)
_USAGE, _COST = (tuple(f"{place}.mlflow.trace.{name}" for place in _META) for name in ("tokenUsage", "cost"))
_MODEL = tuple(f"{place}.{name}" for name in ("model", "model_name") for place in ("tags", *_META))

_COUNTS = {
    "sent": "input_tokens",
    "made": "output_tokens",
    "total": "total_tokens",
    "cached": "cache_read_input_tokens",
    "written": "cache_creation_input_tokens",
    "hour": "cache_creation_input_tokens_above_1hr",
}

_TRACE = Export(
    fields={},
    hints={"task_category": ("trace_name",)},
    carried=("client_request_id", "span_name"),
    users={"tags": ("tags",), "metadata": _META},
)


def _traces(record: Record) -> Iterator[Record | Passed | Nested]:
    """The calls of models in a trace."""
    members = named(record)
    whole_trace = members.get("trace")
    inner = value(members, "trace") if whole_trace is not None else members
    info = {**members, **named(value(inner, "info") or {})}
    spans = [
        span
        for span in listing(first(members, ("spans",)) or value(inner, "data.spans"))
        if isinstance(span, Mapping)
    ]
    if value(info, "tags.mlflow.trace.sourceScorer"):
        yield Passed("traces of a scorer")
        return
    graded = _graded(first(info, ("assessments",)))
    roots = {_span_id(span) for span in spans if not _parent(span)}
    of_trace = dict(evaluations.graded(one for at, one in graded if at is None or at in roots))
    common = _common(info)
    if not spans:
        yield _alone(info, {**common, **of_trace})
    for span in spans:
        at = _span_id(span)
        of_span = dict(evaluations.graded(one for where, one in graded if where == at))
        own = of_trace if at in roots else of_span
        reason = _no_call(span)
        row = Passed(reason) if reason else kept({**common, **_call(span), **own})
        told = {} if reason else _attribute(span, "mlflow.chat.tokenUsage")
        trace, around = common.get("request_id"), _parent(span)
        yield placed(
            row,
            f"{trace}/{at}" if at else None,
            f"{trace}/{around}" if around else None,
            same_call=own,
            answer_tokens=whole(value(told, "output_tokens")),
            separate=_kind(span) == "TOOL",
            passes_over="calls of an evaluator" if _kind(span) == "EVALUATOR" else None,
        )


def _common(info: Record) -> Record:
    """What a trace says of each call in it."""
    trace = first(info, ("trace_id", "request_id"))
    found: Record = {
        "request_id": trace,
        "unit_id": first(info, _UNIT),
        "client_request_id": info.get("client_request_id"),
        "trace_name": first(info, ("tags.mlflow.traceName",)),
    }
    for name, paths in _TRACE.users.items():
        held = first(info, paths)
        pairs = {
            value(one, "key"): value(one, "value") for one in (held if isinstance(held, list) else [])
        } or held
        said = {
            path: one for path, one in leaves(pairs).items() if not path.startswith(_OWN) and path != "None"
        }
        found |= {f"{name}.{path}": one for path, one in said.items()}
    asked = found.get("tags.request_id") or found.get("metadata.request_id")
    return kept({**found, **({"request_id": asked} if asked else {})})


def _alone(info: Record, known: Record) -> Record | Passed:
    """The row of a trace without spans."""
    model = first(info, _MODEL)
    if model is None:
        return Passed("traces without their spans, which name the model: export them with include_spans=True")
    told, cost = first(info, _USAGE), first(info, _COST)
    at = nanoseconds(first(info, ("request_time", "timestamp_ms")))
    state = str(first(info, ("state", "status")) or "").rpartition(".")[2]
    return kept(
        {
            **known,
            **_tokens(told),
            "call_id": first(info, ("trace_id", "request_id")),
            "ts": iso(at),
            "model": model,
            "cost_usd": _usd(cost, told),
            "latency_s": _duration_s(
                first(info, ("execution_duration_ms", "execution_duration", "execution_time_ms"))
            ),
            "status": {"OK": "success", "ERROR": "error"}.get(state),
            "prompt": text(first(info, ("request", "request_preview"))),
            "answer": text(first(info, ("response", "response_preview"))),
        }
    )


def _call(span: Mapping[str, Any]) -> Record:
    told = _attribute(span, "mlflow.chat.tokenUsage")
    start, end = _time(span, "start"), _time(span, "end")
    code = str(first(span, ("status.code", "status_code", "status.status_code")) or "").upper()
    failed = "ERROR" in code or code == "2"
    said = str(first(span, ("status.message", "status_message", "status.description")) or "")
    inputs, outputs = _attribute(span, "mlflow.spanInputs"), _attribute(span, "mlflow.spanOutputs")
    own = billed(outputs)
    return {
        "service_tier": first(inputs, SERVICE),
        **_tokens(told),
        **own,
        "call_id": _span_id(span),
        "ts": iso(start),
        "model": _model(span),
        "cost_usd": _usd(_attribute(span, "mlflow.llm.cost"), told, own.get("output_tokens")),
        "latency_s": seconds(start, end),
        "status": ("timeout" if _TIMEOUT.search(said) else "error") if failed else "success",
        "effort": first(inputs, ("reasoning_effort", "reasoning.effort")),
        "span_name": span.get("name"),
        "prompt": text(first(inputs, ("messages", "input")) or inputs),
        "answer": text(outputs),
    }


def _tokens(told: Any) -> Record:
    return usage.columns(usage.counts({name: value(told, path) for name, path in _COUNTS.items()}))


def _usd(cost: Any, told: Any, output_tokens: int | None = None) -> float | None:
    """USD; None where less was reckoned with than the output that the provider counted."""
    made = whole(value(told, "output_tokens"))
    if made is not None and output_tokens is not None and made < output_tokens:
        return None
    return paid(value(cost, "total_cost"), value(told, "input_tokens"), made)


def _model(span: Mapping[str, Any]) -> Any:
    found = _attribute(span, "mlflow.llm.model")
    return found or first(_attribute(span, "mlflow.spanInputs"), ("model", "model_name"))


def _kind(span: Mapping[str, Any]) -> str:
    return str(_attribute(span, "mlflow.spanType") or span.get("span_type") or "UNKNOWN")


def _no_call(span: Mapping[str, Any]) -> str | None:
    """Why a span is no call of a model; null if it is one."""
    kind = _kind(span)
    counted = _attribute(span, "mlflow.chat.tokenUsage") is not None
    if kind not in _CALLS and not (kind == "UNKNOWN" and counted):
        return f"spans of type {kind[:40]}"
    return None if _model(span) else "spans that name no model"


def _attribute(span: Mapping[str, Any], name: str) -> Any:
    """An attribute, which is JSON text; what is none stays as it is."""
    found = value(span.get("attributes"), name)
    if isinstance(found, str):
        try:
            return json.loads(found)
        except (ValueError, RecursionError):
            return found
    return found


def _time(span: Mapping[str, Any], which: str) -> int | None:
    return nanoseconds(first(span, (f"{which}_time_unix_nano", f"{which}_time_ns", f"{which}_time")))


def _span_id(span: Mapping[str, Any]) -> str | None:
    return hexadecimal(first(span, ("span_id", "context.span_id")))


def _parent(span: Mapping[str, Any]) -> str | None:
    return hexadecimal(first(span, ("parent_span_id", "parent_id")))


def hexadecimal(found: Any) -> str | None:
    """The id of a span as 16 hexadecimal digits, from these or from base64; any other as it stands."""
    if not isinstance(found, str):
        return None
    try:
        held = base64.b64decode(found, validate=True)
    except (binascii.Error, ValueError):
        held = b""
    return held.hex() if len(held) == _SPAN_BYTES else found.removeprefix("0x")


def _duration_s(found: Any) -> float | None:
    """Seconds from milliseconds, or from text such as ``1.5s``."""
    if isinstance(found, str) and _DURATION.match(found):
        return float(found[:-1])
    known = number(found)
    return None if known is None else known / 1000


def _graded(given: Any) -> list[tuple[str | None, evaluations.Evaluation]]:
    """Feedback among assessments, with the span that it is about."""
    found = []
    for one in listing(given):
        score = _score(one)
        if score is not None:
            name, source = value(one, "assessment_name"), value(one, "source.source_type")
            graded = evaluations.grade(score, score)
            known = _SOURCES.get(str(source).upper())
            found.append((hexadecimal(value(one, "span_id")), evaluations.Evaluation(name, graded, known)))
    return found


def _score(assessment: Any) -> Any:
    """The value of a feedback that counts; None for others."""
    valid = value(assessment, "valid") is not False
    found = value(assessment, "feedback.value")
    return found if valid and isinstance(found, str | int | float) else None


def _assessment(record: Record) -> Iterator[Record | Passed]:
    """The grade that an assessment of its own is."""
    members = named(record)
    if first(members, ("feedback", "feedback.value")) is None:
        yield Passed("expectations and issues")
    elif str(members.get("valid")).lower() == "false":
        yield Passed("feedback that was replaced")
    else:
        yield flat_grades.grade(
            members.get("assessment_name"),
            value(members, "feedback.value"),
            call_id=hexadecimal(members.get("span_id")),
            request_id=members.get("trace_id"),
            ts=members.get("last_update_time") or members.get("create_time"),
            correct_source=_SOURCES.get(str(value(members, "source.source_type")).upper()),
        )


TRACES = dialect(
    "mlflow",
    "MLflow traces",
    _TRACE,
    "trace_id trace_metadata request_time",
    "trace_id trace_metadata execution_duration_ms",
    "info_trace_id info_trace_metadata data_spans",
    "request_id request_metadata timestamp_ms",
    "info_request_id info_request_metadata data_spans",
    opened=_traces,
)
ASSESSMENTS = flat_grades.dialect(
    "mlflow_assessments",
    "MLflow assessments",
    _assessment,
    "assessment_name source trace_id",
    "assessment_name source_source_type trace_id",
)
DIALECTS = (TRACES, ASSESSMENTS)
