"""How often intervals and bounds hold the truth, in each way that a log can have been observed.

Requests are drawn from a population whose accuracy and cost at every threshold are known by arithmetic;
what the log then holds of them is what the regime lets it hold. Logs go through the product's own SQL.
"""

import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import duckdb
import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Floats
from analytics.logs.schema import DECISIONS, FOLDS
from analytics.logs.storage.facts import Facts
from analytics.tuning.bounds import dearest
from analytics.tuning.cells import cells
from analytics.tuning.curve import curve
from analytics.tuning.latency import latency_cells
from analytics.tuning.log import Log, Selection, select
from tests.soak.figures import Figure

LOGS, SIZE, CHUNK = 1_000, 2_000, 25
LEAST_COVERED, MOST_COVERED, LEAST_BOUNDED = 0.93, 0.97, 0.95
CHANCE_ERRORS = 3.0
IN_FORCE = 0.6

LEVELS = np.arange(4, 21) / 20
SHARES = np.append(LEVELS**1.5, 0.6)
"""How frequent each confidence is; the last share is of requests without one."""
FAST = np.append(LEVELS * 0.9, 0.5)
HARD = np.append(0.55 + 0.3 * LEVELS, 0.6)
"""How often the strong answer is right where the fast one is wrong; where that is right, 19 times of 20."""
FAST_USD, STRONG_USD, SPREAD = 0.001, 0.02, 0.5

REGIMES = {
    "replay": "both answers of every request",
    "cascade": "a cascade's escalated requests have both answers",
    "shadow share": "the same, and one in five kept requests has a shadow answer",
    "exploration": "the same without shadows, one in ten requests from 0.6 to 0.85 escalated at random",
    "randomised": "one answer per request, escalated at random more often where confidence is low",
    "one answer": "one answer per request by a fixed threshold",
    "strong never worse": "a cascade in which no fast answer is better than the strong one",
    "ungraded": "a replay without grades",
}


@dataclass
class Tally:
    """Logs and how many of their intervals held the truth, by kind of figure and threshold."""

    seen: dict[tuple[str, int], int] = field(default_factory=dict)
    held: dict[tuple[str, int], int] = field(default_factory=dict)

    def count(self, kind: str, place: int, low: float, high: float, truth: float) -> None:
        """Count one interval."""
        self.seen[kind, place] = self.seen.get((kind, place), 0) + 1
        self.held[kind, place] = self.held.get((kind, place), 0) + (low - 1e-12 <= truth <= high + 1e-12)

    def add(self, other: "Tally") -> None:
        """Count the intervals of other logs as well."""
        for mine, theirs in ((self.seen, other.seen), (self.held, other.held)):
            for key, number in theirs.items():
                mine[key] = mine.get(key, 0) + number


def figures(count: int | None) -> Iterator[Figure]:
    """Coverage in each regime; ``count`` logs instead of 1,000."""
    logs = count or LOGS
    starts = range(0, logs, CHUNK)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for regime in REGIMES:
            tally = Tally()
            for part in pool.map(
                _tally, [(regime, start, min(CHUNK, logs - start)) for start in starts], chunksize=1
            ):
                tally.add(part)
            yield from _figures(regime, tally, logs)


def _figures(regime: str, tally: Tally, logs: int) -> Iterator[Figure]:
    for kind in dict.fromkeys(kind for kind, _ in tally.seen):
        # A threshold whose figure few logs give is no fair count of them.
        places = [place for (name, place), seen in tally.seen.items() if name == kind and 2 * seen >= logs]
        if not places:
            continue
        shares = [tally.held[kind, place] / tally.seen[kind, place] for place in places]
        bounds = "bounds" in kind
        mean = float(np.mean(shares))
        most = 1.0 if "partly" in kind else MOST_COVERED
        # The worst of several thresholds may be below the goal by what so many logs show by chance.
        least = LEAST_COVERED - CHANCE_ERRORS * (LEVEL * (1 - LEVEL) / logs) ** 0.5
        goal = f"at least 93% (the worst {least:.1%}), at most {most:.0%}"
        yield Figure(
            f"{regime} ({REGIMES[regime]}), {logs:,} logs of {SIZE:,}: {kind} that hold the truth",
            "at least 95%" if bounds else goal,
            f"{mean:.1%} over {len(shares)} thresholds (from {min(shares):.1%} to {max(shares):.1%})",
            min(shares) >= LEAST_BOUNDED
            if bounds
            else LEAST_COVERED <= mean <= most and min(shares) >= least,
        )


def _tally(work: tuple[str, int, int]) -> Tally:
    regime, start, number = work
    tally = Tally()
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for index in range(start, start + number):
            seed = [zlib.crc32(regime.encode()), index]
            rows = drawn(regime, np.random.default_rng(seed))
            _count(tally, regime, selection(connection, rows))
    return tally


