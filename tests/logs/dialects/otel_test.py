"""OTLP JSON files: fixtures by OpenTelemetry's own exporter, other spellings, traps. Expected by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import decisions, rows
from trace_files import CHAT, FIXTURES, document, load, pairs, read, span, value, written

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.dialects import DIALECTS, TOOLS, otel, tool_of
from analytics.logs.dialects.dialect import Nested, Passed, record_names
from analytics.logs.meaning.mapping import Answers
from analytics.logs.reading.nesting import TWICE

OTEL = FIXTURES / "otel"
COLLECTOR = OTEL / "collector.jsonl"
LADDER = ("gpt-5-mini", "gpt-5@high")


def documents(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def spans_of(documents):
    return [
        one
        for outer in documents
        for resource in outer["resourceSpans"]
        for scope in resource["scopeSpans"]
        for one in scope["spans"]
    ]


# The fixtures


def test_a_collectors_file_loads_with_nothing_asked_and_all_spans_accounted_for(store):
    frame, staged = read(COLLECTOR)
    assert (staged.format, staged.dialect, staged.read, staged.rejected) == ("jsonl", "otlp", 18, 0)
    # 44 spans: 18 calls, one embedding and one root per request, an agent with its tool
    assert staged.passed == {
        "embedding spans": 12, "spans without a model call": 12, "agent spans": 1, "tool spans": 1,
    }  # fmt: skip
    assert len(spans_of(documents(COLLECTOR))) == 44
    report = load(store, COLLECTOR)
    assert (report.read, report.loaded, report.rejected, report.duplicates) == (18, 18, 0, 0)
    assert frame["call_id"].n_unique() == 18
    assert frame["request_id"].n_unique() == 12


def test_a_collectors_calls_are_read_field_by_field():
    frame, _ = read(COLLECTOR)
    calls = {row["call_id"][-2:]: row for row in frame.to_dicts()}
    first = calls["03"]
    assert {
        name: held for name, held in first.items() if held is not None and name not in {"line", "ts"}
    } == {
        "request_id": "000000a100000abc0000000000000001",
        "call_id": "00a1000000000003",
        "task_category": "math",
        "segment": "pro",
        "model": "gpt-5-mini",
        "confidence": 0.91,
        "correct": 1.0,
        "input_tokens": 700,
        "output_tokens": 150,
        "cached_tokens": 512,
        # 188 x 0.25 + 512 x 0.025 + 150 x 2 = 47 + 12.8 + 300 USD per million
        "cost_usd": pytest.approx(359.8e-6),
        "cost_source": "priced",
        "latency_s": 1.0,
        "ttft_s": 0.25,
        "status": "success",
        "threshold": 0.5,
        "unit_id": "conv-0",
        "experiment": "router-3",
    }
    # 100 ms after the request, which began at 14:43:45 UTC
    assert first["ts"].isoformat() == "2026-11-22T14:43:45.100000"
    strong = calls["07"]
    assert (strong["model"], strong["effort"], strong["reasoning_tokens"]) == ("gpt-5@high", "high", 512)
    # 711 x 1.25 + 801 x 10 = 888.75 + 8010
    assert strong["cost_usd"] == pytest.approx(8898.75e-6)
    failed, late = calls["1e"], calls["29"]
    assert [failed[name] for name in ("model", "status", "correct", "cost_usd", "latency_s")] == [
        "gpt-5@high", "error", 0.0, None, 0.3,
    ]  # fmt: skip
    assert [late[name] for name in ("model", "status", "correct", "cost_usd", "latency_s")] == [
        "gpt-5@high", "timeout", 0.0, None, 2.5,
    ]  # fmt: skip


def test_a_collectors_requests_become_decisions_of_a_cascade(store):
    load(store, COLLECTOR)
    columns = (
        "task_category, fast_model, strong_model, escalated, confidence, threshold, fast_correct, "
        "strong_correct, fast_latency_s, strong_latency_s, strong_cost_usd IS NOT NULL, policy_kind"
    )
    kept, high = (*LADDER, False), (*LADDER, True)
    fast = [1.0, 1.037, 1.074, 1.111, 1.148, 1.185, 1.222, 1.259, 1.296, 1.333, 1.37, 1.407]
    assert decisions(store, columns) == [
        ("math", *kept, 0.91, 0.5, 1.0, None, fast[0], None, False, "cascade"),
        ("law", *high, 0.34, 0.5, 0.0, 1.0, fast[1], 2.401, True, "cascade"),
        ("code", *kept, 0.77, 0.5, 1.0, None, fast[2], None, False, "cascade"),
        ("math", *high, 0.22, 0.5, 0.0, 1.0, fast[3], 2.403, True, "cascade"),
        ("law", *kept, 0.83, 0.5, None, None, fast[4], None, False, "cascade"),
        ("code", *high, 0.48, 0.5, 1.0, 0.5, fast[5], 2.405, True, "cascade"),
        ("math", *kept, 0.95, 0.5, 1.0, None, fast[6], None, False, "cascade"),
        # a retry: 0.3 s lost and 2 s for the answer; what the lost one cost is unknown
        ("law", *high, 0.12, 0.5, 0.0, 1.0, fast[7], 2.3, False, "cascade"),
        ("code", *kept, 0.66, 0.5, 1.0, None, fast[8], None, False, "cascade"),
        ("math", *kept, 0.71, 0.5, None, None, fast[9], None, False, "cascade"),
        ("law", *high, 0.29, 0.5, 1.0, 0.0, fast[10], 2.5, False, "cascade"),
        ("code", *kept, 0.88, 0.5, 1.0, None, fast[11], None, False, "cascade"),
    ]


def test_openinference_in_one_long_document():
    frame, staged = read(OTEL / "openinference.json")
    assert (staged.format, staged.read, staged.rejected) == ("json", 9, 0)
    assert staged.passed == {
        "chain and workflow spans": 6, "retrieval spans": 6, "evaluation spans": 1,
        "calls of an evaluator": 1, TWICE: 1,
    }  # fmt: skip
    names = (
        "call_id", "task_category", "arm", "model", "confidence", "correct", "correct_source", "input_tokens",
        "output_tokens", "cached_tokens", "cost_usd", "latency_s", "ttft_s", "status", "unit_id",
    )  # fmt: skip
    mini = ("gpt-5-mini", 0.000325, 1.0)
    high = ("gpt-5@high", 0.007625, 3.0)
    expected = [
        ("03", "math", "A", 0.9, 1.0, "human", 500, 100, None, *mini, 0.25, "success", "session-0"),
        # told by the framework as well, whose grade it gets; the client alone counts what was cached
        ("07", "law", "B", 0.3, 0.0, "human", 500, 100, 384, *mini, None, "success", "session-0"),
        ("08", "law", "B", 0.3, 1.0, "human", 501, 700, None, *high, None, "success", "session-0"),
        ("0b", "math", "B", 0.8, 1.0, "human", 502, 102, None, *mini, None, "success", "session-1"),
        ("10", "law", "A", 0.4, 0.0, "human", 503, 103, None, *mini, None, "success", "session-1"),
        ("11", "law", "A", 0.4, 1.0, "human", 503, 700, None, *high, None, "success", "session-1"),
        ("14", "math", "B", 0.7, 1.0, "exact", 504, 104, None, *mini, None, "success", "session-2"),
        ("17", "law", "B", 0.2, None, None, 505, 105, None, *mini, None, "success", "session-2"),
        ("18", "law", "B", 0.2, 0.0, None, *(None,) * 3, "gpt-5@high", None, 3.0, None, "timeout",
         "session-2"),
    ]  # fmt: skip
    order = (0, 1, 2, 4, 5, 6, 7, 8, 9, 3, 10, 11, 12, 13, 14)
    found = frame.sort("ts").select([names[place] for place in order]).rows()
    assert [(row[0][-2:], *row[1:]) for row in found] == expected
    assert set(frame["cost_source"].drop_nulls()) == {"logged"}


def test_evaluations_in_log_records_are_grades_of_calls():
    frame, staged = read(OTEL / "evaluations.jsonl")
    assert DIALECTS[staged.dialect].form == "grades"
    assert staged.passed == {
        "scores of faults, not of correctness": 1,
        "evaluations without a grade from 0 to 1": 1,
        "log records that are no evaluation": 1,
    }
    names = ("request_id", "call_id", "grader", "correct", "ts")
    found = [tuple(str(cell)[-8:] for cell in row) for row in frame.select(names).rows()]
    # 200 s after the start, and 10 ms later for each request
    assert found == [
        ("00000005", "00000011", "rectness", "1.0", "05.040000"[-8:]),
        ("0000000a", "00000025", "rectness", "0.0", "05.090000"[-8:]),
        ("00000005", "00000011", "pfulness", "0.75", "05.040000"[-8:]),
    ]
    graded = {row["call_id"] for row in frame.to_dicts()}
    assert graded <= set(read(COLLECTOR)[0]["call_id"])


def test_metrics_are_refused_with_what_to_export_instead(store):
    with pytest.raises(SchemaError, match=r"sums over many calls.*Export the traces"):
        load(store, OTEL / "metrics.jsonl")


# Other spellings


def snake(held):
    """Names of members as protobuf's field names, enums by name."""
    if isinstance(held, list):
        return [snake(element) for element in held]
    if not isinstance(held, dict):
        return held
    return {
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name): snake(inner)
        for name, inner in held.items()
    }


