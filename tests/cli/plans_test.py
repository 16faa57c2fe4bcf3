"""tiertune shadow-plan and tiertune grading-sheet: what they print, write and refuse."""

import csv

import polars as pl
import pytest
from shell import Shell

HEADER = (
    "request_id,ts,task_category,fast_model,strong_model,confidence,threshold,escalated,"
    "fast_cost_usd,strong_cost_usd"
)


def cascade(*, graded: bool = False, sign: str = "r") -> str:
    """200 requests over ten days, of 20 confidences; those below .5 are escalated for two cents."""
    lines = [HEADER + (",fast_correct,strong_correct" if graded else "")]
    for place in range(200):
        confidence = place % 20 / 20
        sent = confidence < 0.5
        day = f"2026-10-{1 + place // 20:02d}T{place % 20:02d}:00:00Z"
        line = f"{sign}{place},{day},law,small,big,{confidence},0.5,{int(sent)},0.001,{0.02 if sent else ''}"
        lines.append(line + (f",{place % 2},{place % 3 % 2 if sent else ''}" if graded else ""))
    return "\n".join(lines) + "\n"


@pytest.fixture
def log(shell: Shell) -> Shell:
    shell.write("log.csv", cascade())
    shell.text("load", "log.csv")
    return shell


def test_the_plan_names_category_band_calls_cost_and_days(log: Shell) -> None:
    found = log.json("shadow-plan", "log", "--goal", "min-accuracy", "--min-accuracy", "0.8")
    (purchase,) = found["purchases"]
    assert [purchase[key] for key in ("question", "task_category", "low", "high")] == [
        "raise",
        "law",
        0.5,
        0.6,
    ]
    # 20 of 200 requests lie in the band; (1.96 x .5 x .1 / .01)^2 = 96.04.
    assert (purchase["requests"], purchase["pairs"], purchase["assumed"]) == (20, 97, True)
    everything = purchase["explorations"][2]
    # 97 calls; beside them 2% of the other 80 kept ones: .02 x 97 x 80 / 20 = 7.76.
    assert (everything["rate"], everything["strong_calls"]) == (1.0, 105)
    assert everything["cost_usd"] == pytest.approx(105 * 0.02)
    assert "task_category: law" in found["config"]
    printed = log.text("shadow-plan", "log")
    assert "raise it?" in printed
    assert "sampling_probability" in printed


def test_a_stated_cost_fills_in_where_the_log_has_none(log: Shell) -> None:
    log.write("free.csv", cascade().replace("0.02\n", "\n"))
    words = ("shadow-plan", "free.csv", "--goal", "value", "--value", "1")
    costs = [item["cost_usd"] for item in log.json(*words)["purchases"][0]["explorations"]]
    assert costs == [None, None, None]
    stated = log.json(*words, "--strong-cost", "0.5")["purchases"][0]["explorations"][2]
    assert stated["cost_usd"] == pytest.approx(0.5 * stated["strong_calls"])


def test_without_a_confidence_the_plan_says_what_to_log_first(log: Shell) -> None:
    log.write("blind.csv", cascade().replace("confidence", "unread"))
    assert "Without a confidence there is no threshold" in log.text("shadow-plan", "blind.csv")


