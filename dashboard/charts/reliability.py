"""Claimed against true: the reliability diagram with its histogram, and one small diagram per category.

Input are frames of ``analytics.measure.reliability.reliability_table``. Bins of few answers are hollow.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from analytics.measure.reliability import HOLLOW
from dashboard import look, words

HEIGHT = 500
DIAGRAM, HISTOGRAM = (0.27, 1.0), (0.0, 0.17)
COLUMNS = 3
ROW_PX, FRAME_PX = 178, 40
NAME_PX, BELOW_PX = 40, 8
SHOWN_CATEGORIES = 18
NAME = 20


def diagram(bins: pl.DataFrame, histogram: pl.DataFrame, *, fit: pl.DataFrame | None = None) -> go.Figure:
    """Accuracy over claimed confidence with intervals, and beneath it how often each confidence occurs.

    Args:
        bins: One row per bin: ``n``, ``first``, ``last``, ``confidence``, ``accuracy``, ``low``, ``high``.
        histogram: ``left``, ``right`` and ``n`` of evenly wide steps.
        fit: ``confidence`` and ``accuracy`` of the isotonic fit, drawn as a thin line.
    """
    figure = look.base(HEIGHT)
    lowest = _lowest(bins, histogram)
    span = 1 - lowest
    _diagonal(figure, axes=("x", "y"))
    look.note(
        figure,
        "right as often as claimed",
        x=lowest + 0.66 * span,
        y=lowest + 0.7 * span,
        xanchor="right",
        yanchor="bottom",
    )
    if fit is not None and fit.height > 1:
        figure.add_scatter(
            x=fit["confidence"].to_list(),
            y=fit["accuracy"].to_list(),
            mode="lines",
            line={"color": look.NEUTRAL, "width": 1.5},
            hoverinfo="skip",
        )
    _dots(figure, bins, axes=("x", "y"), size=10)
    figure.add_bar(
        x=((histogram["left"] + histogram["right"]) / 2).to_list(),
        y=histogram["n"].to_list(),
        width=((histogram["right"] - histogram["left"]) * 0.86).to_list(),
        yaxis="y2",
        marker={"color": look.NEUTRAL, "line": {"width": 0}},
        customdata=list(zip(histogram["left"], histogram["right"], strict=True)),
        hovertemplate="<b>%{customdata[0]:.2f} to %{customdata[1]:.2f}</b><br>%{y:,d} answers<extra></extra>",
    )
    figure.update_layout(
        yaxis={"domain": DIAGRAM, "range": _range(lowest), "tickformat": ".0%"},
        yaxis2={
            **_plain_axis(),
            "domain": HISTOGRAM,
            "anchor": "x",
            "nticks": 3,
            "rangemode": "tozero",
            "tickformat": "~s",
            "showgrid": True,
            "gridwidth": 1,
            "gridcolor": look.GRID,
        },
    )
    figure.update_xaxes(
        range=_range(lowest),
        tickformat=".0%",
        anchor="y2",
        title_text="Confidence of the fast answer",
    )
    look.axis_name(figure, "Right", bold=True)
    look.axis_name(figure, "Answers", y=HISTOGRAM[1], bold=True)
    return figure


def described(bins: pl.DataFrame) -> str:
    """The diagram in words."""
    parts = [
        f"claimed {words.percent(row['confidence'], digits=0)}, right "
        f"{words.percent(row['accuracy'], digits=0)} of {words.count(row['n'])}"
        for row in bins.iter_rows(named=True)
    ]
    return f"Share of right answers by confidence. {'; '.join(parts) or words.UNKNOWN}."


def multiples(tables: Mapping[str, pl.DataFrame], notes: Mapping[str, str]) -> go.Figure:
    """One small diagram per category, the largest ``SHOWN_CATEGORIES``, in alphabetical order.

    Args:
        tables: Bins by category.
        notes: A few words under each name, our own.
    """
    names = shown(tables)
    rows = max(-(-len(names) // COLUMNS), 1)
    figure = look.base(ROW_PX * rows + FRAME_PX)
    figure.update_layout(margin_t=8)
    for place, name in enumerate(names):
        _small(figure, place, of=len(names), name=name, bins=tables[name], note=notes.get(name, ""))
    return figure


def multiples_described(tables: Mapping[str, pl.DataFrame], notes: Mapping[str, str]) -> str:
    """The small diagrams in words."""
    parts = [f"{name}: {notes.get(name, '')}" for name in shown(tables)]
    return f"Share of right answers by confidence in each category. {'; '.join(parts)}."


def shown(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Categories that are drawn: those with most answers."""
    sizes = sorted(tables, key=lambda name: (-int(tables[name]["n"].sum()), name))
    return sorted(name for name in sizes[:SHOWN_CATEGORIES] if tables[name].height)


