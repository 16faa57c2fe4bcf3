"""The thresholds in a LiteLLM config: our plug-in with its module, the capability judge, the heuristic."""

import ast
import math
from typing import Any

from analytics.errors import SchemaError
from analytics.export.fragment import one_line
from analytics.export.litellm import EPSILON, MARKER, PUBLIC, TAG
from analytics.export.own_config import entries, part
from analytics.export.probe import ReadBack, Reading, Served, listed
from analytics.policy import PolicyKind
from analytics.policy_checks import NOTHING_APPLIED, Problems

MODULE = "tiertune_classifier.py"
MAX_MODULE = 256 * 1024
"""Characters of it, as many as a thresholds file may have bytes; parsing takes seconds beyond."""
_OURS = "tiertune_classifier.classifier"
_SCORES = {"capability": "p_solve", "heuristic_v2": "heuristic_v2_forecast"}
_Plugged = tuple[str, str, list[str]]
Table = dict[str | None, tuple[float, bool]]


def litellm(data: dict[str, Any], kind: PolicyKind, module: str | None = None) -> ReadBack:
    """The thresholds of the complexity router called ``smart``, else of the first one.

    Args:
        data: The config.
        kind: What the plug-in's thresholds are compared with; the other two always forecast.
        module: Text of ``tiertune_classifier.py``, where the plug-in's thresholds are. It is read, never run.

    Raises:
        SchemaError: There is no such router, or nothing of it can be read.
    """
    problems = Problems("config")
    known = entries(part(data, ("model_list",), list, problems, required=True), "model_list", problems)
    problems.raise_any()
    routers = [entry for entry in known if _params(entry).get("model") == MARKER]
    if not routers:
        raise SchemaError(
            "A router of LiteLLM's (auto_router/complexity_router) is needed in model_list, found none. "
            f"There is nothing to compare with. {NOTHING_APPLIED}"
        )
    names = [entry.get("model_name") for entry in routers]
    name = PUBLIC if PUBLIC in names else names[0]
    reading = Reading()
    others = [str(other) for other in dict.fromkeys(names) if other != name]
    if others:
        reading.unread.append(f"Routers called {listed(others)} are not read.")
    plugged: list[_Plugged] = []
    scores = [
        _read(tags, config, reading, plugged)
        for tags, config in _tagged([entry for entry in routers if entry.get("model_name") == name])
    ]
    score = next((item for item in scores if item is not None), None)
    if plugged:
        _plugin(plugged, module, reading)
    if not reading.served:
        raise SchemaError(f"No threshold was found. {' '.join(reading.unread)} {NOTHING_APPLIED}")
    return reading.policy(kind if score is None else "predictive", score)


def _read(tags: list[str], config: dict[str, Any], reading: Reading, plugged: list[_Plugged]) -> str | None:
    """Read one marker; the name of the score that LiteLLM computes for it."""
    sort, where = config.get("classifier_type"), listed(_categories(tags))
    models = _models(config, tags, reading)
    if models is None:
        return None
    if sort == "custom" and config.get("classifier_plugin") == _OURS:
        plugged.append((*models, tags))
        return None
    if sort not in _SCORES:
        said = one_line(str(sort or "no classifier_type"))
        reading.unread.append(f"The router for {where} uses {said}: not read.")
        return None
    threshold = _capability(config, tags, reading) if sort == "capability" else _heuristic(config)
    if models[0] != models[1] and threshold is None:
        reading.unread.append(f"The router for {where} names no threshold: not read.")
        return None
    item = Served(*models) if models[0] == models[1] else Served(*models, threshold)
    reading.served |= dict.fromkeys(_categories(tags), item)
    return _SCORES[sort]


def _params(entry: dict[str, Any]) -> dict[str, Any]:
    found = entry.get("litellm_params")
    return found if isinstance(found, dict) else {}


def _tagged(routers: list[dict[str, Any]]) -> list[tuple[list[str], dict[str, Any]]]:
    """Tags and config of every marker; the first is the default's where none has that tag."""
    found = []
    for entry in routers:
        tags = _params(entry).get("tags")
        config = _params(entry).get("complexity_router_config")
        texts = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
        found.append((texts, config if isinstance(config, dict) else {}))
    if found and not any("default" in tags for tags, _ in found):
        found[0] = ([*found[0][0], "default"], found[0][1])
    return found


