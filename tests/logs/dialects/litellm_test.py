"""LiteLLM's logs through the real child process and store. Payloads are the installed library's own.

Costs were checked by LiteLLM's prices in USD per million tokens: gpt-4o-mini 0.15 in, 0.075 cached, 0.60 out;
o3-mini 1.10, 0.55, 4.40. The stub answers with 100 input tokens, 40 of them cached, and 50 output tokens,
30 of them reasoning: (60 x 0.15 + 40 x 0.075 + 50 x 0.60) / 1e6 = 4.2e-5, and 3.08e-4 for o3-mini. A mocked
answer has 10 and 20 tokens: (10 x 0.15 + 20 x 0.60) / 1e6 = 1.35e-5.
"""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stores import decisions, rows

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.dialects import DIALECTS, TOOLS, litellm, tool_of
from analytics.logs.dialects.dialect import record_names
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

FIXTURES = Path(__file__).parents[2] / "fixtures" / "litellm"
MINI, O3 = pytest.approx(4.2e-5), pytest.approx(3.08e-4)
FORECAST = "metadata.routing_decision.heuristic_v2_forecast"
EVERYTHING = "* EXCLUDE (dataset, file_id)"
SELF_MADE = "call that LiteLLM made itself"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """What the library itself logs of the calls in ``logged_calls``."""
    path = tmp_path_factory.mktemp("litellm") / "payloads.jsonl"
    done = subprocess.run(
        [sys.executable, FIXTURES / "logged_calls.py", path],
        cwd=path.parent,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return path.read_text().splitlines()


@pytest.fixture
def payloads(logged):
    return [json.loads(line) for line in logged]


def spend_logs(name="spend_logs"):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def case(record):
    return (record["metadata"].get("spend_logs_metadata") or {}).get("case")


def of(records, *cases):
    return [record for record in records if case(record) in cases]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def dumped(records):
    """CSV as a database writes it: JSON in cells, times without T and Z, nothing for null."""
    out = io.StringIO()
    writer = csv.DictWriter(out, dict.fromkeys(name for record in records for name in record))
    writer.writeheader()
    for record in records:
        writer.writerow({name: cell(name, value) for name, value in record.items()})
    return out.getvalue().encode()


def cell(name, value):
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, str) and name in {"startTime", "endTime", "completionStartTime"}:
        return value.replace("T", " ").removesuffix("Z")
    return value


def parquet(records):
    """Parquet as a warehouse writes it: JSON columns as text, times as times."""
    frame = pl.DataFrame(
        [
            {name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in record.items()}
            for record in records
        ],
        infer_schema_length=None,
    )
    times = [name for name in ("startTime", "endTime") if frame.schema[name] == pl.String]
    out = io.BytesIO()
    frame.with_columns(pl.col(times).str.to_datetime(time_zone="UTC")).write_parquet(out)
    return out.getvalue()


def nested(records):
    """Parquet with structs, in which every object has the members of all others."""
    texts = [
        {name: json.dumps(v) if name == "response" else v for name, v in record.items() if v not in ({}, [])}
        for record in records
    ]
    names = dict.fromkeys(name for record in texts for name in record)
    table = pa.table({name: pa.array([record.get(name) for record in texts]) for name in names})
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


SHAPES = {
    "lines": lines,
    "array": lambda records: json.dumps(records).encode(),
    "page": lambda records: json.dumps({"data": records, "total": len(records), "page": 1}).encode(),
    "csv": dumped,
    "parquet": parquet,
    "nested": nested,
}


def put(store, content, dataset, **answers):
    """Loads content, checks that nothing is asked and nothing lost; the report and what was passed over."""
    path = store.staging.parent / f"{dataset}.log"
    path.write_bytes(content)
    inspection = intake.inspect(path, name=dataset, answers=Answers(**answers), workdir=store.staging)
    assert inspection.proposal.questions == []
    mapping, passed = inspection.proposal.mapping, inspection.staged.passed
    converted = intake.convert(inspection, mapping)
    report = intake.loaded(store, dataset, inspection, mapping, converted, answers=Answers(**answers))
    assert report.read == report.loaded + report.rejected + report.duplicates
    assert (report.rejected, report.duplicates) == (0, 0)
    return report, passed


@pytest.fixture
def load(store):
    return lambda content, dataset="d", **answers: put(store, content, dataset, **answers)


