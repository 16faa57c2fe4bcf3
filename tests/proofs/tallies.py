"""Counts of what became of many simulated experiments, and how their shares are said."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from analytics.estimate import Estimate, Floats, normal_quantile

Key = tuple[str, ...]
DISCRETE = ("Newcombe", "order statistics", "bootstrap", "Wilson")
"""Methods whose intervals move in steps: they may hold the truth more often than they say."""


@dataclass
class Tally:
    """Numbers by what they count."""

    counts: dict[Key, Floats] = field(default_factory=dict)

    def count(self, key: Key, *numbers: float) -> None:
        """Add numbers to those of a key."""
        added = np.array(numbers, dtype=np.float64)
        self.counts[key] = self.counts[key] + added if key in self.counts else added

    def add(self, other: "Tally") -> None:
        """Add all that another one counted."""
        for key, numbers in other.counts.items():
            self.count(key, *numbers)


def interval(tally: Tally, key: Key, estimate: Estimate, truth: float) -> None:
    """Count one interval."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None:
        tally.count(key, 1, 0, 0, 0, 0, 0, 0)
        return
    held, discrete = low <= truth <= high, estimate.method.startswith(DISCRETE)
    away = value - truth
    tally.count(key, 1, 1, held, discrete, high - low, away, away**2)


@dataclass(frozen=True, slots=True)
class Covered:
    """How often the intervals of one kind hold the truth.

    Attributes:
        given: Share of the experiments that have the interval.
        held: Share of those that hold the truth.
        discrete: Whether most of them move in steps.
        width: Mean width, divided by that of the interval that would be right if the estimate were normal.
    """

    given: float
    held: float
    discrete: bool
    width: float


def covered(numbers: Floats) -> Covered:
    """Shares of what ``interval`` counted."""
    asked, given, held, discrete, width, away, squares = (float(number) for number in numbers)
    if not given:
        return Covered(0.0, 0.0, False, 0.0)
    spread = np.sqrt(max(squares / given - (away / given) ** 2, 1e-300))
    right = 2 * normal_quantile(0.975) * spread
    return Covered(given / asked, held / given, 2 * discrete > given, float(width / given / right))


def said(parts: Iterable[str]) -> str:
    """Findings one after the other; a dash where there is none."""
    return "; ".join(parts) or "-"
