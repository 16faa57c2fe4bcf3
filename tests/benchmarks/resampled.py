"""The bootstrap from cells against those that draw rows: the same intervals, at what price?"""

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from scipy.stats import bootstrap

from analytics.estimate import Floats
from analytics.tuning.log import Selection, select
from analytics.tuning.resampling import kinds, resamples
from tests.benchmarks import collapse
from tests.benchmarks.curves import log_of
from tests.benchmarks.timing import Goal, Section, duration, interleaved
from tests.benchmarks.workload import STEPS

DRAWS, ENDS = 1000, (2.5, 97.5)
BATCH = 10  # resamples that scipy has in memory at a time
MOST_S, LEAST_RATIO, MOST_GAP = 2.0, 100.0, 0.05
_COLUMNS = [
    "task_category",
    "confidence",
    "fast_correct",
    "strong_correct",
    "fast_cost_usd",
    "strong_cost_usd",
]


def compared(path: Path, *, repeats: int) -> Section:
    """Compare intervals and time on a log that is small enough for every way.

    Args:
        path: Decisions with both outcomes of every request.
        repeats: Rounds of the bootstrap from cells; the others have one.
    """
    rows = Rows(path)
    selection = select(log_of(path, rows=rows.n))
    theirs, again = (_ends(rows.accuracies(draws=DRAWS, seed=seed)) for seed in (2, 3))
    ours = _ends(_accuracies(selection, draws=DRAWS, seed=1))
    gap, noise, scipy_gap = (_gap(ends, theirs) for ends in (ours, again, rows.scipy_ends(DRAWS, seed=6)))
    if scipy_gap > MOST_GAP:
        raise AssertionError(f"scipy's intervals are others: off by {scipy_gap:.1%} of their width")
    numpy, scipy = "NumPy, rows of all categories at once", "scipy.stats.bootstrap, category by category"
    timings = interleaved(
        {
            "tiertune, from cells": lambda: _ends(_accuracies(selection, draws=DRAWS, seed=4)),
            numpy: lambda: _ends(rows.accuracies(draws=DRAWS, seed=5)),
            scipy: lambda: rows.scipy_ends(DRAWS, seed=7),
        },
        repeats=repeats,
        fewer={numpy: 1, scipy: 1},
    )
    each = "; ".join(f"{name}: {duration(timing.median / DRAWS)}" for name, timing in timings.items())
    return Section(
        title=f"Bootstrap of {rows.categories} categories x {STEPS + 1} thresholds, {rows.n:,} requests",
        method=(
            f"Intervals of accuracy at every threshold from {DRAWS:,} resamples, none of them extrapolated; "
            "cells and rows are in memory. NumPy draws rows with replacement and counts them by bincount. "
            f"scipy gets one row of outcomes per threshold, percentile method, vectorized, {BATCH} resamples "
            "at a time. Intervals are random: their ends are compared with those of a row bootstrap, and a "
            "second one says how far two of a kind are apart."
        ),
        timings=tuple(timings.values()),
        goals=(
            Goal(
                f"ends of intervals within {MOST_GAP:.0%} of their width, on average",
                f"{gap:.1%}; scipy {scipy_gap:.1%}, a second row bootstrap {noise:.1%}",
                gap <= MOST_GAP,
            ),
        ),
        remarks=(f"Time per resample of all categories. {each}.",),
    )


def section(path: Path, *, rows: int, repeats: int, row_draws: int) -> Section:
    """Measure on a large log, where rows can be drawn a few times only.

    Args:
        path: Decisions with both outcomes of every request.
        rows: How many there are.
        repeats: Rounds of the bootstrap from cells.
        row_draws: Resamples of rows that are timed.
    """
    selection = select(log_of(path, rows=rows))
    many = Rows(path)
    with duckdb.connect() as connection:
        collapsing = interleaved({"collapse": lambda: collapse.ours(connection, path)}, repeats=1)["collapse"]
    timings = interleaved(
        {
            f"{DRAWS:,} resamples from cells": lambda: _accuracies(selection, draws=DRAWS, seed=4),
            f"{row_draws} resamples of rows": lambda: many.accuracies(draws=row_draws, seed=5),
        },
        repeats=repeats,
        fewer={f"{row_draws} resamples of rows": 1},
    )
    cells, drawn = timings.values()
    by_rows = drawn.median / row_draws * DRAWS
    ratio, whole = by_rows / cells.median, by_rows / (cells.median + collapsing.median)
    uncounted = (
        f"Collapsing the file into cells is not counted above: {duration(collapsing.median)}, once "
        f"for every question. With it, rows in memory, {whole:,.0f} times (extrapolated from {row_draws})."
    )
    return Section(
        title=f"Bootstrap of {many.categories} categories x {STEPS + 1} thresholds, {rows:,} requests",
        method=(
            "The same on a log of which rows can be drawn a few times only: ratios are extrapolated from "
            "them. Intervals are compared on the smaller log above, not here."
        ),
        timings=(cells, drawn),
        goals=(
            Goal(
                f"{DRAWS:,} resamples from cells in under {MOST_S:g} s",
                duration(cells.median),
                cells.median < MOST_S,
            ),
            Goal(
                f"at least {LEAST_RATIO:g} times faster than rows (extrapolated from {row_draws})",
                f"{ratio:,.0f} times",
                ratio >= LEAST_RATIO,
            ),
        ),
        remarks=(uncounted,),
    )


