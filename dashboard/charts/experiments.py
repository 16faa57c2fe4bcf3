"""Effects with their intervals: by metric, by category, and over time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from analytics.experiments import saying
from dashboard import look, words

if TYPE_CHECKING:
    import polars as pl

    from analytics.estimate import Estimate
    from analytics.experiments.comparison import Comparison
    from analytics.experiments.effects import Metric
    from analytics.experiments.looks import Looks

ROW_PX = 44
SMALL_ROW_PX = 34
TIME_PX = 380
LABEL_PX = 92
SHOWN_CATEGORIES = 25
WIDEST = 4.0
"""Times the middle width beyond which an interval does not set the axis."""
BETTER_IS_MORE = {"accuracy": True, "net_usd": True}
"""Direction in which a metric improves; every other one improves downwards."""
MARKS = {"better": "circle", "worse": "diamond", "open": "circle-open"}


def effects(found: "Comparison") -> go.Figure:
    """Relative effects of every metric, one row each, with zero in the middle."""
    rows = [
        (saying.TITLES[metric], metric, entry.relative)
        for metric, entry in found.effects.items()
        if entry.relative.value is not None and metric != "escalation_rate"
    ]
    figure = look.base(ROW_PX * max(len(rows), 1) + 84)
    _rows(figure, [(name, metric, part, saying.relative(part)) for name, metric, part in rows], at=0.0)
    figure.update_xaxes(tickformat="+.0%", title_text="Treatment against control, relative")
    return figure


def effects_described(found: "Comparison") -> str:
    """The picture in words."""
    parts = [
        f"{saying.TITLES[metric]} {saying.relative(entry.relative)}"
        for metric, entry in found.effects.items()
        if entry.relative.value is not None
    ]
    return f"Relative effect of {words.plain(found.treatment)} by metric. {'; '.join(parts)}."


def forest(found: "Comparison", metric: "Metric") -> go.Figure:
    """Each category's effect, the largest categories first, and that of all together."""
    shown = forest_rows(found, metric)
    figure = look.base(SMALL_ROW_PX * max(len(shown), 1) + 84)
    rows = [(name, metric, part, saying.with_interval(metric, part, difference=True)) for name, part in shown]
    _rows(figure, rows, at=0.0)
    for place, (name, _) in enumerate(shown):
        drawn = found.shrunk[metric].get(name)
        if drawn is not None:
            figure.add_scatter(
                x=[drawn],
                y=[place],
                mode="markers",
                marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": look.NEUTRAL}},
                hovertemplate=f"drawn to the common effect: {saying.number(metric, drawn, difference=True)}"
                "<extra></extra>",
            )
    figure.update_xaxes(range=_span([part for _, part in shown]))
    pattern = "+.0%" if metric in ("accuracy", "escalation_rate") else "+$.2~g"
    if metric.startswith("latency"):
        pattern = "+.3~g"
    title = saying.TITLES[metric].lower() + (", seconds" if metric.startswith("latency") else "")
    figure.update_xaxes(tickformat=pattern, title_text=f"Effect on {title}")
    return figure


def forest_rows(found: "Comparison", metric: "Metric") -> list[tuple[str, "Estimate"]]:
    """What the forest plot draws: categories by their number of requests, then all together."""
    known = [
        (name, part[metric].effect)
        for name, part in found.by_category.items()
        if part[metric].effect.low is not None and part[metric].effect.high is not None
    ]
    known.sort(key=lambda row: -row[1].n)
    whole = found.effects[metric].effect
    rows = known[:SHOWN_CATEGORIES]
    return [*rows, ("All", whole)] if whole.low is not None and whole.high is not None else rows


def forest_described(found: "Comparison", metric: "Metric") -> str:
    """The picture in words."""
    parts = [
        f"{words.plain(name)} {saying.with_interval(metric, part, difference=True)}"
        for name, part in forest_rows(found, metric)
    ]
    return f"Effect on {saying.TITLES[metric].lower()} by category. {'; '.join(parts) or words.UNKNOWN}."


