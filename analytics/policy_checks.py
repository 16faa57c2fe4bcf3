"""Checks of the values in a policy document, and the list of what is wrong with it.

A check takes a value of plain data, its key path and the list; it returns the value as the policy has it,
or notes a problem and returns None.
"""

import json
import math
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, NoReturn

from analytics.errors import SchemaError

Path = tuple[str, ...]
Check = Callable[[Any, Path, "Problems"], Any]

NOTHING_APPLIED = "Nothing was applied."
MAX_SHOWN = 60
ROUNDING = 1e-9


class Problems:
    """What is wrong with a document, in the order found; a category's problems share one line."""

    def __init__(self, document: str = "thresholds file") -> None:
        self._document = document
        self._lines: dict[str, list[str]] = {}

    def add(self, path: Path, key: str | None, problem: str) -> None:
        """Note a problem.

        Args:
            path: Keys that lead to the mapping.
            key: The key whose value is wrong; None where the mapping itself is.
            problem: What is wrong; a verb phrase where there is a key.
        """
        head = ""
        if path[:1] == ("categories",) and len(path) > 1:
            head, path = f"categories.{shown(path[1], quoted=False)}: ", path[2:]
        where = ".".join(shown(part, quoted=False) for part in (*path, *([key] if key is not None else [])))
        joint = " " if key is not None else ": "
        body = f"{where}{joint}{problem}" if where else problem
        self._lines.setdefault(head or body, []).append(body)

    def refuse(self, problem: str) -> NoReturn:
        """Raise for a problem that makes any other pointless."""
        raise SchemaError(f"{problem}. {NOTHING_APPLIED}")

    def raise_any(self) -> None:
        """Raise one error with all problems, if there are any."""
        lines = [
            head + "; ".join(parts) if head.endswith(": ") else head for head, parts in self._lines.items()
        ]
        if len(lines) == 1:
            self.refuse(lines[0])
        if lines:
            listed = "\n".join(f"- {line}" for line in lines)
            raise SchemaError(f"The {self._document} has {len(lines)} problems:\n{listed}\n{NOTHING_APPLIED}")


def mapping_of(
    checks: dict[str, Check] | None,
    *,
    required: Collection[str] = (),
    value: Check | None = None,
    keep_extra: bool = False,
) -> Check:
    """Check of a mapping; the result holds the keys that are not null.

    Args:
        checks: Check by key; other keys are refused unless they begin with ``x-``. None: any key.
        required: Keys that must be there and not null.
        value: Check of every value, where ``checks`` is None.
        keep_extra: Whether ``x-`` keys are returned, under ``extra``.
    """

    def check(found: Any, path: Path, problems: Problems) -> dict[str, Any] | None:
        if not isinstance(found, dict):
            problems.add(path[:-1], path[-1], f"must be a mapping, found {shown(found)}")
            return None
        read: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, part in found.items():
            test = value if checks is None else checks.get(key)
            if test is None:
                if key.startswith("x-"):
                    extra[key] = finite(part, (*path, key), problems)
                else:
                    problems.add(
                        path, None, f"unknown key {shown(key, quoted=False)}{_hint(key, checks or ())}"
                    )
            elif part is not None:
                result = test(part, (*path, key), problems)
                read |= {} if result is None else {key: result}
            elif checks is None:
                problems.add(path, key, "must not be null")
        for key in required:
            if found.get(key) is None:
                problems.add(path, None, f"{key} is missing")
        return read | ({"extra": extra} if extra and keep_extra else {})

    return check


def number(low: float = -math.inf, high: float = math.inf, *, open_ends: bool = False) -> Check:
    """Check of a finite number from ``low`` to ``high``; the result is a float."""
    between = "strictly between" if open_ends else "from"
    joint = "and" if open_ends else "to"
    if high < math.inf:
        wanted = f"a number {between} {low:g} {joint} {high:g}"
    else:
        wanted = f"a number of at least {low:g}" if low > -math.inf else "a finite number"

    def check(found: Any, path: Path, problems: Problems) -> float | None:
        value = _finite_float(found)
        if value is None or not low <= value <= high or (open_ends and value in (low, high)):
            problems.add(path[:-1], path[-1], f"must be {wanted}, found {shown(found)}")
            return None
        return value

    return check


def choice(options: Sequence[str]) -> Check:
    """Check of a word out of ``options``."""

    def check(found: Any, path: Path, problems: Problems) -> str | None:
        if isinstance(found, str) and found in options:
            return found
        listed = f"{', '.join(options[:-1])} or {options[-1]}"
        problems.add(path[:-1], path[-1], f"must be {listed}, found {shown(found, quoted=False)}")
        return None

    return check


