"""Where the labels of marks go, so that none meets another, a mark or the edge, however wide the screen is.

A figure is made once and drawn at any width, while its labels keep their size in pixels. A place is therefore
good only if it is free at every width of ``WIDTHS``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Form = Literal["full", "stacked", "short"]
"""Name and number side by side, one above the other, or the name alone."""
WIDTHS = (336.0, 430.0, 560.0, 720.0, 960.0)
"""Pixels of the plotted area: main columns from 440 to 1100 pixels, less the box and the axis."""
HEIGHT = 350.0
CHARACTER, LINE, GAP = 7.6, 20.0, 8.0
SMALL_CHARACTER, SMALL_LINE = 6.0, 16.0
MARK = 8.0
SIDES = (
    *("top left", "bottom right", "top right", "bottom left"),
    *("top center", "bottom center", "middle right", "middle left"),
)
FAR = (16.0, 30.0, 52.0, 74.0)
PASSES = 4
OVERLAP, OUTSIDE, BAR, CROSSED, DISTANT, TURNED = 1000.0, 1000.0, 40.0, 1.5, 8.0, 1.0
FORMS: dict[Form, float] = {"full": 0.0, "stacked": 6.0, "short": 30.0}
"""What each form of a label costs against the others."""
NUMBER = 6
SAMPLES = 40

Spot = tuple[float, float]
Line = Sequence[Spot]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, its origin at the lower left of the picture."""

    left: float
    right: float
    bottom: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether the two overlap."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return self.left < x < self.right and self.bottom < y < self.top

    def inside(self, width: float) -> bool:
        """Whether it stays within the picture; above it is the name of the axis."""
        return self.left >= 0 and self.right <= width + GAP and self.bottom >= 0 and self.top <= HEIGHT


