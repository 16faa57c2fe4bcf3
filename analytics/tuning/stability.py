"""How stable a pick is: what the same goal would have picked from other logs like this one.

Each resample has as many requests as the half of the log that picks, drawn from the whole log, and what it
picks is judged on the whole log: as a pick is used, on requests that it did not see.

References:
    Efron & Tibshirani (1993), An Introduction to the Bootstrap; Hastie, Tibshirani & Friedman (2009), The
    Elements of Statistical Learning, section 7.11.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.errors import InsufficientDataError, TiertuneError
from analytics.estimate import Floats
from analytics.logs.schema import FOLDS, PICK_FOLDS
from analytics.policy import Goal, Route, ThresholdPolicy
from analytics.tuning.allocation import Candidates
from analytics.tuning.candidates import (
    LEAST_OF_EITHER,
    Grid,
    blocked,
    candidates_of,
    every_option,
    grid,
    possible,
    reference_correct,
)
from analytics.tuning.curve import in_force_threshold
from analytics.tuning.log import Selection
from analytics.tuning.picking import margin_of, solved
from analytics.tuning.policy_sums import rule_of
from analytics.tuning.resampling import Resampled, kinds, resamples
from analytics.tuning.sums import Sums

RESAMPLES = 200
LEAST_RESAMPLES = 50
MOST_WORK = 4_000_000
"""Resamples times kinds of requests; more kinds get fewer resamples."""
_SEED = 20_261_127
_NONE = -1

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CategoryStability:
    """What resamples pick in one category.

    Attributes:
        task_category: The category.
        options: One row per option that any resample picks, from never escalating up, with ``route``,
            ``threshold`` (smallest confidence kept), ``low_edge``, ``share`` of the resamples and ``chosen``
            (it is the policy's); the policy's own stands there with share 0 if no resample picks it.
        low: Option at the 5% point of the resamples, a row of ``options``; None without a pick.
        high: Option at the 95% point.
        same: Share of the resamples that pick what the policy has.
        undecided: Share of the resamples in which the category has too few graded pairs to pick.
        misses: Share of the picks that miss the goal in this category on the whole log; None unless the
            goal is for every category.
    """

    task_category: str
    options: pl.DataFrame
    low: int | None
    high: int | None
    same: float
    undecided: float
    misses: float | None


@dataclass(frozen=True, slots=True)
class Stability:
    """What the same goal picks from resamples of a log.

    Attributes:
        categories: By category; those without a verdict of their own are left out.
        resamples: How many were drawn.
        requests: Requests in each.
        misses: Share of the picks that miss the goal on the whole log; None where the goal has no limit, or
            nothing could be picked.
        unreachable: Share of the resamples in which no policy reaches the goal.
        clustered: Whether resamples allow for users with several requests.
    """

    categories: dict[str, CategoryStability]
    resamples: int
    requests: int
    misses: float | None
    unreachable: float
    clustered: bool


@dataclass(slots=True)
class _Whole:
    """A category on the whole log: what is possible, what each option gives, what the reference gives."""

    known: NDArray[np.bool_]
    correct: Floats
    cost: Floats
    n: float
    reference: float | None
    picked: list[int] = field(default_factory=list)


def stability(
    selection: Selection, goal: Goal, policy: ThresholdPolicy, *, draws: int = RESAMPLES, seed: int = _SEED
) -> Stability:
    """What the goal picks from resamples of the log, beside what the policy has.

    Args:
        selection: The rows in question.
        goal: The goal that the policy was tuned for.
        policy: The policy whose choices are marked.
        draws: Most resamples; fewer where the log has very many kinds of requests.
        seed: Of the random numbers.

    Raises:
        InsufficientDataError: No category can be picked for, or no resample reaches the goal.
        ValueError: The goal lacks the number that it is about.
    """
    ground = grid(selection, goal, folds=PICK_FOLDS)
    wholes = {name: _whole(ground, name) for name in selection.categories if blocked(ground, name) is None}
    wholes = {name: whole for name, whole in wholes.items() if whole.known.any()}
    if not wholes:
        raise InsufficientDataError("No category has enough graded requests to pick from resamples.")
    found = kinds(selection)
    rows = sum(float(at.everywhere("rows")) for at in ground.all_rows.values())
    size = rows * len(PICK_FOLDS) / FOLDS
    count = int(np.clip(MOST_WORK // max(found.share.size, 1), LEAST_RESAMPLES, draws))
    missed: list[bool | None] = []
    unreachable = 0
    for part in resamples(found, selection, draws=count, size=size, seed=seed):
        for draw in range(len(next(iter(part.values())).pairs)):
            chosen = _picked(ground, wholes, part, draw)
            unreachable += chosen is None
            for name, whole in wholes.items():
                whole.picked.append(_NONE if chosen is None else chosen.get(name, _NONE))
            if chosen:
                missed.append(_misses(goal, {name: (wholes[name], at) for name, at in chosen.items()}))
    if unreachable == count:
        raise InsufficientDataError("No resample of this log reaches the goal.")
    judged = [miss for miss in missed if miss is not None]
    return Stability(
        categories={name: _category(selection, goal, policy, name, whole) for name, whole in wholes.items()},
        resamples=count,
        requests=round(size),
        misses=float(np.mean(judged)) if judged else None,
        unreachable=unreachable / count,
        clustered=found.clustered > 1,
    )


def _whole(ground: Grid, name: str) -> _Whole:
    at = ground.all_rows[name]
    everything = every_option(at, at.confidence, ground.selection)
    traffic = float(everything.rows[0] / max(everything.n[0], 1.0))
    reference = reference_correct(ground, name, at)
    return _Whole(
        known=possible(ground, name, everything),
        correct=everything.total * traffic,
        cost=everything.cost,
        n=float(everything.rows[0]),
        reference=None if reference is None else reference * traffic,
    )


def _picked(
    ground: Grid, wholes: Mapping[str, _Whole], part: Mapping[str, Resampled], draw: int
) -> dict[str, int] | None:
    """The option that one resample picks in each category; None where no policy reaches the goal."""
    options: dict[str, Candidates] = {}
    for name, whole in wholes.items():
        if part[name].pairs[draw] < LEAST_OF_EITHER and ground.reference == "strong":
            continue
        sums = part[name].of(draw)
        reference = None if whole.reference is None else _reference(ground, name, sums)
        found = candidates_of(ground, name, whole.known, sums, reference=reference)
        if isinstance(found, Candidates):
            options[name] = found
    if not options:
        return {}
    try:
        numbers, _ = solved(ground.goal, options)
    except TiertuneError:
        return None
    last = {name: whole.known.size - 1 for name, whole in wholes.items()}
    return {
        name: last[name] if options[name].route[number] == "strong_only" else options[name].index[number] + 1
        for name, number in numbers.items()
    }


def _reference(ground: Grid, name: str, sums: Sums) -> float:
    """Correct answers of the reference in a resample."""
    if ground.reference == "strong":
        return float(sums.total[-1])
    threshold = in_force_threshold(ground.selection, name) or 0.0
    confidence = ground.all_rows[name].confidence
    return float(sums.total[1 + int(np.searchsorted(confidence, threshold, side="left"))])


def _misses(goal: Goal, chosen: Mapping[str, tuple[_Whole, int]]) -> bool | None:
    """Whether a pick misses the goal on the whole log; None where the goal has no limit."""
    if goal.scope == "category" and len(chosen) > 1:
        each = [_misses(goal, {name: item}) for name, item in chosen.items()]
        return None if None in each else any(each)
    n = sum(whole.n for whole, _ in chosen.values())
    correct = sum(float(whole.correct[at]) for whole, at in chosen.values())
    slack = 1e-9 * max(n, 1.0)
    if goal.name == "non-inferior":
        needed = sum(whole.reference or 0.0 for whole, _ in chosen.values()) - margin_of(goal) * n
        return correct < needed - slack
    if goal.name == "budget":
        return sum(float(whole.cost[at]) for whole, at in chosen.values()) > (goal.budget_usd or 0.0) * n * (
            1 + 1e-12
        )
    if goal.name == "value":
        return None
    return correct < (goal.min_accuracy or 0.0) * n - slack


def _category(
    selection: Selection, goal: Goal, policy: ThresholdPolicy, name: str, whole: _Whole
) -> CategoryStability:
    confidence = selection.levels[name].confidence
    own = _position(policy, name, confidence)
    every: Ints = np.array(whole.picked)
    picks = np.sort(every[every != _NONE])
    shown, counts = np.unique(picks, return_counts=True)
    share = dict(zip(shown.tolist(), (counts / every.size).tolist(), strict=True))
    places = sorted({*share, own})
    table = pl.DataFrame(
        [(*_described(place, confidence), share.get(place, 0.0), place == own) for place in places],
        schema={
            "route": pl.String, "threshold": pl.Float64, "low_edge": pl.Float64, "share": pl.Float64,
            "chosen": pl.Boolean,
        },
        orient="row",
    )  # fmt: skip
    low = high = None
    if picks.size:
        ends = (np.ceil(np.array([0.05, 0.95]) * picks.size).astype(int) - 1).clip(0)
        low, high = (places.index(int(picks[end])) for end in ends)
    misses = None
    if goal.scope == "category" and picks.size:
        each = [_misses(goal, {name: (whole, int(at))}) for at in picks]
        misses = None if None in each else float(np.mean([bool(miss) for miss in each]))
    return CategoryStability(
        task_category=name,
        options=table,
        low=low,
        high=high,
        same=share.get(own, 0.0),
        undecided=1 - picks.size / max(every.size, 1),
        misses=misses,
    )


def _position(policy: ThresholdPolicy, name: str, confidence: Floats) -> int:
    """The option that the policy has, among fast only, the thresholds, escalate all, strong only."""
    route, threshold, _ = rule_of(policy, name)
    if route != "cascade" or threshold is None:
        return 0 if route == "fast_only" else confidence.size + 2
    return 1 + int(np.searchsorted(confidence, threshold, side="left"))


def _described(place: int, confidence: Floats) -> tuple[Route, float | None, float | None]:
    if place == 0:
        return "fast_only", None, None
    if place > confidence.size:
        return "strong_only", None, None
    return "cascade", float(confidence[place - 1]), float(confidence[place - 2]) if place > 1 else None
