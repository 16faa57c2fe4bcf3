"""Where candidates stand on the threshold axis, which are drawn, and which are as good as the chosen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.candidates import Candidate

EVEN = 30
MOST_TICKS = 10
MOST_DRAWN = 400
APART = 0.16


@dataclass(frozen=True, slots=True)
class Axis:
    """Places of the candidates on the threshold axis.

    Attributes:
        x: One place per candidate; the last is always strong, apart from the others.
        even: Whether candidates are evenly spaced with their values as tick text.
    """

    x: tuple[float, ...]
    even: bool


def axis(choices: "Sequence[Candidate]") -> Axis:
    """Evenly spaced up to 30 candidates, since stated confidences crowd near 1; linear above that."""
    if len(choices) <= EVEN + 1:
        last = len(choices) - 1
        apart = max(0.0, APART * last - 1)
        return Axis((*(float(index) for index in range(last)), last + apart), even=True)
    values = [choice.threshold for choice in choices[:-1]]
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    gap = APART * ((high - low) or 1.0)
    return Axis((*(low if value is None else value for value in values), high + gap), even=False)


def thinned(count: int, keep: "Sequence[int | None]") -> list[int]:
    """At most about 400 of ``count`` positions, evenly, with those in ``keep`` and both ends."""
    step = max(1, -(-count // MOST_DRAWN))
    return sorted({*range(0, count, step), count - 1, *(index for index in keep if index is not None)})


def plateau(choices: "Sequence[Candidate]", *, chosen: int, margin: float) -> tuple[int, int] | None:
    """First and last index of the unbroken run around ``chosen`` within ``margin``; None where unknown."""
    centre = choices[chosen].accuracy.value
    if centre is None:
        return None

    def near(index: int) -> bool:
        value = choices[index].accuracy.value
        return value is not None and abs(value - centre) <= margin + 1e-12

    first = last = chosen
    while first > 0 and near(first - 1):
        first -= 1
    while last + 1 < len(choices) and near(last + 1):
        last += 1
    return first, last


def bounds_of(choice: "Candidate") -> tuple[float, float] | None:
    """Lowest and highest possible accuracy; both the value where it is known."""
    if choice.bounds is not None:
        return choice.bounds
    value = choice.accuracy.value
    return None if value is None else (value, value)


def ticks(choices: "Sequence[Candidate]", places: Axis) -> dict[str, object]:
    """Tick values and texts: at most about ten, counted from the right, so that none turns upright."""
    last = len(choices) - 1
    strong = (places.x[last], "strong<br>only")
    if not places.even:
        low, high = places.x[0], places.x[last - 1]
        shown = [low + (high - low) * step / 5 for step in range(6)]
        return {
            "tickvals": [*shown, strong[0]],
            "ticktext": [*(words.number(round(x, 2)) for x in shown), strong[1]],
        }
    every = 1 if last <= MOST_TICKS else 2 if last <= 2 * MOST_TICKS else 3
    picked = list(range(last - 1, -1, -every))[::-1]
    names = ["never" if index == 0 else choices[index].label for index in picked]
    return {"tickvals": [*(places.x[index] for index in picked), strong[0]], "ticktext": [*names, strong[1]]}


def accuracy_range(choices: "Sequence[Candidate]") -> list[float]:
    """The range of what is known, so that wide bounds do not flatten the curve to a line."""
    known = [choice.accuracy for choice in choices if choice.accuracy.value is not None]
    ends = [end for entry in known for end in (entry.value, entry.low, entry.high) if end is not None]
    if not ends:
        return [0.0, 1.0]
    low, high = min(ends), max(ends)
    unknown = any(choice.bounds is not None for choice in choices)
    room = 0.06 * (high - low or 0.1)
    below, above = (room, room) if not unknown else (2 * room, 8 * room)
    return [max(low - below, 0.0), min(high + above, 1.0) if high < 1 else 1.0 + room]


def runs(flags: "Sequence[bool]") -> list[list[int]]:
    """Runs of neighbouring true positions."""
    runs: list[list[int]] = []
    for index, flag in enumerate(flags):
        if not flag:
            continue
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
