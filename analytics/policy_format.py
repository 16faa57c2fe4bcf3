"""The keys of a thresholds file, what each may hold, and what keys must say together.

``data/thresholds.schema.json`` says the same for other programs.
"""

from typing import Any, get_args

from analytics import policy as types
from analytics.policy import UNSUPPORTED
from analytics.policy_checks import (
    Check,
    Path,
    Problems,
    choice,
    count,
    estimate,
    flag,
    interval,
    mapping_of,
    moment,
    number,
    shown,
    text,
)

SCHEMA = "tiertune/thresholds/v1"
_FAMILY = "tiertune/thresholds/"

_PROBABILITY = number(0, 1)
_SCORE: dict[str, Check] = {"kind": text, "source": text}
_GOAL: dict[str, Check] = {
    "name": choice(get_args(types.GoalName)),
    "margin": _PROBABILITY,
    "reference": choice(get_args(types.Reference)),
    "scope": choice(get_args(types.Scope)),
    "min_accuracy": _PROBABILITY,
    "budget": number(0),
    "value": number(0),
    "max_p95_s": number(0),
    "level": number(0, 1, open_ends=True),
    "pool": flag,
}
_EVIDENCE: dict[str, Check] = {
    "log_sha256": text,
    "requests": count,
    "picked_on": text,
    "reported_on": text,
    "from": moment,
    "to": moment,
    "prices_as_of": text,
}
_CERTIFICATE: dict[str, Check] = {
    "walk": text,
    "learned_on": text,
    "walked_on": text,
    "n": count,
    "lost": count,
    "won": count,
    "z": number(),
    "z_critical": number(),
    "error_share": _PROBABILITY,
    "clustered": flag,
}
_DIFFERENCE: dict[str, Check] = {
    "accuracy": estimate(-1, 1),
    "cost_per_request_usd": estimate(),
    "escalation_rate": estimate(-1, 1),
}
_FIGURES: dict[str, Check] = {
    "n": count,
    "accuracy": estimate(0, 1),
    "cost_per_request_usd": estimate(0, limits=False),
    "escalation_rate": estimate(0, 1),
}
_OVERALL: dict[str, Check] = {"verdict": choice(get_args(types.Verdict)), "reason": text, **_FIGURES}
_DEFAULT: dict[str, Check] = {
    "route": choice(get_args(types.Route)),
    "threshold": _PROBABILITY,
    "on_missing": choice(get_args(types.OnMissing)),
    "reason": text,
}
_WHOLE: dict[str, Check] = {
    "latency_p95_s": estimate(0, limits=False, plain=True),
    "difference_to_in_force": mapping_of(_DIFFERENCE),
    "max_latency_s": number(0),
    "certificate": mapping_of(_CERTIFICATE),
}
CATEGORY: dict[str, Check] = {
    "route": _DEFAULT["route"],
    "threshold": _PROBABILITY,
    "interval": interval,
    "on_missing": _DEFAULT["on_missing"],
    "fast_model": text,
    "strong_model": text,
    **_OVERALL,
    **_WHOLE,
}


def _version(found: Any, _path: Path, problems: Problems) -> Any:
    """Check of the format's name; a version that this program does not know makes the rest unreadable."""
    if isinstance(found, str) and found.startswith(_FAMILY) and found != SCHEMA:
        name, known = found.removeprefix("tiertune/"), SCHEMA.removeprefix(_FAMILY)
        problems.refuse(f"This file is {shown(name, quoted=False)}; this version reads {known}")
    if found != SCHEMA:
        problems.add((), "schema", f"must be {SCHEMA}, found {shown(found)}")
    return found


def _rule(checks: dict[str, Check]) -> Check:
    """Check of a rule: its keys, and what they must say together."""
    read = mapping_of(checks, required=("route",), keep_extra=checks is not _DEFAULT)

    def check(found: Any, path: Path, problems: Problems) -> dict[str, Any] | None:
        entry: dict[str, Any] | None = read(found, path, problems)
        if entry is not None:
            _check_together(entry, found, path, problems)
        return entry

    return check


def _check_together(entry: dict[str, Any], written: dict[str, Any], path: Path, problems: Problems) -> None:
    """Note where route, threshold, verdict and interval contradict each other."""
    route, threshold, limits = entry.get("route"), entry.get("threshold"), entry.get("interval")
    given = written.get("threshold") is not None
    if route == "cascade" and not given and entry.get("verdict") not in UNSUPPORTED:
        unexplained = "threshold is null; only verdicts insufficient_evidence and not_identified explain that"
        problems.add(path, None, unexplained if "threshold" in written else "threshold is missing")
    if route in ("fast_only", "strong_only") and given:
        problems.add(path, None, f"threshold stands with route {route}, which has none")
    if limits is not None and not given:
        problems.add(path, None, "interval stands without a threshold")
    elif limits is not None and threshold is not None:
        low, high = limits
        if not (low < threshold <= high or threshold == low == 0):
            problems.add(path, None, f"threshold {threshold!r} is outside its interval ({low!r}, {high!r}]")


DOCUMENT: dict[str, Check] = {
    "schema": _version,
    "created": moment,
    "policy_kind": choice(get_args(types.PolicyKind)),
    "confidence": mapping_of(_SCORE),
    "goal": mapping_of(_GOAL),
    "evidence": mapping_of(_EVIDENCE),
    "overall": mapping_of(_OVERALL),
    **_WHOLE,
    "expires": moment,
    "versions": mapping_of(None, value=text),
    "default": _rule(_DEFAULT),
    "categories": mapping_of(None, value=_rule(CATEGORY)),
}
DOCUMENT_CHECK = mapping_of(DOCUMENT, required=("policy_kind", "default", "categories"), keep_extra=True)
KEYS: frozenset[str] = frozenset().union(
    DOCUMENT,
    _SCORE,
    _GOAL,
    _EVIDENCE,
    CATEGORY,
    _CERTIFICATE,
    _DIFFERENCE,
    ("value", "low", "high", "method"),
)
"""Every key of the format; none of them reads as anything but a text."""
WORDS: frozenset[str] = frozenset().union(
    (SCHEMA,),
    *(
        get_args(words)
        for words in (types.PolicyKind, types.Route, types.OnMissing, types.Verdict, types.GoalName)
    ),
    *(get_args(words) for words in (types.Reference, types.Scope)),
)
"""Every fixed value of the format."""
