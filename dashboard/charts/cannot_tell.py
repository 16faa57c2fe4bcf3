"""What a log cannot tell: hatched between its bounds, darker where an assumption narrows them."""

from typing import TYPE_CHECKING

from dashboard import look, words
from dashboard.charts.candidate_axis import Axis, bounds_of, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import plotly.graph_objects as go

    from dashboard.candidates import Candidate


def fields(
    figure: "go.Figure",
    choices: "Sequence[Candidate]",
    places: Axis,
    drawn: "Sequence[int]",
    *,
    cost_axis: str,
) -> None:
    """Draw what the log cannot tell of accuracy and of cost.

    Args:
        figure: With the accuracy on its first axis.
        choices: From ``candidates``, the last being always strong.
        places: Where they stand.
        drawn: Those of them that are drawn, always strong apart.
        cost_axis: Name of the axis of the costs.
    """
    _if_never_worse(figure, choices, places, drawn)
    _cannot_tell(figure, choices, places, drawn)
    _cost_cannot_tell(figure, choices, places, drawn, axis=cost_axis)


def _cannot_tell(
    figure: "go.Figure", choices: "Sequence[Candidate]", places: Axis, drawn: "Sequence[int]"
) -> None:
    """The hatched field between the bounds; axis ranges clip it."""
    every = [*drawn, len(choices) - 1]
    unknown = [choices[index].bounds is not None for index in every]
    widest: tuple[float, float] | None = None
    for run in runs(unknown):
        start = [run[0] - 1] if run[0] > 0 else []
        stop = [run[-1] + 1] if run[-1] + 1 < len(every) else []
        indices = [every[place] for place in [*start, *run, *stop]]
        bounds = [bounds_of(choices[index]) for index in indices]
        kept = [
            (places.x[index], pair) for index, pair in zip(indices, bounds, strict=True) if pair is not None
        ]
        figure.add_scatter(
            x=[*(x for x, _ in kept), *(x for x, _ in kept[::-1])],
            y=[*(pair[1] for _, pair in kept), *(pair[0] for _, pair in kept[::-1])],
            fill="toself",
            mode="lines",
            fillcolor=look.CLEAR,
            fillpattern={
                "shape": "/",
                "size": 7,
                "solidity": 0.28,
                "fgcolor": look.NEUTRAL,
                "bgcolor": look.CLEAR,
            },
            line={"width": 1, "dash": "dot", "color": look.NEUTRAL},
            hoverinfo="skip",
        )
        last = bounds_of(choices[indices[-1]]) or (0.0, 1.0)
        widest = last if widest is None or last[1] - last[0] > widest[1] - widest[0] else widest
    if widest is not None:
        low, high = words.percent(widest[0], digits=0), words.percent(widest[1], digits=0)
        figure.add_annotation(
            text=f"<b>This log cannot tell</b><br>anything from {low} to {high}",
            xref="paper",
            yref="paper",
            x=0.985 if unknown[-1] else 0.03,
            y=0.5,
            xanchor="right" if unknown[-1] else "left",
            yanchor="bottom",
            align="right" if unknown[-1] else "left",
            showarrow=False,
            bgcolor=look.PAGE,
            borderpad=3,
            font={"size": look.TICK_SIZE, "color": look.INK},
        )


def _if_never_worse(
    figure: "go.Figure", choices: "Sequence[Candidate]", places: Axis, drawn: "Sequence[int]"
) -> None:
    """The darker field: what is left of the hatched one if the strong model is never worse."""
    ends = {index: choices[index].tighter for index in [*drawn, len(choices) - 1]}
    _field(figure, "y", places, ends, before=lambda index: bounds_of(choices[index]))


def _cost_cannot_tell(
    figure: "go.Figure", choices: "Sequence[Candidate]", places: Axis, drawn: "Sequence[int]", *, axis: str
) -> None:
    """What strong calls could cost that were never made."""

    def known(index: int) -> tuple[float, float] | None:
        value = choices[index].cost_per_request_usd.value
        return None if value is None else (value, value)

    _field(figure, axis, places, {index: choices[index].cost_bounds for index in drawn}, before=known)


def _field(
    figure: "go.Figure",
    axis: str,
    places: Axis,
    ends: "Mapping[int, tuple[float, float] | None]",
    *,
    before: "Callable[[int], tuple[float, float] | None]",
) -> None:
    """A tinted field between two ends, run by run, opening from the last candidate that is known."""
    order = list(ends)
    for run in runs([ends[index] is not None for index in order]):
        indices = [order[place] for place in run]
        pairs = [(places.x[index], ends[index] or (0.0, 0.0)) for index in indices]
        opening = before(order[run[0] - 1]) if run[0] > 0 else None
        if opening is not None:
            pairs.insert(0, (places.x[order[run[0] - 1]], opening))
        figure.add_scatter(
            x=[*(x for x, _ in pairs), *(x for x, _ in pairs[::-1])],
            y=[*(pair[1] for _, pair in pairs), *(pair[0] for _, pair in pairs[::-1])],
            yaxis=axis,
            fill="toself",
            mode="lines",
            fillcolor=look.band(look.NEUTRAL),
            line={"width": 0},
            hoverinfo="skip",
        )
