"""Simulated requests of one arm of many experiments at once, whose metrics are known by arithmetic.

Users come in kinds that differ in how much they ask, how often they are answered rightly and how often their
requests are escalated; within a kind each user differs again. A setting without users has one request each.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from analytics.estimate import Floats
from analytics.experiments.effects import Metric
from analytics.experiments.moments import FEATURES, KNOWN, PRODUCTS, Moments
from analytics.experiments.outcomes import Unit

Places = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

METRICS: tuple[Metric, ...] = (
    "accuracy", "cost_usd", "cost_per_correct_usd", "escalation_rate", "latency_s", "latency_p95_s",
)  # fmt: skip
GRADE_IN_PART = 0.5


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of users.

    Attributes:
        share: Of the users.
        size: Requests of one on average, geometrically distributed; 1 where nobody returns.
        right: How often the fast answer is right.
        sent: How often a request is escalated.
    """

    share: float
    size: float
    right: float
    sent: float


@dataclass(frozen=True, slots=True)
class Setting:
    """How the requests of an arm come about.

    Attributes:
        name: Said in the figures.
        units: Users per arm, or requests where each is its own.
        kinds: Their shares add to 1.
        alike: Correlation of two requests of one user within a kind, in being right and in being escalated.
        apart: Log standard deviation between users of what a request costs and takes, within a kind.
        rescued: How often escalation makes a wrong answer right.
        graded: Share of requests with a grade.
        partly: Share of the graded ones whose grade is one half.
        usd: Mean cost of a kept and of an escalated request.
        spread_usd: Log standard deviation of one user's costs.
        seconds: Mean latency of both.
        spread_s: Log standard deviation of one user's latencies.
        gain: How much more often the treatment's fast answers are right.
    """

    name: str
    units: int
    kinds: tuple[Kind, ...]
    alike: float = 0.0
    apart: float = 0.0
    rescued: float = 0.6
    graded: float = 1.0
    partly: float = 0.0
    usd: tuple[float, float] = (0.001, 0.008)
    spread_usd: float = 0.5
    seconds: tuple[float, float] = (0.8, 3.0)
    spread_s: float = 0.4
    gain: float = 0.04

    @property
    def unit(self) -> Unit:
        """What is assigned."""
        return "request" if all(kind.size == 1 for kind in self.kinds) else "unit"

    def treated(self) -> "Setting":
        """The same with a true effect on every metric."""
        kinds = tuple(
            replace(kind, right=kind.right + self.gain, sent=kind.sent - 0.06) for kind in self.kinds
        )
        usd, seconds = ((0.95 * kept, 0.95 * escalated) for kept, escalated in (self.usd, self.seconds))
        return replace(self, kinds=kinds, usd=usd, seconds=seconds)


def truths(setting: Setting) -> dict[Metric, float]:
    """What every metric is over infinitely many users."""
    weight = np.array([kind.share * kind.size for kind in setting.kinds])
    weight /= weight.sum()
    right = np.array([kind.right for kind in setting.kinds])
    sent = np.array([kind.sent for kind in setting.kinds])
    served = right + (1 - right) * setting.rescued * sent
    accuracy = float(weight @ ((1 - setting.partly) * served + setting.partly * GRADE_IN_PART))
    escalated = float(weight @ sent)
    cost, latency = (
        kept * (1 - escalated) + sent_on * escalated for kept, sent_on in (setting.usd, setting.seconds)
    )
    variance = setting.spread_s**2 + setting.apart**2

    def above(log_s: float) -> float:
        sooner = [
            float(ndtr((log_s - np.log(mean) + variance / 2) / np.sqrt(variance))) for mean in setting.seconds
        ]
        return sooner[0] * (1 - escalated) + sooner[1] * escalated - 0.95

    return {
        "accuracy": accuracy,
        "cost_usd": cost,
        "cost_per_correct_usd": cost / accuracy,
        "escalation_rate": escalated,
        "latency_s": latency,
        "latency_p95_s": float(np.exp(brentq(above, -10.0, 10.0, xtol=1e-12))),
    }