@pytest.fixture(scope="module")
def whole(logged):
    """A store with every payload as ``p`` and the spend log as ``s``, and what became of the files."""
    with Store.open(None) as store:
        yield SimpleNamespace(
            store=store,
            payloads=put(store, "\n".join(logged).encode(), "p"),
            spend_logs=put(store, dumped(spend_logs()), "s"),
        )


def calls(store, columns, dataset="d"):
    ordered = "(SELECT * FROM calls WHERE dataset = ? ORDER BY ts, call_index)"
    return rows(store, f"SELECT {columns} FROM {ordered}", dataset)


def called(whole, records, columns, *cases):
    """Columns of the calls of some cases, in order of time; cases are known by their call ids."""
    ids = {record["litellm_call_id"] for record in of(records, *cases)}
    found = calls(whole.store, f"regexp_replace(call_id, '^failed ', '') AS own, {columns}", "p")
    return [row[1:] for row in found if row[0] in ids]


def test_payloads_are_recognised_and_every_record_is_accounted_for(payloads, whole):
    report, passed = whole.payloads
    assert tool_of(record_names(payloads[0])) is litellm.PAYLOADS
    # One embedding, and one call of the classifier for each of the four judged requests.
    assert passed == {"no chat call (aembedding)": 1, f"{SELF_MADE} (autorouter_classifier)": 4}
    assert report.read == len(payloads) - 5
    assert calls(whole.store, "count(*)", "p") == [(len(payloads) - 5,)]


def test_what_the_caller_says_of_a_call_counts(payloads, load, store):
    mine = of(payloads, "said", "tagged")
    report, _ = load(lines(mine))
    # Metadata before tags; the first call has both.
    assert calls(store, "task_category, confidence, confidence_kind, correct, arm, unit_id, policy_kind") == [
        ("maths", 0.7, "self_report", 1.0, None, "customer-7", None),
        ("law", None, "self_report", None, "B", mine[1]["trace_id"], None),
    ]
    assert (
        calls(store, "cost_usd, cost_source, input_tokens, output_tokens, status")
        == [(pytest.approx(1.35e-5), "logged", 10, 20, "success")] * 2
    )
    assert report.mapping["correct"] == "metadata.spend_logs_metadata.correct"


def test_times_are_seconds_between_start_and_end_and_never_the_response_time(payloads, whole):
    [streamed] = of(payloads, "streamed")
    start, first, end = (streamed[name] for name in ("startTime", "completionStartTime", "endTime"))
    assert streamed["response_time"] == pytest.approx(first - start)  # the trap: no latency on streams
    [(ts, latency, ttft)] = called(whole, payloads, "ts, latency_s, ttft_s", "streamed")
    assert (latency, ttft) == (pytest.approx(end - start, abs=2e-6), pytest.approx(first - start, abs=2e-6))
    assert latency > ttft
    assert ts == datetime.fromtimestamp(start, UTC).replace(tzinfo=None)
    assert called(whole, payloads, "ttft_s", "said", "failed") == [(None,), (None,)]


def test_a_cost_of_0_is_unknown_without_a_price_and_free_with_a_price_of_0(payloads, whole):
    assert [record["response_cost"] for record in of(payloads, "unpriced", "free")] == [0.0, 0.0]
    assert called(whole, payloads, "model, cost_usd, input_tokens", "unpriced", "free") == [
        ("nobody", None, 100),
        ("nobody", 0.0, 100),
    ]


def test_failures_keep_their_row_and_have_no_tokens(payloads, whole):
    columns = "status, correct, cost_usd, input_tokens, output_tokens, latency_s >= 0.5"
    assert called(whole, payloads, columns, "failed", "late") == [
        ("error", 0.0, 0.0, None, None, False),
        ("timeout", 0.0, 0.0, None, None, True),
    ]


def test_effort_is_what_was_sent_to_the_model(payloads, whole):
    assert called(whole, payloads, "model, effort", "thinking") == [("o3-mini@low", "low")]
    # The router's deployment adds its own effort, which no caller asked for.
    assert called(whole, payloads, "model", "traced")[1] == ("openai/o3-mini@high",)


