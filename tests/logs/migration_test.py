"""A database of the first layout, written by its own statements as they were, opened by today's program."""

import datetime as dt

import duckdb
import pytest
from first_layout import FIRST
from stores import rows

from analytics.logs.intake import load
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from analytics.tuning.log import read_log


def test_a_database_of_the_first_layout_is_brought_up_to_date_with_every_row(tmp_path):
    path = tmp_path / "logs.duckdb"
    with duckdb.connect(path) as old:
        old.execute(FIRST)
    for _ in range(2):  # the second time there is nothing to do
        with Store.open(path) as store:
            assert store.datasets()["name"].to_list() == ["calls of it's", "empty", "wide"]
            assert store.datasets()["requests"].to_list() == [1, 0, 3]
            made = rows(
                store,
                """SELECT request_id, ts, task_category, confidence, fast_correct, fold FROM decisions
                   WHERE dataset = 'wide' ORDER BY 1""",
            )
            when = dt.datetime(2026, 10, 1)  # noqa: DTZ001
            assert made == [(f"r{i}", when, "law", i / 10, i % 2, 7) for i in range(3)]
            calls = rows(store, "SELECT dataset, model, confidence, correct FROM calls ORDER BY model")
            assert calls == [("calls of it's", "a", 0.4, 1.0), ("calls of it's", "b", 0.4, 1.0)]
            paired = "SELECT escalated, fold FROM decisions WHERE fold = 3"
            assert rows(store, paired) == [(True, 3)]
            assert store.ladder("calls of it's").confirmed
            assert store.models("calls of it's")["tier_source"].to_list() == ["hand"]
            assert store.saved_mapping("abc") == '{"form": "calls"}'
            assert store.files("wide")["form"].to_list() == ["decisions"]
    with duckdb.connect(path) as found:
        names = {row[0] for row in found.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        assert not {name for name in names if name.endswith("_first")}


def test_a_migration_that_fails_leaves_the_old_database(tmp_path, monkeypatch):
    path = tmp_path / "logs.duckdb"
    with duckdb.connect(path) as old:
        old.execute(FIRST)

    def fails(*_):
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("analytics.logs.storage.migration._move_rows", fails)
        with pytest.raises(RuntimeError):
            Store.open(path)
    with duckdb.connect(path, read_only=True) as old:
        assert old.execute("SELECT count(*) FROM decisions").fetchone() == (4,)
    with Store.open(path) as store:
        assert store.datasets()["requests"].to_list() == [1, 0, 3]


def test_a_database_of_the_third_layout_learns_of_drawn_grades(tmp_path):
    """Layout 3 had no ``grade_probability``; its datasets stay as they are and every question works."""
    path = tmp_path / "logs.duckdb"
    log = tmp_path / "log.csv"
    lines = [f"r{i},law,small,big,{i % 10 / 10},{int(i % 3 > 0)},{int(i % 7 > 0)}" for i in range(200)]
    header = "request_id,task_category,fast_model,strong_model,confidence,fast_correct,strong_correct"
    log.write_text("\n".join([header, *lines]))
    with Store.open(path) as store:
        load(store, "log", [log], Answers())
        before = read_log(store, "log").cells
    with duckdb.connect(path) as old:
        for form in ("decisions", "calls"):
            old.execute(f"ALTER TABLE {form} DROP COLUMN grade_probability")
        old.execute("UPDATE meta SET value = '3' WHERE name = 'layout'")
    with Store.open(path) as store:
        after = read_log(store, "log").cells
    keys = ["fold", "confidence", "fast_graded"]
    assert after.sort(keys).equals(before.sort(keys))
