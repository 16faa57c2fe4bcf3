"""Hostile and broken files made by code, each with what must become of it, known from how it was made.

All start from twenty good rows, lines 2 to 21 of a CSV. Words that a message must have name the place and
the way out.
"""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from analytics.logs.meaning.mapping import Answers

Row = dict[str, Any]
ROWS = 20


@dataclass(frozen=True, slots=True)
class Case:
    """One file and what must become of it.

    Attributes:
        name: As its uploader calls it.
        wrong: What is wrong with it.
        data: Its bytes, made when they are wanted.
        counts: Records read, loaded, rejected, duplicates; null where the file must be refused.
        says: What the report or the refusal must say.
        answers: What its user says when asked; the first try is without.
        asks: What the question must say; empty where nothing is asked.
    """

    name: str
    wrong: str
    data: Callable[[], bytes]
    counts: tuple[int, int, int, int] | None
    says: tuple[str, ...] = ()
    answers: Answers = field(default_factory=Answers)
    asks: tuple[str, ...] = ()


def good_rows() -> list[Row]:
    """Twenty rows of a call-level log."""
    return [
        {
            "request_id": f"r{n}",
            "timestamp": f"2026-01-{n:02d}T00:00:00Z",
            "category": ("law", "maths")[n % 2],
            "tier": "small",
            "model": "gpt-5-mini",
            "confidence": n / 25,
            "correct": n % 2,
            "cost_usd": n / 1000,
            "latency_s": 0.5 + n / 10,
            "input_tokens": 100 + n,
        }
        for n in range(1, ROWS + 1)
    ]


def changed_rows(changes: dict[int, Row]) -> list[Row]:
    """The good rows with cells changed, by physical line of the CSV."""
    return [row | changes.get(line, {}) for line, row in enumerate(good_rows(), 2)]


def csv_lines(rows: list[Row], *, delimiter: str = ",", end: str = "\n") -> list[str]:
    return [
        delimiter.join(map(str, cells)) + end for cells in ([*rows[0]], *([*row.values()] for row in rows))
    ]


def joined(lines: list[str]) -> bytes:
    return "".join(lines).encode()


def csv_with(number: int, change: Callable[[str], str]) -> bytes:
    """The good CSV with one physical line changed."""
    lines = csv_lines(good_rows())
    lines[number - 1] = change(lines[number - 1])
    return joined(lines)


def json_lines(rows: list[Row]) -> list[str]:
    return [json.dumps(row) + "\n" for row in rows]


def json_with(number: int, change: Callable[[str], str]) -> bytes:
    lines = json_lines(good_rows())
    lines[number - 1] = change(lines[number - 1])
    return joined(lines)


def parquet(rows: list[Row], **columns: pa.Array) -> bytes:
    table = pa.Table.from_pylist(rows)
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    return parquet_of(table)


def parquet_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zst(data: bytes) -> bytes:
    return bytes(pa.compress(data, "zstd", asbytes=True))


def tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        data = joined(csv_lines(good_rows()))
        entry = tarfile.TarInfo("logs/log.csv")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return sink.getvalue()


def workbook() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return sink.getvalue()


def arrow() -> bytes:
    sink = io.BytesIO()
    feather.write_feather(pa.Table.from_pylist(good_rows()), sink, compression="uncompressed")
    return sink.getvalue()


def flipped(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes([data[place] ^ value]) + data[place + 1 :]


def good_csv() -> bytes:
    return joined(csv_lines(good_rows()))
