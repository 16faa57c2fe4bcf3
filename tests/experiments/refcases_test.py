"""Every reference case of A/B comparisons and of early looks, within its own tolerances."""

import numpy as np
import pytest
from scipy import stats
from trials import moments_of

from analytics.estimate import newcombe
from analytics.experiments.effects import effect, ratio_error
from analytics.experiments.heterogeneity import heterogeneity, mantel_haenszel
from analytics.experiments.latencies import Counted, ranks
from analytics.experiments.preperiod import _adjusted
from analytics.experiments.proportions import (
    detectable,
    exact_p_value,
    noninferiority,
    noninferiority_size,
    probability_better,
    superiority_size,
)
from analytics.experiments.sequential import proportion_sequence, spending_bounds, spent
from analytics.tuning.regressions import mcnemar

CASES = {
    "ab": {
        "exact_2x2", "mann_whitney_latency", "mcnemar", "sample_size", "noninferiority_tost", "cuped",
        "cost_per_correct_two_arms", "bayes_beta_binomial", "stratified_heterogeneity",
    },
    "sequential": {"beta_binomial_cs", "group_sequential_ldof"},
}  # fmt: skip


@pytest.mark.parametrize("file", CASES)
def test_no_case_is_left_out_here(refcase, file):
    assert set(refcase.ids(file)) == CASES[file]


@pytest.mark.parametrize("test", ["fisher", "barnard", "boschloo"])
def test_exact_tests_of_small_tables(refcase, test):
    case = refcase("ab", "exact_2x2")
    for row in case.expected["rows"]:
        (x1, n1), (x2, n2) = ((arm["success"], arm["success"] + arm["fail"]) for arm in row["arms"])
        assert case.close(exact_p_value(x1, n1, x2, n2, test=test), row[test])
        assert case.close(exact_p_value(x2, n2, x1, n1, test=test), row[test])


def counted(values):
    found, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    return Counted(found, counts.astype(float))


def test_ranks_of_latencies_with_ties_and_of_a_few(refcase):
    case = refcase("ab", "mann_whitney_latency")
    found = ranks(counted(case.inputs["a"]), counted(case.inputs["b"]))
    assert case.close(found.u, float(case.expected["U"]))
    assert case.close(found.p_value, case.expected["p"])
    assert case.close(found.sooner, case.expected["prob_a_less"])
    assert case.close(found.shift, case.expected["hodges_lehmann"])
    small = ranks(*(counted(values) for values in case.inputs["small"]))
    assert case.close(small.p_value, case.expected["small_exact_p"])


def test_mcnemar_and_none_where_no_pair_differs(refcase):
    case = refcase("ab", "mcnemar")
    for row in case.expected["rows"]:
        found = mcnemar(row["b"], row["c"])
        if row["b"] + row["c"] == 0:
            # The case defines p = 1 here; ours has no p-value, as nothing was tested.
            assert found is None
        else:
            assert case.close(found, [row["exact_p"], row["mid_p"]])


def test_sample_sizes_and_the_effect_that_they_find(refcase):
    case = refcase("ab", "sample_size")
    for row in case.expected["rows"]:
        asked = {"alpha": row["alpha"], "power": row["power"]}
        found = superiority_size(row["p1"], row["p2"], **asked)
        assert case.close(found.n_raw, row["n_raw"])
        assert found.n_per_arm == row["n_per_arm"]
        # The smallest rise found by that many is the one that was asked for.
        assert detectable(row["p1"], row["n_raw"], **asked) == pytest.approx(row["p2"] - row["p1"], rel=1e-5)
    for row in case.expected["noninferiority"]:
        found = noninferiority_size(row["p"], row["margin"], alpha=row["alpha"], power=row["power"])
        assert case.close(found.n_raw, row["n_raw"])
        assert found.n_per_arm == row["n_per_arm"]


def test_noninferiority_equivalence_and_the_newcombe_interval(refcase):
    case = refcase("ab", "noninferiority_tost")
    counts = [case.inputs[name] for name in ("x1", "n1", "x2", "n2")]
    found = noninferiority(*counts, case.inputs["margin"])
    got = {
        "z_wald": found.z_wald, "p_ni_wald": found.p_wald, "z_score": found.z_score,
        "p_ni_score": found.p_score, "p_tost_wald": found.p_equivalence,
    }  # fmt: skip
    assert case.close(got, {name: case.expected[name] for name in got})
    ends = newcombe(*counts)
    assert case.close(ends, case.expected["newcombe"])
    assert (ends[0] > -case.inputs["margin"]) is case.expected["noninferior_by_ci"]


