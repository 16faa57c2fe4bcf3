"""Totals of a policy on a log: each cell is kept or escalated by the policy's own thresholds.

All figures of a policy come from these totals, so page, file and command line agree exactly.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from analytics.estimate import Floats
from analytics.logs.schema import UNCATEGORISED
from analytics.policy import CategoryPolicy, Default, Route, ThresholdPolicy
from analytics.tuning.curve import in_force_threshold
from analytics.tuning.exploration import estimable
from analytics.tuning.log import Selection
from analytics.tuning.sums import SUM_NAMES, Sums


@dataclass(frozen=True, slots=True)
class PolicySums:
    """Totals of a policy by category and fold; the raw material of every figure.

    Attributes:
        frame: One row per category and fold with ``sums.SUM_NAMES``.
        covered: Categories that count for all categories together.
        by_category: What ``folds`` returns, filled when it is first asked for.
    """

    frame: pl.DataFrame
    covered: tuple[str, ...]
    by_category: dict[str | None, dict[str, Floats]] = field(default_factory=dict)

    def of(self, category: str | None) -> Sums:
        """Totals over all folds of a category, or of all covered categories (None)."""
        folds = self.folds(category)
        return Sums(*(folds[name].sum(keepdims=True) for name in SUM_NAMES))

    def folds(self, category: str | None) -> dict[str, Floats]:
        """Totals by fold. Over several categories, grades count by the categories' requests."""
        if not self.by_category:
            frame = self.frame.sort("fold")
            for (name,), part in frame.partition_by("task_category", as_dict=True).items():
                self.by_category[name] = _columns(part)
            part = by_traffic(
                frame.filter(pl.col("task_category").is_in(self.covered)), ("total", "squares", "gap")
            )
            self.by_category[None] = _columns(part.group_by("fold").agg(pl.col(SUM_NAMES).sum()).sort("fold"))
        nothing: Floats = np.zeros(0)
        return self.by_category.get(category, dict.fromkeys(SUM_NAMES, nothing))

    def spread(self, category: str | None) -> float:
        """By how much unequal shares of graded requests widen an interval over categories, at least 1.

        References:
            Kish (1965), Survey Sampling, section 11.7.
        """
        if category is not None:
            return 1.0
        return unequal_weights(self.frame.filter(pl.col("task_category").is_in(self.covered)))


def _columns(frame: pl.DataFrame) -> dict[str, Floats]:
    return {name: frame[name].cast(pl.Float64).to_numpy() for name in SUM_NAMES}


def by_traffic(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Sums over graded requests, each category weighted by its requests; unchanged where all are graded.

    Args:
        frame: Rows with ``task_category``, ``n`` (graded requests) and ``rows`` (requests).
        columns: Sums over the graded requests.
    """
    share = (pl.col("rows").sum() / pl.col("n").sum()).over("task_category")
    factor = share / (pl.col("rows").sum() / pl.col("n").sum())
    return frame.with_columns(pl.col(columns) * pl.when(factor.is_finite()).then(factor).otherwise(0.0))


def unequal_weights(frame: pl.DataFrame) -> float:
    """Kish's effect of weighting each category's graded requests by its requests, at least 1."""
    sizes = frame.group_by("task_category").agg(pl.col("n", "rows").sum()).filter(pl.col("n") > 0)
    n, rows = sizes["n"].to_numpy(), sizes["rows"].to_numpy()
    if n.sum() == 0:
        return 1.0
    return max(1.0, float(n.sum() * ((rows / rows.sum()) ** 2 / n).sum()))


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
    frame = decided(selection, {"": policy}, folds=folds)
    escalate, alone = pl.col("escalate"), pl.col("alone")

    def chosen(keep: str, esc: str) -> pl.Expr:
        return pl.when(escalate).then(pl.col(esc)).otherwise(pl.col(keep))

    def cost(name: str) -> pl.Expr:
        only = pl.when(escalate).then(pl.col(f"strong_cost_{name}")).otherwise(pl.col(f"fast_cost_{name}"))
        return pl.when(alone).then(only).otherwise(chosen(f"keep_cost_{name}", f"esc_cost_{name}"))

    weights = ("w", "w2", "reach") if "esc_w" in frame.columns else ()
    table = (
        frame.select(
            "task_category",
            "fold",
            "escalate",
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
            *(chosen(f"keep_{name}", f"esc_{name}").alias(name) for name in weights),
        )
        .group_by("task_category", "fold", "escalate")
        .agg(pl.col(*SUM_NAMES, *weights).sum())
        .with_columns(_whole_route())
    )
    if weights:
        table = _withheld(table)
    return PolicySums(table.group_by("task_category", "fold").agg(pl.col(SUM_NAMES).sum()), covered)


def _withheld(table: pl.DataFrame) -> pl.DataFrame:
    """Totals without those of categories in which too few requests routed at random speak for the policy."""
    by = table.group_by("task_category").agg(pl.col("n", "w", "w2", "reach").sum().cast(pl.Float64))
    known = estimable(*(by[name].to_numpy() for name in ("n", "w", "w2", "reach")))
    silent = pl.col("task_category").is_in(by["task_category"].filter(pl.Series(~known)).to_list())
    return table.with_columns(
        pl.when(silent).then(0.0).otherwise(pl.col("total")).alias("total"),
        pl.when(silent).then(0.0).otherwise(pl.col("squares")).alias("squares"),
        pl.when(silent).then(pl.col("n")).otherwise(pl.col("gap")).alias("gap"),
        pl.when(silent).then(pl.col("rows")).otherwise(pl.col("cost_gap")).alias("cost_gap"),
    )


def _whole_route() -> list[pl.Expr]:
    """Costs of a category's route scaled from the requests whose cost is known to all of them."""
    route = ("task_category", "escalate")
    known, rows = (pl.col(name).sum().over(route) for name in ("cost_n", "rows"))
    factor = pl.when(known > 0).then(rows / known).otherwise(0.0)
    return [
        *(pl.col(name) * factor for name in ("cost", "cost_squares")),
        pl.col("cost_gap") + pl.when(known > 0).then(0.0).otherwise(pl.col("rows")),
    ]


def rule_of(policy: ThresholdPolicy, category: str) -> tuple[str, float | None, str]:
    """Route, threshold and what a missing confidence does, with the default filled in."""
    rule = policy.rule(None if category == UNCATEGORISED else category)
    return rule.route, rule.threshold, rule.on_missing


def decided(
    selection: Selection, policies: Mapping[str, ThresholdPolicy], *, folds: Iterable[int] | None
) -> pl.DataFrame:
    """The selection's rows with ``escalate`` and ``alone`` (one call only) of each policy, suffixed."""
    frame = selection.rows
    if folds is not None:
        frame = frame.filter(pl.col("fold").is_in(list(folds)))
    for suffix, policy in policies.items():
        rules = pl.DataFrame(
            [(name, *rule_of(policy, name)) for name in selection.categories],
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
