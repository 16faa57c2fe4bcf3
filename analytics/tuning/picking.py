"""The pick: the best choice per category by a goal, on some folds of a log, as a policy.

Candidates come from all rows, since confidences are no outcomes; what they achieve comes from the folds
that are picked on alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from analytics.errors import InsufficientDataError, NotIdentifiedError
from analytics.logs.schema import PICK_FOLDS, UNCATEGORISED
from analytics.policy import (
    CategoryPolicy,
    Default,
    Goal,
    OnMissing,
    Reference,
    Route,
    ThresholdPolicy,
    Verdict,
)
from analytics.tuning.allocation import Candidates, Step, cheapest, joint_frontier
from analytics.tuning.candidates import Grid, blocked, candidates, grid
from analytics.tuning.curve import in_force_threshold
from analytics.tuning.decimals import shortest_decimal
from analytics.tuning.exact_allocation import best_allocation, better, cheapest_allocation
from analytics.tuning.log import Selection
from analytics.tuning.pooling import POOLED, reason, sparse, with_pooled
from analytics.tuning.sums import Levels

DEFAULT_MARGIN = 0.01
WORTH_A_SEARCH = 0.002
LIMITED = ("non-inferior", "min-accuracy", "budget")
NEEDS_COSTS = ("budget", "value", "accuracy-per-dollar")
NEEDED_FIELDS = {
    "min-accuracy": "min_accuracy",
    "accuracy-per-dollar": "min_accuracy",
    "budget": "budget_usd",
    "value": "value_usd",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one category.

    Attributes:
        route: ``fast_only``, ``cascade`` or ``strong_only``.
        threshold: Smallest confidence that is kept, an observed one; None without a cascade.
        low_edge: The next smaller observed confidence; None below the smallest.
        verdict: ``estimated``, ``insufficient_evidence`` or ``not_identified``.
        reason: Why there is no verdict of its own; None where there is one.
    """

    route: Route
    threshold: float | None
    low_edge: float | None
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """The choices of all categories, and what they were made against.

    Attributes:
        choices: One per category.
        default: What categories without a verdict of their own do, unseen ones included.
        reference: ``strong`` or ``in-force``.
        price_usd: Shadow price reached, USD per additional correct answer; None where none was paid.
        costs_known: Whether candidates were compared by cost; else by escalations.
        gap: By what the exact allocation beats a single shadow price, a share of the cost (or, within a
            budget, of the correct answers); None where no exact one was found, or none was sought because
            it could not gain 0.2%.
    """

    choices: dict[str, Choice]
    default: Choice
    reference: Reference
    price_usd: float | None
    costs_known: bool
    gap: float | None = None


def pick(
    selection: Selection, goal: Goal, *, folds: Iterable[int] | None = PICK_FOLDS, exact: bool = False
) -> Pick:
    """The best policy by a goal, on some folds.

    Args:
        selection: The rows in question.
        goal: The goal.
        folds: Folds to pick on; None for all.
        exact: Whether to look for an allocation over the categories that beats every single shadow price.

    Raises:
        NotIdentifiedError: No category has a candidate that this log identifies.
        InsufficientDataError: Every category has too few graded pairs, no policy reaches the goal, or the
            goal needs costs that the log lacks.
        ValueError: The goal lacks the number that it is about.
    """
    field = NEEDED_FIELDS.get(goal.name)
    if field is not None and getattr(goal, field) is None:
        raise ValueError(f"The goal {goal.name} needs {field}")
    ground = grid(selection, goal, folds=folds)
    if goal.name in NEEDS_COSTS and not ground.costs_known:
        raise InsufficientDataError(
            f"The goal {goal.name} needs costs. This log has none for these requests: add cost_usd or "
            "token columns, or give prices with --price MODEL=IN,OUT."
        )
    default = fallback(selection, ground.reference)
    options: dict[str, Candidates] = {}
    refused: dict[str, tuple[Verdict, str]] = {}
    for name in selection.categories:
        why = blocked(ground, name)
        found = candidates(ground, name) if why is None else None
        if isinstance(found, Candidates):
            options[name] = found
        else:
            refused[name] = why or ("not_identified", str(found))
    group: tuple[str, ...] = ()
    if goal.pool:
        group, ground = _pooled(ground, folds, options, refused)
    if not options:
        _refuse(refused)
    numbers, price = solved(goal, options)
    gap = None
    if exact and goal.scope == "overall" and len(options) > 1 and goal.name in LIMITED:
        numbers, gap = _refined(goal, options, numbers)
    chosen = {name: _choice(ground.all_rows[name], options[name], number) for name, number in numbers.items()}
    if group:
        together = reason(group, int(ground.all_rows[POOLED].everywhere("pairs")))
        shared = replace(chosen.pop(POOLED), verdict="pooled", reason=together)
        chosen |= dict.fromkeys(group, shared)
    # Requests without a category follow the file's default, so where they have a verdict they decide it.
    default = chosen.get(UNCATEGORISED, default)
    choices = {
        name: chosen[name] if name in chosen else Choice(default.route, None, None, *refused[name])
        for name in selection.categories
    }
    return Pick(choices, default, ground.reference, price, ground.costs_known, gap)


