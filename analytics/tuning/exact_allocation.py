"""The exact best joint choice of one candidate per category, beside the one at a single shadow price.

References:
    Sinha & Zoltners (1979), Operations Research 27: the multiple-choice knapsack, here as an integer
    program solved by HiGHS.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.tuning.allocation import Candidates

_MOST_NODES = 1_000
_GAP = 1e-4  # of the objective: beyond a ten-thousandth, proving takes longer than it is worth
_BETTER = 1e-9


@dataclass(frozen=True, slots=True)
class Allocation:
    """A joint choice.

    Attributes:
        choice: Candidate number of each category.
        correct: Correct answers over all categories.
        cost: Cost over all categories.
    """

    choice: dict[str, int]
    correct: float
    cost: float


def cheapest_allocation(options: Mapping[str, Candidates], needed: float) -> Allocation | None:
    """The cheapest joint choice with at least ``needed`` correct answers, to a ten-thousandth of its cost.

    Args:
        options: Candidates of each category.
        needed: Correct answers over all categories.

    Returns:
        None where no choice has so many, or where the search did not end within its limit.
    """
    correct, cost = _stacked(options)
    slack = 1e-9 * max(sum(item.n for item in options.values()), 1.0)
    return _solved(options, objective=cost, limited=-correct, most=-(needed - slack))


def best_allocation(options: Mapping[str, Candidates], budget: float) -> Allocation | None:
    """The joint choice with the most correct answers that costs at most ``budget``; None as above."""
    correct, cost = _stacked(options)
    return _solved(options, objective=-correct, limited=cost, most=budget * (1 + 1e-12))


def _stacked(options: Mapping[str, Candidates]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.concatenate([item.correct for item in options.values()]),
        np.concatenate([item.cost for item in options.values()]),
    )


def _solved(
    options: Mapping[str, Candidates], *, objective: np.ndarray, limited: np.ndarray, most: float
) -> Allocation | None:
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 - off the page path
    from scipy.sparse import csr_array  # noqa: PLC0415

    sizes = [item.correct.size for item in options.values()]
    total = int(sum(sizes))
    group = np.repeat(np.arange(len(sizes)), sizes)
    one_each = csr_array((np.ones(total), (group, np.arange(total))), shape=(len(sizes), total))
    scale, limit = (max(float(np.abs(values).max()), 1e-300) for values in (objective, limited))
    found = milp(
        objective / scale,
        integrality=np.ones(total, dtype=np.int64),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(limited[None, :] / limit, -np.inf, most / limit),
        ],
        options={"node_limit": _MOST_NODES, "mip_rel_gap": _GAP},
    )
    if found.status != 0 or found.x is None:
        return None
    chosen, start, choice = found.x > 0.5, 0, {}  # noqa: PLR2004 - it is 0 or 1 but for rounding
    correct = cost = 0.0
    for (name, item), size in zip(options.items(), sizes, strict=True):
        at = int(np.argmax(chosen[start : start + size]))
        choice[name] = at
        correct += float(item.correct[at])
        cost += float(item.cost[at])
        start += size
    return Allocation(choice, correct, cost)


def better(value: float, than: float) -> bool:
    """Whether a cost is lower, by more than the order of a sum could make it."""
    return value < than - _BETTER * max(abs(than), 1e-300)
