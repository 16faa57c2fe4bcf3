"""A policy as a document of plain data (mappings, lists, texts, numbers), and back, strictly.

Reading lists every problem with its key path; nothing of a document with a problem is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from analytics import policy as types
from analytics.estimate import LEVEL, Estimate
from analytics.policy import UNSUPPORTED, CategoryPolicy, Default, ThresholdPolicy
from analytics.policy_checks import Problems, shown
from analytics.policy_format import CATEGORY, DOCUMENT, DOCUMENT_CHECK, SCHEMA
from analytics.strict_text import Duplicate

STATED = "stated"  # the method of an estimate whose file does not name one
_ESTIMATES = frozenset({"accuracy", "cost_per_request_usd", "escalation_rate", "latency_p95_s"})
# A file says "budget", "value", "from" and "to"; the attributes carry the unit or avoid a keyword.
_ATTRIBUTES = {"budget": "budget_usd", "value": "value_usd", "from": "since", "to": "until"}

_SECTIONS: dict[str, type] = {
    "confidence": types.Score,
    "goal": types.Goal,
    "evidence": types.Evidence,
    "default": Default,
}


def policy_of(document: Any, *, duplicates: Sequence[Duplicate] = ()) -> ThresholdPolicy:
    """The policy that a document of plain data describes.

    Args:
        document: As the YAML or JSON file has it.
        duplicates: Keys that stand twice in the text, listed with the other problems.

    Raises:
        SchemaError: The document is not valid; the message lists all problems.
    """
    problems = Problems()
    if not isinstance(document, dict):
        problems.refuse(f"Not a thresholds file: expected keys such as schema, found {shown(document)}")
    if document.get("schema") is None:
        problems.add((), None, f"The key schema is missing ({SCHEMA})")
    for duplicate in duplicates:
        _note_duplicate(duplicate, problems)
    found = DOCUMENT_CHECK(document, (), problems) or {}
    problems.raise_any()
    return _policy(found)


def document_of(policy: ThresholdPolicy) -> dict[str, Any]:
    """The policy as plain data, keys in the order of the file; what is None is left out.

    It is not checked: ``policy_of`` of it says whether the policy is valid.
    """
    level = policy.goal.level if policy.goal else LEVEL
    n = policy.overall.n if policy.overall else None
    written: dict[str, Any] = {"schema": SCHEMA}
    for key in DOCUMENT:
        if key == "categories":
            written[key] = {name: _entry(entry, level) for name, entry in policy.categories.items()}
        elif key != "schema":
            value = _plain(getattr(policy, key), n, level)
            if value is not None and not (key == "versions" and not value):
                written[key] = value
    return written | dict(policy.extra)


def _note_duplicate(duplicate: Duplicate, problems: Problems) -> None:
    inside = duplicate.path == ("categories",)
    name = duplicate.key if inside else ".".join((*duplicate.path, duplicate.key))
    first, second = duplicate.lines
    what = f"{'Category' if inside else 'Key'} {shown(name, quoted=False)}"
    problems.add((), None, f"{what} stands twice (lines {first} and {second})")


def _policy(found: dict[str, Any]) -> ThresholdPolicy:
    level = found.get("goal", {}).get("level", LEVEL)
    n = found.get("overall", {}).get("n")
    built: dict[str, Any] = {}
    for key, value in found.items():
        if key == "categories":
            built[key] = {
                name: _filled(CategoryPolicy, entry, entry.get("n"), level) for name, entry in value.items()
            }
        elif key in _SECTIONS:
            built[key] = _SECTIONS[key](**{_ATTRIBUTES.get(name, name): part for name, part in value.items()})
        elif key == "overall":
            built[key] = _filled(types.Overall, value, n, level)
        elif key != "schema":
            built[key] = _object(key, value, n, level)
    return ThresholdPolicy(**built)


def _filled(kind: type, values: dict[str, Any], n: int | None, level: float) -> Any:
    return kind(**{key: _object(key, value, n, level) for key, value in values.items()})


def _object(key: str, value: Any, n: int | None, level: float) -> Any:
    """The typed value of a checked one; an estimate takes what it does not say from its surroundings."""
    if key == "certificate":
        return types.Certificate(**value)
    if key == "difference_to_in_force":
        return _filled(types.Difference, value, n, level)
    if isinstance(value, dict) and key in _ESTIMATES:
        surroundings: dict[str, Any] = {
            "low": None,
            "high": None,
            "n": n or 0,
            "method": STATED,
            "level": level,
        }
        return Estimate(**(surroundings | value))
    return value


def _entry(entry: CategoryPolicy, level: float) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key in CATEGORY:
        value = _plain(getattr(entry, key), entry.n, level)
        if key == "threshold" and entry.verdict in UNSUPPORTED:
            written[key] = value  # null, beside the verdict that says why
        elif value is not None and not (key == "on_missing" and _idle(entry)):
            written[key] = value
    return written | dict(entry.extra)


def _idle(rule: CategoryPolicy | Default) -> bool:
    return rule.route != "cascade" and rule.on_missing == "escalate"


def _plain(value: Any, n: int | None, level: float) -> Any:
    """``value`` without types of ours; records lose what is None."""
    if isinstance(value, Estimate):
        return _plain_estimate(value, n, level)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if not hasattr(value, "__dataclass_fields__"):
        return value
    keys = {attribute: key for key, attribute in _ATTRIBUTES.items()}
    written = {}
    for item in fields(value):
        part = _plain(getattr(value, item.name), n, level)
        always = isinstance(value, types.Evidence) and item.name in {"since", "until"}
        idle = item.name == "on_missing" and isinstance(value, Default) and _idle(value)
        idle = idle or (item.name == "pool" and part is False)
        if always or not (part is None or idle):
            written[keys.get(item.name, item.name)] = part
    return written


def _plain_estimate(value: Estimate, n: int | None, level: float) -> dict[str, Any]:
    written: dict[str, Any] = {"value": value.value, "low": value.low, "high": value.high}
    surroundings = {"n": n or 0, "method": STATED, "level": level, "reason": None}
    for key, default in surroundings.items():
        if getattr(value, key) != default:
            written[key] = getattr(value, key)
    return written