def test_retries_and_the_fallback_share_their_request(payloads, whole):
    tried = of(payloads, "fallback")
    assert len({record["litellm_call_id"] for record in tried}) == 3
    found = called(whole, payloads, "request_id, model, status", "fallback")
    assert {row[0].partition("/")[0] for row in found} == {tried[0]["trace_id"]}
    assert len({row[0] for row in found}) == 1
    assert [row[1:] for row in found] == [
        ("openai/broken", "error"),
        ("openai/broken", "error"),
        ("openai/gpt-4o-mini", "success"),
    ]


def test_a_session_is_the_unit_and_never_one_request(payloads, whole):
    talk = of(payloads, "conversation")
    assert {record["trace_id"] for record in talk} == {"session-1"}  # the trap: a trace of three requests
    found = called(whole, payloads, "request_id, unit_id", "conversation")
    assert len({row[0] for row in found}) == 3
    assert {row[1] for row in found} == {"session-1"}


def test_where_sessions_are_kept_apart_the_trace_is_the_request(payloads, load, store):
    apart = of(payloads, "apart")
    assert {record["session_id"] for record in apart} == {"session-1"}
    for record in apart:
        del record["messages"]
    load(lines(apart))
    [(request, unit)] = rows(store, "SELECT DISTINCT request_id, unit_id FROM calls")
    assert (request, unit) == (apart[0]["trace_id"], "session-1")


def test_a_cascade_is_one_request_by_its_trace_or_by_the_callers_name(payloads, load, store):
    load(lines(of(payloads, "traced", "named")))
    assert sorted(row[0].partition("/")[0] for row in decisions(store, "request_id")) == [
        "request-1",
        "trace-1",
    ]
    found = decisions(
        store, "fast_model, strong_model, fast_cost_usd, strong_cost_usd, escalated, policy_kind"
    )
    expected = ("openai/gpt-4o-mini", "openai/o3-mini@high", MINI, O3, True, "cascade")
    assert found == [expected, expected]
    assert store.ladder("d").confirmed


def test_traces_of_one_call_each_are_requests_of_one_call_each(payloads, load, store):
    alone = of(payloads, "said", "tagged", "sure", "unpriced", "free")
    load(lines(alone))
    assert calls(store, "count(DISTINCT request_id), count(*)") == [(5, 5)]


def test_the_mean_log_probability_of_the_answer_is_read_as_such(payloads, load, store):
    report, _ = load(lines(of(payloads, "sure", "unpriced")))
    assert report.mapping["confidence"] == "response.mean_logprob"
    # exp((-0.1 - 0.3) / 2) = exp(-0.2) = 0.8187307530779818
    assert calls(store, "confidence, confidence_kind, policy_kind") == [
        (pytest.approx(0.8187307530779818), "logprob", None),
        (None, "logprob", None),
    ]


def test_a_certain_answer_has_probability_1_and_not_0(payloads, load, store):
    sure = of(payloads, "sure")
    for token in sure[0]["response"]["choices"][0]["logprobs"]["content"]:
        token["logprob"] = 0.0
    load(lines(sure))
    assert calls(store, "confidence") == [(1.0,)]


def test_heuristic_v2_compares_the_chance_of_the_cheapest_tier(payloads, load, store):
    report, _ = load(lines(of(payloads, "smart")))
    assert report.mapping["confidence"] == f"{FORECAST}.probabilities.SIMPLE"
    assert report.mapping["threshold"] == f"{FORECAST}.threshold"
    found = decisions(
        store, "confidence >= threshold, escalated, threshold, policy_kind, confidence_kind, arm"
    )
    fingerprint = of(payloads, "smart")[0]["metadata"]["routing_decision"]["router_config_fingerprint"]
    assert sorted(found) == [
        (False, True, 0.8, "predictive", "predictive", fingerprint),
        (True, False, 0.8, "predictive", "predictive", fingerprint),
        (True, False, 0.8, "predictive", "predictive", fingerprint),
    ]
    assert calls(store, "DISTINCT experiment", "d") == [("smart",)]


