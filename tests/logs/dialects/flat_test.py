"""What the flat exports have in common: whose files they take, and what they make of anything at all."""

import json

import pytest
from flat_files import FLAT, OURS, opened, records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_files import FIXTURES, read, written

from analytics.errors import SchemaError
from analytics.logs.dialects import TOOLS, flat, tool_of
from analytics.logs.dialects.dialect import Passed, record_names

WHOSE = {
    "helicone.jsonl": "helicone", "helicone.csv": "helicone", "helicone_bodies.csv": "helicone",
    "openrouter_generations.jsonl": "openrouter_generations",
    "openrouter_activity.json": "openrouter_activity", "openrouter_activity.csv": "openrouter_activity",
    "portkey.jsonl": "portkey",
    "openai_batch_output.jsonl": "openai_batch", "openai_batch_errors.jsonl": "openai_batch",
    "openai_batch_input.jsonl": "openai_batch_input",
    "tensorzero_inferences.jsonl": "tensorzero_inferences",
    "tensorzero_joined.jsonl": "tensorzero_inferences",
    "tensorzero_api.json": "tensorzero_inferences",
    "tensorzero_model_inferences.jsonl": "tensorzero_model_inferences",
    "tensorzero_feedback.jsonl": "tensorzero_feedback",
    "langsmith_runs.jsonl": "langsmith", "langsmith_runs.csv": "langsmith",
    "langsmith_runs.parquet": "langsmith", "langsmith_feedback.jsonl": "langsmith_feedback",
    "mlflow_traces.jsonl": "mlflow", "mlflow_search_traces.csv": "mlflow",
    "mlflow_trace_infos.jsonl": "mlflow",
    "mlflow_assessments.jsonl": "mlflow_assessments",
    "weave_calls.jsonl": "weave", "weave_calls.csv": "weave",
}  # fmt: skip
PLAIN = (
    "request_id category model confidence correct cost latency",
    "id created_at model prompt_tokens completion_tokens cost response_time status",
    "trace_id id name model input output start_time end_time",
    "run_id key score", "target_id value", "custom_id model answer", "id metric_name value",
    "request_id request_created_at model", "variant_name episode_id",
    "ai_model cost response_time is_success",  # would be read as Portkey's, whose costs are cents
)  # fmt: skip


def test_every_fixture_is_here():
    assert {path.name for path in FLAT.iterdir()} == {*WHOSE, "README.md"}


@pytest.mark.parametrize("name", WHOSE)
def test_a_file_is_recognised_by_its_own_tool_and_by_no_other(name):
    names = frozenset().union(*map(record_names, records(FLAT / name)))
    assert [tool.name for tool in TOOLS if tool.recognises(names)] == [WHOSE[name]]


@pytest.mark.parametrize("folder", ["langfuse", "litellm", "otel", "phoenix"])
def test_no_other_tools_file_is_taken(folder):
    looked_at = 0
    for path in (FIXTURES / folder).iterdir():
        if path.suffix not in {".json", ".jsonl", ".csv"}:
            continue
        if path.suffix == ".json" and isinstance(document := json.loads(path.read_text()), dict):
            rows = [document, *(one for held in document.values() if isinstance(held, list) for one in held)]
        elif path.suffix == ".json":
            rows = document
        else:
            rows = records(path)
        names = frozenset().union(*(record_names(one) for one in rows if isinstance(one, dict)))
        assert [tool.name for tool in OURS if tool.recognises(names)] == [], path.name
        looked_at += 1
    assert looked_at


@pytest.mark.parametrize("names", PLAIN)
def test_a_plain_table_is_no_tools_export(names):
    assert tool_of(frozenset(names.split())) is None


@pytest.mark.parametrize(
    ("members", "path", "expected"),
    [
        ({"a": {"b": {"c": 1}}}, "a.b.c", 1),
        ({"a": '{"b": {"c": 1}}'}, "a.b.c", 1),  # JSON text
        ({"a": "{'b': {'c': None, 'd': 1}}"}, "a.b.d", 1),  # as a data frame writes it
        ({"a.b": {"c": 1}}, "a.b.c", 1),
        ({"a": {"b.c": 1}}, "a.b.c", 1),
        ({"a.b.c": 1, "a": {"b": {"c": 2}}}, "a.b.c", 1),
        ({"a": None}, "a.b", None), ({"a": [1]}, "a.b", None), ({}, "a", None), ("no object", "a", None),
    ],
)  # fmt: skip
def test_paths_lead_through_objects_texts_and_dotted_names(members, path, expected):
    assert flat.value(members, path) == expected


@pytest.mark.parametrize(
    ("asked", "answered", "expected"),
    [
        ("gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-5-mini"),  # a failed call is told of the same model
        ("router", "gpt-5", "gpt-5"), ("gpt-5", None, "gpt-5"), (None, "gpt-5", "gpt-5"), (None, None, None),
    ],
)  # fmt: skip
def test_a_dated_answer_goes_by_the_model_asked_for(asked, answered, expected):
    assert flat.model(asked, answered) == expected


@pytest.mark.parametrize(
    ("cost", "tokens", "expected"),
    [("0.00029", 200, 0.00029), (0, 200, None), (0.0, 0, 0.0), (None, 200, None), (-1, 200, None)],
)
def test_a_call_with_tokens_that_cost_nothing_has_an_unknown_price(cost, tokens, expected):
    assert flat.paid(cost, tokens) == expected


# Anything at all

JUNK = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5)),
    st.sampled_from(["{", "{'a': 1}", '{"value": 1}', "[" * 99, "{*()}", "0x", "2026-05-29", "AAAAAAAAAAE="]),
    st.lists(st.one_of(st.integers(), st.dictionaries(st.text(max_size=3), st.integers())), max_size=2),
    st.dictionaries(st.sampled_from(["a", "usage", "score", "avg", "value"]), st.integers() | st.none()),
)
ALLOWED = (TypeError, ValueError, KeyError, AttributeError, IndexError, ArithmeticError)
SAMPLES = [(WHOSE[name], records(FLAT / name)) for name in WHOSE]


@st.composite
def mutations(draw):
    tool, rows = draw(st.sampled_from(SAMPLES))
    record = dict(draw(st.sampled_from(rows)))
    for name in draw(st.lists(st.sampled_from([*record, "metadata", "tags"]), max_size=5)):
        record[name] = draw(JUNK)
    for name in draw(st.lists(st.sampled_from(list(record)), max_size=3)):
        inner = record.pop(name, None)
        if isinstance(inner, dict) and inner:
            record[name] = {**inner, draw(st.sampled_from(list(inner))): draw(JUNK)}
    return tool, record


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(mutations())
def test_whatever_stands_in_a_record_becomes_rows_or_reasons_or_an_allowed_error(mutation):
    try:
        found = opened(*mutation)
    except ALLOWED:
        return
    assert found
    assert all(isinstance(one, Passed) or json.dumps(one) for one in found)


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(mutations(), min_size=1, max_size=4))
def test_a_file_of_anything_is_loaded_or_refused(tmp_path_factory, sample, mutated):
    tool, rows = sample
    lines = [*rows[:2], *(record for other, record in mutated if other == tool)]
    path = written(tmp_path_factory.mktemp("any") / "any.jsonl", json.loads(json.dumps(lines, default=str)))
    refusal = None
    try:
        frame, staged = read(path)
    except SchemaError as error:
        refusal = str(error)
    assert frame.height <= staged.read - staged.rejected if refusal is None else "/any" not in refusal
