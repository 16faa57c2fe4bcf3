"""Joined grades: which answer each is about, which counts, and that all of it can be taken back. By hand."""

import datetime as dt

import pytest
from stores import call, decisions, load, rows, wide

from analytics.errors import SchemaError


def grade(correct, **more):
    return {"correct": correct, **more}


def at(hour):
    return dt.datetime(2026, 11, 1, hour)  # noqa: DTZ001 - naive UTC, as stored


def join(store, *grades, dataset="d", file="grades.csv"):
    return load(store, dataset, list(grades), form="grades", file=file)


def calls(store, columns="request_id || ' ' || model, correct"):
    return rows(store, f"SELECT {columns} FROM calls ORDER BY request_id, model, call_index")


def grades(store):
    """Grade of each call, by request and model; those without one are left out."""
    return {name: correct for name, correct in calls(store) if correct is not None}


LOG = [
    call("r1", "small", call_id="c1", call_index=0, unit_id="u1", confidence=0.4),
    call("r1", "large", call_id="c2", call_index=1, unit_id="u1"),
    call("r2", "small", call_id="c3", call_index=0, unit_id="u1", correct=0.0),
    call("r3", "small", call_id="c4", call_index=0, unit_id="u2"),
]


@pytest.fixture
def log(store):
    load(store, "d", LOG, form="calls")
    return store


def test_a_grade_of_a_call_is_that_call_s(log):
    join(log, grade(1.0, call_id="c1"), grade(0.0, call_id="c9"))
    assert grades(log) == {"r1 small": 1.0, "r2 small": 0.0}
    found = log.graders("d").row(0, named=True)
    assert (found["grades"], found["matched"], found["answers"], found["mean"]) == (2, 1, 1, 0.5)


def test_a_grade_of_a_request_is_about_the_answer_that_was_served(log):
    # r1 was escalated: its last call was served.
    join(log, grade(1.0, request_id="r1"), grade(1.0, request_id="r3"))
    assert grades(log) == {"r1 large": 1.0, "r2 small": 0.0, "r3 small": 1.0}


def test_what_is_known_to_be_served_goes_before_the_last_call(store):
    log = [
        call("r", "small", call_index=0, served=True),
        call("r", "large", call_index=1, shadow=True),
        call("s", "small", call_index=0),
        call("s", "large", call_index=1, shadow=True),
    ]
    load(store, "d", log, form="calls")
    join(store, grade(1.0, request_id="r"), grade(0.5, request_id="s"))
    assert grades(store) == {"r small": 1.0, "s small": 0.5}


def test_a_model_says_which_answer_of_the_request(log):
    join(log, grade(0.25, request_id="r1", model="small"))
    assert grades(log) == {"r2 small": 0.0, "r1 small": 0.25}


def test_a_grade_of_a_user_is_about_all_that_was_served_to_them(log):
    join(log, grade(0.75, unit_id="u1"))
    # The log itself graded r2; its own grade comes first.
    assert grades(log) == {"r1 large": 0.75, "r2 small": 0.0}


def test_an_id_of_unknown_kind_is_tried_as_call_then_request_then_user(log):
    def target(name, value):
        return grade(value, call_id=name, request_id=name, unit_id=name)

    join(log, target("c1", 0.1), target("r3", 0.3), target("u1", 0.7))
    # c1 is a call, r3 a request; to user u1 were served r1's large and r2's answer, which the log graded.
    assert grades(log) == {"r1 large": 0.7, "r1 small": 0.1, "r2 small": 0.0, "r3 small": 0.3}


def test_a_grade_of_a_call_that_is_not_there_is_not_the_request_s(log):
    join(log, grade(1.0, call_id="span-of-something-else", request_id="r3"))
    assert grades(log) == {"r2 small": 0.0}


def test_of_several_by_one_grader_the_latest_counts_and_at_equal_times_the_first(log):
    join(
        log,
        grade(0.0, request_id="r3", grader="ann", ts=at(9)),
        grade(1.0, request_id="r3", grader="ann", ts=at(11)),
        grade(0.5, request_id="r3", grader="ann", ts=at(10)),
    )
    assert grades(log) == {"r2 small": 0.0, "r3 small": 1.0}
    found = join(log, grade(0.25, request_id="r3", grader="ann", ts=at(11)), file="again.csv")
    assert len(found.conflicts) == 1
    assert grades(log) == {"r2 small": 0.0, "r3 small": 1.0}