def as_objects(one):
    attributes = {pair["key"]: pair["value"] for pair in one["attributes"]}
    plain = {name: next(iter(held.values())) for name, held in attributes.items()}
    return {**one, "attributes": plain}


def with_numbers(one):
    times = {name: int(one[name]) for name in ("startTimeUnixNano", "endTimeUnixNano")}
    return {**one, **times, "traceId": one["traceId"].upper(), "spanId": one["spanId"].upper()}


def replaced(old, new):
    return lambda given: [json.loads(json.dumps(one).replace(old, new)) for one in given]


def comparable(frame):
    return frame.drop("line").sort("call_id").rows()


@pytest.mark.parametrize(
    "changed",
    [
        lambda given: [snake(one) for one in given],
        lambda given: [document(*map(as_objects, spans_of(given)), **{"team.experiment": "router-3"})],
        lambda given: [document(*map(with_numbers, spans_of(given)), **{"team.experiment": "router-3"})],
        replaced('"scopeSpans"', '"instrumentationLibrarySpans"'),
        replaced('"code": 2', '"code": "STATUS_CODE_ERROR"'),
        lambda given: [document(one, **{"team.experiment": "router-3"}) for one in reversed(spans_of(given))],
    ],
    ids=["snake", "objects", "numbers", "library", "enum", "reversed"],
)  # fmt: skip
def test_every_spelling_gives_the_same_rows(tmp_path, changed):
    frame, _ = read(written(tmp_path / "other.jsonl", changed(documents(COLLECTOR))))
    assert comparable(frame) == comparable(read(COLLECTOR)[0])


