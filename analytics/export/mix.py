"""What a thresholds file leads to expect at another mix of categories: over all, and by day or week."""

import math
from typing import TYPE_CHECKING

import polars as pl

from analytics.export import departure
from analytics.export.departure import Side
from analytics.export.observed import Metric, Observed

if TYPE_CHECKING:
    from collections.abc import Mapping


def at_mix(metric: Metric, counts: "Mapping[str, float]", sides: "Mapping[tuple[str, Metric], Side]") -> Side:
    """The expectation over several categories at a given mix; those without one do not count.

    Args:
        metric: Name of the metric.
        counts: Requests by category.
        sides: The expectation by category and metric.
    """
    parts = [(n, sides[name, metric]) for name, n in counts.items() if (name, metric) in sides]
    whole = sum(n for n, _ in parts)
    value = sum(n / whole * side.value for n, side in parts)
    error = math.sqrt(sum((n / whole * side.error) ** 2 for n, side in parts))
    fourth = sum((n / whole * side.error) ** 4 / side.degrees for n, side in parts)
    size = 0.0
    if metric != "cost_per_request_usd":
        # Of categories that are sure of 0 or 1 the smallest tells how sure.
        size = value * (1 - value) / error**2 if error > 0 else min(side.size for _, side in parts)
    degrees = error**4 / fourth if fourth > 0 else max(side.degrees for _, side in parts)
    return Side(value, error, size, degrees, sum(side.n for _, side in parts))


def by_period(seen: Observed, sides: "Mapping[tuple[str, Metric], Side]") -> pl.DataFrame:
    """Every metric by day or week, of the categories that have an expectation.

    Returns:
        period (its first day), metric, n, actual with actual_low and actual_high, expected (at the period's
        mix of categories) with expected_low and expected_high: where the period's figure lies in 19 of 20
        periods if nothing changed. Periods with too few requests are left out.
    """
    rows = []
    for (period, metric), (total, counts) in seen.by_period.items():
        if departure.too_few(total, clustered=False) is not None:
            continue
        side = at_mix(metric, counts, sides)
        actual = departure.seen(metric, total)
        if metric == "cost_per_request_usd" and actual.value <= 0:
            continue
        shown = departure.interval(metric, actual, method="")
        low, high = departure.band(metric, side, actual)
        rows.append((period, metric, actual.n, actual.value, shown.low, shown.high, side.value, low, high))
    figures = ("actual", "actual_low", "actual_high", "expected", "expected_low", "expected_high")
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "period": pl.Datetime("us"),
        "metric": pl.String,
        "n": pl.Int64,
        **dict.fromkeys(figures, pl.Float64),
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("metric", "period")
