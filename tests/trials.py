"""Requests of made-up experiments: rows for a store, and their moments worked out without SQL."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from analytics.experiments.moments import FEATURES, PRODUCTS, Moments

_COUNTERS = ("n", "k", "cn", "bn", "en", "ln")


def row(name: int | str, arm: str | None, **more: Any) -> dict[str, Any]:
    """One request of experiment ``e`` in a log of decisions."""
    return {
        "request_id": f"r{name}", "experiment": None if arm is None else "e", "arm": arm,
        "task_category": "law", "fast_model": "small", "strong_model": "big", **more,
    }  # fmt: skip


def served(entry: dict[str, Any]) -> dict[str, Any]:
    """What a row of decisions says of the served answer: taken, correct, cost and latency, None if unknown.

    Escalated as logged; where it is not, the side that alone has any value was served.
    """
    seen = {
        side: any(entry.get(f"{side}_{name}") is not None for name in ("correct", "cost_usd", "latency_s"))
        for side in ("fast", "strong")
    }
    taken = entry.get("escalated")
    if taken is None:
        taken = {(True, False): False, (False, False): False, (False, True): True}.get(
            (seen["fast"], seen["strong"])
        )
    if taken is None:
        return {"taken": None, "correct": None, "cost": None, "latency": None}
    both = taken and entry.get("policy_kind") in (None, "cascade")
    sides = ["strong", "fast"] if both else ["strong"] if taken else ["fast"]
    found = {"taken": taken, "correct": entry.get("strong_correct" if taken else "fast_correct")}
    for name, unit in (("cost", "usd"), ("latency", "s")):
        parts = [entry.get(f"{side}_{name}_{unit}") for side in sides]
        known = all(part is not None for part in parts)
        found[name] = sum(parts) + (entry.get(f"router_{name}_{unit}") or 0) if known else None
    return found


def moments_of(units: Sequence[Any] | None, **columns: Any) -> Moments:
    """Moments of requests given as columns ``correct``, ``cost``, ``latency``, ``taken``; NaN is unknown.

    Args:
        units: The user of each request; None where requests themselves were assigned.
        columns: One value per request; columns that are not given are unknown throughout.
    """
    size = len(next(iter(columns.values())))
    values = {
        name: np.array([np.nan if entry is None else entry for entry in columns[name]], dtype=float)
        if name in columns
        else np.full(size, np.nan)
        for name in ("correct", "cost", "latency", "taken")
    }
    known = {name: ~np.isnan(value) for name, value in values.items()}
    filled = {name: np.where(known[name], value, 0.0) for name, value in values.items()}
    both = known["cost"] & known["correct"]
    features = {
        "n": np.ones(size), "k": known["correct"], "y": filled["correct"],
        "part": (filled["correct"] > 0) & (filled["correct"] < 1),
        "cn": known["cost"], "c": filled["cost"],
        "bn": both, "bg": filled["correct"] * both, "bc": filled["cost"] * both,
        "en": known["taken"], "e": filled["taken"], "ln": known["latency"], "l": filled["latency"],
    }  # fmt: skip
    place = np.arange(size) if units is None else np.unique(np.asarray(units), return_inverse=True)[1]
    totals = {name: np.bincount(place, weights=features[name].astype(float)) for name in FEATURES}
    return Moments(
        int(place.max()) + 1,
        {name: int((totals[name] > 0).sum()) for name in _COUNTERS},
        {name: float(value.sum()) for name, value in totals.items()},
        {(one, two): float(totals[one] @ totals[two]) for one, two in PRODUCTS},
    )


def same(found: Moments, expected: Moments) -> None:
    """Counts are equal; sums may differ in their last digits."""
    assert found.units == expected.units
    assert found.seen == expected.seen
    assert found.sums == pytest.approx(expected.sums, rel=1e-12, abs=1e-12)
    assert found.products == pytest.approx(expected.products, rel=1e-12, abs=1e-12)
