"""The outcome of a tuning in words, from held-out figures alone."""

from collections.abc import Mapping, Sequence

from analytics.estimate import Estimate
from analytics.policy import Goal, Verdict
from analytics.tuning.evaluation import Comparison, Evaluation
from analytics.tuning.log import FEW_UNITS, Selection
from analytics.tuning.picking import Pick

FULL_COVERAGE = 0.95
ROUNDS_TO_NOTHING = 0.0005


def notes(selection: Selection, goal: Goal, picked: Pick, figures: Evaluation) -> list[str]:
    """Sentences on what the figures assume and what was left out."""
    facts = selection.log.facts
    found = []
    left_out = [name for name in selection.categories if name not in figures.covered]
    if left_out:
        found.append(
            f"Figures over all categories leave out what this log cannot tell: {', '.join(left_out)}."
        )
    if not picked.costs_known:
        found.append("Without costs, the cheapest policy is the one with the fewest escalations.")
    covered, rows = figures.overall.cost_per_request_usd.n, figures.overall.escalation_rate.n
    if picked.costs_known and covered < FULL_COVERAGE * rows:
        found.append(
            f"Costs are known for {covered / rows:.0%} of the requests; the rest is left out of them."
        )
    if picked.gap:
        gains = (
            f"gets {picked.gap:.2%} more right" if goal.name == "budget" else f"costs {picked.gap:.2%} less"
        )
        found.append(
            f"An integer program over the categories {gains} than one shadow price for all of them, so its "
            "allocation is used."
        )
    elif picked.gap is not None:
        found.append("One shadow price for all categories is exact here, to a ten-thousandth of the cost.")
    if selection.missing == "exclude":
        found.append("Requests without a confidence are left out.")
    if facts.clustered:
        found.append("Users have several requests: intervals are widened by the spread between users.")
        if facts.units is not None and facts.units < FEW_UNITS:
            found.append(f"Only {facts.units} users: intervals are unreliable.")
    ungraded = int(selection.rows["ungraded"].sum())
    if ungraded:
        rows = int(selection.rows["rows"].sum())
        found.append(
            f"{ungraded:,} of {rows:,} requests have no grade. Within each category they count as the graded "
            "ones do; cost is over all."
        )
    return found


def sentence(
    goal: Goal,
    picked: Pick,
    figures: Evaluation,
    *,
    against: Mapping[str | None, Comparison],
    reaches: bool | None,
    promised: str | None,
) -> str:
    """The outcome in words.

    Args:
        goal: What was tuned for.
        picked: The choices.
        figures: Their figures.
        against: The policy against its reference; empty where that is unknown.
        reaches: Whether held-out rows meet the goal; None where that cannot be told, or a promise stands.
        promised: What is certified, or why nothing is; None where the goal makes no promise.
    """
    parts = []
    if reaches is False:
        parts.append("On the requests that it was not picked on, this policy misses the goal.")
    whole = figures.overall
    share = whole.escalation_rate.value
    name = "always strong" if picked.reference == "strong" else "the policy in force"
    compared = against.get(None)
    text = f"Escalating {share:.0%} of requests" if share is not None else "This policy"
    if compared is not None and compared.accuracy.value is not None:
        text += f" {_difference(compared.accuracy, name)}"
    elif whole.accuracy.value is not None:
        text += f" gets {whole.accuracy.value:.1%} right"
    if compared is not None and compared.saved.value is not None:
        text += " and " + _saving(compared.saved)
    parts.append(text + ".")
    if promised is not None:
        parts.append(promised)
    counted = [choice.verdict for choice in picked.choices.values()]
    tail = _told(counted)
    few, unknown = counted.count("insufficient_evidence"), counted.count("not_identified")
    if few:
        tail += f", {few} {'has' if few == 1 else 'have'} too little data"
    if unknown:
        tail += f", {unknown} cannot be told from this log"
    parts.append(tail + ".")
    if goal.scope == "overall" and len(counted) > 1 and "certified" not in counted:
        parts.append("The goal is for all categories together; one alone may lose more.")
    return " ".join(parts)


def _told(verdicts: Sequence[Verdict]) -> str:
    """``9 of 11 categories are certified``."""
    parts = [
        f"{count} of {len(verdicts)} {_categories(len(verdicts))} {'is' if count == 1 else 'are'} {name}"
        for name in ("certified", "estimated", "pooled")
        if (count := verdicts.count(name))
    ]
    return ", ".join(parts) or f"None of {len(verdicts)} {_categories(len(verdicts))} has a verdict"


def _categories(count: int) -> str:
    return "category" if count == 1 else "categories"


def _difference(found: Estimate, name: str) -> str:
    """``loses 0.5 points of accuracy against always strong (−1.7 to 0.7)``."""
    value = found.value or 0.0
    points = abs(value) * 100
    if points < ROUNDS_TO_NOTHING * 100:
        text = f"keeps the accuracy of {name}"
    else:
        text = f"{'gains' if value > 0 else 'loses'} {points:.1f} points of accuracy against {name}"
    if found.low is None or found.high is None:
        return text
    low, high = (round(end * 100, 1) + 0.0 for end in (found.low, found.high))
    return f"{text} ({low:.1f} to {high:.1f})".replace("-", "−")


def _saving(saved: Estimate) -> str:
    value = saved.value or 0.0
    if abs(value) < ROUNDS_TO_NOTHING * 10:
        return "costs the same"
    text = f"costs {abs(value):.0%} {'less' if value > 0 else 'more'}"
    if saved.low is None or saved.high is None:
        return text
    low, high = sorted((saved.low, saved.high) if value > 0 else (-saved.low, -saved.high))
    return f"{text} ({low:.0%} to {high:.0%})".replace("-", "−")
