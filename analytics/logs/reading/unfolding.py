"""Records that stand several levels deep in a document, one by one: the spans of a trace export.

OpenTelemetry's JSON nests spans, log records and metrics as ``resourceSpans[].scopeSpans[].spans[]`` and
the like. A whole export may be one document, so none is ever held as a whole.
"""

import re
from collections.abc import Iterator
from typing import Any

from analytics.logs.dialects.dialect import plain
from analytics.logs.reading.json_stream import JsonRecord, JsonStream

_Levels = dict[str, Any]
_SPANS: _Levels = {"scope_spans": {"spans": {}}, "instrumentation_library_spans": {"spans": {}}}
_LOGS: _Levels = {"scope_logs": {"log_records": {}}, "instrumentation_library_logs": {"log_records": {}}}
_METRICS: _Levels = {"scope_metrics": {"metrics": {}}, "instrumentation_library_metrics": {"metrics": {}}}
_FOLDS: _Levels = {
    "resource_spans": _SPANS,
    "resource_logs": _LOGS,
    "resource_metrics": _METRICS,
}
_OPENING = r'\s*\{\s*"resource(?:Spans|_spans|Logs|_logs|Metrics|_metrics)"\s*:\s*\['
FOLDED = re.compile(_OPENING)
_FOLDED_BYTES = re.compile(_OPENING.encode())
LATE = "Resource attributes that stand behind their spans were not read."


def is_folded(head: bytes) -> bool:
    """Whether text that begins so is a document whose records stand several levels deep."""
    return _FOLDED_BYTES.match(head) is not None


def unfolded(stream: JsonStream, notes: list[str]) -> Iterator[JsonRecord]:
    """A document per innermost record of the one that begins here: the record within what stands around it.

    Args:
        stream: Stands before the document, and behind it in the end.
        notes: Takes a sentence if something could not be read.
    """
    yield from _object(stream, _FOLDS, notes)


def _object(stream: JsonStream, folds: _Levels, notes: list[str]) -> Iterator[JsonRecord]:
    """The object that begins here, once per record in the arrays that ``folds`` names."""
    around: dict[str, Any] = {}
    found = False
    stream.take("{")
    while stream.peek() != "}":
        key = str(stream.value().value)
        stream.take(":")
        inner = folds.get(plain(key))
        if inner is not None and stream.peek() == "[":
            found = True
            for record in _array(stream, inner, notes):
                yield JsonRecord({**around, key: [record.value]}, record.text, record.repeated)
        else:
            around[key] = stream.value().value
            if found and key == "resource" and LATE not in notes:
                notes.append(LATE)
        if not stream.more("}"):
            break
    stream.take("}")


def _array(stream: JsonStream, folds: _Levels, notes: list[str]) -> Iterator[JsonRecord]:
    """The elements of the array that begins here, each unfolded where ``folds`` names anything."""
    stream.take("[")
    while stream.peek() != "]":
        if folds and stream.peek() == "{":
            yield from _object(stream, folds, notes)
        else:
            yield stream.value()
        if not stream.more("]"):
            break
    stream.take("]")
