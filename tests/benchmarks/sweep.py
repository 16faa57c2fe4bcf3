"""Accuracy and cost of every threshold in every category, from one million requests in Parquet."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from analytics.tuning.cells import cells
from analytics.tuning.sums import Levels
from tests.benchmarks.timing import Goal, Section, Timing, interleaved
from tests.benchmarks.workload import STEPS

THRESHOLDS = (*(step / STEPS for step in range(STEPS + 1)), np.inf)
GRADES_AND_COSTS = ["fast_correct", "strong_correct", "fast_cost_usd", "strong_cost_usd"]
OBSERVED = ("fast_graded", "strong_graded", "fast_cost_known", "strong_cost_known")
KEYS = ("task_category", "confidence", *OBSERVED)
SUMS = ("n", "fast_correct_sum", "strong_correct_sum", "fast_cost_sum", "strong_cost_sum")

# Category -> accuracy and mean cost at every threshold, shape (2, 102).
Sweep = dict[str, np.ndarray]


def ours(connection: duckdb.DuckDBPyConnection, path: Path, *, partly: bool = False) -> Sweep:
    """One GROUP BY with the keys and sums that the question needs, then cumulative sums.

    Args:
        connection: Any.
        path: Decisions.
        partly: Sweep the requests with both outcomes; else all must have them.
    """
    frame = cells(connection.cursor(), path, keys=KEYS, sums=SUMS)
    if partly:
        frame = frame.filter(pl.all_horizontal(OBSERVED))
    if not frame.select(OBSERVED).to_numpy().all():
        raise AssertionError("the sweep is for logs with both outcomes of every request")
    frame = frame.sort("task_category", "confidence", nulls_last=False)
    columns = {name: frame[name].to_numpy().astype(float) for name in SUMS}
    columns["both_cost_sum"] = columns["fast_cost_sum"] + columns["strong_cost_sum"]
    confidence, categories = frame["confidence"].to_numpy(), frame["task_category"].rle()
    swept, start = {}, 0
    for category, length in zip(categories.struct["value"], categories.struct["len"], strict=True):
        stop = start + length
        part = {name: column[start:stop] for name, column in columns.items()}
        known = confidence[start:stop]
        if np.isnan(known[0]):  # the first slot of Levels is the missing confidence
            known = known[1:]
        else:
            part = {name: np.append(0.0, column) for name, column in part.items()}
        at = Levels(known, part)
        n = at.everywhere("n")
        kept, escalated = ("fast_correct_sum", "fast_cost_sum"), ("strong_correct_sum", "both_cost_sum")
        swept[category] = at.swept(kept, escalated) / n
        start = stop
    return swept


def notebook(frame: pd.DataFrame) -> Sweep:
    """What a notebook does: for each category and threshold a mask and two means."""
    swept = {}
    for category in frame["task_category"].cat.categories:
        points = []
        for threshold in THRESHOLDS:
            part = frame[frame["task_category"] == category]
            keep = part["confidence"] >= threshold
            correct = part["fast_correct"].where(keep, part["strong_correct"])
            cost = part["fast_cost_usd"] + part["strong_cost_usd"].where(~keep, 0.0)
            points.append((correct.mean(), cost.mean()))
        swept[category] = np.array(points).T
    return swept


def grouped(frame: pd.DataFrame) -> Sweep:
    """What a good pandas user does: one groupby, then cumulative sums."""
    groups = frame.groupby(["task_category", "confidence"], observed=True, dropna=False)
    sums = groups[GRADES_AND_COSTS].sum()
    sums["n"] = groups.size()
    swept = {}
    for category, part in sums.groupby(level=0, observed=True):
        missing = part.index.get_level_values(1).isna()
        lost, rest = part[missing].sum(), part[~missing]
        total, below = rest.sum(), rest.cumsum().to_numpy()
        below = pd.DataFrame(np.vstack([np.zeros(below.shape[1]), below]), columns=rest.columns)
        n = total["n"] + lost["n"]
        correct = (
            total["fast_correct"] - below["fast_correct"] + below["strong_correct"] + lost["strong_correct"]
        )
        fixed = total["fast_cost_usd"] + lost["fast_cost_usd"] + lost["strong_cost_usd"]
        swept[category] = np.array([correct / n, (fixed + below["strong_cost_usd"]) / n])
    return swept


def assert_equal(swept: dict[str, Sweep]) -> float:
    """Check all sweeps against the first, at every threshold of every category.

    Returns:
        The largest relative difference.
    """
    (_, first), *others = swept.items()
    worst = 0.0
    for name, other in others:
        if first.keys() != other.keys():
            raise AssertionError(f"{name} has other categories")
        for category, points in first.items():
            if points.shape != (2, len(THRESHOLDS)) or other[category].shape != points.shape:
                raise AssertionError(f"{name} has other thresholds in {category}")
            difference = float(np.max(np.abs(other[category] / points - 1)))
            worst = max(worst, difference)
            if not difference <= 1e-9:
                raise AssertionError(f"{name} differs in {category} by {difference:.1e}")
    return worst


def section(path: Path, *, rows: int, repeats: int, slow_repeats: int) -> Section:
    """Measure the sweep.

    Args:
        path: Decisions with both outcomes of every request.
        rows: How many there are.
        repeats: Rounds.
        slow_repeats: Rounds of the notebook loop.
    """
    plain = pd.read_parquet(path, columns=["task_category", "confidence", *GRADES_AND_COSTS])
    categorical = plain.astype({"task_category": "category"})
    with duckdb.connect() as connection:
        contestants = {
            "tiertune, from the Parquet file": lambda: ours(connection, path),
            "pandas groupby + cumsum, frame in memory, categorical": lambda: grouped(categorical),
            "pandas groupby + cumsum, frame in memory, default dtypes": lambda: grouped(plain),
            "pandas notebook loop, frame in memory, categorical": lambda: notebook(categorical),
        }
        worst = assert_equal({name: run() for name, run in contestants.items()})
        loop = "pandas notebook loop, frame in memory, categorical"
        timings = interleaved(contestants, repeats=repeats, fewer={loop: slow_repeats})
    first, *others = timings.values()
    return Section(
        title=f"Accuracy and cost of 102 thresholds in 20 categories, {rows:,} requests",
        method=(
            "All four give the same accuracies and costs at every threshold of every category (largest "
            f"relative difference {worst:.0e}). Reading the file counts for tiertune and not for pandas."
        ),
        timings=(first, *others),
        goals=_goals(first, timings[loop], others[0]),
    )


def _goals(first: Timing, loop: Timing, groupby: Timing) -> tuple[Goal, ...]:
    goals = []
    for name, other, least in (
        ("the notebook loop", loop, 100),
        ("groupby + cumsum (categorical)", groupby, 2),
    ):
        ratio = other.median / first.median
        goals.append(Goal(f"at least {least} times faster than {name}", f"{ratio:.1f} times", ratio >= least))
    return tuple(goals)
