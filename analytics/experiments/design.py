"""How large a test must be, how long it takes at this log's traffic, and what it costs.

References:
    Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, chapter 4; Kish (1965), Survey
    Sampling: the design effect; Deng & Hu (2015), WSDM: power when only some requests can differ.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import polars as pl

from analytics.errors import InsufficientDataError
from analytics.estimate import normal_quantile
from analytics.experiments import outcomes
from analytics.experiments.effects import Metric, ratio_error
from analytics.experiments.moments import KNOWN, RATIOS, Moments
from analytics.experiments.outcomes import WHOLE, Scope

if TYPE_CHECKING:
    from analytics.logs.store import Store

Aim = Literal["non-inferior", "better"]
AIMS: dict[Metric, Aim] = {"accuracy": "non-inferior", "cost_usd": "better", "cost_per_correct_usd": "better"}
LONGEST_DAYS = 28
"""Days within which a test should end, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a log says about the requests that a test would have.

    Attributes:
        requests: Moments with every request as a unit, by category (None for all).
        users: The same with users as units; None where each has one request.
        days: Length of the log.
        routed: Of the requests that two policies route differently, with requests as units; None for all.
        routed_users: The same with users as units.
    """

    requests: dict[str | None, Moments]
    users: dict[str | None, Moments] | None
    days: float
    routed: dict[str | None, Moments] | None = None
    routed_users: dict[str | None, Moments] | None = None

    @property
    def categories(self) -> list[str]:
        """Categories with requests, in order."""
        return sorted(name for name in self.requests if name is not None)


def baseline(store: "Store", scope: Scope, *, between: pl.DataFrame | None = None) -> Baseline:
    """Read what a plan needs from a log.

    Args:
        store: The open store.
        scope: Which requests; its experiment does not matter.
        between: Confidences that two policies route differently, see ``outcomes.arm_moments``; None for all.

    Raises:
        InsufficientDataError: The log has no times, or less than a day.
    """
    whole = replace(scope, whole_log=True)
    with outcomes.requests(store, whole) as (cursor, sql, values):
        found = cursor.execute(
            f"""SELECT min(ts), max(ts), count(DISTINCT unit), count(*)
            FROM ({sql}) WHERE within""",  # noqa: S608 - our own names only
            values,
        ).fetchone()
    first, last, units, rows = found or (None, None, 0, 0)
    if first is None or last is None or (last - first).total_seconds() < 86_400:  # noqa: PLR2004 - a day
        raise InsufficientDataError(
            "A plan needs the traffic of at least one day: log ts, the time of every request."
        )

    def read(unit: outcomes.Unit, part: pl.DataFrame | None) -> dict[str | None, Moments]:
        moments = outcomes.arm_moments(store, whole, unit=unit, units=units, between=part)
        return {category: value for (category, arm), value in moments.items() if arm == WHOLE}

    clustered = units < rows
    return Baseline(
        read("request", None),
        read("unit", None) if clustered else None,
        (last - first).total_seconds() / 86_400,
        None if between is None else read("request", between),
        read("unit", between) if between is not None and clustered else None,
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes to answer one question.

    Attributes:
        metric: Metric of the question.
        aim: ``non-inferior`` (not worse by the margin) or ``better`` (an effect of this size is found).
        task_category: Category; None for all.
        margin: Margin or effect, in the metric's unit.
        value: The metric in this log.
        power: Chance of the answer, if it is so.
        level: Coverage of the interval that decides; one-sided error is half of the rest.
        share: Share of the requests that the treatment gets.
        per_day: Requests a day with a known value of the metric.
        requests: Requests of both arms with a known value; None where no number would do.
        days: Days until then at this log's traffic; None where no number would do.
        design_effect: How many times as many requests it takes because users return, at the end of the test.
        detectable: Smallest margin or effect that is told in ``LONGEST_DAYS`` (or ``within`` days).
        within: Days that ``detectable`` is about.
        routed: Share of requests that can differ; None where all can.
        gain: How many times fewer requests it takes because only those are compared; None where all are.
        reason: Why there are no numbers.
    """

    metric: Metric
    aim: Aim
    task_category: str | None
    margin: float
    value: float | None
    power: float
    level: float
    share: float
    per_day: float
    requests: int | None = None
    days: float | None = None
    design_effect: float = 1.0
    detectable: float | None = None
    within: float = LONGEST_DAYS
    routed: float | None = None
    gain: float | None = None
    reason: str | None = None

    @property
    def arms(self) -> tuple[int, int] | None:
        """Requests of the control and of the treatment."""
        if self.requests is None:
            return None
        treatment = math.ceil(self.requests * self.share)
        return self.requests - treatment, treatment


