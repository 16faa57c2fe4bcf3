"""The next cheaper threshold that a certificate would have to pass, and the pairs that this takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from analytics.errors import TiertuneError
from analytics.policy import Goal
from analytics.tuning.band import SHARE, kept_from, routed_at, unless_bought
from analytics.tuning.certificate import Certification, certification
from analytics.tuning.log import Selection
from analytics.tuning.picking import margin_of
from analytics.tuning.sample_size import pairs_needed
from analytics.tuning.walks import Walk

UNKNOWN_DISCORDANCE = 0.25
"""Share of requests on which two answers are taken to differ where no pair tells."""


@dataclass(frozen=True, slots=True)
class Step:
    """One untested policy.

    Attributes:
        task_category: Category; None for all of them together.
        categories: Whose requests count.
        threshold: Smallest confidence that it keeps; None where it never escalates.
        pairs: Pairs that there are.
        needed: Pairs in all with which it would be certified; None where no number would do.
        sampled_at: Probability to which the pairs were thinned; None where all count.
        free: Whether no strong call is needed, since the reference is the policy in force.
        assumed: Whether the rates are assumed.
        impossible: Why no number would do.
    """

    task_category: str | None
    categories: tuple[str, ...]
    threshold: float | None
    pairs: int
    needed: int | None
    sampled_at: float | None
    free: bool
    assumed: bool = False
    impossible: str | None = None


def next_steps(selection: Selection, goal: Goal, found: Certification | None = None) -> tuple[Step, ...]:
    """The first step beyond what is certified, of the walk down one threshold or of each category's walk.

    Args:
        selection: The rows in question.
        goal: ``non-inferior``.
        found: What could be certified, where that is known already.
    """
    if found is None:
        try:
            found = certification(selection, goal)
        except TiertuneError:
            return ()
    in_force = found.reference == "in-force"
    if found.pairs is None or found.ground is None or not found.walks:
        if found.obstacle is None or not _no_pairs(selection, in_force=in_force):
            return () if found.obstacle is None else (_hindered(selection, found.obstacle, free=in_force),)
        return _assumed(selection, goal, in_force=in_force)
    steps = []
    for name, several in found.walks.items():
        walk = several[0]
        if walk.passed < walk.positions.shape[0]:
            steps.append(_step(found, walk, name, margin_of(goal)))
    return tuple(steps)


def _no_pairs(selection: Selection, *, in_force: bool) -> bool:
    """Whether not one request tells what the reference and another policy would give."""
    if in_force:
        return int(selection.rows["n"].sum()) == 0
    return not selection.cells.filter(
        unless_bought() & pl.col("fast_graded") & pl.col("strong_graded")
    ).height


def _hindered(selection: Selection, obstacle: str, *, free: bool) -> Step:
    return Step(None, selection.categories, None, 0, None, None, free, impossible=obstacle)


def _step(found: Certification, walk: Walk, name: str | None, margin: float) -> Step:
    at, n = walk.passed, max(walk.n, 1)
    lost, won = float(walk.lost[at]) / n, float(walk.won[at]) / n
    needed = pairs_needed(lost, won, margin, delta=walk.test.error)
    impossible = None
    if needed is None:
        loss = round(100 * (lost - won), 2)
        impossible = f"More data will not help: it loses an estimated {loss:g} points."
    pairs = found.pairs
    return Step(
        task_category=name,
        categories=walk.categories,
        threshold=_threshold(found, walk, at),
        pairs=walk.n,
        # The test said no, so one more pair is the least that it takes.
        needed=None if needed is None else max(needed, walk.n + 1),
        sampled_at=None if pairs is None else pairs.thinned_to,
        free=found.reference == "in-force",
        impossible=impossible,
    )


def _threshold(found: Certification, walk: Walk, at: int) -> float | None:
    ground = found.ground
    kept = [
        float(ground.confidences[name][position])
        for name, position in zip(walk.categories, walk.positions[at], strict=True)
        if ground is not None and 0 <= position < ground.confidences[name].size
    ]
    return min(kept, default=None)


def _assumed(selection: Selection, goal: Goal, *, in_force: bool) -> tuple[Step, ...]:
    """Without any pair, at assumed rates: the threshold in force against always strong, or a band below."""
    known = {name: at for name in selection.categories if (at := routed_at(selection, name)) is not None}
    if not known:
        return ()
    margin, groups = margin_of(goal), _groups(tuple(known), goal)
    delta = (1 - goal.level) / len(groups)
    steps = []
    for name, categories in groups.items():
        differing = UNKNOWN_DISCORDANCE * (SHARE if in_force else kept_from(selection, categories))
        steps.append(
            Step(
                task_category=name,
                categories=categories,
                threshold=None if in_force else min(known[item] for item in categories),
                pairs=0,
                needed=pairs_needed(differing / 2, differing / 2, margin, delta=delta),
                sampled_at=None,
                free=in_force,
                assumed=True,
                impossible=None if margin > 0 else "A margin of 0 points cannot be planned for.",
            )
        )
    return tuple(steps)


def _groups(names: Sequence[str], goal: Goal) -> dict[str | None, tuple[str, ...]]:
    if goal.scope == "category":
        return {name: (name,) for name in names}
    return {None: tuple(names)}
