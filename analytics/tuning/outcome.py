"""The outcome of a tuning in words, from held-out figures alone."""

from collections.abc import Mapping

from analytics.estimate import Estimate
from analytics.policy import Goal
from analytics.tuning.evaluation import Comparison, Evaluation
from analytics.tuning.log import FEW_UNITS, Selection
from analytics.tuning.picking import Pick

FULL_COVERAGE = 0.95
ROUNDS_TO_NOTHING = 0.0005
NO_CERTIFICATE = "Certificates are not computed: every verdict is an estimate."


def notes(selection: Selection, picked: Pick, held_out: Evaluation) -> list[str]:
    """Sentences on what the figures assume and what was left out."""
    facts = selection.log.facts
    found = [NO_CERTIFICATE]
    left_out = [name for name in selection.categories if name not in held_out.covered]
    if left_out:
        found.append(
            f"Figures over all categories leave out what this log cannot tell: {', '.join(left_out)}."
        )
    if not picked.costs_known:
        found.append("Without costs, the cheapest policy is the one with the fewest escalations.")
    covered, rows = held_out.overall.cost_per_request_usd.n, held_out.overall.escalation_rate.n
    if picked.costs_known and covered < FULL_COVERAGE * rows:
        found.append(
            f"Costs are known for {covered / rows:.0%} of the requests; the rest is left out of them."
        )
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
    held_out: Evaluation,
    *,
    against: Mapping[str | None, Comparison],
    reaches: bool | None,
) -> str:
    """The outcome in words.

    Args:
        goal: What was tuned for.
        picked: The choices.
        held_out: Their figures on rows that they were not picked on.
        against: The policy against its reference; empty where that is unknown.
        reaches: Whether those rows meet the goal; None where that cannot be told.
    """
    parts = []
    if reaches is False:
        parts.append("On the requests that it was not picked on, this policy misses the goal.")
    whole = held_out.overall
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
    counted = [choice.verdict for choice in picked.choices.values()]
    estimated = counted.count("estimated")
    tail = f"{estimated} of {len(counted)} categories {'has' if estimated == 1 else 'have'} an estimate"
    few, unknown = counted.count("insufficient_evidence"), counted.count("not_identified")
    if few:
        tail += f", {few} {'has' if few == 1 else 'have'} too little data"
    if unknown:
        tail += f", {unknown} cannot be told from this log"
    parts.append(tail + ".")
    if goal.scope == "overall" and len(counted) > 1:
        parts.append("The goal is for all categories together; one alone may lose more.")
    return " ".join(parts)


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
    return f"{text} ({found.low * 100:.1f} to {found.high * 100:.1f})".replace("-", "−")


def _saving(saved: Estimate) -> str:
    value = saved.value or 0.0
    if abs(value) < ROUNDS_TO_NOTHING * 10:
        return "costs the same"
    text = f"costs {abs(value):.0%} {'less' if value > 0 else 'more'}"
    if saved.low is None or saved.high is None:
        return text
    low, high = sorted((saved.low, saved.high) if value > 0 else (-saved.low, -saved.high))
    return f"{text} ({low:.0%} to {high:.0%})".replace("-", "−")
