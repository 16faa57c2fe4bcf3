"""How much a claim shrinks on rows that it was not made from: in sample, cross-fitted, held out."""

from typing import TYPE_CHECKING

from analytics.errors import TiertuneError
from analytics.estimate import Estimate
from analytics.logs.schema import FOLDS, PICK_FOLDS
from analytics.policy import Goal, ThresholdPolicy
from analytics.tuning.curve import Point
from analytics.tuning.estimates import accuracy_estimate, cost_estimate
from analytics.tuning.evaluation import Evaluation, evaluate
from analytics.tuning.log import Selection
from analytics.tuning.picking import bare_policy, pick
from analytics.tuning.policy_sums import policy_sums

if TYPE_CHECKING:
    from analytics.tuning.sums import Sums

CROSS_GROUPS = tuple(tuple(range(start, start + 4)) for start in range(0, FOLDS, 4))


def optimism(
    selection: Selection, goal: Goal, bare: ThresholdPolicy, held_out: Evaluation
) -> dict[str, dict[str, Estimate] | None]:
    """What the same procedure would have claimed on its own rows, and what it is worth on others."""
    in_sample = evaluate(
        selection, bare, folds=PICK_FOLDS, covered=held_out.covered, level=goal.level
    ).overall
    return {
        "in_sample": pair_of(in_sample),
        "cross_fitted": _cross_fitted(selection, goal, held_out.covered),
        "held_out": pair_of(held_out.overall),
        "certified": None,
    }


def pair_of(item: Point) -> dict[str, Estimate]:
    """What the meter shows of a policy's figures."""
    return {"accuracy": item.accuracy, "cost_per_request_usd": item.cost_per_request_usd}


def _cross_fitted(selection: Selection, goal: Goal, covered: tuple[str, ...]) -> dict[str, Estimate] | None:
    """Pick on sixteen folds, score on the other four, five times over, and add up."""
    total: Sums | None = None
    for group in CROSS_GROUPS:
        others = tuple(fold for fold in range(FOLDS) if fold not in group)
        try:
            policy = bare_policy(selection, pick(selection, goal, folds=others))
        except TiertuneError:
            return None
        part = policy_sums(selection, policy, folds=group, covered=covered).of(None)
        total = part if total is None else total + part
    if total is None:
        return None
    return {
        "accuracy": accuracy_estimate(total, inflation=selection.accuracy_inflation, level=goal.level),
        "cost_per_request_usd": cost_estimate(total, inflation=selection.cost_inflation, level=goal.level),
    }
