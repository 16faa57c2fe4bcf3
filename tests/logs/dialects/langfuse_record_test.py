"""One observation of Langfuse: its type, level, usage, cost and metadata. Expected values are by hand."""

import json

import pytest

from analytics.logs.dialects.dialect import Passed, plain
from analytics.logs.dialects.langfuse import DIALECT, match
from analytics.logs.dialects.langfuse_record import cost_usd, tokens


def opened(**record):
    [found] = DIALECT.opened(record)
    return found


def call(**more):
    """The row of a small generation."""
    base = {"id": "g", "trace_id": "t", "type": "GENERATION", "start_time": "2026-05-29 10:00:00.000000"}
    return opened(**{**base, "provided_model_name": "m", **more})


@pytest.mark.parametrize("type_", ["GENERATION", "generation", " Generation "])
def test_a_generation_is_a_call_however_its_type_is_written(type_):
    assert call(type=type_)["id"] == "g"


def test_a_record_without_a_type_is_a_call_if_it_names_a_model():
    assert call(type="")["provided_model_name"] == "m"
    assert opened(id="x", start_time="2026-05-29") == Passed("observations of no known type")
    assert call(type="DREAM") == Passed("observations of no known type")


@pytest.mark.parametrize(
    "environment",
    ["langfuse-llm-as-a-judge", "langfuse-code-eval", "langfuse-prompt-experiment", "llm-as-a-judge"],
)
def test_langfuse_s_own_calls_are_passed_over(environment):
    assert call(environment=environment) == Passed("calls that Langfuse made itself, such as its evaluators'")
    assert call(environment="production")["environment"] == "production"


@pytest.mark.parametrize(
    ("level", "message", "status"),
    [
        ("ERROR", "Request timed out.", "timeout"),
        ("ERROR", "litellm.Timeout: APITimeoutError", "timeout"),
        ("ERROR", "deadline_exceeded", "timeout"),
        ("ERROR", "HTTP 504", "timeout"),
        ("ERROR", "Rate limit 429", "error"),
        ("ERROR", "", "error"),
        ("error", None, "error"),
        ("WARNING", "Retried after a timeout", "success"),
        ("DEFAULT", "", "success"),
        ("", "", None),
    ],
)
def test_the_level_says_how_a_call_ended(level, message, status):
    row = call(level=level, status_message=message, end_time="2026-05-29 10:00:01.000000")
    assert row.get("status") == status


def test_a_call_that_has_not_ended_has_no_status_and_no_latency():
    row = call(level="DEFAULT", end_time=None, latency=1137)
    assert not {"status", "latency_s"} & row.keys()


@pytest.mark.parametrize("latency", [1137, 1.137, "1137", None])
def test_the_latency_is_that_between_the_times_whatever_the_column_says(latency):
    row = call(end_time="2026-05-29 10:00:01.137000", latency=latency, time_to_first_token=500)
    assert row["latency_s"] == 1.137
    assert "ttft_s" not in row  # no completion_start_time


@pytest.mark.parametrize(
    "parameters",
    [
        {"reasoning_effort": "high"},
        '{"reasoning_effort": "high", "temperature": 1}',
        {"reasoning": {"effort": "high", "summary": "auto"}},
        {"reasoning": '{"effort": "high"}'},
        {"providerOptions": {"openai": {"reasoningEffort": "high"}}},
        {"extra_body": '{"reasoning": {"effort": "high"}}'},
        {"output_config": {"effort": "high"}},
    ],
)
def test_the_effort_is_found_wherever_it_stands_among_the_parameters(parameters):
    assert call(model_parameters=parameters)["model_parameters.reasoning_effort"] == "high"


