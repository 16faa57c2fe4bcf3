"""Langfuse's scores as grades: blob export (``scores/``), API v2 and v3, UI export.

A score becomes a column by its name, ``value.NAME``, because scores of different names have different scales:
one from 1 to 5 would give a 1, its worst, as correct. Columns that run from 0 to 1 or hold words such as pass
and fail are grades; of the others it is said that they are not read.

- BOOLEAN: 0 or 1, in the API's version 3 true or false. NUMERIC: the number as it stands.
- CATEGORICAL: the word. Beside it ``value`` is only the place of the word in a list.
- TEXT and CORRECTION hold no grade.

Who graded: an ANNOTATION is a human's. An EVAL is a judge's, unless its name says that it compares exactly.
An API score says nothing of its source: its name may (feedback, judge, exact), else it stays unknown.
"""

from collections.abc import Iterator
from typing import Any

from analytics.logs.dialects import grade_table
from analytics.logs.dialects.dialect import WEAK, Dialect, Match, Passed, Record, by_path, plain, signed
from analytics.logs.dialects.langfuse_record import leaves, named, scalar
from analytics.logs.dialects.opening import kept, mapping

_PATHS = {
    "call_id": ("observation_id",),
    "request_id": ("trace_id",),
    "unit_id": ("session_id",),
    "ts": ("timestamp",),
    "grader": ("name",),
    "correct_source": ("correct_source",),
}
_USERS = frozenset({"sampling_probability", "model", "side"})
_SUBJECTS = {"trace": "trace_id", "observation": "observation_id", "session": "session_id"}
_EXACT = frozenset({"exact", "em", "regex"})
_FEEDBACK = frozenset(
    {"feedback", "thumb", "thumbs", "vote", "votes", "csat", "nps", "rating", "stars", "user"}
)
_JUDGE = frozenset({"judge", "llm"})


def _said(name: str) -> Match | None:
    found = grade_table.match(name)
    return found if found and found[0] in _USERS else None


_named_path = by_path(_PATHS, free=("metadata",), generic=_said)


def match(name: str) -> Match | None:
    """Field and rank of a plain name; every score may be a grade, so each is to be looked at."""
    return ("correct", WEAK) if name == "value" or name.startswith("value_") else _named_path(name)


def rows(record: Record) -> Iterator[Record | Passed]:
    """The grade in a score; else why it is none."""
    names = named(record)
    subject = _subject(names)
    value = _value(names)
    if "dataset_run_id" in subject and len(subject) == 1:
        yield Passed("scores of an experiment as a whole")
    elif not subject.keys() & set(_SUBJECTS.values()):
        yield Passed("scores that name no trace, observation or session")
    elif isinstance(value, Passed):
        yield value
    else:
        name = scalar(names.get("name"))
        row = {key: found for key, found in subject.items() if key != "dataset_run_id"}
        row |= {f"metadata.{path}": found for path, found in leaves(names.get("metadata")).items()}
        row |= {
            "timestamp": scalar(names.get("timestamp")),
            "name": name,
            "correct_source": _source(str(names.get("source", "")).upper(), str(name)),
            "value" if name is None else f"value.{name}": value,
        }
        yield kept(row)


def _subject(names: Record) -> Record:
    """What was scored, by the name of its id; the API's version 3 puts it into ``subject``."""
    subject = named(mapping(names.get("subject")))
    found = {name: names.get(name) for name in (*_SUBJECTS.values(), "dataset_run_id")}
    if subject:
        found["trace_id"] = subject.get("trace_id", found["trace_id"])
        found[_SUBJECTS.get(str(subject.get("kind")), "dataset_run_id")] = subject.get("id")
    return kept({name: scalar(value) for name, value in found.items()})


def _value(names: Record) -> Any:
    """The value that may be a grade, or why there is none."""
    kind = str(names.get("data_type", "")).upper()
    if kind in {"TEXT", "CORRECTION"}:
        return Passed("scores that are text")
    value, word = names.get("value"), scalar(names.get("string_value"))
    if kind == "CATEGORICAL" or (not kind and word is not None):
        found = word if word is not None else value
        return found if isinstance(found, str) else Passed("categories without their word")
    if isinstance(value, str | int | float):
        return value
    return word if kind == "BOOLEAN" and word is not None else Passed("scores without a value")


def _source(source: str, name: str) -> str | None:
    """human, judge, exact or feedback; None where nothing says it."""
    words = frozenset(plain(name).split("_"))
    if source == "ANNOTATION":
        return "human"
    if words & _EXACT:
        return "exact"
    if source == "EVAL" or words & _JUDGE:
        return "judge"
    return "feedback" if words & _FEEDBACK else None


DIALECT = Dialect(
    name="langfuse_scores",
    title="Langfuse scores",
    form="grades",
    recognises=signed("data_type source string_value", "data_type source timestamp value"),
    match=match,
    opened=rows,
    tails=False,
    units={"correct": "fraction"},
    pooled=frozenset({"correct"}),
)

DIALECTS = (DIALECT,)
