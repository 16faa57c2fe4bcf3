"""TensorZero: every trap of its tables. Expected values are by hand from the fixtures."""

import json

import pytest
from flat_files import FLAT, opened, records
from stores import decisions
from trace_files import load, read, written

from analytics.logs.dialects.dialect import Passed

INFERENCE = records(FLAT / "tensorzero_joined.jsonl")[0]
MODEL = records(FLAT / "tensorzero_model_inferences.jsonl")[0]
GRADE = records(FLAT / "tensorzero_feedback.jsonl")[0]
EPISODE = INFERENCE["episode_id"]


def test_inferences_joined_with_their_models_become_decisions_and_feedback_grades_them(store):
    load(store, FLAT / "tensorzero_joined.jsonl")
    report = load(store, FLAT / "tensorzero_feedback.jsonl", dialect="grades")
    assert (report.read, report.rejected) == (11, 0)
    found = decisions(
        store, "task_category, confidence, fast_correct, strong_correct, escalated, strong_model"
    )
    assert found == [
        ("math", 0.91, 1.0, None, False, "gpt-5@low"), ("math", 0.42, 0.0, 1.0, True, "gpt-5@low"),
        ("math", 0.83, 1.0, None, False, "gpt-5@low"), ("law", 0.35, 0.0, 1.0, True, "gpt-5@low"),
        ("law", 0.77, 1.0, None, False, "gpt-5@low"), ("law", 0.30, 0.0, 0.0, True, "gpt-5@low"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # 900 ms and 210 ms; the inference's own time counts before that of its model's call, 880 ms
        ({}, {"latency_s": 0.9, "ttft_s": 0.21, "model": "gpt-5-mini", "task_category": "math",
              "unit_id": EPISODE, "request_id": f"{EPISODE}/math", "call_id": INFERENCE["id"],
              "input_tokens": 200, "output_tokens": 120, "effort": "low", "variant_name": "mini"}),
        ({"model_name": None}, {"model": "mini"}),  # the variant stands for the model
        ({"tags": {"request_id": "mine"}}, {"request_id": "mine"}),
        ({"tags": '{"category": "x", "arm": "B"}'}, {"tags.arm": "B"}),  # JSON text
        # the id holds 2026-05-29 13:46:20 UTC in its first 48 bits
        ({}, {"ts": "2026-05-29T13:46:20.000000Z"}),
        ({"timestamp": "2026-05-29 13:46:21"}, {"ts": "2026-05-29 13:46:21"}),
        ({"id": "7d444840-9dc0-11d1-b245-5ffdce74fad2", "inference_id": None}, {"ts": None}),
        ({"output_tokens": None, "ttft_ms": None}, {"output_tokens": None, "ttft_s": None}),
        ({"input_tokens_details": '{"cached_tokens": 30}'}, {"cached_tokens": 30, "input_tokens": 200}),
        # as OpenAI counts: among the 200
        ({"provider_cache_read_input_tokens": 20, "provider_cache_write_input_tokens": 100},
         {"input_tokens": 200, "cached_tokens": 20, "cache_write_tokens": 100}),
        ({"inference_params": {"chat_completion": {"service_tier": "flex"}}}, {"service_tier": "flex"}),
        ({"cost": "0.000500"}, {"cost_usd": 0.0005}), ({"cost": 0}, {"cost_usd": 0.0}),
        ({"cost": None}, {"cost_usd": None}), ({"cost": -1}, {"cost_usd": None}),
        ({"cost": 0.5, "currency": "EUR"}, {"cost_usd": None}),
        ({"cost": 0.5, "currency": "USD"}, {"cost_usd": 0.5}),
        # the gateway's own cache: not bought
        ({"cached": True, "cost": None}, {"cache_hit": True, "cost_usd": 0.0}),
        ({"cached": False, "cost": 0.5}, {"cache_hit": None, "cost_usd": 0.5}),
    ],
)  # fmt: skip
def test_inferences_have_milliseconds_variants_and_times_in_their_ids(changed, expected):
    [row] = opened("tensorzero_inferences", {**INFERENCE, **changed})
    assert {name: row.get(name) for name in expected} == expected


