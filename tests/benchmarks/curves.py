"""All curves from cells that were read: what a page computes when a slider or a filter moves."""

import time
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl

from analytics.logs.storage.facts import Facts
from analytics.tuning.cells import cells
from analytics.tuning.curve import curves
from analytics.tuning.latency import latency_cells
from analytics.tuning.log import Log, select
from tests.benchmarks import sweep
from tests.benchmarks.timing import Goal, Section, duration, interleaved


def section(path: Path, *, rows: int, repeats: int) -> Section:
    """Measure all curves of a selection.

    Args:
        path: Decisions with both outcomes of every request.
        rows: How many there are.
        repeats: Rounds.
    """
    log = log_of(path, rows=rows)
    selection = select(log)
    start = time.perf_counter()
    found = curves(selection)
    first = time.perf_counter() - start
    frame = pd.read_parquet(path, columns=["task_category", "confidence", *sweep.GRADES_AND_COSTS])
    columns = ["accuracy", "cost_per_request_usd"]
    points = {name: curve.points.select(columns).to_numpy().T for name, curve in found.items()}
    worst = sweep.assert_equal({"curves": points, "pandas": sweep.grouped(frame)})
    timings = interleaved(
        {
            "all curves, with intervals, controls, areas": lambda: curves(selection),
            "choosing the rows (after another filter)": lambda: select(log),
        },
        repeats=repeats,
    )
    own, other = timings.values()
    total = sum(curve.points.height for curve in found.values())
    return Section(
        title=f"All curves from cells: {len(found)} categories, {total:,} points",
        method=(
            f"From the {log.cells.height:,} cells of {rows:,} requests; accuracy and cost at every threshold "
            f"equal pandas' (largest relative difference {worst:.0e})."
        ),
        timings=(own, other),
        goals=(Goal("all curves in under 10 ms", duration(own.median), own.median < 0.010),),
        remarks=(
            f"The first call after a filter reads {log.latency.height:,} latency bins: {duration(first)}.",
        ),
    )


def log_of(path: Path, *, rows: int) -> Log:
    """What questions need of a Parquet file with decisions; users have three requests each."""
    with duckdb.connect() as connection:
        connection.read_parquet(str(path)).create_view("bench")
        connection.execute("CREATE TABLE decisions AS SELECT * FROM bench LIMIT 0")
        found = cells(connection.cursor(), path)
        latency = latency_cells(connection.cursor(), "bench")
    pairs = found.select("task_category", "fast_model", "strong_model").unique()
    return Log(
        name="bench",
        cells=found,
        latency=latency,
        in_force=pairs.with_columns(threshold=pl.lit(0.6)),
        facts=Facts(
            requests=rows, rows=rows, units=rows // 3, first_ts=None, last_ts=None, categories=(), pairs=(),
            arms=(), experiments=(), files=1, log_sha256="0" * 64, confidence_kinds=(), confidence_sources=(),
        ),
    )  # fmt: skip
