"""The SELECTs of the parts on experiments: what assigned requests and users cost and got right, by arm.

Sums over users hold beside those of another source only if the two share no user, so a dataset that grows by
files does not keep these parts; they are made of its rows when a cells file is written.
"""

from collections.abc import Iterable

from analytics.experiments.moments import FEATURES, KNOWN, PRODUCTS
from analytics.experiments.outcomes import VALUES
from analytics.logs.schema import UNCATEGORISED

_COUNTED = tuple(dict.fromkeys(KNOWN.values()))
_GROUP = "experiment, arm, task_category"
_SUMMED = ", ".join(f"sum({name}) AS {name}" for name in FEATURES)

MOMENTS: dict[str, str] = {
    "units": "CAST(count(*) AS DOUBLE)",
    **{f"seen_{name}": f"CAST(count(CASE WHEN {name} > 0 THEN 1 END) AS DOUBLE)" for name in _COUNTED},
    **{name: f"sum({name})" for name in FEATURES},
    **{f"{one}_x_{two}": f"sum({one} * {two})" for one, two in PRODUCTS},
}
"""Name of a moment -> its SQL over units with the features of ``moments.FEATURES``."""
_LONG = """SELECT {group}, route, moment, CASE {cases} END AS total
    FROM {sums} AS sums CROSS JOIN ({names}) AS named"""


def _long(sums: str, moments: Iterable[str]) -> str:
    """One row per group and moment: the file has a column for their names, not one for each of them."""
    cases = " ".join(f"WHEN moment = '{name}' THEN {name}" for name in moments)
    names = " UNION ALL ".join(f"SELECT '{name}' AS moment" for name in moments)
    return _LONG.format(group=_GROUP, cases=cases, sums=sums, names=names)


def _summed(route: str, relation: str) -> str:
    columns = ", ".join(f"{text} AS {name}" for name, text in MOMENTS.items())
    return f"SELECT {_GROUP}, '{route}' AS route, {columns} FROM {relation} AS {route}s GROUP BY {_GROUP}"  # noqa: S608


# Users in several arms are left out where users were assigned; the mix of work has all.
ARMS = f"""WITH tiertune_arm_rows AS (
        SELECT experiment, arm, coalesce(task_category, '{UNCATEGORISED}') AS task_category, unit,
            {", ".join(f"CAST({text} AS DOUBLE) AS {name}" for name, text in VALUES.items())}
        FROM ({{served}}) AS served WHERE arm IS NOT NULL),
    tiertune_arm_units AS (SELECT {_GROUP}, unit, {_SUMMED} FROM tiertune_arm_rows GROUP BY {_GROUP}, unit),
    tiertune_arm_told AS (
        SELECT {_GROUP}, unit, {", ".join(FEATURES)}, sum(n) OVER (PARTITION BY experiment, arm, unit) AS m,
            min(arm) OVER (PARTITION BY experiment, unit) AS least,
            max(arm) OVER (PARTITION BY experiment, unit) AS most
        FROM tiertune_arm_units),
    tiertune_arm_single AS (
        SELECT {_GROUP}, unit, {", ".join(FEATURES)} FROM tiertune_arm_told WHERE least = most),
    tiertune_arm_whole AS (
        SELECT experiment, arm, CAST(NULL AS VARCHAR) AS task_category, unit, {_SUMMED}
        FROM tiertune_arm_single GROUP BY experiment, arm, unit),
    tiertune_arm_sized AS (
        SELECT experiment, arm, CAST(NULL AS VARCHAR) AS task_category, unit, max(m) AS m
        FROM tiertune_arm_told GROUP BY experiment, arm, unit),
    tiertune_arm_sums AS (
        {_summed("request", "tiertune_arm_rows")} UNION ALL {_summed("user", "tiertune_arm_single")}
        UNION ALL {_summed("whole", "tiertune_arm_whole")}),
    tiertune_arm_mix AS (
        SELECT {_GROUP}, 'mix' AS route, sum(n) AS n, sum(n * n) AS n_x_n, sum(n * m) AS n_x_m
        FROM tiertune_arm_told GROUP BY {_GROUP}),
    tiertune_arm_mixed AS (
        SELECT {_GROUP}, 'mix_whole' AS route, CAST(count(*) AS DOUBLE) AS units, sum(m * m) AS m_x_m
        FROM tiertune_arm_sized GROUP BY {_GROUP})
    {_long("tiertune_arm_sums", MOMENTS)} UNION ALL {_long("tiertune_arm_mix", ("n", "n_x_n", "n_x_m"))}
    UNION ALL {_long("tiertune_arm_mixed", ("units", "m_x_m"))}"""  # noqa: S608 - our own names only
# Requests without an arm are counted too: a source always says something here.
SIZES = """SELECT experiment, arm, count(*) AS n,
    count(DISTINCT CASE WHEN arm IS NOT NULL THEN request_id END) AS requests,
    count(DISTINCT CASE WHEN arm IS NOT NULL THEN unit END) AS units, min(ts) AS first_ts, max(ts) AS last_ts
    FROM (SELECT request_id, unit, ts, arm, CASE WHEN arm IS NOT NULL THEN experiment END AS experiment
        FROM ({served}) AS served) AS told GROUP BY experiment, arm"""
DAYS = """SELECT experiment, arm, day, count(*) AS n, min(ts) AS first_ts, max(ts) AS last_ts
    FROM (SELECT experiment, arm, ts, CAST(ts AS DATE) AS day FROM ({served}) AS served
        WHERE arm IS NOT NULL AND ts IS NOT NULL) AS timed GROUP BY experiment, arm, day"""
PAIRS = """SELECT experiment, arm, fast_model, strong_model, count(*) AS n, count(DISTINCT unit) AS units,
    min(ts) AS first_ts, max(ts) AS last_ts
    FROM ({served}) AS served WHERE arm IS NOT NULL AND fast_model IS NOT NULL
    GROUP BY experiment, arm, fast_model, strong_model"""
UNITS = """SELECT experiment, arm, unit_arms, unit_requests, count(*) AS units
    FROM (SELECT experiment, unit, CASE WHEN count(*) = 1 THEN min(arm) END AS arm, count(*) AS unit_arms,
            CAST(sum(n) AS BIGINT) AS unit_requests
        FROM (SELECT experiment, unit, arm, count(*) AS n FROM ({served}) AS served
            WHERE arm IS NOT NULL GROUP BY experiment, unit, arm) AS sized
        GROUP BY experiment, unit) AS found
    GROUP BY experiment, arm, unit_arms, unit_requests"""
