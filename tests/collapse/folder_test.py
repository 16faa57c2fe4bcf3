"""A folder as a log: the same as its rows loaded, and never silently another one."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.collapse import folder, keeping, units
from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.reports import ManyRejectsError
from analytics.logs.storage.copies import restore
from analytics.logs.storage.tables import RowsElsewhereError
from analytics.logs.store import Store
from analytics.measure.tiers import tier_table
from analytics.tuning.log import read_log
from tests.collapse.same import require_same_log, require_same_tiers
from tests.collapse.wide_logs import START, wide_log, written

NOTHING = Answers()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db" / "logs.duckdb") as opened:
        yield opened


def parts(root: Path, *, count: int = 3, rows: int = 400) -> pl.DataFrame:
    """A folder of as many files, one after the other in time; all their rows."""
    frames = [wide_log(rows, seed=place, first=place * rows) for place in range(count)]
    for place, frame in enumerate(frames):
        written(frame, root / f"part-{place}.parquet")
    return pl.concat(frames)


def loaded(store: Store, frame: pl.DataFrame, path: Path, answers: Answers = NOTHING) -> None:
    intake.load(store, "rows", [written(frame, path)], answers)


def test_folder_is_the_log_that_its_rows_are(store: Store, tmp_path: Path) -> None:
    frame = parts(tmp_path / "log")
    report = folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, frame, tmp_path / "one.parquet")
    assert (report.files, report.new, report.read, report.rejected) == (3, 3, 1200, 0)
    require_same_log(store, "rows", "folder")
    require_same_tiers(store, "rows", "folder")


def test_few_users_are_told_apart_by_the_rows(store: Store, tmp_path: Path) -> None:
    frame = wide_log(1000, users=30)
    written(frame, tmp_path / "log" / "a.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, frame, tmp_path / "one.parquet")
    ours, _ = require_same_log(store, "rows", "folder")
    assert ours.facts.few_units
    assert "unit_first" in ours.cells.columns


def test_percentiles_are_exact_to_a_bin(store: Store, tmp_path: Path) -> None:
    frame = wide_log(30_000, days=1)
    written(frame, tmp_path / "log" / "a.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, frame, tmp_path / "one.parquet")
    for by in ("category", "model", "tier_day", "category_tier"):
        with store.cursor() as cursor:
            exact = tier_table(cursor, "rows", by=by)
        with store.cursor() as cursor:
            found = tier_table(cursor, "folder", by=by)
        for name in ("latency_p50_s", "latency_p95_s"):
            wide = exact["latency_n"] > 2000
            assert_frame_equal(exact.filter(wide).select(name), found.filter(wide).select(name), rel_tol=0.01)


def test_window_reads_the_rows_where_they_are(store: Store, tmp_path: Path) -> None:
    frame = parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, frame, tmp_path / "one.parquet")
    since, until = START.replace(day=4), START.replace(day=15)
    ours = read_log(store, "rows", since=since, until=until)
    theirs = read_log(store, "folder", since=since, until=until)
    assert 0 < ours.facts.rows < 1200
    assert_frame_equal(ours.cells, theirs.cells, check_row_order=False, rel_tol=1e-12)
    with store.cursor() as cursor:
        expected = tier_table(cursor, "rows", by="model", since=since, until=until)
    with store.cursor() as cursor:
        found = tier_table(cursor, "folder", by="model", since=since, until=until)
    assert expected["calls"].to_list() == found["calls"].to_list()


def test_refresh_reads_new_files_only(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = parts(tmp_path / "log", count=2)
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    version = store.version("folder")
    assert folder.refreshed(store, "folder").new == 0
    assert store.version("folder") == version
    more = wide_log(300, seed=9, first=800)
    written(more, tmp_path / "log" / "later.parquet")
    summed: list[str] = []
    add = keeping.add
    monkeypatch.setattr(keeping, "add", lambda *a, **k: (summed.append(k["log"]), add(*a, **k)))
    report = folder.refreshed(store, "folder")
    assert (report.files, report.new, report.gone, report.read) == (3, 1, 0, 300)
    assert len(summed) == 1
    assert "later.parquet" in summed[0]
    assert "part-0" not in summed[0]
    assert store.version("folder") > version
    loaded(store, pl.concat([frame, more]), tmp_path / "one.parquet")
    require_same_log(store, "rows", "folder")


def test_many_refreshes_are_merged_and_add_up(tmp_path: Path) -> None:
    frames = [wide_log(60, seed=place, first=60 * place) for place in range(2 * keeping.MOST_SOURCES)]
    with Store.open(tmp_path / "logs.duckdb") as store:
        for place, frame in enumerate(frames):
            written(frame, tmp_path / "log" / f"{place:02}.parquet")
            folder.opened(store, "folder", tmp_path / "log", NOTHING)
    with Store.open(tmp_path / "logs.duckdb") as store:  # closing waited until all was merged
        with store.cursor() as cursor:
            held = cursor.execute("SELECT id FROM datasets WHERE name = 'folder'").fetchall()[0][0]
            (sources,) = cursor.execute(f"SELECT count(DISTINCT file_id) FROM cells_{held}").fetchall()[0]
        assert sources <= keeping.MOST_SOURCES
        loaded(store, pl.concat(frames), tmp_path / "one.parquet")
        require_same_log(store, "rows", "folder")
        require_same_tiers(store, "rows", "folder")


def test_more_users_than_a_sketch_are_counted_closely(store: Store, tmp_path: Path) -> None:
    for place in range(3):  # two of three users come back in the next file
        users = [f"u{number}" for number in range(place * 10_000, place * 10_000 + 30_000)]
        frame = wide_log(30_000, seed=place, first=place * 30_000).with_columns(unit_id=pl.Series(users))
        written(frame, tmp_path / "log" / f"{place}.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    found = read_log(store, "folder").facts
    error = 1 / (units.MOST - 2) ** 0.5
    assert found.units is not None
    assert found.units != 50_000
    assert abs(found.units / 50_000 - 1) < 4 * error
    assert found.clustered


def test_heavy_user_is_found_among_many(store: Store, tmp_path: Path) -> None:
    for place in range(3):
        users = [f"u{place}-{number}" if number % 10 else "heavy" for number in range(20_000)]
        frame = wide_log(20_000, seed=place, first=place * 20_000).with_columns(unit_id=pl.Series(users))
        written(frame, tmp_path / "log" / f"{place}.parquet")
        folder.opened(store, "folder", tmp_path / "log", NOTHING)
    found = read_log(store, "folder").facts
    assert found.largest_unit == 6000
    assert found.few_units


def test_changed_file_and_gone_file_are_counted_anew(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    changed = wide_log(50, seed=77, first=5000)
    written(changed, tmp_path / "log" / "part-1.parquet")
    (tmp_path / "log" / "part-2.parquet").unlink()
    report = folder.refreshed(store, "folder")
    assert (report.files, report.new, report.gone) == (2, 2, 2)
    loaded(store, pl.concat([wide_log(400, seed=0), changed]), tmp_path / "one.parquet")
    require_same_log(store, "rows", "folder")


def test_moved_and_touched_files_are_not_read_again(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    (tmp_path / "log" / "old").mkdir()
    (tmp_path / "log" / "part-0.parquet").rename(tmp_path / "log" / "old" / "moved.parquet")
    (tmp_path / "log" / "part-1.parquet").touch()
    assert not _reads(store)
    report = folder.refreshed(store, "folder")
    assert (report.files, report.new, report.gone) == (3, 0, 0)
    assert _reads(store)


def _reads(store: Store) -> bool:
    """Whether the rows themselves can be read in a store that is opened again."""
    store._reopen()  # as another process would find it
    return store.reachable("folder")


def test_copies_count_once(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    shutil.copy(tmp_path / "log" / "part-0.parquet", tmp_path / "log" / "again.parquet")
    report = folder.opened(store, "folder", tmp_path / "log", NOTHING)
    assert (report.files, report.copies, report.read) == (3, 1, 1200)


@pytest.mark.parametrize("later", [False, True])
def test_repeated_requests_are_refused_and_nothing_changes(
    store: Store, tmp_path: Path, *, later: bool
) -> None:
    frame = parts(tmp_path / "log")
    if later:
        folder.opened(store, "folder", tmp_path / "log", NOTHING)
    written(frame[380:460].with_columns(fast_correct=0.25), tmp_path / "log" / "twice.parquet")
    with pytest.raises(SchemaError, match="80 rows repeat the request id"):
        folder.opened(store, "folder", tmp_path / "log", NOTHING)
    if later:
        assert read_log(store, "folder").facts.rows == 1200
        assert not store.datasets().is_empty()


def test_requests_of_several_pairs_may_repeat_their_id(store: Store, tmp_path: Path) -> None:
    frame = wide_log(300)
    frame = pl.concat([frame, frame.with_columns(fast_model=pl.lit("medium"))])
    written(frame, tmp_path / "log" / "a.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, frame, tmp_path / "one.parquet")
    ours, _ = require_same_log(store, "rows", "folder")
    assert (ours.facts.requests, ours.facts.rows) == (300, 600)
    require_same_tiers(store, "rows", "folder")


def test_requests_of_several_pairs_may_stand_in_several_files(store: Store, tmp_path: Path) -> None:
    first = wide_log(300)
    second = first[100:].with_columns(fast_model=pl.lit("medium"))
    for name, frame in (("a", first), ("b", second)):
        written(frame, tmp_path / "log" / f"{name}.parquet")
        folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, pl.concat([first, second]), tmp_path / "one.parquet")
    ours, _ = require_same_log(store, "rows", "folder")
    assert (ours.facts.requests, ours.facts.rows) == (300, 500)
    require_same_tiers(store, "rows", "folder")


def test_faulty_rows_are_left_out_as_when_loaded(store: Store, tmp_path: Path) -> None:
    frame = wide_log(1000).with_columns(
        pl.when(pl.int_range(1000) < 3).then(-1.0).otherwise("fast_cost_usd").alias("fast_cost_usd"),
        pl.when(pl.int_range(1000) == 5)
        .then(float("nan"))
        .otherwise("strong_cost_usd")
        .alias("strong_cost_usd"),
        pl.when(pl.int_range(1000) == 7)
        .then(2.0)
        .otherwise("sampling_probability")
        .alias("sampling_probability"),
        pl.when(pl.int_range(1000) == 8).then(START.replace(year=1999)).otherwise("ts").alias("ts"),
        pl.when(pl.int_range(1000) == 9)
        .then(pl.lit("x" * 201))
        .otherwise("task_category")
        .alias("task_category"),
        pl.when(pl.int_range(1000).is_between(20, 24)).then(1.5).otherwise("confidence").alias("confidence"),
        *(
            pl.when(pl.int_range(1000) == place).then(float("nan")).otherwise(name).alias(name)
            for place, name in ((40, "fast_correct"), (41, "strong_latency_s"), (42, "threshold"))
        ),
        pl.when(pl.int_range(1000) == 30).then(-3.0).otherwise("fast_latency_s").alias("fast_latency_s"),
    )
    written(frame, tmp_path / "log" / "a.parquet")
    report = folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, frame, tmp_path / "one.parquet")
    require_same_log(store, "rows", "folder")
    ours, theirs = (store.files(name).row(0, named=True) for name in ("rows", "folder"))
    assert report.rejected == ours["rejected"] == theirs["rejected"] == 7
    assert sum(count for _, count in report.reasons) == 7
    assert theirs["read"] == 1000


def test_many_faulty_rows_are_refused(store: Store, tmp_path: Path) -> None:
    written(wide_log(100).with_columns(fast_cost_usd=-1.0), tmp_path / "log" / "a.parquet")
    with pytest.raises(ManyRejectsError):
        folder.opened(store, "folder", tmp_path / "log", NOTHING)
    report = folder.opened(store, "folder", tmp_path / "log", Answers(accept_rejects=True))
    assert report.rejected == 100


def test_units_and_names_are_read_as_when_loaded(store: Store, tmp_path: Path) -> None:
    frame = wide_log(500).select(
        pl.col("request_id").alias("trace id"),
        pl.col("ts").dt.epoch("ms").alias("when"),
        pl.col("task_category").alias('odd "name"; --'),
        (pl.col("confidence") * 100).alias("conf"),
        (pl.col("fast_latency_s") * 1000).alias("fast_latency_ms"),
        (pl.col("strong_latency_s") * 1000).alias("strong_latency_ms"),
        "fast_correct",
        "strong_correct",
        (pl.col("fast_cost_usd") * 100).alias("fast_cost"),
        "escalated",
        "fast_model",
    )
    answers = Answers(
        map={
            "request_id": ("trace id",),
            "ts": ("when",),
            "task_category": ('odd "name"; --',),
            "confidence": ("conf",),
            "fast_cost_usd": ("fast_cost",),
        },
        set={"strong_model": "it's big"},
        unit={"ts": "epoch_ms", "confidence": "percent", "fast_cost_usd": "cents"},
    )
    written(frame, tmp_path / "log" / "a.parquet")
    folder.opened(store, "folder", tmp_path / "log", answers)
    loaded(store, frame, tmp_path / "one.parquet", answers)
    ours, _ = require_same_log(store, "rows", "folder")
    assert ours.facts.pairs[0][1] == "it's big"


def test_columns_without_any_value_are_null(store: Store, tmp_path: Path) -> None:
    frame = wide_log(200).with_columns(
        propensity=None, arm=None, segment=pl.lit(None, pl.String), threshold=pl.lit(None, pl.Float64)
    )
    written(frame, tmp_path / "log" / "a.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    loaded(store, frame, tmp_path / "one.parquet")
    require_same_log(store, "rows", "folder")


def test_partitions_give_columns(store: Store, tmp_path: Path) -> None:
    frame = wide_log(300).with_columns(task_category=pl.lit("x"))
    for name, rows in (("math", frame[:120]), ("law", frame[120:])):
        written(rows.drop("task_category"), tmp_path / "log" / f"task_category={name}" / "a.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    found = read_log(store, "folder")
    sizes = dict(found.cells.group_by("task_category").agg(pl.col("n").sum()).iter_rows())
    assert sizes == {"math": 120, "law": 180}


def test_file_that_does_not_fit_is_refused(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    written(wide_log(10, first=9000).drop("confidence"), tmp_path / "log" / "z.parquet")
    with pytest.raises(SchemaError, match="no column confidence"):
        folder.refreshed(store, "folder")
    (tmp_path / "log" / "z.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(SchemaError):
        folder.refreshed(store, "folder")
    assert read_log(store, "folder").facts.rows == 1200


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (wide_log(20).drop("request_id"), "needs a request id"),
        (wide_log(20).with_columns(fast_correct=pl.lit("pass")), "needs numbers there"),
        (wide_log(20).with_columns(escalated=pl.lit("yes")), "needs true and false"),
        (wide_log(20).with_columns(pl.col("ts").cast(pl.String)), "needs times there"),
        (
            pl.DataFrame({"request_id": ["a"], "model": ["m"], "correct": [1.0], "cost_usd": [0.1]}),
            "one row per request",
        ),
    ],
)
def test_logs_that_must_be_loaded_say_so(
    store: Store, tmp_path: Path, frame: pl.DataFrame, said: str
) -> None:
    written(frame, tmp_path / "log" / "a.parquet")
    with pytest.raises(SchemaError, match=said):
        folder.opened(store, "folder", tmp_path / "log", NOTHING)
    assert store.datasets().is_empty()


def test_rows_are_out_of_reach_when_a_file_is_gone_and_sums_stay(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    (tmp_path / "log" / "part-0.parquet").unlink()
    assert not _reads(store)
    assert read_log(store, "folder").facts.rows == 1200
    with pytest.raises(RowsElsewhereError):
        read_log(store, "folder", since=START)
    shutil.rmtree(tmp_path / "log")
    with pytest.raises(SchemaError, match="is not there"):
        folder.refreshed(store, "folder")


def test_folder_of_rows_takes_no_other_file_and_gives_none_back(store: Store, tmp_path: Path) -> None:
    frame = parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    file = written(frame[:10], tmp_path / "one.parquet")
    with pytest.raises(SchemaError):
        intake.load(store, "folder", [file], NOTHING)
    with pytest.raises(SchemaError, match="those of its folder"):
        store.take_back("folder", store.files("folder")["file_id"][0])
    for refused in (lambda: store.reprice("folder"), lambda: store.model_prices("folder")):
        with pytest.raises(RowsElsewhereError):
            refused()
    loaded(store, frame, tmp_path / "two.parquet")
    with pytest.raises(SchemaError, match="rows of its own"):
        folder.opened(store, "rows", tmp_path / "log", NOTHING)


def test_rename_delete_and_open_again(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    store.rename("folder", "other")
    assert folder.refreshed(store, "other").new == 0
    store.delete("other")
    assert store.folder("other") is None
    assert folder.opened(store, "folder", tmp_path / "log", NOTHING).read == 1200


def test_backup_carries_the_sums_and_no_place(tmp_path: Path) -> None:
    parts(tmp_path / "log")
    with Store.open(tmp_path / "one.duckdb") as store:
        folder.opened(store, "folder", tmp_path / "log", NOTHING)
        expected = read_log(store, "folder")
        store.backup(tmp_path / "copy.duckdb")
    restore(tmp_path / "two.duckdb", tmp_path / "copy.duckdb")
    with Store.open(tmp_path / "two.duckdb") as store:
        found = read_log(store, "folder")
        assert_frame_equal(found.cells, expected.cells, check_row_order=False)
        held = store.folder("folder")
        assert held is not None
        assert not held.known
        assert not store.reachable("folder")
        with pytest.raises(SchemaError, match="is not there"):
            folder.refreshed(store, "folder")
        assert folder.opened(store, "folder", tmp_path / "log", NOTHING).new == 0
        assert store.reachable("folder")


def test_nothing_else_can_be_read_through_the_database(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    other = written(wide_log(5), tmp_path / "secret" / "a.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    (tmp_path / "log" / "link.parquet").symlink_to(other)
    with store.cursor() as cursor:
        for path in (
            other,
            tmp_path / "log" / "link.parquet",
            tmp_path / "log" / ".." / "secret" / "a.parquet",
        ):
            with pytest.raises(Exception, match="Permission"):
                cursor.execute("SELECT * FROM read_parquet(?)", [str(path)])


def test_answers_are_kept_as_text(store: Store, tmp_path: Path) -> None:
    parts(tmp_path / "log")
    folder.opened(store, "folder", tmp_path / "log", Answers(set={"confidence_kind": "verifier"}))
    written(wide_log(10, first=9000), tmp_path / "log" / "z.parquet")
    folder.opened(store, "folder", tmp_path / "log", NOTHING)
    found = read_log(store, "folder").facts
    assert found.confidence_kinds == ("verifier",)
    assert found.rows == 1210
    held = store.folder("folder")
    assert held is not None
    assert json.loads(held.answers)["set"] == {"confidence_kind": "verifier"}