def test_the_order_of_graders_decides_and_the_log_has_a_place_in_it(log):
    join(
        log,
        grade(1.0, request_id="r2", grader="correct", correct_source="judge"),
        grade(0.5, request_id="r2", grader="accuracy", correct_source="human"),
        grade(0.9, request_id="r3", grader="helpfulness", correct_source="judge"),
    )
    # Only graders whose name speaks of correctness count, people first, and the log's own before all.
    assert log.grader_order("d") == [None, "accuracy", "correct"]
    assert grades(log) == {"r2 small": 0.0}
    log.set_grader_order("d", ["correct", None])
    assert grades(log) == {"r2 small": 1.0}
    log.set_grader_order("d", ["helpfulness", "accuracy"])
    assert grades(log) == {"r2 small": 0.5, "r3 small": 0.9}
    ranks = dict(log.graders("d").select("grader", "rank").iter_rows())
    assert ranks == {"helpfulness": 1, "accuracy": 2, "correct": None}
    log.set_grader_order("d", None)
    assert grades(log) == {"r2 small": 0.0}
    with pytest.raises(SchemaError, match="No grader is named nobody"):
        log.set_grader_order("d", ["nobody"])


def test_the_only_grader_counts_whatever_it_is_called(log):
    join(log, grade(0.3, request_id="r3", grader="vibes"))
    assert grades(log) == {"r2 small": 0.0, "r3 small": 0.3}


def test_agreement_with_the_log_is_told(log):
    join(log, grade(0.0, request_id="r2"), grade(1.0, request_id="r3"))
    found = log.graders("d").row(0, named=True)
    assert (found["with_log"], found["equal_to_log"]) == (1, 1.0)
    log.set_grader_order("d", ["", None])
    assert log.graders("d")["equal_to_log"].to_list() == [1.0]


def test_decisions_follow_from_the_grades_that_count(log):
    join(log, grade(1.0, call_id="c1"), grade(0.0, call_id="c2"))
    columns = "request_id, fast_correct, strong_correct, escalated"
    assert decisions(log, columns) == [
        ("r1", 1.0, 0.0, True),
        ("r2", 0.0, None, False),
        ("r3", None, None, False),
    ]


def test_what_is_taken_back_leaves_the_log_s_own_grades(log):
    before = calls(log, "*"), decisions(log, "*")
    join(log, grade(1.0, request_id="r2", sampling_probability=0.5, correct_source="human"))
    log.set_grader_order("d", ["", None])
    assert calls(log, "correct, correct_source, sampling_probability")[2] == (1.0, "human", 0.5)
    (file_id,) = log.files("d").filter(log.files("d")["form"] == "grades")["file_id"]
    log.take_back("d", file_id)
    assert (calls(log, "*"), decisions(log, "*")) == before
    assert log.graders("d").is_empty()


def test_the_log_again_is_a_duplicate_and_more_of_it_is_graded_too(log):
    join(log, grade(1.0, request_id="r3"), grade(1.0, request_id="r4"))
    again = load(log, "d", LOG, form="calls", file="again.csv")
    assert (again.loaded, again.duplicates, again.conflicts) == (0, 4, [])
    load(log, "d", [call("r4", "small", call_id="c5")], form="calls", file="more.csv")
    assert grades(log) == {"r2 small": 0.0, "r3 small": 1.0, "r4 small": 1.0}


def test_in_a_wide_log_the_served_side_a_side_or_a_model_is_graded(store):
    log = wide(3, strong_cost_usd=0.01)
    for row, escalated in zip(log, (True, False, None), strict=True):
        row |= {"escalated": escalated, "fast_correct": None}
    load(store, "d", log, form="decisions")
    join(
        store,
        grade(1.0, request_id="r0"),  # served: strong
        grade(0.0, request_id="r0", side="fast"),
        grade(0.5, request_id="r1"),  # served: fast
        grade(0.25, request_id="r1", model="gpt-6-sol"),
        grade(1.0, request_id="r2"),  # nobody knows what was served
    )
    found = decisions(store, "request_id, fast_correct, strong_correct, sampling_probability")
    assert found == [("r0", 0.0, 1.0, None), ("r1", 0.5, 0.25, None), ("r2", None, None, None)]
    assert store.graders("d")["matched"].to_list() == [4]


def test_a_sampled_grade_multiplies_the_sampling_of_its_answer(store):
    load(store, "d", wide(1, escalated=False, sampling_probability=0.5, fast_correct=None), form="decisions")
    join(store, grade(1.0, request_id="r0", sampling_probability=0.2))
    assert decisions(store, "fast_correct, sampling_probability") == [(1.0, 0.1)]


def test_grades_need_a_log(store):
    with pytest.raises(SchemaError, match="There is no dataset named d"):
        join(store, grade(1.0, request_id="r1"))


def test_a_deleted_dataset_takes_its_grades_with_it(log):
    join(log, grade(1.0, request_id="r3"))
    log.delete("d")
    load(log, "d", LOG, form="calls")
    assert grades(log) == {"r2 small": 0.0}
