"""The ten colour roles, the base of every figure and its settings: the one place with colour tokens.

Streamlit's front end replaces the tokens by the theme's colours, so that one figure serves the light and the
dark theme and Python need not know which is shown. A token may carry two more digits for its opacity.
"""

from typing import Any

# Plotly looks pandas up among the loaded modules and trips over it while another session's thread, in
# Streamlit, is half through importing it; here it is whole before any figure is made.
import pandas  # noqa: F401, ICN001
import plotly.graph_objects as go

SMALL = "#000001"
STANDARD = "#000002"
FRONTIER = "#000003"
REASONING = "#000004"
ACCENT = "#000005"
CERTIFIED = "#000006"
ESTIMATED = "#000007"
NEUTRAL = "#000008"
WORSE = "#000009"
INK = "#000010"
PAGE = "#000038"
SEQUENTIAL = tuple(f"#{index:06d}" for index in range(11, 21))
DIVERGING = tuple(f"#{index:06d}" for index in range(21, 31))

FAST = SMALL
STRONG = REASONING
TIER = {"small": SMALL, "standard": STANDARD, "frontier": FRONTIER, "reasoning": REASONING}
TIER_DASH = {"small": "solid", "standard": "dot", "frontier": "dash", "reasoning": "longdash"}
TIER_MARK = {"small": "circle", "standard": "square", "frontier": "diamond", "reasoning": "triangle-up"}

MUTED = INK + "CC"
GRID = NEUTRAL + "40"
CLEAR = "rgba(0,0,0,0)"
CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}
TICK_SIZE = 13
LABEL_SIZE = 14
NOTE_SIZE = 12
LINE = 2.5
_AXIS = {
    "fixedrange": True,
    "ticks": "",
    "zeroline": False,
    "nticks": 6,
    "title": {"standoff": 12, "font": {"size": TICK_SIZE, "color": MUTED}},
    "tickfont": {"size": TICK_SIZE, "color": MUTED},
    "automargin": True,
}
_LAYOUT: dict[str, Any] = {
    "paper_bgcolor": CLEAR,
    "plot_bgcolor": CLEAR,
    "margin": {"l": 8, "r": 16, "t": 34, "b": 8, "pad": 4},
    "showlegend": False,
    "hovermode": "closest",
    "dragmode": False,
    "hoverlabel": {"align": "left"},
    "bargap": 0.3,
    "xaxis": {"showgrid": False, **_AXIS},
    "yaxis": {"showgrid": True, "gridwidth": 1, "gridcolor": GRID, **_AXIS},
}


def band(token: str) -> str:
    """The colour of an interval band around a line of colour ``token``."""
    return token + "2E"


def wash(token: str) -> str:
    """The colour of a field behind the marks."""
    return token + "1F"


def base(height: int) -> go.Figure:
    """An empty figure with the house settings, ``height`` pixels high.

    They are set on the figure, not in a template: Streamlit's front end merges its own template over ours.
    """
    return go.Figure(layout={**_LAYOUT, "height": height})


def axis_name(figure: go.Figure, text: str, *, y: float = 1.0, bold: bool = False) -> None:
    """Name a vertical axis by a note at the top left of its panel; titles are never rotated."""
    figure.add_annotation(
        text=f"<b>{text}</b>" if bold else text,
        xref="paper",
        yref="paper",
        x=0,
        y=y,
        xanchor="left",
        yanchor="bottom",
        yshift=8,
        showarrow=False,
        bgcolor=PAGE if bold else CLEAR,
        font={"size": LABEL_SIZE, "color": INK} if bold else {"size": TICK_SIZE, "color": MUTED},
    )


def note(figure: go.Figure, text: str, *, x: float, y: float, muted: bool = True, **options: object) -> None:
    """Write ``text`` on the picture at data position (``x``, ``y``); ``options`` go to the annotation."""
    font = {"size": NOTE_SIZE, "color": MUTED} if muted else {"size": LABEL_SIZE, "color": INK}
    figure.add_annotation(text=text, x=x, y=y, **({"showarrow": False, "font": font} | options))
