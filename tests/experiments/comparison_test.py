"""An experiment as it is read and compared: its control, its categories, what is adjusted for how many."""

from datetime import datetime

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests
from stores import load
from trials import moments_of, row, served

from analytics.experiments.comparison import (
    METRICS,
    _by_name,
    comparison,
    control_of,
    reading,
)
from analytics.experiments.effects import effect
from analytics.experiments.outcomes import Scope
from analytics.measure.multiplicity import false_discovery, holm

E = Scope("d", "e")


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        (["a", "b"], "a"),
        (["new", "old"], "old"),
        (["B", "A"], "A"),
        (["a", "control"], "control"),
        (["Baseline ", "a"], "Baseline "),
        (["on", "OFF"], "OFF"),
        (["1", "0"], "0"),
        (["threshold 0.8", "the control arm"], "the control arm"),
        (["0.8", "baseline-0.7"], "baseline-0.7"),
        (["b", "c"], "b"),
        # A whole word goes before a part of one.
        (["control-ish", "old"], "old"),
    ],
)
def test_the_control_is_the_arm_that_stays_as_it_was(arms, control):
    assert control_of(arms) == control


def test_p_values_are_adjusted_as_statsmodels_does():
    draw = np.random.default_rng(1)
    for size in range(12):
        values = [None if draw.random() < 0.2 else float(draw.random() ** 4) for _ in range(size)]
        values += [values[0]] if size else []  # ties
        asked = [p for p in values if p is not None]
        for method, adjusted in (("holm", holm(values)), ("fdr_bh", false_discovery(values))):
            assert [p is None for p in adjusted] == [p is None for p in values]
            expected = multipletests(asked, method=method)[1] if asked else []
            assert [p for p in adjusted if p is not None] == pytest.approx(list(expected))
    assert _by_name(dict.fromkeys("xyz"), [0.1, None, 0.2]) == {"x": 0.1, "y": None, "z": 0.2}


