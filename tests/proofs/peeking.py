"""Experiments that are looked at every day: how often some look finds what is not there."""

import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np

from analytics.estimate import LEVEL, Floats
from analytics.experiments.effects import Metric
from analytics.experiments.looks import Looks, looks
from analytics.experiments.sequential import proportion_sequence
from tests.proofs.logged import CONTROL, SCOPE, STORE, TREATMENT, assigned, rows, served
from tests.proofs.naive import Z, last_effects, until, z_by_day
from tests.proofs.tallies import Tally, covered, said
from tests.proofs.traffic import Drawn, Setting, drawn, truths
from tests.soak.figures import Figure

DAYS, CHUNK = 20, 20
MARGIN = 0.02
WIDEST = {"exact sequence": 3.5, "normal mixture": 2.5}
NEAR = 0.03
METRICS: tuple[Metric, ...] = (
    "accuracy", "escalation_rate", "cost_usd", "cost_per_correct_usd", "latency_s",
)  # fmt: skip
Arrival = Literal["at any time", "one after the other"]


@dataclass(frozen=True, slots=True)
class Watched:
    """An experiment that is watched.

    Attributes:
        setting: How its requests come about.
        arrival: When units send theirs: each request on any day, or all of a unit on the same one.
    """

    setting: Setting
    arrival: Arrival

    @property
    def name(self) -> str:
        """Said in the figures."""
        users = "" if self.setting.unit == "request" else f", who come {self.arrival}"
        return f"{self.setting.name}{users}"


def figures(
    pool: ProcessPoolExecutor, settings: tuple[Setting, Setting], experiments: int
) -> Iterator[Figure]:
    """False alarms and coverage over all looks, of independent requests and of users."""
    alone, returning = settings
    watched = (
        Watched(alone, "one after the other"),
        Watched(returning, "at any time"),
        Watched(returning, "one after the other"),
    )
    for each in watched:
        for treated in (False, True):
            work = [
                (each, treated, start, min(CHUNK, experiments - start))
                for start in range(0, experiments, CHUNK)
            ]
            tally = Tally()
            for part in pool.map(_watched, work, chunksize=1):
                tally.add(part)
            yield from (_coverage if treated else _alarms)(each, tally, experiments)


def _watched(work: tuple[Watched, bool, int, int]) -> Tally:
    """Several experiments, with a true effect or without."""
    each, treated, start, number = work
    setting = each.setting
    generator = np.random.default_rng([zlib.crc32(each.name.encode()), treated, start, DAYS])
    worlds = (setting, setting.treated() if treated else setting)
    control, treatment = (drawn(world, number, generator) for world in worlds)
    days = (_days(control, each.arrival, generator), _days(treatment, each.arrival, generator))
    true = [truths(world) for world in worlds]
    z = {metric: z_by_day(metric, control, treatment, days, DAYS) for metric in METRICS}
    last = {metric: last_effects(metric, control, treatment) for metric in METRICS}
    tally = Tally()
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for place, requests in enumerate(rows(control, treatment, days)):
            with served(connection, requests):
                found = {metric: _looks(setting, metric) for metric in METRICS}
            for metric, seen in found.items():
                key = (metric, "exact sequence" if seen.tau is None else "normal mixture")
                if treated:
                    _count(tally, key, seen, true[1][metric] - true[0][metric], float(last[metric][place]))
                    continue
                peeked = bool((np.abs(z[metric][place]) > Z).any())
                fixed = _left_out(seen, "fixed_low", "fixed_high", 0.0)
                tally.count(key, 1, _alarmed(seen), fixed, seen.peeking_error, peeked)
    if setting.unit == "request" and treated:
        for arm, day, world in zip((control, treatment), days, true, strict=True):
            _count_shares(tally, arm, day, world["accuracy"])
    return tally


def _days(arm: Drawn, arrival: Arrival, generator: np.random.Generator) -> Floats:
    """Day of every request."""
    if arrival == "at any time":
        return generator.integers(0, DAYS, arm.user.size).astype(np.float64)
    return np.floor(arm.user % arm.units * (DAYS / arm.units))


def _looks(setting: Setting, metric: Metric) -> Looks:
    """What the product says of the requests that are served to it."""
    tau = MARGIN if metric == "accuracy" else None
    found = looks(
        STORE, SCOPE, assigned(setting, DAYS - 1), metric, control=CONTROL, treatment=TREATMENT, tau=tau
    )
    if found is None:
        raise AssertionError(f"{metric} cannot be followed")
    return found