def test_a_tier_without_models_is_served_by_the_cheapest_and_moves_the_chance_that_counts(
    payloads, load, store
):
    # Only SIMPLE and REASONING have models: MEDIUM and COMPLEX fall to the fast one, so that a request leaves
    # it if and only if the chance of COMPLEX is below the threshold. SIMPLE would say otherwise:
    tiers = [record["metadata"]["routing_decision"] for record in of(payloads, "gappy")]
    assert [one["tier"] for one in tiers] == ["MEDIUM", "REASONING", "COMPLEX"]
    assert [one["routed_model"] for one in tiers] == ["fast", "strong", "fast"]
    assert all(one["heuristic_v2_forecast"]["probabilities"]["SIMPLE"] < 0.95 for one in tiers)
    report, _ = load(lines(of(payloads, "gappy")))
    assert report.mapping["confidence"] == f"{FORECAST}.probabilities.COMPLEX"
    assert decisions(store, "escalated = (confidence < threshold)") == [(True,)] * 3


def test_where_routers_differ_the_choice_is_told(payloads, load):
    report, _ = load(lines(of(payloads, "smart", "gappy")))
    assert report.mapping["confidence"] == f"{FORECAST}.probabilities.SIMPLE"
    [note] = [note for note in report.notes if note.startswith("confidence is read from")]
    assert f"{FORECAST}.probabilities.COMPLEX" in note


def test_the_capability_classifier_compares_the_calibrated_chance(payloads, load, store):
    judged = of(payloads, "capable hard", "capable easy", "calibrated hard", "calibrated easy")
    report, passed = load(lines(judged))
    assert passed == {f"{SELF_MADE} (autorouter_classifier)": 4}
    assert report.mapping["confidence"] == "metadata.routing_decision.compared_p_solve"
    # 1 / (1 + exp(-(ln(0.62 / 0.38) - 0.5))) = 0.4973871; ln(0.9 / 0.1) - 0.5 gives 0.8451719.
    assert calls(store, "round(confidence, 7), threshold, model, policy_kind, tier, tier_logged") == [
        (0.62, 0.6, "openai/gpt-4o-mini", "predictive", None, "SIMPLE"),
        (0.9, 0.6, "openai/gpt-4o-mini", "predictive", None, "SIMPLE"),
        (0.4973871, 0.6, "openai/o3-mini@high", "predictive", None, "REASONING"),
        (0.8451719, 0.6, "openai/gpt-4o-mini", "predictive", None, "SIMPLE"),
    ]
    assert decisions(store, "escalated = (confidence < threshold)") == [(True,)] * 4


def test_the_uncalibrated_chance_stays_available_with_its_threshold(payloads, load, store):
    raw = "metadata.routing_decision.classifier_p_solve"
    judged = of(payloads, "calibrated hard", "calibrated easy")
    report, _ = load(lines(judged), map={"confidence": (raw,)})
    assert report.mapping["threshold"] == "metadata.routing_decision.classifier_threshold"
    assert calls(store, "confidence, confidence_kind, policy_kind") == [
        (0.62, "predictive", "predictive"),
        (0.9, "predictive", "predictive"),
    ]


def test_the_classifier_is_paid_once(payloads, load, store):
    judged = of(payloads, "capable easy")
    assert len(judged) == 2  # the classifier's own call is logged beside the answer
    load(lines(judged))
    assert calls(store, "cost_usd, router_cost_usd, router_latency_s") == [(MINI, MINI, None)]


def test_a_threshold_of_the_router_is_none_of_the_callers_confidence(payloads, load, store):
    smart = of(payloads, "smart")
    for record in smart:
        record["metadata"]["spend_logs_metadata"]["confidence"] = 0.5
    report, _ = load(lines(smart), map={"confidence": ("metadata.spend_logs_metadata.confidence",)})
    assert not {"threshold", "policy_kind"} & report.mapping.keys()
    assert calls(store, "DISTINCT confidence, confidence_kind, threshold") == [(0.5, "self_report", None)]


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "lines"])
def test_payloads_are_the_same_rows_in_every_shape_of_file(payloads, whole, shape):
    _, passed = put(whole.store, SHAPES[shape](payloads), shape)
    assert passed == whole.payloads[1]
    assert calls(whole.store, EVERYTHING, shape) == calls(whole.store, EVERYTHING, "p")


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "csv"])
def test_spend_logs_are_the_same_rows_in_every_shape_of_file(whole, shape):
    _, passed = put(whole.store, SHAPES[shape](spend_logs()), f"s {shape}")
    assert passed == whole.spend_logs[1]
    assert calls(whole.store, EVERYTHING, f"s {shape}") == calls(whole.store, EVERYTHING, "s")


