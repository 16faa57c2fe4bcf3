"""A goal over curves becomes a policy: certified where a test holds it, else picked and scored on other rows.

An estimate is picked on folds 0-9 and every figure that is shown comes from folds 10-19, so a threshold is
never scored on the rows that chose it, and it is not refitted afterwards.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

import polars as pl

from analytics.errors import InsufficientDataError, TiertuneError
from analytics.estimate import Estimate, rounded
from analytics.logs.prices import price_map_date
from analytics.logs.schema import PICK_FOLDS, REPORT_FOLDS, UNCATEGORISED
from analytics.policy import Difference, Evidence, Goal, Overall, Score, ThresholdPolicy
from analytics.tuning.baselines import baselines, control_points
from analytics.tuning.certificate import CERTIFIABLE, Certification, Held, certification, certified_pick
from analytics.tuning.curve import Point
from analytics.tuning.evaluation import Comparison, Evaluation, compared, evaluate
from analytics.tuning.log import Selection
from analytics.tuning.optimism import optimism, pair_of
from analytics.tuning.outcome import notes, sentence
from analytics.tuning.picking import Pick, bare_policy, margin_of, pick
from analytics.tuning.policy_sums import everywhere, in_force_policy
from analytics.tuning.verdict_words import next_steps, promise, shortfall

FILTERS = "x-filters"
PICKED_ON, REPORTED_ON = "folds 0-9", "folds 10-19"


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows a policy was picked on, and which its figures come from.

    Attributes:
        folds: Of the figures; None for all.
        picked_on: The rows that chose, as the file says it.
        reported_on: The rows of the figures, as the file says it.
    """

    folds: tuple[int, ...] | None
    picked_on: str
    reported_on: str


