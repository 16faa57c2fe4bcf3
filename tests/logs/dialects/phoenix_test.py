"""Phoenix's spans and annotations in every shape that they are given out in. Expected by hand."""

import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import decisions
from trace_files import CHAT, FIXTURES, load, read, span, written

from analytics.errors import SchemaError
from analytics.logs.dialects import DIALECTS, TOOLS, phoenix, tool_of
from analytics.logs.dialects.dialect import Nested, Passed, record_names
from analytics.logs.reading.nesting import TWICE

PHOENIX = FIXTURES / "phoenix"
SHAPES = ("spans.csv", "spans.parquet", "spans.jsonl", "spans_rest.json")
ANNOTATIONS = ("annotations.csv", "annotations.parquet", "annotations_rest.json")
FLAT = {
    "name": "ChatCompletion",
    "span_kind": "LLM",
    "context.span_id": "00b2000000000003",
    "context.trace_id": "000000b200000abc0000000000000001",
    "start_time": "2026-11-22T14:43:45.100000Z",
    "end_time": "2026-11-22T14:43:46.350000Z",
    "status_code": "OK",
    "attributes.llm.model_name": "gpt-5-mini",
    "attributes.llm.token_count.prompt": 500,
    "attributes.llm.token_count.completion": 100,
}


def records():
    return [json.loads(line) for line in (PHOENIX / "spans.jsonl").read_text().splitlines()]


