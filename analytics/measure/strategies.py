"""What always fast, always strong and a hybrid cost and get right, from stated figures alone.

The calculator for people without a log: volumes, accuracies, tokens and prices in, expected values out.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import polars as pl

from analytics.errors import SchemaError
from analytics.policy import PolicyKind

_PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """One task category as stated.

    Attributes:
        task_category: Name, once per calculation.
        requests: Volume, at least 0.
        fast_accuracy: Share that the fast model gets right, in [0, 1].
        strong_accuracy: Share that the strong model gets right, in [0, 1].
        fast_output_tokens: Per request, reasoning included.
        strong_output_tokens: Per request, reasoning included.
        fast_input_tokens: Per request.
        strong_input_tokens: Per request.
    """

    task_category: str
    requests: float
    fast_accuracy: float
    strong_accuracy: float
    fast_output_tokens: float
    strong_output_tokens: float
    fast_input_tokens: float = 0.0
    strong_input_tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per million tokens of the two models."""

    fast_output_usd_per_1m: float
    strong_output_usd_per_1m: float
    fast_input_usd_per_1m: float = 0.0
    strong_input_usd_per_1m: float = 0.0


def strategy_table(
    categories: Sequence[Workload],
    prices: Prices,
    *,
    policy_kind: PolicyKind,
    hybrids: Sequence[Collection[str]] | None = None,
) -> pl.DataFrame:
    """Expected figures of each strategy over all requests.

    Args:
        categories: The stated workload, at least one category.
        prices: USD per million tokens.
        policy_kind: Whether an escalated request pays the fast call too (``cascade``) or the strong call
            alone (``predictive``).
        hybrids: Sets of categories to escalate. None: one more category at a time, cheapest extra correct
            answer first, down to all that gain.

    Returns:
        Columns ``strategy`` (fast_only, strong_only, hybrid), ``escalated`` (names, in the order given),
        ``requests``, ``correct``, ``correct_sd`` (binomial), ``accuracy``, ``cost_usd``,
        ``cost_per_correct_usd`` (null if none is correct) and ``correct_per_dollar`` (null if free).
        ``strong_only`` never calls the fast model; escalating every category of a cascade does.

    Raises:
        SchemaError: A stated figure is impossible, or ``hybrids`` names an unknown category.
    """
    table = category_table(categories, prices, policy_kind=policy_kind)
    names = table["task_category"].to_list()
    if hybrids is None:
        bought = table.drop_nulls("usd_per_extra_correct").sort("usd_per_extra_correct", "task_category")
        ranked = bought["task_category"].to_list()
        hybrids = [ranked[: count + 1] for count in range(len(ranked))]
    unknown = sorted({name for hybrid in hybrids for name in hybrid} - set(names))
    if unknown:
        raise SchemaError(f"Unknown categories: {', '.join(unknown)}. Found: {', '.join(names)}.")
    rows = [_strategy("fast_only", (), table), _strategy("strong_only", names, table)]
    rows += [_strategy("hybrid", hybrid, table) for hybrid in hybrids]
    return pl.DataFrame(rows, schema=_STRATEGY)


def category_table(
    categories: Sequence[Workload], prices: Prices, *, policy_kind: PolicyKind
) -> pl.DataFrame:
    """What escalating each category costs and gains.

    Returns:
        Columns ``task_category, requests, fast_correct, strong_correct, fast_cost_usd, strong_cost_usd,
        fast_variance, strong_variance`` (of the number correct), ``escalated_cost_usd``,
        ``extra_correct``, ``extra_cost_usd`` and ``usd_per_extra_correct`` (null unless escalating gains).

    Raises:
        SchemaError: A stated figure is impossible; the message lists all of them.
    """
    _refuse_impossible(categories, prices)
    both = policy_kind == "cascade"
    rows = []
    for stated in categories:
        n = float(stated.requests)
        fast, strong = _cost_usd(stated, prices, "fast"), _cost_usd(stated, prices, "strong")
        escalated = fast + strong if both else strong
        gain = n * (stated.strong_accuracy - stated.fast_accuracy)
        rows.append(
            {
                "task_category": stated.task_category,
                "requests": n,
                "fast_correct": n * stated.fast_accuracy,
                "strong_correct": n * stated.strong_accuracy,
                "fast_cost_usd": fast,
                "strong_cost_usd": strong,
                "fast_variance": n * stated.fast_accuracy * (1 - stated.fast_accuracy),
                "strong_variance": n * stated.strong_accuracy * (1 - stated.strong_accuracy),
                "escalated_cost_usd": escalated,
                "extra_correct": gain,
                "extra_cost_usd": escalated - fast,
                "usd_per_extra_correct": (escalated - fast) / gain if gain > 0 else None,
            }
        )
    return pl.DataFrame(rows, schema={"task_category": pl.String, **dict.fromkeys(_CATEGORY, pl.Float64)})


