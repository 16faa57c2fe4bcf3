"""The slow end of an arm's latencies, and which arm answers sooner: distribution-free, from counted values.

References:
    David & Nagaraja (2003), Order Statistics, section 7.1; Woodruff (1952), JASA 47: quantiles of clustered
    samples; Efron & Tibshirani (1993): the bootstrap distribution of a quantile is exact, no draw is needed;
    Hodges & Lehmann (1963), Annals of Mathematical Statistics 34.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Estimate, Floats, undefined
from analytics.experiments import outcomes
from analytics.experiments.assignment import Assignment
from analytics.experiments.effects import Effect
from analytics.experiments.outcomes import BUCKETS, MOST_UNITS, Scope
from analytics.intervals import quantile_ranks

if TYPE_CHECKING:
    from analytics.logs.store import Store

SHARE = 0.95
MOST_EXACT = 100_000
"""Requests up to which every latency is counted by itself; beyond, in bins of 0.1%."""
_STEPS = 1_000
_POINTS = 400
_MOST_PAIRS = 1_000
_SMALL = 8

_VALUE = f"""CASE WHEN latency > 0 AND $binned THEN exp((floor(ln(latency) * {_STEPS}) + 0.5) / {_STEPS})
    ELSE latency END"""
_COUNTS = f"""
    SELECT arm, coalesce(task_category, $uncategorised) AS category, {_VALUE} AS value, count(*) AS n
    FROM ({{sql}}) WHERE within AND latency IS NOT NULL {{kept}} GROUP BY ALL ORDER BY value"""  # noqa: S608
_SLOW = f"""
    WITH g AS MATERIALIZED (
        SELECT r.arm, r.category, {{cluster}} AS cluster, count(*)::DOUBLE AS m,
            count_if(r.value > limits.own)::DOUBLE AS h, count_if(r.value >= limits.own)::DOUBLE AS k,
            count_if(r.value > limits.whole)::DOUBLE AS wh, count_if(r.value >= limits.whole)::DOUBLE AS wk
        FROM (SELECT *, {_VALUE} AS value, coalesce(task_category, $uncategorised) AS category FROM ({{sql}})
            WHERE within AND latency IS NOT NULL {{kept}}) AS r
        JOIN limits ON limits.arm = r.arm AND limits.category = r.category GROUP BY ALL),
    whole AS (SELECT arm, cluster, sum(m) AS m, sum(wh) AS h, sum(wk) AS k FROM g GROUP BY ALL)
    SELECT arm, category, {{sums}} FROM g GROUP BY ALL
    UNION ALL SELECT arm, NULL, {{sums}} FROM whole GROUP BY ALL"""  # noqa: S608 - our own names only
_SUMS = """count(*) AS units, sum(m) AS m, sum(m * m) AS mm, sum(h) AS h, sum(h * h) AS hh, sum(h * m) AS hm,
    sum(k) AS k, sum(k * k) AS kk, sum(k * m) AS km"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Latencies of one arm.

    Attributes:
        values: Distinct latencies in order, seconds, ``(m,)``.
        counts: Requests of each, ``(m,)``.
        design_effect: How many times the variance of the slow share exceeds that of independent requests.
    """

    values: Floats
    counts: Floats
    design_effect: float = 1.0

    @property
    def n(self) -> int:
        """Requests in all."""
        return int(self.counts.sum())

    def ordered(self, ranks: Floats) -> Floats:
        """The values at ranks from 1 in the order of size."""
        places = np.searchsorted(np.cumsum(self.counts), ranks)
        return self.values[np.minimum(places, self.values.size - 1)]


def counted(store: "Store", scope: Scope, assigned: Assignment) -> dict[tuple[str | None, str], Counted]:
    """Latencies of every arm, in all (category None) and by category; arms without any are left out."""
    values_by: dict[tuple[str | None, str], Counted] = {}
    with outcomes.requests(store, scope) as (cursor, sql, values):
        kept = ""
        if assigned.left_out.height:
            cursor.register("left_out", assigned.left_out)
            kept = "AND unit NOT IN (SELECT unit FROM left_out)"
        binned = sum(assigned.requests.values()) > MOST_EXACT
        table = cursor.sql(_COUNTS.format(sql=sql, kept=kept), params={**values, "binned": binned}).pl()
        whole = table.group_by("arm", "value").agg(pl.col("n").sum()).sort("value")
        parts = [
            *(((None, str(arm)), part) for (arm,), part in whole.partition_by("arm", as_dict=True).items()),
            *(
                ((str(category), str(arm)), part)
                for (category, arm), part in table.partition_by("category", "arm", as_dict=True).items()
            ),
        ]
        for key, part in parts:
            values_by[key] = Counted(part["value"].to_numpy(), part["n"].to_numpy().astype(np.float64))
        if assigned.unit == "request" or not values_by:
            return values_by
        limits = pl.DataFrame(
            [
                (category, arm, quantile(part), quantile(values_by[None, arm]))
                for (category, arm), part in values_by.items()
                if category is not None
            ],
            schema={"category": pl.String, "arm": pl.String, "own": pl.Float64, "whole": pl.Float64},
            orient="row",
        )
        cursor.register("limits", limits)
        cluster = "unit" if assigned.units <= MOST_UNITS else f"hash(unit) % {BUCKETS}"
        statement = _SLOW.format(sql=sql, kept=kept, cluster=cluster, sums=_SUMS)
        found = cursor.sql(statement, params={**values, "binned": binned}).pl()
        for row in found.iter_rows(named=True):
            part = values_by[row["category"], row["arm"]]
            # Many requests may take just as long as the percentile: slower ones, or those as slow.
            effect = max(_design_effect(row, "h"), _design_effect(row, "k"))
            values_by[row["category"], row["arm"]] = Counted(part.values, part.counts, effect)
    return values_by


def _design_effect(row: Mapping[str, float], slow: str) -> float:
    if row["units"] < 2:  # noqa: PLR2004 - nothing is known of other users, so one counts as one request
        return row["m"]
    share = row[slow] / row["m"]
    alone = row["m"] * share * (1 - share)
    if alone <= 0:
        return 1.0
    squares = row[2 * slow] - 2 * share * row[f"{slow}m"] + share**2 * row["mm"]
    return float(max(1.0, squares / alone * row["units"] / (row["units"] - 1)))


def quantile(arm: Counted, share: float = SHARE) -> float:
    """A quantile with linear interpolation between the values beside it."""
    place = (arm.n - 1) * share
    low, high = arm.ordered(np.floor([place + 1, place + 2]))
    return float(low + (high - low) * (place - np.floor(place)))


def arm_quantile(arm: Counted, *, share: float = SHARE, level: float = LEVEL) -> Estimate:
    """A quantile of one arm with a distribution-free interval; an end is None where n is too small."""
    if not arm.n:
        return undefined("no latency is known", level=level)
    size = max(1, round(arm.n / arm.design_effect))
    low, high, _ = quantile_ranks(size, share, level=level)
    ends = [
        None if rank is None else float(arm.ordered(np.array([np.ceil(rank * arm.n / size)]))[0])
        for rank in (low, high)
    ]
    return Estimate(quantile(arm, share), ends[0], ends[1], arm.n, "order statistics", level)


def quantile_effect(control: Counted, treatment: Counted, *, level: float = LEVEL) -> Effect:
    """The effect on the 95th percentile, by the exact bootstrap distribution of both arms' quantiles."""
    arms = (arm_quantile(control, level=level), arm_quantile(treatment, level=level))
    n = control.n + treatment.n
    difference = float(arms[1].value or 0) - float(arms[0].value or 0)
    if any(arm.low is None or arm.high is None for arm in arms):
        return _none(arms, "an arm has too few requests for a 95th percentile with an interval")
    first, second = (_bootstrap(arm) for arm in (control, treatment))
    if first[0] == first[-1] and second[0] == second[-1]:
        return _none(arms, "it does not vary within the arms")
    tails = [(1 - level) / 2, (1 + level) / 2]
    differences = np.subtract.outer(second, first).ravel()
    ratios = np.divide.outer(second, np.maximum(first, 1e-12)).ravel()
    low, high = (float(end) for end in np.quantile(differences, tails))
    low_ratio, high_ratio = (float(end) for end in np.quantile(ratios, tails))
    below, above = float((differences <= 0).mean()), float((differences >= 0).mean())
    p_value = min(1.0, max(2 * min(below, above), 1 / differences.size))
    base = float(arms[0].value or 0)
    relative = (
        Estimate(difference / base, low_ratio - 1, high_ratio - 1, n, "bootstrap", level)
        if base > 0
        else undefined("a value of 0 has no ratio", n=n, level=level)
    )
    return Effect(
        "latency_p95_s",
        *arms,
        Estimate(difference, low, high, n, "bootstrap of both quantiles", level),
        relative,
        p_value,
        float(differences.std()) or None,
    )


