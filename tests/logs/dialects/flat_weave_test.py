"""Weave: every trap of its calls and of its table's CSV. Expected values are by hand from the fixtures."""

import csv
import json

import pytest
from flat_files import FLAT, opened, records
from stores import decisions
from trace_files import load, read, written

from analytics.logs.dialects.dialect import Passed
from analytics.logs.reading.nesting import TWICE

CALLS = records(FLAT / "weave_calls.jsonl")
OPERATION, COMPLETION = CALLS[0], CALLS[1]
GRADED = [
    ("math", 0.91, 1.0, None), ("math", 0.42, 0.0, 1.0), ("math", 0.83, 1.0, None),
    ("law", 0.35, 0.0, 1.0), ("law", 0.77, 1.0, None), ("law", 0.30, 0.0, 0.0),
]  # fmt: skip
PASSED = {
    "operations around calls of several models": 3,  # r1, r3, r5
    TWICE: 4,  # r0, r2, r4 and the scorer's own operation
    "calls of a scorer": 1,
}


def cascade(store):
    """Decisions of the six requests, in the order of their confidence."""
    found = decisions(store, "task_category, confidence, fast_correct, strong_correct")
    return sorted(row for row in found if row[1] not in {None, 0.5})


def used(usage=None, costs=None, **changed):
    """The first completion with other usage, costs or members."""
    call = json.loads(json.dumps({**COMPLETION, **changed}))
    if usage is not None:
        call["summary"]["usage"] = {"m": {"requests": 1, **usage}}
        call["summary"]["weave"]["costs"] = {"m": costs} if costs else {}
    return call


def csv_of(path, *, without=(), delimiter=","):
    """The CSV without some of its columns."""
    rows = records(FLAT / "weave_calls.csv")
    names = [name for name in rows[0] if name not in without]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_weaves_usage_is_not_counted_again_towards_the_root(store):
    report = load(store, FLAT / "weave_calls.jsonl")
    assert (report.loaded, report.rejected) == (10, 0)
    assert cascade(store) == sorted(GRADED)
    frame, staged = read(FLAT / "weave_calls.jsonl")
    assert staged.passed == PASSED
    assert frame["cost_usd"].sum() == pytest.approx(6 * 0.00029 + 3 * 0.0042, rel=1e-12)


@pytest.mark.parametrize(
    ("changed", "usage", "expected"),
    [
        ({}, {}, {"model": "gpt-5-mini", "input_tokens": 200, "output_tokens": 120, "cached_tokens": 20,
                  "reasoning_tokens": 64, "latency_s": 1.25, "cost_usd": 0.00029, "status": "success"}),
        ({"ended_at": None}, {}, {"latency_s": 1.25}),  # latency_ms 1250
        ({"exception": "x"}, {}, {"status": "error"}),
        ({"exception": "Request timed out"}, {}, {"status": "timeout"}),
        # Anthropic's names; its input leaves out what the cache holds: 180 + 120 + 20 = 320
        ({}, {"prompt_tokens": None, "input_tokens": 180, "cache_read_input_tokens": 20},
         {"input_tokens": 200, "cached_tokens": 20}),
        ({"attributes": {"request_id": "r9"}}, {}, {"request_id": "r9"}),
    ],
)  # fmt: skip
def test_weaves_calls_have_usage_and_costs_by_model(changed, usage, expected):
    call = json.loads(json.dumps({**COMPLETION, **changed}))
    call["summary"]["usage"]["gpt-5-mini"].update(usage)
    [row] = opened("weave", call)
    assert {name: row.get(name) for name in expected} == expected


def test_a_call_without_costs_has_none_and_without_usage_is_none():
    bare = json.loads(json.dumps(COMPLETION))
    del bare["summary"]["weave"]["costs"]
    assert opened("weave", bare)[0].get("cost_usd") is None
    bare["summary"]["usage"] = {}
    assert opened("weave", bare) == [Passed("operations without a model call")]
    [failed] = opened("weave", CALLS[-1])  # a failed call has no usage, but names its model
    assert (failed["model"], failed["status"]) == ("gpt-5-mini", "timeout")


