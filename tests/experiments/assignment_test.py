"""Who was assigned: users or requests, by hand; and a sentence where nothing can be compared."""

from datetime import date, datetime

import numpy as np
import pytest
from stores import load
from trials import row

from analytics.errors import InsufficientDataError, NotIdentifiedError
from analytics.experiments.assignment import assignment
from analytics.experiments.comparison import comparison, reading
from analytics.experiments.outcomes import Scope

E = Scope("d", "e")


def by_users(users, requests=2, **more):
    """Users of whom every other one is in each arm, with several requests each."""
    return [
        row(
            f"{user}-{n}",
            "ab"[user % 2],
            unit_id=f"u{user}",
            escalated=False,
            fast_correct=float(n % 2),
            **more,
        )
        for user in range(users)
        for n in range(requests)
    ]


def test_requests_without_users_are_what_was_assigned(store):
    load(store, "d", [row(n, "aab"[n % 3]) for n in range(9)], form="decisions")
    found = assignment(store, E)
    assert (found.unit, found.noun) == ("request", "requests")
    assert found.assigned == found.requests == {"a": 6, "b": 3}
    assert found.units == 9


def test_users_who_each_have_one_request_are_requests(store):
    rows = [row(n, "ab"[n % 2], unit_id=f"u{n}") for n in range(8)]
    load(store, "d", rows, form="decisions")
    assert assignment(store, E).unit == "request"


def test_users_with_all_requests_in_one_arm_were_assigned(store):
    load(store, "d", by_users(10, requests=3), form="decisions")
    found = assignment(store, E)
    assert (found.unit, found.noun, found.units) == ("unit", "users", 10)
    assert found.assigned == {"a": 5, "b": 5}
    assert found.requests == {"a": 15, "b": 15}
    assert (found.shared, found.shared_requests, found.left_out.height) == (0, 0, 0)


def test_users_in_both_arms_by_mistake_are_left_out(store):
    # Of 20 users with 2 requests each, random assignment by request would put half into both arms: 10 are
    # expected there. One is, so users were assigned.
    rows = by_users(20)
    rows[1]["arm"] = "b"  # u0's second request
    load(store, "d", rows, form="decisions")
    found = assignment(store, E)
    assert found.unit == "unit"
    assert found.assigned == {"a": 9, "b": 10}
    assert found.requests == {"a": 19, "b": 21}
    assert (found.shared, found.shared_requests) == (1, 2)
    assert found.left_out["unit"].to_list() == ["u0"]
    read = reading(store, E)
    assert {arm: read.moments[None, arm].sums["n"] for arm in "ab"} == {"a": 18.0, "b": 20.0}
    assert [item.title for item in read.validity.findings] == ["1 user has requests in several arms"]
    assert read.validity.readable
    assert comparison(store, read, treatment="b").effects["accuracy"].effect.n == 38


@pytest.mark.parametrize("requests", [2, 5])
def test_requests_that_were_randomised_within_users_are_recognised(store, requests):
    draw = np.random.default_rng(requests)
    rows = by_users(200, requests)
    for entry in rows:
        entry["arm"] = "ab"[draw.integers(2)]
    load(store, "d", rows, form="decisions")
    found = assignment(store, E)
    assert found.unit == "request"
    assert found.units == 200 * requests
    assert found.shared == 0


def test_half_of_the_users_whom_chance_would_put_into_both_arms_decide(store):
    # 40 users with 2 requests each, half of the requests in each arm: chance puts 40 (1 - 2 x 0.25) = 20 of
    # them into both. 10 are half of that: requests were assigned. 8 are less: users were, and 8 are left out.
    for dataset, crossed in (("ten", 10), ("eight", 8)):
        rows = by_users(40)
        for user in range(crossed):
            rows[2 * user]["arm"] = "ab"[(user + 1) % 2]
        load(store, dataset, rows, form="decisions")
        found = assignment(store, Scope(dataset, "e"))
        assert found.requests == {"a": 40, "b": 40}
        assert (found.unit, found.shared) == (("request", 0) if crossed == 10 else ("unit", 8))


