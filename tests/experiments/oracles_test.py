"""Effects on random experiments, 500 of each kind, against scipy, statsmodels and tea-tasting on raw rows.

Moments come from ``trials.moments_of``; that the database adds up the same is checked in outcomes_test.
"""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import tea_tasting as tt
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest
from trials import moments_of

from analytics.estimate import Estimate
from analytics.experiments.effects import effect

CLOSE = {"rel": 1e-8, "abs": 1e-13}


def near(got: Estimate, value, low, high):
    """Value and interval of an estimate to 1e-8."""
    assert [got.value, got.low, got.high] == pytest.approx([value, low, high], **CLOSE)


# Independent requests: 500 tables of counts, of three kinds by which test answers them.


def tables():
    draw = np.random.default_rng(11)
    for _ in range(50):  # small: Boschloo
        n1, n2 = (int(n) for n in draw.integers(1, 41, 2))
        yield int(draw.integers(n1 + 1)), n1, int(draw.integers(n2 + 1)), n2
    for _ in range(120):  # larger, with few of one outcome: Fisher
        n1, n2 = (int(n) for n in draw.integers(201, 2000, 2))
        few = [int(x) for x in draw.integers(0, 5, 2)]
        yield (few[0], n1, few[1], n2) if draw.random() < 0.5 else (n1 - few[0], n1, n2 - few[1], n2)
    for _ in range(330):  # larger: pooled z
        n1, n2 = (int(n) for n in draw.integers(201, 3000, 2))
        p = draw.uniform(0.1, 0.9)
        yield int(draw.binomial(n1, p)), n1, int(draw.binomial(n2, p + draw.uniform(-0.05, 0.05))), n2


