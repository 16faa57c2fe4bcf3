"""Slow ends and ranks of latencies against numpy, scipy and published intervals, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from stores import load
from trials import row

from analytics.experiments import latencies
from analytics.experiments.assignment import assignment
from analytics.experiments.latencies import (
    Counted,
    _bootstrap,
    arm_quantile,
    counted,
    quantile,
    quantile_effect,
    ranks,
)
from analytics.experiments.outcomes import Scope

E = Scope("d", "e")
seconds = st.lists(st.sampled_from([0.25, 0.5, 0.5, 1.0, 2.5, 8.0, 9.0]), min_size=1, max_size=40)


def of(values, *, design_effect=1.0):
    found, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    return Counted(found, counts.astype(float), design_effect)


@given(values=seconds, share=st.sampled_from([0.5, 0.9, 0.95]))
def test_a_quantile_is_that_of_numpy(values, share):
    assert quantile(of(values), share) == pytest.approx(np.quantile(values, share))


@given(one=seconds, other=seconds)
def test_ranks_are_those_of_scipy_and_of_all_pairs(one, other):
    found = ranks(of(one), of(other))
    assert found.u == stats.mannwhitneyu(one, other).statistic
    pairs = np.subtract.outer(one, other)
    assert found.sooner == pytest.approx(((pairs < 0) + (pairs == 0) / 2).mean())
    assert found.shift == pytest.approx(np.median(pairs))
    if len(set(one + other)) > 1:
        assert found.p_value == pytest.approx(stats.mannwhitneyu(one, other).pvalue, rel=1e-9)
    else:
        assert found.p_value == 1.0  # scipy divides by 0 here


def test_ranks_of_many_distinct_values_are_those_of_scipy():
    draw = np.random.default_rng(1)
    for sizes in ((8, 30), (9, 9), (60, 700)):
        one, other = (draw.lognormal(0, 1, size) for size in sizes)
        found, expected = ranks(of(one), of(other)), stats.mannwhitneyu(one, other)
        assert (found.u, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    # Beyond 1,000 values the shift is over 1,000 evenly spaced ones of each: nearly that of all pairs.
    one, other = draw.lognormal(0, 1, 3000), draw.lognormal(0.2, 1, 2500)
    assert ranks(of(one), of(other)).shift == pytest.approx(
        np.median(np.subtract.outer(one, other)), abs=0.005
    )


def test_the_interval_of_a_quantile_has_the_ranks_of_the_binomial():
    # The 2.5% and 97.5% quantiles of Binomial(200, 0.95) are 184 and 196; one more for the upper end.
    values = np.arange(1.0, 201)
    found = arm_quantile(of(values))
    assert (found.low, found.high) == (
        stats.binom.ppf(0.025, 200, 0.95),
        stats.binom.ppf(0.975, 200, 0.95) + 1,
    )
    assert (found.low, found.high, found.n) == (184.0, 197.0, 200)
    assert found.value == pytest.approx(190.05)  # 199 x 0.95 = 189.05 places above the first


def test_too_few_requests_leave_the_upper_end_open():
    # 0.95^72 = 2.49% is the first chance below 2.5% that all values lie below the percentile.
    for n, known in ((71, False), (72, True)):
        assert (arm_quantile(of(np.arange(n))).high is not None) is known
    found = quantile_effect(of(np.arange(71)), of(np.arange(500)))
    assert (found.p_value, found.effect.low) == (None, None)
    assert found.reason == "an arm has too few requests for a 95th percentile with an interval"
    assert found.effect.value == pytest.approx(499 * 0.95 - 70 * 0.95)
    assert arm_quantile(of([])).reason == "no latency is known"


def test_the_bootstrap_of_a_quantile_is_that_of_resampling():
    """Efron & Tibshirani: 4,000 resamples of both arms; each has its own error, of about 2% of the width."""
    draw = np.random.default_rng(2)
    before, after = draw.lognormal(0, 1, 600), draw.lognormal(0.3, 1, 900)
    found = quantile_effect(of(before), of(after))
    drawn = [
        np.quantile(draw.choice(part, (4000, part.size)), 0.95, axis=1, method="inverted_cdf")
        for part in (before, after)
    ]
    differences = drawn[1] - drawn[0]
    low, high = np.quantile(differences, [0.025, 0.975])
    width = high - low
    assert (found.effect.low, found.effect.high) == pytest.approx((low, high), abs=0.1 * width)
    assert found.error == pytest.approx(differences.std(), rel=0.1)
    assert found.p_value == pytest.approx(2 * (differences <= 0).mean(), abs=0.02)
    low, high = np.quantile(drawn[1] / drawn[0] - 1, [0.025, 0.975])
    assert (found.relative.low, found.relative.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_bootstrapped_quantiles_are_those_of_the_beta_distribution():
    # The share below a resampled 95th percentile of n values is Beta(0.95 (n + 1), 0.05 (n + 1)), with mean
    # 0.95 and variance 0.95 x 0.05 / (n + 2); of 1 to 100 that many are below, rounded up.
    found = _bootstrap(of(np.arange(1.0, 101)))
    assert found.mean() == pytest.approx(95.5, abs=0.05)
    assert found.std() == pytest.approx(100 * math.sqrt(0.0475 / 102), rel=0.02)
    # 400 requests that count as 100 are as uncertain as those.
    many = _bootstrap(of(np.repeat(np.arange(1.0, 101), 4), design_effect=4))
    assert many.std() == pytest.approx(found.std(), rel=0.01)


def test_intervals_for_the_95th_percentile_cover_as_often_as_they_say():
    """A/A with 300 requests per arm; truth 0. 250 runs: 95% within 4 standard errors of 1.4%."""
    draw = np.random.default_rng(3)
    covered = told_apart = 0
    for _ in range(250):
        found = quantile_effect(*(of(draw.lognormal(0, 1, 300)) for _ in range(2)))
        covered += found.effect.low <= 0 <= found.effect.high
        told_apart += found.p_value < 0.05
    assert covered / 250 >= 0.95 - 4 * 0.014
    assert told_apart / 250 <= 0.05 + 4 * 0.014


@pytest.mark.parametrize(("before", "after"), [(1.0, 1.0), (1.0, 2.0), (0.0, 0.0)])
def test_latencies_that_do_not_vary_have_no_p_value(before, after):
    found = quantile_effect(of([before] * 200), of([after] * 300))
    assert (found.p_value, found.effect.low, found.error) == (None, None, None)
    assert found.reason == "it does not vary within the arms"
    assert found.effect.value == after - before
    assert ranks(of([before] * 200), of([before] * 300)).p_value == 1.0


def fill(store, rows):
    load(store, "d", rows, form="decisions")
    return counted(store, E, assignment(store, E))


def test_latencies_of_every_arm_and_category(store):
    draw = np.random.default_rng(4)
    rows = [
        row(n, "ab"[n % 2], escalated=False, task_category=[None, "law"][n // 2 % 2],
            fast_latency_s=None if n % 7 == 0 else float(draw.integers(1, 9)))
        for n in range(300)
    ]  # fmt: skip
    found = fill(store, rows)
    assert set(found) == {(c, arm) for c in (None, "law", "Uncategorised") for arm in "ab"}
    for (category, arm), part in found.items():
        names = {"law": ["law"], "Uncategorised": [None], None: [None, "law"]}[category]
        own = [
            entry["fast_latency_s"] for entry in rows
            if entry["arm"] == arm and entry["task_category"] in names and entry["fast_latency_s"] is not None
        ]  # fmt: skip
        assert np.repeat(part.values, part.counts.astype(int)).tolist() == sorted(own)
        assert part.design_effect == 1.0


def test_many_requests_are_counted_in_bins_of_a_thousandth(store, monkeypatch):
    draw = np.random.default_rng(5)
    values = np.append(draw.lognormal(0, 1, 400), 0.0)
    rows = [row(n, "ab"[n % 2], escalated=False, fast_latency_s=value) for n, value in enumerate(values)]
    monkeypatch.setattr(latencies, "MOST_EXACT", 100)
    found = fill(store, rows)[None, "a"]
    assert found.n == 201
    assert quantile(found) == pytest.approx(np.quantile(values[::2], 0.95), rel=5.1e-4)
    assert found.values[0] == 0.0


def test_slow_users_widen_the_interval(store):
    # 40 users with 10 requests each, two of them slow throughout: 20 of 400 requests in all, 10 of 200 in
    # each arm, above the percentile 1 + (9 - 1) x 0.05 = 1.4 (place 199 x 0.95 = 189.05, values 190 and 191).
    rows = [
        row(f"{user}-{n}", "ab"[user % 2], unit_id=f"u{user}", escalated=False,
            fast_latency_s=9.0 if user < 2 else 1.0)
        for user in range(40)
        for n in range(10)
    ]  # fmt: skip
    found = fill(store, rows)[None, "a"]
    assert quantile(found) == pytest.approx(1.4)
    # Share 0.05; residuals 10 - 0.5 once, -0.5 nineteen times: 90.25 + 4.75 = 95; alone 200 x 0.0475 = 9.5.
    # 95 / 9.5 x 20/19 = 10.526: the 200 requests count as 19, too few for an upper end.
    assert found.design_effect == pytest.approx(200 / 19)
    assert arm_quantile(found).high is None
    # All requests are of one category, whose percentile is found on its own.
    assert counted(store, E, assignment(store, E))["law", "a"].design_effect == found.design_effect


@pytest.mark.parametrize("most_exact", [100_000, 100])
def test_users_who_all_reach_a_time_limit_widen_the_interval(store, monkeypatch, most_exact):
    # As above, but three of an arm's twenty users always take 30 s, the longest of all: the percentile is
    # 30 s and no request is slower. Share as slow 0.15; residuals 10 - 1.5 three times, -1.5 seventeen
    # times: 216.75 + 38.25 = 255; alone 200 x 0.1275 = 25.5; 10 x 20/19.
    rows = [
        row(f"{user}-{n}", "ab"[user % 2], unit_id=f"u{user}", escalated=False,
            fast_latency_s=30.0 if user < 6 else 1.0 + n / 100)
        for user in range(40)
        for n in range(10)
    ]  # fmt: skip
    monkeypatch.setattr(latencies, "MOST_EXACT", most_exact)
    found = fill(store, rows)[None, "a"]
    assert quantile(found) == pytest.approx(30, rel=5.1e-4)
    assert found.design_effect == pytest.approx(200 / 19)


def test_one_user_per_arm_counts_as_one_request(store):
    draw = np.random.default_rng(6)
    rows = [
        row(n, "ab"[n % 2], unit_id=f"u{n % 2}", escalated=False, fast_latency_s=float(draw.lognormal()))
        for n in range(800)
    ]
    found = fill(store, rows)
    assert found[None, "a"].design_effect == 400
    effect = quantile_effect(found[None, "a"], found[None, "b"])
    assert effect.p_value is None
    assert "too few requests" in effect.reason


def test_users_in_both_arms_are_left_out(store):
    rows = [
        row(f"{user}-{n}", "ab"[user % 2], unit_id=f"u{user}", escalated=False, fast_latency_s=1.0 + user % 3)
        for user in range(40)
        for n in range(3)
    ]
    wrong = [
        row(f"wrong{n}", "ab"[n % 2], unit_id="wrong", escalated=False, fast_latency_s=90.0) for n in range(2)
    ]
    found = fill(store, rows + wrong)
    assert found[None, "a"].n == 60
    assert found[None, "a"].values.max() == 3.0
