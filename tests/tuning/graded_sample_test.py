"""From a log without grades over a drawn sheet to estimates: near the truth that made the log."""

import numpy as np
import polars as pl
import pytest
from stores import call, decisions, load

from analytics.logs import intake
from analytics.logs.joining import joined
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from analytics.policy import Goal
from analytics.spreadsheet import csv_text
from analytics.tuning.curve import curve
from analytics.tuning.goals import tune
from analytics.tuning.graded_pairs import graded_pairs
from analytics.tuning.grading_plan import grading_plan
from analytics.tuning.grading_sheet import grading_sheet
from analytics.tuning.log import read_log, select

SHARE = 0.3
AT = 0.6


def population(n=6000, seed=3):
    """Requests with both answers' true grades; law is hard and common, chat is easy and rare."""
    chance = np.random.default_rng(seed)
    confidence = np.round(chance.beta(3, 1.5, n), 2)
    law = chance.random(n) < 0.75
    return pl.DataFrame(
        {
            # Ids that a spreadsheet would run.
            "request_id": [f"={number}" for number in range(n)],
            "ts": [f"2026-10-{1 + number * 28 // n:02d}T12:00:00Z" for number in range(n)],
            "task_category": np.where(law, "law", "chat"),
            "fast_model": "small",
            "strong_model": "@big",
            "confidence": confidence,
            "threshold": AT,
            "escalated": confidence < AT,
            "fast": (chance.random(n) < np.where(law, 0.15, 0.5) + 0.45 * confidence).astype(float),
            "strong": (chance.random(n) < np.where(law, 0.8, 0.95)).astype(float),
            "shadowed": chance.random(n) < SHARE,
        }
    )


def written(people, folder, *, shadow):
    """The log that a cascade would write of them, without any grade."""
    seen = pl.col("escalated") | (pl.col("shadowed") if shadow else False)
    log = people.with_columns(
        fast_cost_usd=pl.lit(0.001),
        strong_cost_usd=pl.when(seen).then(0.02),
        sampling_probability=pl.when("escalated").then(1.0).otherwise(SHARE) if shadow else pl.lit(None),
    ).drop("fast", "strong", "shadowed")
    path = folder / f"log-{shadow}.csv"
    log.write_csv(path)
    return path


def graded(store, people, folder, *, rows, seed=0):
    """Draw a sheet, fill it in with the truth, and join it."""
    selection = select(read_log(store, "d"))
    plan = grading_plan(selection, rows, seed=seed)
    with store.cursor() as cursor:
        sheet = grading_sheet(cursor, "d", selection, plan)
    assert (sheet.requests, sheet.to_grade) == (rows, sheet.frame.height)
    truth = people.unpivot(
        ["fast", "strong"], index="request_id", variable_name="side", value_name="truth"
    ).with_columns(pl.col("side").replace({"fast": "small", "strong": "@big"}).alias("model"))
    filled = sheet.frame.join(truth, on=["request_id", "model"], how="left", maintain_order="left")
    filled = filled.with_columns(pl.col("truth").cast(pl.Int64).alias("correct")).drop("truth", "side")
    path = folder / f"sheet-{seed}.csv"
    path.write_text(csv_text(filled), encoding="utf-8")
    (found,) = joined(store, "d", [path], Answers(), names=[path.name])
    assert (found.unmatched, found.grades) == (0, sheet.frame.height)
    return plan


@pytest.mark.parametrize("shadow", [False, True])
def test_a_drawn_sheet_gives_the_accuracy_that_made_the_log(shadow, tmp_path):
    people = population()
    path = written(people, tmp_path, shadow=shadow)
    errors = []
    for seed in range(3):
        with Store.open(None) as store:
            intake.load(store, "d", [path], Answers())
            plan = graded(store, people, tmp_path, rows=1200, seed=seed)
            chosen = select(read_log(store, "d"))
        assert chosen.notes == ()
        assert plan.strata.group_by("task_category").agg(pl.col("probability").n_unique()).height == 2
        thresholds = (0.3, 0.6, 0.8) if shadow else (0.3, 0.6)
        for name in ("law", "chat", None):
            mine = people if name is None else people.filter(task_category=name)
            found = curve(chosen, category=name)
            for at in thresholds:
                right = np.where(mine["confidence"] >= at, mine["fast"], mine["strong"]).mean()
                point = found.points.filter(pl.col("threshold") >= at - 1e-9).row(0, named=True)
                assert point["identified"], (name, at)
                errors.append((point["accuracy"] - right) / (point["accuracy_high"] - point["accuracy"]))
    # In half widths of 95% intervals, which are 1.96 standard errors.
    assert np.abs(errors).max() < 2.1
    assert abs(np.mean(errors)) < 0.5


def test_pairs_under_sampling_are_thinned_to_the_product(tmp_path):
    people = population()
    with Store.open(None) as store:
        intake.load(store, "d", [written(people, tmp_path, shadow=True)], Answers())
        plan = graded(store, people, tmp_path, rows=1200)
        chosen = select(read_log(store, "d"))
    least = plan.strata["probability"].min()
    found = graded_pairs(chosen, "strong")
    assert found.thinned_to == pytest.approx(SHARE * least, rel=1e-6)
    # The smallest rate times the requests, within four standard deviations.
    expected = SHARE * least * people.height
    assert abs(found.frame["n"].sum() - expected) < 4 * np.sqrt(expected)
    assert found.shift == 0.0