def test_spans_that_stand_alone_are_read_as_well(tmp_path):
    spans = spans_of(documents(COLLECTOR))
    for name, shaped in (("camel", spans), ("snake", snake(spans))):
        frame, _ = read(written(tmp_path / f"{name}.jsonl", shaped))
        expected = read(COLLECTOR)[0].drop("experiment")  # an attribute of the resource
        assert comparable(frame) == comparable(expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"stringValue": "x"}, "x"), ({"intValue": "-5"}, -5), ({"intValue": 7}, 7), ({"intValue": "x"}, "x"),
        ({"intValue": "9223372036854775808"}, 2**63), ({"doubleValue": 0.5}, 0.5),
        ({"boolValue": False}, False),
        ({"bytesValue": "aGk="}, "aGk="), ({"string_value": "x"}, "x"), ({}, None), (None, None), ("x", "x"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}]}}, [1, "x"]),
        ({"arrayValue": {}}, []), ({"arrayValue": [{"intValue": "1"}]}, [1]),
        ({"kvlistValue": {"values": pairs({"a": 1, "b": "x"})}}, {"a": 1, "b": "x"}),
        ({"kvlistValue": pairs({"a": [True]})}, {"a": [True]}), ({"kvlistValue": None}, {}),
        ({"other": 1}, {"other": 1}),
    ],
)  # fmt: skip
def test_a_value_is_what_its_kind_says(given, expected):
    assert otel.value(given) == expected


