"""Token counts whose parts stand inside or beside their whole. Expected values are worked by hand."""

import pytest

from analytics.logs.dialects import usage

WHOLE = ("input_tokens", "output_tokens")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"sent": 200, "made": 120, "total": 320, "cached": 20}, (200, 120)),  # 200 + 120 = 320: inside
        ({"sent": 180, "made": 120, "total": 320, "cached": 20}, (200, 120)),  # 180 + 120 + 20 = 320: beside
        ({"sent": 150, "made": 120, "total": 320, "cached": 20, "written": 30}, (200, 120)),  # + 20 + 30
        ({"sent": 200, "made": 56, "total": 320, "thought": 64}, (200, 120)),  # 200 + 56 + 64 = 320
        # 180 + 56 + 20 + 64 = 320: both stand beside
        ({"sent": 180, "made": 56, "total": 320, "cached": 20, "thought": 64}, (200, 120)),
        ({"sent": 200, "made": 120, "total": 999, "cached": 20}, (200, 120)),  # fits nothing, tells nothing
        ({"sent": 10, "made": 120, "cached": 20}, (30, 120)),  # a part cannot be more than its whole
        ({"sent": 100, "made": 9, "cached": 60, "written": 60}, (220, 9)),  # nor can two parts, which differ
        # Claude Code's, as MLflow traces it: the total is 3 + 400 although 15,000 were written to the cache
        ({"sent": 3, "made": 400, "total": 403, "written": 15_000}, (15_003, 400)),
        # 100 + 9 = 109: the total says inside, and neither part alone is more than 100
        ({"sent": 100, "made": 9, "total": 109, "cached": 60, "written": 60}, (100, 9)),
        ({"sent": 0, "made": 500, "total": 500, "cached": 2000}, (2000, 500)),  # all of the prompt was cached
        ({"sent": 0, "made": 0, "total": 0, "cached": 20, "thought": 64}, (0, 0)),  # a call that failed
        ({"sent": 200, "cached": 20}, (200, None)), ({"made": 120, "cached": 20}, (None, 120)),
        ({}, (None, None)),
        ({"sent": "180", "made": "120.0", "total": "320", "cached": "20"}, (200, 120)),  # texts of a CSV
    ],
)  # fmt: skip
def test_parts_count_once_among_their_whole(told, expected):
    columns = usage.columns(usage.counts(told))
    assert tuple(columns[name] for name in WHOLE) == expected


def test_an_input_that_leaves_the_cache_out_gets_it_whatever_its_size():
    told = usage.counts({"sent": 1000, "made": 50, "cached": 300, "written": 200, "hour": 80})
    # 1000 + 300 + 200 = 1500, of which 80 were written for an hour
    assert usage.apart(told) == {
        "input_tokens": 1500, "output_tokens": 50, "cached_tokens": 300, "cache_write_tokens": 200,
        "cache_write_1h_tokens": 80, "reasoning_tokens": None,
    }  # fmt: skip


def test_what_was_written_for_an_hour_is_among_what_was_written():
    told = usage.counts({"sent": 1000, "made": 50, "hour": 80})
    assert usage.columns(told)["cache_write_tokens"] == 80
    assert usage.apart(told)["input_tokens"] == 1080


@pytest.mark.parametrize("junk", [-1, 1.5, True, "x", None, [], {}, float("nan"), 2**70])
def test_what_is_no_count_is_unknown(junk):
    assert usage.counts({"sent": junk}) == usage.Counts()
