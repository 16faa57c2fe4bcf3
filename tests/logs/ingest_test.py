"""Rows in: duplicates, conflicts, folds and the first row of a unit."""

import hashlib
import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import call, load, rows

from analytics.logs.reading.staging import Problem
from analytics.logs.storage import tables
from analytics.logs.store import Store
from analytics.tuning.cells import UNIT_FIRST, cells


def decision(request, **more):
    return {"request_id": request, "fast_model": "f", "strong_model": "s", "confidence": 0.5, **more}


def test_the_same_file_again_is_all_duplicates(store):
    log = [decision("a"), decision("b")]
    assert load(store, "d", log, form="decisions").loaded == 2
    version = store.version("d")
    again = load(store, "d", log, form="decisions")
    assert (again.loaded, again.duplicates, again.conflicts) == (0, 2, [])
    assert store.version("d") == version


def test_equal_rows_count_once_and_other_values_are_conflicts(store):
    # Line 2 is kept, line 3 equal (duplicate), line 4 has another confidence (conflict), line 5 another pair.
    found = load(
        store,
        "d",
        [decision("a"), decision("a"), decision("a", confidence=0.6), decision("a", strong_model="t")],
        form="decisions",
    )
    assert (found.loaded, found.duplicates) == (2, 1)
    [problem] = found.conflicts
    assert (problem.line, problem.column) == (4, None)
    assert "other values; the first is kept" in problem.reason
    kept = rows(store, "SELECT strong_model, confidence FROM decisions ORDER BY 1")
    assert kept == [("s", 0.5), ("t", 0.5)]


JANUARY, FEBRUARY = datetime(2026, 1, 15), datetime(2026, 2, 15)  # noqa: DTZ001 - naive UTC, as stored


@pytest.mark.parametrize(
    ("known", "new", "loaded"),
    [
        ([JANUARY, FEBRUARY], JANUARY + timedelta(days=1), 0),  # within the period of the earlier file
        ([JANUARY, FEBRUARY], FEBRUARY, 0),
        ([JANUARY, JANUARY], FEBRUARY, 1),
        ([FEBRUARY, FEBRUARY], JANUARY, 1),
        ([JANUARY, None], FEBRUARY, 0),  # any row of the earlier file may be of any time
        ([None, None], FEBRUARY, 0),
        ([JANUARY, JANUARY], None, 0),
    ],
)
def test_requests_of_a_large_log_are_compared_with_files_about_their_period(
    store, monkeypatch, known, new, loaded
):
    monkeypatch.setattr(tables, "LARGE", 2)
    load(store, "d", [decision("a", ts=known[0]), decision("b", ts=known[1])], form="decisions")
    found = load(store, "d", [decision("a", ts=new)], form="decisions", file="later.csv")
    assert (found.loaded, len(found.conflicts)) == (loaded, 1 - loaded)


def test_requests_of_a_small_log_are_compared_with_all_files(store):
    load(store, "d", [decision("a", ts=JANUARY)], form="decisions")
    found = load(store, "d", [decision("a", ts=FEBRUARY)], form="decisions", file="later.csv")
    assert (found.loaded, len(found.conflicts)) == (0, 1)


def test_models_and_pairs_of_a_later_file_join_those_that_were_there(store):
    load(store, "d", [decision("a", task_category="x")], form="decisions")
    load(store, "d", [decision("b", task_category="x", strong_model="t")], form="decisions", file="2.csv")
    load(store, "d", [decision("c", fast_model="g")], form="decisions", file="3.csv")
    assert store.models("d")["model"].to_list() == ["f", "g", "s", "t"]
    pairs = [(p.task_category, p.fast_model, p.strong_model, p.position) for p in store.ladder("d").pairs]
    assert pairs == [("x", "f", "s", 0), ("x", "f", "t", 1), (None, "g", "s", 0)]


def test_calls_of_one_model_are_known_by_the_tools_own_ids(store):
    log = [call("a", "m", call_id="1"), call("a", "m", call_id="2"), call("a", "m", call_id="2")]
    found = load(store, "d", log, form="calls")
    assert (found.loaded, found.duplicates, found.conflicts) == (2, 1, [])


def test_rows_of_an_earlier_file_win(store):
    load(store, "d", [decision("a"), decision("b")], form="decisions")
    found = load(
        store,
        "d",
        [decision("b"), decision("a", task_category="x"), decision("c"), decision("c")],
        form="decisions",
        file="later.csv",
    )
    assert (found.loaded, found.duplicates, [p.line for p in found.conflicts]) == (1, 2, [3])
    assert rows(store, "SELECT DISTINCT task_category FROM decisions") == [(None,)]


def test_the_first_line_wins_in_whatever_order_rows_are_staged(store):
    found = load(
        store,
        "d",
        [decision("a", confidence=0.9, line=9), decision("a", confidence=0.1, line=3)],
        form="decisions",
    )
    assert [problem.line for problem in found.conflicts] == [9]
    assert rows(store, "SELECT confidence FROM decisions") == [(0.1,)]


def test_unknown_values_are_equal_to_each_other_and_to_nothing_else(store):
    found = load(
        store,
        "d",
        [decision("a", confidence=None), decision("a", confidence=None), decision("a", confidence=0.0)],
        form="decisions",
    )
    assert (found.loaded, found.duplicates, len(found.conflicts)) == (1, 1, 1)


def test_datasets_do_not_see_each_other(store):
    load(store, "d", [decision("a")], form="decisions")
    assert load(store, "e", [decision("a", confidence=0.9)], form="decisions").loaded == 1


