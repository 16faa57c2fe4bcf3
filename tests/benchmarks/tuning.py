"""Certificates and whole tunings from cells that were read, and what a move of the slider costs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from analytics.policy import Goal as Wanted
from analytics.tuning.certificate import certification
from analytics.tuning.curve import Curve, curve
from analytics.tuning.goals import tune
from analytics.tuning.log import Selection, select
from analytics.tuning.noninferiority import critical_value
from dashboard.candidates import candidates
from dashboard.charts import thresholds
from tests.benchmarks.curves import log_of
from tests.benchmarks.timing import Goal, Section, duration, interleaved
from tests.proofs.population import Logs, Population

PAIRS, CATEGORIES, VALUES = 12_000, 14, 20
COLD_S, CACHED_S, TUNING_S, SLIDER_S = 2.0, 0.05, 3.0, 0.15


def section(path: Path, *, rows: int, repeats: int) -> Section:
    """Measure one certificate, and tuning from the cells of a large log.

    Args:
        path: Decisions with both outcomes of every request.
        rows: How many there are.
        repeats: Rounds.
    """
    small = _small()
    wanted = Wanted(margin=0.01)
    critical_value.cache_clear()
    cold = _once(lambda: certification(small, wanted))
    log = log_of(path, rows=rows)
    first = _once(lambda: tune(select(log), wanted))
    pooled = curve(select(log))
    timings = interleaved(
        {
            f"certificate, {CATEGORIES} categories x {VALUES} values x 20 folds": lambda: certification(
                small, wanted
            ),
            "tuning of 20 categories": lambda: tune(select(log), wanted),
            "a move of the slider: candidates and figure": lambda: _moved(pooled),
        },
        repeats=repeats,
    )
    certified, tuned, moved = timings.values()
    return Section(
        title=f"Certificates and tuning: cells of {rows:,} requests",
        method=(
            f"One certificate from {PAIRS:,} pairs; tuning (certificates, pick, held-out figures, optimism) "
            f"from {log.cells.height:,} cells. Equality is not asserted here: tests and proofs do."
        ),
        timings=(certified, tuned, moved),
        goals=(
            Goal(
                f"one certificate, critical values not cached, in under {COLD_S:g} s",
                duration(cold),
                cold < COLD_S,
            ),
            Goal(
                "the same, cached, in under 50 ms",
                duration(certified.median),
                certified.median < CACHED_S,
            ),
            Goal(f"tuning in under {TUNING_S:g} s", duration(tuned.median), tuned.median < TUNING_S),
            Goal("a move of the slider in under 150 ms", duration(moved.median), moved.median < SLIDER_S),
        ),
        remarks=(f"The first tuning after loading also reads the latency bins: {duration(first)}.",),
    )


def _once(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _moved(pooled: Curve) -> str:
    """What the server does when the slider of the Thresholds page moves: no query, no tuning."""
    choices = candidates(pooled)
    figure = thresholds.panels(choices, chosen=len(choices) // 2, in_force=None, margin=0.01)
    return str(figure.to_json())


def _small() -> Selection:
    generator = np.random.default_rng(11)
    confidence = generator.integers(1, VALUES + 1, PAIRS) / VALUES
    strong = generator.random(PAIRS) < 0.85
    fast = np.where(generator.random(PAIRS) < 0.25 * (1.05 - confidence), ~strong, strong)
    drawn = Population(
        name="simulated",
        categories=tuple(f"category {place:02}" for place in range(CATEGORIES)),
        category=generator.integers(0, CATEGORIES, PAIRS),
        confidence=confidence,
        fast=fast.astype(np.int64),
        strong=strong.astype(np.int64),
    )
    return Logs().selection(drawn, generator)
