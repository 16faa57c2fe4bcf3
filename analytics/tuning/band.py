"""The requests just above the threshold in force: what is known of them, and what was never asked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.tuning.curve import in_force_threshold
from analytics.tuning.log import Selection

SHARE = 0.1
MOST_MISROUTED = 0.2


@dataclass(frozen=True, slots=True)
class Band:
    """Kept requests of one category from the threshold in force up.

    Attributes:
        task_category: Category.
        low: Smallest confidence: the threshold in force.
        high: First confidence above; None where all kept requests belong to it.
        requests: Requests in the band.
        share: Of the category's requests.
        kept_outside: Kept requests of the category above the band.
        pairs: Requests in the band with both answers graded.
        squares: Sum of the squared differences of their grades.
        ungraded: Requests in the band that have both answers, but not both grades.
        unasked: Requests in the band whose strong answer was never made.
        sampled: Whether the category has a shadow share that estimates can use.
    """

    task_category: str
    low: float
    high: float | None
    requests: int
    share: float
    kept_outside: int
    pairs: int
    squares: float
    ungraded: int
    unasked: int
    sampled: bool


def band_above(selection: Selection, name: str) -> Band | None:
    """The band of a category that holds about a tenth of its requests; None where nothing is kept.

    Args:
        selection: The rows in question.
        name: Category.
    """
    threshold = routed_at(selection, name)
    if threshold is None:
        return None
    both, fast = pl.col("fast_graded") & pl.col("strong_graded"), pl.col("fast_correct_sq")
    called = _called()
    table = (
        selection.cells.filter((pl.col("task_category") == name) & pl.col("confidence").is_not_null())
        .group_by("confidence")
        .agg(
            pl.col("n").sum(),
            pl.col("n").filter(both).sum().alias("pairs"),
            (pl.col("strong_correct_sq") - 2 * pl.col("correct_x") + fast)
            .filter(both)
            .sum()
            .alias("squares"),
            pl.col("n").filter(called & ~both).sum().alias("ungraded"),
            pl.col("n").filter(~called).sum().alias("unasked"),
        )
        .sort("confidence")
    )
    rows = int(selection.cells.filter(pl.col("task_category") == name)["n"].sum())
    kept = table.filter(pl.col("confidence") >= threshold)
    if kept.is_empty():
        return None
    reached = int((kept["n"].cum_sum() < SHARE * rows).sum())
    inside, outside = kept[: reached + 1], kept[reached + 1 :]
    requests = int(inside["n"].sum())
    regime = selection.regimes.filter(pl.col("task_category") == name)
    return Band(
        task_category=name,
        low=threshold,
        high=float(outside["confidence"][0]) if outside.height else None,
        requests=requests,
        share=requests / rows,
        kept_outside=int(outside["n"].sum()),
        pairs=int(inside["pairs"].sum()),
        squares=float(inside["squares"].sum()),
        ungraded=int(inside["ungraded"].sum()),
        unasked=int(inside["unasked"].sum()),
        sampled=bool(regime["shadow"].any()),
    )


def routed_at(selection: Selection, name: str) -> float | None:
    """The threshold that a category is routed by: as logged, else the one that fits who was escalated best.

    None where neither is known, or no threshold fits four in five requests.
    """
    logged = in_force_threshold(selection, name)
    if logged is not None:
        return logged
    sent = ~unless_bought()
    table = (
        selection.cells.filter((pl.col("task_category") == name) & pl.col("confidence").is_not_null())
        .group_by("confidence")
        .agg(pl.col("n").filter(sent).sum().alias("sent"), pl.col("n").filter(~sent).sum().alias("kept"))
        .sort("confidence")
    )
    if table.is_empty() or table["kept"].sum() == 0:
        return None
    values, went, stayed = (table[key].to_numpy() for key in ("confidence", "sent", "kept"))
    # Wrong of a threshold at each value: who stayed below it, and who went from there up.
    wrong = np.append(0, np.cumsum(stayed))[:-1] + went[::-1].cumsum()[::-1]
    best = int(np.argmin(wrong))
    return float(values[best]) if wrong[best] <= MOST_MISROUTED * (went.sum() + stayed.sum()) else None


def kept_from(selection: Selection, names: Sequence[str]) -> float:
    """Share of the requests of some categories that have no strong answer unless it is bought."""
    frame = selection.cells.filter(pl.col("task_category").is_in(list(names)))
    rows = int(frame["n"].sum())
    return int(frame.filter(unless_bought())["n"].sum()) / rows if rows else 0.0


def unless_bought() -> pl.Expr:
    """Whether a request was kept, so that it has no strong answer but a shadow one."""
    sampled = (pl.col("sampling_probability") < 1).fill_null(value=False)
    return ~pl.coalesce("escalated", _called() & ~sampled)


def _called() -> pl.Expr:
    """Whether a strong answer was made, served or not."""
    return pl.col("strong_graded") | pl.col("strong_cost_known") | pl.col("escalated").fill_null(value=False)
