"""A shell for every test of the command line."""

from pathlib import Path

import pytest
from shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "logs.duckdb"))
    return Shell(tmp_path, capsys)