def _pooled(
    ground: Grid,
    folds: Iterable[int] | None,
    options: dict[str, Candidates],
    refused: dict[str, tuple[Verdict, str]],
) -> tuple[tuple[str, ...], Grid]:
    """Add the group of sparse categories to the options; empty where there is none that can be judged."""
    group = sparse(refused)
    # A limit of latency is about each category's own histogram.
    if len(group) < 2 or ground.goal.max_p95_s is not None:  # noqa: PLR2004 - one is no group
        return (), ground
    pooled = with_pooled(ground, group, None if folds is None else list(folds))
    found = candidates(pooled, POOLED) if blocked(pooled, POOLED) is None else None
    if not isinstance(found, Candidates):
        return (), ground
    options[POOLED] = found
    return group, pooled


def _refuse(refused: Mapping[str, tuple[Verdict, str]]) -> None:
    """Say why no category can be tuned; each reason once."""
    verdicts = {verdict for verdict, _ in refused.values()}
    reasons = " ".join(dict.fromkeys(reason for _, reason in refused.values()))
    if not refused:
        raise InsufficientDataError("There are no requests in this selection.")
    if verdicts == {"insufficient_evidence"}:
        raise InsufficientDataError(f"No category has enough graded requests to pick a threshold. {reasons}")
    raise NotIdentifiedError(f"No threshold can be picked from this log. {reasons}")


def fallback(selection: Selection, reference: str) -> Choice:
    """The strong model, or what is in force where that is the reference."""
    if reference == "in-force":
        found = [in_force_threshold(selection, name) for name in selection.categories]
        known = [threshold for threshold in found if threshold is not None]
        if known:
            usual = max(set(known), key=lambda threshold: (known.count(threshold), threshold))
            return Choice("cascade", usual, usual, "not_identified", "as in force for most categories")
    return Choice("strong_only", None, None, "not_identified", "no verdict for unseen categories")


def solved(goal: Goal, options: Mapping[str, Candidates]) -> tuple[dict[str, int], float | None]:
    """Candidate number per category, and the shadow price that was paid."""
    if goal.scope == "category":
        single = {name: _solved_overall(goal, {name: item}, strict=False) for name, item in options.items()}
        return {name: choice[name] for name, (choice, _) in single.items()}, None
    return _solved_overall(goal, options, strict=True)


def _solved_overall(
    goal: Goal, options: Mapping[str, Candidates], *, strict: bool
) -> tuple[dict[str, int], float | None]:
    n = sum(item.n for item in options.values())
    if len(options) == 1:
        # One category needs no price: the best candidate that reaches the goal, on the hull or not.
        ((name, item),) = options.items()
        number = _alone(goal, item)
        if number is not None:
            return {name: number}, None
    path = joint_frontier(options)
    step = _step(goal, options, path, n)
    if step is None:
        if strict:
            raise InsufficientDataError(_unreachable(goal, path, n))
        step = path[0 if goal.name == "budget" else -1]
    return step.choice, step.price


def _tight(goal: Goal, options: Mapping[str, Candidates], *, cost: float, correct: float) -> bool:
    """Whether no allocation can beat one at a single shadow price by more than is worth a search.

    Between two steps of the joint frontier lies the optimum of the linear relaxation, a bound for all.
    """
    path = joint_frontier(options)
    costs, gains = (np.array([getattr(step, name) for step in path]) for name in ("cost", "correct"))
    if goal.name == "budget":
        budget = (goal.budget_usd or 0.0) * sum(item.cost_n for item in options.values())
        return bool(np.interp(budget, costs, gains) <= correct * (1 + WORTH_A_SEARCH))
    needed = _needed(goal, options, sum(item.n for item in options.values()))
    return bool(np.interp(needed, gains, costs) >= cost * (1 - WORTH_A_SEARCH))


def _refined(
    goal: Goal, options: Mapping[str, Candidates], numbers: dict[str, int]
) -> tuple[dict[str, int], float | None]:
    """The exact allocation where it beats the one at a single shadow price, and by what share."""
    cost, correct = (
        sum(float(getattr(options[name], figure)[at]) for name, at in numbers.items())
        for figure in ("cost", "correct")
    )
    if _tight(goal, options, cost=cost, correct=correct):
        return numbers, None
    if goal.name == "budget":
        requests = sum(item.cost_n for item in options.values())
        found = best_allocation(options, (goal.budget_usd or 0.0) * requests)
        if found is None:
            return numbers, None
        if better(-found.correct, -correct):
            return found.choice, found.correct / max(correct, 1e-300) - 1
        return numbers, 0.0
    n = sum(item.n for item in options.values())
    found = cheapest_allocation(options, _needed(goal, options, n))
    if found is None:
        return numbers, None
    return (found.choice, 1 - found.cost / cost) if better(found.cost, cost) else (numbers, 0.0)