def plan(
    found: Baseline,
    metric: Metric = "accuracy",
    *,
    margin: float,
    aim: Aim | None = None,
    category: str | None = None,
    share: float = 0.5,
    power: float = 0.8,
    level: float = 0.95,
    expected: float = 0.0,
    within: float = LONGEST_DAYS,
) -> Plan:
    """Requests and days for one question.

    Args:
        found: What the log says.
        metric: A metric that is a ratio of sums.
        margin: Loss allowed (``non-inferior``) or effect to be found (``better``), positive, in its unit.
        aim: The question; None for the usual one of the metric.
        category: One category; None for all.
        share: Share of the requests that the treatment gets, in (0, 1).
        power: Chance of the answer, in (0, 1).
        level: Coverage of the interval that decides.
        expected: True effect that is expected where the aim is ``non-inferior``; 0 is the usual assumption.
        within: Days for which the smallest detectable margin is given.
    """
    wanted: Aim = aim or AIMS.get(metric, "better")
    part = found.requests.get(category)
    above, below = RATIOS[metric]
    counted = KNOWN[above]
    nothing = Plan(metric, wanted, category, margin, None, power, level, share, 0.0, within=within)
    if part is None or part.sums[below] <= 0 or part.seen[counted] < 2:  # noqa: PLR2004 - a variance needs two
        return replace(nothing, reason="no request has a known value of it")
    value = part.sums[above] / part.sums[below]
    per_day = part.sums[counted] / found.days
    spread, routed, growth = _spread(found, metric, category)
    z = normal_quantile((1 + level) / 2) + normal_quantile(power)
    known = replace(nothing, value=value, per_day=per_day, routed=routed)
    distance = margin + expected if wanted == "non-inferior" else margin
    if spread <= 0:
        return replace(known, reason="it does not vary in this log, so its spread is unknown")
    weight = 1 / share + 1 / (1 - share)
    reach = _reach(z, spread * weight, per_day, growth, within)
    known = replace(known, detectable=None if reach is None else max(reach - (distance - margin), 0.0))
    if distance <= 0:
        return replace(known, reason="the expected effect reaches the margin, so no test could show it")
    independent = _independent(metric, wanted, value, distance, spread, share=share, z=z, plan=known)
    slack = per_day - independent * growth
    gain = None if routed is None else _variance(found.requests[category], metric) / spread
    if slack <= 0:
        reason = (
            "no length of the test would do: the same users return, and more of their requests tell little"
        )
        return replace(known, gain=gain, reason=reason)
    days = independent / slack
    return replace(
        known,
        requests=math.ceil(days * per_day - 1e-9),
        days=days,
        design_effect=1 + growth * days,
        gain=gain,
    )


def _spread(found: Baseline, metric: Metric, category: str | None) -> tuple[float, float | None, float]:
    """Variance per request, share of requests that can differ, and growth of the design effect a day.

    The design effect minus 1 grows with the requests per user, so with the length of the test.
    """
    requests, users = found.requests, found.users
    routed = None
    if found.routed is not None:
        requests, users = found.routed, found.routed_users
        counted = KNOWN[RATIOS[metric][0]]
        part = requests.get(category)
        routed = 0.0 if part is None else part.sums[counted] / found.requests[category].sums[counted]
        if part is None or part.seen[counted] < 2:  # noqa: PLR2004 - a variance needs two
            return 0.0, routed, 0.0
    alone = _variance(requests[category], metric)
    growth = 0.0
    if users is not None and users[category].seen[KNOWN[RATIOS[metric][0]]] > 1 and alone > 0:
        together = _variance(users[category], metric)
        growth = max(together / alone - 1, 0.0) / found.days
    # An effect on all requests is the share times the effect on those that can differ.
    return alone * (1.0 if routed is None else routed), routed, growth


def _variance(part: Moments, metric: Metric) -> float:
    """Variance of a metric times the requests it is known of."""
    above, below = RATIOS[metric]
    return ratio_error(part, above, below) ** 2 * part.sums[KNOWN[above]]


def _independent(
    metric: Metric,
    aim: Aim,
    value: float,
    distance: float,
    spread: float,
    *,
    share: float,
    z: float,
    plan: Plan,
) -> float:
    """Requests of both arms, were they independent; by Fleiss's formula for a rise of accuracy."""
    if metric != "accuracy" or aim != "better" or plan.routed is not None or not value + distance < 1:
        return z * z * spread * (1 / share + 1 / (1 - share)) / distance**2
    other = value + distance
    mean = (1 - share) * value + share * other
    under = math.sqrt(mean * (1 - mean) * (1 / share + 1 / (1 - share)))
    above = math.sqrt(value * (1 - value) / (1 - share) + other * (1 - other) / share)
    reach = normal_quantile((1 + plan.level) / 2) * under + normal_quantile(plan.power) * above
    return (reach / distance) ** 2


def _reach(z: float, variance: float, per_day: float, growth: float, days: float) -> float | None:
    """Distance that is told apart after some days."""
    n = per_day * days
    return z * math.sqrt(variance * (1 + growth * days) / n) if n > 0 else None


def by_category(found: Baseline, first: Plan, *, margins: Mapping[str, float] | None = None) -> list[Plan]:
    """The same question in every category on its own, the one that takes longest last."""
    entries = [
        plan(
            found,
            first.metric,
            margin=(margins or {}).get(name, first.margin),
            aim=first.aim,
            category=name,
            share=first.share,
            power=first.power,
            level=first.level,
            within=first.within,
        )
        for name in found.categories
    ]
    return sorted(
        entries, key=lambda entry: (entry.days is None, entry.days or 0.0, str(entry.task_category))
    )
