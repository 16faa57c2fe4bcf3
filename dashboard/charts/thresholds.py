"""Accuracy, cost and share escalated over the threshold: three panels on one axis."""

from typing import TYPE_CHECKING, Any

from dashboard import look, words
from dashboard.charts import cannot_tell
from dashboard.charts.candidate_axis import (
    EVEN,
    Axis,
    accuracy_range,
    axis,
    plateau,
    runs,
    thinned,
    ticks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from analytics.estimate import Estimate
    from dashboard.candidates import Candidate

HEIGHT = 620
EDGE = 0.3
LEAST_PLATEAU = 3
ALIKE = "cannot be told apart"
RULE_LABEL_PX, RULE_TOP = 26, 1.05
"""Above the name of the first panel, which stands at the left end of the same edge."""
LABEL_LINE_PX, NEAR = 16, 0.4
PANELS = {"accuracy": ("y", (0.46, 1.0)), "cost": ("y2", (0.24, 0.375)), "share": ("y3", (0.0, 0.135))}


def panels(
    choices: "Sequence[Candidate]",
    *,
    chosen: int,
    in_force: int | None = None,
    margin: float = 0.01,
    alike: "Sequence[int] | None" = None,
    random: "Sequence[float | None]" = (),
) -> "go.Figure":
    """The three panels with the chosen rule, the rule in force, the plateau and what the log cannot tell.

    Args:
        choices: From ``candidates``, the last being always strong.
        chosen: Index of the chosen candidate.
        in_force: Index of the policy in force; None where unknown.
        margin: Half height of the plateau, a share of 1, where ``alike`` is not known.
        alike: Indices of the candidates whose accuracy cannot be told from the chosen one's.
        random: Accuracy of escalating at random for each candidate's cost; empty where unknown.
    """
    figure = look.base(HEIGHT)
    figure.update_layout(margin_t=34 + RULE_LABEL_PX - 8)
    places = axis(choices)
    drawn = thinned(len(choices) - 1, [chosen if chosen < len(choices) - 1 else None, in_force])
    drawn = [index for index in drawn if index < len(choices) - 1]
    if alike is None:
        ends = plateau(choices, chosen=chosen, margin=margin)
        _field(figure, choices, places, ends, f"within {margin * words.POINT:g} pt")
    else:
        same = set(alike)
        for run in runs([index in same for index in range(len(choices))]):
            _field(figure, choices, places, (run[0], run[-1]), ALIKE if chosen in run else "")
    shown = [choices[index] for index in drawn]
    x = [places.x[index] for index in drawn]
    labels = [choice.label for choice in shown]
    _line(figure, "accuracy", x, [choice.accuracy for choice in shown], labels)
    _line(figure, "cost", x, [choice.cost_per_request_usd for choice in shown], labels)
    _line(figure, "share", x, [choice.escalation_rate for choice in shown], labels)
    cannot_tell.fields(figure, choices, places, drawn, cost_axis=PANELS["cost"][0])
    if random:
        _random(figure, x, [random[index] for index in drawn])
    _strong(figure, choices[-1], places)
    _rules(figure, choices, places, chosen=chosen, in_force=in_force)
    _axes(figure, choices, places)
    return figure


def described(choices: "Sequence[Candidate]", chosen: int) -> str:
    """The figure in words, for those who do not see it."""
    pick, strong = choices[chosen], choices[-1]
    return (
        f"Accuracy, cost per request and share escalated at {len(choices)} candidate thresholds. Chosen "
        f"{pick.label}: accuracy {words.percent(pick.accuracy.value)}, cost "
        f"{words.money(pick.cost_per_request_usd.value)}, escalated "
        f"{words.percent(pick.escalation_rate.value)}. "
        f"Always strong: accuracy {words.percent(strong.accuracy.value)}."
    )


def _line(
    figure: "go.Figure",
    panel: str,
    x: "Sequence[float]",
    estimates: "Sequence[Estimate]",
    labels: "Sequence[str]",
) -> None:
    """One line with its band; gaps where the log cannot tell."""
    yaxis = PANELS[panel][0]
    for run in runs([entry.value is not None and entry.low is not None for entry in estimates]):
        part = [estimates[index] for index in run]
        across = [x[index] for index in run]
        figure.add_scatter(
            x=[*across, *across[::-1]],
            y=[*(entry.high for entry in part), *(entry.low for entry in part[::-1])],
            yaxis=yaxis,
            fill="toself",
            fillcolor=look.band(look.ACCENT),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )
    write = {"accuracy": ".1%", "cost": "$.5f", "share": ".1%"}[panel]
    figure.add_scatter(
        x=x,
        y=[entry.value for entry in estimates],
        yaxis=yaxis,
        mode="lines+markers" if len(x) <= EVEN else "lines",
        connectgaps=False,
        line={"color": look.ACCENT, "width": look.LINE, "shape": "linear"},
        marker={"size": 5, "color": look.ACCENT},
        customdata=labels,
        hovertemplate=f"<b>%{{customdata}}</b><br>{panel} %{{y:{write}}}<extra></extra>",
    )


def _field(
    figure: "go.Figure",
    choices: "Sequence[Candidate]",
    places: Axis,
    ends: tuple[int, int] | None,
    name: str,
) -> None:
    """An unbroken field of candidates, first to last, with its name at the lower right."""
    if len(choices) < LEAST_PLATEAU or ends is None or ends[0] == ends[1] == len(choices) - 1:
        return
    half = 0.5 if places.even else 0.0
    right = min(ends[1], len(choices) - 2)
    figure.add_shape(
        type="rect",
        layer="below",
        xref="x",
        yref="y domain",
        x0=places.x[min(ends[0], right)] - half,
        x1=places.x[right] + half,
        y0=0,
        y1=1,
        fillcolor=look.wash(look.CERTIFIED),
        line={"width": 0},
    )
    if name:
        look.note(
            figure,
            name,
            x=places.x[right] + half,
            y=0.02,
            yref="y domain",
            xanchor="right",
            yanchor="bottom",
        )


def _strong(figure: "go.Figure", strong: "Candidate", places: Axis) -> None:
    """Always strong as a point of its own, and its accuracy as a dashed line across."""
    for panel, estimate in (
        ("accuracy", strong.accuracy),
        ("cost", strong.cost_per_request_usd),
        ("share", strong.escalation_rate),
    ):
        if estimate.value is None:
            continue
        ends = estimate.low is not None and estimate.high is not None
        figure.add_scatter(
            x=[places.x[-1]],
            y=[estimate.value],
            yaxis=PANELS[panel][0],
            mode="markers",
            marker={"size": 9, "color": look.STRONG},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [(estimate.high or 0) - estimate.value if ends else 0],
                "arrayminus": [estimate.value - (estimate.low or 0) if ends else 0],
                "thickness": 1.5,
                "width": 0,
                "color": look.STRONG,
            },
            cliponaxis=False,
            hovertemplate=f"<b>always strong</b><br>{panel} %{{y}}<extra></extra>",
        )
    if strong.accuracy.value is not None:
        figure.add_scatter(
            x=[places.x[0], places.x[-1]],
            y=[strong.accuracy.value] * 2,
            mode="lines",
            line={"color": look.STRONG, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
        )
        look.note(
            figure,
            f"always strong {words.percent(strong.accuracy.value)}",
            x=places.x[0],
            y=strong.accuracy.value,
            xanchor="left",
            yanchor="bottom",
            font={"size": look.TICK_SIZE, "color": look.INK},
        )


def _random(figure: "go.Figure", x: "Sequence[float]", accuracy: "Sequence[float | None]") -> None:
    """What the same money buys when requests are escalated at random."""
    figure.add_scatter(
        x=x,
        y=accuracy,
        mode="lines",
        connectgaps=False,
        line={"color": look.NEUTRAL, "width": 1.5, "dash": "dot"},
        hovertemplate="<b>at random, same cost</b><br>accuracy %{y:.1%}<extra></extra>",
    )


def _rules(
    figure: "go.Figure", choices: "Sequence[Candidate]", places: Axis, *, chosen: int, in_force: int | None
) -> None:
    """Vertical rules through all panels: chosen solid, in force dotted, one label where they agree."""
    same = in_force == chosen
    width = (places.x[-1] - places.x[0]) or 1.0
    if in_force is not None and not same:
        _rule(figure, places.x[in_force], {"width": 1, "dash": "dot", "color": look.INK})
        # Where the rules are near, one label stands above the other: on a narrow screen they would overlap.
        near = abs(places.x[in_force] - places.x[chosen]) <= NEAR * width
        raised = LABEL_LINE_PX if near else 0
        figure.layout.margin.t += raised
        side = _side(in_force, chosen, near=near)
        _rule_label(figure, "in force", places.x[in_force], side=side, raised=raised)
    _rule(figure, places.x[chosen], {"width": 2, "color": look.ACCENT})
    text = f"<b>chosen {choices[chosen].label}</b>" + (" = in force" if same else "")
    share = (places.x[chosen] - places.x[0]) / width
    side = "right" if share >= 1 - EDGE else "left" if share <= EDGE else "center"
    if in_force is not None and not same and side == "center":
        side = "left" if in_force < chosen else "right"
    _rule_label(figure, text, places.x[chosen], side=side, color=look.ACCENT)


def _rule(figure: "go.Figure", x: float, line: dict[str, Any]) -> None:
    """A vertical line through all panels and the gaps between them."""
    figure.add_shape(type="line", xref="x", x0=x, x1=x, yref="paper", y0=0, y1=RULE_TOP, line=line)


def _side(index: int, other: int, *, near: bool) -> str:
    """Which edge of the label sits on the rule, so that two labels turn away from each other."""
    if not near:
        return "center"
    return "right" if index < other else "left"


def _rule_label(
    figure: "go.Figure", text: str, x: float, *, side: str, color: str | None = None, raised: int = 0
) -> None:
    figure.add_annotation(
        text=text,
        x=x,
        y=1,
        yref="paper",
        xanchor=side,
        yanchor="bottom",
        yshift=RULE_LABEL_PX + raised,
        showarrow=False,
        font={"size": look.TICK_SIZE, "color": color or look.INK},
    )


def _axes(figure: "go.Figure", choices: "Sequence[Candidate]", places: Axis) -> None:
    common = {"showgrid": True, "gridwidth": 1, "gridcolor": look.GRID, "zeroline": False, "fixedrange": True}
    fonts = {"tickfont": {"size": look.TICK_SIZE, "color": look.MUTED}, "ticks": "", "automargin": True}
    costs = [choice.cost_per_request_usd for choice in choices]
    dearest = max((entry.high or entry.value or 0.0 for entry in costs), default=0.0)
    decimals = max(words.money_decimals(dearest), 2)
    first = figure.layout.yaxis
    first.domain, first.tickformat, first.range = PANELS["accuracy"][1], ".0%", accuracy_range(choices)
    figure.layout.yaxis2 = {
        **common, **fonts, "domain": PANELS["cost"][1], "tickformat": f"$.{decimals}f", "nticks": 3,
        "rangemode": "tozero", "anchor": "x",
    }  # fmt: skip
    figure.layout.yaxis3 = {
        **common, **fonts, "domain": PANELS["share"][1], "tickformat": ".0%", "nticks": 3,
        "rangemode": "tozero", "anchor": "x",
    }  # fmt: skip
    width = places.x[-1] - places.x[0] or 1.0
    figure.update_xaxes(
        title_text="Threshold: keep the fast answer if its confidence is at least this",
        range=[places.x[0] - 0.05 * width, places.x[-1] + 0.05 * width],
        tickangle=0,
        anchor="y3",
        **ticks(choices, places),
    )
    for name, text in (("accuracy", "Accuracy"), ("cost", "Cost per request"), ("share", "Share escalated")):
        look.axis_name(figure, text, y=PANELS[name][1][1], bold=True)
    missing = {"accuracy": [c.accuracy for c in choices], "cost": costs}
    for name, entries in missing.items():
        if all(entry.value is None and entry.low is None for entry in entries):
            figure.update_layout({f"y{PANELS[name][0].replace('y', 'axis')}": {"showticklabels": False}})
            look.note(
                figure,
                f"{words.UNKNOWN}, {words.NOT_IN_LOG}",
                x=0.5,
                y=sum(PANELS[name][1]) / 2,
                xref="paper",
                yref="paper",
                font={"size": look.LABEL_SIZE},
            )
