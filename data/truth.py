"""The exact expected figures of the simulated sample, which tests alone read.

The product must find them from the log by itself, within its intervals.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from data.scenario import (
    CATEGORIES,
    PRICE_CHANGE_DAY,
    Model,
    confidence_distribution,
    correct_given_confidence,
    is_hard,
    token_tables,
    traffic,
)


def mean_prices(model: Model) -> tuple[float, float]:
    """Expected input and output price over the log, USD per million tokens."""
    if model.earlier_prices is None:
        return model.prices
    early = float(traffic()[: 24 * PRICE_CHANGE_DAY].sum())
    into, out = (
        early * then + (1 - early) * now for then, now in zip(model.earlier_prices, model.prices, strict=True)
    )
    return into, out


def expected_call_costs(category: str) -> tuple[float, float, float]:
    """Expected cost of the fast call, of the strong call, and of the strong call if hard; USD."""
    spec = CATEGORIES[category]
    into, fast, strong, hard = (float(table.mean()) for table in token_tables(category))
    fast_in, fast_out = mean_prices(spec.fast)
    strong_in, strong_out = mean_prices(spec.strong)
    return (
        (into * fast_in + fast * fast_out) / 1e6,
        (into * strong_in + strong * strong_out) / 1e6,
        (into * strong_in + hard * strong_out) / 1e6,
    )


def kept(category: str, threshold: float | None) -> npt.NDArray[np.bool_]:
    """Which values of ``confidence_distribution`` keep the fast answer; None escalates all."""
    values, _ = confidence_distribution(category)
    return values >= (math.inf if threshold is None else threshold)


def true_escalation_rate(category: str, threshold: float | None) -> float:
    """Expected share of requests escalated; a missing confidence escalates at every threshold."""
    _, probability = confidence_distribution(category)
    return float(probability[~kept(category, threshold)].sum())


def true_accuracy(category: str, threshold: float | None) -> float:
    """Expected accuracy of the cascade at ``threshold``; None escalates all, so is always-strong's."""
    values, probability = confidence_distribution(category)
    fast, strong = correct_given_confidence(category, values)
    return float(probability @ np.where(kept(category, threshold), fast, strong))


def true_cost(category: str, threshold: float | None) -> float:
    """Expected USD per request of the cascade at ``threshold``; every request pays the fast call."""
    values, probability = confidence_distribution(category)
    fast, strong, hard = expected_call_costs(category)
    escalated = np.where(is_hard(values), hard, strong) * ~kept(category, threshold)
    return fast + float(probability @ escalated)


def true_fast_only(category: str) -> tuple[float, float]:
    """Expected accuracy and USD per request when nothing is escalated, missing confidences included."""
    values, probability = confidence_distribution(category)
    fast, _ = correct_given_confidence(category, values)
    return float(probability @ fast), expected_call_costs(category)[0]


def true_strong_only(category: str) -> tuple[float, float]:
    """Expected accuracy and USD per request when the strong model is called alone."""
    return true_accuracy(category, None), true_cost(category, None) - expected_call_costs(category)[0]


def overall(figures: Sequence[float]) -> float:
    """Traffic-weighted mean of one figure per category, in the order of ``CATEGORIES``."""
    counts = [spec.requests for spec in CATEGORIES.values()]
    return sum(n * figure for n, figure in zip(counts, figures, strict=True)) / sum(counts)
