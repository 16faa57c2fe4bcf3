"""Arms that differ in their thresholds only: by hand, by the laws of dilution and by simulation."""

import math
from datetime import datetime

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from stores import load
from trials import moments_of, row

from analytics.experiments.assignment import Assignment
from analytics.experiments.comparison import comparison, reading
from analytics.experiments.effects import effect
from analytics.experiments.outcomes import Scope
from analytics.experiments.routes import METRICS, RouteStudy, diluted

E = Scope("d", "e")
Z = float(stats.norm.ppf(0.975))


def routed(n, arm, confidence, threshold, *, fast=None, strong=None, **more):
    """A request served as its threshold says; the answer that was not served is unknown unless given."""
    escalated = confidence is None or confidence < threshold
    costs = {"fast_cost_usd": 1.0 + n % 3, "fast_latency_s": 1.0 + n % 2}
    if escalated:
        costs |= {"strong_cost_usd": 10.0 + n % 5, "strong_latency_s": 4.0 + n % 3}
    return row(
        f"{arm}{n}", arm, confidence=confidence, threshold=threshold, escalated=escalated,
        fast_correct=fast, strong_correct=strong, **{**costs, **more},
    )  # fmt: skip


def compared(store, rows, *, dataset="d", **more):
    load(store, dataset, rows, form="decisions")
    return comparison(store, reading(store, Scope(dataset, "e")), control="a", treatment="b", **more)


# Thresholds 0.5 (a) and 0.75 (b). Of each arm's ten requests only those of confidence 0.5 and 0.6 are
# routed differently: at 0.5 equality keeps, at 0.75 too; without a confidence both escalate.
CONFIDENCES = (0.5, 0.6, 0.6, 0.6, 0.75, 0.9, 0.9, 0.25, 0.25, None)
FAST = (1, 0, 0, 1, 1, 1, 1, None, None, None)
STRONG = (1, 1, 1, 0, None, None, None, 1, 0, 1)


def ten():
    rows = [
        routed(n, "a", confidence, 0.5, fast=FAST[n], strong=STRONG[n] if confidence == 0.25 else None)
        for n, confidence in enumerate(CONFIDENCES)
    ]
    rows[-1]["strong_correct"] = 1.0
    return rows + [
        routed(n, "b", confidence, 0.75, fast=FAST[n], strong=STRONG[n])
        for n, confidence in enumerate(CONFIDENCES)
    ]


def test_ten_requests_by_hand(store):
    found = compared(store, ten())
    study = found.routes
    assert study.thresholds.rows() == [("law", 0.5, 0.75, 0.5, 0.75)]
    assert study.share("a", "b") == study.share("a", "b", "law") == 0.4
    # Of the four, a's fast answers are right twice and b's strong ones three times.
    within = {arm: study.moments[None, arm].sums for arm in "ab"}
    assert [(within[arm]["k"], within[arm]["y"]) for arm in "ab"] == [(4, 2), (4, 3)]
    got = found.effects["accuracy"]
    assert got.effect.value == pytest.approx(0.4 * 0.25)
    # The share of 8 of 20 has the error sqrt(0.4 x 0.6 / 20), which adds as independent errors do.
    low, high = confint_proportions_2indep(3, 4, 2, 4, compare="diff", method="newcomb")
    spread = math.sqrt(0.24 / 20)
    assert got.effect.low == pytest.approx(0.1 - math.hypot(0.4 * (0.25 - low), Z * spread * 0.25))
    assert got.effect.high == pytest.approx(0.1 + math.hypot(0.4 * (high - 0.25), Z * spread * 0.25))
    assert got.p_value == pytest.approx(stats.boschloo_exact([[3, 2], [1, 2]]).pvalue)
    error = math.sqrt(0.5 * 0.5 / 4 + 0.75 * 0.25 / 4)
    assert got.error == pytest.approx(math.hypot(0.4 * error, spread * 0.25))
    # The arms stay as they are: 7 of 10 and 8 of 10 right.
    assert (got.control.value, got.treatment.value) == pytest.approx((0.7, 0.8))
    assert found.all_requests["accuracy"].effect.value == pytest.approx(0.1)
    # Both graded: b's four. The strong one mends two (fast 0) and worsens one; exact McNemar of 2 and 1 is 1.
    assert (study.pairs, study.mended, study.worsened, study.p_value) == (4, 2, 1, 1.0)


