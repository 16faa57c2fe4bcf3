"""The confidence over time from cells alone, against the rows that they were made of."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from analytics.collapse import local
from analytics.errors import NotIdentifiedError, SchemaError
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.schema import LATER_CELLS
from analytics.logs.store import Store
from analytics.measure.confidence_drift import confidence_by_step, drift, shift
from tests.collapse.wide_logs import START, wide_log, written

FIRST, LAST = START.date(), date(2026, 7, 31)
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"categories": ["math", "Uncategorised"]},
    {"pair": ("small", "large@high")},
    {"pair": ("small", None), "arm": "a"},
    {"policy_kind": "predictive"},
    {"policy_kind": "cascade", "categories": ["math"]},
)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(None) as opened:
        yield opened


def load(store: Store, dataset: str, *paths: Path) -> None:
    intake.load(store, dataset, list(paths), Answers())


def collapsed(store: Store, frame: pl.DataFrame, path: Path, *, dataset: str = "rows") -> Path:
    """The rows as a dataset, and a cells file of it."""
    load(store, dataset, written(frame, path.with_name(f"{dataset}-rows.parquet")))
    local.write(local.collapsed(store, dataset), path)
    return path


def steps(store: Store, dataset: str, **asked: Any) -> pl.DataFrame:
    period = {"first": FIRST, "last": LAST} | asked
    with store.cursor() as cursor:
        return confidence_by_step(cursor, dataset, **period)


def log(seed: int, rows: int = 1800) -> pl.DataFrame:
    """Two kinds of routing, some requests without a time, confidences of two decimals."""
    draw = np.random.default_rng(seed)
    frame = wide_log(rows, seed=seed, days=int(draw.integers(8, 30)))
    return frame.with_columns(
        policy_kind=pl.Series(np.where(draw.random(rows) < 0.2, "predictive", "cascade")),
        ts=frame["ts"].set(pl.Series(draw.random(rows) < 0.05), None),
    )


def require_same_shift(ours: pl.DataFrame, theirs: pl.DataFrame) -> None:
    first, second = shift(ours), shift(theirs)
    assert (first is None) == (second is None)
    if first is None or second is None:
        return
    assert first.split == second.split
    for name in ("p_value", "ks", "ks_p_value", "psi"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), rel=1e-9), name
    for name in ("value", "low", "high"):
        assert getattr(first.gap_change, name) == pytest.approx(getattr(second.gap_change, name), rel=1e-9)


@pytest.mark.parametrize(("seed", "ending"), [(1, "parquet"), (2, "csv"), (3, "parquet")])
def test_two_decimals_are_told_apart_as_by_the_rows(
    store: Store, tmp_path: Path, seed: int, ending: str
) -> None:
    load(store, "cells", collapsed(store, log(seed), tmp_path / f"cells.{ending}"))
    for asked in FILTERS:
        ours, theirs = (steps(store, name, **asked) for name in ("rows", "cells"))
        assert ours.height > 20
        assert_frame_equal(ours, theirs, rel_tol=1e-12)
        assert_frame_equal(drift(ours), drift(theirs), rel_tol=1e-9)
        require_same_shift(ours, theirs)


def test_fine_confidences_have_the_sums_of_the_rows_and_the_order_of_steps(
    store: Store, tmp_path: Path
) -> None:
    draw = np.random.default_rng(5)
    fine = draw.random(4000)
    frame = log(5, 4000).with_columns(
        confidence=pl.Series(fine), fast_correct=pl.Series((draw.random(4000) < fine).astype(float))
    )
    load(store, "cells", collapsed(store, frame, tmp_path / "cells.parquet"))
    found = drift(steps(store, "cells"))
    timed = frame.drop_nulls("ts").with_columns(day=pl.col("ts").dt.truncate("1w").cast(pl.Date))
    assert found.height > 2
    for row in found.iter_rows(named=True):
        mine = timed.filter(day=row["day"])
        residual = (mine["confidence"] - mine["fast_correct"]).to_numpy()
        assert row["n"] == residual.size
        assert row["gap"] == pytest.approx(residual.mean(), abs=1e-12)
        assert row["brier"] == pytest.approx((residual**2).mean(), rel=1e-12)
        right = mine["fast_correct"].to_numpy() == 1
        floored = np.floor(mine["confidence"].to_numpy() * 128)
        u = stats.mannwhitneyu(floored[right], floored[~right]).statistic
        assert row["auroc"] == pytest.approx(u / (right.sum() * (~right).sum()), abs=1e-12)


def test_sources_add_up(store: Store, tmp_path: Path) -> None:
    whole = log(4)
    parts = [whole[:700], whole[700:]]
    paths = [
        collapsed(store, part, tmp_path / f"{place}.parquet", dataset=f"part{place}")
        for place, part in enumerate(parts)
    ]
    load(store, "cells", *paths)
    load(store, "rows", written(whole, tmp_path / "all.parquet"))
    assert_frame_equal(steps(store, "rows"), steps(store, "cells"), rel_tol=1e-12)


def as_before(path: Path) -> Path:
    """A cells file as the first version wrote it."""
    frame = pl.read_parquet(path).filter(pl.col("part") != "confidence_days")
    frame.drop(LATER_CELLS).write_parquet(path)
    return path


def test_a_file_of_the_first_version_loads_and_says_what_it_lacks(store: Store, tmp_path: Path) -> None:
    early = as_before(collapsed(store, log(6), tmp_path / "early.parquet"))
    load(store, "cells", early)
    with pytest.raises(NotIdentifiedError, match="Make the cells file again"):
        steps(store, "cells")
    load(store, "cells", collapsed(store, wide_log(200, first=9000), tmp_path / "now.parquet", dataset="b"))
    with pytest.raises(NotIdentifiedError, match="some of its files"):
        steps(store, "cells")


def test_a_file_with_some_of_the_later_columns_was_changed(store: Store, tmp_path: Path) -> None:
    path = collapsed(store, log(7), tmp_path / "cells.parquet")
    pl.read_parquet(path).drop("residual_sq").write_parquet(path)
    with pytest.raises(SchemaError, match="lacks columns: residual_sq"):
        load(store, "cells", path)
