"""The graded pairs that a certificate counts: what keeping a fast answer loses or wins against a reference.

The reference is always strong, or the policy in force where strong answers are known only of what that
escalates. Every pair counts the same: where some were observed less likely than others, the others are
thinned to the smallest probability first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.policy import Reference
from analytics.tuning.curve import in_force_threshold
from analytics.tuning.log import Selection

_KNOWN: dict[Reference, tuple[str, ...]] = {
    "strong": ("paired", "shadow_difference"),
    "in-force": ("paired", "shadow_difference", "cascade"),
}
_CLASSES = ("both", "lost", "won", "neither")
_KEYS = ("task_category", "fold", "confidence")
# Arbitrary and fixed, so that a log always gives the same certificate; never chosen by its outcome.
_SEED = 20_261_127
_MOST_SHIFT = 0.05
_SHIFT_ERRORS = 3.0


@dataclass(frozen=True, slots=True)
class GradedPairs:
    """Counts of graded pairs by category, fold and confidence.

    Attributes:
        frame: One row per ``task_category``, ``fold`` and ``confidence`` (null where missing), ascending,
            with ``n`` pairs, ``lost`` (keeping loses the answer), ``won`` (keeping wins it; both 0 where
            the reference keeps as well) and ``wrong`` (the reference's answer is wrong).
        anchors: Threshold of the reference by category; None where it is always strong. Categories in
            which the log does not identify the reference are left out.
        thinned_to: Probability to which pairs were thinned; None where all count.
        shift: Share of pairs that would have to change category to have the mix of the traffic; 0 where
            that is little, or no more than chance.
    """

    frame: pl.DataFrame
    anchors: dict[str, float | None]
    thinned_to: float | None
    shift: float

    @property
    def sizes(self) -> dict[str, int]:
        """Pairs by category."""
        found = self.frame.group_by("task_category").agg(pl.col("n").sum())
        counts = dict(zip(found["task_category"], found["n"], strict=True))
        return {name: int(counts.get(name, 0)) for name in self.anchors}


def graded_pairs(selection: Selection, reference: Reference, *, per_unit: bool = False) -> GradedPairs:
    """The pairs of a selection, over the categories in which the log identifies the reference.

    Args:
        selection: The rows in question.
        reference: ``strong`` or ``in-force``.
        per_unit: Count one request of each user, that with the smallest hash: of fully paired categories,
            against always strong.
    """
    known = ("paired",) if per_unit else _KNOWN[reference]
    observed = selection.regimes.filter(pl.col("estimator").is_in(known))["task_category"].sort()
    anchors: dict[str, float | None] = dict.fromkeys(observed.to_list())
    if reference == "in-force":
        found = {name: in_force_threshold(selection, name) for name in anchors}
        anchors = {name: at for name, at in found.items() if at is not None}
    cells = selection.cells
    if per_unit:  # kept cells do not know which request of a user is the first
        cells = cells.filter(pl.col("unit_first") if "unit_first" in cells.columns else pl.lit(value=False))
    frame = _marked(cells, anchors, keeps_missing=selection.missing == "keep")
    if reference == "in-force":
        # What the policy in force escalates needs both answers, else the difference is not known; of what
        # was kept under an older threshold a sample is enough.
        shadow = selection.regimes.filter(pl.col("estimator") == "shadow_difference")["task_category"]
        sampled = ~pl.col("escalated").fill_null(value=False) & pl.col("task_category").is_in(
            shadow.to_list()
        )
        lacking = set(frame.filter(pl.col("unknown") & ~sampled)["task_category"].to_list())
        anchors = {name: at for name, at in anchors.items() if name not in lacking}
    frame = frame.filter(pl.col("task_category").is_in(list(anchors)) & ~pl.col("unknown"))
    thinned, thinned_to = _thinned(_classes(frame))
    table = (
        thinned.with_columns(pl.sum_horizontal(_CLASSES).alias("n"))
        .group_by(_KEYS)
        .agg(
            pl.col("n").sum(),
            pl.col("lost", "won").sum(),
            (pl.col("won") + pl.col("neither")).sum().alias("wrong"),
        )
        .filter(pl.col("n") > 0)
        .sort(_KEYS)
    )
    present = set(table["task_category"].to_list())
    anchors = {name: at for name, at in anchors.items() if name in present}
    return GradedPairs(table, anchors, thinned_to, 0.0 if per_unit else _shift(selection, table))


def _marked(cells: pl.DataFrame, anchors: Mapping[str, float | None], *, keeps_missing: bool) -> pl.DataFrame:
    """Graded cells with ``anchored`` (the reference keeps the fast answer) and ``unknown``."""
    table = pl.DataFrame(
        {"task_category": list(anchors), "anchor": list(anchors.values())},
        schema={"task_category": pl.String, "anchor": pl.Float64},
    )
    kept = pl.col("anchor").is_not_null() & (pl.col("confidence") >= pl.col("anchor")).fill_null(
        keeps_missing
    )
    fast, both = pl.col("fast_graded"), pl.col("fast_graded") & pl.col("strong_graded")
    return (
        cells.join(table, on="task_category", how="inner")
        .with_columns(kept.alias("anchored"))
        .filter(fast | pl.col("strong_graded"))
        .with_columns(pl.when("anchored").then(~fast).otherwise(~both).alias("unknown"))
    )


def _classes(frame: pl.DataFrame) -> pl.DataFrame:
    """Counts of pairs by which answers are right; where the reference keeps, only the fast one matters."""
    fast, strong, both = (pl.col(f"rounded_{name}") for name in ("fast", "strong", "both"))
    n, anchored = pl.col("n"), pl.col("anchored")
    shadow = pl.when(anchored).then(1.0).otherwise(pl.col("sampling_probability").fill_null(1.0))
    probability = shadow * pl.col("grade_probability").fill_null(1.0)
    return frame.select(
        *_KEYS,
        "anchored",
        pl.when(anchored).then(fast).otherwise(both).alias("both"),
        pl.when(anchored).then(0).otherwise(strong - both).alias("lost"),
        pl.when(anchored).then(0).otherwise(fast - both).alias("won"),
        pl.when(anchored).then(n - fast).otherwise(n - fast - strong + both).alias("neither"),
        probability.alias("probability"),
    )


def _thinned(frame: pl.DataFrame) -> tuple[pl.DataFrame, float | None]:
    """Pairs thinned to the smallest probability with which any was observed."""
    least = frame["probability"].min()
    if not isinstance(least, float) or least >= 1.0:
        return frame, None
    frame = frame.sort(*_KEYS, "anchored", "probability", *_CLASSES)
    share = (least / frame["probability"].to_numpy()).clip(0.0, 1.0)
    draw = np.random.default_rng(_SEED)
    kept = {name: draw.binomial(frame[name].to_numpy(), share) for name in _CLASSES}
    return frame.with_columns(pl.Series(name, values) for name, values in kept.items()), least


def _shift(selection: Selection, table: pl.DataFrame) -> float:
    """Total variation between the categories' shares of pairs and of requests, beyond chance."""
    pairs = table.group_by("task_category").agg(pl.col("n").sum())
    rows = selection.rows.group_by("task_category").agg(pl.col("rows").sum())
    joined = pairs.join(rows, on="task_category")
    if joined.height < 2:  # noqa: PLR2004 - one category has no mix
        return 0.0
    n, traffic = joined["n"].to_numpy(), joined["rows"].to_numpy() / joined["rows"].sum()
    shares = n / n.sum()
    found = float(np.abs(shares - traffic).sum() / 2)
    chance = _SHIFT_ERRORS * np.sqrt(traffic * (1 - traffic) / n.sum())
    beyond = bool((np.abs(shares - traffic) > chance).any())
    return found if found > _MOST_SHIFT and beyond else 0.0
