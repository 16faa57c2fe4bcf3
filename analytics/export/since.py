"""Expected against actual since a change: whether a new log is what the thresholds file led to expect.

A figure departs only if chance, in the log that the expectation rests on and in the new one, does not
explain it, over all categories and metrics together (Holm). All requests together are compared at the new
log's mix of categories, so that a changed mix alone is no alarm.
"""

import math
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

import polars as pl

from analytics.errors import NotIdentifiedError
from analytics.estimate import LEVEL, Estimate, undefined
from analytics.experiments.outcomes import Scope
from analytics.experiments.routes import LEAST_OBEYED
from analytics.export import departure
from analytics.export.departure import Side
from analytics.export.mix import at_mix, by_period
from analytics.export.observed import METRICS, Metric, Observed, Total, observed
from analytics.measure.multiplicity import holm
from analytics.policy import ThresholdPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.logs.store import Store

Answer = Literal["as_expected", "alarm", "cannot_tell"]
NO_EXPECTATION = "the file states no such figure with an interval"
_STATED = "stated in the file"
_AT_MIX = "stated in the file, at this log's mix of categories"
_SELECTED_P = 0.001
_SELECTED_GAP = 0.02


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure, expected and actual.

    Attributes:
        category: Category; None for all requests of the categories that have an expectation.
        metric: Name of the metric.
        expected: As the file states it; for all requests at the new log's mix of categories.
        actual: In the new log.
        difference: Actual minus expected; divided by the expected for costs.
        p_value: That chance alone separates them; None where they cannot be compared.
        p_adjusted: The same over all comparisons (Holm).
        detectable: Change that such a comparison finds in four of five logs, in the unit of ``difference``.
        reason: Why they cannot be compared; None where they are.
    """

    category: str | None
    metric: Metric
    expected: Estimate
    actual: Estimate
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None
    detectable: float | None
    reason: str | None

    @property
    def departs(self) -> bool:
        """Whether chance does not explain the difference."""
        return self.p_adjusted is not None and self.p_adjusted < 1 - LEVEL


@dataclass(frozen=True, slots=True)
class Mix:
    """What of a difference over all requests is only another mix of categories.

    Attributes:
        metric: Name of the metric.
        stated: The file's figure over all its categories.
        at_mix: The file's figures of the categories at the new log's mix.
        actual: The new log's figure over the same categories.
        share: Share of the new log's requests that these categories have.
    """

    metric: Metric
    stated: float | None
    at_mix: float
    actual: float
    share: float


@dataclass(frozen=True, slots=True)
class Since:
    """A log since a change against the thresholds file in force.

    Attributes:
        answer: Whether it is as expected.
        compared: Every comparison: all requests first, then by category.
        mixes: By metric, where categories have expectations.
        seen: What was added up of the log.
        periods: See ``by_period``.
        notes: Sentences on what was left out or limits the answer.
    """

    answer: Answer
    compared: tuple[Compared, ...]
    mixes: tuple[Mix, ...]
    seen: Observed
    periods: pl.DataFrame
    notes: tuple[str, ...]

    @property
    def alarms(self) -> tuple[Compared, ...]:
        """The comparisons that depart."""
        return tuple(entry for entry in self.compared if entry.departs)

    @property
    def decided(self) -> int:
        """Requests whose route is known."""
        return int(self.seen.decisions["n"].sum())

    @property
    def obeyed(self) -> float | None:
        """Share of the decisions that are the policy's; None where no route is known."""
        if not self.decided:
            return None
        own = self.seen.decisions.filter(pl.col("reason").is_null())["n"].sum()
        return float(own) / self.decided

    @property
    def disobeyed(self) -> bool:
        """Whether more decisions are another's than the rounding of a log explains."""
        return self.obeyed is not None and self.obeyed < LEAST_OBEYED


