"""Steps of time by hand, and their figures against the whole period."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from analytics.logs.schema import CALLS
from analytics.measure.timeline import starts, step_days, timeline


@pytest.mark.parametrize(
    ("days", "step"),
    [(1, 1), (31, 1), (32, 7), (420, 7), (421, 28), (1680, 28), (1681, 56)],  # 60 x 7 = 420, 60 x 28 = 1680
)
def test_longer_logs_have_longer_steps(days, step):
    first = date(2026, 1, 1)
    assert step_days(first, first + timedelta(days=days - 1)) == step


def test_weeks_begin_on_mondays():
    # 1 January 2026 is a Thursday; the Monday before is 29 December 2025.
    found = starts(date(2026, 1, 1), date(2026, 1, 12), days=7)
    assert found == [date(2025, 12, 29), date(2026, 1, 5), date(2026, 1, 12)]


@pytest.fixture
def cursor():
    with duckdb.connect() as connection:
        for table in ("calls", "calls_7"):
            connection.execute(f"CREATE TABLE {table} ({', '.join(f'{c.name} {c.sql_type}' for c in CALLS)})")
        connection.execute("CREATE TABLE datasets (name VARCHAR, form VARCHAR, id BIGINT, version BIGINT)")
        connection.execute("CREATE TABLE kept_cells (dataset VARCHAR, version BIGINT, pending VARCHAR)")
        connection.execute("CREATE TABLE models (dataset VARCHAR, model VARCHAR, tier VARCHAR)")
        connection.execute("INSERT INTO datasets VALUES ('log', 'calls', 7, 1)")
        connection.execute("INSERT INTO models VALUES ('log', 'm', 'small')")
        rows = [
            (
                f"r{day}",
                datetime(2026, 1, day, 12, tzinfo=UTC).replace(tzinfo=None),
                "m",
                "math" if day % 2 else "law",
                day % 2,
                0.01,
                day,
            )
            for day in range(1, 11)
        ]
        connection.executemany(
            """INSERT INTO calls_7 (request_id, ts, model, task_category, correct, cost_usd, latency_s)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            rows,
        )
        yield connection


def test_steps_hold_each_call_once(cursor):
    found = timeline(cursor, "log", first=date(2026, 1, 1), last=date(2026, 1, 10))
    assert found["day"].to_list() == [date(2026, 1, day) for day in range(1, 11)]
    assert found["calls"].to_list() == [1] * 10
    assert found["accuracy"].to_list() == [1.0, 0.0] * 5


def test_steps_without_calls_have_no_row_and_the_last_day_counts(cursor):
    found = timeline(cursor, "log", first=date(2026, 1, 1), last=date(2026, 2, 9))
    # Weeks from 29 December: 1 to 4 January, 5 to 10 January (4 and 6 calls), then nothing.
    assert found["day"].to_list() == [date(2025, 12, 29), date(2026, 1, 5)]
    assert found["calls"].to_list() == [4, 6]
    assert found["latency_p50_s"].to_list() == [2.5, 7.5]  # medians of 1..4 and 5..10


def test_only_the_asked_categories_count(cursor):
    found = timeline(cursor, "log", first=date(2026, 1, 1), last=date(2026, 1, 10), categories=["law"])
    assert found["calls"].sum() == 5