class Rows:
    """A log whose rows are drawn.

    Args:
        path: Decisions with both outcomes of every request.
    """

    def __init__(self, path: Path) -> None:
        frame = pl.read_parquet(path, columns=_COLUMNS)
        names = frame["task_category"].unique().sort()
        self.n, self.categories = frame.height, len(names)
        category = frame["task_category"].replace_strict(names, range(len(names)), return_dtype=pl.Int64)
        # The first slot of a category is the missing confidence, which escalates everywhere.
        step = (frame["confidence"] * STEPS).round().cast(pl.Int64).fill_null(-1) + 1
        self._slot = (category * (STEPS + 2) + step).to_numpy()
        self._fast, self._strong = frame["fast_correct"].to_numpy(), frame["strong_correct"].to_numpy()

    def accuracies(self, *, draws: int, seed: int) -> Floats:
        """Accuracy at every threshold, shape (draws, categories, STEPS + 1)."""
        generator = np.random.default_rng(seed)
        return np.stack([self._swept(generator.integers(0, self.n, self.n)) for _ in range(draws)])

    def _swept(self, rows: np.ndarray) -> Floats:
        shape = (self.categories, STEPS + 2)
        slots = self._slot[rows]

        def summed(weights: np.ndarray | None) -> Floats:
            found: Floats = np.bincount(slots, weights, minlength=shape[0] * shape[1]).reshape(shape)
            return found

        n, fast, strong = (summed(w) for w in (None, self._fast[rows], self._strong[rows]))
        kept = np.cumsum(fast[:, :0:-1], axis=1)[:, ::-1]
        sent = np.concatenate([strong[:, :1], strong[:, :1] + np.cumsum(strong[:, 1:-1], axis=1)], axis=1)
        return (kept + sent) / n.sum(axis=1, keepdims=True)

    def scipy_ends(self, draws: int, *, seed: int) -> Floats:
        """Ends of scipy's percentile intervals, shape (2, categories, STEPS + 1)."""
        generator, found = np.random.default_rng(seed), []
        category, slot = np.divmod(self._slot, STEPS + 2)
        for place in range(self.categories):
            part = category == place
            kept = slot[part] > np.arange(STEPS + 1)[:, None]
            outcomes = np.where(kept, self._fast[part], self._strong[part])
            interval = bootstrap(
                (outcomes,), np.mean, axis=1, n_resamples=draws, batch=BATCH, vectorized=True,
                method="percentile", confidence_level=(ENDS[1] - ENDS[0]) / 100, rng=generator,
            ).confidence_interval  # fmt: skip
            found.append(np.stack([interval.low, interval.high]))
        return np.stack(found, axis=1)


def _accuracies(selection: Selection, *, draws: int, seed: int) -> Floats:
    """The same from cells, without the options that are no threshold."""
    size = float(selection.cells["n"].sum())
    parts = []
    for batch in resamples(kinds(selection), selection, draws=draws, size=size, seed=seed):
        per = [one.sums.total / one.sums.n for _, one in sorted(batch.items())]
        parts.append(np.stack([accuracy[:, 1:-2] for accuracy in per], axis=1))
    found: Floats = np.concatenate(parts)
    return found


def _gap(ends: Floats, others: Floats) -> float:
    """How far ends of intervals are from others, as a share of the others' width, on average."""
    width = others[1] - others[0]
    some = width > 0
    return float((np.abs(ends - others)[:, some] / width[some]).mean())


def _ends(accuracies: Floats) -> Floats:
    found: Floats = np.percentile(accuracies, ENDS, axis=0)
    return found
