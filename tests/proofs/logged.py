"""Simulated requests as rows of a log, for parts of the product that read them with SQL of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import duckdb
import numpy as np
import polars as pl

from analytics.estimate import Floats
from analytics.experiments import outcomes
from analytics.experiments.assignment import Assignment
from analytics.experiments.latencies import Counted, counted
from analytics.experiments.outcomes import Scope
from analytics.logs.schema import UNCATEGORISED
from tests.proofs.traffic import Drawn, Setting

if TYPE_CHECKING:
    from analytics.logs.store import Store

CONTROL, TREATMENT = "control", "treatment"
SCOPE = Scope("drawn", None)
STORE = cast("Store", None)
"""Nothing is read from a store while ``served`` stands in for it."""
_START = datetime(2026, 1, 5, 12)  # noqa: DTZ001 - a log's own UTC
# Every value that is handed over must be asked for.
_SQL = "SELECT *, NULL::VARCHAR AS task_category, true AS within, $uncategorised AS unnamed FROM drawn"


def assigned(setting: Setting, days: int = 1) -> Assignment:
    """How the requests of both arms were assigned."""
    sizes = {CONTROL: setting.units, TREATMENT: setting.units}
    return Assignment(setting.unit, sizes, sizes, first=_START, last=_START + timedelta(days=days))


def rows(control: Drawn, treatment: Drawn, days: tuple[Floats, Floats] | None = None) -> list[pl.DataFrame]:
    """The requests of each experiment: arm, unit, request_id, ts, correct, cost, latency, taken."""
    arms = [
        _rows(arm, name, None if days is None else days[place])
        for place, (name, arm) in enumerate(((CONTROL, control), (TREATMENT, treatment)))
    ]
    return [pl.concat(parts) for parts in zip(*arms, strict=True)]


def _rows(arm: Drawn, name: str, day: Floats | None) -> list[pl.DataFrame]:
    moments = np.zeros(arm.user.size) if day is None else day
    whole = pl.DataFrame(
        {
            "unit": arm.user,
            "ts": np.datetime64(_START) + moments.astype("timedelta64[D]"),
            "correct": np.where(arm.rows["k"] > 0, arm.rows["y"], np.nan),
            "cost": arm.rows["c"],
            "latency": arm.rows["l"],
            "taken": arm.rows["e"] > 0,
        },
        nan_to_null=True,
    ).with_columns(
        pl.lit(name).alias("arm"),
        pl.format("{}{}", pl.lit(name), "unit").alias("unit"),
        pl.format("{}{}", pl.lit(name), pl.int_range(pl.len())).alias("request_id"),
    )
    sizes = np.diff(arm.first, append=arm.user.size)
    return [whole.slice(start, size) for start, size in zip(arm.first.tolist(), sizes.tolist(), strict=True)]


@contextmanager
def served(connection: duckdb.DuckDBPyConnection, drawn: pl.DataFrame) -> Iterator[None]:
    """Let the product's SQL read these requests in place of a store's."""

    @contextmanager
    def requests(
        _store: Any, _scope: Scope
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, dict[str, str]]]:
        yield connection, _SQL, {"uncategorised": UNCATEGORISED}

    connection.register("drawn", drawn.to_arrow())
    with patch.object(outcomes, "requests", requests):
        yield


def slow(control: Drawn, treatment: Drawn, setting: Setting) -> list[tuple[Counted, Counted]]:
    """Latencies of both arms of each experiment."""
    if setting.unit == "request":
        plain = [
            [Counted(np.sort(part), np.ones(part.size)) for part in arm.latencies()]
            for arm in (control, treatment)
        ]
        return list(zip(*plain, strict=True))
    found = []
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for drawn in rows(control, treatment):
            with served(connection, drawn):
                by_arm = counted(STORE, SCOPE, assigned(setting))
            found.append((by_arm[None, CONTROL], by_arm[None, TREATMENT]))
    return found
