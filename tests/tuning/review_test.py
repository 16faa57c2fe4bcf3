"""Figures that a statistician found wrong, against hand arithmetic, brute force or a known truth."""

import hashlib

import numpy as np
import polars as pl
import pytest
from decisions import log_of

from analytics.policy import CategoryPolicy, Default, Goal, ThresholdPolicy
from analytics.tuning.curve import curve
from analytics.tuning.evaluation import evaluate
from analytics.tuning.goals import tune
from analytics.tuning.log import select
from analytics.tuning.picking import pick
from analytics.tuning.policy_sums import everywhere, in_force_policy

LEVELS = np.arange(4, 21) / 20


def simulated(n, seed=0, **extra):
    """Confidence is the fast model's true accuracy; the strong one is right 9 times of 10 for 0.02 USD."""
    generator = np.random.default_rng(seed)
    confidence = generator.choice(LEVELS, n)
    return generator, {
        "confidence": confidence,
        "fast_correct": (generator.random(n) < confidence).astype(float),
        "strong_correct": (generator.random(n) < 0.9).astype(float),
        "fast_cost_usd": np.full(n, 0.001),
        "strong_cost_usd": np.full(n, 0.02),
        **extra,
    }


def ids(folds, n):
    """Request ids that fall into some folds."""
    names = (f"q{i}" for i in range(100 * n))
    found = (x for x in names if int(hashlib.md5(x.encode()).hexdigest()[:8], 16) % 20 in folds)  # noqa: S324
    return [next(found) for _ in range(n)]


def test_what_a_correct_answer_is_worth_does_not_depend_on_how_many_requests_are_graded(tmp_path):
    """Escalating pays iff 0.1 * (0.9 - c) > 0.02 USD, below c = 0.7, however few requests are graded."""
    generator, rows = simulated(60_000)
    ungraded = generator.random(60_000) < 0.9
    for side in ("fast_correct", "strong_correct"):
        rows[side] = np.where(ungraded, np.nan, rows[side])
    item = tune(select(log_of(rows, tmp_path)), Goal(name="value", value_usd=0.1)).policy.categories["math"]
    assert item.route == "cascade"
    assert item.interval[1] == pytest.approx(0.7, abs=0.051)


@pytest.mark.parametrize("folds", [range(10), range(10, 20)])
def test_a_category_that_only_one_half_holds_has_too_little_data(folds, tmp_path):
    _, rows = simulated(1000, task_category=["a"] * 500 + ["b"] * 500)
    rows["request_id"] = ids(range(20), 500) + [f"{name}" for name in ids(folds, 900)[-500:]]
    choice = pick(select(log_of(rows, tmp_path)), Goal()).choices["b"]
    assert (choice.route, choice.verdict) == ("strong_only", "insufficient_evidence")


def test_requests_without_a_category_keep_their_threshold_in_force(tmp_path):
    _, rows = simulated(600, task_category=[None] * 300 + ["a"] * 300, threshold=[0.5] * 600)
    chosen = select(log_of(rows, tmp_path))
    found = evaluate(chosen, in_force_policy(chosen)).categories["Uncategorised"]
    assert found.escalation_rate.value == pytest.approx((rows["confidence"][:300] < 0.5).mean())


def test_a_budget_below_every_route_takes_the_cheapest(tmp_path):
    _, rows = simulated(2000)
    chosen = select(log_of(rows, tmp_path))
    picked = pick(chosen, Goal(name="budget", budget_usd=0.0001, scope="category"))
    assert picked.choices["math"].route == "fast_only"


def test_one_category_takes_the_best_threshold_within_a_budget_on_the_hull_or_not(tmp_path):
    """Of 90 requests each 30 have 0.2, 0.5, 0.8; escalating gains 3, then 21 correct, at 1 USD each.

    With 0.4 USD per request (and free fast calls) only the first step fits, and the hull skips it.
    """
    gains = ((0.2, 3), (0.5, 21), (0.8, 0))
    rows = {
        "confidence": np.repeat([c for c, _ in gains], 30),
        "fast_correct": np.concatenate([np.r_[np.zeros(gain), np.ones(30 - gain)] for _, gain in gains]),
        "strong_correct": np.ones(90),
        "fast_cost_usd": np.zeros(90),
        "strong_cost_usd": np.ones(90),
    }
    chosen = select(log_of(rows, tmp_path))
    choice = pick(chosen, Goal(name="budget", budget_usd=0.4), folds=None).choices["math"]
    assert (choice.route, choice.threshold) == ("cascade", 0.5)


def test_a_missing_confidence_that_is_kept_waits_for_the_fast_answer_alone(tmp_path):
    """All ten requests lack a confidence or exceed the threshold: kept, 1 s; escalated, 1 + 9 s."""
    rows = {
        "confidence": [None] * 5 + [0.9] * 5, "fast_correct": [1.0] * 10, "strong_correct": [1.0] * 10,
        "fast_latency_s": [1.0] * 10, "strong_latency_s": [9.0] * 10,
    }  # fmt: skip
    for missing, seconds in (("keep", 1.0), ("escalate", 10.0)):
        found = curve(select(log_of(rows, tmp_path), missing=missing), category="math")
        assert found.points["latency_p95_s"][0] == pytest.approx(seconds, rel=0.01)
        assert found.fast_only.latency_p95_s.value == pytest.approx(1.0, rel=0.01)


