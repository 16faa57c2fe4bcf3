"""Any log file as staged rows; this runs in a child process, because files may be hostile."""

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from analytics.errors import SchemaError
from analytics.logs.dialects import table_of
from analytics.logs.dialects.dialect import Dialect
from analytics.logs.meaning.mapping import known_name
from analytics.logs.reading import lines, sniff
from analytics.logs.reading.json_stream import JsonStream
from analytics.logs.reading.lines import Lines
from analytics.logs.reading.reader_csv import NO_HEADER_NO_ROWS, read_csv
from analytics.logs.reading.reader_json import is_json_lines, read_json, read_json_lines
from analytics.logs.reading.reader_parquet import read_parquet
from analytics.logs.reading.rows import Tally
from analytics.logs.reading.staging import LIMITS, Format, Question, Staged
from analytics.logs.reading.unfolding import is_folded

Known = Callable[[str], bool]
Progress = Callable[[int], None]

_MAGIC = b"PAR1"
_ORIGINAL, _ORIGINALS = 4_000, 20_000_000  # characters of one line that is shown again, and of all
_WHITE = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"


@dataclasses.dataclass(frozen=True, slots=True)
class _Text:
    """A text file that is UTF-8 by now.

    Attributes:
        path: The file or its converted copy.
        skip: Bytes of a byte-order mark.
        encoding: What it was written in.
        converted: Whether it is a copy from another encoding.
        head: Its beginning.
        questions: About the encoding.
    """

    path: Path
    skip: int
    encoding: str
    converted: bool
    head: bytes
    questions: list[Question]


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    format: Format
    columns: list[str]
    tally: Tally
    tool: Dialect | None
    delimiter: str | None = None
    whole: bool = False


def staged_file(
    path: Path,
    folder: Path,
    *,
    name: str,
    encoding: str | None = None,
    wanted: tuple[str, ...] = (),
    given: Dialect | None = None,
    copied: bool = False,
    trusted: bool = False,
    progress: Progress = lambda _: None,
) -> Staged:
    """Read one file: write ``rows.parquet`` and ``staged.json`` into ``folder`` and return the latter.

    Args:
        path: The file.
        folder: A private, empty folder.
        name: What the file was called, for showing.
        encoding: Of the text, where the user said it.
        wanted: Column names that the user mapped by hand; they count as known.
        given: Shape of the file as the user says it; None: to be recognised.
        copied: Whether rows are copied even of a Parquet file whose columns are plain.
        trusted: Whether it is one of our own kept files.
        progress: Called with the records read so far.

    Raises:
        SchemaError: The file cannot be read; the text says what was found and what to do.
    """

    def known(column: str) -> bool:
        return column in wanted or known_name(column) is not None

    content = sniff.content(path, folder, trusted=trusted)
    text = None
    if content.head.startswith(_MAGIC):
        tally = Tally()
        rows = read_parquet(
            content.path,
            folder,
            tally=tally,
            known=known,
            progress=progress,
            given=given,
            copied=copied,
        )
        found = _Found("parquet", rows.columns, tally, rows.tool, whole=rows.whole)
    else:
        text = _text(content, folder, encoding=encoding)
        found = _read_text(text, folder, name=name, known=known, progress=progress, given=given)
    tally = found.tally
    questions = list(text.questions) if text else []
    marked = text is not None and (text.converted or text.skip > 0)  # a byte-order mark leaves nothing to ask
    if tally.first_broken and encoding is None and not questions and not marked:
        questions.append(_broken_question(*tally.first_broken, tally.read - tally.rejected, found.format))
    staged = Staged(
        file_name=name,
        format=found.format,
        compression=content.compression,
        encoding=text.encoding if text else None,
        delimiter=found.delimiter,
        columns=found.columns,
        read=tally.read,
        rejected=tally.rejected,
        file_id=content.file_id,
        size_bytes=content.size_bytes,
        problems=tally.problems,
        problems_total=tally.problems_total,
        notes=[
            *sniff.name_notes(name, found.format, None if trusted else content.compression),
            *tally.notes,
        ],
        questions=questions,
        dialect=_dialect(found, given).name,
        passed=tally.passed,
        source=os.fspath(content.path) if found.whole else None,
    )
    staged.save(folder)
    return staged


