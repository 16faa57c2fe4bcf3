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
BLOCK = 8 << 20
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

    Args:
        path: The file.
        skip: Bytes before the first line.
        converted: Whether the file is a copy from another encoding.
        longest: Bytes of one line.

    Attributes:
        converted: Whether the file is a copy from another encoding.
        first_broken: Number and offending byte of the first line that was found to be no text; byte null
            where the file was converted.
    """

    def __init__(
        self, path: Path, *, skip: int = 0, converted: bool = False, longest: int = LIMITS.line_bytes
    ) -> None:
        self._path, self._skip, self.converted, self.longest = path, skip, converted, longest
        self.first_broken: tuple[int, int | None] | None = None

    def raw(self) -> Iterator[bytes]:
        """Each line as bytes."""
        for block in self.blocks():
            yield from block.splitlines(keepends=True)

    def blocks(self) -> Iterator[bytes]:
        """The file in pieces of whole lines, some mebibytes each; only the last line may lack its end.

        Raises:
            SchemaError: A line is longer than the limit.
        """
        carry, passed = b"", self._skip
        with self._path.open("rb") as source:
            source.seek(self._skip)
            while chunk := source.read(BLOCK):
                block = carry + chunk
                # A final CR stays behind: its LF may come with the next chunk.
                cut = max(block.rfind(b"\n"), block.rfind(b"\r", 0, len(block) - 1)) + 1
                carry = block[cut:]
                if _may_be_long(block, self.longest):
                    self._refuse_long([*block[:cut].splitlines(keepends=True), carry], passed)
                if cut:
                    passed += cut
                    yield block[:cut]
        if carry:
            yield carry

    def _refuse_long(self, lines: list[bytes], passed: int) -> None:
        """Refuse a line past the limit; ``passed`` is where in the file the first of ``lines`` begins."""
        place = next((at for at, line in enumerate(lines) if len(line) > self.longest), None)
        if place is None:
            return
        with self._path.open("rb") as source:
            source.seek(self._skip)
            before = source.read(passed - self._skip)
        number = len(before.splitlines()) + place + 1
        raise SchemaError(
            f"Line {number:,} is longer than {self.longest >> 20} MiB. Nothing was loaded. "
            "Check the line ends of the file, or leave long texts out of the log."
        )

    def text(self, line: bytes, number: int) -> tuple[str, bool]:
        """A line decoded, and whether it was text; one that is none is noted and has U+FFFD in it."""
        byte: int | None = None
        try:
            text = line.decode()
            if not (self.converted and _REPLACEMENT in text):
                return text, True
        except UnicodeDecodeError as error:
            text, byte = line.decode(errors="replace"), line[error.start]
        self.first_broken = self.first_broken or (number, byte)
        return text, False

    def is_text(self, block: bytes) -> bool:
        """Whether every line of a block is text."""
        if self.converted:
            return _REPLACEMENT.encode() not in block
        try:
            return block.isascii() or block.decode() is not None
        except UnicodeDecodeError:
            return False


def _may_be_long(block: bytes, longest: int) -> bool:
    """Whether a line could pass the limit: it would fill some piece of half that size."""
    half = longest // 2
    return any(
        block.find(b"\n", start, start + half) < 0 and block.find(b"\r", start, start + half) < 0
        for start in range(0, len(block) - half, half)
    )