def _alone(goal: Goal, item: Candidates) -> int | None:
    """The best candidate of a category by a goal with a limit; None without one, or if none keeps it."""
    if goal.name == "value":
        return None
    if goal.name == "budget":
        within = np.flatnonzero(item.cost <= (goal.budget_usd or 0.0) * item.cost_n * (1 + 1e-12))
        return int(within[np.argmax(item.correct[within])]) if within.size else None
    needed = _needed(goal, {"": item}, item.n)
    if goal.name != "accuracy-per-dollar":
        return cheapest(item, needed)
    reaching = np.flatnonzero(item.correct >= needed - 1e-9 * max(item.n, 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(item.cost > 0, item.correct / item.cost, np.inf)[reaching]
    return int(reaching[np.argmax(ratio)]) if reaching.size else None


def margin_of(goal: Goal) -> float:
    """Accuracy that may be lost against the reference; one point where the goal does not say."""
    return DEFAULT_MARGIN if goal.margin is None else goal.margin


def _needed(goal: Goal, options: Mapping[str, Candidates], n: float) -> float:
    if goal.name == "non-inferior":
        return sum(item.reference or 0.0 for item in options.values()) - margin_of(goal) * n
    return (goal.min_accuracy or 0.0) * n


def _step(goal: Goal, options: Mapping[str, Candidates], path: list[Step], n: float) -> Step | None:
    """The step of the joint frontier that a goal asks for; None where none qualifies."""
    slack = 1e-9 * max(n, 1.0)
    if goal.name == "budget":
        requests = sum(item.cost_n for item in options.values())
        within = [step for step in path if step.cost <= (goal.budget_usd or 0.0) * requests * (1 + 1e-12)]
        return within[-1] if within else None
    if goal.name == "value":
        worth = goal.value_usd or 0.0
        return [step for step in path if step.price is None or step.price <= worth][-1]
    needed = _needed(goal, options, n)
    reaching = [step for step in path if step.correct >= needed - slack]
    if not reaching:
        return None
    if goal.name == "accuracy-per-dollar":
        return max(reaching, key=lambda step: step.correct / step.cost if step.cost > 0 else np.inf)
    return reaching[0]


def _unreachable(goal: Goal, path: list[Step], n: float) -> str:
    if goal.name == "budget":
        return (
            f"No policy keeps within {goal.budget_usd:g} USD per request: "
            "the cheapest one that this log identifies costs more."
        )
    best = path[-1].correct / max(n, 1.0)
    return f"No policy in this log reaches the goal: the most accurate one reaches {best:.1%}."


def _choice(whole: Levels, item: Candidates, number: int) -> Choice:
    route, at = item.route[number], item.index[number]
    if route != "cascade":
        return Choice(route, None, None, "estimated")
    low = float(whole.confidence[at - 1]) if at > 0 else None
    return Choice(route, float(whole.confidence[at]), low, "estimated")


# Beyond this many distinct confidences the cells hold multiples of 2**-10, which thresholds must be.
FLOORED = 1024


def bare_policy(selection: Selection, picked: Pick) -> ThresholdPolicy:
    """The picked routes and thresholds without evidence.

    A threshold is the shortest decimal that keeps exactly the same requests of the log.
    """
    on_missing: OnMissing = "keep" if selection.missing == "keep" else "escalate"
    floored = _floored(selection)
    categories = {}
    for name, choice in picked.choices.items():
        if name == UNCATEGORISED:
            continue
        fast, strong = selection.pairs[name]
        categories[name] = CategoryPolicy(
            route=choice.route,
            threshold=_decimal(choice, floored=floored),
            interval=None if choice.threshold is None else (choice.low_edge or 0.0, choice.threshold),
            on_missing=on_missing,
            fast_model=fast,
            strong_model=strong,
            verdict=choice.verdict,
            reason=choice.reason,
        )
    default = picked.default
    return ThresholdPolicy(
        policy_kind=selection.policy_kind,
        default=Default(
            route=default.route,
            threshold=_decimal(default, floored=floored),
            on_missing=on_missing,
            reason=default.reason or "as requests without a category",
        ),
        categories=categories,
    )


def _floored(selection: Selection) -> bool:
    values = selection.rows["confidence"].drop_nulls().unique().to_numpy()
    return values.size > FLOORED // 8 and bool(np.all(values * FLOORED == np.floor(values * FLOORED)))


def _decimal(choice: Choice, *, floored: bool) -> float | None:
    if choice.threshold is None:
        return None
    if floored or choice.low_edge == choice.threshold:
        return choice.threshold
    low = 0.0 if choice.low_edge is None else choice.low_edge
    return shortest_decimal(low, choice.threshold, closed=choice.low_edge is None)
