"""Resamples from cells against resamples of rows; picks from them against picks from rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from decisions import log_of

from analytics.errors import InsufficientDataError
from analytics.policy import CategoryPolicy, Default, Goal, ThresholdPolicy
from analytics.tuning.candidates import every_option, grid
from analytics.tuning.goals import tune
from analytics.tuning.log import select
from analytics.tuning.resampling import kinds, resamples
from analytics.tuning.stability import stability
from analytics.tuning.sums import SUM_NAMES

STRONG = ThresholdPolicy("cascade", Default("strong_only"), {})


def drawn(n, seed, *, categories=("a", "b"), fractional=False, missing=0.1):
    generator = np.random.default_rng(seed)
    confidence = generator.integers(1, 6, n) / 5
    fast = generator.random(n) < confidence
    strong = generator.random(n) < 0.85
    if fractional:
        fast, strong = fast * generator.random(n), strong * generator.random(n)
    cost = generator.gamma(2.0, 0.001, n)
    return {
        "task_category": generator.choice(categories, n),
        "confidence": np.where(generator.random(n) < missing, np.nan, confidence),
        "fast_correct": fast.astype(float),
        "strong_correct": strong.astype(float),
        "fast_cost_usd": cost,
        "strong_cost_usd": 5 * cost + generator.gamma(2.0, 0.005, n),
    }


def by_hand(rows, thresholds):
    """Correct answers and cost of fast only, each threshold, strong only; shape (4 or more, n)."""
    confidence = rows["confidence"]
    yf, ys, kf, ks = (
        rows[name] for name in ("fast_correct", "strong_correct", "fast_cost_usd", "strong_cost_usd")
    )
    correct, cost = [yf], [kf]
    for at in thresholds:
        kept = confidence >= at
        correct.append(np.where(kept, yf, ys))
        cost.append(np.where(kept, kf, kf + ks))
    return np.array([*correct, ys]), np.array([*cost, ks])


@pytest.mark.parametrize("fractional", [False, True])
def test_cells_resample_as_rows_do(tmp_path, fractional):
    """Drawing n rows with replacement has mean n m and variance n v, of totals and of their differences."""
    n, draws = 240, 4000
    rows = drawn(n, 7, categories=("a",), fractional=fractional)
    selection = select(log_of(rows, tmp_path))
    parts = [part["a"] for part in resamples(kinds(selection), selection, draws=draws, size=n, seed=2)]
    by_row = by_hand(rows, selection.levels["a"].confidence)
    for name, each in zip(("total", "cost"), by_row, strict=True):
        got = np.delete(np.concatenate([getattr(part.sums, name) for part in parts]), -2, axis=1)
        spread = np.sqrt(n) * each.std(axis=1)
        assert (np.abs(got.mean(axis=0) - each.sum(axis=1)) < 4 * spread / np.sqrt(draws)).all()
        # The standard error of a standard deviation is 1 / sqrt(2 draws) of it: 1.1%.
        assert got.std(axis=0) == pytest.approx(spread, rel=0.045)
        # What a pick depends on is how options differ: neighbouring ones share nearly all requests.
        between = np.sqrt(n) * np.diff(each, axis=0).std(axis=1)
        assert np.diff(got, axis=1).std(axis=0) == pytest.approx(between, rel=0.045)


@pytest.mark.parametrize("missing", ["escalate", "keep"])
def test_a_resample_of_exactly_the_log_has_the_figures_of_the_log(tmp_path, missing):
    """Counts in place of a draw, so that every total must be that of the ordinary sweep."""
    rows = drawn(400, 5) | {"fast_cost_usd": np.full(400, 0.001), "strong_cost_usd": np.full(400, 0.01)}
    selection = select(log_of(rows, tmp_path), missing=missing)
    found = kinds(selection)

    class Exactly:
        def multinomial(self, n, share, size):
            return np.tile(n * share, (size, 1))

        def standard_normal(self, shape):
            return np.zeros(shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "default_rng", lambda _: Exactly())
        (part,) = resamples(found, selection, draws=1, size=400, seed=0)
    for name, at in selection.levels.items():
        wanted = every_option(at, at.confidence, selection)
        got = part[name].of(0)
        for column in SUM_NAMES:
            if "squares" not in column:
                assert getattr(got, column) == pytest.approx(getattr(wanted, column)), column
        assert part[name].pairs[0] == pytest.approx(at.everywhere("pairs"))


def test_shadow_shares_and_missing_grades_resample_around_the_log(tmp_path):
    generator = np.random.default_rng(9)
    n = 4000
    rows = drawn(n, 9, categories=("a",), missing=0.0)
    kept = rows["confidence"] >= 0.6
    seen = ~kept | (generator.random(n) < 0.3)
    rows |= {
        "escalated": ~kept,
        "strong_correct": np.where(seen, rows["strong_correct"], np.nan),
        "strong_cost_usd": np.where(seen, rows["strong_cost_usd"], np.nan),
        "sampling_probability": np.where(kept, 0.3, 1.0),
    }
    selection = select(log_of(rows, tmp_path))
    assert selection.regimes["estimator"].to_list() == ["shadow_difference"]
    at = selection.levels["a"]
    wanted = every_option(at, at.confidence, selection)
    parts = [p["a"] for p in resamples(kinds(selection), selection, draws=500, size=n, seed=2)]
    right = np.concatenate([part.sums.total for part in parts])
    errors = right.std(axis=0) / np.sqrt(500)
    assert (np.abs(right.mean(axis=0) - wanted.total) < 5 * errors + 1e-9).all()
    # Horvitz-Thompson by hand: y_f + (seen / p) (y_s - y_f), resampled row by row.
    weight = np.where(kept, 1 / 0.3, 1.0)
    value = np.where(seen, rows["fast_correct"] + weight * (rows["strong_correct"] - rows["fast_correct"]),
                     rows["fast_correct"])  # fmt: skip
    value = np.where(kept, value, rows["strong_correct"])
    spread = np.std(value) * np.sqrt(n)
    assert right[:, -1].std() == pytest.approx(spread, rel=0.12)


def test_users_with_several_requests_widen_the_spread(tmp_path):
    rows = drawn(4000, 3, categories=("a",), missing=0.0)
    selection = select(log_of(rows, tmp_path))
    wide = replace(selection, accuracy_inflation=4.0)
    spread = [
        np.concatenate(
            [p["a"].sums.total[:, 2] for p in resamples(kinds(at), at, draws=2000, size=4000, seed=2)]
        ).std()
        for at in (selection, wide)
    ]
    assert spread[1] / spread[0] == pytest.approx(2.0, rel=0.08)


def test_what_resamples_pick_is_what_rows_pick(tmp_path):
    """The cheapest threshold within 5 points of always strong, by brute force over 1,000 row resamples."""
    rows = drawn(1200, 4, categories=("a",), missing=0.0)
    rows |= {"fast_cost_usd": np.full(1200, 0.001), "strong_cost_usd": np.full(1200, 0.01)}
    selection = select(log_of(rows, tmp_path))
    thresholds = selection.levels["a"].confidence
    correct, cost = by_hand(rows, thresholds)
    generator = np.random.default_rng(5)
    counts = np.zeros(correct.shape[0])
    missed = 0
    for _ in range(1000):
        some = generator.integers(0, 1200, 600)
        right, spent = correct[:, some].sum(axis=1), cost[:, some].sum(axis=1)
        reaching = np.flatnonzero(right >= right[-1] - 0.05 * 600 - 1e-9)
        at = reaching[np.lexsort((-right[reaching], spent[reaching]))[0]]
        counts[at] += 1 / 1000
        missed += correct[at].mean() < correct[-1].mean() - 0.05 - 1e-12
    found = stability(selection, Goal(margin=0.05), STRONG, draws=1000)
    got = dict(found.categories["a"].options.select("threshold", "share").iter_rows())
    # Fast only and the smallest threshold are one policy without missing confidences.
    for place, share in enumerate(counts):
        threshold = None if place in (0, 1, counts.size - 1) else float(thresholds[place - 1])
        if threshold is not None:
            assert got.get(threshold, 0.0) == pytest.approx(share, abs=0.07)
    assert found.misses == pytest.approx(missed / 1000, abs=0.07)
    assert found.unreachable == 0


def test_shares_add_up_and_the_policy_is_marked(tmp_path):
    selection = select(log_of(drawn(3000, 11), tmp_path))
    goal = Goal(margin=0.03)
    policy = tune(selection, goal).policy
    found = stability(selection, goal, policy, draws=60)
    assert found.resamples == 60
    assert found.requests == 1500
    for item in found.categories.values():
        assert item.options["share"].sum() + item.undecided == pytest.approx(1.0)
        assert item.options["chosen"].sum() == 1
        assert item.same == item.options.filter(pl.col("chosen"))["share"][0]
        assert item.low is None or item.low <= item.high
        assert item.misses is None


@pytest.mark.parametrize(
    "goal",
    [
        Goal(name="min-accuracy", min_accuracy=0.8),
        Goal(name="budget", budget_usd=0.01),
        Goal(name="value", value_usd=0.1),
        Goal(name="accuracy-per-dollar", min_accuracy=0.75),
        Goal(margin=0.03, scope="category"),
    ],
)
def test_every_goal_can_be_resampled(tmp_path, goal):
    selection = select(log_of(drawn(3000, 12), tmp_path))
    found = stability(selection, goal, tune(selection, goal).policy, draws=50)
    assert (found.misses is None) == (goal.name == "value")
    assert all((item.misses is None) == (goal.scope != "category") for item in found.categories.values())


def test_the_same_seed_gives_the_same_shares(tmp_path):
    selection = select(log_of(drawn(800, 13), tmp_path))
    first, second = (stability(selection, Goal(margin=0.03), STRONG, draws=50) for _ in range(2))
    assert first.misses == second.misses
    assert all(first.categories[name].options.equals(second.categories[name].options) for name in "ab")


def test_too_few_graded_pairs_are_said(tmp_path):
    selection = select(log_of(drawn(20, 14), tmp_path))
    with pytest.raises(InsufficientDataError):
        stability(selection, Goal(margin=0.03), STRONG)


def test_a_floor_out_of_reach_is_said(tmp_path):
    selection = select(log_of(drawn(800, 15), tmp_path))
    goal = Goal(name="min-accuracy", min_accuracy=0.999)
    with pytest.raises(InsufficientDataError, match="No resample"):
        stability(selection, goal, STRONG, draws=50)


def test_a_threshold_between_two_confidences_is_the_upper_one(tmp_path):
    selection = select(log_of(drawn(800, 16, categories=("a",)), tmp_path))
    policy = ThresholdPolicy("cascade", Default("strong_only"), {"a": CategoryPolicy("cascade", 0.55)})
    found = stability(selection, Goal(margin=0.03), policy, draws=50).categories["a"].options
    assert found.filter(pl.col("chosen"))["threshold"].to_list() == [0.6]


def test_the_picks_of_the_log_itself_are_those_of_the_ground(tmp_path):
    """The grid of a pick and that of its resamples have the same confidences, so positions agree."""
    selection = select(log_of(drawn(800, 17), tmp_path))
    ground = grid(selection, Goal(margin=0.03), folds=range(10))
    found = kinds(selection)
    for name, place in found.slots.items():
        assert place.stop - place.start == ground.all_rows[name].confidence.size + 1
