"""Whether an experiment may be read at all: its sample ratio first, then what else makes arms differ.

References:
    Fabijan et al. (2019), KDD: diagnosing sample ratio mismatch in online controlled experiments.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from analytics.experiments import outcomes
from analytics.experiments.assignment import Assignment
from analytics.experiments.changes import (
    LEAST_GAP,
    Finding,
    model_rows,
    models,
    period_rows,
    periods,
    prices,
)
from analytics.experiments.effects import ratio_error
from analytics.experiments.from_cells import Sums
from analytics.experiments.moments import Moments
from analytics.experiments.outcomes import BUCKETS, MOST_UNITS, Scope
from analytics.measure.multiplicity import holm

if TYPE_CHECKING:
    from analytics.logs.store import Store

SRM_LIMIT = 0.0005
"""P-value of the sample ratio below which nothing is read from the arms."""
LIMIT = 0.001
"""Adjusted p-value below which a difference between arms that should not be there is said."""
_SUMS_ONLY = Finding(
    "sums",
    "Only sums of this log are here",
    "All requests are compared, also where arms differ in thresholds only. The slow end of latencies, "
    "effects over time and intervals that hold at every look, adjusting for what users did before, and "
    "changes of prices need the log.",
)


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether an experiment may be read.

    Attributes:
        srm_p_value: Of the assigned units against the planned split; None where an arm is empty.
        planned: Planned share of each arm.
        findings: What was found, blocking ones first.
    """

    srm_p_value: float | None
    planned: dict[str, float]
    findings: tuple[Finding, ...]

    @property
    def readable(self) -> bool:
        """Whether effects may be read."""
        return not any(finding.blocks for finding in self.findings)


def validity(
    store: "Store",
    scope: Scope,
    assigned: Assignment,
    moments: Mapping[tuple[str | None, str], Moments],
    *,
    split: Mapping[str, float] | None = None,
    sums: Sums | None = None,
) -> Validity:
    """What speaks against reading an experiment.

    Args:
        store: The open store.
        scope: The experiment.
        assigned: How its requests were assigned.
        moments: Of every arm, by category and in all.
        split: Planned share of each arm, positive, in any scale; None for equal shares.
        sums: What cells say of the experiment, where rows cannot be reached.
    """
    planned = shares(list(assigned.assigned), split)
    p_value, findings = _ratio(assigned, planned)
    findings += _shared(assigned)
    findings += _mix(*(_mix_sums(store, scope, assigned) if sums is None else sums.mix(assigned.unit)))
    findings += _grades(moments)
    findings += periods(period_rows(store, scope) if sums is None else sums.periods())
    findings += models(model_rows(store, scope) if sums is None else sums.models())
    findings += prices(store, scope) if sums is None else [_SUMS_ONLY]
    return Validity(p_value, planned, tuple(sorted(findings, key=lambda item: not item.blocks)))


def shares(arms: Sequence[str], split: Mapping[str, float] | None) -> dict[str, float]:
    """Shares that add to 1.

    Raises:
        ValueError: The split does not name every arm with a positive number.
    """
    given = dict.fromkeys(arms, 1.0) if split is None else dict(split)
    if set(given) != set(arms) or any(not value > 0 or not math.isfinite(value) for value in given.values()):
        raise ValueError(f"A split needs one positive number for each arm: {', '.join(arms)}")
    whole = sum(given.values())
    return {arm: given[arm] / whole for arm in arms}


def srm_p_value(assigned: Mapping[str, int], planned: Mapping[str, float]) -> float:
    """Chi-square p-value that assigned units follow the planned split."""
    from scipy.stats import chisquare  # noqa: PLC0415 - off the page path

    whole = sum(assigned.values())
    return float(chisquare([*assigned.values()], [planned[arm] * whole for arm in assigned]).pvalue)


def _ratio(assigned: Assignment, planned: Mapping[str, float]) -> tuple[float | None, list[Finding]]:
    counts = assigned.assigned
    empty = [arm for arm, count in counts.items() if not count]
    if empty:
        body = "Nothing can be compared with an empty arm. Check how users are assigned and what is logged."
        return None, [Finding("ratio", f"No user is in {empty[0]} alone", body, blocks=True)]
    p_value = srm_p_value(counts, planned)
    if p_value >= SRM_LIMIT:
        return p_value, []
    seen = " to ".join(f"{count:,}" for count in counts.values())
    wanted = " to ".join(f"{planned[arm] * assigned.units:,.0f}" for arm in counts)
    body = (
        f"{', '.join(counts)}: {seen} {assigned.noun} were assigned where the split asks for {wanted} "
        f"(p {_small(p_value)}). Something loses {assigned.noun} of one arm, and those lost are rarely like "
        "the rest, so no effect is shown. Look for arms that fail, are retried or are logged differently. "
        "If the split was planned that way, state it."
    )
    return p_value, [Finding("ratio", "The arms are not of the planned size", body, blocks=True)]


def _shared(assigned: Assignment) -> list[Finding]:
    if not assigned.shared:
        return []
    share = assigned.shared_requests / sum(assigned.requests.values())
    body = (
        f"Their {assigned.shared_requests:,} requests ({share:.1%}) are left out of every comparison, since "
        "it is not known which arm they answer to. Assign by a hash of the user so that this cannot happen."
    )
    who = "1 user has" if assigned.shared == 1 else f"{assigned.shared:,} users have"
    return [Finding("shared", f"{who} requests in several arms", body)]


