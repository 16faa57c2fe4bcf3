"""Scaled prices against logs that were written at those prices, and values of a correct answer by hand."""

import numpy as np
import pytest
from decisions import log_of

from analytics.policy import Goal
from analytics.tuning.curve import curve
from analytics.tuning.log import select
from analytics.tuning.picking import bare_policy, pick
from analytics.tuning.policy_sums import everywhere
from analytics.tuning.price_sensitivity import price_sensitivity, with_prices, worths


def rows(n=3000, seed=1, *, strong=0.02, fast=0.001):
    generator = np.random.default_rng(seed)
    confidence = generator.integers(4, 21, n) / 20
    return {
        "task_category": generator.choice(("a", "b"), n),
        "confidence": confidence,
        "fast_correct": (generator.random(n) < confidence).astype(int),
        "strong_correct": (generator.random(n) < 0.9).astype(int),
        "fast_cost_usd": fast * (1 + generator.random(n)),
        "strong_cost_usd": strong * (1 + generator.random(n)),
    }


def test_scaled_prices_are_those_of_a_log_written_at_them(tmp_path):
    scaled = with_prices(select(log_of(rows(), tmp_path)), strong=4, fast=0.5)
    written = select(log_of(rows(strong=0.08, fast=0.0005), tmp_path))
    for column in ("cost_per_request_usd", "cost_low", "cost_high", "accuracy"):
        assert curve(scaled).points[column].to_list() == pytest.approx(
            curve(written).points[column].to_list()
        )
    assert curve(scaled).oracle.cost_per_request_usd.value == pytest.approx(
        curve(written).oracle.cost_per_request_usd.value
    )


def test_a_dearer_strong_model_is_asked_less_for_the_same_value(tmp_path):
    """Escalating pays iff value * (0.9 - c) > 1.5 * price: 0.1 USD against 0.02 USD gives c < 0.6."""
    selection = select(log_of(rows(30_000), tmp_path))
    found = price_sensitivity(selection, Goal(name="value", value_usd=0.1), (0.25, 1.0, 4.0))
    thresholds = [
        0.0 if item.policy.categories["a"].threshold is None else item.policy.categories["a"].interval[1]
        for item in found
    ]
    assert thresholds[0] == pytest.approx(0.85, abs=0.06)
    assert thresholds[1] == pytest.approx(0.6, abs=0.06)
    assert thresholds[2] == pytest.approx(0.0, abs=0.21)
    assert [item.factor for item in found] == [0.25, 1.0, 4.0]


def test_a_choice_is_the_best_one_between_two_values_of_a_correct_answer(tmp_path):
    """One category, three levels: escalating the lowest costs 2 for 80 right, the middle one 2 for 20."""
    n = 100
    table = {
        "confidence": [0.1] * n + [0.5] * n + [0.9] * n,
        "fast_correct": [0] * 90 + [1] * 10 + [0] * 30 + [1] * 70 + [1] * n,
        "strong_correct": [1] * 80 + [0] * 10 + [1] * 10 + [1] * 20 + [0] * 10 + [1] * 70 + [1] * n,
        "fast_cost_usd": [0.0] * 3 * n,
        "strong_cost_usd": [0.02] * 3 * n,
    }
    selection = select(log_of(table, tmp_path))
    goal = Goal(name="value", value_usd=0.05)
    (worth,) = worths(selection, bare_policy(selection, pick(selection, goal, folds=None)))
    assert worth.best
    assert worth.last_usd == pytest.approx(2 / 80)
    assert worth.next_usd == pytest.approx(2 / 20)


def test_a_choice_that_another_one_beats_is_the_best_at_no_value(tmp_path):
    """As above, but the middle level is dear: always strong pays for every fast answer that is right."""
    n = 100
    table = {
        "confidence": [0.1] * n + [0.9] * n,
        "fast_correct": [0] * n + [1] * n,
        "strong_correct": [1] * n + [1] * 80 + [0] * 20,
        "fast_cost_usd": [0.0] * 2 * n,
        "strong_cost_usd": [0.02] * 2 * n,
    }
    selection = select(log_of(table, tmp_path))
    (worth,) = worths(selection, everywhere(selection, "strong_only"))
    assert not worth.best
    # Keeping the confident ones is cheaper and gets 20 more right.
    assert worth.next_usd == 0.0


def test_a_log_without_costs_has_no_worth(tmp_path):
    table = {key: value for key, value in rows().items() if not key.endswith("usd")}
    selection = select(log_of(table, tmp_path))
    goal = Goal(margin=0.02)
    assert worths(selection, bare_policy(selection, pick(selection, goal))) == []
