"""Labels of marks meet nothing, at the narrowest screen and at the widest."""

import random

import pytest

from dashboard.charts import labels
from dashboard.charts.labels import Box, Label, Place


def boxes(marks: list[Label], placed: list[Place | None], width: float) -> list[Box]:
    """What is drawn at a width, from the corner nearest to the mark and the text's size."""
    found = []
    for mark, place in zip(marks, placed, strict=True):
        if place is None:
            continue
        (right, up), (across, vertical) = place.shift, place.anchors
        length, height = mark.size(place.form)
        x, y = mark.x * width + right, mark.y * labels.HEIGHT + up
        left = {"left": x, "center": x - length / 2, "right": x - length}[across]
        bottom = {"bottom": y, "middle": y - height / 2, "top": y - height}[vertical]
        found.append(Box(left, left + length, bottom, bottom + height))
    return found


def overlaps(found: list[Box]) -> int:
    return sum(one.meets(other) for at, one in enumerate(found) for other in found[:at])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("width", [336, 500, 640, 800, 960])
def test_no_two_labels_meet_at_any_width(seed: int, width: int):
    chance = random.Random(seed)  # noqa: S311 - places of marks
    names = (
        "Recommended",
        "Always fast",
        "Always strong",
        "In force",
        "Random, same cost",
        "Oracle (unreachable)",
    )
    marks = [
        Label(chance.uniform(0.05, 0.88), chance.uniform(0.1, 0.9), len(name), chance.choice(labels.SIDES))
        for name in names
    ]
    placed = labels.places(marks)
    assert placed[0] is not None
    assert overlaps(boxes(marks, placed, width)) == 0


def test_marks_that_crowd_in_one_corner_still_have_labels_that_do_not_meet():
    # The defect that was seen: recommended, in force and always strong within 60 pixels at 900 pixels.
    marks = [
        Label(0.55, 0.72, 11, "top left"),
        Label(0.66, 0.70, 8, "top left"),
        Label(0.72, 0.78, 13, "top left"),
    ]
    placed = labels.places(marks)
    assert None not in placed
    assert all(overlaps(boxes(marks, placed, width)) == 0 for width in labels.WIDTHS)


def test_a_label_alone_takes_the_side_that_it_prefers_with_its_number():
    assert labels.places([Label(0.6, 0.5, 11, "top left")]) == [Place("top left")]


def test_a_label_turns_away_from_the_edge():
    (place,) = labels.places([Label(0.01, 0.5, 11, "top left")])
    assert place is not None
    assert place.side.endswith("right")


def test_a_label_leaves_out_its_number_before_it_meets_another():
    # At 336 pixels the two marks are 34 apart, and both names must stand in the same row of the picture.
    marks = [Label(0.5, 0.5, 11, "middle left"), Label(0.6, 0.5, 11, "middle right")]
    placed = labels.places(marks)
    assert all(overlaps(boxes(marks, placed, width)) == 0 for width in labels.WIDTHS)


def test_labels_that_find_no_place_are_left_out_and_the_first_stays():
    marks = [Label(0.5, 0.5, 40, "top left") for _ in range(30)]
    placed = labels.places(marks)
    assert placed[0] is not None
    assert None in placed
    assert all(overlaps(boxes(marks, placed, width)) == 0 for width in labels.WIDTHS)


def test_a_note_stands_where_nothing_else_does_or_nowhere():
    mark = Label(0.5, 0.5, 11, "top left")
    held = labels.places([mark])
    taken, clear = (0.5, 0.5, Place("top left")), (0.9, 0.1, Place("top left"))
    assert labels.free([taken, clear], 20, [mark], held) == clear
    assert labels.free([taken], 20, [mark], held) is None
