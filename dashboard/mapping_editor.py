"""What was recognised in a file, open to correction: questions, the mapping as a table and as a form.

All of it ends in ``Answers``, the same that a command's flags make, so that page and shell load alike.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import polars as pl
import streamlit as st

from analytics.logs.dialects import DIALECTS
from analytics.logs.intake import Inspection
from analytics.logs.meaning.mapping import Answers, Guess, Mapping
from analytics.logs.reading.staging import Question
from analytics.logs.schema import TABLES
from dashboard import components, reasons, unit_pickers, words
from dashboard.unit_pickers import Scale

CERTAINTY = {"sure": "Sure", "check": "Check", "missing": "Missing"}
CHIPS = {"Sure": "#0F9D7433", "Check": "#C2570C33", "Missing": "#7A819033"}
NOT_READ = "not in this file"
JOINED = ("request_id",)
AS_RECOGNISED = "as it is recognised"
CONSTANTS = {
    "decisions": (
        *("fast_model", "strong_model", "fast_cost_usd", "strong_cost_usd"),
        *("policy_kind", "confidence_kind"),
    ),
    "calls": ("model", "task_category", "policy_kind", "confidence_kind"),
    "grades": ("grader", "correct_source", "model", "side"),
}


def mapping_table(inspection: Inspection, *, key: str, found: dict[str, str] | None = None) -> None:
    """The guesses: field, certainty, source, three values, reason.

    Args:
        inspection: The file.
        key: Unique on the page.
        found: Reasons for fields that were chosen for the user beyond what the file itself tells.
    """
    if inspection.proposal.mapping.form == "cells":  # its columns have our names, there is nothing to choose
        return
    proposal = inspection.proposal
    guesses = [
        replace(guess, certainty="check", why=(found or {})[guess.field])
        if guess.field in (found or {}) and guess.sources
        else guess
        for guess in proposal.guesses
    ]
    frame = pl.DataFrame(
        [_row(guess, proposal.mapping) for guess in guesses],
        schema={
            "field": pl.String,
            "guess": pl.List(pl.String),
            "from": pl.String,
            "unit": pl.String,
            "values": pl.String,
            "why": pl.String,
        },
    )
    components.table(
        frame,
        {
            "field": components.text_column("tiertune field", 168),
            "guess": components.chip_column("Guess", 84, CHIPS),
            "from": components.text_column("Read from", 188),
            "unit": components.text_column("Read as", 116),
            "values": components.text_column("Three values", 172),
            "why": components.text_column("Why", 204),
        },
        key=f"mapping-{key}",
        alt="Which column each field is read from and in which unit, with three values and the reason",
    )
    if proposal.unused:
        st.caption(f"Not read: {words.listing(proposal.unused, limit=12)}.")


def question_form(questions: Sequence[Question], answers: Answers, *, key: str) -> Answers | None:
    """Radio choices for what the file leaves open; the answers once they are given, before that None."""
    with st.form(f"questions-{key}", border=False):
        chosen = []
        for index, question in enumerate(questions):
            st.markdown(reasons.said(question.text))
            if question.options:
                shown = st.radio(
                    reasons.said(question.text, limit=80),
                    question.options,
                    key=f"question-{key}-{index}",
                    format_func=partial(_option, question.kind),
                    label_visibility="collapsed",
                    horizontal=True,
                )
            else:
                shown = st.text_input("Answer", key=f"question-{key}-{index}")
            chosen.append((question, str(shown or "")))
        if not st.form_submit_button("Use these answers", icon=":material/check:", key=f"answer-{key}"):
            return None
    for question, option in chosen:
        answers = answered(answers, question, option)
    return answers


def answered(answers: Answers, question: Question, option: str) -> Answers:
    """``answers`` with ``option`` for ``question``, where that kind of flag puts it."""
    if not option:
        return answers
    if question.kind == "encoding":
        return replace(answers, encoding=option)
    if question.kind == "decimal":
        return replace(answers, decimal=option)
    if question.kind == "dates":
        return replace(answers, dates=option)
    name = question.column or question.kind
    return replace(answers, unit={**answers.unit, name: option})


def mapping_form(inspection: Inspection, answers: Answers, *, key: str) -> Answers | None:
    """Every field with the column it is read from, units and constants; the new answers once submitted."""
    mapping, columns = inspection.proposal.mapping, inspection.staged.columns
    likely = [guess.field for guess in inspection.proposal.guesses]
    others = [column.name for column in TABLES[mapping.form] if column.mappable and column.name not in likely]
    with st.form(f"edit-{key}", border=False):
        sources = _source_pickers(likely, mapping, columns, key=key)
        with st.expander("More fields"):
            sources |= _source_pickers(others, mapping, columns, key=key)
        scale = unit_pickers.pickers(mapping, key=key)
        constants = _constant_inputs(mapping, key=key)
        text = st.checkbox("Load prompts and answers too", answers.keep_text, key=f"text-{key}")
        if not st.form_submit_button("Use these columns", icon=":material/check:", key=f"edited-{key}"):
            return None
    return edited(answers, mapping, sources=sources, scale=scale, constants=constants, keep_text=text)


def edited(
    answers: Answers,
    mapping: Mapping,
    *,
    sources: dict[str, tuple[str, ...]],
    scale: Scale,
    constants: dict[str, str],
    keep_text: bool,
) -> Answers:
    """``answers`` and what the form says beyond the proposed ``mapping``.

    Args:
        answers: Given so far.
        mapping: What the form started from; a field that was not touched is not pinned.
        sources: Field -> source columns; empty for none.
        scale: Units, decimal mark and order of dates.
        constants: Field -> text; empty for none.
        keep_text: Whether prompts and answers are loaded.
    """
    moved = {name: found for name, found in sources.items() if found != mapping.columns.get(name, ())}
    changed = {name: unit for name, unit in scale.units.items() if unit != mapping.units.get(name)}
    stated = {name: text for name, text in constants.items() if text and text != mapping.constants.get(name)}
    kept = {name: text for name, text in answers.set.items() if constants.get(name, text)}
    return replace(
        answers,
        map={**answers.map, **moved},
        unit={**answers.unit, **changed},
        set={**kept, **stated},
        decimal=answers.decimal if scale.decimal == mapping.decimal else scale.decimal,
        dates=answers.dates if scale.dates == mapping.dates else scale.dates,
        keep_text=keep_text,
    )


def change_button(key: str) -> None:
    """Opens and closes the form with every field, while ``editing(key)``."""
    if st.button("Change mapping", key=f"change-{key}", icon=":material/edit:"):
        st.session_state[f"editing-{key}"] = not editing(key)


def editing(key: str) -> bool:
    """Whether the form with every field is open."""
    return bool(st.session_state.get(f"editing-{key}", False))


def dialect_picker(inspection: Inspection, answers: Answers, *, key: str) -> Answers | None:
    """Of which shape the file is, where it was recognised wrongly; the new answers once another is chosen.

    What was said about columns goes with the shape that had them.
    """
    options = [None, *DIALECTS]
    chosen = st.selectbox(
        "Read the file as",
        options,
        options.index(answers.dialect),
        format_func=lambda name: AS_RECOGNISED if name is None else DIALECTS[name].title,
        key=f"dialect-{key}-{inspection.folder.name}",
        width=420,
    )
    if chosen == answers.dialect:
        return None
    return Answers(dialect=chosen, encoding=answers.encoding, keep_text=answers.keep_text)


_OWN_OPTIONS: dict[str, dict[str, str]] = {
    "unit": unit_pickers.WORDS,
    "dates": unit_pickers.ORDERS,
    "decimal": unit_pickers.MARKS,
}


def _option(kind: str, option: str) -> str:
    """An answer to choose, in words where it is one of our own."""
    return words.plain(_OWN_OPTIONS.get(kind, {}).get(option, option))


def _row(guess: Guess, mapping: Mapping) -> dict[str, object]:
    constant = mapping.constants.get(guess.field)
    source = " + ".join(guess.sources) or (f"always {constant}" if constant is not None else "—")
    return {
        "field": guess.field,
        "guess": [CERTAINTY[guess.certainty]],
        "from": source,
        "unit": unit_pickers.shown(mapping, guess.field) or "—",
        "values": " · ".join(guess.samples) or "—",
        "why": guess.why,
    }


def _source_pickers(
    fields: Sequence[str], mapping: Mapping, columns: Sequence[str], *, key: str
) -> dict[str, tuple[str, ...]]:
    chosen: dict[str, tuple[str, ...]] = {}
    with st.grid(3, min_column_width=200):
        for name in fields:
            now = mapping.columns.get(name, ())
            if name in JOINED or len(now) > 1:
                picked = st.multiselect(name, columns, now, key=f"map-{key}-{name}", placeholder=NOT_READ)
                chosen[name] = tuple(picked)
                continue
            options = [None, *columns]
            shown = st.selectbox(
                name,
                options,
                options.index(now[0]) if now else 0,
                key=f"map-{key}-{name}",
                format_func=lambda column: NOT_READ if column is None else column,
            )
            chosen[name] = () if shown is None else (shown,)
    return chosen


def _constant_inputs(mapping: Mapping, *, key: str) -> dict[str, str]:
    offered = dict.fromkeys((*CONSTANTS[mapping.form], *mapping.constants))
    fields = [name for name in offered if name not in mapping.columns]
    if not fields:
        return {}
    st.caption("The same for every row, where the file has no column for it")
    with st.grid(3, min_column_width=200):
        return {
            name: (
                st.text_input(name, mapping.constants.get(name, ""), key=f"set-{key}-{name}", max_chars=200)
                or ""
            ).strip()
            for name in fields
        }
