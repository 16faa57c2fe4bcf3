"""A database of the first layout, written by its own statements as they were, opened by today's program."""

import datetime as dt

import duckdb
import pytest
from first_layout import FIRST
from stores import rows

from analytics.logs.store import Store


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
