"""The datasets of the database on the Logs page: coverage, ladder, tiers of models, files, rename, delete."""

import datetime as dt

import polars as pl
import streamlit as st

from analytics.logs.prices import price_map_date
from analytics.logs.schema import TIERS
from analytics.logs.storage.ladder import Ladder, Pair
from analytics.logs.store import Store
from dashboard import (
    changes,
    components,
    files_panel,
    folder_panel,
    graders_panel,
    prices_panel,
    reasons,
    state,
    tall,
    words,
)

UNKNOWN_TIER = "unknown"
SOURCES = {"log": "the log", "price": "its price", "hand": "you"}


def datasets_table(datasets: pl.DataFrame) -> None:
    """One row per dataset with its size, its period and how much of each column is filled."""
    periods = [_period(first, last) for first, last in datasets.select("first_ts", "last_ts").iter_rows()]
    shown = datasets.with_columns(period=pl.Series(periods, dtype=pl.String))
    bars = {
        "confidence_share": ("Confidence", "Requests whose fast answer has a confidence."),
        "graded_share": ("Graded", "Requests whose fast answer is graded."),
        "cost_share": ("Cost", "Requests whose fast call has a known cost."),
        "latency_share": ("Latency", "Requests whose fast call has a latency."),
    }
    components.table(
        shown,
        {
            "name": components.text_column("Dataset", 196),
            "requests": components.number_column("Requests", 88),
            "period": components.text_column("Period", 196),
            **{
                name: components.share_column(title, 116, "gray", hint=hint)
                for name, (title, hint) in bars.items()
            },
        },
        key="datasets",
        alt="Datasets with their size, period and coverage of each column",
    )


def dataset_tabs(store: Store, dataset: str) -> None:
    """What can be changed about the dataset that the sidebar shows."""
    unclear = graders_panel.question(dataset)
    if unclear is not None:
        components.finding("Say which grader counts", unclear)
    here = state.facts(dataset)["form"] != "cells"
    if not here:
        folder_panel.elsewhere(store, dataset)
    panels = {
        "Ladder": _ladder,
        "Tiers": _tiers,
        "Prices": prices_panel.prices_panel if here else None,
        "Files": files_panel.files,
        "Graders": None if state.graders(dataset).is_empty() else graders_panel.graders,
        "Rename or delete": _manage,
    }
    shown = {name: panel for name, panel in panels.items() if panel is not None}
    for tab, panel in zip(st.tabs(list(shown)), shown.values(), strict=True):
        with tab:
            panel(store, dataset)


def pairs_of(rows: pl.DataFrame) -> list[Pair]:
    """The pairs in an edited table, in its order; rows that are not complete are left out.

    Args:
        rows: category, fast, strong; "Uncategorised" stands for requests without one.
    """
    found: list[Pair] = []
    for row in rows.iter_rows(named=True):
        if row["fast"] and row["strong"]:
            name = row["category"]
            category = None if name in (None, words.UNCATEGORISED) else str(name)
            position = sum(pair.task_category == category for pair in found)
            found.append(Pair(category, row["fast"], row["strong"], position))
    return found


