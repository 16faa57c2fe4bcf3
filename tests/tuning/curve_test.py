"""The curve against reference cases, hand arithmetic, and the policy applied row by row."""

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from decisions import decisions, log_of
from scipy.stats import mannwhitneyu

from analytics.tuning.cells import KEYS, added
from analytics.tuning.curve import curve
from analytics.tuning.log import AmbiguousPairError, select

SWEEPS = [
    "sweep_basic_ties", "sweep_nan_confidence", "sweep_all_nan", "sweep_confidence_one", "sweep_one_row",
    "sweep_zero_cost", "sweep_zero_correct", "sweep_reasoning_worse", "sweep_float32",
]  # fmt: skip


def replay(inputs, folder, **columns):
    confidence = [None if value == "NaN" else value for value in inputs["c"]]
    rows = {
        "confidence": confidence,
        "fast_correct": inputs["yf"],
        "strong_correct": inputs["yr"],
        "fast_cost_usd": inputs["kf"],
        "strong_cost_usd": inputs["kr"],
        **columns,
    }
    return select(log_of(rows, folder))


@pytest.mark.parametrize("name", SWEEPS)
def test_every_reference_sweep_is_reproduced(name, refcase, tmp_path):
    case = refcase("sweep", name)
    got = curve(replay(case.inputs, tmp_path)).points
    expected = case.expected["rows"]
    assert got.height == len(expected)
    for row, want in zip(got.iter_rows(named=True), expected, strict=True):
        if row["threshold"] is None:
            assert want is expected[-1]
        else:
            assert row["threshold"] == want["t"]
        assert row["escalated_n"] == want["escalated"]
        assert row["accuracy"] == pytest.approx(want["accuracy"], rel=1e-12)
        assert row["escalation_rate"] == pytest.approx(want["esc_rate"], rel=1e-12)
        assert row["cost_per_request_usd"] == pytest.approx(want["mean_cost"], rel=1e-12)
        if want["cost_per_correct"] is None:
            assert row["cost_per_correct_usd"] is None
        else:
            assert row["cost_per_correct_usd"] == pytest.approx(want["cost_per_correct"], rel=1e-12)


@pytest.mark.parametrize(
    ("confidence", "kept"), [([None, None, None, 0.2, 0.8], "predictive"), ([None] * 5, "cascade")]
)
def test_the_kind_of_policy_that_has_confidences_is_kept(tmp_path, confidence, kept):
    # Three calls that named a model themselves and two that a router decided.
    kinds = ["cascade"] * 3 + ["predictive"] * 2
    log = log_of({"confidence": confidence, "fast_correct": [1.0] * 5, "policy_kind": kinds}, tmp_path)
    selection = select(log)
    assert selection.policy_kind == kept
    left = {"predictive": 3, "cascade": 2}[kept]
    assert selection.notes == (
        f"{left} requests of the other kind of policy are left out: {kept} requests only.",
    )


def test_a_predictive_policy_pays_one_call_per_request(tmp_path):
    inputs = {"c": [0.2, 0.8], "yf": [0, 1], "yr": [1, 1], "kf": [0.001, 0.002], "kr": [0.01, 0.02]}
    got = curve(replay(inputs, tmp_path, policy_kind=["predictive"] * 2)).points
    # never: .001 + .002; at .8 the first row pays .01 alone; all: .01 + .02; each over two requests
    assert got["cost_per_request_usd"].to_list() == pytest.approx([0.0015, 0.006, 0.015])


@pytest.mark.parametrize("name", ["bounds_regime_c_deterministic", "bounds_regime_b_deterministic"])
def test_bounds_of_a_deterministic_log_equal_the_reference(name, refcase, tmp_path):
    case = refcase("ope", name)
    served = [f if r is None else r for f, r in zip(case.inputs["y_f"], case.inputs["y_r"], strict=True)]
    assert None not in served
    rows = {
        "confidence": case.inputs["c"],
        "fast_correct": case.inputs["y_f"],
        "strong_correct": case.inputs["y_r"],
        "escalated": [value is not None for value in case.inputs["y_r"]],
    }
    points = curve(select(log_of(rows, tmp_path))).points
    u = points["threshold"].drop_nulls().to_numpy()
    for t, want in case.expected.items():
        bounds = want.get("worst_case", want)
        row = points.row(int(np.searchsorted(u, float(t), side="left")), named=True)
        assert row["bound_low"] == pytest.approx(bounds["lower"], abs=1e-12)
        assert row["bound_high"] == pytest.approx(bounds["upper"], abs=1e-12)
        assert row["identified"] == (bounds["unidentified"] == 0)
        assert (row["accuracy"] is None) == (bounds["unidentified"] > 0)
        if "monotone_response" in want and bounds["unidentified"] > 0:
            tighter = want["monotone_response"]
            assert row["bound_low_mtr"] == pytest.approx(tighter["lower"], abs=1e-12)
            assert row["bound_high_mtr"] == pytest.approx(tighter["upper"], abs=1e-12)


