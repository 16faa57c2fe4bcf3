"""Gateways that take the caller's category and confidence: Portkey conditions and flagd flags."""

import json
import math
from typing import Any

from analytics.errors import SchemaError
from analytics.experiments.spec import Experiment
from analytics.export.fragment import Fragment, Rule, Rules, facts

FLAG = "tiertune-route"
_CATEGORY, _CONFIDENCE = "metadata.category", "metadata.confidence"
_ROUNDING = 1e-6
_SENT = "Send category and confidence as metadata with every request; a missing confidence is left out."


def portkey(rules: Rules) -> Fragment:
    """A Portkey config with conditions on ``metadata.category`` and ``metadata.confidence``.

    Conditions are tried in order and the first that holds decides. Portkey compares numbers by parseFloat, so
    that what is no number fails every comparison, as a missing confidence must.
    """
    conditions: list[dict[str, Any]] = []
    for name, rule in rules.categories.items():
        conditions += _conditions({_CATEGORY: {"$eq": name}}, rule)
    conditions += _conditions({}, rules.default)[:-1]
    last = _conditions({}, rules.default)[-1]["then"]
    names = list(dict.fromkeys([*(entry["then"] for entry in conditions), last]))
    document: dict[str, Any] = {
        "strategy": {"mode": "conditional", "conditions": conditions, "default": last},
        "targets": [{"name": name, "override_params": {"model": name}} for name in names],
    }
    # The gateway drops keys that it does not know; people who read the file see them.
    document |= facts(rules.policy)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return Fragment(
        {"portkey.json": text}, (_SENT, "Put your provider and its key into each target of the same name.")
    )


def _conditions(of: dict[str, Any], rule: Rule) -> list[dict[str, Any]]:
    """One or two conditions; the last one holds for everything that is left."""
    # One part under $and says no more than the part alone; its form shows whose condition it is.
    rest = {"$and": [of]}
    if rule.route is not None:
        return [{"query": rest, "then": rule.fast if rule.route == "fast" else rule.strong}]
    if rule.keeps_missing:
        below = {"$and": [of, _between(0.0, None), {_CONFIDENCE: {"$lt": rule.threshold}}]}
        return [{"query": below, "then": rule.strong}, {"query": rest, "then": rule.fast}]
    return [
        {"query": {"$and": [of, _between(rule.threshold, 1.0)]}, "then": rule.fast},
        {"query": rest, "then": rule.strong},
    ]


def is_our_condition(entry: Any) -> bool:
    """Whether a condition has one of the forms that ``portkey`` writes."""
    query = entry.get("query") if isinstance(entry, dict) else None
    if not isinstance(query, dict) or list(query) != ["$and"] or not isinstance(query["$and"], list):
        return False
    match query["$and"]:
        case [of]:
            return _is_category(of)
        case [of, {"$and": [{"metadata.confidence": {"$gte": _}}, {"metadata.confidence": {"$lte": _}}]}]:
            return of == {} or _is_category(of)
        case [of, {"$and": [{"metadata.confidence": {"$gte": _}}]}, {"metadata.confidence": {"$lt": _}}]:
            return of == {} or _is_category(of)
    return False


def _is_category(of: Any) -> bool:
    match of:
        case {"metadata.category": {"$eq": str()}} if len(of) == 1:
            return True
    return False


def _between(low: float, high: float | None) -> dict[str, Any]:
    """Confidences on the scale; those outside count as missing."""
    parts: list[dict[str, Any]] = [{_CONFIDENCE: {"$gte": low}}]
    if high is not None:
        parts.append({_CONFIDENCE: {"$lte": high}})
    return {"$and": parts}


def flagd(rules: Rules, experiment: Experiment | None = None) -> Fragment:
    """Flags for flagd: ``tiertune-route`` decides by category and confidence; with an experiment its arm too.

    Args:
        rules: The rules.
        experiment: Arms to assign by a sticky fraction of the targeting key; their names become a flag.
    """
    choices: list[Any] = []
    for name, rule in rules.categories.items():
        choices += [{"===": [{"var": "category"}, name]}, _decision(rule)]
    choices.append(_decision(rules.default))
    flags: dict[str, Any] = {
        FLAG: {
            "state": "ENABLED",
            "variants": {"fast": "fast", "strong": "strong"},
            "defaultVariant": "strong" if not rules.default.keeps_missing else "fast",
            "targeting": {"if": choices} if len(choices) > 1 else choices[0],
        }
    }
    # Metadata of a flag are texts, numbers and booleans: a list is written as a text.
    said = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in facts(rules.policy).items()
    }
    if said:
        flags[FLAG]["metadata"] = said
    if experiment is not None:
        shares = _whole_percents(experiment)
        flags[experiment.name] = {
            "state": "ENABLED",
            "variants": {arm.name: arm.name for arm in experiment.arms},
            "defaultVariant": experiment.arms[0].name,
            "targeting": {"fractional": [[name, share] for name, share in shares]},
        }
    document = {"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": flags}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    note = (
        "Evaluate tiertune-route with category and confidence in the context; leave out a missing confidence."
    )
    return Fragment({"flagd.json": text}, (note,))


def _decision(rule: Rule) -> Any:
    """JsonLogic for one rule; a confidence that is absent or off the scale is missing."""
    missing = "fast" if rule.keeps_missing else "strong"
    if rule.route is not None:
        return rule.route
    value = {"var": "confidence"}
    usable = {"and": [{"!==": [value, None]}, {">=": [value, 0]}, {"<=": [value, 1]}]}
    return {"if": [usable, {"if": [{">=": [value, rule.threshold]}, "fast", "strong"]}, missing]}


def _whole_percents(experiment: Experiment) -> list[tuple[str, int]]:
    """Shares as whole weights; flagd knows no others.

    Raises:
        SchemaError: A share is no multiple of a thousandth.
    """
    found = [(arm.name, round(1000 * arm.share)) for arm in experiment.arms]
    if any(
        abs(weight - 1000 * arm.share) > _ROUNDING
        for (_, weight), arm in zip(found, experiment.arms, strict=True)
    ):
        raise SchemaError("flagd takes whole weights: choose shares that are multiples of 0.1%.")
    divisor = math.gcd(*(weight for _, weight in found))
    return [(name, weight // divisor) for name, weight in found]