def _none(arms: tuple[Estimate, Estimate], reason: str) -> Effect:
    n, level = arms[0].n + arms[1].n, arms[0].level
    difference = float(arms[1].value or 0) - float(arms[0].value or 0)
    known = Estimate(difference, None, None, n, "none", level)
    return Effect("latency_p95_s", *arms, known, undefined(reason, n=n, level=level), None, None, reason)


def _bootstrap(arm: Counted) -> Floats:
    """Equally likely values of the bootstrapped quantile, ``(_POINTS,)``."""
    from scipy.special import betaincinv  # noqa: PLC0415 - off the page path

    size = arm.n / arm.design_effect
    chances = (np.arange(_POINTS) + 0.5) / _POINTS
    places = betaincinv(SHARE * (size + 1), (1 - SHARE) * (size + 1), chances)
    return arm.ordered(np.ceil(places * arm.n))


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which arm answers sooner.

    Attributes:
        u: Mann-Whitney statistic of the first arm.
        p_value: Two-sided, of independent requests.
        sooner: Probability that a request of the first arm takes less time than one of the second; ties half.
        shift: Median difference, first minus second, seconds (Hodges-Lehmann).
    """

    u: float
    p_value: float
    sooner: float
    shift: float


def ranks(first: Counted, second: Counted) -> Ranks:
    """Mann-Whitney test with ties and continuity correction; exact for a few values without ties."""
    from scipy.special import ndtr  # noqa: PLC0415 - off the page path

    n1, n2 = first.n, second.n
    values = np.union1d(first.values, second.values)
    counts = np.zeros((2, values.size))
    for row, arm in enumerate((first, second)):
        counts[row, np.searchsorted(values, arm.values)] = arm.counts
    below = np.cumsum(counts[1]) - counts[1]
    u = float((counts[0] * (below + counts[1] / 2)).sum())
    tied = counts.sum(axis=0)
    n = n1 + n2
    variance = n1 * n2 / 12 * ((n + 1) - float((tied**3 - tied).sum()) / (n * (n - 1)))
    centre = n1 * n2 / 2
    if tied.max() == 1 and min(n1, n2) <= _SMALL:
        from scipy.stats import mannwhitneyu  # noqa: PLC0415

        p_value = float(mannwhitneyu(first.values, second.values, method="exact").pvalue)
    elif variance > 0:
        z = (abs(u - centre) - 0.5) / np.sqrt(variance)
        p_value = min(1.0, float(2 * ndtr(-z)))
    else:
        p_value = 1.0
    return Ranks(u, p_value, 1 - u / (n1 * n2), _shift(first, second))


def _shift(first: Counted, second: Counted) -> float:
    """Median of all differences; of at most 1,000 evenly spaced values of each arm."""
    samples = []
    for arm in (first, second):
        size = min(arm.n, _MOST_PAIRS)
        samples.append(arm.ordered(np.ceil((np.arange(size) + 0.5) * arm.n / size)))
    return float(np.median(np.subtract.outer(*samples)))
