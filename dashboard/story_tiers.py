"""What the Tiers page says: which tier is right how often at what price, and what holds that up."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from analytics.measure.verdicts import DEAR, ENOUGH, SMALL_GAIN
from dashboard import words
from dashboard.charts.tiers import UNKNOWN

if TYPE_CHECKING:
    from analytics.measure.verdicts import Verdict

SAID = {
    "wins": "pays off in {}",
    "helps_dear": "helps at a dear price in {}",
    "do_not_overpay": "is not worth paying for in {}",
}
VERDICTS_READ = (
    "Always strong against always fast. *Do not overpay*: the gain is surely under "
    f"{SMALL_GAIN * words.POINT:g} points. *Helps, but dear*: an extra correct answer costs over {DEAR:g} "
    "times what the strong model's correct answer costs on average. *Cannot tell*: under "
    f"{ENOUGH} graded answers, an interval that allows both, or a log without costs or one of the outcomes."
)


def answer(tiers: pl.DataFrame, found: "Sequence[Verdict]") -> str:
    """The least and the most accurate graded tier with their prices, then the verdicts in numbers."""
    graded = tiers.drop_nulls("accuracy").sort("accuracy").to_dicts()
    calls = words.count(sum(tiers["calls"].to_list()))
    if not graded:
        return f"{calls} calls, none of them graded: what they cost is known, what they get right is not."
    parts = [_tier(graded[-1], first=True)]
    if len(graded) > 1:
        parts.append(_tier(graded[0], first=False))
    return f"{', '.join(parts)}. {verdict_count(found)}".strip()


def verdict_count(found: "Sequence[Verdict]") -> str:
    """In how many categories the strong model is worth its price."""
    counts = {word: sum(entry.word == word for entry in found) for word in SAID}
    told = [text.format(counts[word]) for word, text in SAID.items() if counts[word]]
    if not found:
        return ""
    total = words.plural(len(found), "category", "categories")
    if not told:
        return f"For none of {total} can this log tell whether the strong model is worth its price."
    return f"Of {total} the strong model {words.joined(told)}."


def gaps(tiers: pl.DataFrame) -> list[tuple[str, str]]:
    """Findings about what the figures lack."""
    found = []
    if unknown := tiers.filter(pl.col("tier") == UNKNOWN)["calls"].to_list():
        body = f"{words.count(unknown[0])} calls are of models without a known price. Put them into a tier "
        found.append(("Some models have no tier", body + "on the Logs page, under Tiers of models."))
    if tiers["cost_per_call_usd"].is_null().all():
        body = (
            "Accuracy by tier is shown, cost per correct answer is unknown. Log costs, or input and output "
        )
        found.append(("This log has no costs", body + "tokens of models with a known price."))
    return found


def name(shown: str, categories: Iterable[str | None]) -> str | None:
    """The category that is shown under ``shown``; None for calls without one."""
    return next((entry for entry in categories if words.category(entry) == shown), None)


def evidence(tiers: pl.DataFrame) -> list[tuple[str, str]]:
    """What is counted, how the intervals are made, what the filters do here."""
    calls, graded, priced = (
        words.count(sum(tiers[column].to_list())) for column in ("calls", "graded", "cost_n")
    )
    counted = f"{calls} calls, {graded} of them graded, {priced} with a cost. "
    facts = {
        "Counted": counted + "A shadow call counts as any other: it was paid for.",
        "Not compared": "Each tier saw its own requests: a router sends hard ones up. The verdicts compare "
        "like with like, the matrix does not.",
        "Intervals": "95%: Wilson for grades of 0 and 1, else normal; log-scale delta for cost per correct.",
        "Filters": "Dates and categories apply to all of this page, model pair and arm to the verdicts.",
    }
    return list(facts.items())


def _tier(entry: dict[str, Any], *, first: bool) -> str:
    title = str(entry["tier"]).capitalize() if first else str(entry["tier"])
    text = f"**{title}** is right {words.percent(entry['accuracy'], digits=0)} of the time"
    price = entry["cost_per_correct_usd"]
    return text if price is None else f"{text} at {words.money(price)} per correct answer"