def test_a_list_of_keys_and_values_may_hold_anything_and_the_last_of_a_key_counts():
    twice = [*pairs({"a": 1, "b": 2}), *pairs({"a": 3}), {"key": "c"}, {"value": 1}, None, "x", {"key": 5}]
    assert otel.pivoted(twice) == {"a": 3, "b": 2, "c": None}
    assert otel.pivoted({"a": value(1), "b": 2, "c": {"d": 1}}) == {"a": 1, "b": 2, "c": {"d": 1}}
    assert otel.pivoted("x") == otel.pivoted(None) == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("EEE19B7EC3C1B174", "eee19b7ec3c1b174"), ("0xeee19b7ec3c1b174", "eee19b7ec3c1b174"), ("", None),
        ("0000000000000000", None), ("W47/95gDgQPSabYzgT/GDA==", "W47/95gDgQPSabYzgT/GDA=="),
        (None, None), (17, "17"), (True, None), ({}, None), ("My-Id", "My-Id"),
    ],
)  # fmt: skip
def test_ids_are_hexadecimal_whatever_their_capitals(given, expected):
    assert otel.identifier(given) == expected


# Traps


def test_an_attribute_that_stands_twice_counts_once(tmp_path):
    twice = [*pairs(CHAT), *pairs({"gen_ai.usage.output_tokens": 20})]
    frame, _ = read(written(tmp_path / "a.jsonl", [document({**span(), "attributes": twice})]))
    assert frame["output_tokens"].to_list() == [20]


def test_one_span_in_two_documents_is_a_duplicate_and_with_other_values_a_conflict(store, tmp_path):
    one, other = span(), span({**CHAT, "gen_ai.usage.output_tokens": 11})
    report = load(
        store, written(tmp_path / "a.jsonl", [document(one), document(one), document(span(call="b2"))])
    )
    assert (report.read, report.loaded, report.duplicates, report.rejected) == (3, 2, 1, 0)
    report = load(store, written(tmp_path / "b.jsonl", [document(one)]))
    assert (report.loaded, report.duplicates) == (0, 1)
    report = load(store, written(tmp_path / "c.jsonl", [document(other)]), accept_rejects=True)
    assert (report.loaded, report.rejected) == (0, 1)
    assert rows(store, "SELECT sum(output_tokens) FROM calls WHERE dataset = 'd'") == [(20,)]


def test_spans_of_several_traces_in_any_order_find_their_requests(tmp_path):
    root = {"route.category": "math"}
    spans = [
        span(trace="a2", call="b3", parent="b4", at=2),
        span(trace="a1", call="b1", parent="b2"),
        span({"route.category": "law"}, trace="a2", call="b4", name="POST /", at=1),
        span(root, trace="a1", call="b2", name="POST /"),
    ]
    frame, staged = read(written(tmp_path / "a.jsonl", [document(*spans[:2]), document(*spans[2:])]))
    found = frame.sort("ts").select("request_id", "task_category").rows()
    assert [(trace[-2:], category) for trace, category in found] == [("a1", "math"), ("a2", "law")]
    assert staged.passed == {"spans without a model call": 2}


def test_span_ids_need_to_differ_only_within_their_trace(tmp_path):
    spans = [
        one
        for trace, category in (("a1", "math"), ("a2", "law"))
        for one in (
            span({"route.category": category}, trace=trace, call="1", name="POST /"),
            span(trace=trace, call="2", parent="1"),
        )
    ]
    frame, _ = read(written(tmp_path / "a.jsonl", [document(*spans)]))
    assert frame.select("call_id", "task_category").rows() == [
        ("2".zfill(16), "math"),
        ("2".zfill(16), "law"),
    ]


