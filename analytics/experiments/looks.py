"""An effect as it stood at the end of each day, with intervals that hold however often one looks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Floats, normal_quantile
from analytics.experiments import outcomes
from analytics.experiments.assignment import Assignment
from analytics.experiments.effects import ROUNDING, Metric
from analytics.experiments.moments import KNOWN, RATIOS
from analytics.experiments.outcomes import BETWEEN, Scope
from analytics.experiments.sequential import (
    LEAST_PER_ARM,
    difference_p_values,
    difference_sequence,
    mixture_p_values,
    mixture_radius,
    peeking_error,
    running,
)

if TYPE_CHECKING:
    from analytics.logs.store import Store

MOST_DAYS = 120
"""Days up to which each is a look; longer experiments are looked at by week."""
MOST_UNITS = 4_096
COST_STEP = 0.1
"""Share of the control's value at the first look, mixed over where a metric has no margin of its own."""

_DAILY = """
    SELECT arm, {cluster} AS cluster, CAST(date_trunc($step, ts) AS DATE) AS day,
        sum({above})::DOUBLE AS above, sum({below})::DOUBLE AS below, sum({known})::DOUBLE AS known
    FROM (SELECT *, {values} FROM ({sql})) AS r
    WHERE within AND ts IS NOT NULL AND arm IN ($control, $treatment) {kept} GROUP BY ALL"""


@dataclass(frozen=True, slots=True)
class Looks:
    """An effect over time.

    Attributes:
        metric: Name of the metric.
        table: ``day``, ``n_control``, ``n_treatment`` (requests so far), ``effect``, ``fixed_low``,
            ``fixed_high`` (an interval that holds at one planned look), ``low``, ``high`` (one that holds at
            every look) and ``p_value`` (always valid); null before ``LEAST_PER_ARM`` requests per arm.
        method: How the always-valid interval was made.
        tau: Standard deviation of the effects mixed over; None for the exact sequence.
        peeking_error: True error of the fixed interval if every look could have stopped the experiment.
        by_week: Whether a look is a week.
    """

    metric: Metric
    table: pl.DataFrame
    method: str
    tau: float | None
    peeking_error: float
    by_week: bool

    @property
    def last(self) -> dict[str, float | None]:
        """The last look."""
        return self.table.row(-1, named=True)


def looks(
    store: "Store",
    scope: Scope,
    assigned: Assignment,
    metric: Metric,
    *,
    control: str,
    treatment: str,
    tau: float | None = None,
    level: float = LEVEL,
    value_usd: float = 0.0,
    between: pl.DataFrame | None = None,
    scale: float = 1.0,
) -> Looks | None:
    """The effect at the end of every day; None without times or without a known value in each arm.

    Args:
        store: The open store.
        scope: The experiment.
        assigned: How its requests were assigned.
        metric: A metric that is a ratio of sums, or ``net_usd``.
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        tau: Effects mixed over, in the metric's unit; None for a tenth of the control's value.
        level: Coverage.
        value_usd: Worth of a correct answer, USD, for ``net_usd``.
        between: Confidences that count, see ``outcomes.arm_moments``; None for all.
        scale: Share of all requests that these are: effects are multiplied by it.
    """
    days = _days(store, scope, assigned, metric, (control, treatment), value_usd=value_usd, between=between)
    if days is None:
        return None
    rows, by_week = days
    calendar = sorted(set(rows["day"]))
    arms = [_running(rows.filter(pl.col("arm") == arm), calendar) for arm in (control, treatment)]
    counts = [arm[2] for arm in arms]
    if min(arm[1][-1] for arm in arms) <= 0:
        return None
    enough = (counts[0] >= LEAST_PER_ARM) & (counts[1] >= LEAST_PER_ARM)
    values = [np.divide(total, n, out=np.full_like(n, np.nan), where=n > 0) for total, n, *_ in arms]
    effect, error = values[1] - values[0], np.hypot(arms[0][3], arms[1][3])
    exact = assigned.unit == "request" and metric in ("accuracy", "escalation_rate") and _whole(rows)
    step = tau / scale if tau is not None else COST_STEP * abs(float(values[0][int(np.argmax(enough))]))
    if exact:
        ends = difference_sequence(arms[1][0], counts[1], arms[0][0], counts[0], level=level)
        p_values = difference_p_values(arms[1][0], counts[1], arms[0][0], counts[0])
        enough = np.ones_like(enough)
        low, high = running(*ends)
    else:
        known = enough & (error > 0)
        if not known.any() or step <= 0:
            return None
        some = np.where(known, error, 1.0)
        radius = np.where(known, mixture_radius(some, step, level=level), np.nan)
        p_values = mixture_p_values(np.where(known, effect, np.nan), some, step)
        low, high = running(effect - radius, effect + radius)
    half = normal_quantile((1 + level) / 2) * error
    parts = [scale * part for part in (effect, effect - half, effect + half, low, high)]
    shown = [np.where(enough, part, np.nan) for part in (*parts, p_values)]
    columns = ["effect", "fixed_low", "fixed_high", "low", "high", "p_value"]
    table = pl.DataFrame(
        {
            "day": calendar,
            "n_control": counts[0].astype(np.int64),
            "n_treatment": counts[1].astype(np.int64),
            **dict(zip(columns, shown, strict=True)),
        }
    ).with_columns(pl.col(columns).fill_nan(None))
    method = (
        "beta-binomial mixture for both proportions, exact"
        if exact
        else f"normal mixture, from {LEAST_PER_ARM} requests per arm"
    )
    return Looks(
        metric, table, method, None if exact else step * scale, peeking_error(len(calendar)), by_week
    )


