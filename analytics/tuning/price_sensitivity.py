"""How the policy moves when prices do, and what a correct answer must be worth for each choice.

A price multiplies a cost column, and costs are linear in cells, so no row is read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.errors import TiertuneError
from analytics.estimate import Floats
from analytics.policy import Goal, ThresholdPolicy
from analytics.tuning.candidates import every_option, grid, possible, settled
from analytics.tuning.certificate import certification, certified_pick
from analytics.tuning.identification import contributions
from analytics.tuning.log import Selection
from analytics.tuning.picking import bare_policy, pick
from analytics.tuning.policy_sums import covered_categories, everywhere, policy_sums, rule_of
from analytics.tuning.sums import Sums, levels_by_category

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
    """What correct answers cost around a category's choice.

    Attributes:
        task_category: The category.
        last_usd: Most that a correct answer costs which a cheaper choice would give up; None where none is.
        next_usd: Least that one more correct answer costs; 0 where a choice is no dearer; None where none is.
        best: Whether some value of a correct answer makes the choice the best one: any between the two.
    """

    task_category: str
    last_usd: float | None
    next_usd: float | None
    best: bool


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
    covered = covered_categories(selection, policy)
    ours, strong = (
        policy_sums(selection, item, covered=covered).of(None)
        for item in (policy, everywhere(selection, "strong_only"))
    )
    cost, most = float(ours.cost[0]), float(strong.cost[0])
    known = ours.cost_gap[0] == 0 and strong.cost_gap[0] == 0 and most > 0
    return 1 - cost / most if known else None


def worths(selection: Selection, policy: ThresholdPolicy) -> list[Worth]:
    """What correct answers cost around each category's choice, from all rows.

    Args:
        selection: The rows in question.
        policy: The policy, whose thresholds may lie anywhere in their intervals.

    Returns:
        One per category whose routes the log identifies; empty without costs.
    """
    at = grid(selection, Goal(name="value"), folds=None)
    found = []
    for name in selection.categories if at.costs_known else ():
        levels = at.all_rows[name]
        options = every_option(levels, levels.confidence, selection)
        known = possible(at, name, options)
        route, threshold, _ = rule_of(policy, name)
        place = _place(levels.confidence, route, threshold)
        known[place] |= options.gap[place] == 0 and options.cost_gap[place] == 0
        if known[place] and known.sum() > 1:
            found.append(_worth(name, options, known, place))
    return found


def _place(confidence: Floats, route: str, threshold: float | None) -> int:
    """Position of a rule among the options: fast only, every threshold, escalate all, strong only."""
    if route != "cascade" or threshold is None:
        return 0 if route == "fast_only" else confidence.size + 2
    return 1 + int(np.searchsorted(confidence, threshold, side="left"))


def _worth(name: str, options: Sums, known: npt.NDArray[np.bool_], place: int) -> Worth:
    traffic = float(options.rows[0] / max(options.n[0], 1.0))
    cost, correct = settled(options.cost), settled(options.total * traffic)
    more, extra = correct[known] - correct[place], cost[known] - cost[place]
    up, down = more > 0, (more < 0) & (extra < 0)
    following = max(float((extra[up] / more[up]).min()), 0.0) if up.any() else None
    last = float((extra[down] / more[down]).max()) if down.any() else None
    free = bool(((more >= 0) & (extra < 0)).any())
    best = not free and (last is None or following is None or last <= following)
    return Worth(name, last, following, best)
