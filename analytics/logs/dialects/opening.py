"""What the exports of several tools have in common: JSON inside texts, tags, times, log-probabilities.

Values come from outside and may be anything: each function returns None, or nothing, for what it cannot use.
"""

import datetime as dt
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

_PAIR = re.compile(r"^\s*([A-Za-z_][\w.\- ]{0,60}?)\s*[:=]\s*(.+?)\s*$", re.DOTALL)
_EPOCHS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e8, 1.0))
_LONGEST = 1 << 20
_NOTHING = frozenset({"", "none", "null", "\\n"})
_ESCAPES = re.compile(r"\\u(0000|[dD][89a-fA-F])")


def opened(value: Any) -> Any:
    """A value that is JSON text of an object or a list as that object or list; any other as it is.

    Text whose escapes stand for no character, or for NUL, stays text.
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in {"{", "["} or len(value) > _LONGEST:
        return value
    try:
        found = json.loads(value)
        if _ESCAPES.search(value):
            written = json.dumps(found, ensure_ascii=False)
            written.encode()
            return value if "\\u0000" in written else found
    except (ValueError, RecursionError):
        return value
    return found


def member(value: Any, *path: str) -> Any:
    """The value under a path of keys, JSON texts opened on the way; None where the path ends early."""
    for key in path:
        value = opened(value)
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return opened(value)


def mapping(value: Any) -> dict[str, Any]:
    """A value as an object, also from JSON text; an empty one where it is none."""
    found = opened(value)
    return dict(found) if isinstance(found, Mapping) else {}


def listing(value: Any) -> list[Any]:
    """A value as a list, also from JSON text; an empty one where it is none."""
    found = opened(value)
    return list(found) if isinstance(found, list | tuple) else []


def text(value: Any) -> str | None:
    """A name or an id as text, also from a number; None for nothing and for the words for it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = str(value).strip()
    return None if found.lower() in _NOTHING else found


def pruned(value: Any) -> Any:
    """The value without members that hold nothing, at any depth: a Parquet struct has those of all rows."""
    if isinstance(value, dict):
        return kept({key: pruned(item) for key, item in value.items() if item is not None})
    return [pruned(item) for item in value] if isinstance(value, list) else value


def tagged(tags: Any) -> dict[str, str]:
    """Tags like ``key:value`` or ``key=value`` as an object; of one key the first counts."""
    found: dict[str, str] = {}
    for tag in listing(tags):
        pair = _PAIR.match(tag) if isinstance(tag, str) else None
        if pair and not tag.startswith(("http:", "https:")):
            found.setdefault(pair[1].strip(), pair[2])
    return found


def number(value: Any) -> float | None:
    """A finite number, also from text; None for flags and everything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def epoch_s(value: Any) -> float | None:
    """A moment in epoch seconds, from ISO 8601 text (UTC where it names no zone) or an epoch number.

    The unit of a number, seconds to nanoseconds, follows from its size, as every moment is of 1973 or later.
    """
    found = number(value)
    if found is not None:
        return next((found / per for least, per in _EPOCHS if found >= least), None)
    if not isinstance(value, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def seconds_between(start: Any, end: Any) -> float | None:
    """Seconds from one moment to another, rounded to microseconds; None if unknown or negative."""
    first, last = epoch_s(start), epoch_s(end)
    if first is None or last is None or last < first:
        return None
    return round(last - first, 6)


def mean_logprob(logprobs: Iterable[Any]) -> float | None:
    """Mean of the log-probabilities of an answer's tokens; None where there are none or one is above 0."""
    known = [found for value in logprobs if (found := number(value)) is not None]
    if not known or max(known) > 0:
        return None
    return math.fsum(known) / len(known)


def kept(record: Mapping[str, Any]) -> dict[str, Any]:
    """The members that have a value: not null, no empty text, object or list."""
    return {key: value for key, value in record.items() if value is not None and value not in ("", {}, [])}
