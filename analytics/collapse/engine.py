"""An engine that holds a log: its table, the table's columns, and a way to ask it something."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlglot import exp

from analytics.collapse import local, union
from analytics.collapse.dialects import DialectName
from analytics.collapse.source import READ, Source
from analytics.errors import TiertuneError
from analytics.logs.reading.staging import shown
from analytics.logs.schema import Form

_LONGEST = 300


class EngineError(TiertuneError):
    """The engine is not installed, cannot be reached or refuses the statement."""

    kind = "engine"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine with one table of a log.

    Attributes:
        dialect: What it understands.
        table: The log in it.
        answer: What a SELECT gives.
    """

    dialect: DialectName
    table: exp.Table
    answer: Callable[[str], pl.DataFrame]

    def columns(self) -> list[str]:
        """The table's columns.

        Raises:
            EngineError: There is no such table.
        """
        head = exp.select("*").from_(self.table.copy()).limit(0)
        return self.answer(head.sql(dialect=self.dialect, identify=True)).columns


def collapsed(
    engine: Engine,
    *,
    form: Form = "decisions",
    columns: dict[str, str] | None = None,
    constants: dict[str, str] | None = None,
    units: dict[str, str] | None = None,
    only: dict[str, list[str]] | None = None,
    without: Sequence[str] = (),
    **how: Any,
) -> pl.DataFrame:
    """The cells of a log where it lives; see ``union.statement``.

    Args:
        engine: Where.
        form: One row per request, or per call.
        columns: Field -> column; of a field that is not named, the column of its own name if there is one.
        constants: Field -> value of every row.
        units: Column or field -> unit.
        only: Place -> texts of which it must hold one, or the row is left out.
        without: Places that must be empty, or the row is left out.
        how: Options of ``union.statement``.

    Returns:
        Columns as in ``parts.POLARS``.

    Raises:
        EngineError: It does not answer.
        SchemaError: See ``union.statement``.
    """
    given, fixed = columns or {}, constants or {}
    own = {name: name for name in engine.columns() if name in READ[form] and name not in fixed}
    source = Source(engine.table, engine.dialect, form, own | given, fixed, units or {}, only or {}, without)
    return local.fitted(engine.answer(union.statement(source, **how)))


def installed(module: str, *, extra: str) -> Any:
    """A module of an optional dependency.

    Raises:
        EngineError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise EngineError(
            f"{module.partition('.')[0]} is not installed. Install it: pip install 'tiertune[{extra}]'."
        ) from None


def refused(engine: str, error: BaseException | str) -> EngineError:
    """What an engine said, as far as one line says it."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return EngineError(f"{engine} refuses: {shown(said[0], limit=_LONGEST)}")
