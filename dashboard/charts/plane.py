"""Every strategy on one cost-accuracy plane, the frontier of one shared threshold behind them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dashboard import look, words
from dashboard.charts.plane_names import LEFT, RECOMMENDED, SPARE, STYLES, Frame, Style, position, write_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from analytics.estimate import Estimate
    from analytics.tuning.curve import Curve, Point

HEIGHT = 460
MOST_DRAWN = 400
ROOM = 0.09


def by_cost(curve: "Curve") -> bool:
    """Whether the log has the costs for a cost axis; otherwise the plane runs over the share escalated."""
    return curve.fast_only.cost_per_request_usd.value is not None


def strategies(curve: "Curve", marks: "dict[str, Point | None]") -> "go.Figure":
    """Accuracy against cost (or share escalated where costs lack) of every strategy, with intervals.

    Args:
        curve: The pooled curve: one threshold for all categories.
        marks: Points by the names of ``STYLES``; None and those without accuracy are left out.
    """
    costs = by_cost(curve)
    figure = look.base(HEIGHT)
    frontier = _frontier_points(curve, costs=costs)
    chord = _chord_ends(marks, costs=costs)
    _frontier(figure, frontier)
    _chord(figure, chord)
    drawn = [
        (STYLES[name], point)
        for name in STYLES
        if (point := marks.get(name)) is not None
        and point.accuracy.value is not None
        and position(point, costs=costs).value is not None
    ]
    drawn = _merged(drawn, costs=costs)
    frame = _frame(drawn, frontier, costs=costs)
    for style, point in drawn:
        _mark(figure, style, point, costs=costs)
    write_names(figure, frame, drawn, frontier, chord, costs=costs)
    look.axis_name(figure, "Accuracy")
    _axes(figure, frame, costs=costs)
    return figure


def _merged(drawn: "Sequence[tuple[Style, Point]]", *, costs: bool) -> "list[tuple[Style, Point]]":
    """The marks without those that the recommended policy stands on; its label names them too."""

    def place(point: "Point") -> tuple[float, float]:
        return round(position(point, costs=costs).value or 0.0, 12), round(point.accuracy.value or 0.0, 12)

    recommended = [point for style, point in drawn if style.name == RECOMMENDED]
    if not recommended:
        return list(drawn)
    here = place(recommended[0])
    same = [
        style.name.lower() for style, point in drawn if place(point) == here and style.name != RECOMMENDED
    ]
    return [
        (replace(style, name=" = ".join([RECOMMENDED, *same])) if style.name == RECOMMENDED else style, point)
        for style, point in drawn
        if style.name == RECOMMENDED or place(point) != here
    ]


def _frame(
    drawn: "Sequence[tuple[Style, Point]]", frontier: "Sequence[dict[str, Any]]", *, costs: bool
) -> Frame:
    places = [position(point, costs=costs) for _, point in drawn]
    right = max([*((place.value or 0.0) for place in places), *(row["x"] for row in frontier)], default=0.0)
    ends = [(entry.accuracy.value, entry.accuracy.low, entry.accuracy.high) for _, entry in drawn]
    heights = [value for trio in ends for value in trio if value is not None]
    heights += [row["accuracy"] for row in frontier]
    low, high = min(heights, default=0.0), max(heights, default=1.0)
    room = ROOM * ((high - low) or 0.1)
    return Frame(right or 1.0, low - room, high + room)


def title(curve: "Curve") -> str:
    """The section title that fits the axis."""
    return f"Accuracy against {'cost' if by_cost(curve) else 'share escalated'}, every strategy"


def reading(curve: "Curve") -> str:
    """The caption that fits the axis: how to read the plane."""
    bars = "Bars are 95% intervals."
    if not by_cost(curve):
        return (
            "Higher is better, further left escalates less; costs are not in this log. The recommended "
            f"policy should sit above the dotted line, which is escalating at random. {bars}"
        )
    return (
        "Higher is better, further left is cheaper. The recommended policy should sit above the dotted line: "
        "that is what the same money buys when requests are escalated at random, and the distance to it is "
        f"what the confidence is worth. {bars}"
    )


def described(marks: "dict[str, Point | None]") -> str:
    """The plane in words, for those who do not see it."""
    parts = [
        f"{STYLES[name].name} {words.percent(point.accuracy.value)} at "
        f"{words.money(point.cost_per_request_usd.value)} per request"
        for name, point in marks.items()
        if point is not None and point.accuracy.value is not None
    ]
    return f"Accuracy against cost per request by strategy: {'; '.join(parts) or 'nothing is known'}."


def _frontier_points(curve: "Curve", *, costs: bool) -> "list[dict[str, Any]]":
    """``x``, ``accuracy``, ``threshold`` and ``escalation_rate`` of at most ``MOST_DRAWN`` thresholds."""
    column = "cost_per_request_usd" if costs else "escalation_rate"
    known = curve.points.drop_nulls(["accuracy", column])
    thin = known.gather_every(max(1, -(-known.height // MOST_DRAWN)))
    return thin.with_columns(x=column).select("x", "accuracy", "threshold", "escalation_rate").to_dicts()


def _frontier(figure: "go.Figure", points: "Sequence[dict[str, Any]]") -> None:
    if len(points) < 2:  # noqa: PLR2004 - a line needs two points
        return
    figure.add_scatter(
        x=[row["x"] for row in points],
        y=[row["accuracy"] for row in points],
        mode="lines+markers" if len(points) <= words.POINT else "lines",
        line={"color": look.ACCENT + "80", "width": 1.8},
        marker={"size": 5, "color": look.ACCENT + "CC"},
        customdata=[(words.threshold(row["threshold"]), row["escalation_rate"]) for row in points],
        hovertemplate="<b>One threshold for all: %{customdata[0]}</b><br>accuracy %{y:.1%}"
        "<br>escalated %{customdata[1]:.0%}<extra></extra>",
    )


def _chord_ends(marks: "dict[str, Point | None]", *, costs: bool) -> list[tuple[float, float]]:
    """Always fast and always strong; none where one of them is unknown."""
    ends = [marks.get("fast_only"), marks.get("strong_only")]
    places = [
        (position(end, costs=costs).value, end.accuracy.value)
        for end in ends
        if end is not None and end.accuracy.value is not None
    ]
    known = [(x, y) for x, y in places if x is not None and y is not None]
    return known if len(known) == len(ends) else []


def _chord(figure: "go.Figure", ends: "Sequence[tuple[float, float]]") -> None:
    if ends:
        figure.add_scatter(
            x=[x for x, _ in ends],
            y=[y for _, y in ends],
            mode="lines",
            line={"color": look.NEUTRAL, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        )


def _mark(figure: "go.Figure", style: Style, point: "Point", *, costs: bool) -> None:
    across = position(point, costs=costs)
    figure.add_scatter(
        x=[across.value],
        y=[point.accuracy.value],
        name=style.name,
        error_x=_bars(across, style.color),
        error_y=_bars(point.accuracy, style.color),
        mode="markers",
        cliponaxis=False,
        marker={
            "symbol": style.symbol,
            "size": style.size,
            "color": style.color,
            "line": {"width": 2, "color": style.color if "open" in style.symbol else look.PAGE},
        },
        hovertemplate=_hover(style, point),
    )


def _hover(style: Style, point: "Point") -> str:
    interval = words.percent_interval(point.accuracy.low, point.accuracy.high)
    rows = [
        f"<b>{style.name}</b>",
        f"accuracy {words.percent(point.accuracy.value)} ({interval})",
        f"cost {words.label(words.money(point.cost_per_request_usd.value))} per request",
        f"escalated {words.percent(point.escalation_rate.value, digits=0)}",
    ]
    return "<br>".join(rows) + "<extra></extra>"


def _bars(estimate: "Estimate", color: str) -> dict[str, object]:
    """Asymmetric error bars without caps."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(estimate.high - estimate.value, 0.0)],
        "arrayminus": [max(estimate.value - estimate.low, 0.0)],
        "color": color,
        "thickness": 1.5,
        "width": 0,
    }


def _axes(figure: "go.Figure", frame: Frame, *, costs: bool) -> None:
    if costs:
        figure.update_xaxes(
            title_text="Cost per request, USD",
            tickformat=f"$.{max(words.money_decimals(frame.right), 2)}f",
            nticks=8,
        )
    else:
        figure.update_xaxes(title_text="Share of requests escalated", tickformat=".0%")
    figure.update_xaxes(range=[-LEFT * frame.right, (1 + SPARE) * frame.right])
    figure.update_yaxes(tickformat=".0%", range=[frame.low, frame.high])
