"""What the Tiers page is built of: matrix, verdicts, lines over time, tokens, and their table twins."""

from collections.abc import Sequence

import polars as pl
import streamlit as st

from analytics.estimate import Estimate
from analytics.measure.verdicts import Verdict
from dashboard import components, look, reasons, tall, words
from dashboard.charts import tiers as charts
from dashboard.components import Card
from dashboard.downloads import downloads

ALL = "All categories"
PICKED = "tiers_category"
WORDS = {
    "wins": "Strong wins",
    "helps_dear": "Helps, but dear",
    "do_not_overpay": "Do not overpay",
    "cannot_tell": "Cannot tell",
}
CHIPS = {
    "Strong wins": "#0F9D7433",
    "Helps, but dear": "#C2570C33",
    "Do not overpay": "#2563A833",
    "Cannot tell": "#7A819033",
}
LINES = {
    "accuracy": ("Accuracy", "percent", None, "No call with a time is graded."),
    "cost_per_call_usd": ("Cost per call", "money", None, "No call with a time has a known cost."),
    "latency_p50_s": ("Latency", "seconds", "latency_p95_s", "No call with a time has a latency."),
    "calls": ("Calls", "count", None, ""),
}
OWN_REQUESTS = (
    "A tier's accuracy is about the requests that it saw, and a router sends hard ones up, so these figures "
    "do not rank the tiers. The verdicts further down compare both models on the same requests."
)
VERDICTS_ALT = "Measured verdict of each category: whether the strong model is worth its price"
READ = {
    "accuracy": "Share of graded answers that are right, with its 95% interval as a band.",
    "cost_per_call_usd": "Mean cost of a call in USD, with its 95% interval as a band.",
    "latency_p50_s": "Half of the calls are faster than the thick line (p50), 95% than the thin one (p95).",
    "calls": "Calls per step of time. A shadow call counts as any other: it was paid for.",
}


def tier_cards(figures: pl.DataFrame) -> None:
    """One card per tier: its accuracy, and its price in the help text."""
    row = []
    for entry in figures.iter_rows(named=True):
        accuracy = Estimate(
            entry["accuracy"],
            entry["accuracy_low"],
            entry["accuracy_high"],
            entry["graded"],
            "95% interval",
            reason=entry["accuracy_reason"],
        )
        price = words.money(entry["cost_per_correct_usd"])
        hint = f"Accuracy of this tier. {price} per correct answer, {words.count(entry['calls'])} calls."
        card = components.card(entry["tier"].capitalize(), accuracy, "percent", hint=hint)
        row.append(card if accuracy.value is not None else _priced(entry, hint))
    components.cards(row)
    if len(row) > 1 and figures["accuracy"].drop_nulls().len():
        components.caption(OWN_REQUESTS)


def matrix(figures: pl.DataFrame) -> None:
    """The matrix of categories and tiers; a click on a cell picks its category for the lines below."""
    with st.container(border=True):
        st.plotly_chart(
            charts.matrix(figures),
            key="matrix",
            alt=charts.matrix_alt(figures),
            config=look.CONFIG,
            theme="streamlit",
            on_select=_picked,
            selection_mode="points",
        )
    graded = figures["accuracy"].drop_nulls().len() > 0
    priced = figures["cost_per_correct_usd"].drop_nulls().len() > 0
    first = "Cost of a call and number of calls."
    if graded:
        cost = "the cost per correct answer and " if priced else ""
        first = f"Accuracy as text and colour, below it {cost}the number of calls."
    components.caption(f"{first} A click on a cell picks its category for the lines below.")
    hidden = figures["task_category"].n_unique() - charts.SHOWN_CATEGORIES
    if hidden > 0:
        components.caption(
            f"The {charts.SHOWN_CATEGORIES} largest categories; {hidden} more are in the table."
        )


def figures_table(figures: pl.DataFrame, *, group: str, title: str, key: str) -> None:
    """Accuracy and costs with their intervals, one row per group and tier."""
    shown = figures.with_columns(
        pl.col(group).fill_null(words.UNCATEGORISED if group == "task_category" else words.UNKNOWN),
        accuracy_text=_texts(figures, "accuracy"),
        cost_interval=_ranges(figures, "cost_per_correct_usd"),
    )
    columns = {group: components.text_column(title, 170 if "tier" in figures.columns else 260)}
    if "tier" in figures.columns:
        columns["tier"] = components.text_column("Tier", 92)
    columns |= {
        "accuracy_text": components.text_column("Accuracy", 118, right=True),
        "cost_per_correct_usd": components.money_column("Per correct", 96, figures["cost_per_correct_usd"]),
        "cost_interval": components.text_column("95% interval", 130, right=True),
        "cost_per_call_usd": components.money_column("Per call", 90, figures["cost_per_call_usd"]),
        "latency_p50_s": components.number_column("p50", 70, "%.2f s"),
        "latency_p95_s": components.number_column("p95", 70, "%.2f s"),
        "calls": components.number_column("Calls", 80),
    }
    with tall.box(figures.height):
        components.table(shown, columns, key=key, alt=f"Accuracy, cost and latency by {title.lower()}")
    downloads(figures, file=f"tiers-by-{key}", key=key)


