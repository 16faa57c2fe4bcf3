"""Values as the records of a trace write them: counts, moments, attributes by dotted name."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from analytics.logs.dialects.opening import epoch_s, number, opened, tagged

Attributes = Mapping[str, Any]

_MOST = 2**63
_DIGITS = 19
_BILLION = 10**9
_PER_UNIT = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (10**8, 10**9))
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def first(attributes: Attributes, names: Iterable[str]) -> Any:
    """The first of some attributes that has a value."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None


def count(value: Any) -> int | None:
    """A whole number from 0, exact beyond 2^53, also from text; null for anything else."""
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else number(text)
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _MOST else None


def nanoseconds(value: Any) -> int | None:
    """A moment in nanoseconds since 1970.

    Args:
        value: Epoch number of any unit, ISO text, or seconds and nanoseconds as a pair.
    """
    if isinstance(value, list | tuple):
        parts = [count(part) for part in value]
        whole = [part for part in parts if part is not None]
        return whole[0] * _BILLION + whole[1] if len(whole) == len(parts) == 2 and whole[0] else None  # noqa: PLR2004
    exact = count(value)
    if exact is not None:
        return next((exact * per for least, per in _PER_UNIT if exact >= least), None)
    if isinstance(value, str) and number(value) is None:
        try:
            moment = dt.datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1_000
        except (ValueError, OverflowError):
            return None
    found = epoch_s(value)
    return None if found is None else round(found * 1e6) * 1_000


def dotted(members: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes by dotted name from nested objects; lists of evaluations by their number."""
    found: dict[str, Any] = {}
    waiting = [("", members)]
    while waiting:
        start, inner = waiting.pop()
        for name, value in inner.items():
            path = start + str(name)
            if isinstance(value, list) and path.endswith(("annotations", "evaluations")):
                waiting.append((f"{path}.", {str(place): element for place, element in enumerate(value)}))
            elif isinstance(value, dict):
                waiting.append((f"{path}.", value))
            elif value is not None:
                found[path] = value
    return found


def with_opened(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with the JSON text of ``metadata`` and the tags as attributes of their own."""
    found = dict(attributes)
    for name in ("metadata", "tag.tags"):
        if name in found:
            held = opened(found[name])
            members = held if isinstance(held, Mapping) else tagged(held)
            if members:
                del found[name]
                found |= dotted({name: members})
    return found


def seconds(start: int | None, end: int | None) -> float | None:
    """Seconds between two moments, rounded to microseconds; null if unknown or negative."""
    if start is None or end is None or end < start:
        return None
    return round((end - start) / _BILLION, 6)


def iso(moment: int | None) -> str | None:
    """A moment in nanoseconds since 1970 as ISO text in UTC, to the microsecond."""
    if moment is None:
        return None
    try:
        found = _EPOCH + dt.timedelta(microseconds=moment // 1_000)
    except OverflowError:
        return None
    return found.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
