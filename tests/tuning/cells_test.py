"""Cells of a table that lacks columns are those of one that has them empty."""

import itertools
from collections import Counter

import pytest
from polars.testing import assert_frame_equal
from stores import load

from analytics.logs.storage import tables
from analytics.tuning.cells import KEYS, cells

ROWS = [
    {
        "request_id": f"r{place}", "fast_model": "f", "strong_model": "s", "confidence": place % 3 / 2,
        "fast_correct": place % 2,
    }
    for place in range(12)
]  # fmt: skip
GIVEN = {
    "nothing": {},
    "an arm": {"arm": "a", "experiment": "e"},
    "a probability": {"sampling_probability": 0.25, "escalated": True},
    "a propensity": {"propensity": 0.5, "policy_kind": "predictive", "confidence_kind": "self_report"},
}


@pytest.mark.parametrize("given", list(GIVEN))
@pytest.mark.parametrize("keys", [KEYS, ("arm",), ("arm", "propensity")])
def test_a_table_without_some_columns(store, given, keys):
    more = GIVEN[given]
    load(store, "d", [row | more for row in ROWS], form="decisions")
    with store.cursor() as cursor:
        loaded = tables.of(cursor, "d", "decisions")
        held = ", ".join(["ts", "fold", *ROWS[0], *more])
        cursor.execute(f"CREATE TABLE narrow AS SELECT {held} FROM {loaded}")
        cursor.execute(f"CREATE TABLE wide AS FROM query_table(['decisions', '{loaded}'], true)")
        found, expected = (cells(cursor, table, keys=keys) for table in ("narrow", "wide"))
    assert_frame_equal(found, expected, check_row_order=False)
    assert found["n"].sum() == len(ROWS)


def test_grades_of_0_and_1_are_summed_as_those_between_are(store):
    row = {
        "fast_model": "f", "strong_model": "s", "task_category": "whole", "fast_cost_usd": 0.25,
        "fast_latency_s": 0.5, "escalated": True,
    }  # fmt: skip
    grades = list(itertools.product((None, 0.0, 1.0), repeat=2))
    log = [
        row | {
            "request_id": f"r{place}", "fast_correct": grades[place % 9][0], "confidence": place % 4 / 4,
            "strong_correct": grades[place % 9][1], "strong_cost_usd": None if place % 5 else 1.0 + place,
            "strong_latency_s": None if place % 7 else 2.0 + place,
        }
        for place in range(600)
    ]  # fmt: skip
    between = log[1] | {"request_id": "between", "task_category": "between", "fast_correct": 0.5}
    load(store, "whole", log, form="decisions")
    load(store, "both", [*log, between], form="decisions")
    with store.cursor() as cursor:
        whole, both = (cells(cursor, tables.of(cursor, name, "decisions")) for name in ("whole", "both"))
    assert_frame_equal(whole, both.filter(task_category="whole"), check_row_order=False)
    pairs = Counter((one["fast_correct"], one["strong_correct"]) for one in log)
    assert (whole["gain_n"].sum(), whole["rounded_both"].sum()) == (pairs[0, 1], pairs[1, 1])


def test_no_rows_have_no_cells(store):
    with store.cursor() as cursor:
        cursor.execute("CREATE TABLE narrow AS SELECT request_id, ts FROM decisions")
        assert cells(cursor, "narrow", keys=("arm",)).is_empty()
