"""What comparisons of arms promise, on simulated experiments: false alarms, coverage, looks and power.

Beside false alarms stands what the z test of every notebook gives on the same requests: it takes them for
independent, and where it looks every day, for looked at once. Sums over units are worked out here; the
latencies of users, and looks, go through the product's own SQL.
"""

import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from analytics.experiments.effects import Effect, Metric, effect
from analytics.experiments.latencies import quantile_effect
from tests.proofs import peeking, powers
from tests.proofs.logged import slow
from tests.proofs.naive import Z, z_scores
from tests.proofs.tallies import Covered, Tally, covered, interval, said
from tests.proofs.traffic import METRICS, Kind, Setting, drawn, summed, truths
from tests.soak.figures import Figure

EXPERIMENTS, CHUNK = 2_000, 50
ALPHA, LEAST_ALARMS, LEAST_EXACT, MOST_ALARMS = 0.05, 0.035, 0.01, 0.065
LEAST_COVERED, MOST_COVERED, WIDEST = 0.93, 0.97, 1.25
LEAST_GIVEN = 0.95

ALONE = (Kind(1.0, 1.0, 0.62, 0.35),)
USERS = (Kind(0.7, 12.0, 0.66, 0.3), Kind(0.3, 22.0, 0.58, 0.4))
"""15 requests a user on average; who asks more is answered worse and escalated more often."""
SETTINGS = (
    Setting("1,000 independent requests", 1_000, ALONE),
    Setting("150 users with 15 requests each on average", 150, USERS, alike=0.1, apart=0.4, graded=0.8),
    Setting(
        "1,500 independent requests, 99.5% right",
        1_500, (Kind(1.0, 1.0, 0.995, 0.35),), rescued=0.0, gain=-0.005,
    ),
    Setting(
        "100 users with 15 requests each on average, 99.5% right",
        100, (Kind(1.0, 15.0, 0.995, 0.35),), alike=0.02, apart=0.4, rescued=0.0, gain=-0.005,
    ),
    Setting(
        "5,000 independent requests, costs lognormal with sigma 1.5, grades in part",
        5_000, ALONE, partly=0.2, usd=(0.004, 0.004), spread_usd=1.5,
    ),
    Setting("60 independent requests", 60, ALONE),
)  # fmt: skip


def figures(count: int | None) -> Iterator[Figure]:
    """Every promise; ``count`` A/A experiments per setting instead of 2,000."""
    experiments = count or EXPERIMENTS
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for setting in SETTINGS:
            yield from _alarms(setting, _tally(pool, setting, experiments, treated=False), experiments)
            yield from _coverage(
                setting, _tally(pool, setting, 2 * experiments, treated=True), 2 * experiments
            )
        yield from peeking.figures(pool, (SETTINGS[0], SETTINGS[1]), experiments)
        yield from powers.figures(pool, 5 * experiments)


def _tally(pool: ProcessPoolExecutor, setting: Setting, experiments: int, *, treated: bool) -> Tally:
    tally = Tally()
    work = [
        (setting, treated, start, min(CHUNK, experiments - start)) for start in range(0, experiments, CHUNK)
    ]
    for part in pool.map(_compared, work, chunksize=1):
        tally.add(part)
    return tally


def _compared(work: tuple[Setting, bool, int, int]) -> Tally:
    """Several experiments, with a true effect or without."""
    setting, treated, start, number = work
    generator = np.random.default_rng([zlib.crc32(setting.name.encode()), treated, start])
    worlds = (setting, setting.treated() if treated else setting)
    arms = [drawn(world, number, generator) for world in worlds]
    moments = [summed(arm.totals(), np.arange(number) * setting.units).moments() for arm in arms]
    slowest = slow(arms[0], arms[1], setting)
    true = [truths(world) for world in worlds]
    tally = Tally()
    for metric in METRICS:
        found = [
            quantile_effect(*slowest[place])
            if metric == "latency_p95_s"
            else effect(metric, moments[0][place], moments[1][place], unit=setting.unit)
            for place in range(number)
        ]
        if treated:
            for entry in found:
                _count(tally, entry, true[0][metric], true[1][metric])
            continue
        for entry, z in zip(found, z_scores(metric, *arms), strict=True):
            p, exact = entry.p_value, "exact" in entry.effect.method
            tally.count((metric,), 1, p is not None, p is not None and p < ALPHA, exact, abs(z) > Z)
    return tally


def _count(tally: Tally, found: Effect, control: float, treatment: float) -> None:
    interval(tally, (found.metric, "arms"), found.control, control)
    interval(tally, (found.metric, "arms"), found.treatment, treatment)
    interval(tally, (found.metric, "effect"), found.effect, treatment - control)
    interval(tally, (found.metric, "relative"), found.relative, treatment / control - 1)


def _alarms(setting: Setting, tally: Tally, experiments: int) -> Iterator[Figure]:
    groups: dict[str, list[Metric]] = {}
    for metric in METRICS:
        _, tested, _, exact, _ = tally.counts[metric,]
        kind = "exact tests" if 2 * exact > tested else "means and ratios"
        groups.setdefault("95th percentile" if metric == "latency_p95_s" else kind, []).append(metric)
    for kind, metrics in groups.items():
        least, none = (
            LEAST_ALARMS if kind == "means and ratios" else LEAST_EXACT,
            _too_few(metrics[0], setting),
        )
        said_of, met = [], True
        for metric in metrics:
            asked, tested, rejected, _, naive = tally.counts[metric,]
            share = f"tested in {tested:,.0f}" if none else f"{rejected / asked:.1%}"
            said_of.append(f"{metric} {share} (z test of requests {naive / asked:.1%})")
            usual = least <= rejected / asked <= MOST_ALARMS and tested >= LEAST_GIVEN * asked
            met = met and (not tested if none else usual)
        yield Figure(
            f"{setting.name} per arm, {experiments:,} A/A experiments: false alarms at 5%, {kind}",
            "no test of so few requests" if none else f"{least:.1%} to {MOST_ALARMS:.1%}",
            said(said_of),
            met,
        )


def _too_few(metric: Metric, setting: Setting) -> bool:
    """Whether an arm has too few requests for its 95th percentile to have an upper end."""
    return metric == "latency_p95_s" and 0.95**setting.units > ALPHA / 2


def _coverage(setting: Setting, tally: Tally, experiments: int) -> Iterator[Figure]:
    found = {
        (metric, which): covered(tally.counts[metric, which])
        for metric in METRICS
        for which in ("arms", "effect", "relative")
        if not _too_few(metric, setting)
    }
    for discrete in (False, True):
        mine = {key: entry for key, entry in found.items() if entry.discrete == discrete}
        parts: dict[str, list[str]] = {}
        for (metric, which), entry in mine.items():
            wide = f" (width {entry.width:.2f})" if discrete else ""
            parts.setdefault(metric, []).append(f"{which} {entry.held:.1%}{wide}")
        yield Figure(
            f"{setting.name} per arm, {experiments:,} experiments with a true effect: "
            + ("intervals that move in steps and hold it" if discrete else "intervals that hold it"),
            f"at least 93%, at most {WIDEST} times too wide" if discrete else "93% to 97%",
            said(f"{metric}: {', '.join(entries)}" for metric, entries in parts.items()),
            all(_right(entry) for entry in mine.values()),
        )


def _right(entry: Covered) -> bool:
    enough = entry.given >= LEAST_GIVEN and entry.held >= LEAST_COVERED
    return enough and (entry.width <= WIDEST if entry.discrete else entry.held <= MOST_COVERED)
