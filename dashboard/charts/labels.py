"""On which side of its mark a label goes, so that labels neither meet each other nor leave the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640.0, 360.0  # pixels of a plane on a narrow screen
CHARACTER, LINE, GAP = 7.4, 18.0, 9.0
SIDES = ("top left", "bottom right", "top right", "bottom left", "bottom center", "top center")


@dataclass(frozen=True, slots=True)
class Label:
    """A label before it has a place: its mark in [0, 1] of the picture, its length, the side it prefers."""

    x: float
    y: float
    characters: int
    side: str


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

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

    def inside(self) -> bool:
        """Whether it stays within the picture; above there is room for one line."""
        return self.left >= 0 and self.right <= WIDTH and self.bottom >= -LINE and self.top <= HEIGHT + LINE


def sides(labels: Sequence[Label]) -> list[str]:
    """The side of every label: the preferred one, else the first that is free, in the order given."""
    taken = [_mark(label) for label in labels]
    chosen = []
    for label in labels:
        options = dict.fromkeys((label.side, *SIDES))
        free = [side for side in options if _free(_box(label, side), taken)]
        held = [side for side in options if _box(label, side).inside()]
        side = (free or held or [label.side])[0]
        taken.append(_box(label, side))
        chosen.append(side)
    return chosen


def clearest(places: Sequence[tuple[float, float]], labels: Sequence[Label]) -> int:
    """Index of the place, in [0, 1] of the picture, that is furthest from every mark and its label."""

    def room(place: tuple[float, float]) -> float:
        text = _box(Label(*place, 21, "top left"), "top left")
        gaps = [_gap(text, box) for label in labels for box in (_mark(label), _box(label, label.side))]
        return min(gaps, default=0.0) if text.inside() else -1.0

    rooms = [room(place) for place in places]
    return rooms.index(max(rooms))


def _gap(one: Box, other: Box) -> float:
    """Distance between two boxes; 0 where they overlap."""
    across = max(other.left - one.right, one.left - other.right, 0.0)
    up = max(other.bottom - one.top, one.bottom - other.top, 0.0)
    return float((across**2 + up**2) ** 0.5)


def _free(box: Box, taken: Sequence[Box]) -> bool:
    return box.inside() and not any(box.meets(other) for other in taken)


def _mark(label: Label) -> Box:
    x, y = label.x * WIDTH, label.y * HEIGHT
    return Box(x - GAP + 1, x + GAP - 1, y - GAP + 1, y + GAP - 1)


def _box(label: Label, side: str) -> Box:
    x, y, width = label.x * WIDTH, label.y * HEIGHT, label.characters * CHARACTER
    vertical, _, across = side.partition(" ")
    bottom = {"top": y + GAP, "middle": y - LINE / 2, "bottom": y - GAP - LINE}[vertical]
    left = {"left": x - GAP - width, "right": x + GAP, "center": x - width / 2}[across]
    return Box(left, left + width, bottom, bottom + LINE)
