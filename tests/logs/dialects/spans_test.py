"""What a span says of a call, trap by trap, through the reader and the converter. Expected by hand."""

import datetime as dt

import pytest
from trace_files import CHAT, START, call, document, pairs, read, span, written

from analytics.logs.dialects import otel, span_names
from analytics.logs.dialects.dialect import Passed
from analytics.logs.dialects.span_values import count, dotted, iso, nanoseconds

NO_CALL, CHAIN = "spans without a model call", "chain and workflow spans"
CHAT_TOKENS = {"gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 8}


def llm(**more):
    """OpenInference attributes of a call; double underscores are dots."""
    base = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-5-mini"}
    return {**base, **{name.replace("__", "."): held for name, held in more.items()}}


def chat(**more):
    return {**CHAT, **{name.replace("__", "."): held for name, held in more.items()}}


def opened(attributes, **more):
    [found] = otel.opened(document(span(attributes, **more)))
    return found


# What is a call


@pytest.mark.parametrize(
    ("attributes", "name", "reason"),
    [
        ({"gen_ai.operation.name": "chat"}, "x", None),
        ({"gen_ai.operation.name": "text_completion"}, "x", None),
        ({"gen_ai.operation.name": "generate_content"}, "x", None),
        ({"gen_ai.operation.name": "embeddings", "gen_ai.usage.output_tokens": 1}, "x", "embedding spans"),
        ({"gen_ai.operation.name": "execute_tool"}, "x", "tool spans"),
        ({**CHAT, "gen_ai.operation.name": "invoke_agent"}, "x", "agent spans"),
        ({"gen_ai.operation.name": "create_agent"}, "x", "agent spans"),
        ({"gen_ai.operation.name": "made_up", "gen_ai.request.model": "m"}, "x", NO_CALL),
        ({"openinference.span.kind": "LLM"}, "x", None),
        ({"openinference.span.kind": "CHAIN", "llm.token_count.completion": 3}, "x", CHAIN),
        ({"openinference.span.kind": "EMBEDDING"}, "x", "embedding spans"),
        ({"openinference.span.kind": "EVALUATOR"}, "x", "evaluation spans"),
        ({"openinference.span.kind": "DECISION"}, "x", "decision spans"),
        ({"http.request.method": "POST"}, "POST /", NO_CALL),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 812}, "chat m", None),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 812}, "embeddings m", "embedding spans"),
        ({"gen_ai.request.model": "m", "gen_ai.usage.completion_tokens": 8}, "openai.chat", None),
        ({"gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": 8}, "x", NO_CALL),
        ({"llm.request.type": "chat", "gen_ai.request.model": "m"}, "openai.chat", None),
        ({"llm.request.type": "rerank"}, "cohere.rerank", "reranking spans"),
        ({**CHAT_TOKENS, "traceloop.span.kind": "workflow"}, "x.workflow", CHAIN),
        ({"ai.operationId": "ai.generateText.doGenerate", "gen_ai.request.model": "m"}, "x", None),
        ({**CHAT_TOKENS, "ai.operationId": "ai.generateText"}, "x", NO_CALL),
        ({**CHAT, "logfire.span_type": "pending_span"}, "x", "spans that had only begun"),
        ({}, "", NO_CALL),
    ],
)  # fmt: skip
def test_a_call_is_known_by_its_operation_or_kind_and_all_else_is_passed_over(attributes, name, reason):
    found = opened(attributes, name=name).item
    assert (found.reason if isinstance(found, Passed) else None) == reason


