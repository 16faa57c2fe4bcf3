"""An experiment read from cells alone, where no row can be reached.

Cells have the moments of every arm over requests and over users, all models together. Users are known again
within a source only, so sources must not share any.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from analytics.collapse.log import arms_kept, made_before, part
from analytics.collapse.parts import PartName
from analytics.errors import NotIdentifiedError
from analytics.experiments.moments import FEATURES, KNOWN, PRODUCTS, Moments
from analytics.logs.storage import tables
from analytics.logs.storage.tables import Kept

if TYPE_CHECKING:
    from analytics.experiments.outcomes import Scope, Unit
    from analytics.logs.store import Store


@dataclass(frozen=True, slots=True)
class Sums:
    """The parts of a dataset's cells that are about one experiment.

    Attributes:
        moments: experiment, arm, task_category, route, moment, total.
        sizes: arm, n, requests, units, first_ts, last_ts.
        days: arm, day, n, first_ts, last_ts.
        pairs: arm, fast_model, strong_model, n, units, first_ts, last_ts.
        units: arm (null in several), unit_arms, unit_requests, units.
        last: Time of the log's last request, UTC; None without times.
    """

    moments: pl.DataFrame
    sizes: pl.DataFrame
    days: pl.DataFrame
    pairs: pl.DataFrame
    units: pl.DataFrame
    last: datetime | None

    def arm_moments(self, unit: "Unit") -> dict[tuple[str | None, str], Moments]:
        """Moments of every arm over what was assigned, by category and, under None, in all."""
        routes = ["request"] if unit == "request" else ["user", "whole"]
        found = {
            (category, arm): _moments(dict(rows.select("moment", "total").iter_rows()))
            for (category, arm), rows in sorted(
                self.moments.filter(pl.col("route").is_in(routes))
                .partition_by("task_category", "arm", as_dict=True)
                .items(),
                key=lambda item: (item[0][1], item[0][0] is None, item[0][0] or ""),
            )
        }
        if unit == "request":
            for (_, arm), rows in list(found.items()):
                found[None, arm] = found[None, arm] + rows if (None, arm) in found else rows
        return found

    def mix(self, unit: "Unit") -> tuple[pl.DataFrame, pl.DataFrame]:
        """Requests of categories by arm, as ``validity`` compares them: (arm, category, ...), (arm, ...)."""
        if unit == "request":
            counts = self._wide("request", ["n"]).with_columns(nn=pl.col("n"), nm=pl.col("n"))
            sizes = counts.group_by("arm").agg(pl.col("n").sum().alias("mm"))
            sizes = sizes.with_columns(pl.col("mm").alias("units"))
        else:
            counts = self._wide("mix", ["n", "n_x_n", "n_x_m"]).rename({"n_x_n": "nn", "n_x_m": "nm"})
            sizes = self._wide("mix_whole", ["units", "m_x_m"]).rename({"m_x_m": "mm"}).drop("category")
        return counts, sizes

    def _wide(self, route: str, names: list[str]) -> pl.DataFrame:
        rows = self.moments.filter(pl.col("route") == route, pl.col("moment").is_in(names))
        return rows.group_by("arm", pl.col("task_category").alias("category")).agg(
            pl.col("total").filter(pl.col("moment") == name).sum().alias(name) for name in names
        )

    def periods(self) -> list[tuple[str, datetime, datetime, float]]:
        """Arm, first and last time, and the share of its requests in the period that all arms share.

        Within a first or last day requests are taken as evenly spread between its own first and last.
        """
        if self.days.is_empty():
            return []
        spans = self.days.group_by("arm").agg(
            pl.col("first_ts").min().alias("first"), pl.col("last_ts").max().alias("last"), pl.col("n").sum()
        )
        begin, end = spans["first"].max(), spans["last"].min()
        within = dict.fromkeys(spans["arm"], 0.0)
        for arm, n, first, last in self.days.select("arm", "n", "first_ts", "last_ts").iter_rows():
            within[arm] += n * _overlap(first, last, begin, end)
        rows = spans.sort("first", "arm").select("arm", "first", "last", "n").iter_rows()
        return [(arm, first, last, within[arm] / n) for arm, first, last, n in rows]

    def models(self) -> pl.DataFrame:
        """Pairs of models by arm: arm, fast_model, strong_model, n, units, first, last."""
        return self.pairs.rename({"first_ts": "first", "last_ts": "last"})


def sums(store: "Store", scope: "Scope") -> Sums | None:
    """An experiment's sums where only cells of the log can be reached; None where its rows can.

    Raises:
        RowsElsewhereError: Its folder is gone or was changed.
        NotIdentifiedError: The cells were made without arms, or some of them only are asked for.
    """
    with store.cursor() as cursor:
        kept = _cells_alone(cursor, scope.dataset)
        if kept is None:
            return None
        everything = set(part(cursor, kept, "arms").filter(pl.col("route") == "request")["task_category"])
        pairs = part(cursor, kept, "arm_pairs").select("fast_model", "strong_model")
        others = pairs.filter(
            (pl.lit(scope.fast) != pl.col("fast_model")) | (pl.lit(scope.strong) != pl.col("strong_model"))
        )
        some = scope.categories is not None and not everything <= set(scope.categories)
        if some or others.height or scope.since is not None or scope.until is not None or scope.whole_log:
            raise NotIdentifiedError(
                "Cells compare the arms over all categories, models and dates together. Take the filters "
                "away (categories stand side by side in the comparison), or ask where the log is."
            )

        def mine(name: PartName) -> pl.DataFrame:
            rows = part(cursor, kept, name)
            same = pl.col("experiment").eq_missing(pl.lit(scope.experiment, pl.String))
            return rows.filter(same & (pl.col("arm").is_not_null() | pl.lit(name == "arm_units")))

        return Sums(
            mine("arms"), mine("arm_sizes"), mine("arm_days"), mine("arm_pairs"), mine("arm_units"),
            part(cursor, kept, "log").row(0, named=True)["last_ts"],
        )  # fmt: skip


def arms(cursor: duckdb.DuckDBPyConnection, dataset: str) -> pl.DataFrame | None:
    """The arms of every experiment, as ``outcomes.arms`` has them; None where rows can be reached.

    Requests of which the log has shadow calls only do not count here.
    """
    kept = _cells_alone(cursor, dataset)
    if kept is None:
        return None
    found = part(cursor, kept, "arm_sizes").filter(pl.col("arm").is_not_null())
    latest = pl.col("last_ts").max().over("experiment")
    return found.sort(
        latest, "experiment", "arm", descending=[True, False, False], nulls_last=True, maintain_order=True
    ).select("experiment", "arm", "requests", "units", "first_ts", "last_ts")


def _cells_alone(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Kept | None:
    """The cells of a dataset that has nothing else, which must have the parts on arms."""
    kept = tables.cells_alone(cursor, dataset)
    if kept is not None and not arms_kept(cursor, kept):
        raise made_before("say nothing of experiments")
    return kept


def _moments(total: dict[str, float]) -> Moments:
    return Moments(
        round(total["units"]),
        {name: round(total[f"seen_{name}"]) for name in dict.fromkeys(KNOWN.values())},
        {name: total[name] for name in FEATURES},
        {(one, two): total[f"{one}_x_{two}"] for one, two in PRODUCTS},
    )


def _overlap(first: datetime, last: datetime, begin: Any, end: Any) -> float:
    """Share of a stretch of time that lies within another."""
    if first == last:
        return float(begin <= first <= end)
    return max(float((min(last, end) - max(first, begin)) / (last - first)), 0.0)
