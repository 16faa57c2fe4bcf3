"""The same questions to logs of ten times the size each: what grows with a log, and what does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from analytics.tuning.latency import WIDTH
from tests.benchmarks import collapse, plot, sweep
from tests.benchmarks.timing import Goal, Section, Timing, interleaved

COLLAPSE, POLARS = "collapse, 17 keys and 30 sums", "the collapse by Polars, streaming engine"
SWEEP, EXACT, BINNED = (
    "102 thresholds x 20 categories",
    "exact p50 and p95 by model",
    "p50 and p95 by model from bins",
)
PLOT = "growth.svg"
MOST_RATIO, MOST_MIB, MOST_OFF = 1.5, 600.0, 0.01
_LATENCIES = """
    SELECT {columns} FROM (
        SELECT fast_model AS model, fast_latency_s AS latency_s FROM read_parquet($path)
        UNION ALL SELECT strong_model, strong_latency_s FROM read_parquet($path) WHERE escalated)
    GROUP BY {keys} ORDER BY ALL"""
_QUANTILES = "model, quantile_cont(latency_s, 0.5), quantile_cont(latency_s, 0.95)"
_BINS = "model, floor(ln(greatest(latency_s, 1e-6)) / ln(1.01))::INTEGER AS bin, count(*) AS n"


@dataclass(frozen=True, slots=True)
class Size:
    """A log of one size.

    Attributes:
        rows: Requests.
        path: Its file, or a pattern of its files.
        repeats: Rounds.
    """

    rows: int
    path: Path
    repeats: int


def section(sizes: Sequence[Size]) -> Section:
    """Measure every question on every size.

    Args:
        sizes: Smallest first.
    """
    lines: dict[str, list[tuple[int, float]]] = {}
    timings: list[Timing] = []
    off = 0.0
    for size in sizes:
        with duckdb.connect() as connection:
            off = max(off, _furthest(connection, size.path))
            asked = _asked(connection, size.path)
            if size is sizes[0]:
                collapse.assert_equal(asked[COLLAPSE](), asked[POLARS]())
            for name, timing in interleaved(asked, repeats=size.repeats).items():
                lines.setdefault(name, []).append((size.rows, timing.median))
                timings.append(Timing(f"{size.rows:,}: {name}", timing.seconds))
    last = sizes[-1]
    ratio = lines[COLLAPSE][-1][1] / lines[POLARS][-1][1]
    peak = collapse.peak("tiertune", last.path) or np.nan
    binned = lines[EXACT][-1][1] / lines[BINNED][-1][1]
    title = f"Growth, from {sizes[0].rows:,} to {last.rows:,} requests in Parquet"
    return Section(
        title=title,
        method=(
            "Everything is read from Parquet each time, warm. The largest log is a folder of files. The "
            "collapse equals that of Polars on the smallest log, and was not compared on larger ones. Bins "
            "are 1% wide on a log scale and add up over files."
        ),
        timings=tuple(timings),
        goals=(
            Goal(
                f"collapse of {last.rows:,} at most {MOST_RATIO:g} times Polars",
                f"{ratio:.2f} times",
                ratio <= MOST_RATIO,
            ),
            Goal(f"its memory under {MOST_MIB:g} MiB", f"{peak:,.0f} MiB", peak < MOST_MIB),
            Goal("percentiles from bins within 1% of exact ones", f"{off:.2%}", off <= MOST_OFF),
        ),
        remarks=(
            f"Percentiles from bins take {1 / binned:.2f} of the time of exact ones at the largest size.",
            f"![{title}]({PLOT})",
        ),
        files={PLOT: plot.svg(lines, title=title)},
    )


def _asked(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Callable[[], Any]]:
    return {
        COLLAPSE: lambda: collapse.ours(connection, path),
        POLARS: lambda: collapse.by_polars(path, engine="streaming"),
        SWEEP: lambda: sweep.ours(connection, path, partly=True),
        EXACT: lambda: _read(connection, path, _QUANTILES, "model"),
        BINNED: lambda: _read(connection, path, _BINS, "model, bin"),
    }


def _read(connection: duckdb.DuckDBPyConnection, path: Path, columns: str, keys: str) -> pl.DataFrame:
    statement = _LATENCIES.format(columns=columns, keys=keys)
    found: pl.DataFrame = connection.cursor().sql(statement, params={"path": str(path)}).pl()
    return found


def _furthest(connection: duckdb.DuckDBPyConnection, path: Path) -> float:
    """How far percentiles from bins are off the exact ones, at most."""
    exact = _read(connection, path, _QUANTILES, "model")
    bins = _read(connection, path, _BINS, "model, bin").sort("model", "bin")
    worst = 0.0
    for model, middle, high in exact.iter_rows():
        part = bins.filter(pl.col("model") == model)
        below = np.cumsum(part["n"].to_numpy())
        for share, value in ((0.5, middle), (0.95, high)):
            place = int(np.searchsorted(below, share * below[-1]))
            worst = max(worst, abs(WIDTH ** (part["bin"][place] + 0.5) / value - 1))
    return worst
