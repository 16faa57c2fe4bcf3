"""How often a certificate breaks its promise, and what it saves, on logs drawn from real pairs of models.

The population is the truth. Beside ours stand the rules that every notebook uses: the cheapest threshold
that kept the goal on the rows that it was picked on.
"""

import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np

from analytics.policy import Goal
from analytics.tuning.certificate import certification
from analytics.tuning.log import Selection
from tests.proofs.population import Logs, Population, mmlu_pro
from tests.soak.figures import Figure

DRAWS = 300
SIZES = (300, 1_000, 3_000)
MOST_ON_A_PAIR, MOST_ON_AVERAGE, LEAST_SAVING = 0.088, 0.03, 0.9

# What CERTIFICATE section 3 expects to be saved, as shares of strong calls, by goal and size of the log.
MARGINS = {0.01: (0.017, 0.048, 0.107), 0.02: (0.049, 0.141, 0.221)}
# Floors of logs under 3,000 pairs are walked by one threshold alone.
FLOORS = {0.02: (0.020, 0.036, 0.093), 0.05: (0.101, 0.198, 0.400)}
PER_CATEGORY = {0.02: (None, None, 0.016), 0.05: (None, None, 0.160)}
GOALS: dict[tuple[str, float], tuple[float | None, ...]] = {
    **{("margin", value): found for value, found in MARGINS.items()},
    **{("floor", value): found for value, found in FLOORS.items()},
    **{("category", value): found for value, found in PER_CATEGORY.items()},
}
Case = tuple[str, float, int]


@dataclass
class Tally:
    """What became of the draws of one pair, goal and size."""

    draws: int = 0
    misses: int = 0
    certified: int = 0
    saved: float = 0.0
    naive: dict[str, list[float]] = field(default_factory=dict)

    def naively(self, rule: str, *, missed: bool, saved: float) -> None:
        """Count one draw of a naive rule."""
        found = self.naive.setdefault(rule, [0.0, 0.0])
        found[0] += missed
        found[1] += saved


def figures(count: int | None) -> Iterator[Figure]:
    """Misses and savings over the ten pairs; ``count`` draws instead of 300."""
    draws = count or DRAWS
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pairs = list(pool.map(_pair, [(population, draws) for population in mmlu_pro()], chunksize=1))
    for (kind, value), expected in GOALS.items():
        for size, saving in zip(SIZES, expected, strict=True):
            yield from _figures([pair[kind, value, size] for pair in pairs], (kind, value, size), saving)


def _figures(tallies: list[Tally], case: Case, expected: float | None) -> Iterator[Figure]:
    kind, value, size = case
    what = {
        "margin": f"margin of {value * 100:g} points",
        "floor": f"floor of {value * 100:g} points below the strong model",
        "category": f"margin of {value * 100:g} points in each category",
    }[kind]
    misses = [tally.misses / tally.draws for tally in tallies]
    saved = float(np.mean([tally.saved / tally.draws for tally in tallies]))
    certified = float(np.mean([tally.certified / tally.draws for tally in tallies]))
    name = f"{len(tallies)} pairs of mmlu_pro, logs of {size:,}, {what}"
    yield Figure(
        f"{name}: certificates that break it",
        "at most 8.8% on each pair, 3% on average",
        f"{np.mean(misses):.1%} (worst {max(misses):.1%}); certified {certified:.0%}; {_naive(tallies)}",
        max(misses) <= MOST_ON_A_PAIR and float(np.mean(misses)) <= MOST_ON_AVERAGE,
    )
    if expected is not None:
        yield Figure(
            f"{name}: strong calls saved",
            f"at least 90% of {expected:.1%}",
            f"{saved:.1%}",
            saved >= LEAST_SAVING * expected - 5e-4,
        )


def _naive(tallies: list[Tally]) -> str:
    said = []
    for rule in tallies[0].naive:
        misses, saved = (
            np.array([tally.naive[rule][place] / tally.draws for tally in tallies]) for place in (0, 1)
        )
        said.append(
            f"{rule}: breaks {misses.mean():.0%} (worst {misses.max():.0%}), saves {saved.mean():.1%}"
        )
    return "; ".join(said)


