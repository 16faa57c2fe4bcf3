"""Wide logs as Parquet, with everything that cells distinguish, the same at every run."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

START = datetime(2026, 3, 1)  # noqa: DTZ001 - naive UTC, as stored
CATEGORIES = ("math", "law; DROP TABLE log", 'chat "quoted"', None)


def wide_log(rows: int, *, seed: int = 1, users: int = 400, first: int = 0, days: int = 20) -> pl.DataFrame:
    """Rows of a log: a request each, the pair by category, gaps in every column that may have some.

    Args:
        rows: How many.
        seed: Of the random values.
        users: Who make them.
        first: Number of the first request; its time follows from it.
        days: Days that 1,000 rows take.
    """
    draw = np.random.default_rng(seed)
    number = np.arange(first, first + rows)

    def some(values: np.ndarray, share: float) -> pl.Series:
        return pl.Series(values).set(pl.Series(draw.random(rows) >= share), None)

    category = draw.integers(0, len(CATEGORIES), rows)
    confidence = np.round(draw.random(rows), 2)
    return pl.DataFrame(
        {
            "request_id": [f"r{i}" for i in number],
            "ts": [START + timedelta(days=days) * (int(i) / 1000) for i in number],
            "task_category": [CATEGORIES[i] for i in category],
            "fast_model": ["small" if i % 2 else "tiny" for i in category],
            "strong_model": "large@high",
            "confidence": some(confidence, 0.9),
            "fast_correct": some(np.round(draw.random(rows) * 2) / 2, 0.9),
            "strong_correct": some((draw.random(rows) < 0.8).astype(float), 0.7),
            "fast_cost_usd": some(draw.random(rows) / 100, 0.95),
            "strong_cost_usd": some(draw.random(rows) / 10, 0.9),
            "fast_latency_s": some(draw.random(rows) * 3, 0.95),
            "strong_latency_s": some(draw.random(rows) * 30, 0.7),
            "fast_input_tokens": some(draw.integers(1, 500, rows), 0.8),
            "fast_output_tokens": some(draw.integers(1, 500, rows), 0.8),
            "escalated": some(confidence < 0.6, 0.95),
            "threshold": some(np.where(number % 3, 0.6, 0.7), 0.8),
            "sampling_probability": some(np.where(confidence < 0.6, 1.0, 0.25), 0.7),
            "unit_id": some(np.array([f"u{i}" for i in draw.integers(0, users, rows)]), 0.9),
            "experiment": "e1",
            "arm": ["a" if i % 2 else "b" for i in number],
        }
    )


def written(frame: pl.DataFrame, path: Path) -> Path:
    """The rows as a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)
    return path
