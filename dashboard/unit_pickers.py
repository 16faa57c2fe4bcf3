"""In what units, with which decimal mark and in which order of dates columns are read: shown and chosen.

All of it is decided once per column or file before anything is loaded, never value by value.
"""

from dataclasses import dataclass

import streamlit as st

from analytics.logs.meaning.mapping import Mapping
from analytics.logs.meaning.scales import UNITS, kind_of

WORDS = {
    "fraction": "0 to 1",
    "percent": "percent",
    "logprob": "log-probability",
    "usd": "dollars",
    "cents": "cents",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "iso": "dates and times",
    "epoch_s": "seconds since 1970",
    "epoch_ms": "milliseconds since 1970",
    "epoch_us": "microseconds since 1970",
    "epoch_ns": "nanoseconds since 1970",
    "time": "order of time",
}
NO_DATES = "no such dates"
ORDERS = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}
MARKS = {".": "a point, as in 0.95", ",": "a comma, as in 0,95"}
_USUAL = {"share": "fraction", "grade": "fraction", "money": "usd", "duration": "s", "time": "iso"}


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers and times of a file are read.

    Attributes:
        units: Field -> unit, where it is not the usual one or was chosen.
        decimal: Decimal mark of numbers that are text.
        dates: Order of day and month in dates with slashes or dots; None where there are none.
    """

    units: dict[str, str]
    decimal: str
    dates: str | None


def shown(mapping: Mapping, name: str) -> str:
    """The unit in which a field's column is read, in words; empty for texts, counts and flags."""
    kind = kind_of(name)
    if name not in mapping.columns or (kind is None and name not in mapping.units):
        return ""
    unit = mapping.units.get(name) or _USUAL[str(kind)]
    text = WORDS.get(unit, unit)
    if unit == "iso" and mapping.dates is not None:
        return ORDERS[mapping.dates]
    return f"{text}, decimal comma" if mapping.decimal == "," and kind != "time" else text


def options(name: str) -> tuple[str, ...]:
    """Units that a source of this field may have; empty where there is only one."""
    kind = kind_of(name)
    return () if kind is None else tuple(UNITS[kind])


def pickers(mapping: Mapping, *, key: str) -> Scale:
    """Draw the choices for the columns that are read; what they say now."""
    fields = [name for name in mapping.columns if options(name)]
    chosen: dict[str, str] = {}
    st.caption("How numbers and times stand in the file, the same on every row")
    with st.grid(3, min_column_width=200):
        for name in fields:
            usual = _USUAL[str(kind_of(name))]
            offered = options(name)
            now = mapping.units.get(name, usual)
            picked = st.selectbox(
                f"{name} is in",
                offered,
                offered.index(now),
                format_func=lambda unit: WORDS[unit],
                key=f"unit-{key}-{name}",
            )
            if name in mapping.units or picked != usual:
                chosen[name] = picked
        decimal = st.selectbox(
            "Decimal mark", MARKS, list(MARKS).index(mapping.decimal), format_func=MARKS.__getitem__,
            key=f"decimal-{key}",
        )  # fmt: skip
        orders = (None, *ORDERS)
        dates = st.selectbox(
            "Dates such as 03/04/2026", orders, orders.index(mapping.dates),
            format_func=lambda order: NO_DATES if order is None else ORDERS[order], key=f"dates-{key}",
        )  # fmt: skip
    return Scale(chosen, decimal, dates)