def over_time(found: "Looks", *, read: str) -> go.Figure:
    """The effect so far with the interval that holds at every look, and the one made for a single look."""
    figure = look.base(TIME_PX)
    known = found.table.drop_nulls(["effect", "low", "high"])
    days = known["day"].to_list()
    names = {"band": ("low", "high"), "line": ("fixed_low", "fixed_high")}
    low, high = names["band"]
    figure.add_scatter(
        x=[*days, *reversed(days)],
        y=[*known[high].to_list(), *reversed(known[low].to_list())],
        fill="toself",
        fillcolor=look.band(look.ACCENT),
        line={"width": 1, "color": look.ACCENT, "dash": "solid" if read == "any-time" else "dot"},
        mode="lines",
        hoverinfo="skip",
    )
    for end in names["line"]:
        figure.add_scatter(
            x=days,
            y=known[end].to_list(),
            mode="lines",
            line={"width": 1.25, "color": look.NEUTRAL, "dash": "dash"},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=days,
        y=known["effect"].to_list(),
        mode="lines+markers",
        line={"color": look.ACCENT, "width": look.LINE},
        marker={"size": 6, "color": look.ACCENT},
        text=[_look_text(found.metric, row) for row in known.iter_rows(named=True)],
        hovertemplate="%{text}<extra></extra>",
    )
    figure.add_hline(y=0, line={"color": look.INK, "width": 1, "dash": "dot"})
    share = found.metric in ("accuracy", "escalation_rate")
    # The first looks are so wide that they would hide the rest.
    later = known.tail(max(3, known.height * 2 // 3))
    ends = [*later[low].to_list(), *later[high].to_list(), 0.0]
    pad = 0.08 * (max(ends) - min(ends) or 0.1)
    figure.update_yaxes(range=[min(ends) - pad, max(ends) + pad], tickformat="+.0%" if share else "+$.2~g")
    figure.update_xaxes(tickangle=0, nticks=8)
    figure.update_layout(margin={"r": 110})
    _end_names(figure, known)
    look.axis_name(figure, f"Effect on {saying.TITLES[found.metric].lower()}, so far", bold=True)
    return figure


def _look_text(metric: str, row: "dict[str, Any]") -> str:
    low, high = (saying.number(metric, row[end], difference=True) for end in ("low", "high"))
    effect = saying.number(metric, row["effect"], difference=True)
    return (
        f"<b>{row['day'].day} {row['day']:%b %Y}</b><br>{effect}"
        f"<br>at any look {low} to {high}<br>n {words.count(row['n_control'] + row['n_treatment'])}"
    ).replace("$", "&#36;")


def over_time_described(found: "Looks") -> str:
    """The picture in words."""
    last = found.last
    if last["effect"] is None:
        return "Effect over time. Unknown."
    low, high = (saying.number(found.metric, last[end], difference=True) for end in ("low", "high"))
    return (
        f"Effect on {saying.TITLES[found.metric].lower()} after each of {found.table.height} looks. At the "
        f"last: {saying.number(found.metric, last['effect'], difference=True)}, always valid {low} to {high}."
    )


def _end_names(figure: go.Figure, known: "pl.DataFrame") -> None:
    """Names of the two intervals at their right end, pushed apart."""
    last = known.row(-1, named=True)
    for text, y, colour, shift in (
        ("at any look", last["high"], look.ACCENT, 8),
        ("at one look", last["fixed_high"], look.MUTED, -8),
    ):
        figure.add_annotation(
            text=text,
            xref="paper",
            x=1,
            y=y,
            xanchor="left",
            xshift=6,
            yshift=shift,
            showarrow=False,
            font={"size": look.NOTE_SIZE, "color": colour},
        )


def _rows(figure: go.Figure, rows: Sequence[tuple[str, str, "Estimate", str]], *, at: float) -> None:
    """One dot with its interval per row; shape and colour say whether it is surely better, worse or open."""
    for place, (name, metric, part, text) in enumerate(rows):
        kind = _kind(metric, part)
        colour = {"better": look.CERTIFIED, "worse": look.WORSE, "open": look.NEUTRAL}[kind]
        value = part.value if part.value is not None else at
        below = 0.0 if part.low is None else value - part.low
        above = 0.0 if part.high is None else part.high - value
        figure.add_scatter(
            x=[value],
            y=[place],
            mode="markers",
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [above],
                "arrayminus": [below],
                "color": colour,
                "thickness": 2.5,
                "width": 0,
            },
            marker={
                "size": 11,
                "symbol": MARKS[kind],
                "color": colour,
                "line": {"width": 2, "color": colour},
            },
            hovertemplate=f"<b>{words.label(name)}</b><br>{words.label(text)}<br>n {words.count(part.n)}"
            "<extra></extra>",
        )
        look.note(
            figure,
            words.label(text.partition(" (")[0]),
            x=1,
            y=place,
            xref="paper",
            xanchor="right",
            xshift=LABEL_PX - 6,
            font={"size": look.NOTE_SIZE, "color": look.INK if kind != "open" else look.MUTED},
        )
    figure.add_vline(x=at, line={"color": look.INK, "width": 1, "dash": "dot"})
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[words.label(name, limit=26) for name, *_ in rows],
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
    )
    figure.update_xaxes(showgrid=True, gridcolor=look.GRID, tickangle=0, nticks=5)
    figure.update_layout(margin={"r": LABEL_PX, "t": 8})


def _span(parts: "Sequence[Estimate]") -> list[float]:
    """The axis: every interval but those that would squeeze all others, which run out of the picture."""
    widths = sorted((part.high or 0.0) - (part.low or 0.0) for part in parts)
    limit = WIDEST * widths[len(widths) // 2]
    kept = [part for part in parts if (part.high or 0.0) - (part.low or 0.0) <= limit] or list(parts)
    low, high = min(0.0, *(part.low or 0.0 for part in kept)), max(0.0, *(part.high or 0.0 for part in kept))
    pad = 0.05 * (high - low or 0.1)
    return [low - pad, high + pad]


def _kind(metric: str, part: "Estimate") -> str:
    if part.low is None or part.high is None or part.low <= 0 <= part.high:
        return "open"
    return "better" if (part.low > 0) == BETTER_IS_MORE.get(metric, False) else "worse"
