"""Goals, held-out figures and evaluation, against hand arithmetic, brute force and known truths."""

import itertools

import numpy as np
import pytest
from decisions import log_of
from scipy import stats

from analytics.errors import InsufficientDataError, NotIdentifiedError
from analytics.logs.schema import REPORT_FOLDS
from analytics.policy import CategoryPolicy, Default, Goal, ThresholdPolicy
from analytics.tuning.allocation import Candidates, joint_frontier
from analytics.tuning.curve import curve
from analytics.tuning.evaluation import compared, evaluate
from analytics.tuning.goals import tune
from analytics.tuning.log import select
from analytics.tuning.picking import pick
from analytics.tuning.policy_sums import everywhere


def simulated(folder, n=4000, seed=1, *, categories=("a", "b", "c"), costs=True, **extra):
    """Confidence is the fast model's true accuracy; the strong one is right 9 times of 10."""
    generator = np.random.default_rng(seed)
    confidence = generator.integers(4, 21, n) / 20
    rows = {
        "task_category": generator.choice(categories, n),
        "confidence": confidence,
        "fast_correct": (generator.random(n) < confidence).astype(int),
        "strong_correct": (generator.random(n) < 0.9).astype(int),
        **extra,
    }
    if costs:
        rows |= {"fast_cost_usd": np.full(n, 0.001), "strong_cost_usd": np.full(n, 0.02)}
    return select(log_of(rows, folder))


def test_evaluate_agrees_with_the_curve_at_the_same_threshold(tmp_path):
    chosen = simulated(tmp_path)
    for category in chosen.categories:
        points = curve(chosen, category=category).points
        for row in points.head(-1).iter_rows(named=True):
            policy = ThresholdPolicy(
                "cascade", Default("strong_only"), {category: CategoryPolicy("cascade", row["threshold"])}
            )
            got = evaluate(chosen, policy).categories[category]
            assert got.accuracy.value == row["accuracy"]
            assert (got.accuracy.low, got.accuracy.high) == (row["accuracy_low"], row["accuracy_high"])
            assert got.cost_per_request_usd.value == pytest.approx(row["cost_per_request_usd"], rel=1e-13)
            assert got.escalation_rate.value == row["escalation_rate"]


def test_the_file_s_decimal_threshold_is_the_same_policy(tmp_path):
    chosen = simulated(tmp_path)
    tuning = tune(chosen, Goal(margin=0.02))
    for item in tuning.policy.categories.values():
        if item.route == "cascade":
            low, high = item.interval
            assert low < item.threshold <= high
    exact = {
        name: CategoryPolicy(item.route, item.interval and item.interval[1])
        for name, item in tuning.policy.categories.items()
    }
    policy = ThresholdPolicy("cascade", Default("strong_only"), exact)
    same = evaluate(chosen, policy, folds=tuning.rows.folds, rows=tuning.rows.reported_on)
    assert same.overall == tuning.figures.overall


def test_figures_come_from_the_rows_that_the_pick_did_not_see(tmp_path):
    chosen = simulated(tmp_path)
    tuning = tune(chosen, Goal(name="value", value_usd=0.1))
    assert tuning.policy.evidence.picked_on == "folds 0-9"
    held_out = evaluate(chosen, tuning.policy, folds=REPORT_FOLDS).overall
    assert tuning.policy.overall.accuracy.value == pytest.approx(held_out.accuracy.value, rel=1e-11)
    rows = chosen.rows.filter(chosen.rows["fold"].is_in(REPORT_FOLDS))
    assert held_out.accuracy.n == rows["rows"].sum()


def test_a_margin_is_spent_on_the_cheapest_thresholds(tmp_path):
    """Confidence is the fast accuracy, 17 levels from 0.2 to 1.0, and the strong model is right 0.9.

    Keeping from 0.8 up loses (.1 + .05 + 0 - .05 - .1) / 17 = 0; from 0.75 up .15 / 17 = 0.0088.
    """
    chosen = simulated(tmp_path, n=60_000, categories=("a",))
    item = tune(chosen, Goal(margin=0.005)).policy.categories["a"]
    assert item.route == "cascade"
    assert item.interval[1] == 0.8


def test_value_takes_each_threshold_where_a_correct_answer_pays_for_the_strong_call(tmp_path):
    """Escalating pays iff value * (0.9 - c) > 0.02 USD: at 0.1 USD a correct answer, below c = 0.7."""
    chosen = simulated(tmp_path, n=60_000, categories=("a",))
    item = tune(chosen, Goal(name="value", value_usd=0.1)).policy.categories["a"]
    assert item.interval[1] == pytest.approx(0.7, abs=0.051)