def test_inferences_of_json_functions_are_calls_too(tmp_path):
    # columns of the table JsonInference: output_schema and auxiliary_content besides, output an object
    lacking = ("tool_params", "model_name")
    made = {name: held for name, held in INFERENCE.items() if name not in lacking}
    made |= {"output": '{"parsed": {"a": 1}, "raw": "{}"}', "output_schema": "{}", "auxiliary_content": "[]"}
    frame, staged = read(written(tmp_path / "json.jsonl", [made]))
    assert staged.dialect == "tensorzero_inferences"
    assert frame.select("task_category", "model", "latency_s").rows() == [("math", "mini@low", 0.9)]


def test_the_api_and_the_table_give_the_same_inferences():
    columns = ["request_id", "call_id", "model", "task_category", "confidence", "latency_s"]
    table, staged = read(FLAT / "tensorzero_inferences.jsonl")
    api, _ = read(FLAT / "tensorzero_api.json")
    assert table.select(columns).rows() == api.select(columns).rows()
    assert (staged.read, table["model"].to_list()[:3]) == (9, ["mini@low", "mini@low", "large@low"])


def test_a_variant_is_an_arm_unless_the_calls_of_one_request_had_several(tmp_path):
    assert "arm" not in read(FLAT / "tensorzero_joined.jsonl")[0].columns
    single = tmp_path / "single.jsonl"
    lines = (FLAT / "tensorzero_joined.jsonl").read_text().splitlines()
    single.write_text("\n".join([lines[0], lines[3], lines[6].replace('"mini"', '"other"')]))
    assert read(single)[0]["arm"].to_list() == ["mini", "mini", "other"]


def test_calls_of_models_belong_to_their_inference():
    [row] = opened("tensorzero_model_inferences", MODEL)
    assert row["request_id"] == MODEL["inference_id"]
    assert (row["call_id"], row["latency_s"], row["ttft_s"]) == (MODEL["id"], 0.88, 0.2)
    assert read(FLAT / "tensorzero_model_inferences.jsonl")[0]["cost_source"].to_list() == ["priced"] * 9


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # Anthropic's input left out the cache in older versions: 80 + 20 read + 100 written, 30 for an hour
        ({"input_tokens": 80, "raw_response": json.dumps({"usage": {
            "input_tokens": 80, "output_tokens": 120, "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 30},
            "service_tier": "batch"}})},
         {"input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "cache_write_tokens": 100,
          "cache_write_1h_tokens": 30, "service_tier": "batch"}),
        # reasoning tokens stand in the response alone
        ({"raw_response": json.dumps({"service_tier": "default", "usage": {
            "prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320,
            "completion_tokens_details": {"reasoning_tokens": 64}}})},
         {"input_tokens": 200, "output_tokens": 120, "reasoning_tokens": 64, "service_tier": "default"}),
        ({"raw_response": "data: {}\n\ndata: {}"}, {"input_tokens": 200, "output_tokens": 120}),  # a stream
        ({"provider_cache_write_input_tokens": 5}, {"input_tokens": 200, "cache_write_tokens": 5}),
        ({"cost": "0.0005", "cached": "true"}, {"cost_usd": 0.0, "cache_hit": True}),
    ],
)  # fmt: skip
def test_calls_of_models_have_what_the_provider_said(changed, expected):
    [row] = opened("tensorzero_model_inferences", {**MODEL, **changed})
    assert {name: row.get(name) for name in expected} == expected


def test_feedback_may_be_about_an_inference_or_an_episode():
    frame, staged = read(FLAT / "tensorzero_feedback.jsonl")
    assert staged.passed == {"scores of faults, not of correctness": 1}  # hallucination
    found = frame.select("grader", "correct", "correct_source").rows()
    assert found[0] == ("correct", 1.0, "human")
    assert found[-2:] == [("task_success", 1.0, None), ("similarity", 0.75, "judge")]
    ids = frame.select("call_id", "request_id", "unit_id").rows()
    assert ids[-2] == (EPISODE, EPISODE, EPISODE)
    assert str(frame["ts"][0]) == "2026-05-29 13:46:50"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"metric_name": None, "target_type": "inference", "value": "good"}, "feedback in words"),
        ({"value": None}, "scores without a value"),
        ({"target_id": None}, "scores that name nothing that was scored"),
        ({"metric_name": "toxicity"}, "scores of faults, not of correctness"),
    ],
)
def test_feedback_that_is_no_grade_is_passed_over(changed, reason):
    assert opened("tensorzero_feedback", {**GRADE, **changed}) == [Passed(reason)]
