"""What a log written since a change says of the policy: totals by category and period, decisions by reason.

Everything is added up in the database by what belongs together: a request, or a user with all requests.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from analytics.errors import InsufficientDataError, NotIdentifiedError
from analytics.experiments import outcomes
from analytics.experiments.outcomes import BUCKETS, MOST_UNITS, Scope
from analytics.logs.schema import UNCATEGORISED
from analytics.policy import ThresholdPolicy
from analytics.tuning.policy_sums import rule_of

if TYPE_CHECKING:
    from analytics.logs.store import Store

Metric = Literal["escalation_rate", "cost_per_request_usd", "accuracy"]
METRICS: tuple[Metric, ...] = ("escalation_rate", "cost_per_request_usd", "accuracy")
Period = Literal["day", "week"]
REASONS = {
    "random": "Routed at random: the log has a propensity below 1",
    "other_threshold": "Decided by another threshold, which the log names",
    "unknown_category": "The file has no rule for the category, and it did not go as the default says",
    "missing_confidence": "No usable confidence: missing, or not from 0 to 1",
    "fixed_route": "The file has one route for the category whatever the confidence, and it took the other",
    "kept_below": "Kept although the confidence is below the threshold",
    "escalated_from": "Escalated although the confidence reaches the threshold",
}
"""Why a logged decision is not the policy's; the first that applies counts."""
MOST_DAYS = 45
"""Above this many days periods are weeks, so that each has requests enough to show."""
_OVER = 1e-9


@dataclass(frozen=True, slots=True)
class Total:
    """A metric over some requests, with what its error needs.

    Attributes:
        units: Requests, or users with all requests.
        n: Requests of which the metric is known.
        x: Sum of the metric over them.
        r: Sum of the same less what was expected in each request's category; ``x`` where that is not asked.
        rr: Sum over units of the square of their part of ``r``.
        rn: Sum over units of their parts of ``r`` and ``n`` multiplied.
        nn: Sum over units of the square of their part of ``n``.
    """

    units: int
    n: float
    x: float
    r: float
    rr: float
    rn: float
    nn: float

    @property
    def value(self) -> float:
        """Mean of the metric."""
        return self.x / self.n

    @property
    def above(self) -> float:
        """Mean of what the metric is above its expectation."""
        return self.r / self.n

    @property
    def error(self) -> float:
        """Standard error of ``above`` over units by the delta method; 0 where units do not differ."""
        whole = self.rr + self.above**2 * self.nn
        squares = whole - 2 * self.above * self.rn
        if self.units < 2 or squares <= _OVER * whole:  # noqa: PLR2004 - a spread needs two
            return 0.0
        return math.sqrt(squares * self.units / (self.units - 1)) / self.n

    @property
    def degrees(self) -> float:
        """Degrees of freedom of ``error``: fewer than units where some send many requests (Kish)."""
        return max(1.0, self.n**2 / self.nn - 1)


@dataclass(frozen=True, slots=True)
class Observed:
    """A log since a change.

    Attributes:
        requests: Requests within the dates.
        units: Users, or requests where nobody is named.
        clustered: Whether users have several requests.
        first: Of the requests, UTC; None without times.
        last: The same.
        undated: Requests of the log without a time, left out where a first day is asked for.
        earlier: Requests within the dates from before the thresholds file was made.
        graded: Requests with a grade: all, kept ones, escalated ones.
        routed: Requests whose route is known: all, kept ones, escalated ones.
        other_kind: Requests of the other kind of policy than the file's.
        by_category: Totals by category and metric.
        everything: Totals of all requests by metric.
        matched: Totals by metric of the categories that have an expectation, ``r`` against it.
        by_period: Totals of the same by first day of the period and metric, and by category their requests.
        period: Length of a period.
        decisions: category, reason (null: as the policy says), n; requests whose route is known.
    """

    requests: int
    units: int
    clustered: bool
    first: datetime | None
    last: datetime | None
    undated: int
    earlier: int
    graded: tuple[int, int, int]
    routed: tuple[int, int, int]
    other_kind: int
    by_category: dict[tuple[str, Metric], Total]
    everything: dict[Metric, Total]
    matched: dict[Metric, Total]
    by_period: dict[tuple[datetime, Metric], tuple[Total, dict[str, float]]]
    period: Period
    decisions: pl.DataFrame


_NAMES = "SELECT DISTINCT coalesce(task_category, $uncategorised) FROM ({sql}) WHERE within"
_FACTS = """
    SELECT count(*), count(DISTINCT request_id), count(DISTINCT unit), min(ts), max(ts),
        count(correct), count(correct) FILTER (NOT taken), count(correct) FILTER (taken),
        count(taken), count(*) FILTER (NOT taken), count(*) FILTER (taken),
        count(*) FILTER (coalesce(policy_kind, 'cascade') <> $kind), count(*) FILTER (ts < $created)
    FROM ({sql}) WHERE within"""