def opened(record):
    [found] = phoenix.opened(record)
    return found.item if isinstance(found, Nested) else found


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_loads_with_nothing_asked_and_all_spans_accounted_for(store, shape):
    _, staged = read(PHOENIX / shape)
    assert (staged.dialect, staged.read, staged.rejected) == ("phoenix", 9, 0)
    assert staged.passed == {
        "chain and workflow spans": 6, "retrieval spans": 6, "evaluation spans": 1,
        "calls of an evaluator": 1, TWICE: 1,
    }  # fmt: skip
    report = load(store, PHOENIX / shape)
    assert (report.read, report.loaded, report.rejected, report.duplicates) == (9, 9, 0, 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_rows_that_the_same_spans_give_as_otlp(shape):
    expected = read(FIXTURES / "otel" / "openinference.json")[0].drop("line").sort("call_id").to_dicts()
    found = read(PHOENIX / shape)[0].drop("line").sort("call_id").to_dicts()
    assert {row.pop("threshold") for row in found} == {0.5}  # `route`, an object of the user's own
    # The data frame's own decoding may be off in the last digit.
    confidences = [[row.pop("confidence") for row in rows] for rows in (found, expected)]
    assert confidences[0] == pytest.approx(confidences[1], rel=1e-15)
    assert found == expected


def test_spans_become_decisions_of_a_cascade(store):
    load(store, PHOENIX / "spans.parquet")
    found = decisions(
        store,
        "task_category, strong_model, escalated, fast_correct, strong_correct, fast_cost_usd, unit_id, arm",
    )
    # maths was never escalated, but its requests called the fast model of the only step there is
    assert found == [
        ("math", "gpt-5@high", False, 1.0, None, 0.000325, "session-0", "A"),
        ("law", "gpt-5@high", True, 0.0, 1.0, 0.000325, "session-0", "B"),
        ("math", "gpt-5@high", False, 1.0, None, 0.000325, "session-1", "B"),
        ("law", "gpt-5@high", True, 0.0, 1.0, 0.000325, "session-1", "A"),
        ("math", "gpt-5@high", False, 1.0, None, 0.000325, "session-2", "B"),
        ("law", "gpt-5@high", True, None, 0.0, 0.000325, "session-2", "B"),
    ]


def test_a_frame_written_as_csv_or_records_in_other_ways_is_the_same(tmp_path):
    frame = pd.read_parquet(PHOENIX / "spans.parquet").reset_index(drop=True)
    frame.to_csv(tmp_path / "a.csv")  # the index becomes a column without a name
    since_1970 = {
        name: (frame[name] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(1, "ms")
        for name in ("start_time", "end_time")
    }
    frame.assign(**since_1970).to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    # Lists came back as arrays, which CSV does not write out.
    names = ["call_id", "ts", "latency_s", "model", "task_category", "threshold", "input_tokens", "cost_usd"]
    expected = read(PHOENIX / "spans.parquet")[0].select(names).rows()
    for name in ("a.csv", "a.jsonl"):
        assert read(tmp_path / name)[0].select(names).rows() == expected


def test_the_span_id_may_be_a_frames_nameless_index(tmp_path):
    rows = [{name: held for name, held in FLAT.items() if name != "context.span_id"}]
    frame = pd.DataFrame(rows, index=["00b2000000000003"])
    frame.assign(**{"context.span_id": None}).to_csv(tmp_path / "a.csv")
    found, _ = read(tmp_path / "a.csv")
    assert found["call_id"].to_list() == ["00b2000000000003"]


def test_columns_of_a_frame_that_stand_twice_must_be_those_of_its_index(tmp_path):
    names = [*FLAT, "status_code"]
    text = io.StringIO()
    csv.writer(text).writerows([names, [str(FLAT[name]) for name in names]])
    (tmp_path / "a.csv").write_text(text.getvalue())
    with pytest.raises(SchemaError, match='Column "status_code" appears twice'):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"latency_s": 1.25, "status": "success", "model": "gpt-5-mini"}),
        ({"end_time": None}, {"latency_s": None}),
        ({"end_time": "2026-11-22T14:43:45Z"}, {"latency_s": None}),
        ({"start_time": 1795358625100, "end_time": 1795358626350}, {"latency_s": 1.25}),
        ({"start_time": "2026-11-22 14:43:45.1", "end_time": "2026-11-22 15:43:46.35+01:00"},
         {"latency_s": 1.25}),
        ({"status_code": "ERROR"}, {"status": "error"}),
        ({"status_code": "ERROR", "status_message": "APITimeoutError: x"}, {"status": "timeout"}),
        ({"attributes.llm.token_count.prompt": float("nan")}, {"input_tokens": None, "output_tokens": 100}),
        ({"attributes.llm.token_count.prompt": "500.0"}, {"input_tokens": 500}),
        ({"attributes.metadata": "{'category': 'law', 'n': None}"}, {"attributes.metadata.category": "law"}),
        ({"attributes.metadata": '{"category": "law"}'}, {"attributes.metadata.category": "law"}),
        ({"attributes.metadata": "{'category': "}, {"attributes.metadata": "{'category': "}),
        ({"attributes.route": "{'a': {'confidence': 0.5}}"}, {"attributes.route.a.confidence": 0.5}),
        ({"attributes.gen_ai": "{'usage': {'output_tokens': 7, 'cost': 0.5}}"},
         {"output_tokens": 7, "cost_usd": 0.5}),
        ({"attributes.route": "{" * 500}, {"attributes.route": "{" * 500}),
        ({"attributes.tag.tags": "['category:law', 'x']"}, {"attributes.tag.tags.category": "law"}),
        ({"attributes.input.value": '{"q": 1}'}, {"prompt": '{"q": 1}'}),
        ({"attributes.annotations": "[{'annotation.score': 1, 'annotation.name': 'correctness'}]"},
         {"correct": 1}),
    ],
)  # fmt: skip
def test_cells_are_read_as_data_frames_write_them(changed, expected):
    row = opened({**FLAT, **changed})
    assert {name: row.get(name) for name in expected} == expected


