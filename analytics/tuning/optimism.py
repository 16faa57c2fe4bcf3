"""How much a claim shrinks on rows that it was not made from: in sample, cross-fitted, held out."""

from dataclasses import replace

import polars as pl

from analytics.errors import TiertuneError
from analytics.estimate import Estimate, undefined
from analytics.logs.schema import PICK_FOLDS, REPORT_FOLDS
from analytics.policy import Goal, ThresholdPolicy
from analytics.tuning.curve import Point
from analytics.tuning.estimates import accuracy_estimate, cost_estimate
from analytics.tuning.evaluation import NO_IN_FORCE, Evaluation, compared, evaluate, saved_usd
from analytics.tuning.halves import HALF, unit_fold
from analytics.tuning.log import Selection
from analytics.tuning.picking import bare_policy, pick
from analytics.tuning.policy_sums import PolicySums, everywhere, in_force_policy, policy_sums

REQUESTS = 1000
SAVED = f"saved_per_{REQUESTS}_usd"
CROSS_GROUPS = tuple((first, first + 1, HALF + first, HALF + first + 1) for first in range(0, HALF, 2))
"""Five groups of four folds; where time cuts a log in two, a user's requests stay in one of them."""

Scored = dict[str, Estimate]


def optimism(
    selection: Selection,
    goal: Goal,
    bare: ThresholdPolicy | None,
    *,
    certified: tuple[ThresholdPolicy, Evaluation, tuple[int, ...] | None] | None = None,
    reference: str = "strong",
) -> dict[str, Scored | None]:
    """What a pick claims on its own rows, what it is worth on others, and what is certified.

    Args:
        selection: The rows in question.
        goal: What was picked for.
        bare: What was picked on folds 0-9; None where nothing could be.
        certified: The certified policy, its figures and the folds that they are of; None without one.
        reference: ``strong`` or ``in-force``: what savings are against.

    Returns:
        ``in_sample``, ``cross_fitted``, ``held_out`` and ``certified``, each None where there is none, else
        ``accuracy``, ``cost_per_request_usd`` and ``SAVED``: USD that 1,000 requests cost less than under
        the reference.
    """
    other = everywhere(selection, "strong_only") if reference == "strong" else in_force_policy(selection)
    found: dict[str, Scored | None] = dict.fromkeys(("in_sample", "cross_fitted", "held_out", "certified"))
    if bare is not None:
        held_out = evaluate(selection, bare, folds=REPORT_FOLDS, level=goal.level, latency=False)
        covered = held_out.covered
        in_sample = evaluate(
            selection, bare, folds=PICK_FOLDS, covered=covered, level=goal.level, latency=False
        )
        for name, figures, folds in (
            ("in_sample", in_sample, PICK_FOLDS),
            ("held_out", held_out, REPORT_FOLDS),
        ):
            found[name] = _scored(selection, bare, other, figures, folds=folds, level=goal.level)
        found["cross_fitted"] = _cross_fitted(selection, goal, other, covered)
    if certified is not None:
        policy, figures, of_folds = certified
        found["certified"] = _scored(selection, policy, other, figures, folds=of_folds, level=goal.level)
    return found


def shrinkage(meter: dict[str, Scored | None], key: str) -> float | None:
    """The optimism of a pick: what it claims on its own rows minus its cross-fitted worth.

    Args:
        meter: From ``optimism``.
        key: ``accuracy``, ``cost_per_request_usd`` or ``SAVED``.
    """
    claimed, worth = meter.get("in_sample"), meter.get("cross_fitted")
    first, second = (None if pair is None else pair[key].value for pair in (claimed, worth))
    return None if first is None or second is None else first - second


def _scored(
    selection: Selection,
    policy: ThresholdPolicy,
    other: ThresholdPolicy | None,
    figures: Evaluation,
    *,
    folds: tuple[int, ...] | None,
    level: float,
) -> Scored:
    if other is None:
        saved = undefined(NO_IN_FORCE, level=level)
    else:
        against = compared(selection, policy, other, folds=folds, covered=figures.covered, level=level)
        saved = against[None].saved_usd
    return _pair(figures.overall, saved)


def _pair(item: Point, saved: Estimate) -> Scored:
    return {
        "accuracy": item.accuracy,
        "cost_per_request_usd": item.cost_per_request_usd,
        SAVED: _per_thousand(saved),
    }


def _per_thousand(saved: Estimate) -> Estimate:
    value, low, high = (
        None if end is None else end * REQUESTS for end in (saved.value, saved.low, saved.high)
    )
    return replace(saved, value=value, low=low, high=high)


def _cross_fitted(
    selection: Selection, goal: Goal, other: ThresholdPolicy | None, covered: tuple[str, ...]
) -> Scored | None:
    """Pick on sixteen folds, score on the other four, five times over, and add up."""
    parts = []
    for group in CROSS_GROUPS:
        others = tuple(fold for folds in CROSS_GROUPS if folds != group for fold in folds)
        try:
            policy = bare_policy(selection, pick(selection, goal, folds=others))
        except TiertuneError:
            return None
        parts.append(policy_sums(selection, policy, folds=group, covered=covered).frame)
    whole = PolicySums(pl.concat(parts).with_columns(fold=unit_fold(selection.log.cut)), covered)
    total, level = whole.of(None), goal.level
    saved = undefined(NO_IN_FORCE, level=level)
    if other is not None:
        theirs = policy_sums(selection, other, covered=covered).frame
        theirs = theirs.with_columns(fold=unit_fold(selection.log.cut))
        saved = saved_usd(whole.folds(None), PolicySums(theirs, covered).folds(None), level=level)
    wider = selection.accuracy_inflation * whole.spread(None)
    return {
        "accuracy": accuracy_estimate(total, inflation=wider, level=level),
        "cost_per_request_usd": cost_estimate(total, inflation=selection.cost_inflation, level=level),
        SAVED: _per_thousand(saved),
    }
