"""Prices on the Logs page: what each model costs, prices set by hand, costs priced anew and compared."""

from typing import Any

import polars as pl
import streamlit as st

from analytics.logs.prices import Override, price_map_date
from analytics.logs.store import Store
from dashboard import changes, components, state, tall, words

TITLES = {
    "input": "Input",
    "output": "Output",
    "cache_read": "Cache read",
    "cache_write": "Cache write",
    "cache_write_1h": "Written 1 h",
    "reasoning": "Reasoning",
}
_HINTS = {
    "input": "Input tokens.",
    "output": "Output tokens.",
    "cache_read": "Input tokens read from the provider's cache; costs what input costs if there is no price.",
    "cache_write": "Input tokens written to the cache; costs what input costs if there is no price.",
    "cache_write_1h": "Those written for an hour; costs what a cache write costs if there is no price.",
    "reasoning": "Reasoning tokens, which are part of output; costs what output costs if there is no price.",
}
_MISSING, _ALL = "Only costs that the log lacks", "All costs; the log's own are kept for comparison"
_MOST_USD = 1_000_000.0
_OFF = 0.05


def prices_panel(store: Store, dataset: str) -> None:
    """What the models of a dataset cost, and what can be done about it.

    Args:
        store: The open database.
        dataset: Name of a dataset in it.
    """
    models = state.model_prices(dataset)
    _unknown(models)
    _table(models, dataset)
    _by_hand(store, models, dataset)
    _compared(models, dataset)
    _anew(store, models, dataset)


def _unknown(models: pl.DataFrame) -> None:
    unknown = models.filter(pl.col("price_source").is_null())
    if unknown.is_empty():
        return
    calls, tokens = (
        int(unknown.select(pl.sum_horizontal(pl.col(names).sum().fill_null(0))).item() or 0)
        for names in (["calls"], ["input_tokens", "output_tokens"])
    )
    who = "It" if unknown.height == 1 else "They"
    components.finding(
        f"No price is known for {words.plural(unknown.height, 'model')}",
        f"{who} made {words.plural(calls, 'call')} with {words.plural(tokens, 'token')}. Where the log has "
        "no cost either, it stays unknown. Set a price below.",
    )


def _table(models: pl.DataFrame, dataset: str) -> None:
    tokens = pl.sum_horizontal("input_tokens", "output_tokens")
    shown = models.with_columns(
        says=pl.when(pl.col("price_source") == "hand")
        .then(pl.concat_str(pl.lit("you, "), pl.col("set_at").dt.strftime("%Y-%m-%d")))
        .when(pl.col("price_source") == "list")
        .then(pl.lit("the list"))
        .otherwise(pl.lit("not known")),
        also=pl.concat_list(
            pl.col("services"),
            pl.when(pl.col("long_above_tokens").is_not_null())
            .then(pl.concat_list(pl.lit("long prompts")))
            .otherwise(pl.lit([], pl.List(pl.String))),
        ).list.join(", "),
        tokens=tokens,
    )
    with tall.box(models.height):
        components.table(
            shown,
            {
                "model": components.text_column("Model", 200),
                "says": components.text_column("Price by", 120),
                **{
                    f"{name}_usd_per_1m": components.number_column(title, 90, "$%.4g", hint=_HINTS[name])
                    for name, title in TITLES.items()
                },
                "also": components.text_column(
                    "Also priced", 140, hint="Service tiers and prompts with prices of their own."
                ),
                "calls": components.number_column("Calls", 74),
                "tokens": components.number_column("Tokens", 96),
            },
            key=f"prices-{dataset}",
            alt="Models of this log with the price of each kind of token, in USD per million",
            file=f"prices-{dataset}",
            export=models.drop("reason").with_columns(price_list=pl.lit(price_map_date())),
        )
    st.caption(
        f"USD per million tokens. The list is that of {words.plain(price_map_date())}. Batch, flex and other "
        "tiers cost their own price where the log names the tier and the list has one."
    )


