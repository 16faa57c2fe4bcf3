"""What ``make engines`` counts as a difference."""

import polars as pl
import pytest
from collapsing import expected
from feature_rows import feature_rows

from tests.engines.comparison import Difference, difference


@pytest.fixture(scope="module")
def cells() -> pl.DataFrame:
    return expected(feature_rows(60))


def test_cells_are_those_of_themselves_in_any_order(cells: pl.DataFrame) -> None:
    assert difference(cells.reverse(), cells) == Difference(cells.height, 0, 0, 0.0)


def test_another_count_another_key_and_another_sum_are_told_apart(cells: pl.DataFrame) -> None:
    size = pl.col("part") == "log"
    assert difference(cells.with_columns(n=pl.when(size).then(0).otherwise("n")), cells).counts == 1
    assert difference(cells.filter(~size), cells).missing == 1
    dearer = cells.with_columns(dearest=pl.col("dearest") * (1 + 1e-9))
    assert difference(dearer, cells).largest == pytest.approx(1e-9, rel=1e-3)
    unknown = cells.with_columns(dearest=pl.lit(None, pl.Float64))
    assert difference(unknown, cells).counts == cells.filter(part="dearest").height