_UNDATED = "SELECT count(*) FROM ({sql}) WHERE ts IS NULL"

# The cost of an answer that only the strong model was asked for is that of its call alone.
_JUDGED = """
    SELECT rules.*, unit, ts, taken, correct, request_id, confidence, threshold AS logged_threshold,
        coalesce(cost, CASE WHEN taken AND route = 'strong_only' THEN strong_cost END) AS cost,
        CASE route WHEN 'fast_only' THEN false WHEN 'strong_only' THEN true
            ELSE CASE WHEN confidence IS NULL OR threshold_in_force IS NULL THEN on_missing = 'escalate'
                ELSE confidence < threshold_in_force END END AS wanted,
        CASE WHEN taken = wanted THEN NULL
            WHEN propensity < 1 THEN 'random'
            WHEN threshold IS DISTINCT FROM threshold_in_force
                AND taken = (confidence IS NULL OR confidence < threshold) THEN 'other_threshold'
            WHEN NOT known THEN 'unknown_category'
            WHEN route <> 'cascade' THEN 'fixed_route'
            WHEN confidence IS NULL THEN 'missing_confidence'
            WHEN taken THEN 'escalated_from' ELSE 'kept_below' END AS reason
    FROM ({sql}) AS r JOIN rules ON rules.category = coalesce(r.task_category, $uncategorised)
    WHERE within"""
_DECISIONS = f"SELECT category, reason, count(*) AS n FROM ({_JUDGED}) WHERE taken IS NOT NULL GROUP BY ALL"  # noqa: S608
_DEPARTURES = f"""
    SELECT request_id, ts, category, confidence, threshold_in_force, logged_threshold, taken, reason
    FROM ({_JUDGED}) WHERE taken IS NOT NULL AND reason IS NOT NULL
    ORDER BY ts NULLS LAST, request_id LIMIT $most"""  # noqa: S608

_VALUES: dict[Metric, str] = {
    "escalation_rate": "taken::INT::DOUBLE",
    "cost_per_request_usd": "cost",
    "accuracy": "correct",
}
_LONG = " UNION ALL ".join(
    f"SELECT '{metric}' AS metric, category, cluster, period, {value} AS v, {metric} AS expected FROM judged"  # noqa: S608
    for metric, value in _VALUES.items()
)
_SUMMED = """count(*) AS units, sum(n) AS n, sum(x) AS x, sum(r) AS r, sum(r * r) AS rr, sum(r * n) AS rn,
    sum(n * n) AS nn"""
_EXCESS = "sum(x - expected * n) AS r"
_TOTALS = f"""
    WITH judged AS MATERIALIZED (
        SELECT *, {{cluster}} AS cluster, date_trunc($period, ts) AS period FROM ({_JUDGED})),
    clusters AS MATERIALIZED (
        SELECT metric, category, period, cluster, expected, count(*)::DOUBLE AS n, sum(v)::DOUBLE AS x
        FROM ({_LONG}) WHERE v IS NOT NULL GROUP BY ALL)
    SELECT 'category' AS part, metric, category AS name, NULL::TIMESTAMP AS period, {_SUMMED} FROM (
        SELECT metric, category, cluster, sum(n) AS n, sum(x) AS x, sum(x) AS r FROM clusters GROUP BY ALL)
        GROUP BY ALL
    UNION ALL SELECT 'everything', metric, NULL, NULL, {_SUMMED} FROM (
        SELECT metric, cluster, sum(n) AS n, sum(x) AS x, sum(x) AS r FROM clusters GROUP BY ALL) GROUP BY ALL
    UNION ALL SELECT 'matched', metric, NULL, NULL, {_SUMMED} FROM (
        SELECT metric, cluster, sum(n) AS n, sum(x) AS x, {_EXCESS} FROM clusters
        WHERE expected IS NOT NULL GROUP BY ALL) GROUP BY ALL
    UNION ALL SELECT 'period', metric, NULL, period, {_SUMMED} FROM (
        SELECT metric, period, cluster, sum(n) AS n, sum(x) AS x, {_EXCESS} FROM clusters
        WHERE expected IS NOT NULL AND period IS NOT NULL GROUP BY ALL) GROUP BY ALL
    UNION ALL SELECT 'mix', metric, category, period, 0, sum(n), 0, 0, 0, 0, 0 FROM clusters
        WHERE expected IS NOT NULL AND period IS NOT NULL GROUP BY ALL"""  # noqa: S608 - our own names only


