"""The choices on the threshold slider: what each candidate would have given, from the curve alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analytics.estimate import Estimate, undefined
from analytics.measure.verdicts import difference
from analytics.tuning.baselines import random_point
from dashboard import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.tuning.curve import Curve, Point
    from analytics.tuning.plateau import Plateau

EXACT = 1e-9
CANNOT = "This log cannot tell: not every request has an outcome on this route."


@dataclass(frozen=True, slots=True)
class Candidate:
    """One policy for one category.

    Attributes:
        label: What the slider says; unique in its list.
        route: cascade, fast_only or strong_only.
        threshold: Smallest confidence kept; None for always strong.
        accuracy: With its interval; bounds where not identified.
        cost_per_request_usd: USD.
        escalation_rate: Share escalated.
        vs_strong: Accuracy minus that of always strong.
        saved: Share of always-strong cost that is saved.
        bounds: Lowest and highest accuracy that the log allows; None where a value is known.
        tighter: The same if the strong model is never worse; None where a value is known.
        cost_bounds: Lowest and highest cost where strong calls would be paid that were never made, USD.
    """

    label: str
    route: str
    threshold: float | None
    accuracy: Estimate
    cost_per_request_usd: Estimate
    escalation_rate: Estimate
    vs_strong: Estimate
    saved: Estimate
    bounds: tuple[float, float] | None = None
    tighter: tuple[float, float] | None = None
    cost_bounds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Controls:
    """What costs the same or knows better than each candidate.

    Attributes:
        random: Accuracy of escalating at random for each candidate's cost; None where unknown.
        fast: Accuracy of never escalating.
        oracle: Accuracy of the right choice for every request, which no router reaches.
    """

    random: "list[float | None]"
    fast: float | None
    oracle: float | None


def controls(curve: "Curve", choices: "Sequence[Candidate]") -> Controls:
    """The permanent controls of a curve, beside its candidates."""
    found = [
        random_point(
            curve.fast_only,
            curve.strong_only,
            cost=choice.cost_per_request_usd.value,
            kind=curve.policy_kind,
        )
        for choice in choices
    ]
    return Controls(
        [None if item is None else item[1] for item in found],
        curve.fast_only.accuracy.value,
        curve.oracle.accuracy.value,
    )


def candidates(curve: "Curve") -> "list[Candidate]":
    """Never escalate, every observed threshold, always strong: in this order."""
    rows = curve.points.filter(curve.points["threshold"].is_not_null()).to_dicts()
    never = rows[0] if rows and not rows[0]["escalation_rate"] else None
    middle = rows[1:] if never is not None else rows
    labels = _labels([row["threshold"] for row in middle])
    first = (
        _of_point(words.NEVER, "fast_only", curve.fast_only, curve)
        if never is None
        else _of_row(words.NEVER, "fast_only", never["threshold"], never, curve)
    )
    between = [
        _of_row(label, "cascade", row["threshold"], row, curve)
        for label, row in zip(labels, middle, strict=True)
    ]
    return [first, *between, _of_point(words.STRONG_ONLY, "strong_only", curve.strong_only, curve)]


def position(choices: "Sequence[Candidate]", route: str | None, threshold: float | None) -> int | None:
    """Index of the candidate that is the same policy as ``threshold`` or ``route``; None where there is none.

    Between two neighbouring observed confidences every threshold is the same policy, so a threshold
    belongs to the smallest candidate that is not below it.
    """
    if route == "fast_only":
        return 0
    if route == "strong_only":
        return len(choices) - 1
    if threshold is None:
        return None
    for index, choice in enumerate(choices):
        if choice.threshold is not None and choice.threshold >= threshold:
            return index
    return len(choices) - 1


def point_row(curve: "Curve", choices: "Sequence[Candidate]", index: int) -> int | None:
    """Row of ``curve.points`` that is the candidate; None where no threshold never escalates."""
    if curve.points.is_empty():
        return None
    if index == len(choices) - 1:
        return curve.points.height - 1
    row = index - (len(choices) - 1 - (curve.points.height - 1))
    return row if row >= 0 else None


def alike(curve: "Curve", choices: "Sequence[Candidate]", found: "Plateau | None") -> "list[int] | None":
    """Candidates within a plateau of the curve's thresholds; None without one."""
    if found is None:
        return None
    inside = set(found.inside)
    return [index for index in range(len(choices)) if point_row(curve, choices, index) in inside]


