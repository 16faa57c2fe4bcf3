"""Exports with one record per call, or nearly: a table of the tool's paths makes the dialect.

A table says under which paths of a record each of our fields stands. Of several paths the first with a
value counts, row by row, and the column goes by our name for the field; guesses and what the tool's users
fill themselves keep the tool's path. Paths lead through objects, JSON texts, Python literals (as data
frames write objects into CSV) and names that hold dots themselves.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from analytics.logs.dialects import call_level, evaluations
from analytics.logs.dialects.dialect import (
    FREE,
    NO_FIELD,
    WEAK,
    Dialect,
    Match,
    Nested,
    Passed,
    Record,
    by_path,
    plain,
    signed,
)
from analytics.logs.dialects.langfuse_record import leaves, text
from analytics.logs.dialects.opening import kept, listing, mapping, number, tagged
from analytics.logs.dialects.phoenix import literal
from analytics.logs.dialects.spans import is_version

SCORES = "scores"
LOGPROB = "answer_logprob"
RATED, RATER = "rating", "rating_source"
"""Columns of a user's rating and of its source, for tools that have both a rating and scores."""

_TEXTS = ("prompt", "answer")
_REQUESTS = ("request_id", "requestId", "Request-Id")
_SCORE_RANK, _LAST = 10, FREE + 40


@dataclass(frozen=True, slots=True)
class Export:
    """Where one tool's records have what.

    Attributes:
        fields: Canonical field -> paths; the first with a value counts.
        hints: Canonical field -> paths that may stand for it, to be looked at.
        carried: Paths of columns that stand for no field by themselves, for the user to choose.
        users: Name that columns start with -> paths of objects or tags that the tool's users fill; the first
            that holds something counts.
        per: Field -> units of the tool in one of ours, such as 1000 for milliseconds.
    """

    fields: Mapping[str, tuple[str, ...]]
    hints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    per: Mapping[str, int] = field(default_factory=dict)


def value(members: Any, path: str) -> Any:
    """What stands under a dotted path, opened where it is the text of an object; None where nothing does."""
    found = literal(members)
    if not isinstance(found, Mapping):
        return None
    if path in found or "." not in path:
        return literal(found.get(path))
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        key = ".".join(parts[:end])
        if key in found:
            return value(found[key], ".".join(parts[end:]))
    return None


def first(members: Any, paths: tuple[str, ...]) -> Any:
    """The first value under some paths that is something."""
    found = (value(members, path) for path in paths)
    return next((one for one in found if one is not None and one not in ("", {}, [])), None)


def named(record: Mapping[str, Any]) -> Record:
    """A record whose members go by their names in snake case; dotted names, which are paths, stay."""
    found: Record = {}
    for key, member in record.items():
        if member is not None and member != "":
            found.setdefault(_name(key), member)
    return found


@lru_cache(maxsize=1024)
def _name(key: str) -> str:
    return key if "." in key else plain(key)


def prepared(export: Export, record: Mapping[str, Any]) -> Record:
    """A record by name, members that paths lead into opened once."""
    members = named(record)
    every = (*export.fields.values(), *export.hints.values(), *export.users.values())
    heads = {path.partition(".")[0] for paths in every for path in paths}
    return {key: literal(held) if key in heads else held for key, held in members.items()}


def row(export: Export, members: Mapping[str, Any]) -> Record:
    """The columns that an export's table gives of one record."""
    found: Record = {}
    for name, paths in export.fields.items():
        item = first(members, paths)
        if name in _TEXTS:
            found[name] = text(item)
        elif name in export.per and (amount := number(item)) is not None:
            found[name] = amount / export.per[name]
        else:
            found[name] = _scalar(item)
    for path in (*_hinted(export), *export.carried):
        found[path] = _scalar(value(members, path))
    users = users_own(export, members)
    asked = next((users[name] for name in _asked(export) if name in users), None)
    return kept({**found, **users, **({} if asked is None else {"request_id": asked})})


def users_own(export: Export, members: Mapping[str, Any]) -> Record:
    """What the tool's users say of a record, by dotted path: members of objects, tags like ``key:value``."""
    found: Record = {}
    for name, paths in export.users.items():
        held = first(members, paths)
        inner = leaves(mapping(held)) if isinstance(held, Mapping) else tagged(held)
        found |= {f"{name}.{key}": one for key, one in inner.items()}
        bare = [tag for tag in listing(held) if isinstance(tag, str) and not tagged([tag])]
        found |= {name: ", ".join(sorted(set(bare)))} if bare else {}
    return found


def scored(scores: Any) -> Record:
    """Columns of numbers, flags or words by the name of their score."""
    return {
        f"{SCORES}.{name}": one
        for name, one in mapping(literal(scores)).items()
        if isinstance(one, str | int | float) and one != ""
    }


def model(asked: Any, answered: Any) -> str | None:
    """The model that answered, by the name asked for where it is but a dated version of that."""
    asked, answered = _scalar(asked), _scalar(answered)
    if asked is None or answered is None:
        return text(answered or asked)
    return str(asked if is_version(str(answered), str(asked)) else answered)


