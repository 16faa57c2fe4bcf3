"""Helicone, OpenRouter and Portkey: every trap of their exports. Expected by hand from the fixtures."""

import json

import pytest
from flat_files import FLAT, opened, records
from stores import decisions
from trace_files import load, read, written

from analytics.errors import SchemaError
from analytics.logs.dialects.dialect import Passed

REQUEST = records(FLAT / "helicone.jsonl")[0]
GENERATION = records(FLAT / "openrouter_generations.jsonl")[0]["data"]
LOG = records(FLAT / "portkey.jsonl")[0]


def rows(path, *columns):
    return read(path)[0].select(columns).rows()


# Helicone


def test_helicones_requests_become_decisions_of_a_cascade(store):
    report = load(store, FLAT / "helicone.jsonl")
    assert (report.read, report.loaded, report.rejected) == (11, 11, 0)
    # The session of each two requests is the unit; the timed-out one failed, which is no correct answer.
    assert decisions(
        store, "request_id, task_category, confidence, fast_correct, strong_correct, escalated, unit_id"
    )[:6] == [
        ("r0", "math", 0.91, 1.0, None, False, "session-0"),
        ("r1", "math", 0.42, 0.0, 1.0, True, "session-0"),
        ("r2", "math", 0.83, 1.0, None, False, "session-1"),
        ("r3", "law", 0.35, 0.0, 1.0, True, "session-1"),
        ("r4", "law", 0.77, 1.0, None, False, "session-2"),
        ("r5", "law", 0.30, 0.0, 0.0, True, "session-2"),
    ]


def test_milliseconds_tokens_and_costs_of_helicone():
    [row] = opened("helicone", REQUEST)
    # 1250 ms, 410 ms; 180 + 20 from the cache; 100 + 20 of reasoning, as 180 + 100 + 20 = 300 is the total
    assert {name: row[name] for name in ("latency_s", "ttft_s", "input_tokens", "output_tokens")} == {
        "latency_s": 1.25, "ttft_s": 0.41, "input_tokens": 200, "output_tokens": 120,
    }  # fmt: skip
    assert (row["cached_tokens"], row["reasoning_tokens"], row["cost_usd"]) == (20, 20, 0.00031)
    assert (row["model"], row["properties.confidence"]) == ("gpt-5-mini", "0.91")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"total_tokens": 280}, {"output_tokens": 100}),  # 180 + 100: reasoning is among the completion's
        # 180 + 20 read + 15 written
        ({"prompt_cache_write_tokens": 15}, {"input_tokens": 215, "cache_write_tokens": 15}),
        ({"request_body": {"service_tier": "flex"}}, {"service_tier": "flex"}),
        # what the provider says itself counts: 80 + 20 read + 100 written, 30 of them for an hour
        ({"request_body": {"service_tier": "auto"}, "response_body": {"usage": {
            "input_tokens": 80, "output_tokens": 90, "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 30},
            "service_tier": "priority"}}},
         {"input_tokens": 200, "output_tokens": 90, "cached_tokens": 20, "cache_write_tokens": 100,
          "cache_write_1h_tokens": 30, "service_tier": "priority"}),
        # a body without counts changes nothing
        ({"response_body": {"id": "x", "usage": None}}, {"input_tokens": 200, "output_tokens": 120}),
        ({"costUSD": 0.5, "cost": None}, {"cost_usd": 0.5}),
        ({"cost": 0}, {"cost_usd": None}),  # Helicone knows no price
        ({"cost": 0, "cache_reference_id": "0197-req-77"}, {"cost_usd": 0.0, "cache_hit": True}),
        # an answer from the gateway's cache was not bought, also where the export has no costs
        ({"cost": None, "cache_reference_id": "0197-req-77"}, {"cost_usd": 0.0, "cache_hit": True}),
        ({"delay_ms": None}, {"latency_s": 1.25}),  # 13:46:21.25 - 13:46:20
        ({"response_status": -1}, {"status": "timeout"}), ({"response_status": -3}, {"status": "error"}),
        ({"response_status": 200}, {"status": 200}), ({"response_status": 429}, {"status": 429}),
        ({"model_override": "gpt-5"}, {"model": "gpt-5"}), ({"response_model": "gpt-5"}, {"model": "gpt-5"}),
        ({"scores": {"correct": {"value": 1, "valueType": "boolean"}}}, {"scores.correct": 1}),
        ({"scores": '{"correct": 0}'}, {"scores.correct": 0}), ({"scores": None}, {"scores.correct": None}),
        ({"feedback_rating": False}, {"rating": False, "rating_source": "feedback"}),
        ({"request_properties": None, "properties": {"category": "law"}}, {"properties.category": "law"}),
        ({"request_properties": None, "properties": None},
         {"request_id": "0197-req-01", "unit_id": "user-0"}),
        ({"request_body": {"messages": [{"role": "user"}], "reasoning_effort": "low"}},
         {"prompt": '[{"role": "user"}]', "effort": "low"}),
        ({}, {"prompt": None}),  # what stands for a body that was not fetched is none
    ],
)  # fmt: skip
def test_helicones_rows_are_read_in_every_shape(changed, expected):
    [row] = opened("helicone", {**REQUEST, **changed})
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"response_status": -2}, "requests that have not ended"),
        ({"response_status": 0}, "requests that have not ended"),
        ({"response_status": None, "completion_tokens": None}, "requests that have not ended"),
        ({"request_path": "/v1/embeddings"}, "requests that are no chat"),
        ({"request_model": None, "response_model": None}, "requests that name no model"),
    ],
)
def test_requests_of_helicone_that_are_no_calls_are_passed_over(changed, reason):
    [found] = opened("helicone", {**REQUEST, **changed})
    assert isinstance(found, Passed)
    assert found.reason.startswith(reason)


