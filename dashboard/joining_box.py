"""A file of grades on the Logs page before it is joined: to which log, by which ids, how much matches."""

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.logs import joining
from analytics.logs.store import Store
from dashboard import components, loading, mapping_editor, reasons, state, words
from dashboard.loading import Task

SHOWN_CANDIDATES = 8
KEYS = {"call_id": "call", "request_id": "request", "unit_id": "user or session"}
HOW = (
    "A grade with a call's id is about that call; with a request's id about the answer that was served, or "
    "the one of its model or side; with a user's or session's id about every answer served to it."
)


def decision(task: Task, store: Store, *, ready: bool) -> None:
    """Which log the grades are for, how their ids match it, and the button that joins them."""
    names: list[str] = state.catalogue()["name"].to_list()
    if not names:
        st.error(
            "These are grades, which belong to a log. Load the log first, then this file.",
            icon=":material/rule:",
        )
        mapping_editor.change_button(task.key)
        return
    view = state.view()
    first = view.dataset if view is not None and view.dataset in names else names[0]
    if task.dataset not in names:
        task.dataset = first
    chosen = st.selectbox(
        "Grades of the dataset", names, names.index(task.dataset), key=f"joined-{task.key}", width=320
    )
    task.dataset = chosen
    try:
        found = _candidates(task, store)
    except TiertuneError as error:
        st.error(reasons.said(str(error)), icon=":material/error:")
        return
    guess = joining.likeliest(found)
    if guess is not None:
        share = found.row(
            by_predicate=(pl.col("column") == guess[0]) & (pl.col("key") == guess[1]), named=True
        )
        task.found = {guess[1]: f"{words.percent(share['share'], digits=0)} are ids of the log"}
        _by(task, store, guess)
    matched = int(found.filter("used")["matched"].sum()) if found.height else 0
    _matches(task, found)
    with components.row():
        if st.button(
            "Join these grades",
            key=f"use-{task.key}",
            icon=":material/join:",
            disabled=not ready or not matched,
            help=None if ready and matched else "No id of this file is in that log." if ready else None,
        ):
            loading.load(task, store)
            st.rerun()
        by = _key_picker(task, found)
        mapping_editor.change_button(task.key)
    if by is not None:
        task.found = {}
        _by(task, store, by)


def joined(task: Task) -> str:
    """After joining: how many grades found an answer, and whether their grader counts."""
    found = state.graders(task.dataset)
    if found.is_empty():
        return ""
    grades, matched = int(found["grades"].sum()), int(found["matched"].sum())
    text = (
        f"{words.count(matched)} of {words.plural(grades, 'grade')} joined to {words.plain(task.dataset)} "
        f"are about an answer in it."
    )
    silent = found.filter(pl.col("rank").is_null())["grader"].to_list()
    if silent:
        text += f" Not counted: {words.listing(silent)}; choose under Graders which count."
    return text


def _by(task: Task, store: Store, pair: tuple[str, str]) -> None:
    """Read the file anew, joined by this column and id."""
    task.answers = joining.joined_by(task.answers, *pair)
    loading.read(task, store)
    st.rerun()


def _candidates(task: Task, store: Store) -> pl.DataFrame:
    """The matches of one reading of the file with one version of the log, worked out once."""
    if task.inspection is None:
        raise ValueError("A file is read before it is matched.")
    version = int(state.facts(task.dataset)["version"])
    wanted = (task.inspection.folder.name, task.dataset, version)
    held: dict[str, tuple[object, pl.DataFrame]] = st.session_state.setdefault("_matches", {})
    if task.key not in held or held[task.key][0] != wanted:
        with st.spinner("Matching ids with the log"):
            held[task.key] = (wanted, joining.candidates(store, task.dataset, task.inspection))
    return held[task.key][1]


def _matches(task: Task, found: pl.DataFrame) -> None:
    """The table of columns whose values are ids of the log."""
    if found.is_empty():
        st.warning(
            "No column of this file holds ids of that log. Choose another dataset, or check that both "
            "files name requests the same way.",
            title="Nothing matches",
            icon=":material/warning:",
        )
        return
    shown = found.head(SHOWN_CANDIDATES).with_columns(
        names=pl.col("key").replace_strict(KEYS),
        read=pl.when("used").then(pl.lit("used")).otherwise(pl.lit("")),
    )
    components.table(
        shown,
        {
            "column": components.text_column("Column of this file", 220),
            "names": components.text_column("Id in the log", 130),
            "values": components.number_column("Different ids", 104),
            "matched": components.number_column("In the log", 92),
            "share": components.share_column("Match", 130, "gray"),
            "read": components.text_column("Joined by", 84),
            "samples": components.text_column("Three values", 220),
        },
        key=f"matches-{task.key}",
        alt="Columns of the file of grades whose values are ids of the log, with the share that matches",
    )
    components.caption(HOW)


def _key_picker(task: Task, found: pl.DataFrame) -> tuple[str, str] | None:
    """Another column and id to join by, once it is chosen."""
    options: list[tuple[str, str] | None] = [None, *found.select("column", "key").iter_rows()]
    if len(options) < 3:  # noqa: PLR2004 - nothing else to choose
        return None
    return st.selectbox(
        "Join by",
        options,
        format_func=lambda pair: (
            "as marked above" if pair is None else f"{pair[0]} as the {KEYS[pair[1]]}'s id"
        ),
        key=f"by-{task.inspection.folder.name if task.inspection else task.key}",
        width=320,
    )
