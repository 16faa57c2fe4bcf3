"""What exports of several tools have in common. Expected values are by hand."""

import pytest

from analytics.logs.dialects import opening


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01 00:00:00.500000", 1767225600.5),
        ("2026-01-01T01:00:00+01:00", 1767225600.0),
        (1767225600, 1767225600.0),
        (1767225600.25, 1767225600.25),
        ("1767225600000", 1767225600.0),
        (1767225600000000, 1767225600.0),
        ("1767225600000000000", 1767225600.0),
        ("yesterday", None),
        (5, None),
        (True, None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_a_moment_is_read_in_every_way_that_tools_write_one(value, seconds):
    assert opening.epoch_s(value) == seconds


def test_a_duration_needs_both_ends_in_order():
    assert opening.seconds_between("2026-01-01T00:00:00Z", 1767225601.5) == 1.5
    assert opening.seconds_between(1767225601, 1767225600) is None
    assert opening.seconds_between(None, 1767225600) is None


def test_json_texts_are_opened_on_the_way_and_other_texts_stay():
    record = {"metadata": '{"usage": "{\\"tokens\\": 3}", "note": "{not json"}'}
    assert opening.member(record, "metadata", "usage", "tokens") == 3
    assert opening.member(record, "metadata", "note") == "{not json"
    assert opening.member(record, "metadata", "absent", "deeper") is None
    assert opening.mapping('["a"]') == {}
    assert opening.listing('["a", 1]') == ["a", 1]


@pytest.mark.parametrize("text", ['{"a": "\\u0000"}', '["\\ud800"]', '{"\\udfff": 1}'])
def test_json_that_holds_no_text_or_a_nul_stays_text(text):
    assert opening.opened(text) == text


def test_json_with_escaped_characters_is_opened():
    assert opening.opened('["\\ud83d\\ude00", "\\u00e9"]') == ["\U0001f600", "\u00e9"]


def test_tags_with_a_key_become_an_object():
    tags = ["cat:math", "arm = B", "plain", "https://x.example", "cat:law", 3, "a:b:c"]
    assert opening.tagged(tags) == {"cat": "math", "arm": "B", "a": "b:c"}
    assert opening.tagged('["cat:math"]') == {"cat": "math"}
    assert opening.tagged("cat:math") == {}


def test_a_mean_log_probability_is_none_where_a_probability_would_pass_one():
    assert opening.mean_logprob([-1.0, "-3", None]) == -2.0
    assert opening.mean_logprob([0.5, -1]) is None
    assert opening.mean_logprob([]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", "a"),
        (7, "7"),
        ("", None),
        ("None", None),
        ("NULL", None),
        ("\\N", None),
        (True, None),
        ({}, None),
    ],
)
def test_an_id_is_text_and_no_word_for_nothing(value, text):
    assert opening.text(value) == text


def test_members_that_hold_nothing_are_pruned_at_any_depth():
    value = {"a": None, "b": {"c": None, "d": []}, "e": [{"f": None, "g": 0}], "h": False}
    assert opening.pruned(value) == {"e": [{"g": 0}], "h": False}
    assert opening.pruned("text") == "text"
