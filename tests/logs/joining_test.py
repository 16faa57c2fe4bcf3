"""Which columns of a file of grades hold ids of a log; all expected values are counted by hand."""

import pytest

from analytics.errors import SchemaError
from analytics.logs import intake, joining
from analytics.logs.meaning.mapping import Answers

LOG = """request_id,user_id,category,model,confidence,cost_usd
r1,u1,law,m-small,0.9,0.001
r2,u1,law,m-small,0.4,0.001
r3,u2,math,m-large,0.8,0.002
"""
GRADES = """Ticket,customer,verdict,note
r1,u1,pass,fine
r2,u9,fail,r3
r7,u2,pass,
"""


@pytest.fixture
def log(store, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    intake.load(store, "log", [path], Answers())
    return store


def inspected(store, folder, text=GRADES, **answers):
    path = folder / "grades.csv"
    path.write_text(text)
    return intake.inspect(
        path, name="grades.csv", answers=Answers(dialect="grades", **answers), workdir=store.staging
    )


def found(frame):
    return {
        (row["column"], row["key"]): (row["values"], row["matched"], row["used"]) for row in frame.to_dicts()
    }


def test_columns_are_matched_by_their_different_values(log, tmp_path):
    frame = joining.candidates(log, "log", inspected(log, tmp_path))
    # Of r1, r2, r7 two are requests; of u1, u9, u2 two are users; of "fine" and "r3" one is a request.
    assert found(frame) == {
        ("Ticket", "request_id"): (3, 2, False),
        ("customer", "unit_id"): (3, 2, False),
        ("note", "request_id"): (2, 1, False),
    }
    assert frame["share"].to_list() == [2 / 3, 2 / 3, 1 / 2]
    assert frame["samples"][0] == "r1 · r2 · r7"


def test_the_likeliest_is_proposed_only_where_nothing_in_use_matches(log, tmp_path):
    frame = joining.candidates(log, "log", inspected(log, tmp_path))
    assert joining.likeliest(frame) == ("Ticket", "request_id")
    answers = joining.joined_by(Answers(dialect="grades"), "Ticket", "request_id")
    assert answers.map == {"call_id": (), "unit_id": (), "request_id": ("Ticket",)}
    again = joining.candidates(log, "log", inspected(log, tmp_path, map=answers.map))
    assert found(again)["Ticket", "request_id"] == (3, 2, True)
    assert joining.likeliest(again) is None


def test_a_used_column_without_any_match_is_shown_and_another_proposed(log, tmp_path):
    frame = joining.candidates(log, "log", inspected(log, tmp_path, map={"request_id": ("verdict",)}))
    assert found(frame)["verdict", "request_id"] == (2, 0, True)
    assert joining.likeliest(frame) == ("Ticket", "request_id")


def test_files_about_something_else_match_nothing(log, tmp_path):
    other = "id,grade\nz1,1\nz2,0\n"
    frame = joining.candidates(log, "log", inspected(log, tmp_path, other))
    assert frame["matched"].to_list() == [0]
    assert joining.likeliest(frame) is None


def test_grades_need_a_log(store, tmp_path):
    with pytest.raises(SchemaError, match="nowhere"):
        joining.candidates(store, "nowhere", inspected(store, tmp_path))


def test_a_joined_file_grades_what_matched(log, tmp_path):
    path = tmp_path / "grades.csv"
    path.write_text(GRADES)
    answers = joining.joined_by(Answers(dialect="grades"), "Ticket", "request_id")
    (report,) = intake.load(log, "log", [path], answers)
    assert (report.read, report.loaded, report.rejected) == (3, 3, 0)
    graders = log.graders("log").to_dicts()
    assert [(one["grades"], one["matched"], one["answers"]) for one in graders] == [(3, 2, 2)]
