"""The effect of a treatment on one metric: both arms, difference, relative difference and p-value.

Means and ratios, of requests or of users with several requests, go through tea-tasting's delta method;
proportions of independent requests through exact and score methods.

References:
    Deng, Knoblich & Lu (2018), KDD: the delta method for ratios and clusters; Newcombe (1998), Statistics in
    Medicine 17, method 10; Rao & Scott (1992), Biometrics 48: effective counts of clustered proportions.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from analytics.estimate import LEVEL, Estimate, newcombe, normal_quantile, undefined, wilson
from analytics.experiments.moments import KNOWN, RATIOS, Moments
from analytics.experiments.outcomes import Unit
from analytics.experiments.proportions import LEAST_EXPECTED, equality

Metric = Literal[
    "accuracy", "cost_usd", "cost_per_correct_usd", "escalation_rate", "latency_s", "latency_p95_s", "net_usd"
]
LEAST_UNITS = 30
"""Users per arm below which the spread between them is itself too uncertain to rely on."""
SHARES = ("accuracy", "escalation_rate")
POSITIVE = ("cost_usd", "latency_s")
"""Means of values with a long right tail; their intervals hold better on the log scale."""
NET = ("net", "bn")
_NOISY = 0.2
ROUNDING = 1e-9
"""Part of a sum of squares that rounding may leave of a difference which is nothing."""
_LACKING = {
    "accuracy": "no served answer is graded",
    "cost_usd": "no cost is known",
    "cost_per_correct_usd": "no graded request with a known cost is correct",
    "escalation_rate": "the route is not logged",
    "latency_s": "no latency is known",
    "latency_p95_s": "no latency is known",
    "net_usd": "no request has both a grade and a cost",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a treatment does to a metric.

    Attributes:
        metric: Name of the metric; the unit is its suffix, shares have none.
        control: The metric in the control arm.
        treatment: The same in the treatment arm.
        effect: Treatment minus control.
        relative: ``effect`` divided by the control's value.
        p_value: Two-sided, that there is no effect; None where no test can tell.
        error: Standard error of ``effect``; None where it has none.
        reason: Why ``p_value`` is None; None where there is one.
    """

    metric: Metric
    control: Estimate
    treatment: Estimate
    effect: Estimate
    relative: Estimate
    p_value: float | None
    error: float | None
    reason: str | None = None


def effect(
    metric: Metric,
    control: Moments,
    treatment: Moments,
    *,
    unit: Unit,
    level: float = LEVEL,
    value_usd: float = 0.0,
) -> Effect:
    """The effect on a metric that is a ratio of sums.

    Args:
        metric: One of ``RATIOS``, or ``net_usd``: worth of the answer less its cost per request.
        control: Of the control arm.
        treatment: Of the treatment arm.
        unit: What was assigned, which the moments are over.
        level: Coverage of the intervals.
        value_usd: Worth of a correct answer, USD, for ``net_usd``.
    """
    if metric == "net_usd":
        control, treatment = control.netted(value_usd), treatment.netted(value_usd)
    names = NET if metric == "net_usd" else RATIOS[metric]
    arms = (
        arm_estimate(metric, control, unit=unit, level=level),
        arm_estimate(metric, treatment, unit=unit, level=level),
    )
    lacking = next((arm.reason for arm in arms if arm.value is None), None)
    if lacking is not None:
        return _none(metric, arms, f"{lacking} in one of the arms" if _one_sided(arms) else lacking)
    single = min(arm.seen[KNOWN[names[0]]] for arm in (control, treatment)) < 2  # noqa: PLR2004 - a variance needs two
    if (
        metric in SHARES
        and not (single and unit == "unit")
        and _counted(metric, control, treatment, unit=unit)
    ):
        return _proportions(metric, control, treatment, arms, unit=unit, level=level)
    if single:
        return _none(metric, arms, "an arm has a single unit, whose spread is unknown")
    return _ratios(metric, names, control, treatment, arms, level=level)


