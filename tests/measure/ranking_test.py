"""Ranking and its test against other implementations and a known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analytics.measure.calibration import auroc
from analytics.measure.graded import graded, graded_answers
from analytics.measure.multiplicity import holm
from analytics.measure.ranking import (
    Weighted,
    auroc_estimate,
    delong_variance,
    selective,
    signal,
    trend_z,
)
from analytics.measure.reliability import midranks

grades = st.lists(
    st.tuples(st.sampled_from([0.1, 0.5, 0.9, 0.95, 1.0]), st.integers(0, 1)), min_size=4, max_size=40
)


@given(grades)
def test_the_trend_test_of_ranks_is_mann_whitneys(rows):
    c, y = np.array(rows, dtype=float).T
    answers = graded_answers(c, y)
    z = trend_z(
        Weighted(answers.n, answers.n, answers.total, answers.total, answers.squares), midranks(answers.n)
    )
    if answers.confidence.size == 1 or not 0 < y.sum() < y.size:
        assert z is None
        return
    theirs = stats.mannwhitneyu(c[y == 1], c[y == 0], use_continuity=False, method="asymptotic")
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-12)
    assert auroc(answers.total, answers.n - answers.total) == pytest.approx(
        theirs.statistic / (y.sum() * (1 - y).sum()), rel=1e-12
    )


@given(grades)
def test_delongs_variance_is_that_of_pairs(rows):
    c, y = np.array(rows, dtype=float).T
    answers = graded_answers(c, y)
    right, wrong = c[y == 1], c[y == 0]
    if min(right.size, wrong.size) < 2:
        assert not delong_variance(answers)
        return
    above = (right[:, None] > wrong[None, :]) + 0.5 * (right[:, None] == wrong[None, :])
    expected = above.mean(1).var(ddof=1) / right.size + above.mean(0).var(ddof=1) / wrong.size
    assert delong_variance(answers) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_weighted_trend_is_that_of_rows_written_out():
    chance = np.random.default_rng(0)
    score, d, w = (
        chance.integers(0, 5, 60).astype(float),
        chance.integers(-1, 2, 60),
        chance.uniform(1, 9, 60),
    )
    found = trend_z(Weighted(w, w**2, w * d, w**2 * d, w**2 * d.astype(float) ** 2), score)
    # By rows: sum of w (s - mean s)(d - mean d) over its standard deviation where d does not depend on s.
    centred, mean = score - (w * score).sum() / w.sum(), (w * d).sum() / w.sum()
    rows = w.sum() ** 2 / (w**2).sum()
    variance = (w**2 * (d - mean) ** 2).sum() / (w**2).sum() * rows / (rows - 1) * (w**2 * centred**2).sum()
    assert found == pytest.approx((w * centred * (d - mean)).sum() / np.sqrt(variance), rel=1e-9)


def test_ties_in_selective_risk_are_averaged_over_their_orders():
    # Wrong, right | right, wrong, with the first two tied at 0.9 and the others at 0.4. Orders of a tie:
    # errors after 1, 2, 3, 4 answers are (1|0, 1, 1|2, 2), so on average (.5/1 + 1/2 + 1.5/3 + 2/4) / 4.
    found = selective(graded_answers([0.9, 0.9, 0.4, 0.4], [0, 1, 1, 0]))
    assert found.aurc == pytest.approx((0.5 + 0.5 + 0.5 + 0.5) / 4)
    assert found.augrc == pytest.approx((0.5 + 1 + 1.5 + 2) / 16)
    assert found.optimal == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_holms_adjustment_is_that_of_statsmodels(p_values):
    asked = [p for p in p_values if p is not None]
    found = [p for p in holm(p_values) if p is not None]
    assert [p is None for p in holm(p_values)] == [p is None for p in p_values]
    if asked:
        assert found == pytest.approx(list(multipletests(asked, method="holm")[1]), abs=1e-12)


def test_the_interval_of_the_auroc_covers_the_truth():
    """2,000 logs of 150 answers: the truth is that of a large population."""
    chance = np.random.default_rng(11)
    c = chance.integers(50, 101, 1_000_000) / 100
    y = (chance.random(c.size) < 0.2 + 0.6 * c).astype(float)
    population = graded_answers(c, y)
    truth = auroc(population.total, population.n - population.total)
    assert truth is not None
    covered = 0
    for start in range(0, 2000 * 150, 150):
        found = auroc_estimate(graded_answers(c[start : start + 150], y[start : start + 150]))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.935 <= covered / 2000 <= 0.97


def test_no_signal_is_called_one_as_rarely_as_the_level_says():
    chance = np.random.default_rng(12)
    called = 0
    for _ in range(2000):
        c, y = chance.choice([0.8, 0.9, 0.95, 1.0], 200), (chance.random(200) < 0.7).astype(float)
        p_value = signal(graded_answers(c, y)).p_value
        assert p_value is not None
        called += p_value < 0.05
    assert abs(called / 2000 - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 2000)


def test_words_of_a_signal():
    chance = np.random.default_rng(13)
    c = chance.integers(0, 101, 20_000) / 100
    ranked = (chance.random(c.size) < c).astype(float)
    drawn = (chance.random(c.size) < 0.5).astype(float)
    for y, word in ((ranked, "signal"), (1 - ranked, "reversed"), (drawn, "none")):
        found = signal(graded_answers(c, y))
        assert found.word(found.p_value) == word
    few = signal(graded_answers(c[:60], drawn[:60]))
    assert few.word(few.p_value) == "unseen"
    constant = signal(graded_answers(np.full(60, 0.9), drawn[:60]))
    assert (constant.auroc.value, constant.word(constant.p_value)) == (0.5, "constant")
    for rows in (3, 25):
        tiny = signal(graded_answers(c[:rows], drawn[:rows]))
        assert (tiny.p_value, tiny.word(tiny.p_value)) == (None, "too_few")
    one_sided = signal(graded_answers(c[:100], np.ones(100)))
    assert one_sided.word(one_sided.p_value) == "too_few"


def test_a_perfect_ranking_has_no_interval():
    found = auroc_estimate(graded_answers([0.1] * 20 + [0.9] * 20, [0] * 20 + [1] * 20))
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_several_answers_of_a_user_widen_every_interval():
    """Users with 40 equal answers each: as much is known as from one answer per user."""
    chance = np.random.default_rng(14)
    covered, narrow = 0, 0
    for _ in range(300):
        c, fold = chance.integers(50, 100, 200) / 100, chance.integers(0, 20, 200)
        y = (chance.random(200) < c).astype(float)
        rows = [np.repeat(values, 40) for values in (c, y, fold)]
        honest = auroc_estimate(graded_answers(rows[0], rows[1], fold=rows[2].astype(int), clustered=True))
        naive = auroc_estimate(graded_answers(rows[0], rows[1]))
        # The truth for uniform confidences on [.5, 1) in steps of .01, calibrated.
        grid = np.arange(50, 100) / 100
        truth = auroc(grid, 1 - grid)
        assert truth is not None
        covered += honest.low <= truth <= honest.high
        narrow += naive.low <= truth <= naive.high
    assert covered / 300 > 0.9
    assert narrow / 300 < 0.5


def test_answers_come_from_contributions_without_missing_confidences():
    import polars as pl  # noqa: PLC0415

    rows = pl.DataFrame(
        {
            "fold": [0, 3, 3, 5],
            "confidence": [0.5, 0.5, None, 0.9],
            "fast_right": [1.0, 2.0, 5.0, 0.0],
            "fast_wrong": [1.0, 0.0, 5.0, 0.0],
            "keep_sum": [1.0, 2.0, 5.0, 0.0],
            "keep_sq": [1.0, 2.0, 5.0, 0.0],
        }
    )
    found = graded(rows)
    # Level 0.9 has no graded answer, and the third row no confidence.
    assert (found.confidence.tolist(), found.n.tolist(), found.total.tolist()) == ([0.5], [4.0], [3.0])
    assert found.within([3]).n.tolist() == [2.0]