@pytest.mark.parametrize(
    ("feedback", "expected"),
    [
        ({"feedback_type": "wandb.runnable.correct", "payload": {"output": False}},
         {"scores.correct": False}),
        ({"feedback_type": "wandb.runnable.exam", "payload": {"output": {"correct": 1, "why": "x"}}},
         {"scores.exam.correct": 1}),
        ({"feedback_type": "wandb.reaction.1", "payload": {"emoji": "👎"}},
         {"rating": 0.0, "rating_source": "feedback"}),
        ({"feedback_type": "wandb.annotation.correct", "payload": {"value": True}}, {"scores.correct": True}),
        ({"feedback_type": "wandb.reaction.1", "payload": {"emoji": "🎉"}}, {"rating": None}),
        ({"feedback_type": "wandb.note.1", "payload": {"note": "x"}}, {"rating": None}),
    ],
)  # fmt: skip
def test_scorers_and_thumbs_are_feedback(feedback, expected):
    call = json.loads(json.dumps(COMPLETION))
    call["summary"]["weave"]["feedback"] = [feedback]
    [row] = opened("weave", call)
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("usage", "more", "expected"),
    [
        # Weave adds a cache's tokens to Anthropic's input: 80 + 20 + 100 = 200
        ({"input_tokens": 200, "output_tokens": 120, "cache_read_input_tokens": 20,
          "cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 30},
          "service_tier": "priority"}, {},
         {"input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "cache_write_tokens": 100,
          "cache_write_1h_tokens": 30, "service_tier": "priority"}),
        # and did not always: then the response, which is Anthropic's own, tells 5000 + 20 + 100
        ({"input_tokens": 5000, "output_tokens": 120, "cache_read_input_tokens": 20,
          "cache_creation_input_tokens": 100},
         {"output": {"usage": {"input_tokens": 5000, "output_tokens": 120, "cache_read_input_tokens": 20,
                               "cache_creation_input_tokens": 100}}},
         {"input_tokens": 5120, "cached_tokens": 20, "cache_write_tokens": 100}),
        # OpenAI's cache writes are among the input; the tier is the response's
        ({"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320,
          "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 100}},
         {"output": {"service_tier": "flex"}, "inputs": {"service_tier": "auto"}},
         {"input_tokens": 200, "cached_tokens": 20, "cache_write_tokens": 100, "service_tier": "flex"}),
        ({"prompt_tokens": 200, "completion_tokens": 120}, {"inputs": {"service_tier": "priority"}},
         {"service_tier": "priority", "cache_write_tokens": None}),
        # Gemini: 200 + 56 + 64 thoughts = 320
        ({"prompt_tokens": 200, "completion_tokens": 56, "total_tokens": 320, "thoughts_tokens": 64,
          "cache_read_input_tokens": 20}, {},
         {"input_tokens": 200, "output_tokens": 120, "reasoning_tokens": 64, "cached_tokens": 20}),
        # Bedrock: Weave adds what was read and written, 80 + 20 + 100
        ({"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320, "cache_read_input_tokens": 20,
          "cache_creation_input_tokens": 100}, {}, {"input_tokens": 200, "cache_write_tokens": 100}),
    ],
)  # fmt: skip
def test_every_integrations_usage_is_read(usage, more, expected):
    [row] = opened("weave", used(usage, **more))
    assert {name: row.get(name) for name in expected} == expected