def test_a_rating_counts_only_where_no_score_grades(tmp_path):
    frame, _ = read(FLAT / "helicone.jsonl")
    assert frame["correct"].to_list()[:3] == [1.0, 0.0, 1.0]  # the score; helpfulness 4 is none
    assert "correct_source" not in frame.columns
    thumbs = [
        {**REQUEST, "request_id": f"q{at}", "request_properties": {}, "scores": {}, "feedback_rating": good}
        for at, good in enumerate((True, False, None))
    ]
    frame, _ = read(written(tmp_path / "thumbs.jsonl", thumbs))
    assert frame.select("correct", "correct_source").rows() == [
        (1.0, "feedback"),
        (0.0, "feedback"),
        (None, None),
    ]


def test_helicones_csv_without_models_is_refused_with_the_way_out():
    with pytest.raises(SchemaError, match="export them as JSON lines"):
        read(FLAT / "helicone.csv")


def test_helicones_csv_with_bodies_has_models_and_properties():
    # Quotes in objects are doubled twice; latency is the time between the two moments.
    assert rows(FLAT / "helicone_bodies.csv", "request_id", "model", "task_category", "latency_s") == [
        ("r0", "gpt-5-mini", "math", 1.25), ("r1", "gpt-5-mini", "math", 1.25),
        ("r1", "gpt-5", "math", 3.2), ("r2", "gpt-5-mini", "math", 1.25),
    ]  # fmt: skip


# OpenRouter


def test_openrouters_generations_are_calls_with_the_providers_tokens():
    found = rows(
        FLAT / "openrouter_generations.jsonl",
        *("request_id", "call_id", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"),
    )
    # tokens_prompt 198 and tokens_completion 131 are OpenRouter's own count; billed are the native ones
    assert found[0] == ("req-00", "gen-00", 210, 120, 64, 40)
    assert [row[:2] for row in found[1:]] == [
        ("req-01", "gen-01"), ("req-02", "gen-02"), ("req-03", "gen-03"), ("req-05", "gen-05"),
        ("req-01", "gen-06"),
    ]  # fmt: skip
    assert read(FLAT / "openrouter_generations.jsonl")[1].passed == {
        "generations that are no chat (embeddings)": 1
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"latency_s": 1.25, "ttft_s": None, "cost_usd": 0.00031, "status": "success"}),
        # the latency is the time to the first token: 620 + 2400 ms
        ({"latency": 620, "generation_time": 2400}, {"latency_s": 3.02, "ttft_s": 0.62}),
        ({"latency": None}, {"latency_s": None}), ({"generation_time": None}, {"latency_s": 1.25}),
        ({"cache_discount": 0.0001}, {"cost_usd": 0.00031}),  # is in the total already
        ({"is_byok": True, "total_cost": 0.25, "upstream_inference_cost": 0.5}, {"cost_usd": 0.75}),
        ({"is_byok": False, "total_cost": 0.25, "upstream_inference_cost": 0.5}, {"cost_usd": 0.25}),
        ({"total_cost": None}, {"cost_usd": None}), ({"cancelled": True}, {"status": "error"}),
        ({"finish_reason": "error"}, {"status": "error"}), ({"request_id": None}, {"request_id": "gen-00"}),
        ({"session_id": None, "external_user": "u"}, {"unit_id": "u"}),
        ({"response_cache_source_id": "gen-9"}, {"cache_hit": True}), ({}, {"cache_hit": None}),
        ({"native_tokens_prompt": None}, {"input_tokens": None}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}), ({}, {"service_tier": None}),
        ({"native_tokens_cached": 200}, {"input_tokens": 210, "cached_tokens": 200}),  # among the 210
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [True, False])
def test_openrouters_units_and_discounts(changed, expected, wrapped):
    generation = {**GENERATION, **changed}
    [row] = opened("openrouter_generations", {"data": generation} if wrapped else generation)
    assert {name: row.get(name) for name in expected} == expected


def test_a_preset_is_an_arm(tmp_path):
    two = [
        {**GENERATION, "id": f"g{at}", "request_id": f"q{at}", "preset_id": name}
        for at, name in enumerate("AB")
    ]
    assert read(written(tmp_path / "presets.jsonl", two))[0]["arm"].to_list() == ["A", "B"]


