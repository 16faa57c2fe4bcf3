"""What each tier costs and gets right: the matrix by category, the lines over time, the tokens.

Input is the flat frame of tier figures, one row per group, whose estimates are three columns each:
``accuracy``, ``accuracy_low``, ``accuracy_high`` and so on. Null is not drawn, never drawn as zero.
"""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from analytics.logs.schema import TIERS
from dashboard import look, words

SHOWN_CATEGORIES = 20
ROW_PX = 58
TIME_PX = 300
LABEL_GAP_PX = 18
MARKS_UP_TO = 40
SHADES = (look.ACCENT + "0D", look.ACCENT + "70")
"""Least and most accurate cell: pale enough that the text keeps 4.5 to 1 in both themes."""
FORMATS = {"percent": ".0%", "money": "$.4~f", "seconds": ",~g", "count": ",.0f"}
TOKENS = (("input_tokens", "input", look.NEUTRAL, ""), ("output_tokens", "output", look.ESTIMATED, "/"))
THOUSAND, MILLION = 1e3, 1e6
UNKNOWN = "unknown"
"""Stands for models of no tier: without a known price, and not placed by hand."""
ORDER = (*TIERS, UNKNOWN)
COLOUR = look.TIER | {UNKNOWN: look.NEUTRAL}
DASH = look.TIER_DASH | {UNKNOWN: "dashdot"}
MARK = look.TIER_MARK | {UNKNOWN: "x"}


