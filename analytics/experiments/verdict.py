"""The one sentence on an experiment: adopt, keep, or run so many more days, with its risk."""

from dataclasses import dataclass, replace
from typing import Literal

from analytics.estimate import Estimate, normal_quantile
from analytics.experiments import saying
from analytics.experiments.comparison import Comparison, Reading
from analytics.experiments.decision import Decision, decision
from analytics.experiments.effects import Effect, Metric
from analytics.experiments.looks import Looks

Read = Literal["once", "any-time"]
"""Whether the interval holds at one planned look, or at every look."""
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Answer:
    """What an experiment says to do.

    Attributes:
        decision: adopt, keep, run_on or price.
        sentence: The same in words, plain text.
        risk: How often such a decision is wrong.
        more_days: Days to run on; None where nothing more is needed or no length would do.
        accuracy: The effect on accuracy that decided.
        cost: The effect on cost that decided.
    """

    decision: Decision
    sentence: str
    risk: str
    more_days: float | None
    accuracy: Estimate
    cost: Estimate


def answer(
    found: Reading,
    compared: Comparison,
    *,
    margin: float,
    value_usd: float | None = None,
    read: Read = "once",
    looks: dict[Metric, Looks] | None = None,
) -> Answer:
    """What to do, from the effects on accuracy and cost.

    Args:
        found: The experiment as read.
        compared: Its arms compared, with ``net_usd`` where ``value_usd`` is given.
        margin: Loss of accuracy allowed, a share.
        value_usd: Worth of a correct answer, USD; it then decides alone.
        read: ``any-time`` takes the intervals of ``looks``.
        looks: Effects over time, of accuracy, cost and net_usd.
    """
    estimates = {
        metric: _estimate(effect, metric, read, looks or {}) for metric, effect in compared.effects.items()
    }
    accuracy, cost = estimates["accuracy"], estimates["cost_usd"]
    net = estimates.get("net_usd") if value_usd is not None else None
    chosen = decision(accuracy, cost, margin=margin, net=net)
    more = _more_days(found, compared, margin=margin, net=net) if chosen.choice == "run_on" else None
    sentence = _sentence(chosen, compared, accuracy, cost, net, margin=margin, value_usd=value_usd, more=more)
    return Answer(chosen, sentence, _risk(chosen, accuracy.level, read), more, accuracy, cost)


def _estimate(effect: Effect, metric: Metric, read: Read, looks: dict[Metric, Looks]) -> Estimate:
    if read == "once":
        return effect.effect
    last = looks[metric].last if metric in looks else None
    if last is None:
        return replace(effect.effect, low=None, high=None)
    return replace(
        effect.effect, value=last["effect"], low=last["low"], high=last["high"], method=looks[metric].method
    )


def _more_days(found: Reading, compared: Comparison, *, margin: float, net: Estimate | None) -> float | None:
    """Days beyond those run until the open comparison is settled with a chance of 80%.

    Accuracy: if the arms are equally accurate or the gain is as large as the margin, unless the data rule
    that out already. Cost and worth: at the effect seen now.
    """
    first, last = found.assigned.first, found.assigned.last
    if first is None or last is None or last <= first:
        return None
    run = (last - first).total_seconds() / 86_400
    wanted: list[tuple[Effect, float | None]] = []
    if net is not None:
        wanted.append((compared.effects["net_usd"], net.value))
    else:
        accuracy = compared.effects["accuracy"]
        wanted.append((accuracy, _distance(accuracy.effect, margin)))
        cost = compared.effects["cost_usd"].effect
        if cost.low is not None and cost.high is not None and cost.low <= 0 <= cost.high:
            wanted.append((compared.effects["cost_usd"], cost.value))
        if cost.low is None:
            return None
    more = 0.0
    for effect, distance in wanted:
        if not effect.error or not distance:
            return None
        z = normal_quantile((1 + effect.effect.level) / 2) + normal_quantile(POWER)
        more = max(more, run * ((z * effect.error / abs(distance)) ** 2 - 1))
    return max(more, 1.0)


def _distance(accuracy: Estimate, margin: float) -> float | None:
    """How far accuracy is from the margin that must be told apart from it."""
    if accuracy.value is None or accuracy.high is None or accuracy.high >= 0:
        return margin
    return accuracy.value + margin


