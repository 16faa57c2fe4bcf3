"""Frontier, hull, prices along it, and the areas, by hand and against the definitions."""

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.tuning.frontier import aiq, apgr, cpt, hull, icer, pareto

COST, CORRECT = [3.0, 1.0, 2.0, 2.0, 4.0], [5.0, 2.0, 3.0, 4.0, 5.0]


def test_the_reference_frontier(refcase):
    case = refcase("sweep", "frontier_hull_icer_aiq")
    points = np.array(case.inputs["points"])
    cost, correct = points.T
    assert points[pareto(cost, correct)].tolist() == case.expected["pareto"]
    vertices = hull(cost, correct)
    assert points[vertices].tolist() == case.expected["hull"]
    assert case.close(icer(cost, correct, along=vertices).tolist(), case.expected["icer"])
    assert case.close(aiq(cost, correct), case.expected["aiq"])


def test_areas_are_undefined_where_the_strong_model_is_not_better(refcase):
    case = refcase("sweep", "apgr_undefined")
    rate, accuracy = case.inputs["esc_rate"], case.inputs["accuracy"]
    assert apgr(rate, accuracy, fast_accuracy=0.8, strong_accuracy=0.8) is case.expected["apgr"]
    assert cpt(rate, accuracy, fast_accuracy=0.8, strong_accuracy=0.8, share=0.5) is case.expected["cpt50"]
    assert apgr(rate, accuracy, fast_accuracy=0.8, strong_accuracy=0.7) is None


def test_overthinking_leaves_one_point(refcase):
    rows = refcase("sweep", "sweep_reasoning_worse").expected["rows"]
    cost, correct = [row["cost"] for row in rows], [row["correct"] for row in rows]
    assert pareto(cost, correct).tolist() == hull(cost, correct).tolist() == [0]
    assert icer(cost, correct, along=[0]).tolist() == []


def test_the_frontier_keeps_the_better_of_equal_costs_and_the_cheaper_of_equal_gains():
    # (2, 4) beats (2, 3); (3, 5) beats (4, 5)
    assert pareto(COST, CORRECT).tolist() == [1, 3, 0]
    # (1,2) to (2,4) costs 0.5 per answer, (2,4) to (3,5) costs 1
    assert hull(COST, CORRECT).tolist() == [1, 3, 0]
    assert icer(COST, CORRECT, along=[1, 3, 0]).tolist() == [0.5, 1.0]


def test_a_free_gain_is_taken_before_the_first_vertex():
    assert hull([1.0, 1.0, 2.0], [1.0, 3.0, 4.0]).tolist() == [1, 2]
    # bought one after the other it costs nothing; a step without a gain has no price
    assert icer([1.0, 1.0], [1.0, 3.0], along=[0, 1]).tolist() == [0.0]
    assert math.isnan(icer([1.0, 2.0], [3.0, 3.0], along=[0, 1])[0])


def test_of_equal_points_the_first_stays_and_unknown_points_never_do():
    assert pareto([1.0, 1.0, 0.5], [2.0, 2.0, math.nan]).tolist() == [0]
    assert pareto([], []).tolist() == hull([math.nan], [1.0]).tolist() == []


def test_the_middle_of_a_straight_piece_is_no_vertex():
    assert hull([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 2.5]).tolist() == [0, 2, 3]


def test_a_hull_that_unwinds_point_by_point():
    # y = sqrt(x) is all vertices until one last point lies far above: then only both ends are left
    x = np.arange(400.0)
    assert hull(x, np.sqrt(x)).tolist() == list(range(400))
    assert hull(np.append(x, 400.0), np.append(np.sqrt(x), 1e6)).tolist() == [0, 400]


POINTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=30)


@given(POINTS)
def test_the_frontier_is_what_the_definition_says(points):
    kept = pareto(*zip(*points, strict=True))
    unbeaten = {
        (c, y) for c, y in points if not any(k <= c and z >= y and (k, z) != (c, y) for k, z in points)
    }
    assert {points[index] for index in kept} == unbeaten
    assert len(kept) == len(unbeaten)


@given(POINTS)
def test_no_point_lies_above_the_hull_and_prices_rise_along_it(points):
    cost, correct = (np.array(side, dtype=float) for side in zip(*points, strict=True))
    vertices = hull(cost, correct)
    price = icer(cost, correct, along=vertices)
    assert (price > 0).all()
    assert (np.diff(price) > 0).all()
    ceiling = np.interp(cost, cost[vertices], correct[vertices])
    assert (correct <= ceiling + 1e-9).all()
    assert set(vertices.tolist()) <= set(pareto(cost, correct).tolist())


