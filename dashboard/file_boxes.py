"""One box per uploaded file on the Logs page: recognised, asked about, loading, loaded or refused."""

from collections.abc import Sequence

import streamlit as st

from analytics.logs.dialects import DIALECTS
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from dashboard import file_outcome, loading, mapping_editor, reasons, state, words
from dashboard.loading import Task

POLL_S = 0.5
KILO, MEGA = 1e3, 1e6
FORMATS = {"csv": "CSV", "jsonl": "JSON lines", "json": "JSON", "parquet": "Parquet"}


def file_boxes(tasks: dict[str, Task], store: Store, datasets: Sequence[str]) -> None:
    """Every file of this session, newest first; files that are worked on are polled until they wait."""
    if any(task.busy for task in tasks.values()):
        _working(tasks)
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
        FORMATS[staged.format] + (f", {staged.compression}" if staged.compression else ""),
        f"{words.count(staged.read)} records",
        _size(staged.size_bytes),
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
        st.error(reasons.said(refusal), icon=":material/rule:")
    mapping_editor.mapping_table(task.inspection, key=task.key)
    _decision(task, store, datasets, ready=not questions and not proposal.refusal)
    if st.session_state.get(f"editing-{task.key}"):
        changed = mapping_editor.mapping_form(task.inspection, task.answers, key=task.key)
        if changed is not None:
            st.session_state[f"editing-{task.key}"] = False
            _again(task, store, changed)


def _decision(task: Task, store: Store, datasets: Sequence[str], *, ready: bool) -> None:
    """Into which dataset, under this mapping or another."""
    editing = f"editing-{task.key}"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.selectbox(
            "Into the dataset",
            list(dict.fromkeys((task.dataset, *datasets))),
            key=f"dataset-{task.key}",
            accept_new_options=True,
            width=280,
            help="Choose a dataset to add to, or type a new name.",
        )
        if st.button(
            "Use this mapping",
            key=f"use-{task.key}",
            icon=":material/check:",
            disabled=not ready,
            help=None if ready else "First answer or change what is said above.",
        ):
            task.dataset = (name or "").strip() or task.dataset
            loading.load(task, store)
            st.rerun()
        if st.button("Change mapping", key=f"change-{task.key}", icon=":material/edit:"):
            st.session_state[editing] = not st.session_state.get(editing, False)


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
    problems = sorted([*staged.problems, *task.converted.problems], key=lambda problem: problem.line)
    total = staged.problems_total + task.converted.problems_total
    file_outcome.problem_table(problems, total=total, key=f"rejects-{task.key}")
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


def _size(content: int) -> str:
    return (
        f"{content / MEGA:,.1f}{words.NBSP}MB"
        if content >= MEGA / 10
        else f"{content / KILO:,.1f}{words.NBSP}kB"
    )
