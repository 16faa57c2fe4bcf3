"""The exact score test against two independent routes of the reference cases, and by full enumeration."""

import json
from itertools import product
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analytics.tuning.noninferiority import (
    TOLERANCE,
    critical_value,
    floor_p_values,
    fold_p_values,
    p_value,
    score,
)

CASES = json.loads((Path(__file__).parents[1] / "refcases" / "certificate.json").read_text())
MARGINS = [*CASES["non_inferiority"], *CASES["tiny"]]


def counts(case):
    return case["n_plus"], case["n_minus"], case["n"], case["margin"]


@pytest.mark.parametrize("case", MARGINS, ids=lambda case: "-".join(map(str, counts(case))))
def test_the_reference_cases_hold(case):
    lost, won, n, margin = counts(case)
    z = float(score(lost, won, n, margin))
    assert z == pytest.approx(case["z"], abs=1e-6)
    assert p_value(lost, won, n, margin) == pytest.approx(case["p_exact_score"], abs=1e-5)
    certified = z <= critical_value(n, margin, case["delta"]) + TOLERANCE
    assert certified == case["certified"]


@pytest.mark.parametrize("case", CASES["floor"], ids=lambda case: f"{case['errors']}-{case['n']}")
def test_the_floors_of_the_reference_cases_hold(case):
    got = float(floor_p_values(case["errors"], case["n"], case["floor"]))
    assert got == pytest.approx(case["p_exact"], abs=1e-9)
    assert (got <= case["delta"]) == case["certified"]


def test_the_fold_test_of_the_reference_case_holds():
    case = CASES["fold_t"]
    excess = np.array(case["sum_d_per_fold"]) - case["margin"] * np.array(case["rows_per_fold"])
    assert fold_p_values(excess[:, None])[0] == pytest.approx(case["p"], rel=1e-9)
    assert fold_p_values(excess[:, None])[0] == pytest.approx(
        stats.ttest_1samp(excess, 0, alternative="less").pvalue, rel=1e-9
    )


@pytest.mark.parametrize(("n", "margin", "error"), [(25, 0.2, 0.05), (40, 0.1, 0.05), (30, 0.15, 0.1)])
def test_no_truth_on_the_boundary_is_certified_more_often_than_allowed(n, margin, error):
    """Every outcome of every truth is enumerated with exact binomial coefficients."""
    critical = critical_value(n, margin, error)
    lost, won = np.array([(a, b) for a, b in product(range(n + 1), repeat=2) if a + b <= n]).T
    rejected = score(lost, won, n, margin) <= critical + TOLERANCE
    ways = np.array([comb(n, int(a)) * comb(n - int(a), int(b)) for a, b in zip(lost, won, strict=True)])
    size = []
    for q in np.linspace(0, (1 - margin) / 2, 400):
        chance = ways * (q + margin) ** lost * q**won * (1 - 2 * q - margin) ** (n - lost - won)
        size.append(float(chance[rejected].sum()))
    assert 0.5 * error < max(size) <= error


@pytest.mark.parametrize(("n", "certified"), [(298, False), (299, True)])
def test_no_lost_answer_certifies_one_point_from_299_pairs_on(n, certified):
    assert (p_value(0, 0, n, 0.01) <= 0.05) == certified
    assert p_value(0, 0, n, 0.01) == pytest.approx(0.99**n, rel=1e-9)


def test_nothing_is_certified_from_nothing():
    assert p_value(0, 0, 0, 0.01) == 1.0
    assert p_value(0, 0, 50, 0.0) == 1.0
    assert critical_value(0, 0.01, 0.05) == -np.inf
    with pytest.raises(ValueError, match="margin"):
        score(0, 0, 10, 1.0)


def test_a_margin_of_nothing_is_the_one_sided_test_of_a_difference():
    assert p_value(2, 20, 100, 0.0) < 0.001
    assert p_value(20, 2, 100, 0.0) > 0.99


def test_many_pairs_use_the_normal_quantile_with_an_allowance():
    assert critical_value(100_000, 0.01, 0.05) == pytest.approx(stats.norm.ppf(0.05) - 0.02)
    assert stats.norm.ppf(0.05) - 0.053 <= critical_value(6321, 0.01, 0.05) <= stats.norm.ppf(0.05)
