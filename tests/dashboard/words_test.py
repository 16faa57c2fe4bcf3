import datetime as dt
import re

import pytest

from analytics.estimate import Estimate
from dashboard import words

SP = "\u00a0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00213, "$0.0021"),  # the pairs of LOOK's table of words: two significant digits
        (0.00092, "$0.00092"),
        (0.0020, "$0.0020"),
        (1.5, "$1.50"),
        (1234.5, "$1,234"),
        (0.0, "$0.00"),
        (-0.00052, "\u2212$0.00052"),
        (None, "Unknown"),
    ],
)
def test_money_has_two_significant_digits(value, text):
    assert words.money(value) == text


def test_money_intervals_share_the_decimals_of_their_upper_end():
    assert words.money_interval(0.00196, 0.00224) == "$0.0020\u20130.0022"


def test_money_intervals_with_a_negative_end_say_to():
    assert words.money_interval(-0.001, 0.002) == f"\u2212$0.0010{SP}to{SP}$0.0020"


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.018, f"\u22121.8{SP}pt"), (0.0, f"0.0{SP}pt"), (-0.0001, f"0.0{SP}pt"), (None, "Unknown")],
)
def test_differences_are_points_with_a_real_minus_and_never_minus_zero(value, text):
    assert words.points(value) == text


def test_a_difference_on_a_card_carries_its_sign_but_for_zero():
    assert words.points(0.001, plus=True) == f"+0.1{SP}pt"
    assert words.points(-0.068, plus=True) == f"\u22126.8{SP}pt"
    assert words.points(0.0001, plus=True) == f"0.0{SP}pt"


@pytest.mark.parametrize(("value", "text"), [(169.4, "169"), (0.0252, "0.025"), (None, "Unknown")])
def test_numbers_without_a_unit_are_whole_or_have_two_digits(value, text):
    assert words.amount(value) == text


def test_percent_intervals_do_not_break_between_their_ends():
    assert words.percent_interval(0.732, 0.747) == f"73.2{SP}to{SP}74.7%"
    assert words.percent_interval(-0.012, 0.231, digits=0) == f"\u22121{SP}to{SP}23%"


def test_a_missing_interval_says_that_it_is_not_in_the_log():
    assert words.percent_interval(None, 0.5) == words.NOT_IN_LOG
    assert words.money_interval(None, None) == words.NOT_IN_LOG


def test_a_share_in_a_table_carries_its_interval():
    assert words.with_interval(Estimate(0.79, 0.762, 0.819, 786, "Wilson")) == f"79.0%{SP}(76\u201382)"
    assert words.with_interval(Estimate(None, None, None, 0, "none", reason="no grades")) == "Unknown"


@pytest.mark.parametrize(
    ("value", "route", "text"),
    [
        (0.9, "cascade", "0.90"),
        (0.975, "cascade", "0.975"),
        (None, "strong_only", "always strong"),
        (None, "fast_only", "never escalate"),
        (None, "cascade", "Unknown"),
    ],
)
def test_routes_and_thresholds_have_one_wording(value, route, text):
    assert words.threshold(value, route=route) == text


def test_durations_are_in_the_unit_that_people_say():
    assert words.seconds(0.42) == f"420{SP}ms"
    assert words.seconds(2.41) == f"2.4{SP}s"
    assert words.seconds(90) == f"90{SP}s"
    assert words.seconds(600) == f"10.0{SP}min"


def test_dates_are_written_out():
    assert words.date(dt.datetime(2026, 11, 2, 3, 4, tzinfo=dt.UTC)) == f"2{SP}Nov{SP}2026"


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "a&b", "$x$ and $y$", "<b>bold</b>"])
def test_untrusted_text_holds_no_markup_for_plotly(text):
    shown = words.label(text)
    assert "<" not in shown
    assert "$" not in shown
    assert "&" not in shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").replace("&#36;", "")


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://127.0.0.1/beacon)",
        "[link](javascript:alert(1))",
        ":red[x]",
        "$a$",
        "**b**",
        "`c`",
        "# h",
        "<b>",
    ],
)
def test_untrusted_text_holds_no_live_markdown(text):
    shown = words.plain(text)
    assert all(shown[at - 1] == "\\" for at, sign in enumerate(shown) if sign in "![]():$*`#<>")


@pytest.mark.parametrize("text", ["http://127.0.0.1/y", "HTTPS://x.y", "www.x.y", "a@b.cd", "ftp://x.y"])
def test_bare_addresses_do_not_become_links(text):
    # The patterns of GitHub-flavoured markdown's autolink literals, section 6.9 of its specification.
    shown = words.plain(text).replace("\\", "")
    assert not re.search(r"(?i)(https?|ftp)://|www\.|[\w.+-]@\w", shown)


def test_line_breaks_and_direction_marks_do_not_survive():
    assert words.label("a\nb\u202ec") == "a b c"
    assert "\n" not in words.plain("# one\n# two")


def test_long_names_are_cut_with_an_ellipsis():
    assert words.label("x" * 100) == "x" * 47 + "\u2026"


def test_a_null_category_is_called_uncategorised():
    assert words.category(None) == "Uncategorised"
    assert words.label(None) == "Uncategorised"


def test_our_own_dollars_are_escaped_once():
    assert words.dollars("from $1 to $2") == r"from \$1 to \$2"
    assert words.dollars(words.dollars("$1")) == r"\$1"


def test_long_lists_of_names_end_in_a_number():
    assert words.listing(["law", "math"]) == "law and math"
    assert words.listing(list("abcdef"), limit=3) == "a, b, c and 3 more"


def test_every_verdict_has_a_word_an_icon_and_a_chip():
    assert [entry.word for entry in words.VERDICTS.values()] == [
        "Certified", "Estimated", "Pooled", "Too little data", "Cannot tell",
    ]  # fmt: skip
    assert all(
        entry.icon.startswith(":material/") and len(entry.chip) == 9 for entry in words.VERDICTS.values()
    )
    assert words.verdict(None).word == "Cannot tell"
