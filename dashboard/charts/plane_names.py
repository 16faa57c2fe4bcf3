"""The strategies of the plane by name: how each is drawn, and its name written where there is room."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard import look, words
from dashboard.charts import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from analytics.estimate import Estimate
    from analytics.tuning.curve import Point

LEFT, SPARE = 0.04, 0.15
NAMED_AT = (0.45, 0.35, 0.55, 0.25, 0.65, 0.75, 0.15)
FRONTIER = "one threshold for all"
CHORD = "escalating at random"


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


@dataclass(frozen=True, slots=True)
class Frame:
    """What the picture spans: its right end, its lowest and its highest accuracy."""

    right: float
    low: float
    high: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point in [0, 1] of the picture."""
        return self.across(x), self.up(y)

    def across(self, x: float) -> float:
        """A horizontal position in [0, 1]."""
        return (x / self.right + LEFT) / (1 + LEFT + SPARE)

    def up(self, y: float) -> float:
        """A vertical position in [0, 1]."""
        return (y - self.low) / (self.high - self.low)


def position(point: "Point", *, costs: bool) -> "Estimate":
    """What a point's place on the horizontal axis is."""
    return point.cost_per_request_usd if costs else point.escalation_rate


def write_names(
    figure: "go.Figure",
    frame: Frame,
    drawn: "Sequence[tuple[Style, Point]]",
    frontier: "Sequence[dict[str, Any]]",
    chord: "Sequence[tuple[float, float]]",
    *,
    costs: bool,
) -> None:
    """Every label where it meets nothing, the recommended policy first; then the names of the two lines."""
    ordered = sorted(drawn, key=lambda entry: not entry[0].name.startswith(RECOMMENDED))
    held = [_label(frame, style, point, costs=costs) for style, point in ordered]
    lines = [
        [frame.place(row["x"], row["accuracy"]) for row in frontier],
        [frame.place(x, y) for x, y in chord],
    ]
    placed = labels.places(held, lines=lines)
    for (style, point), place in zip(ordered, placed, strict=True):
        if place is not None:
            x, y = position(point, costs=costs).value, point.accuracy.value
            color = look.ACCENT if style.name.startswith(RECOMMENDED) else look.INK
            _annotate(figure, _text(style, point, place.form), x=x, y=y, place=place, color=color)
    taken: list[tuple[float, float, labels.Place, int]] = []
    named = ((FRONTIER, lines[0], look.ACCENT, "top left"), (CHORD, lines[1], look.MUTED, "bottom right"))
    for text, line, color, side in named:
        spots = [(x, y, labels.Place(way)) for way in _ways(side) for x, y in labels.along(line, NAMED_AT)]
        spot = labels.free(spots, len(text), held, placed, lines=lines, taken=taken)
        if spot is not None:
            x, y, place = spot
            taken.append((x, y, place, len(text)))
            at = {"x": x, "y": y, "xref": "x domain", "yref": "y domain"}
            _annotate(figure, text, place=place, color=color, size=look.NOTE_SIZE, **at)


def _ways(side: str) -> tuple[str, ...]:
    """Sides of a line for its name: those of a rising line, then those of a falling one."""
    return (side, *(way for way in ("top left", "bottom right", "top right", "bottom left") if way != side))


def _annotate(
    figure: "go.Figure",
    text: str,
    *,
    place: labels.Place,
    color: str,
    size: int = look.LABEL_SIZE,
    **where: object,
) -> None:
    """Write ``text`` at its place; a thin line leads to the mark from far away."""
    (right, up), (across, vertical) = place.shift, place.anchors
    lead: dict[str, object] = {"xshift": right, "yshift": up, "showarrow": False}
    if place.far:
        lead = {"ax": right, "ay": -up, "showarrow": True, "arrowhead": 0, "arrowwidth": 1, "standoff": 8}
        lead["arrowcolor"] = look.NEUTRAL
    font = {"size": size, "color": color}
    anchored = {"xanchor": across, "yanchor": vertical, "align": across}
    figure.add_annotation(text=text, borderpad=0, font=font, **anchored, **lead, **where)


def _label(frame: Frame, style: Style, point: "Point", *, costs: bool) -> labels.Label:
    across, up = position(point, costs=costs), point.accuracy
    x, y = frame.place(across.value or 0.0, up.value or 0.0)
    ends = None if across.low is None or across.high is None else (across.low, across.high)
    heights = None if up.low is None or up.high is None else (up.low, up.high)
    return labels.Label(
        x,
        y,
        len(style.name),
        style.side,
        None if ends is None else (frame.across(ends[0]), frame.across(ends[1])),
        None if heights is None else (frame.up(heights[0]), frame.up(heights[1])),
    )


def _text(style: Style, point: "Point", form: labels.Form) -> str:
    """The name, with the accuracy beside or below it where there is room."""
    between = {"full": "  ", "stacked": "<br>", "short": ""}[form]
    return f"<b>{style.name}</b>{between}{words.percent(point.accuracy.value) if between else ''}"
