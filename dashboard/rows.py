"""The frames behind the tables: what changes, what was chosen, what picking gained on paper."""

from typing import TYPE_CHECKING, Any

import polars as pl

from dashboard import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.estimate import Estimate
    from analytics.tuning.curve import Curve
    from analytics.tuning.goals import Tuning


def changes(tuning: "Tuning", curves: "Mapping[str, Curve]") -> pl.DataFrame:
    """One row per category, the largest gain in accuracy first.

    Args:
        tuning: The recommended policy; with its figures.
        curves: Curve of every category, for its size and its threshold in force.

    Returns:
        ``category``, ``verdict`` (one-element list), ``today`` and ``new`` (text), ``accuracy`` in percent,
        ``accuracy_change`` in points, ``cost_usd`` per request, ``cost_change`` in percent,
        ``escalated`` in [0, 1], ``requests``, ``spend_today_usd`` and ``spend_new_usd`` over all requests of
        the category at these costs. Changes are against the policy in force; null where unknown.
    """
    records: list[dict[str, Any]] = []
    for name, point in tuning.figures.categories.items():
        force, versus = curves[name].in_force, tuning.vs_in_force.get(name)
        saved = None if versus is None else versus.saved.value
        cost, n = point.cost_per_request_usd.value, curves[name].n
        before = None if cost is None or saved is None or saved >= 1 else cost / (1 - saved)
        records.append(
            {
                "category": name,
                "verdict": [verdict_word(tuning, name)],
                "today": None if force is None else words.threshold(force.threshold, route="cascade"),
                "new": new_route(tuning, name),
                "accuracy": _scaled(point.accuracy),
                "accuracy_change": None if versus is None else _scaled(versus.accuracy),
                "cost_usd": cost,
                "cost_change": None if saved is None else -saved * words.POINT,
                "escalated": point.escalation_rate.value,
                "requests": n,
                "spend_today_usd": None if before is None else before * n,
                "spend_new_usd": None if cost is None else cost * n,
            }
        )
    return pl.DataFrame(records, schema=CHANGES).sort(
        "accuracy_change", "category", descending=[True, False], nulls_last=True
    )


CHANGES: dict[str, pl.DataType | type[pl.DataType]] = {
    "category": pl.String,
    "verdict": pl.List(pl.String),
    "today": pl.String,
    "new": pl.String,
    "accuracy": pl.Float64,
    "accuracy_change": pl.Float64,
    "cost_usd": pl.Float64,
    "cost_change": pl.Float64,
    "escalated": pl.Float64,
    "requests": pl.Int64,
    "spend_today_usd": pl.Float64,
    "spend_new_usd": pl.Float64,
}


def chosen(tuning: "Tuning") -> pl.DataFrame:
    """One row per category with what was chosen and how it did on the rows that it is reported on.

    Returns:
        ``category``, ``verdict`` (one-element list), ``threshold`` (text), ``accuracy`` (text with
        interval), ``vs_strong`` in points, ``saved`` in [0, 1] (null where negative or unknown),
        ``saved_interval`` (text), ``n`` rows, ``reason``.
    """
    records: list[dict[str, Any]] = []
    for name, point in tuning.figures.categories.items():
        versus = tuning.vs_strong[name]
        saved = versus.saved
        entry = tuning.policy.categories.get(name)
        records.append(
            {
                "category": name,
                "verdict": [verdict_word(tuning, name)],
                "threshold": new_route(tuning, name),
                "accuracy": None if point.accuracy.value is None else words.with_interval(point.accuracy),
                "vs_strong": _scaled(versus.accuracy),
                "saved": None if saved.value is None else max(saved.value, 0.0),
                "saved_interval": None
                if saved.value is None
                else ""
                if saved.low == saved.high
                else words.percent_interval(saved.low, saved.high, digits=0),
                "n": point.accuracy.n,
                "reason": (entry.reason if entry is not None else tuning.policy.default.reason) or None,
            }
        )
    return pl.DataFrame(records, schema=CHOSEN).sort("category")


CHOSEN: dict[str, pl.DataType | type[pl.DataType]] = {
    "category": pl.String,
    "verdict": pl.List(pl.String),
    "threshold": pl.String,
    "accuracy": pl.String,
    "vs_strong": pl.Float64,
    "saved": pl.Float64,
    "saved_interval": pl.String,
    "n": pl.Int64,
    "reason": pl.String,
}


def verdict_word(tuning: "Tuning", name: str) -> str:
    """The verdict of a category in words; requests without a category follow the default."""
    entry = tuning.policy.categories.get(name)
    return words.verdict(None if entry is None else entry.verdict).word


def new_route(tuning: "Tuning", name: str) -> str:
    """What the policy does in a category, as text: a threshold, never escalate, always strong."""
    rule = tuning.policy.categories.get(name) or tuning.policy.default
    if rule.route == "cascade" and rule.threshold is None:
        rule = tuning.policy.default
    return words.threshold(rule.threshold, route=rule.route)


def _scaled(estimate: "Estimate") -> float | None:
    return None if estimate.value is None else estimate.value * words.POINT
