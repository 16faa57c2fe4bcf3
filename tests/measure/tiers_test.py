"""Cost and accuracy per tier, model and category, worked by hand and against NumPy."""

# ruff: noqa: DTZ001 - the tables hold UTC without a zone

import math
from datetime import date, datetime

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from stores import load

from analytics.measure.tiers import GROUPINGS, tier_estimates, tier_table


def table(store, dataset="d", **options):
    with store.cursor() as cursor:
        return tier_table(cursor, dataset, **options)


def call(request, model, **more):
    return {"request_id": request, "model": model, "task_category": "maths", **more}


CALLS = [
    call("r1", "small", tier="small", correct=1.0, cost_usd=0.1, latency_s=1.0, input_tokens=10,
         ts=datetime(2026, 1, 1, 23)),
    call("r2", "small", tier="small", correct=0.0, cost_usd=0.2, latency_s=2.0, input_tokens=20,
         ts=datetime(2026, 1, 2, 0)),
    call("r3", "small", tier="small", task_category="law", cost_usd=0.3, ts=datetime(2026, 1, 2, 1)),
    call("r2", "big", tier="reasoning", correct=1.0, cost_usd=1.0, latency_s=30.0, ts=datetime(2026, 1, 2)),
    call("r1", "big", tier="reasoning", correct=0.5, cost_usd=2.0, shadow=True, ts=datetime(2026, 1, 1, 23)),
    call("r4", "other", task_category=None, correct=1.0),
]  # fmt: skip


def test_sums_per_category_are_worked_by_hand(store):
    # maths: calls r1, r2 of small and both of big; law: r3; uncategorised: r4.
    load(store, "d", CALLS, form="calls")
    found = table(store)
    assert found["task_category"].to_list() == ["law", "maths", None]
    maths = found.row(1, named=True)
    assert (maths["calls"], maths["graded"], maths["correct_sum"], maths["correct_sq"]) == (4, 4, 2.5, 2.25)
    assert maths["cost_sum"] == pytest.approx(3.3)
    assert maths["cost_sq"] == pytest.approx(0.01 + 0.04 + 1.0 + 4.0)
    assert maths["cost_x_correct"] == pytest.approx(0.1 * 1 + 0.2 * 0 + 1.0 * 1 + 2.0 * 0.5)
    # Latencies 1, 2, 30: the median is 2, the 95th percentile 2 + 0.9 x 28 (linear, R type 7).
    assert (maths["latency_n"], maths["latency_p50_s"]) == (3, 2.0)
    assert maths["latency_p95_s"] == pytest.approx(np.percentile([1.0, 2.0, 30.0], 95)) == 27.2
    assert maths["input_tokens"] == 30
    assert maths["output_tokens"] is None
    law = found.row(0, named=True)
    assert (law["calls"], law["graded"], law["cost_n"], law["both_n"], law["latency_p50_s"]) == (
        1,
        0,
        1,
        0,
        None,
    )


def test_a_shadow_call_was_paid_for(store):
    load(store, "d", CALLS, form="calls")
    found = table(store, by="model")
    assert dict(found.select("model", "calls").rows()) == {"big": 2, "other": 1, "small": 3}
    assert found.row(0, named=True)["cost_sum"] == 3.0


def test_tiers_come_cheapest_first_and_the_unknown_last(store):
    load(store, "d", CALLS, form="calls")
    assert table(store, by="tier").select("tier", "calls").rows() == [
        ("small", 3),
        ("reasoning", 2),
        (None, 1),
    ]
    store.set_tier("d", "other", "frontier")
    assert table(store, by="tier")["tier"].to_list() == ["small", "frontier", "reasoning"]


def test_days_are_days_in_utc(store):
    load(store, "d", CALLS, form="calls")
    found = table(store, by="day").select("day", "calls").rows()
    assert found == [(date(2026, 1, 1), 2), (date(2026, 1, 2), 3), (None, 1)]


@pytest.mark.parametrize("by", GROUPINGS)
def test_every_grouping_counts_every_call_once(store, by):
    load(store, "d", CALLS, form="calls")
    found = table(store, by=by)
    assert found["calls"].sum() == len(CALLS)
    assert found.columns[: len(GROUPINGS[by])] == list(GROUPINGS[by])
    assert not set(found.columns) & ({"task_category", "tier", "model", "day"} - set(GROUPINGS[by]))


def test_dates_and_categories_choose_calls(store):
    load(store, "d", CALLS, form="calls")
    assert table(store, since=date(2026, 1, 2))["calls"].sum() == 3
    assert table(store, until=date(2026, 1, 2))["calls"].sum() == 2
    assert table(store, categories=["law"])["calls"].sum() == 1
    assert table(store, categories=[None])["calls"].sum() == 1
    assert table(store, categories=["Uncategorised", "law"])["calls"].sum() == 2
    assert table(store, categories=[]).is_empty()


def test_a_log_with_one_row_per_request_counts_the_answers_that_were_given(store):
    # r1: both observed. r2: kept. r3: escalated, so the strong model was called. r4: a confidence alone.
    wide = {"fast_model": "f", "strong_model": "s", "task_category": "x"}
    log = [
        {**wide, "request_id": "r1", "fast_correct": 1.0, "strong_cost_usd": 1.0},
        {**wide, "request_id": "r2", "escalated": False},
        {**wide, "request_id": "r3", "escalated": True},
        {**wide, "request_id": "r4", "confidence": 0.5},
    ]
    load(store, "d", log, form="decisions")
    assert table(store, by="model").select("model", "calls").rows() == [("f", 4), ("s", 2)]


