"""What is left of a database that was damaged, lost or cut short, after it was opened again."""

import json
import random
import subprocess
import sys

import pytest
from stores import rows

from analytics.errors import SchemaError
from analytics.logs import intake, recovery
from analytics.logs.meaning.mapping import Answers
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store, StoreDamagedError, StoreError

HEADER = "request_id,category,model,confidence,correct,cost_usd\n"

FILES = (("a", "one.csv", 40, 0), ("a", "two.csv", 30, 35), ("b", "x.csv", 9, 0))


def write(folder, name, count, *, start=0):
    path = folder / name
    lines = [
        f"r{at},law,m-{'small' if at % 2 else 'large'},0.{at % 10},{at % 2},0.001\n"
        for at in range(start, start + count)
    ]
    path.write_text(HEADER + "".join(lines))
    return path


def contents(store):
    """Everything that a loss could touch."""
    query = "SELECT dataset, * EXCLUDE dataset FROM calls ORDER BY ALL"
    made = "SELECT dataset, * EXCLUDE dataset FROM decisions ORDER BY ALL"
    frame = store.datasets().drop("version")
    files = {name: store.files(name).drop("loaded_at", "position").to_dicts() for name in frame["name"]}
    return rows(store, query), rows(store, made), frame.to_dicts(), files


@pytest.fixture
def path(tmp_path):
    """A database with two datasets, three files, a ladder and a tier by hand."""
    path = tmp_path / "logs.duckdb"
    with Store.open(path) as store:
        for dataset, name, count, start in (
            ("a", "one.csv", 40, 0),
            ("a", "two.csv", 30, 35),
            ("b", "x.csv", 9, 0),
        ):
            intake.load(store, dataset, [write(tmp_path, name, count, start=start)], Answers())
        store.set_ladder("a", [Pair(None, "m-small", "m-large")])
        store.set_tier("a", "m-large", "reasoning")
    return path


def before(path):
    with Store.open(path) as store:
        return contents(store)


def recovered(path):
    with Store.open(path) as store:
        found = recovery.recover(store)
        return found, contents(store), store.models("a").to_dicts(), store.ladder("a")


@pytest.mark.parametrize("place", [0, 8, 5_000, 12_400, 274_440])
def test_a_damaged_database_is_set_aside_and_built_again(path, place):
    expected, models, ladder = before(path), None, None
    with Store.open(path) as store:
        models, ladder = store.models("a").to_dicts(), store.ladder("a")
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)
    try:
        found, *state = recovered(path)
    except StoreDamagedError:  # noticed only when that block was read: the next start knows
        found, *state = recovered(path)
    assert state == [expected, models, ladder]
    assert found is not None
    assert (found.files, found.lost, found.datasets) == (3, [], ["a", "b"])
    assert found.rows == sum(row["loaded"] for files in expected[3].values() for row in files)
    assert (path.parent / found.aside).read_bytes() == bytes(data)


def test_what_happened_is_told_until_somebody_has_read_it(path):
    path.unlink()
    recovered(path)
    with Store.open(path) as store:
        found = recovery.noted(store)
        assert recovery.sentence(found) == (
            "The database lacked files that had been loaded. 3 kept files with 74 rows were loaded again. "
            "Nothing is missing."
        )
        recovery.dismissed(store)
        assert recovery.noted(store) is None
    with Store.open(path) as store:
        assert recovery.recover(store) is None


def test_a_commit_that_was_lost_comes_back(path, tmp_path):
    older = path.read_bytes()
    with Store.open(path) as store:
        intake.load(store, "b", [write(tmp_path, "late.csv", 7, start=50)], Answers())
    expected = before(path)
    path.write_bytes(older)  # as if the disk had never got the last commit
    found, state, *_ = recovered(path)
    assert (state, found.files, found.datasets, found.aside) == (expected, 1, ["b"], None)


def test_a_recovery_that_is_cut_off_goes_on_the_next_time(path):
    expected = before(path)
    path.unlink()
    calls = []

    def cut(_rows, stage):
        calls.append(stage)
        if len(calls) > 4:
            raise KeyboardInterrupt

    with Store.open(path) as store, pytest.raises(KeyboardInterrupt):
        recovery.recover(store, progress=cut)
    _, state, *_ = recovered(path)
    assert state == expected


def test_a_file_that_was_not_kept_is_named(path, tmp_path):
    with Store.open(path, keep=False) as store:
        intake.load(store, "c", [write(tmp_path, "gone.csv", 5)], Answers())
    path.unlink()
    found, state, *_ = recovered(path)
    assert found.lost == ["gone.csv: it was not kept; load it again."]
    assert [row["name"] for row in state[2]] == ["a", "b", "c"]
    assert recovery.sentence(found).endswith("it was not kept; load it again.")


