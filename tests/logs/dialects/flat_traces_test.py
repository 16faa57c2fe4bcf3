"""MLflow: every trap of its traces and assessments. Expected values are by hand from the fixtures."""

import json

import pytest
from flat_files import FLAT, opened, records
from stores import decisions
from trace_files import load, read, written

from analytics.logs.dialects.dialect import Passed
from analytics.logs.dialects.flat_traces import hexadecimal
from analytics.logs.reading.nesting import TWICE

TRACE = records(FLAT / "mlflow_traces.jsonl")[0]
ALONE, SUMMED = records(FLAT / "mlflow_trace_infos.jsonl")[:2]
JUDGED = records(FLAT / "mlflow_assessments.jsonl")[0]
TID = "tr-00000000000000000000000000abc000"
GRADED = [
    ("math", 0.91, 1.0, None), ("math", 0.42, 0.0, 1.0), ("math", 0.83, 1.0, None),
    ("law", 0.35, 0.0, 1.0), ("law", 0.77, 1.0, None), ("law", 0.30, 0.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("name", ["mlflow_traces.jsonl", "mlflow_search_traces.csv"])
def test_the_calls_in_traces_are_decisions_with_their_assessments(store, name):
    report = load(store, FLAT / name)
    assert (report.read, report.loaded, report.rejected) == (11, 11, 0)
    found = decisions(store, "task_category, confidence, fast_correct, strong_correct, unit_id")
    assert [row[:4] for row in found[:6]] == GRADED
    assert [row[4] for row in found[:3]] == ["session-0", "session-0", "session-1"]
    assert read(FLAT / name)[1].passed == {"spans of type CHAIN": 8, "traces of a scorer": 1, TWICE: 1}


def test_a_data_frame_gives_the_rows_that_the_traces_give():
    frames = [
        read(FLAT / name)[0].drop("line") for name in ("mlflow_traces.jsonl", "mlflow_search_traces.csv")
    ]
    assert frames[1].select(frames[0].columns).rows() == frames[0].rows()


def changed(attributes=None, **more):
    """The first trace with other attributes or members of its call."""
    trace = json.loads(json.dumps(TRACE))
    call = trace["data"]["spans"][1]
    call["attributes"].update({name: json.dumps(held) for name, held in (attributes or {}).items()})
    call.update(more)
    return trace


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        # 0x65 is 101; from 13:46:20.100 to 13:46:21.350; the trace took 1500 ms
        (TRACE, {"call_id": "0000000000000065", "latency_s": 1.25, "ts": "2026-05-29T13:46:20.100000Z",
                 "cost_usd": 0.00029, "input_tokens": 200, "output_tokens": 120, "cached_tokens": 20,
                 "model": "gpt-5-mini", "effort": "low", "request_id": TID, "status": "success",
                 "tags.category": "math", "client_request_id": "client-0"}),
        (changed({"mlflow.llm.cost": {"total_cost": 0}}), {"cost_usd": None}),
        # 180 + 120 + 20 = 320: the cached ones are not among the 180
        (changed({"mlflow.chat.tokenUsage": {"input_tokens": 180, "output_tokens": 120, "total_tokens": 320,
                                             "cache_read_input_tokens": 20}}), {"input_tokens": 200}),
        # what was written is among the 200; of it 30 for an hour
        (changed({"mlflow.chat.tokenUsage": {"input_tokens": 200, "output_tokens": 120, "total_tokens": 320,
                                             "cache_read_input_tokens": 20,
                                             "cache_creation_input_tokens": 100,
                                             "cache_creation_input_tokens_above_1hr": 30}}),
         {"input_tokens": 200, "cached_tokens": 20, "cache_write_tokens": 100, "cache_write_1h_tokens": 30}),
        # Claude Code's input leaves the cache out, and so does its total: 3 + 15000 written
        (changed({"mlflow.chat.tokenUsage": {"input_tokens": 3, "output_tokens": 120, "total_tokens": 123,
                                             "cache_read_input_tokens": 0,
                                             "cache_creation_input_tokens": 15000}}),
         {"input_tokens": 15003, "cache_write_tokens": 15000}),
        # reasoning and the tier stand in the provider's response only
        (changed({"mlflow.spanOutputs": {"service_tier": "flex", "usage": {
            "prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320,
            "completion_tokens_details": {"reasoning_tokens": 64}}}}),
         {"reasoning_tokens": 64, "service_tier": "flex", "output_tokens": 120, "cost_usd": 0.00029}),
        (changed({"mlflow.spanInputs": {"model": "gpt-5-mini", "service_tier": "flex"}}),
         {"service_tier": "flex", "reasoning_tokens": None}),
        # Gemini's thoughts are in neither MLflow's output, 56, nor its cost: 56 + 64
        (changed({"mlflow.chat.tokenUsage": {"input_tokens": 200, "output_tokens": 56, "total_tokens": 320},
                  "mlflow.spanOutputs": {"usage_metadata": {
                      "prompt_token_count": 200, "candidates_token_count": 56, "thoughts_token_count": 64,
                      "total_token_count": 320}}}),
         {"output_tokens": 120, "reasoning_tokens": 64, "cost_usd": None}),
        (changed({"mlflow.llm.model": None}), {"model": "gpt-5-mini"}),  # the inputs name it
        (changed(status={"code": "STATUS_CODE_ERROR", "message": "x"}), {"status": "error"}),
        (changed(status={"code": "STATUS_CODE_ERROR", "message": "timed out"}), {"status": "timeout"}),
        (changed(end_time_unix_nano=None), {"latency_s": None}),
    ],
)  # fmt: skip
def test_spans_have_nanoseconds_and_attributes_in_json_text(trace, expected):
    chain, row = opened("mlflow", trace)
    assert chain == Passed("spans of type CHAIN")
    assert {name: row.get(name) for name in expected} == expected


