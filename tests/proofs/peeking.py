"""Experiments that are looked at every day: how often some look finds what is not there."""

import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Literal
from unittest.mock import patch

import numpy as np
import polars as pl

from analytics.estimate import LEVEL, Floats
from analytics.experiments import looks as product
from analytics.experiments.assignment import Assignment
from analytics.experiments.effects import Metric
from analytics.experiments.looks import Looks
from analytics.experiments.moments import RATIOS
from analytics.experiments.outcomes import Scope
from analytics.experiments.sequential import proportion_sequence
from tests.proofs.naive import Z, z_by_day
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
_CALENDAR = np.datetime64("2026-01-01") + np.arange(DAYS)


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
    arms = [drawn(world, number, generator) for world in worlds]
    days = [_days(arm, each.arrival, generator) for arm in arms]
    true = [truths(world) for world in worlds]
    tally = Tally()
    for metric in METRICS:
        tables = [_tables(arm, metric, day) for arm, day in zip(arms, days, strict=True)]
        z = z_by_day(metric, arms[0], arms[1], (days[0], days[1]), DAYS)
        for place in range(number):
            found = _looks(setting, metric, tables[0][place], tables[1][place])
            key = (metric, "exact sequence" if found.tau is None else "normal mixture")
            if treated:
                _count(tally, key, found, true[1][metric] - true[0][metric])
            else:
                peeked = bool((np.abs(z[place]) > Z).any())
                fixed = _left_out(found, "fixed_low", "fixed_high", 0.0)
                tally.count(key, 1, _alarmed(found), fixed, found.peeking_error, peeked)
        if setting.unit == "request" and metric == "accuracy" and treated:
            _count_shares(tally, tables, [world[metric] for world in true])
    return tally


def _days(arm: Drawn, arrival: Arrival, generator: np.random.Generator) -> Floats:
    """Day of every request."""
    if arrival == "at any time":
        return generator.integers(0, DAYS, arm.user.size).astype(np.float64)
    return np.floor(arm.user % arm.units * (DAYS / arm.units))


def _tables(arm: Drawn, metric: Metric, day: Floats) -> list[pl.DataFrame]:
    """Totals of each unit and day of every experiment, as the product reads them from a log."""
    cell, cells = arm.user * DAYS + day.astype(np.int64), arm.units * DAYS
    above, below = (
        np.bincount(cell, weights=arm.rows[name], minlength=arm.users.size * DAYS).reshape(-1, cells)
        for name in RATIOS[metric]
    )
    tables = []
    for tops, bottoms in zip(above, below, strict=True):
        some = np.flatnonzero(bottoms)
        tables.append(
            pl.DataFrame(
                {
                    "cluster": some // DAYS,
                    "day": _CALENDAR[some % DAYS],
                    "above": tops[some],
                    "below": bottoms[some],
                }
            )
        )
    return tables


def _looks(setting: Setting, metric: Metric, control: pl.DataFrame, treatment: pl.DataFrame) -> Looks:
    """What the product says of these totals; only its SQL is passed over."""
    rows = pl.concat([part.with_columns(arm=pl.lit(arm)) for arm, part in (("a", control), ("b", treatment))])
    sizes = {"a": setting.units, "b": setting.units}
    with patch.object(product, "_days", return_value=(rows, False)):
        found = product.looks(
            None,  # type: ignore[arg-type] - only its SQL needs a store
            Scope("log", None),
            Assignment(setting.unit, sizes, sizes),
            metric,
            control="a",
            treatment="b",
            tau=MARGIN if metric == "accuracy" else None,
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


def _count(tally: Tally, key: tuple[str, ...], found: Looks, truth: float) -> None:
    """Whether the interval holds the truth at every look, and how wide it is at the last."""
    last = found.last
    low, high, effect = last["low"], last["high"], last["effect"]
    if low is None or high is None or effect is None:
        tally.count(key, 1, 0, 0, 0, 0, 0, 0)
        return
    away = effect - truth
    held = not _left_out(found, "low", "high", truth)
    tally.count(key, 1, 1, held, 1, high - low, away, away**2)


def _count_shares(tally: Tally, tables: list[list[pl.DataFrame]], true: list[float]) -> None:
    """The same of the exact sequence of one proportion."""
    for arm, truth in zip(tables, true, strict=True):
        for table in arm:
            by_day = table.group_by("day").agg(pl.col("above", "below").sum()).sort("day")
            right, n = (by_day[name].cum_sum().to_numpy() for name in ("above", "below"))
            low, high = proportion_sequence(right, n)
            away = float(right[-1] / n[-1]) - truth
            held = bool(((low <= truth) & (truth <= high)).all())
            tally.count(
                ("accuracy of one arm", "exact sequence"), 1, 1, held, 1, high[-1] - low[-1], away, away**2
            )


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
            f"at least 95%; at the last look at most {WIDEST[kind]} times as wide as for one planned look",
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
