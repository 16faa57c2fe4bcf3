"""Tables that tools keep, filled as they fill them: their cells by the documented commands, against those of
the same rows exported and loaded.

The tables are the tools' own, without columns that no command reads: LiteLLM 1.106's ``schema.prisma`` as
Prisma creates it in Postgres; Langfuse 3's ``packages/shared/clickhouse/migrations`` and TensorZero 2026.6's
data model in ClickHouse.
"""

import json
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from analytics.collapse import local
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store
from tests.engines.bench import FOLDER, ROOT, Log, Run, command, interpreter
from tests.engines.postgres import asked, by_psql, programs, server

Row = dict[str, object]
REQUESTS = 3000
PAGE = ROOT / "docs" / "cells.md"
FAST, STRONG = "house-small", "house-large"  # no list knows their prices
CATEGORIES = ("math", "law", 'chat "quoted"')

_START_MS = 1_772_323_200_000

SPEND_LOGS = """
    CREATE TABLE "LiteLLM_SpendLogs" (
        request_id TEXT PRIMARY KEY, call_type TEXT NOT NULL, spend DOUBLE PRECISION NOT NULL DEFAULT 0,
        total_tokens INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,
        completion_tokens INTEGER NOT NULL DEFAULT 0, "startTime" TIMESTAMP(3) NOT NULL,
        "endTime" TIMESTAMP(3) NOT NULL, request_duration_ms INTEGER, "completionStartTime" TIMESTAMP(3),
        model TEXT NOT NULL DEFAULT '', "user" TEXT DEFAULT '', metadata JSONB DEFAULT '{}',
        cache_hit TEXT DEFAULT '', request_tags JSONB DEFAULT '[]', end_user TEXT, session_id TEXT,
        status TEXT, litellm_call_id TEXT)"""
SPEND_MAPPING = (
    "--form", "calls", "--ladder", f"{FAST}>{STRONG}", "--only", "call_type=acompletion",
    "--without", "metadata->internal_call_origin",
    "--map", "request_id=metadata->spend_logs_metadata->request_id", "--map", "ts=startTime",
    "--map", "task_category=metadata->spend_logs_metadata->category", "--map", "model=model",
    "--map", "confidence=metadata->spend_logs_metadata->confidence", "--set", "confidence_kind=self_report",
    "--map", "correct=metadata->spend_logs_metadata->correct",
    "--map", "unit_id=metadata->spend_logs_metadata->user_id", "--map", "status=status",
    "--map", "cost_usd=spend", "--unit", "spend=usd_nonzero",
    "--map", "latency_s=request_duration_ms", "--unit", "request_duration_ms=ms",
    "--map", "input_tokens=prompt_tokens", "--map", "output_tokens=completion_tokens",
)  # fmt: skip


OBSERVATIONS = """
    CREATE TABLE observations (
        id String, trace_id String, project_id String, environment LowCardinality(String) DEFAULT 'default',
        type LowCardinality(String), start_time DateTime64(3), end_time Nullable(DateTime64(3)), name String,
        metadata Map(LowCardinality(String), String), level LowCardinality(String),
        provided_model_name Nullable(String), usage_details Map(LowCardinality(String), UInt64),
        cost_details Map(LowCardinality(String), Decimal64(12)), total_cost Nullable(Decimal64(12)),
        event_ts DateTime64(3), is_deleted UInt8)
    ENGINE = ReplacingMergeTree(event_ts, is_deleted)
    ORDER BY (project_id, type, toDate(start_time), id)"""
SCORES = """
    CREATE TABLE scores (
        id String, timestamp DateTime64(3), project_id String, trace_id String,
        observation_id Nullable(String), name String, value Float64, source String, data_type String,
        string_value Nullable(String), event_ts DateTime64(3), is_deleted UInt8)
    ENGINE = ReplacingMergeTree(event_ts, is_deleted) ORDER BY (project_id, toDate(timestamp), name, id)"""
GENERATIONS_MAPPING = (
    "--form", "calls", "--ladder", f"{FAST}>{STRONG}", "--map", "request_id=trace_id",
    "--map", "ts=start_time", "--map", "model=provided_model_name",
    "--map", "task_category=metadata[category]", "--map", "confidence=metadata[confidence]",
    "--map", "correct=grade", "--map", "status=status", "--map", "cost_usd=total_cost",
    "--map", "latency_s=took_ms", "--unit", "took_ms=ms",
    "--map", "input_tokens=usage_details[input]", "--map", "output_tokens=usage_details[output]",
)  # fmt: skip


