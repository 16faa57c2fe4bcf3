"""Cells files load like a log, and the log that they give is the one that was collapsed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.collapse import local
from analytics.errors import SchemaError, TiertuneError
from analytics.logs import intake, recovery
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage import tables
from analytics.logs.storage.tables import RowsElsewhereError
from analytics.logs.store import Store
from analytics.policy import Goal
from analytics.tuning.goals import tune
from analytics.tuning.log import read_log, select
from tests.collapse.same import require_same_log, require_same_tiers
from tests.collapse.wide_logs import START, wide_log, written

NOTHING = Answers()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "logs.duckdb") as opened:
        yield opened


def load(store: Store, dataset: str, *paths: Path) -> None:
    intake.load(store, dataset, list(paths), NOTHING)


def collapsed(store: Store, frame: pl.DataFrame, path: Path, *, dataset: str = "rows") -> Path:
    """The rows as a dataset, and a cells file of it."""
    load(store, dataset, written(frame, path.with_name(f"{dataset}-rows.parquet")))
    local.write(local.collapsed(store, dataset), path)
    return path


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_log_is_the_one_that_was_collapsed(store: Store, tmp_path: Path, ending: str) -> None:
    frame = wide_log(800).with_columns(
        task_category=pl.when(pl.int_range(800) < 90).then(pl.lit("=1+1")).otherwise("task_category"),
        segment=pl.lit("'=x"),
    )
    load(store, "cells", collapsed(store, frame, tmp_path / f"cells.{ending}"))
    require_same_log(store, "rows", "cells")
    require_same_tiers(store, "rows", "cells")


def test_policy_is_the_same(store: Store, tmp_path: Path) -> None:
    frame = wide_log(3000, users=3000).with_columns(
        fast_correct=(pl.col("confidence").fill_null(0.0) * 7 % 1 < 0.8).cast(pl.Float64),
        strong_correct=pl.lit(1.0),
        sampling_probability=None,
        threshold=0.6,
    )
    load(store, "cells", collapsed(store, frame, tmp_path / "cells.parquet"))
    goal = Goal("non-inferior", margin=0.05)
    ours, theirs = (tune(select(read_log(store, name), arm="a"), goal) for name in ("rows", "cells"))
    assert theirs.policy.categories == ours.policy.categories
    assert theirs.policy.overall == ours.policy.overall


def test_sources_add_up(store: Store, tmp_path: Path) -> None:
    frame = wide_log(1000)
    user = pl.col("unit_id").fill_null(pl.col("request_id")).str.slice(1).cast(pl.Int64)
    parts = [frame.filter(user % 2 == half) for half in (0, 1)]
    paths = [
        collapsed(store, part, tmp_path / f"{half}.parquet", dataset=f"part{half}")
        for half, part in enumerate(parts)
    ]
    load(store, "cells", *paths)
    load(store, "rows", written(frame, tmp_path / "all.parquet"))
    ours, theirs = read_log(store, "rows"), read_log(store, "cells")
    assert_frame_equal(ours.cells, theirs.cells, check_row_order=False, rel_tol=1e-12)
    assert theirs.facts.requests == ours.facts.requests == 1000
    assert theirs.facts.units == ours.facts.units
    require_same_tiers(store, "rows", "cells")
    load(store, "cells", paths[0])
    assert read_log(store, "cells").facts.requests == 1000


def test_thresholds_in_force_are_told(store: Store, tmp_path: Path) -> None:
    frame = wide_log(900).with_columns(threshold=pl.when(pl.int_range(900) < 500).then(0.6).otherwise(0.7))
    load(store, "cells", collapsed(store, frame, tmp_path / "cells.parquet"))
    ours, theirs = (read_log(store, name).in_force for name in ("rows", "cells"))
    assert_frame_equal(ours, theirs.select(ours.columns))
    assert ours["threshold"].to_list() == [0.7] * ours.height
    assert (ours["distinct_thresholds"] == 2).all()


def test_what_needs_rows_says_so(store: Store, tmp_path: Path) -> None:
    load(store, "cells", collapsed(store, wide_log(300), tmp_path / "cells.parquet"))
    with store.cursor() as cursor, pytest.raises(RowsElsewhereError):
        tables.of(cursor, "cells", "decisions")
    for asked in ({"since": START}, {"holdout": "time"}):
        with pytest.raises(TiertuneError):
            read_log(store, "cells", **asked)  # type: ignore[arg-type]
    assert not store.reachable("cells")
    assert store.folder("cells") is None


def test_rows_and_sums_do_not_mix(store: Store, tmp_path: Path) -> None:
    path = collapsed(store, wide_log(300), tmp_path / "cells.parquet")
    with pytest.raises(SchemaError, match="sums over a log"):
        load(store, "rows", path)
    load(store, "cells", path)
    with pytest.raises(SchemaError, match="one row per request"):
        load(store, "cells", written(wide_log(5, first=7000), tmp_path / "few.parquet"))
    grades = written(pl.DataFrame({"request_id": ["r1"], "correct": [1.0]}), tmp_path / "grades.parquet")
    with pytest.raises(TiertuneError):
        intake.load(store, "cells", [grades], Answers(dialect="grades"))


def test_file_is_taken_back_and_built_again(tmp_path: Path) -> None:
    database = tmp_path / "kept.duckdb"
    with Store.open(database) as store:
        path = collapsed(store, wide_log(300), tmp_path / "cells.parquet")
        other = collapsed(store, wide_log(200, first=900), tmp_path / "other.parquet", dataset="more")
        load(store, "cells", path, other)
        expected = read_log(store, "cells")
        store.take_back("cells", store.files("cells")["file_id"][1])
        assert read_log(store, "cells").facts.requests == 300
        load(store, "cells", other)
    database.write_bytes(b"broken" * 1000)
    with Store.open(database) as store:
        recovery.recover(store)
        found = read_log(store, "cells")
    assert_frame_equal(found.cells, expected.cells, check_row_order=False)


BROKEN = {
    "no known part": pl.lit("sums").alias("part"),
    "no cells file of layout": pl.lit(2).cast(pl.Int64).alias("tiertune_cells"),
    "n outside 0": pl.lit(-1).cast(pl.Int64).alias("n"),
    "fast_cost_sum is not finite": pl.lit(float("inf")).alias("fast_cost_sum"),
    "confidence outside 0 to 1": pl.lit(1.5).alias("confidence"),
    "fold outside 0 to 19": pl.lit(20).cast(pl.Int64).alias("fold"),
}


@pytest.mark.parametrize("reason", list(BROKEN))
def test_broken_sums_are_refused(store: Store, tmp_path: Path, reason: str) -> None:
    path = collapsed(store, wide_log(200), tmp_path / "cells.parquet")
    pl.read_parquet(path).with_columns(BROKEN[reason]).write_parquet(path)
    with pytest.raises(SchemaError, match=reason):
        load(store, "cells", path)
    assert "cells" not in store.datasets()["name"]


def test_file_without_a_column_is_refused(store: Store, tmp_path: Path) -> None:
    path = collapsed(store, wide_log(200), tmp_path / "cells.parquet")
    pl.read_parquet(path).drop("cost_x", "route").write_parquet(path)
    with pytest.raises(SchemaError, match="lacks columns: route, cost_x"):
        load(store, "cells", path)


def test_cells_of_cells_are_the_same(store: Store, tmp_path: Path) -> None:
    path = collapsed(store, wide_log(500), tmp_path / "cells.parquet")
    load(store, "cells", path)
    again = tmp_path / "again.parquet"
    local.write(local.collapsed(store, "cells"), again)
    load(store, "again", again)
    ours, theirs = (read_log(store, name) for name in ("cells", "again"))
    assert_frame_equal(ours.cells, theirs.cells, check_row_order=False)
    assert replace(theirs.facts, log_sha256="") == replace(ours.facts, log_sha256="")
