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
NO_TIER = "models of no tier"
VERDICTS_READ = (
    "Always strong against always fast. *Do not overpay*: the gain is surely under "
    f"{SMALL_GAIN * words.POINT:g} points. *Helps, but dear*: an extra correct answer costs over {DEAR:g} "
    "times what the strong model's correct answer costs on average. *Cannot tell*: under "
    f"{ENOUGH} graded answers, an interval that allows both, or a log without costs or one of the outcomes."
)


def answer(tiers: pl.DataFrame, found: "Sequence[Verdict]") -> str:
    """What the strong model is worth on the same requests, then what a call costs on which tier."""
    calls = words.count(sum(tiers["calls"].to_list()))
    parts = [verdict_count(found), prices(tiers)]
    if tiers["accuracy"].drop_nulls().is_empty():
        parts[0] = f"{calls} calls, none of them graded, so what they get right is unknown."
    return " ".join(part for part in parts if part) or f"{calls} calls."


def verdict_count(found: "Sequence[Verdict]") -> str:
    """In how many categories the strong model is worth its price; nothing without a verdict."""
    if not found:
        return ""
    counts = [(text, sum(entry.word == word for entry in found)) for word, text in SAID.items()]
    told = [(text, number) for text, number in counts if number]
    total = words.plural(len(found), "category", "categories")
    if not told:
        return _gains(found, total)
    rest = len(found) - sum(number for _, number in told)
    better = sum(entry.word not in SAID and (entry.gain.low or 0.0) > 0 for entry in found)
    said = [
        text.format(f"**{number}**" if at else f"**{number}** of {total}")
        for at, (text, number) in enumerate(told)
    ]
    tail = f"; in **{better}** it is right more often at an unknown cost" if better else ""
    tail += f"; for {rest - better} this log cannot tell" if rest > better else ""
    return f"On the same requests the strong model {words.joined(said)}{tail}."


def prices(tiers: pl.DataFrame) -> str:
    """What a call costs on the cheapest and on the dearest tier; nothing without costs."""
    priced = tiers.drop_nulls("cost_per_call_usd").sort("cost_per_call_usd").to_dicts()
    if not priced:
        return ""
    ends = [priced[0]] if len(priced) == 1 else [priced[0], priced[-1]]
    said = [f"{words.money(entry['cost_per_call_usd'])} on {_name(entry)}" for entry in ends]
    return f"A call costs {words.joined(said)}."


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
        "Not compared": "A tier's accuracy is about the requests that it saw: a router sends hard ones up. "
        "The verdicts compare like with like, the cards and the matrix do not.",
        "Intervals": "95%: Wilson for grades of 0 and 1, else normal; log-scale delta for cost per correct.",
        "Filters": "Dates and categories apply to all of this page, model pair and arm to the verdicts.",
    }
    return list(facts.items())


def _gains(found: "Sequence[Verdict]", total: str) -> str:
    """Where no verdict on the price is possible: in how many categories the strong model is surely better."""
    gains = [entry.gain.value for entry in found if entry.gain.low is not None and entry.gain.low > 0]
    known = [value * words.POINT for value in gains if value is not None]
    if not known:
        return f"For none of {total} can this log tell whether the strong model is worth its price."
    span = f"{min(known):.1f} to {max(known):.1f}" if len(known) > 1 else f"{known[0]:.1f}"
    return (
        f"On the same requests the strong model is right more often in **{len(known)}** of {total}, by "
        f"{span} points; what that costs is not in this log."
    )


def _name(entry: dict[str, Any]) -> str:
    return NO_TIER if entry["tier"] == UNKNOWN else str(entry["tier"])
