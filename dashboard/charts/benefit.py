"""What escalating gains at each confidence, and the confidence's figures over time."""

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from analytics.tuning.benefit import LEAST_IN_BIN
from dashboard import look, words

if TYPE_CHECKING:
    import polars as pl

    from analytics.tuning.benefit import Benefit

HEIGHT = 420
TIME_PX = 560
MARKS_UP_TO = 40
PANELS: dict[str, tuple[str, str, tuple[float, float], str]] = {
    "auroc": ("AUROC", "y", (0.72, 1.0), ".2f"),
    "gap": ("Claimed minus right", "y2", (0.36, 0.64), ".0%"),
    "brier": ("Brier score", "y3", (0.0, 0.28), ".2f"),
}


def gains(found: "Benefit") -> go.Figure:
    """Strong minus fast grade over confidence with its band; where it rises by more than chance is marked."""
    figure = look.base(HEIGHT)
    bins = found.bins
    x, gain = bins["confidence"].to_list(), bins["gain"].to_list()
    low, high = bins["low"].to_list(), bins["high"].to_list()
    sure = [index for index, n in enumerate(bins["n"].to_list()) if n >= LEAST_IN_BIN] or list(range(len(x)))
    figure.add_scatter(
        x=[*(x[index] for index in sure), *(x[index] for index in reversed(sure))],
        y=[*(high[index] for index in sure), *(low[index] for index in reversed(sure))],
        fill="toself",
        fillcolor=look.band(look.ACCENT),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
    )
    _rising(figure, found)
    figure.add_hline(y=0, line={"color": look.INK, "width": 1, "dash": "dot"})
    figure.add_scatter(
        x=x,
        y=gain,
        mode="lines+markers",
        line={"color": look.ACCENT, "width": look.LINE},
        marker={
            "size": 9,
            "color": [look.PAGE if n < LEAST_IN_BIN else look.ACCENT for n in bins["n"].to_list()],
            "line": {"width": 2, "color": look.ACCENT},
        },
        text=[_hover(row) for row in bins.iter_rows(named=True)],
        hovertemplate="%{text}<extra></extra>",
    )
    bottom, top = min([0.0, *(low[index] for index in sure)]), max([0.0, *(high[index] for index in sure)])
    room = 0.06 * (top - bottom or 0.1)
    left, right = min(x), max(x)
    side = 0.04 * (right - left or 0.1)
    figure.update_yaxes(range=[bottom - room, top + room], tickformat="+.0%")
    figure.update_xaxes(
        range=[left - side, right + side], tickformat=".2f", title_text="Confidence of the fast answer"
    )
    look.axis_name(figure, "Right answers gained by escalating", bold=True)
    look.note(figure, "no gain", x=left - side, y=0, xanchor="left", yanchor="bottom")
    return figure


def gains_described(found: "Benefit") -> str:
    """The picture in words."""
    parts = [
        f"confidence {words.number(row['confidence'], digits=2)}: {words.points(row['gain'], plus=True)}"
        for row in found.bins.iter_rows(named=True)
    ]
    return f"Gain of escalating by confidence. {'; '.join(parts) or words.UNKNOWN}."


def over_time(frame: "pl.DataFrame") -> go.Figure:
    """AUROC, gap and Brier score over time with their bands, each in a panel of its own scale.

    Args:
        frame: ``day`` and each measure with ``_low`` and ``_high``.
    """
    figure = look.base(TIME_PX)
    for measure, (title, axis, domain, pattern) in PANELS.items():
        known = frame.drop_nulls(measure)
        days = known["day"].to_list()
        banded = known.drop_nulls([f"{measure}_low", f"{measure}_high"])
        across = banded["day"].to_list()
        figure.add_scatter(
            x=[*across, *reversed(across)],
            y=[*banded[f"{measure}_high"].to_list(), *reversed(banded[f"{measure}_low"].to_list())],
            yaxis=axis,
            fill="toself",
            fillcolor=look.band(look.ACCENT),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )
        shown = "%{y:+.1%}" if measure == "gap" else "%{y:.3f}"
        figure.add_scatter(
            x=days,
            y=known[measure].to_list(),
            yaxis=axis,
            mode="lines" if known.height > MARKS_UP_TO else "lines+markers",
            line={"color": look.ACCENT, "width": look.LINE},
            marker={"size": 6, "color": look.ACCENT},
            customdata=known["n"].to_list(),
            hovertemplate=f"<b>%{{x|%d %b %Y}}</b><br>{title} {shown}<br>n %{{customdata:,d}}<extra></extra>",
        )
        key = f"yaxis{axis.removeprefix('y')}"
        figure.update_layout({key: _panel(domain, pattern)})
        look.axis_name(figure, title, y=domain[1], bold=True)
    figure.update_xaxes(tickangle=0, nticks=8, anchor="y3")
    return figure


def over_time_described(frame: "pl.DataFrame") -> str:
    """The lines in words: first and last value of each measure."""
    parts = []
    for measure, (title, *_) in PANELS.items():
        values = frame[measure].drop_nulls()
        if values.len():
            parts.append(f"{title} {values[0]:.2f} at first, {values[-1]:.2f} at last")
    return f"Confidence over time. {'; '.join(parts) or words.UNKNOWN}."


def _rising(figure: go.Figure, found: "Benefit") -> None:
    """Mark the bins between which the gain rises, where a single threshold is not the best policy."""
    below, above = found.rise.below, found.rise.above
    if not found.several_thresholds or below is None or above is None:
        return
    rows = {(row["first"], row["last"]): row for row in found.bins.iter_rows(named=True)}
    ends = [rows[span] for span in (below, above) if span in rows]
    figure.add_scatter(
        x=[row["confidence"] for row in ends],
        y=[row["gain"] for row in ends],
        mode="markers",
        marker={"size": 18, "color": look.CLEAR, "line": {"width": 2, "color": look.WORSE}},
        hoverinfo="skip",
    )
    look.note(
        figure,
        f"rises by {words.points(found.rise.size)}",
        x=ends[-1]["confidence"],
        y=ends[-1]["gain"],
        yshift=20,
        xanchor="right" if ends[-1] is found.bins.row(-1, named=True) else "center",
        font={"size": look.TICK_SIZE, "color": look.WORSE},
    )


def _panel(domain: tuple[float, float], pattern: str) -> dict[str, Any]:
    return {
        "domain": domain,
        "tickformat": pattern,
        "fixedrange": True,
        "ticks": "",
        "zeroline": False,
        "showgrid": True,
        "gridwidth": 1,
        "gridcolor": look.GRID,
        "nticks": 5,
        "automargin": True,
        "anchor": "x",
        "tickfont": {"size": look.TICK_SIZE, "color": look.MUTED},
    }


def _hover(row: dict[str, Any]) -> str:
    span = words.number(row["first"])
    if row["last"] > row["first"]:
        span = f"{span} to {words.number(row['last'])}"
    interval = words.points_interval(row["low"], row["high"])
    return (
        f"<b>{span}</b><br>gain {words.points(row['gain'], plus=True)} ({interval})<br>"
        f"n {words.count(row['n'])} pairs"
    )
