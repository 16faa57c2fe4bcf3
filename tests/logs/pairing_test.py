"""Calls and a ladder give decisions; every case is worked by hand."""

# ruff: noqa: DTZ001 - the tables hold UTC without a zone

from datetime import datetime

import polars as pl
import pytest
from stores import call, decisions, load, rows

from analytics.logs.storage.ladder import Pair


def test_a_cascade_log_becomes_one_decision_per_request(store):
    load(
        store,
        "d",
        [
            call("r1", "small", confidence=0.9, correct=1.0, cost_usd=0.001, latency_s=0.5),
            call("r2", "small", confidence=0.3, correct=0.0, cost_usd=0.002, latency_s=0.6),
            call("r2", "big", confidence=0.99, correct=1.0, cost_usd=0.02, latency_s=9.0),
        ],
        form="calls",
    )
    ladder = store.ladder("d")
    assert ladder.pairs == (Pair("maths", "small", "big", 0),)
    assert ladder.confirmed
    assert "1 requests in which two models occur" in ladder.reason
    columns = (
        "request_id, fast_model, strong_model, confidence, fast_correct, strong_correct, fast_cost_usd, "
        "strong_cost_usd, fast_latency_s, strong_latency_s, escalated, policy_kind"
    )
    assert decisions(store, columns) == [
        ("r1", "small", "big", 0.9, 1.0, None, 0.001, None, 0.5, None, False, "cascade"),
        ("r2", "small", "big", 0.3, 0.0, 1.0, 0.002, 0.02, 0.6, 9.0, True, "cascade"),
    ]


def test_several_calls_of_one_model_add_up_and_the_last_one_answers(store):
    # cost 0.1 + 0.2 = 0.3; latency 1 + 2 = 3; tokens 10 + 30; confidence and grade of call 1.
    load(
        store,
        "d",
        [
            call("r", "small", call_index=1, confidence=0.8, correct=1.0, cost_usd=0.2, latency_s=2.0,
                 input_tokens=30),
            call("r", "small", call_index=0, confidence=0.1, correct=0.0, cost_usd=0.1, latency_s=1.0,
                 input_tokens=10, output_tokens=5),
            call("r", "big", call_index=2, cost_usd=1.0, correct=1.0),
            call("r", "big", call_index=3, cost_usd=None, correct=None),
        ],
        form="calls",
    )  # fmt: skip
    columns = (
        "confidence, fast_correct, round(fast_cost_usd, 12), fast_latency_s, fast_input_tokens, "
        "fast_output_tokens, strong_cost_usd, strong_correct"
    )
    assert decisions(store, columns) == [(0.8, 1.0, 0.3, 3.0, 40, None, None, None)]


def test_without_an_index_the_later_call_is_the_last(store):
    load(
        store,
        "d",
        [
            call("r", "small", effort=None, call_index=None, ts=datetime(2026, 1, 1, 12), confidence=0.2),
            call("r", "small", call_index=0, ts=datetime(2026, 1, 1, 11), confidence=0.7),
            call("r", "big"),
        ],
        form="calls",
    )
    # A call with an index is later than one without.
    assert decisions(store, "confidence") == [(0.7,)]


def test_a_shadow_answer_is_observed_but_was_not_served(store):
    load(
        store,
        "d",
        [
            call("r", "small", confidence=0.9, correct=1.0, cost_usd=0.1, sampling_probability=0.1),
            call("r", "big", shadow=True, correct=0.0, cost_usd=1.0),
        ],
        form="calls",
    )
    columns = "strong_correct, strong_cost_usd, escalated, sampling_probability"
    assert decisions(store, columns) == [(0.0, 1.0, False, 0.1)]


@pytest.mark.parametrize(
    ("fast", "strong", "escalated"),
    [
        ({"served": False}, {"served": True}, True),
        ({"served": True}, {"served": False}, False),
        ({"served": True}, {}, False),
        ({}, {"served": False}, False),
        ({}, {"served": True}, True),
        ({}, {}, True),
        ({"served": False}, {"served": False}, True),
        ({"served": False}, {"shadow": True}, False),
        ({"served": False}, None, None),
        ({"served": True}, None, False),
        ({}, None, False),
    ],
)
def test_escalated_is_what_was_served(store, fast, strong, escalated):
    load(
        store,
        "d",
        [
            *[call("r", "small", cost_usd=0.1, **fast), call("both", "small", cost_usd=0.1)],
            *([] if strong is None else [call("r", "big", cost_usd=1.0, **strong)]),
            call("both", "big", cost_usd=1.0),
        ],
        form="calls",
    )
    assert decisions(store, "request_id, escalated")[1] == ("r", escalated)


def test_a_served_failure_is_a_wrong_answer_with_its_cost(store):
    load(
        store,
        "d",
        [
            call("kept", "small", status="timeout", cost_usd=0.1),
            call("sent", "small", status="error", cost_usd=0.1),
            call("sent", "big", status="timeout", cost_usd=1.0),
        ],
        form="calls",
    )
    columns = "request_id, fast_correct, strong_correct, fast_cost_usd, strong_cost_usd"
    assert decisions(store, columns) == [("kept", 0.0, None, 0.1, None), ("sent", None, 0.0, 0.1, 1.0)]


