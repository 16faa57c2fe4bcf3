"""The graders of grades that were joined to a dataset: how they agree, and which of them counts."""

import polars as pl
import streamlit as st

from analytics.logs import joining
from analytics.logs.store import Store
from dashboard import changes, components, state, words

LOG = "the log itself"
UNNAMED = "unnamed"


def graders(store: Store, dataset: str) -> None:
    """The table of graders and the order in which they count."""
    found = state.graders(dataset)
    order = store.grader_order(dataset)
    components.table(
        found.with_columns(
            name=pl.col("grader").replace_strict({"": UNNAMED}, default=pl.col("grader")),
            matched_share=pl.col("matched") / pl.col("grades"),
        ),
        {
            "name": components.text_column("Grader", 200),
            "rank": components.number_column("Counts", 76, hint="Its place in the order; empty: not at all."),
            "source": components.text_column("Kind", 90),
            "grades": components.number_column("Grades", 84),
            "matched_share": components.share_column(
                "Matched", 116, "gray", hint="Grades whose id is in this log."
            ),
            "answers": components.number_column("Answers", 84, hint="Answers of the log that it graded."),
            "mean": components.share_column("Mean grade", 116, "gray"),
            "with_log": components.number_column(
                "Both", 76, hint="Answers that the log itself had graded too."
            ),
            "equal_to_log": components.share_column(
                "Agrees with log", 130, "gray", hint="Share of those with the same grade."
            ),
        },
        key=f"graders-{dataset}",
        alt="Graders with the number of their grades, how many match the log, and how they agree with it",
    )
    names: list[str | None] = [None, *found["grader"].to_list()]
    with components.row():
        chosen = st.multiselect(
            "Order in which graders count",
            names,
            [name for name in order if name in names],
            format_func=lambda name: LOG if name is None else name or UNNAMED,
            key=f"order-{dataset}",
            width=480,
        )
        pressed = st.button(
            "Save this order", key=f"order-save-{dataset}", icon=":material/check:", disabled=not chosen
        )
    if pressed:
        changes.tried(lambda: store.set_grader_order(dataset, chosen), "The order is saved.")
    st.caption(joining.RULES)


def question(dataset: str) -> str | None:
    """What must be said about graders before their grades count, where nothing says which are grades."""
    found = state.graders(dataset)
    if found.is_empty() or found["rank"].count():
        return None
    return (
        f"{words.plural(found.height, 'grader')} of the joined grades: {words.listing(found['grader'])}. No "
        "name says which of them tells whether an answer is correct, so none counts yet. Choose the order "
        "under Graders."
    )
