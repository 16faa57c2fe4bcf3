"""The bar of one loaded file: what was read is loaded, rejected or a duplicate."""

import plotly.graph_objects as go

from dashboard import look, words

HEIGHT = 64
PARTS = (
    ("loaded", "Loaded", look.CERTIFIED, ""),
    ("duplicates", "Duplicates", look.NEUTRAL, "/"),
    ("rejected", "Rejected", look.WORSE, "x"),
)


def intake(*, loaded: int, rejected: int, duplicates: int) -> go.Figure:
    """Three stacked parts that differ in pattern and word as well as colour, their numbers below.

    A small part is drawn as small as it is; its number says what it holds.

    Args:
        loaded: Rows in the dataset now because of this file.
        rejected: Records with a reason why not.
        duplicates: Rows that were there already.
    """
    counts = {"loaded": loaded, "rejected": rejected, "duplicates": duplicates}
    read = sum(counts.values())
    figure = look.base(HEIGHT)
    figure.update_layout(barmode="stack", margin={"l": 0, "r": 0, "t": 4, "b": 28, "pad": 0}, bargap=0)
    figure.update_xaxes(visible=False, range=[0, max(read, 1)], automargin=False)
    figure.update_yaxes(visible=False, automargin=False)
    for name, word, colour, shape in PARTS:
        figure.add_bar(
            x=[counts[name]],
            y=[0],
            orientation="h",
            name=word,
            marker={
                "color": colour,
                "line": {"width": 1 if counts[name] else 0, "color": look.PAGE},
                "pattern": {
                    "shape": shape,
                    "size": 6,
                    "solidity": 0.35,
                    "fgcolor": look.PAGE,
                    "bgcolor": colour,
                },
            },
            hovertemplate=f"<b>{word}</b> {_part(counts[name], read)}<extra></extra>",
        )
    small = [_label(word, counts[name], read) for name, word, _, _ in PARTS[1:] if counts[name]]
    _below(figure, _label("Loaded", loaded, read), x=0, anchor="left")
    if small:
        _below(figure, "   ".join(small), x=1, anchor="right")
    return figure


def alt(*, loaded: int, rejected: int, duplicates: int) -> str:
    """The same in words, for people who do not see the bar."""
    read = loaded + rejected + duplicates
    return (
        f"Bar of {read:,} records read: {loaded:,} loaded, {rejected:,} rejected, {duplicates:,} duplicates."
    )


def _part(count: int, read: int) -> str:
    share = count / read if read else 0.0
    return f"{words.count(count)} ({words.percent(share)})"


def _label(word: str, count: int, read: int) -> str:
    number, _, share = _part(count, read).partition(" ")
    return f"<b>{word} {number}</b> {share}"


def _below(figure: go.Figure, text: str, *, x: float, anchor: str) -> None:
    figure.add_annotation(
        text=text,
        xref="paper",
        yref="paper",
        x=x,
        y=0,
        xanchor=anchor,
        yanchor="top",
        yshift=-6,
        showarrow=False,
        font={"size": look.TICK_SIZE, "color": look.INK},
    )
