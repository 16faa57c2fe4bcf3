"""The database: it survives, it is locked, it is private, it names what it refuses."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from stores import load, rows, wide

from analytics.errors import TiertuneError
from analytics.logs.storage import tables
from analytics.logs.store import Store, StoreBusyError, StoreError


def test_a_log_survives_closing_and_opening(tmp_path):
    with Store.open(tmp_path / "logs.duckdb") as store:
        load(store, "law", wide(3), form="decisions", badge="Sample log (simulated)")
        version = store.version("law")
    with Store.open(tmp_path / "logs.duckdb") as store:
        found = store.datasets().row(0, named=True)
        assert (found["name"], found["requests"], found["version"]) == ("law", 3, version)
        assert found["badge"] == "Sample log (simulated)"
        assert store.files("law")["loaded"].to_list() == [3]


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    program = """
        import sys, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from stores import load
        from analytics.logs.storage import tables
        from analytics.logs.store import Store
        store = Store.open(Path(sys.argv[1]))
        row = {"fast_model": "a", "strong_model": "b", "confidence": 0.5}
        load(store, "law", [{**row, "request_id": f"r{i}"} for i in range(500)], form="decisions")
        held = store.cursor()
        cursor = held.__enter__()
        cursor.execute("BEGIN")
        cursor.execute(f"DELETE FROM {tables.of(cursor, 'law', 'decisions')}")
        print("loaded", flush=True)
        time.sleep(60)
    """
    child = _child(program, tmp_path / "logs.duckdb")
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "loaded"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    with Store.open(tmp_path / "logs.duckdb") as store:
        assert rows(store, "SELECT count(*) FROM decisions") == [(500,)]


def test_a_second_process_is_refused_with_the_process_id(tmp_path):
    program = """
        import sys
        from pathlib import Path
        from analytics.logs.store import Store
        store = Store.open(Path(sys.argv[1]))
        print("open", flush=True)
        sys.stdin.read()
    """
    child = _child(program, tmp_path / "logs.duckdb")
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "open"
    with pytest.raises(StoreBusyError, match=rf"process {child.pid}\).*--db other.duckdb") as refused:
        Store.open(tmp_path / "logs.duckdb")
    assert refused.value.pid == child.pid
    assert str(tmp_path) not in str(refused.value)
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "logs.duckdb")
    with pytest.raises(StoreBusyError):
        Store.open(tmp_path / "link.duckdb")
    child.communicate()
    Store.open(tmp_path / "logs.duckdb").close()


def test_the_lock_holds_after_loading_and_reading(tmp_path):
    with Store.open(tmp_path / "logs.duckdb") as store:
        load(store, "law", wide(3), form="decisions")
        store.datasets()
        with pytest.raises(StoreBusyError):
            Store.open(tmp_path / "logs.duckdb")
        # DuckDB's own lock is there as well: another program is refused by it.
        program = (
            "import duckdb, sys\ntry: duckdb.connect(sys.argv[1])\nexcept duckdb.IOException: print('no')"
        )
        assert _child(program, tmp_path / "logs.duckdb").communicate()[0].strip() == "no"


def test_duckdbs_own_lock_is_explained_too(tmp_path):
    program = """
        import duckdb, sys
        held = duckdb.connect(sys.argv[1])
        print("open", flush=True)
        sys.stdin.read()
    """
    child = _child(program, tmp_path / "logs.duckdb")
    assert child.stdout is not None
    child.stdout.readline()
    with pytest.raises(StoreBusyError) as refused:
        Store.open(tmp_path / "logs.duckdb")
    assert refused.value.pid == child.pid
    child.communicate()


def test_nothing_of_it_is_readable_by_others(tmp_path):
    before = os.umask(0o022)
    try:
        with Store.open(tmp_path / "logs.duckdb") as store:
            load(store, "law", wide(3), form="decisions")
            store.save_mapping("signature", "{}")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
            assert {mode & 0o077 for mode in modes.values()} == {0}
            assert modes["logs.duckdb"] == 0o600
            assert stat.S_IMODE(store.staging.stat().st_mode) == 0o700
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_closing_leaves_the_database_and_its_lock_file_only(tmp_path):
    with Store.open(tmp_path / "logs.duckdb") as store:
        load(store, "law", wide(3), form="decisions")
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "logs.duckdb",
        "logs.duckdb.lock",
        "logs.duckdb.recipe.json",
    ]
    descriptor = os.open(tmp_path / "logs.duckdb.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_a_private_store_is_deleted_on_close():
    store = Store.open(None)
    folder = store.staging.parent.parent
    assert folder.exists()
    store.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/tiertune_escape.csv'",
        "ATTACH '/tmp/tiertune_escape.duckdb'",
        "SET memory_limit = '9GB'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "INSTALL httpfs",
    ],
)
def test_the_connection_reaches_nothing_outside(store, statement):
    with store.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute(statement)
    assert not Path("/tmp/tiertune_escape.csv").exists()  # noqa: S108


def test_staging_cannot_be_left_by_a_link(store, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (store.staging / "link.csv").symlink_to(tmp_path / "secret.csv")
    with store.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute("SELECT * FROM read_csv(?)", [str(store.staging / "link.csv")])


def test_eight_threads_read_right_answers_while_a_file_is_loaded(store):
    load(store, "law", wide(2000), form="decisions")

    def answer(_):
        with store.cursor() as cursor:
            table = tables.of(cursor, "law", "decisions")
            return cursor.execute("SELECT count(*) FROM query_table($table)", {"table": table}).fetchone()

    loader = threading.Thread(target=load, args=(store, "maths", wide(20_000)), kwargs={"form": "decisions"})
    loader.start()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(answer, range(400)))
    loader.join()
    assert set(found) == {(2000,)}
    assert store.datasets()["requests"].to_list() == [2000, 20_000]


def test_the_same_file_from_eight_threads_is_loaded_once(store):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: load(store, "law", wide(200), form="decisions"), range(8)))
    assert sorted((one.loaded, one.duplicates) for one in done) == [(0, 200)] * 7 + [(200, 0)]
    assert rows(store, "SELECT count(*) FROM decisions") == [(200,)]


@pytest.mark.parametrize(
    ("column", "value"),
    [("confidence", float("nan")), ("fast_correct", 1.5), ("fast_cost_usd", float("inf"))],
)
def test_a_value_that_passes_every_threshold_never_gets_in(store, column, value):
    with pytest.raises(StoreError, match="Nothing was changed"):
        load(store, "law", wide(1, **{column: value}), form="decisions")
    assert store.datasets().is_empty()


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.duckdb"
    path.write_text("these are my notes" * 1000)
    with pytest.raises(StoreError, match="Nothing was changed") as refused:
        Store.open(path)
    assert str(tmp_path) not in str(refused.value)
    assert path.read_text().startswith("these are my notes")


def test_a_database_of_another_version_is_refused(tmp_path):
    with duckdb.connect(tmp_path / "other.duckdb") as other:
        other.execute("CREATE TABLE decisions (request_id VARCHAR)")
    with pytest.raises(StoreError, match="another program"):
        Store.open(tmp_path / "other.duckdb")
    Store.open(tmp_path / "later.duckdb").close()
    with duckdb.connect(tmp_path / "later.duckdb") as later:
        later.execute("UPDATE meta SET value = '99'")
    with pytest.raises(StoreError, match="a later version"):
        Store.open(tmp_path / "later.duckdb")


def test_a_folder_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TiertuneError, match="--db"):
        Store.open(tmp_path / "file" / "logs.duckdb")


def _child(program, path):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(path), str(Path(__file__).parents[1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
