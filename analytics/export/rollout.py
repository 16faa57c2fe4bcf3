"""A plan that gives new thresholds to a part of the requests at a time, from what may go wrong least on.

Categories are taken in waves by expected risk, those that a user calls critical last. Within a wave the
share of requests grows. Between two steps stands a gate: the loss of accuracy that must be ruled out among
requests already moved, so that at the next share the wave as a whole loses no more than the margin. At a
share f a loss d of those moved costs the wave f d, so the gate before f asks for d < margin / f.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from analytics.errors import SchemaError
from analytics.experiments import saying
from analytics.experiments.design import Baseline, plan
from analytics.experiments.moments import FEATURES, PRODUCTS, Moments
from analytics.experiments.study import MARGIN
from analytics.export.fragment import RefusedError, one_line
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy

EXPERIMENT = "tiertune-rollout"
NEW, TODAY = "new", "today"
FRACTIONS = (0.05, 0.25, 0.5, 1.0)
REST = "all other categories"
MOST_LOSS = 0.5
"""A loss of accuracy beyond which a gate would rule nothing out."""
MAX_NAMED = 6
_NO_STATED_LOSS = 1.0


@dataclass(frozen=True, slots=True)
class Risk:
    """What may go wrong in one category.

    Attributes:
        category: Its name; None for all that have no rule of their own.
        share: Share of all requests; None where unknown.
        loss: Accuracy that the interval leaves open below the estimate; None where there is no interval.
        critical: Whether the user said so.
        ruled: Whether the new thresholds have a rule for it; what has none follows their default.
    """

    category: str | None
    share: float | None
    loss: float | None
    critical: bool = False
    ruled: bool = True

    @property
    def expected(self) -> float:
        """Share times loss; what is unknown counts as all."""
        share = _NO_STATED_LOSS if self.share is None else self.share
        return share * (_NO_STATED_LOSS if self.loss is None else self.loss)


@dataclass(frozen=True, slots=True)
class Gate:
    """What must be shown before the next step.

    Attributes:
        sentence: In plain text.
        loss: Loss of accuracy to be ruled out among the requests moved; None where no other arm is left.
        requests: Requests of both arms that it takes; None where unknown or no number would do.
        days: Days at the log's traffic; None where that is unknown.
        command: How a shell reads it; None where there is nothing to compare.
    """

    sentence: str
    loss: float | None = None
    requests: int | None = None
    days: float | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        number: From 1.
        categories: Those being moved; None stands for all without a rule of their own.
        fraction: Share of their requests that the new thresholds get.
        done: Categories moved as a whole before.
        gate: What must be shown before the next step.
    """

    number: int
    categories: tuple[str | None, ...]
    fraction: float
    done: tuple[str | None, ...]
    gate: Gate

    @property
    def experiment(self) -> str:
        """Name that the requests of the step are logged under."""
        return f"{EXPERIMENT}-{self.number}"


@dataclass(frozen=True, slots=True)
class Rollout:
    """The whole plan.

    Attributes:
        steps: In order.
        risks: Of the categories that change, the least first and critical ones last.
        unchanged: Categories that both policies route alike.
        margin: Accuracy that a wave may lose at any step.
        today: Whether the policy in force is known; else every request counts as strong today.
        days: Sum over the gates; None where one of them is unknown.
    """

    steps: tuple[Step, ...]
    risks: tuple[Risk, ...]
    unchanged: tuple[str | None, ...]
    margin: float
    today: bool
    days: float | None


