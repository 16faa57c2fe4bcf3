"""What was wrong with a file's values, gathered over its batches."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from analytics.logs.meaning.fields import EMPTY, Fault
from analytics.logs.reading.staging import LIMITS, Problem

Weight = Literal["rejected", "changed", "empty"]
_LINES = 5


@dataclass(slots=True)
class Faults:
    """Counts, and the first problems of each weight, so that empty cells never crowd out rejected rows.

    Attributes:
        unit: What lines are called in this file: line, record or row.
        confidence_set_null: Rows whose confidence is missing though the field is mapped.
        total: Problems seen.
    """

    unit: str = "line"
    confidence_set_null: int = 0
    total: int = 0
    _kept: dict[Weight, list[Problem]] = field(
        default_factory=lambda: {"rejected": [], "changed": [], "empty": []}
    )
    _changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lines: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def add(self, fault: Fault, *, lines: pl.Series, column: str | None, field: str) -> None:
        """Take note of one fault of a batch.

        Args:
            fault: As ``fields.typed`` found it.
            lines: Lines of the rows that have it.
            column: Name in the file.
            field: Canonical field.
        """
        if lines.is_empty():
            return
        if field == "confidence":
            self.confidence_set_null += len(lines)
        self.total += len(lines)
        weight: Weight = "rejected" if fault.rejects else "empty" if fault.reason == EMPTY else "changed"
        kept = self._kept[weight]
        kept.extend(Problem(line, column, fault.reason) for line in lines.head(LIMITS.problems - len(kept)))
        if weight != "rejected":
            name = (column or field, fault.reason)
            self._changed[name] += len(lines)
            shown = self._lines.setdefault(name, [])
            shown.extend(lines.head(_LINES - len(shown)))

    def problems(self) -> list[Problem]:
        """At most 10,000, those of rejected rows first; within a weight by line."""
        ordered = [
            problem for kept in self._kept.values() for problem in sorted(kept, key=lambda one: one.line)
        ]
        return ordered[: LIMITS.problems]

    def notes(self) -> list[str]:
        """One sentence per column and reason for values that were set to null."""
        sentences = []
        for (column, reason), count in self._changed.items():
            lines = self._lines[column, reason]
            more = ", ..." if count > len(lines) else ""
            where = f"{self.unit}{'s' if count > 1 else ''} {', '.join(map(str, lines))}{more}"
            values = "value is" if count == 1 else "values are"
            loaded = f"{count:,} {values} loaded as missing ({reason}; {where})."
            empty = f"{count:,} row{'s have' if count > 1 else ' has'} no confidence ({where})."
            sentences.append(f"{column}: {empty if reason == EMPTY else loaded}")
        return sentences
