"""Suspicious logs with a known fault are flagged, honest ones are not; p-values against scipy."""

import numpy as np
import pytest
from decisions import log_of
from scipy import stats

from analytics.measure.suspicions import suspicions
from analytics.tuning.log import select


def honest(n=4000, seed=1, **changes):
    """Hard requests are hard for both models; the strong one is better; all are graded."""
    generator = np.random.default_rng(seed)
    ease = generator.random(n)
    confidence = np.round(np.clip(ease + generator.normal(0, 0.1, n), 0, 1), 2)
    rows = {
        "task_category": generator.choice(("a", "b"), n),
        "confidence": confidence,
        "fast_correct": (ease > 0.4).astype(int),
        "strong_correct": ((ease > 0.2) & (generator.random(n) < 0.95)).astype(int),
    }
    return rows | changes


def kinds(folder, rows):
    return {item.kind: item for item in suspicions(select(log_of(rows, folder)))}


def test_an_honest_log_raises_no_suspicion(tmp_path):
    assert kinds(tmp_path, honest()) == {}


def test_answers_that_belong_to_other_requests_are_noticed(tmp_path):
    rows = honest()
    rows["strong_correct"] = np.random.default_rng(2).permutation(rows["strong_correct"])
    found = kinds(tmp_path, rows)["misaligned"]
    correlation = np.corrcoef(rows["fast_correct"], rows["strong_correct"])[0, 1]
    assert f"correlation {correlation:.2f}" in found.body


def test_few_pairs_do_not_pass_for_misaligned(tmp_path):
    rows = honest(n=350)
    rows["strong_correct"] = np.random.default_rng(2).permutation(rows["strong_correct"])
    assert "misaligned" not in kinds(tmp_path, rows)


def test_a_strong_model_that_is_worse_is_named_by_category_and_not_by_chance(tmp_path):
    rows = honest()
    swapped = rows["task_category"] == "b"
    fast, strong = rows["fast_correct"], rows["strong_correct"]
    rows["fast_correct"] = np.where(swapped, strong, fast)
    rows["strong_correct"] = np.where(swapped, fast, strong)
    found = kinds(tmp_path, rows)["strong_worse"]
    assert found.categories == ("b",)
    lost = int(((rows["strong_correct"] > rows["fast_correct"]) & swapped).sum())
    won = int(((rows["strong_correct"] < rows["fast_correct"]) & swapped).sum())
    assert stats.binomtest(lost, lost + won, alternative="less").pvalue < 0.005


def test_equal_models_are_called_worse_in_one_log_of_a_hundred_at_most(tmp_path):
    flagged = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        rows = {
            "task_category": generator.choice(("a", "b", "c"), 900),
            "confidence": np.round(generator.random(900), 1),
            "fast_correct": (generator.random(900) < 0.7).astype(int),
            "strong_correct": (generator.random(900) < 0.7).astype(int),
        }
        flagged += "strong_worse" in kinds(tmp_path, rows)
    assert flagged <= stats.binom.ppf(0.999, 60, 0.01)


@pytest.mark.parametrize("right", [True, False])
def test_propensities_are_weighed_against_what_happened(tmp_path, right):
    generator = np.random.default_rng(3)
    n = 5000
    chance = generator.choice((0.1, 0.3, 0.6), n)
    escalated = generator.random(n) < (chance if right else chance**2)
    taken = np.where(escalated, chance, 1 - chance)
    rows = honest(n, escalated=escalated, propensity=taken)
    found = kinds(tmp_path, rows)
    assert ("propensity" in found) != right
    if not right:
        weighted = (1 / chance[escalated]).sum()
        assert f"{weighted:,.0f} requests were escalated, and 5,000 should" in found["propensity"].body


def test_grades_that_are_missing_where_confidence_is_low_are_said(tmp_path):
    generator = np.random.default_rng(4)
    rows = honest()
    seen = generator.random(4000) < 0.5 + 0.4 * rows["confidence"]
    for name in ("fast_correct", "strong_correct"):
        rows[name] = np.where(seen, rows[name], np.nan)
    assert "where confidence is low" in kinds(tmp_path, rows)["selective_grades"].title
    rows = honest()
    seen = generator.random(4000) < 0.7
    for name in ("fast_correct", "strong_correct"):
        rows[name] = np.where(seen, rows[name], np.nan)
    assert "selective_grades" not in kinds(tmp_path, rows)


@pytest.mark.parametrize(("values", "said"), [((0.0, 1.0), "two values"), ((0.5,), "one value")])
def test_a_confidence_that_is_a_verdict_is_noticed(tmp_path, values, said):
    rows = honest()
    rows["confidence"] = np.random.default_rng(5).choice(values, 4000)
    assert said in kinds(tmp_path, rows)["few_values"].title
