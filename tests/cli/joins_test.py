"""tiertune join and tiertune graders, worked by hand."""

import json
import shlex

import pytest
from shell import Shell

LOG = (
    "request_id,call_id,task_category,model,confidence,correct,cost_usd,user_id\n"
    "r1,c1,law,small,0.5,1,0.001,ann\n"
    "r2,c2,law,small,0.6,,0.001,ann\n"
    "r3,c3,law,small,0.7,,0.001,bob\n"
)
# Of four different ids r1 and r2 are in the log; r8 and r9 are not. The log and "judge" agree on r1.
GRADES = "request_id,correct,grader\nr1,1,judge\nr2,0,judge\nr9,1,judge\nr8,1,people\n"


@pytest.fixture
def log(shell: Shell) -> Shell:
    shell.write("log.csv", LOG)
    shell.text("load", "log.csv")
    return shell


def test_joining_says_by_what_how_much_matches_and_what_does_not(log: Shell) -> None:
    log.write("grades.csv", GRADES)
    found = log.json("join", "log", "grades.csv")
    (file,) = found["files"]
    assert [file[name] for name in ("read", "loaded", "rejected", "duplicates")] == [4, 4, 0, 0]
    assert file["candidates"] == [
        {"column": "request_id", "key": "request_id", "values": 4, "matched": 2, "share": 0.5, "used": True}
    ]
    assert (file["unmatched"], file["examples"]) == (2, ["r9", "r8"])
    judge, people = sorted(found["graders"], key=lambda row: row["grader"])
    assert [judge[key] for key in ("grades", "matched", "answers", "with_log", "equal_to_log")] == [
        3, 2, 2, 1, 1.0,
    ]  # fmt: skip
    assert [people[key] for key in ("grades", "matched", "answers", "equal_to_log")] == [1, 0, 0, None]


def test_what_is_printed_for_people(log: Shell) -> None:
    log.write("grades.csv", GRADES)
    printed = log.text("join", "log", "grades.csv")
    assert "grades.csv (csv): 4 read = 4 loaded + 0 rejected + 0 duplicates" in printed
    assert "2 of 4 grades are about no answer of the log: r9, r8" in printed
    assert "Of several grades by one grader for one answer the latest counts" in printed
    assert "judge, people do not count. Say who does: tiertune graders log --order log,GRADER\n" in log.err


def test_grades_reach_the_figures_once_their_grader_counts(log: Shell) -> None:
    log.write("grades.csv", GRADES)
    log.text("join", "log", "grades.csv")

    def graded() -> tuple[float, int]:
        (row,) = log.json("tiers", "log", "--by", "model")["rows"]
        return row["accuracy"]["value"], row["accuracy"]["n"]

    assert graded() == (1, 1)
    assert log.json("graders", "log", "--order", "log,judge")["order"] == ["log", "judge"]
    assert graded() == (0.5, 2)  # r1 by the log, r2 by the judge
    assert log.json("graders", "log", "--reset")["order"] == ["log"]
    assert graded() == (1, 1)


def test_a_file_is_joined_by_whatever_column_matches(log: Shell) -> None:
    log.write("notes.csv", "ticket,verdict\nr2,0\nr3,1\n")
    (file,) = log.json("join", "log", "notes.csv", "--grader", "desk")["files"]
    assert [(row["column"], row["key"], row["used"]) for row in file["candidates"]] == [
        ("ticket", "request_id", True)
    ]
    assert log.json("graders", "log")["graders"][0]["grader"] == "desk"


def test_the_key_can_be_chosen(log: Shell) -> None:
    # Both columns hold ids of the log: the calls' and the users'.
    log.write("both.csv", "call_id,user_id,score\nc2,ann,0\nc3,bob,1\n")
    (file,) = log.json("join", "log", "both.csv", "--key", "unit_id")["files"]
    used = [(row["column"], row["key"]) for row in file["candidates"] if row["used"]]
    assert used == [("user_id", "unit_id")]
    refused = log.refused("join", "log", "both.csv", "--key", "request_id")
    assert "call_id as call_id" in refused


