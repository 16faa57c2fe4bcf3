"""Records of a file on their way to rows; the first few show which tool wrote them."""

from typing import Any

from analytics.errors import SchemaError
from analytics.logs.dialects import tool_of
from analytics.logs.dialects.dialect import Dialect, Nested, Passed, Record, record_names
from analytics.logs.reading.flat_rows import FlatRows, UnusableRowError
from analytics.logs.reading.nesting import Nesting
from analytics.logs.reading.rows import Tally

_LOOKED_AT = 50
_MISSHAPEN = (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError)


class Records:
    """Takes records and gives their rows to ``rows``, opened by the dialect of the tool that wrote them.

    Args:
        rows: Where the rows go.
        tally: Takes the counts: rows read, records rejected and passed over.
        given: Shape of the records as the user says it; None: to be recognised from the first 50.

    Attributes:
        tool: Whose records they are; None for a plain table, and before it is settled.
        kept: Rows so far.
    """

    def __init__(self, rows: FlatRows, tally: Tally, *, given: Dialect | None) -> None:
        self._rows, self._tally, self._given = rows, tally, given
        self._waiting: list[tuple[int, dict[str, Any], int]] | None = []
        self._nesting = Nesting()
        self.tool: Dialect | None = None
        self.kept = 0

    def take(self, number: int, record: dict[str, Any], *, size: int) -> None:
        """Take the record on line (or of number) ``number``; ``size`` is the length of its text."""
        if self._waiting is None:
            self._add(number, record, size)
            return
        self._waiting.append((number, record, size))
        if len(self._waiting) >= _LOOKED_AT:
            self.settle()

    def settle(self) -> None:
        """Recognise the tool from what has come so far, and go on with it."""
        waiting, self._waiting = self._waiting or [], None
        if waiting:
            names = frozenset[str]().union(*(record_names(record) for _, record, _ in waiting))
            self.tool = chosen_tool(names, self._given)
            if self.tool and self.tool.note:
                self._tally.notes.append(self.tool.note)
        for number, record, size in waiting:
            self._add(number, record, size)

    def _add(self, number: int, record: dict[str, Any], size: int) -> None:
        opened = self.tool.opened if self.tool else None
        try:
            items = [record] if opened is None else list(opened(record))
            for item in items:
                self._add_item(number, item, size // len(items))
            if not items:
                self._tally.pass_over("no model call in it")
        except UnusableRowError as fault:
            self._tally.reject(number, fault.column, str(fault))
        except _MISSHAPEN:
            if opened is None:
                raise
            self._tally.reject(number, None, "not shaped as this tool's records are")

    def _add_item(self, number: int, item: Record | Passed | Nested, size: int) -> None:
        place, row = (item, item.item) if isinstance(item, Nested) else (None, item)
        if isinstance(row, Passed):
            self._tally.pass_over(row.reason)
        else:
            self._rows.add(number, row, size=size)
            self._tally.read += 1
            self.kept += 1
        if place is not None:
            self._nesting.add(place)
        elif not isinstance(row, Passed):
            self._nesting.add_row()

    def close(self) -> list[str]:
        """Write the rows; the names of their columns."""
        self.settle()
        for reason, count in self._nesting.settle().items():
            self._tally.read -= count
            self._tally.pass_over(reason, records=count)
            self.kept -= count
        if self._nesting.ungiven:
            self._tally.notes.append(
                f"{self._nesting.ungiven:,} grades stand on records around several calls: none got them."
            )
        if self._nesting.timed:
            self._tally.notes.append(
                f"{self._nesting.timed:,} records do not say which other they lie in: their times say it."
            )
        return self._rows.close(notes=self._tally.notes, nesting=self._nesting)


def chosen_tool(names: frozenset[str], given: Dialect | None) -> Dialect | None:
    """The tool that wrote records with these names, unless the user says otherwise; None for a plain table.

    Raises:
        SchemaError: Nothing can be loaded from this tool's export.
    """
    if given is None or given.form == "grades":
        found = tool_of(names, grades=given is not None)
    else:
        found = given if given.opened else None
    if found is not None and found.refusal:
        raise SchemaError(found.refusal)
    return found


def refuse_none(tally: Tally, *, otherwise: str) -> None:
    """Refuse a file that gave no row.

    Raises:
        SchemaError: No record was read; ``otherwise`` says so where none was passed over either.
    """
    if tally.read:
        return
    if not tally.passed:
        raise SchemaError(otherwise)
    listed = "; ".join(f"{count:,} {reason}" for reason, count in tally.passed.items())
    raise SchemaError(f"The file holds no model call that can be loaded ({listed}). Nothing was loaded.")
