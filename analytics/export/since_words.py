"""What is said of a log since a change: one sentence, and the words of its table."""

from typing import TYPE_CHECKING, Any

from analytics.experiments import saying
from analytics.export.observed import METRICS, REASONS, Metric

if TYPE_CHECKING:
    from analytics.estimate import Estimate
    from analytics.export.since import Compared, Since

_SAID: dict[Metric, str] = {
    "escalation_rate": "escalation_rate",
    "cost_per_request_usd": "cost_usd",
    "accuracy": "accuracy",
}
TITLES: dict[Metric, str] = {metric: saying.TITLES[name] for metric, name in _SAID.items()}
_NOUNS: dict[Metric, str] = {
    "escalation_rate": "the share escalated",
    "cost_per_request_usd": "cost per request",
    "accuracy": "accuracy",
}
_NAMED = 3
_TOLD = "(4 of 5 such changes are found)"


def sentence(found: "Since") -> str:
    """The answer, with what it can and cannot claim."""
    decided = _decisions(found)
    if found.answer == "alarm":
        said = "Not as expected since the change."
        return " ".join([said, *_departures(found), *decided])
    if found.answer == "cannot_tell":
        reasons = dict.fromkeys(entry.reason for entry in found.compared if entry.category is None)
        why = "; ".join(str(reason) for reason in reasons)
        return " ".join([f"This log cannot tell whether the figures hold: {why}.", *decided])
    said = (
        f"As expected since the change: over {found.seen.requests:,} requests no figure departs from the "
        "file's by more than chance explains."
    )
    return " ".join([said, *_seen(found), *decided])


def _departures(found: "Since") -> list[str]:
    alarms = sorted(found.alarms, key=lambda entry: (entry.category is not None, entry.p_adjusted))
    lines = []
    for entry in alarms[:_NAMED]:
        where = "" if entry.category is None else f" in {entry.category}"
        mixed = " at this log's mix of categories" if entry.category is None and found.mixes else ""
        lines.append(
            f"{TITLES[entry.metric]}{where}: {number(entry.metric, entry.actual)}, where "
            f"{number(entry.metric, entry.expected)} was expected{mixed}; difference {changed(entry)}."
        )
    if len(alarms) > _NAMED:
        lines.append(f"{len(alarms) - _NAMED} more figures depart.")
    return lines


def _seen(found: "Since") -> list[str]:
    """How large a change would have shown, and what was not compared."""
    whole = {entry.metric: entry for entry in found.compared if entry.category is None}
    would = [
        f"{size(metric, whole[metric].detectable)} in {_NOUNS[metric]}"
        for metric in METRICS
        if metric in whole and whole[metric].detectable is not None
    ]
    lines = []
    if would:
        lines.append(f"Over all requests a change of {_listed(would)} would have shown {_TOLD}.")
    lines += [
        f"{_NOUNS[metric].capitalize()} is not compared: {whole[metric].reason}."
        for metric in METRICS
        if metric in whole and whole[metric].reason is not None
    ]
    return lines


def _decisions(found: "Since") -> list[str]:
    if found.obeyed is None:
        return ["No route is logged, so decisions cannot be checked."]
    if found.obeyed == 1:
        return [f"All {found.decided:,} decisions are the policy's."]
    others = found.decided - round(found.obeyed * found.decided)
    share = saying.percent(1 - found.obeyed)
    return [f"{others:,} of {found.decided:,} decisions ({share}) are not the policy's."]


def number(metric: Metric, found: "Estimate") -> str:
    """A figure without its interval."""
    return saying.number(_SAID[metric], found.value)


def amount(metric: Metric, value: float) -> str:
    """A bare number in the metric's unit."""
    return saying.number(_SAID[metric], value)


def p_value(value: float | None) -> str:
    """``0.072``, ``below 0.001``; ``none`` without a comparison."""
    return saying.p_value(value)


def with_interval(metric: Metric, found: "Estimate") -> str:
    """A figure with its interval."""
    return saying.with_interval(_SAID[metric], found)


def changed(entry: "Compared") -> str:
    """A difference with its interval: in points, for costs in percent of the expected."""
    if entry.metric == "cost_per_request_usd":
        return saying.relative(entry.difference)
    return saying.with_interval(_SAID[entry.metric], entry.difference, difference=True)


def size(metric: Metric, value: float | None) -> str:
    """Size of a change, in points, for costs in percent of the expected; ``unknown`` without one."""
    if value is None:
        return saying.UNKNOWN
    if metric == "cost_per_request_usd":
        return saying.percent(value)
    return saying.points(value)


def mix_words(found: "Since") -> list[str]:
    """What of each difference from the file's overall figure is only another mix of categories."""
    lines = []
    for mix in found.mixes:
        if mix.stated is None:
            continue
        stated, at_mix, actual = (
            saying.number(_SAID[mix.metric], value) for value in (mix.stated, mix.at_mix, mix.actual)
        )
        lines.append(
            f"{TITLES[mix.metric]}: the file states {stated} over its own mix of categories, which at this "
            f"log's mix is {at_mix}; the log has {actual}."
        )
    return lines


def reason_rows(found: "Since") -> list[dict[str, Any]]:
    """Decisions that are not the policy's: category, why, n; most first."""
    rows = [row for row in found.seen.decisions.iter_rows(named=True) if row["reason"] is not None]
    rows.sort(key=lambda row: (-row["n"], row["category"], row["reason"]))
    return [{**row, "why": REASONS[row["reason"]]} for row in rows]


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