# Tokens


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # (input, output, cached, reasoning) as given; both conventions count the parts within the whole
        ({"gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 220,
          "gen_ai.usage.cache_read.input_tokens": 512, "gen_ai.usage.reasoning.output_tokens": 128},
         (812, 220, 512, 128)),
        ({"gen_ai.usage.prompt_tokens": 812, "gen_ai.usage.completion_tokens": 220,
          "gen_ai.usage.cache_read_input_tokens": 512, "gen_ai.usage.reasoning_tokens": 128},
         (812, 220, 512, 128)),
        ({"llm.token_count.prompt": 812, "llm.token_count.completion": 220, "llm.token_count.total": 1032,
          "llm.token_count.prompt_details.cache_read": 512,
          "llm.token_count.completion_details.reasoning": 128}, (812, 220, 512, 128)),
        # cached cannot be part of an input of 12: 12 + 2048 read + 100 written
        ({"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 220,
          "gen_ai.usage.cache_read.input_tokens": 2048, "gen_ai.usage.cache_creation.input_tokens": 100},
         (2160, 220, 2048, None)),
        # reasoning cannot be part of an output of 20: 20 + 300
        ({"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 20,
          "gen_ai.usage.reasoning.output_tokens": 300}, (12, 320, None, 300)),
        # 500 + 90 + 60 reasoned = 650: the total counts reasoning beside the output
        ({"gen_ai.usage.input_tokens": 500, "gen_ai.usage.output_tokens": 90,
          "gen_ai.usage.reasoning_tokens": 60, "gen_ai.usage.total_tokens": 650}, (500, 150, None, 60)),
        # 500 + 90 = 590: the reasoning is within the output
        ({"gen_ai.usage.input_tokens": 500, "gen_ai.usage.output_tokens": 90,
          "gen_ai.usage.reasoning_tokens": 60, "gen_ai.usage.total_tokens": 590}, (500, 90, None, 60)),
        # 500 + 90 + 200 read + 10 written = 800
        ({"llm.token_count.prompt": 500, "llm.token_count.completion": 90, "llm.token_count.total": 800,
          "llm.token_count.prompt_details.cache_read": 200,
          "llm.token_count.prompt_details.cache_write": 10}, (710, 90, 200, None)),
        # a total that fits nothing changes nothing
        ({"llm.token_count.prompt": 500, "llm.token_count.completion": 90, "llm.token_count.total": 7,
          "llm.token_count.prompt_details.cache_read": 200}, (500, 90, 200, None)),
        ({"gen_ai.usage.output_tokens": 90}, (None, 90, None, None)),
        ({"gen_ai.usage.input_tokens": 9007199254740993, "gen_ai.usage.output_tokens": 0},
         (9007199254740993, 0, None, None)),  # 2^53 + 1
    ],
)  # fmt: skip
def test_input_includes_what_was_cached_and_output_what_was_reasoned(tmp_path, counts, expected):
    base = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "route.confidence": 0.5}
    row = call(tmp_path, span({**base, **counts}))
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    assert tuple(row.get(name) for name in names) == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai.usage.cache_creation.input_tokens": 30}, (30, None)),
        ({"llm.token_count.prompt_details.cache_write": 30}, (30, None)),
        ({"gen_ai.openai.request.service_tier": "flex"}, (None, "flex")),
        # what was had comes before what was asked for
        ({"gen_ai.openai.request.service_tier": "flex", "gen_ai.openai.response.service_tier": "default"},
         (None, "standard")),
        ({"openai.response.service_tier": "priority"}, (None, "priority")),
        ({"gen_ai.response.service_tier": "flex"}, (None, "flex")),  # as LangSmith's exporter names it
        ({}, (None, None)),
    ],
)  # fmt: skip
def test_what_was_written_to_a_cache_and_the_service_tier_are_read(tmp_path, attributes, expected):
    found = call(tmp_path, span({**CHAT, **attributes}))
    assert (found.get("cache_write_tokens"), found.get("service_tier")) == expected


def test_counts_are_whole_numbers_from_0_however_they_are_written():
    given = (
        "812",
        812,
        812.0,
        " 7 ",
        "9223372036854775807",
        "1e3",
        "-1",
        1.5,
        True,
        "x",
        None,
        2**63,
        float("nan"),
    )
    assert [count(one) for one in given] == [
        812, 812, 812, 7, 9223372036854775807, 1000, None, None, None, None, None, None, None,
    ]  # fmt: skip


# Money


