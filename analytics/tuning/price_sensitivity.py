"""How the policy moves when prices do, and what a correct answer must be worth for each choice.

A price multiplies a cost column, and costs are linear in cells, so no row is read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analytics.errors import TiertuneError
from analytics.estimate import Floats
from analytics.policy import Goal, ThresholdPolicy
from analytics.tuning.candidates import blocked, candidates, grid
from analytics.tuning.certificate import certification, certified_pick
from analytics.tuning.frontier import hull
from analytics.tuning.identification import contributions
from analytics.tuning.log import Selection
from analytics.tuning.picking import bare_policy, pick
from analytics.tuning.policy_sums import everywhere, policy_sums, rule_of
from analytics.tuning.sums import levels_by_category

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)

_OF_STRONG = {
    "strong_cost_sum": 1, "strong_cost_sq": 2, "strong_correct_x_cost": 1, "cost_x": 1, "gain_cost_sum": 1,
}  # fmt: skip
_OF_FAST = {
    "fast_cost_sum": 1, "fast_cost_sq": 2, "fast_correct_x_cost": 1, "strong_correct_x_fast_cost": 1,
    "cost_x": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repriced:
    """The policy that the same goal gets at another price of the strong model.

    Attributes:
        factor: By which every strong call's cost is multiplied.
        policy: The policy, without figures; None where the goal has no answer then.
        certified: Whether it is certified.
        saved: Share of the cost of always strong that it saves over all requests; None where not known.
        reason: Why there is no policy.
    """

    factor: float
    policy: ThresholdPolicy | None
    certified: bool
    saved: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """What a correct answer must be worth for a category's choice to be the best one.

    Attributes:
        task_category: The category.
        low_usd: Below this a cheaper choice is better; None where there is none.
        high_usd: Above this a more accurate choice is better; None where there is none.
        on_frontier: Whether any value makes the choice the best one.
    """

    task_category: str
    low_usd: float | None
    high_usd: float | None
    on_frontier: bool


def with_prices(selection: Selection, *, strong: float = 1.0, fast: float = 1.0) -> Selection:
    """The selection as if every strong or fast call had cost ``strong`` or ``fast`` times as much."""
    powers = {name: (0, power) for name, power in _OF_STRONG.items()}
    for name, power in _OF_FAST.items():
        powers[name] = (power, powers.get(name, (0, 0))[1])
    cells = selection.cells.with_columns(
        pl.col(name) * (fast**of_fast * strong**of_strong) for name, (of_fast, of_strong) in powers.items()
    )
    rows = contributions(cells, selection.regimes)
    return replace(selection, cells=cells, rows=rows, levels=levels_by_category(rows))


def price_sensitivity(selection: Selection, goal: Goal, factors: Sequence[float] = FACTORS) -> list[Repriced]:
    """The policy of a goal at several prices of the strong model, certified where it can be.

    Args:
        selection: The rows in question.
        goal: The goal; whatever it states in USD stays.
        factors: Multiples of the strong model's logged cost, each positive.
    """
    return [_repriced(with_prices(selection, strong=factor), goal, factor) for factor in factors]


def _repriced(selection: Selection, goal: Goal, factor: float) -> Repriced:
    found = certification(selection, goal)
    try:
        picked = (
            pick(selection, goal, exact=True)
            if found.held is None
            else certified_pick(selection, goal, found)
        )
    except TiertuneError as error:
        return Repriced(factor, None, certified=False, saved=None, reason=str(error))
    policy = bare_policy(selection, picked)
    return Repriced(factor, policy, found.held is not None, _saved(selection, policy))


def _saved(selection: Selection, policy: ThresholdPolicy) -> float | None:
    ours, strong = (
        policy_sums(selection, item, covered=selection.categories).of(None)
        for item in (policy, everywhere(selection, "strong_only"))
    )
    cost, most = float(ours.cost[0]), float(strong.cost[0])
    known = ours.cost_gap[0] == 0 and strong.cost_gap[0] == 0 and most > 0
    return 1 - cost / most if known else None


def _position(levels: Floats, threshold: float | None) -> int:
    """Number of the smallest confidence that a threshold keeps."""
    return -1 if threshold is None else int(np.searchsorted(levels, threshold, side="left"))


def worths(selection: Selection, goal: Goal, policy: ThresholdPolicy) -> list[Worth]:
    """For which values of a correct answer each category's choice is the best one, from all rows.

    Args:
        selection: The rows in question.
        goal: What was tuned for; only its latency limit and reference count here.
        policy: The policy, whose thresholds may lie anywhere in their intervals.
    """
    at = grid(selection, replace(goal, name="value", value_usd=goal.value_usd or 1.0), folds=None)
    if not at.costs_known:
        return []
    found = []
    for name in selection.categories:
        route, threshold, _ = rule_of(policy, name)
        item = None if blocked(at, name) else candidates(at, name)
        if item is None or isinstance(item, str):
            continue
        levels = at.all_rows[name].confidence
        places = [
            place
            for place, (other, index) in enumerate(zip(item.route, item.index, strict=True))
            if other == route and (other != "cascade" or index == _position(levels, threshold))
        ]
        vertices = hull(item.cost, item.correct).tolist()
        if not places or places[0] not in vertices:
            found.append(Worth(name, None, None, on_frontier=False))
            continue
        prices = np.diff(item.cost[vertices]) / np.diff(item.correct[vertices])
        step = vertices.index(places[0])
        low = float(prices[step - 1]) if step > 0 else None
        high = float(prices[step]) if step < prices.size else None
        found.append(Worth(name, low, high, on_frontier=True))
    return found