def test_a_grade_around_one_call_is_its_own_and_one_around_several_is_told(tmp_path):
    graded = {"annotations.0.annotation.name": "correctness", "annotations.0.annotation.score": 1.0}
    root = {"openinference.span.kind": "CHAIN", **graded}
    spans = [span(root, name="ask"), span(call="b2", parent="b1")]
    frame, staged = read(written(tmp_path / "a.jsonl", [document(*spans)]))
    assert (frame["correct"].to_list(), staged.notes[1:]) == ([1.0], [])
    two = [*spans, span(call="b3", parent="b1", at=5)]
    frame, staged = read(written(tmp_path / "b.jsonl", [document(*two)]))
    assert frame["correct"].to_list() == [None, None]
    assert staged.notes[-1] == "1 grades stand on records around several calls: none got them."


def test_no_column_is_guessed_to_be_a_category_by_its_values(tmp_path):
    spans = [
        span(
            {**CHAT, "gen_ai.agent.name": "ab"[at % 2], "app.colour": ["red", "blue"][at % 2]},
            call=f"b{at}", trace=f"a{at}", name=f"chat {'mn'[at % 2]}", at=at,
        )
        for at in range(20)
    ]  # fmt: skip
    frame, _ = read(written(tmp_path / "a.jsonl", [document(*spans[:10]), document(*spans[10:])]))
    assert "task_category" not in frame.columns


def test_log_records_and_metrics_beside_traces_are_passed_over_and_told(store, tmp_path):
    log = documents(OTEL / "evaluations.jsonl")[0]
    metric = documents(OTEL / "metrics.jsonl")[0]
    _, staged = read(written(tmp_path / "a.jsonl", [document(span()), log, metric]))
    assert staged.passed == {
        "log records (load them as grades from a file of their own)": 6,
        "no model call in it": 1,
    }
    inspection = intake.inspect(
        tmp_path / "a.jsonl", name="a", answers=Answers(dialect="grades"), workdir=store.staging
    )
    assert (inspection.staged.dialect, inspection.staged.read) == ("otlp_logs", 3)
    assert inspection.staged.passed["spans, which are no grades"] == 1


def test_a_file_without_a_model_call_is_refused_with_what_it_holds(store, tmp_path):
    path = written(tmp_path / "a.jsonl", [document(span({"http.route": "/"}, name="GET /"))] * 2)
    with pytest.raises(SchemaError, match=r"holds no model call.*\(2 spans without a model call\)"):
        load(store, path)


def test_only_judges_and_wrappers_in_a_file_leave_no_call(store, tmp_path):
    judge = span({"openinference.span.kind": "EVALUATOR"}, name="judge")
    path = written(tmp_path / "a.jsonl", [document(judge, span(call="b2", parent="b1"))] * 1)
    with pytest.raises(SchemaError, match="1 evaluation spans; 1 calls of an evaluator"):
        load(store, path)


@pytest.mark.parametrize(
    ("record", "dialect"),
    [
        (document(span()), "otlp"), (span(), "otlp"), (snake(document(span())), "otlp"),
        ({"resourceLogs": []}, "otlp_logs"), ({"resourceMetrics": []}, "otlp_metrics"),
        ({"batches": []}, None), ({"trace_id": "a", "span_id": "b", "model": "m", "cost": 1}, None),
        ({"traceId": "a", "startTime": 1, "model": "m"}, None), ({"spans": []}, None), ({}, None),
    ],
)  # fmt: skip
def test_what_is_otlp_is_recognised_and_nothing_else(record, dialect):
    found = tool_of(record_names(record))
    assert (found and found.name) == dialect
    assert len([tool for tool in TOOLS if tool.recognises(record_names(record))]) <= 1


# Size


