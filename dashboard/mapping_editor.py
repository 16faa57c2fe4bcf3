"""What was recognised in a file, open to correction: questions, the mapping as a table and as a form.

All of it ends in ``Answers``, the same that a command's flags make, so that page and shell load alike.
"""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import streamlit as st

from analytics.logs.intake import Inspection
from analytics.logs.meaning.mapping import Answers, Guess, Mapping
from analytics.logs.reading.staging import Question
from analytics.logs.schema import TABLES
from dashboard import components, reasons, words

CERTAINTY = {"sure": "Sure", "check": "Check", "missing": "Missing"}
CHIPS = {"Sure": "#0F9D7433", "Check": "#C2570C33", "Missing": "#7A819033"}
NOT_READ = "not in this file"
JOINED = ("request_id",)
CONSTANTS = {
    "decisions": (
        *("fast_model", "strong_model", "fast_cost_usd", "strong_cost_usd"),
        *("policy_kind", "confidence_kind"),
    ),
    "calls": ("model", "task_category", "policy_kind", "confidence_kind"),
}
TIME_UNITS = ("iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
DURATION_UNITS = ("s", "ms", "us", "ns")
MONEY_UNITS = ("usd", "cents")
CONFIDENCE_UNITS = ("fraction", "percent", "logprob")


def mapping_table(inspection: Inspection, *, key: str) -> None:
    """The guesses: field, certainty, source, three values, reason."""
    proposal = inspection.proposal
    frame = pl.DataFrame(
        [_row(guess, proposal.mapping) for guess in proposal.guesses],
        schema={
            "field": pl.String,
            "guess": pl.List(pl.String),
            "from": pl.String,
            "values": pl.String,
            "why": pl.String,
        },
    )
    components.table(
        frame,
        {
            "field": components.text_column("tiertune field", 176),
            "guess": components.chip_column("Guess", 92, CHIPS),
            "from": components.text_column("Read from", 224),
            "values": components.text_column("Three values", 214),
            "why": components.text_column("Why", 226),
        },
        key=f"mapping-{key}",
        alt="Which column each field is read from, with three values and the reason",
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
                    format_func=lambda option: words.plain(str(option)),
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
        units = _unit_pickers(mapping, key=key)
        constants = _constant_inputs(mapping, key=key)
        text = st.checkbox("Load prompts and answers too", answers.keep_text, key=f"text-{key}")
        if not st.form_submit_button("Use these columns", icon=":material/check:", key=f"edited-{key}"):
            return None
    return edited(answers, mapping, sources=sources, units=units, constants=constants, keep_text=text)


def edited(
    answers: Answers,
    mapping: Mapping,
    *,
    sources: dict[str, tuple[str, ...]],
    units: dict[str, str],
    constants: dict[str, str],
    keep_text: bool,
) -> Answers:
    """``answers`` and what the form says beyond the proposed ``mapping``.

    Args:
        answers: Given so far.
        mapping: What the form started from; a field that was not touched is not pinned.
        sources: Field -> source columns; empty for none.
        units: Field -> unit.
        constants: Field -> text; empty for none.
        keep_text: Whether prompts and answers are loaded.
    """
    moved = {name: found for name, found in sources.items() if found != mapping.columns.get(name, ())}
    changed = {name: unit for name, unit in units.items() if unit != mapping.units.get(name)}
    stated = {name: text for name, text in constants.items() if text and text != mapping.constants.get(name)}
    kept = {name: text for name, text in answers.set.items() if constants.get(name, text)}
    return replace(
        answers,
        map={**answers.map, **moved},
        unit={**answers.unit, **changed},
        set={**kept, **stated},
        keep_text=keep_text,
    )


def unit_options(field: str) -> tuple[str, ...]:
    """Units that a source of this field may have; empty where there is only one."""
    if field == "ts":
        return TIME_UNITS
    if field == "confidence":
        return CONFIDENCE_UNITS
    if field.endswith("_usd"):
        return MONEY_UNITS
    return DURATION_UNITS if field.endswith(("latency_s", "ttft_s")) else ()


def _row(guess: Guess, mapping: Mapping) -> dict[str, object]:
    constant = mapping.constants.get(guess.field)
    source = " + ".join(guess.sources) or (f"always {constant}" if constant is not None else "—")
    return {
        "field": guess.field,
        "guess": [CERTAINTY[guess.certainty]],
        "from": source,
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


def _unit_pickers(mapping: Mapping, *, key: str) -> dict[str, str]:
    fields = [name for name in mapping.columns if unit_options(name)]
    chosen: dict[str, str] = {}
    if not fields:
        return chosen
    st.caption("Units of the columns as they stand in the file")
    with st.grid(3, min_column_width=200):
        for name in fields:
            options = unit_options(name)
            now = mapping.units.get(name, options[0])
            shown = st.selectbox(
                f"{name} is in",
                options if now in options else (*options, now),
                options.index(now) if now in options else len(options),
                key=f"unit-{key}-{name}",
            )
            if name in mapping.units or shown != options[0]:
                chosen[name] = shown
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
