"""LangSmith: every trap of its trees. Expected values are by hand from the fixtures."""

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
GRADED = [
    ("math", 0.91, 1.0, None), ("math", 0.42, 0.0, 1.0), ("math", 0.83, 1.0, None),
    ("law", 0.35, 0.0, 1.0), ("law", 0.77, 1.0, None), ("law", 0.30, 0.0, 0.0),
]  # fmt: skip


def cascade(store):
    """Decisions of the six requests, in the order of their confidence."""
    found = decisions(store, "task_category, confidence, fast_correct, strong_correct")
    return sorted(row for row in found if row[1] not in {None, 0.5})


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


@pytest.mark.parametrize(
    ("given", "spent", "expected"),
    [
        # prompt_tokens 200 and completion_tokens 120 have all their kinds in them, whatever these are called
        ({"cache_read": 20, "cache_creation": 100}, {},
         {"input_tokens": 200, "cached_tokens": 20, "cache_write_tokens": 100,
          "cache_write_1h_tokens": None}),
        # the lives stand in the place of the sum, 70 + 30, or beside it
        ({"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30}, {},
         {"input_tokens": 200, "cache_write_tokens": 100, "cache_write_1h_tokens": 30}),
        ({"cache_creation": 0, "ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30}, {},
         {"cache_write_tokens": 100, "cache_write_1h_tokens": 30}),
        ({"cache_creation": 100, "ephemeral_1h_input_tokens": 30}, {},
         {"cache_write_tokens": 100, "cache_write_1h_tokens": 30}),
        # Gemini: 150 up to the limit and 30 beyond it
        ({"cache_read": 150, "cache_read_over_200k": 30, "over_200k": 5}, {}, {"cached_tokens": 180}),
        # OpenAI's tiers: 200 - 20 cached = 180 and 120 - 64 reasoned = 56 are billed as flex
        ({"flex": 180, "flex_cache_read": 20, "flex_cache_creation": 100}, {"flex": 56, "flex_reasoning": 64},
         {"service_tier": "flex", "input_tokens": 200, "output_tokens": 120, "cached_tokens": 20,
          "cache_write_tokens": 100, "reasoning_tokens": 64}),
        ({"priority": 180, "priority_cache_read": 20}, {}, {"service_tier": "priority", "cached_tokens": 20}),
        ({"raw": {"cache_read": 20, "cache_write": 100}}, {"raw": {"reasoning": 64}},
         {"cached_tokens": 20, "cache_write_tokens": 100, "reasoning_tokens": 64}),  # as the new API has them
        ('{"cache_read": 20}', '{"reasoning": 64}', {"cached_tokens": 20, "reasoning_tokens": 64}),
        (None, None, {"cached_tokens": None, "cache_write_tokens": None, "reasoning_tokens": None,
                      "service_tier": None}),
    ],
)  # fmt: skip
def test_kinds_of_tokens_go_by_the_names_that_each_provider_has(given, spent, expected):
    [row] = opened("langsmith", {**CALL, "prompt_token_details": given, "completion_token_details": spent})
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # Gemini's wrapper: 200 + 56 + 64 thoughts = 320
        ({"completion_tokens": 56}, {"output_tokens": 120, "reasoning_tokens": 64}),
        ({"prompt_tokens": None, "completion_tokens": None, "prompt_token_details": None,
          "completion_token_details": None, "outputs": {
            "usage_metadata": {"input_tokens": 300, "output_tokens": 9, "total_tokens": 309,
                               "input_token_details": {"cache_read": 40}}}},
         {"input_tokens": 300, "output_tokens": 9, "cached_tokens": 40}),
        ({"outputs": {"service_tier": "default"}}, {"service_tier": "default"}),
        ({"outputs": {"llm_output": {"service_tier": "priority"}}}, {"service_tier": "priority"}),
        # what was asked for counts only where nothing says what was had
        ({"extra": {"invocation_params": {"service_tier": "flex"}}}, {"service_tier": "flex"}),
        ({"extra": {"metadata": {"ls_invocation_params": {"service_tier": "flex"}}}},
         {"service_tier": "flex"}),
        ({"outputs": {"service_tier": "default"}, "extra": {"invocation_params": {"service_tier": "flex"}}},
         {"service_tier": "default"}),
    ],
)  # fmt: skip
def test_the_total_and_the_response_tell_what_kinds_do_not(changed, expected):
    [row] = opened("langsmith", {**CALL, **changed})
    assert {name: row.get(name) for name in expected} == expected


def test_a_call_of_another_tier_costs_what_the_list_says_of_it(tmp_path):
    flex = {
        **CALL, "total_cost": None, "prompt_token_details": {"flex": 180, "flex_cache_read": 20},
        "completion_token_details": {"flex": 56, "flex_reasoning": 64},
    }  # fmt: skip
    frame, _ = read(written(tmp_path / "flex.jsonl", [flex, {**flex, "id": "b", "trace_id": "b"}]))
    assert set(frame["service_tier"]) == {"flex"}
    # OpenAI's flex prices of gpt-5-mini per million, 0.125 in, 0.0125 cached, 1 out:
    # 180 x 0.125 + 20 x 0.0125 + 120 x 1 = 142.75
    assert frame["cost_usd"].to_list() == pytest.approx([142.75e-6] * 2, rel=1e-9)


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
