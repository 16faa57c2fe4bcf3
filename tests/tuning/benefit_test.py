"""The gain of escalating by confidence: against rows, other implementations and a known truth."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from stores import WIDE, load

from analytics.logs.store import Store
from analytics.measure.graded import graded_answers
from analytics.measure.ranking import Weighted
from analytics.tuning import benefit
from analytics.tuning.benefit import Pairs, benefit_table, benefits, pairs, rise
from analytics.tuning.log import Selection, read_log, select


def selected(store: Store, rows: list[dict], name: str = "log") -> Selection:
    load(store, name, rows, form="decisions", file=f"{name}.csv")
    return select(read_log(store, name))


def replay(number: int, *, seed: int = 0, gain=lambda c: 0.9 - c) -> list[dict]:
    """Both outcomes on every row; the strong answer gains ``gain(confidence)`` on average."""
    chance = np.random.default_rng(seed)
    rows = []
    for place in range(number):
        c = float(chance.choice([0.5, 0.6, 0.7, 0.8, 0.9]))
        fast = float(chance.random() < 0.5)
        share = 0.5 + gain(c)
        rows.append(
            {
                **WIDE,
                "request_id": f"r{place}",
                "confidence": c,
                "fast_correct": fast,
                "strong_correct": float(chance.random() < share),
            }
        )
    return rows


def plain(c: np.ndarray, d: np.ndarray) -> Pairs:
    """Pairs of weight 1 from rows."""
    levels, place = np.unique(c, return_inverse=True)
    n, total, squares = (np.bincount(place, weights=w) for w in (np.ones_like(d), d, d**2))
    fold = np.zeros(levels.size, dtype=np.int64)
    gains = Weighted(n, n, total, total, squares)
    return Pairs(levels, n, gains, fold, np.arange(levels.size), np.stack([n, total]))


def test_every_bin_is_what_its_rows_say(store):
    rows = replay(500)
    found = benefit_table(pairs(selected(store, rows)))
    frame = pl.DataFrame(rows).with_columns((pl.col("strong_correct") - pl.col("fast_correct")).alias("d"))
    expected = frame.group_by("confidence").agg("d").sort("confidence")
    assert found["confidence"].to_list() == pytest.approx(expected["confidence"].to_list())
    for row, d in zip(found.to_dicts(), expected["d"], strict=True):
        won, lost, n = int((d > 0).sum()), int((d < 0).sum()), d.len()
        assert row["n"] == n
        assert row["gain"] == pytest.approx(d.mean(), abs=1e-12)
        # Agresti & Min (2005), equation 4: half a pair in each of the four cells.
        middle = (won - lost) / (n + 2)
        error = np.sqrt((won + lost + 1) - (won - lost) ** 2 / (n + 2)) / (n + 2)
        half = stats.norm.ppf(0.975) * error
        assert (row["low"], row["high"]) == pytest.approx((middle - half, middle + half), abs=1e-9)


def test_sampled_pairs_stand_for_the_requests_that_were_not_sampled(store):
    """Kept requests are sampled at 0.2: the weighted gain is right on average, by 200 samples of one log."""
    rows = replay(600, seed=3)
    whole = benefit_table(pairs(selected(store, rows)), bins=1)["gain"][0]
    chance, found = np.random.default_rng(4), []
    for sample in range(200):
        log = []
        for row in rows:
            escalated = row["confidence"] < 0.7
            seen = escalated or chance.random() < 0.2
            log.append(
                {
                    **row,
                    "escalated": escalated,
                    "sampling_probability": None if escalated else 0.2,
                    "strong_correct": row["strong_correct"] if seen else None,
                }
            )
        if sample == 0:
            selection = selected(store, log, "shadow")
            assert selection.regimes["estimator"].to_list() == ["shadow_difference"]
            got = pairs(selection)
            frame = pl.DataFrame(log).drop_nulls("strong_correct")
            w = frame["sampling_probability"].fill_null(1.0).to_numpy() ** -1
            d = (frame["strong_correct"] - frame["fast_correct"]).to_numpy()
            assert got.mean == pytest.approx((w * d).sum() / w.sum(), rel=1e-9)
            assert got.weighted
        frame = pl.DataFrame(log).drop_nulls("strong_correct")
        w = frame["sampling_probability"].fill_null(1.0).to_numpy() ** -1
        found.append((w * (frame["strong_correct"] - frame["fast_correct"]).to_numpy()).sum() / w.sum())
    assert np.mean(found) == pytest.approx(whole, abs=4 * np.std(found) / np.sqrt(200) + 0.002)


def test_shadow_answers_of_unknown_probability_are_left_out(store):
    rows = replay(300)
    for place, row in enumerate(rows):
        row["escalated"] = row["confidence"] < 0.7
        if not row["escalated"] and place % 2:
            row["strong_correct"] = None
    found = pairs(selected(store, rows))
    assert found.confidence.max() < 0.7
    kept = sum(not row["escalated"] and row["strong_correct"] is not None for row in rows)
    assert (found.left_out, round(found.n.sum())) == (kept, sum(row["escalated"] for row in rows))


def test_words_of_the_gain(store):
    rows = []
    for name, gain in (("falls", lambda c: 0.9 - c), ("rises", lambda c: c - 0.5), ("flat", lambda _: 0.2)):
        part = replay(1500, seed=len(name), gain=gain)
        rows += [{**row, "request_id": name + row["request_id"], "task_category": name} for row in part]
    few = replay(20)
    rows += [{**row, "request_id": "few" + row["request_id"], "task_category": "few"} for row in few]
    alone = [{**row, "strong_correct": None} for row in replay(20)]
    rows += [{**row, "request_id": "no" + row["request_id"], "task_category": "no pairs"} for row in alone]
    found = benefits(selected(store, rows))
    said = {name: entry.word for name, entry in found.items() if name is not None}
    assert said == {
        "falls": "falls",
        "flat": "flat",
        "few": "too_few",
        "no pairs": "unobserved",
        "rises": "rises",
    }
    assert {name for name, entry in found.items() if entry.several_thresholds} == {"rises"}
    empty = found["no pairs"]
    assert (empty.mean.value, empty.p_value, empty.bins.height) == (None, None, 0)


def test_a_dip_is_found_where_it_is(store):
    # The gain is 0.4 at 0.6 and 0.8, and nothing in between.
    gains = {0.5: 0.4, 0.6: 0.4, 0.7: 0.0, 0.8: 0.4, 0.9: 0.0}
    found = benefits(selected(store, replay(2000, gain=lambda c: gains[round(c, 1)])))["law"]
    assert found.several_thresholds
    assert (found.rise.below, found.rise.above) == ((0.7, 0.7), (0.8, 0.8))
    assert found.rise.size == pytest.approx(0.4, abs=0.1)


def test_the_falling_fit_is_scikit_learns():
    chance = np.random.default_rng(6)
    values, precision = chance.normal(size=(20, 7)), chance.uniform(0.5, 4, 7)
    found = benefit._distance(values, precision)
    for row, distance in zip(values, found, strict=True):
        fit = IsotonicRegression(increasing=False).fit_transform(np.arange(7), row, sample_weight=precision)
        assert distance == pytest.approx((precision * (row - fit) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("slope", [0.0, -0.5])
def test_a_gain_that_does_not_rise_is_called_rising_as_rarely_as_the_level_says(slope):
    chance, called = np.random.default_rng(7), 0
    for _ in range(400):
        c = chance.choice(np.arange(50, 100, 5) / 100, 800)
        d = (chance.random(800) < 0.5 + slope * (c - 0.5)).astype(float) - (chance.random(800) < 0.2)
        p_value = rise(benefit_table(plain(c, d))).p_value
        assert p_value is not None
        called += p_value < 0.05
    assert called / 400 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


def test_intervals_of_the_gain_cover_the_truth():
    chance, covered, bins = np.random.default_rng(8), 0, 0
    for _ in range(400):
        c = chance.choice([0.6, 0.9], 60)
        d = (chance.random(60) < 0.1).astype(float) - (chance.random(60) < 0.02)
        table = benefit_table(plain(c, d))
        covered += ((table["low"] <= 0.08) & (table["high"] >= 0.08)).sum()
        bins += table.height
    assert covered / bins >= 0.94


def test_answers_of_one_user_count_less(store):
    rows = [{**row, "unit_id": f"u{place % 60}"} for place, row in enumerate(replay(1200))]
    for row in rows:
        row["strong_correct"] = float(int(row["unit_id"][1:]) % 2)
    found = pairs(selected(store, rows))
    assert found.clustered
    assert found.inflation > 3
    assert graded_answers([0.5], [1]).inflation(np.zeros(1), np.ones(1)) == 1.0
