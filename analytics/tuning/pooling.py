"""Sparse categories that share one threshold, which none of them could have by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from analytics.policy import Verdict
from analytics.tuning.candidates import Grid
from analytics.tuning.sums import levels

POOLED = "\0pooled"
"""The group among categories; no category of a log can have this name."""


def sparse(refused: Mapping[str, tuple[Verdict, str]]) -> tuple[str, ...]:
    """The refused categories that only lack data, in order."""
    return tuple(sorted(name for name, (verdict, _) in refused.items() if verdict == "insufficient_evidence"))


def with_pooled(at: Grid, names: Sequence[str], picked_folds: Sequence[int] | None) -> Grid:
    """The levels with those of some categories added up under ``POOLED``.

    Args:
        at: The levels by category.
        names: The categories to pool.
        picked_folds: Folds that pick; None for all.
    """
    rows = at.selection.rows.filter(pl.col("task_category").is_in(list(names)))
    some = rows if picked_folds is None else rows.filter(pl.col("fold").is_in(list(picked_folds)))
    return replace(
        at,
        all_rows={**at.all_rows, POOLED: levels(rows)},
        picked={**at.picked, POOLED: levels(some)},
    )


def reason(names: Sequence[str], pairs: int) -> str:
    """Why a category has the threshold of a group."""
    together = f"{', '.join(names)} ({pairs:,} pairs together)"
    return f"Too few graded pairs of its own; one threshold for {together}."


def place(name: str | None) -> str:
    """``in law``, for a sentence about one category or the group; empty for the whole."""
    if name is None:
        return ""
    return " in the pooled categories" if name == POOLED else f" in {name}"
