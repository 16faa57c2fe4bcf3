"""What a policy does on a log: one evaluation for the page, the file and the command line.

Every figure of a policy comes from here, so they agree exactly: each cell is kept or escalated by the
policy's own thresholds, and what it contributes is added up.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Estimate, Floats, undefined
from analytics.policy import ThresholdPolicy
from analytics.tuning.curve import Point, point
from analytics.tuning.latency import mixed_p95
from analytics.tuning.log import Selection, largest_weight
from analytics.tuning.policy_sums import (
    PolicySums,
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
    """

    accuracy: Estimate
    saved: Estimate


def evaluate(
    selection: Selection,
    policy: ThresholdPolicy,
    *,
    folds: Iterable[int] | None = None,
    covered: tuple[str, ...] | None = None,
    rows: str = "all",
    level: float = LEVEL,
) -> Evaluation:
    """The figures of a policy on a log.

    Args:
        selection: The rows in question.
        policy: The policy; categories that it does not name follow its default.
        folds: Folds to evaluate on; None for all rows.
        covered: Categories that the overall figures are about; None for those that the log identifies.
        rows: What to call those rows.
        level: Coverage of the intervals.
    """
    counted = covered_categories(selection, policy) if covered is None else covered
    sums = policy_sums(selection, policy, folds=folds, covered=counted)
    points = {
        name: point(
            selection,
            name or "overall",
            sums.of(name),
            threshold=None if name is None else rule_of(policy, name)[1],
            p95=_p95(selection, policy, counted if name is None else (name,)),
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
        cost_per_correct_usd={name: _per_correct(sums, name, level=level) for name in points},
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
    ours, theirs = (policy_sums(selection, item, folds=kept, covered=counted) for item in (policy, other))
    return {
        name: Comparison(
            _difference(selection, table, counted if name is None else (name,), level=level),
            _saved(ours.rows(name), theirs.rows(name), level=level),
        )
        for name in (None, *selection.categories)
    }


def _difference(
    selection: Selection, table: pl.DataFrame, names: tuple[str, ...], *, level: float
) -> Estimate:
    part = table.filter(pl.col("task_category").is_in(names))
    spread = unequal_weights(part) if len(names) > 1 else 1.0
    if len(names) > 1:
        part = by_traffic(part, ("total", "squares", "gap"))
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


def _mean_cost(frame: pl.DataFrame) -> float | None:
    rows, known = float(frame["rows"].sum()), float(frame["cost_n"].sum())
    if known == 0 or known < rows / 2 or float(frame["cost_gap"].sum()) > 0:
        return None
    return float(frame["cost"].sum()) / rows


def _saved(ours: pl.DataFrame, theirs: pl.DataFrame, *, level: float) -> Estimate:
    def saving(keep: Callable[[pl.DataFrame], pl.DataFrame]) -> float | None:
        new, old = _mean_cost(keep(ours)), _mean_cost(keep(theirs))
        return None if new is None or old is None or old <= 0 else 1 - new / old

    return _jackknife(saving, ours, "Costs of one of the two policies are not known.", level=level)


def _per_correct(sums: PolicySums, category: str | None, *, level: float) -> Estimate:
    frame = sums.rows(category)

    def ratio(keep: Callable[[pl.DataFrame], pl.DataFrame]) -> float | None:
        part = keep(frame)
        cost, right = _mean_cost(part), float(part["total"].sum())
        if cost is None or right <= 0 or float(part["gap"].sum()) > 0:
            return None
        return cost * float(part["n"].sum()) / right

    return _jackknife(ratio, frame, "Costs or grades are missing, or no answer is correct.", level=level)


def _jackknife(
    statistic: Callable[[Callable[[pl.DataFrame], pl.DataFrame]], float | None],
    frame: pl.DataFrame,
    reason: str,
    *,
    level: float,
) -> Estimate:
    """A ratio with an interval from leaving out one fold at a time, so users stay together.

    References:
        Shao & Tu (1995), The Jackknife and Bootstrap, section 2.3 (grouped jackknife).
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - kept off the import path of pages

    value = statistic(lambda part: part)
    n, method = int(frame["rows"].sum()), "jackknife over folds"
    if value is None:
        return undefined(reason, n=n, method=method, level=level)
    folds = frame["fold"].to_list()
    without = [statistic(_all_but(fold)) for fold in folds]
    left: Floats = np.array([item for item in without if item is not None], dtype=np.float64)
    if left.size < 2 or left.size < len(folds):  # noqa: PLR2004 - a spread needs two folds
        return Estimate(value, None, None, n, method, level)
    error = float(np.sqrt((left.size - 1) / left.size * ((left - left.mean()) ** 2).sum()))
    half = float(stdtrit(left.size - 1, (1 + level) / 2)) * error
    return Estimate(value, value - half, value + half, n, method, level)


def _all_but(fold: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda part: part.filter(pl.col("fold") != fold)


def _p95(selection: Selection, policy: ThresholdPolicy, names: tuple[str, ...]) -> float | None:
    return mixed_p95([(histograms(selection, (name,)), *rule_of(policy, name)) for name in names])