def _categories(tags: list[str]) -> list[str | None]:
    named: list[str | None] = [tag.removeprefix(TAG) for tag in tags if tag.startswith(TAG)]
    return [*named, *([None] if "default" in tags else [])]


def _models(config: dict[str, Any], tags: list[str], reading: Reading) -> tuple[str, str] | None:
    """The model of the lowest and of the highest tier."""
    tiers = config.get("tiers")
    tiers = tiers if isinstance(tiers, dict) else {}
    low, high = tiers.get("SIMPLE"), tiers.get("REASONING", config.get("default_model"))
    where = listed(_categories(tags))
    if not isinstance(low, str) or not isinstance(high, str):
        reading.unread.append(
            f"The router for {where} names no single model for SIMPLE and REASONING: not read."
        )
        return None
    between = {str(tiers.get(tier, high)) for tier in ("MEDIUM", "COMPLEX")} - {high, low}
    if between:
        reading.unread.append(f"For {where} the tiers between serve {listed(sorted(between))}: left aside.")
    return low, high


def _capability(config: dict[str, Any], tags: list[str], reading: Reading) -> float | None:
    inner = config.get("capability_classifier_config")
    inner = inner if isinstance(inner, dict) else {}
    where = listed(_categories(tags))
    if inner.get("threshold_step"):
        reading.unread.append(
            f"For {where} threshold_step raises the threshold of some requests: left aside."
        )
    if inner.get("calibration"):
        reading.unread.append(
            f"For {where} LiteLLM recalibrates the forecast first: compare after that alone."
        )
    base = _number(inner.get("base_threshold"))
    return None if base is None else unguarded(base)


def _heuristic(config: dict[str, Any]) -> float | None:
    return _number(config.get("heuristic_v2_success_threshold"))


def unguarded(base: float) -> float:
    """The least forecast that LiteLLM keeps under a base threshold, of which it forgives one epsilon."""
    found = max(base - EPSILON, 0.0)
    while found > 0 and base - math.nextafter(found, 0) <= EPSILON:
        found = math.nextafter(found, 0)
    return found


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if usable else None


def _plugin(plugged: list[tuple[str, str, list[str]]], module: str | None, reading: Reading) -> None:
    """The rules of the plug-in: models from the markers, thresholds from the module."""
    if module is None:
        reading.unread.append(f"The plug-in's thresholds stand in {MODULE}: add that file as well.")
        return
    table = rules_of(module)
    pairs = {name: (low, high) for low, high, tags in plugged for name in _categories(tags)}
    usual = pairs.get(None, plugged[0][:2])
    for name, (threshold, keeps) in table.items():
        low, high = pairs.get(name, usual)
        if math.isinf(threshold):
            reading.served[name] = Served(high, high, side="strong")
        elif threshold == 0 and keeps:
            reading.served[name] = Served(low, low, side="fast")
        else:
            reading.served[name] = Served(low, high, threshold, "keep" if keeps else "escalate")


def rules_of(module: str) -> Table:
    """The rules in ``tiertune_classifier.py`` or ``tiertune_route.py``; the default under None.

    The text is parsed, and of what it says only the two tables are looked at. Nothing of it runs.

    Raises:
        SchemaError: It is no such module.
    """
    try:
        return _tables(ast.parse(module if len(module) <= MAX_MODULE else ""))
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        raise SchemaError(
            f"{MODULE} is needed as tiertune wrote it, with the tables RULES and DEFAULT, and this is not. "
            f"Take the file beside the proxy's config. {NOTHING_APPLIED}"
        ) from None


def _tables(tree: ast.Module) -> Table:
    named = {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    rules = named["RULES"]
    if not isinstance(rules, ast.Dict):
        raise TypeError("no table")
    found: Table = {None: _pair(named["DEFAULT"])}
    for key, value in zip(rules.keys, rules.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise TypeError("no name")
        found[key.value] = _pair(value)
    return found


def _pair(node: ast.expr) -> tuple[float, bool]:
    """``(threshold, keeps missing)``."""
    if not isinstance(node, ast.Tuple):
        raise TypeError("no pair")
    first, second = node.elts
    always_strong = ast.unparse(first) == "float('inf')"
    threshold = math.inf if always_strong else _number(ast.literal_eval(first))
    if threshold is None:
        raise ValueError("no threshold")
    keeps = ast.literal_eval(second)
    if not isinstance(keeps, bool):
        raise TypeError("no flag")
    return threshold, keeps
