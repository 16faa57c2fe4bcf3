"""Where a naive figure would be wrong: missing costs, uneven grading, rare differences, sampling."""

import numpy as np
import pytest
from decisions import log_of

from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from analytics.tuning.curve import curve
from analytics.tuning.evaluation import compared, evaluate
from analytics.tuning.log import select
from analytics.tuning.policy_sums import everywhere


def cascade(threshold, *categories):
    own = {name: CategoryPolicy("cascade", threshold) for name in categories}
    return ThresholdPolicy("cascade", Default("strong_only"), own)


def test_costs_that_are_missing_on_one_route_do_not_make_it_cheap(tmp_path):
    """Ten kept at 1 each, ten escalated at 1 + 9 each; the strong cost is known on four of the ten."""
    rows = {
        "confidence": [0.9] * 10 + [0.1] * 10,
        "escalated": [False] * 10 + [True] * 10,
        "fast_correct": [1] * 20,
        "strong_correct": [None] * 10 + [1] * 10,
        "fast_cost_usd": [1.0] * 20,
        "strong_cost_usd": [None] * 10 + [9.0] * 4 + [None] * 6,
    }
    chosen = select(log_of(rows, tmp_path))
    # (10 * 1 + 10 * 10) / 20, from the 14 requests whose cost is known
    at = curve(chosen).points.row(1, named=True)
    assert at["cost_per_request_usd"] == pytest.approx(5.5)
    got = evaluate(chosen, cascade(0.9, "math")).overall.cost_per_request_usd
    assert (got.value, got.n) == (pytest.approx(5.5), 14)


def test_a_route_without_any_known_cost_has_no_cost(tmp_path):
    rows = {
        "confidence": [0.9] * 30 + [0.1] * 10,
        "fast_correct": [1] * 40,
        "strong_correct": [1] * 40,
        "fast_cost_usd": [1.0] * 30 + [None] * 10,
        "strong_cost_usd": [9.0] * 40,
    }
    points = curve(select(log_of(rows, tmp_path))).points
    assert points["cost_per_request_usd"][1] is None


def test_a_category_that_is_rarely_graded_counts_by_its_traffic(tmp_path):
    """100 requests each, all right where all are graded, all wrong where a tenth is: half are right."""
    n = 100
    rows = {
        "task_category": ["graded"] * n + ["seldom"] * n,
        "confidence": [0.9] * (2 * n),
        "fast_correct": [1] * n + [0 if i % 10 == 0 else None for i in range(n)],
        "strong_correct": [1] * n + [1 if i % 10 == 0 else None for i in range(n)],
    }
    chosen = select(log_of(rows, tmp_path))
    fast, strong = everywhere(chosen, "fast_only"), everywhere(chosen, "strong_only")
    got = evaluate(chosen, fast).overall.accuracy
    assert got.value == pytest.approx(0.5)
    # Kish: 110 graded requests are worth 1 / (.25 / 100 + .25 / 10) = 36.4, so at least +- 0.15.
    assert got.high - got.low > 0.3
    assert compared(chosen, fast, strong)[None].accuracy.value == pytest.approx(-0.5)


def test_no_observed_difference_is_not_taken_for_certainty(tmp_path):
    """40 kept requests of 400, the strong model alone right on 2% of them: mostly none is seen."""
    policy = cascade(0.9, "math")
    inside = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        lost = (generator.random(40) < 0.02).astype(int)
        rows = {
            "confidence": [0.9] * 40 + [0.1] * 360,
            "fast_correct": [*(1 - lost), *[0] * 360],
            "strong_correct": [1] * 400,
        }
        chosen = select(log_of(rows, tmp_path))
        got = compared(chosen, policy, everywhere(chosen, "strong_only"))[None].accuracy
        inside += got.low <= -0.02 * 40 / 400 <= got.high
    # 60 draws of a 95% interval: 51 or fewer inside has probability 0.001
    assert inside >= 52


def test_the_same_policy_differs_from_itself_by_exactly_nothing(tmp_path):
    rows = {"confidence": [0.1, 0.9] * 20, "fast_correct": [0, 1] * 20, "strong_correct": [1] * 40}
    chosen = select(log_of(rows, tmp_path))
    got = compared(chosen, cascade(0.5, "math"), cascade(0.6, "math"))[None].accuracy
    assert (got.value, got.low, got.high) == (0.0, 0.0, 0.0)


def test_a_random_gap_in_the_grades_does_not_count_as_selective(tmp_path):
    flagged = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        confidence = generator.random(300).round(1)
        graded = generator.random(300) < 0.7
        rows = {
            "confidence": confidence,
            "escalated": confidence < 0.5,
            "fast_correct": np.where(graded, 1.0, np.nan),
            "strong_correct": np.where(graded & (confidence < 0.5), 1.0, np.nan),
        }
        flagged += bool(select(log_of(rows, tmp_path)).regimes["selective"][0])
    # A three-sigma test errs once in 370 draws.
    assert flagged <= 1


def test_many_sampling_probabilities_keep_their_weights(tmp_path):
    """Probabilities from 0.02 to 0.5, a thousand of them; every weight is kept to half a percent."""
    generator = np.random.default_rng(1)
    n = 20_000
    probability = np.round(0.02 + 0.48 * generator.integers(0, 1000, n) / 1000, 6)
    seen = generator.random(n) < probability
    strong = (generator.random(n) < 0.8).astype(float)
    rows = {
        "confidence": [0.9] * n,
        "escalated": [False] * n,
        "fast_correct": [0.0] * n,
        "strong_correct": np.where(seen, strong, np.nan),
        "sampling_probability": probability,
    }
    got = curve(select(log_of(rows, tmp_path)))
    expected = float((strong * seen / probability).sum() / n)
    assert got.estimator == "shadow_difference"
    assert got.strong_only.accuracy.value == pytest.approx(expected, rel=2e-3)
