"""What each category can do within the region that the log identifies, and why some can do nothing."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.errors import InsufficientDataError
from analytics.estimate import SIGNIFICANT_DIGITS, Floats
from analytics.policy import Goal, Reference, Route, Verdict
from analytics.tuning.allocation import Candidates
from analytics.tuning.curve import in_force_threshold
from analytics.tuning.frontier import pareto
from analytics.tuning.latency import mixed_p95, p95_curve
from analytics.tuning.log import Selection
from analytics.tuning.sums import (
    Levels,
    Sums,
    control_sums,
    cost_band,
    levels,
    levels_by_category,
    threshold_sums,
)
from analytics.tuning.timing import histograms, on_missing

LEAST_PAIRS = 30
UNKNOWN_REFERENCE: dict[Reference, str] = {
    "strong": "This log cannot tell the accuracy of always strong here.",
    "in-force": (
        "The goal compares with the policy in force, whose accuracy this log cannot tell: some requests "
        "that it escalates have no strong answer. Choose another goal, or log those answers."
    ),
}
LEAST_OF_EITHER = 10


@dataclass(frozen=True, slots=True)
class Grid:
    """A selection's levels by category: all rows for what is possible, some folds for what is picked."""

    selection: Selection
    goal: Goal
    all_rows: dict[str, Levels]
    picked: dict[str, Levels]
    costs_known: bool
    reference: Reference
    split: bool


def grid(selection: Selection, goal: Goal, *, folds: Iterable[int] | None) -> Grid:
    """The levels that a pick works on.

    Args:
        selection: The rows in question.
        goal: The goal; its reference None becomes always strong or the policy in force.
        folds: Folds to pick on; None for all.
    """
    rows = selection.rows
    some = rows if folds is None else rows.filter(pl.col("fold").is_in(list(folds)))
    by_category, part = selection.levels, levels_by_category(some)
    nothing = levels(rows.clear())
    picked = {name: part.get(name, nothing) for name in selection.categories}
    costs = [cost_band(threshold_sums(at, missing=selection.missing))["value"] for at in by_category.values()]
    known = bool(costs) and all(np.isfinite(cost[0]) for cost in costs)
    reference = goal.reference or _reference(selection, by_category)
    return Grid(selection, goal, by_category, picked, known, reference, split=folds is not None)


def _reference(selection: Selection, by_category: Mapping[str, Levels]) -> Reference:
    """Always strong, where most graded requests identify it; else the policy in force, where known."""
    identified = {name: at.everywhere("esc_gap") == 0 for name, at in by_category.items()}
    graded = {name: at.everywhere("n") for name, at in by_category.items()}
    share = sum(graded[name] for name, yes in identified.items() if yes)
    if share * 2 > sum(graded.values()):
        return "strong"
    known = any(in_force_threshold(selection, name) is not None for name in by_category)
    return "in-force" if known else "strong"


def blocked(grid: Grid, name: str) -> tuple[Verdict, str] | None:
    """Why a category gets no verdict of its own; None where it can have one."""
    at = grid.all_rows[name]
    pairs, picked = (_evidence(grid, rows[name]) for rows in (grid.all_rows, grid.picked))
    right, wrong = at.everywhere("fast_right"), at.everywhere("fast_wrong")
    if at.everywhere("n") == 0:
        return "not_identified", "No request of this category is graded."
    if at.confidence.size == 0:
        return "not_identified", "No request of this category has a confidence."
    if pairs == 0 and grid.reference != "in-force":
        return "not_identified", "No request of this category has both answers graded."
    why = None
    if pairs < LEAST_PAIRS:
        why = f"{pairs} graded pairs; at least {LEAST_PAIRS} are needed."
    elif min(right, wrong) < LEAST_OF_EITHER:
        found = f"{right:,.0f} right and {wrong:,.0f} wrong fast answers"
        why = f"{found}; at least {LEAST_OF_EITHER} of either are needed."
    elif grid.split and not LEAST_OF_EITHER <= picked < pairs:
        # A few users, or one period, may put all rows of a category into one part.
        found = f"{picked} of {pairs} graded pairs are in the part of the log that picks"
        why = f"{found}; at least {LEAST_OF_EITHER} must be, and some must not."
    return None if why is None else ("insufficient_evidence", why)


def _evidence(grid: Grid, at: Levels) -> int:
    """Rows that a verdict rests on: graded pairs, or with what is in force every graded fast answer."""
    if grid.reference == "in-force":
        return int(at.everywhere("n") - at.everywhere("keep_gap"))
    # Where either answer was served at random one of each stands for a pair.
    apart = at.columns.get("oracle_gap")
    matched = 0.0 if apart is None else min(at.everywhere("one_kept"), at.everywhere("one_sent"))
    return int(at.everywhere("pairs") + matched)


def candidates(grid: Grid, name: str) -> Candidates | str:
    """What a category can do within the identified region, or why there is nothing."""
    selection, whole, some = grid.selection, grid.all_rows[name], grid.picked[name]
    known = possible(grid, name, every_option(whole, whole.confidence, selection))
    figures = every_option(some, whole.confidence, selection)
    return candidates_of(grid, name, known, figures, reference=reference_correct(grid, name, some))


