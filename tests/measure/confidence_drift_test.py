"""The confidence over time against the rows themselves, and the later half against the earlier by scipy."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy import stats
from stores import WIDE, load

from analytics.logs.storage import tables
from analytics.measure.confidence_drift import confidence_by_step, drift, shift, stability_index

FIRST, LAST = dt.date(2026, 1, 5), dt.date(2026, 2, 28)


def rows(number=600, *, seed=0, fractional=False):
    chance = np.random.default_rng(seed)
    found = []
    for place in range(number):
        day = int(chance.integers(0, 55))
        c = round(float(chance.choice([0.5, 0.8, 0.9, 1.0])), 2)
        y = float(chance.random() < c - 0.002 * day)
        found.append(
            {
                **WIDE,
                "request_id": f"r{place}",
                "task_category": ("law", "maths")[place % 2],
                "ts": dt.datetime(2026, 1, 5) + dt.timedelta(days=day, hours=5),  # noqa: DTZ001 - UTC by schema
                "confidence": None if place % 50 == 0 else c,
                "fast_correct": None if place % 30 == 1 else (y + 0.5) / 2 if fractional else y,
            }
        )
    return found


@pytest.mark.parametrize("fractional", [False, True])
def test_every_step_is_what_its_rows_say(store, fractional):
    given = rows(fractional=fractional)
    load(store, "log", given, form="decisions")
    with store.cursor() as cursor:
        assert tables.of(cursor, "log", "decisions") != "decisions"
        found = drift(confidence_by_step(cursor, "log", first=FIRST, last=LAST))
    frame = pl.DataFrame(given).drop_nulls(["confidence", "fast_correct"])
    weeks = frame.group_by(pl.col("ts").dt.truncate("1w").cast(pl.Date).alias("day"))
    expected = weeks.agg("confidence", "fast_correct").sort("day")
    assert found["day"].to_list() == expected["day"].to_list()
    for row, c, y in zip(found.to_dicts(), expected["confidence"], expected["fast_correct"], strict=True):
        residual = c.to_numpy() - y.to_numpy()
        assert row["n"] == residual.size
        assert row["gap"] == pytest.approx(residual.mean(), abs=1e-12)
        assert row["brier"] == pytest.approx((residual**2).mean(), abs=1e-12)
        half = stats.norm.ppf(0.975) * (residual**2).std(ddof=1) / np.sqrt(residual.size)
        assert row["brier_high"] - row["brier"] == pytest.approx(half, rel=1e-9)
        if not fractional:
            side = stats.mannwhitneyu(c.to_numpy()[y == 1], c.to_numpy()[y == 0])
            assert row["auroc"] == pytest.approx(side.statistic / (y.sum() * (1 - y).sum()), abs=1e-12)


def test_filters_count(store):
    load(store, "log", rows(), form="decisions")
    span = {"first": FIRST, "last": LAST}
    with store.cursor() as cursor:
        whole = confidence_by_step(cursor, "log", **span)["n"].sum()
        law = confidence_by_step(cursor, "log", categories=["law"], **span)["n"].sum()
        maths = confidence_by_step(cursor, "log", categories=["maths"], **span)["n"].sum()
        other = confidence_by_step(cursor, "log", pair=("another", None), **span)
        predictive = confidence_by_step(cursor, "log", policy_kind="predictive", **span)
        arm = confidence_by_step(cursor, "log", arm="treatment", **span)
    assert law + maths == whole
    assert min(law, maths) > 0
    assert [frame.height for frame in (other, predictive, arm)] == [0, 0, 0]
    assert drift(other).is_empty()
    assert shift(other) is None


def test_few_answers_in_a_step_give_no_figure(store):
    load(store, "log", rows(60), form="decisions")
    with store.cursor() as cursor:
        found = drift(confidence_by_step(cursor, "log", first=FIRST, last=LAST))
    assert found["n"].max() < 30
    assert found["gap"].null_count() == found["brier"].null_count() == found.height


def test_the_later_half_is_compared_as_scipy_does(store):
    given = rows(2000, seed=4)
    load(store, "log", given, form="decisions")
    with store.cursor() as cursor:
        found = shift(confidence_by_step(cursor, "log", first=FIRST, last=LAST))
    assert found is not None
    frame = pl.DataFrame(given).drop_nulls(["confidence", "fast_correct"])
    frame = frame.with_columns(
        (pl.col("ts").dt.truncate("1w").cast(pl.Date) >= found.split).alias("later"),
        (pl.col("confidence") - pl.col("fast_correct")).alias("residual"),
    )
    before, after = (frame.filter(pl.col("later") == late) for late in (False, True))
    theirs = stats.ttest_ind(after["residual"].to_numpy(), before["residual"].to_numpy(), equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    got = (found.gap_change.low, found.gap_change.high)
    assert got == pytest.approx((interval.low, interval.high), rel=1e-9)
    ks = stats.ks_2samp(before["confidence"].to_numpy(), after["confidence"].to_numpy(), method="asymp")
    assert found.ks == pytest.approx(ks.statistic, abs=1e-12)
    assert abs(before.height - after.height) < 400


def test_stability_by_hand():
    # Shares 1/2, 1/2 and 1/4, 3/4: (-1/4) ln(1/2) + (1/4) ln(3/2).
    expected = 0.25 * np.log(2) + 0.25 * np.log(1.5)
    assert stability_index(np.array([10.0, 10.0]), np.array([10.0, 30.0])) == pytest.approx(expected)
    # A zero cell adds a half to each: 0.5 / 21 and 20.5 / 21 against 10.5 / 21 twice.
    first, second = np.array([0.5, 20.5]) / 21, np.array([0.5, 0.5])
    expected = ((second - first) * np.log(second / first)).sum()
    assert stability_index(np.array([0.0, 20.0]), np.array([10.0, 10.0])) == pytest.approx(expected)
