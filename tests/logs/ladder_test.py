"""Which model is fast, which is strong, and on what evidence; every case is worked by hand."""

import pytest
from stores import call, decisions, load

from analytics.errors import SchemaError
from analytics.logs.storage.ladder import Pair


def test_fast_is_decided_by_cost_and_not_by_the_order_of_calls(store):
    load(
        store,
        "d",
        [
            call("r1", "big", call_index=0, cost_usd=0.02),
            call("r1", "small", call_index=1, cost_usd=0.001, confidence=0.4),
        ],
        form="calls",
    )
    assert decisions(store, "fast_model, strong_model, confidence") == [("small", "big", 0.4)]


def test_cost_is_compared_within_requests_that_have_both_models(store):
    # Over all calls the small model is dearer (long documents): (0.30 + 0.30 + 0.01) / 3 > 0.05.
    load(
        store,
        "d",
        [
            call("long1", "small", cost_usd=0.30),
            call("long2", "small", cost_usd=0.30),
            call("short", "small", cost_usd=0.01),
            call("short", "big", cost_usd=0.05),
        ],
        form="calls",
    )
    assert store.ladder("d").pairs == (Pair("maths", "small", "big", 0),)


def test_without_costs_the_list_price_decides(store):
    load(
        store, "d", [call("r", "gpt-4.1", call_index=0), call("r", "gpt-5-mini", call_index=1)], form="calls"
    )
    assert store.ladder("d").pairs == (Pair("maths", "gpt-5-mini", "gpt-4.1", 0),)


def test_without_costs_and_prices_the_order_of_calls_decides(store):
    load(
        store,
        "d",
        [call("r", "zeta-of-ours", call_index=0), call("r", "alpha-of-ours", call_index=1)],
        form="calls",
    )
    assert store.ladder("d").pairs == (Pair("maths", "zeta-of-ours", "alpha-of-ours", 0),)


def test_a_fallback_from_a_failed_call_is_no_step_of_a_ladder(store):
    # Failed calls cost nothing, so that the big model would be the cheaper one of r1 and r2. In r3 the small
    # model answered first: 0.01 < 0.05.
    fallback = [
        call(request, model, cost_usd=cost, status=status)
        for request in ("r1", "r2")
        for model, cost, status in (("big", 0.0, "error"), ("small", 0.01, "success"))
    ]
    load(store, "d", fallback, form="calls")
    assert not store.ladder("d").confirmed
    cascade = [call("r3", "small", cost_usd=0.01), call("r3", "big", cost_usd=0.05)]
    load(store, "d", cascade, form="calls", file="more.csv")
    ladder = store.ladder("d")
    assert ladder.pairs == (Pair("maths", "small", "big", 0),)
    assert "1 requests in which two models occur" in ladder.reason


def test_three_models_give_the_steps_between_neighbours(store):
    # a < b < c by cost. r1 calls all: a>b and b>c. r2 calls a alone: a>b. r3 calls b and c: b>c.
    cost = {"a": 0.1, "b": 0.2, "c": 0.3}
    called = [("r1", "a"), ("r1", "b"), ("r1", "c"), ("r2", "a"), ("r3", "b"), ("r3", "c")]
    load(store, "d", [call(r, m, cost_usd=cost[m]) for r, m in called], form="calls")
    assert store.ladder("d").pairs == (Pair("maths", "a", "b", 0), Pair("maths", "b", "c", 1))
    columns = "request_id, fast_model, strong_model, strong_cost_usd, escalated"
    assert decisions(store, columns) == [
        ("r1", "a", "b", 0.2, True),
        ("r1", "b", "c", 0.3, True),
        ("r2", "a", "b", None, False),
        ("r3", "b", "c", 0.3, True),
    ]


def test_the_effort_is_part_of_the_models_name(store):
    load(
        store,
        "d",
        [
            call("r", "o3", effort="low", cost_usd=0.1),
            call("r", "o3", effort="high", cost_usd=1.0),
            call("s", "o3@low", cost_usd=0.1),
        ],
        form="calls",
    )
    assert decisions(store, "request_id, fast_model, strong_model") == [
        ("r", "o3@low", "o3@high"),
        ("s", "o3@low", "o3@high"),
    ]
    assert store.models("d")["model"].to_list() == ["o3@high", "o3@low"]


