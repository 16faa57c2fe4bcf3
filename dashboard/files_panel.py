"""The files of a dataset on the Logs page: what became of their records, take one back, read one again."""

import json

import polars as pl
import streamlit as st

from analytics.logs import revision
from analytics.logs.store import Store
from dashboard import changes, components, loading, words


def files(store: Store, dataset: str) -> None:
    """The table of files and what can be done with one of them."""
    held = store.files(dataset)
    found = held.with_columns(
        passed=pl.Series([_passed(text) for text in held["passed"]], dtype=pl.Int64),
        kind=pl.col("form").replace_strict({"grades": "grades", "cells": "sums"}, default="log"),
    )
    components.table(
        found,
        {
            "name": components.text_column("File", 240),
            "kind": components.text_column("Holds", 76),
            "format": components.text_column("Format", 80),
            "loaded_at": st.column_config.DatetimeColumn("Loaded, UTC", format="YYYY-MM-DD HH:mm", width=140),
            "read": components.number_column("Read", 84),
            "loaded": components.number_column("Loaded", 84),
            "rejected": components.number_column("Rejected", 84),
            "duplicates": components.number_column("Duplicates", 92),
            "passed": components.number_column(
                "Passed over", 96, hint="Records that are no model call of yours, such as sub-calls."
            ),
        },
        key=f"files-{dataset}",
        alt="Files of this dataset and what became of their records",
    )
    if store.folder(dataset) is not None:
        st.caption("Files come and go with the folder. Left out of it are rows that could not be read.")
        return
    ids: list[str] = found["file_id"].to_list()
    names = dict(zip(ids, found["name"], strict=True))
    with components.row():
        chosen = st.selectbox(
            "File",
            ids,
            format_func=lambda file_id: names.get(file_id, file_id),
            key=f"file-{dataset}",
            width=320,
        )
        again = st.button(
            "Read again",
            key=f"again-{dataset}",
            icon=":material/edit:",
            disabled=chosen is None or store.kept(chosen) is None,
            help="Change how its columns are read. It waits above under its new mapping until you use it.",
        )
        back = st.button(
            "Take back",
            key=f"back-{dataset}",
            icon=":material/undo:",
            disabled=chosen is None,
            help="The dataset is then as if this file had never been loaded.",
        )
    if again and chosen is not None:
        task = loading.reopened(store, dataset, chosen, names[chosen])
        st.session_state["_tasks"][task.key] = task
        loading.read(task, store)
        st.rerun()
    if back and chosen is not None:
        name = names[chosen]
        changes.tried(
            lambda: revision.take_back(store, dataset, chosen),
            f"{words.plain(name, limit=60)} is taken back.",
            doing=f"Taking {words.plain(name, limit=60)} back",
        )
    st.caption(_kept(store, ids))


def _kept(store: Store, ids: list[str]) -> str:
    """Whether files can be read again, and what they take on the disk."""
    absent = sum(store.kept(file_id) is None for file_id in ids)
    if not absent:
        size = words.size(store.kept_bytes())
        return (
            f"Files are kept as they were loaded, prompts included, beside the database ({size} for all "
            "datasets), so that they can be read again and a damaged database built again."
        )
    verb = "is" if absent == 1 else "are"
    return (
        f"{words.plural(absent, 'file')} {verb} not kept, and can be taken back only while no other file "
        "shares rows with it."
    )


def _passed(text: str | None) -> int | None:
    """Records passed over, from JSON text of reasons with their numbers; None where nobody counted."""
    return None if text is None else sum(json.loads(text or "{}").values())
