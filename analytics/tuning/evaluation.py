"""What a policy does on a log: one evaluation for the page, the file and the command line.

Every figure of a policy comes from here, so they agree exactly: each cell is kept or escalated by the
policy's own thresholds, and what it contributes is added up.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Estimate, Floats, undefined
from analytics.policy import ThresholdPolicy
from analytics.tuning.curve import Point, point
from analytics.tuning.latency import RouteBins, p95_of, route_bins
from analytics.tuning.log import Selection, largest_weight
from analytics.tuning.policy_sums import (
    by_traffic,
    covered_categories,
    decided,
    policy_sums,
    rule_of,
    unequal_weights,
)
from analytics.tuning.sums import paired_band
from analytics.tuning.timing import histograms

NO_IN_FORCE = "The policy in force is not known: the log has no threshold column."
UNKNOWN_COST = "Costs of one of the two policies are not known."
NOT_COMPARED = "This log cannot tell: some requests lack an outcome on a route where the two differ."


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A policy's figures on some rows of a log.

    Attributes:
        rows: Which rows, as text.
        covered: Categories that ``overall`` is about: those in which the log identifies this policy.
        overall: The policy over all covered categories.
        categories: The policy in each category.
        cost_per_correct_usd: Cost per correct answer by category; key None for all together.
    """

    rows: str
    covered: tuple[str, ...]
    overall: Point
    categories: dict[str, Point]
    cost_per_correct_usd: dict[str | None, Estimate]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A policy against another one, over the same rows; key None of a mapping is all categories.

    Attributes:
        accuracy: Accuracy of the policy minus that of the other, paired.
        saved: Share of the other's cost that the policy saves.
        saved_usd: What the policy saves per request, USD.
    """

    accuracy: Estimate
    saved: Estimate
    saved_usd: Estimate


def evaluate(
    selection: Selection,
    policy: ThresholdPolicy,
    *,
    folds: Iterable[int] | None = None,
    covered: tuple[str, ...] | None = None,
    rows: str = "all",
    level: float = LEVEL,
    latency: bool = True,
) -> Evaluation:
    """The figures of a policy on a log.

    Args:
        selection: The rows in question.
        policy: The policy; categories that it does not name follow its default.
        folds: Folds to evaluate on; None for all rows.
        covered: Categories that the overall figures are about; None for those that the log identifies.
        rows: What to call those rows.
        level: Coverage of the intervals.
        latency: Whether percentiles of latency are wanted, which take most of the time.
    """
    counted = covered_categories(selection, policy) if covered is None else covered
    sums = policy_sums(selection, policy, folds=folds, covered=counted)
    points = {
        name: point(
            selection,
            name or "overall",
            sums.of(name),
            threshold=None if name is None else rule_of(policy, name)[1],
            p95=_p95(selection, policy, counted if name is None else (name,)) if latency else None,
            level=level,
            spread=sums.spread(name),
        )
        for name in (None, *selection.categories)
    }
    return Evaluation(
        rows=rows,
        covered=counted,
        overall=points[None],
        categories={name: points[name] for name in selection.categories},
        cost_per_correct_usd={name: _per_correct(sums.folds(name), level=level) for name in points},
    )


def compared(
    selection: Selection,
    policy: ThresholdPolicy,
    other: ThresholdPolicy,
    *,
    folds: Iterable[int] | None = None,
    covered: tuple[str, ...] | None = None,
    level: float = LEVEL,
) -> dict[str | None, Comparison]:
    """A policy against another, by category and (key None) over all covered ones.

    The difference of accuracies is paired: only requests that the two route differently count.
    """
    kept = None if folds is None else list(folds)
    counted = covered_categories(selection, policy) if covered is None else covered
    frame = decided(selection, {"": policy, "_other": other}, folds=kept)
    sign = pl.col("escalate").cast(pl.Float64) - pl.col("escalate_other").cast(pl.Float64)
    table = frame.select(
        "task_category",
        "n",
        "rows",
        (sign != 0).alias("differs"),
        (sign * pl.col("gain_sum")).alias("total"),
        (sign.abs() * pl.col("gain_sq")).alias("squares"),
        (sign.abs() * (pl.col("keep_gap") + pl.col("esc_gap"))).alias("gap"),
    )
    parts = table.partition_by("task_category", as_dict=True)
    ours, theirs = (policy_sums(selection, item, folds=kept, covered=counted) for item in (policy, other))
    every = table.filter(pl.col("task_category").is_in(counted))
    found: dict[str | None, Comparison] = {
        None: Comparison(
            _difference(
                selection,
                by_traffic(every, ("total", "squares", "gap")),
                counted,
                spread=unequal_weights(every),
                level=level,
            ),
            _saved(ours.folds(None), theirs.folds(None), level=level),
            saved_usd(ours.folds(None), theirs.folds(None), level=level),
        )
    }
    for name in selection.categories:
        part = parts.get((name,), table.clear())
        found[name] = Comparison(
            _difference(selection, part, (name,), level=level),
            _saved(ours.folds(name), theirs.folds(name), level=level),
            saved_usd(ours.folds(name), theirs.folds(name), level=level),
        )
    return found


def _difference(
    selection: Selection, part: pl.DataFrame, names: tuple[str, ...], *, spread: float = 1.0, level: float
) -> Estimate:
    n, total, squares, gap = (float(part[name].sum()) for name in ("n", "total", "squares", "gap"))
    if n == 0:
        return undefined("There are no grades.", level=level)
    if gap > 0:
        return undefined(NOT_COMPARED, n=int(n), method="paired", level=level)
    if not part["differs"].any():
        return Estimate(0.0, 0.0, 0.0, int(n), "the same route for every request", level)
    low, high = paired_band(
        np.array([total]),
        np.array([squares]),
        np.array([n]),
        weight=largest_weight(selection, names),
        inflation=selection.accuracy_inflation * spread,
        level=level,
    )
    return Estimate(total / n, float(low[0]), float(high[0]), int(n), "paired, Bonett-Price", level)


FoldSums = dict[str, Floats]


def _mean_cost(sums: FoldSums) -> Floats:
    """Mean cost per request, USD; NaN where it is unknown."""
    rows, known = sums["rows"], sums["cost_n"]
    enough = (known > 0) & (known * 2 >= rows) & (sums["cost_gap"] <= 0)
    return np.where(enough, sums["cost"] / np.maximum(rows, 1.0), np.nan)


def _saved(ours: FoldSums, theirs: FoldSums, *, level: float) -> Estimate:
    new, old = (_mean_cost(_with_one_left_out(sums)) for sums in (ours, theirs))
    with np.errstate(divide="ignore", invalid="ignore"):
        saved = np.where(old > 0, 1 - new / old, np.nan)
    return _jackknife(saved, ours, UNKNOWN_COST, level=level)


def saved_usd(ours: FoldSums, theirs: FoldSums, *, level: float = LEVEL) -> Estimate:
    """What one policy saves against another per request, USD, from the totals of both by fold."""
    new, old = (_mean_cost(_with_one_left_out(sums)) for sums in (ours, theirs))
    return _jackknife(old - new, ours, UNKNOWN_COST, level=level)


def _per_correct(sums: FoldSums, *, level: float) -> Estimate:
    parts = _with_one_left_out(sums)
    right = np.where(parts["gap"] <= 0, parts["total"], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(right > 0, _mean_cost(parts) * parts["n"] / right, np.nan)
    return _jackknife(ratio, sums, "Costs or grades are missing, or no answer is correct.", level=level)


def _with_one_left_out(sums: FoldSums) -> FoldSums:
    """All folds together, and then without each of them in turn; arrays of shape ``(folds + 1,)``."""
    return {name: column.sum() - np.append(0.0, column) for name, column in sums.items()}


def _jackknife(values: Floats, sums: FoldSums, reason: str, *, level: float) -> Estimate:
    """A ratio with an interval from leaving out one fold at a time, so users stay together.

    Args:
        values: The ratio over all folds and then without each of them; NaN where undefined.
        sums: The folds, for their number of requests.
        reason: Why the ratio is undefined, where it is.
        level: Coverage.

    References:
        Shao & Tu (1995), The Jackknife and Bootstrap, section 2.3 (grouped jackknife).
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - kept off the import path of pages

    value, left = float(values[0]), values[1:]
    n, method = int(sums["rows"].sum()), "jackknife over folds"
    if np.isnan(value):
        return undefined(reason, n=n, method=method, level=level)
    if left.size < 2 or np.isnan(left).any():  # noqa: PLR2004 - a spread needs two folds
        return Estimate(value, None, None, n, method, level)
    error = float(np.sqrt((left.size - 1) / left.size * ((left - left.mean()) ** 2).sum()))
    half = float(stdtrit(left.size - 1, (1 + level) / 2)) * error
    return Estimate(value, value - half, value + half, n, method, level)


def _p95(selection: Selection, policy: ThresholdPolicy, names: tuple[str, ...]) -> float | None:
    return p95_of([_bins(selection, policy, name) for name in names])


def _bins(selection: Selection, policy: ThresholdPolicy, name: str) -> RouteBins:
    """Latencies of a category under a policy's rule, worked out once."""
    key = (name, *rule_of(policy, name))
    if key not in selection.route_bins:
        selection.route_bins[key] = route_bins(histograms(selection, (name,)), *key[1:])
    return selection.route_bins[key]
