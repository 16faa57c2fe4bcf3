"""A figure by day or week since a change: what came, over where it was expected to lie."""

from typing import TYPE_CHECKING, Any

from analytics.export import since_words
from dashboard import look, words

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

    from analytics.export.observed import Metric

HEIGHT = 340


def by_period(periods: "pl.DataFrame", metric: "Metric") -> "go.Figure":
    """Actual figures with their intervals over the band in which 19 of 20 lie if nothing changed.

    Args:
        periods: Rows of ``mix.by_period`` of this metric, at least one.
        metric: Name of the metric.
    """
    figure = look.base(HEIGHT)
    days = periods["period"].to_list()
    figure.add_scatter(
        x=[*days, *reversed(days)],
        y=[*periods["expected_high"].to_list(), *reversed(periods["expected_low"].to_list())],
        fill="toself",
        fillcolor=look.band(look.NEUTRAL),
        line={"width": 1, "color": look.NEUTRAL},
        mode="lines",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=days,
        y=periods["expected"].to_list(),
        mode="lines",
        line={"width": 1.5, "color": look.NEUTRAL, "dash": "dash"},
        hoverinfo="skip",
    )
    actual = periods["actual"]
    figure.add_scatter(
        x=days,
        y=actual.to_list(),
        mode="markers",
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (periods["actual_high"] - actual).to_list(),
            "arrayminus": (actual - periods["actual_low"]).to_list(),
            "color": look.ACCENT,
            "thickness": 1.5,
            "width": 0,
        },
        marker={
            "size": 9,
            "color": look.ACCENT,
            "symbol": ["diamond-open" if outside(row) else "circle" for row in periods.iter_rows(named=True)],
            "line": {"width": 2, "color": look.ACCENT},
        },
        text=[_hover(row, metric) for row in periods.iter_rows(named=True)],
        hovertemplate="%{text}<extra></extra>",
    )
    share = metric != "cost_per_request_usd"
    figure.update_yaxes(tickformat=".0%" if share else "$.2~g")
    figure.update_xaxes(tickangle=0, nticks=8, tickformat="%-d %b")
    look.axis_name(figure, since_words.TITLES[metric])
    return figure


def outside(row: dict[str, Any]) -> bool:
    """Whether a period lies outside the band."""
    return not row["expected_low"] <= row["actual"] <= row["expected_high"]


def described(periods: "pl.DataFrame", metric: "Metric") -> str:
    """The figure in words, for those who do not see it."""
    out = sum(outside(row) for row in periods.iter_rows(named=True))
    return (
        f"{since_words.TITLES[metric]} over time against what was expected: {out} of {periods.height} "
        "periods lie outside the band."
    )


def _hover(row: dict[str, Any], metric: "Metric") -> str:
    actual, low, high = (
        since_words.amount(metric, row[name]) for name in ("actual", "expected_low", "expected_high")
    )
    day, n = words.date(row["period"]), words.count(row["n"])
    return f"<b>{day}</b><br>{actual}, expected {low} to {high}<br>n {n}"
