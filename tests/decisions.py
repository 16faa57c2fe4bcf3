"""Small logs for tests: decisions as a Parquet file, cells and a log without a store."""

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from analytics.logs.schema import DECISIONS
from analytics.logs.storage.facts import Facts
from analytics.tuning.bounds import dearest
from analytics.tuning.cells import KEYS, UNIT_FIRST, cells
from analytics.tuning.latency import latency_cells
from analytics.tuning.log import Log

TYPES = {
    "VARCHAR": pl.String, "DOUBLE": pl.Float64, "BIGINT": pl.Int64, "BOOLEAN": pl.Boolean,
    "TIMESTAMP": pl.Datetime("us"), "UTINYINT": pl.UInt8,
}  # fmt: skip


def decisions(rows: dict[str, Any] | pl.DataFrame) -> pl.DataFrame:
    """A full ``decisions`` frame from the columns that a test cares about."""
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, strict=False, nan_to_null=True)
    defaults = {
        "dataset": "log", "task_category": "math", "fast_model": "small", "strong_model": "big",
        "policy_kind": "cascade",
    }  # fmt: skip
    if "request_id" not in frame.columns:
        frame = frame.with_columns(
            request_id=pl.Series([f"r{i}" for i in range(frame.height)], dtype=pl.String)
        )
    unit = frame["unit_id"] if "unit_id" in frame.columns else frame["request_id"]
    if "fold" not in frame.columns:
        folds = [int(hashlib.md5(str(name).encode()).hexdigest()[:8], 16) % 20 for name in unit]  # noqa: S324
        frame = frame.with_columns(fold=pl.Series(folds, dtype=pl.Int64))
    return frame.select(
        (
            pl.col(column.name)
            if column.name in frame.columns
            else pl.lit(defaults.get(column.name)).alias(column.name)
        ).cast(TYPES[column.sql_type])
        for column in DECISIONS
    )


def log_of(rows: dict[str, Any] | pl.DataFrame, folder: Path) -> Log:
    """A log of these decisions, read by the product's own statements."""
    frame = decisions(rows)
    path = folder / "decisions.parquet"
    frame.write_parquet(path)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE log AS SELECT * FROM read_parquet($path)", {"path": str(path)})
        connection.execute("CREATE TABLE decisions AS SELECT * FROM log LIMIT 0")
        units = frame["unit_id"].n_unique() if frame["unit_id"].null_count() < frame.height else None
        force = (
            frame.filter(pl.col("threshold").is_not_null())
            .sort("ts", nulls_last=False)
            .group_by("task_category", "fast_model", "strong_model", maintain_order=True)
            .agg(pl.col("threshold").last())
        )
        facts = fake_facts(frame, units)
        return Log(
            name="log",
            cells=cells(connection.cursor(), "log", keys=(*KEYS, UNIT_FIRST) if facts.few_units else KEYS),
            latency=latency_cells(connection.cursor(), "log"),
            in_force=force,
            facts=facts,
            dearest=dearest(connection.cursor(), "log"),
        )


def fake_facts(frame: pl.DataFrame, units: int | None) -> Facts:
    """Facts of a frame that was never stored."""
    largest = None
    if units is not None and units < frame.height:
        largest = frame.drop_nulls("unit_id").group_by("unit_id").len()["len"].max()
    return Facts(
        requests=frame.height, rows=frame.height, units=units, first_ts=None, last_ts=None,
        categories=(), pairs=(), arms=(), experiments=(), files=1, log_sha256="0" * 64,
        confidence_kinds=(), confidence_sources=(), largest_unit=largest,
    )  # fmt: skip
