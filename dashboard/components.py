"""The parts that every page is built of: title block, cards, chart box, table twin, what holds it up."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analytics.errors import TiertuneError
from dashboard import look, reasons, words
from dashboard.downloads import downloads

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from analytics.estimate import Estimate

Kind = Literal["percent", "points", "money", "seconds", "count"]
ANSWER_WIDTH = 860
ROW_HEIGHT = 36
LEAST_COLUMNS = 4
LOGS_PAGE = "views/logs.py"


@dataclass(frozen=True, slots=True)
class Card:
    """One figure on a card.

    Attributes:
        label: At most 16 characters, else it is cut at 800 pixels.
        value: The formatted figure.
        note: Interval or comparison in the grey pill, at most 14 characters.
        hint: What the figure means, which rows are behind it.
    """

    label: str
    value: str
    note: str = words.NOT_IN_LOG
    hint: str | None = None


def card(
    label: str,
    estimate: "Estimate | None",
    kind: Kind,
    *,
    digits: int = 1,
    note: str | None = None,
    hint: str = "",
) -> Card:
    """The card of an estimate: its interval in the pill, or Unknown with the reason as help.

    Args:
        label: At most 16 characters.
        estimate: What to show; None and undefined ones read "Unknown".
        kind: How it is written.
        digits: Decimals of percentages and points.
        note: Text of the pill instead of the interval.
        hint: What the figure means.
    """
    if estimate is None or estimate.value is None:
        reason = estimate.reason if estimate is not None else None
        lacking = reasons.said(reason) if reason else "This log does not hold what it needs."
        why = f"{hint} {lacking}".strip()
        bounds = None if estimate is None or kind != "percent" else (estimate.low, estimate.high)
        if bounds is not None and bounds[0] is not None and bounds[1] is not None:
            return Card(label, words.between(bounds[0], bounds[1]), note or "bounds only", why)
        return Card(label, words.UNKNOWN, note or words.NOT_IN_LOG, why)
    rows = f"n {words.count(estimate.n)}; {estimate.method}."
    shown = note or _interval(estimate, kind, digits) or f"n{words.NBSP}{words.count(estimate.n)}"
    return Card(label, _written(estimate.value, kind, digits), shown, f"{hint} {rows}".strip())


def _written(value: float, kind: Kind, digits: int) -> str:
    if kind in ("percent", "points"):
        return words.percent(value, digits=digits) if kind == "percent" else words.points(value, plus=True)
    return {"money": words.money, "seconds": words.seconds, "count": words.count}[kind](value)


def _interval(estimate: "Estimate", kind: Kind, digits: int) -> str:
    low, high = estimate.low, estimate.high
    if low is None or high is None or kind == "count":
        return ""
    if _written(low, kind, digits) == _written(high, kind, digits):
        return ""
    if kind in ("percent", "points"):
        write = words.percent_interval if kind == "percent" else words.points_interval
        return write(low, high, digits=digits)
    return words.money_interval(low, high) if kind == "money" else words.seconds_interval(low, high)


def ratio_card(label: str, value: float | None, other: str, other_value: float | None) -> Card:
    """A number with that of another strategy in its pill."""
    note = words.NOT_IN_LOG if other_value is None else f"{other}{words.NBSP}{words.amount(other_value)}"
    return Card(label, words.amount(value), note)


def cards(row: Sequence[Card], *, boxed: bool = False) -> None:
    """Up to five equal cards, which wrap to 3 + 2 on narrow screens; ``boxed`` inside a bordered box."""
    with st.grid(max(len(row), LEAST_COLUMNS), min_column_width=130 if boxed else 140):
        for entry in row:
            st.metric(
                entry.label,
                words.dollars(entry.value),
                delta=words.dollars(entry.note),
                delta_color="off",
                delta_arrow="off",
                border=True,
                height="stretch",
                help=words.dollars(entry.hint) if entry.hint else None,
            )


def title_block(question: str, answer: str) -> None:
    """The question and, under it, the computed answer in one sentence of our own markdown.

    Names from a log inside ``answer`` must have gone through ``words.plain``.
    """
    with st.container(gap=None):
        st.title(question, anchor=False)
        st.header(words.dollars(answer), anchor=False, width=ANSWER_WIDTH)


def section(title: str) -> None:
    """A section title, at most 40 characters."""
    st.subheader(title, anchor=False)


def caption(text: str) -> None:
    """One sentence under a picture: how to read it."""
    st.caption(words.dollars(text))


def chart(
    figure: "go.Figure", *, key: str, alt: str, note: str | None = None, title: str | None = None
) -> None:
    """A chart in a bordered box with its title above and its caption below.

    Args:
        figure: From ``look.base``.
        key: Unique on the page.
        alt: What the picture shows, for those who do not see it.
        note: The caption.
        title: Section title above the box.
    """
    if title is not None:
        section(title)
    with st.container(border=True):
        bare_chart(figure, key=key, alt=alt)
    if note is not None:
        caption(note)


def bare_chart(figure: "go.Figure", *, key: str, alt: str) -> None:
    """A chart without a box, for a place that already has one."""
    st.plotly_chart(figure, key=key, alt=alt, config=look.CONFIG, theme="streamlit")


def table(
    frame: pl.DataFrame,
    columns: Mapping[str, Any],
    *,
    key: str,
    alt: str,
    file: str | None = None,
    export: pl.DataFrame | None = None,
) -> None:
    """The table twin of a picture, with CSV and Parquet downloads where ``file`` names them.

    Args:
        frame: The shown columns, numbers as numbers so that they sort.
        columns: Column configurations in display order; other columns and those without any value are
            not shown.
        key: Unique on the page.
        alt: What the table holds.
        file: Name of the downloads without ending.
        export: What to download; by default ``frame``.
    """
    shown = [name for name in columns if frame.is_empty() or frame[name].null_count() < frame.height]
    bars = [name for name, entry in columns.items() if entry["type_config"]["type"] == "progress"]
    st.dataframe(
        frame.with_columns(pl.col(bars).round(2)),
        width="content",
        height="content",
        row_height=ROW_HEIGHT,
        hide_index=True,
        placeholder="unknown",
        column_order=shown,
        column_config={name: columns[name] for name in shown},
        key=key,
        alt=alt,
    )
    if file is not None:
        downloads(frame if export is None else export, file=file, key=key)


def text_column(title: str, width: int, *, right: bool = False, hint: str | None = None) -> Any:
    """A column of text; numbers written with their interval are right-aligned."""
    return st.column_config.TextColumn(title, width=width, help=hint, alignment="right" if right else "left")


def number_column(title: str, width: int, pattern: str = "%,d", *, hint: str | None = None) -> Any:
    """A column of numbers that sort; ``pattern`` is Streamlit's printf."""
    return st.column_config.NumberColumn(title, width=width, format=pattern, help=hint)