def test_calls_of_one_request_differ_by_model_effort_or_index(store):
    call = {"request_id": "a", "model": "m", "cost_usd": 0.1}
    found = load(
        store,
        "d",
        [
            call,
            {**call, "effort": "high"},
            {**call, "call_index": 1},
            {**call, "model": "n"},
            {**call, "call_index": 1},
            {**call, "cost_usd": 0.2},
        ],
        form="calls",
    )
    assert (found.loaded, found.duplicates, [p.line for p in found.conflicts]) == (4, 1, [7])


def test_a_tools_own_id_of_a_call_tells_it_from_every_other(store):
    one = {"request_id": "r", "model": "m"}
    found = load(
        store,
        "d",
        [{**one, "call_id": "1"}, {**one, "call_id": "2"}, {**one, "call_id": "1"}, {**one, "call_id": None}],
        form="calls",
    )
    assert (found.loaded, found.duplicates, found.conflicts) == (3, 1, [])


def test_the_ledger_adds_up(store):
    problem = Problem(9, "confidence", "is no number")
    load(
        store,
        "d",
        [decision("a"), decision("a"), decision("a", confidence=0.6)],
        form="decisions",
        read=4,
        rejected=1,
        problems=[problem],
        notes=["The name says Parquet."],
    )
    found = store.files("d").row(0, named=True)
    assert found["read"] == found["loaded"] + found["rejected"] + found["duplicates"] == 4
    assert found["problems_total"] == 2
    assert '"line": 4' in found["problems"]
    assert found["notes"] == '["The name says Parquet."]'


def test_a_missing_policy_kind_is_a_cascade(store):
    load(store, "d", [decision("a"), decision("b", policy_kind="predictive")], form="decisions")
    found = rows(store, "SELECT request_id, policy_kind FROM decisions ORDER BY 1")
    assert found == [("a", "cascade"), ("b", "predictive")]
    again = load(store, "d", [decision("a")], form="decisions", file="again.csv")
    assert again.duplicates == 1


def test_fold_is_the_md5_that_python_has(store):
    texts = ["", "r1", "Ünïcödé ✓", "a\nb", *[f"user-{number}" for number in range(200)]]
    load(store, "d", [decision(text) for text in texts], form="decisions")
    load(
        store,
        "u",
        [decision(f"r{number}", unit_id=text) for number, text in enumerate(texts)],
        form="decisions",
    )
    oracle = {
        text: int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8], 16) % 20
        for text in texts
    }
    by_request = rows(store, "SELECT request_id, fold FROM decisions WHERE dataset = 'd'")
    by_unit = rows(store, "SELECT unit_id, fold FROM decisions WHERE dataset = 'u'")
    assert dict(by_request) == oracle
    assert dict(by_unit) == oracle


def graded(request, unit, **more):
    return decision(request, unit_id=unit, **{"fast_correct": 1.0, "strong_correct": 0.0, **more})


def first_rows(log):
    """Oracle: per pair and unit the graded row with the smallest MD5 of its request id."""
    best = {}
    for row in log:
        if row["fast_correct"] is None or row["strong_correct"] is None:
            continue
        key = (row["fast_model"], row["strong_model"], row["unit_id"] or row["request_id"])
        digest = hashlib.md5(row["request_id"].encode(), usedforsecurity=False).hexdigest()
        best[key] = min(best.get(key, (digest, row["request_id"])), (digest, row["request_id"]))
    return sorted((key[0], key[1], request) for key, (_, request) in best.items())


def marked(store):
    """Requests of the cells that are marked; each row has a confidence of its own, so cells are rows."""
    with store.cursor() as cursor:
        found = cells(
            cursor,
            tables.of(cursor, "d", "decisions"),
            keys=("fast_model", "strong_model", "confidence", UNIT_FIRST),
            sums=("n",),
        )
    requests = dict(rows(store, "SELECT confidence, request_id FROM decisions"))
    assert found["n"].to_list() == [1] * found.height
    return sorted(
        (row["fast_model"], row["strong_model"], requests[row["confidence"]])
        for row in found.filter("unit_first").iter_rows(named=True)
    )


def test_one_row_of_each_unit_is_marked_over_all_files(store):
    chance = random.Random(7)  # noqa: S311 - no secret
    log = [
        graded(
            f"r{number}",
            chance.choice([None, "u1", "u2", "u3", "u4"]),
            strong_model=chance.choice("st"),
            strong_correct=chance.choice([None, 0.0, 1.0]),
            confidence=number / 120,
        )
        for number in range(120)
    ]
    load(store, "d", log[:50], form="decisions", file="a.csv")
    assert marked(store) == first_rows(log[:50])
    load(store, "d", log[50:], form="decisions", file="b.csv")
    assert marked(store) == first_rows(log)


def test_without_units_every_row_with_both_grades_is_marked(store):
    log = [graded("a", None, confidence=0.1), graded("b", None, confidence=0.2)]
    load(store, "d", [*log, decision("c", fast_correct=1.0, confidence=0.3)], form="decisions")
    assert [row[2] for row in marked(store)] == ["a", "b"]


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from([None, 0.0, 0.5]), st.integers(0, 2)),
        min_size=1,
        max_size=12,
    )
)
def test_parts_of_a_log_are_the_whole_and_every_row_is_accounted_for(drawn):
    with Store.open(None) as store:
        parts = {}
        for request, confidence, part in drawn:
            parts.setdefault(part, []).append(decision(request, confidence=confidence))
        whole = [row for part in sorted(parts) for row in parts[part]]
        load(store, "whole", whole, form="decisions")
        for part in sorted(parts):
            found = load(store, "parts", parts[part], form="decisions", file=f"{part}.csv")
            assert found.loaded + found.duplicates + len(found.conflicts) == len(parts[part])
        query = "SELECT request_id, confidence, fold FROM decisions WHERE dataset = ? ORDER BY 1"
        assert rows(store, query, "whole") == rows(store, query, "parts")
