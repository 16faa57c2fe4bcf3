"""tiertune backup and restore: what comes back, what is refused, and that nothing is lost on the way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from first_layout import FIRST
from shell import Shell

from analytics.logs.storage import copies, migration
from analytics.logs.store import Store

MAPPING = '{"form": "calls", "dialect": "call_level", "columns": {"model": ["model"]}}'
HEADER = "request_id,task_category,model,confidence,correct,cost_usd\n"


def log(*ids: str) -> str:
    return HEADER + "".join(f"{name},law,small,0.5,1,0.001\n" for name in ids)


def requests(shell: Shell, *words: str) -> dict[str, int]:
    return {row["name"]: row["requests"] for row in shell.json("datasets", *words)["datasets"]}


def state(shell: Shell) -> dict[str, bytes]:
    """Every file of the database but its lock."""
    found = [path for path in shell.folder.rglob("logs.duckdb*") if path.is_file()]
    return {str(path): path.read_bytes() for path in found if path.suffix != ".lock"}


@pytest.fixture
def backed_up(shell: Shell) -> Shell:
    """A backup of one dataset with a tier by hand, after which another was loaded."""
    shell.write("one.csv", log("a", "b"))
    shell.write("two.csv", log("c", "d", "e"))
    shell.text("load", "one.csv")
    shell.text("tier", "one", "small", "frontier")
    found = shell.json("backup", "copy.duckdb")
    assert found == {
        "backup": "copy.duckdb",
        "bytes": (shell.folder / "copy.duckdb").stat().st_size,
        "datasets": ["one"],
    }
    shell.text("load", "two.csv")
    return shell


def test_a_backup_comes_back_and_what_was_there_before_is_whole_beside_it(backed_up: Shell) -> None:
    found = backed_up.json("restore", "copy.duckdb")
    assert found["datasets"] == [{"name": "one", "rows": 2, "files": 1}]
    assert found["not_kept"] == 0
    assert requests(backed_up) == {"one": 2}
    assert backed_up.json("tier", "one")["models"][0]["tier"] == "frontier"
    aside = found["aside"]
    assert Path(aside).name.startswith("logs.duckdb.before-restore-")
    assert requests(backed_up, "--db", aside) == {"one": 2, "two": 3}
    # Its kept files are its own: it can be built again from them, and so can the one that came back.
    for place, expected in ((aside, {"one": 2, "two": 3}), (str(backed_up.db), {"one": 2})):
        Path(place).unlink()
        assert requests(backed_up, "--db", place) == expected
        assert "Nothing is missing" in backed_up.err


def test_a_restored_database_goes_on(backed_up: Shell) -> None:
    backed_up.text("restore", "copy.duckdb")
    backed_up.text("load", "two.csv")
    assert requests(backed_up) == {"one": 2, "two": 3}
    with duckdb.connect(backed_up.db, read_only=True) as connection:
        assert connection.execute("SELECT count(DISTINCT id) FROM datasets").fetchone() == (2,)


def test_files_that_are_not_kept_here_are_told(backed_up: Shell) -> None:
    found = backed_up.json("restore", "copy.duckdb", "--db", "elsewhere/logs.duckdb")
    assert (found["aside"], found["not_kept"]) == (None, 1)
    assert "Of 1 files 1 cannot be read again" in backed_up.err
    assert requests(backed_up, "--db", "elsewhere/logs.duckdb") == {"one": 2}


@pytest.mark.parametrize("how", ["damaged", "lost", "foreign"])
def test_it_comes_back_whatever_the_database_is_like(backed_up: Shell, how: str) -> None:
    before = backed_up.db.read_bytes()
    backed_up.db.unlink()
    if how == "damaged":
        backed_up.db.write_bytes(before[:9000] + b"\x55" * 5000 + before[14000:])
    elif how == "foreign":
        with duckdb.connect(backed_up.db) as connection:
            connection.execute("CREATE TABLE mine AS SELECT 42 AS answer")
    there = backed_up.db.read_bytes() if backed_up.db.exists() else None
    found = backed_up.json("restore", "copy.duckdb")
    assert requests(backed_up) == {"one": 2}
    assert backed_up.err == ""
    if there is not None:
        assert Path(found["aside"]).read_bytes() == there


def test_a_backup_of_the_first_layout_is_brought_up_to_this_one(shell: Shell) -> None:
    with duckdb.connect(shell.folder / "old.duckdb") as connection:
        connection.execute(FIRST)
        # Every mapping that was ever written said at least this.
        connection.execute("UPDATE files SET mapping = $mapping", {"mapping": MAPPING})
        connection.execute("UPDATE mappings SET mapping = $mapping", {"mapping": MAPPING})
    before = (shell.folder / "old.duckdb").read_bytes()
    found = shell.json("restore", "old.duckdb")
    assert [(one["name"], one["rows"]) for one in found["datasets"]] == [
        ("calls of it's", 2), ("empty", 0), ("wide", 3),
    ]  # fmt: skip
    assert (shell.folder / "old.duckdb").read_bytes() == before


def hostile(shell: Shell, statement: str) -> str:
    """The backup with something done to it."""
    path = shell.folder / "hostile.duckdb"
    shutil.copy(shell.folder / "copy.duckdb", path)
    with duckdb.connect(path) as connection:
        connection.execute(statement)
    return path.name


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE VIEW more AS SELECT * FROM read_text('/etc/hostname')", "no backup"),
        ("CREATE MACRO coalesce2(a) AS a", "no backup"),
        ("CREATE TABLE mine AS SELECT 42 AS answer", "no backup"),
        ("CREATE TABLE calls_999 AS FROM calls", "no backup"),
        ("CREATE SCHEMA other", "no backup"),
        ("CREATE TYPE word AS ENUM ('a')", "no backup"),
        ("ALTER TABLE files ADD COLUMN more VARCHAR", "no backup"),
        ("ALTER TABLE ladder ALTER COLUMN position TYPE VARCHAR", "no backup"),
        ("DROP TABLE models", "no backup"),
        ("UPDATE meta SET value = 'new' WHERE name = 'layout'", "no backup"),
        (f"UPDATE meta SET value = '{migration.VERSION + 1}' WHERE name = 'layout'", "later version"),
        ("DELETE FROM calls_1 WHERE request_id = 'a'", "damaged"),
        ("UPDATE files SET loaded = 3", "damaged"),
    ],
)
def test_what_is_no_whole_backup_of_ours_is_refused_and_nothing_changes(
    backed_up: Shell, statement: str, said: str
) -> None:
    before = state(backed_up)
    assert said in backed_up.refused("restore", hostile(backed_up, statement))
    assert state(backed_up) == before
    assert requests(backed_up) == {"one": 2, "two": 3}


def test_files_of_other_kinds_are_refused(backed_up: Shell) -> None:
    whole = (backed_up.folder / "copy.duckdb").read_bytes()
    files = {
        "cut.duckdb": whole[: len(whole) // 2],
        "flipped.duckdb": whole[:20_000]
        + bytes(byte ^ 0x55 for byte in whole[20_000:22_000])
        + whole[22_000:],
        "head.duckdb": whole[:4096],
        "empty.duckdb": b"",
        "words.duckdb": b"no database at all",
    }
    before = state(backed_up)
    for name, content in files.items():
        (backed_up.folder / name).write_bytes(content)
        message = backed_up.refused("restore", name)
        assert "damaged" in message or "no backup" in message, name
    with duckdb.connect(backed_up.folder / "other.duckdb") as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS answer")
    assert "no backup" in backed_up.refused("restore", "other.duckdb")
    assert "absent.duckdb" in backed_up.refused("restore", "absent.duckdb")
    (backed_up.folder / "copy.duckdb.wal").write_bytes(b"")
    assert "tiertune backup" in backed_up.refused("restore", "copy.duckdb")
    assert state(backed_up) == before


def test_both_are_refused_while_another_has_the_database_open(backed_up: Shell) -> None:
    with Store.open(backed_up.db):
        for words in (("restore", "copy.duckdb"), ("backup", "other.duckdb")):
            assert f"(process {os.getpid()}) has this database open" in backed_up.refused(*words)
    assert requests(backed_up) == {"one": 2, "two": 3}


# Ends the process, as a kill would, at the n-th call of a step of the exchange.
KILLED = """
import os, sys
from pathlib import Path
from analytics.logs.storage import copies