def test_first_and_last_moment(store):
    days = [datetime(2026, 3, day) for day in (5, 2, 9)]  # noqa: DTZ001 - a log's own UTC
    rows = [row(n, "ab"[n % 2], ts=day) for n, day in enumerate(days)]
    load(store, "d", [*rows, row(8, None, ts=datetime(2026, 1, 1))], form="decisions")  # noqa: DTZ001
    found = assignment(store, E)
    assert (found.first, found.last) == (days[1], days[2])
    assert assignment(store, Scope("d", "e", until=date(2026, 3, 6))).last == days[0]


def test_a_log_without_an_experiment_says_what_to_log(store):
    load(store, "d", [row(1, None)], form="decisions")
    with pytest.raises(NotIdentifiedError, match="Log two columns: experiment, its name, and arm"):
        assignment(store, E)


def test_an_unknown_experiment_names_those_that_there_are(store):
    nameless = [{**row(n, "ab"[n % 2]), "experiment": None} for n in range(2)]
    load(store, "d", [*nameless, row(3, "a"), row(4, "b")], form="decisions")
    message = r"There is no experiment other\. Experiments: \(without a name\), e\."
    with pytest.raises(NotIdentifiedError, match=message):
        assignment(store, Scope("d", "other"))
    assert assignment(store, Scope("d", None)).assigned == {"a": 1, "b": 1}


def test_one_arm_is_no_experiment(store):
    load(store, "d", [row(n, "a") for n in range(9)], form="decisions")
    with pytest.raises(NotIdentifiedError, match=r"has a single arm, a\. Log the arm of every request"):
        reading(store, E)


def test_dates_that_leave_nothing_say_when_it_ran(store):
    rows = [row(n, "ab"[n % 2], ts=datetime(2026, 3, 1 + n)) for n in range(4)]  # noqa: DTZ001
    load(store, "d", rows, form="decisions")
    message = "No request of this experiment is left .* It ran from 01 Mar 2026 to 04 Mar 2026"
    with pytest.raises(InsufficientDataError, match=message):
        reading(store, Scope("d", "e", since=date(2027, 1, 1)))


def test_requests_that_stand_in_several_pairs_ask_for_one(store):
    rows = [row(n, "ab"[n % 2]) for n in range(4)]
    load(store, "d", [*rows, {**rows[0], "strong_model": "huge"}], form="decisions")
    with pytest.raises(NotIdentifiedError, match=r"several model pairs.*Choose one pair"):
        assignment(store, E)
    assert assignment(store, Scope("d", "e", strong="big")).assigned == {"a": 2, "b": 2}


def test_an_arm_that_no_user_is_in_alone_blocks_every_effect(store):
    # 20 users in a with 2 requests each; u0 alone has 99 more, in b.
    rows = [{**entry, "arm": "a"} for entry in by_users(20)]
    rows += [row(f"more-{n}", "b", unit_id="u0", escalated=False, fast_correct=1.0) for n in range(99)]
    load(store, "d", rows, form="decisions")
    read = reading(store, E)
    assert read.assigned.assigned == {"a": 19, "b": 0}
    assert read.validity.srm_p_value is None
    assert not read.validity.readable
    with pytest.raises(NotIdentifiedError, match=r"No user is in b alone\. Nothing can be compared"):
        comparison(store, read, treatment="b")


def test_three_arms_are_compared_two_by_two(store):
    rows = [
        row(n, ("b", "control", "a")[n % 3], escalated=False, fast_correct=float(n % 2)) for n in range(60)
    ]
    load(store, "d", rows, form="decisions")
    read = reading(store, E)
    assert read.arms == ["control", "a", "b"]
    assert read.validity.planned == pytest.approx(dict.fromkeys(("a", "b", "control"), 1 / 3))
    for treatment in ("a", "b"):
        found = comparison(store, read, treatment=treatment)
        assert (found.control, found.effects["accuracy"].effect.n) == ("control", 40)