def console(**more):
    """A span as OpenTelemetry's console exporter for Python writes it."""
    return {
        "name": "chat gpt-5-mini",
        "context": {"trace_id": "0x" + "a1".zfill(32), "span_id": "0x" + "b1".zfill(16), "trace_state": "[]"},
        "kind": "SpanKind.CLIENT",
        "parent_id": "0x" + "b0".zfill(16),
        "start_time": "2026-11-22T14:43:45.000000Z",
        "end_time": "2026-11-22T14:43:46.500000Z",
        "status": {"status_code": "ERROR", "description": "timed out"},
        "attributes": {**CHAT, "route.category": "law"},
        "events": [],
        "links": [],
        "resource": {"attributes": {"service.name": "desk", "team.arm": "B"}, "schema_url": ""},
        **more,
    }


def script(**more):
    """A span as JavaScript's SDK dumps it."""
    ids = {"traceId": "a1".zfill(32), "spanId": "b1".zfill(16)}
    return {
        "name": "chat gpt-5-mini",
        "_spanContext": {**ids, "traceFlags": 1},
        "parentSpanContext": {**ids, "spanId": "b0".zfill(16)},
        "startTime": [1795358625, 0],
        "endTime": [1795358626, 500000000],
        "status": {"code": 2, "message": "timed out"},
        "attributes": {**CHAT, "route.category": "law"},
        "events": [],
        "resource": {"attributes": {"team.arm": "B"}},
        **more,
    }


@pytest.mark.parametrize("given_span", [console(), script()], ids=["python", "javascript"])
def test_spans_as_console_exporters_write_them_are_read_as_well(tmp_path, given_span):
    frame, staged = read(written(tmp_path / "a.jsonl", [given_span]))
    [row] = frame.drop("line").to_dicts()
    assert staged.dialect == "phoenix"
    assert (row["request_id"][-2:], row["call_id"][-2:], row["latency_s"]) == ("a1", "b1", 1.5)
    assert (row["status"], row["task_category"], row["arm"], row["input_tokens"]) == (
        "timeout",
        "law",
        "B",
        100,
    )


# Annotations


@pytest.mark.parametrize("shape", ANNOTATIONS)
def test_annotations_are_grades_of_calls(shape):
    frame, staged = read(PHOENIX / shape)
    assert DIALECTS[staged.dialect].form == "grades"
    assert staged.passed == {
        "scores of faults, not of correctness": 1,
        "annotations without a grade from 0 to 1": 1,
    }
    found = frame.select("call_id", "grader", "correct", "correct_source", "ts").rows()
    assert [(row[0][-2:], *row[1:4], str(row[4])) for row in found] == [
        ("03", "correctness", 1.0, "human", "2026-11-23 08:00:00"),
        ("0b", "correctness", 0.0, "judge", "2026-11-23 08:05:00.250000"),
        ("0b", "helpfulness", 0.4, "judge", "2026-11-23 08:00:00"),
        ("14", "exact_match", 1.0, "exact", "2026-11-23 08:00:00"),
    ]
    assert set(frame["call_id"]) <= set(read(PHOENIX / "spans.csv")[0]["call_id"])


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"span_id": "AB" * 8, "name": "correctness", "annotator_kind": "CODE", "score": 0.5, "label": "x"},
         {"span_id": "ab" * 8, "annotation_name": "correctness", "annotator_kind": "exact", "grade": 0.5}),
        ({"context.span_id": "ab" * 8, "annotation_name": "correctness", "label": "pass"},
         {"span_id": "ab" * 8, "annotation_name": "correctness", "grade": 1.0}),
        ({"column 1": "ab" * 8, "annotation_name": "correctness", "result.score": "1.0"},
         {"span_id": "ab" * 8, "annotation_name": "correctness", "grade": 1.0}),
        ({"column 1": "0", "trace_id": "AB" * 16, "name": "correctness", "result": "{'score': 1}"},
         {"trace_id": "ab" * 16, "annotation_name": "correctness", "grade": 1.0}),
        ({"session_id": "s1", "name": "correct", "result": {"label": "wrong"}, "updated_at": "2026-11-22"},
         {"session_id": "s1", "annotation_name": "correct", "grade": 0.0,
          "updated_at": "2026-11-22T00:00:00.000000Z"}),
        ({"span_id": "ab" * 8, "document_position": 0, "name": "relevance", "score": 1.0},
         "annotations of retrieved documents"),
        ({"span_id": "ab" * 8, "name": "toxicity", "score": 1.0}, "scores of faults, not of correctness"),
        ({"span_id": "ab" * 8, "name": "stars", "score": 4}, "annotations without a grade from 0 to 1"),
        ({"span_id": "ab" * 8}, "annotations without a grade from 0 to 1"),
    ],
)  # fmt: skip
def test_an_annotation_of_a_span_a_trace_or_a_session_is_a_grade_or_passed_over(record, expected):
    [found] = phoenix.opened_annotations(record)
    assert (found.reason if isinstance(found, Passed) else found) == expected


