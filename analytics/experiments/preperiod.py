"""CUPED: what users did before the experiment takes noise out of what they do in it.

References:
    Deng, Xu, Kohavi & Walker (2013), WSDM: variance reduction by pre-experiment data.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from analytics.estimate import LEVEL, Estimate
from analytics.experiments import outcomes
from analytics.experiments.assignment import Assignment
from analytics.experiments.effects import ROUNDING
from analytics.experiments.outcomes import BUCKETS, MOST_UNITS, Scope

if TYPE_CHECKING:
    from tea_tasting.aggr import Aggregates

    from analytics.logs.store import Store

LEAST_SEEN = 0.1
"""Share of the experiment's users that must have been there before."""
BLOCKS: dict[str, tuple[str, str]] = {
    "accuracy": ("y", "k"),
    "cost_usd": ("c", "cn"),
    "latency_s": ("l", "ln"),
}
_NAMES = [name for pair in BLOCKS.values() for name in pair]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An effect adjusted for what the same users did before.

    Attributes:
        metric: Name of the metric.
        effect: Treatment minus control, adjusted.
        p_value: Two-sided.
        variance_ratio: Variance of the adjusted effect divided by that of the plain one.
        seen: Users of both arms with requests before the experiment.
        users: Users of both arms.
    """

    metric: str
    effect: Estimate
    p_value: float
    variance_ratio: float
    seen: int
    users: int


_EARLIER = "FROM ({sql}) WHERE arm IS NULL AND ts < $starts"


def _statement(cluster: str, *, left_out: bool) -> str:
    values = ", ".join(f"{outcomes.VALUES[name]} AS {name}" for name in _NAMES)
    sums = ", ".join(
        f"sum({name}) FILTER (now)::DOUBLE AS {name}, "
        f"coalesce(sum({name}) FILTER (NOT now), 0)::DOUBLE AS p{name}"
        for name in _NAMES
    )
    blocks = [
        pair
        for above, below in BLOCKS.values()
        for pair in combinations_with_replacement((above, below, f"p{above}", f"p{below}"), 2)
    ]
    columns = [*_NAMES, *(f"p{name}" for name in _NAMES)]
    outer = ", ".join(
        [
            "count(*) AS units",
            "sum(before)::BIGINT AS seen",
            *(f"sum({name}) AS {name}" for name in columns),
            *(f"sum({one} * {two}) AS {one}_x_{two}" for one, two in blocks),
        ]
    )
    kept = "AND unit NOT IN (SELECT unit FROM left_out)" if left_out else ""
    return f"""
        WITH r AS (
            SELECT unit, arm, within, ts, {values} FROM ({{sql}})
            WHERE (within OR (arm IS NULL AND ts < $starts)) {kept}),
        u AS (
            SELECT unit, max(arm) FILTER (within) AS arm, {sums},
                (count(*) FILTER (NOT now) > 0)::INT AS before
            FROM (SELECT *, within AS now FROM r) GROUP BY unit HAVING count(*) FILTER (now) > 0),
        g AS (
            SELECT arm, {cluster} AS cluster, sum(before) AS before,
                {", ".join(f"sum({name}) AS {name}" for name in columns)}
            FROM u GROUP BY ALL)
        SELECT arm, {outer} FROM g GROUP BY arm"""  # noqa: S608 - our own names only


def adjusted(
    store: "Store",
    scope: Scope,
    assigned: Assignment,
    *,
    control: str,
    treatment: str,
    level: float = LEVEL,
) -> dict[str, Adjusted]:
    """Adjusted effects on accuracy, cost and latency; empty where nothing was logged of these users before.

    Only requests without an arm, from before the experiment's first, count as before: no arm can have
    changed them.
    """
    if assigned.unit == "request" or assigned.first is None:
        return {}
    cluster = "unit" if assigned.units <= MOST_UNITS else f"hash(unit) % {BUCKETS}"
    with outcomes.requests(store, scope) as (cursor, sql, values):
        if assigned.left_out.height:
            cursor.register("left_out", assigned.left_out)
        starts = {**values, "starts": assigned.first}
        if not cursor.sql(f"SELECT count(*) {_EARLIER.format(sql=sql)}", params=starts).fetchall()[0][0]:
            return {}
        statement = _statement(cluster, left_out=bool(assigned.left_out.height)).format(sql=sql)
        rows = cursor.sql(statement, params=starts).pl()
    arms = {row["arm"]: row for row in rows.iter_rows(named=True)}
    if control not in arms or treatment not in arms:
        return {}
    both = [arms[control], arms[treatment]]
    seen = sum(row["seen"] for row in both)
    users = assigned.assigned[control] + assigned.assigned[treatment]
    if seen < LEAST_SEEN * users or min(row["units"] for row in both) < 3:  # noqa: PLR2004 - a covariance needs them
        return {}
    found = {}
    for metric, names in BLOCKS.items():
        entry = _adjusted(names, both, level=level)
        if entry is not None:
            found[metric] = Adjusted(metric, *entry, seen, users)
    return found


def _adjusted(
    names: tuple[str, str], both: list[dict[str, Any]], *, level: float
) -> tuple[Estimate, float, float] | None:
    above, below = names
    covariates = (f"p{above}", f"p{below}")
    if any(row[below] <= 0 or row[covariates[1]] <= 0 for row in both):
        return None
    if not any(_varies(row, above, below) for row in both):
        return None
    control, treatment = (_aggregates(row, (*names, *covariates)) for row in both)
    if _explained(control + treatment, names, covariates):
        return None
    plain, better = (_analysed(control, treatment, names, extra, level=level) for extra in ((), covariates))
    spread = [item.effect_size_ci_upper - item.effect_size_ci_lower for item in (plain, better)]
    if not spread[0] > 0:
        return None
    estimate = Estimate(
        better.effect_size,
        better.effect_size_ci_lower,
        better.effect_size_ci_upper,
        round(sum(row[below] for row in both)),
        "CUPED, delta method over users, Welch's t",
        level,
    )
    return estimate, float(better.pvalue), (spread[1] / spread[0]) ** 2


def _varies(row: dict[str, Any], above: str, below: str) -> bool:
    """Whether a ratio differs between the users of an arm by more than rounding."""
    ratio = row[above] / row[below]
    whole = row[f"{above}_x_{above}"] + ratio**2 * row[f"{below}_x_{below}"]
    return bool(whole - 2 * ratio * row[f"{above}_x_{below}"] > ROUNDING * whole)


def _explained(users: "Aggregates", names: tuple[str, str], covariates: tuple[str, str]) -> bool:
    """Whether the history tells a metric but for rounding, so that nothing is left to test with."""
    both = users.ratio_var(*names) * users.ratio_var(*covariates)
    return bool(both > 0 and users.ratio_cov(*names, *covariates) ** 2 >= (1 - ROUNDING) * both)


def _analysed(
    control: "Aggregates",
    treatment: "Aggregates",
    names: tuple[str, str],
    covariates: tuple[str, ...],
    *,
    level: float,
) -> Any:
    from tea_tasting.metrics import RatioOfMeans  # noqa: PLC0415 - seconds to import, kept off the page path

    metric = RatioOfMeans(
        *names, *covariates, alternative="two-sided", confidence_level=level, equal_var=False, use_t=True
    )
    return metric.analyze_aggregates(control, treatment)


def _aggregates(row: dict[str, Any], names: tuple[str, ...]) -> "Aggregates":
    from tea_tasting.aggr import Aggregates  # noqa: PLC0415 - seconds to import, kept off the page path

    units = row["units"]

    def covariance(one: str, two: str) -> float:
        return float((row[f"{one}_x_{two}"] - row[one] * row[two] / units) / (units - 1))

    return Aggregates(
        count_=units,
        mean_={name: row[name] / units for name in names},
        var_={name: max(covariance(name, name), 0.0) for name in names},
        cov_={
            (one, two): covariance(one, two) for place, one in enumerate(names) for two in names[place + 1 :]
        },
    )