def _ladder(store: Store, dataset: str) -> None:
    held = store.ladder(dataset)
    editable = store.datasets().row(by_predicate=pl.col("name") == dataset, named=True)["form"] == "calls"
    if editable and not held.confirmed and held.pairs:
        components.finding(
            "Confirm which model is fast and which is strong", reasons.said(held.reason, limit=300)
        )
    else:
        st.caption(reasons.said(held.reason, limit=300))
    if not editable:
        with tall.box(len(held.pairs)):
            components.table(
                _ladder_frame(held),
                _ladder_columns(),
                key=f"ladder-{dataset}",
                alt="Fast and strong model of each category",
            )
        return
    models = store.models(dataset)["model"].to_list()
    edited = st.data_editor(
        _ladder_frame(held),
        column_config={
            "category": components.text_column("Category", 260),
            "fast": st.column_config.SelectboxColumn("Fast model", options=models, width=310),
            "strong": st.column_config.SelectboxColumn("Strong model", options=models, width=310),
        },
        hide_index=True,
        num_rows="dynamic",
        key=f"ladder-edit-{dataset}",
        alt="Fast and strong model of each category; rows can be changed, added and removed",
        row_height=components.ROW_HEIGHT,
        width="content",
        height=tall.HEIGHT_PX if len(held.pairs) > tall.ROWS else "content",
    )
    label = "Save this ladder" if held.confirmed else "Confirm this ladder"
    if st.button(label, key=f"ladder-save-{dataset}", icon=":material/check:"):
        changes.tried(
            lambda: store.set_ladder(dataset, pairs_of(pl.DataFrame(edited))), "The ladder is saved."
        )


def _ladder_frame(held: Ladder) -> pl.DataFrame:
    rows = [(words.category(pair.task_category), pair.fast_model, pair.strong_model) for pair in held.pairs]
    return pl.DataFrame(
        rows, schema={"category": pl.String, "fast": pl.String, "strong": pl.String}, orient="row"
    )


def _ladder_columns() -> dict[str, object]:
    return {
        "category": components.text_column("Category", 260),
        "fast": components.text_column("Fast model", 310),
        "strong": components.text_column("Strong model", 310),
    }


def _tiers(store: Store, dataset: str) -> None:
    models = store.models(dataset)
    components.table(
        models.with_columns(
            tier=pl.col("tier").fill_null(UNKNOWN_TIER),
            source=pl.col("tier_source").replace_strict(SOURCES, default="nothing yet"),
        ),
        {
            "model": components.text_column("Model", 320),
            "tier": components.text_column("Tier", 120),
            "source": components.text_column("Says", 130),
            "input_usd_per_1m": components.number_column("Input, $ per 1M", 150, "$%.3f"),
            "output_usd_per_1m": components.number_column("Output, $ per 1M", 150, "$%.3f"),
        },
        key=f"models-{dataset}",
        alt="Models of this dataset with tier and list price",
    )
    st.caption(
        f"List prices of {words.plain(price_map_date())}; a cost in the log goes before them. A wrong "
        "tier can be put right here."
    )
    with components.row():
        model = st.selectbox("Model", models["model"].to_list(), key=f"tier-model-{dataset}", width=320)
        tier = st.selectbox(
            "Tier",
            [None, *TIERS],
            key=f"tier-tier-{dataset}",
            width=200,
            format_func=lambda name: "as log or price say" if name is None else name,
        )
        pressed = st.button("Set the tier", key=f"tier-set-{dataset}", icon=":material/check:")
    if pressed and model:
        changes.tried(lambda: store.set_tier(dataset, model, tier), "The tier is set.")


def _manage(store: Store, dataset: str) -> None:
    _rename(store, dataset)
    _delete(store, dataset)


def _rename(store: Store, dataset: str) -> None:
    with components.row():
        name = st.text_input("New name", dataset, key=f"name-{dataset}", max_chars=200, width=320)
        pressed = st.button("Rename", icon=":material/edit:", key=f"renamed-{dataset}")
    if pressed and name and name != dataset:
        changes.tried(lambda: store.rename(dataset, name), "The dataset is renamed.", shows=name.strip())


def _delete(store: Store, dataset: str) -> None:
    sure = st.checkbox(
        "Yes, delete this dataset. Its files can be loaded again; nothing else is touched.",
        key=f"sure-{dataset}",
    )
    if st.button("Delete", key=f"delete-{dataset}", icon=":material/delete:", disabled=not sure):
        changes.tried(lambda: store.delete(dataset), "The dataset is deleted.")


def _period(first: dt.datetime | None, last: dt.datetime | None) -> str:
    if first is None or last is None:
        return "no timestamps"
    return f"{words.date(first)} to {words.date(last)}"
