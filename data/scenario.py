"""The simulated world of the sample: models, categories, and the distributions of every quantity.

Only the generator, the truth and tests read this module. Every distribution is finite, so that expected
accuracy and cost at a threshold are plain sums (`data.truth`), not estimates.
"""

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Knots = tuple[tuple[float, float], ...]

DAYS = 90
ATOMS = 4096
"""Number of equally likely values that stand for each log-normal distribution."""
MISSING_SHARE = 0.01
FINE_SHARE = 0.07
FINE = tuple(k / 1000 for k in range(500, 1000))
ROUND = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95, 0.98, 1.0)
"""Confidences that models state in words: a dozen round values make up nearly all of a log."""
HARD_BELOW = 0.8
HARD_FACTOR = 1.4
"""Below this confidence, or without one, the strong model thinks longer by this factor."""
PRICE_CHANGE_DAY = 45
UNIT_EFFECT = 0.02
"""Half the users are better served than the mean by this much, the other half worse by as much."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model and what it costs.

    Attributes:
        name: As in LiteLLM's price map.
        prices: Input and output, USD per million tokens, at the end of the log.
        latency: Median in seconds and log-normal sigma.
        earlier_prices: The prices until ``PRICE_CHANGE_DAY``, where they differed.
        reasoning_share: Share of the output tokens that are reasoning.
    """

    name: str
    prices: tuple[float, float]
    latency: tuple[float, float]
    earlier_prices: tuple[float, float] | None = None
    reasoning_share: float = 0.0


