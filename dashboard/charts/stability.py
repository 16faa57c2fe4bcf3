"""What resamples of a log pick in each category: dots by share on one axis, the chosen one ringed."""

from typing import TYPE_CHECKING

from dashboard import look, words

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from analytics.tuning.stability import CategoryStability, Stability

ROW, FRAME, LARGEST, RING = 30, 96, 20, 20
EVEN = 24
BINS = 60
MOST_TICKS = 11
WIDEST = 26


def picks(found: "Stability") -> "go.Figure":
    """One row per category: dots as large as the share of the resamples that pick an option."""
    names = list(found.categories)
    figure = look.base(FRAME + ROW * len(names))
    place = _Places(found)
    for row, item in enumerate(found.categories.values()):
        _row(figure, row, item, place)
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[words.label(name, limit=WIDEST) for name in names],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
    )
    figure.update_xaxes(
        title_text="Threshold that resamples pick",
        tickvals=place.tickvals,
        ticktext=place.ticktext,
        range=place.range,
        tickangle=0,
        showgrid=True,
        gridcolor=look.GRID,
        gridwidth=1,
    )
    figure.update_layout(margin_t=12)
    return figure


def described(found: "Stability") -> str:
    """The figure in words, for those who do not see it."""
    rows = []
    for name, item in found.categories.items():
        low, high = (_name(item, at) for at in (item.low, item.high))
        rows.append(
            f"{words.one_line(name, limit=WIDEST)}: {low} to {high}, the same {words.percent(item.same)}"
        )
    return f"What {found.resamples} resamples pick, 5 to 95%. {'; '.join(rows)}."


class _Places:
    """Where options stand: evenly up to 24 distinct thresholds, else on a linear axis in bins."""

    def __init__(self, found: "Stability") -> None:
        values = sorted(
            {
                at
                for item in found.categories.values()
                for at in item.options["threshold"].drop_nulls().to_list()
            }
        )
        self._even = len(values) <= EVEN
        if self._even:
            self._x = {at: float(index + 1) for index, at in enumerate(values)}
            first, last = 0.0, len(values) + 1.0
            every = max(1, -(-len(values) // MOST_TICKS))
            shown = values[::-1][::every][::-1]
            ticks = [(self._x[at], words.number(at)) for at in shown]
        else:
            low, high = values[0], values[-1]
            room = 0.2 * ((high - low) or 1.0)
            first, last = low - room, high + room
            ticks = [
                (at, words.number(round(at, 2))) for at in (low + (high - low) * k / 4 for k in range(5))
            ]
        self._ends = {"fast_only": first, "strong_only": last}
        self.tickvals = [first, *(x for x, _ in ticks), last]
        self.ticktext = ["never", *(text for _, text in ticks), "always<br>strong"]
        edge = 0.05 * (last - first)
        self.range = [first - edge, last + edge]

    def of(self, route: str, threshold: float | None) -> float:
        """Place of an option."""
        if threshold is None:
            return self._ends[route]
        if self._even:
            return self._x[threshold]
        return threshold

    def binned(self, x: float) -> float:
        """The place of a dot: on a linear axis, neighbours share one."""
        if self._even or x in self._ends.values():
            return x
        width = (self.range[1] - self.range[0]) / BINS
        return round(x / width) * width


def _row(figure: "go.Figure", row: int, item: "CategoryStability", place: _Places) -> None:
    options = item.options.to_dicts()
    if item.low is not None and item.high is not None:
        ends = [place.of(options[at]["route"], options[at]["threshold"]) for at in (item.low, item.high)]
        figure.add_scatter(
            x=ends,
            y=[row, row],
            mode="lines",
            line={"color": look.NEUTRAL, "width": 3},
            opacity=0.55,
            hoverinfo="skip",
        )
    shares: dict[float, float] = {}
    for option in options:
        x = place.binned(place.of(option["route"], option["threshold"]))
        shares[x] = shares.get(x, 0.0) + option["share"]
    shown = {x: share for x, share in shares.items() if share > 0}
    figure.add_scatter(
        x=list(shown),
        y=[row] * len(shown),
        mode="markers",
        marker={
            "size": [max(4.0, LARGEST * share**0.5) for share in shown.values()],
            "color": look.NEUTRAL,
            "line": {"width": 0},
        },
        customdata=[words.percent(share) for share in shown.values()],
        hovertemplate=f"<b>{words.label(item.task_category)}</b><br>picked by %{{customdata}}<extra></extra>",
    )
    chosen = next(option for option in options if option["chosen"])
    name = words.threshold(chosen["threshold"], route=chosen["route"])
    figure.add_scatter(
        x=[place.of(chosen["route"], chosen["threshold"])],
        y=[row],
        mode="markers",
        marker={
            "size": RING,
            "symbol": "circle-open",
            "color": look.ACCENT,
            "line": {"width": 2.5, "color": look.ACCENT},
        },
        hovertemplate=(
            f"<b>{words.label(item.task_category)}</b><br>recommended {name}, picked by "
            f"{words.percent(item.same)}<extra></extra>"
        ),
    )


def _name(item: "CategoryStability", at: int | None) -> str:
    if at is None:
        return "nothing"
    option = item.options.row(at, named=True)
    return words.threshold(option["threshold"], route=option["route"])
