"""Logs before and after a change whose truth is known: what was expected, what came, through the product.

Users differ in how confident, how right and how dear their requests are. The thresholds are fixed beforehand;
their figures are what the product's own evaluation finds on the first log.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analytics.export.since import Since, since
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, Overall, ThresholdPolicy
from analytics.tuning.curve import Point
from analytics.tuning.evaluation import evaluate
from analytics.tuning.log import read_log, select
from tests import stores

if TYPE_CHECKING:
    from analytics.estimate import Floats

CATEGORIES = ("code", "law", "chat", "maths", "other")
SHARES = (0.35, 0.25, 0.2, 0.15, 0.05)
HARDER = (0.15, 0.3, 0.1, 0.25, 0.2)
"""Shares of the categories before, and once their mix has changed."""
THRESHOLDS = (0.6, 0.8, 0.35, 0.7, 0.5)
USD = (0.001, 0.008)
PAIR = {"fast_model": "small", "strong_model": "big"}


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests come about.

    Attributes:
        name: Said in the figures.
        before: Requests of the log that the figures are of.
        after: Requests of the log since the change.
        per_user: Requests of a user on average; 1 where nobody returns.
        spread: Standard deviation between users of the logit of what a request's confidence is.
        shares: Of the categories in the second log.
        less_sure: By how much the logit of every confidence of the second log is lower.
        dearer: Factor on what the second log's requests cost.
        wrong: Right answers of the second log that are wrong now, a share.
        graded: Share of the requests that are graded.
    """

    name: str
    before: int
    after: int
    per_user: float = 1.0
    spread: float = 0.0
    shares: tuple[float, ...] = SHARES
    less_sure: float = 0.0
    dearer: float = 1.0
    wrong: float = 0.0
    graded: float = 1.0


def simulated(store: Store, traffic: Traffic, generator: np.random.Generator) -> Since:
    """One change: thresholds with their figures from one log, and the comparison with the next."""
    before = rows(
        replace(traffic, after=traffic.before, shares=SHARES, less_sure=0, dearer=1, wrong=0), generator
    )
    after = rows(traffic, generator)
    stores.load_frame(store, "before", before)
    stores.load_frame(store, "after", after)
    found = since(store, "after", with_figures(store, "before"))
    for name in ("before", "after"):
        store.delete(name)
    return found


def with_figures(store: Store, dataset: str) -> ThresholdPolicy:
    """The thresholds with the figures that the product takes from a log."""
    bare = ThresholdPolicy(
        "cascade",
        Default("strong_only"),
        {
            name: CategoryPolicy("cascade", threshold, **PAIR)
            for name, threshold in zip(CATEGORIES, THRESHOLDS, strict=True)
        },
    )
    found = evaluate(select(read_log(store, dataset)), bare, latency=False)
    categories = {
        name: replace(rule, n=found.categories[name].escalation_rate.n, **_figures(found.categories[name]))
        for name, rule in bare.categories.items()
        if name in found.categories
    }
    overall = Overall("estimated", None, found.overall.escalation_rate.n, **_figures(found.overall))
    return replace(bare, categories=categories, overall=overall)


def _figures(point: Point) -> dict:
    return {name: getattr(point, name) for name in ("accuracy", "cost_per_request_usd", "escalation_rate")}


def rows(traffic: Traffic, generator: np.random.Generator) -> pl.DataFrame:
    """Requests of the second log, both answers observed."""
    n = traffic.after
    user = np.arange(n)
    if traffic.per_user > 1:
        user = np.repeat(user, generator.geometric(1 / traffic.per_user, n))[:n]
    users = int(user[-1]) + 1
    category = generator.choice(len(CATEGORIES), n, p=traffic.shares)
    shy = (traffic.spread * generator.standard_normal(users))[user]
    dear = np.exp((traffic.spread / 2 * generator.standard_normal(users))[user])
    logit = (
        generator.standard_normal(n)
        + shy
        - traffic.less_sure
        + np.array([0.8, 1.2, -0.2, 0.9, 0.3])[category]
    )
    confidence = np.round(1 / (1 + np.exp(-logit)), 2)
    fast = generator.random(n) < 0.25 + 0.65 * confidence
    strong = generator.random(n) < np.array([0.9, 0.85, 0.95, 0.88, 0.8])[category]
    escalated = confidence < np.array(THRESHOLDS)[category]
    lost = generator.random(n) < traffic.wrong
    known = generator.random(n) < traffic.graded
    cost: list[Floats] = [
        usd * traffic.dearer * dear * np.exp(0.8 * generator.standard_normal(n)) for usd in USD
    ]
    return pl.DataFrame(
        {
            "request_id": [f"r{place}" for place in range(n)],
            "unit_id": [f"u{one}" for one in user] if traffic.per_user > 1 else [None] * n,
            "task_category": np.array(CATEGORIES)[category],
            **PAIR,
            "confidence": confidence,
            "fast_correct": np.where(known, (fast & ~lost).astype(float), np.nan),
            "strong_correct": np.where(known, (strong & ~lost).astype(float), np.nan),
            "fast_cost_usd": cost[0],
            "strong_cost_usd": cost[1],
            "escalated": escalated,
        }
    ).with_columns(pl.col("fast_correct", "strong_correct").fill_nan(None))