def rollout(
    policy: ThresholdPolicy,
    *,
    today: ThresholdPolicy | None = None,
    critical: Collection[str] = (),
    traffic: Baseline | None = None,
    margin: float | None = None,
    fractions: Sequence[float] = FRACTIONS,
) -> Rollout:
    """The plan for a policy.

    Args:
        policy: The new thresholds.
        today: Those in force; None takes every request as strong today.
        critical: Categories that go last.
        traffic: What the log says of its requests; None takes the figures of the policy itself.
        margin: Accuracy that a wave may lose, a share; None for that of the policy's goal, else two points.
        fractions: Rising shares, the last 1.

    Raises:
        RefusedError: Nothing would change.
        SchemaError: A critical category is none of the policy's, the shares do not rise to 1 in whole
            percents, or the margin is not above 0.
    """
    whole = all(math.isclose(100 * share, round(100 * share)) for share in fractions)
    rising = list(fractions) == sorted(set(fractions)) and len(fractions) > 0
    if not (whole and rising and fractions[0] > 0 and fractions[-1] == 1):
        raise SchemaError("The shares of a rollout must rise to 1 in whole percents: 0.05, 0.25, 0.5, 1.")
    if margin is not None and margin <= 0:
        raise SchemaError("The margin of a rollout must be above 0, such as 0.02 for two points.")
    unknown = [name for name in critical if name not in policy.categories]
    if unknown:
        names = ", ".join(one_line(name) for name in policy.categories) or "none"
        raise SchemaError(
            f"Critical categories must be of the policy ({names}). Found: {one_line(unknown[0])}."
        )
    old = today or ThresholdPolicy(policy.policy_kind, Default("strong_only"))
    every: list[str | None] = [*dict.fromkeys((*policy.categories, *old.categories)), None]
    moved = [name for name in every if _decides(policy, name) != _decides(old, name)]
    if not moved:
        raise RefusedError("These thresholds route every request as today, so there is nothing to roll out.")
    known = traffic or stated(policy)
    risks = sorted(
        (_risk(policy, name, known, critical) for name in moved),
        # What has no rule and what is critical go last, whatever the figures say.
        key=lambda risk: (
            risk.critical,
            not risk.ruled,
            risk.category is None,
            risk.expected,
            risk.category or "",
        ),
    )
    allowed = margin or (policy.goal.margin if policy.goal else None) or MARGIN
    steps: list[Step] = []
    done: tuple[str | None, ...] = ()
    for wave in _waves(risks):
        for place, fraction in enumerate(fractions):
            after = fractions[place + 1] if place + 1 < len(fractions) else None
            number = len(steps) + 1
            if after is None:
                gate = _watch(policy, wave)
            else:
                part, dated = _of(known, wave), traffic is not None
                gate = _gate(part, number, share=fraction, after=after, margin=allowed, dated=dated)
            steps.append(Step(number, wave, fraction, done, gate))
        done = (*done, *wave)
    lengths = [step.gate.days for step in steps if step.fraction < 1]
    days = None if any(length is None for length in lengths) else sum(length or 0.0 for length in lengths)
    unchanged = tuple(name for name in every if name not in moved)
    return Rollout(tuple(steps), tuple(risks), unchanged, allowed, today is not None, days)


def _decides(policy: ThresholdPolicy, name: str | None) -> tuple[float | None, bool]:
    rule: CategoryPolicy | Default = policy.rule(name)
    if rule.route == "strong_only" or (rule.route == "cascade" and rule.threshold is None):
        return None, False
    if rule.route == "fast_only":
        return 0.0, True
    return rule.threshold, rule.on_missing == "keep"


def _risk(
    policy: ThresholdPolicy, name: str | None, known: Baseline | None, critical: Collection[str]
) -> Risk:
    rule = None if name is None else policy.categories.get(name)
    share = None
    if known is not None and name is not None and name in known.requests:
        share = known.requests[name].sums["n"] / known.requests[None].sums["n"]
    loss = None
    if rule is not None and rule.accuracy is not None:
        value, low = rule.accuracy.value, rule.accuracy.low
        loss = None if value is None or low is None else value - low
    return Risk(name, share, loss, name in critical, rule is not None)


def _waves(risks: Sequence[Risk]) -> list[tuple[str | None, ...]]:
    """Categories with at most half of the risk, then the others, then the critical ones.

    What has no rule of its own goes with the last of the usual ones: nobody has measured its risk.
    """
    usual = [risk for risk in risks if not risk.critical and risk.ruled]
    half = sum(risk.expected for risk in usual) / 2
    first: list[Risk] = []
    for risk in usual:
        if first and sum(item.expected for item in (*first, risk)) > half:
            break
        first.append(risk)
    critical = [risk for risk in risks if risk.critical]
    parts = [part for part in (first, usual[len(first) :]) if part]
    rest = [risk for risk in risks if not risk.ruled]
    if parts:
        parts[-1] = [*parts[-1], *rest]
    else:
        critical = [*critical, *rest]
    return [tuple(risk.category for risk in part) for part in (*parts, critical) if part]