def verdict_table(found: Sequence[Verdict]) -> None:
    """What the strong model is worth, category by category, verdicts that say most first."""
    found = sorted(
        found, key=lambda entry: (list(WORDS).index(entry.word), words.category(entry.task_category))
    )
    frame = pl.DataFrame(
        [
            (
                words.category(entry.task_category),
                [WORDS[entry.word]],
                entry.gain.value if entry.gain.value is None else entry.gain.value * words.POINT,
                None if entry.gain.value is None else words.points_interval(entry.gain.low, entry.gain.high),
                entry.cost_per_extra_correct_usd.value,
                entry.reason,
            )
            for entry in found
        ],
        schema={
            "category": pl.String,
            "verdict": pl.List(pl.String),
            "gain": pl.Float64,
            "interval": pl.String,
            "price": pl.Float64,
            "reason": pl.String,
        },
        orient="row",
    )
    with tall.box(frame.height):
        components.table(frame, _verdict_columns(frame), key="verdicts", alt=VERDICTS_ALT)
    downloads(frame, file="tiers-verdicts", key="verdicts")


def _verdict_columns(frame: pl.DataFrame) -> dict[str, object]:
    return {
        "category": components.text_column("Category", 144),
        "verdict": components.chip_column("Measured", 128, CHIPS),
        "gain": components.points_column("Gain", 72, hint="Accuracy of always strong minus always fast."),
        "interval": components.text_column("95% interval", 116, right=True),
        "price": components.money_column(
            "Per extra correct", 116, frame["price"], hint="Added cost per added correct answer."
        ),
        "reason": components.text_column("Why", 396),
    }


def category_picker(names: Sequence[str | None]) -> str:
    """Which category the lines show; a click in the matrix sets it too."""
    options = [ALL, *(words.category(name) for name in names)]
    if st.session_state.get(PICKED, ALL) not in options:
        st.session_state[PICKED] = ALL
    return st.selectbox("Category", options, key=PICKED, bind="query-params", width=280)


def lines(frame: pl.DataFrame) -> None:
    """Accuracy, cost, latency and calls over time, each behind its tab."""
    for tab, (measure, (_, kind, upper, missing)) in zip(
        st.tabs([title for title, *_ in LINES.values()]), LINES.items(), strict=True
    ):
        with tab:
            if frame[measure].drop_nulls().is_empty():
                st.markdown(missing)
                continue
            components.bare_chart(
                charts.over_time(frame, measure, kind=kind, upper=upper),
                key=f"time-{measure}",
                alt=f"{LINES[measure][0]} by tier over time",
            )
            components.caption(READ[measure])


def token_mix(figures: pl.DataFrame) -> None:
    """How many tokens each tier reads and writes."""
    if figures["output_tokens"].drop_nulls().is_empty():
        st.markdown("This log has no tokens. Log input and output tokens to see where they go.")
        return
    with st.container(border=True):
        components.bare_chart(charts.tokens(figures), key="tokens", alt="Input and output tokens by tier")
    components.caption("Tokens of all calls of a tier. Output includes reasoning tokens.")


def _picked() -> None:
    points = st.session_state["matrix"]["selection"]["points"]
    if points:
        st.session_state[PICKED] = words.category(points[0]["customdata"][0])


def _priced(entry: dict[str, object], hint: str) -> Card:
    """The card of a tier without grades: what a call costs."""
    price, reason = entry["cost_per_call_usd"], entry["accuracy_reason"]
    value = words.money(price) if isinstance(price, float) else words.UNKNOWN
    return Card(
        str(entry["tier"]).capitalize(),
        value,
        "per call",
        f"{reasons.said(str(reason))}. {hint}".capitalize(),
    )


def _texts(frame: pl.DataFrame, name: str) -> pl.Series:
    known = zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], frame["graded"], strict=True)
    texts = [words.with_interval(Estimate(value, low, high, n, "")) for value, low, high, n in known]
    return pl.Series(texts, dtype=pl.String)


def _ranges(frame: pl.DataFrame, name: str) -> pl.Series:
    known = zip(frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
    texts = [None if low is None else words.money_interval(low, high) for low, high in known]
    return pl.Series(texts, dtype=pl.String)