INFERENCES = """
    CREATE TABLE ChatInference (
        id UUID, function_name LowCardinality(String), variant_name LowCardinality(String), episode_id UUID,
        input String, output String, tool_params String, inference_params String,
        processing_time_ms Nullable(UInt32), tags Map(String, String), ttft_ms Nullable(UInt32))
    ENGINE = MergeTree ORDER BY (function_name, variant_name, episode_id)"""
MODELS = """
    CREATE TABLE ModelInference (
        id UUID, inference_id UUID, model_name LowCardinality(String),
        model_provider_name LowCardinality(String), input_tokens Nullable(UInt32),
        output_tokens Nullable(UInt32), response_time_ms Nullable(UInt32), cached Bool,
        cost Nullable(Decimal(18, 9)))
    ENGINE = MergeTree ORDER BY inference_id"""
FEEDBACK = """
    CREATE TABLE BooleanMetricFeedback (
        id UUID, target_id UUID, metric_name LowCardinality(String), value Bool)
    ENGINE = MergeTree ORDER BY (metric_name, target_id)"""
INFERENCES_MAPPING = (
    "--form", "calls", "--ladder", f"{FAST}>{STRONG}", "--map", "request_id=request", "--map", "ts=written",
    "--map", "task_category=function_name", "--map", "model=model_name", "--map", "unit_id=episode_id",
    "--map", "confidence=tags[confidence]", "--map", "arm=variant_name", "--map", "correct=grade",
    "--unit", "grade=boolean", "--map", "cost_usd=paid",
    "--map", "latency_s=processing_time_ms", "--unit", "processing_time_ms=ms",
    "--map", "input_tokens=input_tokens", "--map", "output_tokens=output_tokens",
)  # fmt: skip


def runs(_: list[Log]) -> Iterator[Run]:
    """The cells of each tool's table.

    Raises:
        UnavailableError: Postgres is not installed and cannot be.
    """
    yield from _litellm()
    yield from _langfuse()
    yield from _tensorzero()


def _litellm() -> Iterator[Run]:
    with server(programs()) as environment:
        asked(environment, "-c", SPEND_LOGS)
        rows = [row for number in range(REQUESTS) for row in _spent(number)]
        path = FOLDER / "spend.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        columns = ", ".join(f'"{name}"' for name in rows[0])
        asked(
            environment, "-c", "CREATE TEMP TABLE lines (line JSONB)", "-c",
            f"\\copy lines FROM '{path}' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')", "-c",
            f"""INSERT INTO "LiteLLM_SpendLogs" ({columns}) SELECT {columns}
                FROM lines, jsonb_populate_record(NULL::"LiteLLM_SpendLogs", line)""",
        )  # fmt: skip
        found = by_psql(environment, "--table", '"LiteLLM_SpendLogs"', *SPEND_MAPPING)
        yield Run(_loaded("LiteLLM's own table in Postgres", path), *found)


def _langfuse() -> Iterator[Run]:
    made = [_observed(number) for number in range(REQUESTS)]
    files = {
        name: _lines(name, [rows[at] for rows in made]) for at, name in enumerate(("observations", "scores"))
    }
    # As each was first written: a later version of the row takes its place.
    first = f"""INSERT INTO observations SELECT * REPLACE (0.5 AS total_cost, toDateTime64(0, 3) AS event_ts)
        FROM file('{files["observations"]}', JSONEachRow)"""
    found = _by_clickhouse("langfuse", [OBSERVATIONS, SCORES, first], files, GENERATIONS_MAPPING)
    yield Run(_loaded("Langfuse's own tables in ClickHouse", *files.values()), *found)


