"""What a policy does on a log: one evaluation for the page, the file and the command line.

Every figure of a policy comes from here, so they agree exactly: each cell is kept or escalated by the
policy's own thresholds, and what it contributes is added up.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Estimate, Floats, mean_interval, undefined
from analytics.logs.schema import UNCATEGORISED
from analytics.policy import CategoryPolicy, Default, Route, ThresholdPolicy
from analytics.tuning.curve import Point, histograms, in_force_threshold, point
from analytics.tuning.latency import mixed_p95
from analytics.tuning.log import Selection
from analytics.tuning.sums import SUM_NAMES, Sums

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


@dataclass(frozen=True, slots=True)
class PolicySums:
    """Totals of a policy by category and fold; the raw material of every figure.

    Attributes:
        frame: One row per category and fold with ``sums.SUM_NAMES``.
        covered: Categories that count for all categories together.
        by_category: The same by fold alone, filled as it is asked for.
    """

    frame: pl.DataFrame
    covered: tuple[str, ...]
    by_category: dict[str | None, pl.DataFrame] = field(default_factory=dict)

    def of(self, category: str | None) -> Sums:
        """Totals over all folds of a category, or of all covered categories (None)."""
        frame = self.rows(category)
        return Sums(*(np.array([float(frame[name].sum())]) for name in SUM_NAMES))

    def rows(self, category: str | None) -> pl.DataFrame:
        """One row per fold."""
        if category not in self.by_category:
            names = self.covered if category is None else (category,)
            frame = self.frame.filter(pl.col("task_category").is_in(names))
            self.by_category[category] = frame.group_by("fold").agg(pl.col(SUM_NAMES).sum()).sort("fold")
        return self.by_category[category]


def everywhere(selection: Selection, route: Route) -> ThresholdPolicy:
    """The control that takes one route in every category: ``fast_only`` or ``strong_only``."""
    return ThresholdPolicy(policy_kind=selection.policy_kind, default=Default(route=route), categories={})


def in_force_policy(selection: Selection) -> ThresholdPolicy | None:
    """The policy in force as the log's ``threshold`` column says it; None where any category lacks it."""
    categories = {}
    for name in selection.categories:
        threshold = in_force_threshold(selection, name)
        if threshold is None:
            return None
        categories[name] = CategoryPolicy(
            route="cascade", threshold=threshold,
            on_missing="keep" if selection.missing == "keep" else "escalate",
        )  # fmt: skip
    if not categories:
        return None
    # Requests without a category follow the default.
    own = categories.pop(UNCATEGORISED, None)
    default = Default("strong_only") if own is None else Default(own.route, own.threshold, own.on_missing)
    return ThresholdPolicy(policy_kind=selection.policy_kind, default=default, categories=categories)


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
            threshold=None if name is None else _rule(policy, name)[1],
            p95=_p95(selection, policy, counted if name is None else (name,)),
            level=level,
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


def covered_categories(selection: Selection, policy: ThresholdPolicy) -> tuple[str, ...]:
    """Categories in which the log identifies what a policy does, on all rows; all, where there is none.

    Figures over all categories are about these, so that one unknown category does not hide the rest.
    """
    sums = policy_sums(selection, policy, covered=selection.categories)
    found = {name: sums.of(name) for name in selection.categories}
    costly = any(item.cost_n[0] > 0 for item in found.values())
    known = [
        name
        for name, item in found.items()
        if item.gap[0] == 0 and item.n[0] > 0 and not (costly and item.cost_gap[0] > 0)
    ]
    return tuple(known) or selection.categories


