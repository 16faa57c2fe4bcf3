"""Damaged copies of good log files, the same at every run: file ``number`` of a format follows from it."""

import gzip
import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FORMATS = ("csv", "jsonl", "json", "parquet", "packed")
SEED = 20261127
_FIXTURES = Path(__file__).parents[1] / "fixtures"
_ROWS = 24
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_HUGE = (
    b"1e308", b"-1e308", b"1e999", b"9" * 30, b"9" * 5000, b"-1", b"NaN", b"Infinity", b"-0.0", b"1e-400",
    b"18446744073709551616", b"9223372036854775807", b"-9223372036854775808", b"0x10", b"1_000", b"1,5",
    b"\xd9\xa1", b"00.5", b"1e5", b"",
)  # fmt: skip
_BROKEN_TEXT = (
    b"\xff", b"\xc3", b"\xe9", b"\x93", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\\ud800", b"\\u0000",
    "\u2028".encode(), "\x85".encode(), "\u202e".encode(), b"\x1f\x8b", b"\x0c", b"\x1a",
)  # fmt: skip
_MARKS = (
    b'"',
    b"'",
    b'""',
    b"\\",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"=1+1",
)
_EXTREMES: dict[str, tuple[Any, ...]] = {
    "float": (float("nan"), float("inf"), -1.0, 1e308, 5e-324, None),
    "int": (2**63 - 1, -(2**63), 0, None),
    "str": ("\0", "a" * 70_000, "=1", "", "\U0001f600" * 300, "\u202e", None),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One damaged file.

    Attributes:
        name: What its uploader calls it.
        data: Its bytes.
        how: The mutations, first to last.
    """

    name: str
    data: bytes
    how: str


def mutant(kind: str, number: int) -> Mutant:
    """Damaged file ``number`` of a format; ``packed`` is any text format as gz or zst."""
    chance = random.Random(f"{SEED}:{kind}:{number}")  # noqa: S311 - the same at every run
    if kind == "packed":
        return _packed(chance)
    name, data = chance.choice(BASES[kind])
    if kind == "parquet" and chance.random() < 0.3:
        return Mutant(name, _odd_parquet(data, chance), "odd values")
    how = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        step = chance.choice(_STEPS)
        data = step(data, chance, kind)
        how.append(step.__name__.strip("_"))
    return Mutant(name, data, ", ".join(how))


def _packed(chance: random.Random) -> Mutant:
    inner = mutant(chance.choice(("csv", "jsonl", "json")), chance.randrange(10_000))
    whole = chance.random() < 0.3
    data = chance.choice(BASES["csv"] + BASES["jsonl"])[1] if whole else inner.data
    zst = chance.random() < 0.5
    packed = pa.compress(data, "zstd", asbytes=True) if zst else gzip.compress(data, mtime=0)
    how = "good inside" if whole else inner.how
    if whole or chance.random() < 0.5:
        step = chance.choice((_flipped, _cut, _spliced, _doubled, _nul))
        packed = step(packed, chance, "packed")
        how += f"; packed and {step.__name__.strip('_')}"
    return Mutant(f"{inner.name}.{'zst' if zst else 'gz'}", packed, how)


def _flipped(data: bytes, chance: random.Random, _: str) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 5, 20)) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random, _: str) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _spliced(data: bytes, chance: random.Random, kind: str) -> bytes:
    """The beginning of this file and the end of another, now and then of another format."""
    other = chance.choice(FORMATS[:4]) if chance.random() < 0.2 or kind == "packed" else kind
    tail = chance.choice(BASES[other])[1]
    return data[: chance.randrange(len(data) + 1)] + tail[chance.randrange(len(tail)) :]


def _doubled(data: bytes, chance: random.Random, _: str) -> bytes:
    start, end = _span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 1, 2, 50)) + data[end:]


def _lines_doubled(data: bytes, chance: random.Random, _: str) -> bytes:
    lines = data.splitlines(keepends=True)
    start, end = _span(lines, chance)
    return b"".join([*lines[:end], *lines[start:end], *lines[end:]])


def _lines_dealt(data: bytes, chance: random.Random, _: str) -> bytes:
    lines = data.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _removed(data: bytes, chance: random.Random, _: str) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _nul(data: bytes, chance: random.Random, _: str) -> bytes:
    return _with(data, (b"\0", b"\0\0\0\0", b"\0" * 600), chance)


def _huge(data: bytes, chance: random.Random, _: str) -> bytes:
    found = list(_NUMBER.finditer(data))
    for number in sorted(chance.sample(found, min(len(found), 3)), key=lambda one: -one.start()):
        data = data[: number.start()] + chance.choice(_HUGE) + data[number.end() :]
    return data


def _marked(data: bytes, chance: random.Random, _: str) -> bytes:
    return _with(data, _MARKS, chance)


def _unquoted(data: bytes, chance: random.Random, _: str) -> bytes:
    places = [place for place, byte in enumerate(data) if byte in b'"{}[],:']
    for place in sorted(chance.sample(places, min(len(places), 2)), reverse=True):
        data = data[:place] + data[place + 1 :]
    return data


def _recoded(data: bytes, chance: random.Random, _: str) -> bytes:
    """Broken text here and there, or the whole file or its end in another encoding."""
    if chance.random() < 0.7:
        return _with(data, _BROKEN_TEXT, chance)
    start = 0 if chance.random() < 0.5 else _span(data, chance)[0]
    text = data[start:].decode(errors="replace")
    coding = chance.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp037", "shift_jis"))
    return data[:start] + text.encode(coding, errors="replace")


def _relined(data: bytes, chance: random.Random, _: str) -> bytes:
    return data.replace(
        b"\n", chance.choice((b"\r", b"\r\n", b"\n\n", b"\n \n", b"")), chance.choice((-1, 3))
    )


def _with(data: bytes, pieces: tuple[bytes, ...], chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 3))):
        place = chance.randrange(len(data) + 1)
        data = data[:place] + chance.choice(pieces) + data[place + chance.choice((0, 1)) :]
    return data


def _span(whole: bytes | list[bytes], chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(whole) + 1)
    return start, min(len(whole), start + chance.choice((1, 5, 40, 400)))


_Step = Callable[[bytes, random.Random, str], bytes]
_STEPS: tuple[_Step, ...] = (
    _flipped, _cut, _spliced, _doubled, _lines_doubled, _lines_dealt, _removed, _nul, _huge, _marked,
    _unquoted, _recoded, _relined,
)  # fmt: skip


def _odd_parquet(data: bytes, chance: random.Random) -> bytes:
    """The same table with extreme values in some cells, or columns of other types."""
    table = pq.read_table(pa.BufferReader(data))
    for place in chance.sample(range(table.num_columns), min(3, table.num_columns)):
        field = table.schema.field(place)
        kind = (
            "float" if pa.types.is_floating(field.type) else "int" if pa.types.is_integer(field.type) else ""
        )
        kind = "str" if pa.types.is_string(field.type) or pa.types.is_large_string(field.type) else kind
        values = table.column(place).to_pylist()
        if kind:
            for row in chance.sample(range(len(values)), min(len(values), 4)):
                values[row] = chance.choice(_EXTREMES[kind])
            column = _typed(values, field.type)
        else:
            column = pa.array([str(value) for value in values])
        if kind and chance.random() < 0.4:
            column = _retyped(column, chance)
        table = table.set_column(place, field.name, column)
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=chance.choice((5, 1000)),
        compression=chance.choice(("zstd", "snappy", "none")),
    )
    return sink.getvalue()


def _typed(values: list[Any], kind: pa.DataType) -> pa.Array:
    """A column of this type, or of text where the extreme values do not fit."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError):
        return pa.array([str(value) for value in values])


def _retyped(column: pa.Array, chance: random.Random) -> pa.Array:
    kind = chance.choice(
        (pa.timestamp("ns"), pa.timestamp("ms"), pa.date32(), pa.time64("us"), pa.duration("ns"), pa.binary(),
         pa.decimal128(38, 9), pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.string()), pa.int8(),
         pa.float16(), pa.bool_(), pa.null(), pa.string())
    )  # fmt: skip
    try:
        if pa.types.is_list(kind):
            return pa.array([[str(item)] for item in column.to_pylist()], kind)
        return column.cast(kind)
    except (pa.ArrowException, ValueError):
        return pa.nulls(len(column), kind)