def test_a_fallback_to_the_fast_model_was_not_escalated(store):
    load(
        store,
        "d",
        [
            *[call("r1", "small", call_index=0, cost_usd=0.1), call("r1", "big", call_index=1, cost_usd=1.0)],
            call("back", "big", call_index=0, status="timeout", cost_usd=0.0),
            call("back", "small", call_index=1, status="success", cost_usd=0.1),
            call("on", "small", call_index=0, status="success", cost_usd=0.1),
            call("on", "big", call_index=1, status="timeout", cost_usd=0.0),
        ],
        form="calls",
    )
    assert decisions(store, "request_id, escalated") == [("back", False), ("on", True), ("r1", True)]


def test_a_strong_answer_alone_is_counted_apart_in_a_cascade(store):
    load(
        store,
        "d",
        [
            *[call("r1", "small", cost_usd=0.1), call("r1", "big", cost_usd=1.0)],
            *[call("r2", "big", cost_usd=1.0), call("r3", "big", cost_usd=1.0)],
        ],
        form="calls",
    )
    assert decisions(store, "request_id") == [("r1",)]
    assert store.strong_only_requests("d") == 2


def test_a_strong_answer_alone_is_a_decision_of_a_predictive_router(store):
    forecast = {"policy_kind": "predictive", "confidence_kind": "predictive", "router_cost_usd": 0.0001}
    load(
        store,
        "d",
        [
            call("r1", "small", cost_usd=0.1, confidence=0.9, **forecast),
            call("r2", "big", cost_usd=1.0, correct=1.0, confidence=0.2, **forecast),
            call("r3", "big", cost_usd=1.0, confidence=0.9, **{**forecast, "confidence_kind": "self_report"}),
            call("r4", "small", cost_usd=0.1, confidence=0.5, **forecast),
            call("r4", "big", cost_usd=1.0, shadow=True, **forecast),
        ],
        form="calls",
    )
    columns = (
        "request_id, confidence, fast_cost_usd, strong_cost_usd, escalated, router_cost_usd, policy_kind"
    )
    assert decisions(store, columns) == [
        ("r1", 0.9, 0.1, None, False, 0.0001, "predictive"),
        ("r2", 0.2, None, 1.0, True, 0.0001, "predictive"),
        ("r3", None, None, 1.0, True, 0.0001, "predictive"),
        ("r4", 0.5, 0.1, 1.0, False, 0.0001, "predictive"),
    ]
    assert store.strong_only_requests("d") == 0


def test_calls_of_a_request_that_come_in_another_file_join_it(store):
    load(store, "d", [call("r1", "small", cost_usd=0.1, confidence=0.4)], form="calls")
    assert decisions(store, "request_id") == []
    load(store, "d", [call("r1", "big", cost_usd=1.0, correct=1.0)], form="calls", file="strong.csv")
    assert decisions(store, "request_id, confidence, strong_correct") == [("r1", 0.4, 1.0)]


def test_fields_of_the_request_come_from_the_fast_call(store):
    load(
        store,
        "d",
        [
            call("r", "small", cost_usd=0.1, threshold=0.7, propensity=0.9, unit_id="u", arm="x",
                 segment="gold", cost_source="logged", answer="fast says"),
            call("r", "big", cost_usd=1.0, threshold=0.1, propensity=0.2, unit_id="other", arm="y",
                 cost_source="priced", correct_source="judge", answer="strong says"),
        ],
        form="calls",
    )  # fmt: skip
    columns = "threshold, propensity, unit_id, arm, segment, cost_source, correct_source, answer"
    assert decisions(store, columns) == [(0.7, 0.9, "u", "x", "gold", "priced", "judge", "strong says")]


def test_the_public_call_level_log_pairs_every_question(store, datasets):
    # routerarena: 809 questions answered by both models. One score, -0.03, is no grade.
    log = pl.read_parquet(datasets / "routerarena" / "long.parquet").with_columns(
        pl.when(pl.col("score").is_between(0, 1)).then(pl.col("score"))
    )
    typed = [
        {
            "request_id": row["global_index"], "task_category": row["dataset"], "model": row["model"],
            "correct": row["score"], "cost_usd": row["inference_cost"], "line": line,
        }
        for line, row in enumerate(log.iter_rows(named=True), start=1)
    ]  # fmt: skip
    assert load(store, "arena", typed, form="calls").loaded == 1618
    wide = log.pivot("model", index="global_index", values=["score", "inference_cost"])
    mean = log.group_by("model").agg(pl.col("inference_cost").mean()).sort("inference_cost")
    fast, strong = mean["model"].to_list()
    found = rows(
        store,
        """SELECT count(*), count(DISTINCT task_category), sum(fast_correct), sum(strong_correct),
               sum(fast_cost_usd), any_value(fast_model), count(DISTINCT fast_model) FROM decisions""",
    )[0]
    assert found[:2] == (809, 78)
    assert found[2:5] == pytest.approx(
        (wide[f"score_{fast}"].sum(), wide[f"score_{strong}"].sum(), wide[f"inference_cost_{fast}"].sum())
    )
    assert found[5:] == (fast, 1)
    assert store.ladder("arena").confirmed
