"""What each category costs today and under the recommended policy, over the requests of this log."""

from typing import TYPE_CHECKING

import polars as pl

from dashboard import look, words

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROW = 34
FRAME = 110
MOST_ROWS = 15


def spend(changes: pl.DataFrame) -> "go.Figure":
    """A dumbbell per category, the dearest at the top: a hollow square today, a filled circle recommended.

    Args:
        changes: From ``rows.changes``; rows without a recommended spend are left out.
    """
    frame = largest(changes)
    names = [words.label(name, limit=26) for name in frame["category"]]
    places = list(range(frame.height))
    figure = look.base(FRAME + ROW * max(frame.height, 1))
    today, new = frame["spend_today_usd"].to_list(), frame["spend_new_usd"].to_list()
    for place, before, after in zip(places, today, new, strict=True):
        if before is not None:
            figure.add_scatter(
                x=[before, after],
                y=[place, place],
                mode="lines",
                line={"color": look.NEUTRAL, "width": 2},
                hoverinfo="skip",
            )
    for values, name, color, symbol in (
        (today, "in force", look.INK, "square-open"),
        (new, "recommended", look.ACCENT, "circle"),
    ):
        figure.add_scatter(
            x=values,
            y=places,
            mode="markers",
            marker={"size": 11, "color": color, "symbol": symbol, "line": {"width": 2, "color": color}},
            customdata=names,
            hovertemplate=f"<b>%{{customdata}}</b><br>{name} $%{{x:,.2f}}<extra></extra>",
        )
    _key(figure, today, new)
    if not new:
        look.note(figure, f"{words.UNKNOWN}, {words.NOT_IN_LOG}", x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_yaxes(tickvals=places, ticktext=names, showgrid=False, autorange="reversed")
    figure.update_xaxes(
        title_text="Spend on this log's requests, USD", tickprefix="$", showgrid=True, rangemode="tozero"
    )
    figure.update_xaxes(gridcolor=look.GRID)
    return figure


def described(changes: pl.DataFrame) -> str:
    """The picture in words."""
    frame = largest(changes)
    parts = [
        f"{name}: {words.money(before)} today, {words.money(after)} recommended"
        for name, before, after in frame.select("category", "spend_today_usd", "spend_new_usd").iter_rows()
    ]
    return f"Spend by category over this log's requests. {'; '.join(parts) or words.UNKNOWN}."


def largest(changes: pl.DataFrame) -> pl.DataFrame:
    """The rows that the picture shows: the dearest categories with a known recommended spend."""
    known = changes.drop_nulls("spend_new_usd").with_columns(
        pl.max_horizontal("spend_today_usd", "spend_new_usd").alias("peak")
    )
    return known.sort("peak", descending=True).head(MOST_ROWS).drop("peak")


def _key(figure: "go.Figure", today: list[float | None], new: list[float]) -> None:
    """Name the two marks on the first row instead of a legend."""
    if not new:
        return
    pairs = [(new[0], "recommended", look.ACCENT)]
    if today[0] is not None:
        pairs.append((today[0], "in force", look.INK))
    left = min(pairs)[0]
    for value, text, color in pairs:
        figure.add_annotation(
            text=text,
            x=value,
            y=0,
            yshift=16,
            xanchor="right" if value == left and len(pairs) > 1 else "left",
            showarrow=False,
            font={"size": look.NOTE_SIZE, "color": color},
        )