def possible(grid: Grid, name: str, everything: Sums) -> npt.NDArray[np.bool_]:
    """Which options of ``every_option`` may be candidates, from all rows."""
    known: npt.NDArray[np.bool_] = (everything.gap == 0) & (everything.n > 0)
    if grid.costs_known:
        known &= (everything.cost_gap == 0) & (everything.cost_n * 2 >= everything.rows)
    known &= fast_enough(grid, name)
    # Options are fast_only, each threshold, escalate all, strong_only. "Escalate all" after a fast call
    # is strong_only at a higher price; without missing confidences the smallest threshold is fast_only.
    known[-2] = False
    known[1] &= grid.all_rows[name].columns["rows"][0] > 0
    return known


def candidates_of(
    grid: Grid, name: str, known: npt.NDArray[np.bool_], figures: Sums, *, reference: float | None
) -> Candidates | str:
    """The candidates of a category from the figures of its options on the rows that are picked on.

    Args:
        grid: The levels and the goal.
        name: The category.
        known: Which options are possible, see ``possible``.
        figures: Totals of all options, see ``every_option``.
        reference: Correct answers of the reference on the same rows; None where not identified.
    """
    cost = figures.cost if grid.costs_known else figures.escalated
    if grid.costs_known:
        known = known & (figures.cost_gap == 0)
    if not known.any():
        return _why_none(grid, name)
    if reference is None and grid.goal.name == "non-inferior":
        return _shadow_reason(grid, name) or UNKNOWN_REFERENCE[grid.reference]
    # Thresholds between which no request was picked on are equal but for the order of a sum; of equal
    # ones the first, lowest, must win on every run.
    # Costs are of all requests, so correct answers are too: the graded ones stand for the others.
    traffic = float(figures.rows[0] / max(figures.n[0], 1.0))
    cost, correct = settled(cost), settled(figures.total * traffic)
    kept = np.flatnonzero(known)
    kept = kept[pareto(cost[kept], correct[kept])]
    routes: tuple[Route, ...] = tuple(
        "fast_only" if at == 0 else "strong_only" if at == known.size - 1 else "cascade" for at in kept
    )
    return Candidates(
        route=routes,
        index=tuple(int(at) - 1 for at in kept),
        correct=correct[kept],
        cost=cost[kept],
        n=float(figures.rows[0]),
        cost_n=float(figures.rows[0]),
        reference=None if reference is None else reference * traffic,
    )


def settled(values: Floats) -> Floats:
    """Values rounded to twelve digits of the largest, so that the order of a sum cannot show."""
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return values
    unit = 10.0 ** (math.ceil(math.log10(largest)) - SIGNIFICANT_DIGITS)
    rounded: Floats = np.round(values / unit) * unit
    return rounded


def _why_none(grid: Grid, name: str) -> str:
    if grid.goal.max_p95_s is not None:
        return f"No identified route keeps the 95th percentile of latency within {grid.goal.max_p95_s:g} s."
    return _shadow_reason(grid, name) or "No threshold lies in the region that this log identifies."


def _shadow_reason(grid: Grid, name: str) -> str | None:
    """Why the category's shadow answers cannot be used; None where that is not what is missing."""
    found = grid.selection.regimes.filter(pl.col("task_category") == name)["shadow_reason"].to_list()
    return found[0] if found else None


def every_option(at: Levels, confidence: Floats, selection: Selection) -> Sums:
    """Totals of fast only, every threshold, escalate all, strong only: shape ``(m + 3,)``.

    ``at`` may lack some of the confidences of the grid: thresholds are looked up, not matched.
    """
    swept = threshold_sums(at, missing=selection.missing)
    place = np.append(np.searchsorted(at.confidence, confidence, side="left"), at.confidence.size)
    fast, strong = control_sums(at, "fast_only"), control_sums(at, "strong_only")
    return Sums(
        *(
            np.concatenate([getattr(fast, key), getattr(swept, key)[place], getattr(strong, key)])
            for key in Sums.__dataclass_fields__
        )
    )


def fast_enough(grid: Grid, name: str) -> npt.NDArray[np.bool_]:
    """Which options keep the 95th percentile of latency within the limit; all of them without one."""
    at, limit = grid.all_rows[name], grid.goal.max_p95_s
    if limit is None:
        return np.ones(at.confidence.size + 3, dtype=bool)
    timed = histograms(grid.selection, (name,))
    swept = p95_curve(timed, at.confidence, on_missing=on_missing(grid.selection))
    if swept is None:
        raise InsufficientDataError("A latency limit needs latencies, and this log has none: add latency_s.")
    ends = [mixed_p95([(timed, route, None, "escalate")]) for route in ("fast_only", "strong_only")]
    values = np.concatenate([[_number(ends[0])], swept, [_number(ends[1])]])
    within: npt.NDArray[np.bool_] = np.nan_to_num(values, nan=np.inf) <= limit
    return within


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def reference_correct(grid: Grid, name: str, some: Levels) -> float | None:
    """Correct answers of the reference on the rows that are picked on; None where not identified."""
    whole, selection = grid.all_rows[name], grid.selection
    if grid.reference == "strong":
        if whole.everywhere("esc_gap") > 0:
            return None
        return some.everywhere("esc_sum")
    threshold = in_force_threshold(selection, name)
    if threshold is None:
        return None
    everything = threshold_sums(whole, missing=selection.missing)
    if everything.gap[int(np.searchsorted(whole.confidence, threshold, side="left"))] > 0:
        return None
    swept = threshold_sums(some, missing=selection.missing)
    return float(swept.total[int(np.searchsorted(some.confidence, threshold, side="left"))])
