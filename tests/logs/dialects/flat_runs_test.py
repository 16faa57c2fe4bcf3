"""LangSmith and Weave: every trap of their trees. Expected values are by hand from the fixtures."""

import json

import pytest
from flat_files import FLAT, opened, records
from stores import decisions
from trace_files import load, read, written

from analytics.logs.dialects.dialect import Passed
from analytics.logs.reading.nesting import TWICE

RUNS = records(FLAT / "langsmith_runs.jsonl")
CHAIN, CALL = RUNS[0], RUNS[1]
FEEDBACK = records(FLAT / "langsmith_feedback.jsonl")[0]
CALLS = records(FLAT / "weave_calls.jsonl")
OPERATION, COMPLETION = CALLS[0], CALLS[1]
GRADED = [
    ("math", 0.91, 1.0, None), ("math", 0.42, 0.0, 1.0), ("math", 0.83, 1.0, None),
    ("law", 0.35, 0.0, 1.0), ("law", 0.77, 1.0, None), ("law", 0.30, 0.0, 0.0),
]  # fmt: skip


def cascade(store):
    """Decisions of the six requests, in the order of their confidence."""
    found = decisions(store, "task_category, confidence, fast_correct, strong_correct")
    return sorted(row for row in found if row[1] not in {None, 0.5})


# LangSmith


def test_runs_of_models_are_decisions_and_what_chains_sum_up_counts_once(store):
    report = load(store, FLAT / "langsmith_runs.jsonl")
    assert (report.read, report.loaded, report.rejected) == (10, 10, 0)
    assert cascade(store) == sorted(GRADED)
    frame, staged = read(FLAT / "langsmith_runs.jsonl")
    assert staged.passed == {
        "runs of type chain": 7, "runs of type tool": 1, "runs that have not ended": 1,
    }  # fmt: skip
    # six fast calls at 0.00029 and three strong ones at 0.0042: 0.01434; chains repeat 0.01434
    assert frame["cost_usd"].sum() == pytest.approx(0.01434, rel=1e-12)


@pytest.mark.parametrize("name", ["langsmith_runs.csv", "langsmith_runs.parquet"])
def test_every_format_of_the_runs_gives_the_same_rows(name):
    expected = read(FLAT / "langsmith_runs.jsonl")[0].drop("line")
    assert read(FLAT / name)[0].drop("line").select(expected.columns).rows() == expected.rows()


def test_what_a_chain_says_holds_for_the_calls_inside():
    frame, _ = read(FLAT / "langsmith_runs.jsonl")
    assert frame["task_category"].to_list() == ["math"] * 4 + ["law"] * 6
    assert frame["arm"].to_list()[:4] == ["A", "B", "B", "A"]  # tags arm:A and arm:B
    # thread_id of the metadata, not session_id, which is the project
    assert frame["unit_id"].to_list()[:4] == ["thread-0", "thread-0", "thread-0", "thread-1"]
    # on the chain where it made one call, else on the calls
    assert frame["correct"].to_list()[:4] == [1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"latency_s": 1.25, "ttft_s": 0.4, "cost_usd": 0.00029, "model": "gpt-5-mini", "effort": "low",
              "input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "reasoning_tokens": 64,
              "status": "success", "request_id": CALL["trace_id"], "call_id": CALL["id"]}),
        ({"total_cost": None}, {"cost_usd": None}), ({"total_cost": "0"}, {"cost_usd": None}),
        ({"end_time": None}, {"latency_s": None}), ({"first_token_time": None}, {"ttft_s": None}),
        ({"error": "ValueError('x')", "status": "error"}, {"status": "error"}),
        ({"error": "openai.APITimeoutError: Request timed out."}, {"status": "timeout"}),
        ({"extra": json.dumps(CALL["extra"])}, {"model": "gpt-5-mini", "metadata.confidence": 0.91}),
        ({"extra": str(CALL["extra"])}, {"model": "gpt-5-mini", "metadata.confidence": 0.91}),
        ({"extra": {"invocation_params": {"model": "gpt-5"}}}, {"model": "gpt-5", "unit_id": None}),
        ({"tags": ["category:law", "prod"]}, {"tags.category": "law", "tags": "prod"}),
        ({"extra": {"metadata": {"request_id": "r9", "user_id": "u"}}}, {"request_id": "r9", "unit_id": "u"}),
        ({"feedback_stats": {"correct": {"n": 2, "avg": 0.5}, "note": {"n": 1, "avg": None}}},
         {"scores.correct": 0.5, "scores.note": None}),
        ({"feedback_stats": '{"correct": {"n": 1, "avg": 1.0}}'}, {"scores.correct": 1.0}),
    ],
)  # fmt: skip
def test_runs_have_decimal_costs_moments_and_means_of_feedback(changed, expected):
    [row] = opened("langsmith", {**CALL, **changed})
    assert {name: row.get(name) for name in expected} == expected