def policy_sums(
    selection: Selection,
    policy: ThresholdPolicy,
    *,
    folds: Iterable[int] | None = None,
    covered: tuple[str, ...],
) -> PolicySums:
    """Totals of a policy by category and fold."""
    frame = _decided(selection, {"": policy}, folds=folds)
    escalate, alone = pl.col("escalate"), pl.col("alone")

    def chosen(keep: str, esc: str) -> pl.Expr:
        return pl.when(escalate).then(pl.col(esc)).otherwise(pl.col(keep))

    def cost(name: str) -> pl.Expr:
        only = pl.when(escalate).then(pl.col(f"strong_cost_{name}")).otherwise(pl.col(f"fast_cost_{name}"))
        return pl.when(alone).then(only).otherwise(chosen(f"keep_cost_{name}", f"esc_cost_{name}"))

    return PolicySums(
        frame.select(
            "task_category",
            "fold",
            "n",
            "rows",
            chosen("keep_sum", "esc_sum").alias("total"),
            chosen("keep_sq", "esc_sq").alias("squares"),
            chosen("keep_gap", "esc_gap").alias("gap"),
            cost("n").alias("cost_n"),
            cost("sum").alias("cost"),
            cost("sq").alias("cost_squares"),
            pl.when(escalate).then(pl.col("esc_cost_gap")).otherwise(0.0).alias("cost_gap"),
            pl.when(escalate).then(pl.col("rows")).otherwise(0).cast(pl.Float64).alias("escalated"),
        )
        .group_by("task_category", "fold")
        .agg(pl.col(SUM_NAMES).sum()),
        covered,
    )


def _rule(policy: ThresholdPolicy, category: str) -> tuple[str, float | None, str]:
    """Route, threshold and what a missing confidence does, with the default filled in."""
    rule = policy.rule(None if category == UNCATEGORISED else category)
    return rule.route, rule.threshold, rule.on_missing


def _decided(
    selection: Selection, policies: dict[str, ThresholdPolicy], *, folds: Iterable[int] | None
) -> pl.DataFrame:
    """The selection's rows with ``escalate`` and ``alone`` (one call only) of each policy, suffixed."""
    frame = selection.rows
    if folds is not None:
        frame = frame.filter(pl.col("fold").is_in(list(folds)))
    for suffix, policy in policies.items():
        rules = pl.DataFrame(
            [(name, *_rule(policy, name)) for name in selection.categories],
            schema={
                "task_category": pl.String,
                "route": pl.String,
                "limit": pl.Float64,
                "on_missing": pl.String,
            },
            orient="row",
        )
        frame = frame.join(rules, on="task_category", how="left")
        below = pl.col("confidence") < pl.col("limit")
        missing = pl.col("on_missing") == "escalate"
        frame = frame.with_columns(
            pl.when(pl.col("route") == "cascade")
            .then(pl.when(pl.col("confidence").is_null()).then(missing).otherwise(below))
            .otherwise(pl.col("route") == "strong_only")
            .alias(f"escalate{suffix}"),
            (pl.col("route") != "cascade").alias(f"alone{suffix}"),
        ).drop("route", "limit", "on_missing")
    return frame


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
    frame = _decided(selection, {"": policy, "_other": other}, folds=kept)
    sign = pl.col("escalate").cast(pl.Float64) - pl.col("escalate_other").cast(pl.Float64)
    table = frame.select(
        "task_category",
        pl.col("n").alias("n"),
        (sign * pl.col("gain_sum")).alias("total"),
        (sign.abs() * pl.col("gain_sq")).alias("squares"),
        (sign.abs() * (pl.col("keep_gap") + pl.col("esc_gap"))).alias("gap"),
    )
    ours, theirs = (policy_sums(selection, item, folds=kept, covered=counted) for item in (policy, other))
    return {
        name: Comparison(
            _difference(
                table.filter(pl.col("task_category").is_in(counted if name is None else (name,))),
                selection,
                level,
            ),
            _saved(ours.rows(name), theirs.rows(name), level=level),
        )
        for name in (None, *selection.categories)
    }


def _difference(table: pl.DataFrame, selection: Selection, level: float) -> Estimate:
    n, total, squares, gap = (float(table[name].sum()) for name in ("n", "total", "squares", "gap"))
    if n == 0:
        return undefined("There are no grades.", level=level)
    if gap > 0:
        return undefined(NOT_COMPARED, n=int(n), method="paired", level=level)
    interval = mean_interval(total, squares, int(n), level=level, inflation=selection.accuracy_inflation)
    low, high = interval or (None, None)
    return Estimate(total / n, low, high, int(n), "paired difference", level)


def _mean_cost(frame: pl.DataFrame) -> float | None:
    rows, known = float(frame["rows"].sum()), float(frame["cost_n"].sum())
    if known == 0 or known < rows / 2 or float(frame["cost_gap"].sum()) > 0:
        return None
    return float(frame["cost"].sum()) / known


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
    return mixed_p95([(histograms(selection, (name,)), *_rule(policy, name)) for name in names])
