"""How far a figure of a new log lies from what was expected of it, with the uncertainty of both.

Shares are compared by their Wilson limits, which each may be of clustered requests or of a stated interval;
costs, which have a long right tail, on the log scale.

References:
    Newcombe (1998), Statistics in Medicine 17, method 10; Zou & Donner (2008), Statistics in Medicine 27:
    the limits of a difference from those of its two parts.
"""

import math
from dataclasses import dataclass, replace

from analytics.estimate import LEVEL, Estimate, normal_quantile
from analytics.export.observed import Metric, Total

LEAST = 30
"""Requests (and users, where they return) below which a spread is too uncertain to compare by."""
POWER = 0.8
ROUNDING = 1e-9
_FINEST = 1e-12
_MANY = 1e6


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two figures.

    Attributes:
        value: The figure; a cost is positive.
        error: Its standard error.
        size: How many independent requests would tell a share as well; 0 for costs.
        degrees: Degrees of freedom of ``error``.
        n: Requests behind it.
    """

    value: float
    error: float
    size: float
    degrees: float
    n: int


def stated(metric: Metric, found: Estimate) -> Side | None:
    """The figure that a thresholds file states; None where its interval does not say how sure it is."""
    value, low, high = found.value, found.low, found.high
    if value is None or low is None or high is None or not low <= value <= high:
        return None
    z = normal_quantile((1 + found.level) / 2)
    degrees = float(found.n - 1) if found.n else _MANY
    if metric == "cost_per_request_usd":
        # A lower end may be cut off at 0, so the wider side counts.
        error = max(high - value, value - low) / z
        return Side(value, error, 0.0, degrees, found.n) if value > 0 else None
    size = _wilson_size(value, high - low, z)
    return None if size is None else Side(value, _share_error(value, size), size, degrees, found.n)


def seen(metric: Metric, total: Total, *, value: float | None = None) -> Side:
    """The figure of a log.

    Args:
        metric: Name of the metric.
        total: Its total, of which the error is taken.
        value: The figure, where the error is that of its distance from an expectation.
    """
    mean, error = total.value if value is None else value, total.error
    size = 0.0
    if metric != "cost_per_request_usd":
        spread = mean * (1 - mean)
        size = spread / error**2 if error > 0 and spread > 0 else float(total.units)
    return Side(mean, error, size, total.degrees, round(total.n))


def interval(metric: Metric, side: Side, *, method: str, level: float = LEVEL) -> Estimate:
    """A figure with its interval."""
    low, high = _limits(metric, side, (1 + level) / 2)
    return Estimate(side.value, low, high, side.n, method, level)


def difference(metric: Metric, expected: Side, actual: Side, *, level: float = LEVEL) -> Estimate:
    """Actual minus expected: absolute for shares, divided by the expected for costs."""
    low, high = _difference(metric, expected, actual, (1 + level) / 2)
    n = actual.n
    if metric == "cost_per_request_usd":
        return Estimate(actual.value / expected.value - 1, low, high, n, "log scale, Welch's t", level)
    return Estimate(actual.value - expected.value, low, high, n, "Newcombe", level)


def p_value(metric: Metric, expected: Side, actual: Side) -> float:
    """Two-sided, that nothing but chance separates them: 1 less the largest coverage that leaves out 0."""
    if math.isclose(actual.value, expected.value, rel_tol=ROUNDING):
        return 1.0
    low, high = math.log(_FINEST), 0.0
    for _ in range(60):
        middle = (low + high) / 2
        below, above = _difference(metric, expected, actual, 1 - math.exp(middle) / 2)
        if below <= 0 <= above:
            low = middle
        else:
            high = middle
    return math.exp(high)


def detectable(
    metric: Metric, expected: Side, actual: Side, *, questions: int, level: float = LEVEL
) -> float:
    """Size of a change that this comparison finds in four of five logs: absolute, relative for costs.

    Args:
        metric: Name of the metric.
        expected: What was expected.
        actual: What was seen, for its uncertainty.
        questions: How many are asked at once.
        level: Of all of them together.
    """
    sure = normal_quantile(1 - (1 - level) / questions / 2) + normal_quantile(POWER)
    if metric == "cost_per_request_usd":
        return math.expm1(sure * math.hypot(expected.error / expected.value, actual.error / actual.value))
    spread = max(expected.value * (1 - expected.value), 0.25 / max(actual.size, 1.0))
    return min(1.0, sure * math.sqrt(spread * (1 / expected.size + 1 / actual.size)))


def too_few(total: Total | None, *, clustered: bool) -> str | None:
    """Why a total cannot be compared, in words; None where it can."""
    if total is None or total.n == 0:
        return "not in this log"
    if total.n < LEAST:
        return f"{total.n:,.0f} requests, and {LEAST} are needed"
    if clustered and total.units < LEAST:
        return f"{total.units:,} users, and {LEAST} are needed"
    return None


def band(metric: Metric, expected: Side, actual: Side, *, level: float = LEVEL) -> tuple[float, float]:
    """Where the figure of such a log lies if nothing changed: a predictive interval."""
    point = (1 + level) / 2
    if metric == "cost_per_request_usd":
        error = math.hypot(expected.error / expected.value, actual.error / actual.value)
        factor = math.exp(_quantile(point, actual.degrees) * error)
        return expected.value / factor, expected.value * factor
    alike = replace(actual, value=expected.value)
    (low1, high1), (low2, high2) = (_limits(metric, side, point) for side in (expected, alike))
    middle = expected.value
    return (
        max(0.0, middle - math.hypot(middle - low1, middle - low2)),
        min(1.0, middle + math.hypot(high1 - middle, high2 - middle)),
    )


def _difference(metric: Metric, expected: Side, actual: Side, point: float) -> tuple[float, float]:
    """Limits of the difference at the quantiles ``point`` and its complement."""
    if metric == "cost_per_request_usd":
        errors = expected.error / expected.value, actual.error / actual.value
        error = math.hypot(*errors)
        # Welch and Satterthwaite's degrees of freedom.
        parts = errors[0] ** 4 / expected.degrees + errors[1] ** 4 / actual.degrees
        half = _quantile(point, error**4 / parts if parts > 0 else _MANY) * error
        middle = math.log(actual.value / expected.value)
        return math.expm1(middle - half), math.expm1(middle + half)
    (low1, high1), (low2, high2) = (_limits(metric, side, point) for side in (expected, actual))
    middle = actual.value - expected.value
    return (
        middle - math.hypot(actual.value - low2, high1 - expected.value),
        middle + math.hypot(high2 - actual.value, expected.value - low1),
    )


def _limits(metric: Metric, side: Side, point: float) -> tuple[float, float]:
    z = _quantile(point, side.degrees)
    if metric == "cost_per_request_usd":
        factor = math.exp(z * side.error / side.value) if side.value > 0 else 1.0
        return side.value / factor, side.value * factor
    share, n = side.value, max(side.size, 1e-9)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if share <= 0 else max(0.0, centre - half)
    return low, 1.0 if share >= 1 else min(1.0, centre + half)


def _quantile(point: float, degrees: float) -> float:
    if degrees >= 10_000:  # noqa: PLR2004 - equal to four digits
        return normal_quantile(point)
    from scipy.special import stdtrit  # noqa: PLC0415 - off the page path

    return float(stdtrit(degrees, point))


def _share_error(share: float, size: float) -> float:
    return math.sqrt(max(share * (1 - share), 0.0) / size)


def _wilson_size(share: float, width: float, z: float) -> float | None:
    """Trials whose Wilson interval at ``share`` has this width; None where none has."""
    if not 0 < width < 1:
        return None
    low, high = 0.0, math.log(1e12)
    for _ in range(80):
        middle = (low + high) / 2
        n = math.exp(middle)
        wide = 2 * z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        if wide > width:
            low = middle
        else:
            high = middle
    return math.exp(high)
