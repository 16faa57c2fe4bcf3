"""What the walks of a certificate move on: thresholds with their costs, from the reference down."""

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.tuning.candidates import Grid, every_option, fast_enough
from analytics.tuning.graded_pairs import GradedPairs
from analytics.tuning.log import Selection
from analytics.tuning.walks import Ground


def walk_ground(selection: Selection, at: Grid, pairs: GradedPairs) -> Ground:
    """The confidences, costs and starting points of the categories with pairs.

    Args:
        selection: The rows in question.
        at: Levels and goal, of all folds.
        pairs: What a certificate counts.
    """
    confidences, cost, start = {}, {}, {}
    known = at.costs_known
    levels = {name: at.all_rows[name] for name in pairs.anchors}
    options = {name: every_option(item, item.confidence, selection) for name, item in levels.items()}
    for sums in options.values():
        needed = np.delete(sums.cost_gap, -2) if at.reference == "strong" else sums.cost_gap[:1]
        known &= bool((needed == 0).all())
    for name, anchor in pairs.anchors.items():
        values = levels[name].confidence
        figures = options[name].cost if known else options[name].escalated
        # Positions are the thresholds, ascending, then keeping none of them, then fast only.
        none_kept = figures[-1] if anchor is None else figures[-2]
        confidences[name] = values
        cost[name] = np.concatenate([figures[1:-2], [none_kept, figures[0]]])
        start[name] = values.size if anchor is None else int(np.searchsorted(values, anchor, side="left"))
    requests = selection.rows.filter(pl.col("task_category").is_in(list(pairs.anchors)))
    return Ground(
        pairs=pairs,
        confidences=confidences,
        cost=cost,
        start=start,
        requests=requests.group_by("fold", "confidence").agg(pl.col("rows").sum()),
        keeps_missing=selection.missing == "keep",
    )


def allowed(at: Grid, name: str, anchor: float | None) -> npt.NDArray[np.bool_]:
    """Which positions keep the limit of latency."""
    within = fast_enough(at, name)
    none_kept = within[-1] if anchor is None else within[-2]
    return np.concatenate([within[1:-2], [none_kept, within[0]]])
