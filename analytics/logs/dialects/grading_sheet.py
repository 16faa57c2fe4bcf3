"""Our own sheet of drawn answers (``tuning.grading_sheet``), filled in by people or a judge.

Lines without a grade are passed over. What our CSV writer put before a text that looks like a formula is
taken away again, so that ids are those of the log.
"""

from collections.abc import Iterator

from analytics.logs.dialects import grade_table
from analytics.logs.dialects.dialect import Dialect, Match, Passed, Record, plain, signed
from analytics.spreadsheet import unescaped

SHEET = "tiertune_sheet"
"""Column by which a sheet is recognised; it says how the rows were drawn."""

UNGRADED = "answers that nobody has graded yet"
_ESCAPED = frozenset({"request_id", "model"})
_READ = frozenset(
    {"request_id", "model", "correct", "sampling_probability", "grader", "correct_source", "ts"}
)


def match(name: str) -> Match | None:
    """Field and rank of a plain name; what is on the sheet for people to read stands for nothing."""
    found = grade_table.match(name)
    return found if found and found[0] in _READ else None


def rows(record: Record) -> Iterator[Record | Passed]:
    """The grade in a line; else that there is none yet."""
    names = {plain(name): value for name, value in record.items()}
    if not str(names.get("correct") or "").strip():
        yield Passed(UNGRADED)
        return
    yield {
        name: unescaped(value) if plain(name) in _ESCAPED and isinstance(value, str) else value
        for name, value in record.items()
    }


DIALECT = Dialect(
    name="grading_sheet",
    title="Grading sheet",
    form="grades",
    recognises=signed(f"{SHEET} request_id model sampling_probability"),
    match=match,
    opened=rows,
    tails=False,
)

DIALECTS = (DIALECT,)