def test_a_span_that_is_no_call_or_names_no_model_is_passed_over():
    tool, nameless = changed({"mlflow.spanType": "TOOL"}), changed({"mlflow.llm.model": None})
    nameless["data"]["spans"][1]["attributes"]["mlflow.spanInputs"] = "{}"
    assert opened("mlflow", tool)[1] == Passed("spans of type TOOL")
    assert opened("mlflow", nameless)[1] == Passed("spans that name no model")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # execution_duration_ms 1500; the usage and the cost of the trace are JSON texts
        ({}, {"latency_s": 1.5, "input_tokens": 200, "output_tokens": 120, "cost_usd": 0.00029,
              "model": "gpt-5-mini", "status": "success", "ts": "2026-05-29T13:46:20.000000Z",
              "unit_id": "session-0", "correct": 1.0, "correct_source": "judge", "answer": "4"}),
        ({"request_time": 1780062380000}, {"ts": "2026-05-29T13:46:20.000000Z"}),
        ({"execution_duration_ms": None, "execution_duration": "1.250s"}, {"latency_s": 1.25}),
        ({"execution_duration_ms": None, "execution_duration": 1250}, {"latency_s": 1.25}),
        ({"state": "ERROR"}, {"status": "error"}), ({"state": "TraceState.OK"}, {"status": "success"}),
        ({"state": "IN_PROGRESS"}, {"status": None}),
        ({"tags": {"model": "m", "request_id": "mine"}}, {"request_id": "mine", "call_id": TID}),
        ({"tags": [{"key": "model", "value": "m"}, {"key": "category", "value": "x"}], "trace_metadata": {
            "model": "m"}}, {"tags.category": "x", "cost_usd": None}),
        ({"assessments": []}, {"correct": None}),
        ({"trace_metadata": {"mlflow.trace.tokenUsage": json.dumps({
            "input_tokens": 200, "output_tokens": 120, "cache_creation_input_tokens": 100,
            "cache_creation_input_tokens_above_1hr": 30})}},
         {"input_tokens": 200, "cache_write_tokens": 100, "cache_write_1h_tokens": 30}),
    ],
)  # fmt: skip
def test_a_trace_without_spans_is_one_call_if_it_names_its_model(changed, expected):
    [row] = opened("mlflow", {**ALONE, **changed})
    assert {name: row.get(name) for name in expected} == expected


def test_a_trace_of_the_second_version_has_other_names():
    metadata = ALONE["trace_metadata"]
    old = {"request_id": TID, "timestamp_ms": 1780062380000, "execution_time_ms": 1500, "status": "OK",
           "request_metadata": metadata, "tags": {"model": "gpt-5"}}  # fmt: skip
    [row] = opened("mlflow", old)
    assert (row["request_id"], row["latency_s"], row["input_tokens"]) == (TID, 1.5, 200)


def test_a_trace_that_names_no_model_says_how_to_export_it(tmp_path):
    nameless = {**ALONE, "tags": {"category": "math"}}
    [reason] = opened("mlflow", nameless)
    assert "include_spans=True" in reason.reason
    frame, staged = read(written(tmp_path / "some.jsonl", [SUMMED, nameless]))
    assert (frame.height, staged.passed) == (1, {reason.reason: 1})


@pytest.mark.parametrize(
    ("assessment", "expected"),
    [
        ({"feedback": {"value": 0.0}}, (0.0, "judge")), ({"feedback": {"value": True}}, (1.0, "judge")),
        ({"feedback": {"value": "no"}}, (0.0, "judge")), ({"feedback": {"value": 4}}, (None, None)),
        ({"valid": False}, (None, None)), ({"feedback": {"error": {"error_code": "X"}}}, (None, None)),
        ({"assessment_name": "tone"}, (None, None)), ({"source": {"source_type": "HUMAN"}}, (1.0, "human")),
    ],
)  # fmt: skip
def test_assessments_of_the_trace_grade_the_one_call_in_it(tmp_path, assessment, expected):
    trace = json.loads(json.dumps(TRACE))
    trace["info"]["assessments"] = [{**JUDGED, **assessment}]
    frame, _ = read(written(tmp_path / "trace.jsonl", [trace]))
    found = [frame[name][0] if name in frame.columns else None for name in ("correct", "correct_source")]
    assert tuple(found) == expected


def test_a_file_of_assessments_is_grades_by_trace_and_by_span(store):
    load(store, FLAT / "mlflow_traces.jsonl")
    load(store, FLAT / "mlflow_assessments.jsonl", dialect="grades")
    frame, staged = read(FLAT / "mlflow_assessments.jsonl")
    assert staged.passed == {"expectations and issues": 3, "feedback that was replaced": 1}
    found = frame.select("call_id", "grader", "correct", "correct_source").rows()
    assert found[:3] == [
        (None, "correctness", 1.0, "judge"),
        ("000000000000006f", "correct", 0.0, "exact"), ("0000000000000070", "correct", 1.0, "exact"),
    ]  # fmt: skip
    calls = set(read(FLAT / "mlflow_traces.jsonl")[0]["call_id"])
    assert {call for call in frame["call_id"] if call} <= calls
    assert [
        row[:4] for row in decisions(store, "task_category, confidence, fast_correct, strong_correct")[:6]
    ] == GRADED


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("AAAAAAAAAGU=", "0000000000000065"), ("0000000000000065", "0000000000000065"),
        ("0x0000000000000065", "0000000000000065"), ("x", "x"), (None, None), (7, None),
    ],
)  # fmt: skip
def test_ids_of_spans_are_base64_or_hexadecimal(found, expected):
    assert hexadecimal(found) == expected
