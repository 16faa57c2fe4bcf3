"""A file's way from an upload into the database, and what the form makes of the user's corrections."""

import io
import time

import pytest

from analytics.logs.meaning.mapping import Answers, Mapping
from analytics.logs.reading.staging import Question
from analytics.logs.store import Store
from dashboard import loading, mapping_editor
from dashboard.unit_pickers import Scale

CSV = b"""request_id,category,model,confidence,correct,cost_usd
r1,law,m-small,0.9,1,0.001
r2,law,m-small,0.4,0,0.001
r3,math,m-large,0.8,1,0.002
"""
MAPPING = Mapping(
    "calls",
    "call_level",
    {"request_id": ("id",), "latency_s": ("ms",)},
    {"policy_kind": "cascade"},
    {"latency_s": "s"},
)


@pytest.fixture
def store():
    with Store.open(None) as opened:
        yield opened


def waited(task: loading.Task) -> loading.Task:
    deadline = time.monotonic() + 60
    while task.busy and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not task.busy
    return task


def read(store: Store, content: bytes, name: str = "log.csv") -> loading.Task:
    task = loading.spilled(io.BytesIO(content), name, folder=store.staging)
    loading.read(task, store)
    return waited(task)


def test_a_file_waits_for_the_user_and_then_loads(store):
    task = read(store, CSV)
    assert task.stage == "asking"
    loading.load(task, store)
    report = waited(task).report
    assert task.stage == "done"
    assert (report.read, report.loaded, report.rejected, report.duplicates) == (3, 3, 0, 0)
    assert store.datasets()["name"].to_list() == ["log"]
    assert not task.path.parent.exists()


def test_the_same_file_twice_is_all_duplicates(store):
    for expected in ((3, 0), (0, 3)):
        task = read(store, CSV)
        loading.load(task, store)
        report = waited(task).report
        assert (report.loaded, report.duplicates) == expected


def test_many_rejects_wait_for_the_users_word(store):
    task = read(store, CSV + b"only-one-field\n")
    loading.load(task, store)
    assert waited(task).stage == "rejects"  # 1 of 4 records is more than a tenth
    assert store.datasets().is_empty()
    loading.accept(task, store)
    assert waited(task).report.loaded == 3


def test_a_file_that_cannot_be_read_says_why(store):
    task = read(store, b"")
    assert task.stage == "failed"
    assert "empty" in task.message


def test_stop_ends_the_work_and_nothing_stays_loaded(store):
    task = loading.spilled(io.BytesIO(CSV), "log.csv", folder=store.staging)
    loading.read(task, store)
    loading.stop(task)
    assert waited(task).stage == "stopped"
    assert store.datasets().is_empty()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("log.csv.gz", "log"),
        ("C:\\logs\\week 1.jsonl", "week 1"),
        ("../../etc/x.parquet", "x"),
        (".csv", "log"),
    ],
)
def test_a_dataset_is_named_after_its_file(file, name):
    assert loading.dataset_name(file) == name


def test_an_answer_goes_where_its_flag_would_put_it():
    unit = Question("unit", "conf", "In percent?", ["percent", "fraction"], "--unit conf=percent")
    encoding = Question("encoding", None, "Which?", ["windows-1252"], "--encoding windows-1252")
    found = mapping_editor.answered(Answers(), unit, "percent")
    found = mapping_editor.answered(found, encoding, "windows-1252")
    assert found == Answers(unit={"conf": "percent"}, encoding="windows-1252")


def test_fields_that_were_not_touched_are_not_pinned():
    untouched = mapping_editor.edited(
        Answers(),
        MAPPING,
        sources=dict(MAPPING.columns),
        scale=Scale({"latency_s": "s"}, ".", None),
        constants={},
        keep_text=False,
    )
    assert untouched == Answers()


def test_changed_sources_units_and_constants_become_answers():
    changed = mapping_editor.edited(
        Answers(set={"model": "old"}),
        MAPPING,
        sources={"request_id": (), "latency_s": ("ms",), "ts": ("when",)},
        scale=Scale({"latency_s": "ms"}, ",", "dmy"),
        constants={"model": "", "policy_kind": "predictive"},
        keep_text=True,
    )
    assert changed == Answers(
        map={"request_id": (), "ts": ("when",)},
        unit={"latency_s": "ms"},
        set={"policy_kind": "predictive"},
        decimal=",",
        dates="dmy",
        keep_text=True,
    )