def test_cuped(refcase):
    case = refcase("ab", "cuped")
    before, values, arm = (np.array(case.inputs[name]) for name in ("x_pre", "y", "arm"))

    def sums(chosen):
        # One request per user now and one before, so that a ratio of sums is a mean.
        ones = np.ones(chosen.sum())
        columns = {"c": values[chosen], "cn": ones, "pc": before[chosen], "pcn": ones}
        products = {f"{a}_x_{b}": float(x @ y) for a, x in columns.items() for b, y in columns.items()}
        return {"units": int(chosen.sum()), **{n: float(v.sum()) for n, v in columns.items()}, **products}

    found, p_value, ratio = _adjusted(("c", "cn"), [sums(arm == 0), sums(arm == 1)], level=0.95)
    assert case.close(found.value, case.expected["diff_cuped"])
    # The interval is the estimate -+ t x se and p = P(|T| > t): both give se and t back, by Welch's degrees.
    rest = values - case.expected["theta"] * before
    by_scipy = stats.ttest_ind(rest[arm == 1], rest[arm == 0], equal_var=False)
    assert case.close(float(by_scipy.statistic), case.expected["welch_t"])
    assert case.close(p_value, float(by_scipy.pvalue))
    half = float(stats.t.ppf(0.975, by_scipy.df)) * case.expected["se_cuped"]
    assert case.close([found.low, found.high], [found.value - half, found.value + half])
    # The case divides the variances of all users; the effect's variance adds up those within each arm.
    assert case.close(float(rest.var() / values.var()), case.expected["variance_ratio"])
    within = [sum(item[arm == one].var(ddof=1) for one in (0, 1)) for item in (rest, values)]
    assert ratio == pytest.approx(within[0] / within[1], rel=1e-4)


def test_cost_per_correct_of_two_arms(refcase):
    case = refcase("ab", "cost_per_correct_two_arms")
    arms = [
        moments_of(None, cost=case.inputs[f"cost_{name}"], correct=case.inputs[f"correct_{name}"])
        for name in "ab"
    ]
    found = effect("cost_per_correct_usd", *arms, unit="request")
    assert case.close([found.control.value, found.treatment.value], [case.expected["a"], case.expected["b"]])
    assert case.close(found.effect.value, case.expected["diff"])
    assert case.close(np.hypot(*(ratio_error(arm, "bc", "bg") for arm in arms)), case.expected["se_diff"])
    # So few correct answers give no interval (Fieller's g is above 0.2); with each request 40 times they do.
    assert found.effect.low is None
    assert found.p_value is None
    many = [
        moments_of(None, cost=case.inputs[f"cost_{name}"] * 40, correct=case.inputs[f"correct_{name}"] * 40)
        for name in "ab"
    ]
    # The sample variance has n - 1 in it: 5 of 6 becomes 239 of 240, and 40 times the requests.
    shrunk = np.sqrt(5 / 239)
    found = effect("cost_per_correct_usd", *many, unit="request")
    assert case.close(found.error, case.expected["se_diff"] * shrunk)
    ends = [np.log1p(found.relative.low), np.log1p(found.relative.high)]
    assert case.close(np.log1p(found.relative.value), case.expected["log_ratio"])
    assert case.close(sum(ends) / 2, case.expected["log_ratio"])
    # Half the width is Student's quantile, of at least the smaller arm's 239 degrees, times the error.
    wide = (ends[1] - ends[0]) / 2 / (case.expected["se_log_ratio"] * shrunk)
    assert stats.t.ppf(0.975, 478) < wide < stats.t.ppf(0.975, 239)


def test_probability_that_one_proportion_is_larger(refcase):
    case = refcase("ab", "bayes_beta_binomial")
    for row in case.expected["rows"]:
        found = probability_better(row["x1"], row["n1"], row["x2"], row["n2"])
        assert case.close(found, row["prob_2_better"])


def test_effects_over_strata(refcase):
    case = refcase("ab", "stratified_heterogeneity")
    strata = [(row["x1"], row["n1"], row["x2"], row["n2"]) for row in case.inputs["strata"]]
    # The case takes the first minus the second; ours the treatment (second) minus the control (first).
    found = mantel_haenszel([(x2, n2, x1, n1) for x1, n1, x2, n2 in strata])
    assert case.close(found, [case.expected["mh_rd"], case.expected["mh_se"]])
    shares = [(x1 / n1, n1, x2 / n2, n2) for x1, n1, x2, n2 in strata]
    errors = [np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) for p1, n1, p2, n2 in shares]
    spread = heterogeneity([p1 - p2 for p1, _, p2, _ in shares], errors)
    got = {
        "pooled_iv": spread.pooled, "Q": spread.q, "Q_df": spread.degrees, "Q_p": spread.p_value,
        "I2": spread.i_squared,
    }  # fmt: skip
    assert case.close(got, {name: case.expected[name] for name in got})


def test_beta_binomial_confidence_sequence(refcase):
    case = refcase("sequential", "beta_binomial_cs")
    rows = case.expected["rows"]
    columns = [np.array([float(row[name]) for row in rows]) for name in ("successes", "n")]
    low, high = proportion_sequence(*columns, level=1 - case.inputs["alpha"])
    assert case.close(low.tolist(), [row["lower"] for row in rows])
    assert case.close(high.tolist(), [row["upper"] for row in rows])


def test_group_sequential_bounds_and_what_they_spend(refcase):
    case = refcase("sequential", "group_sequential_ldof")
    time = np.array(case.inputs["t"])
    assert case.close(spending_bounds(time, alpha=case.inputs["alpha"]).tolist(), case.expected["bounds"])
    found = spent(time, alpha=case.inputs["alpha"]).tolist()
    assert case.close(found, case.expected["spend"], rtol=1e-9)
