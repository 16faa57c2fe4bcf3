"""What is said where something is certified, nothing is, and what it would take; numbers worked by hand."""

import math

import numpy as np
import pytest
from decisions import log_of

from analytics.policy import Goal
from analytics.tuning.goals import tune
from analytics.tuning.log import select
from analytics.tuning.sample_size import pairs_needed
from analytics.tuning.verdict_words import points


def graded(n, lost, won, **extra):
    """One level of confidence: ``lost`` and ``won`` of n pairs, all others right on both sides."""
    fast = [0] * lost + [1] * (n - lost)
    strong = [1] * lost + [0] * won + [1] * (n - lost - won)
    order = np.random.default_rng(0).permutation(n)
    wrong = 12  # so that either outcome is there often enough for an estimate
    fast[-wrong:] = strong[-wrong:] = [0] * wrong
    rows = {"confidence": [0.9] * n, "fast_correct": np.array(fast)[order]}
    return rows | {"strong_correct": np.array(strong)[order]} | extra


def promise(folder, rows, **goal):
    return tune(select(log_of(rows, folder)), Goal(**goal)).promise


@pytest.mark.parametrize(("share", "said"), [(0.01, "1 point"), (0.02, "2 points"), (0.005, "0.5 points")])
def test_a_difference_of_accuracies_is_in_points(share, said):
    assert points(share) == said


def test_too_few_pairs_name_the_number_that_is_enough_and_the_margin_that_is_within_reach(tmp_path):
    """200 pairs: .99^299 < .05 <= .99^298; without a loss 1 - .05^(1/200) = 1.49 points could be shown."""
    said = promise(tmp_path, graded(200, 0, 0), margin=0.01)
    assert "from 200 graded pairs" in said
    assert "299 are needed for a margin of 1 point at 95%" in said
    assert "Grade about 99 more" in said
    assert "accept a margin of 1.5 points" in said


def test_a_small_loss_says_how_many_more_pairs_would_show_it(tmp_path):
    said = promise(tmp_path, graded(400, 3, 1), margin=0.01)
    needed = pairs_needed(3 / 400, 1 / 400, 0.01, delta=0.05)
    assert "in 400 pairs the first step" in said
    assert "lost 3 and won 1" in said
    assert f"about {needed - 400:,} more graded pairs" in said


def test_a_loss_beyond_the_margin_says_that_data_will_not_help(tmp_path):
    said = promise(tmp_path, graded(400, 20, 4), margin=0.01)
    assert "more data will not help" in said
    assert "loses an estimated 4 points, more than 1 point" in said


def test_a_certificate_says_level_margin_reference_and_pairs(tmp_path):
    said = promise(tmp_path, graded(1200, 2, 3), margin=0.02, level=0.9)
    assert said.startswith(
        "With 90% confidence this policy's accuracy is at most 2 points below always strong"
    )
    assert "like the 1,200 graded ones" in said


def test_a_floor_that_the_strong_model_misses_says_how_many_errors_were_allowed(tmp_path):
    said = promise(tmp_path, graded(1200, 100, 0), name="min-accuracy", min_accuracy=0.985)
    assert "Even always strong is not shown to reach 98.5%: 12 errors in 1,200, at most " in said


def test_goals_without_a_promise_promise_nothing(tmp_path):
    costs = {"fast_cost_usd": [0.001] * 400, "strong_cost_usd": [0.02] * 400}
    got = tune(select(log_of(graded(400, 3, 1, **costs), tmp_path)), Goal(name="value", value_usd=1.0))
    assert got.promise is None
    assert not got.certified


def test_the_number_of_pairs_grows_with_the_inverse_square_of_what_is_left_of_the_margin():
    """N = ((z_.95 s0 + .842 s1) / (m - D))^2, s0 from the constrained estimate, by hand for equal rates."""
    rate, margin = 0.02, 0.01
    b = 2 * rate * (1 - margin) - 2 * margin * (1 - rate)
    q = (b + math.sqrt(b * b + 8 * rate * margin * (1 - margin))) / 4
    s0, s1 = math.sqrt(2 * q + margin - margin**2), math.sqrt(2 * rate)
    by_hand = ((1.6448536 * s0 + 0.8416212 * s1) / margin) ** 2
    assert pairs_needed(rate, rate, margin, delta=0.05) == pytest.approx(by_hand, abs=1)
    assert pairs_needed(0.03, 0.02, margin, delta=0.05) is None