def test_spend_logs_are_recognised_and_what_is_no_request_is_passed_over(whole):
    report, passed = whole.spend_logs
    assert tool_of(record_names(spend_logs()[0])) is litellm.SPEND_LOGS
    origins = (
        "autorouter_classifier", "autorouter_compaction", "shadow_eval_router", "shadow_eval_judge",
        "llm_as_a_judge_guardrail", "background_response_cost_poll", "rubric_rewriter",
    )  # fmt: skip
    assert passed == {
        **{f"{SELF_MADE} ({origin})": 1 for origin in origins},
        "no chat call (aembedding)": 1,
        "no chat call (amoderation)": 1,
        "health check": 1,
    }
    assert (len(spend_logs()), report.read) == (33, 23)


def test_a_cascade_in_spend_logs_becomes_decisions(whole):
    report, _ = whole.spend_logs
    assert report.mapping["confidence"] == "metadata.spend_logs_metadata.confidence"
    columns = (
        "request_id, task_category, confidence, confidence_kind, threshold, fast_correct, strong_correct, "
        "fast_cost_usd, strong_cost_usd, fast_latency_s, strong_latency_s, escalated, policy_kind, unit_id"
    )
    found = [row for row in decisions(whole.store, columns, "s") if row[0].startswith("r")]
    assert found == [
        (
            "r1",
            "maths",
            0.95,
            "verifier",
            0.6,
            1.0,
            None,
            MINI,
            None,
            0.8,
            None,
            False,
            "cascade",
            "customer-1",
        ),
        ("r2", "maths", 0.4, "verifier", 0.6, 0.0, 1.0, MINI, O3, 0.8, 6.25, True, "cascade", "customer-2"),
        ("r3", "law", 0.35, "verifier", 0.6, 0.0, 0.0, MINI, O3, 0.8, 6.25, True, "cascade", "customer-3"),
        ("r4", "law", 0.8, "verifier", 0.6, 0.5, None, MINI, None, 0.8, None, False, "cascade", "customer-4"),
    ]


def test_the_other_calls_of_a_spend_log(whole):
    columns = "model, task_category, ts, latency_s, ttft_s, cost_usd, cache_hit, status, input_tokens"
    found = {row[0]: row[1:] for row in calls(whole.store, f"request_id, {columns}", "s")}

    def at(clock):
        return datetime.fromisoformat(f"2026-11-20 {clock}.250")

    # Streamed and tagged: (7 x 0.15 + 2 x 0.60) / 1e6 = 2.25e-6, the first token after 0.4 s.
    streamed = pytest.approx(2.25e-6)
    mocked = pytest.approx(1.35e-5)
    expected = {
        "call-007": ("gpt-4o-mini", "law", at("09:09:00"), 2.0, 0.4, streamed, False, "success", 7),
        "call-008": ("nobody", None, at("09:10:30"), 1.5, None, None, None, "success", 100),
        "call-009": ("ourselves", None, at("09:12:00"), 1.5, None, 0.0, None, "success", 100),
        "call-010": ("broken", None, at("09:13:30"), 0.1, None, 0.0, False, "error", None),
        "call-011": ("gpt-4o-mini", None, at("09:15:00"), 30.0, None, 0.0, False, "timeout", None),
        "call-012": ("gpt-4o-mini", None, at("09:19:30"), 1.5, None, mocked, None, "success", 10),
        # From the cache in 10 ms for nothing: the word in the file is "True".
        "call-013": ("gpt-4o-mini", None, at("09:21:00"), 0.01, None, 0.0, True, "success", 10),
    }
    assert {name: found[name] for name in expected} == expected


def test_a_spend_log_groups_by_stored_prompts_else_by_proxied_requests(whole):
    session = {row["litellm_call_id"] for row in spend_logs() if row["session_id"] == "session-1"}
    found = calls(whole.store, "call_id, request_id, unit_id", "s")
    requests = {call: request for call, request, _ in found}
    assert {unit for call, _, unit in found if call in session} == {"session-1"}
    # The second turn was asked of two models; the bodies of the last two turns were not stored.
    assert requests["call-015"] == requests["call-016"] != requests["call-014"]
    assert (requests["call-017"], requests["call-018"]) == ("call-017", "call-018")


def test_an_earlier_attempt_that_was_billed_belongs_to_its_request(whole):
    found = rows(
        whole.store,
        "SELECT call_id, status FROM calls WHERE dataset = 's' AND request_id = 'call-777' ORDER BY ts",
    )
    # The failed one has an id of its own, so that no grade of the answer is joined to it.
    assert found == [("failed call-777-attempt-0", "error"), ("call-777", "success")]