@dataclass(frozen=True)
class Label:
    """A label before it has a place.

    Attributes:
        x: Of its mark, in [0, 1] of the picture.
        y: Of its mark, in [0, 1].
        characters: Length of its name; a number may follow.
        side: The side of the mark that it prefers, one of ``SIDES``.
        across: Ends of the horizontal error bar in [0, 1]; equal where there is none.
        up: Ends of the vertical one.
    """

    x: float
    y: float
    characters: int
    side: str
    across: tuple[float, float] | None = None
    up: tuple[float, float] | None = None

    @cached_property
    def places(self) -> "list[Place]":
        """Every place that it may take, the preferred one first."""
        near = dict.fromkeys((self.side, *SIDES))
        found = [Place(side, 0.0, form) for form in FORMS for side in near]
        apart = [side for side in near if not side.startswith("middle")]
        return found + [Place(side, far, form) for form in FORMS for far in FAR for side in apart]

    def size(self, form: Form) -> Spot:
        """Width and height in pixels."""
        length = self.characters + (2 + NUMBER if form == "full" else 0)
        return max(length, NUMBER) * CHARACTER, LINE * (2 if form == "stacked" else 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label stands: the side of its mark, how far away, and how its number is written.

    Attributes:
        side: Vertical and horizontal side, as in ``top left``.
        far: Pixels above or below the mark beyond the usual gap; then a line leads to the mark.
        form: full, stacked or short.
    """

    side: str
    far: float = 0.0
    form: Form = "full"

    @property
    def shift(self) -> Spot:
        """Pixels from the mark to the label's nearest corner or edge, to the right and up."""
        vertical, _, across = self.side.partition(" ")
        reach = GAP - 2 + self.far
        step = 1.5 * GAP if vertical == "middle" else 2 * GAP if self.far else GAP
        return (
            {"left": -step, "right": step, "center": 0.0}[across],
            {"top": reach, "middle": 0.0, "bottom": -reach}[vertical],
        )

    @property
    def anchors(self) -> tuple[str, str]:
        """Plotly's ``xanchor`` and ``yanchor``: which point of the label the shift leads to."""
        vertical, _, across = self.side.partition(" ")
        return (
            {"left": "right", "right": "left", "center": "center"}[across],
            {"top": "bottom", "middle": "middle", "bottom": "top"}[vertical],
        )


def places(labels: Sequence[Label], *, lines: Iterable[Line] = ()) -> list[Place | None]:
    """The place of every label; None for one that has no free place, which is then not drawn.

    Args:
        labels: The most important first; the first is always drawn.
        lines: Curves in [0, 1] of the picture, which labels cross only if nothing else is free.
    """
    points = [spot for line in lines for spot in _sampled(line)]
    costs = [[_alone(label, place, labels, points) for place in label.places] for label in labels]
    chosen = [min(range(len(row)), key=row.__getitem__) for row in costs]
    for _ in range(PASSES):
        before = list(chosen)
        for index, label in enumerate(labels):
            others = [_boxes(labels[k], labels[k].places[at]) for k, at in enumerate(chosen) if k != index]
            chosen[index] = min(
                range(len(label.places)),
                key=lambda at, index=index, label=label, others=others: (  # type: ignore[misc]
                    costs[index][at] + OVERLAP * _meetings(_boxes(label, label.places[at]), others)
                ),
            )
        if chosen == before:
            break
    return _without_overlaps(labels, [label.places[at] for label, at in zip(labels, chosen, strict=True)])


def free(
    spots: Iterable[tuple[float, float, Place]],
    characters: int,
    labels: Sequence[Label],
    placed: Sequence[Place | None],
    *,
    lines: Iterable[Line] = (),
    taken: Sequence[tuple[float, float, Place, int]] = (),
) -> tuple[float, float, Place] | None:
    """The first spot for a small note that touches nothing; None where there is none.

    Args:
        spots: Place of the note's anchor in [0, 1] and how it stands to it.
        characters: Length of the note.
        labels: Labels and marks of the picture.
        placed: Their places.
        lines: Curves in [0, 1] of the picture.
        taken: Notes that stand already, with their lengths.
    """
    points = [spot for line in lines for spot in _sampled(line)]
    held = [_held(labels, placed, taken, width) for width in WIDTHS]
    for spot in spots:
        boxes = [_note(spot, characters, width) for width in WIDTHS]
        if all(_clear(*known, points) for known in zip(boxes, held, WIDTHS, strict=True)):
            return spot
    return None


def along(line: Line, shares: Iterable[float]) -> list[Spot]:
    """Points of a line at these shares of its horizontal span."""
    if len(line) < 2:  # noqa: PLR2004 - a line has two ends
        return []
    found = _sampled(line)
    return [found[round(share * SAMPLES)] for share in shares]


def _held(
    labels: Sequence[Label],
    placed: Sequence[Place | None],
    taken: Sequence[tuple[float, float, Place, int]],
    width: float,
) -> list[Box]:
    """Everything that is drawn at this width: labels, notes, marks and error bars."""
    held = [_text(label, at, width) for label, at in zip(labels, placed, strict=True) if at is not None]
    held += [_note((x, y, place), length, width) for x, y, place, length in taken]
    for label in labels:
        held += [_mark(label, width), *_bars(label, width)]
    for label, at in zip(labels, placed, strict=True):
        if at is not None and at.far:
            held.append(_lead(label, at, width))
    return held


def _clear(box: Box, held: Sequence[Box], width: float, points: Sequence[Spot]) -> bool:
    return (
        box.inside(width)
        and not any(box.meets(other) for other in held)
        and not any(box.holds(x * width, y * HEIGHT) for x, y in points)
    )


def _note(spot: tuple[float, float, Place], characters: int, width: float) -> Box:
    x, y, place = spot
    return _box((x * width, y * HEIGHT), place, (characters * SMALL_CHARACTER, SMALL_LINE))


def _alone(label: Label, place: Place, labels: Sequence[Label], points: Sequence[Spot]) -> float:
    """What a place costs whatever the other labels do: the worst over all widths."""
    rank = list(dict.fromkeys((label.side, *SIDES))).index(place.side)
    fixed = TURNED * rank + FORMS[place.form] + DISTANT * (place.far > 0) + place.far / 10
    worst = 0.0
    for width in WIDTHS:
        box = _text(label, place, width)
        cost = 0.0 if box.inside(width) else OUTSIDE
        for other in labels:
            cost += OVERLAP * box.meets(_mark(other, width))
            cost += BAR * sum(box.meets(bar) for bar in _bars(other, width))
        cost += CROSSED * sum(box.holds(x * width, y * HEIGHT) for x, y in points)
        worst = max(worst, cost)
    return fixed + worst


def _without_overlaps(labels: Sequence[Label], found: Sequence[Place]) -> list[Place | None]:
    kept: list[Place | None] = []
    for index, (label, place) in enumerate(zip(labels, found, strict=True)):
        others = [_boxes(labels[k], at) for k, at in enumerate(kept) if at is not None]
        kept.append(None if index and _meetings(_boxes(label, place), others) else place)
    return kept


def _boxes(label: Label, place: Place) -> list[Box]:
    return [_text(label, place, width) for width in WIDTHS]


def _meetings(boxes: Sequence[Box], others: Sequence[Sequence[Box]]) -> int:
    """How many of the other labels it meets at some width."""
    return sum(any(box.meets(there) for box, there in zip(boxes, other, strict=True)) for other in others)


def _text(label: Label, place: Place, width: float) -> Box:
    return _box((label.x * width, label.y * HEIGHT), place, label.size(place.form))


def _box(mark: Spot, place: Place, size: tuple[float, float]) -> Box:
    """The rectangle of a text of this size, all in pixels, that stands so to its mark."""
    (right, up), (across, vertical), (length, height) = place.shift, place.anchors, size
    left = mark[0] + right - {"left": 0.0, "center": length / 2, "right": length}[across]
    bottom = mark[1] + up - {"bottom": 0.0, "middle": height / 2, "top": height}[vertical]
    return Box(left, left + length, bottom, bottom + height)


def _mark(label: Label, width: float) -> Box:
    x, y = label.x * width, label.y * HEIGHT
    return Box(x - MARK + 2, x + MARK - 2, y - MARK + 2, y + MARK - 2)


def _lead(label: Label, place: Place, width: float) -> Box:
    """What the line from a far label to its mark spans."""
    x, y, (right, up) = label.x * width, label.y * HEIGHT, place.shift
    return Box(x + min(right, -1), x + max(right, 1), y + min(up, 0), y + max(up, 0))


def _bars(label: Label, width: float) -> list[Box]:
    x, y, found = label.x * width, label.y * HEIGHT, []
    if label.across is not None:
        found.append(Box(label.across[0] * width, label.across[1] * width, y - 1, y + 1))
    if label.up is not None:
        found.append(Box(x - 1, x + 1, label.up[0] * HEIGHT, label.up[1] * HEIGHT))
    return found


def _sampled(line: Line) -> list[Spot]:
    """Points along a line, evenly over its horizontal span."""
    if len(line) < 2:  # noqa: PLR2004 - a line has two ends
        return list(line)
    ordered = sorted(line)
    low, high = ordered[0][0], ordered[-1][0]
    found, at = [], 0
    for step in range(SAMPLES + 1):
        x = low + (high - low) * step / SAMPLES
        while at + 2 < len(ordered) and ordered[at + 1][0] < x:
            at += 1
        (x0, y0), (x1, y1) = ordered[at], ordered[at + 1]
        found.append((x, y0 if x1 <= x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)))
    return found
