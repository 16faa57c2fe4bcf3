"""How units are told in words in the mapping table."""

import pytest

from analytics.logs.meaning.mapping import Mapping
from dashboard import unit_pickers

COLUMNS = {
    "request_id": ("id",), "ts": ("when",), "confidence": ("conf",), "cost_usd": ("paid",),
    "latency_s": ("took",),
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "units", "decimal", "dates", "expected"),
    [
        ("confidence", {}, ".", None, "0 to 1"),
        ("confidence", {"confidence": "percent"}, ",", None, "percent, decimal comma"),
        ("ts", {"ts": "epoch_ms"}, ".", None, "milliseconds since 1970"),
        ("ts", {"ts": "iso"}, ",", "dmy", "day first"),
        ("latency_s", {"latency_s": "ms"}, ".", None, "milliseconds"),
        ("cost_usd", {}, ".", None, "dollars"),
        ("request_id", {}, ",", None, ""),
        ("correct", {}, ".", None, ""),
    ],
)
def test_a_unit_reads_as_people_say_it(field, units, decimal, dates, expected):
    mapping = Mapping("calls", "call_level", COLUMNS, {}, units, decimal, dates)
    assert unit_pickers.shown(mapping, field) == expected


def test_every_unit_has_a_word():
    for name in (*COLUMNS, "correct"):
        assert all(unit in unit_pickers.WORDS for unit in unit_pickers.options(name))
