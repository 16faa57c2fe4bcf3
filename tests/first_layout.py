"""The statements by which a database of the first layout was made, as they were."""

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