def _log(kind: str, *, wide: bool) -> bytes:
    rows = []
    for n in range(_ROWS):
        row: dict[str, Any] = {
            "request_id": f"{'w' if wide else 'c'}{n}",
            "timestamp": f"2026-03-{n + 1:02d}T10:00:00Z",
        }
        row["category"] = ("law", "maths", 'a "quoted", one', "Übersetzung")[n % 4]
        row["confidence"] = round(0.03 + n / 25, 3)
        if wide:
            row |= {"fast_model": "gpt-5-mini", "strong_model": "gpt-6-sol", "fast_correct": n % 2}
            row |= {
                "strong_correct": 1,
                "fast_cost_usd": n / 1e5,
                "strong_cost_usd": n / 1e3,
                "fast_latency_s": 0.5,
            }
        else:
            row |= {
                "model": ("gpt-5-mini", "gpt-6-sol")[n % 2],
                "correct": n % 2,
                "cost": n / 1e4,
                "latency_ms": 900 + n,
            }
            row |= {"input_tokens": 100 + n, "output_tokens": 10 * n, "escalated": n % 2 == 1}
        rows.append(row)
    return _written(rows, kind)


def _written(rows: list[dict[str, Any]], kind: str) -> bytes:
    if kind == "csv":
        cells = [list(rows[0]), *(list(row.values()) for row in rows)]
        quoted = [[_cell(cell) for cell in line] for line in cells]
        return "\n".join(",".join(line) for line in quoted).encode() + b"\n"
    if kind == "jsonl":
        return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    if kind == "json":
        return json.dumps({"data": rows, "meta": {"page": 1}}, indent=1).encode()
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=10)
    return sink.getvalue()


def _cell(value: Any) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def _bases() -> dict[str, list[tuple[str, bytes]]]:
    """Name and bytes of the good files, by format: two logs of our own and what tools export."""
    found: dict[str, list[tuple[str, bytes]]] = {}
    for kind in FORMATS[:4]:
        own = [(f"{name}.{kind}", _log(kind, wide=name == "wide")) for name in ("wide", "calls")]
        tools = [(path.name, path.read_bytes()) for path in sorted(_FIXTURES.glob(f"*/*.{kind}"))]
        found[kind] = own * max(1, len(tools) // 2) + tools
    return found


BASES = _bases()
