"""What a command answers, for machines and for people, and the words for its numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.errors import TiertuneError
from analytics.estimate import Estimate
from analytics.logs.reading.staging import shown

UNKNOWN = "-"
_PLAIN = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "…": "...", "→": "->", "≥": ">=", "≤": "<=", "×": "x", "·": "-"}
)
_WIDEST = 40
_DIGITS = 3


class InputError(TiertuneError):
    """A flag or an argument is wrong: write the command differently."""

    kind = "input"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a command.

    Attributes:
        document: Machine output, plain data without NaN.
        text: The same for people.
        notes: Sentences for standard error in either case.
    """

    document: dict[str, Any]
    text: str
    notes: tuple[str, ...] = ()


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """Aligned columns: the first ``texts`` to the left, figures to the right.

    Names come from users' logs: control characters are dropped and long names cut.
    """
    lines = [[shown(cell, limit=_WIDEST) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    aligned = [
        [
            cell.ljust(width) if place < texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def fitted(text: str, encoding: str | None) -> str:
    """``text`` without control characters and with only such others as ``encoding`` has."""
    text = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    name = encoding or "ascii"
    try:
        text.encode(name)
    except (UnicodeEncodeError, LookupError):
        return text.translate(_PLAIN).encode("ascii", "backslashreplace").decode("ascii")
    return text


def count(number: float | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def percent(share: float | None) -> str:
    """A share in percent with one decimal."""
    return UNKNOWN if share is None else f"{share:.1%}"


def money(usd: float | None) -> str:
    """USD with three significant digits and never an exponent."""
    if usd is None:
        return UNKNOWN
    decimals = 2 if usd == 0 else max(2, _DIGITS - 1 - math.floor(math.log10(abs(usd))))
    return f"${usd:,.{decimals}f}"


def seconds(value: float | None) -> str:
    """Seconds with three significant digits."""
    return UNKNOWN if value is None else f"{value:.{_DIGITS}g} s"


def number(value: float | None) -> str:
    """A plain number, as short as it is exact to six digits."""
    return UNKNOWN if value is None else f"{value:.6g}"


def percent_interval(estimate: Estimate) -> str:
    """A share with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
