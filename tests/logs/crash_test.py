"""Kills, full disks and other processes: short versions of the long programs, and each defect they found."""

import contextlib
import errno
import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

import pytest
from stores import rows

from analytics.errors import SchemaError
from analytics.logs import intake, recovery
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage.kept import Kept
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store, StoreBusyError, StoreError
from tests.soak import disk_full, kills, repeats, stock

pytestmark = pytest.mark.fresh_reader

HEADER = "request_id,category,model,confidence,correct,cost_usd\n"


def log(folder, name, first, last, *, bad=0):
    """A log of calls of two models; so many of its first rows have no request id."""
    lines = [
        f"{'' if at - first < bad else f'r{at}'},law,m-{'small' if at % 2 else 'large'},0.5,1,0.001\n"
        for at in range(first, last)
    ]
    (folder / name).write_text(HEADER + "".join(lines))
    return folder / name


def inspected(store, path):
    found = intake.inspect(
        path, name=path.name, answers=Answers(), workdir=store.staging, keep=store.keeps_files
    )
    return found, intake.convert(found, found.proposal.mapping)


@pytest.fixture
def path(tmp_path):
    """A database of one dataset with two files, and what was set by hand."""
    path = tmp_path / "logs.duckdb"
    with Store.open(path) as store:
        intake.load(
            store, "a", [log(tmp_path, "one.csv", 0, 20), log(tmp_path, "two.csv", 20, 40)], Answers()
        )
        marks = "".join(f"r{at},{at % 3 > 0:d},{who}\n" for at in range(40) for who in ("ann", "bob"))
        (tmp_path / "grades.csv").write_text("request_id,correct,grader\n" + marks)
        intake.load(store, "a", [tmp_path / "grades.csv"], Answers(dialect="grades"))
        store.set_grader_order("a", ["bob", "ann"])
        store.set_ladder("a", [Pair(None, "m-large", "m-small")])
        store.set_tier("a", "m-large", "reasoning")
    return path


