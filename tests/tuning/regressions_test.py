"""Regressions against counts by hand, scipy's binomial test and rows of a stored log."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from decisions import log_of
from scipy import stats

from analytics.logs.intake import load
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from analytics.tuning.log import read_log, select
from analytics.tuning.regressions import mcnemar, regressions, worsened_rows


def rows(n=400, seed=1):
    generator = np.random.default_rng(seed)
    return {
        "task_category": generator.choice(("law", "math"), n),
        "confidence": np.round(generator.random(n), 2),
        "fast_correct": (generator.random(n) < 0.6).astype(int),
        "strong_correct": (generator.random(n) < 0.8).astype(int),
    }


def test_counts_are_those_of_the_rows_and_the_test_is_scipy_s(tmp_path):
    table = rows()
    whole, *each = regressions(select(log_of(table, tmp_path)))
    fast, strong = table["fast_correct"], table["strong_correct"]
    assert (whole.pairs, whole.mended, whole.worsened) == (
        400,
        int(((fast == 0) & (strong == 1)).sum()),
        int(((fast == 1) & (strong == 0)).sum()),
    )
    assert whole.p_value == pytest.approx(
        stats.binomtest(whole.mended, whole.mended + whole.worsened, 0.5).pvalue
    )
    assert {item.task_category for item in each} == {"law", "math"}
    assert sum(item.worsened for item in each) == whole.worsened
    assert not whole.sampled


def test_without_a_difference_there_is_no_p_value():
    assert mcnemar(0, 0) is None
    # Fagerland et al. (2013), airway hyper-responsiveness: 1 and 7 differing pairs, exact .0703, mid-p .0391
    assert mcnemar(1, 7) == pytest.approx((0.0703, 0.0391), abs=5e-5)


@pytest.mark.parametrize("category", [None, "law"])
def test_the_rows_are_the_worsened_ones_of_the_selection(store: Store, tmp_path: Path, category) -> None:
    table = pl.DataFrame(rows()).with_columns(
        request_id=pl.Series([f"r{place}" for place in range(400)]),
        fast_model=pl.lit("small"),
        strong_model=pl.lit("big"),
    )
    table.write_csv(tmp_path / "log.csv")
    load(store, "log", [tmp_path / "log.csv"], Answers())
    chosen = select(read_log(store, "log"))
    found = worsened_rows(store, chosen, category=category)
    worse = table.filter(pl.col("fast_correct") > pl.col("strong_correct"))
    expected = worse if category is None else worse.filter(pl.col("task_category") == category)
    assert set(found["request_id"]) == set(expected["request_id"])
    assert found["confidence"].to_list() == sorted(found["confidence"], reverse=True)
    assert worsened_rows(store, chosen, most=3).height == 3


def test_hostile_names_are_data_and_not_sql(store: Store, tmp_path: Path) -> None:
    name = "x'); DROP TABLE decisions; --"
    table = pl.DataFrame(rows()).with_columns(
        request_id=pl.Series([f"r{place}" for place in range(400)]),
        task_category=pl.lit(name),
        fast_model=pl.lit("sm'all"),
        strong_model=pl.lit('b"ig'),
    )
    table.write_csv(tmp_path / "log.csv")
    load(store, "log", [tmp_path / "log.csv"], Answers())
    chosen = select(read_log(store, "log"))
    worse = table.filter(pl.col("fast_correct") > pl.col("strong_correct"))
    assert worsened_rows(store, chosen, category=name).height == worse.height