def test_runs_that_were_loaded_inside_their_parent_are_read(tmp_path):
    inside = {
        **CHAIN,
        "child_runs": [{**CALL, "parent_run_id": None}, {**CALL, "id": "b", "run_type": "tool"}],
    }
    assert [isinstance(one, Passed) for one in opened("langsmith", inside)] == [True, False, True]
    frame, _ = read(written(tmp_path / "inside.jsonl", [inside]))
    assert frame.select("task_category", "cost_usd").rows() == [("math", 0.00029)]


def test_a_page_of_the_apis_answer_says_that_there_are_more(tmp_path):
    path = tmp_path / "page.json"
    path.write_text(json.dumps({"runs": RUNS[:2], "cursors": {"next": "x", "prev": None}}))
    frame, staged = read(path)
    assert (frame.height, staged.dialect) == (1, "langsmith")
    assert staged.notes == [
        'Rows found under "runs".', "This is one page of an API answer; load the other pages too.",
    ]  # fmt: skip


def test_a_call_that_two_layers_trace_counts_once(tmp_path):
    layers = [CALL, {**CALL, "id": "inner", "parent_run_id": CALL["id"]}]
    frame, staged = read(written(tmp_path / "layers.jsonl", layers))
    assert (frame["call_id"].to_list(), staged.passed) == (["inner"], {TWICE: 1})


def test_feedback_grades_the_answer_that_a_trace_served(store):
    load(store, FLAT / "langsmith_runs.jsonl")
    load(store, FLAT / "langsmith_feedback.jsonl", dialect="grades")
    frame, staged = read(FLAT / "langsmith_feedback.jsonl")
    assert staged.passed == {"scores without a value": 1, "preferences between runs": 1}
    found = frame.select("grader", "correct", "correct_source").rows()
    assert found[:2] == [("correct", 1.0, "human"), ("correct", 1.0, "human")]
    # a model's 0.25; 4 stars are no grade from 0 to 1; a word without a score
    assert found[6:] == [("judge", 0.25, "judge"), ("stars", None, None), ("verdict", 1.0, None)]
    assert frame["request_id"].to_list()[:6] == [
        f["trace_id"] for f in records(FLAT / "langsmith_feedback.jsonl")[:6]
    ]
    assert cascade(store) == sorted(GRADED)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"score": True}, {"value.correct": True, "correct_source": "human"}),
        ({"feedback_source": {"type": "api"}}, {"correct_source": None}),
        ({"feedback_source": "{'type': 'model'}"}, {"correct_source": "judge"}),
        ({"modified_at": None}, {"ts": FEEDBACK["created_at"]}), ({"run_id": None}, {"call_id": None}),
    ],
)  # fmt: skip
def test_feedback_says_who_graded_and_when(changed, expected):
    [row] = opened("langsmith_feedback", {**FEEDBACK, **changed})
    assert {name: row.get(name) for name in expected} == expected


# Weave


def test_weaves_usage_is_not_counted_again_towards_the_root(store):
    report = load(store, FLAT / "weave_calls.jsonl")
    assert (report.loaded, report.rejected) == (10, 0)
    assert cascade(store) == sorted(GRADED)
    frame, staged = read(FLAT / "weave_calls.jsonl")
    assert staged.passed == {
        "operations around calls of several models": 3,  # r1, r3, r5
        TWICE: 4,  # r0, r2, r4 and the scorer's own operation
        "calls of a scorer": 1,
    }
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
        ({"feedback_type": "wandb.reaction.1", "payload": {"emoji": "🎉"}}, {"rating": None}),
        ({"feedback_type": "wandb.note.1", "payload": {"note": "x"}}, {"rating": None}),
    ],
)  # fmt: skip
def test_scorers_and_thumbs_are_feedback(feedback, expected):
    call = json.loads(json.dumps(COMPLETION))
    call["summary"]["weave"]["feedback"] = [feedback]
    [row] = opened("weave", call)
    assert {name: row.get(name) for name in expected} == expected
