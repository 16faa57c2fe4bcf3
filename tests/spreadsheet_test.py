"""CSV as a spreadsheet or a program reads it back; expected values by Python's own csv module."""

import csv
import io

import polars as pl
import pytest
from hostile_texts import TEXTS
from hypothesis import given
from hypothesis import strategies as st

from analytics.spreadsheet import csv_text

ACTIVE = tuple("=+-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20")


def rows(text: str) -> list[list[str]]:
    """The fields of a CSV as Python's reader has them."""
    return list(csv.reader(io.StringIO(text, newline="")))


def taken_back(field: str) -> str:
    """The text before the apostrophe, by the rule that the file's reader is told."""
    return field[1:] if field.startswith("'") and field.lstrip("'\" ").startswith(ACTIVE) else field


@pytest.mark.parametrize(
    "sign", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1", '"=1', " =1", "\uff1d1"]
)
def test_what_a_spreadsheet_would_run_is_a_text(sign: str) -> None:
    field = rows(csv_text(pl.DataFrame({"name": [sign]})))[1][0]
    assert field == f"'{sign}"


def test_numbers_stay_numbers_and_null_stays_empty() -> None:
    frame = pl.DataFrame({"gain": [-1.5, None, 2.0], "n": [-3, 4, None], "name": ["a", None, "-b"]})
    assert rows(csv_text(frame)) == [
        ["gain", "n", "name"],
        ["-1.5", "-3", "a"],
        ["", "4", ""],
        ["2.0", "", "'-b"],
    ]


def test_lists_names_of_columns_and_categories_are_made_safe_too() -> None:
    frame = pl.DataFrame(
        {"=cmd": [["=1", "b"]], "kind": pl.Series(["@x"], dtype=pl.Categorical)},
    )
    assert rows(csv_text(frame)) == [["'=cmd", "kind"], ["'=1, b", "'@x"]]


def test_no_hostile_text_starts_a_formula() -> None:
    fields = [row[0] for row in rows(csv_text(pl.DataFrame({"name": TEXTS})))[1:]]
    assert len(fields) == len(TEXTS)
    assert [field for field in fields if field.lstrip("\"' ").startswith(ACTIVE) and field[0] != "'"] == []


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_text_comes_back(texts: list[str]) -> None:
    frame = pl.DataFrame({"place": range(len(texts)), "name": texts})
    read = pl.read_csv(csv_text(frame).encode(), schema={"place": pl.Int64, "name": pl.String})
    back = [taken_back(field or "") for field in read["name"]]
    assert back == texts
    assert not [field for field in read["name"] if field and field[0] in ACTIVE]
