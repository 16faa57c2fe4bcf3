"""Physical lines of a text file, numbered, with what is wrong in them noticed on the way."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from analytics.errors import SchemaError
from analytics.logs.reading.sniff import CHUNK
from analytics.logs.reading.staging import LIMITS

_ENCODINGS = (
    "ascii", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le",
    "utf-32-be", "cp437", "cp850", "cp852", "cp866", "koi8-r", "koi8-u", "mac-roman", "shift_jis",
    "cp932", "euc_jp", "euc_kr", "cp949", "gb2312", "gbk", "gb18030", "big5", "tis-620",
    *(f"cp{page}" for page in (874, *range(1250, 1259))),
    *(f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))),
)  # fmt: skip
_REPLACEMENT = "�"


def encoding_name(name: str) -> str:
    """Python's name of a text encoding that a user gave.

    Raises:
        SchemaError: No encoding that logs are written in.
    """
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        found = ""
    if found not in {codecs.lookup(known).name for known in _ENCODINGS}:
        raise SchemaError(
            "Unknown encoding. Give one such as utf-8, windows-1252, latin-1 or utf-16 with --encoding."
        )
    return found


def utf8_copy(source: Path, target: Path, *, encoding: str) -> None:
    """Write ``source`` in UTF-8; bytes without a meaning in ``encoding`` become U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    with source.open("rb") as old, target.open("w", encoding="utf-8", errors="replace", newline="") as new:
        while chunk := old.read(CHUNK):
            new.write(decoder.decode(chunk))
        new.write(decoder.decode(b"", final=True))


class Lines:
    """Lines of a UTF-8 file, ends kept; LF, CRLF and CR each end one.

    Attributes:
        nul_line: Number of the last line handed out that holds a NUL byte, else 0.
        broken_line: Number of the last line handed out that is not valid text, else 0.
        first_broken: Number and offending byte of the first such line; byte null where the file was
            converted from another encoding.
        bytes_read: So far.
    """

    def __init__(self, path: Path, *, skip: int = 0, converted: bool = False) -> None:
        self._path, self._skip, self._converted = path, skip, converted
        self.nul_line = self.broken_line = self.bytes_read = self._number = 0
        self._feed: Iterator[str] = iter(())
        self.first_broken: tuple[int, int | None] | None = None

    def raw(self) -> Iterator[bytes]:
        """Each line as bytes."""
        for block in self._blocks():
            yield from block

    def __iter__(self) -> Iterator[str]:
        self._feed = self._texts()
        return self._feed

    def rest(self) -> int:
        """How many lines had not been handed out; they are passed over."""
        return sum(1 for _ in self._feed)

    def _texts(self) -> Iterator[str]:
        for block in self._blocks():
            whole = b"".join(block)
            if b"\0" not in whole and not self._is_broken(whole):
                yield from [line.decode() for line in block]
                self._number += len(block)
                continue
            for line in block:
                self._number += 1
                if b"\0" in line:
                    self.nul_line = self._number
                yield self.text(line, self._number)

    def text(self, line: bytes, number: int) -> str:
        """A line decoded; one that is no text is noted and comes with U+FFFD in it."""
        byte: int | None = None
        try:
            text = line.decode()
            if not (self._converted and _REPLACEMENT in text):
                return text
        except UnicodeDecodeError as error:
            text, byte = line.decode(errors="replace"), line[error.start]
        self.broken_line = number
        self.first_broken = self.first_broken or (number, byte)
        return text

    def _is_broken(self, data: bytes) -> bool:
        if self._converted:
            return _REPLACEMENT.encode() in data
        try:
            data.decode()
        except UnicodeDecodeError:
            return True
        return False

    def _blocks(self) -> Iterator[list[bytes]]:
        done, carry = 0, b""
        with self._path.open("rb") as source:
            source.seek(self._skip)
            while chunk := source.read(CHUNK):
                self.bytes_read += len(chunk)
                block = carry + chunk
                # A final CR stays behind: its LF may come with the next chunk.
                cut = max(block.rfind(b"\n"), block.rfind(b"\r", 0, len(block) - 1)) + 1
                carry = block[cut:]
                lines = block[:cut].splitlines(keepends=True)
                self._check_lengths([*lines, carry], done)
                done += len(lines)
                if lines:
                    yield lines
        if carry:
            yield carry.splitlines(keepends=True)

    @staticmethod
    def _check_lengths(lines: list[bytes], done: int) -> None:
        if sum(map(len, lines)) <= LIMITS.line_bytes:
            return
        for number, line in enumerate(lines, done + 1):
            if len(line) > LIMITS.line_bytes:
                raise SchemaError(
                    f"Line {number:,} is longer than {LIMITS.line_bytes >> 20} MiB. Nothing was loaded. "
                    "Check the line ends of the file, or leave long texts out of the log."
                )