def since(
    store: "Store",
    dataset: str,
    policy: ThresholdPolicy,
    *,
    start: date | datetime | None = None,
    log_sha256: str | None = None,
    pair: tuple[str | None, str | None] = (None, None),
) -> Since:
    """Compare a log with what its policy was expected to give.

    Args:
        store: The open store.
        dataset: Name of the log.
        policy: The thresholds file in force, with its figures.
        start: First moment that counts, UTC; None for the whole log.
        log_sha256: Identity of the log.
        pair: Fast and strong model to keep; None for all.

    Raises:
        InsufficientDataError: No request is within the dates.
        NotIdentifiedError: It is the log that the figures are of, or has several pairs of models per request.
    """
    if _same_rows(policy, log_sha256, start):
        raise NotIdentifiedError(
            "This is the log that the thresholds were tuned on, so it says nothing of what came after. Load "
            "what was logged since, or say from which day on the thresholds are in force."
        )
    sides = {
        (name, metric): side
        for name, entry in policy.categories.items()
        for metric in METRICS
        if (figure := getattr(entry, metric)) is not None
        and (side := departure.stated(metric, figure)) is not None
    }
    scope = Scope(dataset, None, since=start, fast=pair[0], strong=pair[1])
    seen = observed(store, scope, policy, {key: side.value for key, side in sides.items()})
    found, mixes = _compared(seen, policy, sides)
    answer: Answer = "as_expected"
    if all(entry.p_value is None for entry in found):
        answer = "cannot_tell"
    result = Since(
        answer,
        found,
        mixes,
        seen,
        by_period(seen, sides),
        _notes(seen, policy, mixes, dated=start is not None),
    )
    return replace(result, answer="alarm") if result.alarms or result.disobeyed else result


def _same_rows(policy: ThresholdPolicy, log_sha256: str | None, start: date | datetime | None) -> bool:
    """Whether the figures rest on requests that are to be compared with them."""
    evidence = policy.evidence
    if evidence is None or evidence.log_sha256 is None or evidence.log_sha256 != log_sha256:
        return False
    if start is None or evidence.until is None:
        return True
    first = start.date() if isinstance(start, datetime) else start
    return first <= evidence.until.date()


def _compared(
    seen: Observed, policy: ThresholdPolicy, sides: "Mapping[tuple[str, Metric], Side]"
) -> tuple[tuple[Compared, ...], tuple[Mix, ...]]:
    unlike = _unlike(seen)
    pairs: list[tuple[str | None, Metric, Side | None, Total | None, str]] = []
    mixes = []
    for metric in METRICS:
        matched = seen.matched.get(metric)
        stated = None if policy.overall is None else getattr(policy.overall, metric)
        if matched is None:
            # Without figures by category a changed mix cannot be told from a changed router.
            side = None if stated is None else departure.stated(metric, stated)
            pairs.append((None, metric, side, seen.everything.get(metric), _STATED))
            continue
        counts = {name: total.n for (name, of), total in seen.by_category.items() if of == metric}
        side = at_mix(metric, counts, sides)
        pairs.append((None, metric, side, matched, _AT_MIX))
        value = None if stated is None else stated.value
        share = matched.n / seen.everything[metric].n
        mixes.append(Mix(metric, value, side.value, matched.value, share))
    names = sorted({*policy.categories, *(name for name, _ in seen.by_category)})
    for name in names:
        pairs += [
            (name, metric, sides.get((name, metric)), seen.by_category.get((name, metric)), _STATED)
            for metric in METRICS
        ]
    reasons = [
        _reason(side, total, metric, seen, unlike if metric == "accuracy" else None)
        for _, metric, side, total, _ in pairs
    ]
    questions = max(1, reasons.count(None))
    first = [_one(entry, reason, questions) for entry, reason in zip(pairs, reasons, strict=True)]
    adjusted = holm([entry.p_value for entry in first])
    return (
        tuple(replace(entry, p_adjusted=p) for entry, p in zip(first, adjusted, strict=True)),
        tuple(mixes),
    )