def _by_hand(store: Store, models: pl.DataFrame, dataset: str) -> None:
    components.section("Set a price by hand")
    names = models["model"].to_list()
    model = st.selectbox("Model", names, key=f"price-model-{dataset}", width=320)
    if model is None:
        return
    row = models.row(by_predicate=pl.col("model") == model, named=True)
    held = store.prices()
    own = next((name for name in held if name.casefold() == model.casefold()), None)
    stated = held[own] if own else Override()
    with st.form(f"price-form-{dataset}-{model}", border=True):
        values: dict[str, Any] = {}
        with st.grid(len(TITLES), min_column_width=130):
            for name, title in TITLES.items():
                known = row[f"{name}_usd_per_1m"]
                values[name] = st.number_input(
                    title,
                    min_value=0.0,
                    max_value=_MOST_USD,
                    value=getattr(stated, name),
                    step=None,
                    format="%.6g",
                    placeholder="unknown" if known is None else f"{known:g}",
                    help=_HINTS[name],
                    key=f"price-{name}-{dataset}-{model}",
                )
        st.caption(
            "USD per million tokens. Where you leave a field empty, cache prices follow the input that you "
            "set, reasoning follows the output, and anything else stays as it is. The price holds for every "
            "log in this database and for those loaded later."
        )
        with st.container(horizontal=True, gap="small"):
            saved = st.form_submit_button("Save the price", icon=":material/check:")
            removed = st.form_submit_button("Back to the list", icon=":material/undo:", disabled=own is None)
    if saved:
        if not any(value is not None for value in values.values()):
            st.error("Give at least one price.", icon=":material/error:")
            return
        changes.tried(lambda: store.set_price(model, Override(**values)), "The price is saved.")
    if removed and own is not None:
        changes.tried(lambda: store.set_price(own, None), "The price is the list's again.")


def _compared(models: pl.DataFrame, dataset: str) -> None:
    components.section("Costs in the log and by price")
    both = models.filter((pl.col("compared_calls") > 0) | pl.col("reason").is_not_null())
    if both.is_empty():
        st.caption("No call has both a cost in the log and a price, so there is nothing to compare.")
        return
    compared = both.filter(pl.col("compared_calls") > 0)
    if not compared.is_empty():
        _comparison(compared, dataset)
    for row in both.filter(pl.col("reason").is_not_null()).iter_rows(named=True):
        st.caption(words.dollars(f"**{words.plain(row['model'])}.** {row['reason']}"))
    if not both.filter((pl.col("off_share") > _OFF) & pl.col("reason").is_null()).is_empty():
        st.caption("Where no reason is given, the calls that differ show no single one.")


def _comparison(compared: pl.DataFrame, dataset: str) -> None:
    with tall.box(compared.height):
        components.table(
            compared,
            {
                "model": components.text_column("Model", 220),
                "compared_calls": components.number_column(
                    "Calls", 80, hint="Calls with a cost in the log, tokens and a price."
                ),
                "logged_usd": components.money_column("In the log", 116, compared["logged_usd"]),
                "priced_usd": components.money_column("By price", 116, compared["priced_usd"]),
                "ratio": components.number_column("Ratio", 80, "%.3f", hint="In the log, divided by price."),
                "off_share": components.share_column(
                    "Off by over 5%", 130, "gray", hint="Share of these calls."
                ),
            },
            key=f"compared-{dataset}",
            alt="Costs in the log and costs by price of each model",
            file=f"costs-compared-{dataset}",
            export=compared.select(
                "model", "compared_calls", "logged_usd", "priced_usd", "ratio", "off_share", "reason"
            ),
        )


def _anew(store: Store, models: pl.DataFrame, dataset: str) -> None:
    components.section("Price this log anew")
    outdated = int(models["outdated_costs"].sum())
    if outdated:
        components.finding(
            "Costs are out of date",
            f"{words.plural(outdated, 'cost')} would be different at today's prices. Every page goes by the "
            f"old {'one' if outdated == 1 else 'ones'} until this log is priced anew.",
        )
    now = store.priced_costs(dataset)
    chosen = st.radio(
        "What to price",
        ["missing", "all"],
        index=1 if now == "all" else 0,
        format_func=lambda which: _ALL if which == "all" else _MISSING,
        key=f"reprice-which-{dataset}-{now}",
    )
    if st.button(
        "Price this log anew",
        key=f"reprice-{dataset}",
        icon=":material/refresh:",
        type="primary" if outdated else "secondary",
    ):
        changes.tried(lambda: _told(store, dataset, chosen), None)
    priced, unknown = (int(models[name].sum()) for name in ("priced_costs", "unknown_costs"))
    st.caption(
        f"Costs of this log that are by price now: {words.count(priced)}. Costs that are unknown: "
        f"{words.count(unknown)}."
    )


def _told(store: Store, dataset: str, which: str | None) -> None:
    done = store.reprice(dataset, of="all" if which == "all" else "missing")
    st.toast(f"{words.plural(done.changed, 'cost')} changed.", icon=":material/check:")