def stated(policy: ThresholdPolicy) -> Baseline | None:
    """What the policy's own figures say of its requests; None where no category states n and accuracy.

    Its length is one day, so requests can be worked out from it, and days cannot.
    """
    requests: dict[str | None, Moments] = {}
    for name, rule in policy.categories.items():
        value = None if rule.accuracy is None else rule.accuracy.value
        if rule.n and value is not None:
            requests[name] = _graded(rule.n, value)
    if not requests:
        return None
    parts = list(requests.values())
    requests[None] = sum(parts[1:], parts[0])
    return Baseline(requests, None, 1.0)


def _graded(n: int, accuracy: float) -> Moments:
    """Moments of requests that are right or wrong, one to a unit."""
    counts = {"n": float(n), "k": float(n), "y": n * accuracy}
    sums = {name: counts.get(name, 0.0) for name in FEATURES}
    # Products of zeros and ones: right with anything is right.
    products = {
        pair: 0.0 if not set(pair) <= set(counts) else counts["y"] if "y" in pair else float(n)
        for pair in PRODUCTS
    }
    return Moments(n, {name: n if name in ("n", "k") else 0 for name in FEATURES}, sums, products)


def _of(found: Baseline | None, wave: Sequence[str | None]) -> Baseline | None:
    """The traffic of a wave; a user's requests in different categories count as different users'."""

    def joined(parts: dict[str | None, Moments] | None) -> dict[str | None, Moments] | None:
        if parts is None:
            return None
        own = [parts[name] for name in wave if name is not None and name in parts]
        return {None: sum(own[1:], own[0])} if own else None

    requests = None if found is None else joined(found.requests)
    if found is None or requests is None:
        return None
    routed = joined(found.routed)
    routed_users = joined(found.routed_users) if routed is not None else None
    return Baseline(requests, joined(found.users), found.days, routed, routed_users)


def _gate(
    found: Baseline | None,
    number: int,
    *,
    share: float,
    after: float,
    margin: float,
    dated: bool,
) -> Gate:
    """The gate from one share to the next."""
    loss = min(margin / after, MOST_LOSS)
    size = saying.size("accuracy", loss)
    words = (
        "tiertune compare LOG",
        f"--experiment {EXPERIMENT}-{number}",
        f"--control {TODAY}",
        f"--treatment {NEW}",
        f"--split {NEW}={100 * share:g},{TODAY}={100 - 100 * share:g}",
        f"--margin {loss:g}",
    )
    command = " ".join(words)
    sentence = (
        f"The low end of the interval for accuracy must be above {saying.MINUS}{size}, and the sample ratio "
        f"must pass: then at {saying.percent(after, digits=0)} these categories lose less than "
        f"{saying.size('accuracy', margin)}."
    )
    entry = None if found is None else plan(found, "accuracy", margin=loss, aim="non-inferior", share=share)
    if entry is None or entry.requests is None or entry.days is None:
        why = "nothing is known of their traffic" if entry is None else entry.reason or "it is unknown"
        return Gate(f"{sentence} How many requests that takes is not known: {why}.", loss, command=command)
    count = f"{entry.requests:,} graded requests of these categories"
    if not dated:
        return Gate(f"{sentence} That takes {count}.", loss, entry.requests, None, command)
    sentence += f" That takes {count}, {saying.days(entry.days)} at this log's traffic."
    if entry.days > entry.within and entry.detectable is not None:
        reach = saying.size("accuracy", entry.detectable)
        sentence += f" In {saying.days(entry.within)} it could rule out a loss of {reach}."
    return Gate(sentence, loss, entry.requests, entry.days, command)


def _watch(policy: ThresholdPolicy, wave: Sequence[str | None]) -> Gate:
    """The gate after the last share, where no request is left to compare with."""
    floors = []
    for name in wave:
        rule = None if name is None else policy.categories.get(name)
        low = None if rule is None or rule.accuracy is None else rule.accuracy.low
        if low is not None:
            floors.append(f"{one_line(str(name))} {saying.percent(low)}")
    if not floors:
        return Gate("No request is left to compare with, and the thresholds state no accuracy to hold.")
    more = f" and {len(floors) - MAX_NAMED} more" if len(floors) > MAX_NAMED else ""
    listed = ", ".join(floors[:MAX_NAMED]) + more
    return Gate(f"No request is left to compare with: accuracy must stay above the low end stated, {listed}.")


def shown(names: Sequence[str | None], *, limit: int = MAX_NAMED) -> str:
    """Categories in a sentence: ``law, maths and 2 more``."""
    texts = [REST if name is None else one_line(name) for name in names]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
