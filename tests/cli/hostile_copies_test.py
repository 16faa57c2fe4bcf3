"""A backup whose ledgers somebody wrote by hand: nothing reaches beyond the database that it becomes."""

import shutil
from pathlib import Path

import duckdb
import pytest
from shell import Shell

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage.kept import Kept
from analytics.logs.storage.verification import verified
from analytics.logs.store import Store

LOG = "request_id,task_category,model,confidence,correct,cost_usd\na,law,small,0.5,1,0.001\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of two logs, one with a mapping confirmed by hand."""
    folder = tmp_path_factory.mktemp("whole")
    with Store.open(folder / "logs.duckdb") as store:
        for name in ("one", "two"):
            path = folder / f"{name}.csv"
            path.write_text(LOG.replace("\na,", f"\n{name},"), encoding="utf-8")
            intake.load(store, name, [path], Answers(map={"segment": ("task_category",)}))
        store.backup(folder / "copy.duckdb")
    return folder / "copy.duckdb"


def hostile(whole: Path, folder: Path, *statements: str) -> Path:
    """The backup with something done to it."""
    path = folder / "hostile.duckdb"
    shutil.copy(whole, path)
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def refusal(path: Path, folder: Path) -> str:
    """Why a backup is refused."""
    with pytest.raises(SchemaError) as refused:
        verified(path, folder, progress=lambda _: None)
    return str(refused.value)


def test_the_backup_itself_is_taken(whole: Path, tmp_path: Path) -> None:
    found = verified(hostile(whole, tmp_path), tmp_path, progress=lambda _: None)
    assert [(one["name"], one["rows"]) for one in found] == [("one", 1), ("two", 1)]


@pytest.mark.parametrize(
    "statement",
    [
        # As the name of a kept file this is the file that a page or read-again would open.
        "UPDATE files SET file_id = '/etc/hostname' WHERE name = 'one.csv'",
        "UPDATE files SET file_id = '../' || name WHERE name = 'one.csv'",
        "UPDATE files SET passed = 'no JSON'",
        'UPDATE files SET passed = \'{"calls": "many"}\'',
        "UPDATE files SET problems = '{}'",
        "UPDATE files SET notes = '[1]'",
        "UPDATE files SET mapping = 'no JSON'",
        'UPDATE files SET mapping = \'{"form": "calls", "dialect": "call_level", "columns": [1]}\'',
        "UPDATE files SET mapping = replace(mapping, 'calls', 'other')",
        "UPDATE files SET answers = '[]'",
        "UPDATE files SET answers = repeat('[', 100000)",
        "UPDATE files SET form = 'other'",
        "UPDATE files SET format = 'other'",
        "UPDATE files SET name = NULL",
        "UPDATE files SET loaded_at = NULL",
        "UPDATE files SET loaded_at = 'infinity'",
        "UPDATE files SET read = -1",
        "INSERT INTO files BY NAME SELECT 'nobody' AS dataset, * EXCLUDE dataset FROM files LIMIT 1",
        "UPDATE datasets SET form = 'other'",
        "UPDATE datasets SET graders = 'no JSON'",
        "UPDATE datasets SET graders = '[7]'",
        "UPDATE models SET tier = 'huge', tier_source = 'hand'",
        "UPDATE models SET tier_source = 'nobody'",
        "INSERT INTO mappings VALUES ('a', 'no JSON')",
        "INSERT INTO mappings VALUES ('a', '{}')",
        "INSERT INTO prices (model, input_usd_per_1m) VALUES ('small', 'nan')",
        "INSERT INTO ladder VALUES ('one', NULL, NULL, 'small', 0)",
    ],
)
def test_what_we_would_never_write_is_refused(whole: Path, tmp_path: Path, statement: str) -> None:
    message = refusal(hostile(whole, tmp_path, statement), tmp_path)
    assert message.startswith("This backup is damaged: what it says of its datasets and files makes no sense")


def test_a_table_without_its_key_is_refused(whole: Path, tmp_path: Path) -> None:
    path = hostile(
        whole,
        tmp_path,
        "CREATE TEMP TABLE held AS FROM mappings",
        "DROP TABLE mappings",
        "CREATE TABLE mappings (signature VARCHAR, mapping VARCHAR NOT NULL)",
        "INSERT INTO mappings FROM held",
    )
    assert "no backup" in refusal(path, tmp_path)


def test_a_refused_backup_changes_nothing_and_a_sound_one_tells_no_tales(
    shell: Shell, whole: Path, tmp_path: Path
) -> None:
    shell.write("mine.csv", LOG)
    shell.text("load", "mine.csv")
    hostile(whole, tmp_path, "UPDATE files SET file_id = '/etc/hostname' WHERE name = 'one.csv'")
    assert "Nothing was changed" in shell.refused("restore", "hostile.duckdb")
    assert [row["name"] for row in shell.json("datasets")["datasets"]] == ["mine"]
    assert not list(tmp_path.glob("*before-restore*"))
    # What it says of an earlier recovery is about another database, and would be read as JSON by a page.
    hostile(whole, tmp_path, "INSERT INTO meta VALUES ('note recovery', 'no JSON')")
    shell.text("restore", "hostile.duckdb")
    with duckdb.connect(shell.db, read_only=True) as connection:
        assert connection.execute("SELECT name FROM meta").fetchall() == [("layout",)]


@pytest.mark.parametrize("name", ["/etc/hostname", "../beside", "", "..", "a\0b"])
def test_no_id_names_a_file_outside_the_kept_ones(shell: Shell, name: str) -> None:
    shell.write("beside", "not ours")
    folder = shell.folder / "kept"
    folder.mkdir()
    assert Kept(folder).path(name) is None
