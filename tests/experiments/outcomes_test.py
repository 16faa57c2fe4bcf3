"""Moments that the database adds up, against rows served and added up in Python."""

import itertools
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from stores import call, load
from trials import moments_of, row, same, served

from analytics.experiments import outcomes
from analytics.experiments.outcomes import Scope, arm_moments, arms

E = Scope("d", "e")


def check(store, requests, *, unit):
    """Every category and arm, and all categories together, against ``moments_of`` the same requests."""
    found = arm_moments(store, E, unit=unit, units=1)
    expected = {}
    for arm in {entry["arm"] for entry in requests}:
        mine = [entry for entry in requests if entry["arm"] == arm]
        for category in {entry["category"] for entry in mine}:
            expected[category, arm] = [entry for entry in mine if entry["category"] == category]
        expected[None, arm] = mine
    assert found.keys() == expected.keys()
    for key, part in expected.items():
        columns = {name: [item[name] for item in part] for name in ("correct", "cost", "latency", "taken")}
        users = None if unit == "request" else [item["unit"] for item in part]
        same(found[key], moments_of(users, **columns))


def maybe(generator, value, *, missing=0.15):
    return None if generator.random() < missing else value


def messy_decisions(size, seed):
    """Rows with every kind of gap: routes, grades, costs, latencies, categories, users, partial grades."""
    draw = np.random.default_rng(seed)
    rows = []
    for place in range(size):
        sides = {
            f"{side}_{name}": maybe(draw, value, missing=0.3)
            for side in ("fast", "strong")
            for name, value in (
                ("correct", float(draw.choice([0, 0.5, 1]))),
                ("cost_usd", float(draw.exponential(0.01))),
                ("latency_s", float(draw.exponential(2))),
            )
        }
        rows.append(
            row(
                place, ["a", "b", "c"][place % 3],
                task_category=[None, "law", "maths"][draw.integers(3)],
                policy_kind=[None, "cascade", "predictive"][draw.integers(3)],
                escalated=maybe(draw, bool(draw.random() < 0.5), missing=0.3),
                router_cost_usd=maybe(draw, 0.001, missing=0.5),
                router_latency_s=maybe(draw, 0.1, missing=0.5),
                unit_id=maybe(draw, f"u{draw.integers(40) * 3 + place % 3}"), **sides,
            )
        )  # fmt: skip
    return rows


@pytest.mark.parametrize("unit", ["request", "unit"])
def test_moments_of_decisions_with_gaps_are_those_of_the_rows(store, unit):
    rows = messy_decisions(600, seed=1)
    load(store, "d", [*rows, *(row(f"x{n}", None) for n in range(9))], form="decisions")
    requests = [
        served(entry)
        | {
            "arm": entry["arm"],
            "category": entry["task_category"] or "Uncategorised",
            "unit": entry["unit_id"] or entry["request_id"],
        }
        for entry in rows
    ]
    # All four kinds of knowing the route are there: logged, only one side seen, both seen, none seen.
    assert {entry["taken"] for entry in requests} == {True, False, None}
    check(store, requests, unit=unit)


def test_what_was_served_and_what_it_cost_by_hand(store):
    """One row for each rule of ``served``, so that the test above does not repeat a mistake of ours."""
    both = {"fast_cost_usd": 0.25, "strong_cost_usd": 2.0, "fast_latency_s": 1.0, "strong_latency_s": 8.0,
            "fast_correct": 0.0, "strong_correct": 1.0}  # fmt: skip
    cases = [
        # row, taken, grade, cost: a cascade pays for both answers, a forecast for the one that it chose.
        ({**both, "escalated": True}, True, 1.0, 2.25),
        ({**both, "escalated": False}, False, 0.0, 0.25),
        ({**both, "escalated": True, "policy_kind": "predictive"}, True, 1.0, 2.0),
        ({**both, "escalated": True, "policy_kind": "predictive", "router_cost_usd": 0.5}, True, 1.0, 2.5),
        ({**both, "escalated": False, "router_cost_usd": 0.5}, False, 0.0, 0.75),
        # Not logged, both answers seen: one is a shadow answer, nobody knows which.
        (both, None, None, None),
        ({"fast_correct": 1.0, "fast_cost_usd": 0.25}, False, 1.0, 0.25),
        ({"strong_correct": 1.0, "strong_cost_usd": 2.0}, True, 1.0, None),
        ({"strong_correct": 1.0, "strong_cost_usd": 2.0, "policy_kind": "predictive"}, True, 1.0, 2.0),
    ]
    for values, taken, correct, cost in cases:
        assert (served(values)["taken"], served(values)["correct"], served(values)["cost"]) == (
            taken, correct, cost,
        )  # fmt: skip
    load(store, "d", [row(n, f"arm {n}", **values) for n, (values, *_) in enumerate(cases)], form="decisions")
    found = arm_moments(store, E, unit="request", units=9)
    for n, (_, taken, correct, cost) in enumerate(cases):
        sums = found[None, f"arm {n}"].sums
        assert (sums["en"], sums["e"]) == (float(taken is not None), float(taken or 0))
        assert (sums["k"], sums["y"]) == (float(correct is not None), correct or 0.0)
        assert (sums["cn"], sums["c"]) == (float(cost is not None), cost or 0.0)