def observed(
    store: "Store", scope: Scope, policy: ThresholdPolicy, expected: Mapping[tuple[str, Metric], float]
) -> Observed:
    """Add up what a log says of a policy.

    Args:
        store: The open store.
        scope: The requests; its experiment does not matter.
        policy: The policy that is meant to be in force.
        expected: What it was expected to give, by category and metric.

    Raises:
        InsufficientDataError: No request is within the dates.
        NotIdentifiedError: Requests stand in several pairs of models.
    """
    scope = replace(scope, whole_log=True)
    with outcomes.requests(store, scope) as (cursor, sql, values):
        made = None if policy.created is None else policy.created.replace(tzinfo=None)
        kept = {**values, "kind": policy.policy_kind, "created": made}
        found = cursor.execute(_FACTS.format(sql=sql), kept).fetchone() or (0,) * 13
        undated = cursor.execute(_UNDATED.format(sql=f"{sql}"), values).fetchone() or (0,)
        rows, requests, units, first, last = found[:5]
        if not rows:
            raise InsufficientDataError("No request of this log is within the dates.")
        if rows > requests:
            raise NotIdentifiedError(
                "Some requests stand in several model pairs, so that what they cost cannot be told. "
                "Choose one pair."
            )
        names = [name for (name,) in cursor.execute(_NAMES.format(sql=sql), values).fetchall()]
        cursor.register("rules", _rules(policy, sorted(names), expected))
        days = 0 if first is None else (last - first).days
        period: Period = "week" if days > MOST_DAYS else "day"
        cluster = "unit" if units <= MOST_UNITS else f"(hash(unit) % {BUCKETS})::INT"
        totals = cursor.sql(
            _TOTALS.format(sql=sql, cluster=cluster), params={**values, "period": period}
        ).pl()
        decisions = cursor.sql(_DECISIONS.format(sql=sql), params=values).pl()
    return Observed(
        requests=rows,
        units=units,
        clustered=units < rows,
        first=first,
        last=last,
        undated=int(undated[0]),
        graded=found[5:8],
        routed=found[8:11],
        other_kind=found[11],
        earlier=found[12],
        period=period,
        decisions=decisions.sort("category", "reason", nulls_last=True),
        **_parts(totals),
    )


def departures(store: "Store", scope: Scope, policy: ThresholdPolicy, *, most: int = 200) -> pl.DataFrame:
    """The first requests whose logged decision is not the policy's, for a look at them.

    Returns:
        request_id, ts, category, confidence, threshold_in_force (null without one), logged_threshold, taken
        (whether it was escalated), reason (of ``REASONS``); by time.
    """
    with outcomes.requests(store, replace(scope, whole_log=True)) as (cursor, sql, values):
        names = [name for (name,) in cursor.execute(_NAMES.format(sql=sql), values).fetchall()]
        cursor.register("rules", _rules(policy, sorted(names), {}))
        rows: pl.DataFrame = cursor.sql(_DEPARTURES.format(sql=sql), params={**values, "most": most}).pl()
    return rows


def _rules(
    policy: ThresholdPolicy, names: list[str], expected: Mapping[tuple[str, Metric], float]
) -> pl.DataFrame:
    """What the policy does in each category of the log, and what it was expected to give there."""
    rows = [
        (
            name,
            name == UNCATEGORISED or name in policy.categories,
            *rule_of(policy, name),
            *(expected.get((name, metric)) for metric in METRICS),
        )
        for name in names
    ]
    return pl.DataFrame(
        rows,
        schema={
            "category": pl.String,
            "known": pl.Boolean,
            "route": pl.String,
            "threshold_in_force": pl.Float64,
            "on_missing": pl.String,
            **dict.fromkeys(METRICS, pl.Float64),
        },
        orient="row",
    )


def _parts(totals: pl.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"by_category": {}, "everything": {}, "matched": {}, "by_period": {}}
    mixes: dict[tuple[datetime, str], dict[str, float]] = {}
    rows = list(totals.sort("part", "metric", "name", "period").iter_rows(named=True))
    for row in rows:
        if row["part"] == "mix":
            mixes.setdefault((row["period"], row["metric"]), {})[row["name"]] = row["n"]
    for row in rows:
        total = Total(row["units"], *(float(row[key]) for key in ("n", "x", "r", "rr", "rn", "nn")))
        if row["part"] == "category":
            found["by_category"][row["name"], row["metric"]] = total
        elif row["part"] == "period":
            key = (row["period"], row["metric"])
            found["by_period"][key] = (total, mixes[key])
        elif row["part"] != "mix":
            found[row["part"]][row["metric"]] = total
    return found
