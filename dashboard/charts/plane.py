"""Every strategy on one cost-accuracy plane, the frontier of one shared threshold behind them."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dashboard import look, words
from dashboard.charts import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from analytics.estimate import Estimate
    from analytics.tuning.curve import Curve, Point

HEIGHT = 460
MOST_DRAWN = 400
SPARE = 0.15
NAMED_AT = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
FRONTIER = "one threshold for all"


@dataclass(frozen=True, slots=True)
class Style:
    """How one strategy is drawn: its mark, colour, and the side of its label."""

    name: str
    color: str
    symbol: str
    size: int
    side: str


RECOMMENDED = "Recommended"
STYLES = {
    "fast_only": Style("Always fast", look.FAST, "circle", 11, "bottom right"),
    "strong_only": Style("Always strong", look.STRONG, "circle", 11, "top left"),
    "in_force": Style("In force", look.INK, "square", 10, "top left"),
    "random": Style("Random, same cost", look.NEUTRAL, "circle-open", 11, "bottom right"),
    "oracle": Style("Oracle (unreachable)", look.NEUTRAL, "diamond-open", 12, "middle right"),
    "recommended": Style(RECOMMENDED, look.ACCENT, "circle", 14, "top left"),
}


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
    _frontier(figure, curve, costs=costs)
    _chord(figure, marks, costs=costs)
    drawn = [
        (STYLES[name], point)
        for name in STYLES
        if (point := marks.get(name)) is not None
        and point.accuracy.value is not None
        and position(point, costs=costs).value is not None
    ]
    drawn = _merged(drawn, costs=costs)
    frame = _frame(drawn, curve, costs=costs)
    placed = [_label(frame, style, point, costs=costs) for style, point in drawn]
    sided = [replace(label, side=side) for label, side in zip(placed, labels.sides(placed), strict=True)]
    for (style, point), label in zip(drawn, sided, strict=True):
        _mark(figure, style, point, label.side, costs=costs)
    _name_frontier(figure, curve, frame, sided, costs=costs)
    look.axis_name(figure, "Accuracy")
    _axes(figure, frame.right, costs=costs)
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


@dataclass(frozen=True, slots=True)
class Frame:
    """What the picture spans: its right end, its lowest and its highest accuracy."""

    right: float
    low: float
    high: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point in [0, 1] of the picture."""
        return x / ((1 + SPARE) * self.right), (y - self.low) / ((self.high - self.low) or 1.0)


def _frame(drawn: "Sequence[tuple[Style, Point]]", curve: "Curve", *, costs: bool) -> Frame:
    places = [position(point, costs=costs) for _, point in drawn]
    right = max((place.high or place.value or 0.0 for place in places), default=1.0) or 1.0
    ends = [(entry.accuracy.value, entry.accuracy.low, entry.accuracy.high) for _, entry in drawn]
    heights = [value for trio in ends for value in trio if value is not None]
    heights += curve.points["accuracy"].drop_nulls().to_list()
    return Frame(right, min(heights, default=0.0), max(heights, default=1.0))


def _label(frame: Frame, style: Style, point: "Point", *, costs: bool) -> labels.Label:
    x, y = frame.place(position(point, costs=costs).value or 0.0, point.accuracy.value or 0.0)
    return labels.Label(x, y, len(style.name) + 7, style.side)


def title(curve: "Curve") -> str:
    """The section title that fits the axis."""
    return f"Accuracy against {'cost' if by_cost(curve) else 'share escalated'}, every strategy"


def reading(curve: "Curve") -> str:
    """The caption that fits the axis: how to read the plane."""
    bars = "Bars are 95% intervals, on held-out requests."
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


def position(point: "Point", *, costs: bool) -> "Estimate":
    """What a point's place on the horizontal axis is."""
    return point.cost_per_request_usd if costs else point.escalation_rate


def described(marks: "dict[str, Point | None]") -> str:
    """The plane in words, for those who do not see it."""
    parts = [
        f"{STYLES[name].name} {words.percent(point.accuracy.value)} at "
        f"{words.money(point.cost_per_request_usd.value)} per request"
        for name, point in marks.items()
        if point is not None and point.accuracy.value is not None
    ]
    return f"Accuracy against cost per request by strategy: {'; '.join(parts) or 'nothing is known'}."


