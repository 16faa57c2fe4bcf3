"""The sentences that the pages compute, in markdown of our own making."""

from typing import TYPE_CHECKING

from dashboard import words

if TYPE_CHECKING:
    from analytics.estimate import Estimate
    from analytics.policy import Goal
    from analytics.tuning.curve import Point
    from analytics.tuning.goals import Tuning

SAME = 0.005


def overview_answer(tuning: "Tuning") -> str:
    """The recommended policy in one sentence, and how many categories the log can tell about."""
    escalated = tuning.figures.overall.escalation_rate.value
    strong = tuning.reference == "strong"
    against = (tuning.vs_strong if strong else tuning.vs_in_force).get(None)
    accuracy = None if against is None else against.accuracy
    saved = None if against is None else against.saved
    text = f":primary[**Escalating {words.percent(escalated, digits=0)} of requests**]"
    if accuracy is None or accuracy.value is None:
        text += f" is recommended; how far it is from {reference(tuning)} is unknown"
    else:
        text += f" {_distance(accuracy, reference(tuning))}"
    if saved is not None and saved.value is not None:
        text += f" and {_costs(saved.value, saved.low, saved.high)}"
    missed = "On held-out requests this policy misses the goal. " if tuning.reaches_goal is False else ""
    held = f" {promised(tuning)}." if tuning.certified else ""
    return f"{missed}{text}.{held} {verdict_count(tuning)}"


def promised(tuning: "Tuning") -> str:
    """``Certified at 95%: at most 1 point below always strong``; what exactly is in the promise itself."""
    goal = tuning.policy.goal
    if goal is None:
        return ""
    level = words.percent(goal.level, digits=0)
    if goal.name == "min-accuracy":
        what = f"accuracy of at least {words.percent(goal.min_accuracy)}"
    else:
        margin = (goal.margin or 0.0) * words.POINT
        what = f"at most {margin:g}{words.NBSP}point{'' if margin == 1 else 's'} below {reference(tuning)}"
    where = " in every certified category" if goal.scope == "category" else ""
    return f":green[**Certified at {level}**]: {what}{where}"


def _against(tuning: "Tuning") -> "Estimate | None":
    """What the policy saves against its reference."""
    found = (tuning.vs_strong if tuning.reference == "strong" else tuning.vs_in_force).get(None)
    return None if found is None else found.saved


def reference(tuning: "Tuning") -> str:
    """What the policy is compared with, in words."""
    return "always strong" if tuning.reference == "strong" else "the policy in force"


def verdicts(tuning: "Tuning") -> dict[str, str | None]:
    """The verdict of every category of the log; None for what follows the default."""
    rules = tuning.policy.categories
    return {name: rules[name].verdict if name in rules else None for name in tuning.figures.categories}


def _distance(difference: "Estimate", against: str) -> str:
    """``loses 0.5 points of accuracy against always strong (−1.7 to 0.8)``."""
    value = difference.value or 0.0
    size = f"{abs(value) * words.POINT:.1f}{words.NBSP}points"
    if size.startswith("0.0"):
        text = f"keeps the accuracy of {against}"
    elif value < 0:
        text = f"loses {size} of accuracy against {against}"
    else:
        text = f"gains {size} of accuracy over {against}"
    if difference.low is None or difference.high is None:
        return text
    ends = (difference.low * words.POINT, difference.high * words.POINT)
    return f"{text} ({words.signed(f'{ends[0]:.1f}{words.NBSP}to{words.NBSP}{ends[1]:.1f}')})"


def _costs(saved: float, low: float | None, high: float | None) -> str:
    """``costs **23% less** (21 to 25%)``, turned round where it is dearer."""
    if abs(saved) < SAME:
        return "costs the same"
    less = saved >= 0
    text = f"costs **{words.percent(abs(saved), digits=0)} {'less' if less else 'more'}**"
    if low is None or high is None:
        return text
    ends = (low, high) if less else (-high, -low)
    return f"{text} ({words.percent_interval(*ends, digits=0)})"


def verdict_count(tuning: "Tuning") -> str:
    """How many categories have which verdict: "9 of 11 categories are estimated; 2 cannot be told"."""
    found = list(verdicts(tuning).values())
    total = words.plural(len(found), "category", "categories")
    told = {name: found.count(name) for name in ("certified", "estimated", "pooled")}
    first = words.joined([f"{count} of {total} are {name}" for name, count in told.items() if count])
    rest = []
    if few := found.count("insufficient_evidence"):
        rest.append(f"{few} {'has' if few == 1 else 'have'} too little data")
    if hidden := found.count("not_identified"):
        rest.append(f"{hidden} cannot be told from this log")
    return "; ".join(part for part in (first or f"None of {total} has a verdict", *rest)) + "."


def thresholds_answer(tuning: "Tuning") -> str:
    """How many categories have a route, and for which the log cannot tell."""
    found = verdicts(tuning)
    told = [name for name, verdict in found.items() if verdict in ("certified", "estimated", "pooled")]
    few = [name for name, verdict in found.items() if verdict == "insufficient_evidence"]
    hidden = [name for name, verdict in found.items() if verdict == "not_identified"]
    have = "has" if len(told) == 1 else "have"
    total = words.plural(len(found), "category", "categories")
    parts = [f"**{len(told)} of {total}** {have} a route of {'its' if len(told) == 1 else 'their'} own"]
    if tuning.certified:
        saved, share = _against(tuning), tuning.figures.overall.escalation_rate.value
        less = f", escalating **{words.percent(share, digits=0)}** of requests"
        if saved is not None and saved.value is not None:
            less += f", and {_costs(saved.value, saved.low, saved.high)}"
        parts = [f"{promised(tuning)}{less}. {parts[0]}"]
    if few:
        short = "has" if len(few) == 1 else "have"
        parts.append(f"**{len(few)}** {short} too little data: {words.listing(few, limit=3)}")
    if hidden:
        parts.append(f"for **{len(hidden)}** this log cannot tell: {words.listing(hidden, limit=3)}")
    return "; ".join(parts) + "."


def about(tuning: "Tuning", goal: "Goal") -> str:
    """Which rows the table of all categories is about, and what the goal does not promise for one of them."""
    text = "Accuracy, difference and saving are of held-out requests, which had no say in the pick."
    if tuning.certified:
        text = (
            f"Accuracy, difference and saving are of {tuning.rows.reported_on}, which had a say in the "
            "choice, so they may be a little too good; the promise above is not."
        )
    if goal.scope == "overall" and goal.name in ("non-inferior", "min-accuracy"):
        text += " The goal is for all categories together; one alone may lose more."
    return text


def left_out(tuning: "Tuning") -> str:
    """What the overall figures do not cover, as one more sentence of a caption."""
    if not tuning.left_out:
        return ""
    part = words.percent(tuning.left_out_share)
    return f" Left out, because this log cannot tell: {words.listing(tuning.left_out)} ({part} of requests)."


def marks(tuning: "Tuning") -> "dict[str, Point | None]":
    """The strategies of the plane, all on the rows of the policy's figures."""
    return {**tuning.controls, "recommended": tuning.figures.overall}


def per_dollar(point: "Point | None") -> float | None:
    """Correct answers per USD under one policy; None where either is unknown."""
    if point is None or point.accuracy.value is None or not point.cost_per_request_usd.value:
        return None
    return point.accuracy.value / point.cost_per_request_usd.value


def today(tuning: "Tuning") -> str | None:
    """The share escalated today, for a card's pill; None where the policy in force is unknown."""
    force = tuning.controls.get("in_force")
    return None if force is None else f"today {words.percent(force.escalation_rate.value, digits=0)}"
