"""Tables that tools keep, filled as they fill them: their cells by the documented commands, against those of
the same rows exported and loaded.

The tables are the tools' own, without columns that no command reads: LiteLLM 1.106's ``schema.prisma`` as
Prisma creates it in Postgres.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from analytics.collapse import local
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store
from tests.engines.bench import FOLDER, Log, Run
from tests.engines.postgres import asked, by_psql, programs, server

REQUESTS = 3000
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


def runs(_: list[Log]) -> Iterator[Run]:
    """The cells of each tool's table.

    Raises:
        UnavailableError: Postgres is not installed and cannot be.
    """
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


def _loaded(about: str, path: Path) -> Log:
    """The rows as an export that is loaded, and the cells of that."""
    with Store.open(None) as store:
        intake.load(store, "log", [path], Answers())
        store.set_ladder("log", [Pair(None, FAST, STRONG)])
        cells = local.collapsed(store, "log")
    return Log(f"{about}, {REQUESTS:,} requests", path, (), cells, 1.0)


def _spent(number: int) -> list[dict[str, object]]:
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


def _call(draw: np.random.Generator, number: int, model: str, said: dict[str, object]) -> dict[str, object]:
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
