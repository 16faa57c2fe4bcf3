"""Two proportions against scipy, statsmodels, maximised likelihoods, closed forms and simulations."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep, proportion_effectsize, proportions_ztest

from analytics.experiments.proportions import (
    constrained,
    detectable,
    equality,
    exact_p_value,
    noninferiority,
    noninferiority_size,
    pooled_z_p_value,
    probability_above,
    probability_better,
    superiority_size,
    upper_tail,
)

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(one=counts, other=counts)
def test_the_pooled_z_test_is_that_of_statsmodels(one, other):
    (x1, n1), (x2, n2) = one, other
    if x1 + x2 in (0, n1 + n2):
        assert pooled_z_p_value(x1, n1, x2, n2) is None
        assert exact_p_value(x1, n1, x2, n2) == 1.0
        return
    assert pooled_z_p_value(x1, n1, x2, n2) == pytest.approx(proportions_ztest([x1, x2], [n1, n2])[1])


@pytest.mark.parametrize(
    ("table", "test"),
    [
        ((100, 200, 90, 200), "Boschloo's exact test"),
        ((100, 201, 90, 100), "pooled z test"),
        # 21 of 402 fail: 201 x 21 / 402 = 10.5 are expected in each arm. 19: 9.5 are too few.
        ((190, 201, 191, 201), "pooled z test"),
        ((191, 201, 192, 201), "Fisher's exact test"),
        ((10, 201, 9, 201), "Fisher's exact test"),
        ((0, 900, 0, 30), "none: the same outcome throughout"),
    ],
)
def test_which_test_is_used(table, test):
    assert equality(*table)[1] == test


@given(one=counts, other=counts, difference=st.sampled_from([-0.3, -0.1, -0.02, 0.05, 0.2]))
def test_the_constrained_estimates_maximise_the_likelihood(one, other, difference):
    (x1, n1), (x2, n2) = one, other
    p1, p2 = constrained(x1, n1, x2, n2, difference)
    assert p1 - p2 == pytest.approx(difference)
    assert 0 <= p1 <= 1
    assert 0 <= p2 <= 1

    def short(p):
        return -float(
            special.xlogy(x2, p) + special.xlog1py(n2 - x2, -p)
            + special.xlogy(x1, p + difference) + special.xlog1py(n1 - x1, -p - difference)
        )  # fmt: skip

    ends = (max(0.0, -difference), min(1.0, 1 - difference))
    best = optimize.minimize_scalar(short, bounds=ends, method="bounded", options={"xatol": 1e-10})
    assert short(p2) <= float(best.fun) + 1e-7


def test_noninferiority_without_any_variance_is_not_told_by_wald():
    found = noninferiority(50, 50, 60, 60, 0.02)
    assert (found.z_wald, found.p_wald, found.p_equivalence) == (None, None, None)
    # The score test takes the variance under the margin: p2 = 1, p1 = 0.98, z = 0.02 / sqrt(.98 x .02 / 50).
    assert found.z_score == pytest.approx(0.02 / math.sqrt(0.98 * 0.02 / 50))
    assert found.p_score == pytest.approx(stats.norm.sf(found.z_score))


@given(x1=st.integers(400, 500), x2=st.integers(400, 500))
def test_a_surely_noninferior_treatment_is_one_by_every_test(x1, x2):
    assume(x1 < 500 or x2 < 500)
    found = noninferiority(x1, 500, x2, 500, 0.03)
    assert found.p_equivalence >= found.p_wald
    assert (found.p_wald < 0.5) is (x1 - x2 > -15)
    assert (found.p_score < 0.5) is (x1 - x2 > -15)


def by_sum(x1, n1, x2, n2):
    """P(p2 > p1) in closed form: a sum over the second posterior's successes (Miller 2015)."""
    a1, b1, a2, b2 = x1 + 1, n1 - x1 + 1, x2 + 1, n2 - x2 + 1
    i = np.arange(a2)
    terms = (
        special.betaln(a1 + i, b1 + b2) - np.log(b2 + i) - special.betaln(1 + i, b2) - special.betaln(a1, b1)
    )
    return float(np.exp(terms).sum())