def test_a_routed_spend_log_becomes_predictive_decisions(load, store):
    report, _ = load(dumped(spend_logs("spend_logs_routed")))
    assert report.mapping["confidence"] == f"{FORECAST}.probabilities.SIMPLE"
    columns = "request_id, round(confidence, 4), threshold, escalated, fast_cost_usd, strong_cost_usd"
    assert decisions(store, columns) == [
        ("call-001", 0.9379, 0.8, False, MINI, None),
        ("call-002", 0.7397, 0.8, True, None, O3),
        ("call-003", 0.9011, 0.8, False, MINI, None),
        ("call-004", 0.6835, 0.8, True, None, O3),
        ("call-005", 0.9379, 0.8, False, MINI, None),
        ("call-006", 0.8403, 0.8, False, MINI, None),
    ]
    # The seventh call named the strong model itself: nobody decided that, so it is no decision.
    assert calls(store, "policy_kind, experiment")[6] == (None, None)


def test_the_routers_guess_of_the_task_counts_where_the_caller_says_nothing(load, store):
    routed = spend_logs("spend_logs_routed")
    load(dumped([row for row in routed if not row["request_tags"]]), "guessed")
    assert calls(store, "task_category", "guessed")[:2] == [("factual_lookup",), ("code_generation",)]
    load(dumped(routed), "said")
    assert rows(store, "SELECT DISTINCT task_category FROM calls WHERE dataset = 'said' ORDER BY 1") == [
        ("math",),
        (None,),
    ]


def test_a_judged_spend_log_pays_its_classifier_once(load, store):
    rated = spend_logs("spend_logs_judged")
    load(dumped(rated))
    # Eight rows: four answers and four calls of the classifier, which stand in the decisions as well.
    assert sum(row["spend"] for row in rated) == pytest.approx(7 * 4.2e-5 + 3.08e-4)
    [(answers, router)] = calls(store, "sum(cost_usd), sum(router_cost_usd)")
    assert (answers, router) == (pytest.approx(3 * 4.2e-5 + 3.08e-4), pytest.approx(4 * 4.2e-5))


def test_the_verdict_of_a_judge_on_the_answer_is_a_grade_and_one_on_the_prompt_is_none(load, store):
    rated = [row for row in spend_logs() if "eval_information" in row["metadata"]]
    assert [row["metadata"]["eval_information"]["passed"] for row in rated] == [True, False, False]
    load(dumped(rated))
    assert calls(store, "correct, correct_source") == [(1.0, "judge"), (0.0, "judge"), (None, None)]


def test_a_summary_by_day_is_refused_with_what_to_ask_for_instead(store, tmp_path):
    # As ``_daily_summary_item`` in spend_management_endpoints.py builds it.
    day = {
        "startTime": "2026-11-20",
        "spend": 0.5,
        "users": {"team-owner": 0.5},
        "models": {"gpt-4o-mini": 0.5},
    }
    path = tmp_path / "days.json"
    path.write_text(json.dumps([day, {**day, "startTime": "2026-11-21"}]))
    with pytest.raises(SchemaError, match="summarize=false"):
        intake.load(store, "d", [path], Answers())


def test_no_other_tool_takes_these_files_and_these_take_no_plain_table(payloads):
    others = [tool for tool in TOOLS if tool not in litellm.DIALECTS]
    for record in (payloads[0], spend_logs()[0]):
        assert not [tool.name for tool in others if tool.recognises(record_names(record))]
    for columns in (
        "request_id model cost_usd latency_ms",
        "id spend model call_type",
        "response_cost model",
    ):
        assert not [tool for tool in litellm.DIALECTS if tool.recognises(frozenset(columns.split()))]
    assert all(DIALECTS[tool.name] is tool for tool in litellm.DIALECTS)


def test_prompts_and_answers_are_read_only_if_asked_for(payloads, load, store):
    said = of(payloads, "said")
    load(lines(said), "without")
    load(lines(said), "with", keep_text=True)
    assert calls(store, "prompt, answer", "without") == [(None, None)]
    assert calls(store, "prompt, answer", "with") == [('[{"role": "user", "content": "2 + 2?"}]', "four")]
