"""A database of the first layout, written by its own statements as they were, opened by today's program."""

import datetime as dt

import duckdb
import pytest
from stores import rows

from analytics.logs.store import Store

# The layout of version 0.1.0 before it had a number.
SIDE = (
    "correct DOUBLE, {0}_cost_usd DOUBLE, {0}_latency_s DOUBLE, {0}_input_tokens BIGINT, "
    "{0}_output_tokens BIGINT, {0}_reasoning_tokens BIGINT, {0}_cached_tokens BIGINT"
)
LOGGED = "threshold DOUBLE, propensity DOUBLE, sampling_probability DOUBLE"
GROUPS = (
    "unit_id VARCHAR, experiment VARCHAR, arm VARCHAR, attributes VARCHAR, prompt VARCHAR, answer VARCHAR"
)
FIRST = f"""
CREATE SEQUENCE versions;
CREATE TABLE datasets (
    name VARCHAR PRIMARY KEY, form VARCHAR NOT NULL, created TIMESTAMP, version BIGINT NOT NULL,
    ladder_confirmed BOOLEAN, ladder_by_hand BOOLEAN, ladder_reason VARCHAR, badge VARCHAR);
CREATE TABLE files (
    dataset VARCHAR, file_id VARCHAR, name VARCHAR, format VARCHAR, loaded_at TIMESTAMP, read BIGINT,
    loaded BIGINT, rejected BIGINT, duplicates BIGINT, confidence_set_null BIGINT, mapping VARCHAR,
    problems VARCHAR, problems_total BIGINT, notes VARCHAR, PRIMARY KEY (dataset, file_id));
CREATE TABLE ladder (
    dataset VARCHAR, task_category VARCHAR, fast_model VARCHAR, strong_model VARCHAR, position BIGINT);
CREATE TABLE models (
    dataset VARCHAR, model VARCHAR, tier VARCHAR, tier_source VARCHAR,
    input_usd_per_1m DOUBLE, output_usd_per_1m DOUBLE);
CREATE TABLE mappings (signature VARCHAR PRIMARY KEY, mapping VARCHAR NOT NULL);
CREATE TABLE decisions (
    dataset VARCHAR NOT NULL, file_id VARCHAR NOT NULL, request_id VARCHAR NOT NULL, ts TIMESTAMP,
    task_category VARCHAR, segment VARCHAR, fast_model VARCHAR, strong_model VARCHAR, policy_kind VARCHAR,
    confidence DOUBLE CHECK (confidence >= 0 AND confidence <= 1), confidence_kind VARCHAR,
    fast_{SIDE.format("fast")}, strong_{SIDE.format("strong")},
    router_cost_usd DOUBLE, router_latency_s DOUBLE, escalated BOOLEAN, {LOGGED},
    cost_source VARCHAR, correct_source VARCHAR, {GROUPS}, fold UTINYINT, unit_first BOOLEAN);
CREATE TABLE calls (
    dataset VARCHAR NOT NULL, file_id VARCHAR NOT NULL, request_id VARCHAR NOT NULL, call_index BIGINT,
    ts TIMESTAMP, task_category VARCHAR, segment VARCHAR, model VARCHAR, tier VARCHAR, tier_logged VARCHAR,
    effort VARCHAR, served BOOLEAN, shadow BOOLEAN, confidence DOUBLE, confidence_kind VARCHAR,
    correct DOUBLE, correct_source VARCHAR, input_tokens BIGINT, output_tokens BIGINT,
    reasoning_tokens BIGINT, cached_tokens BIGINT, cost_usd DOUBLE, cost_source VARCHAR, latency_s DOUBLE,
    ttft_s DOUBLE, cache_hit BOOLEAN, status VARCHAR, policy_kind VARCHAR, {LOGGED},
    router_cost_usd DOUBLE, router_latency_s DOUBLE, {GROUPS});
INSERT INTO datasets VALUES
    ('wide', 'decisions', '2026-11-01', nextval('versions'), true, false, 'The log names both.', NULL),
    ('calls of it''s', 'calls', '2026-11-02', nextval('versions'), true, true, 'Set by hand.', 'Sample'),
    ('empty', 'decisions', '2026-11-03', nextval('versions'), true, false, '', NULL);
INSERT INTO files VALUES
    ('wide', 'f1', 'w.csv', 'csv', '2026-11-01', 3, 3, 0, 0, 0, '{{}}', '[]', 0, '[]'),
    ('calls of it''s', 'f2', 'c.csv', 'csv', '2026-11-02', 2, 2, 0, 0, 0, '{{}}', '[]', 0, '[]');
INSERT INTO ladder VALUES ('calls of it''s', NULL, 'a', 'b', 0), ('wide', 'law', 'a', 'b', 0);
INSERT INTO models VALUES ('calls of it''s', 'b', 'reasoning', 'hand', 1.0, 2.0);
INSERT INTO mappings VALUES ('abc', '{{"form": "calls"}}');
INSERT INTO decisions BY NAME SELECT 'wide' AS dataset, 'f1' AS file_id, 'r' || i AS request_id,
    'law' AS task_category, 'a' AS fast_model, 'b' AS strong_model, 'cascade' AS policy_kind,
    i / 10 AS confidence, i % 2 AS fast_correct, TIMESTAMP '2026-10-01' AS ts, 7 AS fold, false AS unit_first
    FROM range(3) AS numbers(i);
INSERT INTO calls BY NAME SELECT 'calls of it''s' AS dataset, 'f2' AS file_id, 'r0' AS request_id,
    unnest(['a', 'b']) AS model, 0.4 AS confidence, 1.0 AS correct;
INSERT INTO decisions BY NAME SELECT 'calls of it''s' AS dataset, 'f2' AS file_id, 'r0' AS request_id,
    'a' AS fast_model, 'b' AS strong_model, 'cascade' AS policy_kind, 0.4 AS confidence, 1.0 AS fast_correct,
    1.0 AS strong_correct, true AS escalated, 3 AS fold, true AS unit_first;
"""


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
