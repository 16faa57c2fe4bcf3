"""Sparse categories with one threshold: picked together, certified together, said with their names."""

import numpy as np
import pytest
from decisions import log_of

from analytics.errors import InsufficientDataError
from analytics.policy import Goal
from analytics.tuning.goals import tune
from analytics.tuning.log import select
from analytics.tuning.picking import pick

SPARSE = tuple(f"s{place}" for place in range(6))


def rows(each=24, seed=1, *, large=0):
    """Sparse categories of ``each`` requests: from 0.5 up the fast model is right, below the strong one."""
    generator = np.random.default_rng(seed)
    n = each * len(SPARSE) + large
    confidence = generator.integers(1, 21, n) / 20
    noise = generator.random(n) < 0.02
    return {
        "task_category": [*np.repeat(SPARSE, each), *["large"] * large],
        "confidence": confidence,
        "fast_correct": ((confidence >= 0.5) & ~noise).astype(int),
        "strong_correct": (~noise).astype(int),
        "fast_cost_usd": [0.001] * n,
        "strong_cost_usd": [0.02] * n,
    }


def test_categories_that_lack_data_share_the_threshold_of_their_group(tmp_path):
    selection = select(log_of(rows(), tmp_path))
    goal = Goal(name="value", value_usd=0.05)
    with pytest.raises(InsufficientDataError, match="24 graded pairs"):
        pick(selection, goal)
    found = pick(selection, Goal(name="value", value_usd=0.05, pool=True))
    assert {(choice.verdict, choice.threshold) for choice in found.choices.values()} == {("pooled", 0.5)}
    assert set(found.choices) == set(SPARSE)
    assert "s0, s1, s2, s3, s4, s5 (144 pairs together)" in found.choices["s0"].reason


def test_large_categories_keep_a_verdict_of_their_own(tmp_path):
    selection = select(log_of(rows(large=400), tmp_path))
    found = pick(selection, Goal(name="value", value_usd=0.05, pool=True)).choices
    assert found["large"].verdict == "estimated"
    assert found["s1"].verdict == "pooled"
    # The selection itself is as it was.
    assert set(selection.levels) == {"large", *SPARSE}


def test_a_group_is_certified_as_one_beside_the_categories_that_are_alone(tmp_path):
    selection = select(log_of(rows(each=40, large=800), tmp_path))
    got = tune(selection, Goal(margin=0.05, scope="category", pool=True))
    group = got.policy.categories["s0"]
    assert (group.verdict, group.route) == ("pooled", "cascade")
    assert group.certificate.n == 240
    assert group.certificate.error_share == pytest.approx(0.05 / 2)
    assert got.policy.categories["large"].verdict == "certified"
    assert got.policy.categories["large"].certificate.error_share == pytest.approx(0.05 / 2)
    alone = tune(selection, Goal(margin=0.05, scope="category"))
    assert alone.policy.categories["s0"].verdict == "insufficient_evidence"
    assert alone.policy.categories["large"].certificate.error_share == pytest.approx(0.05)
