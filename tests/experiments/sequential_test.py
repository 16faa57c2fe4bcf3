"""Always-valid intervals and p-values against published values, other formulas and simulated truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from analytics.experiments.sequential import (
    difference_p_values,
    difference_sequence,
    mixture_p_values,
    mixture_radius,
    peeking_error,
    proportion_sequence,
    running,
    spending_bounds,
    spent,
)


def of(*values):
    return np.array(values, dtype=float)


# Armitage, McPherson & Rowe (1969), J. R. Statist. Soc. A 132: a two-sided 5% test, looked at so often.
PUBLISHED = {1: 0.050, 2: 0.083, 3: 0.107, 4: 0.126, 5: 0.142, 10: 0.193, 20: 0.248, 50: 0.320}


@pytest.mark.parametrize("looks", PUBLISHED)
def test_peeking_errs_as_often_as_published(looks):
    assert peeking_error(looks) == pytest.approx(PUBLISHED[looks], abs=0.0006)


def test_peeking_errs_as_often_as_a_multivariate_normal_says():
    times = np.arange(1, 4) / 3
    covariance = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    bound = stats.norm.ppf(0.95)
    inside = stats.multivariate_normal(cov=covariance).cdf([bound] * 3, lower_limit=[-bound] * 3)
    assert peeking_error(3, level=0.9) == pytest.approx(1 - inside, abs=2e-5)


@pytest.mark.parametrize(("error", "tau"), [(0.1, 0.02), (0.01, 0.02), (0.001, 0.5)])
def test_the_mixture_is_the_integral_over_effects(error, tau):
    """Likelihood ratio: the average over effects N(0, tau^2) of the normal density, over that at 0."""

    def log_ratio(estimate):
        # exp(d x / e^2 - d^2 / (2 e^2)) averaged over d ~ N(0, tau^2), around the integrand's own peak.
        peak = estimate * tau**2 / (tau**2 + error**2)
        wide = error * tau / math.hypot(error, tau)
        top = (peak * estimate - peak**2 / 2) / error**2 - peak**2 / (2 * tau**2)

        def integrand(d):
            return math.exp((d * estimate - d * d / 2) / error**2 - d * d / (2 * tau**2) - top)

        found, _ = integrate.quad(integrand, peak - 12 * wide, peak + 12 * wide, epsabs=0, epsrel=1e-12)
        return top + math.log(found / (tau * math.sqrt(2 * math.pi)))

    radius = float(mixture_radius(of(error), tau, level=0.95)[0])
    # The interval's end is where the ratio reaches 1 / 0.05, and there the p-value is 0.05.
    expected = optimize.brentq(lambda x: log_ratio(x) - math.log(20), error * 1e-3, 40 * error)
    assert radius == pytest.approx(expected, rel=1e-8)
    assert float(mixture_p_values(of(radius), of(error), tau)[0]) == pytest.approx(0.05)
    x = 3.3 * error
    ratio = math.exp(-max(log_ratio(x), 0.0))
    assert float(mixture_p_values(of(-x), of(error), tau)[0]) == pytest.approx(ratio, rel=1e-8)


def test_p_values_never_rise_and_no_look_changes_nothing():
    effect, error = of(0.0, 0.3, np.nan, 0.05, -0.5), of(0.1, 0.1, 1.0, 0.05, 0.05)
    found = mixture_p_values(effect, error, 0.2)
    assert found[0] == 1.0
    assert found[1] == found[2] == found[3] < 0.1
    assert found[4] < found[3]
    # Nothing overflows at an error of almost 0.
    assert mixture_p_values(of(1.0), of(1e-100), 0.2)[0] == 0.0


def test_early_looks_at_no_effect_err_less_often_than_they_say():
    """2,000 experiments of two means with 20 looks, from 100 to 2,000 per arm: at most 5% (Johari et al.)."""
    draw = np.random.default_rng(1)
    n = np.arange(100, 2001, 100)
    sums = draw.normal(0, math.sqrt(2 * 100), (2000, 20)).cumsum(axis=1)  # differences of 100 pairs each
    effect, error = sums / n, np.sqrt(2 / n)
    stopped = np.array([mixture_p_values(row, error, 0.1).min() < 0.05 for row in effect])
    radius = mixture_radius(error, 0.1)
    missed = (np.abs(effect) > radius).any(axis=1)
    assert (stopped == missed).all()
    assert stopped.mean() <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2000)
    # And the fixed test at each look as often as it is said to: 24.8%, within 4 standard errors of 1%.
    naive = (np.abs(effect) > stats.norm.ppf(0.975) * error).any(axis=1).mean()
    assert naive == pytest.approx(peeking_error(20), abs=4 * math.sqrt(0.248 * 0.752 / 2000))


def test_exact_sequences_hold_the_truth_at_every_look():
    """1,000 arms with p = 0.9, looked at after each of 300 requests; at most 5% ever leave it out."""
    draw = np.random.default_rng(2)
    n = np.broadcast_to(np.arange(1.0, 301), (1000, 300))
    successes = (draw.random((1000, 300)) < 0.9).cumsum(axis=1).astype(float)
    low, high = proportion_sequence(successes, n)
    missed = ((low > 0.9) | (high < 0.9)).any(axis=1).mean()
    assert missed <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 1000)
    low, high = running(low[0], high[0])
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()


@given(n=st.integers(1, 400), share=st.floats(0, 1))
def test_the_exact_sequence_is_where_the_binomial_is_likely_enough(n, share):
    x = round(share * n)
    low, high = (float(end[0]) for end in proportion_sequence(of(x), of(n)))
    assert low <= x / n <= high
    for end, out in ((low, -1e-9), (high, 1e-9)):
        if 0 < end < 1:
            assert (n + 1) * stats.binom.pmf(x, n, end) == pytest.approx(0.05, rel=1e-6)
        else:
            assert (n + 1) * stats.binom.pmf(x, n, min(max(end + out, 0), 1)) >= 0.05


def test_without_trials_a_proportion_is_anything():
    assert [float(end[0]) for end in proportion_sequence(of(0), of(0))] == [0.0, 1.0]


def test_a_difference_takes_both_proportions_at_half_the_error():
    low, high = difference_sequence(of(90), of(100), of(70), of(100))
    parts = [proportion_sequence(of(x), of(100), level=0.975) for x in (90, 70)]
    assert low == pytest.approx(parts[0][0] - parts[1][1])
    assert high == pytest.approx(parts[0][1] - parts[1][0])


def test_the_p_value_of_a_difference_is_the_level_that_just_leaves_out_0():
    n = of(12, 50, 100, 200)
    x1, n1, x2, n2 = of(10, 45, 90, 190), n, of(8, 30, 65, 140), n
    found = difference_p_values(x1, n1, x2, n2)
    assert (np.diff(found) <= 0).all()
    for place in (2, 3):
        at = [part[place : place + 1] for part in (x1, n1, x2, n2)]
        alone = float(difference_p_values(*at)[0])
        assert found[place] == pytest.approx(alone)  # each look is the surest so far here
        for level, apart in ((1 - alone * 1.001, True), (1 - alone * 0.999, False)):
            low, high = difference_sequence(*at, level=level)
            assert bool(low[0] > 0 or high[0] < 0) is apart
    assert difference_p_values(of(5), of(9), of(5), of(9))[0] == 1.0


def test_the_running_intersection_by_hand():
    low, high = running(of(np.nan, 0.0, -1.0, 0.2, 0.1), of(np.nan, 5.0, 4.0, 6.0, 3.0))
    assert np.isnan(low[0])
    assert low[1:].tolist() == [0.0, 0.0, 0.2, 0.2]
    assert high[1:].tolist() == [5.0, 4.0, 4.0, 3.0]
    # Where nothing is left in common, a look's own interval is shown.
    low, high = running(of(0.0, 2.0, 2.1), of(1.0, 3.0, 2.5))
    assert (low.tolist(), high.tolist()) == ([0.0, 2.0, 2.1], [1.0, 3.0, 2.5])
    # A gap keeps what was known.
    low, high = running(of(0.0, np.nan), of(1.0, np.nan))
    assert (low.tolist(), high.tolist()) == ([0.0, 0.0], [1.0, 1.0])


@pytest.mark.parametrize("looks", [1, 2, 10, 20, 50])
def test_group_sequential_bounds_spend_what_they_may(looks):
    """The chance to cross by each look, simulated over 400,000 paths, is what is spent by then."""
    times = np.arange(1, looks + 1) / looks
    bounds = spending_bounds(times, alpha=0.025)
    assert (np.diff(bounds) < 0).all()
    # At the first look all that may be spent is: 0.025 where it is the only one, 1e-56 where it is of 50.
    first = 2 * stats.norm.sf(stats.norm.ppf(0.9875) * math.sqrt(looks))
    assert bounds[0] == pytest.approx(stats.norm.isf(first), rel=1e-6)
    assert spent(of(1.0), alpha=0.025)[0] == pytest.approx(0.025)
    assert (np.diff(spent(times, alpha=0.025)) > 0).all()
    assert spent(times, alpha=0.025) == pytest.approx(
        2 * stats.norm.sf(stats.norm.ppf(0.9875) / np.sqrt(times))
    )
    draw = np.random.default_rng(3)
    path, out = np.zeros(400_000), np.zeros(400_000, dtype=bool)
    for time, bound in zip(times, bounds, strict=True):
        path += draw.normal(0, math.sqrt(1 / looks), path.size)
        out |= path / math.sqrt(time) > bound
        expected = float(spent(of(time), alpha=0.025)[0])
        assert out.mean() == pytest.approx(expected, abs=4 * math.sqrt(expected / path.size) + 1e-9)
