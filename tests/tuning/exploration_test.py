"""Logs in which requests were routed at random, from decisions to curves and a tuned policy."""

import numpy as np
import pytest
from decisions import log_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.policy import CategoryPolicy, Default, Goal, ThresholdPolicy
from analytics.tuning import propensity
from analytics.tuning.curve import curve
from analytics.tuning.evaluation import evaluate
from analytics.tuning.goals import tune
from analytics.tuning.log import select
from analytics.tuning.stability import stability

LEVELS = np.arange(4, 21) / 20


def randomised(n=4_000, *, seed=1, arm="both", p=None, logged=None, t0=0.6):
    """Confidence is the fast model's true accuracy, the strong one is right 9 times of 10.

    ``p`` of the confidences is the probability of escalating, ``logged`` what the log says it was.
    """
    generator = np.random.default_rng(seed)
    confidence = generator.choice(LEVELS, n)
    chance = np.full(n, 0.3) if p is None else p(confidence, t0)
    sent = generator.random(n) < chance
    said = chance if logged is None else np.full(n, logged)
    fast = (generator.random(n) < confidence).astype(float)
    strong = (generator.random(n) < 0.9).astype(float)
    return {
        "confidence": confidence,
        "fast_correct": np.where(sent & (arm == "one"), np.nan, fast),
        "strong_correct": np.where(sent, strong, np.nan),
        "fast_cost_usd": np.full(n, 0.001),
        "strong_cost_usd": np.where(sent, generator.choice([0.01, 0.03], n), np.nan),
        "escalated": sent,
        "propensity": np.where(sent, said, 1 - said),
    }


def explored_band(confidence, t0):
    """Always escalated below ``t0``, one in ten of the band above it, never from 0.9 on."""
    return np.where(confidence < t0, 1.0, np.where(confidence < 0.9, 0.1, 0.0))


def true_accuracy(t):
    return float(np.where(t > LEVELS, 0.9, LEVELS).mean())


@pytest.mark.parametrize(("arm", "estimator"), [("both", "exploration_difference"), ("one", "doubly_robust")])
def test_the_curve_of_a_randomised_log_is_near_the_truth(arm, estimator, tmp_path):
    got = curve(select(log_of(randomised(arm=arm), tmp_path)))
    assert got.estimator == estimator
    assert got.points["identified"].all()
    for row in got.points.iter_rows(named=True):
        t = 1.01 if row["threshold"] is None else row["threshold"]
        error = (row["accuracy_high"] - row["accuracy_low"]) / (2 * 1.96)
        assert abs(row["accuracy"] - true_accuracy(t)) < 4 * error
        sent = (t > LEVELS).mean()
        error = (row["cost_high"] - row["cost_low"]) / (2 * 1.96)
        assert abs(row["cost_per_request_usd"] - (0.001 + 0.02 * sent)) <= 4 * error + 1e-12
    # both outcomes of a request are never known where one answer was served
    assert (got.oracle.accuracy.value is None) == (arm == "one")
    assert got.strong_only.accuracy.value == pytest.approx(0.9, abs=0.06)


def test_where_nothing_was_escalated_at_random_there_are_bounds(tmp_path):
    got = curve(select(log_of(randomised(p=explored_band), tmp_path)))
    assert got.estimator == "exploration_difference"
    known = got.points.filter("identified")["threshold"].to_list()
    assert known == [t for t in LEVELS if t <= 0.9]
    last = got.points.row(got.points.height - 1, named=True)
    assert last["accuracy"] is None
    # 3 of 17 confidences were never escalated; their fast grades average 0.95
    assert last["bound_high"] - last["bound_low"] == pytest.approx(3 / 17, abs=0.02)
    assert last["bound_low_mtr"] - last["bound_low"] == pytest.approx(0.95 * 3 / 17, abs=0.02)
    assert last["accuracy_low"] < 0.9 < last["accuracy_high"]
    assert last["cost_per_request_usd"] is None
    assert last["cost_bound_low"] < 0.021 < last["cost_bound_high"]


def test_propensities_that_do_not_average_to_one_are_said_and_not_used(tmp_path):
    chosen = select(log_of(randomised(logged=0.2), tmp_path))
    reason = chosen.regimes["shadow_reason"][0]
    assert reason.startswith("The logged propensities do not fit how often requests were escalated")
    assert "of the 4000 that were routed at random" in reason
    assert curve(chosen).estimator == "cascade"


def test_few_random_escalations_are_no_estimate(tmp_path):
    chosen = select(log_of(randomised(200, p=lambda c, _: np.full(c.size, 0.02)), tmp_path))
    assert "fewer than the 30 that an estimate needs" in chosen.regimes["shadow_reason"][0]
    assert not curve(chosen).points["identified"][-1]


