"""Documents with many records several levels deep, read one record at a time."""

import io
import json

import pytest
from trace_files import document, span

from analytics.errors import SchemaError
from analytics.logs.reading import lines, readers, staging
from analytics.logs.reading.json_stream import JsonStream
from analytics.logs.reading.unfolding import LATE, is_folded, unfolded


def records(text):
    notes = []
    found = list(unfolded(JsonStream(io.BytesIO(text.encode())), notes))
    return [record.value for record in found], notes


def read(tmp_path, data, name="traces.jsonl"):
    source, folder = tmp_path / "source", tmp_path / "staged"
    source.write_bytes(data if isinstance(data, bytes) else data.encode())
    folder.mkdir()
    try:
        return readers.staged_file(source, folder, name=name)
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def test_each_record_comes_with_what_stands_around_it():
    text = """{"resourceSpans": [
        {"resource": {"r": 1}, "scopeSpans": [
            {"scope": {"s": 1}, "spans": [{"n": 1}, {"n": 2}]}, {"spans": []}, {"spans": [{"n": 3}]}]},
        {"scopeSpans": []}, {"instrumentationLibrarySpans": [{"spans": [{"n": 4}]}]}], "more": 0}"""
    around = {"resource": {"r": 1}}
    assert records(text)[0] == [
        {"resourceSpans": [{**around, "scopeSpans": [{"scope": {"s": 1}, "spans": [{"n": 1}]}]}]},
        {"resourceSpans": [{**around, "scopeSpans": [{"scope": {"s": 1}, "spans": [{"n": 2}]}]}]},
        {"resourceSpans": [{**around, "scopeSpans": [{"spans": [{"n": 3}]}]}]},
        {"resourceSpans": [{"instrumentationLibrarySpans": [{"spans": [{"n": 4}]}]}]},
    ]


def test_a_resource_behind_its_spans_is_told():
    text = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"n":1}]}],"resource":{"r":1}}]}'
    assert records(text) == ([{"resourceSpans": [{"scopeSpans": [{"spans": [{"n": 1}]}]}]}], [LATE])


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ('{"resourceSpans":[', True), (' {\n "resource_logs" : [', True), ('{"resourceMetrics" :[', True),
        ('{"resourceSpans":{}', False), ('[{"resourceSpans":[', False), ('{"data":[', False), ("", False),
    ],
)  # fmt: skip
def test_a_document_is_known_by_its_first_name(text, folded):
    assert is_folded(text.encode()) == folded


def test_lines_a_document_over_many_lines_an_array_and_a_wrapper_give_the_same_rows(tmp_path):
    spans = [span(call=f"b{number}", at=number) for number in range(7)]
    whole, parts = document(*spans), [document(one) for one in spans]
    shapes = [
        json.dumps(whole),
        json.dumps(whole, indent=2),
        "".join(json.dumps(part) + "\n" for part in parts),
        json.dumps(document(*spans[:3])) + "\n" + json.dumps(document(*spans[3:])),
        "\n".join(json.dumps(part, indent=1) for part in parts),
        json.dumps(parts),
        json.dumps({"data": [whole]}),
        "".join(json.dumps(one) + "\n" for one in spans),
    ]
    for shape in shapes:
        staged = read(tmp_path, shape)
        assert (staged.dialect, staged.read, staged.rejected) == ("otlp", 7, 0)


def test_a_broken_line_costs_what_stands_behind_the_fault_and_no_other_line(tmp_path):
    good = json.dumps(document(span(), span(call="b2"), span(call="b3")))
    cut = good[: good.rindex('"traceId"')]  # within the third span
    staged = read(tmp_path, f"{good}\n{cut}\n{good}\nnot json\n")
    assert staged.read == 3 + 2 + 1 + 3 + 1
    assert [(one.line, one.reason) for one in staged.problems] == [
        (2, "broken or cut off after 2 of its records"),
        (4, "not JSON from character 1 on"),
    ]


def test_a_document_that_is_cut_off_is_refused(tmp_path):
    text = json.dumps(document(span(), span(call="b2")), indent=1)
    with pytest.raises(SchemaError, match="broken or cut off after 1 record "):
        read(tmp_path, text[:-40])


def test_a_record_that_is_no_text_or_has_a_key_twice_is_rejected_alone(tmp_path):
    line = json.dumps(document(span(name="x"), span(call="b2", name="y"), span(call="b3", name="z")))
    staged = read(tmp_path, line.encode().replace(b'"name": "x"', b'"name": "\xff"') + b"\n" + line.encode())
    assert (staged.read, staged.rejected, staged.problems[0].reason) == (
        6,
        1,
        "not valid text in this encoding",
    )
    assert "byte 0xFF" in staged.questions[0].text
    staged = read(tmp_path, line.replace('"name": "y"', '"name": "y", "name": "y"'))
    assert (staged.read, staged.rejected) == (3, 1)
    assert staged.problems[0].reason == "a key stands twice in one object"


def test_a_document_without_records_is_refused(tmp_path):
    for text in ('{"resourceSpans":[]}', '{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}\n' * 2):
        with pytest.raises(SchemaError, match="The file has no rows"):
            read(tmp_path, text)


def test_limits_of_lines_and_records_are_those_of_documents_where_these_are_folded(tmp_path, monkeypatch):
    limits = staging.Limits(line_bytes=4_000, document_bytes=20_000)
    for module in (lines, readers):
        monkeypatch.setattr(module, "LIMITS", limits)
    line = json.dumps(document(*(span(call=f"b{number}") for number in range(10))))
    assert 4_000 < len(line) < 20_000
    assert read(tmp_path, f"{line}\n{line}\n").read == 20
    two = json.dumps(document(*(span(call=f"b{number}") for number in range(60))))
    assert len(two) > 20_000
    monkeypatch.setattr(lines, "BLOCK", len(line) + 1)
    with pytest.raises(SchemaError, match="Line 2 is longer than"):
        read(tmp_path, f"{line}\n{two}\n")
    assert read(tmp_path, two).read == 60  # a single document is read record by record
    with pytest.raises(SchemaError, match="One JSON value"):
        read(tmp_path, json.dumps(document(span(name="x" * 200_000)), indent=1))