@pytest.mark.parametrize("metric", METRICS)
def test_the_effect_on_all_requests_is_the_share_times_the_effect_on_those(store, metric):
    found = compared(store, ten(), value_usd=20.0)
    study = found.routes
    within = effect(
        metric, study.moments[None, "a"], study.moments[None, "b"], unit="request", value_usd=20.0
    )
    assert found.effects[metric].effect.value == pytest.approx(0.4 * within.effect.value)
    assert found.effects[metric].p_value == within.p_value
    # Requests routed alike are alike in both arms here, so comparing all of them gives the same.
    assert found.all_requests[metric].effect.value == pytest.approx(found.effects[metric].effect.value)
    assert found.effects["cost_per_correct_usd"] == found.all_requests["cost_per_correct_usd"]


def test_prices_that_do_not_vary_still_dilute(store):
    rows = ten()
    for entry in rows:
        entry["fast_cost_usd"] = 1.0
        entry["strong_cost_usd"] = 10.0 if entry["escalated"] else None
    got = compared(store, rows).effects["cost_usd"]
    # 1 USD against 11 USD for four of ten requests: 4 USD on average; nothing varies within them.
    assert got.effect.value == pytest.approx(4.0)
    assert (got.effect.low, got.p_value, got.error) == (None, None, None)
    assert got.reason == "it does not vary within the arms"
    assert got.relative.value is None


def test_ungraded_requests_count_neither_for_accuracy_nor_for_worth(store):
    rows = ten()
    for entry in rows:
        if entry["confidence"] not in (0.5, 0.6):
            entry["fast_correct"] = entry["strong_correct"] = None
    found = compared(store, rows, value_usd=20.0)
    # All graded requests are routed differently: share 1, of graded ones and of those with grade and cost.
    for metric in ("accuracy", "net_usd"):
        expected = found.all_requests[metric].effect.value
        assert found.effects[metric].effect.value == pytest.approx(expected), metric
    plain = found.all_requests["cost_usd"].effect.value
    assert found.effects["cost_usd"].effect.value == pytest.approx(plain)
    assert found.routes.share("a", "b") == 0.4


def test_only_categories_whose_thresholds_differ_are_compared(store):
    same = [{**entry, "task_category": "maths", "threshold": 0.5, "request_id": entry["request_id"] + "m"}
            for entry in ten() if entry["confidence"] in (0.25, 0.75, 0.9)]  # fmt: skip
    found = compared(store, ten() + same)
    assert list(found.by_category) == ["law"]
    assert found.routes.share("a", "b", "law") == 0.4
    # 5 of each arm's requests are of maths, so 8 of 30 requests in all.
    assert found.routes.share("a", "b") == pytest.approx(8 / 30)
    assert found.effects["accuracy"].effect.value == pytest.approx(8 / 30 * 0.25)


def test_users_have_no_mcnemar_test(store):
    rows = [
        {**entry, "request_id": f"{entry['request_id']}-{n}", "unit_id": f"{entry['arm']}{n}"}
        for n in range(5)
        for entry in ten()
    ]
    study = compared(store, rows).routes
    assert study.p_value is None
    assert study.moments[None, "a"].units == 5


def change(rows, **more):
    return [{**entry, **more} for entry in rows]


def not_logged(rows):
    return [*rows[:-1], {**rows[-1], "threshold": None}]


def moved(rows):
    return [*rows[:-1], {**rows[-1], "threshold": 0.875}]


def disobeyed(rows):
    return [{**rows[0], "escalated": True}, *rows[1:]]


def unknown(rows):
    return change(rows, escalated=None, strong_cost_usd=1.0, fast_cost_usd=1.0)


def other_models(rows):
    return [{**entry, "strong_model": "huge"} if entry["arm"] == "b" else entry for entry in rows]


def alike(rows):
    return [entry | {"threshold": 0.5} for entry in rows if entry["confidence"] not in (0.5, 0.6)]


def none_between(rows):
    return [entry for entry in rows if entry["confidence"] not in (0.5, 0.6)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (not_logged, "The threshold of some requests is not logged, so all requests are compared."),
        (moved, "An arm's threshold changed during the experiment, so all requests are compared."),
        (disobeyed, "Some requests did not go as their arm's threshold says, so all requests are compared."),
        (unknown, "Some requests did not go as their arm's threshold says, so all requests are compared."),
        (other_models, "The arms use different models, so all requests are compared."),
        (alike, "Both arms have the same thresholds, so none of their requests is routed differently."),
        (none_between, "No request of an arm has a confidence between the thresholds of the two."),
    ],
)
def test_why_all_requests_are_compared(store, changed, reason):
    found = compared(store, changed(ten()))
    assert (found.routes, found.not_routed) == (None, reason)
    assert found.effects == found.all_requests


