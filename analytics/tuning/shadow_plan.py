"""Which strong calls to buy, and at what price, where a log cannot tell what another threshold would do.

They are shadow calls: the fast answer of a kept request is served as always, the strong model answers it too,
and nobody notices. Two questions cost something:

- ``raise``: would a higher threshold be more accurate? Nobody knows the strong answers of the requests just
  above the threshold in force. It counts as answered once the change of the category's accuracy is known to
  within the margin, from n calls in a band that holds a share q of the category's requests: the standard
  error is ``sd * q / sqrt(n)``, with ``sd`` that of the difference of two grades.
- ``lower``: does the next cheaper threshold keep the promise? The number of graded pairs is that of the
  certificate's own test, if the rates of the pairs so far hold.

References:
    Neyman (1934), J. Royal Statistical Society 97. The number of pairs: ``sample_size.pairs_needed``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from analytics.estimate import normal_quantile
from analytics.policy import Goal
from analytics.tuning.band import Band, band_above, kept_from
from analytics.tuning.certificate import Certification
from analytics.tuning.identification import LEAST_SHADOW_ROWS
from analytics.tuning.log import Selection, largest_weight
from analytics.tuning.next_step import Step, next_steps
from analytics.tuning.picking import margin_of
from analytics.tuning.verdict_words import points

RATES = (0.1, 0.5, 1.0)
FLOOR = 0.02
"""Share of all other kept requests to shadow beside a band, so that every request had a chance."""

UNKNOWN_SD = 0.5
_PRIOR_PAIRS = 20
_LEAST_DAYS = 1.0
_DAY_S = 86_400.0
DEFAULT_MARGIN = 0.01

Question = Literal["raise", "lower"]


@dataclass(frozen=True, slots=True)
class Exploration:
    """What a question costs if a share of the requests in question gets a shadow answer.

    Attributes:
        rate: That share.
        strong_calls: Calls in all, those of the floor included.
        cost_usd: Their cost; None where no strong call has a known one.
        days: How long it takes at the log's traffic; None where the log does not say how much that is.
    """

    rate: float
    strong_calls: int
    cost_usd: float | None
    days: float | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """What answers one question.

    Attributes:
        question: ``raise`` or ``lower``.
        task_category: Category; None for all of them together.
        low: Smallest confidence of the band in question.
        high: First confidence above it; None where there is none.
        requests: Requests of this log that lie in the band (``raise``) or count in the test (``lower``).
        pairs: Further pairs of graded answers that it takes.
        explorations: At what price, by ``RATES``.
        assumed: Whether the rates are assumed, as the log has no pairs for them.
        impossible: Why no number of pairs would do; None where some does.
    """

    question: Question
    task_category: str | None
    low: float | None
    high: float | None
    requests: int
    pairs: int
    explorations: tuple[Exploration, ...]
    assumed: bool
    impossible: str | None = None


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """What to buy.

    Attributes:
        purchases: Certificates first, then categories in order.
        requests_per_day: Traffic of the selection; None where its times span less than a day.
        answered: Categories whose question "raise?" the log can answer already.
        shadow_share: The smallest share at which the log has shadow answers; None where it has none to use.
        assumptions: Sentences on what the numbers rest on.
    """

    purchases: tuple[Purchase, ...]
    requests_per_day: float | None
    answered: tuple[str, ...]
    shadow_share: float | None
    assumptions: tuple[str, ...]

    def total(self, question: Question, rate: float) -> Exploration | None:
        """All purchases for one question at one rate, made side by side; None where there is none."""
        bought = [
            item
            for purchase in self.purchases
            if purchase.question == question
            for item in purchase.explorations
            if item.rate == rate
        ]
        if not bought:
            return None
        costs, days = [item.cost_usd for item in bought], [item.days for item in bought]
        return Exploration(
            rate,
            sum(item.strong_calls for item in bought),
            None if None in costs else sum(cost or 0.0 for cost in costs),
            None if None in days else max(day or 0.0 for day in days),
        )


def shadow_plan(
    selection: Selection,
    goal: Goal,
    *,
    certified: Certification | None = None,
    strong_call_usd: float | None = None,
) -> ShadowPlan:
    """The strong calls that would answer what a log cannot.

    Args:
        selection: The rows in question.
        goal: Its margin (one point where it has none), level, scope and reference.
        certified: What could be certified, where that is known already.
        strong_call_usd: Cost of a strong call where the log has none.
    """
    margin = margin_of(goal) or DEFAULT_MARGIN
    per_day = _requests_per_day(selection)
    market = _Market(per_day, _call_costs(selection, strong_call_usd))
    steps = next_steps(selection, goal, certified) if goal.name == "non-inferior" else ()
    lower = [_lower(selection, step, market) for step in steps]
    bands = {name: band_above(selection, name) for name in selection.categories}
    found = {
        name: _raise(selection, band, market, margin=margin, level=goal.level)
        for name, band in bands.items()
        if band is not None and band.unasked > 0
    }
    asked = [purchase for purchase in found.values() if purchase.pairs > 0]
    answered = tuple(name for name, purchase in found.items() if purchase.pairs == 0)
    purchases = (*lower, *asked)
    weight = largest_weight(selection, selection.categories)
    share = 1 / weight if weight > 1 else None
    said = tuple(_assumptions(purchases, per_day, margin, goal))
    return ShadowPlan(purchases, per_day, answered, share, said)


@dataclass(frozen=True, slots=True)
class _Market:
    """Requests a day and the cost of a strong call by category, where known."""

    per_day: float | None
    call_usd: dict[str, float | None]


def _raise(selection: Selection, band: Band, market: _Market, *, margin: float, level: float) -> Purchase:
    variance = (band.squares + _PRIOR_PAIRS * UNKNOWN_SD**2) / (band.pairs + _PRIOR_PAIRS)
    half_width = normal_quantile((1 + level) / 2) * math.sqrt(variance) * band.share
    needed = math.ceil(selection.accuracy_inflation * (half_width / margin) ** 2)
    needed = max(needed, LEAST_SHADOW_ROWS)
    pairs = max(needed - band.pairs, 0)
    # Answers that were bought already and only lack a grade come first.
    calls = max(pairs - band.ungraded, 0)
    requests = int(selection.rows["rows"].sum())
    explorations = []
    for rate in RATES:
        # A log with a shadow share of its own goes on with it elsewhere.
        elsewhere = 0.0 if band.sampled else FLOOR / rate * calls * band.kept_outside / max(band.requests, 1)
        total = calls + math.ceil(elsewhere)
        daily = None if market.per_day is None else market.per_day * band.requests / requests * rate
        explorations.append(
            Exploration(
                rate,
                total,
                _cost(total, market.call_usd[band.task_category]),
                None if daily is None or daily == 0 else calls / daily,
            )
        )
    return Purchase(
        question="raise",
        task_category=band.task_category,
        low=band.low,
        high=band.high,
        requests=band.requests,
        pairs=pairs,
        explorations=tuple(explorations),
        assumed=band.pairs < _PRIOR_PAIRS,
    )


def _lower(selection: Selection, step: Step, market: _Market) -> Purchase:
    sizes = selection.rows.group_by("task_category").agg(pl.col("rows").sum())
    rows = dict(zip(sizes["task_category"], sizes["rows"], strict=True))
    counted = sum(int(rows.get(name, 0)) for name in step.categories)
    daily = None if market.per_day is None else market.per_day * counted / max(sum(rows.values()), 1)
    pairs = 0 if step.needed is None else step.needed - step.pairs
    kept = kept_from(selection, step.categories)
    usd = _mean_cost(market.call_usd, {name: int(rows.get(name, 0)) for name in step.categories})
    explorations = []
    for rate in RATES if step.needed is not None else ():
        if step.free:
            # What the policy in force escalates has its strong answer already: only time and grades.
            share = step.pairs / counted if step.pairs else 1.0
            days = None if not daily else pairs / (daily * share)
            explorations.append(Exploration(rate, 0, 0.0, days))
            continue
        requests = _requests_at(step, rate)
        calls = math.ceil(requests * rate * kept)
        explorations.append(
            Exploration(rate, calls, _cost(calls, usd), None if not daily else requests / daily)
        )
    return Purchase(
        question="lower",
        task_category=step.task_category,
        low=step.threshold,
        high=None,
        requests=counted,
        pairs=pairs,
        explorations=tuple(explorations),
        assumed=step.assumed,
        impossible=step.impossible,
    )


def _requests_at(step: Step, rate: float) -> float:
    """Requests that must come in at a shadow share; the certificate thins all pairs to the smallest one."""
    needed = float(step.needed or 0)
    anew = needed / rate
    if step.sampled_at is None:
        return anew if step.pairs == 0 else min(anew, (needed - step.pairs) / rate)
    lower = min(rate, step.sampled_at)
    beside = (needed - step.pairs * min(1.0, rate / step.sampled_at)) / lower
    return min(anew, beside)


def _requests_per_day(selection: Selection) -> float | None:
    facts = selection.log.facts
    if facts.first_ts is None or facts.last_ts is None:
        return None
    days = (facts.last_ts - facts.first_ts).total_seconds() / _DAY_S
    return float(selection.rows["rows"].sum()) / days if days >= _LEAST_DAYS else None


def _call_costs(selection: Selection, stated: float | None) -> dict[str, float | None]:
    """Mean cost of a strong call by category: its own, else its model's elsewhere, else as stated."""
    known = selection.cells.filter("strong_cost_known")
    total, n = pl.col("strong_cost_sum").sum(), pl.col("n").sum()
    own, model = (
        dict(known.group_by(key).agg(total / n).iter_rows()) for key in ("task_category", "strong_model")
    )
    return {name: own.get(name, model.get(strong, stated)) for name, (_, strong) in selection.pairs.items()}