def test_a_predictive_router_calls_one_model(store):
    wide = {"fast_model": "f", "strong_model": "s", "policy_kind": "predictive"}
    log = [{**wide, "request_id": "r1", "escalated": False}, {**wide, "request_id": "r2", "escalated": True}]
    load(store, "d", log, form="decisions")
    assert table(store, by="model").select("model", "calls").rows() == [("f", 1), ("s", 1)]


def test_a_call_on_the_rows_of_two_pairs_counts_once(store):
    wide = {"request_id": "r", "fast_model": "f", "fast_cost_usd": 1.0, "fast_correct": 1.0}
    load(
        store,
        "d",
        [
            {**wide, "strong_model": "s", "strong_cost_usd": 5.0},
            {**wide, "strong_model": "t", "strong_cost_usd": 7.0},
        ],
        form="decisions",
    )
    assert table(store, by="model").select("model", "calls", "cost_sum").rows() == [
        ("f", 1, 1.0),
        ("s", 1, 5.0),
        ("t", 1, 7.0),
    ]


def test_a_served_failure_is_a_wrong_answer(store):
    load(
        store,
        "d",
        [
            call("r1", "m", status="timeout", served=True),
            call("r2", "m", status="error"),
            call("r3", "m", status="error", shadow=True),
            call("r4", "m", status="error", served=False),
            call("r5", "m", status="success"),
        ],
        form="calls",
    )
    found = table(store).row(0, named=True)
    assert (found["calls"], found["graded"], found["correct_sum"]) == (5, 2, 0.0)


def test_estimates_are_those_of_statsmodels_and_the_textbook(store):
    grades = [1.0] * 7 + [0.0] * 3
    costs = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    load(
        store,
        "d",
        [
            call(f"r{i}", "m", correct=g, cost_usd=c)
            for i, (g, c) in enumerate(zip(grades, costs, strict=True))
        ],
        form="calls",
    )
    found = tier_estimates(table(store)).row(0, named=True)
    assert (found["accuracy_low"], found["accuracy_high"]) == pytest.approx(
        proportion_confint(7, 10, method="wilson")
    )
    assert found["accuracy"] == pytest.approx(0.7)
    half = 1.959963984540054 * np.std(costs, ddof=1) / math.sqrt(10)
    assert found["cost_per_call_usd"] == pytest.approx(0.55)
    assert found["cost_per_call_usd_low"] == pytest.approx(0.55 - half)
    # Delta method on the log: variance of (cost - R grade) over the mean grade, relative to R = 5.5 / 7.
    ratio = 5.5 / 7
    error = np.std(np.array(costs) - ratio * np.array(grades), ddof=1) / math.sqrt(10) / 0.7 / ratio
    assert found["cost_per_correct_usd"] == pytest.approx(ratio)
    assert found["cost_per_correct_usd_high"] == pytest.approx(ratio * math.exp(1.959963984540054 * error))
    assert found["cost_usd"] == pytest.approx(5.5)
    assert [found[name] for name in found if name.endswith("_reason")] == [None] * 4


def test_fractional_grades_have_a_normal_interval_within_the_scale(store):
    grades = [0.9, 1.0, 0.95, 0.2]
    load(store, "d", [call(f"r{i}", "m", correct=g) for i, g in enumerate(grades)], form="calls")
    found = tier_estimates(table(store)).row(0, named=True)
    half = 1.959963984540054 * np.std(grades, ddof=1) / 2
    assert found["accuracy_low"] == pytest.approx(np.mean(grades) - half)
    assert found["accuracy_high"] == 1.0


def test_what_is_undefined_is_null_with_its_reason(store):
    load(store, "d", [call("r1", "m"), call("r2", "m", correct=0.0, task_category="wrong", cost_usd=1.0)],
         form="calls")  # fmt: skip
    nothing, wrong = tier_estimates(table(store)).rows(named=True)
    assert nothing["accuracy"] is nothing["cost_usd"] is nothing["cost_per_correct_usd"] is None
    assert nothing["accuracy_reason"] == "no call is graded"
    assert nothing["cost_usd_reason"] == nothing["cost_per_call_usd_reason"] == "no cost is known"
    assert wrong["cost_per_correct_usd"] is None
    assert wrong["cost_per_correct_usd_reason"] == "no graded answer is correct"
    assert wrong["cost_per_call_usd"] == 1.0
    assert wrong["cost_per_call_usd_low"] is None


def test_costs_known_of_less_than_half_the_calls_are_no_figure(store):
    log = [call(f"r{i}", "m", correct=1.0, cost_usd=0.1 if i < 2 else None) for i in range(5)]
    load(store, "d", log, form="calls")
    found = tier_estimates(table(store)).row(0, named=True)
    assert found["cost_usd"] is None
    assert found["cost_per_correct_usd_reason"] == "the cost of only 2 of 5 calls is known"


def test_estimates_never_hold_nan_and_bracket_their_value(store):
    load(store, "d", CALLS, form="calls")
    for by in GROUPINGS:
        found = tier_estimates(table(store, by=by))
        for row in found.rows(named=True):
            assert not any(isinstance(value, float) and not math.isfinite(value) for value in row.values())
            for name in ("accuracy", "cost_per_call_usd", "cost_per_correct_usd"):
                assert (row[name] is None) == (row[f"{name}_reason"] is not None)
                if row[f"{name}_low"] is not None:
                    assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_an_empty_table_has_every_estimate_column(store):
    load(store, "d", CALLS, form="calls")
    found = tier_estimates(table(store, categories=[]))
    assert {"accuracy_low", "cost_per_correct_usd_reason", "cost_usd"} <= set(found.columns)