step, at = sys.argv[1], int(sys.argv[2])
owner = copies if step.startswith("_") else Path
real, calls = getattr(owner, step), []

def ending(*given, **options):
    if owner is copies or "logs.duckdb" in str(given[-1]):
        calls.append(given)
    if len(calls) == at:
        os._exit(9)
    return real(*given, **options)

setattr(owner, step, ending)
copies.restore(Path("logs.duckdb"), Path("copy.duckdb"))
"""


@pytest.mark.parametrize(
    ("step", "at", "left"),
    [
        ("_linked", 1, {"one": 2, "two": 3}),
        ("_linked", 3, {"one": 2, "two": 3}),
        ("_synced", 1, {"one": 2, "two": 3}),
        ("replace", 1, {"one": 2, "two": 3}),
        ("_synced", 2, {"one": 2}),
    ],
)
def test_a_restore_that_is_killed_leaves_one_of_both_whole(
    backed_up: Shell, step: str, at: int, left: dict[str, int]
) -> None:
    root = str(Path(copies.__file__).parents[3])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, step, str(at)],
        cwd=backed_up.folder,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == 9, killed.stderr
    assert requests(backed_up) == left
    assert backed_up.err == ""
    backed_up.json("restore", "copy.duckdb")
    assert requests(backed_up) == {"one": 2}


def test_neither_command_touches_the_database_itself(backed_up: Shell) -> None:
    before = state(backed_up)
    os.link(backed_up.db, backed_up.folder / "second name.duckdb")
    for words in (
        ("backup", str(backed_up.db)),
        ("restore", str(backed_up.db)),
        ("backup", "second name.duckdb"),
    ):
        refused = backed_up.json(*words, status=2)["error"]["message"]
        assert "is the database itself" in refused
    assert state(backed_up) == before


def test_a_backup_replaces_an_earlier_one_and_nothing_else(backed_up: Shell) -> None:
    assert backed_up.json("backup", "copy.duckdb")["datasets"] == ["one", "two"]
    with duckdb.connect(backed_up.folder / "theirs.duckdb") as connection:
        connection.execute("CREATE TABLE precious AS SELECT 42 AS answer")
    backed_up.text("load", "two.csv", "--db", "prod.duckdb")
    (backed_up.folder / "cut.duckdb").write_bytes((backed_up.folder / "copy.duckdb").read_bytes()[:9000])
    for name in ("one.csv", "theirs.duckdb", "prod.duckdb", "cut.duckdb"):
        before = (backed_up.folder / name).read_bytes()
        assert "is no backup" in backed_up.refused("backup", name)
        assert (backed_up.folder / name).read_bytes() == before
    backed_up.text("load", "one.csv", "--db", "other.duckdb")
    assert "is no backup" in backed_up.refused("backup", "other.duckdb")
    assert "is a folder" in backed_up.refused("backup", ".")
    assert (
        "does not exist"
        in backed_up.json("backup", "x", "--db", "absent.duckdb", status=2)["error"]["message"]
    )


@pytest.mark.parametrize("fails", ["_linked", "_synced", "replace"])
def test_a_restore_that_fails_half_way_loses_nothing(
    backed_up: Shell, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if fails == "replace":
        whole = Path.replace
        monkeypatch.setattr(
            Path, "replace", lambda path, to: full() if path.name == "restored.duckdb" else whole(path, to)
        )
    else:
        monkeypatch.setattr(copies, fails, full)
    message = backed_up.refused("restore", "copy.duckdb")
    assert "disk is full" in message
    monkeypatch.undo()
    assert requests(backed_up, "--db", str(backed_up.db)) == {"one": 2, "two": 3}
    assert backed_up.err == ""
    assert len(list((backed_up.folder / "logs.duckdb.files").iterdir())) == 2