def test_where_weights_leave_few_effective_requests_nothing_is_printed(tmp_path):
    """Above 0.6 one in 500 was escalated: an escalated one there would stand for 500."""

    def rare(confidence, t0):
        return np.where(confidence < t0, 0.5, 0.002)

    points = curve(select(log_of(randomised(p=rare), tmp_path))).points
    below, above = points.filter(points["threshold"] <= 0.6), points.filter(points["threshold"] > 0.9)
    assert below["identified"].all()
    assert above.height == 2
    assert above["accuracy"].to_list() == [None] * 2
    assert above["cost_per_request_usd"].to_list() == [None] * 2
    assert above["vs_strong"].to_list() == [None] * 2
    assert above["bound_low_mtr"].to_list() == [None] * 2
    assert set(above["accuracy_high"].to_list()) == {1.0}


@pytest.mark.parametrize("arm", ["both", "one"])
def test_a_randomised_log_can_be_tuned(arm, tmp_path):
    """Escalating pays while 0.1 * (0.9 - c) > 0.02 USD, below c = 0.7."""
    found = tune(select(log_of(randomised(40_000, arm=arm), tmp_path)), Goal(name="value", value_usd=0.1))
    item = found.policy.categories["math"]
    assert item.verdict == "estimated"
    assert item.interval[1] == pytest.approx(0.7, abs=0.101)


def test_a_predictive_router_s_costs_are_weighted_on_both_routes(tmp_path):
    rows = randomised(20_000, arm="one")
    rows["fast_cost_usd"] = np.where(rows["escalated"], np.nan, rows["confidence"] / 100)
    got = curve(select(log_of({**rows, "policy_kind": ["predictive"] * 20_000}, tmp_path))).points
    row = got.row(int(np.flatnonzero(got["threshold"].to_numpy() == 0.8)[0]), named=True)
    true = np.where(LEVELS < 0.8, 0.02, LEVELS / 100).mean()
    error = (row["cost_high"] - row["cost_low"]) / (2 * 1.96)
    assert abs(row["cost_per_request_usd"] - true) < 4 * error


REGIMES = ("paired", "cascade", "shadow", "exploration", "one-arm", "one-arm certain", "ungraded")