def test_a_budget_is_kept_and_nothing_more_accurate_fits(tmp_path):
    chosen = simulated(tmp_path, n=6000, categories=("a", "b"))
    picked = pick(chosen, Goal(name="budget", budget_usd=0.008), folds=None)
    options = {name: curve(chosen, category=name).points for name in chosen.categories}
    n = {name: options[name].height for name in options}
    rows = {name: curve(chosen, category=name).n for name in options}

    def joint(a, b):
        chosen_rows = [options["a"].row(a, named=True), options["b"].row(b, named=True)]
        weights = [rows["a"], rows["b"]]
        cost = sum(w * r["cost_per_request_usd"] for w, r in zip(weights, chosen_rows, strict=True))
        right = sum(w * r["accuracy"] for w, r in zip(weights, chosen_rows, strict=True))
        return cost / sum(weights), right / sum(weights)

    def place(name):
        choice = picked.choices[name]
        found = options[name]["threshold"].to_list()
        return found.index(choice.threshold) if choice.route == "cascade" else 0

    cost, accuracy = joint(place("a"), place("b"))
    assert cost <= 0.008
    best = max(right for a, b in itertools.product(range(n["a"]), range(n["b"]))
               for spent, right in [joint(a, b)] if spent <= 0.008)  # fmt: skip
    # A single shadow price loses at most one hull segment against the exhaustive optimum.
    assert best - accuracy < 0.02


def test_the_joint_frontier_equals_brute_force_on_its_vertices():
    generator = np.random.default_rng(4)
    items = {
        name: Candidates(
            route=("cascade",) * 6, index=tuple(range(6)), correct=np.sort(generator.random(6)) * 10,
            cost=np.sort(generator.random(6)), n=10, cost_n=10, reference=None,
        )
        for name in "xyz"
    }  # fmt: skip
    joint = [
        (sum(items[k].cost[i] for k, i in zip("xyz", combo, strict=True)),
         sum(items[k].correct[i] for k, i in zip("xyz", combo, strict=True)))
        for combo in itertools.product(range(6), repeat=3)
    ]  # fmt: skip
    path = joint_frontier(items)
    prices = [step.price for step in path[1:]]
    assert prices == sorted(prices)
    for step in path[1:]:
        worth = step.price
        best = max(worth * right - spent for spent, right in joint)
        assert worth * step.correct - step.cost == pytest.approx(best)


