"""The full collapse, every key and every sum, against Polars doing the same."""

import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from analytics.tuning.cells import COUNTS, KEYS, SUMS, cells
from tests.benchmarks.timing import Goal, Section, interleaved, peak_mib

PEAK = "--peak"


def ours(connection: duckdb.DuckDBPyConnection, path: Path) -> pl.DataFrame:
    """All cells of a Parquet file."""
    return cells(connection.cursor(), path)


def by_polars(path: Path, *, engine: str) -> pl.DataFrame:
    """The same keys and sums by a Polars scan and group-by; grades are 0 or 1 here, so none is rounded."""
    return _grouped(pl.scan_parquet(path)).collect(engine=engine)  # type: ignore[call-overload]


def _product(name: str, left: str, right: str) -> pl.Expr:
    return (pl.col(left) * pl.col(right)).sum().alias(name)


def _grouped(frame: pl.LazyFrame) -> pl.LazyFrame:
    yf, ys = pl.col("fast_correct"), pl.col("strong_correct")
    sums = [pl.len().alias("n")]
    for side in ("fast", "strong"):
        for measure, column in (("correct", "correct"), ("cost", "cost_usd"), ("latency", "latency_s")):
            source = f"{side}_{column}"
            sums += [
                pl.col(source).sum().alias(f"{side}_{measure}_sum"),
                _product(f"{side}_{measure}_sq", source, source),
            ]
        sums.append(pl.col(f"{side}_latency_s").count().alias(f"{side}_latency_n"))
    won = ys > yf
    sums += [
        _product("correct_x", "fast_correct", "strong_correct"),
        _product("fast_correct_x_cost", "fast_correct", "fast_cost_usd"),
        _product("strong_correct_x_cost", "strong_correct", "strong_cost_usd"),
        _product("strong_correct_x_fast_cost", "strong_correct", "fast_cost_usd"),
        _product("cost_x", "fast_cost_usd", "strong_cost_usd"),
        _product("latency_x", "fast_latency_s", "strong_latency_s"),
        pl.col("router_cost_usd").sum().alias("router_cost_sum"),
        pl.col("router_latency_s").sum().alias("router_latency_sum"),
        (ys - yf).clip(0).sum().alias("gain_sum"),
        won.sum().alias("gain_n"),
        pl.when(won).then("strong_cost_usd").sum().alias("gain_cost_sum"),
        pl.when(won).then("strong_latency_s").sum().alias("gain_latency_sum"),
        (yf >= 1).sum().alias("rounded_fast"),
        (ys >= 1).sum().alias("rounded_strong"),
        ((yf >= 1) & (ys >= 1)).sum().alias("rounded_both"),
    ]
    keyed = frame.with_columns(
        pl.col("policy_kind").fill_null("cascade"),
        fast_graded=yf.is_not_null(),
        strong_graded=ys.is_not_null(),
        fast_cost_known=pl.col("fast_cost_usd").is_not_null(),
        strong_cost_known=pl.col("strong_cost_usd").is_not_null(),
    )
    return keyed.group_by(KEYS).agg(sums)


def assert_equal(left: pl.DataFrame, right: pl.DataFrame) -> float:
    """Check that two collapses hold the same cells, counts exactly and sums to 1e-9.

    Returns:
        The largest relative difference of a sum.
    """
    left, right = (frame.select(*KEYS, *SUMS).sort(KEYS) for frame in (left, right))
    if not left.select(KEYS).equals(right.select(KEYS)):
        raise AssertionError(f"other cells: {left.height} and {right.height}")
    worst = 0.0
    for name in SUMS:
        ours_, theirs = left[name].to_numpy().astype(float), right[name].to_numpy().astype(float)
        scale = np.maximum(np.abs(ours_), np.abs(theirs))
        difference = float(np.max(np.abs(ours_ - theirs) / np.where(scale > 0, scale, 1.0)))
        worst = max(worst, difference)
        if difference > (0.0 if name in COUNTS else 1e-9):
            raise AssertionError(f"{name} differs by {difference:.1e}")
    return worst


def section(path: Path, *, rows: int, repeats: int) -> Section:
    """Measure the full collapse.

    Args:
        path: Decisions, ``fold`` stored.
        rows: How many there are.
        repeats: Rounds.
    """
    with duckdb.connect() as connection:
        contestants = {
            "tiertune": lambda: ours(connection, path),
            "Polars, streaming engine": lambda: by_polars(path, engine="streaming"),
            "Polars, in-memory engine": lambda: by_polars(path, engine="in-memory"),
        }
        found = {name: run() for name, run in contestants.items()}
        mine = found.pop("tiertune")
        worst = max(assert_equal(mine, other) for other in found.values())
        found.clear()
        timings = interleaved(contestants, repeats=repeats)
    own, *others = timings.values()
    best = min(others, key=lambda timing: timing.median)
    ratio = own.median / best.median
    return Section(
        title=f"Full collapse, {len(KEYS)} keys and {len(SUMS)} sums, {rows:,} requests in Parquet",
        method=(
            f"The same {mine.height:,} cells; counts equal, sums within {worst:.0e} relative. "
            "The fold is stored in the file, and all scan the same file."
        ),
        timings=tuple(timings.values()),
        goals=(Goal(f"at most 2 times {best.name}", f"{ratio:.2f} times", ratio <= 2),),
        remarks=tuple(
            f"Peak memory of a process that does only this, {name}: {most:,.0f} MiB."
            for name in ("tiertune", "streaming", "in-memory")
            if (most := peak(name, path)) is not None
        ),
    )


def peak(name: str, path: Path) -> float | None:
    """Peak memory of one run in a process of its own, MiB; None where the system does not say."""
    command = [sys.executable, "-m", "tests.benchmarks.collapse", PEAK, name, str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return float(said) if said else None


if __name__ == "__main__":
    _, _, asked, file = sys.argv
    if asked == "tiertune":
        ours(duckdb.connect(), Path(file))
    else:
        by_polars(Path(file), engine=asked)
    print(peak_mib() or "")