SMALL = Model("gpt-5-nano", (0.05, 0.40), (0.10, 0.354))
STANDARD = Model("gemini-3.5-flash-lite", (0.30, 2.50), (1.0, 0.354))
COMPACT = Model("gpt-5-mini", (0.25, 2.00), (1.1, 0.33))
FRONTIER = Model("gpt-4.1", (2.00, 8.00), (3.16, 0.234))
REASONING = Model("gpt-6-sol", (2.00, 10.00), (38.0, 0.5), (2.50, 12.50), 0.8)
DEEP = Model("claude-opus-5-5", (4.00, 20.00), (46.0, 0.5), None, 0.75)


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of task.

    Attributes:
        requests: How many the sample has.
        weights: Relative frequency of each value of ``ROUND``.
        fast_curve: Knots (confidence, probability that the fast answer is correct), linear in between.
        strong_curve: The same for the strong answer to the same request.
        missing: Fast and strong accuracy where no confidence was stated.
        tokens: Medians of input, fast output and strong output.
        threshold: In force at the end of the log.
    """

    requests: int
    fast: Model
    strong: Model
    weights: tuple[int, ...]
    fast_curve: Knots
    strong_curve: Knots
    missing: tuple[float, float]
    tokens: tuple[int, int, int]
    threshold: float = 0.95


_SURE = (1, 1, 1, 2, 3, 5, 9, 16, 8, 24, 16, 14)
_MIXED = (2, 3, 3, 5, 6, 10, 13, 20, 7, 18, 8, 5)
_WIDE = (5, 6, 5, 8, 8, 12, 12, 16, 5, 13, 6, 4)

CATEGORIES: dict[str, Category] = {
    "extraction": Category(
        requests=3100,
        fast=SMALL,
        strong=STANDARD,
        weights=_SURE,
        fast_curve=((0.5, 0.62), (0.8, 0.84), (0.9, 0.92), (1.0, 0.97)),
        strong_curve=((0.5, 0.64), (0.8, 0.845), (0.9, 0.922), (1.0, 0.97)),
        missing=(0.85, 0.86),
        tokens=(1400, 180, 190),
    ),
    "classification": Category(
        requests=2700,
        fast=SMALL,
        strong=STANDARD,
        weights=_MIXED,
        fast_curve=((0.5, 0.50), (0.7, 0.69), (0.8, 0.79), (0.9, 0.93), (1.0, 0.975)),
        strong_curve=((0.5, 0.80), (0.7, 0.86), (0.8, 0.89), (0.9, 0.94), (1.0, 0.975)),
        missing=(0.72, 0.88),
        tokens=(700, 120, 130),
    ),
    "support": Category(
        requests=2900,
        fast=COMPACT,
        strong=FRONTIER,
        weights=_MIXED,
        fast_curve=((0.5, 0.48), (0.7, 0.66), (0.8, 0.83), (0.9, 0.895), (1.0, 0.96)),
        strong_curve=((0.5, 0.76), (0.7, 0.82), (0.8, 0.86), (0.9, 0.90), (1.0, 0.96)),
        missing=(0.70, 0.84),
        tokens=(1100, 280, 310),
    ),
    "summarisation": Category(
        requests=1900,
        fast=COMPACT,
        strong=FRONTIER,
        weights=_MIXED,
        fast_curve=((0.5, 0.74), (0.8, 0.86), (0.9, 0.90), (1.0, 0.93)),
        strong_curve=((0.5, 0.72), (0.8, 0.81), (0.9, 0.83), (1.0, 0.86)),
        missing=(0.85, 0.80),
        tokens=(3200, 300, 330),
    ),
    "translation": Category(
        requests=1700,
        fast=COMPACT,
        strong=FRONTIER,
        weights=_SURE,
        fast_curve=((0.5, 0.50), (0.75, 0.74), (0.85, 0.86), (0.95, 0.95), (1.0, 0.97)),
        strong_curve=((0.5, 0.83), (0.75, 0.88), (0.85, 0.91), (0.95, 0.955), (1.0, 0.97)),
        missing=(0.80, 0.91),
        tokens=(650, 520, 540),
    ),
    "code_everyday": Category(
        requests=2500,
        fast=COMPACT,
        strong=REASONING,
        weights=_MIXED,
        fast_curve=((0.5, 0.42), (0.7, 0.58), (0.75, 0.70), (0.8, 0.86), (0.9, 0.91), (1.0, 0.96)),
        strong_curve=((0.5, 0.78), (0.7, 0.85), (0.8, 0.89), (0.9, 0.92), (1.0, 0.96)),
        missing=(0.70, 0.87),
        tokens=(1300, 480, 1100),
    ),
    "competition_math": Category(
        requests=1300,
        fast=COMPACT,
        strong=REASONING,
        weights=_SURE,
        fast_curve=((0.5, 0.22), (0.8, 0.45), (0.9, 0.65), (0.95, 0.68), (1.0, 0.76)),
        strong_curve=((0.5, 0.84), (0.8, 0.90), (0.9, 0.94), (0.95, 0.95), (1.0, 0.96)),
        missing=(0.40, 0.86),
        tokens=(350, 700, 1800),
        threshold=0.92,
    ),
    "scheduling": Category(
        requests=900,
        fast=COMPACT,
        strong=REASONING,
        weights=_WIDE,
        fast_curve=((0.5, 0.32), (0.7, 0.50), (0.8, 0.64), (0.9, 0.85), (0.95, 0.92), (1.0, 0.95)),
        strong_curve=((0.5, 0.82), (0.7, 0.86), (0.8, 0.89), (0.9, 0.92), (0.95, 0.93), (1.0, 0.95)),
        missing=(0.55, 0.87),
        tokens=(900, 520, 1500),
    ),
    "finance_multistep": Category(
        requests=1100,
        fast=COMPACT,
        strong=REASONING,
        weights=_SURE,
        fast_curve=((0.5, 0.68), (1.0, 0.68)),
        strong_curve=((0.5, 0.88), (1.0, 0.88)),
        missing=(0.68, 0.88),
        tokens=(2200, 450, 900),
    ),
    "legal_reasoning": Category(
        requests=1000,
        fast=FRONTIER,
        strong=DEEP,
        weights=_MIXED,
        fast_curve=((0.5, 0.45), (0.8, 0.62), (0.9, 0.70), (1.0, 0.84)),
        strong_curve=((0.5, 0.64), (0.8, 0.74), (0.9, 0.77), (1.0, 0.84)),
        missing=(0.62, 0.74),
        tokens=(2600, 500, 700),
    ),
    "science_phd": Category(
        requests=848,
        fast=FRONTIER,
        strong=DEEP,
        weights=_MIXED,
        fast_curve=((0.5, 0.30), (0.8, 0.45), (0.9, 0.53), (1.0, 0.62)),
        strong_curve=((0.5, 0.70), (0.8, 0.79), (0.9, 0.83), (1.0, 0.88)),
        missing=(0.45, 0.74),
        tokens=(500, 600, 800),
        threshold=0.92,
    ),
    "formal_verification": Category(
        requests=52,
        fast=FRONTIER,
        strong=DEEP,
        weights=_WIDE,
        fast_curve=((0.5, 0.20), (0.9, 0.48), (1.0, 0.60)),
        strong_curve=((0.5, 0.66), (0.9, 0.80), (1.0, 0.85)),
        missing=(0.35, 0.72),
        tokens=(1500, 800, 1200),
        threshold=0.9,
    ),
}


@cache
def confidence_distribution(category: str) -> tuple[Floats, Floats]:
    """Stated confidences, ascending with NaN (none stated) last, and the probability of each."""
    weights = np.array(CATEGORIES[category].weights, dtype=np.float64)
    mass: dict[float, float] = dict.fromkeys(FINE, FINE_SHARE / len(FINE))
    for value, weight in zip(ROUND, weights / weights.sum(), strict=True):
        mass[value] = mass.get(value, 0.0) + (1 - FINE_SHARE - MISSING_SHARE) * float(weight)
    values = sorted(mass)
    return np.array([*values, math.nan]), np.array([*(mass[v] for v in values), MISSING_SHARE])


def correct_given_confidence(category: str, confidence: Floats) -> tuple[Floats, Floats]:
    """Probability that the fast and that the strong answer is correct, averaged over users.

    Args:
        category: Key of ``CATEGORIES``.
        confidence: Stated confidences, shape ``(n,)``; NaN where none was stated.
    """
    spec = CATEGORIES[category]
    missing = np.isnan(confidence)
    known = np.where(missing, 1.0, confidence)
    fast, strong = (
        np.where(missing, without, np.interp(known, *np.array(curve).T))
        for curve, without in ((spec.fast_curve, spec.missing[0]), (spec.strong_curve, spec.missing[1]))
    )
    return fast, strong


@cache
def log_normal(median: float, sigma: float, unit: float = 1.0) -> Ints:
    """``ATOMS`` equally likely values of a log-normal distribution, in whole ``unit``s, ascending."""
    normal = NormalDist(math.log(median / unit), sigma)
    return np.array(
        [max(1, round(math.exp(normal.inv_cdf((k + 0.5) / ATOMS)))) for k in range(ATOMS)], dtype=np.int64
    )


def is_hard(confidence: Floats) -> npt.NDArray[np.bool_]:
    """Where the strong model thinks longer; a missing confidence counts as hard."""
    return ~(confidence >= HARD_BELOW)


def token_tables(category: str) -> tuple[Ints, Ints, Ints, Ints]:
    """Equally likely token counts: input, fast output, strong output, strong output on hard requests."""
    into, fast, strong = CATEGORIES[category].tokens
    return (
        log_normal(into, 0.45),
        log_normal(fast, 0.4),
        log_normal(strong, 0.4),
        log_normal(strong * HARD_FACTOR, 0.4),
    )


@cache
def traffic() -> Floats:
    """Share of the requests in each hour of the log, shape ``(24 * DAYS,)``: growing, weekly, daily.

    The log starts on a Tuesday; days of the weekend carry 45% of a working day.
    """
    day = np.arange(DAYS)
    week_from_tuesday = np.array([1, 1, 1, 1, 0.45, 0.45, 1])
    hour = np.array([3, 2, 2, 2, 3, 5, 9, 16, 26, 34, 36, 34, 30, 33, 36, 35, 31, 25, 18, 14, 12, 10, 7, 5])
    shares = np.outer((1 + 0.5 * day / DAYS) * week_from_tuesday[day % 7], hour).ravel()
    return np.asarray(shares / shares.sum())