@pytest.mark.parametrize("name", ["openrouter_activity.csv", "openrouter_activity.json"])
def test_openrouters_activity_is_refused_with_the_reason_and_the_way_out(name):
    with pytest.raises(SchemaError, match=r"sums requests by day.* no single call.*/api/v1/generation"):
        read(FLAT / name)


# Portkey


def test_portkeys_costs_are_cents_and_its_times_milliseconds():
    found, staged = read(FLAT / "portkey.jsonl")
    assert staged.notes == ["Portkey's costs are in US cents and were divided by 100."]
    assert staged.passed == {"requests that are no chat": 1}
    row = found.row(2, named=True)
    # 0.12 cents, 2400 ms
    assert (row["cost_usd"], row["latency_s"], row["model"]) == (0.0012, 2.4, "gpt-5@high")
    assert (row["request_id"], row["call_id"], row["unit_id"]) == ("trace-1", "pk-02", "user-1")
    assert (row["input_tokens"], row["output_tokens"]) == (200, 120)
    assert (row["cached_tokens"], row["reasoning_tokens"]) == (20, 64)
    assert found["confidence"].to_list()[:3] == [0.91, 0.42, None]
    assert found["status"].to_list()[-2:] == ["timeout", "success"]  # 408; 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"cost_currency": "EUR"}, {"cost_usd": None, "input_tokens": 200}),
        ({"cost_currency": None}, {"cost_usd": 0.00029}), ({"cost": None}, {"cost_usd": None}),
        ({"cost": 0}, {"cost_usd": None}),  # no price known
        ({"cost": 0, "cache_status": "HIT"}, {"cost_usd": 0.0}),
        ({"cost": None, "cache_status": "HIT"}, {"cost_usd": 0.0, "cache_hit": True}),
        # Anthropic's, translated: 80 + 20 read + 100 written + 120 = 320
        ({"req_units": 80, "response": {"body": {"usage": {
            "prompt_tokens": 80, "completion_tokens": 120, "total_tokens": 320,
            "prompt_tokens_details": {"cached_tokens": 20}, "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 100}}}},
         {"input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "cache_write_tokens": 100}),
        # and as Anthropic itself has it, for an hour and in a tier
        ({"req_units": 80, "response": {"usage": {
            "input_tokens": 80, "output_tokens": 120, "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 100},
            "service_tier": "standard"}}},
         {"input_tokens": 200, "cache_write_1h_tokens": 100, "service_tier": "standard"}),
        ({"request": {"body": {"service_tier": "flex"}}}, {"service_tier": "flex"}),
        ({"request": {"body": {"service_tier": "flex"}}, "response": {"body": {"service_tier": "default"}}},
         {"service_tier": "default", "input_tokens": 200}),
        ({"response": None}, {"input_tokens": 200, "output_tokens": 120, "cached_tokens": None}),
        ({"response_status_code": None, "is_success": 0}, {"status": 0}),
        ({"cache_status": "SEMANTIC HIT"}, {"cache_hit": True}),
        ({"cache_status": "MISS"}, {"cache_hit": None}), ({"trace_id": None}, {"request_id": "pk-00"}),
        ({"ai_model": None}, {"model": "gpt-5-mini-2025-08-07"}),
        ({"metadata": json.dumps(LOG["metadata"])}, {"metadata.category": "math", "unit_id": "user-0"}),
        ({"weighted_feedback": 5}, {"rating": 1.0, "rating_source": "feedback"}),
        ({"weighted_feedback": -10}, {"rating": 0.0}), ({"weighted_feedback": 0}, {"rating": None}),
        ({"request": LOG["request"]["body"], "response": LOG["response"]["body"]},
         {"effort": "low", "reasoning_tokens": 64, "answer": "4"}),
        ({"metadata": {"request_id": "mine"}}, {"request_id": "mine"}),
    ],
)  # fmt: skip
def test_portkeys_logs_are_read_whatever_fields_were_asked_for(changed, expected):
    [row] = opened("portkey", {**LOG, **changed})
    assert {name: row.get(name) for name in expected} == expected


def test_portkeys_configs_are_arms_and_its_prompts_categories(tmp_path):
    logs = [
        {**LOG, "id": f"l{at}", "trace_id": f"t{at}", "metadata": {}, "config": f"pc-{name}",
         "prompt_slug": f"ask-{name}"}
        for at, name in enumerate("abab")
    ]  # fmt: skip
    frame, _ = read(written(tmp_path / "logs.jsonl", logs))
    assert frame.select("arm", "task_category").rows() == [("pc-a", "ask-a"), ("pc-b", "ask-b")] * 2


def test_portkeys_few_fields_are_enough_to_recognise_it(tmp_path):
    few = {name: LOG[name] for name in ("id", "created_at", "ai_model", "req_units", "res_units", "cost")}
    frame, staged = read(written(tmp_path / "few.jsonl", [few]))
    assert (staged.dialect, frame["cost_usd"].to_list()) == ("portkey", [0.00029])
