"""Staged files for tests of what comes after reading: text columns, as a reader leaves them."""

import csv
import hashlib
from pathlib import Path

import polars as pl

from analytics.logs.dialects import table_of
from analytics.logs.meaning.convert import TYPED, convert
from analytics.logs.meaning.look import look
from analytics.logs.meaning.mapping import Answers, proposal
from analytics.logs.reading.staging import ROWS, Staged

BADINPUTS = Path(__file__).parent / "badinputs"


def stage(folder, columns, *, delimiter=","):
    """``rows.parquet`` and ``staged.json`` of a mapping from names to values; null and "" are absent."""
    names = list(columns)
    texts = [
        pl.Series(
            f"c{at}", [None if value in (None, "") else str(value) for value in columns[name]], pl.String
        )
        for at, name in enumerate(names)
    ]
    rows = len(texts[0])
    pl.DataFrame([pl.Series("line", range(2, rows + 2), pl.Int64), *texts]).write_parquet(folder / ROWS)
    file_id = hashlib.sha256(repr(columns).encode()).hexdigest()
    staged = Staged(
        *("log.csv", "csv", None, "utf-8", delimiter, names, rows, 0, file_id, 1),
        dialect=table_of(names).name,
    )
    staged.save(folder)
    return staged


def profiled(folder, staged):
    """Profiles of a staged file's columns."""
    return look(folder, staged, Answers()).profiles


def propose(folder, columns, *, saved=None, delimiter=",", **answers):
    """The proposal for a staged file."""
    staged = stage(folder, columns, delimiter=delimiter)
    found = profiled(folder, staged)
    return proposal(staged, found, saved=saved, overrides=Answers(**answers))


def load(folder, columns, *, prices=None, delimiter=",", **answers):
    """(typed frame, what ``convert`` reports) of a file whose proposal leaves no question open."""
    made = propose(folder, columns, delimiter=delimiter, **answers)
    assert not made.questions
    report = convert(folder, made.mapping, prices=prices)
    frame = pl.read_parquet(folder / TYPED)
    assert report.rows == frame.height
    return frame, report


def bad_input(name, *, delimiter=","):
    """Columns of a CSV file in ``badinputs``; a row with too few or many fields is cut or filled."""
    with (BADINPUTS / name).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter=delimiter)
    return {name: [row[at] if at < len(row) else None for row in rows] for at, name in enumerate(header)}


def columns_of(path):
    """Columns of a Parquet file as shortest texts."""
    frame = pl.read_parquet(path)
    return {name: [_text(value) for value in frame[name].to_list()] for name in frame.columns}


def _text(value):
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else repr(value) if isinstance(value, float) else str(value)
