"""Alarms of "since the change" on simulated logs whose truth is known: false ones, and those that must come.

Beside them stands the naive alarm: the new figure lies outside the interval that the thresholds file states,
as if the new log had no uncertainty of its own and one question were asked.
"""

import math
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np

from analytics.export.observed import METRICS, Metric
from analytics.export.since import Since
from analytics.logs.store import Store
from tests.proofs.changes import HARDER, Traffic, simulated
from tests.soak.figures import Figure

CHANGES, CHUNK = 600, 20
POWERED = 100
ALPHA, LEAST_POWER = 0.05, 0.8

UNCHANGED = (
    Traffic("3,000 independent requests before and after", 3_000, 3_000),
    Traffic("400 users with 8 requests each on average before and after", 3_200, 3_200, 8.0, 0.7),
    Traffic("4,000 independent requests before, 600 after, a fifth graded", 4_000, 600, graded=0.2),
    Traffic("3,000 requests before, 3,000 after of another mix of categories", 3_000, 3_000, shares=HARDER),
)
INDEPENDENT = Traffic("8,000 independent requests before and after", 8_000, 8_000)
USERS = Traffic("1,600 users with 8 requests each on average before and after", 12_800, 12_800, 8.0, 0.7)
CHANGED: tuple[tuple[str, Metric, Traffic], ...] = tuple(
    (said, metric, replace(traffic, **change))
    for traffic, less_sure, wrong in ((INDEPENDENT, 0.131, 0.0376), (USERS, 0.156, 0.037))
    for said, metric, change in (
        ("5 points more are escalated", "escalation_rate", {"less_sure": less_sure}),
        ("every request costs 10% more", "cost_per_request_usd", {"dearer": 1.1}),
        ("3 points fewer answers are right", "accuracy", {"wrong": wrong}),
    )
)


def figures(count: int | None) -> Iterator[Figure]:
    """Every promise; ``count`` changes per setting instead of 600, and as many of 100."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for traffic in UNCHANGED:
            yield false_alarms(traffic, tallied(traffic, count or CHANGES, pool), count or CHANGES)
        for said, metric, traffic in CHANGED:
            made = min(count or POWERED, POWERED)
            tally = tallied(traffic, made, pool)
            yield Figure(
                f"{traffic.name}, {made:,} changes where {said}: alarms about it",
                f"at least {LEAST_POWER:.0%}",
                f"{tally[metric] / made:.1%}",
                tally[metric] >= LEAST_POWER * made,
            )


def false_alarms(traffic: Traffic, tally: Counter[str], made: int) -> Figure:
    """Alarms where nothing changed against what is promised."""
    most = ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / made)
    alone = ", ".join(f"{metric} {tally[f'{metric} alone'] / made:.1%}" for metric in METRICS)
    return Figure(
        f"{traffic.name}, {made:,} changes that changed nothing: false alarms",
        f"at most 5% and two errors of the simulation, {most:.1%}",
        f"{tally['alarm'] / made:.1%} (naive {tally['naive'] / made:.1%}); at 5% over all requests, one "
        f"question at a time: {alone}",
        tally["alarm"] <= most * made,
    )


def tallied(traffic: Traffic, made: int, pool: ProcessPoolExecutor | None = None) -> Counter[str]:
    """Changes by what was said of them: alarm, a metric's name, that metric alone over all, naive."""
    work = [(traffic, start, min(CHUNK, made - start)) for start in range(0, made, CHUNK)]
    parts = map(_tally, work) if pool is None else pool.map(_tally, work, chunksize=1)
    return sum(parts, Counter())


def _simulated(traffic: Traffic, generator: np.random.Generator, number: int) -> Iterator[Since]:
    with Store.open(None) as store:
        for _ in range(number):
            yield simulated(store, traffic, generator)


def _tally(work: tuple[Traffic, int, int]) -> Counter[str]:
    traffic, start, number = work
    generator = np.random.default_rng([zlib.crc32(repr(traffic).encode()), start])
    tally: Counter[str] = Counter()
    for found in _simulated(traffic, generator, number):
        tally["alarm"] += found.answer == "alarm"
        tally.update({entry.metric for entry in found.alarms})
        for entry in found.compared:
            if entry.category is None and entry.p_value is not None and entry.p_value < ALPHA:
                tally[f"{entry.metric} alone"] += 1
        tally["naive"] += any(
            entry.expected.low is not None
            and entry.expected.high is not None
            and entry.actual.value is not None
            and not entry.expected.low <= entry.actual.value <= entry.expected.high
            for entry in found.compared
        )
    return tally