def original_lines(
    path: Path,
    folder: Path,
    *,
    numbers: Iterable[int],
    encoding: str | None = None,
    trusted: bool = False,
) -> dict[int, str]:
    """Lines of a text file as they stand in it, by number; a long one is cut.

    Args:
        path: The file.
        folder: A private, empty folder.
        numbers: Of the lines wanted, from 1.
        encoding: Of the text, where the user said it.
        trusted: Whether it is one of our own kept files.
    """
    content = sniff.content(path, folder, trusted=trusted)
    if content.head.startswith(_MAGIC):
        return {}
    wanted, found, room = sorted(set(numbers)), {}, _ORIGINALS
    lines_left = enumerate(_lines(_text(content, folder, encoding=encoding)).raw(), start=1)
    for number in wanted:
        line = next((line for at, line in lines_left if at == number), None)
        if line is None or room <= 0:
            break
        found[number] = line.decode(errors="replace").rstrip("\r\n")[:_ORIGINAL]
        room -= len(found[number])
    return found


def _dialect(found: _Found, given: Dialect | None) -> Dialect:
    """The tool's, else what the user says, else the shape that the columns show."""
    if found.tool is not None:
        return found.tool
    if given is not None and given.opened is None:
        return given
    return table_of(found.columns)


def _text(content: sniff.Content, folder: Path, *, encoding: str | None) -> _Text:
    marked = sniff.text_encoding(content.head)
    questions = []
    if marked:
        name, skip = marked
    elif encoding is not None:
        name, skip = lines.encoding_name(encoding), 0
    elif guess := sniff.looks_like_utf16(content.head):
        name, skip = guess, 0
        questions.append(
            Question(
                "encoding",
                None,
                f"The file looks like {guess.upper()} without a byte-order mark. Save it as UTF-8, or "
                f"confirm the encoding (--encoding {guess}).",
                [guess, "utf-8"],
                f"--encoding {guess}",
            )
        )
    else:
        name, skip = "utf-8", 0
    if name in {"utf-8", "utf-8-sig", "ascii"}:
        return _Text(content.path, skip, "utf-8", False, content.head[skip:], questions)
    copy = folder / "text"
    lines.utf8_copy(content.path, copy, encoding=name)
    with copy.open("rb") as file:
        head = file.read(len(content.head))
    return _Text(copy, 0, name, True, head, questions)


def _read_text(
    text: _Text, folder: Path, *, name: str, known: Known, progress: Progress, given: Dialect | None
) -> _Found:
    if not text.head.strip(_WHITE):
        raise SchemaError(NO_HEADER_NO_ROWS)
    if sniff.text_format(text.head, name) == "csv":
        tally = Tally()
        table = read_csv(
            _lines(text),
            text.head.decode(errors="replace"),
            folder,
            tally=tally,
            known=known,
            progress=progress,
            given=given,
        )
        return _Found("csv", table.columns, tally, table.tool, table.delimiter)
    if text.head.lstrip()[:1] == b"{" and is_json_lines(_lines(text)):
        return _json_lines(text, folder, known=known, progress=progress, given=given)
    try:
        tally = Tally()
        with text.path.open("rb") as source:
            source.seek(text.skip)
            stream = JsonStream(source, converted=text.converted, longest=_longest(text))
            columns, tool = read_json(
                stream, folder, tally=tally, known=known, progress=progress, given=given
            )
        return _Found("json", columns, tally, tool)
    except SchemaError as refusal:
        # The first line may be the one that is broken, in a file of lines.
        if text.head.lstrip()[:1] == b"{" and text.head.rstrip().count(b"\n{"):
            for spill in folder.glob("spill-*"):
                spill.unlink()
            try:
                return _json_lines(text, folder, known=known, progress=progress, given=given)
            except SchemaError:
                raise refusal from None
        raise


def _json_lines(
    text: _Text, folder: Path, *, known: Known, progress: Progress, given: Dialect | None
) -> _Found:
    tally = Tally()
    columns, tool = read_json_lines(
        _lines(text), folder, tally=tally, known=known, progress=progress, given=given
    )
    return _Found("jsonl", columns, tally, tool)


def _lines(text: _Text) -> Lines:
    return Lines(text.path, skip=text.skip, converted=text.converted, longest=_longest(text))


def _longest(text: _Text) -> int:
    """Bytes that one line or JSON value may have."""
    return LIMITS.document_bytes if is_folded(text.head) else LIMITS.line_bytes


def _broken_question(line: int, byte: int | None, good: int, found: Format) -> Question:
    where = f"{'Record' if found == 'json' else 'Line'} {line:,}"
    which = f" (byte 0x{byte:02X})" if byte is not None else ""
    return Question(
        "encoding",
        None,
        f"{where} is not valid UTF-8{which}. {good:,} rows can be loaded without such lines (--encoding "
        "utf-8), or the whole file read as Windows-1252 (--encoding windows-1252).",
        ["windows-1252", "utf-8"],
        "--encoding windows-1252",
    )
