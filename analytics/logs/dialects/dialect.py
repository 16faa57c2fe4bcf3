"""What a dialect is, and how a column name is taken apart before a dialect looks it up."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.logs.schema import Form

Match = tuple[str, int]  # canonical field, rank: 0 is the field's own name, WEAK and above want a look
Record = dict[str, Any]
FREE = 50
WEAK = 100
TAIL = 200
NO_FIELD: Match = ("", WEAK)
"""Of a name that is known to stand for no field, so that none is guessed from its values either."""

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
class Passed:
    """A record that is no model call of the user's: counted and told with its reason, not loaded."""

    reason: str


@dataclass(frozen=True, slots=True)
class Nested:
    """A record that lies inside another one of its file, as the spans of a trace do.

    Attributes:
        item: The row, which is a call, or why there is none.
        key: Identifies the record in its file.
        around: Key of the record around it; null at the outside.
        says: Columns that hold for every call inside, where a call or a nearer record says nothing else.
        same_call: Columns that hold for a call inside only if it is the same call, or the only one inside of
            what is no call: so a grade.
        answer_tokens: Of a call, by which a call inside is known to be the same; null if unknown.
        separate: Whether calls inside are others than the one around: so inside a tool or an agent.
        passes_over: Why calls inside are none of the user's; null if they are.
        alias: Column, the name that was asked for, the name that it stood for or null. Rows that do not
            know the latter get it in that column if all others of the file agree, else the former.
        within: Trace, start and end in epoch seconds of a record that nothing says to lie in another. Several
            of one trace lie in one another as their times do.
    """

    item: "Record | Passed"
    key: str
    around: str | None = None
    says: Mapping[str, Any] = field(default_factory=dict)
    same_call: Mapping[str, Any] = field(default_factory=dict)
    answer_tokens: int | None = None
    separate: bool = False
    passes_over: str | None = None
    alias: tuple[str, str, str | None] | None = None
    within: tuple[str, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """One shape of log file.

    Attributes:
        name: Key in ``DIALECTS``.
        title: What the Logs page says of a recognised file.
        form: Table that its rows become.
        recognises: Whether a file with these names (plain, see ``record_names``) has this shape.
        match: Canonical field and rank that a plain name stands for, or null.
        opened: For a tool's own export: the rows in one record, or why it is passed over, either of them
            with its place among the records of the file where they lie inside one another. A record is
            what ``json.loads`` gives, of a CSV texts by column, and may lack anything. Rows may be nested;
            their columns are dotted paths, named as the tool names them.
        repeated: Plain names of columns that stand twice in its CSV with the same values, as the index of a
            data frame beside its column does.
        tails: Whether the last step of a dotted path may stand for a field where the whole does not.
        kinds: Kind of confidence that a plain name holds.
        refusal: Why no file of this shape can be loaded, and what to load instead; null if it can.
        note: What to know of every file of this shape, as a sentence; null if nothing.
        units: Units that this shape fixes, by canonical field or by plain name of a column.
        of_served: Plain names of columns that speak of the served answer only; a kept answer is the fast
            one, so they are blanked where the request was escalated.
        one_side: Whether grade, cost and latency are the request's own, so that they belong to the fast
            side of a kept request and to the strong side of an escalated one.
        extra: Fields that a plain name gives besides its own: canonical field -> plain names.
        fits: Whether a column (second) speaks of the column that gives the confidence, the grade or the arm
            (first), both by plain name: the threshold of another score or the experiment of another arm would
            be read wrongly. None: every column does.
        ranks: Fields and ranks of plain names that follow from what the columns hold, over those of
            ``match``. Takes the different values by plain name, empty where they are more than a few.
        pooled: Fields of grades that are read from every column that holds grades from 0 to 1, not from the
            best one: each row has a value in one of them.
    """

    name: str
    title: str
    form: Form
    recognises: Callable[[frozenset[str]], bool]
    match: Callable[[str], Match | None]
    opened: Callable[[Record], Iterable[Record | Passed | Nested]] | None = None
    repeated: frozenset[str] = frozenset()
    tails: bool = True
    kinds: Mapping[str, str] = field(default_factory=dict)
    refusal: str | None = None
    note: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    of_served: frozenset[str] = frozenset()
    one_side: bool = False
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fits: Callable[[str, str], bool] | None = None
    ranks: Callable[[Mapping[str, tuple[str, ...]]], Mapping[str, Match]] | None = None
    pooled: frozenset[str] = frozenset()


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


def record_names(record: Mapping[str, Any], *, depth: int = 3) -> frozenset[str]:
    """Plain names of a record's members, those of nested objects with their path: ``response_body_usage``."""
    found: set[str] = set()
    level: list[tuple[str, Mapping[str, Any]]] = [("", record)]
    for _ in range(depth):
        inner: list[tuple[str, Mapping[str, Any]]] = []
        for prefix, members in level:
            for key, value in members.items():
                path = f"{prefix}.{key}" if prefix else key
                found.add(plain(path))
                if isinstance(value, Mapping):
                    inner.append((path, value))
        level = inner
    return frozenset(found)


def signed(*alternatives: str) -> Callable[[frozenset[str]], bool]:
    """A recogniser: all names of one of the alternatives, each a few names separated by spaces, occur."""
    wanted = [frozenset(names.split()) for names in alternatives]
    return lambda found: any(signature <= found for signature in wanted)


def by_path(
    paths: Mapping[str, tuple[str, ...]],
    *,
    free: tuple[str, ...] = (),
    generic: Callable[[str], Match | None] | None = None,
) -> Callable[[str], Match | None]:
    """A ``match`` for a tool's own paths.

    Args:
        paths: Canonical field -> dotted paths of the tool, best first; those after ``"?"`` are weak.
        free: Paths of objects that the tool's users fill themselves, such as ``metadata``.
        generic: What names inside ``free`` stand for, ranked below the tool's own paths.
    """
    known: dict[str, Match] = {}
    for canonical, listed in paths.items():
        rank = 0
        for path in listed:
            rank = WEAK if path == "?" else rank + 1
            if path != "?":
                known.setdefault(plain(path), (canonical, rank))
    prefixes = tuple(f"{plain(path)}_" for path in free)

    def match(name: str) -> Match | None:
        if name in known or generic is None:
            return known.get(name)
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        found = generic(name.removeprefix(prefix)) if prefix else None
        return (found[0], found[1] + FREE) if found else None

    return match
