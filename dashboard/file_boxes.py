"""One box per uploaded file on the Logs page: recognised, asked about, loading, loaded or refused."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from analytics.logs.dialects import DIALECTS
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from dashboard import components, file_outcome, joining_box, loading, mapping_editor, reasons, state, words
from dashboard.loading import Task

POLL_S = 0.5
NOT_READY = "First answer or change what is said above."
FORMATS = {"csv": "CSV", "jsonl": "JSON lines", "json": "JSON", "parquet": "Parquet"}


def file_boxes(tasks: dict[str, Task], store: Store, datasets: Sequence[str]) -> None:
    """Every file of this session, newest first; files that are worked on are polled until they wait."""
    if any(task.busy for task in tasks.values()):
        _working(tasks)
    _together(list(tasks.values()), store, datasets)
    for key, task in reversed(list(tasks.items())):
        if not task.busy and file_box(task, store, datasets):
            loading.discard(task)
            del tasks[key]
            st.rerun()


@st.fragment(run_every=POLL_S)
def _working(tasks: dict[str, Task]) -> None:
    """The progress of busy files, drawn anew twice a second; the page follows when one of them is done."""
    shown = st.session_state.setdefault("_busy", set())
    busy = {key for key, task in tasks.items() if task.busy}
    st.session_state["_busy"] = busy
    for key in busy:
        progress(tasks[key])
    if shown - busy:
        for key in shown - busy:
            if key in tasks and tasks[key].report is not None:
                state.open_next(tasks[key].dataset)
        st.rerun()


def _together(tasks: Sequence[Task], store: Store, datasets: Sequence[str]) -> None:
    """Files that wait for nothing but the user's word, loaded into one dataset with one button."""
    ready = [task for task in tasks if task.ready and not task.grades and task.again is None]
    if len(ready) < 2:  # noqa: PLR2004 - one file has its own button
        return
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.selectbox(
            f"{len(ready)} files are ready; into the dataset",
            list(dict.fromkeys((ready[0].dataset, *datasets))),
            key="together",
            accept_new_options=True,
            width=320,
            help="Each is read as its own box below says.",
        )
        if st.button(f"Load all {len(ready)}", key="load-together", icon=":material/check:", type="primary"):
            for task in ready:
                task.dataset = (name or "").strip() or task.dataset
                loading.load(task, store)
            st.rerun()