def arm_estimate(metric: Metric, arm: Moments, *, unit: Unit, level: float = LEVEL) -> Estimate:
    """The value of a metric in one arm with its interval."""
    names = NET if metric == "net_usd" else RATIOS[metric]
    above, below = (arm.sums[name] for name in names)
    n, units = arm.count(names[0]), arm.seen[KNOWN[names[0]]]
    if below <= 0:
        return undefined(_LACKING[metric], n=n, level=level)
    value = above / below
    if metric in SHARES and not (metric == "accuracy" and arm.sums["part"]):
        size = _effective(metric, arm, unit=unit)
        low, high = wilson(value * size, size, level=level)
        method = "Wilson" if unit == "request" else "Wilson, effective number of users' requests"
        return Estimate(value, low, high, n, method, level)
    if units < 2:  # noqa: PLR2004 - a variance needs two
        return Estimate(value, None, None, n, "none", level)
    if metric == "cost_per_correct_usd" and (value <= 0 or _too_noisy(arm, level)):
        return Estimate(value, None, None, n, "none", level)
    half = quantile(level, _degrees(arm, KNOWN[names[0]])) * ratio_error(arm, *names)
    if metric == "cost_per_correct_usd" or (metric in POSITIVE and half < value):
        factor = math.exp(half / value)
        return Estimate(value, value / factor, value * factor, n, "delta method, log scale", level)
    low, high = value - half, value + half
    if metric == "accuracy":
        low, high = max(low, 0.0), min(high, 1.0)
    method = "Student's t" if unit == "request" else "delta method over users, Student's t"
    return Estimate(value, low, high, n, method, level)


def _degrees(arm: Moments, counted: str) -> int:
    """Degrees of freedom of an error over users: fewer than users where some send many requests (Kish)."""
    return max(1, round(arm.sums[counted] ** 2 / arm.product(counted, counted)) - 1)


def ratio_error(arm: Moments, above: str, below: str) -> float:
    """Standard error of the ratio of two sums over the units that have the second, by the delta method."""
    units, total = arm.seen[KNOWN[below]], arm.sums[below]
    ratio = arm.sums[above] / total
    whole = arm.product(above, above) + ratio**2 * arm.product(below, below)
    squares = whole - 2 * ratio * arm.product(above, below)
    if squares <= ROUNDING * whole:
        return 0.0
    return math.sqrt(squares * units / (units - 1)) / total


@lru_cache(maxsize=512)
def quantile(level: float, degrees: int) -> float:
    """Half width of a two-sided Student interval in standard errors; normal from 10,000 degrees on."""
    if degrees >= 10_000:  # noqa: PLR2004 - equal to four digits
        return normal_quantile((1 + level) / 2)
    from scipy.special import stdtrit  # noqa: PLC0415 - off the page path

    return float(stdtrit(degrees, (1 + level) / 2))


def _counted(metric: str, *arms: Moments, unit: Unit) -> bool:
    """Whether a share is best handled as counts: of independent requests, or with few of either outcome."""
    if metric == "accuracy" and any(arm.sums["part"] for arm in arms):
        return False
    if unit == "request":
        return True
    above, below = RATIOS[metric]
    return any(
        min(arm.sums[above], arm.sums[below] - arm.sums[above]) / arm.sums[below]
        * _effective(metric, arm, unit=unit) < LEAST_EXPECTED
        for arm in arms
    )  # fmt: skip


def _effective(metric: str, arm: Moments, *, unit: Unit) -> float:
    """How many independent requests tell as much as the arm's; users where none differs, or one is alone."""
    above, below = RATIOS[metric]
    n, units = arm.sums[below], arm.seen[KNOWN[above]]
    if unit == "request":
        return n
    if arm.sums[above] in (0, n) or units == 1:
        return float(units)
    return n / arm.design_effect(above, below)