def _frontier(figure: "go.Figure", curve: "Curve", *, costs: bool) -> None:
    column = "cost_per_request_usd" if costs else "escalation_rate"
    known = curve.points.drop_nulls(["accuracy", column])
    if known.height < 2:  # noqa: PLR2004 - a line needs two points
        return
    thin = known.gather_every(max(1, -(-known.height // MOST_DRAWN)))
    shown = [words.threshold(value) for value in thin["threshold"]]
    figure.add_scatter(
        x=thin[column],
        y=thin["accuracy"],
        mode="lines+markers" if thin.height <= words.POINT else "lines",
        line={"color": look.ACCENT + "80", "width": 1.8},
        marker={"size": 5, "color": look.ACCENT + "CC"},
        customdata=list(zip(shown, thin["escalation_rate"], strict=True)),
        hovertemplate="<b>One threshold for all: %{customdata[0]}</b><br>accuracy %{y:.1%}"
        "<br>escalated %{customdata[1]:.0%}<extra></extra>",
    )


def _name_frontier(
    figure: "go.Figure", curve: "Curve", frame: Frame, placed: "Sequence[labels.Label]", *, costs: bool
) -> None:
    """The frontier's name, where it is furthest from the marks and their labels."""
    column = "cost_per_request_usd" if costs else "escalation_rate"
    known = curve.points.drop_nulls(["accuracy", column])
    if known.height < 2:  # noqa: PLR2004 - a line needs two points
        return
    low, high = known[column].to_list()[0], known[column].to_list()[-1]
    rows = [
        known.row(int((known[column] - (low + share * (high - low))).abs().arg_min() or 0), named=True)
        for share in NAMED_AT
    ]
    best = rows[labels.clearest([frame.place(row[column], row["accuracy"]) for row in rows], placed)]
    look.note(
        figure,
        FRONTIER,
        x=best[column],
        y=best["accuracy"],
        yshift=12,
        xanchor="right",
        font={"size": look.NOTE_SIZE, "color": look.ACCENT},
    )


def _chord(figure: "go.Figure", marks: "dict[str, Point | None]", *, costs: bool) -> None:
    ends = [marks.get("fast_only"), marks.get("strong_only")]
    places = [
        (position(end, costs=costs).value, end.accuracy.value)
        for end in ends
        if end is not None and end.accuracy.value is not None
    ]
    known = [(x, y) for x, y in places if x is not None and y is not None]
    if len(known) < 2:  # noqa: PLR2004 - a chord has two ends
        return
    (x0, y0), (x1, y1) = known
    figure.add_scatter(
        x=[x0, x1],
        y=[y0, y1],
        mode="lines",
        line={"color": look.NEUTRAL, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    look.note(
        figure,
        "escalating at random",
        x=x0 + 0.55 * (x1 - x0),
        y=y0 + 0.55 * (y1 - y0),
        xanchor="left",
        yanchor="top",
        yshift=-4,
        xshift=6,
    )


def _mark(figure: "go.Figure", style: Style, point: "Point", side: str, *, costs: bool) -> None:
    across = position(point, costs=costs)
    color = look.ACCENT if style.name.startswith(RECOMMENDED) else look.INK
    figure.add_scatter(
        x=[across.value],
        y=[point.accuracy.value],
        error_x=_bars(across, style.color),
        error_y=_bars(point.accuracy, style.color),
        mode="markers+text",
        text=[_text(style, point, side)],
        textposition=side,
        textfont={"size": look.LABEL_SIZE, "color": color},
        cliponaxis=False,
        marker={
            "symbol": style.symbol,
            "size": style.size,
            "color": style.color,
            "line": {"width": 2, "color": style.color if "open" in style.symbol else look.PAGE},
        },
        hovertemplate=_hover(style, point),
    )


def _text(style: Style, point: "Point", side: str) -> str:
    """The label, with room towards its mark."""
    text = f"<b>{style.name}</b>  {words.percent(point.accuracy.value)}"
    return f"{text}  " if side.endswith("left") else f"  {text}" if side.endswith("right") else text


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


def _axes(figure: "go.Figure", right: float, *, costs: bool) -> None:
    if costs:
        figure.update_xaxes(
            title_text="Cost per request, USD",
            tickformat=f"$.{max(words.money_decimals(right), 2)}f",
            range=[-0.04 * right, (1 + SPARE) * right],
            nticks=8,
        )
    else:
        figure.update_xaxes(
            title_text="Share of requests escalated", tickformat=".0%", range=[-0.06, (1 + SPARE) * right]
        )
    figure.update_yaxes(tickformat=".0%")