@pytest.mark.parametrize(
    ("record", "dialect"),
    [
        (FLAT, "phoenix"), (console(), "phoenix"), (script(), "phoenix"), (span(), "otlp"),
        ({"trace_id": "a", "span_id": "b", "start_time": "x", "attributes": {}}, "phoenix"),
        ({"trace_id": "a", "span_id": "b", "start_time": "x", "model": "m"}, None),
        ({"id": "a", "trace_id": "b", "start_time": "x", "attributes": {}}, None),
        ({"span_id": "a", "annotator_kind": "LLM", "result": {"score": 1}}, "phoenix_annotations"),
        ({"span_id": "a", "annotator_kind": "LLM", "result.label": "x"}, "phoenix_annotations"),
        ({"span_id": "a", "score": 1}, None), ({"request_id": "a", "annotator": "b", "score": 1}, None),
    ],
)  # fmt: skip
def test_what_phoenix_writes_is_recognised_and_nothing_else(record, dialect):
    found = tool_of(record_names(record))
    assert (found and found.name) == dialect
    assert len([tool for tool in TOOLS if tool.recognises(record_names(record))]) <= 1


# Anything at all

JUNK = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5)),
    st.sampled_from(["{", "{'a': 1}", "[{'annotation': {'score': 1}}]", "{1: 2}", "[" * 99, "{*()}", "0x"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["a", "category", "score"]), st.integers() | st.none(), max_size=2),
)
ALLOWED = (TypeError, ValueError, KeyError, AttributeError)


@st.composite
def mutations(draw):
    rest = json.loads((PHOENIX / "spans_rest.json").read_text())["data"][:4]
    annotations = json.loads((PHOENIX / "annotations_rest.json").read_text())["data"][:2]
    record = dict(draw(st.sampled_from([*records()[:6], *rest, *annotations])))
    for name in draw(st.lists(st.sampled_from([*record, "metadata", "attributes.x"]), max_size=5)):
        record[name] = draw(JUNK)
    for name in draw(st.lists(st.sampled_from(list(record)), max_size=3)):
        record.pop(name, None)
    return record


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(mutations())
def test_whatever_stands_in_a_record_becomes_a_row_or_a_reason_or_an_allowed_error(record):
    for opens in (phoenix.opened, phoenix.opened_annotations):
        try:
            found = list(opens(record))
        except ALLOWED:
            continue
        assert len(found) == 1
        row = found[0].item if isinstance(found[0], Nested) else found[0]
        assert isinstance(row, Passed) or json.dumps(row)


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(st.lists(mutations(), min_size=1, max_size=6))
def test_a_file_of_anything_is_loaded_or_refused(tmp_path_factory, given_records):
    path = written(tmp_path_factory.mktemp("any") / "any.jsonl", [FLAT, *given_records])
    refusal = None
    try:
        frame, staged = read(path)
    except SchemaError as error:
        refusal = str(error)
    assert frame.height == staged.read - staged.rejected if refusal is None else "/any" not in refusal