def _proportions(
    metric: Metric,
    control: Moments,
    treatment: Moments,
    arms: tuple[Estimate, Estimate],
    *,
    unit: Unit,
    level: float,
) -> Effect:
    sizes = [max(1, round(_effective(metric, arm, unit=unit))) for arm in (control, treatment)]
    shares = [float(arm.value or 0.0) for arm in arms]
    (n2, n1), (x2, x1) = sizes, [round(share * n) for share, n in zip(shares, sizes, strict=True)]
    p_value, test = equality(x1, n1, x2, n2)
    low, high = newcombe(x1, n1, x2, n2, level=level)
    difference = shares[1] - shares[0]
    # Effective counts are rounded; the interval keeps its distance from the estimate itself.
    shift = difference - (x1 / n1 - x2 / n2)
    method = f"Newcombe; {test}" + ("" if unit == "request" else " on the effective number of requests")
    n = arms[0].n + arms[1].n
    error = math.sqrt(sum(share * (1 - share) / size for share, size in zip(shares, sizes, strict=True)))
    return Effect(
        metric,
        *arms,
        Estimate(difference, max(low + shift, -1.0), min(high + shift, 1.0), n, method, level),
        _relative(shares, sizes, level=level, n=n),
        p_value,
        error or None,
        None if p_value is not None else "every request has the same outcome in both arms",
    )


def _relative(shares: list[float], sizes: list[int], *, level: float, n: int) -> Estimate:
    before, after = shares
    if before <= 0:
        return undefined("the control's value is 0", n=n, level=level)
    if after <= 0:
        return Estimate(-1.0, None, None, n, "none", level)
    log_error = math.sqrt(
        sum((1 - share) / (share * size) for share, size in zip(shares, sizes, strict=True))
    )
    factor = math.exp(normal_quantile((1 + level) / 2) * log_error)
    ratio = after / before
    return Estimate(ratio - 1, ratio / factor - 1, ratio * factor - 1, n, "delta method, log scale", level)


def _ratios(
    metric: Metric,
    names: tuple[str, str],
    control: Moments,
    treatment: Moments,
    arms: tuple[Estimate, Estimate],
    *,
    level: float,
) -> Effect:
    from tea_tasting.metrics import RatioOfMeans  # noqa: PLC0415 - seconds to import, kept off the page path

    n = arms[0].n + arms[1].n
    values = [float(arm.value or 0.0) for arm in arms]
    errors = [ratio_error(arm, *names) for arm in (control, treatment)]
    difference = values[1] - values[0]
    scale = max(abs(value) for value in values)
    if math.hypot(*errors) <= 1e-12 * scale or scale == 0:
        return _none(metric, arms, "it does not vary within the arms", difference)
    if metric == "cost_per_correct_usd" and any(_too_noisy(arm, level) for arm in (control, treatment)):
        return _none(metric, arms, "too few correct answers for an interval", difference)
    found = RatioOfMeans(
        *names, alternative="two-sided", confidence_level=level, equal_var=False, use_t=True
    ).analyze_aggregates(control.aggregates(*names), treatment.aggregates(*names))
    if values[0] > 0 and values[1] > 0:
        relative = Estimate(
            found.rel_effect_size,
            found.rel_effect_size_ci_lower,
            found.rel_effect_size_ci_upper,
            n,
            "delta method, log scale",
            level,
        )
    else:
        relative = undefined("a value of 0 or below has no ratio", n=n, level=level)
    return Effect(
        metric,
        *arms,
        Estimate(
            difference,
            found.effect_size_ci_lower,
            found.effect_size_ci_upper,
            n,
            "Welch's t with the delta method",
            level,
        ),
        relative,
        found.pvalue,
        math.hypot(*errors),
    )


def _too_noisy(arm: Moments, level: float) -> bool:
    """Whether correct answers are so few that their number itself is uncertain (Fieller's g)."""
    units = arm.seen[KNOWN["bg"]]
    if units < 2:  # noqa: PLR2004 - a variance needs two
        return True
    variance = arm.covariance("bg", "bg") * units
    return normal_quantile((1 + level) / 2) ** 2 * variance >= _NOISY * arm.sums["bg"] ** 2


def _one_sided(arms: tuple[Estimate, Estimate]) -> bool:
    return any(arm.value is not None for arm in arms)


def _none(
    metric: Metric, arms: tuple[Estimate, Estimate], reason: str, difference: float | None = None
) -> Effect:
    n = sum(arm.n for arm in arms)
    level = arms[0].level
    nothing = undefined(reason, n=n, level=level)
    shown = nothing if difference is None else Estimate(difference, None, None, n, "none", level, None)
    return Effect(metric, arms[0], arms[1], shown, nothing, None, None, reason)
