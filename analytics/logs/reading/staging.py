"""What reading a file leaves behind in its private folder: counts, problems, open questions, limits.

Everything here crosses the border between the child process that parses and the parent that stores,
as JSON and never as pickled objects.
"""

import dataclasses
import functools
import json
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Format = Literal["csv", "jsonl", "json", "parquet"]
T = TypeVar("T")

PLACES: dict[str, str] = {"csv": "line", "jsonl": "line", "json": "record", "parquet": "row"}
"""What the number of a problem counts."""

ROWS = "rows.parquet"
STAGED = "staged.json"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one record was rejected or changed.

    Attributes:
        line: Physical line at which the record starts (the header is line 1); the 1-based row number
            for JSON arrays and Parquet.
        column: Name in the file, or null where the whole record is meant.
        reason: One clause for people.
    """

    line: int
    column: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """A choice that the file leaves open and that nobody may guess.

    Attributes:
        kind: encoding, unit, dates, decimal, ladder or the like.
        column: Name in the file, null for questions about the whole file.
        text: The full sentence for the user.
        options: Answers to choose from, the likeliest first.
        flag: The command-line flag that gives the likeliest answer, e.g. ``--encoding windows-1252``.
    """

    kind: str
    column: str | None
    text: str
    options: list[str]
    flag: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is read before it is refused.

    Attributes:
        decompressed_bytes: Of a gz or zst file.
        ratio: Decompressed bytes per compressed byte, checked from 16 MB on.
        line_bytes: Of one physical line, one JSON value or one quoted CSV value.
        document_bytes: Of one line, or one record, of documents that hold many records several levels
            deep; such a document may be as long as the file where it is the only one.
        columns: Beyond this many, only columns with known names are read.
        nesting: Levels of a JSON record.
        problems: Kept of one file; the rest is only counted.
        memory_bytes: Address space of the child process.
        written_bytes: Of one file that the child writes.
        seconds: Wall time of the child, plus one second per MB of the file.
    """

    decompressed_bytes: int = 1_000_000_000
    ratio: int = 200
    line_bytes: int = 2 << 20
    document_bytes: int = 64 << 20
    columns: int = 2_000
    nesting: int = 64
    problems: int = 10_000
    memory_bytes: int = 4 << 30
    written_bytes: int = 4 << 30
    seconds: float = 120.0


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Staged:
    """One file as it was read, before any column has a meaning.

    Attributes:
        file_name: Name as uploaded; for showing only, never a path.
        format: What the content is, whatever the name says.
        compression: gzip, zstd or null.
        encoding: Of the text; null for Parquet.
        delimiter: Of a CSV, else null.
        columns: Names in the file; the i-th is column ``c{i}`` of ``rows.parquet``.
        read: Records seen, rejected ones included.
        rejected: Records that are not in ``rows.parquet``.
        file_id: SHA-256 (hex) of the decompressed content.
        size_bytes: Of the decompressed content.
        problems: Of rejected records, the first 10,000.
        problems_total: How many there are.
        notes: Sentences about how the file was read.
        questions: What the content leaves open.
        dialect: Key in ``DIALECTS`` of the shape that was recognised or given.
        passed: Records that are no model call of the user's, by reason; they are not among ``read``.
        source: Parquet file that serves as the staged rows, typed as it stands; null: ``rows.parquet``.
    """

    file_name: str
    format: Format
    compression: str | None
    encoding: str | None
    delimiter: str | None
    columns: list[str]
    read: int
    rejected: int
    file_id: str
    size_bytes: int
    problems: list[Problem] = field(default_factory=list)
    problems_total: int = 0
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    dialect: str = "call_level"
    passed: dict[str, int] = field(default_factory=dict)
    source: str | None = None

    def save(self, folder: Path) -> None:
        """Write ``staged.json`` beside ``rows.parquet``."""
        (folder / STAGED).write_text(dumps(self), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> "Staged":
        """What was written by ``save``."""
        return loads(Staged, (folder / STAGED).read_text(encoding="utf-8"))


def shown(name: str, *, limit: int = 60) -> str:
    """A name from a file as one short line for a message."""
    line = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def dumps(record: Any) -> str:
    """A dataclass of plain fields as JSON text."""
    return json.dumps(dataclasses.asdict(record), ensure_ascii=False)


def loads(kind: type[T], text: str) -> T:
    """The dataclass ``kind`` from JSON text made by ``dumps``."""
    record: T = restored(kind, json.loads(text))
    return record


def restored(kind: Any, value: Any) -> Any:
    """``value``, parsed from JSON, as the annotated type: dataclasses, lists, tuples, dicts, unions.

    Raises:
        TypeError: A dataclass lacks a field or has one that it does not know.
    """
    if value is None or kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]  # a type, never an instance
        return kind(**{name: restored(hints.get(name, Any), item) for name, item in value.items()})  # type: ignore[operator]
    return _contained(get_origin(kind), get_args(kind), value)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _contained(origin: Any, args: tuple[Any, ...], value: Any) -> Any:
    if origin in {Union, types.UnionType}:
        inner = [arg for arg in args if arg is not type(None)]
        return restored(inner[0], value) if len(inner) == 1 else value
    if origin is list:
        return [restored(args[0], item) for item in value]
    if origin is tuple:
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        return tuple(restored(arg, item) for arg, item in zip(kinds, value, strict=True))
    if origin is dict:
        return {key: restored(args[1], item) for key, item in value.items()}
    return value
