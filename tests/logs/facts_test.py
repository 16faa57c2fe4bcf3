"""What a log says of itself: facts, the threshold in force, and how much of each column is known."""

# ruff: noqa: DTZ001 - the tables hold UTC without a zone

from datetime import date, datetime

from stores import load

from analytics.logs.storage.facts import coverage, facts, in_force


def decision(request, **more):
    return {"request_id": request, "task_category": "x", "fast_model": "f", "strong_model": "s", **more}


def test_the_latest_threshold_is_in_force(store):
    # Newest time: b and c at noon of the 3rd; c has the larger id, so 0.7. Row d has no time: oldest.
    log = [
        decision("a", ts=datetime(2026, 1, 1), threshold=0.5, confidence=0.6, escalated=False),
        decision("b", ts=datetime(2026, 1, 3, 12), threshold=0.6, confidence=0.6, escalated=False),
        decision("c", ts=datetime(2026, 1, 3, 12), threshold=0.7, confidence=0.6, escalated=True),
        decision("d", threshold=0.9, confidence=None, escalated=False),
        decision("e", ts=datetime(2026, 2, 1)),
    ]
    load(store, "d", log, form="decisions")
    with store.cursor() as cursor:
        [found] = in_force(cursor, "d").rows(named=True)
    assert (found["task_category"], found["fast_model"], found["strong_model"]) == ("x", "f", "s")
    assert (found["threshold"], found["distinct_thresholds"], found["rows_with_threshold"]) == (0.7, 4, 4)
    assert found["last_ts"] == datetime(2026, 1, 3, 12)
    # By their own thresholds a, b (equality keeps) and c were served so; d, without confidence, was not.
    assert found["served_as_logged"] == 3 / 4
    # Under 0.7 only c was: a and b would escalate.
    assert found["served_under_latest"] == 1 / 4


def test_without_thresholds_nothing_is_in_force(store):
    load(store, "d", [decision("a")], form="decisions")
    with store.cursor() as cursor:
        assert in_force(cursor, "d").is_empty()


def test_facts_count_requests_units_and_names(store):
    log = [
        decision(
            "a", unit_id="u", ts=datetime(2026, 1, 1), arm="one", experiment="e", confidence_kind="verifier"
        ),
        decision("a", unit_id="u", strong_model="t", ts=datetime(2026, 1, 1), arm="two"),
        decision("b", unit_id="u", ts=datetime(2026, 1, 2), task_category=None),
    ]
    mapping = '{"form": "decisions", "columns": {"confidence": ["score", "scale"]}}'
    load(store, "d", log, form="decisions", mapping=mapping)
    with store.cursor() as cursor:
        found = facts(cursor, "d")
        part = facts(cursor, "d", since=date(2026, 1, 2))
    assert (found.requests, found.rows, found.units, found.files) == (2, 3, 1, 1)
    assert found.clustered
    assert (found.first_ts, found.last_ts) == (datetime(2026, 1, 1), datetime(2026, 1, 2))
    assert found.categories == ("x", None)
    assert found.pairs == (("f", "s"), ("f", "t"))
    assert (found.arms, found.experiments) == (("one", "two"), ("e",))
    assert (found.confidence_kinds, found.confidence_sources) == (("verifier",), ("score+scale",))
    assert found.log_sha256 == store.log_sha256("d")
    assert (part.requests, part.categories, part.clustered) == (1, (None,), False)


def test_a_log_without_units_says_so(store):
    load(store, "d", [decision("a")], form="decisions", mapping='{"confidence": "score"}')
    with store.cursor() as cursor:
        found = facts(cursor, "d")
    assert found.units is None
    assert not found.clustered
    assert found.confidence_sources == ("score",)


def test_nothing_within_the_dates_is_no_fact(store):
    load(store, "d", [decision("a")], form="decisions")
    with store.cursor() as cursor:
        found = facts(cursor, "d", since=date(2026, 1, 1))
    assert (found.requests, found.rows, found.first_ts, found.categories, found.pairs) == (0, 0, None, (), ())


def test_coverage_is_the_share_of_known_values(store):
    load(store, "d", [decision("a", confidence=0.5), decision("b")], form="decisions")
    load(store, "c", [{"request_id": "a", "model": "m", "cost_usd": 1.0}], form="calls")
    with store.cursor() as cursor:
        wide = {row["column"]: row for row in coverage(cursor, "d").rows(named=True)}
        calls = {row["column"]: row["share"] for row in coverage(cursor, "c").rows(named=True)}
    assert (wide["confidence"]["known"], wide["confidence"]["rows"], wide["confidence"]["share"]) == (
        1,
        2,
        0.5,
    )
    assert wide["fast_cost_usd"]["share"] == 0.0
    assert "fold" not in wide
    assert (calls["cost_usd"], calls["correct"]) == (1.0, 0.0)
