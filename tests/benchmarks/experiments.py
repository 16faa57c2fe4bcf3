"""Comparing the arms of an experiment on a large log, users with all their requests."""

import shutil
import time
from pathlib import Path

import numpy as np
import polars as pl

from analytics.experiments import latencies, outcomes
from analytics.experiments.assignment import assignment
from analytics.experiments.comparison import METRICS, Reading, comparison, control_of
from analytics.experiments.outcomes import Scope
from analytics.experiments.validity import Validity
from analytics.logs.schema import DECISIONS
from analytics.logs.store import Store
from tests.benchmarks.timing import Goal, Section, duration, interleaved

COMPARED_S = 3.0
PER_USER = 15
EXPERIMENT = "test"


def section(path: Path, folder: Path, *, rows: int, repeats: int) -> Section:
    """Measure a comparison of two arms by all metrics, in all and in 20 categories.

    Args:
        path: Decisions as ``workload.write_decisions`` writes them.
        folder: Where the store may be.
        rows: How many there are.
        repeats: Rounds.
    """
    with Store.open(folder / "experiments.duckdb") as store:
        _load(store, path)
        scope = Scope("bench", EXPERIMENT)
        assigned = assignment(store, scope)
        _assert_equal(store, scope, path)

        def compared() -> None:
            found = Reading(
                scope,
                assigned,
                outcomes.arm_moments(store, scope, unit=assigned.unit, units=assigned.units),
                latencies.counted(store, scope, assigned),
                Validity(None, {}, ()),
                control_of(list(assigned.assigned)),
            )
            comparison(store, found, treatment="treatment", routes=False)

        start = time.perf_counter()
        compared()
        cold = time.perf_counter() - start
        timings = interleaved(
            {
                f"all {len(METRICS)} metrics, 20 categories, by user": compared,
                "of that, moments": lambda: outcomes.arm_moments(
                    store, scope, unit=assigned.unit, units=assigned.units
                ),
                "of that, latencies": lambda: latencies.counted(store, scope, assigned),
                "who was assigned where": lambda: assignment(store, scope),
            },
            repeats=repeats,
        )
    first = next(iter(timings.values()))
    return Section(
        title=f"Experiments: {rows:,} requests of {assigned.units:,} users",
        method=(
            "Two arms by a hash of the user. Rows are aggregated in DuckDB; means equal those of Polars."
        ),
        timings=tuple(timings.values()),
        goals=(
            Goal(
                f"all metrics, clustered, in under {COMPARED_S:g} s",
                duration(first.median),
                first.median < COMPARED_S,
            ),
        ),
        remarks=(f"The first comparison of a process also imports tea-tasting: {duration(cold)}.",),
    )


def _load(store: Store, path: Path) -> None:
    staged = store.staging / path.name  # the only place from which a store reads
    shutil.copyfile(path, staged)
    columns = ", ".join(
        {
            "experiment": f"'{EXPERIMENT}' AS experiment",
            "arm": "CASE WHEN hash(unit) % 2 = 0 THEN 'control' ELSE 'treatment' END AS arm",
            "unit_id": "unit AS unit_id",
        }.get(column.name, column.name)
        for column in DECISIONS
    )
    with store.cursor() as cursor:
        cursor.execute(
            """INSERT INTO datasets (name, form, created, version, id)
            VALUES ('bench', 'decisions', now()::TIMESTAMP, 1, 7)"""
        )
        cursor.execute(
            f"""CREATE TABLE decisions_7 AS SELECT {columns} FROM (
                SELECT *, 'user-' || hash(request_id) % (count(*) OVER () // {PER_USER}) AS unit
                FROM read_parquet(?))""",
            [str(staged)],
        )


def _assert_equal(store: Store, scope: Scope, path: Path) -> None:
    moments = outcomes.arm_moments(store, scope, unit="request", units=0)
    with store.cursor() as cursor:
        frame = cursor.sql("SELECT arm, escalated, fast_correct, strong_correct FROM decisions_7").pl()
    served = pl.when("escalated").then("strong_correct").otherwise("fast_correct")
    means = dict(frame.group_by("arm").agg(served.mean()).iter_rows())
    for arm, mean in means.items():
        sums = moments[None, arm].sums
        assert np.isclose(sums["y"] / sums["k"], mean, rtol=1e-12), path
