"""tiertune serve up to the moment at which it becomes the dashboard."""

import os
from typing import Any

import pytest
from app import free_port
from shell import Shell

LOG = "request_id,task_category,model,confidence,correct,cost_usd\na,law,small,0.5,1,0.001\n"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environments in which the dashboard would have been started."""
    found: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda _path, _words, told: found.append(told))
    return found


def serve(shell: Shell, *words: str) -> str:
    return shell.text("serve", *words, "--port", str(free_port()))


def test_files_are_kept_by_the_dashboard_too_unless_somebody_says_no(
    shell: Shell, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIERTUNE_KEEP_FILES", raising=False)
    shell.write("log.csv", LOG)
    serve(shell, "log.csv", "--no-keep")
    serve(shell, "log")
    assert [told.get("TIERTUNE_KEEP_FILES") for told in started] == ["0", None]
    assert [file["kept"] for file in shell.json("files", "log")["files"]] == [False]


@pytest.mark.usefixtures("started")
def test_a_lost_database_is_built_again_before_the_dashboard_starts(shell: Shell) -> None:
    shell.write("log.csv", LOG)
    shell.text("load", "log.csv")
    shell.db.unlink()
    assert "Dashboard: http://127.0.0.1:" in serve(shell, "log")
    assert "1 kept file with 1 row was loaded again. Nothing is missing." in shell.err
