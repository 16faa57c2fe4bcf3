"""Chromium for the journeys: ``python -m tests.chromium`` finds it, installs it, or says how to.

Debian's package where this process may install one, else Playwright's own build.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = (
    "The browser journey needs Chromium. Install it with one of:\n"
    "    sudo apt-get install chromium\n"
    f"    {sys.executable} -m playwright install --with-deps chromium"
)


class ChromiumMissingError(RuntimeError):
    """There is no Chromium, and none could be installed; the message has the command to run."""


def executable() -> str:
    """Path of a Chromium that starts, installed if need be.

    Raises:
        ChromiumMissingError: There is none and none could be installed.
    """
    for attempt in (None, _debian, _playwright):
        if attempt is not None:
            attempt()
        path = _found()
        if path is not None:
            return path
    raise ChromiumMissingError(HOW)


def _found() -> str | None:
    for path in map(shutil.which, NAMES):
        if path is not None and _starts(path):
            return path
    return _own()


def _own() -> str | None:
    """Where Playwright keeps its own build."""
    with sync_playwright() as driver:
        path = driver.chromium.executable_path
    return path if Path(path).is_file() and _starts(path) else None


def _starts(path: str) -> bool:
    """Whether it is a browser: some distributions have a stub of this name that only prints advice."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0


def _debian() -> None:
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "--quiet", *words], env=quiet, stdout=sys.stderr, check=False)


def _playwright() -> None:
    wanted = [sys.executable, "-m", "playwright", "install", "chromium"]
    subprocess.run(wanted, stdout=sys.stderr, check=False)


def main() -> int:
    """Print where Chromium is; 1 with the command to run where it cannot be had."""
    try:
        print(executable())
    except ChromiumMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