def test_too_little_data_is_said_and_takes_the_default(tmp_path):
    n = 600
    small = {
        "task_category": ["a"] * n + ["rare"] * 20,
        "confidence": [0.2, 0.9] * ((n + 20) // 2),
        "fast_correct": [0, 1] * ((n + 20) // 2),
        "strong_correct": [1, 1] * ((n + 20) // 2),
    }
    rare = tune(select(log_of(small, tmp_path)), Goal(scope="category")).policy.categories["rare"]
    assert (rare.verdict, rare.route, rare.threshold) == ("insufficient_evidence", "strong_only", None)
    assert "20 graded pairs" in rare.reason


def test_a_log_without_strong_outcomes_is_refused_with_the_reason(tmp_path):
    rows = {"confidence": [0.2, 0.9] * 100, "fast_correct": [0, 1] * 100, "escalated": [False] * 200}
    with pytest.raises(NotIdentifiedError, match="both answers graded"):
        tune(select(log_of(rows, tmp_path)), Goal())


def test_goals_that_need_costs_say_so(tmp_path):
    with pytest.raises(InsufficientDataError, match="--price MODEL"):
        tune(simulated(tmp_path, n=600, costs=False), Goal(name="budget", budget_usd=1))


def test_a_plain_cascade_is_tuned_against_the_policy_in_force_and_only_downwards(tmp_path):
    generator = np.random.default_rng(8)
    n = 8000
    confidence = generator.integers(4, 21, n) / 20
    escalated = confidence < 0.8
    rows = {
        "confidence": confidence,
        "threshold": [0.8] * n,
        "escalated": escalated,
        "fast_correct": (generator.random(n) < 0.85).astype(int),
        "strong_correct": np.where(escalated, generator.random(n) < 0.86, np.nan),
        "fast_cost_usd": [0.001] * n,
        "strong_cost_usd": [0.02 if e else None for e in escalated],
    }  # fmt: skip
    got = tune(select(log_of(rows, tmp_path)), Goal(margin=0.03))
    item = got.policy.categories["math"]
    assert got.reference == "in-force"
    assert got.policy.goal.reference == "in-force"
    # The two models differ by one point only, so nothing needs to be escalated.
    assert item.route == "fast_only"
    assert got.vs_strong["math"].accuracy.value is None
    assert got.vs_in_force["math"].accuracy.value == pytest.approx(-0.006, abs=0.02)


def test_paired_differences_equal_scipy_with_one_difference_added_on_each_side(tmp_path):
    """Bonett & Price (2012): the Wald interval of the differences and one +1 and one -1 more."""
    chosen = simulated(tmp_path, n=5000, categories=("a",))
    got = compared(chosen, everywhere(chosen, "fast_only"), everywhere(chosen, "strong_only"))["a"].accuracy
    generator = np.random.default_rng(1)
    confidence = generator.integers(4, 21, 5000) / 20
    generator.choice(("a",), 5000)
    fast = (generator.random(5000) < confidence).astype(int)
    strong = (generator.random(5000) < 0.9).astype(int)
    difference = fast - strong
    added = np.append(difference, [1, -1])
    interval = stats.norm.interval(0.95, added.mean(), stats.sem(added))
    assert got.value == pytest.approx(difference.mean())
    assert (got.low, got.high) == pytest.approx(interval)


def test_users_with_several_requests_widen_the_intervals(tmp_path):
    generator = np.random.default_rng(2)
    users = 200
    skill = generator.random(users)
    owner = np.repeat(np.arange(users), 20)
    right = (generator.random(owner.size) < skill[owner]).astype(int)
    rows = {
        "confidence": np.full(owner.size, 0.5),
        "fast_correct": right,
        "strong_correct": np.ones(owner.size, dtype=int),
        "unit_id": [f"u{i}" for i in owner],
    }
    clustered = curve(select(log_of(rows, tmp_path))).fast_only.accuracy
    del rows["unit_id"]
    naive = curve(select(log_of(rows, tmp_path))).fast_only.accuracy
    # Users answer all right or all wrong to a third: the true design effect is 1 + 19 * 1/3 = 7.3.
    widened = (clustered.high - clustered.low) / (naive.high - naive.low)
    assert 1.7 < widened < 4.2
    assert clustered.method.endswith("clustered")


def test_the_difference_estimator_covers_the_truth(tmp_path):
    """A cascade at 0.6 with a tenth of kept rows shadowed: V(0.9) is known by construction."""
    inside = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        n = 4000
        confidence = generator.integers(0, 11, n) / 10
        escalated = confidence < 0.6
        shadow = ~escalated & (generator.random(n) < 0.1)
        strong = (generator.random(n) < 0.8).astype(int)
        rows = {
            "confidence": confidence,
            "escalated": escalated,
            "fast_correct": (generator.random(n) < confidence).astype(int),
            "strong_correct": [int(s) if e or w else None
                               for s, e, w in zip(strong, escalated, shadow, strict=True)],
            "sampling_probability": [None if e else 0.1 for e in escalated],
        }  # fmt: skip
        points = curve(select(log_of(rows, tmp_path))).points
        row = points.filter(points["threshold"] == 0.9).row(0, named=True)
        # kept: 0.9 and 1.0, right 0.95 on average; escalated: nine of eleven, right 0.8
        truth = (2 * 0.95 + 9 * 0.8) / 11
        inside += row["accuracy_low"] <= truth <= row["accuracy_high"]
    # 40 draws of a 95% interval: 33 or fewer inside has probability 0.002
    assert inside >= 34


def test_of_equal_thresholds_the_lowest_is_taken_on_every_run(tmp_path):
    """No request of folds 0-9 lies between 0.5 and 0.9, so 0.5, 0.7 and 0.9 are the same to the pick."""
    n = 400
    confidence = [0.1, 0.9] * n + [0.5, 0.7] * n
    rows = {
        "confidence": confidence,
        "fold": [i // 2 % 10 for i in range(2 * n)] + [10 + i // 2 % 10 for i in range(2 * n)],
        "fast_correct": [0, 1] * n + [i // 2 % 2 for i in range(2 * n)],
        "strong_correct": [1] * (4 * n),
        "fast_cost_usd": [0.1] * (4 * n),
        "strong_cost_usd": [0.7] * (4 * n),
    }
    item = tune(select(log_of(rows, tmp_path)), Goal(margin=0.0)).policy.categories["math"]
    assert item.interval == (0.1, 0.5)
