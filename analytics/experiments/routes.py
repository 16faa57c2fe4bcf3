"""Arms that differ only in their thresholds: nothing but the requests routed differently can have an effect.

A request whose confidence lies on the same side of both thresholds is answered alike in both arms. Leaving
it out takes away its noise and no effect, so the same requests tell more.

References:
    Deng & Hu (2015), WSDM: diluted treatment effect estimation for trigger analysis.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from analytics.estimate import LEVEL, Estimate, normal_quantile, undefined
from analytics.experiments import outcomes
from analytics.experiments.assignment import Assignment
from analytics.experiments.effects import NET, Effect, Metric, effect, ratio_error
from analytics.experiments.moments import KNOWN, RATIOS, Moments
from analytics.experiments.outcomes import BETWEEN, Scope
from analytics.tuning.regressions import mcnemar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.logs.store import Store

LEAST_OBEYED = 0.995
"""Share of an arm's requests that must have gone as its threshold says."""
METRICS: tuple[Metric, ...] = ("accuracy", "cost_usd", "escalation_rate", "latency_s", "net_usd")
"""Metrics whose effect is the share of differing requests times the effect on these."""

_THRESHOLDS = """
    SELECT arm, coalesce(task_category, $uncategorised) AS category, min(threshold) AS low,
        max(threshold) AS high, count(*) AS n, count(threshold) AS known,
        list_sort(list(DISTINCT [fast_model, strong_model])) AS pairs,
        avg((taken = (confidence IS NULL OR confidence < threshold))::DOUBLE) AS obeyed
    FROM ({sql}) WHERE within AND arm IN ($control, $treatment) GROUP BY ALL ORDER BY category, arm"""
_PAIRED = f"""
    SELECT coalesce(task_category, $uncategorised) AS category, count(*) AS pairs,
        count(*) FILTER (strong_correct > fast_correct) AS mended,
        count(*) FILTER (strong_correct < fast_correct) AS worsened
    FROM ({{sql}}) AS r WHERE within AND arm IN ($control, $treatment)
        AND fast_correct IS NOT NULL AND strong_correct IS NOT NULL AND {BETWEEN} GROUP BY ALL"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class RouteStudy:
    """The requests that two arms route differently.

    Attributes:
        thresholds: category, control, treatment (thresholds), low, high (confidences routed differently).
        moments: Of these requests, by category (None for all) and arm.
        whole: Of all requests, likewise.
        mended: Of those with both answers graded, how many the strong one alone gets right.
        worsened: And the fast one alone.
        pairs: How many have both answers graded.
        p_value: Exact McNemar test of independent requests; None where none differs or users return.
    """

    thresholds: pl.DataFrame
    moments: dict[tuple[str | None, str], Moments]
    whole: dict[tuple[str | None, str], Moments]
    mended: int
    worsened: int
    pairs: int
    p_value: float | None

    def share(self, control: str, treatment: str, category: str | None = None) -> float:
        """Share of both arms' requests that are routed differently."""
        part, whole = (
            sum(table[category, arm].sums["n"] for arm in (control, treatment) if (category, arm) in table)
            for table in (self.moments, self.whole)
        )
        return part / whole if whole else 0.0


def route_study(
    store: "Store",
    scope: Scope,
    assigned: Assignment,
    whole: "Mapping[tuple[str | None, str], Moments]",
    *,
    control: str,
    treatment: str,
) -> tuple[RouteStudy | None, str]:
    """The requests that two arms route differently, or None with the reason why all must be compared.

    Args:
        store: The open store.
        scope: The experiment.
        assigned: How its requests were assigned.
        whole: Moments of all requests.
        control: Name of an arm.
        treatment: Name of another.
    """
    with outcomes.requests(store, scope) as (cursor, sql, values):
        asked = {**values, "control": control, "treatment": treatment}
        table = cursor.sql(_THRESHOLDS.format(sql=sql), params=asked).pl()
    between, reason = _differing(table, control, treatment)
    if between is None:
        return None, reason
    with outcomes.requests(store, scope) as (cursor, sql, values):
        cursor.register("between_routes", between)
        asked = {**values, "control": control, "treatment": treatment}
        paired = cursor.sql(_PAIRED.format(sql=sql), params=asked).pl()
    mended, worsened, pairs = (int(paired[name].sum()) for name in ("mended", "worsened", "pairs"))
    tested = mcnemar(mended, worsened) if assigned.unit == "request" else None
    moments = outcomes.arm_moments(
        store, scope, unit=assigned.unit, units=assigned.units, left_out=assigned.left_out, between=between
    )
    if not all((None, arm) in moments for arm in (control, treatment)):
        return None, "No request of an arm has a confidence between the thresholds of the two."
    study = RouteStudy(
        between, moments, dict(whole), mended, worsened, pairs, None if tested is None else tested[0]
    )
    return study, ""


def _differing(table: pl.DataFrame, control: str, treatment: str) -> tuple[pl.DataFrame | None, str]:
    """Where two arms route differently by category; None with the reason if they differ in more than that."""
    if (table["known"] < table["n"]).any():
        return None, "The threshold of some requests is not logged, so all requests are compared."
    if (table["low"] < table["high"]).any():
        return None, "An arm's threshold changed during the experiment, so all requests are compared."
    if table["obeyed"].null_count() or (table["obeyed"] < LEAST_OBEYED).any():
        return None, "Some requests did not go as their arm's threshold says, so all requests are compared."
    sides = [
        table.filter(pl.col("arm") == arm).select("category", "pairs", pl.col("low").alias(name))
        for arm, name in ((control, "control"), (treatment, "treatment"))
    ]
    both = sides[0].join(sides[1], on="category", suffix="_other")
    if (both["pairs"] != both["pairs_other"]).any():
        return None, "The arms use different models, so all requests are compared."
    moved = both.filter(pl.col("control") != pl.col("treatment"))
    if moved.is_empty():
        return None, "Both arms have the same thresholds, so none of their requests is routed differently."
    ends = moved.select(
        "category",
        "control",
        "treatment",
        pl.min_horizontal("control", "treatment").alias("low"),
        pl.max_horizontal("control", "treatment").alias("high"),
    )
    return ends.sort("category"), ""


