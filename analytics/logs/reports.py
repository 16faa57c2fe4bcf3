"""What became of a file, and the refusals that every file shares."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.errors import SchemaError
from analytics.logs.prices import Overrides, price
from analytics.logs.reading.staging import Problem, Question, shown

REJECTED_SHARE = 0.10
_REASONS, _LINES = 3, 5
_NAMED = 10
_WRONG = {"batch": "too much", "flex": "too much", "priority": "too little"}


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file; ``read == loaded + rejected + duplicates``.

    Attributes:
        file: Name as given.
        format: What its content is.
        read: Records seen.
        loaded: New rows in the dataset.
        rejected: Records that could not be rows, conflicts included.
        duplicates: Rows that were there already with the same content.
        confidence_set_null: Rows that are kept although their confidence was no number in [0, 1].
        mapping: Canonical field -> columns, joined by ``+``.
        problems: With line and reason, the first 10,000.
        problems_total: How many there are.
        notes: Sentences about how the file was read and mapped.
        questions: Empty for a file that was loaded.
        passed: Records that are no model call of the user's, by reason; they are not among ``read``.
    """

    file: str
    format: str
    read: int
    loaded: int
    rejected: int
    duplicates: int
    confidence_set_null: int
    mapping: dict[str, str]
    problems: list[Problem] = field(default_factory=list)
    problems_total: int = 0
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)


def refuse_many_rejects(read: int, rejected: int, problems: Sequence[Problem], *, unit: str = "line") -> None:
    """Nothing of a file is loaded by default if more than 10% of its records are rejected.

    Args:
        read: Records of the file.
        rejected: How many of them.
        problems: Why.
        unit: What the numbers of the problems count: line, record or row.

    Raises:
        ManyRejectsError: So many are.
    """
    if rejected > REJECTED_SHARE * read:
        raise ManyRejectsError(
            f"{rejected:,} of {read:,} records were rejected, more than {REJECTED_SHARE:.0%}: "
            f"{summary(problems, unit=unit)}. Nothing was loaded. "
            "Mend the file, or load the rest with --accept-rejects.",
            problems,
            unit=unit,
        )


def summary(problems: Sequence[Problem], *, unit: str = "line") -> str:
    """The three most frequent reasons, each with its first lines, or whatever ``unit`` is counted."""
    lines: dict[str, list[int]] = {}
    for problem in problems:
        column = shown(problem.column) if problem.column else ""
        reason = problem.reason if not column or column in problem.reason else f"{column}: {problem.reason}"
        lines.setdefault(reason, []).append(problem.line)
    clauses = []
    for reason, found in sorted(lines.items(), key=lambda item: -len(item[1]))[:_REASONS]:
        first = ", ".join(f"{line:,}" for line in found[:_LINES])
        more = ", ..." if len(found) > _LINES else ""
        clauses.append(f"{reason} ({unit}{'s' if len(found) > 1 else ''} {first}{more})")
    return "; ".join(clauses)


class ManyRejectsError(SchemaError):
    """More than 10% of a file's records are rejected, and nobody has said that this will do.

    Attributes:
        problems: Of the rejected records, the first 10,000.
        unit: What their numbers count: line, record or row.
        name: Of the file; empty where only one is meant.
    """

    def __init__(self, text: str, problems: Sequence[Problem], *, unit: str, name: str = "") -> None:
        super().__init__(text)
        self.problems, self.unit, self.name = list(problems), unit, name


class OpenQuestionsError(SchemaError):
    """A file leaves something open that nobody may guess; nothing was loaded.

    Attributes:
        questions: What must be answered, each with the flag that answers it.
    """

    def __init__(self, questions: Sequence[Question], *, name: str = "") -> None:
        sentences = (
            question.text
            if question.flag in question.text
            else f"{question.text} Answer with {question.flag}."
            for question in questions
        )
        start = f"{shown(name)}: " if name else ""
        text = " ".join(sentences).replace(" Nothing was loaded yet.", "")
        super().__init__(f"{start}{text} Nothing was loaded.")
        self.questions = list(questions)


def price_notes(
    unpriced: Sequence[str], unlisted: Mapping[str, Mapping[str, int]], stated: Overrides
) -> list[str]:
    """What is to be known of prices: whose costs stay unknown, which are at the price of other calls.

    Args:
        unpriced: Models without a price in the list.
        unlisted: Service tier -> model -> its costs, where the list has no price for the tier.
        stated: Prices set by hand.
    """
    unknown = [name for name in unpriced if price(name, overrides=stated) is None]
    notes = []
    if unknown:
        said = "their costs stay unknown (--price MODEL=IN,OUT)."
        notes.append(f"No price is known for {_listed(unknown)}: {said}")
    for service, costs in unlisted.items():
        left = {name: count for name, count in costs.items() if not _has(name, service, stated)}
        if left:
            notes.append(single_price(service, sum(left.values()), of=_listed(list(left))))
    return notes


def single_price(service: str, calls: int, *, of: str = "") -> str:
    """That calls of a service tier cost what usual ones do, as the list has no price for the tier.

    Args:
        service: The tier.
        calls: How many they are.
        of: Their models; empty where the reader knows.
    """
    what = f"{calls:,} {service} call{'' if calls == 1 else 's'}{f' of {of}' if of else ''}"
    cost = "costs" if calls == 1 else "cost"
    wrong = _WRONG.get(service, "wrong")
    return (
        f"{what} {cost} here what usual calls do, as the list has no {service} price: that may be {wrong}. "
        "Set a price by hand if you know it."
    )


def _has(model: str, service: str, stated: Overrides) -> bool:
    known = price(model, overrides=stated)
    return known is None or known.has(service)


def _listed(models: Sequence[str]) -> str:
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return f"{', '.join(models[:_NAMED])}{more}"


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Put the file's name before what is said of it."""
    try:
        yield
    except OpenQuestionsError as error:
        raise OpenQuestionsError(error.questions, name=name) from None
    except ManyRejectsError as error:
        text = f"{shown(name) or 'The file'}: {error}"
        raise ManyRejectsError(text, error.problems, unit=error.unit, name=name) from None
    except SchemaError as error:
        raise SchemaError(f"{shown(name) or 'The file'}: {error}") from None
