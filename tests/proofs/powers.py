"""Power of experiments of the planned size, by the product's own decision."""

import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from analytics.experiments.effects import Effect, effect
from analytics.experiments.moments import FEATURES, KNOWN, PRODUCTS, Moments
from analytics.experiments.proportions import noninferiority_size, superiority_size
from tests.proofs.tallies import said
from tests.soak.figures import Figure

ALPHA, LEAST, MOST = 0.05, 0.78, 0.84
Case = tuple[float, float]
BETTER: tuple[Case, ...] = (
    (0.5, 0.7), (0.62, 0.7), (0.7, 0.75), (0.8, 0.83), (0.9, 0.93), (0.95, 0.97), (0.99, 0.995),
)  # fmt: skip
"""Accuracy of the control and of the treatment."""
NOT_WORSE: tuple[Case, ...] = (
    (0.5, 0.1), (0.7, 0.05), (0.8, 0.03), (0.9, 0.03), (0.95, 0.02), (0.98, 0.01), (0.995, 0.0025),
)  # fmt: skip
"""Accuracy of both arms and the margin."""
NOT_TWICE_AS_BAD: tuple[Case, ...] = ((0.98, 0.02), (0.995, 0.005))
"""The same where the margin is as large as the share of wrong answers."""
BETTER_RULE, NOT_WORSE_RULE = "p < 0.05", "Newcombe's interval above minus the margin"


def figures(pool: ProcessPoolExecutor, experiments: int) -> Iterator[Figure]:
    """Power at sizes planned for 80%."""
    for rule, what, cases in (
        (BETTER_RULE, "accuracies that differ", BETTER),
        (NOT_WORSE_RULE, "equal accuracies, margins of up to half the wrong answers", NOT_WORSE),
        (
            NOT_WORSE_RULE,
            "equal accuracies, margins as large as the share of wrong answers",
            NOT_TWICE_AS_BAD,
        ),
    ):
        found = list(pool.map(_power, [(rule, case, experiments) for case in cases], chunksize=1))
        yield Figure(
            f"{what}, {experiments:,} experiments of each size planned for 80% power: {rule}",
            "78% to 84%",
            said(
                f"{_pair(rule, case)}, {n:,} per arm: {power:.1%}"
                for case, (n, power) in zip(cases, found, strict=True)
            ),
            all(LEAST <= power <= MOST for _, power in found),
        )


def _pair(rule: str, case: Case) -> str:
    first, second = case
    if rule == BETTER_RULE:
        return f"{first:.1%} and {second:.1%}"
    return f"{first:.1%} with margin {second * 100:g} points"


def _power(work: tuple[str, Case, int]) -> tuple[int, float]:
    """Planned size, and the share of the experiments that find what is true."""
    rule, (first, second), experiments = work
    generator = np.random.default_rng(zlib.crc32(repr((rule, first, second)).encode()))
    if rule == BETTER_RULE:
        n, after = superiority_size(first, second).n_per_arm, second
    else:
        n, after = noninferiority_size(first, second).n_per_arm, first
    right = np.column_stack([generator.binomial(n, share, experiments) for share in (first, after)])
    drawn, times = np.unique(right, axis=0, return_counts=True)
    decided = 0
    for (control, treatment), number in zip(drawn.tolist(), times.tolist(), strict=True):
        found = effect("accuracy", _moments(control, n), _moments(treatment, n), unit="request")
        decided += number * (_better(found) if rule == BETTER_RULE else _not_worse(found, second))
    return n, decided / experiments


def _better(found: Effect) -> bool:
    return found.p_value is not None and found.p_value < ALPHA


def _not_worse(found: Effect, margin: float) -> bool:
    return found.effect.low is not None and found.effect.low > -margin


def _moments(right: int, n: int) -> Moments:
    """Of independent requests with a grade and nothing else."""
    values = dict.fromkeys(FEATURES, 0.0) | {"n": float(n), "k": float(n), "y": float(right)}
    both = {"n": values["n"], "k": values["k"], "y": values["y"]}
    products = {(one, two): min(both.get(one, 0.0), both.get(two, 0.0)) for one, two in PRODUCTS}
    return Moments(n, {name: round(values[name]) for name in dict.fromkeys(KNOWN.values())}, values, products)