def test_a_deleted_dataset_never_comes_back_and_its_files_are_gone(path):
    with Store.open(path) as store:
        kept = [file.file_id for file in store.recipe().datasets[0].files]
        assert all(store.kept(file_id) for file_id in kept)
        store.delete("a")
        assert not any(store.kept(file_id) for file_id in kept)
    path.unlink()
    with Store.open(path) as store:
        recovery.recover(store)
        assert store.datasets()["name"].to_list() == ["b"]


def test_a_name_that_was_taken_meanwhile_is_left_to_its_owner(path, tmp_path):
    path.unlink()
    with Store.open(path) as store:
        intake.load(store, "a", [write(tmp_path, "other.csv", 3, start=90)], Answers())
        found = recovery.recover(store)
        assert found.datasets == ["a (again)", "b"]
        assert store.datasets()["requests"].to_list() == [3, 65, 9]


def test_without_a_recipe_a_damaged_database_is_left_as_it_is(path):
    path.with_name("logs.duckdb.recipe.json").unlink()
    data = path.read_bytes()[:4096] + b"\0" * 4096 + path.read_bytes()[8192:]
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError):
        Store.open(path)
    assert path.read_bytes() == data


def test_kept_files_can_be_read_by_their_owner_only_and_replay_beyond_the_limits(tmp_path):
    path = tmp_path / "logs.duckdb"
    dense = tmp_path / "dense.csv"
    dense.write_text(HEADER + "".join(f"r{at:07d},law,m,0.5,1,0.001\n" for at in range(600_000)))
    with Store.open(path) as store:
        intake.load(store, "d", [dense], Answers())
        (file,) = store.recipe().datasets[0].files
        kept = store.kept(file.file_id)
        assert kept.stat().st_mode & 0o077 == 0
        assert kept.parent.stat().st_mode & 0o077 == 0
        assert kept.stat().st_size < dense.stat().st_size / 5
        assert store.kept_bytes() == kept.stat().st_size
    path.unlink()
    with Store.open(path) as store:
        assert recovery.recover(store).rows == 600_000


def test_a_backup_is_the_whole_and_the_live_file_keeps_its_lock(path, tmp_path):
    target = tmp_path / "copies" / "backup.duckdb"
    target.parent.mkdir()
    with Store.open(path) as store:
        expected = contents(store)
        store.backup(target)
        program = "import duckdb, sys; duckdb.connect(sys.argv[1], read_only=True)"
        other = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, check=False)
        assert b"Conflicting lock" in other.stderr
        assert contents(store) == expected
        assert list(store.staging.iterdir()) == []
    assert target.stat().st_mode & 0o077 == 0
    with Store.open(target) as copy:
        assert contents(copy) == expected
        # A number that was given out is not given out again.
        intake.load(copy, "new", [write(tmp_path, "new.csv", 2)], Answers())
        assert len(set(rows(copy, "SELECT id FROM datasets"))) == 3


def test_a_backup_that_cannot_be_written_says_so(path, tmp_path):
    with Store.open(path) as store, pytest.raises(StoreError, match="could not be written"):
        store.backup(tmp_path / "absent" / "backup.duckdb")


def test_a_recipe_that_is_no_json_is_written_anew(path):
    recipe = path.with_name("logs.duckdb.recipe.json")
    text = recipe.read_text()
    recipe.write_text(text[: len(text) // 2])
    with Store.open(path) as store:
        assert store.missing() == []
    assert json.loads(recipe.read_text()) == json.loads(text)
    assert recipe.stat().st_mode & 0o077 == 0


def test_a_mapping_for_columns_that_are_gone_is_refused_by_name(tmp_path):
    with Store.open(tmp_path / "logs.duckdb") as store:
        inspection = intake.inspect(
            write(tmp_path, "x.csv", 2), name="x.csv", answers=Answers(), workdir=store.staging
        )
        mapping = inspection.proposal.mapping
        mapping.columns["confidence"] = ("self_rating",)
        with pytest.raises(SchemaError, match="self_rating"):
            intake.convert(inspection, mapping)


def test_damage_anywhere_is_noticed_or_does_not_matter(path):
    expected = before(path)
    good = path.read_bytes()
    chance = random.Random(20261127)  # noqa: S311 - the same bytes at every run
    for _ in range(8):
        for beside in path.parent.glob("logs.duckdb.damaged-*"):
            beside.unlink()
        data = bytearray(good)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            _, state, *_ = recovered(path)
        except StoreDamagedError:
            _, state, *_ = recovered(path)
        assert state == expected