def _tensorzero() -> Iterator[Run]:
    made = [_inferred(number) for number in range(REQUESTS)]
    names = ("ChatInference", "ModelInference", "BooleanMetricFeedback")
    files = {name: _lines(name, [rows[at] for rows in made]) for at, name in enumerate(names)}
    found = _by_clickhouse("tensorzero", [INFERENCES, MODELS, FEEDBACK], files, INFERENCES_MAPPING)
    joined = [[a | b | {"id": a["id"]} for a, b in zip(rows[0], rows[1], strict=True)] for rows in made]
    export = _lines("inferences", joined)
    yield Run(_loaded("TensorZero's own tables in ClickHouse", export, files[names[2]]), *found)


def _lines(name: str, rows: list[list[Row]]) -> Path:
    path = FOLDER / f"{name}.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for some in rows for row in some), encoding="utf-8")
    return path


def _by_clickhouse(
    tool: str, statements: list[str], files: dict[str, Path], mapping: tuple[str, ...]
) -> tuple[pl.DataFrame, float]:
    """Tables filled from files, and their cells by the view that docs/cells.md has."""
    python, home, page = interpreter(), FOLDER / tool, PAGE.read_text(encoding="utf-8")
    shutil.rmtree(home, ignore_errors=True)
    (view,) = re.findall(rf"```sql\n(CREATE VIEW tiertune_{tool} .*?)```", page, re.DOTALL)
    filled = [f"INSERT INTO {name} SELECT * FROM file('{path}', JSONEachRow)" for name, path in files.items()]
    program = "import json, sys, chdb\nfor one in json.loads(sys.argv[1]): chdb.query(one, path=sys.argv[2])"
    asked_for = json.dumps([*statements, *filled, view])
    subprocess.run([python, "-c", program, asked_for, str(home)], check=True)
    place = ("--path", str(home), "--table", f"tiertune_{tool}")
    return command(python, "--engine", "clickhouse", *place, *mapping)


def _loaded(about: str, *paths: Path) -> Log:
    """The rows as an export that is loaded, and the cells of that."""
    started = time.perf_counter()
    with Store.open(None) as store:
        intake.load(store, "log", list(paths), Answers())
        store.set_ladder("log", [Pair(None, FAST, STRONG)])
        cells = local.collapsed(store, "log")
    return Log(f"{about}, {REQUESTS:,} requests", paths[0], (), cells, time.perf_counter() - started)


def _spent(number: int) -> list[Row]:
    """Rows of one request: a fast call, a strong one if escalated, and what is no call of the user's."""
    draw = np.random.default_rng(number)
    confidence = int(draw.integers(0, 21)) / 20
    said = {
        "request_id": f"r{number}", "category": CATEGORIES[number % 3], "user_id": f"u{number % 500}",
    }  # fmt: skip
    rows = [
        _call(draw, number, FAST, {**said, "confidence": confidence, "correct": int(draw.integers(0, 2))})
    ]
    if confidence < 0.6:
        rows.append(_call(draw, number, STRONG, {**said, "correct": bool(draw.integers(0, 2))}))
    if number % 7 == 0:
        rows.append(_call(draw, number, FAST, said) | {"call_type": "aembedding"})
    if number % 11 == 0:
        judged = _call(draw, number, "house-judge", said)
        judged["metadata"] = {**judged["metadata"], "internal_call_origin": "autorouter_classifier"}  # type: ignore[dict-item]
        rows.append(judged)
    if number % 13 == 0:
        rows[0] |= {"spend": 0.0}
    for place, row in enumerate(rows):
        row["request_id"] = row["litellm_call_id"] = f"call-{number}-{place}"
    return rows


def _call(draw: np.random.Generator, number: int, model: str, said: Row) -> Row:
    start, took = (
        1_772_323_200_000 + number * 60_000 + (model == STRONG) * 5_000,
        int(draw.integers(50, 9_000)),
    )
    moments = pl.Series([start, start + took]).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%S%.3f")
    return {
        "request_id": "", "call_type": "acompletion", "spend": float(draw.integers(1, 10_000)) / 1e6,
        "total_tokens": 30, "prompt_tokens": int(draw.integers(5, 90)), "completion_tokens": 20,
        "startTime": moments[0], "endTime": moments[1], "request_duration_ms": took, "model": model,
        "metadata": {"spend_logs_metadata": said}, "cache_hit": "False", "status": "success",
        "litellm_call_id": "",
    }  # fmt: skip