@dataclass(frozen=True, slots=True)
class Drawn:
    """One arm of several experiments, request by request.

    Attributes:
        rows: Each of ``FEATURES``, all experiments one after the other, ``(requests,)``.
        user: Whose request it is, counted through all experiments, ``(requests,)``.
        users: First request of every user, ``(experiments * units,)``.
        first: First request of every experiment, ``(experiments,)``.
    """

    rows: dict[str, Floats]
    user: Places
    users: Places
    first: Places

    @property
    def units(self) -> int:
        """Users of one experiment."""
        return self.users.size // self.first.size

    def totals(self) -> dict[str, Floats]:
        """Each feature by user."""
        return {name: np.add.reduceat(values, self.users) for name, values in self.rows.items()}

    def latencies(self) -> list[Floats]:
        """Of each experiment, in order of request."""
        return np.split(self.rows["l"], self.first[1:])


def drawn(setting: Setting, experiments: int, generator: np.random.Generator) -> Drawn:
    """Draw an arm of that many experiments."""
    users = experiments * setting.units
    kind = generator.choice(len(setting.kinds), users, p=[entry.share for entry in setting.kinds])
    size, right, sent = (
        np.array([getattr(entry, name) for entry in setting.kinds])[kind]
        for name in ("size", "right", "sent")
    )
    requests = generator.geometric(1 / size)
    if setting.alike:
        both = 1 / setting.alike - 1
        right, sent = (generator.beta(both * mean, both * (1 - mean)) for mean in (right, sent))
    dear, slow = (_factors(generator, setting.apart, users) for _ in range(2))
    user = np.repeat(np.arange(users), requests)
    n = user.size
    escalated = generator.random(n) < sent[user]
    correct = generator.random(n) < right[user]
    correct |= escalated & (generator.random(n) < setting.rescued)
    grade = np.where(generator.random(n) < setting.partly, GRADE_IN_PART, correct)
    known = generator.random(n) < setting.graded
    cost = np.where(escalated, setting.usd[1], setting.usd[0])
    cost = cost * dear[user] * _factors(generator, setting.spread_usd, n)
    latency = np.where(escalated, setting.seconds[1], setting.seconds[0])
    latency = latency * slow[user] * _factors(generator, setting.spread_s, n)
    one = np.ones(n)
    rows = {
        "n": one, "k": known, "y": grade * known, "part": known & (grade == GRADE_IN_PART),
        "cn": one, "c": cost, "bn": known, "bg": grade * known, "bc": cost * known,
        "en": one, "e": escalated, "ln": one, "l": latency,
    }  # fmt: skip
    starts = np.cumsum(requests) - requests
    return Drawn(
        {name: np.asarray(rows[name], dtype=np.float64) for name in FEATURES},
        user,
        starts,
        starts[:: setting.units],
    )


def _factors(generator: np.random.Generator, spread: float, n: int) -> Floats:
    """Lognormal factors of mean 1."""
    return np.exp(spread * generator.standard_normal(n) - spread**2 / 2)


@dataclass(frozen=True, slots=True)
class Sums:
    """What ``Moments`` holds, of several experiments at once: every entry is ``(experiments,)``."""

    units: Floats
    seen: dict[str, Floats]
    sums: dict[str, Floats]
    products: dict[tuple[str, str], Floats]

    def moments(self) -> list[Moments]:
        """Of each experiment."""
        seen, sums, products = (
            [dict(zip(part, entry, strict=True)) for entry in zip(*_listed(part), strict=True)]
            for part in (self.seen, self.sums, self.products)
        )
        return [
            Moments(*entry)
            for entry in zip([round(count) for count in self.units], seen, sums, products, strict=True)
        ]


def _listed(part: dict) -> list[list[float]]:
    return [values.tolist() for values in part.values()]


def summed(values: dict[str, Floats], first: Places) -> Sums:
    """Sums over units, given each unit's totals and every experiment's first unit."""

    def by_experiment(of_units: Floats) -> Floats:
        return np.add.reduceat(of_units, first)

    return Sums(
        by_experiment(np.ones_like(values["n"])),
        {name: by_experiment((values[name] > 0).astype(np.int64)) for name in dict.fromkeys(KNOWN.values())},
        {name: by_experiment(values[name]) for name in FEATURES},
        {(one, two): by_experiment(values[one] * values[two]) for one, two in PRODUCTS},
    )
