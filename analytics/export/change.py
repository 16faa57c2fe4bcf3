"""What a change of thresholds does: rules, routes, accuracy and cost, on the rows that the figures are of."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from analytics.estimate import Estimate
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from analytics.tuning.evaluation import Comparison, Evaluation, compared, evaluate
from analytics.tuning.log import Selection
from analytics.tuning.policy_sums import decided


@dataclass(frozen=True, slots=True)
class Change:
    """A new policy against the one in force.

    Attributes:
        before: Figures of the one in force.
        after: Figures of the new one, on the same rows.
        differences: New minus old, by category and (None) over all, paired.
        moved: Share of requests that are routed differently, by category and (None) over all.
        rules: Category, rule before and rule after, where they differ; None stands for the default.
    """

    before: Evaluation
    after: Evaluation
    differences: dict[str | None, Comparison]
    moved: dict[str | None, float]
    rules: tuple[tuple[str | None, str, str], ...]

    @property
    def escalated(self) -> tuple[Estimate, Estimate]:
        """Share escalated before and after."""
        return self.before.overall.escalation_rate, self.after.overall.escalation_rate


def change(
    selection: Selection, old: ThresholdPolicy, new: ThresholdPolicy, *, folds: Sequence[int] | None = None
) -> Change:
    """What replacing one policy by another does on a log.

    Args:
        selection: The rows in question.
        old: Policy in force.
        new: Policy that is proposed.
        folds: Rows that the figures are of; None for all. A pick is judged on rows that had no part in it.
    """
    frame = decided(selection, {"": new, "_old": old}, folds=None if folds is None else list(folds))
    routes = frame.group_by("task_category").agg(
        pl.col("rows").sum(),
        pl.col("rows").filter(pl.col("escalate") != pl.col("escalate_old")).sum().alias("moved"),
    )
    moved: dict[str | None, float] = {
        str(name): float(part / rows) if rows else 0.0 for name, rows, part in routes.iter_rows()
    }
    whole = float(routes["rows"].sum())
    moved[None] = float(routes["moved"].sum()) / whole if whole else 0.0
    return Change(
        evaluate(selection, old, folds=folds),
        evaluate(selection, new, folds=folds),
        compared(selection, new, old, folds=folds),
        moved,
        _rules(old, new),
    )


def _rules(old: ThresholdPolicy, new: ThresholdPolicy) -> tuple[tuple[str | None, str, str], ...]:
    names: list[str | None] = [*sorted({*old.categories, *new.categories}), None]
    pairs = [(name, rule_words(old.rule(name)), rule_words(new.rule(name))) for name in names]
    return tuple(entry for entry in pairs if entry[1] != entry[2])


def rule_words(rule: CategoryPolicy | Default) -> str:
    """A rule in words: ``threshold 0.96``, ``never escalate``, ``always strong``."""
    if rule.route == "fast_only":
        return "never escalate"
    if rule.route == "strong_only" or rule.threshold is None:
        return "always strong"
    kept = ", keeps missing" if rule.on_missing == "keep" else ""
    return f"threshold {rule.threshold!r}{kept}"
