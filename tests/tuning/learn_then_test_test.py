"""Floors against the Learn-then-Test reference cases: p-values along a fixed grid and what the walk keeps."""

import json
from pathlib import Path

import numpy as np
import pytest
from decisions import log_of

from analytics.policy import Goal
from analytics.tuning.certificate import certification
from analytics.tuning.log import select
from analytics.tuning.noninferiority import floor_p_values
from analytics.tuning.sample_size import least_pairs_floor

CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parents[1] / "refcases" / "ltt.json").read_text())["cases"]
}


def test_the_least_number_of_answers_is_that_of_the_reference():
    case = CASES["ltt_min_n"]
    got = [least_pairs_floor(1 - allowed, delta) for allowed, delta in case["inputs"]["cases"]]
    assert got == case["expected"]["n"]


@pytest.mark.parametrize("name", CASES["ltt_fixed_sequence"]["expected"])
def test_p_values_along_the_grid_stop_where_the_reference_stops(name):
    case = CASES["ltt_fixed_sequence"]
    confidence, fast, strong = (np.array(case["inputs"][key], dtype=float) for key in ("c", "y_f", "y_r"))
    expected = case["expected"][name]
    found, last = [], None
    for threshold in case["inputs"]["grid"]:
        errors = int((1 - np.where(confidence >= threshold, fast, strong)).sum())
        found.append(float(floor_p_values(errors, confidence.size, expected["target"])))
        if found[-1] > expected["delta"]:
            break
        last = threshold
    assert found == pytest.approx(expected["pvalues_exact"], rel=case["rtol"], abs=case["atol"])
    assert last == expected["exact"]


@pytest.mark.parametrize("name", CASES["ltt_fixed_sequence"]["expected"])
def test_the_walk_through_every_confidence_ends_at_the_reference_s_grid_point_or_just_below(name, tmp_path):
    """Between two points of the grid of 0.05 the walk may go on, by less than one point of it."""
    case = CASES["ltt_fixed_sequence"]
    inputs, expected = case["inputs"], case["expected"][name]
    rows = {"confidence": inputs["c"], "fast_correct": inputs["y_f"], "strong_correct": inputs["y_r"]}
    goal = Goal(name="min-accuracy", min_accuracy=expected["target"], level=1 - expected["delta"])
    (walk,) = certification(select(log_of(rows, tmp_path)), goal).walks[None]
    if expected["exact"] is None:
        assert walk.passed == 0
        return
    levels = np.unique(inputs["c"])[::-1]
    assert expected["exact"] - 0.05 < levels[walk.passed - 1] <= expected["exact"] + 0.05