_LATEST = """
    SELECT coalesce(task_category, $uncategorised) AS category, arg_max(threshold, ts) AS threshold
    FROM ({sql}) WHERE within AND arm = $arm AND threshold IS NOT NULL AND ts IS NOT NULL
    GROUP BY ALL ORDER BY category"""


def arm_thresholds(store: "Store", scope: Scope, arm: str) -> dict[str, float]:
    """The latest threshold of an arm in every category where the log says it."""
    with outcomes.requests(store, scope) as (cursor, sql, values):
        rows = cursor.execute(_LATEST.format(sql=sql), {**values, "arm": arm}).fetchall()
    return {str(category): float(threshold) for category, threshold in rows}


def diluted(
    metric: Metric,
    study: RouteStudy,
    assigned: Assignment,
    *,
    control: str,
    treatment: str,
    category: str | None = None,
    level: float = LEVEL,
    value_usd: float = 0.0,
    all_requests: Effect,
) -> Effect:
    """The effect on all requests from those routed differently.

    Args:
        metric: One of ``METRICS``.
        study: The requests that are routed differently.
        assigned: How requests were assigned.
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        category: One category; None for all.
        level: Coverage of the intervals.
        value_usd: Worth of a correct answer, USD, for ``net_usd``.
        all_requests: The effect by comparing all requests, whose arms stay as they are.
    """
    parts = [study.moments.get((category, arm)) for arm in (control, treatment)]
    if parts[0] is None or parts[1] is None:
        return all_requests
    within = effect(metric, parts[0], parts[1], unit=assigned.unit, level=level, value_usd=value_usd)
    known, own = within.effect, None
    relative = undefined(within.reason or "no interval", level=level)
    if within.effect.value is not None:
        names = NET if metric == "net_usd" else RATIOS[metric]
        share, error = _share(study, KNOWN[names[0]], control, treatment, category)
        known = _scaled(within, share, level=level, share_error=error)
        before = all_requests.control
        if before.value is None or before.value <= 0:
            relative = undefined("the control's value is 0 or below", n=known.n, level=level)
        elif known.low is not None:
            relative = _relative(known, before, parts[0], metric, share, level=level, value_usd=value_usd)
        if within.error is not None:
            own = math.hypot(share * within.error, error * within.effect.value)
    return replace(
        all_requests,
        effect=known,
        relative=relative,
        p_value=within.p_value,
        error=own,
        reason=within.reason,
    )


def _share(
    study: RouteStudy, counted: str, control: str, treatment: str, category: str | None
) -> tuple[float, float]:
    """Share of the requests with a known value that are routed differently, over both arms, and its error."""
    part = sum(study.moments[category, arm].sums[counted] for arm in (control, treatment))
    whole = sum(study.whole[category, arm].sums[counted] for arm in (control, treatment))
    share = part / whole
    squares = sum(study.whole[category, arm].product(counted, counted) for arm in (control, treatment))
    # At most as uncertain as if all requests of a user were routed alike.
    return share, math.sqrt(share * (1 - share) * squares) / whole


def _scaled(within: Effect, share: float, *, level: float, share_error: float = 0.0) -> Estimate:
    found = within.effect
    value = float(found.value or 0.0)
    method = f"requests routed differently: {found.method}"
    if found.low is None or found.high is None:
        return Estimate(value * share, None, None, found.n, method, level)
    dilution = normal_quantile((1 + level) / 2) * share_error * value
    return Estimate(
        share * value,
        share * value - math.hypot(share * (value - found.low), dilution),
        share * value + math.hypot(share * (found.high - value), dilution),
        found.n,
        method,
        level,
    )


def _relative(
    known: Estimate,
    before: Estimate,
    part: Moments,
    metric: Metric,
    share: float,
    *,
    level: float,
    value_usd: float,
) -> Estimate:
    """The effect divided by the control's value; the control's differing requests are in both."""
    value, base = float(known.value or 0.0), float(before.value or 0.0)
    ratio = value / base
    if known.low is None or known.high is None or before.low is None or before.high is None:
        return Estimate(ratio, None, None, known.n, "none", level)
    wide = normal_quantile((1 + level) / 2)
    names = NET if metric == "net_usd" else RATIOS[metric]
    moments = part.netted(value_usd) if metric == "net_usd" else part
    common = (share * ratio_error(moments, *names)) ** 2 if moments.seen[KNOWN[names[0]]] > 1 else 0.0
    base_variance = ((before.high - before.low) / (2 * wide)) ** 2
    ends = []
    for half, sign in ((value - known.low, -1), (known.high - value, 1)):
        variance = (half / wide) ** 2 + ratio**2 * base_variance + 2 * ratio * common
        ends.append(ratio + sign * wide * math.sqrt(max(variance, 0.0)) / base)
    return Estimate(ratio, ends[0], ends[1], known.n, "delta method", level)
