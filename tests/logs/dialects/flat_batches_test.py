"""OpenAI's batches: every trap of their output. Expected values are by hand from the fixture."""

import json
import math

import pytest
from flat_files import FLAT, opened, records
from trace_files import load, read, written

from analytics.errors import SchemaError
from analytics.logs.dialects.dialect import Passed
from analytics.logs.rates import Override

CHAT, _, RESPONSE = records(FLAT / "openai_batch_output.jsonl")[:3]
OUTPUT = FLAT / "openai_batch_output.jsonl"


def test_answers_are_calls_and_failures_are_counted_with_their_reason():
    frame, staged = read(OUTPUT)
    assert frame.select("request_id", "task_category", "arm", "call_id").rows() == [
        ("r0", "math", "A", "batch_req_0"), ("r1", "math", "A", "batch_req_1"),
        ("r1", "math", "A", "batch_req_2"), ("question-7", None, None, "batch_req_6"),
    ]  # fmt: skip
    assert staged.passed == {
        "requests without an answer (context_length_exceeded)": 1,
        "requests without an answer (batch_expired)": 1,
        "requests that are no chat (list)": 1,
    }


def test_a_batch_has_no_latency_and_no_cost_of_its_own_and_the_file_says_so():
    frame, staged = read(OUTPUT)
    assert "latency_s" not in frame.columns
    assert frame["cost_source"].to_list() == ["priced"] * 4
    [note] = staged.notes
    assert "priced at the list's batch price" in note


def test_calls_of_a_batch_cost_what_a_batch_costs():
    frame, _ = read(OUTPUT)
    assert set(frame["service_tier"]) == {"batch"}
    # OpenAI's batch prices per million. gpt-4.1-mini: 0.2 in, cached or not, 0.8 out: 200 x 0.2 + 120 x 0.8.
    # gpt-5: 0.625 in, 0.0625 cached, 5 out: 180 x 0.625 + 20 x 0.0625 + 150 x 5.
    assert frame["cost_usd"].to_list() == pytest.approx([136e-6, 136e-6, 863.75e-6, 136e-6], rel=1e-9)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("mistral/mistral-large-latest", "2 batch calls of mistral/mistral-large-latest cost here"),
        ("gpt-5", ""),
    ],
)
def test_a_batch_of_a_model_without_a_batch_price_says_that_it_may_cost_too_much(
    store, tmp_path, model, said
):
    lines = json.loads(json.dumps([CHAT, {**CHAT, "id": "b", "custom_id": "r9"}]))
    for line in lines:
        line["response"]["body"]["model"] = model
    path = written(tmp_path / "batch.jsonl", lines)
    told = [note for note in load(store, path).notes if "batch call" in note]
    assert bool(told) == bool(said)
    assert not said or (told[0].startswith(said) and "may be too much" in told[0])


def test_a_price_by_hand_is_no_batch_price_that_is_missing(store, tmp_path):
    line = json.loads(json.dumps(CHAT))
    line["response"]["body"]["model"] = "mistral/mistral-large-latest"
    store.set_price("mistral/mistral-large-latest", Override(input=1.0, output=2.0))
    report = load(store, written(tmp_path / "batch.jsonl", [line]))
    assert not [note for note in report.notes if "batch call" in note]


def test_the_chance_of_the_answers_tokens_is_a_confidence():
    frame, _ = read(OUTPUT)
    # mean log-probabilities -0.2 and -0.75
    assert frame["confidence"].to_list()[:2] == pytest.approx([math.exp(-0.2), math.exp(-0.75)], rel=1e-12)
    assert set(frame["confidence_kind"]) == {"logprob"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # cached tokens are among the 200, reasoning tokens among the 120 and the 150
        (CHAT, {"input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "reasoning_tokens": 64,
                "ts": 1780062380, "answer": "4", "status": 200}),
        (RESPONSE, {"input_tokens": 200, "output_tokens": 150, "cached_tokens": 20, "reasoning_tokens": 90,
                    "ts": 1780062500, "answer": "4", "effort": "high", "model": "gpt-5-2025-08-07"}),
        # cache writes are among the 200 too; the tier that a body names is not what a batch is billed as
        ({**CHAT, "response": {"status_code": 200, "body": {
            **CHAT["response"]["body"], "service_tier": "default",
            "usage": {**CHAT["response"]["body"]["usage"],
                      "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 100}}}}},
         {"input_tokens": 200, "cached_tokens": 20, "cache_write_tokens": 100, "service_tier": "batch"}),
        ({**CHAT, "custom_id": "math 17"}, {"request_id": "math 17", "custom_id.category": None}),
        ({**CHAT, "custom_id": "category:law|confidence:0.7"},
         {"request_id": "category:law|confidence:0.7", "custom_id.category": "law",
          "custom_id.confidence": "0.7"}),
        ({**CHAT, "custom_id": "request_id=9,variant=B"}, {"request_id": "9", "custom_id.variant": "B"}),
        ({**CHAT, "custom_id": None}, {"request_id": "batch_req_0"}),
    ],
)  # fmt: skip
def test_both_endpoints_and_all_that_a_custom_id_may_say(line, expected):
    [row] = opened("openai_batch", line)
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "line",
    [
        {**CHAT, "response": None, "error": None},
        {**CHAT, "response": {"status_code": 500, "body": None}},
        {**CHAT, "response": {"status_code": 200, "body": {"object": "moderation.x", "results": []}}},
    ],
)
def test_a_line_without_an_answer_is_passed_over(line):
    assert opened("openai_batch", line) == [Passed("requests without an answer")]


def test_two_batches_of_the_same_custom_ids_are_two_answers_to_the_same_requests(tmp_path):
    other = {**RESPONSE, "id": "x", "custom_id": "question-7"}
    frame, _ = read(written(tmp_path / "both.jsonl", [*records(OUTPUT)[-1:], other]))
    assert frame["request_id"].to_list() == ["question-7", "question-7"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("openai_batch_errors.jsonl", r"no model call that can be loaded \(2 requests without an answer"),
        ("openai_batch_input.jsonl", "no answer, no tokens and no cost.*output_file_id"),
    ],
)
def test_files_of_a_batch_without_answers_are_refused_with_the_reason(name, message):
    with pytest.raises(SchemaError, match=message):
        read(FLAT / name)