@pytest.mark.parametrize(
    ("attributes", "cost", "source"),
    [
        (llm(llm__cost__total=0.0125), 0.0125, "logged"),
        (llm(llm__cost__prompt=0.25, llm__cost__completion=0.5), 0.75, "logged"),
        (llm(llm__cost__prompt=0.25), None, None),
        (llm(llm__cost__total=-1.0), None, None),
        (chat(gen_ai__usage__cost=0.5), 0.5, "logged"),
        (chat(operation__cost=0.5), 0.5, "logged"),
        (chat(gen_ai__usage__cost=0.0), 0.000045, "priced"),  # of a model that OpenLIT has no price for
        (chat(desk__cost_usd=0.5), 0.5, "logged"),
        # 100 input tokens at 0.25 and 10 output tokens at 2 USD per million: 25e-6 + 20e-6
        (chat(), 0.000045, "priced"),
        (chat(desk__cost=0.5), 0.000045, "priced"),  # of which currency?
    ],
)
def test_a_cost_is_taken_only_where_it_is_in_usd_and_priced_otherwise(tmp_path, attributes, cost, source):
    row = call(tmp_path, span({**attributes, "route.confidence": 0.5}))
    assert row.get("cost_usd") == pytest.approx(cost)
    assert row.get("cost_source") == source


# Time


def test_latency_is_the_difference_of_exact_nanoseconds(tmp_path):
    # 1795358625050705123 and ...970887456 differ by 920182333 ns; as doubles both would be 256 ns off at most
    times = {"startTimeUnixNano": "1795358625050705123", "endTimeUnixNano": "1795358625970887456"}
    row = call(tmp_path, span(**times))
    assert row["latency_s"] == 0.920182
    assert row["ts"] == dt.datetime(2026, 11, 22, 14, 43, 45, 50705)  # noqa: DTZ001


@pytest.mark.parametrize(
    "times",
    [
        {"endTimeUnixNano": None}, {"endTimeUnixNano": "0"}, {"endTimeUnixNano": ""},
        {"endTimeUnixNano": "1795358624000000000"}, {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": None},
        {"endTimeUnixNano": {"a": 1}}, {"endTimeUnixNano": True},
    ],
)  # fmt: skip
def test_a_missing_end_or_one_before_the_start_leaves_the_latency_unknown(tmp_path, times):
    row = call(tmp_path, span(**times))
    assert "latency_s" not in row
    assert row["input_tokens"] == 100


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1795358625000000001", 1795358625000000001), (1795358625000000001, 1795358625000000001),
        (1795358625.5, 1795358625500000000), (1795358625500, 1795358625500000000),
        ("2026-11-22T14:43:45Z", 1795358625000000000), ("2026-11-22 15:43:45.5+01:00", 1795358625500000000),
        ("2026-11-22 14:43:45.000001 UTC", 1795358625000001000), ("2026-11-22T14:43:45", 1795358625000000000),
        ([1795358625, 709000000], 1795358625709000000), (["1795358625", 5], 1795358625000000005),
        ([1], None), ([0, 0], None), ("0", None), (0, None), ("never", None), ("9999-99-99", None),
        (None, None),
        (True, None), ({}, None), ("", None),
    ],
)  # fmt: skip
def test_a_moment_is_read_in_every_way_that_traces_write_one(value, expected):
    assert nanoseconds(value) == expected


def test_a_moment_beyond_the_calendar_is_none():
    assert iso(1795358625050705123) == "2026-11-22T14:43:45.050705Z"
    assert iso(10**30) is None
    assert iso(None) is None


@pytest.mark.parametrize(
    ("attributes", "events", "expected"),
    [
        (chat(gen_ai__response__time_to_first_chunk=0.25), [], 0.25),
        (chat(gen_ai__server__time_to_first_token=0.5), [], 0.5),
        (chat(ai__response__msToFirstChunk=125), [], 0.125),
        # the event comes 350 ms after the start
        (
            llm(),
            [{"name": "First Token Stream Event", "timeUnixNano": str(START * 10**9 + 350_000_000)}],
            0.35,
        ),
        (llm(), [{"name": "First Token Stream Event", "timeUnixNano": "1"}], None),
        (llm(), [{"name": "exception"}], None),
    ],
)
def test_the_first_token_is_in_seconds_or_that_of_its_event(tmp_path, attributes, events, expected):
    row = call(tmp_path, span({**attributes, "route.confidence": 0.5}, events=events))
    assert row.get("ttft_s") == expected


# Models


