"""Numbers of pairs: published minima, and exact power by enumeration of every outcome, from scratch."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from analytics.tuning.sample_size import least_pairs, least_pairs_floor, pairs_needed


@pytest.mark.parametrize(
    ("margin", "least"), [(0.005, 598), (0.01, 299), (0.02, 149), (0.03, 99), (0.05, 59)]
)
def test_the_least_number_of_pairs_is_that_of_the_page(margin, least):
    # CERTIFICATE.md, "Minimum n". One pair fewer leaves the chance of no loss at all above the error.
    assert least_pairs(margin, 0.05) == least
    assert (1 - margin) ** least <= 0.05 < (1 - margin) ** (least - 1)


@pytest.mark.parametrize(("floor", "least"), [(0.9, 29), (0.95, 59), (0.99, 299)])
def test_the_least_number_of_answers_for_a_floor_is_that_of_learn_then_test(floor, least):
    # METHODS section 3, after Angelopoulos et al. 2021.
    assert least_pairs_floor(floor, 0.05) == least


@pytest.mark.parametrize("wrong", [(0.0, 0.05), (1.0, 0.05), (0.1, 0.0), (-0.1, 0.05)])
def test_margins_and_errors_are_between_0_and_1(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        least_pairs(*wrong)


def test_no_number_helps_where_the_margin_is_lost():
    assert pairs_needed(0.03, 0.02, 0.01, delta=0.05) is None
    assert pairs_needed(0.0, 0.1, 0.0, delta=0.05) is None
    assert pairs_needed(0.0, 0.0, 0.01, delta=0.05) == 299


def statistic(lost, won, n, margin):
    """Tango's statistic with the likelihood equation of the restricted estimate solved numerically."""

    def slope(q):  # derivative of lost log(q + m) + won log(q) + rest log(1 - 2q - m)
        return lost / (q + margin) + (won / q if won else 0.0) - 2 * (n - lost - won) / (1 - 2 * q - margin)

    top, tiny = (1 - margin) / 2, 1e-12
    if slope(tiny) <= 0:
        q = 0.0
    elif lost + won == n:
        q = top
    else:
        q = brentq(slope, tiny, top - tiny, xtol=1e-14)
    return (lost - won - n * margin) / math.sqrt(n * (2 * q + margin - margin**2))


def exact_power(n, margin, delta, lost_rate, won_rate):
    """Chance of rejecting, with the critical value by brute force over every outcome and a fine grid."""
    outcomes = [(a, b) for a in range(n + 1) for b in range(n + 1 - a) if a + b <= n]
    # Outcomes of many differing pairs have no weight under the planned rates, and are never rejected here.
    z = np.array([statistic(a, b, n, margin) for a, b in outcomes])
    a, b = np.array(outcomes).T
    order = np.argsort(z, kind="stable")
    worst = np.zeros(z.size)
    for q in np.sin(np.linspace(0, math.asin(math.sqrt((1 - margin) / 2)), 120)) ** 2:
        p = np.array([q + margin, q, max(1 - 2 * q - margin, 0.0)])
        mass = stats.multinomial.pmf(np.c_[a, b, n - a - b], n, p / p.sum())
        worst = np.maximum(worst, np.cumsum(mass[order]))
    # Outcomes of one value of the statistic are rejected together.
    ends = np.append(np.diff(z[order]) > 1e-9, True)
    rejected = order[: (np.flatnonzero(ends & (worst <= delta)).max(initial=-1)) + 1]
    p = [lost_rate, won_rate, 1 - lost_rate - won_rate]
    return float(stats.multinomial.pmf(np.c_[a, b, n - a - b][rejected], n, p).sum())


@pytest.mark.parametrize(
    ("lost", "won", "margin", "delta"),
    [(0.02, 0.03, 0.06, 0.05), (0.05, 0.06, 0.08, 0.05), (0.01, 0.01, 0.05, 0.015), (0.03, 0.1, 0.08, 0.02)],
)
def test_the_planned_number_has_the_power_that_it_promises(lost, won, margin, delta):
    n = pairs_needed(lost, won, margin, delta=delta)
    assert 20 < n < 250
    assert 0.78 <= exact_power(n, margin, delta, lost, won) <= 0.9
