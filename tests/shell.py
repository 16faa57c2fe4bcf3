"""Commands as a shell sees them: what they print, and with which status they end."""

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.cli import main


class Shell:
    """Runs commands in a folder of its own with a database of its own.

    Attributes:
        folder: Where files are.
        db: The database.
        err: What the last command printed on standard error.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.db, self.err = folder, folder / "logs.duckdb", ""
        self._capsys = capsys

    def text(self, *words: str, status: int = 0) -> str:
        """What a command prints."""
        self._capsys.readouterr()
        found = main(words)
        printed = self._capsys.readouterr()
        self.err = printed.err
        assert found == status, printed.err
        return printed.out

    def json(self, *words: str, status: int = 0) -> Any:
        """The document that it prints."""
        return json.loads(self.text(*words, "--json", status=status))

    def refused(self, *words: str) -> str:
        """Why a command is refused."""
        message = self.json(*words, status=2)["error"]["message"]
        assert str(self.folder) not in message
        assert "Traceback" not in message
        return str(message)

    def write(self, name: str, text: str) -> str:
        """A file in the folder; its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name
