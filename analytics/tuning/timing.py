"""Latencies of a selection: its histograms, and the percentiles that its curves and points show."""

import polars as pl

from analytics.estimate import Estimate, Floats, undefined
from analytics.logs.schema import UNCATEGORISED
from analytics.policy import OnMissing
from analytics.tuning.latency import histograms_by_category, mixed_p95, p95_by_step
from analytics.tuning.log import Selection
from analytics.tuning.sums import Levels

NO_LATENCY = "This log has no latencies on enough of the rows that this route needs."


def histograms(selection: Selection, names: tuple[str, ...]) -> pl.DataFrame:
    """The latency histograms of the rows of some categories of a selection."""
    if not selection.timed:
        selection.timed.update(
            histograms_by_category(
                selection.log.latency.with_columns(pl.col("task_category").fill_null(UNCATEGORISED)),
                selection.pairs,
                policy_kind=selection.policy_kind,
                arm=selection.arm,
                without_missing=selection.missing == "exclude",
            )
        )
    if len(names) == 1:
        return selection.timed[names[0]]
    empty = selection.log.latency.clear()
    return pl.concat([empty, *(selection.timed[name] for name in names)])


def on_missing(selection: Selection) -> OnMissing:
    """What a request without a confidence does under a threshold."""
    return "keep" if selection.missing == "keep" else "escalate"


def p95_steps(selection: Selection, names: tuple[str, ...]) -> Floats | None:
    """``latency.p95_by_step`` of some categories, worked out once; None without latencies."""
    if names not in selection.p95_by_step:
        found = p95_by_step(histograms(selection, names), on_missing=on_missing(selection))
        if found is None:
            return None
        selection.p95_by_step[names] = found
    return selection.p95_by_step[names]


def fast_p95(selection: Selection, names: tuple[str, ...], at: Levels, p95: pl.Series) -> float | None:
    """Never escalate: the smallest threshold, unless that escalates requests without a confidence."""
    if at.columns["rows"][0] == 0 or on_missing(selection) == "keep":
        smallest: float | None = p95[0]
        return smallest
    if names not in selection.fast_p95:
        route = (histograms(selection, names), "fast_only", None, "keep")
        selection.fast_p95[names] = mixed_p95([route])
    return selection.fast_p95[names]


def latency_estimate(value: float | None, n: int, *, level: float) -> Estimate:
    """A percentile read from histograms: a value exact to a bin, no interval."""
    if value is None:
        return undefined(NO_LATENCY, n=n, method="histogram, all rows", level=level)
    return Estimate(value, None, None, n, "histogram, all rows", level)
