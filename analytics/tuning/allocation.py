"""One choice per category: the joint frontier at a single shadow price.

At a price of lambda USD per correct answer each category takes the candidate with the largest
``lambda * correct - cost``, which is a vertex of its own hull. Raising lambda buys hull segments of
all categories in order of their cost per additional correct answer.

References:
    Sinha & Zoltners (1979), Operations Research 27: the multiple-choice knapsack.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analytics.estimate import Floats
from analytics.policy import Route
from analytics.tuning.frontier import hull


@dataclass(frozen=True, slots=True)
class Candidates:
    """What one category can do, on the rows that are picked on.

    Attributes:
        route: ``fast_only``, ``cascade`` or ``strong_only`` of each candidate.
        index: Position of its threshold among the category's confidences; -1 without a threshold.
        correct: Expected correct answers, shape ``(k,)``.
        cost: Total cost, USD (or escalations where the log has no costs), shape ``(k,)``.
        n: Requests that ``correct`` is about, ungraded ones included.
        cost_n: Requests that ``cost`` is about.
        reference: Expected correct answers of the reference; None where it is not identified.
    """

    route: tuple[Route, ...]
    index: tuple[int, ...]
    correct: Floats
    cost: Floats
    n: float
    cost_n: float
    reference: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """One joint choice on the frontier.

    Attributes:
        choice: Candidate number of each category.
        correct: Correct answers over all categories.
        cost: Cost over all categories.
        price: Shadow price that this step costs, USD per additional correct answer; None at the start.
    """

    choice: dict[str, int]
    correct: float
    cost: float
    price: float | None


def joint_frontier(candidates: Mapping[str, Candidates]) -> list[Step]:
    """Every joint choice from the cheapest to the most accurate, by rising shadow price.

    Ties in price are broken by the category's name, so the path is the same on every machine.
    """
    vertices = {name: hull(item.cost, item.correct) for name, item in candidates.items()}
    choice = {name: int(points[0]) for name, points in vertices.items()}
    segments = []
    for name, points in vertices.items():
        item = candidates[name]
        for before, after in pairwise(points):
            gain = float(item.correct[after] - item.correct[before])
            extra = float(item.cost[after] - item.cost[before])
            segments.append((extra / gain, name, int(after), gain, extra))
    correct = float(sum(candidates[name].correct[at] for name, at in choice.items()))
    cost = float(sum(candidates[name].cost[at] for name, at in choice.items()))
    path = [Step(dict(choice), correct, cost, None)]
    # Segments of one category have rising prices, so a stable sort never takes them out of order.
    for price, name, after, gain, extra in sorted(segments, key=lambda segment: segment[:2]):
        choice[name] = after
        correct, cost = correct + gain, cost + extra
        path.append(Step(dict(choice), correct, cost, price))
    return path


def cheapest(item: Candidates, needed: float) -> int | None:
    """The cheapest candidate with at least ``needed`` correct answers; None if none reaches it.

    Among equally cheap ones the most accurate.
    """
    reaching = np.flatnonzero(item.correct >= needed - 1e-9 * max(item.n, 1.0))
    if reaching.size == 0:
        return None
    order = np.lexsort((-item.correct[reaching], item.cost[reaching]))
    return int(reaching[order[0]])
