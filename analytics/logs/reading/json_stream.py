"""A JSON document read value by value."""

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any, BinaryIO

from analytics.errors import SchemaError
from analytics.logs.reading.staging import LIMITS

_SPACE = re.compile(r"[ \t\r\n]*")
_STEP = 1 << 16
_OPENING = 256


class JsonParser:
    """Python's JSON decoder, which also tells which keys stood twice in an object."""

    def __init__(self) -> None:
        self.repeated: list[str] = []
        self._decoder = json.JSONDecoder(object_pairs_hook=self._members, parse_constant=str)

    def value(self, text: str, place: int) -> tuple[Any, int]:
        """The value that begins at ``place`` and the place behind it."""
        self.repeated = []
        return self._decoder.raw_decode(text, place)

    def _members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            self.repeated += [key for place, key in enumerate(keys) if key in keys[:place]][:1]
        return found


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """A JSON value, its text, and the keys that stood twice in it."""

    value: Any
    text: str
    repeated: list[str]


class JsonStream:
    """A JSON document read value by value, so that memory holds one record at a time.

    Args:
        source: UTF-8 text from where it stands on.
        converted: Whether that is a copy from another encoding.
        longest: Characters of one value.
    """

    def __init__(
        self, source: BinaryIO, *, converted: bool = False, longest: int = LIMITS.line_bytes
    ) -> None:
        self._source, self._converted, self._longest = source, converted, longest
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape").decode
        self._parser = JsonParser()
        self._text, self._place, self._lines, self._ended = "", 0, 1, False
        self._step = _STEP

    def broken_byte(self, text: str) -> int | None:
        """The first byte in ``text`` that was no text in the file; 0 where it is not known, else null."""
        if self._converted:
            return 0 if "\ufffd" in text else None
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return ord(text[error.start]) - 0xDC00
        return None

    def line(self) -> int:
        """The line that has been reached."""
        return self._lines + self._text.count("\n", 0, self._place)

    def _grow(self) -> bool:
        """Whether more text came; the part behind the reading point is dropped."""
        if self._ended:
            return False
        chunk = self._source.read(self._step)
        self._ended = not chunk
        self._lines += self._text.count("\n", 0, self._place)
        self._text = self._text[self._place :] + self._decode(chunk, final=self._ended)
        self._place = 0
        return True

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self._place = _SPACE.match(self._text, self._place).end()  # type: ignore[union-attr]
            if self._place < len(self._text) or not self._grow():
                return self._text[self._place : self._place + 1]

    def opens(self, pattern: re.Pattern[str]) -> bool:
        """Whether what comes next, spaces apart, begins with ``pattern``."""
        self.peek()
        while len(self._text) - self._place < _OPENING and self._grow():
            pass
        return pattern.match(self._text, self._place) is not None

    def take(self, mark: str) -> None:
        """Step over ``mark``."""
        if self.peek() != mark:
            raise json.JSONDecodeError("", "", 0)
        self._place += 1

    def more(self, end: str) -> bool:
        """Whether a comma, stepped over, and then another member follow; ``end`` is left in place."""
        if self.peek() == end:
            return False
        self.take(",")
        if self.peek() == end:
            raise json.JSONDecodeError("", "", 0)
        return True

    def value(self) -> JsonRecord:
        """The next value."""
        self.peek()
        while (found := self._whole_value()) is None:
            if len(self._text) - self._place > self._longest:
                raise SchemaError(
                    f"One JSON value (line {self.line():,}) is longer than {self._longest >> 20} MiB, or "
                    "the JSON is broken there. Nothing was loaded."
                )
            self._step = max(
                self._step, len(self._text)
            )  # so that long values are not parsed again and again
            self._grow()
        self._step = _STEP
        value, end = found
        text = self._text[self._place : end]
        self._place = end
        return JsonRecord(value, text, self._parser.repeated)

    def _whole_value(self) -> tuple[Any, int] | None:
        """The value and its end; null if more text is needed to be sure."""
        try:
            value, end = self._parser.value(self._text, self._place)
        except json.JSONDecodeError:
            if self._ended:
                raise
            return None
        # A number that reaches the end of the text may go on in the next chunk.
        return (value, end) if self._ended or end < len(self._text) else None

    def finish(self) -> None:
        """Nothing but space may follow."""
        if self.peek():
            raise json.JSONDecodeError("", "", 0)
