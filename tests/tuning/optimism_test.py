"""The meter's dollars by hand, and optimism where its size is known."""

import numpy as np
import pytest
from decisions import decisions, log_of

from analytics.policy import Goal
from analytics.tuning.goals import tune
from analytics.tuning.log import select
from analytics.tuning.optimism import CROSS_GROUPS, SAVED, shrinkage


def drawn(folder, n, seed, *, categories=4):
    generator = np.random.default_rng(seed)
    confidence = generator.integers(1, 21, n) / 20
    rows = {
        "task_category": generator.choice([f"c{at}" for at in range(categories)], n),
        "confidence": confidence,
        "fast_correct": (generator.random(n) < 0.5 + confidence / 3).astype(int),
        "strong_correct": (generator.random(n) < 0.85).astype(int),
        "fast_cost_usd": generator.gamma(2, 0.001, n),
        "strong_cost_usd": generator.gamma(2, 0.01, n),
    }
    return rows, select(log_of(rows, folder))


def test_every_fold_is_scored_once():
    assert sorted(fold for group in CROSS_GROUPS for fold in group) == list(range(20))


def test_dollars_saved_are_the_difference_of_mean_costs(tmp_path):
    """Row by row on the held-out half: always strong pays the strong call, the policy what its rule says."""
    rows, selection = drawn(tmp_path, 4000, 1)
    tuning = tune(selection, Goal(name="value", value_usd=0.05))
    frame = decisions(rows)
    held = (frame["fold"] >= 10).to_numpy()
    spent = np.zeros(4000)
    for name, rule in tuning.policy.categories.items():
        mine = (frame["task_category"] == name).to_numpy()
        limit = {"fast_only": 0.0, "strong_only": 2.0}.get(rule.route, rule.threshold)
        escalated = rows["confidence"] < limit
        cost = rows["fast_cost_usd"] + escalated * rows["strong_cost_usd"]
        cost = rows["strong_cost_usd"] if rule.route == "strong_only" else cost
        spent = np.where(mine, cost, spent)
    wanted = (rows["strong_cost_usd"] - spent)[held].mean() * 1000
    found = tuning.optimism["held_out"][SAVED]
    assert found.value == pytest.approx(wanted)
    assert found.low < found.value < found.high
    assert tuning.vs_strong[None].saved_usd.value == pytest.approx(wanted / 1000)


def test_a_pick_among_useless_thresholds_is_optimistic(tmp_path):
    """Where confidence says nothing, what a pick gains on its own rows it has not on others: 40 logs."""
    gaps = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        n = 600
        rows = {
            "confidence": generator.integers(1, 21, n) / 20,
            "fast_correct": generator.integers(0, 2, n),
            "strong_correct": generator.integers(0, 2, n),
            "fast_cost_usd": np.full(n, 0.001),
            "strong_cost_usd": np.full(n, 0.002),
        }
        tuning = tune(select(log_of(rows, tmp_path)), Goal(name="value", value_usd=1.0))
        gaps.append(shrinkage(tuning.optimism, "accuracy"))
        # Every policy truly has accuracy one half.
    mean, error = np.mean(gaps), np.std(gaps) / np.sqrt(40)
    assert mean > 4 * error > 0


def test_without_costs_there_are_no_dollars(tmp_path):
    rows, _ = drawn(tmp_path, 2000, 2)
    del rows["fast_cost_usd"], rows["strong_cost_usd"]
    tuning = tune(select(log_of(rows, tmp_path)), Goal(margin=0.05))
    assert tuning.optimism["held_out"][SAVED].value is None
    assert tuning.optimism["held_out"][SAVED].reason
    assert shrinkage(tuning.optimism, SAVED) is None