def logged(size=900, seed=1):
    """Two arms, four categories with effects of their own, a few values unknown."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(size):
        arm, kind = ("control", "new")[draw.integers(2)], int(draw.integers(4))
        better = 0.1 * kind * (arm == "new")
        rows.append(
            row(
                n, arm, task_category=["law", "maths", "code", None][kind],
                escalated=bool(draw.random() < 0.3),
                fast_correct=None if draw.random() < 0.05 else float(draw.random() < 0.6 + better),
                strong_correct=float(draw.random() < 0.7 + better / 2),
                fast_cost_usd=draw.lognormal(-5), strong_cost_usd=draw.lognormal(-3),
                fast_latency_s=draw.gamma(2), strong_latency_s=draw.gamma(4) + 0.2 * (arm == "new"),
            )
        )  # fmt: skip
    return rows


def compared(store, rows, *, dataset="d", **more):
    load(store, dataset, rows, form="decisions")
    return comparison(store, reading(store, Scope(dataset, "e")), treatment="new", **more)


def test_every_number_of_a_comparison_is_that_of_its_requests(store):
    rows = logged()
    found = compared(store, rows, value_usd=2.0, level=0.9)
    requests = {
        (category, arm): [
            served(entry) for entry in rows
            if entry["arm"] == arm and category in (None, entry["task_category"] or "Uncategorised")
        ]
        for category in (None, "law", "maths", "code", "Uncategorised")
        for arm in ("control", "new")
    }  # fmt: skip
    moments = {
        key: moments_of(
            None, **{n: [item[n] for item in part] for n in ("correct", "cost", "latency", "taken")}
        )
        for key, part in requests.items()
    }
    assert (found.control, found.treatment, found.few_units, found.before) == ("control", "new", False, {})
    assert list(found.by_category) == ["Uncategorised", "code", "law", "maths"]
    for category, effects in [(None, found.effects), *found.by_category.items()]:
        assert set(effects) == {*METRICS, "net_usd"}
        arms = [moments[category, arm] for arm in ("control", "new")]
        for metric, got in effects.items():
            if metric == "latency_p95_s":
                values = [
                    [e["latency"] for e in requests[category, arm] if e["latency"] is not None]
                    for arm in ("control", "new")
                ]
                ends = [np.quantile(part, 0.95) for part in values]
                assert got.effect.value == pytest.approx(ends[1] - ends[0])
                assert got.effect.level == 0.9
                continue
            expected = effect(metric, *arms, unit="request", level=0.9, value_usd=2.0)
            for part in ("control", "treatment", "effect", "relative"):
                one, other = getattr(got, part), getattr(expected, part)
                ours, theirs = ((e.value, e.low, e.high, e.n, e.level) for e in (one, other))
                assert ours == pytest.approx(theirs), (category, metric, part)
            assert (got.p_value, got.error) == pytest.approx((expected.p_value, expected.error))

    for metric in METRICS:
        asked = {name: part[metric].p_value for name, part in found.by_category.items()}
        for method, adjusted in (("holm", found.p_adjusted), ("fdr_bh", found.q_values)):
            expected = multipletests([p for p in asked.values() if p is not None], method=method)[1]
            assert [p for p in adjusted[metric].values() if p is not None] == pytest.approx(list(expected))
            assert set(adjusted[metric]) == set(asked)
        told = [part[metric] for part in found.by_category.values() if part[metric].error]
        by_statsmodels = combine_effects(
            np.array([e.effect.value for e in told]), np.array([e.error**2 for e in told]), method_re="dl"
        )
        assert found.spread[metric].q == pytest.approx(by_statsmodels.q)
        assert len(found.shrunk[metric]) == len(told)
    tried = stats.mannwhitneyu(
        *(
            [e["latency"] for e in requests[None, arm] if e["latency"] is not None]
            for arm in ("new", "control")
        )
    )
    assert (found.ranks.u, found.ranks.p_value) == pytest.approx((tried.statistic, tried.pvalue))
    cost = found.effects["cost_usd"]
    assert found.cheaper == pytest.approx(stats.norm.cdf(-cost.effect.value / cost.error))


def test_the_treatment_is_better_by_the_posteriors_of_both(store):
    rows = [
        row(f"{arm}{n}", arm, escalated=False, fast_correct=float(n < right))
        for arm, right in (("control", 80), ("new", 90))
        for n in range(100)
    ]
    found = compared(store, rows)
    # A million draws of Beta(91, 11) and Beta(81, 21); the standard error is 0.00016.
    draw = np.random.default_rng(1)
    expected = (draw.beta(91, 11, 10**6) > draw.beta(81, 21, 10**6)).mean()
    assert found.better == pytest.approx(expected, abs=0.0007)
    assert found.cheaper is None
    partial = [{**entry, "fast_correct": entry["fast_correct"] / 2} for entry in rows]
    got = compared(store, partial, dataset="partial")
    accuracy = got.effects["accuracy"]
    assert got.better == pytest.approx(stats.norm.cdf(accuracy.effect.value / accuracy.error))


def test_any_two_arms_can_be_compared(store):
    rows = [row(n, "abc"[n % 3], escalated=False, fast_cost_usd=1.0 + n % 7 + n % 3) for n in range(210)]
    load(store, "d", rows, form="decisions")
    read = reading(store, E)
    there = comparison(store, read, treatment="c", control="b").effects["cost_usd"]
    back = comparison(store, read, treatment="b", control="c").effects["cost_usd"]
    assert there.effect.value == pytest.approx(1.0) == pytest.approx(-back.effect.value)
    assert there.p_value == pytest.approx(back.p_value)


def test_a_percentile_is_shown_of_the_arm_that_has_latencies(store):
    rows = [
        row(n, ("control", "new")[n % 2], escalated=False, fast_latency_s=None if n % 2 else 0.1 * n)
        for n in range(400)
    ]
    found = compared(store, rows).effects["latency_p95_s"]
    assert found.control.value == pytest.approx(np.quantile(np.arange(0, 400, 2) * 0.1, 0.95))
    assert (found.treatment.value, found.effect.value, found.p_value) == (None, None, None)
    assert found.reason == "no latency is known in one of the arms"


def test_categories_of_one_arm_alone_are_not_compared(store):
    rows = logged(400)
    rows += [row(f"x{n}", "new", task_category="poems", escalated=False, fast_correct=1.0) for n in range(3)]
    found = compared(store, rows)
    assert "poems" not in found.by_category
    assert found.effects["accuracy"].treatment.n == sum(
        1 for entry in rows if entry["arm"] == "new" and served(entry)["correct"] is not None
    )


@pytest.mark.parametrize(("users", "few"), [(58, True), (60, False)])
def test_fewer_than_thirty_users_in_an_arm_are_said(store, users, few):
    rows = [
        row(f"{user}-{n}", ("control", "new")[user % 2], unit_id=f"u{user}", escalated=False,
            fast_correct=float((user + n) % 3 > 0), ts=datetime(2026, 3, 1 + n))  # noqa: DTZ001
        for user in range(users)
        for n in range(3)
    ]  # fmt: skip
    assert compared(store, rows).few_units is few


def test_a_log_that_knows_nothing_says_so_for_every_metric(store):
    found = compared(
        store, [row(n, ("control", "new")[n % 2], confidence=0.5) for n in range(40)], value_usd=1.0
    )
    for metric, got in found.effects.items():
        assert got.p_value is None, metric
        assert got.reason, metric
        if metric != "escalation_rate":
            assert got.effect.value is got.effect.low is None
    assert (found.better, found.cheaper, found.ranks) == (None, None, None)
    assert all(spread is None for spread in found.spread.values())
    assert all(p is None for values in found.p_adjusted.values() for p in values.values())