def text(found: Any, path: Path, problems: Problems) -> str | None:
    """Check of a text."""
    if isinstance(found, str):
        return found
    problems.add(path[:-1], path[-1], f"must be a text, found {shown(found)}; put it in quotes")
    return None


def flag(found: Any, path: Path, problems: Problems) -> bool | None:
    """Check of true or false."""
    if isinstance(found, bool):
        return found
    problems.add(path[:-1], path[-1], f"must be true or false, found {shown(found)}")
    return None


def count(found: Any, path: Path, problems: Problems) -> int | None:
    """Check of a whole number of at least 0."""
    if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
        return found
    problems.add(path[:-1], path[-1], f"must be a whole number of at least 0, found {shown(found)}")
    return None


def moment(found: Any, path: Path, problems: Problems) -> datetime | None:
    """Check of an ISO 8601 time or date; the result is in UTC, which is assumed where no zone is given."""
    try:
        value = datetime.fromisoformat(found)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        wanted = "an ISO 8601 time such as 2026-11-22T14:00:00Z"
        problems.add(path[:-1], path[-1], f"must be {wanted}, found {shown(found)}")
        return None


def interval(found: Any, path: Path, problems: Problems) -> tuple[float, float] | None:
    """Check of ``[low, high]``, both from 0 to 1."""
    ends = [_finite_float(end) for end in found] if isinstance(found, list) else []
    match ends:
        case [float() as low, float() as high] if 0 <= low <= high <= 1:
            return low, high
    problems.add(path[:-1], path[-1], f"must be [low, high] with 0 <= low <= high <= 1, found {shown(found)}")
    return None


def estimate(
    low: float = -math.inf, high: float = math.inf, *, limits: bool = True, plain: bool = False
) -> Check:
    """Check of ``{value, low, high}`` with optional ``n, method, level, reason``; the result is a dict.

    Args:
        low: Least possible value.
        high: Largest possible value.
        limits: Whether the ends of the interval obey them too; that of a cost may cross 0.
        plain: Whether a bare number may stand for ``{value: number}``.
    """
    ends = number(low, high) if limits else number()
    read = mapping_of(
        {
            "value": number(low, high),
            "low": ends,
            "high": ends,
            "n": count,
            "method": text,
            "level": number(0, 1, open_ends=True),
            "reason": text,
        }
    )

    def check(found: Any, path: Path, problems: Problems) -> dict[str, Any] | None:
        if plain and not isinstance(found, dict):
            found = {"value": found}
        values: dict[str, Any] | None = read(found, path, problems)
        if values is None:
            return None
        if "value" not in found:
            problems.add(path, None, "value is missing")
        value, ordered = values.setdefault("value", None), [values.get("low"), values.get("high")]
        known = [part for part in (ordered[0], value, ordered[1]) if part is not None]
        # The last bits of an interval of width 0 may disagree with its value.
        if any(before > after + ROUNDING * abs(after) for before, after in pairwise(known)):
            problems.add(path[:-1], path[-1], "must have low <= value <= high")
        return values

    return check


def finite(found: Any, path: Path, problems: Problems) -> Any:
    """Check of any plain data: mappings, lists, texts, numbers, and every number finite."""
    if not isinstance(found, dict | list | str | float | int | None):
        problems.add(path[:-1], path[-1], "must be plain data")
    elif isinstance(found, float) and not math.isfinite(found):
        problems.add(path[:-1], path[-1], f"must be finite, found {shown(found)}")
    elif isinstance(found, dict):
        for key, part in found.items():
            finite(part, (*path, key), problems)
    elif isinstance(found, list):
        for part in found:
            finite(part, path, problems)
    return found


def shown(value: Any, *, quoted: bool = True) -> str:
    """A value of a document as a message shows it: short, one line, no control characters."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        short = value if len(value) <= MAX_SHOWN else value[: MAX_SHOWN - 1] + "…"
        return short if not quoted and short.isprintable() and short else json.dumps(short)
    return json.dumps(value, default=repr)[:MAX_SHOWN]


def _hint(key: str, known: Collection[str]) -> str:
    near = get_close_matches(key[:MAX_SHOWN], known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _finite_float(found: Any) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        value = float(found)
    except OverflowError:  # an integer beyond float64
        return None
    return value + 0.0 if math.isfinite(value) else None
