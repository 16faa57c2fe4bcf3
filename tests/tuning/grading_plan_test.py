"""The draw of requests to grade: its probabilities by counting many draws, and the way back as grades."""

import csv
import io

import numpy as np
import polars as pl
import pytest
from decisions import log_of
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import InsufficientDataError
from analytics.tuning.grading_plan import allocated, grading_plan
from analytics.tuning.log import select


def ungraded(sizes, folder, **more):
    rows = {"task_category": [name for name, size in sizes.items() for _ in range(size)]}
    rows["confidence"] = [(at % 20) / 20 for at in range(len(rows["task_category"]))]
    rows["fast_cost_usd"] = [0.001] * len(rows["confidence"])
    return select(log_of(rows | more, folder))


def test_more_is_drawn_where_more_varies():
    # By hand: 100 x .5 : 100 x .25 is two to one.
    assert allocated(np.array([100.0, 100.0]), np.array([0.5, 0.25]), 90).tolist() == [60, 30]


def test_a_few_of_each_and_no_more_than_there_are():
    # 60 of 3 categories: 20 of each is the least, and the smallest has but 7; the rest is 60 - 20 - 7.
    assert allocated(np.array([1000.0, 100.0, 7.0]), np.array([0.5, 0.5, 0.5]), 60).tolist() == [33, 20, 7]
    assert allocated(np.array([5.0, 6.0]), np.array([0.5, 0.1]), 100).tolist() == [5, 6]


@given(
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=8),
    spreads=st.lists(st.floats(0.15, 0.5), min_size=8, max_size=8),
    rows=st.integers(8, 2000),
)
def test_all_rows_are_given_out_within_what_there_is(sizes, spreads, rows):
    n = np.array(sizes, dtype=float)
    found = allocated(n, np.array(spreads[: n.size]), rows)
    assert found.sum() == min(rows, n.sum())
    assert (found <= n).all()
    assert (found >= np.minimum(n, min(20, rows // n.size)) - 1e-9).all()


def test_bands_are_even_and_hold_every_request(tmp_path):
    selection = ungraded({"law": 400, "math": 100}, tmp_path)
    plan = grading_plan(selection, 100)
    assert plan.rows == plan.strata["drawn"].sum() == 100
    law = plan.strata.filter(task_category="law")
    # Twenty values of 20 requests each, five to a band.
    assert law["requests"].to_list() == [100, 100, 100, 100]
    assert law["low"].to_list() == [0.0, 0.25, 0.5, 0.75]
    assert law["high"].to_list() == [0.25, 0.5, 0.75, None]
    assert law["probability"].n_unique() == 1


def test_a_band_gets_its_exact_share_on_average(tmp_path):
    """Over many seeds the mean number drawn of each band is its requests times the one probability."""
    confidence = [0.1] * 7 + [0.5] * 13 + [0.6] * 29 + [None] * 11 + [0.9] * 40
    rows = {"task_category": ["law"] * 100, "confidence": confidence, "fast_cost_usd": [0.001] * 100}
    selection = select(log_of(rows, tmp_path))
    draws = [grading_plan(selection, 33, seed=seed).strata for seed in range(3000)]
    drawn = np.array([frame["drawn"].to_list() for frame in draws])
    n = draws[0]["requests"].to_numpy()
    assert (drawn.sum(axis=1) == 33).all()
    error = drawn.std(axis=0) / np.sqrt(len(draws)) + 1e-12
    assert (np.abs(drawn.mean(axis=0) - 0.33 * n) < 4 * error).all()
    assert set(np.unique(np.abs(drawn - 0.33 * n) < 1)) == {True}


def test_what_is_mostly_graded_is_left_out(tmp_path):
    grades = [1.0] * 300 + [None] * 200
    selection = ungraded({"law": 400, "math": 100}, tmp_path, fast_correct=grades)
    plan = grading_plan(selection, 50)
    assert plan.left_out == ("law",)
    assert set(plan.strata["task_category"]) == {"math"}
    with pytest.raises(InsufficientDataError, match="graded already"):
        grading_plan(select(selection.log, categories=["law"]), 50)


def test_fewer_rows_than_categories_are_refused(tmp_path):
    with pytest.raises(ValueError, match="so 2 or more"):
        grading_plan(ungraded({"law": 40, "math": 10}, tmp_path), 1)


HOSTILE = (
    "=1+1",
    "@me",
    "+49",
    "-1",
    "'=x",
    "''",
    'say "hi"',
    "a,b",
    "x\u202ey",
    "<b>",
    "=cmd|' /C calc'!A0",
)


def test_names_that_look_like_formulas_come_back_as_they_were():
    from analytics.logs.dialects.grading_sheet import SHEET, rows  # noqa: PLC0415
    from analytics.spreadsheet import csv_text  # noqa: PLC0415

    frame = pl.DataFrame({"request_id": HOSTILE, "model": HOSTILE[::-1], "correct": [1.0] * len(HOSTILE)})
    text = csv_text(frame.with_columns(pl.lit("seed 0").alias(SHEET)))
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [record["request_id"] for record in read] != list(HOSTILE)
    back = [next(iter(rows(record))) for record in read]
    assert [record["request_id"] for record in back] == list(HOSTILE)
    assert [record["model"] for record in back] == list(HOSTILE[::-1])