def test_one_in_two_hundred_may_go_another_way(store):
    many = [
        {**entry, "request_id": f"{entry['request_id']}-{n}", "ts": datetime(2026, 3, 1)}  # noqa: DTZ001
        for n in range(41)
        for entry in ten()
    ]
    # 2 of 410 requests of an arm are 0.49%, 3 are 0.73%.
    for wrong, obeyed in ((2, True), (3, False)):
        rows = list(many)
        kept = [n for n, entry in enumerate(rows) if entry["arm"] == "a" and entry["confidence"] == 0.9]
        for n in kept[:wrong]:
            rows[n] = {**rows[n], "escalated": True, "strong_cost_usd": 9.0}
        assert (compared(store, rows, dataset=f"{wrong} wrong").routes is not None) is obeyed


def study_of(draw, size):
    """Two arms, 30% routed differently, 0.6 against 0.8 of them right, 0.7 of the rest: an effect of 0.06."""
    moments, whole = {}, {}
    for arm, right in (("a", 0.6), ("b", 0.8)):
        differs = draw.random(size) < 0.3
        correct = (draw.random(size) < np.where(differs, right, 0.7)).astype(float)
        cost = draw.lognormal(0, 0.5, size) + np.where(differs & (arm == "b"), 2.0, 0.0)
        moments[None, arm] = moments_of(None, correct=correct[differs], cost=cost[differs])
        whole[None, arm] = moments_of(None, correct=correct, cost=cost)
    return RouteStudy(None, moments, whole, 0, 0, 0, None)


def test_intervals_from_those_requests_cover_the_truth_and_are_shorter():
    """400 experiments of 800 requests per arm: 95% within 4 standard errors, of 1.1%."""
    draw = np.random.default_rng(7)
    assigned = Assignment("request", {}, {})
    covered = {"accuracy": 0, "cost_usd": 0, "relative": 0}
    shorter = []
    for _ in range(400):
        study = study_of(draw, 800)
        for metric, truth in (("accuracy", 0.06), ("cost_usd", 0.6)):
            plain = effect(metric, study.whole[None, "a"], study.whole[None, "b"], unit="request")
            got = diluted(metric, study, assigned, control="a", treatment="b", all_requests=plain)
            covered[metric] += got.effect.low <= truth <= got.effect.high
            if metric == "accuracy":
                covered["relative"] += got.relative.low <= 0.06 / 0.67 <= got.relative.high
                ends = [(item.effect.high - item.effect.low) for item in (got, plain)]
                shorter.append(ends[0] / ends[1])
    assert min(covered.values()) / 400 >= 0.95 - 4 * 0.011
    assert max(covered.values()) / 400 <= 0.95 + 4 * 0.011
    # Times 800: 0.3 x (0.24 + 0.16) and, of the share, 0.3 x 0.7 x 0.2^2 / 2, against 0.2211 + 0.1971.
    assert np.mean(shorter) == pytest.approx(math.sqrt((0.12 + 0.0042) / 0.4182), abs=0.02)


def test_a_user_who_sends_half_of_the_requests_makes_the_share_uncertain():
    # 10 users of an arm send 1 request, one sends 10 that are all routed differently; so do b's, whose cost
    # is 1 more. Share 20 of 40. If users' requests go together, its variance is
    # 0.25 x (20 x 1 + 2 x 100) / 40^2 = 0.034375.
    users = [*range(10), *[10] * 10]
    arms, moments, whole = [], {}, {}
    for arm, more in (("a", 0.0), ("b", 1.0)):
        cost = [5.0] * 10 + [1.0 + n % 2 + more for n in range(10)]
        whole[None, arm] = moments_of(users, cost=cost)
        # Those routed differently, by request, so that they have an error of their own.
        moments[None, arm] = moments_of(None, cost=cost[10:])
        arms.append(whole[None, arm])
    study = RouteStudy(None, moments, whole, 0, 0, 0, None)
    plain = effect("cost_usd", *arms, unit="unit")
    got = diluted(
        "cost_usd", study, Assignment("unit", {}, {}), control="a", treatment="b", all_requests=plain
    )
    # Ten costs of 1 and 2 have the variance 2.5 / 9; the difference of two means of ten has a fifth of it.
    assert got.error == pytest.approx(math.sqrt(0.5**2 * 2.5 / 9 / 5 + 0.034375 * 1.0**2))
