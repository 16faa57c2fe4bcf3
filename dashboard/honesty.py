"""The sentences on how far a threshold can be trusted: plateau, stability and optimism."""

from typing import TYPE_CHECKING

from analytics.tuning.optimism import REQUESTS, SAVED, shrinkage
from dashboard import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.policy import Goal
    from analytics.tuning.goals import Tuning
    from analytics.tuning.plateau import Plateau
    from analytics.tuning.stability import Stability

LEAST_POINTS, LEAST_USD = 0.0005, 0.0000005


def option(found: "Plateau", row: int) -> str:
    """A threshold of a plateau in words: a number, never escalate, always strong."""
    at, share = found.points["threshold"][row], found.points["escalation_rate"][row]
    if at is None:
        return words.STRONG_ONLY
    return words.NEVER if not share else words.number(at)


def equivalent(found: "Plateau") -> str:
    """Which thresholds are the same policy as the one that others are compared with; empty for the ends."""
    low, high = (found.points[name][found.reference] for name in ("low_edge", "threshold"))
    if low is None or high is None:
        return ""
    return (
        f"Every threshold above {words.number(low)} and up to {words.number(high)} is the same policy on "
        "this log."
    )


def plateau(found: "Plateau") -> str:
    """Thresholds from 0.85 to 0.97 cannot be told apart on this log; the cheapest of them is 0.85."""
    inside = found.inside
    mine = option(found, found.reference)
    if len(inside) == 1:
        return f"Every other threshold that this log identifies differs in accuracy from {mine}."
    pieces = []
    for run in _runs(inside):
        ends = [option(found, run[0]), option(found, run[-1])]
        pieces.append(ends[0] if len(run) == 1 else f"from {ends[0]} to {ends[1]}")
    return f"Thresholds {words.joined(pieces)} cannot be told apart in accuracy on this log; {least(found)}."


def least(found: "Plateau") -> str:
    """``the cheapest of them is 0.85``; without costs the one that escalates least."""
    which = option(found, found.cheapest)
    return f"the {'cheapest' if found.by_cost else 'one that escalates least'} of them is {which}"


def _runs(rows: "Sequence[int]") -> list[list[int]]:
    found: list[list[int]] = []
    for row in rows:
        if found and found[-1][-1] == row - 1:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def stability(found: "Stability", goal: "Goal", tuning: "Tuning") -> str:
    """How often the same pick from another log like this one would miss the goal."""
    drawn = f"{words.count(found.resamples)} resamples of {words.count(found.requests)} requests"
    if found.misses is None:
        text = f"The same goal was picked for on {drawn}, drawn from this log."
    else:
        share = words.percent(found.misses, digits=0)
        does = "goes over the budget" if goal.name == "budget" else "misses the goal"
        text = f"Picked again on {drawn} from this log, the policy {does} in **{share}** of them, judged on "
        text += "the whole log."
    if tuning.certified:
        text += " Certified thresholds (rings) are not picked that way: a test holds them."
    if found.unreachable:
        text += f" In {words.percent(found.unreachable, digits=0)} of them no policy reaches the goal."
    if found.clustered:
        text += " Users have several requests, so fewer were drawn, each counting for more."
    return text


READING = (
    "The larger a dot, the more resamples pick that threshold; the bar spans 5 to 95% of them, the ring is "
    "the recommended policy. A wide bar: another log like this one would have given another threshold."
)


def optimism(tuning: "Tuning") -> str:
    """How much better a pick looks on its own rows than its cross-fitted worth, in accuracy and dollars."""
    accuracy, saved = (shrinkage(tuning.optimism, key) for key in ("accuracy", SAVED))
    parts = []
    if accuracy is not None and abs(accuracy) >= LEAST_POINTS:
        size = f"{abs(accuracy) * words.POINT:.1f}{words.NBSP}points"
        parts.append(f"{size} {'more' if accuracy > 0 else 'less'} accurate")
    if saved is not None and abs(saved) >= LEAST_USD:
        usd = words.money(abs(saved))
        parts.append(f"{usd} per {words.count(REQUESTS)} requests {'cheaper' if saved > 0 else 'dearer'}")
    if accuracy is None and saved is None:
        return "How optimistic the pick is cannot be told from this log."
    if not parts:
        return "On the rows that chose it the pick looks no better than it is on others."
    looks = f"On the rows that chose it the pick looks {words.joined(parts)}"
    return f"{looks} than it is on rows that had no part in it."