def _pair(work: tuple[Population, int]) -> dict[Case, Tally]:
    population, draws = work
    logs, found = Logs(), {}
    for size in SIZES:
        generator = np.random.default_rng([zlib.crc32(population.name.encode()), size])
        for kind, value in GOALS:
            found[kind, value, size] = Tally()
        for _ in range(draws):
            drawn = population.drawn(size, generator)
            selection = logs.selection(drawn, generator)
            for kind, value in GOALS:
                _count(found[kind, value, size], (kind, value), population, drawn, selection)
    return found


def _goal(kind: str, value: float, population: Population) -> Goal:
    if kind == "floor":
        return Goal(name="min-accuracy", min_accuracy=float(population.strong.mean()) - value)
    return Goal(margin=value, scope="category" if kind == "category" else "overall")


def _count(
    tally: Tally, goal: tuple[str, float], population: Population, drawn: Population, selection: Selection
) -> None:
    kind, value = goal
    tally.draws += 1
    held = certification(selection, _goal(kind, value, population)).held
    if held is not None:
        kept = np.zeros(population.fast.size, dtype=bool)
        for name, choice in held.choices.items():
            mine = population.category == population.categories.index(name)
            if choice.route == "fast_only":
                kept |= mine
            elif choice.threshold is not None:
                kept |= mine & (population.confidence >= choice.threshold)
        tally.certified += 1
        tally.misses += _broken(kind, value, population, kept)
        tally.saved += float(kept.mean())
    for rule, kept in _naive_rules(kind, value, population, drawn).items():
        tally.naively(rule, missed=_broken(kind, value, population, kept), saved=float(kept.mean()))


def _broken(kind: str, value: float, population: Population, kept: np.ndarray) -> bool:
    """Whether keeping these answers breaks the promise in the population."""
    lost = population.loss * kept
    if kind != "category":
        return bool(lost.mean() > value + 1e-12)
    sizes = np.bincount(population.category)
    return bool((np.bincount(population.category, weights=lost) / sizes > value + 1e-12).any())


def _naive_rules(kind: str, value: float, population: Population, drawn: Population) -> dict[str, np.ndarray]:
    """Kept rows of the population under rules that pick and score on the same rows."""
    if kind == "category":
        return {"naive per category": _lowest_by_category(value, population, drawn)}
    allowed = value
    if kind == "floor":
        # In sample, accuracy at least A: the loss against the sample's own always strong.
        allowed = float(drawn.strong.mean() - population.strong.mean()) + value
    lowest = _lowest(drawn.confidence, drawn.loss, allowed, drawn.fast.size)
    with np.errstate(invalid="ignore"):
        rules = {"naive": population.confidence >= lowest}
    if kind == "margin":
        rules["naive per category"] = _lowest_by_category(value, population, drawn)
    return rules


def _lowest_by_category(value: float, population: Population, drawn: Population) -> np.ndarray:
    thresholds = np.full(len(population.categories), np.inf)
    for at in range(thresholds.size):
        mine = drawn.category == at
        thresholds[at] = _lowest(drawn.confidence[mine], drawn.loss[mine], value, int(mine.sum()))
    with np.errstate(invalid="ignore"):
        kept: np.ndarray = population.confidence >= thresholds[population.category]
    return kept


def _lowest(confidence: np.ndarray, loss: np.ndarray, allowed: float, n: int) -> float:
    """The lowest observed threshold whose loss on these rows is allowed; infinity where none is."""
    known = ~np.isnan(confidence)
    levels, place = np.unique(confidence[known], return_inverse=True)
    lost = np.bincount(place, weights=loss[known], minlength=levels.size)[::-1].cumsum()[::-1]
    within = np.flatnonzero(lost <= allowed * n + 1e-9)
    return float(levels[within[0]]) if within.size else np.inf
