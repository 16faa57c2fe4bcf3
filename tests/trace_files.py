"""OTLP JSON as exporters write it, and files on the whole road from their bytes to a store."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from analytics.logs import intake
from analytics.logs.meaning.convert import TYPED, convert
from analytics.logs.meaning.look import look
from analytics.logs.meaning.mapping import Answers, proposal
from analytics.logs.reading import readers

FIXTURES = Path(__file__).parent / "fixtures"
START = 1_795_358_625  # 2026-11-22T14:43:45Z
_KINDS = {str: "stringValue", bool: "boolValue", float: "doubleValue"}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 10,
}


def value(held):
    """An OTLP ``AnyValue``."""
    if type(held) is int:
        return {"intValue": str(held)}
    if isinstance(held, list):
        return {"arrayValue": {"values": [value(element) for element in held]}}
    return {_KINDS[type(held)]: held}


def pairs(attributes):
    """A list of keys and values."""
    return [{"key": name, "value": value(held)} for name, held in attributes.items()]


def span(attributes=None, *, trace="a1", call="b1", parent="", at=0, ms=1000, **more):
    """A span in OTLP JSON that starts ``at`` seconds after ``START``; ids are filled up with zeros."""
    start = (START + at) * 1_000_000_000
    return {
        "traceId": trace.rjust(32, "0"),
        "spanId": call.rjust(16, "0"),
        "parentSpanId": parent and parent.rjust(16, "0"),
        "name": "chat gpt-5-mini",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + ms * 1_000_000),
        "attributes": pairs(CHAT if attributes is None else attributes),
        "status": {},
        **more,
    }


def document(*spans, **resource):
    """A document around spans."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs({"service.name": "desk", **resource})},
                "scopeSpans": [{"scope": {"name": "lib"}, "spans": list(spans)}],
            }
        ]
    }


def written(path, documents):
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(one) + "\n" for one in documents))
    return path


def read(path, **answers):
    """(typed rows by column, how the file was read), in this process; nothing may be left open."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        staged = readers.staged_file(path, folder, name=path.name)
        made = proposal(staged, look(folder, staged, Answers()).profiles, overrides=Answers(**answers))
        assert not [*staged.questions, *made.questions]
        assert made.refusal is None
        converted = convert(folder, made.mapping)
        frame = pl.read_parquet(folder / TYPED)
    assert staged.read == frame.height + staged.rejected + converted.rejected
    return frame, staged


def load(store, path, **answers):
    """The report of a file that went through the child process into a store and left nothing open."""
    [report] = intake.load(store, "d", [path], Answers(**answers))
    assert report.read == report.loaded + report.rejected + report.duplicates
    return report


def call(tmp_path, *spans, **resource):
    """The only typed row of a document with these spans, as a dict without what is null."""
    frame, _ = read(written(tmp_path / "one.jsonl", [document(*spans, **resource)]))
    [row] = frame.drop("line").to_dicts()
    return {name: held for name, held in row.items() if held is not None}
