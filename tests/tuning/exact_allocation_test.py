"""The exact allocation against exhaustive enumeration, and where it is used."""

import itertools

import numpy as np
import pytest

from analytics.policy import Goal
from analytics.tuning.allocation import Candidates, joint_frontier
from analytics.tuning.exact_allocation import best_allocation, better, cheapest_allocation
from analytics.tuning.picking import _refined


def options(seed, categories=3, size=6):
    generator = np.random.default_rng(seed)
    return {
        f"c{place}": Candidates(
            route=("cascade",) * size,
            index=tuple(range(size)),
            correct=np.sort(generator.random(size)) * 100,
            cost=np.sort(generator.random(size)),
            n=100.0,
            cost_n=100.0,
            reference=90.0,
        )
        for place in range(categories)
    }


def every(items):
    for chosen in itertools.product(*(range(item.correct.size) for item in items.values())):
        picked = dict(zip(items, chosen, strict=True))
        yield (
            sum(float(items[name].correct[at]) for name, at in picked.items()),
            sum(float(items[name].cost[at]) for name, at in picked.items()),
        )


@pytest.mark.parametrize("seed", range(12))
def test_the_cheapest_allocation_is_that_of_exhaustive_enumeration(seed):
    items = options(seed)
    needed = 0.6 * sum(item.correct.max() for item in items.values())
    found = cheapest_allocation(items, needed)
    assert found.cost == pytest.approx(min(cost for correct, cost in every(items) if correct >= needed))
    assert found.correct >= needed - 1e-6
    budget = 0.5 * sum(item.cost.max() for item in items.values())
    best = best_allocation(items, budget)
    assert best.correct == pytest.approx(max(correct for correct, cost in every(items) if cost <= budget))
    assert best.cost <= budget * (1 + 1e-9)


def test_an_accuracy_that_no_allocation_reaches_has_none():
    items = options(1)
    assert cheapest_allocation(items, 1 + sum(item.correct.max() for item in items.values())) is None
    assert best_allocation(items, -1.0) is None


def test_a_shadow_price_may_leave_money_on_the_table_and_the_gap_is_what_it_leaves():
    """Nine more must be right: 5 for 1 USD and 10 for 4 at one price, or 9 for 3.50 in one category alone."""
    several = {"n": 10, "cost_n": 10, "reference": None}
    items = {
        "a": Candidates(("fast_only", "cascade"), (-1, 0), np.array([0.0, 5]), np.array([0.0, 1]), **several),
        "b": Candidates(
            ("fast_only", "cascade", "cascade"),
            (-1, 0, 1),
            np.array([0.0, 9, 10]),
            np.array([0.0, 3.5, 3.999]),
            **several,
        ),
    }
    goal = Goal(name="min-accuracy", min_accuracy=9 / 20)
    greedy = next(step for step in joint_frontier(items) if step.correct >= 9)
    choice, gap = _refined(goal, items, greedy.choice)
    assert choice == {"a": 0, "b": 1}
    assert gap == pytest.approx(1 - 3.5 / greedy.cost)
    assert gap > 0


def test_an_order_of_sums_is_no_improvement():
    assert not better(1.0 - 1e-12, 1.0)
    assert better(1.0 - 1e-6, 1.0)
