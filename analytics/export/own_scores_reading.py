"""The thresholds in the decisions of a vLLM Semantic Router and in RouteLLM's model strings."""

import math
from typing import Any

from analytics.errors import SchemaError
from analytics.export.fragment import FAST, STRONG, one_line
from analytics.export.own_config import entries, part
from analytics.export.own_scores import inverted
from analytics.export.probe import ReadBack, Reading, Served, listed
from analytics.policy import PolicyKind
from analytics.policy_checks import NOTHING_APPLIED, Problems

_DIGITS = 17
_PARTS = 3  # of router-NAME-THRESHOLD


def vllm(data: dict[str, Any], _kind: PolicyKind = "cascade") -> ReadBack:
    """The thresholds of decisions by domain with the confidence algorithm.

    Raises:
        SchemaError: There is none.
    """
    problems = Problems("config")
    path = ("routing", "decisions")
    decisions = entries(part(data, path, list, problems, required=True), "routing.decisions", problems)
    problems.raise_any()
    reading, methods = Reading(), []
    for decision in sorted(decisions, key=_priority, reverse=True):
        known, name = _category(decision)
        item = _served(decision) if known else None
        if item is None:
            reading.unread.append(f"The decision {one_line(str(decision.get('name')))} is not read.")
        elif name in reading.served:
            reading.unread.append(f"Of several decisions for {listed([name])} the first by priority is read.")
        else:
            reading.served[name] = item
            methods.append(_confidence(decision).get("confidence_method"))
    if not any(item.threshold is not None for item in reading.served.values()):
        raise SchemaError(
            "A decision by domain with the algorithm confidence is needed, found none. There is nothing to "
            f"compare with. {NOTHING_APPLIED}"
        )
    named = sorted({str(method) for method in methods if method is not None})
    if len(named) > 1:
        reading.unread.append(f"Decisions use several confidence methods: {listed(named)}.")
    return reading.policy("cascade", named[0] if len(named) == 1 else None)


def _priority(decision: dict[str, Any]) -> float:
    found = decision.get("priority")
    return float(found) if isinstance(found, int | float) else 0.0


def _category(decision: dict[str, Any]) -> tuple[bool, str | None]:
    """Whether a decision is by one domain or by none, and that domain."""
    rules = decision.get("rules")
    conditions = rules.get("conditions") if isinstance(rules, dict) else None
    match conditions:
        case [] | None:
            return True, None
        case [{"type": "domain", "name": str(name)}]:
            return True, name
    return False, None


def _confidence(decision: dict[str, Any]) -> dict[str, Any]:
    algorithm = decision.get("algorithm")
    if not isinstance(algorithm, dict) or algorithm.get("type") != "confidence":
        return {}
    found = algorithm.get("confidence")
    return found if isinstance(found, dict) else {}


def _served(decision: dict[str, Any]) -> Served | None:
    found = decision.get("modelRefs")
    models = [ref for ref in found if isinstance(ref, dict)] if isinstance(found, list) else []
    names = [str(ref.get("model")) for ref in models]
    threshold = _confidence(decision).get("threshold")
    if len(models) == 1:
        side = "strong" if models[0].get("use_reasoning") is True else None
        return Served(names[0], names[0], side=side)  # type: ignore[arg-type]
    usable = isinstance(threshold, int | float) and not isinstance(threshold, bool) and 0 < threshold <= 1
    if len(models) == 2 and usable:  # noqa: PLR2004 - the fast one and the strong one
        return Served(names[0], names[1], float(threshold))  # type: ignore[arg-type]
    return None


def routellm(data: dict[str, Any], _kind: PolicyKind = "predictive") -> ReadBack:
    """The thresholds of a map from category to model string, turned round again.

    Raises:
        SchemaError: It is no such map.
    """
    problems = Problems("config")
    strings = part(data, ("categories",), dict, problems)
    problems.raise_any()
    reading = Reading()
    whole: dict[str | None, Any] = {**strings, None: data.get("default")}
    for name, text in whole.items():
        score = _score(text)
        if score is None:
            wanted = "a model string such as router-mf-0.25"
            problems.add((), None, f"{listed([name])} needs {wanted}. Take the map as it was exported")
        elif score <= 0:
            reading.served[name] = Served(STRONG, STRONG, side="strong")
        elif score > 1:
            reading.served[name] = Served(FAST, FAST, side="fast")
        else:
            reading.served[name] = Served(FAST, STRONG, upright(score))
    problems.raise_any()
    return reading.policy("predictive", "win_rate")


def _score(text: Any) -> float | None:
    parts = text.split("-", 2) if isinstance(text, str) else []
    if len(parts) != _PARTS or parts[0] != "router":
        return None
    try:
        found = float(parts[2])
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def upright(score: float) -> float:
    """The shortest threshold that ``inverted`` turns into a score; where there is none, the nearest."""
    for digits in range(1, _DIGITS + 1):
        found = round(1 - score, digits)
        if inverted(found) == score:
            return found
    return 1 - math.nextafter(score, -math.inf)