def verified_cascade(categories: Sequence[Workload], prices: Prices) -> pl.DataFrame:
    """A cascade whose verifier is never wrong: exactly the wrong fast answers are escalated.

    How many of those the strong model gets right depends on how the two models' errors go together, which
    stated accuracies do not say: the sharpest bounds (Fréchet) and independence in between.

    Returns:
        Columns ``errors`` (low, independent, high), ``correct``, ``cost_usd``, ``cost_per_correct_usd``.

    Raises:
        SchemaError: A stated figure is impossible.
    """
    _refuse_impossible(categories, prices)
    cost = math.fsum(
        _cost_usd(c, prices, "fast") + (1 - c.fast_accuracy) * _cost_usd(c, prices, "strong")
        for c in categories
    )
    right = {
        "low": [max(c.fast_accuracy, c.strong_accuracy) for c in categories],
        "independent": [c.fast_accuracy + (1 - c.fast_accuracy) * c.strong_accuracy for c in categories],
        "high": [min(1.0, c.fast_accuracy + c.strong_accuracy) for c in categories],
    }
    correct = [
        math.fsum(c.requests * share for c, share in zip(categories, shares, strict=True))
        for shares in right.values()
    ]
    return pl.DataFrame(
        {
            "errors": list(right),
            "correct": correct,
            "cost_usd": [cost] * len(right),
            "cost_per_correct_usd": [_ratio(cost, number) for number in correct],
        },
        schema_overrides={"cost_per_correct_usd": pl.Float64},
    )


_CATEGORY = (
    *("requests", "fast_correct", "strong_correct", "fast_cost_usd", "strong_cost_usd"),
    *("fast_variance", "strong_variance", "escalated_cost_usd"),
    *("extra_correct", "extra_cost_usd", "usd_per_extra_correct"),
)
_STRATEGY: dict[str, pl.DataType | type[pl.DataType]] = {
    "strategy": pl.String,
    "escalated": pl.List(pl.String),
    **dict.fromkeys(("requests", "correct", "correct_sd", "accuracy", "cost_usd"), pl.Float64),
    **dict.fromkeys(("cost_per_correct_usd", "correct_per_dollar"), pl.Float64),
}


def _strategy(name: str, escalated: Collection[str], table: pl.DataFrame) -> dict[str, object]:
    rows = table.to_dicts()
    paid = "strong_cost_usd" if name == "strong_only" else "escalated_cost_usd"

    def total(fast: str, strong: str) -> float:
        return math.fsum(row[strong if row["task_category"] in escalated else fast] for row in rows)

    requests = math.fsum(row["requests"] for row in rows)
    correct, cost = total("fast_correct", "strong_correct"), total("fast_cost_usd", paid)
    return {
        "strategy": name,
        "escalated": list(escalated),
        "requests": requests,
        "correct": correct,
        "correct_sd": math.sqrt(total("fast_variance", "strong_variance")),
        "accuracy": _ratio(correct, requests),
        "cost_usd": cost,
        "cost_per_correct_usd": _ratio(cost, correct),
        "correct_per_dollar": _ratio(correct, cost),
    }


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None


def _cost_usd(stated: Workload, prices: Prices, side: str) -> float:
    """Cost of calling one model on every request of the category."""
    per_request = math.fsum(
        float(getattr(stated, f"{side}_{kind}_tokens")) * getattr(prices, f"{side}_{kind}_usd_per_1m")
        for kind in ("input", "output")
    )
    return stated.requests * per_request / _PER_MILLION


def _refuse_impossible(categories: Sequence[Workload], prices: Prices) -> None:
    problems = []
    names = [stated.task_category for stated in categories]
    problems += [f"{name} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    labelled: list[tuple[str, Workload | Prices]] = [*zip(names, categories, strict=True), ("prices", prices)]
    for label, figures in labelled:
        for item in fields(figures):
            value = getattr(figures, item.name)
            most = 1.0 if item.name.endswith("_accuracy") else math.inf
            if not isinstance(value, str) and not (math.isfinite(value) and 0 <= value <= most):
                wanted = "from 0 to 1" if most == 1 else "at least 0"
                problems.append(f"{item.name} of {label} must be {wanted}, found {value:g}")
    if not categories:
        problems.append("no category is stated")
    if problems:
        raise SchemaError(f"The stated figures do not work: {'; '.join(problems)}.")
