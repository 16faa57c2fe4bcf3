"""The shortest decimal between two confidences, compared as float64."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from analytics.tuning.decimals import shortest_decimal


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.95, 0.96, 0.96),  # 0.96 itself: nothing with one place lies above 0.95
        (0.2, 0.3, 0.3),  # the float64 0.3 is below 3/10, yet 0.3 is its text
        (0.05, 0.2, 0.2),  # of 0.1 and 0.2 the one closest to the upper end
        (0.5, 1.0, 1.0),  # no place at all
        (0.123, 0.1299, 0.129),  # 0.12 is below, 0.13 above
        (0.8123, 0.91, 0.9),
        (0.0, 5e-324, 5e-324),  # the smallest float64 of all
        (0.1, math.nextafter(0.1, 1), math.nextafter(0.1, 1)),  # neighbours: no shorter one
        (0.5, float(np.float32(0.7)), 0.6),  # a widened float32: 0.7 would escalate it
        (-1.0, 0.0, 0.0),
    ],
)
def test_the_shortest_decimal_by_hand(low, high, expected):
    assert shortest_decimal(low, high) == expected


def test_the_first_interval_includes_zero():
    assert shortest_decimal(0.0, 0.3, closed=True) == 0.0
    assert shortest_decimal(0.0, 0.3) == 0.3
    assert shortest_decimal(0.0, 0.0, closed=True) == 0.0
    assert math.copysign(1, shortest_decimal(-0.0, 0.0, closed=True)) == 1


@pytest.mark.parametrize(
    ("low", "high"), [(0.5, 0.5), (0.6, 0.5), (math.nan, 0.5), (0.5, math.nan), (0.0, math.inf)]
)
def test_an_interval_without_a_number_is_a_mistake(low, high):
    with pytest.raises(ValueError, match="no threshold lies between"):
        shortest_decimal(low, high)


def places(value: float) -> int:
    return max(0, -int(Decimal(repr(value)).normalize().as_tuple().exponent))


@given(st.floats(0, 1), st.floats(0, 1))
@example(0.1, 0.30000000000000004)
@example(0.0, 1e-300)
def test_it_lies_inside_and_reads_back_from_its_text(one, other):
    assume(one != other)
    low, high = sorted((one, other))
    found = shortest_decimal(low, high)
    assert low < found <= high
    assert float(repr(found)) == found
    assert places(found) <= places(high)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.sampled_from([0.0, 1e-17, 1e-9, 1e-5]))
def test_no_decimal_with_fewer_places_lies_inside(one, other, shift):
    assume(one != other)
    low, high = sorted((one / 10_000, other / 10_000))
    high += shift
    found = shortest_decimal(low, high)
    # every decimal with up to four places, by enumeration
    inside = [
        (count, -number / 10**count)
        for count in range(5)
        for number in range(math.floor(low * 10**count), math.ceil(high * 10**count) + 1)
        if low < number / 10**count <= high
    ]
    fewest, largest = min(inside)
    assert (places(found), found) == (fewest, -largest)