def drawn(regime: str, generator: np.random.Generator) -> dict[str, Floats]:
    """The rows of one log."""
    level = generator.choice(SHARES.size, SIZE, p=SHARES / SHARES.sum())
    fast = generator.random(SIZE) < FAST[level]
    safe = 1.0 if regime == "strong never worse" else 0.95
    strong = generator.random(SIZE) < np.where(fast, safe, HARD[level])
    confidence = np.append(LEVELS, np.nan)[level]
    sent = ~(confidence >= IN_FORCE)
    chance = np.where(sent, 1.0, np.where(confidence < 0.875, 0.1, 0.0))
    if regime == "randomised":
        chance = 0.8 - 0.7 * np.nan_to_num(confidence)
    if regime in {"exploration", "randomised"}:
        sent = generator.random(SIZE) < chance
    rows = {
        "confidence": confidence,
        "fast_correct": fast.astype(float),
        "strong_correct": strong.astype(float),
        "fast_cost_usd": FAST_USD * generator.lognormal(-(SPREAD**2) / 2, SPREAD, SIZE),
        "strong_cost_usd": STRONG_USD * generator.lognormal(-(SPREAD**2) / 2, SPREAD, SIZE),
        "fold": generator.integers(0, FOLDS, SIZE).astype(float),
    }
    if regime in {"replay", "ungraded"}:
        nothing = np.full(SIZE, np.nan)
        return rows | ({"fast_correct": nothing, "strong_correct": nothing} if regime == "ungraded" else {})
    asked = sent
    rows["escalated"] = sent.astype(float)
    if regime == "shadow share":
        rows["sampling_probability"] = np.where(sent, np.nan, 0.2)
        asked = sent | (generator.random(SIZE) < 0.2)
    if regime in {"exploration", "randomised"}:
        rows["propensity"] = np.where(sent, chance, 1 - chance)
    if regime in {"randomised", "one answer"}:
        for name in ("fast_correct", "fast_cost_usd"):
            rows[name] = np.where(sent, np.nan, rows[name])
        rows["predictive"] = np.ones(SIZE)
    for name in ("strong_correct", "strong_cost_usd"):
        rows[name] = np.where(asked, rows[name], np.nan)
    return rows


def truths(regime: str) -> tuple[Floats, Floats, Floats]:
    """Accuracy, its difference to always strong and cost at every threshold, the last "escalate all"."""
    share = SHARES / SHARES.sum()
    safe = 1.0 if regime == "strong never worse" else 0.95
    strong = FAST * safe + (1 - FAST) * HARD
    both_calls = FAST_USD if regime not in {"randomised", "one answer"} else 0.0
    sent = np.tri(LEVELS.size + 1, LEVELS.size, -1, dtype=bool)
    sent = np.column_stack([sent, np.ones(LEVELS.size + 1, dtype=bool)])
    accuracy = np.where(sent, strong, FAST) @ share
    cost = np.where(sent, both_calls + STRONG_USD, FAST_USD) @ share
    return accuracy, accuracy - strong @ share, cost


def selection(connection: duckdb.DuckDBPyConnection, rows: dict[str, Floats]) -> Selection:
    """What the product reads from a log of these rows."""
    given = pl.DataFrame(rows, nan_to_null=True).with_columns(
        request_id=pl.int_range(pl.len()).cast(pl.String),
        policy_kind=pl.lit("predictive" if "predictive" in rows else "cascade"),
    )
    constant = {"dataset": "log", "task_category": "math", "fast_model": "small", "strong_model": "big"}
    wanted = [
        f"{name}::{sql_type} AS {name}"
        if name in given.columns
        else f"'{constant[name]}' AS {name}"
        if name in constant
        else f"NULL::{sql_type} AS {name}"
        for name, sql_type in ((column.name, column.sql_type) for column in DECISIONS)
    ]
    connection.register("given", given.to_arrow())
    connection.execute(f"CREATE OR REPLACE TABLE log AS SELECT {', '.join(wanted)} FROM given")
    connection.execute("CREATE OR REPLACE TABLE decisions AS SELECT * FROM log LIMIT 0")
    force = {"task_category": pl.String, "fast_model": pl.String, "strong_model": pl.String}
    facts = Facts(
        requests=SIZE, rows=SIZE, units=None, first_ts=None, last_ts=None, categories=(), pairs=(), arms=(),
        experiments=(), files=1, log_sha256="0" * 64, confidence_kinds=(), confidence_sources=(),
    )  # fmt: skip
    return select(
        Log(
            name="drawn",
            cells=cells(connection.cursor(), "log"),
            latency=latency_cells(connection.cursor(), "log"),
            in_force=pl.DataFrame(schema=force | {"threshold": pl.Float64}),
            facts=facts,
            dearest=dearest(connection.cursor(), "log"),
        )
    )


_KINDS = {
    "accuracies": ("accuracy", "accuracy_low", "accuracy_high", 0),
    "differences to always strong": ("vs_strong", "vs_strong_low", "vs_strong_high", 1),
    "costs": ("cost_per_request_usd", "cost_low", "cost_high", 2),
}
_BOUNDS = {
    "bounds on accuracy": ("accuracy", "accuracy_low", "accuracy_high", 0),
    "bounds if strong is never worse": ("accuracy", "mtr_low", "mtr_high", 0),
    "bounds on cost": ("cost_per_request_usd", "cost_bound_low", "cost_bound_high", 2),
}


def _count(tally: Tally, regime: str, selected: Selection) -> None:
    truth = truths(regime)
    for row in curve(selected).points.iter_rows(named=True):
        t = row["threshold"]
        place = LEVELS.size if t is None else int(np.argmin(np.abs(t - LEVELS)))
        for kind, (value, low, high, which) in _KINDS.items():
            # A difference or cost that is the same in every log has no interval to judge.
            certain = row[low] == row[high]
            if row[value] is not None and not certain:
                # Requests of a lower threshold would pay fast calls that a predictive router never made.
                partly = kind == "costs" and regime == "one answer" and t is not None and t < IN_FORCE
                name = f"{kind} (partly from like requests)" if partly else kind
                tally.count(name, place, row[low], row[high], float(truth[which][place]))
        for kind, (value, low, high, which) in _BOUNDS.items():
            assumed = kind == "bounds if strong is never worse"
            if row[value] is None and row[low] is not None and (not assumed or "never" in regime):
                tally.count(kind, place, row[low], row[high], float(truth[which][place]))