def graded(correct, n):
    """An arm's requests, every third of them ungraded as well."""
    return moments_of(None, correct=[1.0] * correct + [0.0] * (n - correct) + [None] * (n // 3))


def test_accuracy_of_independent_requests():
    kinds = dict.fromkeys(("Boschloo", "Fisher", "pooled"), 0)
    for x1, n1, x2, n2 in tables():
        found = effect("accuracy", graded(x2, n2), graded(x1, n1), unit="request")
        assert found.effect.n == n1 + n2
        for arm, x, n in ((found.treatment, x1, n1), (found.control, x2, n2)):
            near(arm, x / n, *proportion_confint(x, n, method="wilson"))
        low, high = confint_proportions_2indep(x1, n1, x2, n2, compare="diff", method="newcomb")
        near(found.effect, x1 / n1 - x2 / n2, low, high)
        if x1 > 0 and x2 > 0:
            ends = confint_proportions_2indep(x1, n1, x2, n2, compare="ratio", method="log")
            near(found.relative, x1 / n1 / (x2 / n2) - 1, *(end - 1 for end in ends))
        if x1 + x2 in (0, n1 + n2):
            assert found.p_value is None
            assert found.reason
            continue
        kind = next(kind for kind in kinds if kind in found.effect.method)
        kinds[kind] += 1
        if kind == "Boschloo":
            expected = stats.boschloo_exact([[x1, x2], [n1 - x1, n2 - x2]]).pvalue
        elif kind == "Fisher":
            expected = stats.fisher_exact([[x1, n1 - x1], [x2, n2 - x2]]).pvalue
        else:
            expected = proportions_ztest([x1, x2], [n1, n2])[1]
        assert found.p_value == pytest.approx(min(expected, 1.0), **CLOSE)
        p1, p2 = x1 / n1, x2 / n2
        wald = math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
        assert (found.error or 0.0) == pytest.approx(wald, **CLOSE)
    assert min(kinds.values()) >= 40


def values(draw, size):
    """Costs, latencies and partial grades, some of them unknown."""
    found = {
        "cost": draw.lognormal(-5, 1, size), "latency": draw.gamma(2, 1.5, size),
        "correct": draw.choice([0.0, 0.3, 1.0], size),
    }  # fmt: skip
    for column in found.values():
        column[draw.random(size) < 0.2] = np.nan
        column[:3] = draw.uniform(0.1, 0.9, 3)
    return found


def test_means_of_independent_requests_are_those_of_welch():
    draw = np.random.default_rng(12)
    for place in range(500):
        arms = [values(draw, int(size)) for size in draw.integers(4, 80, 2)]
        control, treatment = (moments_of(None, **arm) for arm in arms)
        metric, name = (("cost_usd", "cost"), ("latency_s", "latency"), ("accuracy", "correct"))[place % 3]
        found = effect(metric, control, treatment, unit="request")
        before, after = (arm[name][~np.isnan(arm[name])] for arm in arms)
        expected = stats.ttest_ind(after, before, equal_var=False)
        interval = expected.confidence_interval(0.95)
        near(found.effect, after.mean() - before.mean(), interval.low, interval.high)
        assert found.p_value == pytest.approx(expected.pvalue, **CLOSE)
        assert found.error == pytest.approx(math.hypot(stats.sem(before), stats.sem(after)), **CLOSE)
        for arm, own in ((found.control, before), (found.treatment, after)):
            assert arm.n == own.size
            low, high = stats.t.interval(0.95, own.size - 1, own.mean(), stats.sem(own))
            half = high - own.mean()
            if metric == "accuracy":
                low, high = max(low, 0.0), min(high, 1.0)
            elif half < own.mean():  # costs and latencies: the same half width on the log scale
                low, high = (own.mean() * math.exp(sign * half / own.mean()) for sign in (-1, 1))
            near(arm, own.mean(), low, high)


def users(draw):
    """Requests of 5 to 12 users who differ; the costs of one in ten requests are unknown."""
    count = int(draw.integers(5, 13))
    unit = np.repeat(np.arange(count), draw.integers(1, 9, count))
    taste = draw.normal(0, 0.5, count)[unit]
    cost = np.exp(taste + draw.normal(-4, 1, unit.size))
    cost[draw.random(unit.size) < 0.1] = np.nan
    cost[:4] = 0.01
    grade = draw.choice([0.0, 0.25, 1.0, 1.0], unit.size)
    grade[0] = 0.25
    latency = np.exp(taste) + draw.random(unit.size)
    return pd.DataFrame({"unit": unit, "correct": grade, "cost": cost, "latency": latency})


METRICS = {
    "accuracy": ("correct", None),
    "cost_usd": ("cost", None),
    "latency_s": ("latency", None),
    "cost_per_correct_usd": ("cost", "correct"),
}
"""What is divided, and by what; None: by the number of requests."""


def pair_of(draw):
    """The requests of two arms, and their moments."""
    frames = [users(draw), users(draw)]
    columns = ("correct", "cost", "latency")
    return frames, [moments_of(f["unit"], **{name: f[name] for name in columns}) for f in frames]


def totals(frame, metric):
    """What each user adds to a metric: columns above and below, one row per user with a known request."""
    above, below = METRICS[metric]
    known = frame[frame[above].notna()]
    ones = pd.Series(1.0, index=known.index)
    values = {"unit": known["unit"], "above": known[above], "below": ones if below is None else known[below]}
    return pd.DataFrame(values).groupby("unit").sum()


def linearised(frame, metric):
    """A ratio of sums over users, and one value per user whose mean and variance are those of the ratio.

    Deng, Knoblich & Lu (2018): R + (Y_g - R N_g) / mean(N).
    """
    found = totals(frame, metric)
    ratio = found["above"].sum() / found["below"].sum()
    return ratio, (ratio + (found["above"] - ratio * found["below"]) / found["below"].mean()).to_numpy()


@pytest.mark.parametrize("metric", METRICS)
def test_ratios_over_users_are_welch_s_test_of_linearised_users(metric):
    draw, told = np.random.default_rng(13), 0
    for _ in range(125):
        frames, arms = pair_of(draw)
        found = effect(metric, *arms, unit="unit")
        if metric == "cost_per_correct_usd" and found.p_value is None:
            continue  # so few correct answers that no interval is given
        told += 1
        (before, first), (after, second) = (linearised(frame, metric) for frame in frames)
        expected = stats.ttest_ind(second, first, equal_var=False)
        interval = expected.confidence_interval(0.95)
        near(found.effect, after - before, interval.low, interval.high)
        assert found.p_value == pytest.approx(expected.pvalue, **CLOSE)
        # Kish (1965): users with many requests count for more, so fewer of them are independent.
        above, _ = METRICS[metric]
        sizes = frames[0][frames[0][above].notna()].groupby("unit").size()
        degrees = max(1, round(sizes.sum() ** 2 / (sizes**2).sum()) - 1)
        half = stats.t.ppf(0.975, degrees) * stats.sem(first)
        ends = [before - half, before + half]
        if metric == "cost_per_correct_usd" or (metric != "accuracy" and half < before):
            ends = [before * math.exp(-half / before), before * math.exp(half / before)]
        elif metric == "accuracy":
            ends = [max(ends[0], 0.0), min(ends[1], 1.0)]
        near(found.control, before, *ends)
    assert told >= 25


def test_errors_over_users_are_those_of_regressions_with_clustered_errors():
    """OLS on a constant, per arm.

    Its correction for few clusters, G / (G - 1) times (N - 1) / (N - K), is G / (G - 1) for one constant
    (K = 1), which is ours. A single regression on both arms would take the G and N of both together.
    """
    draw = np.random.default_rng(14)
    for _ in range(100):
        frames, arms = pair_of(draw)
        for metric, column in (("accuracy", "correct"), ("latency_s", "latency")):
            fits = [
                sm.OLS(frame[column].to_numpy(), np.ones(len(frame))).fit(
                    cov_type="cluster", cov_kwds={"groups": frame["unit"].to_numpy()}
                )
                for frame in frames
            ]
            found = effect(metric, *arms, unit="unit")
            assert found.control.value == pytest.approx(float(fits[0].params[0]), **CLOSE)
            expected = math.hypot(*(float(fit.bse[0]) for fit in fits))
            assert found.error == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("metric", METRICS)
def test_relative_effects_over_users_are_those_of_tea_tasting_on_the_users(metric):
    draw, told = np.random.default_rng(15), 0
    ratio = tt.RatioOfMeans("above", "below", alternative="two-sided", equal_var=False, use_t=True)
    experiment = tt.Experiment(found=ratio)
    for _ in range(20):
        frames, arms = pair_of(draw)
        got = effect(metric, *arms, unit="unit")
        if metric == "cost_per_correct_usd" and got.p_value is None:
            continue
        told += 1
        parts = [totals(frame, metric).assign(variant=n) for n, frame in enumerate(frames)]
        found = experiment.analyze(pd.concat(parts, ignore_index=True))["found"]
        ends = found.rel_effect_size_ci_lower, found.rel_effect_size_ci_upper
        near(got.relative, found.rel_effect_size, *ends)
        near(got.effect, found.effect_size, found.effect_size_ci_lower, found.effect_size_ci_upper)
        assert got.p_value == pytest.approx(found.pvalue, **CLOSE)
    assert told >= 3