def test_aiq_divides_by_the_range_of_costs():
    # envelope (1, .5) to (3, .9), then flat to 5: areas 2 x .7 and 2 x .9, range 4
    assert aiq([1.0, 3.0, 5.0], [0.5, 0.9, 0.6]) == pytest.approx(0.8, rel=1e-12)
    assert aiq([1.0, 1.0], [0.5, 0.9]) is None
    assert aiq([], []) is None
    assert aiq([1.0, 2.0], [0.5, math.nan]) is None


def test_apgr_by_hand():
    # PGR at 0, .2, .6, 1: 0, .5, 1, 1; areas .2 x .25 + .4 x .75 + .4 x 1 = .75
    rate, accuracy = [0.0, 0.2, 0.6, 1.0], [0.6, 0.7, 0.8, 0.8]
    got = apgr(rate, accuracy, fast_accuracy=0.6, strong_accuracy=0.8)
    assert got == pytest.approx(0.75, rel=1e-12)
    assert apgr(rate[::-1], accuracy[::-1], fast_accuracy=0.6, strong_accuracy=0.8) == pytest.approx(got)


def test_apgr_of_real_pairs(datasets):
    folder = datasets / "mmlu_pro_calibration"
    reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))["pairs"]
    name = "gpt-4o-mini-2024-07-18 -> o4-mini-2025-04-16 | fast_verbal_numerical_confidence"
    pairs = pl.read_parquet(folder / "pairs.parquet").filter(
        fast_model="gpt-4o-mini-2024-07-18", reasoning_model="o4-mini-2025-04-16"
    )
    pairs = pairs.filter(pl.col("fast_verbal_numerical_confidence").is_between(0, 1)).drop_nulls(
        ["fast_correct", "reasoning_correct"]
    )
    confidence, fast, strong = (
        pairs[column].to_numpy()
        for column in ("fast_verbal_numerical_confidence", "fast_correct", "reasoning_correct")
    )
    kept = [confidence >= threshold for threshold in (*np.unique(confidence), np.inf)]
    got = apgr(
        [1 - keep.mean() for keep in kept],
        [np.where(keep, fast, strong).mean() for keep in kept],
        fast_accuracy=fast.mean(),
        strong_accuracy=strong.mean(),
    )
    assert got == pytest.approx(reference[name]["apgr"], abs=1e-9)


def test_random_escalation_scores_one_half():
    rate = np.linspace(0, 1, 7)
    got = apgr(rate, 0.6 + 0.2 * rate, fast_accuracy=0.6, strong_accuracy=0.8)
    assert got == pytest.approx(0.5, rel=1e-12)


def test_a_curve_that_starts_at_its_missing_confidences_is_completed():
    # one point at (.5, PGR 1): chords 0 to 1 over .5, then flat: .25 + .5
    assert apgr([0.5], [0.8], fast_accuracy=0.6, strong_accuracy=0.8) == pytest.approx(0.75, rel=1e-12)


def test_cpt_takes_a_point_of_the_curve_and_never_interpolates():
    rate, accuracy = [0.0, 0.1, 0.2, 0.4, 1.0], [0.6, 0.68, 0.7, 0.65, 0.8]
    share = {"fast_accuracy": 0.6, "strong_accuracy": 0.8}
    # .7 is half of the gap exactly, though (.7 - .6) / (.8 - .6) is less than .5 in binary
    assert cpt(rate, accuracy, **share, share=0.5) == 0.2
    assert cpt(rate, accuracy, **share, share=0.8) == 1.0
    assert cpt(rate, accuracy, **share, share=0.0) == 0.0
    assert cpt([0.5], [0.7], **share, share=0.8) == 1.0


def test_a_curve_with_an_unknown_point_has_no_area():
    share = {"fast_accuracy": 0.6, "strong_accuracy": 0.8}
    assert apgr([0.0, 0.5, 1.0], [0.6, math.nan, 0.8], **share) is None
    assert cpt([0.0, 0.5, 1.0], [0.6, math.nan, 0.8], **share, share=0.5) is None
    assert apgr([0.0, 1.0], [0.6, 0.8], fast_accuracy=math.nan, strong_accuracy=0.8) is None
