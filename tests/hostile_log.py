"""A database in which every name is hostile: datasets, files, categories, models, arms, graders, columns."""

import random
from pathlib import Path

import polars as pl
from hostile_texts import TEXTS

from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

PAIRS = "pairs <img src=x onerror=alert(11)> [d](javascript:alert(12)) ![d](http://evil.invalid/d.png)"
CALLS = "calls $x$ :smile: <b>d</b>"
FILE = "<img src=x onerror=alert(13)> ![f](http://evil.invalid/f.png) $f$.csv"
BADGE = "![badge](http://evil.invalid/badge.png)"
FAST, STRONG, OTHER = (
    "<img src=x onerror=alert(21)>",
    "![m](http://evil.invalid/m.png)",
    "[o](javascript:alert(22))",
)
GRADERS = ("![g](http://evil.invalid/g.png)", "<img src=x onerror=alert(41)>")
COLUMN = "=cmd <script>alert(31)</script> [c](http://evil.invalid/c)"
ROWS = 80
"""Requests of a category: enough for a threshold of its own."""


def pairs(categories: tuple[str, ...] = TEXTS) -> pl.DataFrame:
    """A replay with both answers of every request, 80 requests a category; seeded."""
    chance = random.Random(20261127)  # noqa: S311 - a simulated log
    rows = []
    for place in range(ROWS * len(categories)):
        confidence = round(chance.random(), 1)
        rows.append(
            {
                "request_id": f"=q{place}",
                "ts": f"2026-10-{1 + place % 28:02d}T12:00:00Z",
                "task_category": categories[place % len(categories)].replace("\x00", " "),
                "fast_model": FAST,
                "strong_model": STRONG,
                "confidence": confidence,
                "fast_correct": int(chance.random() < 0.3 + 0.6 * confidence),
                "strong_correct": int(chance.random() < 0.9),
                "fast_cost_usd": 0.0002,
                "strong_cost_usd": 0.004,
                "fast_latency_s": 0.4,
                "strong_latency_s": 6.0,
                "experiment": TEXTS[0],
                "arm": TEXTS[place % 2 + 5],
                COLUMN: TEXTS[place % len(TEXTS)].replace("\x00", " "),
            }
        )
    return pl.DataFrame(rows)


def calls() -> pl.DataFrame:
    """One row per call: three models of hostile names, without prices, tiers or a ladder that is sure."""
    chance = random.Random(20261128)  # noqa: S311 - a simulated log
    return pl.DataFrame(
        [
            {
                "request_id": f"r{place}",
                "call_index": at,
                "model": model,
                "task_category": TEXTS[place % 7],
                "confidence": round(chance.random(), 2),
                "correct": int(chance.random() < 0.5 + 0.2 * at),
                "input_tokens": 100,
                "output_tokens": 20,
                "tier": "<b>small</b>",
            }
            for place in range(200)
            for at, model in enumerate((FAST, STRONG) if place % 3 else (FAST, OTHER))
        ]
    )


def grades() -> pl.DataFrame:
    """What two graders of hostile names say of a few answers; none of them counts before somebody says so."""
    return pl.DataFrame(
        [
            {"request_id": f"r{place}", "grader": grader, "correct": place % 2}
            for place in range(30)
            for grader in GRADERS
        ]
    )


def fill(database: Path) -> None:
    """Write both logs and the grades as files and load them into a new database.

    Args:
        database: Where it is made; the files lie beside it.
    """
    with Store.open(database) as store:
        for name, frame in ((PAIRS, pairs()), (CALLS, calls())):
            path = database.with_name("log.parquet")
            frame.write_parquet(path)
            intake.load(store, name, [path], Answers(), names=[FILE], badge=BADGE)
        path = database.with_name("grades.parquet")
        grades().write_parquet(path)
        intake.load(store, CALLS, [path], Answers(dialect="grades"), names=[FILE])