def test_certified_and_estimated_policies_come_out_of_a_sheet(tmp_path):
    people = population()
    with Store.open(None) as store:
        intake.load(store, "d", [written(people, tmp_path, shadow=True)], Answers())
        graded(store, people, tmp_path, rows=3000)
        chosen = select(read_log(store, "d"))
    tuned = tune(chosen, Goal(margin=0.02))
    value = tuned.figures.overall.accuracy
    policy = tuned.policy.categories
    limit = {name: item.threshold if item.route == "cascade" else 2.0 for name, item in policy.items()}
    at = people["task_category"].replace_strict(limit, return_dtype=pl.Float64)
    right = np.where(people["confidence"] >= at, people["fast"], people["strong"]).mean()
    assert value.low - 0.01 <= right <= value.high + 0.01


def test_grades_of_unequal_probability_are_left_out_and_it_is_said(tmp_path):
    people = population(2000)
    with Store.open(None) as store:
        intake.load(store, "d", [written(people, tmp_path, shadow=False)], Answers())
        rows = people.with_columns(
            sampling_probability=pl.when(pl.col("confidence") < 0.7).then(0.5).otherwise(0.1)
        ).head(600)
        path = tmp_path / "own.csv"
        rows.select("request_id", "sampling_probability", correct=pl.col("fast").cast(pl.Int64)).write_csv(
            path
        )
        joined(store, "d", [path], Answers(), names=["own.csv"])
        chosen = select(read_log(store, "d"))
    assert [note[:24] for note in chosen.notes] == ["The grades of chat are l", "The grades of law are le"]
    assert curve(chosen, category="law").graded_n == 0


def test_grades_that_were_there_before_do_not_count_beside_a_sample(tmp_path):
    people = population(2000)
    path = written(people, tmp_path, shadow=False)
    log = pl.read_csv(path)
    # The log itself has grades of easy requests only.
    easy = (pl.col("confidence") > 0.9) & (pl.col("task_category") == "law")
    log = log.with_columns(fast_correct=pl.when(easy).then(people["fast"]))
    log.write_csv(path)
    with Store.open(None) as store:
        intake.load(store, "d", [path], Answers())
        selection = select(read_log(store, "d"))
        plan = grading_plan(selection, 600)
        assert plan.given_up > 0
        with store.cursor() as cursor:
            sheet = grading_sheet(cursor, "d", selection, plan).frame
        assert 0 < sheet["correct"].count() < sheet.height
        truth = dict(zip(people["request_id"], people["fast"], strict=True))
        served = dict(zip(people["request_id"], people["strong"], strict=True))
        values = [
            (truth if model == "small" else served)[name]
            for name, model in sheet.select("request_id", "model").iter_rows()
        ]
        filled = sheet.with_columns(correct=pl.Series(values))
        (tmp_path / "s.csv").write_text(csv_text(filled), encoding="utf-8")
        (found,) = joined(store, "d", [tmp_path / "s.csv"], Answers(), names=["s.csv"])
        assert found.report.passed == {}
        chosen = select(read_log(store, "d"))
    (note,) = chosen.notes
    assert note.endswith("do not stand for all requests as drawn ones do.")
    law = curve(chosen, category="law")
    assert law.graded_n == plan.strata.filter(task_category="law")["drawn"].sum()
    truth = people.filter(task_category="law")
    right = np.where(truth["confidence"] >= AT, truth["fast"], truth["strong"]).mean()
    point = law.points.filter(pl.col("threshold") >= AT - 1e-9).row(0, named=True)
    assert abs(point["accuracy"] - right) < 2 * (point["accuracy_high"] - point["accuracy"])


CALLS = [
    call("r1", "small", call_index=0, confidence=0.4, sampling_probability=1.0),
    call("r1", "large", call_index=1, sampling_probability=1.0),
    call("r2", "small", call_index=0, confidence=0.9),
    call("r2", "large", call_index=1, shadow=True, sampling_probability=0.5),
    call("r3", "small", call_index=0, confidence=0.8),
]


def test_a_sheet_of_a_log_of_calls_names_answers_by_their_model(store, tmp_path):
    load(store, "d", [row | {"cost_usd": 0.01} for row in CALLS], form="calls")
    selection = select(read_log(store, "d"))
    plan = grading_plan(selection, 3)
    with store.cursor() as cursor:
        sheet = grading_sheet(cursor, "d", selection, plan).frame
    assert sorted(sheet.select("request_id", "model").rows()) == sorted(
        (row["request_id"], row["model"]) for row in CALLS
    )
    filled = sheet.with_columns(
        correct=pl.when(pl.col("request_id") != "r3").then(1), sampling_probability=pl.lit(0.2)
    )
    path = tmp_path / "sheet.csv"
    path.write_text(csv_text(filled), encoding="utf-8")
    (found,) = joined(store, "d", [path], Answers(), names=["sheet.csv"])
    assert found.report.passed == {"answers that nobody has graded yet": 1}
    columns = "request_id, fast_correct, strong_correct, sampling_probability, grade_probability"
    # r2's shadow answer was taken with 0.5 and graded with 0.2; r3 was drawn, but not graded.
    assert decisions(store, columns) == [
        ("r1", 1.0, 1.0, 0.2, 0.2),
        ("r2", 1.0, 1.0, 0.1, 0.2),
        ("r3", None, None, None, None),
    ]
    cells = select(read_log(store, "d")).cells.sort("confidence")
    assert cells["sampling_probability"].to_list() == [None, None, 0.5]
    store.take_back("d", store.files("d").filter(form="grades")["file_id"][0])
    assert decisions(store, columns)[1] == ("r2", None, None, 0.5, None)