def test_a_sheet_is_written_graded_and_joined(log: Shell) -> None:
    found = log.json("grading-sheet", "log", "--rows", "80", "--out", "sheet.csv")
    assert (found["requests"], found["to_grade"], found["given_up"]) == (80, found["answers"], 0)
    assert {row["probability"] for row in found["strata"]} == {0.4}
    again = log.json("grading-sheet", "log", "--rows", "80", "--out", "again.csv")
    assert (log.folder / "sheet.csv").read_text() == (log.folder / "again.csv").read_text()
    other = log.json("grading-sheet", "log", "--rows", "80", "--seed", "7", "--out", "other.csv")
    assert (other["requests"], again["requests"]) == (80, 80)
    assert (log.folder / "sheet.csv").read_text() != (log.folder / "other.csv").read_text()
    with (log.folder / "sheet.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["request_id"] for row in rows}) == 80
    with (log.folder / "sheet.csv").open("w", newline="") as stream:
        sheet = csv.DictWriter(stream, list(rows[0]))
        sheet.writeheader()
        # Two lines stay open.
        sheet.writerows({**row, "correct": 1 if at > 1 else ""} for at, row in enumerate(rows))
    (file,) = log.json("join", "log", "sheet.csv", "--grader", "desk")["files"]
    assert (file["loaded"], file["unmatched"], file["rejected"]) == (len(rows) - 2, 0, 0)
    assert file["passed"] == {"answers that nobody has graded yet": 2}
    assert log.json("tune", "log", status=1)["error"]["kind"] in {"insufficient_data", "not_identified"}
    points = log.json("curve", "log")["points"]
    assert [point["accuracy"] for point in points if point["threshold"] == 0.5] == [1.0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rows", "0", "--out", "s.csv"), "no number of requests"),
        (("--rows", "x", "--out", "s.csv"), "no number of requests"),
        (("--rows", "50", "--out", "s.xlsx"), "ends in .csv"),
        (("--rows", "50", "--out", "absent/s.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_drawn_is_said(log: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in log.refused("grading-sheet", "log", *words)


def test_a_graded_log_needs_no_sheet(log: Shell) -> None:
    log.write("graded.csv", cascade(graded=True))
    document = log.json("grading-sheet", "graded.csv", "--rows", "50", "--out", "s.csv", status=1)
    assert document["error"]["kind"] == "insufficient_data"
    assert not (log.folder / "s.csv").exists()


def test_ids_that_a_spreadsheet_would_run_come_back(shell: Shell) -> None:
    shell.write("log.csv", cascade(sign="=@"))
    shell.text("load", "log.csv")
    shell.text("grading-sheet", "log", "--rows", "60", "--out", "sheet.csv")
    text = (shell.folder / "sheet.csv").read_text()
    assert "\n'=@" in text
    assert "\n=@" not in text
    lines = text.splitlines()
    at = lines[0].split(",").index("correct")
    filled = [lines[0]]
    for line in lines[1:]:
        cells = line.split(",")
        filled.append(",".join([*cells[:at], "1", *cells[at + 1 :]]))
    shell.write("sheet.csv", "\n".join(filled) + "\n")
    (file,) = shell.json("join", "log", "sheet.csv")["files"]
    assert (file["unmatched"], file["loaded"]) == (0, len(lines) - 1)


def test_a_log_without_any_grade_still_shows_what_each_threshold_costs(log: Shell) -> None:
    points = log.json("curve", "log")["points"]
    known = {point["threshold"]: point for point in points}
    assert known[0.5]["escalation_rate"] == 0.5
    # Half pay 2 cents beside the tenth of a cent of all.
    assert known[0.5]["cost_per_request_usd"] == pytest.approx(0.011)
    assert known[0.25]["cost_per_request_usd"] == pytest.approx(0.001 + 0.25 * 0.02)
    assert {point["accuracy"] for point in points} == {None}


def test_regressions_are_counted_and_listed(shell: Shell) -> None:
    rows = [
        {"request_id": f"r{place}", "task_category": ("law", "math")[place % 2], "fast_model": "small",
         "strong_model": "big", "confidence": place / 40, "fast_correct": int(place % 4 != 0),
         "strong_correct": int(place % 5 != 1)}
        for place in range(40)
    ]  # fmt: skip
    shell.write("log.csv", pl.DataFrame(rows).write_csv())
    found = shell.json("regressions", "log.csv", "--category", "law")
    worse = [row for row in rows if row["fast_correct"] > row["strong_correct"]]
    assert found["rows"][0]["worsened"] == len(worse)
    law = {row["request_id"] for row in worse if row["task_category"] == "law"}
    assert {row["request_id"] for row in found["requests"]} == law
    assert "There is no category none" in shell.refused("regressions", "log.csv", "--category", "none")