def _observed(number: int) -> tuple[list[Row], list[Row]]:
    """Observations and scores of one request; a span, an evaluator's own call and other scores beside."""
    draw = np.random.default_rng(number)
    confidence = int(draw.integers(0, 21)) / 20
    told = {"category": CATEGORIES[number % 3]}
    calls = [_observation(draw, number, FAST, {**told, "confidence": str(confidence)})]
    if confidence < 0.6:
        calls.append(_observation(draw, number, STRONG, told))
    scores = [_score(draw, number, place, "correct") for place in range(len(calls)) if number % 10]
    scores.append(_score(draw, number, 0, "helpfulness"))
    if number % 19 == 0:  # some failures have a score, and some none
        calls[-1]["level"] = "ERROR"
    calls.append(_observation(draw, number, FAST, told) | {"type": "SPAN"})
    if number % 11 == 0:
        calls.append(_observation(draw, number, "house-judge", told) | {"environment": "langfuse-evaluation"})
    for place, row in enumerate(calls):
        row["id"] = f"o{number}-{place}"
    return calls, scores


def _observation(draw: np.random.Generator, number: int, model: str, told: dict[str, str]) -> Row:
    start, took = _START_MS + number * 60_000 + (model == STRONG) * 5_000, int(draw.integers(50, 9_000))
    moments = pl.Series([start, start + took]).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%d %H:%M:%S%.3f")
    usage = {"input": int(draw.integers(5, 90)), "output": 20}
    cost = int(draw.integers(1, 10_000)) / 1e6
    return {
        "id": "", "trace_id": f"t{number}", "project_id": "p", "environment": "default", "type": "GENERATION",
        "start_time": moments[0], "end_time": moments[1], "name": "answer", "metadata": told,
        "level": "DEFAULT", "provided_model_name": model,
        "usage_details": {**usage, "total": sum(usage.values())}, "cost_details": {"total": cost},
        "total_cost": cost, "event_ts": moments[1], "is_deleted": 0,
    }  # fmt: skip


def _score(draw: np.random.Generator, number: int, place: int, name: str) -> Row:
    return {
        "id": f"s{number}-{place}-{name}", "timestamp": "2026-03-02 00:00:00.000", "project_id": "p",
        "trace_id": f"t{number}", "observation_id": f"o{number}-{place}", "name": name,
        "value": float(draw.integers(0, 2)), "source": "EVAL", "data_type": "NUMERIC", "string_value": None,
        "event_ts": "2026-03-02 00:00:00.000", "is_deleted": 0,
    }  # fmt: skip


def _inferred(
    number: int,
) -> tuple[list[Row], list[Row], list[Row]]:
    """Inferences, their calls of a model and feedback of one episode, answers from the cache among them."""
    draw = np.random.default_rng(number)
    confidence = int(draw.integers(0, 21)) / 20
    models = [FAST, STRONG] if confidence < 0.6 else [FAST]
    inferences, calls, feedback = [], [], []
    for place, model in enumerate(models):
        own, took = _uuid(number, place), int(draw.integers(50, 9_000))
        inferences.append({
            "id": own, "function_name": CATEGORIES[number % 3], "variant_name": "a",
            "episode_id": _uuid(number, 9), "input": "", "output": "", "tool_params": "",
            "inference_params": "{}", "processing_time_ms": took,
            "tags": {"confidence": str(confidence)} if place == 0 else {}, "ttft_ms": None,
        })  # fmt: skip
        calls.append({
            "id": _uuid(number, 20 + place), "inference_id": own, "model_name": model,
            "model_provider_name": "house", "input_tokens": int(draw.integers(5, 90)), "output_tokens": 20,
            "response_time_ms": took - 1, "cached": number % 17 == 0,
            "cost": None if number % 13 == 0 else int(draw.integers(1, 10_000)) / 1e6,
        })  # fmt: skip
        if number % 10:
            feedback.append({
                "id": _uuid(number, 40 + place), "target_id": own, "metric_name": "correct",
                "value": bool(draw.integers(0, 2)),
            })  # fmt: skip
    return inferences, calls, feedback


def _uuid(number: int, place: int) -> str:
    """Of version 7: milliseconds since 1970 in front."""
    milliseconds = _START_MS + number * 60_000 + (place % 20) * 5_000
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | number * 100 + place))