_MIX = """
    WITH c AS (
        SELECT arm, coalesce(task_category, $uncategorised) AS category, {cluster} AS cluster, count(*) AS n
        FROM ({sql}) WHERE within GROUP BY ALL),
    u AS (SELECT arm, cluster, sum(n) AS m FROM c GROUP BY ALL)
    SELECT arm, category, sum(n)::DOUBLE AS n, sum(n * n)::DOUBLE AS nn, sum(n * m)::DOUBLE AS nm
    FROM c JOIN u USING (arm, cluster) GROUP BY ALL"""
_SIZES = """
    SELECT arm, count(*) AS units, sum(m * m)::DOUBLE AS mm FROM (
        SELECT arm, {cluster} AS cluster, count(*) AS m FROM ({sql}) WHERE within GROUP BY ALL)
    GROUP BY arm"""


def _mix_sums(store: "Store", scope: Scope, assigned: Assignment) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Requests of categories by arm, and sizes of arms, with their sums of squares over what was assigned."""
    cluster = "unit"
    if assigned.unit == "request":
        cluster = "request_id"
    elif assigned.units > MOST_UNITS:
        cluster = f"hash(unit) % {BUCKETS}"
    with outcomes.requests(store, scope) as (cursor, sql, values):
        if assigned.unit == "request":
            counts = cursor.sql(
                "SELECT arm, coalesce(task_category, $uncategorised) AS category, count(*)::DOUBLE AS n "  # noqa: S608
                f"FROM ({sql}) WHERE within GROUP BY ALL",
                params=values,
            ).pl()
            counts = counts.with_columns(nn=pl.col("n"), nm=pl.col("n"))
            sizes = counts.group_by("arm").agg(pl.col("n").sum().alias("mm"))
            sizes = sizes.with_columns(pl.col("mm").alias("units"))
        else:
            counts = cursor.sql(_MIX.format(cluster=cluster, sql=sql), params=values).pl()
            sizes = cursor.sql(_SIZES.format(cluster=cluster, sql=sql), params=values).pl()
    return counts, sizes


def _mix(counts: pl.DataFrame, sizes: pl.DataFrame) -> list[Finding]:
    """Categories that are a larger part of one arm than of another; they are known before any arm acts."""
    whole = counts.group_by("arm").agg(pl.col("n").sum().alias("whole"))
    table = counts.join(whole, on="arm").join(sizes, on="arm")
    share = pl.col("n") / pl.col("whole")
    squares = pl.col("nn") - 2 * share * pl.col("nm") + share**2 * pl.col("mm")
    correction = pl.col("units") / (pl.col("units") - 1)
    table = table.filter(pl.col("units") > 1).with_columns(
        share.alias("share"), (squares.clip(0) * correction / pl.col("whole") ** 2).alias("variance")
    )
    asked = _pairs(table)
    adjusted = holm([p for *_, p in asked])
    worst = min(
        (
            (p, entry)
            for p, entry in zip(adjusted, asked, strict=True)
            if p is not None and p < LIMIT and abs(entry[3] - entry[4]) >= LEAST_GAP
        ),
        key=lambda item: item[0],
        default=None,
    )
    if worst is None:
        return []
    p, (category, one, two, first, second, _) = worst
    body = (
        f"{category} is {first:.1%} of the requests of {one} and {second:.1%} of those of {two} "
        f"(p {_small(p)}). Compare category by category, and find out why the arms are sent different work."
    )
    return [Finding("mix", "The arms are not sent the same mix of work", body)]


def _pairs(table: pl.DataFrame) -> list[tuple[str, str, str, float, float, float | None]]:
    """Each category's share in the first arm against each other arm, with its p-value."""
    found = []
    arms = sorted(set(table["arm"]))
    rows = {(row["category"], row["arm"]): row for row in table.iter_rows(named=True)}
    units = dict(table.select("arm", "units").iter_rows())
    for category in sorted(set(table["category"])):
        one = rows.get((category, arms[0])) if arms else None
        for arm in arms[1:]:
            two = rows.get((category, arm))
            first, second = (0.0 if row is None else row["share"] for row in (one, two))
            variance = sum(row["variance"] for row in (one, two) if row is not None)
            if variance == 0:  # all or nothing in both arms: what it would be with one share
                pooled = (first + second) / 2
                variance = pooled * (1 - pooled) * (1 / units[arms[0]] + 1 / units[arm])
            p = math.erfc(abs(first - second) / math.sqrt(2 * variance)) if variance > 0 else None
            found.append((category, arms[0], arm, first, second, p))
    return found


def _grades(moments: Mapping[tuple[str | None, str], Moments]) -> list[Finding]:
    """Arms whose answers are not graded equally often."""
    arms = {arm: part for (category, arm), part in moments.items() if category is None and part.units > 1}
    names = list(arms)
    graded = {arm: part.sums["k"] / part.sums["n"] for arm, part in arms.items()}
    for arm in names[1:]:
        gap = graded[arm] - graded[names[0]]
        error = math.hypot(*(ratio_error(arms[name], "k", "n") for name in (names[0], arm)))
        if abs(gap) >= LEAST_GAP and (error == 0 or math.erfc(abs(gap) / error / math.sqrt(2)) < LIMIT):
            body = (
                f"{graded[names[0]]:.1%} of the answers of {names[0]} are graded and {graded[arm]:.1%} of "
                f"those of {arm}. If hard answers go ungraded more often in one arm, accuracy is compared "
                "between different work. Grade a random sample of both."
            )
            return [Finding("grades", "One arm is graded more often", body)]
    return []


def _small(p: float) -> str:
    return f"{p:.1g}" if p >= 1e-6 else "below 1e-6"  # noqa: PLR2004 - smaller ones say no more