@st.composite
def logs(draw):
    """A log of one of the regimes of DESIGN's table, with missing confidences."""
    regime = draw(st.sampled_from(REGIMES))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    n = draw(st.sampled_from([40, 400]))
    rows = randomised(n, seed=seed, arm="one" if regime.startswith("one-arm") else "both")
    confidence, sent = rows["confidence"].copy(), rows["escalated"]
    if regime in {"cascade", "shadow", "one-arm certain"}:
        sent = confidence < 0.6
        rows |= {"escalated": sent, "propensity": np.full(n, np.nan)}
    fast = (generator.random(n) < confidence).astype(float)
    strong = generator.integers(0, 5, n) / 4
    seen = np.ones(n, dtype=bool) if regime == "paired" else sent
    if regime == "shadow":
        sampled = generator.random(n) < 0.4
        rows["sampling_probability"] = np.where(sent, np.nan, 0.4)
        seen = sent | sampled
    rows["fast_correct"] = np.where(sent & regime.startswith("one-arm"), np.nan, fast)
    rows["strong_correct"] = np.where(seen, strong, np.nan)
    rows["strong_cost_usd"] = np.where(seen, generator.random(n) / 100, np.nan)
    if regime == "ungraded":
        rows["fast_correct"] = rows["strong_correct"] = np.full(n, np.nan)
    gone = generator.random(n) < 0.05
    rows["confidence"] = np.where(gone, np.nan, confidence)
    return regime, rows, draw(st.sampled_from(["escalate", "keep", "exclude"]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs())
def test_the_curve_at_t_is_the_policy_at_t_in_every_regime(tmp_path, case):
    regime, rows, missing = case
    chosen = select(log_of(rows, tmp_path), missing=missing)
    got = curve(chosen)
    step = max(1, got.points.height // 5)
    for row in got.points[:-1].gather_every(step).iter_rows(named=True):
        rule = CategoryPolicy(
            route="cascade",
            threshold=row["threshold"],
            on_missing="keep" if missing == "keep" else "escalate",
        )
        policy = ThresholdPolicy("cascade", Default("strong_only"), {"math": rule})
        found = evaluate(chosen, policy).categories["math"]
        for column, estimate in (
            ("accuracy", found.accuracy),
            ("cost_per_request_usd", found.cost_per_request_usd),
            ("escalation_rate", found.escalation_rate),
        ):
            assert (row[column] is None) == (estimate.value is None), (regime, column)
            if row[column] is not None:
                assert row[column] == pytest.approx(estimate.value, rel=1e-12, abs=1e-12)
        assert row["accuracy_low"] == pytest.approx(found.accuracy.low, abs=1e-12)
        assert row["accuracy_high"] == pytest.approx(found.accuracy.high, abs=1e-12)
        _as_replayed(regime, rows, missing, row)


def _as_replayed(regime, rows, missing, row):
    """The same from the rows themselves, where every outcome that the policy needs was observed."""
    kept = np.nan_to_num(rows["confidence"], nan=1.0 if missing == "keep" else -1.0) >= row["threshold"]
    counts = np.ones(kept.size, dtype=bool) if missing != "exclude" else ~np.isnan(rows["confidence"])
    served = np.where(kept, rows["fast_correct"], rows["strong_correct"])[counts]
    if regime in {"paired", "cascade", "one-arm certain"}:
        assert (row["accuracy"] is None) == bool(np.isnan(served).any())
        if row["accuracy"] is not None:
            assert row["accuracy"] == pytest.approx(served.mean(), abs=1e-12)
        else:
            assert row["bound_low"] == pytest.approx(np.nan_to_num(served, nan=0.0).mean(), abs=1e-12)
            assert row["bound_high"] == pytest.approx(np.nan_to_num(served, nan=1.0).mean(), abs=1e-12)
    if regime == "ungraded":
        assert row["accuracy"] is None


def row_weights(rows, t, *, arm):
    """Weights, logged probabilities and served grades of each request under "keep iff c >= t"."""
    sent, chance = rows["escalated"], np.where(rows["escalated"], rows["propensity"], 1 - rows["propensity"])
    send = ~(rows["confidence"] >= t)
    weight = propensity.weights(sent == send, np.where(sent, chance, 1 - chance))
    served = np.where(sent, rows["strong_correct"], rows["fast_correct"])
    return (np.where(send, weight, 1.0) if arm == "both" else weight), chance, send, served


@pytest.mark.parametrize("arm", ["both", "one"])
def test_the_table_of_weights_is_that_of_the_rows(arm, tmp_path):
    rows = randomised(600, arm=arm, p=lambda c, _: 0.6 - 0.5 * c)
    table = curve(select(log_of(rows, tmp_path)), category="math").overlap
    assert set(table["status"]) <= {"good", "amber"}
    for row in table.iter_rows(named=True):
        weight, chance, send, served = row_weights(rows, row["threshold"] or np.inf, arm=arm)
        needed = np.where(send, chance, 1.0 if arm == "both" else 1 - chance)
        assert row["matched"] == (weight > 0).sum()
        assert row["ess"] == pytest.approx(
            min(propensity.effective_sample_size(weight), 600**2 / (1 / needed).sum())
        )
        assert row["largest_share"] == pytest.approx(weight.max() / weight.sum())
        assert row["mean_weight"] == pytest.approx(weight.mean())
        assert row["mean_weight_error"] == pytest.approx(np.sqrt((1 / needed - 1).sum()) / 600)
        assert row["rare_share"] == 0
        if arm == "one":
            value, error = propensity.ips(served, weight)
            assert row["ips"] == pytest.approx(value)
            assert row["ips_error"] == pytest.approx(error)
            cut, mass = propensity.clipped(weight, 10)
            assert row["ips_10"] == pytest.approx(propensity.ips(served, cut)[0])
            assert row["clipped_10"] == pytest.approx(mass)
            value, error = propensity.snips(served, weight)
            assert row["snips"] == pytest.approx(value)
            assert row["snips_error"] == pytest.approx(error)
        else:
            strong = np.nan_to_num(rows["strong_correct"])
            value, error = propensity.exploration_difference(
                rows["fast_correct"], strong, send, escalated=rows["escalated"], escalated_prob=chance,
                gain=np.zeros(600),
            )  # fmt: skip
            assert row["ips"] == pytest.approx(value)
            assert row["ips_error"] == pytest.approx(error)


@pytest.mark.parametrize("arm", ["both", "one"])
def test_a_difference_allows_for_one_unseen_error_of_the_largest_weight(arm, tmp_path):
    """Where all of a few heavy answers are right their spread says nothing of the one that is not."""
    rows = randomised(600, arm=arm, p=lambda c, _: 0.9 - 0.5 * c)
    chance = np.where(rows["escalated"], rows["propensity"], 1 - rows["propensity"])
    most = (1 / chance).max() if arm == "both" else max((1 / chance).max(), (1 / (1 - chance)).max())
    assert select(log_of(rows, tmp_path)).weights["math"] == pytest.approx(most)


def test_no_table_prints_an_estimate_that_few_requests_speak_for(tmp_path):
    """Above 0.6 one in 500 was escalated."""
    rows = randomised(p=lambda c, t0: np.where(c < t0, 0.5, 0.002))
    table = curve(select(log_of(rows, tmp_path)), category="math").overlap
    last = table.row(table.height - 1, named=True)
    assert last["status"] == "not estimable"
    assert last["rare_share"] == pytest.approx((rows["confidence"] >= 0.6).mean())
    assert [last[name] for name in ("estimate", "estimate_error", "ips", "ips_error", "snips")] == [None] * 5
    assert table["status"][0] == "good"


@pytest.mark.parametrize("arm", ["both", "one"])
def test_picks_from_resamples_of_a_randomised_log_spread_around_the_pick(arm, tmp_path):
    chosen, goal = select(log_of(randomised(20_000, arm=arm), tmp_path)), Goal(margin=0.02)
    found = stability(chosen, goal, tune(chosen, goal).policy, draws=50).categories["math"]
    assert found.undecided == 0
    assert found.options["share"].sum() == pytest.approx(1)
    # In truth 0.70 loses 2.06 points against always strong and 0.75 loses 0.88.
    assert set(found.options["threshold"].to_list()) <= {0.6, 0.65, 0.7, 0.75, 0.8, 0.85}
