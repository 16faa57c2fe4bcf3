"""How to divide the traffic, what a test itself costs, and its chance of an answer by simulation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.estimate import normal_quantile, wilson_band
from analytics.experiments.design import LONGEST_DAYS, Baseline, Plan, plan
from analytics.experiments.moments import KNOWN, RATIOS

SPLITS = (0.5, 0.3, 0.2, 0.1, 0.05)
"""Shares of the treatment that are compared by what they cost."""
_DRAWS = 4_000
_SEED = 20_260_917


@dataclass(frozen=True, slots=True)
class Split:
    """One way to divide the traffic.

    Attributes:
        share: Share of the treatment.
        plan: What the question takes at this share.
        extra_usd: Cost of the test beyond leaving everything in the control; negative saves; None unknown.
    """

    share: float
    plan: Plan
    extra_usd: float | None


def splits(
    found: Baseline,
    first: Plan,
    *,
    extra_per_request_usd: float | None,
    expected: float = 0.0,
    shares: Sequence[float] = SPLITS,
) -> list[Split]:
    """The same question at several splits.

    Args:
        found: What the log says.
        first: The question.
        extra_per_request_usd: Treatment minus control, USD per request; None where unknown.
        expected: As for ``plan``.
        shares: Of the treatment.
    """
    ways = []
    for share in shares:
        entry = plan(
            found,
            first.metric,
            margin=first.margin,
            aim=first.aim,
            category=first.task_category,
            share=share,
            power=first.power,
            level=first.level,
            expected=expected,
            within=first.within,
        )
        counted = KNOWN[RATIOS[first.metric][0]]
        part = found.requests.get(first.task_category)
        extra = None
        if extra_per_request_usd is not None and entry.days is not None and part is not None:
            # Every request of the treatment costs it, whether its metric is known or not.
            traffic = part.sums["n"] / part.sums[counted] * entry.per_day
            extra = entry.days * traffic * share * extra_per_request_usd
        ways.append(Split(share, entry, extra))
    return ways


def cheapest(ways: Sequence[Split], *, within: float = LONGEST_DAYS) -> Split | None:
    """The split that costs least among those that end in time, else the quickest; None where none ends."""
    ending = [way for way in ways if way.plan.days is not None]
    timely = [way for way in ending if float(way.plan.days or 0) <= within]
    if not timely:
        return min(ending, key=lambda way: float(way.plan.days or 0), default=None)
    return min(timely, key=lambda way: (way.extra_usd or 0.0, float(way.plan.days or 0)))


def simulated_power(
    entry: Plan, cost: Plan | None = None, *, cost_effect: float = 0.0, correlation: float = 0.0
) -> float | None:
    """Chance of the answer by simulation; None where the plan has no numbers.

    Accuracy of independent requests is drawn as counts and judged by Newcombe's interval; with ``cost``, the
    chance is that accuracy is not inferior *and* the treatment cheaper, which has no formula.

    Args:
        entry: Plan on accuracy.
        cost: Plan on cost of the same test, whose spread is used; None to leave cost out.
        cost_effect: True effect on the cost per request, USD.
        correlation: Between the two estimates.
    """
    if entry.arms is None or entry.value is None or entry.reason is not None:
        return None
    generator = np.random.default_rng(_SEED)
    z = normal_quantile((1 + entry.level) / 2)
    noise = generator.standard_normal((2, _DRAWS))
    sizes = [max(1.0, n / entry.design_effect) for n in entry.arms]
    if entry.metric == "accuracy" and entry.routed is None:
        shift = 0.0 if entry.aim == "non-inferior" else entry.margin
        rates = (entry.value, min(entry.value + shift, 1.0))
        n2, n1 = (np.full(_DRAWS, float(round(size))) for size in sizes)
        x2, x1 = (
            generator.binomial(round(size), rate, _DRAWS).astype(np.float64)
            for size, rate in zip(sizes, rates, strict=True)
        )
        low1, _ = wilson_band(x1, n1, level=entry.level)
        _, high2 = wilson_band(x2, n2, level=entry.level)
        low = x1 / n1 - x2 / n2 - np.hypot(x1 / n1 - low1, high2 - x2 / n2)
        answered = low > (-entry.margin if entry.aim == "non-inferior" else 0.0)
        return float(np.mean(answered))
    # Planned so that the distance is z_alpha + z_power standard errors.
    error = entry.margin / (z + normal_quantile(entry.power))
    answered = noise[0] * error > z * error - entry.margin
    if cost is not None and cost.margin > 0:
        cost_error = cost.margin / (z + normal_quantile(cost.power))
        mixed = correlation * noise[0] + math.sqrt(1 - correlation**2) * noise[1]
        answered &= cost_effect + mixed * cost_error + z * cost_error < 0
    return float(np.mean(answered))
