"""The measured verdict per category against hand arithmetic."""

from dataclasses import dataclass

import pytest

from analytics.estimate import Estimate, undefined
from analytics.measure.verdicts import cost_per_extra_correct, difference, verdict, verdicts


@dataclass(frozen=True)
class Outcome:
    accuracy: Estimate
    cost_per_request_usd: Estimate


@dataclass(frozen=True)
class Controls:
    task_category: str | None
    fast_only: Outcome
    strong_only: Outcome


def outcome(accuracy: float, cost: float | None, *, half: float = 0.02, n: int = 1000) -> Outcome:
    graded = Estimate(accuracy, accuracy - half, accuracy + half, n, "given")
    priced = (
        undefined("No costs.", n=n) if cost is None else Estimate(cost, cost * 0.9, cost * 1.1, n, "given")
    )
    return Outcome(graded, priced)


def test_the_difference_of_two_intervals_adds_their_widths_at_right_angles():
    # 0.8 - 0.5 = 0.3; ends sqrt(0.03^2 + 0.04^2) = 0.05 away on both sides.
    first = Estimate(0.8, 0.77, 0.83, 400, "given")
    second = Estimate(0.5, 0.46, 0.54, 300, "given")
    gain = difference(first, second)
    assert gain.value == pytest.approx(0.3)
    assert (gain.low, gain.high) == (pytest.approx(0.25), pytest.approx(0.35))
    assert gain.n == 300


def test_an_extra_correct_answer_costs_the_added_cost_over_the_gain():
    # METHODS' shape: (0.060 - 0.015) / (0.90 - 0.70) = 0.045 / 0.20 = 0.225 USD.
    extra = cost_per_extra_correct(outcome(0.70, 0.015), outcome(0.90, 0.060))
    assert extra.value == pytest.approx(0.225)


def test_the_interval_of_a_price_joins_the_extremes_of_both_differences():
    # Gain 0.20 +- 0.02828 (sqrt 2 x 0.02); costs 0.015 +- 0.0015 and 0.060 +- 0.006:
    # added 0.045 +- sqrt(0.006^2 + 0.0015^2) = 0.0061847. Extremes 0.0388153 / 0.2282843 = 0.170031
    # and 0.0511847 / 0.1717157 = 0.298078.
    extra = cost_per_extra_correct(outcome(0.70, 0.015), outcome(0.90, 0.060))
    assert extra.low == pytest.approx(0.170031, abs=1e-5)
    assert extra.high == pytest.approx(0.298078, abs=1e-5)


def test_a_gain_that_may_be_zero_leaves_its_price_open_upwards():
    extra = cost_per_extra_correct(outcome(0.70, 0.015), outcome(0.71, 0.060))
    assert extra.low is not None
    assert extra.high is None


def test_a_large_gain_at_a_price_in_proportion_wins():
    # Extra correct 0.009 / 0.30 = 0.030; a usual one 0.010 / 0.90 = 0.0111; 2.7 times is not dear.
    found = verdict("math", outcome(0.60, 0.001), outcome(0.90, 0.010))
    assert found.word == "wins"
    assert found.task_category == "math"


def test_a_small_sure_gain_is_dear():
    # Gain 0.08 +- 0.028; extra 0.009 / 0.08 = 0.1125; a usual one 0.010 / 0.80 = 0.0125; 9 times is dear.
    found = verdict("law", outcome(0.72, 0.001), outcome(0.80, 0.010))
    assert found.word == "helps_dear"
    assert found.reason == "Costs 9.0 times a usual correct answer."


def test_a_stated_value_of_a_correct_answer_replaces_the_multiple():
    fast, strong = outcome(0.72, 0.001), outcome(0.80, 0.010)
    assert verdict("law", fast, strong, value_usd=1.0).word == "wins"
    assert verdict("law", fast, strong, value_usd=0.1).word == "helps_dear"


def test_a_gain_that_is_surely_below_five_points_is_not_worth_paying_for():
    # 0.01 + 0.0283 = 0.038 < 0.05.
    assert verdict("summaries", outcome(0.90, 0.001), outcome(0.91, 0.010)).word == "do_not_overpay"


def test_a_strong_model_that_is_worse_is_never_worth_paying_for():
    found = verdict("support", outcome(0.90, 0.001), outcome(0.80, 0.010))
    assert found.word == "do_not_overpay"
    assert "10.0 points less often" in found.reason
    assert found.cost_per_extra_correct_usd.value is None


def test_a_gain_that_may_be_none_or_large_cannot_be_told():
    found = verdict("other", outcome(0.60, 0.001, half=0.06), outcome(0.65, 0.010, half=0.06))
    assert found.word == "cannot_tell"
    assert "−3.5 points to 13.5 points" in found.reason  # 0.05 -+ sqrt(2) * 0.06 = -0.0349, 0.1349


def test_few_graded_answers_cannot_be_told():
    assert verdict("rare", outcome(0.2, 0.001, n=29), outcome(0.9, 0.010, n=29)).word == "cannot_tell"


def test_without_costs_a_gain_is_told_but_its_worth_is_not():
    found = verdict("math", outcome(0.60, None), outcome(0.90, None))
    assert found.word == "cannot_tell"
    assert "what that costs is not in this log" in found.reason


def test_an_unknown_strong_answer_gives_its_own_reason():
    strong = Outcome(undefined("Strong answers exist for escalated requests only."), undefined("No costs."))
    found = verdict("math", outcome(0.60, 0.001), strong)
    assert found.word == "cannot_tell"
    assert found.reason == "Strong answers exist for escalated requests only."


def test_a_cheaper_and_better_strong_model_wins():
    found = verdict("math", outcome(0.60, 0.010), outcome(0.90, 0.001))
    assert found.word == "wins"
    assert found.cost_per_extra_correct_usd.value == pytest.approx(-0.03)  # (0.001 - 0.010) / 0.30


def test_each_curve_gets_one_verdict_in_order():
    controls = [Controls(name, outcome(0.60, 0.001), outcome(0.90, 0.010)) for name in ("b", "a")]
    assert [found.task_category for found in verdicts(controls)] == ["b", "a"]
