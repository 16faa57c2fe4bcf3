"""tiertune load: folders, rejects, kept files, what is recognised and what is refused."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from shell import Shell

from analytics.logs.store import Store

FIXTURES = Path(__file__).parents[1] / "fixtures"
HEADER = "request_id,task_category,model,confidence,correct,cost_usd\n"


def log(*ids: str, cost: str = "0.001") -> str:
    return HEADER + "".join(f"{name},law,small,0.5,1,{cost}\n" for name in ids)


def rejects(shell: Shell, name: str = "out.csv") -> list[dict[str, str]]:
    with (shell.folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_stands_for_its_logs_in_order_and_the_rest_is_named(shell: Shell) -> None:
    shell.write("day/b.csv", log("b1", "b2"))
    shell.write("day/a.jsonl", '{"request_id": "a1", "model": "small", "confidence": 0.5, "correct": 1}\n')
    shell.write("day/deeper/c.csv", log("c1"))
    for name in ("day/.hidden.csv", "day/.cache/x.csv", "day/notes.md"):
        shell.write(name, "nothing")
    found = shell.json("load", "day")
    assert found["dataset"] == "day"
    assert [(file["file"], file["loaded"]) for file in found["files"]] == [
        ("day/a.jsonl", 1), ("day/b.csv", 2), ("day/deeper/c.csv", 1),
    ]  # fmt: skip
    assert "Skipped in day: .cache/x.csv, .hidden.csv (hidden); notes.md (no ending of a log)." in shell.err


def test_a_folder_without_logs_is_refused(shell: Shell) -> None:
    shell.write("day/notes.md", "nothing")
    assert "no log file in the folder day" in shell.refused("load", "day")
    assert "absent.csv" in shell.refused("load", "absent.csv")


def test_rejects_are_written_with_their_lines_and_no_formulas(shell: Shell) -> None:
    good = [f"g{n},law,small,0.5,1,0.001\n" for n in range(30)]
    # Line 2 is rejected for its cost, line 33 for its grade; line 34 has no confidence, and stays.
    bad = ("=1+1,law,small,0.5,1,-3\n", "x,law,small,0.5,perhaps,0.001\n", "y,law,small,high,1,0.001\n")
    shell.write("log.csv", HEADER + bad[0] + "".join(good) + bad[1] + bad[2])
    shell.text("load", "log.csv", "--rejects", "out.csv")
    found = rejects(shell)
    assert [(row["file"], row["line"], row["column"], row["outcome"]) for row in found] == [
        ("log.csv", "2", "cost_usd", "rejected"),
        ("log.csv", "33", "correct", "rejected"),
        ("log.csv", "34", "confidence", "changed"),
    ]
    # A spreadsheet would run a cell that begins with "=".
    assert [row["original"] for row in found] == [f"'{bad[0].strip()}", bad[1].strip(), bad[2].strip()]
    assert all(row["reason"] for row in found)


def test_rejects_of_a_file_that_is_refused_are_written_all_the_same(shell: Shell) -> None:
    shell.write("log.csv", log("a", "b") + "c,law,small,0.5,1,-1\n")
    message = shell.refused("load", "log.csv", "--rejects", "out.csv")
    assert "1 of 3 records were rejected" in message
    assert "out.csv" in message
    assert [(row["line"], row["original"]) for row in rejects(shell)] == [("4", "c,law,small,0.5,1,-1")]
    assert shell.json("datasets")["datasets"] == []


def test_records_without_lines_are_known_by_their_number(shell: Shell) -> None:
    record = {"request_id": "a", "model": "small", "confidence": 0.5, "correct": 1, "cost_usd": 0.1}
    shell.write("log.json", json.dumps([record, record | {"request_id": "b", "cost_usd": -1}]))
    shell.text("load", "log.json", "--accept-rejects", "--rejects", "out.csv")
    assert [(row["line"], row["original"]) for row in rejects(shell)] == [("2", "")]


def test_lines_in_another_encoding_are_read_in_it(shell: Shell) -> None:
    text = log("a") + "zoë,law,small,0.5,1,-1\n"
    (shell.folder / "log.csv").write_bytes(text.encode("cp1252"))
    shell.text(*("load", "log.csv", "--accept-rejects", "--encoding", "windows-1252", "--rejects", "out.csv"))
    assert [row["original"] for row in rejects(shell)] == ["zoë,law,small,0.5,1,-1"]


def test_many_rejects_are_cut_and_the_flags_that_show_all_are_named(shell: Shell) -> None:
    bad = "".join(f"b{n},law,small,0.5,1,-1\n" for n in range(25))
    shell.write("log.csv", log("a") + bad)
    printed = shell.text("load", "log.csv", "--accept-rejects")
    assert printed.count("cost is negative") == 20
    assert "  and 5 more; --json lists them, --rejects FILE writes them\n" in printed
    shell.text("load", "log.csv", "--accept-rejects", "--dataset", "again", "--rejects", "out.csv")
    assert len(rejects(shell)) == 25


def test_the_folder_that_one_is_in_gives_its_own_name(shell: Shell) -> None:
    shell.write("log.csv", log("a"))
    assert shell.json("load", ".")["dataset"] == shell.folder.name
    # The database lies in the same folder by now; nothing of it is taken for a log.
    assert [file["duplicates"] for file in shell.json("load", ".")["files"]] == [1]


def test_rejects_that_cannot_be_written_say_so(shell: Shell) -> None:
    shell.write("log.csv", log("a"))
    assert "absent/out.csv cannot be written" in shell.refused(
        "load", "log.csv", "--rejects", "absent/out.csv"
    )
    assert shell.json("datasets")["datasets"] == []


def test_rejects_replace_nothing_but_earlier_rejects(shell: Shell) -> None:
    text = log("a", "b")
    shell.write("day/log.csv", text)
    for name in ("day/log.csv", "day"):
        assert "no table of rejected records" in shell.refused("load", "day", "--rejects", name)
    assert (shell.folder / "day/log.csv").read_text(encoding="utf-8") == text
    assert shell.json("datasets")["datasets"] == []
    # What a load writes into the folder that it loads is no log of the next load.
    for _ in range(2):
        (file,) = shell.json("load", "day", "--rejects", "day/out.csv")["files"]
        assert file["file"] == "day/log.csv"
    assert "nothing to load" in shell.refused("load", "day/out.csv", "--rejects", "day/out.csv")


def test_models_in_no_tier_are_named_with_the_command_that_sets_one(shell: Shell) -> None:
    shell.write("one.csv", log("a").replace("small", "in house"))
    shell.text("load", "one.csv")
    assert (
        "No tier is known for in house. Set it: tiertune tier one 'in house' TIER, with one of small, "
        "standard, frontier, reasoning.\n"
    ) in shell.err
    shell.text("tier", "one", "in house", "frontier")
    shell.write("more.csv", log("b").replace("small", "in house"))
    shell.text("load", "more.csv", "--dataset", "one")
    assert "No tier is known" not in shell.err
    shell.write("two.csv", log("a").replace("small", "x") + "b,law,y,0.5,1,0.001\n")
    shell.text("load", "two.csv")
    assert "No tier is known for x, y. Set it: tiertune tier two MODEL TIER" in shell.err


def test_a_file_of_grades_is_refused_with_the_command_that_joins_it(shell: Shell) -> None:
    shutil.copy(FIXTURES / "langfuse" / "scores.jsonl", shell.folder)
    assert "tiertune join NAME FILE" in shell.refused("load", "scores.jsonl")
    shell.write("grades.csv", "request_id,correct\na,1\n")
    assert "tiertune join NAME FILE" in shell.refused("load", "grades.csv", "--dialect", "grades")
    shell.text("load", "grades.csv")  # ids and grades alone may be a log, and are told apart by nobody
    assert "tiertune join NAME grades.csv" in shell.err
    assert shell.json("datasets")["datasets"][0]["name"] == "grades"


def test_a_dialect_says_how_a_file_is_read(shell: Shell) -> None:
    shell.write("log.csv", log("a"))
    message = shell.refused("load", "log.csv", "--dialect", "klingon")
    assert "litellm_spend_logs" in message
    assert shell.json("load", "log.csv", "--dialect", "call_level")["files"][0]["loaded"] == 1


def test_records_that_are_passed_over_are_counted_with_their_reason(shell: Shell) -> None:
    # A Langfuse export of observations: one generation, and one span, which is no model call.
    common = {"traceId": "t1", "startTime": "2026-11-01T10:00:00Z", "endTime": "2026-11-01T10:00:02Z"}
    call = common | {
        "id": "o1", "type": "GENERATION", "model": "gpt-4o", "usageDetails": {"input": 10, "output": 5},
        "costDetails": {"total": 0.01}, "level": "DEFAULT", "parentObservationId": None,
    }  # fmt: skip
    span = common | {"id": "o2", "type": "SPAN", "level": "DEFAULT", "parentObservationId": None}
    shell.write("observations.jsonl", "".join(json.dumps(item) + "\n" for item in (call, span)))
    printed = shell.text("load", "observations.jsonl")
    (file,) = shell.json("load", "observations.jsonl", "--dataset", "again")["files"]
    assert sum(file["passed"].values()) == 1
    assert f"beside these, 1 passed over: 1 {next(iter(file['passed']))}" in printed


@pytest.mark.parametrize("by", ["flag", "environment"])
def test_files_are_kept_unless_somebody_says_no(
    shell: Shell, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("kept.csv", log("a"))
    shell.write("not.csv", log("b"))
    shell.text("load", "kept.csv", "--dataset", "d")
    if by == "environment":
        monkeypatch.setenv("TIERTUNE_KEEP_FILES", "0")
    shell.text("load", "not.csv", "--dataset", "d", *(["--no-keep"] if by == "flag" else []))
    found = {file["file"]: file["kept"] for file in shell.json("files", "d")["files"]}
    assert found == {"kept.csv": True, "not.csv": False}


def test_every_command_builds_a_lost_database_again_and_says_so(shell: Shell) -> None:
    shell.write("log.csv", log("a", "b", "c"))
    shell.text("load", "log.csv")
    shell.db.unlink()
    assert shell.json("datasets")["datasets"][0]["requests"] == 3
    assert shell.err == (
        "The database lacked files that had been loaded. 1 kept file with 3 rows was loaded again. "
        "Nothing is missing.\n"
    )
    shell.text("datasets")
    assert shell.err == ""


def test_a_file_lost_while_nothing_is_kept_any_more_stays_kept(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("log.csv", log("a", "b", "c"))
    shell.text("load", "log.csv")
    monkeypatch.setenv("TIERTUNE_KEEP_FILES", "0")
    shell.db.unlink()
    assert shell.json("datasets")["datasets"][0]["requests"] == 3
    with Store.open(shell.db) as store:
        assert store.kept(store.files("log")["file_id"][0]) is not None