def points_column(title: str, width: int, *, hint: str | None = None) -> Any:
    """Differences in points; the frame holds points, not shares."""
    return st.column_config.NumberColumn(title, width=width, format="%+.1f pt", help=hint)


def money_column(title: str, width: int, values: pl.Series, *, hint: str | None = None) -> Any:
    """Amounts in USD with one number of decimals: two significant digits of the typical amount."""
    known = values.drop_nulls().abs()
    typical = known.filter(known > 0).median()
    decimals = min(words.money_decimals(typical if isinstance(typical, float) else None) + 1, 6)
    return st.column_config.NumberColumn(title, width=width, format=f"$%.{decimals}f", help=hint)


def share_column(title: str, width: int, color: str = "primary", *, hint: str | None = None) -> Any:
    """A share in [0, 1] as a bar with its percentage: primary escalated, green saved, gray coverage."""
    return st.column_config.ProgressColumn(
        title, width=width, format="percent", min_value=0.0, max_value=1.0, color=color, help=hint
    )


def chip_column(title: str, width: int, chips: Mapping[str, str], *, hint: str | None = None) -> Any:
    """Chips from one-element lists of text; ``chips`` gives each word's colour with alpha."""
    return st.column_config.MultiselectColumn(
        title, width=width, options=list(chips), color=list(chips.values()), help=hint
    )


def verdict_column(title: str = "Verdict", width: int = 112) -> Any:
    """The verdict chips; the frame holds ``[words.verdict(name).word]``."""
    return chip_column(title, width, {entry.word: entry.chip for entry in words.VERDICTS.values()})


def verdict_badge(name: str | None) -> None:
    """Word, icon and colour of one verdict."""
    shown = words.verdict(name)
    st.badge(shown.word, icon=shown.icon, color=shown.badge, help=shown.meaning)  # type: ignore[arg-type]


def row() -> DeltaGenerator:
    """Controls side by side, their lower edges in one line."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="small")


def provenance(facts: Sequence[tuple[str, str]], *, title: str = "How sure are we?") -> None:
    """The expander with what holds the figures up: estimator, n, what was left out, assumptions, formula.

    Args:
        facts: Pairs of a short name and a sentence of our own markdown.
        title: Label of the expander.
    """
    with st.expander(title, icon=":material/verified:"):
        for name, sentence in facts:
            st.markdown(words.dollars(f"**{name}.** {sentence}"))


def finding(title: str, body: str) -> None:
    """A warning: the finding as title, what it means and what to do as body."""
    st.warning(words.dollars(body), title=words.dollars(title), icon=":material/warning:")


def empty(
    title: str,
    *,
    add: str,
    then: str,
    icon: str = ":material/upload_file:",
    link: tuple[str, str] | None = None,
) -> None:
    """An empty state: what is missing, what to add, what this page will then show.

    Args:
        title: What is missing, bold.
        add: What to add.
        then: What the page will then show.
        icon: Material icon.
        link: Page file and label of a button; by default to the Logs page.
    """
    page, label = link or (LOGS_PAGE, "Add a log")
    with st.container(border=True, horizontal_alignment="center", height=260, vertical_alignment="center"):
        st.markdown(f"{icon} **{title}**", width="content")
        st.caption(words.dollars(add), width="content", text_alignment="center")
        st.caption(words.dollars(then), width="content", text_alignment="center")
        st.page_link(page, label=label, icon=":material/arrow_forward:", width="content")


def no_log(question: str, *, then: str) -> None:
    """The empty state of a page before the first log."""
    title_block(question, "No log is loaded yet, so nothing can be said.")
    empty(
        "No log in this database",
        add="Add a request log on the Logs page: CSV, JSON lines, JSON or Parquet.",
        then=f"This page will then show {then}.",
    )


@contextmanager
def explained(question: str | None = None) -> Iterator[None]:
    """Run a block whose question this log may not answer: explain the error and stop the page.

    Args:
        question: Title of the page, where it is not drawn yet.
    """
    try:
        yield
    except TiertuneError as error:
        if question is not None:
            title_block(question, "This log cannot answer that yet.")
        explain(error)
        st.stop()


HEADLINES = {
    "schema": "This log cannot be read that way",
    "insufficient_data": "Too little data for this question",
    "not_identified": "This log cannot tell",
}


def explain(error: TiertuneError) -> None:
    """Show why there is no answer; the message was written for the user."""
    finding(HEADLINES.get(error.kind, "There is no answer yet"), reasons.said(str(error)))
