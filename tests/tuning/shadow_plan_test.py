"""Shadow calls to buy: the page's worked example, costs and days by hand, the planned error simulated."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import yaml
from decisions import log_of

from analytics.policy import Goal
from analytics.tuning.band import band_above, routed_at
from analytics.tuning.log import select
from analytics.tuning.sample_size import pairs_needed
from analytics.tuning.shadow_config import shadow_config
from analytics.tuning.shadow_plan import RATES, shadow_plan

NORMAL = 1.959963984540054  # scipy.stats.norm.ppf(.975)


def cascade(n=1000, *, at=0.5, category="law", shadow=False, **more):
    """Ten confidences, n / 10 requests each; below ``at`` a request is escalated and costs two cents."""
    confidence = [(place % 10) / 10 + 0.05 for place in range(n)]
    sent = [value < at for value in confidence]
    seen = [gone or (shadow and place // 10 % 4 == 0) for place, gone in enumerate(sent)]
    return {
        "task_category": [category] * n,
        "confidence": confidence,
        "threshold": [at] * n,
        "escalated": sent,
        "fast_correct": [place % 3 != 0 for place in range(n)],
        "strong_correct": [place % 5 != 0 if known else None for place, known in enumerate(seen)],
        "fast_cost_usd": [0.001] * n,
        "strong_cost_usd": [0.02 if known else None for known in seen],
    } | more


def selected(rows, folder, *, days=10):
    chosen = log_of(rows, folder)
    start = dt.datetime(2026, 10, 1)  # noqa: DTZ001 - naive UTC, as stored
    facts = replace(chosen.facts, first_ts=start, last_ts=start + dt.timedelta(days=days))
    return select(replace(chosen, facts=facts))


def raised(plan):
    (found,) = [item for item in plan.purchases if item.question == "raise"]
    return found


def test_the_worked_example_of_the_audit_planner(tmp_path):
    """METHODS 2.1: a band of a fifth of the requests, sd .5, 5% of 10,000 requests asked: error .010.

    So 100 pairs (.05 x .2 x 10,000) give an interval of +- 1.96 x .010.
    """
    rows = cascade(shadow=False)
    rows["confidence"] = [0.25] * 500 + [0.55] * 200 + [0.95] * 300
    rows["escalated"] = [value < 0.5 for value in rows["confidence"]]
    rows["strong_correct"] = [
        value if sent else None for value, sent in zip([1.0] * 1000, rows["escalated"], strict=True)
    ]
    rows["strong_cost_usd"] = [0.02 if sent else None for sent in rows["escalated"]]
    found = raised(shadow_plan(selected(rows, tmp_path), Goal(margin=NORMAL * 0.010)))
    assert (found.low, found.high, found.requests, found.assumed) == (0.5, 0.95, 200, True)
    assert found.pairs == pytest.approx(100, abs=1)


def test_calls_cost_and_days_by_hand(tmp_path):
    found = raised(shadow_plan(selected(cascade(), tmp_path), Goal(margin=0.02)))
    # The band is one value, .55: a tenth. (1.96 x .5 x .1 / .02)^2 = 24.01, but an estimate needs 30.
    assert (found.task_category, found.low, found.high, found.requests) == ("law", 0.5, 0.65, 100)
    assert found.pairs == 30
    ten, half, all_of_it = found.explorations
    assert [item.rate for item in found.explorations] == list(RATES)
    # 100 requests a day, 10 of them in the band. At a tenth of those: one call a day.
    assert ten.days == pytest.approx(30)
    assert half.days == pytest.approx(6)
    assert all_of_it.days == pytest.approx(3)
    # The other 40 kept requests a day are asked with 2%: .8 a day over 30, 6 and 3 days.
    assert [item.strong_calls for item in found.explorations] == [30 + 24, 30 + 5, 30 + 3]
    assert ten.cost_usd == pytest.approx(54 * 0.02)


def test_pairs_that_are_there_count_and_tell_how_often_answers_differ(tmp_path):
    rows = cascade(4000, shadow=True)
    rows["sampling_probability"] = [1.0 if sent else 0.25 for sent in rows["escalated"]]
    chosen = selected(rows, tmp_path)
    band = band_above(chosen, "law")
    at = [place for place in range(4000) if place % 10 == 5 and place // 10 % 4 == 0]
    squares = sum((rows["strong_correct"][place] - rows["fast_correct"][place]) ** 2 for place in at)
    assert (band.pairs, band.squares, band.unasked) == (len(at), squares, 400 - len(at))
    plan = shadow_plan(chosen, Goal(margin=0.005))
    sd = np.sqrt((squares + 20 * 0.25) / (len(at) + 20))
    needed = int(np.ceil((NORMAL * sd * 0.1 / 0.005) ** 2))
    assert chosen.regimes["shadow"].item()
    assert raised(plan).explorations[0].strong_calls == max(needed, 30) - len(at)


@pytest.mark.parametrize(("sd", "differing"), [(0.5, 0.25), (0.3, 0.09)])
def test_the_bought_calls_give_the_promised_error(sd, differing):
    """Simulated: what n calls in a band that holds a fifth of all tell of the change over all requests."""
    q, margin = 0.2, 0.02
    n = int(np.ceil((NORMAL * sd * q / margin) ** 2))
    chance = np.random.default_rng(5)
    d = chance.choice([-1, 0, 1], p=[differing / 2, 1 - differing, differing / 2], size=(4000, n))
    spread = (q * d.mean(axis=1)).std()
    # The standard deviation of 4,000 estimates is known to within 1.1%.
    assert NORMAL * spread == pytest.approx(margin, rel=0.045)


def test_the_pairs_of_a_certificate_are_those_of_its_test(tmp_path):
    rows = cascade(4000, at=0.3)
    rows["strong_correct"] = [
        place % 7 != 0 if sent else None for place, sent in enumerate(rows["escalated"])
    ]
    chosen = selected(rows, tmp_path)
    (found,) = [item for item in shadow_plan(chosen, Goal(margin=0.01)).purchases if item.question == "lower"]
    # The step below .3 keeps the 400 requests of .25: place % 10 == 2.
    kept = [place for place in range(4000) if place % 10 == 2]
    lost = sum(rows["strong_correct"][place] > rows["fast_correct"][place] for place in kept)
    won = sum(rows["strong_correct"][place] < rows["fast_correct"][place] for place in kept)
    needed = pairs_needed(lost / 4000, won / 4000, 0.01, delta=0.05)
    assert needed is None
    assert "More data will not help" in found.impossible
    assert found.explorations == ()
    # With a wider margin it can be shown, without a single call: what is escalated has its answer.
    (found,) = [
        item for item in shadow_plan(chosen, Goal(margin=0.0225)).purchases if item.question == "lower"
    ]
    # Three walks share the error; that down one threshold has .4 of it.
    needed = pairs_needed(lost / 4000, won / 4000, 0.0225, delta=0.05 * 0.4)
    assert found.low == 0.25
    assert found.pairs == max(needed, 4001) - 4000
    assert {(item.strong_calls, item.cost_usd) for item in found.explorations} == {(0, 0.0)}
    # 400 requests a day, all of them graded.
    assert found.explorations[0].days == pytest.approx(found.pairs / 400)


def test_without_any_grade_the_rates_are_assumed_and_it_is_said(tmp_path):
    chosen = selected(cascade(fast_correct=[None] * 1000, strong_correct=[None] * 1000), tmp_path)
    plan = shadow_plan(chosen, Goal(margin=0.01, reference="strong"))
    lower, above = plan.purchases
    # Half of the requests are kept, a quarter of the answers differ: .0625 either way.
    assert lower.pairs == pairs_needed(0.0625, 0.0625, 0.01, delta=0.05)
    assert lower.assumed
    assert above.assumed
    # A tenth of the kept half is asked: as many requests as ten times the pairs, half of them kept.
    assert lower.explorations[0].strong_calls == pytest.approx(lower.pairs / 2, abs=1)
    assert lower.explorations[0].days == pytest.approx(lower.pairs * 10 / 100)
    assert any("a quarter of the answers is taken to differ" in text for text in plan.assumptions)


def test_what_is_unknown_stays_unknown(tmp_path):
    rows = cascade(strong_cost_usd=[None] * 1000)
    found = raised(shadow_plan(selected(rows, tmp_path, days=0), Goal()))
    assert {(item.cost_usd, item.days) for item in found.explorations} == {(None, None)}
    stated = raised(shadow_plan(selected(rows, tmp_path), Goal(), strong_call_usd=0.5))
    assert stated.explorations[2].cost_usd == stated.explorations[2].strong_calls * 0.5


@pytest.mark.parametrize(
    "more",
    [
        {"confidence": [None] * 1000},
        {"escalated": [False] * 1000, "threshold": [1.0] * 1000},
        {"strong_correct": [1.0] * 1000, "strong_cost_usd": [0.02] * 1000, "escalated": [None] * 1000},
    ],
)
def test_nothing_is_asked_for_where_nothing_is_kept_unanswered(more, tmp_path):
    plan = shadow_plan(selected(cascade(**more), tmp_path), Goal())
    assert [item for item in plan.purchases if item.question == "raise"] == []


def test_the_threshold_in_force_is_read_off_the_routing_where_it_was_not_logged(tmp_path):
    chosen = selected(cascade(threshold=[None] * 1000), tmp_path)
    # Escalated below .5: the smallest confidence that was kept is .55.
    assert routed_at(chosen, "law") == pytest.approx(0.55)
    chance = np.random.default_rng(1)
    mixed = selected(cascade(threshold=[None] * 1000, escalated=chance.random(1000) < 0.5), tmp_path)
    assert routed_at(mixed, "law") is None


@pytest.mark.parametrize(
    "name", ["law: [1]", "'", '"', "- a", "*x", "&y", "yes", "\u202e\u0000\n#", "{}", "!!int 3"]
)
def test_names_stay_names_in_the_lines_for_the_router(name, tmp_path):
    chosen = selected(cascade(category=name), tmp_path)
    text = shadow_config(shadow_plan(chosen, Goal()), 0.5)
    (band,) = yaml.safe_load(text)["shadow"]["bands"]
    assert band == {"task_category": name, "confidence_from": 0.5, "confidence_below": 0.65, "share": 0.5}
