"""The thresholds in Portkey conditions and flagd targeting, read by asking what they decide."""

import math
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from analytics.errors import SchemaError
from analytics.export.gateways import FLAG
from analytics.export.own_config import entries, part
from analytics.export.probe import ReadBack, Reading, listed, numbers, served, with_sides
from analytics.policy import PolicyKind
from analytics.policy_checks import NOTHING_APPLIED, Problems

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)")
_KNOWN = ("metadata.category", "metadata.confidence")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le,
}  # fmt: skip
# What JsonLogic and Portkey compare; a missing value is in no order.
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


class _UnreadableError(Exception):
    """A condition uses what this reader does not know."""


def portkey(data: dict[str, Any], kind: PolicyKind) -> ReadBack:
    """The thresholds of a Portkey config with conditions.

    Raises:
        SchemaError: It has no conditions on category and confidence.
    """
    problems = Problems("config")
    path = ("strategy", "conditions")
    conditions = entries(part(data, path, list, problems, required=True), "strategy.conditions", problems)
    problems.raise_any()
    reading, usable, apart = Reading(), [], set()
    for condition in conditions:
        keys = set(_keys(condition.get("query")))
        if not keys <= set(_KNOWN):
            apart |= keys - set(_KNOWN)
            continue
        try:
            _holds(condition.get("query"), {})
        except _UnreadableError as error:
            reading.unread.append(f"A condition with {error} is not read, and left aside.")
            continue
        usable.append(condition)
    if apart:
        reading.unread.append(f"Conditions on {listed(sorted(apart))} are not read, and left aside.")
    default = data.get("strategy", {}).get("default")
    names: list[str | None] = [*dict.fromkeys(_compared(usable, "metadata.category")), None]
    cuts = numbers([condition["query"] for condition in usable])
    for name in names:

        def decide(confidence: float | None, name: str | None = name) -> str | None:
            about = {"metadata.category": name, "metadata.confidence": confidence}
            for condition in usable:
                if _holds(condition["query"], about):
                    return str(condition.get("then"))
            return None if default is None else str(default)

        _add(reading, name, served(decide, cuts))
    return reading.policy(kind)


def _add(reading: Reading, name: str | None, found: Any) -> None:
    if found is None:
        reading.unread.append(f"What is decided for {listed([name])} is no threshold, and not read.")
    else:
        reading.served[name] = found


def _keys(query: Any) -> Iterable[str]:
    if isinstance(query, dict):
        for key, inner in query.items():
            if key.startswith("$"):
                yield from (
                    (found for item in inner for found in _keys(item)) if isinstance(inner, list) else ()
                )
            else:
                yield key


def _holds(query: Any, about: dict[str, Any]) -> bool:
    """Whether a Portkey query holds; numbers are compared as JavaScript's parseFloat reads them."""
    if not isinstance(query, dict):
        raise _UnreadableError("a query that is no mapping")
    found = []
    for key, inner in query.items():
        if key in ("$and", "$or"):
            if not isinstance(inner, list):
                raise _UnreadableError(f"{key} that is no list")
            every = all if key == "$and" else any
            found.append(every([_holds(item, about) for item in inner]))
        elif key.startswith("$") or not isinstance(inner, dict):
            raise _UnreadableError(key[:20] if key.startswith("$") else "a value without an operator")
        else:
            found += [_compares(sign, about.get(key), wanted) for sign, wanted in inner.items()]
    return all(found)


def _compares(sign: str, value: Any, wanted: Any) -> bool:
    if sign in _ORDER:
        return _ORDER[sign](_parsed(value), _parsed(wanted))
    if sign in ("$eq", "$ne"):
        return bool(value == wanted) == (sign == "$eq")
    if sign in ("$in", "$nin") and isinstance(wanted, list):
        return (value in wanted) == (sign == "$in")
    raise _UnreadableError(sign[:20])


def _parsed(value: Any) -> float:
    found = _NUMBER.match(str(value))
    return float(found.group()) if found else math.nan


