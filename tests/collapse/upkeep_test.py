"""The kept cells of a large dataset say what its rows say, whatever happens to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.collapse import keeping, parts
from analytics.collapse.local import collapsed
from analytics.collapse.parts import NOT_KEPT
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage import tables
from analytics.logs.store import Store
from analytics.tuning.log import read_log
from tests.collapse.same import require_same_log, require_same_tiers
from tests.collapse.wide_logs import wide_log, written

PARTS = [wide_log(500, seed=place, first=place * 500) for place in range(3)]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(None) as opened:
        yield opened


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The relations whose cells are made, in order; datasets from 600 rows on count as large."""
    monkeypatch.setattr(tables, "LARGE", 600)
    made: list[str] = []
    add = keeping.add
    monkeypatch.setattr(keeping, "add", lambda *a, **k: (made.append(k["log"]), add(*a, **k)))
    return made


def load(store: Store, dataset: str, frame: pl.DataFrame, path: Path) -> str:
    intake.load(store, dataset, [written(frame, path)], Answers())
    return str(store.files(dataset)["file_id"][-1])


def require_same(store: Store, monkeypatch: pytest.MonkeyPatch, frame: pl.DataFrame, path: Path) -> None:
    """The large dataset against the same rows in one that keeps no cells."""
    read_log(store, "large")
    with store.cursor() as cursor:
        assert tables.kept_cells(cursor, "large") is not None
    with monkeypatch.context() as patched:
        patched.setattr(tables, "LARGE", 10**9)
        load(store, "rows", frame, path)
        require_same_log(store, "rows", "large")
        require_same_tiers(store, "rows", "large")


def test_small_datasets_keep_none(store: Store, tmp_path: Path, sums: list[str]) -> None:
    load(store, "large", PARTS[0], tmp_path / "0.parquet")
    read_log(store, "large")
    assert sums == []


def test_files_are_added(
    store: Store, tmp_path: Path, sums: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (0, 1):
        load(store, "large", PARTS[place], tmp_path / f"{place}.parquet")
    assert sums == []
    read_log(store, "large")
    read_log(store, "large")
    assert len(sums) == 1
    file_id = load(store, "large", PARTS[2], tmp_path / "2.parquet")
    assert len(sums) == 2
    require_same(store, monkeypatch, pl.concat(PARTS), tmp_path / "all.parquet")
    assert len(sums) == 2
    assert file_id in sums[1]


def test_what_is_not_kept_is_made_of_the_rows(store: Store, tmp_path: Path, sums: list[str]) -> None:
    for place in (0, 1):
        load(store, "large", PARTS[place], tmp_path / f"{place}.parquet")
    rows = collapsed(store, "large")
    read_log(store, "large")
    assert len(sums) == 1
    kept = collapsed(store, "large")
    for name in NOT_KEPT:
        keys, values = parts.PARTS[name].keys, parts.PARTS[name].values
        expected, found = (
            frame.filter(part=name).select(*keys, *values).sort(keys) for frame in (rows, kept)
        )
        assert expected.height > 1
        assert_frame_equal(expected, found, rel_tol=1e-12)


def test_cells_are_merged_while_files_come(
    store: Store, tmp_path: Path, sums: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_SOURCES", 1)
    merged: list[int] = []
    merge = keeping._merge
    monkeypatch.setattr(keeping, "_merge", lambda *a: (merged.append(len(sums)), merge(*a)))
    later = [wide_log(100, seed=place, first=2000 + place * 100) for place in range(4)]
    load(store, "large", pl.concat(PARTS), tmp_path / "all-before.parquet")
    read_log(store, "large")
    for place, frame in enumerate(later):
        load(store, "large", frame, tmp_path / f"{place}.parquet")
        assert read_log(store, "large").facts.rows == 1500 + (place + 1) * 100
    assert len(sums) == 5
    require_same(store, monkeypatch, pl.concat([*PARTS, *later]), tmp_path / "all.parquet")
    store.close()
    assert merged


def test_overlapping_rows_count_once(
    store: Store, tmp_path: Path, sums: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pl.concat(PARTS)
    load(store, "large", whole[:900], tmp_path / "0.parquet")
    read_log(store, "large")
    load(store, "large", whole[700:], tmp_path / "1.parquet")
    require_same(store, monkeypatch, whole, tmp_path / "all.parquet")
    assert len(sums) == 2


def test_pairs_of_one_request_in_two_files(
    store: Store, tmp_path: Path, sums: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pl.concat(PARTS[:2])
    second = first.with_columns(fast_model=pl.lit("medium"))
    load(store, "large", first, tmp_path / "0.parquet")
    read_log(store, "large")
    load(store, "large", second, tmp_path / "1.parquet")
    require_same(store, monkeypatch, pl.concat([first, second]), tmp_path / "all.parquet")
    assert len(sums) == 2


CHANGES: dict[str, tuple[Callable[[Store, str], object], int]] = {
    "rename and back": (lambda store, _: (store.rename("large", "x"), store.rename("x", "large")), 1),
    "tier": (lambda store, _: store.set_tier("large", "small", "frontier"), 1),
    "take back": (lambda store, last: store.take_back("large", last), 2),
    "reprice": (lambda store, _: store.reprice("large", of="all"), 2),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_other_changes_have_them_made_anew(
    store: Store, tmp_path: Path, sums: list[str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    for place in (0, 1):
        load(store, "large", PARTS[place], tmp_path / f"{place}.parquet")
    last = load(store, "large", PARTS[2], tmp_path / "2.parquet")
    read_log(store, "large")
    made, times = CHANGES[change]
    made(store, last)
    left = PARTS[:2] if change == "take back" else PARTS
    if change == "tier":
        store.set_tier("large", "small", None)
    require_same(store, monkeypatch, pl.concat(left), tmp_path / "all.parquet")
    assert len(sums) == times


def test_joined_grades_have_them_made_anew(store: Store, tmp_path: Path, sums: list[str]) -> None:
    load(store, "large", pl.concat(PARTS), tmp_path / "0.parquet")
    before = read_log(store, "large")
    grades = (
        PARTS[0]
        .filter(pl.col("fast_correct").is_null())
        .select("request_id", correct=pl.lit(1.0), side=pl.lit("fast"))
    )
    path = written(grades, tmp_path / "grades.parquet")
    intake.load(store, "large", [path], Answers(dialect="grades"))
    after = read_log(store, "large")
    graded = pl.col("n").filter(pl.col("fast_graded")).sum()
    assert after.cells.select(graded).item() == before.cells.select(graded).item() + grades.height
    assert len(sums) == 2
