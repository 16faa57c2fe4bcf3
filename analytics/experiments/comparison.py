"""Arms of an experiment compared: every metric, in all and by category, with what the comparison rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analytics.errors import NotIdentifiedError
from analytics.estimate import LEVEL, undefined
from analytics.experiments import latencies, outcomes
from analytics.experiments.assignment import Assignment, assignment
from analytics.experiments.effects import LEAST_UNITS, Effect, Metric, effect
from analytics.experiments.from_cells import Sums, sums
from analytics.experiments.heterogeneity import Heterogeneity, heterogeneity, shrunk
from analytics.experiments.latencies import Counted, Ranks, arm_quantile, quantile_effect, ranks
from analytics.experiments.moments import Moments
from analytics.experiments.outcomes import Scope
from analytics.experiments.preperiod import Adjusted, adjusted
from analytics.experiments.proportions import probability_above, probability_better
from analytics.experiments.routes import METRICS as ROUTED
from analytics.experiments.routes import RouteStudy, diluted, route_study
from analytics.experiments.validity import Validity, validity
from analytics.measure.multiplicity import false_discovery, holm

if TYPE_CHECKING:
    from analytics.logs.store import Store

METRICS: tuple[Metric, ...] = (
    "accuracy",
    "cost_usd",
    "cost_per_correct_usd",
    "escalation_rate",
    "latency_s",
    "latency_p95_s",
)
_NEEDS_REQUESTS = "it needs single requests, and only sums of this log are here"
CONTROLS = ("control", "baseline", "off", "default", "current", "a", "0", "old")
"""Names that mean the arm that stays as it was."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of an experiment once; comparisons of its arms follow without the database.

    Attributes:
        scope: Which requests.
        assigned: How they were assigned.
        moments: By category (None for all) and arm.
        latencies: The same, of the latencies.
        validity: What speaks against reading it.
        control: The arm that stays as it was, by its name, else the first.
        sums: What cells say of it, where rows cannot be reached: it is then read from these alone.
    """

    scope: Scope
    assigned: Assignment
    moments: dict[tuple[str | None, str], Moments]
    latencies: dict[tuple[str | None, str], Counted]
    validity: Validity
    control: str
    sums: Sums | None = None

    @property
    def arms(self) -> list[str]:
        """All arms, the control first."""
        return [self.control, *(arm for arm in self.assigned.assigned if arm != self.control)]

    @property
    def categories(self) -> list[str]:
        """Categories with requests in any arm, in order."""
        return sorted({category for category, _ in self.moments if category is not None})


def reading(store: "Store", scope: Scope, *, split: Mapping[str, float] | None = None) -> Reading:
    """Read an experiment.

    Args:
        store: The open store.
        scope: The experiment.
        split: Planned share of each arm; None for equal shares.

    Raises:
        NotIdentifiedError: There is no such experiment, or a single arm.
        InsufficientDataError: Nothing of it is left within the dates and categories.
        ValueError: The split does not fit the arms.
    """
    told = sums(store, scope)
    assigned = assignment(store, scope, sums=told)
    if told is not None:
        moments = told.arm_moments(assigned.unit)
    else:
        moments = outcomes.arm_moments(
            store, scope, unit=assigned.unit, units=assigned.units, left_out=assigned.left_out
        )
    return Reading(
        scope,
        assigned,
        moments,
        latencies.counted(store, scope, assigned) if told is None else {},
        validity(store, scope, assigned, moments, split=split, sums=told),
        control_of(list(assigned.assigned)),
        told,
    )


def control_of(arms: Sequence[str]) -> str:
    """The arm that stays as it was: by its name, else the first in order."""
    for name in CONTROLS:
        for arm in arms:
            if arm.strip().casefold() == name:
                return arm
    return next((arm for arm in arms if "control" in arm.casefold() or "baseline" in arm.casefold()), arms[0])


@dataclass(frozen=True, slots=True)
class Comparison:
    """A treatment compared with the control.

    Attributes:
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        effects: By metric, over all categories; from the requests routed differently where ``routes`` is set.
        all_requests: The same by comparing all requests.
        by_category: By category and metric.
        p_adjusted: Holm's p-values over the categories, by metric and category.
        q_values: Benjamini-Hochberg's, for screening.
        spread: Whether the effect differs between categories, by metric; None where it cannot be told.
        shrunk: Each category's effect drawn towards the common one, by metric and category.
        better: Probability that the treatment is right more often; None without grades.
        cheaper: Probability that it costs less; None without costs.
        ranks: Which arm answers sooner; None without latencies. Its test is of independent requests.
        routes: The requests routed differently, where the arms differ in their thresholds only.
        not_routed: Why all requests are compared; empty with ``routes``.
        before: Effects adjusted for what the same users did before.
        few_units: Whether an arm has fewer than ``LEAST_UNITS`` users, so that intervals are too uncertain.
    """

    control: str
    treatment: str
    effects: dict[Metric, Effect]
    all_requests: dict[Metric, Effect]
    by_category: dict[str, dict[Metric, Effect]]
    p_adjusted: dict[Metric, dict[str, float | None]]
    q_values: dict[Metric, dict[str, float | None]]
    spread: dict[Metric, Heterogeneity | None]
    shrunk: dict[Metric, dict[str, float]]
    better: float | None
    cheaper: float | None
    ranks: Ranks | None
    routes: RouteStudy | None = None
    not_routed: str = ""
    before: dict[str, Adjusted] = field(default_factory=dict)
    few_units: bool = False


def comparison(
    store: "Store",
    found: Reading,
    *,
    treatment: str,
    control: str | None = None,
    level: float = LEVEL,
    value_usd: float | None = None,
    routes: bool = True,
) -> Comparison:
    """Compare two arms.

    Args:
        store: The open store.
        found: The experiment as read.
        treatment: Name of an arm.
        control: Name of another; None for the reading's own.
        level: Coverage of the intervals.
        value_usd: Worth of a correct answer, USD; adds the metric ``net_usd``.
        routes: Whether arms that differ in thresholds only are compared by the requests routed differently.

    Raises:
        NotIdentifiedError: The experiment's sample ratio is off, or an arm is empty.
    """
    control = found.control if control is None else control
    blocking = next((item for item in found.validity.findings if item.blocks), None)
    if blocking is not None:
        raise NotIdentifiedError(f"{blocking.title}. {blocking.body}")
    asked: tuple[Metric, ...] = METRICS if value_usd is None else (*METRICS, "net_usd")
    worth = value_usd or 0.0
    study, why = None, ""
    if found.sums is not None:
        why = "Only sums of this log are here, so all requests are compared."
    elif routes:
        study, why = route_study(
            store, found.scope, found.assigned, found.moments, control=control, treatment=treatment
        )
    arms = (control, treatment)
    plain = _effects(found, asked, arms, None, level=level, value_usd=worth)
    by_category = {
        category: _effects(found, asked, arms, category, level=level, value_usd=worth)
        for category in found.categories
        if all((category, arm) in found.moments for arm in arms)
    }
    effects = plain
    if study is not None:
        effects = _diluted(plain, study, found, arms, None, level=level, value_usd=worth)
        moved = set(study.thresholds["category"])
        by_category = {
            name: _diluted(part, study, found, arms, name, level=level, value_usd=worth)
            for name, part in by_category.items()
            if name in moved
        }
    p_values = {
        metric: {name: part[metric].p_value for name, part in by_category.items()} for metric in asked
    }
    spread = {metric: _spread(by_category, metric) for metric in asked}
    counted = [found.latencies.get((None, arm)) for arm in arms]
    return Comparison(
        control,
        treatment,
        effects,
        plain,
        by_category,
        {metric: _by_name(values, holm([*values.values()])) for metric, values in p_values.items()},
        {
            metric: _by_name(values, false_discovery([*values.values()]))
            for metric, values in p_values.items()
        },
        spread,
        {metric: _shrunk(by_category, metric, spread[metric]) for metric in asked},
        _better(found, effects["accuracy"], arms, routed=study is not None),
        _cheaper(effects["cost_usd"]),
        None if counted[0] is None or counted[1] is None else ranks(counted[1], counted[0]),
        study,
        why,
        {}
        if found.sums is not None
        else adjusted(store, found.scope, found.assigned, control=control, treatment=treatment, level=level),
        found.assigned.unit == "unit" and min(found.assigned.assigned[arm] for arm in arms) < LEAST_UNITS,
    )


def _effects(
    found: Reading,
    asked: Sequence[Metric],
    arms: tuple[str, str],
    category: str | None,
    *,
    level: float,
    value_usd: float,
) -> dict[Metric, Effect]:
    control, treatment = (found.moments[category, arm] for arm in arms)
    effects: dict[Metric, Effect] = {}
    for metric in asked:
        if metric == "latency_p95_s" and found.sums is not None:
            nothing = undefined(_NEEDS_REQUESTS, level=level)
            effects[metric] = Effect(metric, nothing, nothing, nothing, nothing, None, None, _NEEDS_REQUESTS)
            continue
        if metric == "latency_p95_s":
            before, after = (found.latencies.get((category, arm)) for arm in arms)
            if before is None or after is None:
                effects[metric] = _unknown(metric, effects["latency_s"], before, after)
            else:
                effects[metric] = quantile_effect(before, after, level=level)
            continue
        effects[metric] = effect(
            metric, control, treatment, unit=found.assigned.unit, level=level, value_usd=value_usd
        )
    return effects


def _unknown(metric: Metric, like: Effect, before: Counted | None, after: Counted | None) -> Effect:
    """Quantiles of the arms that have any; without an effect, as on the mean."""
    arms = [
        mean if arm is None else arm_quantile(arm, level=mean.level)
        for mean, arm in ((like.control, before), (like.treatment, after))
    ]
    return Effect(metric, arms[0], arms[1], like.effect, like.relative, None, None, like.reason)


def _diluted(
    plain: dict[Metric, Effect],
    routes: RouteStudy,
    found: Reading,
    arms: tuple[str, str],
    category: str | None,
    *,
    level: float,
    value_usd: float,
) -> dict[Metric, Effect]:
    return {
        metric: diluted(
            metric,
            routes,
            found.assigned,
            control=arms[0],
            treatment=arms[1],
            category=category,
            level=level,
            value_usd=value_usd,
            all_requests=entry,
        )
        if metric in ROUTED
        else entry
        for metric, entry in plain.items()
    }


def _by_name(values: Mapping[str, float | None], p: Sequence[float | None]) -> dict[str, float | None]:
    return dict(zip(values, p, strict=True))


def _told(
    by_category: Mapping[str, Mapping[Metric, Effect]], metric: Metric
) -> list[tuple[str, float, float]]:
    """Category, effect and standard error where both are known."""
    return [
        (name, part[metric].effect.value, part[metric].error)  # type: ignore[misc]
        for name, part in by_category.items()
        if part[metric].effect.value is not None and part[metric].error
    ]


def _spread(by_category: Mapping[str, Mapping[Metric, Effect]], metric: Metric) -> Heterogeneity | None:
    told = _told(by_category, metric)
    return heterogeneity([value for _, value, _ in told], [error for *_, error in told])


def _shrunk(
    by_category: Mapping[str, Mapping[Metric, Effect]], metric: Metric, spread: Heterogeneity | None
) -> dict[str, float]:
    told = _told(by_category, metric)
    if spread is None:
        return {}
    drawn = shrunk([value for _, value, _ in told], [error for *_, error in told], spread)
    return {name: float(value) for (name, *_), value in zip(told, drawn, strict=True)}


def _better(found: Reading, accuracy: Effect, arms: tuple[str, str], *, routed: bool) -> float | None:
    """Beta-binomial for independent requests graded right or wrong, else from the effect and its error."""
    sums = [found.moments[None, arm].sums for arm in arms]
    if (
        not routed
        and found.assigned.unit == "request"
        and all(part["k"] and not part["part"] for part in sums)
    ):
        return probability_better(*(round(part[name]) for part in sums for name in ("y", "k")))
    if accuracy.effect.value is None or accuracy.error is None:
        return None
    return probability_above(accuracy.effect.value, accuracy.error)


def _cheaper(cost: Effect) -> float | None:
    if cost.effect.value is None or cost.error is None:
        return None
    return probability_above(-cost.effect.value, cost.error)
