"""Sums over the units of an arm: all that means, ratios and their errors need.

A unit is what was assigned: a request, or a user with all requests. Moments of disjoint units add.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tea_tasting.aggr import Aggregates

FEATURES = ("n", "k", "y", "part", "cn", "c", "bn", "bg", "bc", "en", "e", "ln", "l")
"""Of a request: 1; graded, grade, grade strictly between 0 and 1; cost known, cost (USD); both known, then
grade and cost; route known, escalated; latency known, latency (seconds). Unknown values count 0."""

RATIOS: dict[str, tuple[str, str]] = {
    "accuracy": ("y", "k"),
    "cost_usd": ("c", "cn"),
    "cost_per_correct_usd": ("bc", "bg"),
    "escalation_rate": ("e", "en"),
    "latency_s": ("l", "ln"),
}
"""Metrics that are one sum over another: numerator and denominator."""

_BLOCKS: tuple[tuple[str, ...], ...] = (
    ("y", "k", "n"),
    ("c", "cn"),
    ("bc", "bg", "bn"),
    ("e", "en"),
    ("l", "ln"),
)
PRODUCTS = tuple(pair for block in _BLOCKS for pair in combinations_with_replacement(block, 2))
KNOWN = {
    "n": "n", "k": "k", "y": "k", "cn": "cn", "c": "cn", "bn": "bn", "bg": "bn", "bc": "bn", "net": "bn",
    "en": "en", "e": "en", "ln": "ln", "l": "ln",
}  # fmt: skip
"""The feature that counts the requests which a feature is known of."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums, and sums of products, of unit totals.

    Attributes:
        units: Units in all.
        seen: For each counting feature the units in which it is not 0.
        sums: Sum of each feature.
        products: Sum over units of the products of two features' totals, keyed in the order of ``PRODUCTS``.
    """

    units: int
    seen: dict[str, int]
    sums: dict[str, float]
    products: dict[tuple[str, str], float]

    def __add__(self, other: "Moments") -> "Moments":
        """Moments of both sets of units."""
        return Moments(
            self.units + other.units,
            {name: count + other.seen[name] for name, count in self.seen.items()},
            {name: value + other.sums[name] for name, value in self.sums.items()},
            {pair: value + other.products[pair] for pair, value in self.products.items()},
        )

    def product(self, one: str, two: str) -> float:
        """Sum over units of the product of two features' totals, whatever their order."""
        found = self.products.get((one, two))
        return self.products[two, one] if found is None else found

    def count(self, name: str) -> int:
        """Requests of which a feature is known."""
        return round(self.sums[KNOWN[name]])

    def covariance(self, one: str, two: str) -> float:
        """Sample covariance of two features' totals over the units that have them."""
        units = self.seen[KNOWN[one]]
        centred = self.product(one, two) - self.sums[one] * self.sums[two] / units
        return centred / (units - 1)

    def aggregates(self, *names: str) -> "Aggregates":
        """Counts, means, variances and covariances of features of one block, as tea-tasting takes them.

        At least two units must have them.
        """
        from tea_tasting.aggr import Aggregates  # noqa: PLC0415 - seconds to import, kept off the page path

        units = self.seen[KNOWN[names[0]]]
        return Aggregates(
            count_=units,
            mean_={name: self.sums[name] / units for name in names},
            var_={name: max(self.covariance(name, name), 0.0) for name in names},
            cov_={
                (one, two): self.covariance(one, two)
                for place, one in enumerate(names)
                for two in names[place + 1 :]
            },
        )

    def netted(self, value_usd: float) -> "Moments":
        """With the features ``net`` and ``bn``: what an answer is worth less what it cost.

        Args:
            value_usd: Worth of a correct answer, USD.
        """
        products = dict(self.products)
        products["net", "net"] = (
            value_usd**2 * self.product("bg", "bg")
            - 2 * value_usd * self.product("bg", "bc")
            + self.product("bc", "bc")
        )
        products["net", "bn"] = value_usd * self.product("bg", "bn") - self.product("bc", "bn")
        sums = {**self.sums, "net": value_usd * self.sums["bg"] - self.sums["bc"]}
        return Moments(self.units, self.seen, sums, products)

    def design_effect(self, numerator: str, denominator: str) -> float:
        """How many times the variance of a ratio exceeds that of as many independent requests, at least 1.

        Only for a numerator of zeros and ones, of which one request's variance is known.
        """
        total, n = self.sums[numerator], self.sums[denominator]
        share = total / n
        alone = n * share * (1 - share)
        if alone <= 0:
            return 1.0
        residual = (
            self.product(numerator, numerator)
            - 2 * share * self.product(numerator, denominator)
            + share**2 * self.product(denominator, denominator)
        )
        units = self.seen[KNOWN[numerator]]
        return max(1.0, residual / alone * units / max(units - 1, 1))


def added(parts: Sequence[Moments]) -> Moments:
    """Moments of all parts together; there must be one at least."""
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole
