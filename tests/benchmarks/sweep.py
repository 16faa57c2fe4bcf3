"""Accuracy and cost of every threshold in every category, from one million requests in Parquet."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from analytics.tuning.cells import cells
from analytics.tuning.sums import Levels
from tests.benchmarks import peers
from tests.benchmarks.peers import Sweep
from tests.benchmarks.timing import Goal, Section, Timing, interleaved
from tests.benchmarks.workload import STEPS

THRESHOLDS = (*(step / STEPS for step in range(STEPS + 1)), np.inf)
GRADES_AND_COSTS = ["fast_correct", "strong_correct", "fast_cost_usd", "strong_cost_usd"]
OBSERVED = ("fast_graded", "strong_graded", "fast_cost_known", "strong_cost_known")
KEYS = ("task_category", "confidence", *OBSERVED)
LOADED = "loaded"
SUMS = ("n", "fast_correct_sum", "strong_correct_sum", "fast_cost_sum", "strong_cost_sum")
LEAST = {"the notebook loop (categorical)": 150, "groupby + cumsum (categorical)": 3}


def ours(connection: duckdb.DuckDBPyConnection, source: str | Path, *, partly: bool = False) -> Sweep:
    """One GROUP BY with the keys and sums that the question needs, then cumulative sums.

    Args:
        connection: Any.
        source: Decisions: a table, beside an empty one named ``decisions``, or a Parquet file.
        partly: Sweep the requests with both outcomes; else all must have them.
    """
    frame = cells(connection.cursor(), source, keys=KEYS, sums=SUMS)
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
            if points.shape[1] != len(THRESHOLDS) or other[category].shape != points.shape:
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
        slow_repeats: Rounds of the notebook loop and of RouteLLM.
    """
    plain = pd.read_parquet(path, columns=["task_category", "confidence", *GRADES_AND_COSTS])
    categorical = plain.astype({"task_category": "category"})
    own = "tiertune, log loaded"
    loop, grouping = (
        f"pandas {name}, frame in memory, categorical" for name in ("notebook loop", "groupby + cumsum")
    )
    scikit = "scikit-learn, frame in memory, categorical: accuracy only"
    with duckdb.connect(path.with_suffix(".duckdb")) as connection:
        for table, rows_of in (("decisions", "LIMIT 0"), (LOADED, "")):
            connection.execute(
                f"CREATE OR REPLACE TABLE {table} AS FROM read_parquet($1) {rows_of}", [str(path)]
            )
        connection.execute("CHECKPOINT")
        whole = {
            own: lambda: ours(connection, LOADED),
            "tiertune, from the Parquet file": lambda: ours(connection, path),
            "Polars group-by + cumsum, from the Parquet file": lambda: peers.by_polars(path),
            grouping: lambda: grouped(categorical),
            "pandas groupby + cumsum, frame in memory, default dtypes": lambda: grouped(plain),
            loop: lambda: notebook(categorical),
        }
        partial = {scikit: lambda: peers.by_scikit_learn(categorical)}
        found = {name: run() for name, run in whole.items()}
        accuracies = {category: points[:1] for category, points in found[own].items()}
        worst = max(
            assert_equal(found),
            assert_equal({own: accuracies} | {name: run() for name, run in partial.items()}),
        )
        fewer = {loop: slow_repeats}
        if (version := peers.routellm_version()) is not None:
            routellm = peers.RouteLLM(plain)
            worst = max(worst, peers.assert_as_routellm(accuracies, routellm.evaluated()))
            name = f"RouteLLM {version}, frames in memory: accuracy only, {peers.QUANTILES + 1} thresholds"
            partial[name], fewer[name] = routellm.evaluated, slow_repeats
        timings = interleaved({**whole, **partial}, repeats=repeats, fewer=fewer)
    return Section(
        title=f"Accuracy and cost of {len(THRESHOLDS)} thresholds in {len(accuracies)} categories, "
        f"{rows:,} requests",
        method=(
            "All give the same accuracies, and costs where they have them, at every threshold of every "
            f"category that they evaluate (largest relative difference {worst:.0e}). A loaded log is to "
            "tiertune what a frame in memory is to pandas, though it lies on disk; goals are about these."
        ),
        timings=tuple(timings.values()),
        goals=_goals(timings[own], timings[loop], timings[grouping]),
        remarks=_remarks(version),
    )


def _goals(first: Timing, loop: Timing, groupby: Timing) -> tuple[Goal, ...]:
    goals = []
    for (name, least), other in zip(LEAST.items(), (loop, groupby), strict=True):
        ratio = other.median / first.median
        goals.append(Goal(f"at least {least} times faster than {name}", f"{ratio:.1f} times", ratio >= least))
    return tuple(goals)


def _remarks(routellm: str | None) -> tuple[str, ...]:
    """What peers leave out of the question."""
    scikit = (
        "scikit-learn's `confusion_matrix_at_thresholds` counts what a model has right on either side of "
        "every threshold; it is called for both models in every category. It knows neither cost nor grades "
        "between 0 and 1, and refuses a missing confidence, which it gets as -1."
    )
    if routellm is None:
        return scikit, "RouteLLM is not installed and left out; `make bench-peers` fetches its sources."
    quantiles = (
        "RouteLLM's `MMLU.evaluate` takes its thresholds from quantiles of the scores, "
        f"{peers.QUANTILES + 1} as its command does by default, of which the last sends nobody and was not "
        "compared. It gives accuracy and the number of calls, no cost. Its scores are the log's, so no "
        "router runs, and it is called once per category."
    )
    return scikit, quantiles
