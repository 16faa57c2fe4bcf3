"""Effects by hand, and a sentence instead of a p-value where an arm tells nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from stores import load
from trials import moments_of, row

from analytics.experiments.comparison import comparison, reading
from analytics.experiments.effects import effect, quantile, ratio_error
from analytics.experiments.outcomes import Scope

E = Scope("d", "e")
SAME = "every request has the same outcome in both arms"
STILL = "it does not vary within the arms"
SINGLE = "an arm has a single unit, whose spread is unknown"


def test_means_by_hand():
    # Costs 1, 2, 3 and 2, 4, 6, 8 USD: means 2 and 5, variances 1 and 20/3,
    # standard error sqrt(1/3 + 20/12) = sqrt(2).
    # Welch: 2^2 / ((1/3)^2 / 2 + (5/3)^2 / 3) = 4 / (1/18 + 25/27) = 4 x 54/53 = 216/53 degrees.
    found = effect(
        "cost_usd", moments_of(None, cost=[1, 2, 3]), moments_of(None, cost=[2, 4, 6, 8]), unit="request"
    )
    assert (found.control.value, found.treatment.value, found.effect.value) == pytest.approx((2, 5, 3))
    assert found.error == pytest.approx(math.sqrt(2))
    half = float(stats.t.ppf(0.975, 216 / 53)) * math.sqrt(2)
    assert (found.effect.low, found.effect.high) == pytest.approx((3 - half, 3 + half))
    assert found.p_value == pytest.approx(2 * float(stats.t.sf(3 / math.sqrt(2), 216 / 53)))
    assert found.relative.value == pytest.approx(1.5)


def test_shares_of_users_with_few_of_one_outcome_count_as_fewer_requests():
    # Five users with 4 requests each, all four right or all wrong; 4 of 5 users right: share 0.8.
    # Residuals 4 - 3.2 = 0.8 four times, 0 - 3.2 once: 4 x 0.64 + 10.24 = 12.8; alone 20 x 0.16 = 3.2.
    # Design effect 12.8 / 3.2 x 5/4 = 5, so 20 requests count as 4.
    users = [user for user in range(5) for _ in range(4)]
    arms = [moments_of(users, correct=[float(user != wrong) for user in users]) for wrong in (0, 9)]
    assert arms[0].design_effect("y", "k") == pytest.approx(5)
    found = effect("accuracy", *arms, unit="unit")
    assert (found.control.value, found.control.n) == (0.8, 20)
    # Wilson with 3.2 of 4: z^2 = 3.8415; centre (0.8 + z^2 / 8) / (1 + z^2 / 4) = 1.28018 / 1.96036,
    # half z sqrt(0.16 / 4 + z^2 / 64) / 1.96036.
    z2 = float(stats.norm.ppf(0.975)) ** 2
    centre = (0.8 + z2 / 8) / (1 + z2 / 4)
    half = math.sqrt(z2 * (0.04 + z2 / 64)) / (1 + z2 / 4)
    assert (found.control.low, found.control.high) == pytest.approx((centre - half, centre + half))
    # The treatment's users are all right: they count as 5, one each. 3.2 rounds to 3 of 4 against 5 of 5.
    assert found.p_value == pytest.approx(float(stats.boschloo_exact([[5, 3], [0, 1]]).pvalue))
    assert found.effect.value == pytest.approx(0.2)
    assert "effective number of requests" in found.effect.method


def test_worth_less_cost_by_hand():
    # Grades 1, 0, 1 at 1, 2, 3 USD, an answer worth 10: 9, -2, 7, mean 14/3. The other: 10 - 4 and 10 - 5.
    control = moments_of(None, correct=[1, 0, 1, 1], cost=[1, 2, 3, None])
    treatment = moments_of(None, correct=[1, 1, None], cost=[4, 5, 6])
    found = effect("net_usd", control, treatment, unit="request", value_usd=10)
    by_scipy = stats.ttest_ind([6, 5], [9, -2, 7], equal_var=False)
    assert found.control.value == pytest.approx(14 / 3)
    assert found.effect.value == pytest.approx(5.5 - 14 / 3)
    assert found.p_value == pytest.approx(by_scipy.pvalue)
    assert found.effect.low == pytest.approx(by_scipy.confidence_interval(0.95).low)


def test_worth_less_cost_over_users_is_that_of_the_differences():
    draw = np.random.default_rng(1)
    users, right, cost = draw.integers(20, size=200), draw.integers(2, size=200), draw.random(200)
    net = effect(
        "net_usd", *[moments_of(users, correct=right, cost=cost + gap) for gap in (0, 0.1)],
        unit="unit", value_usd=3,
    )  # fmt: skip
    # A cost is any number per request: the same through the metric for means.
    direct = effect(
        "cost_usd", *[moments_of(users, cost=3 * right - cost - gap) for gap in (0, 0.1)], unit="unit"
    )
    assert net.effect.value == pytest.approx(-0.1)
    assert (net.p_value, net.error, net.effect.low) == pytest.approx(
        (direct.p_value, direct.error, direct.effect.low)
    )


def test_the_share_graded_has_the_error_of_all_requests():
    # Two grades among 40 requests: the standard error of a mean of 40 zeros and ones.
    arm = moments_of(None, correct=[1.0, 0.0] + [None] * 38)
    assert ratio_error(arm, "k", "n") == pytest.approx(stats.sem([1, 1] + [0] * 38))


@pytest.mark.parametrize("degrees", [1, 5, 9_999, 10_000, 10**9])
def test_student_quantiles(degrees):
    # From 10,000 degrees on the normal one: 1.96020 against 1.95996.
    assert quantile(0.95, degrees) == pytest.approx(float(stats.t.ppf(0.975, degrees)), rel=2e-4)


LACKING = [
    # What is known of each arm's requests, the metric, and why there is no p-value.
    ("accuracy", {"correct": [None] * 4}, {"correct": [None] * 4}, "no served answer is graded"),
    ("accuracy", {"correct": [1, 0]}, {"correct": [None]}, "no served answer is graded in one of the arms"),
    ("accuracy", {"correct": [0] * 50}, {"correct": [0] * 60}, SAME),
    ("accuracy", {"correct": [1] * 500}, {"correct": [1] * 600}, SAME),
    ("accuracy", {"correct": [0.5] * 50}, {"correct": [0.5] * 60}, STILL),
    ("accuracy", {"correct": [0.5]}, {"correct": [0.5, 1, 0]}, SINGLE),
    ("escalation_rate", {"taken": [None] * 4}, {"taken": [None]}, "the route is not logged"),
    ("escalation_rate", {"taken": [True]}, {"taken": [True] * 9}, SAME),
    ("cost_usd", {"cost": [None] * 4}, {"cost": [1, 2]}, "no cost is known in one of the arms"),
    ("cost_usd", {"cost": [0.01] * 200}, {"cost": [0.01] * 200}, STILL),
    ("cost_usd", {"cost": [0.01] * 200}, {"cost": [1.01] * 200}, STILL),
    ("cost_usd", {"cost": [0.0] * 9}, {"cost": [0.0] * 9}, STILL),
    ("cost_usd", {"cost": [0.0, 1.0]}, {"cost": [0.5]}, SINGLE),
    ("latency_s", {"latency": [None]}, {"latency": [None]}, "no latency is known"),
    (
        "cost_per_correct_usd", {"correct": [0] * 9, "cost": [1] * 9}, {"correct": [1] * 9, "cost": [1] * 9},
        "no graded request with a known cost is correct in one of the arms",
    ),
    # 1.96^2 x 9 x (0.9 x 0.1 x 9 / 8) >= 0.2 x 1: one right answer of nine, whose number is too uncertain.
    (
        "cost_per_correct_usd", {"correct": [1] + [0] * 8, "cost": [1] * 9},
        {"correct": [1] * 9, "cost": [1] * 9}, "too few correct answers for an interval",
    ),
    ("net_usd", {"correct": [1, None], "cost": [None, 1]}, {"correct": [1], "cost": [1]},
     "no request has both a grade and a cost in one of the arms"),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "before", "after", "reason"), LACKING)
def test_what_cannot_be_told_has_a_sentence_and_no_p_value(metric, before, after, reason):
    arms = [moments_of(None, **columns) for columns in (before, after)]
    found = effect(metric, *arms, unit="request", value_usd=1)
    assert (found.p_value, found.reason) == (None, reason)
    if reason != SAME:
        assert (found.effect.low, found.effect.high, found.error) == (None, None, None)
    if "known" in reason or "no " in reason:
        assert found.effect.value is None


def test_shares_without_a_test_still_have_an_interval():
    # Wilson of 0 of 50: 0 to z^2 / (50 + z^2); the interval for the difference reaches as far.
    arms = [moments_of(None, correct=[0] * 50), moments_of(None, correct=[0] * 50)]
    found = effect("accuracy", *arms, unit="request").effect
    z2 = float(stats.norm.ppf(0.975)) ** 2
    assert (found.low, found.high) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)))


def test_a_single_user_per_arm_has_no_spread():
    arms = [moments_of(["u"] * 4, correct=[0, 1, 1, 0], cost=[1, 2, 3, 4])] * 2
    for metric in ("accuracy", "cost_usd", "cost_per_correct_usd"):
        found = effect(metric, *arms, unit="unit")
        assert (found.p_value, found.error, found.effect.low) == (None, None, None), metric
        assert found.reason == SINGLE
    # Even where right and wrong answers are few, so that they would be counted: 5 of 1,000 against 30.
    one, other = ([1.0] * n + [0.0] * (1000 - n) for n in (5, 30))
    few = effect("accuracy", *[moments_of(["u"] * 1000, correct=part) for part in (one, other)], unit="unit")
    assert (few.p_value, few.reason) == (None, SINGLE)
    # Nothing is known of other users, so a user counts as one request: Wilson of 0.005 of 1.
    low, high = proportion_confint(0.005, 1, method="wilson")
    assert (few.control.low, few.control.high) == pytest.approx((low, high))


grades = st.lists(st.sampled_from([0.0, 1.0, None]), min_size=1, max_size=30)
partial = st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=1, max_size=30)


@given(before=st.one_of(grades, partial), after=st.one_of(grades, partial), users=st.integers(0, 6))
def test_intervals_hold_their_estimates_and_arms_swap(before, after, users):
    unit = "unit" if users else "request"
    arms = [
        moments_of([n % users for n in range(len(part))] if users else None, correct=part)
        for part in (before, after)
    ]
    found, back = effect("accuracy", *arms, unit=unit), effect("accuracy", *arms[::-1], unit=unit)
    assert (found.p_value is None) == (found.reason is not None)
    for shown in (found.control, found.treatment, found.effect):
        assert (shown.value is None) == (shown.reason is not None)
        if shown.low is not None:
            assert shown.low <= shown.value + 1e-12
            assert shown.high >= shown.value - 1e-12
    assert found.p_value is None or 0 <= found.p_value <= 1
    assert found.p_value == (None if back.p_value is None else pytest.approx(back.p_value, abs=1e-9))
    if found.effect.low is not None:
        assert (found.effect.low, found.effect.high) == pytest.approx((-back.effect.high, -back.effect.low))


def test_a_single_graded_answer_per_arm_is_read():
    """The share graded is over all requests, however few have a grade."""
    from analytics.logs.store import Store  # noqa: PLC0415 - DuckDB is not for the other tests

    for graded in ({0, 1}, {0, 1, 2, 4, 6}):
        rows = [
            row(n, "ab"[n % 2], escalated=False, fast_correct=1.0 if n in graded else None, fast_cost_usd=1.0)
            for n in range(40)
        ]
        with Store.open(None) as store:
            load(store, "d", rows, form="decisions")
            found = comparison(store, reading(store, E), treatment="b").effects["accuracy"]
        assert (found.p_value, found.reason) == (None, SAME)
