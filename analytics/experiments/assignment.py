"""Who was assigned to which arm: requests or users, how many, and how many to several arms at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from analytics.errors import InsufficientDataError, NotIdentifiedError
from analytics.experiments import outcomes
from analytics.experiments.from_cells import Sums
from analytics.experiments.outcomes import Scope, Unit

if TYPE_CHECKING:
    from analytics.logs.store import Store

_BY_REQUEST = 0.5
"""Share of the users that random assignment by request would put into several arms, from which it was so."""

_SIZED = "SELECT unit, arm, count(*) AS rows FROM ({sql}) WHERE within GROUP BY unit, arm"
_UNITS = f"""
    SELECT arms, rows, arm, count(*) AS units FROM (
        SELECT unit, count(*) AS arms, sum(rows)::BIGINT AS rows, any_value(arm) AS arm
        FROM ({_SIZED}) GROUP BY unit)
    GROUP BY ALL"""  # noqa: S608 - our own names only
_REQUESTS = """SELECT arm, count(*) AS rows, count(DISTINCT request_id) AS requests, min(ts) AS first,
    max(ts) AS last FROM ({sql}) WHERE within GROUP BY arm ORDER BY arm"""
_SHARED = f"SELECT unit FROM ({_SIZED}) GROUP BY unit HAVING count(*) > 1"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Assignment:
    """How the requests of an experiment were assigned.

    Attributes:
        unit: What was assigned: each request, or users with all their requests.
        assigned: Units by arm, those in several arms left out.
        requests: Requests by arm, those of users in several arms included.
        shared: Users with requests in several arms although users were assigned.
        shared_requests: Requests of these.
        left_out: Their names, column ``unit``.
        first: Of the experiment's requests, UTC; None without times.
        last: The same.
    """

    unit: Unit
    assigned: dict[str, int]
    requests: dict[str, int]
    shared: int = 0
    shared_requests: int = 0
    left_out: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"unit": pl.String}))
    first: datetime | None = None
    last: datetime | None = None

    @property
    def units(self) -> int:
        """Units in all arms together."""
        return sum(self.assigned.values())

    @property
    def noun(self) -> str:
        """What a unit is called."""
        return "requests" if self.unit == "request" else "users"


def assignment(store: "Store", scope: Scope, *, sums: Sums | None = None) -> Assignment:
    """How an experiment's requests were assigned.

    Users with several requests of which most are in several arms were not assigned as users: their requests
    were. Otherwise the few in several arms are left out of every comparison.

    Args:
        store: The open store.
        scope: The experiment.
        sums: What cells say of it, where rows cannot be reached.

    Raises:
        NotIdentifiedError: The log has no such experiment, or one arm only.
        InsufficientDataError: No request of it is left within the dates and categories.
    """
    if sums is not None:
        return _of_sums(store, scope, sums)
    with outcomes.requests(store, scope) as (cursor, sql, values):
        arms = cursor.sql(_REQUESTS.format(sql=sql), params=values).pl()
        _require_arms(store, scope, arms)
        sizes = cursor.sql(_UNITS.format(sql=sql), params=values).pl()
        rows = dict(arms.select("arm", "rows").iter_rows())
        found = _assigned(sizes, rows)
        left_out = pl.DataFrame(schema={"unit": pl.String})
        if found.shared:
            left_out = cursor.sql(_SHARED.format(sql=sql), params=values).pl()
    first, last = arms.select(pl.col("first").min(), pl.col("last").max()).row(0)
    return replace(found, left_out=left_out, first=first, last=last)


def _of_sums(store: "Store", scope: Scope, sums: Sums) -> Assignment:
    """The same from cells; who is left out is not known there, and left out of their moments already."""
    arms = sums.sizes.sort("arm").rename({"n": "rows", "first_ts": "first", "last_ts": "last"})
    _require_arms(store, scope, arms)
    sizes = sums.units.select(
        pl.col("unit_arms").alias("arms"), pl.col("unit_requests").alias("rows"), "arm", "units"
    )
    found = _assigned(sizes, dict(arms.select("arm", "rows").iter_rows()))
    first, last = arms.select(pl.col("first").min(), pl.col("last").max()).row(0)
    return replace(found, first=first, last=last)


def _require_arms(store: "Store", scope: Scope, arms: pl.DataFrame) -> None:
    if arms.is_empty():
        raise _nothing(store, scope)
    if arms.height == 1:
        raise NotIdentifiedError(
            f"An experiment compares two arms; this one has a single arm, {arms['arm'][0]}. "
            "Log the arm of every request, the control's too."
        )
    if (arms["rows"] > arms["requests"]).any():
        raise NotIdentifiedError(
            "Some requests stand in several model pairs, so that what they cost cannot be told. "
            "Choose one pair."
        )


def _assigned(sizes: pl.DataFrame, rows: Mapping[str, int]) -> Assignment:
    """Whether users were assigned or requests, from how many users have how many requests and arms."""
    several = sizes.filter(pl.col("rows") > 1)
    if several.is_empty():
        return Assignment("request", dict(rows), dict(rows))
    whole = sum(rows.values())
    expected = sum(
        units * (1 - sum((n / whole) ** size for n in rows.values()))
        for size, units in several.select("rows", "units").iter_rows()
    )
    crossed = sizes.filter(pl.col("arms") > 1)
    shared = int(crossed["units"].sum())
    if shared >= _BY_REQUEST * expected:
        return Assignment("request", dict(rows), dict(rows))
    single = sizes.filter(pl.col("arms") == 1).group_by("arm").agg(pl.col("units").sum())
    counted = dict(single.iter_rows())
    return Assignment(
        "unit",
        {arm: int(counted.get(arm, 0)) for arm in rows},
        dict(rows),
        shared,
        int((crossed["rows"] * crossed["units"]).sum()),
    )


def _nothing(store: "Store", scope: Scope) -> Exception:
    known = outcomes.arms(store, scope.dataset)
    if known.is_empty():
        return NotIdentifiedError(
            "This log has no experiment. Log two columns: experiment, its name, and arm, the arm that each "
            "request was assigned to."
        )
    mine = known.filter(pl.col("experiment").eq_missing(pl.lit(scope.experiment)))
    if mine.is_empty():
        names = ", ".join(sorted({name or "(without a name)" for name in known["experiment"]}))
        return NotIdentifiedError(f"There is no experiment {scope.experiment}. Experiments: {names}.")
    first, last = mine["first_ts"].min(), mine["last_ts"].max()
    ran = ""
    if isinstance(first, datetime) and isinstance(last, datetime):
        ran = f" It ran from {first:%d %b %Y} to {last:%d %b %Y}."
    return InsufficientDataError(
        f"No request of this experiment is left within the chosen dates, categories and models.{ran}"
    )