def test_the_router_s_cost_is_in_the_interval_as_it_is_in_the_value(tmp_path):
    """A constant router cost moves the interval of a mean; it does not narrow it."""
    generator = np.random.default_rng(3)
    rows = {
        "confidence": np.full(200, 0.5), "fast_correct": np.ones(200), "strong_correct": np.ones(200),
        "fast_cost_usd": generator.exponential(0.001, 200), "strong_cost_usd": np.full(200, 0.02),
        "router_cost_usd": np.full(200, 0.003), "policy_kind": ["predictive"] * 200,
    }  # fmt: skip
    row = curve(select(log_of(rows, tmp_path)), category="math").points.row(0, named=True)
    half = 1.959964 * rows["fast_cost_usd"].std(ddof=1) / 200**0.5
    middle = rows["fast_cost_usd"].mean() + 0.003
    assert (row["cost_low"], row["cost_high"]) == pytest.approx((middle - half, middle + half), rel=1e-6)


def test_the_oracle_s_cost_is_unknown_without_the_strong_model_s_costs(tmp_path):
    _, rows = simulated(100)
    del rows["strong_cost_usd"]
    assert curve(select(log_of(rows, tmp_path))).oracle.cost_per_request_usd.value is None


def test_the_oracle_s_cost_is_about_graded_requests(tmp_path):
    """Of the 50 graded requests half are rescued: 0.001 + 0.02 / 2 USD."""
    graded = [0.0] * 25 + [1.0] * 25 + [None] * 50
    rows = {
        "confidence": [0.5] * 100, "fast_correct": graded,
        "strong_correct": [None if grade is None else 1.0 for grade in graded],
        "fast_cost_usd": [0.001] * 100, "strong_cost_usd": [0.02] * 100,
    }  # fmt: skip
    found = curve(select(log_of(pl.DataFrame(rows), tmp_path))).oracle.cost_per_request_usd
    assert (found.value, found.n) == (pytest.approx(0.011), 50)


def test_a_weighted_accuracy_stays_within_its_range(tmp_path):
    """Half of 120 kept requests have a shadow answer; 100 + 20 gains, each counted twice, is 140 / 120."""
    sampled = np.arange(120) < 60
    rows = {
        "confidence": np.full(120, 0.5), "fast_correct": np.r_[np.zeros(20), np.ones(100)],
        "strong_correct": np.where(sampled, 1.0, np.nan), "escalated": [False] * 120,
        "sampling_probability": [0.5] * 120,
    }  # fmt: skip
    assert curve(select(log_of(rows, tmp_path))).strong_only.accuracy.value == 1.0


def test_intervals_cover_where_users_differ_in_the_strong_answer_and_in_who_is_escalated(tmp_path):
    """40 logs of 80 users with 25 requests: at 95% fewer than 30 cover with P < 1e-4.

    Fast is right 0.7 of the time; users differ in confidence and in the strong model's accuracy, mean 0.9.
    """
    share = (LEVELS < 0.8).mean()
    truth = (0.9 * share + 0.7 * (1 - share), 0.001 + 0.02 * share, share)
    covered = np.zeros(3)
    for seed in range(40):
        generator = np.random.default_rng(seed)
        user = np.repeat(np.arange(80), 25)
        habit = generator.choice(LEVELS, 80)[user]
        strong = generator.beta(1.8, 0.2, 80)[user]
        _, rows = simulated(2000)
        rows |= {
            "confidence": np.where(generator.random(2000) < 0.7, habit, generator.choice(LEVELS, 2000)),
            "fast_correct": (generator.random(2000) < 0.7).astype(float),
            "strong_correct": (generator.random(2000) < strong).astype(float),
            "unit_id": [f"{seed}-{name}" for name in user],
        }
        chosen = select(log_of(rows, tmp_path))
        policy = ThresholdPolicy(
            "cascade", Default("strong_only"), {"math": CategoryPolicy("cascade", threshold=0.8)}
        )
        found = evaluate(chosen, policy).overall
        figures = (found.accuracy, found.cost_per_request_usd, found.escalation_rate)
        covered += [item.low <= true <= item.high for item, true in zip(figures, truth, strict=True)]
    assert (covered >= 30).all()


def test_controls_cost_the_same_from_the_curve_and_from_the_evaluation(tmp_path):
    _, rows = simulated(200)
    rows["confidence"] = np.where(np.arange(200) % 4 == 0, np.nan, rows["confidence"])
    rows |= {"fast_latency_s": np.full(200, 1.0), "strong_latency_s": np.full(200, 9.0)}
    chosen = select(log_of(rows, tmp_path))
    found = evaluate(chosen, everywhere(chosen, "fast_only")).categories["math"]
    control = curve(chosen, category="math").fast_only
    assert control.latency_p95_s.value == found.latency_p95_s.value
    assert control.cost_per_request_usd.value == pytest.approx(found.cost_per_request_usd.value)
