"""Records inside one another: calls told twice, what is said around a call. All expected by hand."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.logs.dialects.dialect import Nested, Passed
from analytics.logs.reading.nesting import TWICE, Nesting

NO_CALL = Passed("no call")


def call(key, around=None, tokens=None, **more):
    return Nested({"key": key}, key, around, answer_tokens=tokens, **more)


def other(key, around=None, **more):
    return Nested(NO_CALL, key, around, **more)


def amended(*records, **columns):
    """(rows left as dicts without nulls, what was dropped by reason) for the calls among some records."""
    nesting = Nesting()
    for record in records:
        nesting.add(record)
    dropped = nesting.settle()
    keys = [record.key for record in records if not isinstance(record.item, Passed)]
    texts = {"key": keys, **columns}
    table = pa.table({name: pa.array(held, pa.large_string()) for name, held in texts.items()})
    rows = nesting.amended(table, 0).to_pylist()
    return [{name: held for name, held in row.items() if held is not None} for row in rows], dict(dropped)


def keys(*records):
    rows, dropped = amended(*records)
    return [row["key"] for row in rows], dropped


@pytest.mark.parametrize(
    ("outer", "inner", "left"),
    [
        (100, [100], ["inner0"]),
        (None, [100], ["inner0"]),  # a wrapper that counts nothing
        (100, [None], ["outer"]),  # a client that counts nothing
        (None, [None], ["inner0"]),
        (100, [7, 100], ["inner0", "inner1"]),  # a router around the calls that it made
        (107, [7, 100], ["inner0", "inner1"]),
        (100, [None, 100], ["inner0", "inner1"]),  # a failed try, then the answer
        (100, [7], ["outer", "inner0"]),  # two calls
        (100, [7, None], ["outer", "inner0", "inner1"]),
    ],
)
def test_a_call_around_calls_is_dropped_unless_its_tokens_are_other_than_theirs(outer, inner, left):
    calls = [call(f"inner{at}", "outer", tokens) for at, tokens in enumerate(inner)]
    assert keys(call("outer", None, outer), *calls)[0] == left


def test_what_lies_between_two_layers_does_not_part_them_but_a_tool_or_an_agent_does():
    chain = other("chain", "outer")
    assert keys(call("outer", None, 9), chain, call("inner", "chain", 9)) == (["inner"], {TWICE: 1})
    tool = other("tool", "outer", separate=True)
    assert keys(call("outer", None, 9), tool, call("inner", "tool", 9)) == (["outer", "inner"], {})


def test_of_three_layers_the_innermost_is_kept():
    layers = call("a", None, 9), call("b", "a", 9), call("c", "b", 9)
    assert keys(*layers) == (["c"], {TWICE: 2})
    assert keys(*reversed(layers)) == (["c"], {TWICE: 2})  # children are exported first


def test_records_around_one_another_in_a_circle_stay():
    assert keys(call("a", "b", 9), call("b", "a", 9), call("c", "c", 9)) == (["a", "b", "c"], {})


def test_calls_inside_an_evaluator_are_passed_over_at_any_depth():
    judge = other("judge", None, passes_over="calls of an evaluator")
    left = keys(judge, other("step", "judge"), call("inner", "step", 1), call("beside", None, 1))
    assert left == (["beside"], {"calls of an evaluator": 1})


def test_a_call_takes_what_the_nearest_record_around_it_says_and_keeps_its_own():
    root = other("root", None, says={"category": "maths", "arm": "A", "flag": True})
    step = other("step", "root", says={"arm": "B"})
    rows, _ = amended(root, step, call("one", "step"), call("two", "root"), category=[None, "law"])
    assert rows == [
        {"key": "one", "category": "maths", "arm": "B", "flag": "true"},
        {"key": "two", "category": "law", "arm": "A", "flag": "true"},
    ]


def test_a_call_that_stays_says_nothing_of_the_calls_inside_it_but_one_that_is_the_same_does():
    inside = other("tool", "outer", separate=True), call("inner", "tool", 1)
    said = {"says": {"category": "maths"}, "same_call": {"correct": 1.0}}
    assert amended(call("outer", None, 9, **said), *inside)[0] == [{"key": "outer"}, {"key": "inner"}]
    rows, _ = amended(call("outer", None, 9, **said), call("inner", "outer", 9))
    assert rows == [{"key": "inner", "category": "maths", "correct": "1.0"}]


def test_a_grade_around_several_calls_is_given_to_none_and_counted():
    nesting = Nesting()
    graded = other("root", None, same_call={"correct": 1.0})
    for record in (graded, call("a", "root", 1), call("b", "root", 2)):
        nesting.add(record)
    nesting.settle()
    assert (nesting.ungiven, nesting.names) == (1, {})
    assert amended(graded, call("a", "root", 1))[0] == [{"key": "a", "correct": "1.0"}]
    # A call and its second telling are one.
    assert amended(graded, call("a", "root", 5), call("b", "a", 5))[0] == [{"key": "b", "correct": "1.0"}]


def test_a_name_asked_for_becomes_the_name_that_all_others_of_the_file_got_for_it():
    answered = call("a", alias=("model", "prod", "gpt-5-2025-08-07"))
    failed = call("b", alias=("model", "prod", None))
    rows, _ = amended(answered, failed, model=["gpt-5-2025-08-07", None])
    assert [row["model"] for row in rows] == ["gpt-5-2025-08-07", "gpt-5-2025-08-07"]
    other_name = call("c", alias=("model", "prod", "gpt-5-mini"))
    rows, _ = amended(answered, failed, other_name, model=["gpt-5-2025-08-07", None, "gpt-5-mini"])
    assert [row["model"] for row in rows] == ["gpt-5-2025-08-07", "prod", "gpt-5-mini"]


def test_a_record_that_stands_twice_gives_two_rows_and_counts_once():
    outer, inner = call("outer", None, 9), call("inner", "outer", 9)
    assert keys(inner, inner, outer, outer) == (["inner", "inner"], {TWICE: 2})


def test_rows_that_lie_in_nothing_stay_as_they_are():
    nesting = Nesting()
    nesting.add_row()
    assert nesting.settle() == {}
    table = pa.table({"key": pa.array(["a"], pa.large_string())})
    assert nesting.amended(table, 0) is table


def around_by_times(*times, trace="t"):
    """Which record each lies in by its times, all of one trace: its place among them, null at the outside."""
    nesting = Nesting()
    for at, (start, end) in enumerate(times):
        nesting.add(other(f"{at}", within=(trace, start, end)))
    nesting.settle()
    found = [place.around for place in nesting._places.values()]
    return [None if key is None else int(key) for key in found], nesting.timed


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(0, 10), (1, 4), (2, 3), (5, 9)], [None, 0, 1, 0]),
        ([(5, 9), (2, 3), (1, 4), (0, 10)], [3, 2, 3, None]),  # whatever their order
        ([(0, 4), (5, 9)], [None, None]),
        (
            [(0, 5), (3, 9), (4, 4.5)],
            [None, None, 1],
        ),  # two that overlap, and one in both: the later began it
        ([(0, 10), (0, 10)], [None, 0]),
        ([(0, 10)], [None]),
    ],
)
def test_records_that_do_not_say_where_they_lie_do_so_by_their_times(times, expected):
    timed = sum(one is not None for one in expected)
    assert around_by_times(*times) == (expected, timed)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=7, unique_by=lambda one: one[0]))
def test_the_record_around_contains_and_none_without_one_is_contained_by_an_earlier_one_still_open(lasting):
    times = [(start, start + length) for start, length in lasting]
    found, _ = around_by_times(*times)
    for (start, end), around in zip(times, found, strict=True):
        # by brute force: of those that contain it, the one that began last
        holding = [at for at, (first, last) in enumerate(times) if first < start and last >= end]
        assert around == max(holding, key=lambda at: times[at][0], default=None)


def test_records_that_say_where_they_lie_or_are_of_another_trace_stay_where_they_are():
    nesting = Nesting()
    nesting.add(other("root", within=("a", 0, 10)))
    nesting.add(other("said", "elsewhere"))
    nesting.add(other("far", within=("b", 1, 2)))
    nesting.settle()
    assert [place.around for place in nesting._places.values()] == [None, "elsewhere", None]
