"""The bootstrap from cells against one that draws rows: the same intervals, at what price?"""

from pathlib import Path

import numpy as np
import polars as pl

from analytics.estimate import Floats
from analytics.tuning.log import Selection, select
from analytics.tuning.resampling import kinds, resamples
from tests.benchmarks.curves import log_of
from tests.benchmarks.timing import Goal, Section, Timing, duration, interleaved
from tests.benchmarks.workload import STEPS

DRAWS, ENDS = 1000, (2.5, 97.5)
MOST_S, LEAST_RATIO, MOST_GAP = 2.0, 100.0, 0.05
_COLUMNS = [
    "task_category",
    "confidence",
    "fast_correct",
    "strong_correct",
    "fast_cost_usd",
    "strong_cost_usd",
]


def section(small: Path, large: Path, *, rows: int, repeats: int, row_draws: int) -> Section:
    """Measure both.

    Args:
        small: Decisions with both outcomes of every request, few enough to draw rows 1,000 times.
        large: The same, many.
        rows: How many there are in ``large``.
        repeats: Rounds of the bootstrap from cells.
        row_draws: Resamples of rows of the large log that are timed.
    """
    few = Rows(small)
    ours = _ends(_accuracies(select(log_of(small, rows=few.n)), draws=DRAWS, seed=1))
    theirs, again = (_ends(few.accuracies(draws=DRAWS, seed=seed)) for seed in (2, 3))
    width = theirs[1] - theirs[0]
    some = width > 0
    gap, noise = (float((np.abs(one - theirs)[:, some] / width[some]).mean()) for one in (ours, again))
    selection = select(log_of(large, rows=rows))
    many = Rows(large)
    timings = interleaved(
        {
            f"{DRAWS:,} resamples from cells": lambda: _accuracies(selection, draws=DRAWS, seed=4),
            f"{row_draws} resamples of rows": lambda: many.accuracies(draws=row_draws, seed=5),
        },
        repeats=repeats,
        fewer={f"{row_draws} resamples of rows": 1},
    )
    cells, drawn = timings.values()
    ratio = drawn.median / row_draws * DRAWS / cells.median
    return Section(
        title=f"Bootstrap of {few.categories} categories x {STEPS + 1} thresholds, {rows:,} requests",
        method=(
            "Intervals of accuracy at every threshold. Rows are drawn by NumPy with replacement and counted "
            f"by bincount. On {few.n:,} requests both draw {DRAWS:,} times and their intervals are compared; "
            "on the large log the row bootstrap draws a few times only, and its ratio is extrapolated."
        ),
        timings=(cells, Timing(drawn.name, drawn.seconds)),
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
            Goal(
                f"ends of intervals within {MOST_GAP:.0%} of their width, on average",
                f"{gap:.1%}; a second row bootstrap {noise:.1%}",
                gap <= MOST_GAP,
            ),
        ),
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


def _accuracies(selection: Selection, *, draws: int, seed: int) -> Floats:
    """The same from cells, without the options that are no threshold."""
    size = float(selection.cells["n"].sum())
    parts = []
    for batch in resamples(kinds(selection), selection, draws=draws, size=size, seed=seed):
        per = [one.sums.total / one.sums.n for _, one in sorted(batch.items())]
        parts.append(np.stack([accuracy[:, 1:-2] for accuracy in per], axis=1))
    found: Floats = np.concatenate(parts)
    return found


def _ends(accuracies: Floats) -> Floats:
    found: Floats = np.percentile(accuracies, ENDS, axis=0)
    return found
