"""What to do: every rule at and beside its edge; nothing worse by the margin is adopted as cheaper."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics.estimate import Estimate, undefined
from analytics.experiments.decision import decision, extra_correct


def between(low, high):
    return Estimate((low + high) / 2, low, high, 100, "test")


NOTHING = undefined("no grades")


@pytest.mark.parametrize(
    ("accuracy", "cost", "expected"),
    [
        # Margin 0.02. Surely worse by more than the margin: whatever it costs.
        ((-0.09, -0.03), (-2, -1), ("keep", "worse")),
        ((-0.09, -0.03), None, ("keep", "worse")),
        # At most the margin worse, and cheaper; at the edge of either nothing is shown.
        ((-0.01, 0.01), (-2, -1), ("adopt", "cheaper")),
        ((0.01, 0.03), (-2, -1), ("adopt", "cheaper")),
        ((-0.02, 0.01), (-2, -1), ("run_on", "open")),
        ((-0.01, 0.01), (-2, 0), ("run_on", "open")),
        # Better, and not dearer.
        ((0.01, 0.03), (-1, 0), ("adopt", "better")),
        ((0.01, 0.03), (-1, 1), ("run_on", "open")),
        # Better and dearer: what a right answer is worth decides.
        ((0.01, 0.03), (1, 2), ("price", "price")),
        ((0.0, 0.03), (1, 2), ("run_on", "open")),
        # Worse, though perhaps within the margin, and not cheaper.
        ((-0.03, -0.01), (0, 2), ("keep", "worse")),
        ((-0.03, -0.01), (-1, 2), ("run_on", "open")),
        ((-0.03, -0.02), (-1, 2), ("run_on", "open")),
        # Better by less than the margin at best, and dearer.
        ((-0.01, 0.01), (1, 2), ("keep", "dearer")),
        ((-0.01, 0.02), (1, 2), ("run_on", "open")),
        ((-0.01, 0.01), (0, 2), ("run_on", "open")),
        # Not known.
        (None, (-2, -1), ("run_on", "open")),
        ((-0.01, 0.01), None, ("run_on", "open")),
    ],
)
def test_every_rule_by_hand(accuracy, cost, expected):
    pair = (NOTHING if ends is None else between(*ends) for ends in (accuracy, cost))
    found = decision(*pair, margin=0.02)
    assert (found.choice, found.because) == expected
    assert (found.price_usd is not None) is (expected[0] == "price")


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (between(0.1, 0.2), ("adopt", "worth")),
        (between(-0.2, -0.1), ("keep", "not_worth")),
        (between(-0.1, 0.1), ("run_on", "open")),
        (between(0.0, 0.1), ("run_on", "open")),
        (NOTHING, ("run_on", "open")),
    ],
)
def test_where_an_answer_has_a_worth_that_alone_decides(net, expected):
    # Surely worse by more than the margin, yet what it saves is worth it.
    found = decision(between(-0.09, -0.03), between(-2, -1), margin=0.02, net=net)
    assert (found.choice, found.because) == expected


def test_the_price_of_one_more_right_answer_by_hand():
    # 1 to 2 USD more per request for 1 to 4 points more right answers: 0.5 USD x 100 / 2.5 in the middle;
    # at least 1 USD for 4 points, at most 2 for one.
    found = extra_correct(between(0.01, 0.04), between(1, 2))
    assert (found.value, found.low, found.high) == pytest.approx((1.5 / 0.025, 25, 200))
    for accuracy, cost in ((between(0.0, 0.04), between(1, 2)), (between(0.01, 0.04), between(-1, 2))):
        assert extra_correct(accuracy, cost) is None
    assert extra_correct(NOTHING, between(1, 2)) is None


ends = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)
margins = st.sampled_from([0.0, 0.01, 0.02, 0.1])


@given(accuracy=ends, cost=ends, margin=margins)
def test_nothing_is_adopted_as_cheaper_that_may_be_worse_by_the_margin(accuracy, cost, margin):
    found = decision(between(*accuracy), between(*cost), margin=margin)
    if accuracy[0] <= -margin:
        assert found.choice != "adopt"
    if found.choice == "adopt":
        assert cost[1] <= 0
        assert accuracy[0] > -margin
    if found.choice == "keep":
        # Nobody loses what was shown: the treatment is not surely better by the margin, nor surely cheaper
        # without being surely worse by it.
        assert accuracy[1] < max(margin, 1e-12)
        assert cost[1] >= 0 or accuracy[1] < -margin
    if found.choice == "price":
        assert accuracy[0] > 0
        assert cost[0] > 0
        assert found.price_usd.low <= found.price_usd.value <= found.price_usd.high


@given(accuracy=ends, cost=ends, margin=margins, width=st.floats(0, 1))
def test_a_wider_interval_never_turns_one_decision_into_its_opposite(accuracy, cost, margin, width):
    narrow = decision(between(*accuracy), between(*cost), margin=margin)
    wide = decision(
        between(accuracy[0] - width, accuracy[1] + width),
        between(cost[0] - width, cost[1] + width),
        margin=margin,
    )
    assume(narrow.choice in ("adopt", "keep"))
    assert wide.choice in (narrow.choice, "run_on")