def test_in_a_plain_cascade_costs_above_the_threshold_in_force_are_unknown(tmp_path):
    rows = {
        "confidence": [0.9, 0.8, 0.3, 0.2],
        "fast_correct": [1, 1, 0, 0],
        "strong_correct": [None, None, 1, 1],
        "fast_cost_usd": [0.001] * 4,
        "strong_cost_usd": [None, None, 0.01, 0.03],
        "escalated": [False, False, True, True],
    }
    points = curve(select(log_of(rows, tmp_path))).points
    # at .8 the two escalated rows add .01 and .03: (.004 + .04) / 4
    assert points["cost_per_request_usd"].to_list()[:3] == pytest.approx([0.001, 0.0085, 0.011])
    assert points["cost_per_request_usd"].to_list()[3:] == [None, None]
    # above .8 one more call, then two, would be paid, each between nothing and .03
    assert points["cost_bound_low"].to_list()[:3] == [None] * 3
    assert points["cost_bound_low"].to_list()[3:] == pytest.approx([0.011, 0.011])
    assert points["cost_bound_high"].to_list()[3:] == pytest.approx([0.011 + 0.03 / 4, 0.011 + 0.06 / 4])


def test_shadow_answers_count_as_often_as_their_probability_says(tmp_path):
    """100 kept rows, half of them shadowed with p = 1/2: each difference counts twice."""
    n = 100
    shadowed = [i % 2 == 0 for i in range(n)]
    fast = [1 if i % 10 else 0 for i in range(n)]  # wrong on 0, 10, ..., 90: ten rows, all shadowed
    rows = {
        "confidence": [0.9] * n + [0.1] * n,
        "fast_correct": fast + [0] * n,
        "strong_correct": [1 if s else None for s in shadowed] + [1, 0] * (n // 2),
        "sampling_probability": [0.5] * n + [None] * n,
        "escalated": [False] * n + [True] * n,
    }
    got = curve(select(log_of(rows, tmp_path)))
    assert got.estimator == "shadow_difference"
    # kept at .9: 90 right + 50 escalated right; escalate all: 90 + 2 * 10 (ten gains, twice) + 50
    assert got.points["accuracy"].to_list() == pytest.approx([90 / 200, 140 / 200, 160 / 200])


def test_shadow_answers_with_wrong_probabilities_are_not_weighted(tmp_path):
    n = 1000
    rows = {
        "confidence": [0.9] * n,
        "fast_correct": [1, 0] * (n // 2),
        "strong_correct": [1 if i % 2 == 0 else None for i in range(n)],
        "sampling_probability": [0.1] * n,
        "escalated": [False] * n,
    }
    chosen = select(log_of(rows, tmp_path))
    assert chosen.regimes["shadow_reason"][0].startswith("The logged sampling probabilities")
    assert curve(chosen).points["identified"].to_list() == [True, False]


def test_few_shadow_answers_are_no_estimate(tmp_path):
    n = 100
    rows = {
        "confidence": [0.9] * n,
        "fast_correct": [1, 0] * (n // 2),
        "strong_correct": [1 if i < 10 else None for i in range(n)],
        "sampling_probability": [0.1] * n,
        "escalated": [False] * n,
    }
    chosen = select(log_of(rows, tmp_path))
    assert "Only 10 kept requests" in chosen.regimes["shadow_reason"][0]


def test_ungraded_requests_are_left_out_of_accuracy_and_kept_in_cost(tmp_path):
    rows = {
        "confidence": [0.2, 0.4, 0.6, 0.8],
        "fast_correct": [0, 1, 1, None],
        "strong_correct": [1, 1, 0, None],
        "fast_cost_usd": [0.001, 0.001, 0.001, 0.005],
        "strong_cost_usd": [0.01] * 4,
    }
    got = curve(select(log_of(rows, tmp_path)))
    assert got.graded_n == 3
    assert got.fast_only.accuracy.value == pytest.approx(2 / 3)
    assert got.fast_only.cost_per_request_usd.value == pytest.approx(0.008 / 4)


def test_grades_that_favour_one_route_leave_bounds(tmp_path):
    n = 100
    rows = {
        "confidence": [0.9] * n + [0.1] * n,
        "fast_correct": [1 if i < 50 else None for i in range(n)] + [0] * n,
        "strong_correct": [None] * n + [1] * n,
        "escalated": [False] * n + [True] * n,
    }
    got = curve(select(log_of(rows, tmp_path)))
    assert got.estimator == "bounds"
    # in force: 100 right answers and 50 unknown ones of 200
    row = got.points.row(1, named=True)
    assert (row["bound_low"], row["bound_high"]) == (pytest.approx(0.75), pytest.approx(1.0))


def test_area_metrics_are_null_where_the_strong_model_is_not_better(tmp_path):
    inputs = {"c": [0.2, 0.8], "yf": [1, 1], "yr": [1, 1], "kf": [0.001] * 2, "kr": [0.01] * 2}
    got = curve(replay(inputs, tmp_path))
    assert (got.apgr, got.cpt50, got.auroc) == (None, None, None)
    assert "apgr" in got.reasons
    assert "auroc" in got.reasons


def test_auroc_and_ece_equal_other_implementations(tmp_path):
    generator = np.random.default_rng(5)
    confidence = generator.choice([0.05, 0.1, 0.3, 0.3, 0.7, 0.95, 1.0], 400)
    right = (generator.random(400) < confidence).astype(int)
    inputs = {"c": confidence, "yf": right, "yr": 1 - right, "kf": np.ones(400), "kr": np.ones(400)}
    got = curve(replay(inputs, tmp_path))
    u = mannwhitneyu(confidence[right == 1], confidence[right == 0]).statistic
    assert got.auroc == pytest.approx(u / (right.sum() * (1 - right).sum()))
    edges = [k / 10 for k in range(11)]
    total = 0.0
    for low, high in pairwise(edges):
        inside = (confidence >= low) & ((confidence < high) | (high == 1.0) & (confidence == 1.0))
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    assert got.ece == pytest.approx(total / 400)


def test_the_curve_at_t_equals_applying_the_policy_at_t(tmp_path):
    generator = np.random.default_rng(11)
    n = 500
    c = np.where(generator.random(n) < 0.05, np.nan, generator.integers(0, 21, n) / 20)
    yf, ys = generator.random(n).round(2), generator.random(n).round(2)
    kf, ks = generator.random(n) / 1000, generator.random(n) / 100
    rows = {
        "confidence": [None if math.isnan(x) else x for x in c],
        "fast_correct": yf, "strong_correct": ys, "fast_cost_usd": kf, "strong_cost_usd": ks,
    }  # fmt: skip
    for row in curve(select(log_of(rows, tmp_path))).points.iter_rows(named=True):
        t = np.inf if row["threshold"] is None else row["threshold"]
        escalated = ~(c >= t)
        assert row["accuracy"] == pytest.approx(np.where(escalated, ys, yf).mean(), rel=1e-12)
        assert row["cost_per_request_usd"] == pytest.approx((kf + escalated * ks).mean(), rel=1e-12)
        assert row["escalation_rate"] == pytest.approx(escalated.mean())
        assert row["vs_strong"] == pytest.approx((np.where(escalated, ys, yf) - ys).mean(), abs=1e-12)


def test_several_pairs_in_a_category_are_named_not_mixed(tmp_path):
    rows = {"confidence": [0.1, 0.2], "fast_correct": [1, 0], "strong_model": ["big", "huge"]}
    with pytest.raises(AmbiguousPairError, match=r"small > big; small > huge.*--fast and --strong"):
        select(log_of(rows, tmp_path))


def test_cells_of_parts_add_up_to_the_cells_of_the_whole(tmp_path):
    generator = np.random.default_rng(3)
    n = 200
    frame = decisions(
        pl.DataFrame(
            {
                "confidence": generator.integers(0, 5, n) / 4,
                "fast_correct": generator.integers(0, 2, n),
                "strong_correct": generator.integers(0, 2, n),
                "fast_cost_usd": generator.integers(1, 9, n) / 8,
            }
        )
    )
    whole = log_of(frame, tmp_path).cells.sort(KEYS)
    parts = [log_of(part, tmp_path).cells for part in (frame[:77], frame[77:])]
    # eighths add exactly, so even the sums must be equal
    assert added(parts).select(whole.columns).sort(KEYS).equals(whole)