def test_calls_by_hand(store):
    """Calls of a request add up, shadow calls apart; the last served call is the answer."""
    fast, strong = {"tier": "small", "call_index": 0}, {"tier": "frontier", "call_index": 1}
    paid, dear = {"cost_usd": 0.25, "latency_s": 1.0}, {"cost_usd": 2.0, "latency_s": 8.0}
    cases = {
        "kept": [call("", "mini", **fast, **paid, correct=1.0)],
        "escalated": [
            call("", "mini", **fast, **paid, correct=0.0, served=False),
            call("", "big", **strong, **dear, correct=1.0, served=True),
        ],
        "nobody says served": [
            call("", "mini", **fast, **paid, correct=1.0), call("", "big", **strong, **dear, correct=0.5),
        ],
        "shadow": [
            call("", "mini", **fast, **paid, correct=0.0),
            call("", "big", **strong, **dear, correct=1.0, shadow=True),
        ],
        "shadow of unknown cost": [
            call("", "mini", **fast, **paid, correct=0.0),
            call("", "big", **strong, correct=1.0, shadow=True),
        ],
        "one cost unknown": [
            call("", "mini", **fast, **paid, served=False),
            call("", "big", **strong, correct=1.0, latency_s=8.0, served=True),
        ],
        "answered before": [
            call("", "mini", **fast, **paid, correct=1.0, served=True),
            call("", "big", **strong, **dear, correct=0.0, served=False),
        ],
        "failed": [call("", "mini", **fast, **paid, status="error")],
        "router": [
            call("", "mini", **fast, **paid, served=False, router_cost_usd=0.5),
            call("", "big", **strong, **dear, correct=0.0, served=True, router_cost_usd=0.5),
        ],
    }  # fmt: skip
    expected = {
        # arm: escalated, graded, grade, cost known, cost, latency
        "kept": (0, 1, 1.0, 1, 0.25, 1.0),
        "escalated": (1, 1, 1.0, 1, 2.25, 9.0),
        "nobody says served": (1, 1, 0.5, 1, 2.25, 9.0),
        "shadow": (0, 1, 0.0, 1, 0.25, 1.0),
        "shadow of unknown cost": (0, 1, 0.0, 1, 0.25, 1.0),
        "one cost unknown": (1, 1, 1.0, 0, 0.0, 9.0),
        "answered before": (0, 1, 1.0, 1, 2.25, 9.0),  # the second was not served, and was paid
        "failed": (0, 1, 0.0, 1, 0.25, 1.0),  # an answer that failed is wrong, not missing
        "router": (1, 1, 0.0, 1, 2.75, 9.0),  # its cost stands at both calls and was paid once
    }
    rows = [
        {**entry, "request_id": name, "arm": name, "experiment": "e"}
        for name, calls in cases.items()
        for entry in calls
    ]
    load(store, "d", rows, form="calls")
    found = arm_moments(store, E, unit="request", units=9)
    got = {
        arm: tuple(part.sums[name] for name in ("e", "k", "y", "cn", "c", "l"))
        for (category, arm), part in found.items()
        if category is None
    }
    assert got == expected


@pytest.mark.parametrize("unit", ["request", "unit"])
def test_moments_of_calls_with_gaps_are_those_of_the_requests(store, unit):
    draw = np.random.default_rng(3)
    rows, requests = [], []
    for place in range(300):
        arm, user, category = "ab"[place % 2], f"u{place % 50}", ["law", "maths"][place % 3 % 2]
        second = draw.random() < 0.6
        shadow = second and draw.random() < 0.3
        made = [
            {"grade": maybe(draw, float(draw.integers(2))), "cost": maybe(draw, 9**turn * draw.random()),
             "latency": maybe(draw, draw.random())}
            for turn in range(1 + second)
        ]  # fmt: skip
        rows += [
            call(f"r{place}", ("mini", "big")[n], tier=("small", "frontier")[n], call_index=n, arm=arm,
                 experiment="e", unit_id=user, correct=item["grade"], cost_usd=item["cost"],
                 latency_s=item["latency"], shadow=n == 1 and shadow) | {"task_category": category}
            for n, item in enumerate(made)
        ]  # fmt: skip
        paid = made[:1] if shadow else made
        sums = {
            name: None if any(item[name] is None for item in paid) else sum(item[name] for item in paid)
            for name in ("cost", "latency")
        }
        taken = second and not shadow
        requests.append(
            {"arm": arm, "unit": user, "category": category, "taken": taken, "correct": paid[-1]["grade"]}
            | sums
        )
    load(store, "d", rows, form="calls")
    check(store, requests, unit=unit)


