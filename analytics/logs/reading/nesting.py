"""Records that lie inside one another: what one says of the calls inside it, and calls told twice.

A framework and the client library below it often both trace a call. Costs and tokens would then count
twice, so of a call inside a call only the inner one is kept, unless the numbers show that they are two.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analytics.logs.dialects.dialect import Nested, Passed
from analytics.logs.reading.flat_rows import plain_text

TWICE = "calls told a second time by the layer around or inside them"
_DEEPEST = 100


@dataclass(slots=True)
class _Place:
    """What is kept of a record, as ``Nested`` has it; ``call``: whether it is a row."""

    call: bool
    around: str | None
    says: Mapping[str, Any]
    same_call: Mapping[str, Any]
    answer_tokens: int | None
    separate: bool
    passes_over: str | None


class Nesting:
    """All records of a file that lie inside one another, and what follows for its rows.

    Attributes:
        names: Columns that rows get from records around them; known after ``settle``.
        ungiven: Records around several calls whose ``same_call`` none of those got; known after ``settle``.
        timed: Records that lie in others by their times alone; known after ``settle``.
    """

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._rows: list[tuple[str, tuple[str, str] | None] | None] = []
        self._answered: dict[tuple[str, str], set[str]] = {}
        self._twice: set[str] = set()
        self._alone: set[str] = set()
        self._dropped: dict[int, str] = {}
        self._loose: dict[str, list[tuple[float, float, str]]] = {}
        self.names: dict[str, None] = {}
        self.ungiven = 0
        self.timed = 0

    def add(self, told: Nested) -> None:
        """Take a record that is no row, or the one that is the next row."""
        call = not isinstance(told.item, Passed)
        if call:
            self._rows.append((told.key, told.alias[:2] if told.alias else None))
        known = self._places.get(told.key)
        if known is None or (call and known.answer_tokens is None):
            self._places[told.key] = _Place(
                call,
                told.around,
                told.says,
                told.same_call,
                told.answer_tokens,
                told.separate,
                told.passes_over,
            )
        if told.within is not None:
            trace, start, end = told.within
            self._loose.setdefault(trace, []).append((start, end, told.key))
        if told.alias is not None:
            column, alias, name = told.alias
            names = self._answered.setdefault((column, alias), set())
            if name is not None and len(names) <= 1:
                names.add(name)

    def add_row(self) -> None:
        """Take the next row as one that lies in no record."""
        self._rows.append(None)

    def settle(self) -> Counter[str]:
        """Decide which rows are dropped; how many, by reason."""
        self._find_around()
        self._find_twice()
        around: Counter[str] = Counter()
        for number, row in enumerate(self._rows):
            reason = self._reason(row[0]) if row else None
            if reason is not None:
                self._dropped[number] = reason
            elif row:
                outer = self._around(self._places[row[0]])
                around.update({key for key, place in outer if place.same_call and not place.call})
        self._alone |= {key for key, calls in around.items() if calls == 1}
        self.ungiven = len(around) - sum(calls == 1 for calls in around.values())
        for number in range(len(self._rows)):
            if number not in self._dropped:
                self.names.update(dict.fromkeys(self._said(number)))
        return Counter(self._dropped.values())

    def amended(self, table: pa.Table, first: int) -> pa.Table:
        """Rows from number ``first`` on without those that are dropped, and with what is said around them."""
        if not self._places:
            return table
        numbers = range(first, first + table.num_rows)
        said = {number: self._said(number) for number in numbers if number not in self._dropped}
        changes: dict[str, dict[int, Any]] = {}
        for number, columns in said.items():
            for name, value in columns.items():
                changes.setdefault(name, {})[number - first] = value
        for name, values in changes.items():
            at = table.schema.get_field_index(name)
            texts = table.column(at).to_pylist() if at >= 0 else [None] * table.num_rows
            for place, value in values.items():
                if texts[place] is None:
                    texts[place] = plain_text(value) or None
            column = pa.array(texts, pa.large_string())
            table = table.append_column(name, column) if at < 0 else table.set_column(at, name, column)
        return table.filter(pa.array([number in said for number in numbers], pa.bool_()))

    def _find_around(self) -> None:
        """Put the loose records of a trace into one another by their times; one of them is its root."""
        for loose in self._loose.values():
            open_: list[tuple[float, str]] = []
            for _, end, key in sorted(loose, key=lambda one: (one[0], -one[1])) if len(loose) > 1 else []:
                while open_ and open_[-1][0] < end:
                    open_.pop()
                if open_ and open_[-1][1] != key:
                    self._places[key].around = open_[-1][1]
                    self.timed += 1
                open_.append((end, key))

    def _find_twice(self) -> None:
        inner: dict[str, list[str]] = {}
        for key, place in self._places.items():
            outer = self._caller(place) if place.call else None
            if outer is not None:
                inner.setdefault(outer, []).append(key)
        for outer, keys in inner.items():
            whole = self._places[outer].answer_tokens
            parts = [self._places[key].answer_tokens for key in keys]
            known = [part for part in parts if part is not None]
            if whole is not None and not known:
                self._twice.update(keys)
            elif whole is None or whole in known or (len(known) == len(parts) and whole == sum(known)):
                self._twice.add(outer)
                if len(keys) == 1:
                    self._alone.add(outer)

    def _reason(self, key: str) -> str | None:
        """Why the row of this record is dropped; null if it stays."""
        if key in self._twice:
            return TWICE
        outer = (place.passes_over for _, place in self._around(self._places[key]))
        return next((reason for reason in outer if reason is not None), None)

    def _said(self, number: int) -> Mapping[str, Any]:
        """Columns that the records around a row give it where it has none; the nearest record counts."""
        row = self._rows[number]
        if row is None:
            return {}
        key, alias = row
        found: dict[str, Any] = {}
        if alias is not None:
            names = self._answered[alias]
            found[alias[0]] = next(iter(names)) if len(names) == 1 else alias[1]
        same = True
        for outer_key, outer in self._around(self._places[key]):
            same = same and (outer_key in self._alone if outer.call else not outer.separate)
            if not outer.call or outer_key in self._twice:
                found = {**outer.says, **found}
            if outer.same_call and outer_key in self._alone and (same or not outer.call):
                found = {**outer.same_call, **found}
        return found

    def _around(self, place: _Place) -> Iterator[tuple[str, _Place]]:
        """The records around one, from the nearest out."""
        for _ in range(_DEEPEST):
            key = place.around
            outer = self._places.get(key) if key is not None else None
            if key is None or outer is None:
                return
            yield key, outer
            place = outer

    def _caller(self, place: _Place) -> str | None:
        """Key of the nearest call around a call, unless something between them makes calls of its own."""
        for key, outer in self._around(place):
            if outer.call:
                circular = any(further is place for _, further in self._around(outer))
                return None if circular else key
            if outer.separate:
                return None
        return None
