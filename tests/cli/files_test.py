"""tiertune files, take-back, read-again and tier."""

import pytest
from shell import Shell

HEADER = "request_id,task_category,model,confidence,correct,cost_usd,other_cost\n"
ONE = HEADER + "a,law,small,0.5,1,0.001,0.1\nb,law,small,0.5,1,0.001,0.1\n"
# b stands in both files with the same values: two is one row short of it while one is loaded.
TWO = HEADER + "b,law,small,0.5,1,0.001,0.1\nc,law,small,0.5,1,0.001,0.1\n"


@pytest.fixture
def loaded(shell: Shell) -> Shell:
    shell.write("logs/one.csv", ONE)
    shell.write("logs/two.csv", TWO)
    shell.text("load", "logs", "--dataset", "d")
    return shell


def counts(shell: Shell) -> list[tuple[str, int, int]]:
    return [(row["file"], row["loaded"], row["duplicates"]) for row in shell.json("files", "d")["files"]]


def test_files_are_listed_with_what_became_of_them(loaded: Shell) -> None:
    assert counts(loaded) == [("logs/one.csv", 2, 0), ("logs/two.csv", 1, 1)]
    first = loaded.json("files", "d")["files"][0]
    assert (first["holds"], first["format"], first["kept"], first["passed"]) == ("log", "csv", True, {})
    printed = loaded.text("files", "d")
    assert first["file_id"][:8] in printed


@pytest.mark.parametrize("by", ["name", "last part", "id"])
def test_a_file_taken_back_leaves_the_dataset_as_if_it_had_never_been(loaded: Shell, by: str) -> None:
    name = {"name": "logs/one.csv", "last part": "one.csv"}.get(by)
    taken = name or loaded.json("files", "d")["files"][0]["file_id"][:8]
    assert loaded.json("take-back", "d", taken)["taken_back"] == "logs/one.csv"
    assert counts(loaded) == [("logs/two.csv", 2, 0)]


def test_a_file_is_read_again_with_other_answers_and_the_rest_stays(loaded: Shell) -> None:
    words = ("read-again", "d", "two.csv", "--map", "cost_usd=other_cost")
    before = counts(loaded)
    # b has another cost now than in the first file: a conflict, in which the first is kept. One of two is
    # more than a tenth, so somebody has to say that this will do.
    assert "--accept-rejects" in loaded.refused(*words)
    assert counts(loaded) == before
    (file,) = loaded.json(*words, "--accept-rejects")["files"]
    assert [file[name] for name in ("read", "loaded", "rejected", "duplicates")] == [2, 1, 1, 0]
    assert counts(loaded) == [("logs/one.csv", 2, 0), ("logs/two.csv", 1, 0)]


def test_a_cost_read_from_another_column(shell: Shell) -> None:
    shell.write("one.csv", ONE)
    shell.text("load", "one.csv", "--dataset", "d")
    found = shell.json("read-again", "d", "one.csv", "--map", "cost_usd=other_cost")
    assert found["files"][0]["mapping"]["cost_usd"] == "other_cost"
    (row,) = shell.json("tiers", "d", "--by", "model")["rows"]
    assert row["cost_usd"]["value"] == pytest.approx(0.2)  # 2 x 0.1
    again = shell.json("read-again", "d", "one.csv", "--set", "segment=free")
    assert again["files"][0]["mapping"]["cost_usd"] == "other_cost"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("take-back", "d", "three.csv"), "Files: logs/one.csv ("),
        (("take-back", "e", "one.csv"), "Datasets: d"),
        (("read-again", "d", "one.csv", "--map", "cost_usd=absent"), "absent"),
        (("tier", "d", "small"), "frontier"),
        (("tier", "d", "tiny", "small"), "no model tiny"),
        (("tier", "d", "small", "huge"), "reasoning"),
    ],
)
def test_what_cannot_be_done_is_said(loaded: Shell, words: tuple[str, ...], said: str) -> None:
    before = counts(loaded)
    assert said in loaded.refused(*words)
    assert counts(loaded) == before


def test_the_only_log_of_a_dataset_is_deleted_instead(shell: Shell) -> None:
    shell.write("one.csv", ONE)
    shell.text("load", "one.csv", "--dataset", "d")
    assert "Delete the dataset instead" in shell.refused("take-back", "d", "one.csv")


def test_a_tier_is_set_by_hand_and_taken_back(loaded: Shell) -> None:
    (before,) = loaded.json("tier", "d")["models"]
    assert (before["model"], before["tier"], before["tier_source"]) == ("small", None, None)
    assert "tiertune tier d small TIER" in loaded.err
    (after,) = loaded.json("tier", "d", "small", "frontier")["models"]
    assert (after["tier"], after["tier_source"]) == ("frontier", "hand")
    assert loaded.err == ""
    assert loaded.json("tiers", "d", "--by", "tier")["rows"][0]["tier"] == "frontier"
    assert loaded.json("tier", "d", "small", "auto")["models"] == [before]
