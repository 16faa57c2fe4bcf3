"""The optimism meter: what a policy claims on the rows that chose it, and what it is worth on others."""

from typing import TYPE_CHECKING

from analytics.tuning.optimism import REQUESTS, SAVED
from dashboard import look, words

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from analytics.estimate import Estimate
    from analytics.tuning.goals import Tuning

HEIGHT = 280
NAMES = {
    "in_sample": "On its own rows",
    "cross_fitted": "Cross-fitted",
    "held_out": "Held out",
    "certified": "Certified",
}
READING = (
    "Hollow: on the rows that chose it. Filled: every row scored by a pick that it had no part in, and the "
    "held-out half; the grey bar is what the claim shrinks by."
)
DOMAINS = ((0.0, 0.46), (0.54, 1.0))
ROOM = 0.16
_SHRINKS = ("cross_fitted", "held_out")


def meter(tuning: "Tuning") -> "go.Figure":
    """Two panels, accuracy and dollars: a dumbbell from the claim on its own rows to the worth on others."""
    names = [name for name in NAMES if tuning.optimism.get(name)]
    figure = look.base(HEIGHT)
    saves = any(_value(tuning, name, SAVED) for name in names)
    panels = (
        ("accuracy", "x", DOMAINS[0], "Accuracy"),
        (SAVED, "x2", DOMAINS[1], f"Saved per {words.count(REQUESTS)}")
        if saves
        else ("cost_per_request_usd", "x2", DOMAINS[1], "Cost per request"),
    )
    for key, axis, domain, title in panels:
        money = key != "accuracy"
        known = {
            name: (place, found)
            for place, name in enumerate(names)
            if (found := _value(tuning, name, key)) is not None
        }
        if not known:
            nowhere = f"{words.UNKNOWN}, {words.NOT_IN_LOG}"
            look.note(figure, nowhere, x=sum(domain) / 2, y=0.5, xref="paper", yref="paper")
        claimed = known.get("in_sample")
        for name, (place, found) in known.items():
            if claimed is not None and name in _SHRINKS:
                _bar(figure, place, (claimed[1].value or 0.0, found.value or 0.0), axis=axis)
            _dot(figure, place, name, found, axis=axis, money=money)
        _axis(figure, axis, domain, [found for _, found in known.values()], money=money)
        figure.add_annotation(
            text=f"<b>{title}</b>",
            x=domain[0],
            y=1,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            yshift=8,
            showarrow=False,
            font={"size": look.LABEL_SIZE, "color": look.INK},
        )
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[NAMES[name] for name in names],
        range=[len(names) - 0.4, -0.7],
        showgrid=False,
    )
    return figure


def described(tuning: "Tuning") -> str:
    """The meter in words."""
    parts = [
        f"{NAMES[name]}: accuracy {words.percent(found['accuracy'].value)}, "
        f"cost {words.money(found['cost_per_request_usd'].value)}, "
        f"saved per {words.count(REQUESTS)} requests {words.money(found[SAVED].value)}"
        for name in NAMES
        if (found := tuning.optimism.get(name))
    ]
    return f"How the same policy scores on different rows. {'; '.join(parts)}."


def _value(tuning: "Tuning", name: str, key: str) -> "Estimate | None":
    pair = tuning.optimism.get(name)
    found = None if pair is None else pair[key]
    return None if found is None or found.value is None else found


def _bar(figure: "go.Figure", place: int, ends: tuple[float, float], *, axis: str) -> None:
    """The grey bar from the claim, marked by a small hollow circle, to the worth."""
    figure.add_scatter(
        x=list(ends),
        y=[place, place],
        xaxis=axis,
        mode="lines",
        line={"color": look.NEUTRAL, "width": 6},
        opacity=0.5,
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[ends[0]],
        y=[place],
        xaxis=axis,
        mode="markers",
        marker={"size": 9, "symbol": "circle-open", "color": look.NEUTRAL, "line": {"width": 2}},
        hoverinfo="skip",
    )


def _dot(figure: "go.Figure", place: int, name: str, found: "Estimate", *, axis: str, money: bool) -> None:
    value, low, high = found.value or 0.0, found.low, found.high
    shown = words.label(words.money(value)) if money else words.percent(value)
    figure.add_scatter(
        x=[value],
        y=[place],
        xaxis=axis,
        mode="markers+text",
        text=[shown],
        textposition="top center",
        textfont={"size": look.NOTE_SIZE},
        cliponaxis=False,
        marker={
            "size": 11,
            "symbol": "circle-open" if name == "in_sample" else "circle",
            "color": look.ACCENT,
            "line": {"width": 2, "color": look.ACCENT},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [0 if high is None else high - value],
            "arrayminus": [0 if low is None else value - low],
            "thickness": 1.5,
            "width": 0,
            "color": look.ACCENT,
        },
        hovertemplate=f"<b>{NAMES[name]}</b><br>{shown}<extra></extra>",
    )


def _axis(
    figure: "go.Figure", axis: str, domain: tuple[float, float], known: "list[Estimate]", *, money: bool
) -> None:
    ends = [end for found in known for end in (found.low, found.value, found.high) if end is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = ROOM * ((high - low) or abs(high) or 1.0)
    decimals = words.money_decimals((high - low) or high)
    figure.update_layout(
        {
            axis.replace("x", "xaxis"): {
                "domain": domain,
                "range": [low - room, high + room],
                "tickformat": f"$.{decimals}f" if money else ".1%",
                "fixedrange": True,
                "ticks": "",
                "zeroline": False,
                "showgrid": True,
                "gridcolor": look.GRID,
                "nticks": 3,
                "tickfont": {"size": look.TICK_SIZE, "color": look.MUTED},
                "anchor": "y",
            }
        }
    )
