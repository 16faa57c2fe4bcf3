"""Which columns identify a row, found by counting over the whole file."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.logs.dialects.dialect import FREE, TAIL, WEAK, Dialect, Match, plain, tail
from analytics.logs.reading import staged_rows
from analytics.logs.reading.staging import Staged

_FURTHER = (
    "id",
    "idx",
    "index",
    "no",
    "number",
    "num",
    "turn",
    "round",
    "step",
    "part",
    "split",
    "hash",
    "key",
    "seed",
)
_POOL = 10
_LARGEST = 3
OF_REQUEST = frozenset({"task_category", "segment", "experiment", "arm"})
_MOST_VALUES = 200


@dataclass(frozen=True, slots=True)
class Key:
    """What identifies a row.

    Attributes:
        columns: Names of the columns of the request id, in the order of the file; empty where no set of
            columns will do and only the line identifies a row.
        repeats: Rows whose key another row has with other content.
        ordered_by: Time column that tells apart the calls of one request and one model.
    """

    columns: tuple[str, ...]
    repeats: int = 0
    ordered_by: str | None = None


def known_first(dialect: Dialect, columns: Sequence[str]) -> list[int]:
    """Positions of all columns, those with a known name first, else in the order of the file."""
    unknown = {at: field_of(dialect, name) is None for at, name in enumerate(columns)}
    return sorted(unknown, key=lambda at: (unknown[at], at))


def field_of(dialect: Dialect, name: str) -> Match | None:
    """Field and rank of a column name; the last step of a dotted path counts, ranked below whole names."""
    found = dialect.match(plain(name))
    last = tail(name) if dialect.tails else None
    if found is None and last:
        found = dialect.match(last)
        return (found[0], found[1] + TAIL) if found else None
    return found


class IdCheck:
    """Whether the best id column tells all rows apart, alone or with the models, batch by batch.

    Nearly every log passes; ``keys`` looks closely at the others. Where an id stands twice among the first
    rows the models count too.

    Args:
        dialect: Shape of the file.
        columns: Names by position of the columns that are looked at.

    Attributes:
        alone: Name of the id column if it told all rows apart without the models; known with the key.
    """

    def __init__(self, dialect: Dialect, columns: Mapping[int, str]) -> None:
        fields = {at: field_of(dialect, name) for at, name in columns.items()}
        ids = _ids(fields) if dialect.form != "grades" else []
        self._best = ids[0] if ids else None
        self._name = columns[ids[0]] if ids else ""
        self._key = [] if not ids else [f"c{at}" for at in (ids[0], *_fixed(fields))]
        self._hashes: list[npt.NDArray[np.uint64]] = []
        self.alone: str | None = None

    def add(self, batch: pl.DataFrame) -> None:
        """Take the next rows; those without an id are known by their line anyway."""
        if self._best is not None:
            rows = batch.select(self._key).filter(pl.col(f"c{self._best}").is_not_null())
            if not self._hashes and not rows[self._key[0]].is_duplicated().any():
                self._key = self._key[:1]
            self._hashes.append(rows.select(self._key).hash_rows().to_numpy())

    def key(self) -> dict[int, Key] | None:
        """The key at its position, as ``keys`` would return it; None where rows must be looked at closely."""
        if self._best is None:
            return {}
        hashes = pl.Series(np.concatenate([np.empty(0, np.uint64), *self._hashes]))
        if hashes.n_unique() < len(hashes):
            return None
        self.alone = self._name if len(self._key) == 1 else None
        return {self._best: Key((self._name,))}


def keys(folder: Path, staged: Staged, dialect: Dialect, distinct: Mapping[int, int]) -> dict[int, Key]:
    """The key, at the position of the best id column; empty where no column looks like an id.

    So also for grades, of which an answer may have several.

    The id column, the models and the call's own number or id must tell rows apart; rows that are equal in
    every column are duplicates and need not be. Otherwise the smallest set of id-like columns that does,
    and of those the one with the fewest combinations. A set that would split the calls of one request is
    no request id. Where no set will do, a column that is called ``request_id`` stays the key, so that
    repeats are reported as conflicts; any other name gives way to the line. What a tool's own export calls
    a request always is one.

    Args:
        folder: The private folder.
        staged: As the file was read.
        dialect: Its shape.
        distinct: Different values per position, counted up to a limit.
    """
    fields = {at: field_of(dialect, staged.columns[at]) for at in distinct}
    ids = _ids(fields) if dialect.form != "grades" else []
    if not ids:
        return {}
    search = _Search(folder, staged, best=ids[0], form=dialect.form, fields=fields)
    best = fields[ids[0]]
    rank = best[1] if best else WEAK
    try:
        if dialect.opened and rank < FREE:
            return {ids[0]: search.tool_key(ids[0])}
        return {ids[0]: search.key(ids, distinct, own_name=rank == 0)}
    finally:
        search.close()


def varying(
    folder: Path,
    staged: Staged,
    dialect: Dialect,
    found: Mapping[int, Key],
    distinct: Mapping[int, int],
) -> frozenset[int]:
    """Positions of columns that differ between calls of one request, so that they say nothing of it.

    Only columns are looked at that could be guessed to hold a category, a segment or an arm: those with up
    to 200 different values whose name is unknown or a weak hint.

    Args:
        folder: The private folder.
        staged: As the file was read.
        dialect: Its shape.
        found: The key, as ``keys`` gives it.
        distinct: Different values per position.
    """
    wanted = [
        at
        for at, count in distinct.items()
        if 1 < count <= _MOST_VALUES and _guessed(field_of(dialect, staged.columns[at]))
    ]
    request = [staged.columns.index(name) for key in found.values() for name in key.columns]
    if dialect.form != "calls" or not wanted or not request:
        return frozenset()
    differ = ", ".join(f"coalesce(bool_or(v{at}), false)" for at in wanted)
    within = ", ".join(f"min(c{at}) <> max(c{at}) AS v{at}" for at in wanted)
    with duckdb.connect(config={"memory_limit": "1GB", "threads": 2}) as connection:
        connection.execute(f"SET temp_directory = '{str(folder).replace(chr(39), chr(39) * 2)}'")
        staged_rows.relation(connection, folder, staged).create_view("staged")
        row = connection.execute(
            f"SELECT {differ} FROM (SELECT {within} FROM staged GROUP BY {_names(request)}"  # noqa: S608  # positions only
            " HAVING count(*) > 1)"
        ).fetchone()
    return frozenset(at for at, differs in zip(wanted, row or (), strict=True) if differs)


def _guessed(match: Match | None) -> bool:
    return match is None or (match[0] in OF_REQUEST and match[1] >= WEAK)


def _ids(fields: Mapping[int, Match | None]) -> list[int]:
    """Positions of columns that may hold the request id, the likeliest first."""
    found = [(match[1], at) for at, match in fields.items() if match and match[0] == "request_id"]
    return [at for _, at in sorted(found)]


def _fixed(fields: Mapping[int, Match | None]) -> list[int]:
    """Positions of what tells rows of one request apart by itself."""
    own = ("fast_model", "strong_model", "model", "call_index", "call_id")
    return [at for at, match in sorted(fields.items()) if match and match[0] in own]


class _Search:
    """One scratch database that counts combinations of the staged columns."""

    def __init__(
        self, folder: Path, staged: Staged, *, best: int, form: str, fields: Mapping[int, Match | None]
    ) -> None:
        self.columns = staged.columns
        self.form = form
        self.fields = fields
        self.models = self._of("fast_model", "strong_model", "model")
        self.connection = duckdb.connect(config={"memory_limit": "1GB", "threads": 2})
        self.connection.execute(f"SET temp_directory = '{str(folder).replace(chr(39), chr(39) * 2)}'")
        relation = staged_rows.relation(self.connection, folder, staged)
        # Rows without an id are known by their line anyway.
        relation.filter(f"c{best} IS NOT NULL").create_view("staged")

    def close(self) -> None:
        self.connection.close()

    def tool_key(self, best: int) -> Key:
        different = self._distinct(sorted(self.fields))
        return Key((self.columns[best],), different - self._distinct([best, *_fixed(self.fields)]))

    def key(self, ids: list[int], distinct: Mapping[int, int], *, own_name: bool) -> Key:
        fixed = _fixed(self.fields)
        rows = self._count("SELECT count(*) FROM staged")
        if self._distinct([ids[0], *fixed]) == rows:
            return Key((self.columns[ids[0]],))
        different = self._distinct(sorted(self.fields))
        best = self._smallest(ids, fixed, distinct, different)
        if best:
            return Key(tuple(self.columns[at] for at in sorted(best)))
        repeats = different - self._distinct([ids[0], *fixed])
        if not own_name:
            return Key((), repeats)
        times = self._of("ts") if self.form == "calls" else []
        ordered = next((at for at in times if self._distinct([ids[0], *fixed, at]) == different), None)
        if ordered is not None:
            return Key((self.columns[ids[0]],), 0, self.columns[ordered])
        return Key((self.columns[ids[0]],), repeats)

    def _smallest(
        self, ids: list[int], fixed: list[int], distinct: Mapping[int, int], different: int
    ) -> tuple[int, ...] | None:
        pool = [*ids, *(at for at in sorted(distinct) if at not in ids and self._id_like(at))][:_POOL]
        paired = self._paired((ids[0],))
        for size in range(1, _LARGEST + 1):
            sets = [chosen for chosen in itertools.combinations(pool, size) if set(chosen) & set(ids)]
            fitting = [
                chosen
                for chosen in sets
                if self._distinct([*chosen, *fixed]) == different and self._paired(chosen) >= paired
            ]
            if fitting:
                return min(fitting, key=lambda chosen: (self._size(chosen), chosen))
        return None

    def _id_like(self, at: int) -> bool:
        found = self.fields[at]
        if found:
            return found[0] == "task_category"
        return plain(self.columns[at]).rpartition("_")[2] in _FURTHER

    def _size(self, chosen: tuple[int, ...]) -> int:
        return math.prod(self._distinct([at]) for at in chosen)

    def _paired(self, chosen: tuple[int, ...]) -> int:
        """Requests with calls of at least two models, if these columns were the request id."""
        if self.form != "calls" or not self.models:
            return 0
        model = f"c{self.models[0]}"
        return self._count(
            f"SELECT count(*) FROM (SELECT 1 FROM staged GROUP BY {_names(chosen)}"  # noqa: S608  # positions only
            f" HAVING min({model}) <> max({model}))"
        )

    def _of(self, *wanted: str) -> list[int]:
        return [at for at, found in sorted(self.fields.items()) if found and found[0] in wanted]

    def _distinct(self, positions: Sequence[int]) -> int:
        return self._count(f"SELECT count(*) FROM (SELECT DISTINCT {_names(positions)} FROM staged)")  # noqa: S608

    def _count(self, query: str) -> int:
        row = self.connection.execute(query).fetchone()
        return int(row[0]) if row else 0


def _names(positions: Iterable[int]) -> str:
    return ", ".join(f"c{at}" for at in positions)