def _mean_cost(costs: dict[str, float | None], rows: dict[str, int]) -> float | None:
    known = {name: cost for name, cost in costs.items() if name in rows and cost is not None}
    total = sum(rows[name] for name in known)
    if not total or len(known) < len(rows):
        return None
    return sum(cost * rows[name] for name, cost in known.items()) / total


def _cost(calls: int, usd: float | None) -> float | None:
    return None if usd is None else calls * usd


def _assumptions(
    purchases: Sequence[Purchase], per_day: float | None, margin: float, goal: Goal
) -> list[str]:
    if not purchases:
        return []
    said = []
    if any(item.question == "raise" for item in purchases):
        said.append(
            f'"Raise?" is answered once the change of the category\'s accuracy is known to within '
            f"{points(margin)} ({goal.level:.0%} interval)."
        )
        said.append(
            f"Beside a band {FLOOR:.0%} of all other kept requests are asked too, unless the log has a "
            "shadow share already: what had no chance of being asked stands for nothing. It is in the cost."
        )
    if any(item.question == "lower" and item.impossible is None for item in purchases):
        said.append("A certificate then comes out with a chance of 80%, if the rates so far hold.")
    if any(item.assumed for item in purchases):
        said.append(
            "Where the log has too few pairs, a quarter of the answers is taken to differ, as often one way "
            f"as the other (standard deviation of the difference {UNKNOWN_SD:g})."
        )
    said.append("Both answers of every request that is asked are graded.")
    if per_day is None:
        said.append("How long it takes is unknown, since the log's times span less than a day.")
    else:
        said.append(f"Traffic stays as in the log, {per_day:,.0f} requests a day.")
    return said