def _small(figure: go.Figure, place: int, *, of: int, name: str, bins: pl.DataFrame, note: str) -> None:
    """The diagram of one category in its place of the grid, its name above it; without its smallest bins."""
    rows = -(-of // COLUMNS)
    row, column = divmod(place, COLUMNS)
    number = "" if place == 0 else str(place + 1)
    pixel = 1 / (ROW_PX * rows)
    across = [column / COLUMNS + 0.01, (column + 1) / COLUMNS - 0.025]
    up = [1 - (row + 1) / rows + BELOW_PX * pixel, 1 - row / rows - NAME_PX * pixel]
    style = _plain_axis() | {"range": [-0.06, 1.06], "tickvals": [0.5, 1], "tickformat": ".0%"}
    sure = bins.filter(pl.col("n") >= HOLLOW)
    last = place + COLUMNS >= of
    grid = {"showgrid": True, "gridwidth": 1, "gridcolor": look.GRID}
    x, y = f"x{number}", f"y{number}"
    figure.update_layout(
        {
            f"xaxis{number}": style
            | {"domain": across, "anchor": y, "showgrid": False, "showticklabels": last},
            f"yaxis{number}": style | grid | {"domain": up, "anchor": x, "showticklabels": column == 0},
        }
    )
    _diagonal(figure, axes=(x, y))
    _dots(figure, bins if sure.is_empty() else sure, axes=(x, y), size=7, name=name)
    figure.add_annotation(
        text=f"<b>{words.label(name, limit=NAME)}</b><br>{note}",
        x=across[0],
        y=up[1],
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        align="left",
        showarrow=False,
        font={"size": look.NOTE_SIZE, "color": look.INK},
    )


def _plain_axis() -> dict[str, Any]:
    return {
        "fixedrange": True,
        "ticks": "",
        "zeroline": False,
        "tickfont": {"size": look.NOTE_SIZE, "color": look.MUTED},
        "automargin": True,
    }


def _diagonal(figure: go.Figure, *, axes: tuple[str, str]) -> None:
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        xaxis=axes[0],
        yaxis=axes[1],
        mode="lines",
        line={"color": look.INK, "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )


def _lowest(bins: pl.DataFrame, histogram: pl.DataFrame) -> float:
    """Where both axes begin: a tenth at or below everything that is drawn."""
    drawn = [*bins["low"].drop_nulls(), *bins["accuracy"], *histogram.filter(pl.col("n") > 0)["left"]]
    return max(math.floor(10 * min(drawn, default=0.0) + 1e-9) / 10, 0.0)


def _range(lowest: float) -> list[float]:
    room = 0.03 * (1 - lowest)
    return [lowest - room, 1 + room]


def _dots(
    figure: go.Figure, bins: pl.DataFrame, *, axes: tuple[str, str], size: int, name: str | None = None
) -> None:
    """Bins with their intervals; one trace for solid and hollow ones, so that they keep their order."""
    if bins.is_empty():
        return
    accuracy = bins["accuracy"].to_list()
    head = "" if name is None else f"<b>{words.label(name, limit=NAME)}</b><br>"
    figure.add_scatter(
        x=bins["confidence"].to_list(),
        y=accuracy,
        xaxis=axes[0],
        yaxis=axes[1],
        mode="lines+markers",
        line={"color": look.ACCENT + "66", "width": 1.5},
        marker={
            "size": size,
            "color": _fills(bins["n"].to_list()),
            "line": {"width": 2, "color": look.ACCENT},
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": _reach(accuracy, bins["high"].to_list()),
            "arrayminus": _reach(accuracy, bins["low"].to_list()),
            "thickness": 1.5,
            "width": 0,
            "color": look.ACCENT,
        },
        text=[_hover(row) for row in bins.iter_rows(named=True)],
        hovertemplate=head + "%{text}<extra></extra>",
    )


def _fills(counts: Sequence[int]) -> list[str]:
    return [look.PAGE if n < HOLLOW else look.ACCENT for n in counts]


def _reach(values: Sequence[float], ends: Sequence[float | None]) -> list[float]:
    return [0.0 if end is None else abs(end - value) for value, end in zip(values, ends, strict=True)]


def _hover(row: dict[str, Any]) -> str:
    span = words.number(row["first"])
    if row["last"] > row["first"]:
        span = f"{span} to {words.number(row['last'])}"
    interval = "" if row["low"] is None else f" ({words.percent_interval(row['low'], row['high'])})"
    return (
        f"<b>{span}</b><br>claimed {words.percent(row['confidence'])}<br>"
        f"right {words.percent(row['accuracy'])}{interval}<br>n {words.count(row['n'])}"
    )
