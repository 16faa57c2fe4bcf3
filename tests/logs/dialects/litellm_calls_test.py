"""Single records of LiteLLM opened, with what few logs show; and records that are none, whatever is wrong."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.dialects import litellm
from analytics.logs.dialects.dialect import Passed, plain
from analytics.logs.dialects.litellm_routing import FORECAST, PLACED
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

FIXTURES = Path(__file__).parents[2] / "fixtures" / "litellm"
ALLOWED = (TypeError, ValueError, KeyError, AttributeError)
ROUTING = "metadata.routing_decision"
CLASSIFIED = "call that LiteLLM made itself (autorouter_classifier)"


def payload(**more):
    """A StandardLoggingPayload with the members that this module is about."""
    return {
        "id": "chatcmpl-1", "litellm_call_id": "call-1", "trace_id": "trace-1", "session_id": "",
        "call_type": "acompletion", "status": "success", "model": "gpt-4o-mini", "response_cost": 0.001,
        "startTime": 1795358625.0, "endTime": 1795358627.0, "completionStartTime": 1795358627.0,
        "prompt_tokens": 100, "completion_tokens": 50, "metadata": {}, **more,
    }  # fmt: skip


def entry(**more):
    """A row of LiteLLM_SpendLogs."""
    return {
        "request_id": "chatcmpl-1", "litellm_call_id": "call-1", "session_id": "trace-1",
        "call_type": "acompletion", "status": "success", "model": "gpt-4o-mini", "spend": 0.001,
        "startTime": "2026-11-20 09:00:00", "endTime": "2026-11-20 09:00:02",
        "completionStartTime": "2026-11-20 09:00:02", "metadata": "{}", "cache_hit": "",
        "prompt_tokens": "100", "completion_tokens": "50", **more,
    }  # fmt: skip


def row(record):
    [found] = litellm.opened(record)
    assert not isinstance(found, Passed), found.reason
    return found


def passed(record):
    [found] = litellm.opened(record)
    return found.reason if isinstance(found, Passed) else None


def asks(*texts):
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    "start",
    [1795358625.25, "1795358625.25", "2026-11-22T14:43:45.250Z", "2026-11-22 14:43:45.25", 1795358625250],
)
def test_a_start_is_the_same_moment_in_every_encoding(start):
    found = row(entry(startTime=start, endTime="2026-11-22T14:43:47.750Z"))
    assert found["startTime"] == "2026-11-22T14:43:45.250000+00:00"
    assert (found["latency_s"], found["call_order"]) == (2.5, 1795358625250000)


def test_names_in_lower_case_or_with_underscores_are_litellms_own():
    found = {name.lower(): value for name, value in entry().items()}
    assert row(found) == row(entry())
    found = entry()
    found["start_time"], found["end_time"] = found.pop("startTime"), found.pop("endTime")
    assert row(found) == row(entry())


@pytest.mark.parametrize(
    ("word", "hit", "cost"), [("True", True, 0.0), ("False", False, 0.001), ("", None, 0.001)]
)
def test_cache_hit_is_a_word_and_a_hit_costs_nothing(word, hit, cost):
    found = row(entry(cache_hit=word))
    assert (found.get("cache_hit"), found["spend"]) == (hit, cost)
    assert "cache_hit" not in row(entry(cache_hit="None"))


def test_a_spend_log_row_has_a_first_token_only_where_it_was_streamed():
    first = {"completionStartTime": "2026-11-20 09:00:00.5"}
    assert row(entry(**first))["ttft_s"] == 0.5
    assert "ttft_s" not in row(entry(**first, proxy_server_request='{"stream": false}'))
    assert "ttft_s" not in row(entry(completionStartTime="2026-11-20 09:00:03"))
    assert "ttft_s" not in row(payload(completionStartTime=1795358625.5))
    assert row(payload(completionStartTime=1795358625.5, stream=True))["ttft_s"] == 0.5


def test_what_is_not_known_is_absent_and_not_0():
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "response_cost": 0.0}
    found = row(payload(**nothing))
    assert not {"prompt_tokens", "completion_tokens", "response_cost"} & found.keys()
    priced = {"cost_breakdown": {"total_cost": 0.0}}
    assert row(payload(response_cost=0.0, **priced))["response_cost"] == 0.0
    diagnosed = {"zero_cost_diagnostic": {"reason": "missing_pricing_key", "pricing_model": "m"}}
    assert "response_cost" not in row(payload(response_cost=0.0, **priced, **diagnosed))
    assert row(payload(prompt_tokens=7, completion_tokens=0))["completion_tokens"] == 0
    assert "latency_s" not in row(payload(endTime=1795358624.0))


def test_tokens_of_older_rows_stand_among_additional_values():
    more = {"completion_tokens_details": {"reasoning_tokens": 30}, "cache_read_input_tokens": 40}
    found = row(entry(metadata=json.dumps({"additional_usage_values": more})))
    assert found["metadata.usage_object.completion_tokens_details.reasoning_tokens"] == 30
    assert found["metadata.usage_object.prompt_tokens_details.cached_tokens"] == 40


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"error_class": "Timeout", "error_code": "408"}, "timeout"),
        ({"error_class": "APITimeoutError"}, "timeout"),
        ({"error_class": "InternalServerError", "error_code": "504"}, "timeout"),
        ({"error_class": "RateLimitError", "error_code": "429"}, "error"),
        ({}, "error"),
        (None, "error"),
    ],
)
def test_a_failure_is_an_error_or_a_timeout_by_its_class_or_code(error, status):
    assert row(payload(status="failure", error_information=error))["status"] == status
    inside = json.dumps({"status": "failure", "error_information": error})
    assert row(entry(status=None, metadata=inside))["status"] == status


def test_tokens_of_every_class_are_read_from_the_usage():
    details = {
        "cached_tokens": 20,
        "cache_creation_tokens": 30,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    }
    made = {"prompt_tokens_details": details, "completion_tokens_details": {"reasoning_tokens": 40}}
    for record in (
        payload(metadata={"usage_object": made}),
        entry(metadata=json.dumps({"usage_object": made})),
    ):
        found = row(record)
        matched = {field: found[name] for name in found if (field := (litellm_field(name)))}
        # LiteLLM adds a cache's tokens to the prompt's of every provider, so that 100 are all of them
        assert matched == {
            "input_tokens": 100, "output_tokens": 50, "cached_tokens": 20, "cache_write_tokens": 30,
            "cache_write_1h_tokens": 20, "reasoning_tokens": 40,
        }  # fmt: skip
    # Anthropic's own names, where there are no details
    named = {"cache_read_input_tokens": 20, "cache_creation_input_tokens": 30}
    found = row(payload(metadata={"usage_object": named}))
    assert {litellm_field(name): held for name, held in found.items() if litellm_field(name)} == {
        "input_tokens": 100, "output_tokens": 50, "cached_tokens": 20, "cache_write_tokens": 30,
    }  # fmt: skip


def litellm_field(name):
    """The field of tokens that a column stands for; null for any other."""
    [tool] = [one for one in litellm.DIALECTS if one.name == "litellm_payloads"]
    found = tool.match(plain(name))
    return found[0] if found and found[0].endswith("_tokens") else None


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({"metadata": {"usage_object": {"service_tier": "priority"}},
          "response": {"service_tier": "default"}}, "priority"),
        ({"response": {"service_tier": "default"}, "model_parameters": {"service_tier": "flex"}}, "default"),
        ({"model_parameters": {"service_tier": "flex"}}, "flex"),
        ({"response": '{"service_tier": "flex"}'}, "flex"), ({}, None),
        ({"response": {"service_tier": None}}, None),
    ],
)  # fmt: skip
def test_the_tier_is_the_answers_before_the_one_asked_for(more, tier):
    assert row(payload(**more)).get("service_tier") == tier


@pytest.mark.parametrize(
    "tags", [["cat:math", "prod"], '["cat:math"]', ["category:math"], ["task_category=math"]]
)
def test_a_tag_may_name_the_category(tags):
    assert row(entry(request_tags=tags))["caller.category"] == "math"


def test_a_failed_attempt_has_no_id_that_the_answers_grade_could_be_joined_to():
    failed = row(payload(status="failure", id="call-1"))
    answered = row(payload())
    assert failed["request_key"] == answered["request_key"] == "call-1"
    assert (failed["call_key"], answered["call_key"]) == ("failed call-1", "call-1")


def map_entry(mode):
    return {"model_map_value": {"mode": mode}}


def form(name):
    return {"response_format": {"type": "json_schema", "json_schema": {"name": name}}}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (payload(call_type="aembedding"), "no chat call (aembedding)"),
        (payload(call_type="CallTypes.aretrieve_batch"), "no chat call (aretrieve_batch)"),
        (payload(call_type="_arealtime"), "no chat call (_arealtime)"),
        (payload(call_type="call_mcp_tool", model="MCP: search"), "no chat call (call_mcp_tool)"),
        (payload(call_type="", model_map_information=map_entry("rerank")), "no chat call (rerank)"),
        (payload(call_type="pass_through_endpoint", prompt_tokens=0, completion_tokens=0),
         "pass-through call without tokens"),
        (payload(model=""), "call that names no model"),
        (entry(model="unknown-model", status="failure"), "call that names no model"),
        (entry(request_tags='["litellm-internal-health-check"]'), "health check"),
        (entry(metadata='{"internal_call_origin": "new"}'), "call that LiteLLM made itself (new)"),
        (payload(classifier_input={"model": "m"}), CLASSIFIED),
        (payload(originating_request_masked={"model": "m"}), CLASSIFIED),
        # With prompts redacted the two above are gone; the form that was asked for remains.
        (payload(model_parameters=form("CapabilityClassifierDecision")), CLASSIFIED),
        (payload(model_parameters=form("LLMV2Verdict")), CLASSIFIED),
        (payload(model_parameters=form("TierClassification")), CLASSIFIED),
    ],
)  # fmt: skip
def test_what_is_no_call_of_the_users_is_passed_over(record, reason):
    assert passed(record) == reason


@pytest.mark.parametrize(
    "kind",
    ["completion", "acompletion", "atext_completion", "aresponses", "anthropic_messages", "",
     "agenerate_content_stream", "CallTypes.acompletion", "pass_through_endpoint", None],
)  # fmt: skip
def test_every_way_to_ask_a_model_is_a_call(kind):
    assert passed(payload(call_type=kind)) is None


def test_the_same_messages_in_one_trace_are_one_request_and_others_another():
    first = row(payload(messages=asks("a")))["request_key"]
    assert row(payload(messages=asks("a"), litellm_call_id="call-2"))["request_key"] == first
    assert row(payload(messages=asks("a", "b")))["request_key"] != first
    assert row(payload(messages=asks("a"), trace_id="trace-2"))["request_key"] != first
    assert row(entry(proxy_server_request=json.dumps({"messages": asks("a")})))["request_key"] == first
    nulls = [{**asks("a")[0], "tool_calls": None}]
    assert row(payload(messages=nulls))["request_key"] == first


def test_messages_that_are_not_logged_never_glue_a_session_into_one_request():
    redacted = asks("redacted-by-litellm")
    for hidden in (None, [], "{}", redacted, json.dumps(redacted)):
        assert row(payload(messages=hidden))["request_key"] == "call-1"
        assert row(entry(messages=hidden))["request_key"] == "call-1"


def test_a_turn_that_says_only_what_is_new_is_not_known_by_its_messages():
    # The Responses API holds the history itself: two turns "go on" are two requests.
    first, second = (
        row(payload(call_type="aresponses", messages=asks("go on"), litellm_call_id=name))["request_key"]
        for name in ("call-1", "call-2")
    )
    assert (first, second) == ("call-1", "call-2")


def test_the_callers_own_request_id_comes_first():
    said = {"spend_logs_metadata": {"request_id": 17}}
    assert row(payload(metadata=said, messages=asks("a")))["request_key"] == "17"


def test_units_are_what_the_caller_says_else_the_end_user_else_the_session():
    said = {"spend_logs_metadata": {"user_id": "u"}}
    assert row(payload(metadata=said, end_user="e"))["unit_key"] == "u"
    assert row(payload(end_user="e", session_id="s"))["unit_key"] == "e"
    assert row(payload(model_parameters={"user": "p"}, session_id="s"))["unit_key"] == "p"
    assert row(payload(session_id="s"))["unit_key"] == "s"
    assert row(entry(session_id="s", user="owner of the key"))["unit_key"] == "s"


@pytest.mark.parametrize(
    ("record", "effort"),
    [
        (payload(model_parameters={"reasoning_effort": "high"}), "high"),
        (payload(model_parameters={"reasoning_effort": {"effort": "low", "summary": "auto"}}), "low"),
        (payload(model_parameters={"reasoning": {"effort": "medium"}}), "medium"),
        (payload(model_parameters={"thinking": {"type": "enabled", "budget_tokens": 2048}}), "think"),
        (payload(model_parameters={"thinking": {"type": "disabled"}}), None),
        (entry(proxy_server_request='{"reasoning_effort": "high"}'), "high"),
        (entry(proxy_server_request='{"reasoning_effort": "high"}',
               metadata='{"routing_decision": {"tier_litellm_params": {"reasoning_effort": "low"}}}'), "low"),
        (payload(), None),
    ],
)  # fmt: skip
def test_effort_is_found_where_each_way_of_asking_puts_it(record, effort):
    assert row(record).get("reasoning_effort") == effort


def test_the_routers_configuration_is_an_arm_unless_the_caller_names_one():
    decision = {"router_model_name": "smart", "router_config_fingerprint": "f1"}
    found = row(payload(metadata={"routing_decision": decision}))
    assert (found[f"{ROUTING}.arm"], found[f"{ROUTING}.experiment"]) == ("f1", "smart")
    for named in ({"request_tags": ["variant:B"]}, {"metadata": {"spend_logs_metadata": {"arm": "B"}}}):
        record = payload(**named)
        record["metadata"] = {**record["metadata"], "routing_decision": decision}
        found = row(record)
        assert found["caller.arm"] == "B"
        assert not {f"{ROUTING}.arm", f"{ROUTING}.experiment"} & found.keys()


def test_what_quotes_the_prompt_stays_out():
    decision = {"signals": ["x"], "matched_keyword": "x", "escalation_keyword": "x", "classifier_crux": "x",
                "tier": "COMPLEX", "escalated": True}  # fmt: skip
    found = row(payload(metadata={"routing_decision": decision}))
    assert {name: value for name, value in found.items() if name.startswith(ROUTING)} == {
        f"{ROUTING}.tier": "COMPLEX",
        f"{ROUTING}.escalated": True,
        f"{ROUTING}.policy_kind": "predictive",
    }


def test_tier_words_and_escalated_of_the_router_are_none_of_ours():
    # REASONING would be our tier "reasoning", and escalated says that the prompt had a keyword.
    assert litellm.match("metadata_routing_decision_tier") == ("tier_logged", 1)
    assert litellm.match("metadata_routing_decision_tier_label") is None
    assert litellm.match("metadata_routing_decision_escalated") is None
    assert litellm.match("metadata_routing_decision_classifier_confidence") is None
    assert litellm.match("response_time") is None


def test_a_forecast_that_is_all_null_places_no_tier():
    # A struct of Parquet has the members of all routers.
    empty = {"probabilities": {"SIMPLE": None}, "threshold": None}
    decision = {"tier": "REASONING", "routed_model": "strong", "heuristic_v2_forecast": empty}
    found = row(payload(metadata={"routing_decision": decision}))
    assert PLACED not in found
    assert not [name for name in found if name.startswith(FORECAST)]
    assert f"{ROUTING}.policy_kind" not in row(payload(metadata={"routing_decision": {"tier": None}}))


TREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["{}", "[", '{"a": [1]}', "1e400", "None", "failure", "2026-13-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value, path=()):
    """Paths of everything in a record."""
    yield path
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
    ):
        yield from places(inner, (*path, key))


def records():
    routed = json.loads((FIXTURES / "spend_logs_routed.json").read_text())
    judged = json.loads((FIXTURES / "spend_logs_judged.json").read_text())
    own = json.loads((FIXTURES / "spend_logs.json").read_text())
    answer = {"logprobs": {"content": [{"logprob": -0.5}]}, "message": {"content": "b"}}
    like_payloads = [
        {**one, "response_cost": one["spend"], "status_fields": {}, "messages": asks("a"), "stream": True,
         "response": {"choices": [answer]}}
        for one in (routed[0], judged[1])
    ]  # fmt: skip
    for one in like_payloads:
        del one["spend"]
    return [*own, *routed, *judged, *like_payloads]


RECORDS = records()
PATHS = [list(places(record))[1:] for record in RECORDS]


@st.composite
def mutated(draw):
    """A record in which some things are missing or something else."""
    at = draw(st.integers(0, len(RECORDS) - 1))
    record = copy.deepcopy(RECORDS[at])
    for path in draw(st.lists(st.sampled_from(PATHS[at]), max_size=4)):
        holder = record
        try:
            for key in path[:-1]:
                holder = holder[key]
            if draw(st.booleans()):
                holder[path[-1]] = draw(TREE)
            else:
                del holder[path[-1]]
        except (TypeError, KeyError, IndexError):  # an earlier change took the place away
            continue
    return record


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_whatever_is_wrong_with_a_record_it_gives_a_row_or_a_reason(record):
    try:
        found = list(litellm.opened(record))
    except ALLOWED:
        return
    assert len(found) == 1
    assert isinstance(found[0], dict | Passed)
    if isinstance(found[0], Passed):
        assert len(found[0].reason) < 100
    else:
        assert None not in found[0].values()


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(mutated(), min_size=20, max_size=60))
def test_a_file_of_such_records_loads_or_is_refused(tmp_path, found):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in [*RECORDS, *found]), encoding="utf-8")
    with Store.open(None) as store:
        try:
            [report] = intake.load(store, "d", [path], Answers(accept_rejects=True))
        except SchemaError:
            return
    assert report.read == report.loaded + report.rejected + report.duplicates
