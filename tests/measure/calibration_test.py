"""Calibration against the reference cases, other implementations and a known truth."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from analytics.measure.calibration import (
    binned_ece,
    brier,
    corp,
    debiased_squared_error,
    ece,
    isotonic,
    largest_gap,
    murphy,
    perfect_ece,
)
from analytics.measure.graded import Graded, graded_answers
from analytics.measure.ranking import auroc_estimate, delong_variance, selective
from analytics.measure.reliability import equal_mass, equal_width, reliability_table
from analytics.measure.smoothing import smooth_ece, smoothed_error


def of(case) -> Graded:
    return graded_answers(case.inputs["c"], case.inputs["y"])


def simulated(n: int, seed: int, *, levels: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Perfectly calibrated 0/1 grades on a grid of confidences."""
    chance = np.random.default_rng(seed)
    c = chance.integers(1, levels, n) / levels
    return c, (chance.random(n) < c).astype(float)


def test_equal_width_bins_are_the_reference_ones(refcase):
    case = refcase("calibration", "ece_equal_width_edges")
    answers = of(case)
    index = equal_width(answers, bins=case.inputs["bins"])
    table = reliability_table(answers, index)
    rows = [list(row) for row in table.select("bin", "n", "confidence", "accuracy").iter_rows()]
    assert case.close(rows, case.expected["table"])
    assert case.close(binned_ece(answers, index), case.expected["ece"])
    assert case.close(largest_gap(answers, index), case.expected["mce"])
    right = answers.total
    assert case.close(ece(answers.confidence, right, answers.n - right), case.expected["ece"])


def test_one_class_has_no_auroc(refcase):
    case = refcase("calibration", "calibration_single_class")
    answers = of(case)
    found = auroc_estimate(answers)
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason is not None
    assert case.close(selective(answers).aurc, case.expected["aurc"])
    assert case.close(brier(answers).value, case.expected["brier"])


def test_brier_score_and_its_parts_are_the_reference_ones(refcase):
    case = refcase("calibration", "brier_murphy_corp")
    answers = of(case)
    assert case.close(brier(answers).value, case.expected["brier"])
    by_value, by_fit = murphy(answers), corp(answers)
    assert by_value is not None
    assert by_fit is not None
    expected = case.expected["murphy"]
    assert case.close(by_value.miscalibration, expected["reliability"])
    assert case.close(by_value.discrimination, expected["resolution"])
    assert case.close(by_value.uncertainty, expected["uncertainty"])
    expected = case.expected["corp"]
    assert case.close(by_fit.miscalibration, expected["mcb"])
    assert case.close(by_fit.discrimination, expected["dsc"])
    assert case.close(by_fit.uncertainty, expected["unc"])
    fit = dict(zip(answers.confidence, isotonic(answers), strict=True))
    assert case.close([fit[c] for c in case.inputs["c"]], case.expected["isotonic"])


def test_ranking_figures_are_the_reference_ones(refcase):
    case = refcase("calibration", "auroc_delong_aurc")
    answers = of(case)
    risk = selective(answers)
    got = {
        "auroc": auroc_estimate(answers).value,
        "delong_var": delong_variance(answers),
        "aurc": risk.aurc,
        "optimal": risk.optimal,
        "eaurc": risk.excess,
        "augrc": risk.augrc,
    }
    assert case.close(got, case.expected)


def test_smooth_ece_is_the_reference_one(refcase):
    case = refcase("calibration", "smece")
    answers = of(case)
    # Without bins to be rounded to, it is far nearer than the case asks for.
    assert case.close(smooth_ece(answers), case.expected["smece"], rtol=1e-5)
    assert case.close(smoothed_error(answers, 0.1), case.expected["smece_at_sigma_0_1"], rtol=1e-5)


def test_figures_are_those_of_scikit_learn():
    c, y = simulated(700, 5)
    answers = graded_answers(c, y)
    assert brier(answers).value == pytest.approx(brier_score_loss(y, c), rel=1e-12)
    assert auroc_estimate(answers).value == pytest.approx(roc_auc_score(y, c), rel=1e-12)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(c, y).predict(answers.confidence)
    assert isotonic(answers) == pytest.approx(theirs, abs=1e-12)


