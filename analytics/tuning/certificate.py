"""The verdict "certified": the cheapest policy that an exact test holds to the goal, or why there is none.

With probability at least the goal's level a certified policy keeps its promise on requests like the graded
ones, although it was chosen on them: every policy that could have been chosen passed its test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from analytics.estimate import Floats
from analytics.logs.schema import PICK_FOLDS, REPORT_FOLDS
from analytics.policy import Certificate, Goal, Reference, Route, Verdict
from analytics.tuning.candidates import LEAST_PAIRS, Grid, blocked, grid
from analytics.tuning.graded_pairs import GradedPairs, graded_pairs
from analytics.tuning.log import Selection
from analytics.tuning.noninferiority import critical_value
from analytics.tuning.picking import Choice, Pick, fallback, margin_of
from analytics.tuning.pooling import POOLED, reason
from analytics.tuning.walk_ground import allowed, walk_ground
from analytics.tuning.walks import (
    FAST_ONLY,
    Ground,
    Test,
    Walk,
    category_walk,
    common_walk,
    group_walk,
    path_walk,
)

_COMMON, _PATH = 0.4, 0.3
_LEAST_FOR_PATHS = 2.3
_LEAST_FOR_FLOOR_PATHS = 3_000
CERTIFIABLE = ("non-inferior", "min-accuracy")
HELD_OUT_BY_TIME = (
    "A hold-out by time makes no promise: it shows what a pick from earlier requests does to later ones, "
    "which may be of another kind. Hold out by users to certify."
)


@dataclass(frozen=True, slots=True)
class Held:
    """A certified policy.

    Attributes:
        choices: One per category that the promise covers.
        certificates: The test that was passed, by category (scope ``category``) or under None.
        figures_on: Folds that figures come from: those that learned the path, or all (empty).
        cost: Its cost over all requests, USD, or its escalations where costs are not known.
        reference_cost: The same of the reference.
    """

    choices: dict[str, Choice]
    certificates: dict[str | None, Certificate]
    figures_on: tuple[int, ...]
    cost: float
    reference_cost: float


@dataclass(frozen=True, slots=True)
class Certification:
    """What could be certified.

    Attributes:
        held: The cheapest certified policy, where one is cheaper than its reference; else None.
        obstacle: Why no test was made at all, in a sentence; None where walks were walked.
        walks: The walks; under None those for all categories.
        pairs: What they counted; None where no test was made.
        ground: What they moved on; the same.
        reference: ``strong`` or ``in-force``.
        costs_known: Whether policies were compared by cost; else by escalations.
    """

    held: Held | None
    obstacle: str | None
    walks: dict[str | None, tuple[Walk, ...]] = field(default_factory=dict)
    pairs: GradedPairs | None = None
    ground: Ground | None = None
    reference: Reference = "strong"
    costs_known: bool = False


def certification(selection: Selection, goal: Goal) -> Certification:
    """The cheapest policy that is certified to reach a goal, or why there is none.

    Args:
        selection: The rows in question.
        goal: ``non-inferior`` or ``min-accuracy``; other goals promise nothing that could be tested.
    """
    if goal.name not in CERTIFIABLE:
        return Certification(None, "This goal makes no promise about accuracy that could be certified.")
    if goal.name == "non-inferior" and not 0 <= margin_of(goal) < 1:
        return Certification(None, "A margin must be at least 0 and below 100 points.")
    if selection.log.cut is not None:
        return Certification(None, HELD_OUT_BY_TIME)
    at = grid(selection, goal, folds=None)
    facts = selection.log.facts
    per_unit = facts.few_units
    pairs = graded_pairs(selection, at.reference, per_unit=per_unit)
    obstacle = _obstacle(selection, goal, at, pairs, per_unit=per_unit)
    if obstacle is not None:
        return Certification(None, obstacle, reference=at.reference)
    ground = walk_ground(selection, at, pairs)
    clustered = facts.clustered and not per_unit
    walks: dict[str | None, tuple[Walk, ...]] = {}
    if goal.scope == "category":
        walks = _by_category(ground, goal, clustered=clustered)
    else:
        walks[None] = _overall(ground, goal, clustered=clustered, alone=per_unit)
    return Certification(
        held=_cheapest(selection, at, ground, walks),
        obstacle=None,
        walks=walks,
        pairs=pairs,
        ground=ground,
        reference=at.reference,
        costs_known=at.costs_known,
    )


def certified_pick(selection: Selection, goal: Goal, found: Certification) -> Pick:
    """The certified policy as a pick: categories that the promise does not cover follow the default."""
    held = found.held
    if held is None:
        raise ValueError("Nothing is certified")
    default = fallback(selection, found.reference)
    sizes = {} if found.pairs is None else found.pairs.sizes
    at = grid(selection, goal, folds=None)
    choices = {}
    for name in selection.categories:
        why = blocked(at, name) or _uncovered(goal, sizes.get(name, 0))
        choices[name] = held.choices.get(name) or Choice(default.route, None, None, *why)
    return Pick(choices, default, found.reference, None, found.costs_known)


def _uncovered(goal: Goal, pairs: int) -> tuple[Verdict, str]:
    if pairs == 0:
        return "not_identified", "This log cannot tell what keeping fast answers loses here."
    least = _test(goal, 1.0, clustered=False).least_pairs
    return "insufficient_evidence", f"{pairs:,} graded pairs; certifying it alone takes more than {least:,}."


def _obstacle(
    selection: Selection, goal: Goal, at: Grid, pairs: GradedPairs, *, per_unit: bool
) -> str | None:
    if selection.rows["confidence"].null_count() == selection.rows.height:
        return "No request has a confidence, so there is no threshold to test."
    if not pairs.anchors:
        return _without_pairs(selection, at, per_unit=per_unit)
    if pairs.shift and goal.scope == "overall":
        return (
            f"Grades are shared out over the categories unlike the traffic ({pairs.shift:.0%} of the graded "
            "pairs are out of place), so that a promise for all categories together cannot be tested. "
            "A promise for each category can."
        )
    return None


def _without_pairs(selection: Selection, at: Grid, *, per_unit: bool) -> str:
    if per_unit:
        return (
            f"Users have several requests, and this log has only {selection.log.facts.units or 0:,} users "
            "(or one of them makes more than 5% of the requests), so that only one request of each could "
            "count; for that every request needs both answers graded."
        )
    if selection.regimes["estimator"].is_in(("exploration_difference", "doubly_robust")).any():
        return (
            "Strong answers here come from escalation at random, which estimates allow for by its "
            "probabilities; a certificate would have to thin such pairs, and none is computed."
        )
    if at.reference == "strong":
        return "No category has graded strong answers for the requests that would be kept."
    return "What the policy in force escalates has no graded strong answers."


def _test(goal: Goal, share: float, *, clustered: bool) -> Test:
    error = (1 - goal.level) * share
    if goal.name == "non-inferior":
        return Test(margin_of(goal), None, error, clustered)
    return Test(None, goal.min_accuracy, error, clustered)


def _overall(ground: Ground, goal: Goal, *, clustered: bool, alone: bool) -> tuple[Walk, ...]:
    n = sum(ground.pairs.sizes.values())
    path = _test(goal, _PATH, clustered=clustered)
    least = _LEAST_FOR_FLOOR_PATHS if path.margin is None else _LEAST_FOR_PATHS * path.least_pairs
    if alone or n < least:
        return (common_walk(ground, _test(goal, 1.0, clustered=clustered)),)
    return (
        common_walk(ground, _test(goal, _COMMON, clustered=clustered)),
        path_walk(ground, path, learned_on=REPORT_FOLDS, walked_on=PICK_FOLDS),
        path_walk(ground, path, learned_on=PICK_FOLDS, walked_on=REPORT_FOLDS),
    )


def _by_category(ground: Ground, goal: Goal, *, clustered: bool) -> dict[str | None, tuple[Walk, ...]]:
    """One walk in each category that has enough pairs for its share of the error."""
    eligible = _eligible(ground.pairs.sizes, goal)
    rest = tuple(name for name in ground.pairs.anchors if name not in eligible)
    count = len(eligible)
    pooled = goal.pool and _fits(ground.pairs.sizes, eligible, rest, goal)
    if not eligible and not pooled:
        return {}
    test = _test(goal, 1 / (count + pooled), clustered=clustered)
    walks: dict[str | None, tuple[Walk, ...]] = {
        name: (category_walk(ground, name, test),) for name in eligible
    }
    if pooled:
        walks[POOLED] = (group_walk(ground, rest, test),)
    return walks


def _fits(sizes: Mapping[str, int], eligible: tuple[str, ...], rest: tuple[str, ...], goal: Goal) -> bool:
    """Whether the other categories, as one group, can be tested beside those that are tested alone."""
    if len(rest) < 2:  # noqa: PLR2004 - one is no group
        return False
    least = _test(goal, 1 / (len(eligible) + 1), clustered=False).least_pairs
    return min([*(sizes[name] for name in eligible), sum(sizes[name] for name in rest)]) >= least


def _eligible(sizes: Mapping[str, int], goal: Goal) -> tuple[str, ...]:
    """The most categories, largest first, that all have the pairs which their shares of the error need."""
    ranked = sorted(sizes, key=lambda name: (-sizes[name], name))
    for count in range(len(ranked), 0, -1):
        if sizes[ranked[count - 1]] >= _test(goal, 1 / count, clustered=False).least_pairs:
            return tuple(sorted(ranked[:count]))
    return ()


def _cheapest(
    selection: Selection, at: Grid, ground: Ground, walks: Mapping[str | None, tuple[Walk, ...]]
) -> Held | None:
    """The cheapest of all policies that passed; None where none is cheaper than the reference."""
    within = {name: allowed(at, name, anchor) for name, anchor in ground.pairs.anchors.items()}
    choices: dict[str, Choice] = {}
    certificates: dict[str | None, Certificate] = {}
    figures_on: tuple[int, ...] = ()
    reference = sum(float(ground.cost[name][start]) for name, start in ground.start.items())
    saved = 0.0
    for key, several in walks.items():
        best = _best(ground, several, within)
        names = several[0].categories
        if best is None:
            positions = {name: ground.start[name] for name in names}
        else:
            walk, step, saving = best
            saved += saving
            positions = dict(zip(names, (int(at) for at in walk.positions[step]), strict=True))
            certificates |= dict.fromkeys(names if key == POOLED else (key,), _certificate(walk, step))
            figures_on = walk.learned_on
        for name, position in positions.items():
            choices[name] = _choice(selection, at, ground, name, position)
            own = ground.pairs.sizes[name]
            if key == POOLED:
                choices[name] = replace(choices[name], verdict="pooled", reason=reason(names, several[0].n))
            elif key is None and own < LEAST_PAIRS and choices[name].route != "strong_only":
                why = f"{own} graded pairs of its own: it holds as part of the whole only."
                choices[name] = replace(choices[name], reason=why)
    if not certificates:
        return None
    return Held(choices, certificates, figures_on, reference - saved, reference)


def _best(
    ground: Ground, walks: tuple[Walk, ...], within: Mapping[str, np.ndarray]
) -> tuple[Walk, int, float] | None:
    """Walk, step and saving of the cheapest policy that passed and saves something."""
    best: tuple[Walk, int, float] | None = None
    for walk in walks:
        cost = step_costs(ground, walk)
        for at, name in enumerate(walk.categories):
            cost = np.where(within[name][walk.positions[:, at]], cost, np.inf)
        if walk.passed == 0:
            continue
        passed = cost[: walk.passed]
        # Of equally cheap ones the last, which keeps most.
        step = int(passed.size - 1 - np.argmin(passed[::-1]))
        before = sum(float(ground.cost[name][ground.start[name]]) for name in walk.categories)
        saving = before - float(passed[step])
        if saving > 1e-9 * abs(before) and (best is None or saving > best[2] * (1 + 1e-12)):
            best = (walk, step, saving)
    return best


def step_costs(ground: Ground, walk: Walk) -> Floats:
    """Cost of each step of a walk over the requests of its categories, shape ``(steps,)``."""
    costs: Floats = np.zeros(walk.positions.shape[0])
    for at, name in enumerate(walk.categories):
        costs = costs + ground.cost[name][walk.positions[:, at]]
    return costs


def _choice(selection: Selection, at: Grid, ground: Ground, name: str, position: int) -> Choice:
    values = ground.confidences[name]
    never = position == FAST_ONLY or (
        position == 0 and (selection.missing == "keep" or at.all_rows[name].columns["rows"][0] == 0)
    )
    if never:
        return Choice("fast_only", None, None, "certified")
    anchor = ground.pairs.anchors[name]
    if position == values.size and anchor is None:
        return Choice("strong_only", None, None, "certified")
    route: Route = "cascade"
    if position == ground.start[name] and anchor is not None:
        return Choice(route, anchor, anchor, "certified")
    low = float(values[position - 1]) if position > 0 else None
    return Choice(route, float(values[position]), low, "certified")


def _certificate(walk: Walk, step: int) -> Certificate:
    test, z = walk.test, float(walk.z[step])
    return Certificate(
        walk=_names(walk),
        learned_on=_folds(walk.learned_on) if walk.learned_on else None,
        walked_on=_folds(walk.walked_on),
        n=walk.n,
        lost=int(walk.lost[step]),
        won=int(walk.won[step]),
        z=None if np.isnan(z) else z,
        z_critical=None if test.margin is None else critical_value(walk.n, test.margin, test.error),
        error_share=test.error,
        clustered=test.clustered,
    )


def _names(walk: Walk) -> str:
    if walk.learned_on:
        return "learned path"
    return "one category" if len(walk.categories) == 1 else "one threshold"


def _folds(folds: tuple[int, ...]) -> str:
    return f"folds {folds[0]}-{folds[-1]}" if folds else "all folds"
