"""Overconfidence and recalibration against the reference cases, statsmodels and a known truth."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.calibration import _sigmoid_calibration

from analytics.measure.graded import graded_answers
from analytics.measure.overconfidence import calibration_tests, cox, flags, gap, logistic
from analytics.measure.recalibration import (
    FEW_ROWS,
    ONE_LEVEL,
    REVERSED,
    isotonic_map,
    platt_map,
    recalibration,
)


def test_tests_of_calibration_are_the_reference_ones(refcase):
    case = refcase("calibration", "overconfidence_tests")
    answers = graded_answers(case.inputs["c"], case.inputs["y"])
    found, tests, line = gap(answers), calibration_tests(answers), cox(answers)
    error = answers.error(answers.confidence - found.value, -np.ones_like(answers.confidence))
    assert error is not None
    got = {
        "gap": found.value,
        "gap_se": error,
        "gap_t": found.value / error,
        "citl_z": tests.in_the_large,
        "spiegelhalter_z": tests.spiegelhalter,
        "cox_intercept": line.intercept,
        "cox_slope": line.slope.value,
    }
    assert case.close(got, case.expected)


def test_the_gap_has_students_interval():
    chance = np.random.default_rng(0)
    c, y = chance.random(40), chance.integers(0, 2, 40)
    found, theirs = gap(graded_answers(c, y)), stats.ttest_1samp(c - y, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_coxs_slope_has_statsmodels_robust_interval():
    chance = np.random.default_rng(1)
    c = chance.integers(1, 100, 2000) / 100
    y = (chance.random(2000) < 0.1 + 0.7 * c).astype(float)
    found = cox(graded_answers(c, y)).slope
    theirs = sm.Logit(y, sm.add_constant(np.log(c / (1 - c)))).fit(disp=0, cov_type="HC0")
    assert found.value == pytest.approx(theirs.params[1], rel=1e-7)
    half = (found.high - found.low) / 2 / stats.t.ppf(0.975, 1999)
    assert half == pytest.approx(theirs.bse[1] * np.sqrt(2000 / 1999), rel=1e-6)


@pytest.mark.parametrize(
    ("c", "y"),
    [
        ([0.5] * 40, [0, 1] * 20),
        ([0.2] * 20 + [0.8] * 20, [0] * 20 + [1] * 20),
        ([0.2, 0.8] * 20, [1] * 40),
    ],
)
def test_a_regression_without_a_solution_has_no_slope(c, y):
    found = cox(graded_answers(c, y))
    assert (found.slope.value, found.intercept) == (None, None)
    assert found.slope.reason


def test_only_sure_overconfidence_beyond_the_margin_is_flagged():
    chance = np.random.default_rng(2)
    c = np.full(400, 0.9)
    answers = {
        "wild": graded_answers(c, chance.random(400) < 0.6),
        "mild": graded_answers(c, chance.random(400) < 0.87),
        "fair": graded_answers(c, chance.random(400) < 0.9),
        "few": graded_answers(c[:49], np.zeros(49)),
        "none": graded_answers([], []),
    }
    found = flags(answers)
    assert {name: entry.word for name, entry in found.items()} == {
        "wild": "overconfident",
        "mild": "fair",
        "fair": "fair",
        "few": "too_few",
        "none": "too_few",
    }
    wild = found["wild"]
    assert wild.p_value is not None
    # Three were asked, so Holm triples the smallest.
    assert wild.adjusted == pytest.approx(3 * wild.p_value)


def test_calibrated_models_are_hardly_ever_flagged():
    chance, flagged = np.random.default_rng(3), 0
    for _ in range(300):
        answers = {}
        for name in range(10):
            c = chance.integers(50, 100, 100) / 100
            answers[str(name)] = graded_answers(c, chance.random(100) < c)
        flagged += any(entry.word == "overconfident" for entry in flags(answers).values())
    assert flagged / 300 <= 0.05


def test_platts_curve_is_that_of_scikit_learn():
    chance = np.random.default_rng(4)
    c = chance.integers(0, 101, 500) / 100
    y = (chance.random(500) < c**2).astype(float)
    found = platt_map(graded_answers(c, y))
    assert not isinstance(found, str)
    slope, intercept = _sigmoid_calibration(c, y)
    at = np.linspace(0, 1, 11)
    assert found(at) == pytest.approx(1 / (1 + np.exp(slope * at + intercept)), abs=1e-4)


def test_a_reversed_confidence_is_not_recalibrated_by_platt():
    chance = np.random.default_rng(5)
    c, fold = chance.integers(0, 101, 2000) / 100, chance.integers(0, 20, 2000)
    y = (chance.random(2000) > c).astype(float)
    assert recalibration(graded_answers(c, y, fold=fold), "platt").reason == REVERSED


def test_recalibration_lowers_the_error_of_an_overconfident_model_and_keeps_the_order():
    chance = np.random.default_rng(6)
    c, fold = chance.choice([0.7, 0.8, 0.9, 0.95, 1.0], 6000), chance.integers(0, 20, 6000)
    y = (chance.random(6000) < c**4).astype(float)
    answers = graded_answers(c, y, fold=fold)
    # c^4 is no logistic curve, so Platt's cannot reach it; any rising curve is within reach of the other.
    for method, most in (("platt", 0.1), ("isotonic", 0.04)):
        found = recalibration(answers, method)
        assert found.reason is None
        assert found.ece_before > 0.2
        assert found.ece_after < most
        assert found.brier_change.high < 0
        assert found.levels_before == 5
        mapped = [value for _, value in found.claims]
        assert mapped == sorted(mapped)
    # The true share right at 0.9 is 0.9^4 = 0.656.
    assert dict(recalibration(answers, "isotonic").claims)[0.9] == pytest.approx(0.6561, abs=0.04)


def test_the_change_of_the_brier_score_is_that_of_the_rows():
    chance = np.random.default_rng(7)
    c, fold = chance.integers(0, 101, 3000) / 100, chance.integers(0, 20, 3000)
    y = (chance.random(3000) < c**2).astype(float)
    found = recalibration(graded_answers(c, y, fold=fold), "isotonic").brier_change
    fitted = isotonic_map(graded_answers(c[fold < 10], y[fold < 10]))
    assert not isinstance(fitted, str)
    held = fold >= 10
    rows = (fitted(c[held]) - y[held]) ** 2 - (c[held] - y[held]) ** 2
    theirs = stats.ttest_1samp(rows, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(rows.mean(), rel=1e-9)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_a_recalibration_without_data_says_why():
    few = graded_answers([0.5, 0.9, 0.9], [1, 0, 1], fold=[1, 12, 13])
    assert recalibration(few, "platt").reason == FEW_ROWS
    constant = graded_answers([0.9] * 100, [0, 1] * 50, fold=[*range(20)] * 5)
    assert recalibration(constant, "isotonic").reason == ONE_LEVEL
    assert recalibration(constant, "platt").reason == ONE_LEVEL


def test_logistic_regression_of_extreme_scores_converges():
    found = logistic(np.array([-13.8, 0.0, 13.8]), np.array([900.0, 10.0, 90.0]), np.array([1.0, 5.0, 89.0]))
    x = sm.add_constant(np.repeat([-13.8, 0.0, 13.8], [900, 10, 90]))
    y = np.concatenate([[1.0], np.zeros(899), np.ones(5), np.zeros(5), np.ones(89), [0.0]])
    assert found == pytest.approx(tuple(sm.Logit(y, x).fit(disp=0).params), rel=1e-6)