def _sentence(
    chosen: Decision,
    compared: Comparison,
    accuracy: Estimate,
    cost: Estimate,
    net: Estimate | None,
    *,
    margin: float,
    value_usd: float | None,
    more: float | None,
) -> str:
    control, treatment = compared.control, compared.treatment
    right = saying.with_interval("accuracy", accuracy, difference=True)
    price = _price(compared, cost)
    allowed = f"surely less than the {100 * margin:g} points that may be lost"
    gained = f"surely a gain of less than {100 * margin:g} points"
    if chosen.because in ("worth", "not_worth") and net is not None:
        verb = "gains" if chosen.because == "worth" else "loses"
        ends = saying.interval("net_usd", net, difference=True)
        return (
            f"{'Adopt' if verb == 'gains' else 'Keep'} {treatment if verb == 'gains' else control}: with a "
            f"correct answer worth {saying.money(value_usd or 0)}, {treatment} {verb} "
            f"{saying.money(abs(net.value or 0))} per request ({ends})."
        )
    if chosen.because == "price" and chosen.price_usd is not None:
        ends = saying.interval("cost_usd", chosen.price_usd)
        return (
            f"Adopt {treatment} if one more correct answer is worth more than "
            f"{saying.money(chosen.price_usd.value or 0)} ({ends}): it changes accuracy by {right} and costs "
            f"{price}."
        )
    said = {
        "cheaper": f"Adopt {treatment}: it costs {price}, and accuracy changes by {right}, {allowed}.",
        "better": f"Adopt {treatment}: accuracy changes by {right}, and it costs no more.",
        "worse": f"Keep {control}: with {treatment} accuracy changes by {right}, and the cost is {price}.",
        "dearer": f"Keep {control}: {treatment} costs {price}, and accuracy changes by {right}, {gained}.",
    }
    return said.get(chosen.because) or _open(accuracy, cost, right, price, net, more=more)


def _open(
    accuracy: Estimate,
    cost: Estimate,
    right: str,
    price: str,
    net: Estimate | None,
    *,
    more: float | None,
) -> str:
    if accuracy.value is None and net is None:
        return "This experiment cannot tell: accuracy is unknown, as no served answer of one arm is graded."
    if accuracy.low is None and net is None:
        return "This experiment cannot tell yet: accuracy has no interval, as too few answers are graded."
    seen = f"accuracy changes by {right}"
    if net is None and cost.value is None:
        return f"This experiment cannot tell: {seen}, but the cost of one arm is unknown."
    if net is None and cost.low is None:
        return (
            f"This experiment cannot tell: {seen}, but the cost has no interval, as it does not vary within "
            "the arms or too few requests have one."
        )
    if net is not None:
        seen = (
            f"worth less cost changes by {saying.with_interval('net_usd', net, difference=True)} per request"
        )
    else:
        seen += f" and the cost is {price}"
    if more is None:
        return (
            f"Nothing is decided yet: {seen}, and no length of the test would settle it at the effect seen."
        )
    return f"Run {saying.days(more)} more: so far {seen}, which leaves both open."


def _price(compared: Comparison, cost: Estimate) -> str:
    """Relative change of the cost: that of the deciding interval over the control's cost."""
    relative, before = compared.effects["cost_usd"].relative, compared.effects["cost_usd"].control.value
    if cost.low == compared.effects["cost_usd"].effect.low and relative.value is not None:
        return saying.less_or_more(relative)
    if not before or cost.value is None or cost.low is None or cost.high is None:
        return saying.with_interval("cost_usd", cost, difference=True)
    value, low, high = (part / before for part in (cost.value, cost.low, cost.high))
    scaled = Estimate(value, low, high, cost.n, cost.method, cost.level)
    return saying.less_or_more(scaled)


def _risk(chosen: Decision, level: float, read: Read) -> str:
    tail = saying.percent((1 - level) / 2)
    when = "however often one looks" if read == "any-time" else "if it is read once, at its planned end"
    if chosen.because == "cheaper":
        return (
            f"A treatment worse by the margin, or not cheaper, would be adopted in at most {tail} "
            f"of such experiments, {when}: both must be shown."
        )
    if chosen.choice == "run_on":
        return "Nothing is claimed, so nothing can be wrong yet."
    if chosen.choice == "price":
        return (
            f"Each of the two intervals holds in {saying.percent(level, digits=0)} of such experiments, "
            f"{when}; the price takes the worst ends of both."
        )
    return f"Such a decision is wrong in at most {tail} of experiments without a difference, {when}."
