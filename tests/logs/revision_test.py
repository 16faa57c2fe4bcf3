"""Files taken back and read again: the dataset is what it would be if it had always been so."""

import threading

import pytest
from stores import rows

from analytics.errors import SchemaError
from analytics.logs import intake, revision
from analytics.logs.meaning.mapping import Answers
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store

HEADER = "request_id,category,model,confidence,correct,cost_usd\n"


def write(folder, name, requests, **more):
    path = folder / name
    values = {"category": "law", "model": "m-small", "confidence": 0.5, "correct": 1, "cost": 0.001} | more
    text = "{category},{model},{confidence},{correct},{cost}".format(**values)
    path.write_text(HEADER + "".join(f"r{number},{text}\n" for number in requests))
    return path


def contents(store):
    calls = rows(store, "SELECT * EXCLUDE dataset FROM calls WHERE dataset = 'd' ORDER BY ALL")
    made = rows(store, "SELECT * EXCLUDE dataset FROM decisions WHERE dataset = 'd' ORDER BY ALL")
    files = store.files("d").drop("loaded_at", "position", "notes").sort("name").to_dicts()
    return calls, made, files, store.ladder("d")


def load(store, *paths, **answers):
    for path in paths:
        intake.load(store, "d", [path], Answers(**answers))


def file_id(store, name):
    (found,) = store.files("d").filter(store.files("d")["name"] == name)["file_id"]
    return found


@pytest.fixture
def paths(tmp_path):
    """Three files: the second repeats rows of the first, the third contradicts one."""
    return (
        write(tmp_path, "one.csv", range(10)),
        write(tmp_path, "two.csv", range(5, 20)),
        write(tmp_path, "three.csv", [9, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39], correct=0),
    )


@pytest.fixture
def opened(tmp_path, paths):
    with Store.open(tmp_path / "logs.duckdb") as store:
        load(store, *paths)
        assert store.files("d")["duplicates"].to_list() == [0, 5, 0]
        assert store.files("d")["rejected"].to_list() == [0, 0, 1]
        yield store


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_dataset_without_a_file_is_as_if_it_had_never_been_loaded(opened, paths, taken, tmp_path):
    others = [path for place, path in enumerate(paths) if place != taken]
    with Store.open(tmp_path / "other.duckdb") as other:
        load(other, *others)
        expected = contents(other)
    revision.take_back(opened, "d", file_id(opened, paths[taken].name))
    assert contents(opened) == expected
    assert list(opened.staging.iterdir()) == []
    assert len(list((tmp_path / "logs.duckdb.files").iterdir())) == 2


def test_a_file_that_nothing_was_lost_to_is_taken_out_at_once(tmp_path):
    with Store.open(tmp_path / "logs.duckdb", keep=False) as store:
        load(store, write(tmp_path, "a.csv", range(3)), write(tmp_path, "b.csv", range(3, 9)))
        revision.take_back(store, "d", file_id(store, "a.csv"))
        assert rows(store, "SELECT count(*) FROM calls") == [(6,)]
        with pytest.raises(SchemaError, match="the only log of d"):
            revision.take_back(store, "d", file_id(store, "b.csv"))
        with pytest.raises(SchemaError, match="no such file"):
            revision.take_back(store, "d", "0" * 64)


def test_what_was_not_kept_is_named_and_nothing_changes(tmp_path, paths):
    with Store.open(tmp_path / "logs.duckdb", keep=False) as store:
        load(store, *paths)
        before = contents(store)
        with pytest.raises(SchemaError, match=r"not kept: two\.csv, three\.csv"):
            revision.take_back(store, "d", file_id(store, "one.csv"))
        assert contents(store) == before


def test_a_file_read_again_has_its_new_mapping_in_its_old_place(opened, paths, tmp_path):
    opened.set_ladder("d", [Pair(None, "m-small", "m-huge")])
    answers = Answers(
        map={"confidence": ("cost_usd",), "cost_usd": ()}, set={"segment": "gold"}, accept_rejects=True
    )
    with Store.open(tmp_path / "other.duckdb") as other:
        load(other, paths[0])
        intake.load(other, "d", [paths[1]], answers)
        with other.cursor() as cursor:  # or the third would be read like the second
            cursor.execute("DELETE FROM mappings")
        load(other, paths[2])
        other.set_ladder("d", [Pair(None, "m-small", "m-huge")])
        expected = contents(other)
    found = revision.inspect_again(opened, "d", file_id(opened, "two.csv"), answers=answers)
    assert found.proposal.mapping.columns["confidence"] == ("cost_usd",)
    report = revision.read_again(opened, "d", found, answers=answers)
    found.discard()
    assert (report.read, report.loaded, report.rejected, report.duplicates) == (15, 10, 5, 0)
    assert contents(opened) == expected


def test_without_other_words_the_old_mapping_is_proposed(opened):
    found = revision.inspect_again(opened, "d", file_id(opened, "one.csv"))
    assert found.proposal.mapping.to_json() == opened.recipe().datasets[0].files[0].mapping
    assert found.proposal.questions == []
    found.discard()


def test_a_stop_leaves_everything_as_it_was(opened):
    before, stopped = contents(opened), threading.Event()

    def late(_rows, _stage):
        stopped.set()

    with pytest.raises(intake.Cancelled):
        revision.take_back(opened, "d", file_id(opened, "one.csv"), progress=late, cancelled=stopped.is_set)
    assert contents(opened) == before
    assert list(opened.staging.iterdir()) == []


def test_a_mapping_that_rejects_much_is_refused_and_nothing_changes(opened):
    before = contents(opened)
    answers = Answers(map={"correct": ("model",)})
    found = revision.inspect_again(opened, "d", file_id(opened, "one.csv"), answers=answers)
    with pytest.raises(SchemaError, match="grade"):
        revision.read_again(opened, "d", found, answers=answers)
    found.discard()
    assert contents(opened) == before