@pytest.mark.parametrize(
    ("asked", "answered", "expected"),
    [
        ("gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("openai/gpt-5", "gpt-5-2025-08-07", "openai/gpt-5"),
        ("gpt-5", "openai/gpt-5-2025-08-07", "gpt-5"),
        ("gpt-5", "gpt-5", "gpt-5"),
        ("gpt-5", "gpt-5-mini-2025-08-07", "gpt-5-mini-2025-08-07"),
        ("auto", "gpt-5-2025-08-07", "gpt-5-2025-08-07"),
        ("gpt-5", None, "gpt-5"),
        (None, "gpt-5-2025-08-07", "gpt-5-2025-08-07"),
    ],
)
def test_a_call_goes_by_the_model_that_answered_or_the_name_asked_for_where_that_is_the_same(
    tmp_path, asked, answered, expected
):
    names = {"gen_ai.request.model": asked, "gen_ai.response.model": answered}
    attributes = {name: held for name, held in {**CHAT, **names}.items() if held is not None}
    assert call(tmp_path, span(attributes))["model"] == expected
    names = {
        "llm.invocation_parameters": f'{{"model": "{asked}"}}' if asked else "{}",
        "llm.model_name": answered or asked,
    }
    counts = {"llm.token_count.prompt": 1, "llm.token_count.completion": 1}
    assert call(tmp_path, span({"openinference.span.kind": "LLM", **names, **counts}))["model"] == expected


def test_a_failed_call_of_a_deployment_goes_by_the_model_that_its_others_got(tmp_path):
    names = {**CHAT, "gen_ai.request.model": "desk-small", "gen_ai.response.model": "gpt-5-mini-2025-08-07"}
    failed = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "desk-small", "error.type": "500"}
    spans = [span(names), span(failed, call="b2", at=9)]
    frame, _ = read(written(tmp_path / "a.jsonl", [document(*spans)]))
    assert frame["model"].to_list() == ["gpt-5-mini-2025-08-07"] * 2
    assert frame["status"].to_list() == ["success", "error"]


@pytest.mark.parametrize(
    "attributes",
    [
        chat(gen_ai__request__reasoning__level="high"), chat(gen_ai__request__reasoning_effort="HIGH"),
        llm(llm__invocation_parameters='{"reasoning_effort": "high"}'),
        llm(llm__invocation_parameters='{"reasoning": {"effort": "high"}}'),
        llm(llm__invocation_parameters='{"config": {"thinking_config": {"thinking_level": "HIGH"}}}'),
    ],
)  # fmt: skip
def test_effort_is_found_in_attributes_and_parameters_and_becomes_part_of_the_label(tmp_path, attributes):
    row = call(tmp_path, span({**attributes, "route.confidence": 0.5}))
    assert (row["model"], row["effort"]) == ("gpt-5-mini@high", "high")


# Status


@pytest.mark.parametrize(
    ("attributes", "more", "expected"),
    [
        (chat(), {"status": {"code": 1}}, "success"),
        (chat(), {"status": {}}, "success"),
        (chat(), {"status": None}, "success"),
        (chat(), {"status": {"code": 2, "message": "no"}}, "error"),
        (chat(), {"status": {"code": "STATUS_CODE_ERROR"}}, "error"),
        (chat(error__type="openai.RateLimitError"), {}, "error"),
        (chat(error__type="timeout"), {"status": {"code": 2}}, "timeout"),
        (chat(error__type="504"), {"status": {"code": 2}}, "timeout"),
        (chat(), {"status": {"code": 2, "message": "context deadline exceeded"}}, "timeout"),
        (chat(), {"status": {"code": 2}, "events": [
            {"name": "exception", "attributes": pairs({"exception.type": "ReadTimeout"})}
        ]}, "timeout"),
        (chat(), {"status": {"code": 2}, "events": [{"name": "timeout set"}]}, "error"),
    ],
)  # fmt: skip
def test_a_failed_call_is_an_error_or_a_timeout_and_a_wrong_answer(tmp_path, attributes, more, expected):
    row = call(tmp_path, span(attributes, **more))
    assert row["status"] == expected
    assert row.get("correct") == (None if expected == "success" else 0.0)


# Who and what else


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        (chat(gen_ai__conversation__id="c1", session__id="s1", user__id="u1"), "c1"),
        (chat(session__id="s1", user__id="u1"), "s1"),
        (chat(user__id="u1", enduser__id="e1"), "u1"),
        (chat(enduser__id="e1"), "e1"),
        (chat(desk__user_id="u7"), "u7"),
        (chat(), None),
    ],
)
def test_a_conversation_or_else_a_user_is_the_unit(tmp_path, attributes, unit):
    assert call(tmp_path, span(attributes)).get("unit_id") == unit


