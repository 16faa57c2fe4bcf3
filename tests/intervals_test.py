"""Intervals of ratios, quantiles and curves against the reference cases."""

import itertools

import numpy as np
import pytest

from analytics.estimate import normal_quantile
from analytics.intervals import bootstrap_mean, fieller, gain_half_width, quantile_ranks, ratio_error


def test_cost_per_correct_has_the_reference_s_intervals(refcase):
    case = refcase("ci", "cost_per_correct_ratio")
    cost, correct = (np.array(case.inputs[name], dtype=float) for name in ("cost", "correct"))
    ratio, error = cost.sum() / correct.sum(), ratio_error(cost, correct)
    half = normal_quantile(0.975) * error
    got = {"ratio": ratio, "se": error, "delta": [ratio - half, ratio + half]}
    assert case.close(got, {name: case.expected[name] for name in got})
    kind, *ends = case.expected["fieller"]
    assert kind == "bounded"
    assert case.close(list(fieller(cost, correct)), ends)


def test_a_ratio_to_what_may_be_nothing_has_no_bounds():
    # one correct answer in twelve: its mean is within two errors of 0
    correct = np.array([1.0] + [0.0] * 11)
    assert fieller(np.linspace(1, 2, 12), correct) is None
    assert ratio_error(np.ones(3), np.zeros(3)) is None
    assert fieller(np.ones(1), np.ones(1)) is None


def test_a_quantile_lies_between_the_reference_s_ranks(refcase):
    case = refcase("ci", "quantile_order_statistic_ci")
    for row in case.expected["rows"]:
        low, high, covered = quantile_ranks(row["n"], row["q"])
        assert (low, high) == (row["lower_rank"], row["upper_rank"])
        assert case.close(covered, row["coverage"])
    assert quantile_ranks(5, 0.05)[0] is None


def test_the_band_of_a_gain_is_the_reference_s(refcase):
    case = refcase("ci", "dkw_band")
    got = [gain_half_width(n, level=1 - case.inputs["delta"]) for n in case.inputs["n"]]
    assert case.close(got, case.expected["half_width"])


def test_a_bootstrap_gives_what_all_resamples_give(refcase):
    case = refcase("ci", "exact_bootstrap_mean")
    values = np.array(case.inputs["x"])
    got = bootstrap_mean(values)
    assert case.close(list(got), [case.expected[name] for name in ("se", "p2_5", "p97_5")])
    every = [np.mean(part) for part in itertools.product(values, repeat=values.size)]
    assert np.std(every) == pytest.approx(case.expected["se"], rel=1e-12)
    assert bootstrap_mean(np.zeros(0)) is None
