"""All curves at once, and cells that keep only what a question needs."""

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from decisions import decisions, log_of
from polars.testing import assert_frame_equal

from analytics.tuning.cells import added, cells
from analytics.tuning.curve import curve, curves
from analytics.tuning.log import select


def rows(n=300):
    generator = np.random.default_rng(17)
    category = generator.integers(0, 4, n)
    return pl.DataFrame(
        {
            "task_category": [None if c == 3 else f"category {c}" for c in category],
            "confidence": [None if c > 20 else c / 20 for c in generator.integers(0, 22, n)],
            "fast_correct": generator.integers(0, 2, n),
            "strong_correct": [None if x == 0 else x % 2 for x in generator.integers(0, 9, n)],
            "fast_cost_usd": generator.random(n) / 1000,
            "strong_cost_usd": generator.random(n) / 100,
            "fast_latency_s": 1 + generator.random(n),
            "strong_latency_s": 5 + generator.random(n),
            "threshold": [0.6] * n,
        }
    )


@pytest.mark.parametrize("missing", ["escalate", "keep", "exclude"])
def test_all_curves_at_once_are_the_curves_one_by_one(missing, tmp_path):
    selection = select(log_of(rows(), tmp_path), missing=missing)
    found = curves(selection)
    assert list(found) == ["Uncategorised", "category 0", "category 1", "category 2"]
    for name, got in found.items():
        alone = curve(select(log_of(rows(), tmp_path), missing=missing), category=name)
        assert_frame_equal(got.points, alone.points, rel_tol=1e-12)
        for figure in ("n", "graded_n", "pairs", "missing_confidence", "estimator", "reasons"):
            assert getattr(got, figure) == getattr(alone, figure)
        for point in ("fast_only", "strong_only", "oracle", "in_force"):
            ours, theirs = getattr(got, point), getattr(alone, point)
            assert ours.accuracy.value == theirs.accuracy.value
            assert ours.cost_per_request_usd.value == pytest.approx(theirs.cost_per_request_usd.value)
            assert ours.latency_p95_s == theirs.latency_p95_s


def test_a_log_without_requests_has_no_curves(tmp_path):
    assert curves(select(log_of(rows().clear(), tmp_path))) == {}


def test_coarser_cells_are_the_sums_of_the_fine_ones(tmp_path):
    path = Path(tmp_path) / "rows.parquet"
    decisions(rows()).write_parquet(path)
    keys, sums = ["task_category", "confidence"], ["n", "fast_correct_sum"]
    with duckdb.connect() as connection:
        fine = cells(connection.cursor(), path)
        coarse = cells(connection.cursor(), path, keys=keys, sums=sums)
    assert coarse.columns == [*keys, *sums]
    expected = added([fine.select(*keys, *sums)])
    assert_frame_equal(coarse.sort(keys), expected.sort(keys), check_exact=True)


def test_a_column_that_cells_lack_is_refused(tmp_path):
    path = Path(tmp_path) / "rows.parquet"
    decisions(rows()).write_parquet(path)
    with duckdb.connect() as connection, pytest.raises(ValueError, match="cells have no columns speed"):
        cells(connection.cursor(), path, sums=["speed"])
