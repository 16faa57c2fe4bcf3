"""Values from text. Expected values are Python's own arithmetic or worked by hand."""

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.logs.meaning import units

UTC = dt.UTC
NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def column(*texts):
    return pl.Series(list(texts), dtype=pl.String)


@given(st.lists(st.floats(allow_nan=False) | st.none()))
def test_a_number_is_what_python_wrote(values):
    texts = column(*(None if value is None else repr(value) for value in values))
    assert units.number(texts).to_list() == values


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_percent_is_divided_exactly_as_python_divides(values):
    # Multiplying with 0.01 instead would put 57% at 0.5700000000000001, beyond a threshold of 0.57.
    read = units.confidence(column(*(str(value / 100) for value in values)), unit="percent")
    assert read.to_list() == [(value / 100) / 100 for value in values]


def test_other_marks_group_thousands_and_nothing_else():
    point = units.number(column("1,234.5", "12,34", " 0.5 ", "1e-5", "0,3", "0x10", "1_000"))
    assert point.to_list() == [1234.5, None, 0.5, 1e-5, None, None, None]
    comma = units.number(column("1.234,5", "0,3", "0.5", "0.123", "1.234", "5"), decimal=",")
    assert comma.to_list() == [1234.5, 0.3, None, None, 1234.0, 5.0]


def test_confidence_is_null_unless_it_is_a_number_from_0_to_1():
    texts = column("0", "1", "1.0000001", "-0.1", "nan", "inf", "1e400", "true", "[0.5]", "high", None)
    assert units.confidence(texts).to_list() == [0.0, 1.0, *[None] * 9]


def test_percent_signs_and_log_probabilities():
    assert units.confidence(column("87%", "87", "100.5"), unit="percent").to_list() == [0.87, 0.87, None]
    read = units.confidence(column("-0.1", "0", "0.1"), unit="logprob").to_list()
    assert read == [math.exp(-0.1), 1.0, None]


def test_ten_spellings_of_a_grade():
    texts = column(
        "yes", "no", "Y", "N", "TRUE", "false", "1", "0", "pass", "fail", "correct", "Wrong", "0.25"
    )
    assert units.grade(texts).to_list() == [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0.25]


def test_a_grade_outside_is_nan_and_another_word_null():
    read = units.grade(column("7", "-0.03", "maybe", None)).to_list()
    assert [math.isnan(value) if value is not None else None for value in read] == [True, True, None, None]


def test_money_loses_its_dollars_and_never_its_sign():
    texts = column(
        "$0.01", "$1,234.56", "0.01 USD", "US$3", "(0.01)", "-$3", "$-3", "€0.02", "£3", "1.234,56"
    )
    expected = [0.01, 1234.56, 0.01, 3.0, -0.01, -3.0, -3.0, None, None, None]
    assert units.cost_usd(texts).to_list() == expected
    assert units.cost_usd(column("29"), unit="cents").to_list() == [0.29]


@pytest.mark.parametrize(
    ("unit", "seconds"), [("s", 2288.0), ("ms", 2.288), ("us", 0.002288), ("ns", 2.288e-6)]
)
def test_durations_become_seconds(unit, seconds):
    assert units.seconds(column("2288"), unit=unit).to_list() == [seconds]


def test_whole_numbers_keep_every_digit():
    # 2^53 + 1 is no double.
    texts = column("9007199254740993", "12.0", "1,234", "1e3", "1.5", "-1", "x")
    assert units.whole(texts).to_list() == [9007199254740993, 12, 1234, 1000, None, None, None]


def test_words_for_yes_and_for_escalated():
    assert units.flag(column("True", "no", "route", None)).to_list() == [True, False, None, None]
    assert units.flag(column("route", "keep", "strong"), escalated=True).to_list() == [True, False, True]


def test_status_from_words_and_http_codes():
    texts = column("200", "404", "503", "504", "408", "OK", "false", "Timeout", "other")
    expected = ["success", "error", "error", "timeout", "timeout", "success", "error", "timeout", None]
    assert units.status(texts).to_list() == expected


@given(st.datetimes(dt.datetime(2015, 1, 1), dt.datetime(2100, 12, 31)), st.integers(-720, 840))  # noqa: DTZ001
def test_iso_times_of_any_zone_become_utc(moment, minutes):
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    texts = [local.isoformat(), local.isoformat(" "), moment.isoformat(), moment.isoformat() + "Z"]
    assert units.moment(column(*texts)).to_list() == [moment] * 4


@pytest.mark.parametrize(
    "text", ["Jan 1 2026", "1 January 2026", "Thu, 01 Jan 2026 00:00:00 GMT", "2026/01/01"]
)
def test_named_months_and_year_first_need_no_answer(text):
    assert units.moment(column(text)).to_list() == [NEW_YEAR]


@given(
    st.lists(st.datetimes(dt.datetime(2015, 1, 1), dt.datetime(2100, 1, 1)) | st.none(), min_size=1),  # noqa: DTZ001
    st.sampled_from(("T", " ")),
    st.sampled_from(("", "Z", "+00:00", "+05:30", "-0800")),
    st.sampled_from(("seconds", "milliseconds", "microseconds")),
)
def test_a_column_of_iso_times_is_what_python_reads(moments, between, zone, digits):
    texts = [None if one is None else one.isoformat(between, digits) + zone for one in moments]

    def read(text):
        found = dt.datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if zone else found

    expected = [None if text is None else read(text) for text in texts]
    assert units.moment(column(*texts)).to_list() == expected
    # One text of another spelling among them changes nothing for the others.
    assert units.moment(column(*texts, "Jan 1 2026")).to_list() == [*expected, NEW_YEAR]


def test_impossible_days_are_null_and_a_leap_second_is_the_next_minute():
    read = units.moment(column("2026-02-30", "292278-01-01", "not a date", "2025-12-31T23:59:60Z"))
    assert read.to_list() == [None, None, None, NEW_YEAR]


@pytest.mark.parametrize(("dates", "month", "day"), [("dmy", 4, 3), ("mdy", 3, 4)])
def test_day_and_month_are_as_told(dates, month, day):
    expected = NEW_YEAR.replace(month=month, day=day)
    read = units.moment(column("03/04/2026", "3.4.2026", "03/04/2026 15:30", "3/4/2026 3:30 PM"), dates=dates)
    later = expected.replace(hour=15, minute=30)
    assert read.to_list() == [expected, expected, later, later]
    assert units.moment(column("03/04/2026")).to_list() == [None]


@pytest.mark.parametrize(
    ("unit", "digits"), [("epoch_s", 0), ("epoch_ms", 3), ("epoch_us", 6), ("epoch_ns", 9)]
)
def test_epoch_times(unit, digits):
    # 1767225600 is 2026-01-01 00:00 UTC (date -u -d @1767225600).
    assert units.moment(column("1767225600" + "0" * digits), unit=unit).to_list() == [NEW_YEAR]


def test_epoch_fractions_and_nanoseconds_keep_their_microseconds():
    assert units.moment(column("1767225600.25"), unit="epoch_s")[0].microsecond == 250_000
    # As a double 1795358625050705123 is off by up to 128 ns, enough to turn 705 into 704 after truncation.
    assert units.moment(column("1795358625050705001"), unit="epoch_ns")[0].microsecond == 50_705
