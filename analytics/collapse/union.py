"""The whole cells file as one statement that any of the dialects runs where the log lives."""

from typing import cast

import sqlglot
from sqlglot import exp

from analytics.collapse import called, dialects, source
from analytics.collapse.dialects import TEXT
from analytics.collapse.parts import PARTS, TYPES, PartName
from analytics.collapse.source import Source
from analytics.collapse.statements import selects
from analytics.experiments.outcomes import SERVED, SERVED_CALLS
from analytics.logs.schema import CELL_LAYOUT
from analytics.tuning.cells import BINNED, MOST_PROBABILITIES

_CLEAN, _SPREAD, _LOG, _FLOORED = "tiertune_clean", "tiertune_spread", "tiertune_log", "tiertune_floored"
_SERVED = "tiertune_served"


def statement(
    given: Source,
    *,
    ladder: list[tuple[str, str]] | None = None,
    several_pairs: bool = False,
    steps: int | None = None,
) -> str:
    """One SELECT, UNION ALL of the parts, with the columns of ``parts.TYPES`` in order.

    Args:
        given: Table and mapping.
        ladder: (fast, strong) steps, for a source with one row per call.
        several_pairs: Whether a model stands in several pairs, so that one call is on several rows.
        steps: Floor the confidences of the sweep to multiples of 1 / steps; None keeps them.

    Raises:
        SchemaError: See ``source.typed``; or calls come without a ladder.
    """
    relations: dict[str, exp.Query] = {
        source.TYPED: source.typed(given),
        _CLEAN: source.clean(given.form, relation=source.TYPED),
    }
    decisions, calls, served = _CLEAN, None, SERVED.format(log=_LOG)
    if given.form == "calls":
        relations |= called.relations(_CLEAN, ladder or [])
        decisions, calls = called.DECISIONS, called.LOGGED.format(calls=_CLEAN)
        served = SERVED_CALLS.format(calls=_CLEAN, log=_LOG)
    binned = [name for name in BINNED if given.given(name)]
    log = _log(decisions, binned)
    relations |= log | {_SERVED: cast("exp.Query", sqlglot.parse_one(served, read="duckdb"))}
    if steps is not None:
        relations[_FLOORED] = _floored(log[_LOG], steps)
    told = f"SELECT * FROM {_SERVED}"  # noqa: S608 - our own name
    found = selects(log=_LOG, calls=calls, served=told, several_pairs=several_pairs)
    if steps is not None:
        found["sweep"] = selects(log=_FLOORED)["sweep"]
    parts = [_part(name, _decided(text, binned)) for name, text in found.items()]
    whole: exp.Query = parts[0]
    for part in parts[1:]:
        whole = exp.union(whole, part, distinct=False, copy=False)
    for name, relation in relations.items():
        whole = whole.with_(name, as_=relation, copy=False)
    return dialects.text(whole, given.dialect)


def _log(decisions: str, binned: list[str]) -> dict[str, exp.Select]:
    """The relations that the parts read: decisions with fold, and whether each probability is binned."""
    own = {"fold": source.fold(), "grade_probability": "CAST(NULL AS DOUBLE)"}
    columns = [f"{decisions}.{name}" for name in source.READ["decisions"]]
    columns += [f"{text} AS {name}" for name, text in own.items()]
    columns += [f"{_SPREAD}.bin_{name}" for name in binned]
    log = exp.select(*columns, dialect="duckdb").from_(decisions)
    if not binned:
        return {_LOG: log}
    counts = [f"count(DISTINCT {name}) > {MOST_PROBABILITIES} AS bin_{name}" for name in binned]
    spread = exp.select(*counts, dialect="duckdb").from_(decisions)
    return {_SPREAD: spread, _LOG: log.join(_SPREAD, join_type="CROSS")}


def _floored(log: exp.Select, steps: int) -> exp.Select:
    names = [column.alias_or_name for column in log.selects]
    floored = f"floor(confidence * {steps}) / {steps} AS confidence"
    return exp.select(*(floored if name == "confidence" else name for name in names), dialect="duckdb").from_(
        _LOG
    )


def _decided(text: str, binned: list[str]) -> str:
    for name, placeholder in BINNED.items():
        text = text.replace(placeholder, f"bin_{name}" if name in binned else "false")
    return text


def _part(name: PartName, text: str) -> exp.Select:
    """One part with every column of the file; those that it does not have are nulls of their type."""
    own = {*PARTS[name].keys, *PARTS[name].values}
    fixed = {"tiertune_cells": exp.Literal.number(CELL_LAYOUT), "part": exp.Literal.string(name)}
    columns = [
        exp.alias_(
            exp.cast(
                fixed.get(column) or (exp.column(column, table="p") if column in own else exp.null()),
                TEXT if kind == "VARCHAR" else kind,
            ),
            column,
        )
        for column, kind in TYPES.items()
    ]
    inner = sqlglot.parse_one(text, read="duckdb")
    return exp.select(*columns).from_(
        exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("p")))
    )