def _ends(found: Looks, low: str, high: str) -> tuple[Floats, Floats]:
    """Both ends at every look; infinite before the first."""
    table = found.table
    return table[low].fill_null(-np.inf).to_numpy(), table[high].fill_null(np.inf).to_numpy()


def _left_out(found: Looks, low: str, high: str, truth: float) -> bool:
    lows, highs = _ends(found, low, high)
    return bool(((lows > truth) | (highs < truth)).any())


def _alarmed(found: Looks) -> bool:
    least = found.table["p_value"].min()
    significant = isinstance(least, float) and least <= 1 - LEVEL
    return significant or _left_out(found, "low", "high", 0.0)


def _count(tally: Tally, key: tuple[str, ...], found: Looks, truth: float, whole: float) -> None:
    """Whether the interval holds the truth at every look, and how wide it is at the last.

    Without an interval, or with another effect than that of all requests, it counts as not given.
    """
    last = found.last
    low, high, effect = last["low"], last["high"], last["effect"]
    if low is None or high is None or effect is None or not np.isclose(effect, whole, rtol=1e-9, atol=1e-12):
        tally.count(key, 1, 0, 0, 0, 0, 0, 0)
        return
    away = effect - truth
    held = not _left_out(found, "low", "high", truth)
    tally.count(key, 1, 1, held, 1, high - low, away, away**2)


def _count_shares(tally: Tally, arm: Drawn, day: Floats, truth: float) -> None:
    """The same of the exact sequence of one proportion."""
    right, n = (until(arm, arm.rows[name], day, DAYS) for name in ("y", "k"))
    low, high = proportion_sequence(right, n)
    for place, held in enumerate(((low <= truth) & (truth <= high)).all(axis=1).tolist()):
        away = float(right[place, -1] / n[place, -1]) - truth
        width = float(high[place, -1] - low[place, -1])
        tally.count(("accuracy of one arm", "exact sequence"), 1, 1, held, 1, width, away, away**2)


def _alarms(each: Watched, tally: Tally, experiments: int) -> Iterator[Figure]:
    most = 1 - LEVEL + 2 * (LEVEL * (1 - LEVEL) / experiments) ** 0.5
    what = f"{each.name}, {experiments:,} A/A experiments with {DAYS} looks"
    for kind, mine in _by_kind(tally).items():
        yield Figure(
            f"{what}: false alarms at some look, {kind}",
            f"at most 5% and two errors of the simulation, {most:.1%}",
            said(
                f"{metric} {alarms / asked:.1%} (z test of requests at every look {peeked / asked:.1%})"
                for metric, (asked, alarms, *_, peeked) in mine.items()
            ),
            all(alarms <= most * asked for asked, alarms, *_ in mine.values()),
        )
        # Only the exact sequence has a fixed interval beside it at the very first look.
        if kind == "exact sequence":
            stated = float(np.mean([claim / asked for asked, *_, claim, _ in mine.values()]))
            yield Figure(
                f"{what}: fixed intervals of proportions that leave out 0 at some look",
                f"as stated beside them, {stated:.1%}, to 3 points",
                said(f"{metric} {fixed / asked:.1%}" for metric, (asked, _, fixed, *_) in mine.items()),
                all(abs(fixed / asked - stated) <= NEAR for asked, _, fixed, *_ in mine.values()),
            )


def _coverage(each: Watched, tally: Tally, experiments: int) -> Iterator[Figure]:
    for kind, numbers in _by_kind(tally).items():
        mine = {metric: covered(entry) for metric, entry in numbers.items()}
        yield Figure(
            f"{each.name}, {experiments:,} experiments with a true effect and {DAYS} looks: "
            f"intervals that hold it at all looks, {kind}",
            f"at least 95%; at the last look the effect on all requests, at most {WIDEST[kind]} times as "
            "wide as one planned look would be",
            said(f"{metric} {entry.held:.1%} (width {entry.width:.2f})" for metric, entry in mine.items()),
            all(
                entry.held >= LEVEL and entry.width <= WIDEST[kind] and entry.given == 1
                for entry in mine.values()
            ),
        )


def _by_kind(tally: Tally) -> dict[str, dict[str, Floats]]:
    found: dict[str, dict[str, Floats]] = {}
    for (metric, kind), numbers in tally.counts.items():
        found.setdefault(kind, {})[metric] = numbers
    return found