def whole(amount: Any) -> int | None:
    """A count from 0, also from text; None for anything else."""
    found = number(amount)
    return int(found) if found is not None and found >= 0 and found.is_integer() else None


def total(*parts: Any) -> int | None:
    """The sum of counts of which the first must be known; unknown others are none."""
    base = whole(parts[0])
    return None if base is None else base + sum(whole(part) or 0 for part in parts[1:])


def paid(cost: Any, *tokens: Any) -> float | None:
    """USD; None where a call with tokens cost nothing, as tools write that do not know its price."""
    found = number(cost)
    return None if found is None or found < 0 or (not found and any(map(whole, tokens))) else found


def placed(item: Record | Passed, key: Any, around: Any, **more: Any) -> Record | Passed | Nested:
    """A record with its place among those that it lies in, as far as it says who it is.

    Args:
        item: The row or why there is none.
        key: Identifies the record; without one it has no place.
        around: Identifies the record around it; null at the outside.
        more: Further attributes of ``Nested``.
    """
    return item if key is None else Nested(item, str(key), None if around is None else str(around), **more)


def opened(
    export: Export,
    *,
    computed: Callable[[Record], Record] = lambda _: {},
    passed: Callable[[Record], str | None] = lambda _: None,
) -> Callable[[Record], Iterator[Record | Passed]]:
    """An ``opened`` for records of one call each.

    Args:
        export: The tool's table.
        computed: Columns that follow from several members; they count before the table's.
        passed: Why a record is no call of the user's; null if it is one.
    """

    def rows(record: Record) -> Iterator[Record | Passed]:
        members = prepared(export, record)
        reason = passed(members)
        yield Passed(reason) if reason else kept({**row(export, members), **computed(members)})

    return rows


def dialect(
    name: str, title: str, export: Export, *signatures: str, absent: str = "", **more: Any
) -> Dialect:
    """The dialect of a tool's calls.

    Args:
        name: Key among all dialects.
        title: What the Logs page says.
        export: The tool's table.
        signatures: Sets of plain names, each of which is enough to recognise the export.
        absent: A plain name that only another export has.
        more: Further attributes of the dialect; ``opened`` at least, unless the table does it all.
    """
    found = signed(*signatures)
    more.setdefault("opened", opened(export))
    more.setdefault("fits", _fits)
    return Dialect(
        name=name,
        title=title,
        form="calls",
        recognises=lambda names: found(names) and absent not in names,
        match=_match(export),
        tails=False,
        kinds={LOGPROB: "logprob"},
        units={LOGPROB: "logprob", "cost_usd": "usd", "latency_s": "s", "ttft_s": "s"},
        **more,
    )


def refused(name: str, title: str, refusal: str, *signatures: str) -> Dialect:
    """The dialect of an export that holds no calls."""
    return Dialect(
        name=name,
        title=title,
        form="calls",
        recognises=signed(*signatures),
        match=lambda _: None,
        opened=lambda record: (record,),
        refusal=refusal,
    )


def _match(export: Export) -> Callable[[str], Match | None]:
    paths = {
        name: (name, "?", *export.hints.get(name, ()))
        for name in (*dict.fromkeys((*_COMPUTED, *export.fields, *export.hints)),)
    }
    own = by_path(paths, free=tuple(export.users), generic=call_level.of_users)
    carried = frozenset(map(plain, export.carried))
    rated = {
        RATED: ("correct", WEAK),
        RATER: ("correct_source", WEAK),
        LOGPROB: ("confidence", _LAST),
    }

    def match(name: str) -> Match | None:
        if name in carried:
            return NO_FIELD
        if name.startswith(f"{SCORES}_"):
            graded = evaluations.of_correctness(name.removeprefix(f"{SCORES}_"))
            return ("correct", _SCORE_RANK) if graded else NO_FIELD
        return rated.get(name) or own(name)

    return match


# Fields that functions of a tool may give although no path leads to them.
_COMPUTED = (
    "request_id", "call_id", "unit_id", "ts", "model", "effort", "input_tokens", "output_tokens",
    "reasoning_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "service_tier",
    "cost_usd", "latency_s", "ttft_s", "status", "cache_hit", "correct", "correct_source", "confidence",
    "prompt", "answer",
)  # fmt: skip


def _fits(leader: str, name: str) -> bool:
    """A rating's source speaks of the rating only."""
    return (leader == RATED) == (name == RATER)


def _hinted(export: Export) -> Iterator[str]:
    return (path for paths in export.hints.values() for path in paths)


def _asked(export: Export) -> Iterator[str]:
    """Columns in which the tool's users may name the request of a call."""
    return (f"{place}.{name}" for place in export.users for name in _REQUESTS)


def _scalar(found: Any) -> str | int | float | None:
    return found if isinstance(found, str | int | float) else None