def by_hand(store):
    return (
        store.models("a").select("model", "tier", "tier_source").rows(),
        store.ladder("a").pairs,
        store.grader_order("a"),
        rows(store, "SELECT request_id, model, correct FROM calls ORDER BY ALL"),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files that are ready to be stored."""
    return stock.stocked(tmp_path_factory.mktemp("stock") / "files", plain=3, requests=2000)


def test_kills_in_a_transaction_lose_nothing_and_leave_nothing(tmp_path, files):
    plan = [("load", "transaction"), ("load", "commit"), ("recovery", None)]
    found = kills.killed(tmp_path, plan, files, seed=1)
    assert (found.kills, found.corrupt, found.faults) == (3, 0, [])
    assert found.inside >= 1


def test_a_full_disk_loses_nothing_and_says_so(tmp_path, files):
    points = (
        ("load", "transaction", 0),
        ("take-back", "commit", 0),
        ("backup", None, 256),
        ("recovery", "commit", 64),
    )
    (tmp_path / "disk").mkdir()
    disk = disk_full.Limited(tmp_path / "disk")
    found = disk_full.filled(disk, points, files)
    assert (found.points, found.faults) == (4, [])
    assert found.refused >= 2


def test_a_file_that_eight_threads_load_counts_once(tmp_path, files):
    found = repeats.repeated(tmp_path, files, rounds=1)
    assert (found.loads, found.duplicates, found.faults) == (1, 7, [])


def test_a_new_database_that_a_full_disk_cut_short_opens_later(tmp_path):
    disk = disk_full.Limited(tmp_path)
    for free_kib in (0, 4):
        disk.fill(free_kib)
        try:
            with pytest.raises(StoreError, match="disk is full"):
                Store.open(tmp_path / "logs.duckdb")
        finally:
            disk.empty()
        Store.open(tmp_path / "logs.duckdb").close()
        (tmp_path / "logs.duckdb").unlink()


def test_no_loader_forgets_the_file_that_another_one_is_keeping(tmp_path, monkeypatch):
    keep = Kept.keep
    with Store.open(tmp_path / "logs.duckdb") as store:
        other = threading.Thread(target=store.save_mapping, args=("signature", "{}"))

        def kept(self, file_id, raw):
            keep(self, file_id, raw)
            other.start()
            other.join(timeout=1)  # it goes on by itself only if nothing holds it back

        monkeypatch.setattr(Kept, "keep", kept)
        intake.load(store, "a", [log(tmp_path, "one.csv", 0, 20)], Answers())
        other.join()
        (file_id,) = store.recipe().file_ids()
        assert store.kept(file_id) is not None


def test_a_file_that_was_refused_first_is_kept_when_it_is_accepted(tmp_path):
    with Store.open(tmp_path / "logs.duckdb") as store:
        intake.load(store, "a", [log(tmp_path, "one.csv", 0, 20)], Answers())
        # Every row is known by its request and model and says something else: all are conflicts.
        text = log(tmp_path, "two.csv", 0, 20).read_text().replace("0.5", "0.6")
        (tmp_path / "two.csv").write_text(text + "r99,law,m-small,0.5,1,0.001\n")
        inspection, converted = inspected(store, tmp_path / "two.csv")
        mapping = inspection.proposal.mapping
        with pytest.raises(SchemaError, match="accept-rejects"):
            intake.loaded(store, "a", inspection, mapping, converted, answers=Answers())
        assert store.kept(inspection.staged.file_id) is None
        store.save_mapping("signature", "{}")
        intake.loaded(store, "a", inspection, mapping, converted, answers=Answers(accept_rejects=True))
        assert store.kept(inspection.staged.file_id) is not None


def test_a_second_process_that_is_refused_leaves_the_first_ones_files(tmp_path):
    with Store.open(tmp_path / "logs.duckdb") as store:
        (store.staging / "upload").write_text("half of a file")
        program = """
            import sys
            from pathlib import Path
            from analytics.logs.store import Store, StoreBusyError
            try:
                Store.open(Path(sys.argv[1]))
            except StoreBusyError:
                print("refused")
        """
        command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "logs.duckdb")]
        assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"refused"
        with pytest.raises(StoreBusyError):
            Store.open(tmp_path / "logs.duckdb")
        assert (store.staging / "upload").read_text() == "half of a file"
        intake.load(store, "a", [log(tmp_path, "one.csv", 0, 20)], Answers())


def test_a_reader_ends_with_the_process_that_waits_for_it():
    child = "import os; parent = os.getppid(); from analytics.logs.reading.steps import _ends_with; "
    child += "print(1, flush=True); _ends_with(parent)"
    parent = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent, child], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    process.kill()
    process.wait()
    # The child holds the pipe open: its end is the end of the child.
    reader = threading.Thread(target=process.stdout.read, daemon=True)
    reader.start()
    reader.join(timeout=20)
    assert not reader.is_alive()
    process.stdout.close()


def test_what_was_committed_and_not_yet_checkpointed_is_there_after_a_kill(path, tmp_path, monkeypatch):
    monkeypatch.setattr("analytics.logs.storage.safe.checkpoint", lambda _: True)
    (tmp_path / "copy").mkdir()
    with Store.open(path) as store:
        intake.load(store, "a", [log(tmp_path, "more.csv", 40, 60)], Answers())
        expected = by_hand(store)
        files = [path, path.with_name("logs.duckdb.wal"), path.with_name("logs.duckdb.recipe.json")]
        subprocess.run(["cp", *map(str, files), str(tmp_path / "copy")], check=True)  # as a kill leaves them
    with Store.open(tmp_path / "copy" / "logs.duckdb") as store:
        assert (store.aside, store.missing(), by_hand(store)) == (None, [], expected)


def test_a_recovery_on_a_full_disk_gives_nothing_up(path, monkeypatch):
    with Store.open(path) as store:
        expected = by_hand(store)
    path.unlink()
    with Store.open(path) as store, monkeypatch.context() as patched:

        def full(*_, **__):
            raise StoreError("The disk is full.")

        patched.setattr(Store, "ingest", full)
        with pytest.raises(StoreError, match="disk is full"):
            recovery.recover(store)
    with Store.open(path) as store:
        assert recovery.recover(store).lost == []
        assert by_hand(store) == expected


def test_what_was_set_by_hand_comes_back_after_a_recovery_that_was_cut_off(path, monkeypatch):
    with Store.open(path) as store:
        expected = by_hand(store)
    path.unlink()
    with Store.open(path) as store, monkeypatch.context() as patched:

        def cut(*_):
            raise KeyboardInterrupt

        patched.setattr(recovery, "_as_by_hand", cut)
        with pytest.raises(KeyboardInterrupt):
            recovery.recover(store)
    with Store.open(path) as store:
        recovery.recover(store)
        assert by_hand(store) == expected
        assert store.missing() == []
        # What the first attempt had loaded is told together with the rest.
        assert (recovery.noted(store).files, recovery.noted(store).datasets) == (3, ["a"])


def test_a_kept_file_that_cannot_be_read_stays_and_is_tried_again(path):
    with Store.open(path) as store:
        file_id = store.recipe().datasets[0].files[1].file_id
        kept = store.kept(file_id)
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-20])
    path.unlink()
    with Store.open(path) as store:
        found = recovery.recover(store)
        assert [text.partition(":")[0] for text in found.lost] == ["two.csv"]
        intake.load(store, "b", [log(kept.parent.parent, "more.csv", 90, 95)], Answers())
        assert kept.read_bytes() == whole[:-20]
    kept.write_bytes(whole)
    with Store.open(path) as store:
        assert recovery.recover(store).lost == []
        assert store.datasets()["requests"].to_list() == [40, 5]


def test_a_take_back_that_fails_at_its_commit_keeps_file_and_recipe(path, monkeypatch):
    recipe = path.with_name("logs.duckdb.recipe.json")
    with Store.open(path) as store:
        before, file_id = recipe.read_text(), store.recipe().datasets[0].files[0].file_id

        @contextlib.contextmanager
        def failing(connection):
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                yield cursor
                cursor.execute("ROLLBACK")
                raise StoreError("The disk is full.")

        with monkeypatch.context() as patched:
            patched.setattr("analytics.logs.storage.safe.transaction", failing)
            with pytest.raises(StoreError):
                store.take_back("a", file_id)
        assert recipe.read_text() == before
        assert store.kept(file_id) is not None
        assert sorted(one.name for one in path.parent.glob("*.recipe.json*")) == [recipe.name]


def test_an_earlier_backup_stays_until_the_next_is_whole(path, tmp_path, monkeypatch):
    target = tmp_path / "backup.duckdb"
    with Store.open(path) as store:
        store.backup(target)
        before = target.read_bytes()

        def full(source, place):
            place.write(source.read(100))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr("analytics.logs.storage.safe.shutil.copyfileobj", full)
            with pytest.raises(StoreError, match="disk is full"):
                store.backup(target)
    assert target.read_bytes() == before
    assert not list(tmp_path.glob(".backup*"))


def test_an_upload_that_fills_the_disk_is_refused_by_name(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("analytics.logs.intake.shutil.copyfileobj", full)
    with (tmp_path / "x").open("wb+") as content, pytest.raises(StoreError, match="disk is full"):
        intake.uploaded(content, tmp_path)


def test_a_recipe_written_before_a_dataset_could_be_unfinished_is_read(path):
    recipe = path.with_name("logs.duckdb.recipe.json")
    recipe.write_text(recipe.read_text().replace(', "unfinished": false', ""))
    assert "unfinished" not in recipe.read_text()
    path.unlink()
    with Store.open(path) as store:
        assert [replace(lost, files=[]).name for lost in store.missing()] == ["a"]
        assert recovery.recover(store).files == 3