def _one(
    asked: tuple[str | None, Metric, Side | None, Total | None, str], reason: str | None, questions: int
) -> Compared:
    category, metric, side, total, method = asked
    n = 0 if total is None else round(total.n)
    actual = None if total is None or total.n == 0 else departure.seen(metric, total)
    nothing = undefined(reason or "", n=n)
    expected = nothing if side is None else departure.interval(metric, side, method=method)
    shown = (
        undefined(reason or "", n=n)
        if actual is None
        else departure.interval(
            metric, actual, method="over users" if total and total.units < n else "over requests"
        )
    )
    if side is None or actual is None or reason is not None:
        return Compared(
            category, metric, expected, shown, nothing, None, None, None, reason or NO_EXPECTATION
        )
    return Compared(
        category,
        metric,
        expected,
        shown,
        departure.difference(metric, side, actual),
        departure.p_value(metric, side, actual),
        None,
        departure.detectable(metric, side, actual, questions=questions),
        None,
    )


def _reason(
    side: Side | None, total: Total | None, metric: Metric, seen: Observed, unlike: str | None
) -> str | None:
    """Why a figure cannot be compared; None where it can."""
    if total is None or total.n == 0:
        lacking = {"accuracy": "not graded", "cost_per_request_usd": "no cost is known"}
        return lacking.get(metric, "not in this log, or its route is not logged")
    if side is None:
        return NO_EXPECTATION
    if side.n and side.n < departure.LEAST:
        return f"the file's figure rests on {side.n:,} requests, and {departure.LEAST} are needed"
    if metric == "cost_per_request_usd" and total.x <= 0:
        return "the logged costs are 0"
    return departure.too_few(total, clustered=seen.clustered) or unlike


def _unlike(seen: Observed) -> str | None:
    """Why graded requests do not stand for all: kept and escalated ones are graded unlike often."""
    (_, *graded), (_, *routed) = seen.graded, seen.routed
    if min(routed) == 0 or sum(graded) == 0:
        return None
    kept, escalated = (part / whole for part, whole in zip(graded, routed, strict=True))
    pooled = sum(graded) / sum(routed)
    error = math.sqrt(pooled * (1 - pooled) * sum(1 / whole for whole in routed))
    # By how much the grades misstate the share escalated; rare grades may do so by little in points.
    gap = abs(graded[1] / sum(graded) - routed[1] / sum(routed))
    if (
        error == 0
        or gap < _SELECTED_GAP
        or math.erfc(abs(kept - escalated) / error / math.sqrt(2)) > _SELECTED_P
    ):
        return None
    return (
        f"{kept:.0%} of the kept and {escalated:.0%} of the escalated requests are graded, so the graded "
        "ones do not stand for all"
    )


def _notes(
    seen: Observed, policy: ThresholdPolicy, mixes: tuple[Mix, ...], *, dated: bool
) -> tuple[str, ...]:
    notes = []
    if seen.earlier:
        notes.append(
            f"{seen.earlier:,} requests are from before the file was made; choose a later first day to leave "
            "them out."
        )
    if dated and seen.undated:
        notes.append(f"{seen.undated:,} requests have no time and are left out.")
    if seen.other_kind:
        notes.append(
            f"{seen.other_kind:,} requests were not routed by a {policy.policy_kind} policy, as the file is: "
            "their cost is counted as they were routed."
        )
    unrouted = seen.requests - seen.routed[0]
    if unrouted:
        notes.append(f"The route of {unrouted:,} requests is not logged: their decision cannot be checked.")
    absent = [mix for mix in mixes if mix.metric == "escalation_rate" and mix.share < 1]
    if absent:
        notes.append(
            f"{1 - absent[0].share:.0%} of the requests are of categories without an expectation and count "
            "only in the decisions."
        )
    if not mixes:
        notes.append(
            "The file states no figures by category, so a changed mix of categories may look like a change."
        )
    if policy.overall is not None and policy.overall.verdict == "certified":
        notes.append(
            "The file is certified: its figures are of rows that helped to choose it, and may be a little "
            "too good."
        )
    return tuple(notes)