def test_a_grader_named_for_the_whole_file(log: Shell) -> None:
    log.write("plain.csv", "request_id,correct\nr2,1\n")
    log.text("join", "log", "plain.csv", "--grader", "ann, of law")
    (found,) = log.json("graders", "log")["graders"]
    assert (found["grader"], found["rank"]) == ("ann, of law", 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("join", "absent", "grades.csv"), "Datasets: log"),
        (("join", "log", "absent.csv"), "absent.csv"),
        (("join", "log", "strange.csv"), "--map request_id=COLUMN"),
        (("join", "log", "ungraded.csv"), "--map correct=COLUMN"),
        (("graders", "log", "--order", "nobody"), "No grader is named nobody"),
        (("graders", "log", "--order", "log,log"), "once"),
        (("graders", "log", "--order", ","), "once"),
    ],
)
def test_what_cannot_be_joined_is_said(log: Shell, words: tuple[str, ...], said: str) -> None:
    log.write("grades.csv", GRADES)
    log.write("strange.csv", "request_id,correct\nq1,1\nq2,0\n")
    log.write("ungraded.csv", "request_id,remark\nr1,nice\nr2,long\n")
    before = log.json("datasets")
    assert said in log.refused(*words)
    assert log.json("datasets") == before


def test_of_several_files_none_is_joined_if_one_cannot_be(log: Shell) -> None:
    log.write("first.csv", "request_id,correct\nr2,1\n")
    log.write("second.csv", "request_id,correct\nq1,1\n")
    message = log.refused("join", "log", "first.csv", "second.csv")
    assert message.startswith("second.csv: No id of this file is in that log, so nothing was changed.")
    assert [file["file"] for file in log.json("files", "log")["files"]] == ["log.csv"]
    # The same with a file of which a quarter is rejected: a line has a field too many.
    log.write("second.csv", "request_id,correct\nr1,1\nr2,1\nr3,0\nr3,1,0\n")
    assert "--accept-rejects" in log.refused("join", "log", "first.csv", "second.csv")
    assert [file["file"] for file in log.json("files", "log")["files"]] == ["log.csv"]
    log.write("second.csv", "request_id,correct\nr3,1\n")
    files = log.json("join", "log", "first.csv", "second.csv")["files"]
    assert [(file["file"], file["loaded"], file["unmatched"]) for file in files] == [
        ("first.csv", 1, 0), ("second.csv", 1, 0),
    ]  # fmt: skip


def test_joining_a_file_twice_says_the_same_of_its_grades(log: Shell) -> None:
    log.write("grades.csv", GRADES)
    for _ in range(2):
        assert "2 of 4 grades are about no answer of the log: r9, r8\n" in log.text(
            "join", "log", "grades.csv"
        )


def test_grades_are_not_read_again_by_ids_that_the_log_does_not_have(log: Shell) -> None:
    log.write("grades.csv", "request_id,ticket,correct\nr2,t1,0\nr3,t2,1\n")
    log.text("join", "log", "grades.csv")
    before = log.json("graders", "log")
    refused = log.refused("read-again", "log", "grades.csv", "--map", "request_id=ticket")
    assert refused.startswith("grades.csv: No id of this file is in that log, so nothing was changed.")
    assert log.json("graders", "log") == before


def test_graders_with_any_name_can_be_put_in_order_as_the_advice_has_it(log: Shell) -> None:
    # Names come from files: the advice is a command that people paste into a shell.
    names = ["ann, of law", "$(touch pwned)", 'the "desk"']
    rows = [{"request_id": f"r{n}", "correct": 1, "grader": name} for n, name in enumerate(names, 1)]
    log.write("grades.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    log.text("join", "log", "grades.jsonl")
    order = 'log,"ann, of law",$(touch pwned),"the ""desk"""'
    assert log.json("graders", "log", "--order", order)["order"] == ["log", *names]
    log.text("graders", "log", "--order", order.removesuffix(',"the ""desk"""'))
    command = log.err.partition("Say who does: ")[2].strip()
    assert shlex.split(command) == [
        "tiertune", "graders", "log", "--order", 'log,"ann, of law",$(touch pwned),GRADER',
    ]  # fmt: skip


def test_without_joined_grades_the_command_is_named(log: Shell) -> None:
    assert "tiertune join log FILE" in log.text("graders", "log")
