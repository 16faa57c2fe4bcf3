"""What a dialect is, and how a column name is taken apart before a dialect looks it up."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from analytics.logs.schema import Form

Match = tuple[str, int]  # canonical field, rank: 0 is the field's own name, WEAK and above want a look
WEAK = 100
TAIL = 200

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9]+")

# Suffix -> unit of a duration; the longest suffix that fits counts.
DURATION_UNITS = {
    "milliseconds": "ms", "millis": "ms", "msec": "ms", "ms": "ms",
    "seconds": "s", "secs": "s", "sec": "s", "s": "s",
    "microseconds": "us", "us": "us", "nanoseconds": "ns", "ns": "ns",
}  # fmt: skip
_MONEY_UNITS = {"usd": "usd", "dollars": "usd", "dollar": "usd", "cents": "cents", "cent": "cents"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One shape of log file.

    Attributes:
        name: Key in ``DIALECTS``.
        title: What the Logs page says of a recognised file.
        form: Table that its rows become.
        recognises: Whether a file with these column names (plain, see ``plain``) has this shape.
        match: Canonical field and rank that a plain name stands for, or null.
        units: Units that this shape fixes, by canonical field.
        of_served: Plain names of columns that speak of the served answer only; a kept answer is the fast
            one, so they are blanked where the request was escalated.
        one_side: Whether grade, cost and latency are the request's own, so that they belong to the fast
            side of a kept request and to the strong side of an escalated one.
        extra: Fields that a plain name gives besides its own: canonical field -> plain names.
    """

    name: str
    title: str
    form: Form
    recognises: Callable[[frozenset[str]], bool]
    match: Callable[[str], Match | None]
    units: Mapping[str, str] = field(default_factory=dict)
    of_served: frozenset[str] = frozenset()
    one_side: bool = False
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plain(name: str) -> str:
    """A name in lower snake case: ``requestId``, ``request.id`` and ``Request ID`` are ``request_id``."""
    return _OTHER.sub("_", _CAMEL.sub("_", name.strip()).lower()).strip("_")


def tail(name: str) -> str | None:
    """The last step of a dotted path in lower snake case, null where there is no path."""
    head, dot, last = name.rpartition(".")
    return plain(last) if dot and head else None


def name_unit(name: str, field_name: str) -> str | None:
    """The unit that a plain column name states for a duration or a cost; null where it states none."""
    last = name.rpartition("_")[2]
    if field_name.endswith("latency_s") or field_name == "ttft_s":
        return DURATION_UNITS.get(last)
    if field_name.endswith("cost_usd"):
        return next((unit for word, unit in _MONEY_UNITS.items() if word in name.split("_")), None)
    return None


def ranked(names: Mapping[str, tuple[str, ...]]) -> dict[str, Match]:
    """Lookup from a plain name to its field and rank; names after ``"?"`` are weak."""
    found: dict[str, Match] = {}
    for canonical, synonyms in names.items():
        found[canonical] = (canonical, 0)
        rank = 1
        for synonym in synonyms:
            rank = WEAK if synonym == "?" else rank + 1
            if synonym != "?":
                found.setdefault(synonym, (canonical, rank))
    return found