def peak(store, path):
    """(peak resident MiB, rows) of the reading step in a process of its own."""
    folder = store.staging / "peak"
    folder.mkdir()
    program = (
        "import resource, sys; from pathlib import Path; from analytics.logs.reading import readers;"
        "s = readers.staged_file(Path(sys.argv[1]), Path(sys.argv[2]), name='x');"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, s.read, s.rejected)"
    )
    root = Path(otel.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(folder)],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()
    return tuple(int(word) for word in done.stdout.split())


def test_a_document_and_a_line_of_20_mib_are_read_in_little_memory(store, tmp_path):
    def long(number):
        return span({**CHAT, "gen_ai.input.messages": "x" * 8_000}, call=f"{number:x}", trace=f"{number:x}")

    text = json.dumps(document(*(long(number) for number in range(2_500))))
    assert len(text) > 20 << 20
    small, whole, lines = (tmp_path / name for name in ("small.json", "whole.json", "lines.jsonl"))
    small.write_text(json.dumps(document(span())))
    whole.write_text(text)
    lines.write_text(f"{json.dumps(document(span()))}\n{text}\n")
    base, _, _ = peak(store, small)
    for path, calls, most in ((whole, 2_500, 100), (lines, 2_501, 200)):
        mebibytes, read, rejected = peak(store, path)
        assert (read, rejected) == (calls, 0)
        assert mebibytes - base < most


# Anything at all

TEXTS = ["", "{", "[1]", "1e999", "chat", "LLM", "0x", "nan", "9" * 40, '{"a": {"a": 1}}']
NAMES = [
    "key",
    "value",
    "stringValue",
    "intValue",
    "arrayValue",
    "values",
    "kvlistValue",
    "spans",
    "metadata",
]
JUNK = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5)),
        st.sampled_from(TEXTS),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
ALLOWED = (TypeError, ValueError, KeyError, AttributeError)


def mutated(draw, held, depth=0):
    """A value in which some members are dropped, changed or repeated."""
    if draw(st.integers(0, 11)) == 0:
        return draw(JUNK)
    if isinstance(held, dict) and depth < 12:
        return {
            name: mutated(draw, inner, depth + 1)
            for name, inner in held.items()
            if draw(st.integers(0, 19)) or depth < 4
        }
    if isinstance(held, list) and depth < 12:
        return [
            mutated(draw, inner, depth + 1)
            for inner in held
            for _ in range(draw(st.sampled_from([1, 1, 1, 2])))
        ]
    return held


@st.composite
def mutations(draw):
    base = draw(st.sampled_from([*documents(COLLECTOR)[:2], *documents(OTEL / "evaluations.jsonl")]))
    name = next(iter(base))
    base = {name: [{**base[name][0]}]}
    for inner in ("scopeSpans", "scopeLogs"):
        if inner in base[name][0]:
            [scope] = base[name][0][inner][:1]
            leaves = "spans" if inner == "scopeSpans" else "logRecords"
            base[name][0][inner] = [{**scope, leaves: scope[leaves][:3]}]
    return mutated(draw, base, 1)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(mutations())
def test_whatever_stands_in_a_document_becomes_rows_or_reasons_or_an_allowed_error(record):
    for opened in (otel.opened, otel.opened_logs):
        try:
            found = list(opened(record)) if isinstance(record, dict) else []
        except ALLOWED:
            continue
        for item in found:
            row = item.item if isinstance(item, Nested) else item
            assert isinstance(row, Passed | dict)
            json.dumps(row) if isinstance(row, dict) else None


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(mutations(), min_size=1, max_size=6))
def test_a_file_of_anything_is_loaded_or_refused(tmp_path_factory, given_documents):
    path = tmp_path_factory.mktemp("any") / "any.jsonl"
    text = "".join(json.dumps(one) + "\n" for one in [document(span()), *given_documents])
    path.write_text(text)
    refusal = None
    try:
        frame, staged = read(path)
    except SchemaError as error:
        refusal = str(error)
    assert frame.height == staged.read - staged.rejected if refusal is None else "/any" not in refusal