def test_parts_add_to_the_whole(store):
    rows = messy_decisions(300, seed=2)
    load(store, "d", rows, form="decisions")
    found = arm_moments(store, E, unit="request", units=300)
    for arm in "abc":
        parts = [part for (category, name), part in found.items() if name == arm and category is not None]
        whole = list(itertools.accumulate(parts, lambda one, two: one + two))[-1]
        same(whole, found[None, arm])


def test_users_left_out_do_not_count(store):
    rows = messy_decisions(300, seed=4)
    load(store, "d", rows, form="decisions")
    gone = ["u3", "u4"]
    found = arm_moments(store, E, unit="unit", units=99, left_out=pl.DataFrame({"unit": gone}))
    n = sum(1 for entry in rows if entry["arm"] == "a" and entry["unit_id"] not in gone)
    assert found[None, "a"].sums["n"] == n


def test_dates_categories_and_models_narrow_an_experiment(store):
    days = [datetime(2026, 3, day) for day in (1, 2, 3, 4)]  # noqa: DTZ001 - a log's own UTC
    rows = [
        row(f"{n}{arm}", arm, ts=day, task_category=["law", None][n % 2], fast_model=f"m{n % 2}")
        for n, day in enumerate(days)
        for arm in "ab"
    ]
    load(store, "d", rows, form="decisions")

    def requests(**more):
        return sum(
            part.sums["n"]
            for (category, _), part in arm_moments(store, replace(E, **more), unit="request", units=8).items()
            if category is None
        )

    assert requests() == 8
    assert requests(since=days[1]) == 6  # the first moment counts,
    assert requests(until=days[1]) == 2  # the last does not
    assert requests(categories=("law",)) == 4
    assert requests(categories=("Uncategorised", "law")) == 8
    assert requests(categories=()) == 0
    assert requests(fast="m1") == 4
    assert requests(strong="small") == 0
    assert requests(experiment=None) == 0


def test_many_users_are_dealt_into_buckets_with_about_the_same_variance(store, monkeypatch):
    draw = np.random.default_rng(5)
    rows = []
    for user in range(4000):
        taste = draw.random()
        rows += [
            row(f"{user}-{n}", "ab"[user % 2], unit_id=f"u{user}", escalated=False,
                fast_correct=float(draw.random() < taste))
            for n in range(3)
        ]  # fmt: skip
    load(store, "d", rows, form="decisions")
    one = arm_moments(store, E, unit="unit", units=4000)[None, "a"]
    monkeypatch.setattr(outcomes, "MOST_UNITS", 100)
    many = arm_moments(store, E, unit="unit", units=4000)[None, "a"]
    assert one.units == 2000
    # 2,000 users in 1,024 buckets: 1024 (1 - (1 - 1/1024)^2000) = 879 are taken, give or take 9.
    assert abs(many.units - 879) < 4 * 9
    assert many.sums == one.sums

    def variance(part):
        share = part.sums["y"] / part.sums["k"]
        return part.product("y", "y") - 2 * share * part.product("y", "k") + share**2 * part.product("k", "k")

    # Each is a sum of 879 or more squares, whose ratio is within 4 times sqrt(2 / 879) = 19% of 1.
    assert variance(many) / variance(one) == pytest.approx(1, abs=0.19)


def test_arms_of_all_experiments_the_latest_first(store):
    early, late = datetime(2026, 1, 1), datetime(2026, 2, 1)  # noqa: DTZ001 - a log's own UTC
    rows = [
        row(1, "b", ts=early, unit_id="u"), row(2, "b", ts=early, unit_id="u"), row(3, "a", ts=early),
        row(4, "x", ts=late) | {"experiment": None}, row(5, None, ts=late),
    ]  # fmt: skip
    load(store, "d", rows, form="decisions")
    found = arms(store, "d")
    assert found.select("experiment", "arm", "requests", "units").rows() == [
        (None, "x", 1, 1), ("e", "a", 1, 1), ("e", "b", 2, 1),
    ]  # fmt: skip