ALL_ROWS = "all rows"
HELD_OUT = Rows(REPORT_FOLDS, PICKED_ON, REPORTED_ON)
REPORTED: dict[str, Rows] = {
    REPORTED_ON: HELD_OUT,
    PICKED_ON: Rows(PICK_FOLDS, PICKED_ON, PICKED_ON),
    ALL_ROWS: Rows(None, ALL_ROWS, ALL_ROWS),
}
"""By what a file says that its figures come from."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """A tuned policy with what it was compared with.

    An estimated policy was picked on folds 0-9, and all its figures are of the others. A certified one has
    its promise instead; its figures are of all rows, or of the half that learned its path.

    Attributes:
        policy: The policy, with its figures.
        rows: Which rows the figures are of.
        figures: The evaluation that the policy's figures come from.
        certification: What could be certified.
        optimism: Accuracy and cost in sample, cross-fitted and held out of the pick that is not certified,
            and ``certified`` of the certified policy; each None where there is none.
        baselines: Evaluations of ``fast_only``, ``strong_only`` and, where known, ``in_force``, by category.
        controls: Those three overall, and ``random`` and ``oracle``, on the same rows; None where not known.
        vs_strong: The policy against always strong, by category and (key None) overall.
        vs_in_force: The policy against the one in force; empty where that is not known.
        reference: What the goal was measured against, ``strong`` or ``in-force``.
        reaches_goal: Whether the held-out rows meet the goal; None where that cannot be told.
        price_usd: What the policy pays for its dearest additional correct answer, USD; None without costs.
        left_out: Categories that no overall figure is about, since the log cannot tell.
        left_out_share: Their share of the requests.
        sentence: The outcome in one or two sentences.
        promise: What is certified, or why nothing is and what it would take; None where the goal promises
            nothing that could be tested.
        notes: Sentences on what was left out or assumed.
    """

    policy: ThresholdPolicy
    rows: Rows
    figures: Evaluation
    certification: Certification
    optimism: dict[str, dict[str, Estimate] | None]
    baselines: dict[str, Evaluation]
    controls: dict[str, Point | None]
    vs_strong: dict[str | None, Comparison]
    vs_in_force: dict[str | None, Comparison]
    reference: str
    reaches_goal: bool | None
    price_usd: float | None
    left_out: tuple[str, ...]
    left_out_share: float
    sentence: str
    promise: str | None
    notes: tuple[str, ...] = ()

    @property
    def certified(self) -> bool:
        """Whether the policy is certified."""
        return self.certification.held is not None


def tune(selection: Selection, goal: Goal, *, created: datetime | None = None) -> Tuning:
    """The cheapest certified policy, or else the best one by a goal with held-out figures.

    Args:
        selection: The rows in question.
        goal: What to tune for; ``reference`` None is always strong where the log identifies it, else the
            policy in force.
        created: Time to put in the file; None for now.

    Raises:
        NotIdentifiedError: No category has a candidate that this log identifies.
        InsufficientDataError: Too few grades, no costs where the goal needs them, or no policy reaches it.
    """
    found = certification(selection, goal)
    estimated = _estimated(selection, goal, certified=found.held is not None)
    held = found.held
    picked = estimated if held is None else certified_pick(selection, goal, found)
    if picked is None:
        raise InsufficientDataError("No policy reaches the goal.")
    rows = HELD_OUT if held is None else REPORTED[_reported(held.figures_on)]
    bare = bare_policy(selection, picked)
    level = goal.level
    figures = evaluate(selection, bare, folds=rows.folds, rows=rows.reported_on, level=level)
    strong, force = everywhere(selection, "strong_only"), in_force_policy(selection)
    covered = figures.covered
    vs_strong, vs_force = (
        {}
        if other is None
        else compared(selection, bare, other, folds=rows.folds, covered=covered, level=level)
        for other in (strong, force)
    )
    fixed = baselines(selection, folds=rows.folds, covered=covered, level=level)
    controls = control_points(selection, figures.overall, fixed, folds=rows.folds, level=level)
    versus = vs_strong if picked.reference == "strong" else vs_force
    reaches = None if held is not None else _reaches(goal, picked, figures, versus)
    compares = goal.name == "non-inferior"
    asked = replace(
        goal,
        margin=margin_of(goal) if compares else None,
        reference=picked.reference if compares else None,
    )
    promised = None
    if goal.name in CERTIFIABLE:
        name = "always strong" if picked.reference == "strong" else "the policy in force"
        promised = promise(asked, found, reference=name) or shortfall(asked, found, reference=name)
    policy = _documented(
        selection,
        bare,
        goal=asked,
        rows=rows,
        figures=figures,
        vs_in_force=vs_force,
        created=created,
        held=held,
    )
    return Tuning(
        policy=policy,
        rows=rows,
        figures=figures,
        certification=found,
        optimism=_meter(selection, goal, estimated, certified=figures if held is not None else None),
        baselines=fixed,
        controls=controls,
        vs_strong=vs_strong,
        vs_in_force=vs_force,
        reference=picked.reference,
        reaches_goal=reaches,
        price_usd=picked.price_usd if picked.costs_known else None,
        left_out=tuple(name for name in selection.categories if name not in covered),
        left_out_share=_share(selection, covered),
        sentence=sentence(asked, picked, figures, against=versus, reaches=reaches, promised=promised),
        promise=promised,
        notes=(*selection.notes, *notes(selection, goal, picked, figures), *next_steps(asked, found)),
    )


def _estimated(selection: Selection, goal: Goal, *, certified: bool) -> Pick | None:
    """The pick on folds 0-9; None where there is none but a certified policy stands in."""
    try:
        return pick(selection, goal, folds=PICK_FOLDS, exact=True)
    except TiertuneError:
        if certified:
            return None
        raise


def _reported(folds: tuple[int, ...]) -> str:
    return {PICK_FOLDS: PICKED_ON, REPORT_FOLDS: REPORTED_ON}.get(folds, ALL_ROWS)


def _meter(
    selection: Selection, goal: Goal, estimated: Pick | None, *, certified: Evaluation | None
) -> dict[str, dict[str, Estimate] | None]:
    """What picking claims in sample and is worth elsewhere, beside what is certified."""
    if estimated is None:
        return dict.fromkeys(("in_sample", "cross_fitted", "held_out")) | {
            "certified": None if certified is None else pair_of(certified.overall)
        }
    bare = bare_policy(selection, estimated)
    held_out = evaluate(selection, bare, folds=REPORT_FOLDS, rows=REPORTED_ON, level=goal.level)
    found = optimism(selection, goal, bare, held_out)
    return found | {"certified": None if certified is None else pair_of(certified.overall)}


def _share(selection: Selection, covered: tuple[str, ...]) -> float:
    rows = selection.rows.group_by(pl.col("task_category").is_in(covered)).agg(pl.col("rows").sum())
    left = float(rows.filter(~pl.col("task_category"))["rows"].sum())
    return left / max(float(rows["rows"].sum()), 1.0)


def _reaches(
    goal: Goal, picked: Pick, figures: Evaluation, versus: Mapping[str | None, Comparison]
) -> bool | None:
    """Whether the rows that the policy was not picked on meet the goal; None where that is unknown."""
    names: list[str | None] = [None]
    if goal.scope == "category":
        names = [name for name, choice in picked.choices.items() if choice.verdict == "estimated"]
    if goal.name == "non-inferior":
        lost = [versus[name].accuracy.value if name in versus else None for name in names]
        return _all(lost, lambda value: value >= -margin_of(goal) - 1e-12)
    points = [figures.overall if name is None else figures.categories[name] for name in names]
    if goal.name == "budget":
        costs = [item.cost_per_request_usd.value for item in points]
        return _all(costs, lambda value: value <= (goal.budget_usd or 0.0) * (1 + 1e-12))
    if goal.min_accuracy is None:
        return None
    floor = goal.min_accuracy
    return _all([item.accuracy.value for item in points], lambda value: value >= floor - 1e-12)


def _all(values: Iterable[float | None], holds: Callable[[float], bool]) -> bool | None:
    known = list(values)
    if not known or any(value is None for value in known):
        return None
    return all(holds(value) for value in known if value is not None)


def _documented(
    selection: Selection,
    bare: ThresholdPolicy,
    *,
    goal: Goal,
    rows: Rows,
    figures: Evaluation,
    vs_in_force: Mapping[str | None, Comparison],
    created: datetime | None,
    held: Held | None,
) -> ThresholdPolicy:
    """The policy with its evidence, as the file carries it."""
    facts = selection.log.facts
    categories = {}
    for name, item in bare.categories.items():
        at = figures.categories[name]
        categories[name] = replace(
            item,
            certificate=None if held is None else held.certificates.get(name),
            n=at.accuracy.n,
            accuracy=_shown(at.accuracy),
            cost_per_request_usd=_shown(at.cost_per_request_usd),
            escalation_rate=_shown(at.escalation_rate),
            latency_p95_s=_shown(at.latency_p95_s),
        )
    whole = figures.overall
    return replace(
        bare,
        categories=categories,
        created=(created or datetime.now(UTC)).replace(microsecond=0),
        confidence=Score(
            kind=", ".join(facts.confidence_kinds) or None, source=", ".join(facts.confidence_sources) or None
        ),
        goal=goal,
        evidence=Evidence(
            log_sha256=facts.log_sha256,
            requests=int(selection.rows["rows"].sum()),
            picked_on=rows.picked_on,
            reported_on=rows.reported_on,
            since=facts.first_ts,
            until=facts.last_ts,
            prices_as_of=price_map_date(),
        ),
        overall=Overall(
            verdict="estimated" if held is None else "certified",
            n=whole.accuracy.n,
            accuracy=_shown(whole.accuracy),
            cost_per_request_usd=_shown(whole.cost_per_request_usd),
            escalation_rate=_shown(whole.escalation_rate),
        ),
        certificate=None if held is None else held.certificates.get(None),
        latency_p95_s=_shown(whole.latency_p95_s),
        difference_to_in_force=Difference(accuracy=_shown(vs_in_force[None].accuracy))
        if vs_in_force
        else None,
        extra=_filters(selection),
        versions={name: version(name) for name in ("tiertune", "duckdb", "polars", "numpy")},
    )


def _filters(selection: Selection) -> dict[str, object]:
    """What of the log the policy was tuned on, where that is not all of it, for ``evaluate`` to repeat."""
    found: dict[str, object] = {}
    every = selection.log.cells["task_category"].fill_null(UNCATEGORISED).unique()
    if len(selection.categories) < every.len():
        found["categories"] = list(selection.categories)
    if selection.arm is not None:
        found["arm"] = selection.arm
    if selection.missing == "exclude":
        found["missing"] = "exclude"
    return {FILTERS: found} if found else {}


def _shown(estimate: Estimate) -> Estimate | None:
    """The estimate as a file carries it, to twelve digits; None where it is undefined."""
    if estimate.value is None:
        return None
    return replace(
        estimate, value=rounded(estimate.value), low=rounded(estimate.low), high=rounded(estimate.high)
    )