def _labels(thresholds: "Sequence[float]") -> list[str]:
    """The thresholds with as few decimals as keep them apart."""
    for digits in range(2, 13):
        labels = [words.number(value, digits=digits) for value in thresholds]
        exact = all(abs(float(text) - at) < EXACT for text, at in zip(labels, thresholds, strict=True))
        if exact and len(set(labels)) == len(labels):
            return labels
    return [repr(value) for value in thresholds]


def _of_row(
    label: str, route: str, threshold: float | None, row: dict[str, Any], curve: "Curve"
) -> Candidate:
    strong_n = curve.strong_only.accuracy.n

    def estimate(name: str, low: str, high: str, n: int) -> Estimate:
        if row.get(name) is None:
            method, reason = words.estimator(curve.estimator), curve.reasons.get(name, CANNOT)
            return Estimate(None, row.get(low), row.get(high), n, method, reason=reason)
        return Estimate(row[name], row.get(low), row.get(high), n, words.estimator(curve.estimator))

    accuracy = estimate("accuracy", "accuracy_low", "accuracy_high", curve.graded_n)
    known = accuracy.value is not None or row.get("bound_low") is None
    return Candidate(
        label=label,
        route=route,
        threshold=threshold,
        accuracy=accuracy,
        cost_per_request_usd=estimate("cost_per_request_usd", "cost_low", "cost_high", curve.n),
        escalation_rate=Estimate(row["escalation_rate"], None, None, curve.n, "counted"),
        vs_strong=estimate("vs_strong", "vs_strong_low", "vs_strong_high", strong_n),
        saved=estimate("saved", "saved_low", "saved_high", curve.n),
        bounds=None if known else (float(row["bound_low"]), float(row["bound_high"])),
        tighter=_ends(row, "bound_low_mtr", "bound_high_mtr"),
        cost_bounds=_ends(row, "cost_bound_low", "cost_bound_high"),
    )


def _ends(row: dict[str, Any], low: str, high: str) -> tuple[float, float] | None:
    """Two columns of a row of the curve; None where either is not known."""
    ends = row.get(low), row.get(high)
    return None if ends[0] is None or ends[1] is None else (float(ends[0]), float(ends[1]))


def _of_point(label: str, route: str, point: "Point", curve: "Curve") -> Candidate:
    strong = route == "strong_only"
    same = Estimate(0.0, None, None, curve.n, "by definition")
    accuracy = point.accuracy
    bounds = (
        (accuracy.low, accuracy.high)
        if accuracy.value is None and accuracy.low is not None and accuracy.high is not None
        else None
    )
    none = undefined(CANNOT, n=curve.n)
    known = accuracy.value is not None
    priced = point.cost_per_request_usd.value is not None
    return Candidate(
        label=label,
        route=route,
        threshold=None,
        accuracy=accuracy,
        cost_per_request_usd=point.cost_per_request_usd,
        escalation_rate=point.escalation_rate,
        vs_strong=(same if known else none) if strong else difference(accuracy, curve.strong_only.accuracy),
        saved=(same if priced else none) if strong else _saved(point, curve.strong_only),
        bounds=bounds,
        tighter=_tighter_strong(curve) if strong and bounds is not None else None,
    )


def _tighter_strong(curve: "Curve") -> tuple[float, float] | None:
    """The tighter bounds of always strong, which serves the same answers as escalating all."""
    points = curve.points
    if points.is_empty() or points["threshold"][-1] is not None or points["escalation_rate"][-1] != 1:
        return None
    return _ends(points.row(-1, named=True), "mtr_low", "mtr_high")


def _saved(point: "Point", strong: "Point") -> Estimate:
    """Share of the cost of always strong that a policy saves; undefined where a cost is."""
    cost, most = point.cost_per_request_usd, strong.cost_per_request_usd
    if cost.value is None or not most.value:
        return undefined(cost.reason or most.reason or "Costs are not in this log.", n=cost.n)
    return Estimate(1 - cost.value / most.value, None, None, cost.n, "ratio of means")
