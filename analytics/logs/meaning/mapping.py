"""Which column of a file is which field of a log, guessed from names and values and open to correction."""

import hashlib
import json
from collections.abc import Sequence

from analytics.errors import SchemaError
from analytics.logs.dialects import DIALECTS, TABLES, call_level, wide
from analytics.logs.dialects.dialect import Dialect, plain
from analytics.logs.meaning import choice, scales
from analytics.logs.meaning.answers import Answers, Guess, Mapping, Proposal
from analytics.logs.meaning.choice import AGAIN, SAID, Choice
from analytics.logs.meaning.guesses import graded_words, guesses
from analytics.logs.meaning.profile import ColumnProfile
from analytics.logs.meaning.scales import bare
from analytics.logs.reading.staging import Staged
from analytics.logs.schema import CELLS, LATER_CELLS, LOGS, Form
from analytics.logs.schema import TABLES as SCHEMA

__all__ = ["Answers", "Guess", "Mapping", "Proposal", "known_name", "proposal", "refusal", "signature"]

# One of these must be known of a row, or the row says nothing about tiers.
_FACTS = frozenset({"correct", "cost_usd", "input_tokens", "output_tokens", "confidence"})
_WANTED = {"task_category": "category", "confidence": "confidence", "correct": "correct", "cost_usd": "cost"}
NO_MODEL = "unknown"
_MODELS: dict[Form, dict[str, str]] = {
    "decisions": {"fast_model": "fast", "strong_model": "strong"},
    "calls": {"model": NO_MODEL},
    "grades": {},
    "cells": {},
}
_SHOWN = 20
_LONGEST = 60
_KINDS = {
    "verifier": {"verifier", "verification", "verified", "judge"},
    "logprob": {"logit", "logits", "logprob", "logprobs", "logp", "perplexity"},
    "self_report": {"verbal", "verbalized", "self", "stated", "linguistic", "reported"},
    "predictive": {"router", "predicted", "predictive", "forecast"},
}


def proposal(
    staged: Staged,
    profiles: Sequence[ColumnProfile],
    *,
    saved: Mapping | None = None,
    overrides: Answers | None = None,
) -> Proposal:
    """The mapping that names and values suggest, with what the user said laid over it.

    Args:
        staged: The file as it was read.
        profiles: Of all its columns.
        saved: Mapping that was confirmed before for the same column names.
        overrides: Flags of a command or controls of the page.

    Raises:
        SchemaError: An override names a field or a column that does not exist, or a unit that does not fit.
    """
    answers = overrides or Answers()
    if DIALECTS[answers.dialect or staged.dialect].form == "cells":
        return _of_cells(staged)
    said = _said_by_name(answers, staged.columns)
    if saved and answers.dialect and answers.dialect != saved.dialect:
        saved = None  # the user says that this file is another one
    if saved and not (said <= _fields(saved.form) and _sources(saved) <= set(staged.columns)):
        saved = None
    before = saved or Mapping("decisions", "", {}, decimal="")
    dialect = DIALECTS[saved.dialect] if saved else _dialect(DIALECTS[staged.dialect], said)
    chosen, notes = _chosen(dialect, profiles, answers, saved)
    columns = {name: made.sources for name, made in chosen.items() if made.sources}
    constants = {**before.constants, **answers.set}
    _defaults(dialect, columns, constants, notes)
    by_name = {profile.name: profile for profile in profiles}
    found = scales.scales(
        columns,
        by_name,
        dialect,
        stated=answers.unit,
        confirmed={name: unit for name, unit in before.units.items() if name not in answers.map},
        decimal=answers.decimal or before.decimal or None,
        dates=answers.dates or before.dates,
        delimiter=staged.delimiter,
    )
    units = {**found.units, **({"call_index": "time"} if _timed(columns) else {})}
    mapping = Mapping(
        dialect.form, dialect.name, columns, constants, units, found.decimal, found.dates, answers.encoding
    )
    used = _sources(mapping)
    return Proposal(
        mapping,
        guesses(dialect.form, chosen, constants, found.guessed, by_name),
        found.questions,
        [*notes, *graded_words(columns, by_name)],
        [name for name in staged.columns if name not in used],
        refusal(mapping, staged.columns),
    )


def _of_cells(staged: Staged) -> Proposal:
    """A cells file names its columns as we do: there is nothing to guess and nothing to change."""
    held = set(staged.columns)
    columns: dict[str, tuple[str, ...]] = {
        name: (name,) for column in CELLS if column.mappable and (name := column.name) in held
    }
    mapping = Mapping("cells", "cells", columns)
    unused = [name for name in staged.columns if name not in columns]
    return Proposal(mapping, [], [], [], unused, refusal(mapping, staged.columns))


def refusal(mapping: Mapping, columns: Sequence[str]) -> str | None:
    """Why a file mapped so is refused; null if it has a grade, a cost, tokens or a confidence."""
    absent = sorted(_sources(mapping) - set(columns))
    if absent:
        listed = ", ".join(_shortened(name) for name in absent[:_SHOWN])
        return f"The mapping reads columns that this file lacks: {listed}. Map its own columns."
    if mapping.form == "cells":
        return _lacking_cells(columns)
    given = {bare(name) for name in (*mapping.columns, *mapping.constants)}
    if given & _FACTS:
        return None
    shown = [_shortened(name) for name in columns[:_SHOWN]]
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    found = f"Found: {', '.join(shown)}{more}. Map a column?"
    if mapping.form == "grades":
        return f"Missing: a grade from 0 to 1, or words such as pass and fail. {found} (--map correct=COLUMN)"
    found += " (--map confidence=COLUMN)"
    if not mapping.columns:
        return (
            "No known column names in line 1. Expected at least request_id, category, confidence, correct, "
            f"cost. {found} If line 1 is no header, add one, or remove what stands before it."
        )
    missing = [word for name, word in _WANTED.items() if name not in given]
    return f"Missing: {', '.join(missing)}. {found}"