@pytest.mark.parametrize(
    "parameters", [{}, "", None, {"temperature": 1}, {"reasoning_effort": None}, 7, "low"]
)
def test_no_effort_is_invented(parameters):
    assert "model_parameters.reasoning_effort" not in call(model_parameters=parameters)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # Separate buckets, as Langfuse documents them: input + input_*, output + output_*.
        ({"input": 86, "input_cached_tokens": 17817, "output": 188, "total": 18091},
         (17903, 188, None, 17817)),
        ({"input": 812, "output": 220, "reasoning_tokens": 128}, (812, 348, 128, None)),
        ({"input": 10, "output": 5, "output_reasoning": 7, "total": 22}, (10, 12, 7, None)),
        # LangChain: what was read from the cache, and what was written into it, which is no hit.
        ({"input": 5, "input_cache_read": 90, "input_cache_creation": 8, "output": 2, "total": 105},
         (103, 2, None, 90)),
        # The sum of what was written into the cache stands beside its parts: counted once, 2 + 6 + 90 = 98.
        (
            {"input": 2, "cache_creation_input_tokens": 6, "cache_creation_ephemeral_5m_input_tokens": 6,
             "cache_read_input_tokens": 90, "output": 3, "total": 107},
            (98, 3, None, 90),
        ),
        # Written into the cache for an hour: 2 + 47105 + 1076 = 48183.
        (
            {"input": 2, "input_cached_tokens": 47105, "input_cache_creation": 0,
             "input_cache_creation_1h": 1076, "output": 714},
            (48183, 714, None, 47105),
        ),
        # Parts inside their whole, which the total shows: 100 + 50, not 100 + 80 + 50 + 20.
        ({"input": 100, "input_cached_tokens": 80, "output": 50, "output_reasoning_tokens": 20, "total": 150},
         (100, 50, 20, 80)),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens": 25,
          "completion_tokens_details": {"reasoning_tokens": 15}, "total_tokens": 35}, (10, 25, 15, 5)),
        # Gemini: cached tokens inside the input, thoughts apart: 200 + 30 + 70.
        ({"input": 200, "cached_content_token_count": 150, "output": 30, "thoughts_token_count": 70,
          "total": 300}, (200, 100, 70, 150)),
        # Keys that are neither: the total has them, input and output do not.
        ({"input": 10, "output": 5, "cache_read_input_tokens": 2, "some_other_token_count": 10, "total": 27},
         (12, 5, None, 2)),
        # A tier of the provider counts the same tokens again.
        ({"input": 100, "input_priority": 100, "output": 50, "output_priority": 50, "total": 150},
         (100, 50, None, None)),
        # An embedding or a model of images: no output is none, not 0.
        ({"input": 12, "total": 12}, (12, None, None, None)),
        # Nothing, or nothing but zeros, is unknown.
        ({}, (None,) * 4),
        ({"input": 0, "output": 0, "total": 0}, (None,) * 4),
        ({"total": 5}, (None,) * 4),
        ({"input": "7", "output": "3"}, (7, 3, None, None)),
        ({"input": -1, "output": 2.5, "total": None}, (None,) * 4),
    ],
)  # fmt: skip
def test_input_includes_cached_and_output_includes_reasoning_tokens(usage, expected):
    found = tokens({"usage_details": usage})
    names = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
    assert tuple(found.get(name) for name in names) == expected
    assert tokens({"usage_details": json.dumps(usage)}) == found


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"usage": {"input": 4, "output": 2, "total": 6, "unit": "TOKENS"}}, (4, 2)),
        ({"usage": {"promptTokens": 4, "completionTokens": 2, "totalTokens": 6, "inputCost": 1}}, (4, 2)),
        ({"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}, (4, 2)),
        ({"input_usage": 4, "output_usage": 2, "total_usage": 6}, (4, 2)),
        ({"usage_details": {"input": 3, "output": 2}, "usage": {"input": 4, "output": 2}}, (3, 2)),
        ({"usage": {"input": 400, "output": 200, "unit": "CHARACTERS"}}, (None, None)),
        ({"prompt_tokens": 400, "completion_tokens": 200, "unit": "SECONDS"}, (None, None)),
        # The API's first version says 0 where nothing is known.
        ({"usage_details": {}, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, (None, None)),
    ],
)
def test_older_fields_of_usage_are_read_where_there_is_no_other(record, expected):
    found = tokens(record)
    assert (found.get("input_tokens"), found.get("output_tokens")) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"total_cost": 0.5, "cost_details": {"input": 0.2, "output": 0.3, "total": 0.5}}, 0.5),
        ({"total_cost": "0.500000000000"}, 0.5),
        ({"calculated_total_cost": 0.5}, 0.5),
        ({"cost_details": {"input": 0.2, "output": 0.3}}, 0.5),
        ({"cost_details": '{"total": 0.5}'}, 0.5),
        # 0 for an unknown total, and 0 that the costs by kind confirm.
        ({"total_cost": 0, "cost_details": {}}, None),
        ({"total_cost": 0}, None),
        ({"total_cost": 0, "cost_details": {"input": 0, "output": 0, "total": 0}}, 0.0),
        ({"total_cost": None, "cost_details": None}, None),
    ],
)
def test_an_unknown_cost_is_none_and_never_0(record, expected):
    assert cost_usd(record) == expected


def test_metadata_is_opened_and_tags_with_a_key_are_fields():
    row = call(
        metadata={
            "confidence": "0.7", "router": '{"threshold": 0.6}', "a.b": 1, "a": {"b": 2},
            "scope": {"name": "sdk"}, "resourceAttributes": "{}",
            "chat": [{"role": "user"}], "ids": [1, 2], "none": None, "": "x",
        },
        tags=["cat:math", "arm=B", "prod", "beta", "https://acme.example"],
    )  # fmt: skip
    own = {name: value for name, value in row.items() if name.startswith(("metadata", "tags"))}
    assert own == {
        "metadata.confidence": "0.7", "metadata.router.threshold": 0.6, "metadata.a.b": 1,
        "metadata.ids": [1, 2], "metadata.": "x", "tags.cat": "math", "tags.arm": "B",
        "tags": "beta, https://acme.example, prod",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("metadata.category", "task_category"), ("metadata.attributes.category", "task_category"),
        ("tags.cat", "task_category"), ("trace_metadata.task_type", "task_category"),
        ("metadata.confidence", "confidence"), ("metadata.arm", "arm"), ("tags.variant", "arm"),
        ("metadata.threshold", "threshold"), ("metadata.sampling_rate", "sampling_probability"),
        ("metadata.served", "served"), ("metadata.shadow", "shadow"), ("metadata.is_correct", "correct"),
        ("metadata.reasoning_effort", "effort"), ("scores.correctness", "correct"),
        # Times, costs, tokens and the model are Langfuse's own.
        ("metadata.latency", None), ("metadata.cost", None), ("metadata.prompt_tokens", None),
        ("metadata.model", None), ("metadata.created_at", None), ("metadata.status", None),
        ("metadata.escalated", None),
    ],
)  # fmt: skip
def test_names_that_users_give_stand_for_fields(name, field):
    found = match(plain(name))
    assert (found and found[0]) == field


def test_own_fields_come_before_what_users_call_the_same():
    rank = {
        name: match(plain(name))[1]
        for name in ("trace_id", "metadata.request_id", "session_id", "metadata.user_id")
    }
    assert rank["trace_id"] < rank["metadata.request_id"]
    assert rank["session_id"] < rank["metadata.user_id"]