def test_equal_mass_bins_never_split_ties_and_ignore_the_order_of_rows():
    c = np.array([0.9] * 7 + [0.1, 0.2, 0.3])
    answers = graded_answers(c, np.ones(10))
    # Midranks 1, 2, 3 and 7 (the mean of 4 to 10): bins floor(10 (r - 1/2) / 10) = 0, 1, 2, 6.
    assert equal_mass(answers).tolist() == [0, 1, 2, 6]
    # Nine equal answers have rank 5: floor(10 * 4.5 / 9).
    assert equal_mass(graded_answers(np.full(9, 0.5), np.ones(9))).tolist() == [5]


def test_debiased_error_by_hand():
    # One bin of four answers at 0.5, one of them right: gap 0.25 - 0.5, noise 0.25 * 0.75 / 3 = 0.0625.
    answers = graded_answers([0.5] * 4, [1, 0, 0, 0])
    assert debiased_squared_error(answers, equal_width(answers)) == pytest.approx(0.0625 - 0.0625)
    # Both answers of a bin right: no noise. A single answer is not corrected.
    answers = graded_answers([0.5, 0.5, 0.95], [1, 1, 1])
    expected = (2 * 0.5**2 + 0.05**2) / 3
    assert debiased_squared_error(answers, equal_width(answers)) == pytest.approx(expected)


def test_perfectly_calibrated_answers_look_so():
    """500 logs of known truth: the null ECE is met, the debiased error is 0 on average, the gap covers 0."""
    beyond, debiased, ratio = 0, [], []
    for seed in range(500):
        c, y = simulated(200, seed)
        answers = graded_answers(c, y)
        index = equal_width(answers)
        null = perfect_ece(answers, index)
        found = binned_ece(answers, index)
        assert null is not None
        assert found is not None
        beyond += null.p_value <= 0.05
        ratio.append(found / null.mean)
        debiased.append(debiased_squared_error(answers, index))
    assert abs(beyond - 25) < 4 * np.sqrt(500 * 0.05 * 0.95)
    assert np.mean(ratio) == pytest.approx(1.0, abs=4 * np.std(ratio) / np.sqrt(500))
    assert abs(np.mean(debiased)) < 4 * np.std(debiased) / np.sqrt(500)


def test_the_null_ece_of_the_methods_page():
    # METHODS.md section 4 states these without its confidences; Beta(5, 2) is what its section 3 draws from.
    for n, stated in ((50, 0.148), (200, 0.072), (1000, 0.033), (10_000, 0.010)):
        c = np.random.default_rng(n).beta(5, 2, n)
        answers = graded_answers(c, np.zeros(n))
        null = perfect_ece(answers, equal_width(answers))
        assert null is not None
        assert null.mean == pytest.approx(stated, rel=0.25)


def test_fractional_grades_have_a_narrower_null_and_the_brier_score_of_rows():
    chance = np.random.default_rng(3)
    c = chance.integers(1, 10, 3000) / 10
    y = np.clip(c + chance.normal(0, 0.05, c.size), 0, 1)
    answers = graded_answers(c, y, fold=chance.integers(0, 20, c.size))
    assert not answers.binary
    index = equal_width(answers)
    null, coin = perfect_ece(answers, index), perfect_ece(graded_answers(c, np.round(y)), index)
    assert null is not None
    assert coin is not None
    assert null.mean < coin.mean / 5
    found = brier(answers)
    assert found.value == pytest.approx(((c - y) ** 2).mean(), rel=1e-12)
    assert found.low is not None
    assert found.low < found.value < found.high
    assert reliability_table(answers, index)["low"].null_count() == 0


def test_nothing_graded_gives_no_number():
    answers = graded_answers([], [])
    index = equal_width(answers)
    assert binned_ece(answers, index) is None
    assert perfect_ece(answers, index) is None
    assert debiased_squared_error(answers, index) is None
    assert smooth_ece(answers) is None
    assert corp(answers) is None
    assert murphy(answers) is None
    assert brier(answers).value is None
    assert auroc_estimate(answers).value is None
    assert selective(answers).aurc is None
    assert reliability_table(answers, index).is_empty()


def test_merging_very_many_confidences_hardly_changes_the_null():
    c, y = np.random.default_rng(1).random((2, 20_000))
    answers = graded_answers(c, (y < c).astype(float))
    coarse = graded_answers(np.round(c, 3), (y < c).astype(float))
    null, other = (perfect_ece(entry, equal_width(entry)) for entry in (answers, coarse))
    assert null is not None
    assert other is not None
    assert null.mean == pytest.approx(other.mean, rel=0.1)
