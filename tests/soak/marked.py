"""Where a process is, in memory that outlives it: what it was doing when it was killed is read, not assumed.

The database connection of the process is wrapped, so that each BEGIN, COMMIT and CHECKPOINT is marked in a
file that is mapped into memory just before and just after DuckDB runs it.
"""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import duckdb

from analytics.logs.storage.recipe import RecipeFile

PHASES = ("outside", "staging", "transaction", "recipe", "commit", "checkpoint", "after")
_SIZE = 16


class Mark:
    """The mapped marks.

    Args:
        path: A file of 16 bytes, made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SIZE))
            path.chmod(0o600)
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), _SIZE)

    @property
    def phase(self) -> str:
        return PHASES[self._bytes[0]]

    @phase.setter
    def phase(self, name: str) -> None:
        self._bytes[0] = PHASES.index(name)

    @property
    def inside(self) -> bool:
        """Whether BEGIN was done and COMMIT was not."""
        return self._bytes[1] == 1

    @inside.setter
    def inside(self, value: bool) -> None:
        self._bytes[1] = int(value)

    @property
    def aimed(self) -> bool:
        """Whether the work that is to be killed has begun."""
        return self._bytes[2] == 1

    @aimed.setter
    def aimed(self, value: bool) -> None:
        self._bytes[2] = int(value)


class _Marked:
    """A connection or cursor whose statements are marked."""

    def __init__(self, wrapped: Any, mark: Any) -> None:
        self._wrapped, self._mark = wrapped, mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def __enter__(self) -> Self:
        self._wrapped.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._wrapped.__exit__(*error)

    def cursor(self) -> "_Marked":
        return _Marked(self._wrapped.cursor(), self._mark)

    def execute(self, statement: str, *values: Any) -> Any:
        mark = self._mark
        if statement in ("COMMIT", "CHECKPOINT"):
            mark.phase = statement.lower()
        found = self._wrapped.execute(statement, *values)
        if statement == "BEGIN":
            mark.inside, mark.phase = True, "transaction"
        elif statement in ("COMMIT", "ROLLBACK"):
            mark.inside, mark.phase = False, "after"
        elif statement == "CHECKPOINT":
            mark.phase = "after"
        return found


@contextlib.contextmanager
def installed(mark: Any) -> Iterator[None]:
    """Mark meanwhile what every database opened in this process does.

    Args:
        mark: A ``Mark``, or anything else with ``phase`` and ``inside`` to be set.
    """
    connect, draft = duckdb.connect, RecipeFile.draft

    def drafted(*values: Any) -> None:
        before, mark.phase = mark.phase, "recipe"
        try:
            draft(*values)
        finally:
            mark.phase = before

    duckdb.connect = lambda *values, **options: _Marked(connect(*values, **options), mark)
    RecipeFile.draft = drafted
    try:
        yield
    finally:
        duckdb.connect, RecipeFile.draft = connect, draft
