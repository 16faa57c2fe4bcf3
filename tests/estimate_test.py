"""Intervals against published tables and other implementations."""

import json

import numpy as np
import pytest
from scipy import stats

from analytics.estimate import (
    Estimate,
    imbens_manski,
    mean_interval,
    newcombe,
    ratio_interval,
    rounded,
    undefined,
    wilson,
)


@pytest.mark.parametrize(("x", "n"), [(0, 10), (1, 10), (7, 12), (50, 100), (10, 10), (999, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_equals_scipy(x, n, level):
    expected = stats.binomtest(x, n).proportion_ci(level, method="wilson")
    assert wilson(x, n, level=level) == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-15)


def test_nothing_observed_leaves_the_whole_range():
    assert wilson(0, 0) == (0.0, 1.0)


def test_newcombe_equals_his_table(refcase):
    case = refcase("ci", "newcombe_difference")
    for row in case.expected["rows"]:
        got = newcombe(row["x1"], row["n1"], row["x2"], row["n2"])
        assert case.close(list(got), [row["lower"], row["upper"]])


def test_imbens_manski_equals_the_reference(refcase):
    case = refcase("ci", "imbens_manski")
    for row in case.expected["rows"]:
        got = imbens_manski(row["lower"], row["upper"], row["se_lower"], row["se_upper"])
        assert got == pytest.approx(tuple(row["ci"]), rel=1e-9)


def test_cost_per_correct_has_the_reference_s_log_delta_interval(refcase):
    case = refcase("ci", "cost_per_correct_ratio")
    cost, correct = np.array(case.inputs["cost"]), np.array(case.inputs["correct"])
    products = ((cost**2).sum(), (correct**2).sum(), (cost * correct).sum())
    got = ratio_interval(cost.sum(), correct.sum(), products, cost.size)
    assert case.close(list(got), case.expected["log_delta"])


def test_a_mean_has_a_normal_interval():
    values = np.array([0.2, 0.9, 0.4, 0.5, 0.55])
    expected = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert mean_interval(values.sum(), (values**2).sum(), 5) == pytest.approx(expected)


def test_one_value_has_no_interval():
    assert mean_interval(1.0, 1.0, 1) is None
    assert ratio_interval(1.0, 0.0, (1.0, 0.0, 0.0), 5) is None


def test_undefined_is_null_with_a_reason_in_json():
    document = undefined("There are no grades.").as_json()
    assert document["value"] is None
    assert document["reason"] == "There are no grades."
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_order_of_a_sum_does_not_show():
    assert rounded(0.1 + 0.2) == rounded(0.3)
    assert Estimate(0.1 + 0.2, None, None, 1, "x").as_json()["value"] == 0.3
    assert rounded(float("nan")) is None
