"""Lines of a CSV file as Python's reader wants them, block by block."""

from collections.abc import Iterator

from analytics.logs.reading.lines import Lines


class Feed:
    """Lines of a block as text, and of the blocks after it for as long as a record goes on.

    Attributes:
        number: Number of the last line handed out.
        left: Lines of the current block that have not been handed out.
        nul, broken: Number of the last line that holds a NUL byte, that is no text; else 0.
    """

    def __init__(self, lines: Lines, blocks: Iterator[bytes]) -> None:
        self._lines, self._blocks = lines, blocks
        self._block: list[bytes] = []
        self.number = self.left = self.nul = self.broken = 0

    def put(self, block: bytes) -> None:
        """Go on with this block; all before it are handed out or were read otherwise."""
        self._block = block.splitlines(keepends=True)
        self.left = len(self._block)

    def passed(self, lines: int) -> None:
        """Count lines that were read otherwise."""
        self.number += lines

    def rest(self) -> bytes:
        """What is left of the current block; it will not be handed out."""
        found = b"".join(self._block[len(self._block) - self.left :])
        self._block, self.left = [], 0
        return found

    def skip_all(self) -> int:
        """How many lines had not been handed out; they are passed over."""
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.left:
            self.put(next(self._blocks))
        line = self._block[-self.left]
        self.left -= 1
        self.number += 1
        if b"\0" in line:
            self.nul = self.number
        text, good = self._lines.text(line, self.number)
        if not good:
            self.broken = self.number
        return text