def _lacking_cells(columns: Sequence[str]) -> str | None:
    earlier = LATER_CELLS.isdisjoint(columns)
    lacking = [
        column.name
        for column in CELLS
        if column.mappable and column.name not in columns and not (earlier and column.name in LATER_CELLS)
    ]
    if not lacking:
        return None
    more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return (
        f"This cells file lacks columns: {', '.join(lacking[:_SHOWN])}{more}. Another version made it, or it "
        "was changed. Make it again: tiertune cells."
    )


def known_name(name: str) -> str | None:
    """The canonical field that a column name stands for by itself in some dialect, else null."""
    text = plain(name)
    # The most general shape first: of equal ranks, the bare field counts.
    found = [match for match in (dialect.match(text) for dialect in reversed(TABLES)) if match]
    return min(found, key=lambda match: match[1])[0] if found else None


def signature(columns: Sequence[str]) -> str:
    """SHA-256 (hex) of a file's column names, whatever their order; files that share it share a mapping."""
    return hashlib.sha256(json.dumps(sorted(columns), ensure_ascii=False).encode()).hexdigest()


def _chosen(
    dialect: Dialect, profiles: Sequence[ColumnProfile], answers: Answers, saved: Mapping | None
) -> tuple[dict[str, Choice], list[str]]:
    """What every field is read from: guessed or confirmed before, then what the user says now."""
    if saved:
        chosen = {name: Choice(sources, "sure", AGAIN) for name, sources in saved.columns.items()}
        notes = ["A mapping confirmed before for the same columns is used again."]
    else:
        chosen, notes = choice.choices(dialect, profiles, keep_text=answers.keep_text, said=answers.map)
    for name, sources in answers.map.items():
        chosen[name] = Choice(sources, "sure" if sources else "missing", SAID)
    for name in set(answers.set) - set(answers.map):
        chosen.pop(name, None)
    choice.drop_unfit(dialect, chosen, kept=answers.map)
    return chosen, notes


def _said_by_name(answers: Answers, columns: Sequence[str]) -> set[str]:
    """The fields that the user named; all must exist, and so must the columns."""
    said = {*answers.map, *answers.set}
    fields = {column.name for form in LOGS for column in SCHEMA[form] if column.mappable}
    unknown = sorted(said - fields)
    if unknown:
        raise SchemaError(f"No such field: {', '.join(unknown)}. Fields: {', '.join(sorted(fields))}.")
    sources = {source for wanted in answers.map.values() for source in wanted}
    absent = sorted(sources - set(columns))
    absent += sorted(set(answers.unit) - fields - {bare(name) for name in fields} - set(columns))
    if absent:
        found = ", ".join(_shortened(name) for name in columns[:_SHOWN])
        raise SchemaError(
            f"No such column: {', '.join(_shortened(name) for name in absent)}. Found: {found}."
        )
    return said


def _dialect(dialect: Dialect, said: set[str]) -> Dialect:
    """The shape that was recognised, unless the user's own fields exist only in the other table."""
    if said <= _fields(dialect.form) or dialect.form == "grades" or dialect.opened:
        return dialect
    other = wide.DIALECT if dialect.form == "calls" else call_level.DIALECT
    if said <= _fields(other.form):
        return other
    mixed = ", ".join(sorted(said - _fields(dialect.form)))
    raise SchemaError(f"This file is read as {dialect.title.lower()}, which has no field {mixed}.")


def _sources(mapping: Mapping) -> set[str]:
    return {source for wanted in mapping.columns.values() for source in wanted}


def _fields(form: Form) -> set[str]:
    return {column.name for column in SCHEMA[form] if column.mappable}


def _defaults(
    dialect: Dialect, columns: dict[str, tuple[str, ...]], constants: dict[str, str], notes: list[str]
) -> None:
    """Constants for fields that no row may lack, each with a note."""
    for name, label in _MODELS[dialect.form].items():
        if name not in columns and name not in constants:
            constants[name] = label
            notes.append(
                f'No column names the {name.replace("_", " ")}: it is called "{label}" (--set {name}=NAME).'
            )
    if "request_id" not in columns and dialect.form != "grades":
        notes.append(
            "No request_id: rows identified by file hash + row number; re-upload of this file is recognised, "
            "overlap with other files is not."
        )
    if "confidence" in columns and "confidence_kind" not in columns:
        source = columns["confidence"][0]
        kind = dialect.kinds.get(plain(source)) or _confidence_kind(source)
        if kind:
            constants.setdefault("confidence_kind", kind)
    if constants.get("confidence_kind") == "predictive" and "policy_kind" not in columns:
        constants.setdefault("policy_kind", "predictive")


def _confidence_kind(source: str) -> str | None:
    """What a confidence is, as far as its column's name says it."""
    words = set(plain(source).split("_"))
    return next((kind for kind, hints in _KINDS.items() if words & hints), None)


def _timed(columns: dict[str, tuple[str, ...]]) -> bool:
    return "call_index" in columns and columns["call_index"] == columns.get("ts")


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