def _compared(data: Any, key: str) -> Iterable[str]:
    """Texts that a key is compared with."""
    if isinstance(data, list):
        for item in data:
            yield from _compared(item, key)
    elif isinstance(data, dict):
        for name, inner in data.items():
            if name == key and isinstance(inner, dict):
                wanted = [*inner.values()]
                flat = [text for item in wanted for text in (item if isinstance(item, list) else [item])]
                yield from (text for text in flat if isinstance(text, str))
            else:
                yield from _compared(inner, key)


def flagd(data: dict[str, Any], kind: PolicyKind) -> ReadBack:
    """The thresholds of the flag ``tiertune-route``.

    Raises:
        SchemaError: There is no such flag, or it decides otherwise than by category and confidence.
    """
    problems = Problems("config")
    flag = part(data, ("flags", FLAG), dict, problems, required=True)
    variants = part(data, ("flags", FLAG, "variants"), dict, problems, required=True)
    problems.raise_any()
    reading = Reading()
    if flag.get("state") == "DISABLED":
        said = f"The flag {FLAG} is needed with state ENABLED, found DISABLED"
        raise SchemaError(f"{said}. Enable it first. {NOTHING_APPLIED}")
    targeting, usual = flag.get("targeting", {}), flag.get("defaultVariant")
    names = dict.fromkeys(_categories(targeting))
    for name in (*names, None):

        def decide(confidence: float | None, name: str | None = name) -> str | None:
            about = {"category": name, "confidence": confidence}
            found = _logic(targeting, about) if targeting else None
            value = variants.get(usual if found is None else str(found))
            return value if isinstance(value, str) else None

        try:
            item = served(decide, numbers(targeting))
        except _UnreadableError as error:
            raise SchemaError(
                f"A flag {FLAG} that decides by category and confidence is needed, found {error} in it. Take "
                f"the flag as it was exported. {NOTHING_APPLIED}"
            ) from None
        _add(reading, name, None if item is None else with_sides(item, "fast", "strong"))
    return reading.policy(kind)


def _categories(logic: Any) -> Iterable[str]:
    if isinstance(logic, dict):
        for sign, parts in logic.items():
            if sign in ("==", "===", "!=", "!==", "in") and {"var": "category"} in _as_list(parts):
                flat = [text for item in parts for text in (item if isinstance(item, list) else [item])]
                yield from (text for text in flat if isinstance(text, str))
            yield from _categories(parts)
    elif isinstance(logic, list):
        for item in logic:
            yield from _categories(item)


def _as_list(parts: Any) -> list[Any]:
    return parts if isinstance(parts, list) else [parts]


def _logic(logic: Any, about: dict[str, Any]) -> Any:
    """JsonLogic, as far as flags by category and confidence use it."""
    if not isinstance(logic, dict):
        return [_logic(item, about) for item in logic] if isinstance(logic, list) else logic
    if len(logic) != 1:
        raise _UnreadableError("a mapping with several operations")
    sign, inner = next(iter(logic.items()))
    parts = _as_list(inner)
    if sign == "var":
        return about.get(str(parts[0]) if parts else "")
    if sign == "if":
        for place in range(0, len(parts) - 1, 2):
            if _logic(parts[place], about):
                return _logic(parts[place + 1], about)
        return _logic(parts[-1], about) if len(parts) % 2 else None
    return _operation(str(sign), [_logic(item, about) for item in parts])


def _operation(sign: str, values: list[Any]) -> bool:
    if sign in ("and", "or"):
        return all(values) if sign == "and" else any(values)
    if sign in ("!", "!!") and len(values) == 1:
        return bool(values[0]) == (sign == "!!")
    if len(values) != 2:  # noqa: PLR2004 - all others compare two
        raise _UnreadableError(f"the operation {sign[:20]}")
    one, other = values
    if sign == "in":
        return isinstance(other, list | str) and isinstance(one, str) and one in other
    if sign in ("==", "===", "!=", "!=="):
        return bool(one == other) == (sign in ("==", "==="))
    if sign in _SIGNS:
        return all(isinstance(value, int | float) for value in values) and _SIGNS[sign](one, other)
    raise _UnreadableError(f"the operation {sign[:20]}")