def _days(
    store: "Store",
    scope: Scope,
    assigned: Assignment,
    metric: Metric,
    arms: tuple[str, str],
    *,
    value_usd: float,
    between: pl.DataFrame | None,
) -> tuple[pl.DataFrame, bool] | None:
    """Totals of each unit and day, and whether a day is a week; None without times."""
    if assigned.first is None or assigned.last is None or assigned.first == assigned.last:
        return None
    by_week = (assigned.last - assigned.first).days > MOST_DAYS
    named = "request_id" if assigned.unit == "request" else "unit"
    cluster = named if assigned.units <= MOST_UNITS else f"hash({named}) % {MOST_UNITS}"
    above, below = RATIOS.get(metric, ("net", "bn"))
    if metric == "net_usd":
        above = "$value_usd * bg - bc"
    known = KNOWN[below]
    names = ("bg", "bc", "bn") if metric == "net_usd" else tuple(dict.fromkeys((above, below, known)))
    kept = ""
    with outcomes.requests(store, scope) as (cursor, sql, values):
        if assigned.left_out.height:
            cursor.register("left_out", assigned.left_out)
            kept += " AND unit NOT IN (SELECT unit FROM left_out)"
        if between is not None:
            cursor.register("between_routes", between)
            kept += f" AND {BETWEEN}"
        statement = _DAILY.format(
            cluster=cluster,
            above=above,
            below=below,
            known=known,
            values=", ".join(f"{outcomes.VALUES[name]} AS {name}" for name in names),
            sql=sql,
            kept=kept,
        )
        asked = {**values, "step": "week" if by_week else "day", "control": arms[0], "treatment": arms[1]}
        if metric == "net_usd":
            asked["value_usd"] = value_usd
        rows = cursor.sql(statement, params=asked).pl()
    rows = rows.filter(pl.col("known") > 0)
    return None if set(rows["arm"]) != set(arms) else (rows, by_week)


def _running(rows: pl.DataFrame, calendar: list[object]) -> tuple[Floats, Floats, Floats, Floats]:
    """Totals above and below, requests, and the standard error of the ratio, as of the end of every day."""
    places = {day: place for place, day in enumerate(calendar)}
    units, unit = np.unique(rows["cluster"].to_numpy(), return_inverse=True)
    day = np.array([places[entry] for entry in rows["day"]])
    totals = np.zeros((3, units.size, len(calendar)))
    for row, name in enumerate(("above", "below", "known")):
        np.add.at(totals[row], (unit, day), rows[name].to_numpy())
    totals = np.cumsum(totals, axis=2)
    above, below, known = totals.sum(axis=1)
    seen = (totals[2] > 0).sum(axis=0)
    ratio = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    squares = ((totals[0] - ratio * totals[1]) ** 2).sum(axis=0)
    squares = np.where(squares <= ROUNDING * (totals[0] ** 2).sum(axis=0), 0.0, squares)
    enough = (seen > 1) & (below > 0)
    error = np.sqrt(squares * seen / np.maximum(seen - 1, 1)) / np.where(below > 0, below, 1.0)
    return above, below, known, np.where(enough, error, np.nan)


def _whole(rows: pl.DataFrame) -> bool:
    """Whether all sums are whole numbers, as those of grades of 0 and 1 are."""
    above = rows["above"].to_numpy()
    return bool((above == np.round(above)).all())