@settings(max_examples=25)
@given(one=counts, other=counts)
def test_the_probability_to_be_better_is_the_closed_form(one, other):
    assert probability_better(*one, *other) == pytest.approx(by_sum(*one, *other), abs=1e-9)
    assert probability_better(*one, *other) + probability_better(*other, *one) == pytest.approx(1, abs=1e-9)


def test_the_probability_to_be_better_of_a_hundred_million_requests():
    n = 10**8
    x1, x2 = 90_000_000, 90_005_000
    error = math.sqrt(2 * 0.9 * 0.1 / n)
    assert probability_better(x1, n, x2, n) == pytest.approx(stats.norm.cdf(0.00005 / error), abs=1e-4)
    assert probability_better(9, 10, x2, n) == pytest.approx(stats.beta(10, 2).cdf(0.90005), abs=1e-6)
    assert probability_better(x1, n, 9, 10) == pytest.approx(stats.beta(10, 2).sf(0.9), abs=1e-6)


def test_the_probability_that_an_effect_is_above_0():
    assert probability_above(1.0, 0.5) == pytest.approx(stats.norm.cdf(2))
    assert probability_above(1.0, 0.0) is None
    assert upper_tail(30.0) == pytest.approx(stats.norm.sf(30.0))


@pytest.mark.parametrize(("p", "n"), [(0.9, 3213), (0.5, 200), (0.05, 1000), (0.0, 300), (0.99, 5000)])
def test_the_smallest_effect_that_is_found_has_the_power_that_was_asked_for(p, n):
    rise = detectable(p, n)
    assert superiority_size(p, p + rise).n_raw == pytest.approx(n, rel=1e-6)
    # statsmodels: the pooled variance under the null, the separate ones for power; both tails.
    found = power_proportions_2indep(rise, p, n, alternative="larger", alpha=0.025, return_results=False)
    assert found == pytest.approx(0.8, abs=0.002)


def test_where_even_certainty_is_not_enough_there_is_no_smallest_effect():
    assert detectable(0.9, 20) is None
    assert detectable(1.0, 10**9) is None
    # 1 against 0.9 takes 74 requests: [1.96 sqrt(2 x .95 x .05) + .8416 sqrt(.9 x .1)]^2 / .01 = 73.4.
    assert superiority_size(0.9, 1.0).n_per_arm == 74
    assert detectable(0.9, 74) == pytest.approx(0.1, abs=0.001)


def test_sizes_are_near_those_of_the_arcsine_formula_and_bear_out():
    """The formula against simulated experiments: power 80% within 4 standard errors of 0.6%."""
    found = superiority_size(0.7, 0.75)
    size = NormalIndPower().solve_power(proportion_effectsize(0.75, 0.7), alpha=0.05, power=0.8)
    assert found.n_raw == pytest.approx(size, rel=0.01)
    draw = np.random.default_rng(1)
    n = found.n_per_arm
    one, other = draw.binomial(n, 0.7, 5000), draw.binomial(n, 0.75, 5000)
    found = np.mean([pooled_z_p_value(x2, n, x1, n) < 0.05 for x1, x2 in zip(one, other, strict=True)])
    assert found == pytest.approx(0.8, abs=4 * 0.006)
    n = noninferiority_size(0.7, 0.05).n_per_arm
    tried = [noninferiority(int(x), n, int(y), n, 0.05) for x, y in draw.binomial(n, 0.7, (5000, 2))]
    assert np.mean([item.p_wald < 0.025 for item in tried]) == pytest.approx(0.8, abs=4 * 0.006)
    # At the margin itself one in forty is called noninferior.
    at = [noninferiority(int(x), n, int(y), n, 0.05) for x, y in zip(
        draw.binomial(n, 0.65, 5000), draw.binomial(n, 0.7, 5000), strict=True)]  # fmt: skip
    assert np.mean([item.p_score < 0.025 for item in at]) == pytest.approx(0.025, abs=4 * 0.0023)