def test_pairs_are_per_category_and_a_category_without_evidence_takes_those_of_the_others(store):
    load(
        store,
        "d",
        [
            *[call("m", "small", cost_usd=0.1), call("m", "big", cost_usd=1.0)],
            *[call("l", "mid", task_category="law", cost_usd=0.3)],
            *[call("l", "big", task_category="law", cost_usd=1.0)],
            call("rare", "small", task_category="rare", cost_usd=0.1),
            call("none", "mid", task_category=None, cost_usd=0.3),
        ],
        form="calls",
    )
    ladder = store.ladder("d")
    assert ladder.pairs == (
        Pair("law", "mid", "big", 0),
        Pair("maths", "small", "big", 0),
        Pair("rare", "small", "big", 0),
        Pair(None, "mid", "big", 0),
    )
    assert ladder.confirmed
    assert ladder.of("never seen") == (Pair(None, "mid", "big", 0),)
    assert decisions(store, "request_id, task_category, fast_model") == [
        ("l", "law", "mid"),
        ("m", "maths", "small"),
        ("none", None, "mid"),
        ("rare", "rare", "small"),
    ]


def test_where_no_request_has_two_models_the_ladder_must_be_confirmed(store):
    load(store, "d", [call("r1", "small", cost_usd=0.1), call("r2", "big", cost_usd=1.0)], form="calls")
    ladder = store.ladder("d")
    assert ladder.pairs == (Pair("maths", "small", "big", 0),)
    assert not ladder.confirmed
    assert "confirm" in ladder.reason
    before = store.version("d")
    store.set_ladder("d", ladder.pairs)
    assert store.ladder("d").confirmed
    assert store.version("d") > before


def test_one_model_alone_has_no_ladder(store):
    load(store, "d", [call("r1", "small"), call("r2", "small")], form="calls")
    assert store.ladder("d").pairs == ()
    assert "one model only" in store.ladder("d").reason
    assert decisions(store, "request_id") == []


def test_a_ladder_set_by_hand_decides_and_stays(store):
    log = [call("r1", "small", cost_usd=0.1, confidence=0.3), call("r1", "big", cost_usd=1.0, confidence=0.6)]
    load(store, "d", log, form="calls")
    store.set_ladder("d", [Pair(None, "big", "small")])
    assert decisions(store, "fast_model, strong_model, confidence") == [("big", "small", 0.6)]
    more = [call("r2", "big", task_category="new", cost_usd=1.0)]
    load(store, "d", more, form="calls", file="more.csv")
    assert decisions(store, "request_id, fast_model, strong_model") == [
        ("r1", "big", "small"),
        ("r2", "big", "small"),
    ]
    assert store.ladder("d").confirmed


def test_categories_that_come_after_a_hand_made_ladder_are_added_as_proposed(store):
    load(store, "d", [call("r1", "small", cost_usd=0.1), call("r1", "big", cost_usd=1.0)], form="calls")
    store.set_ladder("d", [Pair("maths", "big", "small")])
    more = [
        call("r2", model, task_category="new", cost_usd=cost) for model, cost in [("small", 1), ("big", 2)]
    ]
    load(store, "d", more, form="calls", file="more.csv")
    pairs = {(pair.task_category, pair.fast_model) for pair in store.ladder("d").pairs}
    assert pairs == {("maths", "big"), ("new", "small")}


def test_an_impossible_ladder_is_refused(store):
    load(store, "d", [call("r1", "small"), call("r1", "big")], form="calls")
    for pair, message in [
        (Pair(None, "small", "small"), "same model twice"),
        (Pair(None, "nobody", "big"), r"No request called the fast model nobody\. Found: big, small\."),
    ]:
        with pytest.raises(SchemaError, match=message):
            store.set_ladder("d", [pair])
    with pytest.raises(SchemaError, match="needs a pair"):
        store.set_ladder("d", [])


def test_rows_that_name_both_models_are_a_ladder_of_their_own(store):
    wide = {"request_id": "r", "task_category": "law", "fast_model": "f", "strong_model": "s"}
    load(store, "d", [wide, {**wide, "strong_model": "t"}], form="decisions")
    ladder = store.ladder("d")
    assert ladder.pairs == (Pair("law", "f", "s", 0), Pair("law", "f", "t", 1))
    assert ladder.confirmed
    with pytest.raises(SchemaError, match="names its fast and strong model itself"):
        store.set_ladder("d", ladder.pairs)
    assert store.strong_only_requests("d") == 0


def test_a_logged_tier_word_counts_where_all_calls_agree(store):
    load(
        store,
        "d",
        [
            *[call("r1", "a", tier="small"), call("r1", "b", tier="frontier")],
            *[call("r2", "a", tier="small"), call("r2", "b", tier="reasoning")],
        ],
        form="calls",
    )
    assert store.models("d").select("model", "tier", "tier_source").rows() == [
        ("a", "small", "log"),
        ("b", None, None),
    ]
