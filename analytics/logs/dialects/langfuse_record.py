"""What Langfuse's observations and scores have in common, and the tokens and the cost of an observation.

Langfuse counts each token in one bucket of ``usage_details`` only: ``input`` leaves out what ``input_*`` and
the cache keys count, ``output`` leaves out what ``output_*`` and the reasoning keys count, and ``total`` is
the sum. Ours include them, so the buckets are added up. Usage that was stored as a provider reported it, and
data of older servers, may have parts inside their whole instead: there ``total`` is less than the sum of all
buckets, and equals the sum with the parts left out.
"""

import json
import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from analytics.logs.dialects.dialect import Record, plain
from analytics.logs.dialects.opening import kept, mapping, number, opened

_DEPTH = 4
_INPUT = ("input", "input_tokens", "prompt_tokens", "prompt")
_OUTPUT = ("output", "output_tokens", "completion_tokens", "completion")
_TOTAL = ("total_tokens", "total")
_THOUGHT = ("reasoning", "thought", "thinking")
_WRITTEN = ("creation", "write")
# A sum and its parts, both reported: of the parts only the one of an hour is told apart.
_SUM, _PARTS = "cache_creation_input_tokens", "cache_creation_ephemeral"
_HOUR = "1h"
_OTHER_UNITS = frozenset({"CHARACTERS", "MILLISECONDS", "SECONDS", "IMAGES", "REQUESTS"})


def named(record: Mapping[str, Any]) -> Record:
    """The members that have a value, by name in snake case, as the blob export spells them."""
    found: Record = {}
    for key, value in kept(record).items():
        found.setdefault(plain(str(key)), value)
    return found


def scalar(value: Any) -> str | int | float | None:
    """A text or a number as it is; None for anything else."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """A prompt or an answer as text, JSON where it is no text; None where it cannot be written."""
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return None


def leaves(value: Any) -> dict[str, Any]:
    """Scalars and lists of scalars in an object by dotted path, JSON texts opened, four levels deep."""
    found: dict[str, Any] = {}
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), value)])
    while waiting:
        path, item = waiting.popleft()
        item = opened(item)
        if isinstance(item, Mapping):
            if len(path) < _DEPTH:
                waiting.extend(((*path, str(key)), inner) for key, inner in item.items())
        elif path and item not in (None, "") and (not isinstance(item, list) or _flat(item)):
            found.setdefault(".".join(path), item)
    return found


def _flat(items: list[Any]) -> bool:
    return bool(items) and not any(isinstance(item, list | dict) for item in items)


def tokens(names: Record) -> dict[str, int]:
    """Token counts by field of the schema, as far as known.

    Args:
        names: An observation's members by name in snake case.
    """
    usage = mapping(names.get("usage"))
    if str(usage.get("unit") or names.get("unit") or "").upper() in _OTHER_UNITS:
        return {}
    reported: tuple[Mapping[str, Any], ...] = (
        mapping(names.get("usage_details")),
        usage,
        {name: names.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
        {name: names.get(f"{name}_usage") for name in ("input", "output", "total")},
    )
    return next((found for counts in reported if (found := _added_up(_counts(counts)))), {})


def cost_usd(names: Record) -> float | None:
    """What the call cost, in USD; None where Langfuse knew no price.

    Langfuse's enriched export writes 0 for an unknown total: 0 counts only where the costs by kind say so.

    Args:
        names: An observation's members by name in snake case.
    """
    details = mapping(names.get("cost_details"))
    parts = {str(key): found for key, value in details.items() if (found := number(value)) is not None}
    totals = (number(names.get(name)) for name in ("total_cost", "calculated_total_cost"))
    total = next((found for found in totals if found), None)
    if total is not None or not parts:
        return total
    return parts["total"] if "total" in parts else math.fsum(parts.values())


def _counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """Whole numbers from 0 by key in snake case, those of nested objects with their path; no costs."""
    found: dict[str, int] = {}
    for key, value in leaves(dict(usage)).items():
        count = number(value)
        if count is not None and count >= 0 and count.is_integer() and "cost" not in key:
            found.setdefault(plain(key), int(count))
    if _SUM in found:
        parts = {key: count for key, count in found.items() if key.startswith(_PARTS)}
        found = {key: count for key, count in found.items() if key not in parts}
        hour = min(sum(count for key, count in parts.items() if _HOUR in key), found[_SUM])
        if hour:
            found |= {_SUM: found[_SUM] - hour, f"{_SUM}_{_HOUR}": hour}
    return found


def _added_up(counts: dict[str, int]) -> dict[str, int]:
    total = _taken(counts, _TOTAL)
    bases = _taken(counts, _INPUT), _taken(counts, _OUTPUT)
    made = {key: count for key, count in counts.items() if _of_output(key)}
    given = {key: count for key, count in counts.items() if key not in made and _of_input(key)}
    rest = sum(count for key, count in counts.items() if key not in made and key not in given)
    wholes = _wholes(bases, (_sum(given.values()), _sum(made.values())), rest, total)
    if not any(wholes):
        return {}
    caches = {key: count for key, count in given.items() if "cache" in key}
    written = {key: count for key, count in caches.items() if any(word in key for word in _WRITTEN)}
    cached = (count for key, count in caches.items() if key not in written)
    hour = (count for key, count in written.items() if _HOUR in key)
    thought = (n for key, n in made.items() if any(word in key for word in _THOUGHT))
    found = {
        "input_tokens": wholes[0],
        "output_tokens": wholes[1],
        "reasoning_tokens": _sum(thought),
        "cached_tokens": _sum(cached),
        "cache_write_tokens": _sum(written.values()),
        "cache_write_1h_tokens": _sum(hour),
    }
    return {name: count for name, count in found.items() if count is not None}


def _taken(counts: dict[str, int], keys: tuple[str, ...]) -> int | None:
    """The count under the first key that there is; all of them are taken out."""
    found = [counts.pop(key) for key in keys if key in counts]
    return found[0] if found else None


def _of_output(key: str) -> bool:
    return any(word in key for word in ("output", "completion", "candidates", *_THOUGHT))


def _of_input(key: str) -> bool:
    return any(word in key for word in ("input", "prompt", "cache"))


def _wholes(
    bases: tuple[int | None, int | None], parts: tuple[int | None, int | None], rest: int, total: int | None
) -> tuple[int | None, int | None]:
    """Input and output with their parts, which stand apart unless only their being inside gives ``total``."""
    sides = tuple(zip(bases, parts, strict=True))
    apart = tuple(_sum(count for count in side if count is not None) for side in sides)
    for inside in ((False, False), (True, True), (True, False), (False, True)):
        wholes = tuple(
            base if within and base is not None and (part or 0) <= base else whole
            for (base, part), whole, within in zip(sides, apart, inside, strict=True)
        )
        added = sum(count or 0 for count in wholes)
        if total in {added, added + rest}:
            return wholes[0], wholes[1]
    return apart[0], apart[1]


def _sum(counts: Iterable[int]) -> int | None:
    found = list(counts)
    return sum(found) if found else None
