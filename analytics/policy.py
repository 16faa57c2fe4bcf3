"""The decision: which answer a request gets, per task category, and the evidence behind it.

Keep the fast answer iff ``confidence >= threshold``; equality keeps. ``analytics.policy_file`` reads and
writes it as YAML or JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from analytics.estimate import LEVEL, Estimate

Tier = Literal["fast", "strong"]
PolicyKind = Literal["cascade", "predictive"]
Route = Literal["cascade", "fast_only", "strong_only"]
OnMissing = Literal["escalate", "keep"]
Verdict = Literal["certified", "estimated", "pooled", "insufficient_evidence", "not_identified"]
GoalName = Literal["non-inferior", "min-accuracy", "budget", "value", "accuracy-per-dollar"]
Reference = Literal["strong", "in-force"]
Scope = Literal["overall", "category"]

UNSUPPORTED: frozenset[Verdict] = frozenset({"insufficient_evidence", "not_identified"})
"""Verdicts that explain why a category has no threshold of its own."""


@dataclass(frozen=True, slots=True)
class Score:
    """Which confidence the thresholds are about; a threshold belongs to one score.

    Attributes:
        kind: self_report, logprob, verifier, predictive or the log's own word.
        source: Column of the log, or program, that gave it.
    """

    kind: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """What the thresholds were chosen for.

    Attributes:
        name: Kind of goal.
        margin: Accuracy that may be lost against ``reference``, absolute; 0.01 is one point.
        reference: Policy that ``margin`` is measured from.
        scope: ``overall`` promises the traffic-weighted sum, ``category`` each category.
        min_accuracy: Floor for the accuracy, in [0, 1].
        budget_usd: Most that a request may cost on average, USD; ``budget`` in a file.
        value_usd: What a correct answer is worth, USD; ``value`` in a file.
        max_p95_s: Limit for the 95th percentile of latency, seconds.
        level: Coverage of the promise.
        pool: Whether categories with too little data take the pooled threshold.
    """

    name: GoalName = "non-inferior"
    margin: float | None = None
    reference: Reference | None = None
    scope: Scope = "overall"
    min_accuracy: float | None = None
    budget_usd: float | None = None
    value_usd: float | None = None
    max_p95_s: float | None = None
    level: float = LEVEL
    pool: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """The log that the thresholds rest on.

    Attributes:
        log_sha256: SHA-256 of the log's sorted file ids, joined by newlines.
        requests: Rows used.
        picked_on: Rows that chose the thresholds, such as ``folds 0-9``.
        reported_on: Rows that the figures come from.
        since: Start of the period (``from`` in a file); None is the log's start.
        until: End of the period (``to`` in a file); None is the log's end.
        prices_as_of: Date of the price table.
    """

    log_sha256: str | None = None
    requests: int | None = None
    picked_on: str | None = None
    reported_on: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    prices_as_of: str | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """The test that a certified policy passed.

    Attributes:
        walk: Which search found it.
        learned_on: Rows that fixed the path; None where no rows did.
        walked_on: Rows that the test was made on.
        n: Graded pairs tested.
        lost: Kept rows on which the strong answer was right and the fast one wrong.
        won: Kept rows on which only the fast answer was right.
        z: Test statistic.
        z_critical: Largest ``z`` that certifies.
        error_share: Share of the error budget spent, in [0, 1].
        clustered: Whether the test allows for several requests per unit.
    """

    walk: str | None = None
    learned_on: str | None = None
    walked_on: str | None = None
    n: int | None = None
    lost: int | None = None
    won: int | None = None
    z: float | None = None
    z_critical: float | None = None
    error_share: float | None = None
    clustered: bool | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """This policy minus the one in force, per figure; None where not estimated."""

    accuracy: Estimate | None = None
    cost_per_request_usd: Estimate | None = None
    escalation_rate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Overall:
    """Verdict and figures of the whole policy, which is what the default goal promises."""

    verdict: Verdict | None = None
    reason: str | None = None
    n: int | None = None
    accuracy: Estimate | None = None
    cost_per_request_usd: Estimate | None = None
    escalation_rate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Default:
    """What an unknown category, and one without a threshold of its own, gets.

    Attributes:
        route: ``cascade`` compares with ``threshold``; the other two never look at the confidence.
        threshold: In [0, 1] for ``cascade``, else None.
        on_missing: What a missing confidence does under ``cascade``.
        reason: Why, in words.
    """

    route: Route
    threshold: float | None = None
    on_missing: OnMissing = "escalate"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CategoryPolicy:
    """The rule for one task category, with its evidence.

    Attributes:
        route: ``cascade`` compares with ``threshold`` (of a predictive policy too).
        threshold: In [0, 1]; None off ``cascade``, or where ``verdict`` says why there is none.
        interval: (low, high): every threshold above low, up to high, is the same policy on the log.
        on_missing: What a missing confidence does under ``cascade``.
        fast_model: Label of the model that answers first.
        strong_model: Label of the model escalated to.
        verdict: How sure the choice is; None where a person wrote it.
        reason: Why, in words.
        n: Rows behind the choice.
        accuracy: Expected accuracy, in [0, 1], limits of the interval included.
        cost_per_request_usd: Expected cost, USD.
        escalation_rate: Expected share escalated, in [0, 1].
        latency_p95_s: 95th percentile of latency, seconds.
        difference_to_in_force: This rule minus the one in force.
        max_latency_s: Seconds after which a runnable route stops waiting for the strong answer.
        certificate: The test it passed, where ``verdict`` is certified.
        extra: Keys that begin with ``x-``, as they stand in the file.
    """

    route: Route
    threshold: float | None = None
    interval: tuple[float, float] | None = None
    on_missing: OnMissing = "escalate"
    fast_model: str | None = None
    strong_model: str | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    n: int | None = None
    accuracy: Estimate | None = None
    cost_per_request_usd: Estimate | None = None
    escalation_rate: Estimate | None = None
    latency_p95_s: Estimate | None = None
    difference_to_in_force: Difference | None = None
    max_latency_s: float | None = None
    certificate: Certificate | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ThresholdPolicy:
    """Per-category escalation thresholds, as a router loads them.

    Attributes:
        policy_kind: ``cascade`` compares after the fast answer, ``predictive`` before any call.
        default: Rule for unknown categories and for requests without one.
        categories: Rule by exact category name.
        created: When it was made.
        confidence: The score that the thresholds are about.
        goal: What they were chosen for.
        evidence: The log they rest on.
        overall: Verdict and figures of the whole policy.
        certificate: The test that the whole policy passed.
        latency_p95_s: 95th percentile of latency over all requests, seconds.
        difference_to_in_force: The whole policy minus the one in force.
        max_latency_s: Seconds after which a runnable route stops waiting for the strong answer.
        expires: When it should be tuned anew.
        versions: Versions of what made it, by name.
        extra: Keys that begin with ``x-``, as they stand in the file.
    """

    policy_kind: PolicyKind
    default: Default
    categories: Mapping[str, CategoryPolicy] = field(default_factory=dict)
    created: datetime | None = None
    confidence: Score | None = None
    goal: Goal | None = None
    evidence: Evidence | None = None
    overall: Overall | None = None
    certificate: Certificate | None = None
    latency_p95_s: Estimate | None = None
    difference_to_in_force: Difference | None = None
    max_latency_s: float | None = None
    expires: datetime | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def route(self, category: str | None, confidence: float | None) -> Tier:
        """Which answer the request gets.

        Args:
            category: Exact name; None and names without a rule follow ``default``.
            confidence: In [0, 1]. None, NaN, numbers outside and anything that is no number count as
                missing, which escalates unless ``on_missing`` is ``keep``.
        """
        rule = self.rule(category)
        if rule.route != "cascade":
            return "fast" if rule.route == "fast_only" else "strong"
        value = usable_confidence(confidence)
        if value is None or rule.threshold is None:
            return "fast" if rule.on_missing == "keep" else "strong"
        return "fast" if value >= rule.threshold else "strong"

    def rule(self, category: str | None) -> CategoryPolicy | Default:
        """The rule that decides for ``category``: its own, or ``default`` where it has no threshold."""
        own = None if category is None else self.categories.get(category)
        if own is None or (own.route == "cascade" and own.threshold is None):
            return self.default
        return own


def load(path: Path | str) -> ThresholdPolicy:
    """The policy in a thresholds file; ``analytics.policy_file.load`` says what is refused.

    Raises:
        SchemaError: The file is no valid thresholds file; all problems are listed.
    """
    # The file format needs the types above, so its module can be imported only from here.
    from analytics import policy_file  # noqa: PLC0415

    return policy_file.load(path)


def usable_confidence(confidence: object) -> float | None:
    """``confidence`` as a float in [0, 1]; None where it counts as missing.

    A bool is a programming mistake, not a confidence of 0 or 1; a router must not fail on it either, so
    it counts as missing. Single precision is widened, never rounded.
    """
    if isinstance(confidence, bool) or not isinstance(confidence, Real | Decimal):
        return None
    try:
        value = float(confidence)
    except (OverflowError, ValueError):  # an integer beyond float64, a signalling NaN
        return None
    return value if 0 <= value <= 1 else None