def matrix(frame: pl.DataFrame) -> go.Figure:
    """Categories down, tiers across: accuracy as colour, cost per correct answer and n as text.

    The largest ``SHOWN_CATEGORIES`` categories are drawn. An unseen mark lies on every cell, so that a
    click selects it; its ``customdata`` is the cell's (category, tier).

    Args:
        frame: task_category, tier, calls, accuracy with its ends, cost_per_correct_usd, cost_per_call_usd.
    """
    categories = shown_categories(frame)
    tiers = [tier for tier in ORDER if tier in set(frame["tier"])]
    cells = {(row["task_category"], row["tier"]): row for row in frame.iter_rows(named=True)}
    figure = look.base(ROW_PX * len(categories) + 48)
    found = [[cells.get((category, tier)) for tier in tiers] for category in categories]
    graded = [cell["accuracy"] for row in found for cell in row if cell and cell["accuracy"] is not None]
    priced = frame["cost_per_correct_usd"].drop_nulls().len() > 0
    figure.add_heatmap(
        z=[[cell["accuracy"] if cell else None for cell in row] for row in found],
        text=[[_cell_text(cell, priced=priced) for cell in row] for row in found],
        texttemplate="%{text}",
        textfont={"size": look.NOTE_SIZE + 1, "color": look.INK},
        colorscale=[list(end) for end in enumerate(SHADES)],
        zmin=min(graded, default=0.0) - 0.05,
        zmax=max(graded, default=1.0) + 0.05,
        showscale=False,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    _cell_targets(figure, found, categories=categories, tiers=tiers)
    figure.update_xaxes(
        tickvals=list(range(len(tiers))), ticktext=tiers, side="top", range=[-0.5, len(tiers) - 0.5]
    )
    figure.update_yaxes(
        tickvals=list(range(len(categories))),
        ticktext=[words.label(category, limit=26) for category in categories],
        range=[len(categories) - 0.5, -0.5],
        showgrid=False,
    )
    figure.update_layout(margin={"t": 8})
    return figure


def matrix_alt(frame: pl.DataFrame) -> str:
    """What the matrix shows, in words."""
    categories, across = frame["task_category"].n_unique(), frame["tier"].n_unique()
    return f"Matrix of {categories} categories by {across} tiers: accuracy and cost per correct answer."


def shown_categories(frame: pl.DataFrame) -> list[str | None]:
    """The categories that the matrix draws: the largest ones, in alphabetical order, uncategorised last."""
    sizes = frame.group_by("task_category").agg(pl.col("calls").sum()).sort("calls", descending=True)
    kept = sizes["task_category"].head(SHOWN_CATEGORIES).to_list()
    return sorted(kept, key=lambda name: (name is None, str(name).casefold()))


def over_time(frame: pl.DataFrame, measure: str, *, kind: str, upper: str | None = None) -> go.Figure:
    """One line per tier over time with its interval as a band, named at its end.

    Args:
        frame: ``day`` (Date), ``tier``, the measure and, where it has an interval, ``_low`` and ``_high``.
        measure: The column drawn as a line.
        kind: percent, money, seconds or count: how the axis is written.
        upper: A second column, drawn thin and dashed (p95 beside p50).
    """
    figure = look.base(TIME_PX)
    lines = [(tier, frame.filter(pl.col("tier") == tier).sort("day")) for tier in ORDER]
    lines = [(tier, line) for tier, line in lines if line[measure].drop_nulls().len()]
    for tier, line in lines:
        _band(figure, line, measure, colour=COLOUR[tier])
        _line(figure, line, measure, tier=tier, kind=kind)
        if upper is not None:
            _line(figure, line, upper, tier=tier, kind=kind, thin=True)
    bottom, top = _span(
        [line for _, line in lines], [measure, f"{measure}_low", f"{measure}_high", upper], kind
    )
    figure.update_yaxes(
        range=[bottom, top], tickformat=FORMATS[kind], ticksuffix=" s" if kind == "seconds" else ""
    )
    figure.update_xaxes(tickangle=0, nticks=8)
    figure.update_layout(margin={"r": 84, "t": 16}, hovermode="closest")
    _end_labels(figure, lines, measure, bottom=bottom, top=top)
    return figure


def tokens(frame: pl.DataFrame) -> go.Figure:
    """Tokens of each tier's calls, stacked: input and output, reasoning included in the output.

    Args:
        frame: ``tier``, ``input_tokens`` and ``output_tokens`` as sums; null where unknown.
    """
    rows = {row["tier"]: row for row in frame.iter_rows(named=True)}
    tiers = [tier for tier in reversed(ORDER) if tier in rows]
    figure = look.base(44 * len(tiers) + 76)
    figure.update_layout(barmode="stack", margin={"t": 8, "r": 190}, bargap=0.35)
    for column, name, colour, shape in TOKENS:
        if frame[column].drop_nulls().is_empty():
            continue
        figure.add_bar(
            y=tiers,
            x=[rows[tier][column] for tier in tiers],
            orientation="h",
            name=name,
            marker={
                "color": colour,
                "line": {"width": 1, "color": look.PAGE},
                "pattern": {
                    "shape": shape,
                    "size": 6,
                    "solidity": 0.3,
                    "fgcolor": look.PAGE,
                    "bgcolor": colour,
                },
            },
            hovertemplate=f"<b>%{{y}}</b><br>%{{x:,.0f}} {name} tokens<extra></extra>",
        )
    figure.update_xaxes(
        showgrid=True, gridcolor=look.GRID, tickformat=".2~s", title_text="tokens in this log"
    )
    figure.update_yaxes(showgrid=False)
    _token_labels(figure, tiers)
    return figure


def _token_labels(figure: go.Figure, tiers: Sequence[str]) -> None:
    """What each tier reads and writes, in words at the end of its bar."""
    for row, tier in enumerate(tiers):
        counts = [(bar.name, bar.x[row]) for bar in figure.data]
        figure.add_annotation(
            x=sum(value or 0 for _, value in counts),
            y=tier,
            text=" · ".join(f"{_short(value)} {name}" for name, value in counts if value),
            xanchor="left",
            xshift=6,
            showarrow=False,
            font={"size": look.TICK_SIZE, "color": look.MUTED},
        )


def _short(value: float) -> str:
    """``12.3M``, ``456k``."""
    if value >= MILLION:
        return f"{value / MILLION:,.1f}M"
    return f"{value / THOUSAND:,.0f}k" if value >= THOUSAND else f"{value:,.0f}"


def _cell_text(cell: dict[str, Any] | None, *, priced: bool) -> str:
    """Accuracy, cost per correct answer where any cell has one, and calls."""
    if cell is None:
        return ""
    price = cell["cost_per_correct_usd"]
    cost = words.label(words.money(price)) if price is not None else "no cost"
    lines = [f"<b>{words.percent(cell['accuracy'])}</b>", f"n {words.count(cell['calls'])}"]
    return "<br>".join([lines[0], cost, lines[1]] if priced else lines)


def _cell_targets(
    figure: go.Figure,
    found: Sequence[Sequence[dict[str, Any] | None]],
    *,
    categories: Sequence[str | None],
    tiers: Sequence[str],
) -> None:
    """Invisible marks that carry hover text and clicks; words in the cells that have no colour."""
    hits = [
        (column, row, cell)
        for row, cells in enumerate(found)
        for column, cell in enumerate(cells)
        if cell is not None
    ]
    figure.add_scatter(
        x=[column for column, _, _ in hits],
        y=[row for _, row, _ in hits],
        mode="markers",
        marker={"symbol": "square", "size": ROW_PX - 8, "opacity": 0, "color": look.ACCENT},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=[[categories[row], tiers[column]] for column, row, _ in hits],
        text=[_cell_hover(cell, category=categories[row]) for _, row, cell in hits],
        hovertemplate="%{text}<extra></extra>",
    )
    for column, row, cell in hits:
        if cell["accuracy"] is None:
            price, calls = words.label(words.money(cell["cost_per_call_usd"])), words.count(cell["calls"])
            look.note(figure, f"not graded<br>{price} a call<br>n {calls}", x=column, y=row)


def _cell_hover(cell: dict[str, Any], *, category: str | None) -> str:
    interval = words.percent_interval(cell["accuracy_low"], cell["accuracy_high"])
    lines = [
        f"<b>{words.label(category)}, {cell['tier']}</b>",
        f"accuracy {words.percent(cell['accuracy'])} ({interval})",
        f"{words.label(words.money(cell['cost_per_correct_usd']))} per correct answer",
        f"{words.label(words.money(cell['cost_per_call_usd']))} per call, {words.count(cell['calls'])} calls",
    ]
    return "<br>".join(lines)


def _line(
    figure: go.Figure, line: pl.DataFrame, measure: str, *, tier: str, kind: str, thin: bool = False
) -> None:
    name = f"{tier}, p95" if thin else tier
    shown = "%{y:" + {"percent": ".1%", "money": "$.5f", "seconds": ".2f", "count": ",.0f"}[kind] + "}"
    unit = " s" if kind == "seconds" else ""
    figure.add_scatter(
        x=line["day"].to_list(),
        y=line[measure].to_list(),
        mode="lines" if thin or line.height > MARKS_UP_TO else "lines+markers",
        line={
            "color": COLOUR[tier],
            "width": 1.25 if thin else look.LINE,
            "dash": "dash" if thin else DASH[tier],
        },
        marker={"size": 6, "symbol": MARK[tier]},
        hovertemplate=f"<b>{name}</b> %{{x|%d %b %Y}}<br>{shown}{unit}<extra></extra>",
    )


def _band(figure: go.Figure, line: pl.DataFrame, measure: str, *, colour: str) -> None:
    low, high = f"{measure}_low", f"{measure}_high"
    if low not in line.columns or high not in line.columns:
        return
    known = line.drop_nulls([low, high])
    if known.is_empty():
        return
    days = known["day"].to_list()
    figure.add_scatter(
        x=[*days, *reversed(days)],
        y=[*known[high].to_list(), *reversed(known[low].to_list())],
        fill="toself",
        fillcolor=look.band(colour),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
    )


def _span(lines: Sequence[pl.DataFrame], columns: Sequence[str | None], kind: str) -> tuple[float, float]:
    """The axis range: 5% beyond what is drawn, from zero for everything but shares."""
    values = [
        value
        for line in lines
        for column in columns
        if column is not None and column in line.columns
        for value in line[column].drop_nulls().to_list()
    ]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if kind != "percent":
        return 0.0, high * 1.05 or 1.0
    pad = max(0.05 * (high - low), 0.01)
    return max(low - pad, 0.0), min(high + pad, 1.0)


def _end_labels(
    figure: go.Figure, lines: Sequence[tuple[str, pl.DataFrame]], measure: str, *, bottom: float, top: float
) -> None:
    """The tier's name at the end of its line, pushed apart where two would overlap."""
    ends = sorted((line.drop_nulls(measure)[measure][-1], tier) for tier, line in lines)
    least = LABEL_GAP_PX / (TIME_PX - 60) * (top - bottom)
    below = bottom - least
    for value, tier in ends:
        below = max(value, below + least)
        figure.add_annotation(
            text=tier,
            xref="paper",
            x=1,
            y=below,
            xanchor="left",
            xshift=8,
            showarrow=False,
            font={"size": look.TICK_SIZE, "color": COLOUR[tier]},
        )
