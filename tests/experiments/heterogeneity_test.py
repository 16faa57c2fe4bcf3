"""Whether effects differ between categories, against statsmodels' meta-analysis and by hand."""

import math

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from analytics.experiments.heterogeneity import heterogeneity, mantel_haenszel, shrunk


def test_the_spread_is_that_of_statsmodels():
    draw = np.random.default_rng(1)
    between = 0
    for _ in range(200):
        size = int(draw.integers(2, 10))
        errors = draw.uniform(0.02, 0.2, size)
        effects = draw.normal(0.05, draw.choice([0.0, 0.1, 0.5]), size) + draw.normal(0, errors)
        found = heterogeneity(effects, errors)
        with np.errstate(all="ignore"):  # its variance between categories may be below 0
            expected = combine_effects(effects, errors**2, method_re="dl")
        assert found.pooled == pytest.approx(expected.mean_effect_fe)
        assert found.q == pytest.approx(expected.q)
        assert found.degrees == size - 1
        assert found.p_value == pytest.approx(expected.test_homogeneity().pvalue)
        assert found.i_squared == pytest.approx(max(0.0, expected.i2))
        assert found.between == pytest.approx(max(0.0, expected.tau2))
        drawn = shrunk(effects, errors, found)
        low, high = np.minimum(effects, found.pooled), np.maximum(effects, found.pooled)
        assert ((drawn >= low - 1e-12) & (drawn <= high + 1e-12)).all()
        between += found.between > 0
    assert 40 < between < 200


def test_effects_are_drawn_towards_the_common_one_by_hand():
    # Effects 0 and 4 with errors 1: pooled 2, Q = 8, one degree; scale 2 - 2/2 = 1, so 7 between them.
    # Each keeps 7/8 of its distance: 0.25 and 3.75.
    spread = heterogeneity([0.0, 4.0], [1.0, 1.0])
    assert (spread.pooled, spread.q, spread.degrees, spread.between) == pytest.approx((2, 8, 1, 7))
    assert spread.i_squared == pytest.approx(7 / 8)
    assert shrunk([0.0, 4.0], [1.0, 1.0], spread) == pytest.approx([0.25, 3.75])
    # Equal effects do not differ: all are the common one.
    same = heterogeneity([0.3, 0.3], [1.0, 2.0])
    assert (same.q, same.i_squared, same.between) == pytest.approx((0, 0, 0))
    assert shrunk([0.3, 0.3], [1.0, 2.0], same) == pytest.approx([0.3, 0.3])


def test_one_category_has_no_spread():
    assert heterogeneity([0.3], [0.1]) is None
    assert heterogeneity([], []) is None


def test_strata_by_hand():
    # 8 of 10 against 5 of 10, and 3 of 5 against 5 of 15: weights 10 x 10 / 20 = 5 and 5 x 15 / 20 = 3.75;
    # differences 0.3 and 0.6 - 1/3 = 0.26667: (1.5 + 1) / 8.75 = 0.285714.
    found = mantel_haenszel([(5, 10, 8, 10), (5, 15, 3, 5)])
    # Greenland & Robins: sum of [x1 (n1 - x1) n2^3 + x2 (n2 - x2) n1^3] / (n1 n2 N^2):
    # (25 x 1000 + 16 x 1000) / (100 x 400) + (50 x 125 + 6 x 3375) / (75 x 400) = 1.025 + 0.88333.
    assert found == pytest.approx((2.5 / 8.75, math.sqrt(1.025 + 26500 / 30000) / 8.75))
    # Strata without requests in one of the arms tell nothing.
    assert mantel_haenszel([(5, 10, 8, 10), (5, 15, 3, 5), (9, 9, 0, 0)]) == found
    assert mantel_haenszel([(9, 9, 0, 0)]) is None
