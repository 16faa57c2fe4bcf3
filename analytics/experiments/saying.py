"""Numbers of experiments in plain text, as sentences, reports and the command line write them."""

import math
from typing import TYPE_CHECKING

from analytics.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN = "unknown"
MINUS = "\u2212"
NBSP = "\u00a0"
LEAST_P = 0.001
TITLES = {
    "accuracy": "Accuracy",
    "cost_usd": "Cost per request",
    "cost_per_correct_usd": "Cost per correct answer",
    "escalation_rate": "Escalated",
    "latency_s": "Mean latency",
    "latency_p95_s": "95th percentile of latency",
    "net_usd": "Worth less cost per request",
}


def percent(value: float, *, digits: int = 1) -> str:
    """A share: ``84.6%``."""
    return f"{_signed(100 * value, digits)}%"


def points(value: float, *, digits: int = 1, plus: bool = False) -> str:
    """A difference of shares: ``−1.8 points``."""
    text = _signed(100 * value, digits, plus=plus)
    return f"{text}{NBSP}{'point' if text.lstrip(f'+{MINUS}') in ('1', '1.0') else 'points'}"


def money(value: float, *, plus: bool = False) -> str:
    """USD with two significant digits, at least cents below ten dollars."""
    size = abs(value)
    places = 0
    if size < 10:  # noqa: PLR2004 - cents say nothing above ten dollars
        places = 2 if size == 0 else min(max(2, 1 - math.floor(math.log10(size) + 1e-9)), 8)
    sign = MINUS if value < 0 else "+" if plus and value > 0 else ""
    return f"{sign}${size:,.{places}f}"


def seconds(value: float, *, plus: bool = False) -> str:
    """``2.4 s``."""
    return f"{_signed(value, 2, plus=plus)}{NBSP}s"


def number(metric: str, value: float | None, *, difference: bool = False) -> str:
    """A metric's value, or a difference of two with its sign."""
    if value is None:
        return UNKNOWN
    if metric in ("accuracy", "escalation_rate"):
        return points(value, plus=True) if difference else percent(value)
    write: Callable[..., str] = seconds if metric.startswith("latency") else money
    return write(value, plus=difference)


def size(metric: str, value: float) -> str:
    """A margin or an effect without its sign."""
    return number(metric, abs(value), difference=True).lstrip("+")


def interval(metric: str, found: Estimate, *, difference: bool = False) -> str:
    """Both ends: ``−0.1 to +3.3`` (points), ``83.3 to 85.8%``; nothing where there are none."""
    if found.low is None or found.high is None:
        return ""
    low, high = (number(metric, end, difference=difference) for end in (found.low, found.high))
    if metric in ("accuracy", "escalation_rate"):
        low, high = (
            (low.partition(NBSP)[0], high.partition(NBSP)[0]) if difference else (low.rstrip("%"), high)
        )
    return f"{low}{NBSP}to{NBSP}{high}"


def with_interval(metric: str, found: Estimate, *, difference: bool = False) -> str:
    """Value and interval: ``84.6% (83.3 to 85.8%)``."""
    text, ends = (
        number(metric, found.value, difference=difference),
        interval(metric, found, difference=difference),
    )
    return f"{text} ({ends})" if ends else text


def relative(found: Estimate) -> str:
    """A relative change: ``+67% (60 to 74%)``; "unknown" without a value."""
    if found.value is None:
        return UNKNOWN
    text = f"{_signed(100 * found.value, 0, plus=True)}%"
    if found.low is None or found.high is None:
        return text
    return f"{text} ({_signed(100 * found.low, 0)}{NBSP}to{NBSP}{_signed(100 * found.high, 0)}%)"


def less_or_more(found: Estimate, *, less: str = "less", more: str = "more") -> str:
    """``23% less (21 to 25%)``."""
    if found.value is None:
        return UNKNOWN
    sign, word = (-1, less) if found.value < 0 else (1, more)
    text = f"{_signed(sign * 100 * found.value, 0)}% {word}"
    if found.low is None or found.high is None:
        return text
    low, high = sorted(sign * 100 * end for end in (found.low, found.high))
    return f"{text} ({_signed(low, 0)}{NBSP}to{NBSP}{_signed(high, 0)}%)"


def p_value(value: float | None) -> str:
    """``0.072``, ``below 0.001``; "none" without a test."""
    if value is None:
        return "none"
    return "below 0.001" if value < LEAST_P else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"  # noqa: PLR2004


def days(value: float | None) -> str:
    """A length: ``12 days``, ``more than 10 years``."""
    if value is None:
        return UNKNOWN
    whole = max(1, math.ceil(value - 1e-9))
    if whole > 3650:  # noqa: PLR2004 - nobody waits ten years
        return f"more than 10{NBSP}years"
    if whole > 730:  # noqa: PLR2004 - two years read better in years
        return f"{whole / 365:.0f}{NBSP}years"
    return f"{whole:,}{NBSP}{'day' if whole == 1 else 'days'}"


def _signed(value: float, digits: int, *, plus: bool = False) -> str:
    value = 0.0 if round(value, digits) == 0 else value
    text = f"{value:{'+' if plus and value else ''},.{digits}f}"
    return text.replace("-", MINUS)