USED = {"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320}
COSTS = {"prompt_tokens_total_cost": 0.002, "completion_tokens_total_cost": 0.004}


@pytest.mark.parametrize(
    ("usage", "costs", "expected"),
    [
        (USED, COSTS, 0.006),
        # the prompt's cost leaves out what was read and written: 0.002 + 0.004 + 0.0001 + 0.0005
        (USED, {**COSTS, "cache_read_input_tokens_total_cost": 0.0001,
                "cache_creation_input_tokens_total_cost": 0.0005}, 0.0066),
        (USED, {**COSTS, "completion_tokens_total_cost": None}, 0.002),
        # (80 - 20 - 100) tokens of a prompt that left the cache out
        (USED, {**COSTS, "prompt_tokens_total_cost": -0.002}, None),
        (USED, {"prompt_tokens_total_cost": 0, "completion_tokens_total_cost": 0.0}, None),  # no price known
        ({**USED, "completion_tokens": 56, "thoughts_tokens": 64}, COSTS, None),  # 64 thoughts cost nothing
        (USED, {}, None), (USED, {"prompt_tokens_total_cost": "x"}, None),
    ],
)  # fmt: skip
def test_a_cost_is_the_sum_of_its_parts_if_they_are_of_all_tokens(usage, costs, expected):
    [row] = opened("weave", used(usage, costs))
    assert row.get("cost_usd") == (None if expected is None else pytest.approx(expected, rel=1e-12))


def test_an_operation_that_sums_up_several_requests_is_no_call():
    assert opened("weave", used({**USED, "requests": 2})) == [
        Passed("operations around several calls of a model")
    ]
    assert opened("weave", used({**USED, "requests": None}))[0]["input_tokens"] == 200


# The CSV of the table


def test_the_csv_of_the_table_gives_the_rows_of_the_json_lines(store):
    expected, staged = read(FLAT / "weave_calls.jsonl")
    found, of_csv = read(FLAT / "weave_calls.csv")
    assert (of_csv.dialect, of_csv.passed) == ("weave", staged.passed)
    assert set(found.columns) == set(expected.columns)
    columns = sorted({*expected.columns} - {"line"})
    assert found.select(columns).rows() == expected.select(columns).rows()
    load(store, FLAT / "weave_calls.csv")
    assert cascade(store) == sorted(GRADED)


def test_without_the_column_of_the_operation_around_times_tell_what_counts_once(store, tmp_path):
    path = csv_of(tmp_path / "narrow.csv", without=["parent_id"])
    frame, staged = read(path)
    assert staged.passed == PASSED
    # 18 records in 8 traces, of which one each is the root
    assert staged.notes == ["10 records do not say which other they lie in: their times say it."]
    assert frame["cost_usd"].sum() == pytest.approx(6 * 0.00029 + 3 * 0.0042, rel=1e-12)
    load(store, path)
    assert cascade(store) == sorted(GRADED)


def test_calls_beside_one_another_in_a_trace_stay_two_without_their_operation(tmp_path):
    two = [
        {**COMPLETION, "id": name, "parent_id": None, "started_at": f"2026-05-29T13:46:2{at}Z",
         "ended_at": f"2026-05-29T13:46:2{at}.5Z"}
        for name, at in (("a", 1), ("b", 2))
    ]  # fmt: skip
    frame, staged = read(written(tmp_path / "beside.jsonl", two))
    assert (frame["call_id"].to_list(), staged.passed) == (["a", "b"], {})


def test_the_tsv_is_read_too(tmp_path):
    frame, staged = read(csv_of(tmp_path / "calls.tsv", delimiter="\t"))
    assert (frame.height, staged.dialect) == (10, "weave")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        # the dots of the model's name are no steps, nor are the names of its details
        ({"summary.usage.gpt-4.1-mini.prompt_tokens": "200.0", "summary.usage.gpt-4.1-mini.requests": "1.0",
          "summary.usage.gpt-4.1-mini.completion_tokens": "120",
          "summary.usage.gpt-4.1-mini.prompt_tokens_details.cached_tokens": "20",
          "summary.usage.gpt-4.1-mini.cache_creation.ephemeral_1h_input_tokens": "30",
          "summary.weave.costs.gpt-4.1-mini.prompt_tokens_total_cost": "0.002",
          "summary.weave.costs.gpt-4.1-mini.completion_tokens_total_cost": "0.0",
          "summary.weave.latency_ms": "1250"},
         {"model": "gpt-4.1-mini", "input_tokens": 200, "output_tokens": 120, "cached_tokens": 20,
          "cache_write_1h_tokens": 30, "cost_usd": 0.002, "latency_s": 1.25}),
        ({"summary.usage.us.anthropic.claude-sonnet-4-20250514-v1:0.input_tokens": "7",
          "summary.usage.us.anthropic.claude-sonnet-4-20250514-v1:0.output_tokens": "9"},
         {"model": "us.anthropic.claude-sonnet-4-20250514-v1:0", "input_tokens": 7, "output_tokens": 9}),
        ({"summary.usage.m.prompt_tokens": "1", "attributes.category": "law", "attributes.deep.er": "x",
          "inputs.reasoning_effort": "low", "inputs.messages": '[{"role": "user"}]'},
         {"attributes.category": "law", "attributes.deep.er": "x", "effort": "low",
          "prompt": '[{"role": "user"}]'}),
        # feedback: a column for each type and leaf, or a list in one
        ({"summary.usage.m.prompt_tokens": "1",
          "summary.weave.feedback.wandb.runnable.exam.payload.output.correct": "False",
          "summary.weave.feedback.wandb.reaction.1.payload.emoji": "👎"},
         {"scores.exam.correct": "False", "rating": 0.0, "rating_source": "feedback"}),
        ({"summary.usage.m.prompt_tokens": "1", "summary.weave.feedback": json.dumps(
            [{"feedback_type": "wandb.runnable.correct", "payload": {"output": True}}])},
         {"scores.correct": True}),
        # a data frame's CSV has objects in its cells, as Python writes them
        ({"summary": "{'usage': {'m': {'prompt_tokens': 5, 'completion_tokens': 6}}, 'weave': {}}",
          "attributes": "{'category': 'law'}"},
         {"model": "m", "input_tokens": 5, "output_tokens": 6, "attributes.category": "law"}),
        # a scalar where others have an object
        ({"output": "done", "output.choices": "x", "summary.usage.m.prompt_tokens": "1"}, {"answer": "done"}),
    ],
)  # fmt: skip
def test_dotted_columns_are_objects_again(columns, expected):
    names = {
        "id": "a",
        "op_name": "weave:///t/op/chat:1",
        "trace_id": "t",
        "started_at": "2026-05-29T13:46:20Z",
    }
    [row] = opened("weave", {**names, **columns})
    assert {name: row.get(name) for name in expected} == expected