@pytest.mark.parametrize(
    ("name", "held", "expected"),
    [
        ("route.category", "math", ("task_category", "math")),
        ("task_category", "math", ("task_category", "math")),
        ("app.confidence", 0.25, ("confidence", 0.25)), ("my.fast_confidence", 0.25, ("confidence", 0.25)),
        ("metadata", '{"category": "math"}', ("task_category", "math")),
        ("metadata", '{"route": {"category": "math"}}', ("task_category", "math")),
        ("tag.tags", ["category:math", "vip"], ("task_category", "math")),
        ("tag.tags", ["cat:math"], ("task_category", "math")),
        ("exp.arm", "B", ("arm", "B")), ("route.threshold", 0.5, ("threshold", 0.5)),
        ("traceloop.association.properties.category", "math", ("task_category", "math")),
        ("ai.telemetry.metadata.variant", "B", ("arm", "B")),
        ("desk.is_correct", True, ("correct", 1.0)), ("desk.shadow", True, ("shadow", True)),
        # names that the conventions have given away, or that speak of something else
        ("gen_ai.agent.category", "math", ("task_category", None)),
        ("llm.confidence", 0.5, ("confidence", None)),
        ("http.group", "B", ("arm", None)), ("session.variant", "B", ("arm", None)),
        ("mail.subject", "math", ("task_category", None)), ("event_type.type", "x", ("task_category", None)),
        ("intent.confidence", 0.5, ("confidence", None)), ("asr_confidence", 0.5, ("confidence", None)),
        ("rerank.score", 0.5, ("correct", None)), ("sentiment.label", "pass", ("correct", None)),
        ("gen_ai.agent.name", "math", ("task_category", None)),
    ],
)  # fmt: skip
def test_attributes_of_the_users_own_are_read_by_their_last_step(tmp_path, name, held, expected):
    field, said = expected
    spans = [span({**CHAT, name: held}, call=f"b{at}", trace=f"a{at}", at=at) for at in range(12)]
    frame, _ = read(written(tmp_path / "a.jsonl", [document(*spans)]))
    assert set(frame[field].to_list() if field in frame.columns else [None]) == {said}


def test_attributes_of_the_resource_are_read_last_and_never_its_own(tmp_path):
    row = call(tmp_path, span(), **{"team.arm": "A", "service.category": "x", "experiment": "e1"})
    assert (row["arm"], row["experiment"]) == ("A", "e1")
    assert "task_category" not in row
    assert call(tmp_path, span({**CHAT, "route.arm": "B"}), **{"team.arm": "A"})["arm"] == "B"


def test_a_confidence_beside_an_escalation_is_given_to_the_calls_inside_only_if_it_is_the_routes():
    served = {
        "confidence": 0.9,
        "escalated": True,
        "fast_confidence": 0.2,
        "route.confidence": 0.3,
        "category": "x",
    }
    assert span_names.told_inside(served) == {
        "fast_confidence": 0.2, "route.confidence": 0.3, "category": "x",
    }  # fmt: skip
    assert span_names.told_inside({**served, "escalated": False}) == {
        name: held for name, held in served.items() if name != "escalated"
    }


def test_nested_members_become_dotted_names_and_lists_of_evaluations_are_numbered():
    given = {"a": {"b": {"c": 1}, "d": None}, "annotations": [{"annotation": {"score": 1}}], "l": [{"x": 1}]}
    assert dotted(given) == {"a.b.c": 1, "annotations.0.annotation.score": 1, "l": [{"x": 1}]}


def test_texts_are_loaded_only_if_asked_for(tmp_path):
    attributes = {
        **CHAT,
        "gen_ai.input.messages": '[{"role":"user"}]',
        "gen_ai.output.messages": "fine",
        "gen_ai.prompt.0.content": "text",
    }
    path = written(tmp_path / "a.jsonl", [document(span(attributes))])
    frame, staged = read(path)
    assert not {"prompt", "answer"} & set(frame.columns)
    assert not [name for name in staged.columns if "prompt.0" in name]
    frame, _ = read(path, keep_text=True)
    assert frame.select("prompt", "answer").row(0) == ('[{"role":"user"}]', "fine")
