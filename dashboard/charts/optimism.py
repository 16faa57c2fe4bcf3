"""The optimism meter: what a policy claims on the rows that chose it, and what it is worth on others."""

from typing import TYPE_CHECKING

from dashboard import look, words

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from analytics.estimate import Estimate
    from analytics.tuning.goals import Tuning

HEIGHT = 260
NAMES = {
    "in_sample": "On its own rows",
    "cross_fitted": "Cross-fitted",
    "held_out": "Held out",
    "certified": "Certified",
}
READING = (
    "How good the policy looks on the rows that chose it, when every row is scored by a pick that it had no "
    "part in, and on the held-out half (dotted). Only the last two say what to expect."
)
PANELS = (
    ("accuracy", "x", (0.0, 0.46), "Accuracy"),
    ("cost_per_request_usd", "x2", (0.54, 1.0), "Cost per request"),
)


def meter(tuning: "Tuning") -> "go.Figure":
    """Two panels, one row per way of scoring: hollow on the picked rows, filled elsewhere, with intervals."""
    names = [name for name in NAMES if tuning.optimism.get(name)]
    figure = look.base(HEIGHT)
    for key, axis, domain, title in PANELS:
        known = [
            (place, name, found) for place, name in enumerate(names) if (found := _value(tuning, name, key))
        ]
        held = [found.value for _, name, found in known if name == "held_out"]
        figure.add_scatter(
            x=held * 2,
            y=[-0.6, len(names) - 0.4] if held else [],
            xaxis=axis,
            mode="lines",
            line={"color": look.NEUTRAL, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        )
        if not known:
            nowhere = f"{words.UNKNOWN}, {words.NOT_IN_LOG}"
            look.note(figure, nowhere, x=sum(domain) / 2, y=0.5, xref="paper", yref="paper")
        for place, name, found in known:
            _dot(figure, place, name, found, axis=axis, money=key != "accuracy")
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
    style = {
        "fixedrange": True,
        "ticks": "",
        "zeroline": False,
        "showgrid": True,
        "gridcolor": look.GRID,
        "nticks": 4,
    }
    fonts = {"tickfont": {"size": look.TICK_SIZE, "color": look.MUTED}}
    figure.update_layout(
        xaxis={**style, **fonts, "domain": PANELS[0][2], "tickformat": ".1%"},
        xaxis2={
            **style,
            **fonts,
            "domain": PANELS[1][2],
            "tickformat": f"$.{_decimals(tuning) + 1}f",
            "anchor": "y",
        },
    )
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[NAMES[name] for name in names],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
    )
    return figure


def described(tuning: "Tuning") -> str:
    """The meter in words."""
    parts = [
        f"{NAMES[name]}: accuracy {words.percent(found['accuracy'].value)}, "
        f"cost {words.money(found['cost_per_request_usd'].value)}"
        for name in NAMES
        if (found := tuning.optimism.get(name))
    ]
    return f"How the same policy scores on different rows. {'; '.join(parts)}."


def _value(tuning: "Tuning", name: str, key: str) -> "Estimate | None":
    pair = tuning.optimism.get(name)
    found = None if pair is None else pair[key]
    return None if found is None or found.value is None else found


def _dot(figure: "go.Figure", place: int, name: str, found: "Estimate", *, axis: str, money: bool) -> None:
    value, low, high = found.value or 0.0, found.low, found.high
    shown = words.label(words.money(value)) if money else words.percent(value)
    figure.add_scatter(
        x=[value],
        y=[place],
        xaxis=axis,
        mode="markers",
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


def _decimals(tuning: "Tuning") -> int:
    found = _value(tuning, "held_out", "cost_per_request_usd")
    return words.money_decimals(None if found is None else found.value)