def file_box(task: Task, store: Store, datasets: Sequence[str]) -> bool:
    """Draw one file; whether the user removed it."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{words.plain(task.name)}**", width="content")
            if task.inspection is not None:
                title = DIALECTS[task.inspection.proposal.mapping.dialect].title
                st.badge(title, icon=":material/check_circle:", color="green")
            st.space("stretch")
            removed = not task.busy and st.button(
                "Remove" if task.stage != "done" else "Close",
                key=f"remove-{task.key}",
                type="tertiary",
                icon=":material/close:",
                help="Takes the file from this list. What is loaded stays loaded.",
            )
        if task.inspection is not None:
            st.caption(_recognised(task))
        if task.stage == "asking":
            _asking(task, store, datasets)
        elif task.stage == "rejects":
            _rejects(task, store)
        elif task.stage == "done" and task.report is not None:
            file_outcome.outcome(task.report, task)
        elif task.stage == "stopped":
            st.info(reasons.said(task.message), icon=":material/stop_circle:")
        elif task.stage == "failed":
            st.error(reasons.said(task.message, limit=1200), icon=":material/error:")
    return removed


def progress(task: Task) -> None:
    """What the child process has really parsed, and the button that ends it."""
    doing = f"{'Reading' if task.stage == 'reading' else 'Loading'} {words.plain(task.name)}"
    rows = f"{words.count(task.rows)} rows parsed, {words.count(task.rows_per_second)} rows/s"
    text = f"{doing}: {rows if task.rows else 'starting'}"
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        if task.share is None:
            st.markdown(f":material/progress_activity: {text}", width="stretch")
        else:
            st.progress(task.share, text=text, width="stretch")
        if task.storing:
            st.caption("Storing, in one step", width="content")
        elif st.button("Stop", key=f"stop-{task.key}", icon=":material/stop_circle:"):
            loading.stop(task)


def _recognised(task: Task) -> str:
    staged, proposal = task.inspection.staged, task.inspection.proposal  # type: ignore[union-attr]
    used = len({source for sources in proposal.mapping.columns.values() for source in sources})
    parts = [
        FORMATS[staged.format]
        + (f", {staged.compression}" if staged.compression and task.again is None else ""),
        f"{words.count(staged.read)} records",
        words.size(staged.size_bytes),
        f"{len(staged.columns)} columns, {used} used",
    ]
    return " · ".join(parts)


def _asking(task: Task, store: Store, datasets: Sequence[str]) -> None:
    """What is open about the file, the mapping as proposed, and what the user can do about it."""
    if task.inspection is None:
        return
    staged, proposal = task.inspection.staged, task.inspection.proposal
    for note in dict.fromkeys((*staged.notes, *proposal.notes)):
        st.caption(reasons.said(note, limit=400))
    # What the values look like is not known before the encoding is.
    questions = staged.questions or proposal.questions
    if questions:
        with st.container(border=True):
            given = mapping_editor.question_form(questions, task.answers, key=task.key)
        if given is not None:
            _again(task, store, given)
    for refusal in filter(None, (proposal.refusal, task.message)):
        st.error(reasons.said(refusal, limit=1200), icon=":material/rule:")
    mapping_editor.mapping_table(task.inspection, key=task.key, found=task.found)
    ready = not questions and not proposal.refusal
    if task.again is not None:
        _decision_again(task, store, ready=ready)
    elif task.grades:
        joining_box.decision(task, store, ready=ready)
    else:
        _decision(task, store, datasets, ready=ready)
    if mapping_editor.editing(task.key):
        changed = mapping_editor.dialect_picker(task.inspection, task.answers, key=task.key)
        changed = changed or mapping_editor.mapping_form(task.inspection, task.answers, key=task.key)
        if changed is not None:
            st.session_state[f"editing-{task.key}"] = False
            _again(task, store, changed)


def _decision(task: Task, store: Store, datasets: Sequence[str], *, ready: bool) -> None:
    """Into which dataset, under this mapping or another."""
    # A tool's export is known for what it is.
    dialect = None if task.inspection is None else DIALECTS[task.inspection.staged.dialect]
    sums = dialect is not None and dialect.form == "cells"
    plain = dialect is not None and dialect.opened is None and not sums
    with components.row():
        name = st.selectbox(
            "Into the dataset",
            list(dict.fromkeys((task.dataset, *datasets))),
            key=f"dataset-{task.key}",
            accept_new_options=True,
            width=280,
            help="Choose a dataset to add to, or type a new name.",
        )
        if st.button(
            "Load these sums" if sums else "Use this mapping",
            key=f"use-{task.key}",
            icon=":material/check:",
            disabled=not ready,
            help=None if ready else NOT_READY,
        ):
            task.dataset = (name or "").strip() or task.dataset
            loading.load(task, store)
            st.rerun()
        if not sums:
            mapping_editor.change_button(task.key)
        if (
            datasets
            and plain
            and st.button(
                "These are grades",
                key=f"grades-{task.key}",
                icon=":material/join:",
                type="tertiary",
                help="Join this file to a log that is loaded: its rows are grades of that log's answers.",
            )
        ):
            _again(task, store, replace(task.answers, dialect="grades", map={}, set={}, unit={}))


def _decision_again(task: Task, store: Store, *, ready: bool) -> None:
    """The new mapping of a file that is loaded: use it, or change it further."""
    with components.row():
        if st.button(
            "Use this mapping instead",
            key=f"use-{task.key}",
            icon=":material/check:",
            disabled=not ready,
            help=f"Replaces what this file gave to {words.plain(task.dataset)}." if ready else NOT_READY,
        ):
            loading.load(task, store)
            st.rerun()
        mapping_editor.change_button(task.key)


def _rejects(task: Task, store: Store) -> None:
    """More than a tenth is rejected: show why, and load the rest only if the user says so."""
    if task.inspection is None or task.converted is None:
        return
    staged, rest = task.inspection.staged, task.inspection.staged.read - task.rejected
    many = f"{words.count(task.rejected)} of {words.count(staged.read)} records"
    st.warning(
        f"The other {words.count(rest)} can be loaded, or the file corrected first. Nothing is loaded yet.",
        title=f"{many} would be rejected",
        icon=":material/warning:",
    )
    file_outcome.rejects_table(task)
    if rest and st.button(
        f"Load the other {words.count(rest)}", key=f"accept-{task.key}", icon=":material/check:"
    ):
        loading.accept(task, store)
        st.rerun()


def _again(task: Task, store: Store, answers: Answers) -> None:
    """Recognise the file anew under these answers."""
    task.answers = answers
    loading.read(task, store)
    st.rerun()
