"""Files of grades that tools with many scores write: each score becomes a column by its name.

Scores of different names have different scales, so that a column is read only where it runs from 0 to 1 or
holds words such as pass and fail; of the others it is said that they are not read.
"""

from collections.abc import Callable, Iterator
from typing import Any

from analytics.logs.dialects import evaluations
from analytics.logs.dialects.dialect import NO_FIELD, WEAK, Dialect, Match, Passed, Record, signed
from analytics.logs.dialects.opening import kept

FIELDS = ("call_id", "request_id", "unit_id", "ts", "grader", "correct_source")
_VALUE = "value"


def match(name: str) -> Match | None:
    """Field and rank of a plain name; every score may be a grade, so each is to be looked at."""
    if name in FIELDS:
        return (name, 1)
    return ("correct", WEAK) if name == _VALUE or name.startswith(f"{_VALUE}_") else NO_FIELD


def grade(name: Any, score: Any, **more: Any) -> Record | Passed:
    """The row of one score, or why it is no grade.

    Args:
        name: Of the score.
        score: Number, flag or word.
        more: ``FIELDS`` without the grader; one of the ids must be known.
    """
    if evaluations.of_faults(name if isinstance(name, str) else None):
        return Passed("scores of faults, not of correctness")
    if not isinstance(score, str | int | float) or score == "":
        return Passed("scores without a value")
    if not any(more.get(field) for field in FIELDS[:3]):
        return Passed("scores that name nothing that was scored")
    return kept({**more, "grader": name, f"{_VALUE}.{name}" if name else _VALUE: score})


def dialect(
    name: str, title: str, opened: Callable[[Record], Iterator[Record | Passed]], *signatures: str
) -> Dialect:
    """The dialect of a tool's scores."""
    return Dialect(
        name=name,
        title=title,
        form="grades",
        recognises=signed(*signatures),
        match=match,
        opened=opened,
        tails=False,
        units={"correct": "fraction"},
        pooled=frozenset({"correct"}),
    )
