"""The dashboard as a user starts it: ``tiertune serve`` on a free port, stopped by an interrupt."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 90.0


@dataclass(slots=True)
class App:
    """A running dashboard.

    Attributes:
        url: Where it listens, without a slash at the end.
        database: Path of its database.
        process: The server.
        output: File with what it printed.
    """

    url: str
    database: Path
    process: subprocess.Popen[bytes]
    output: Path

    def stop(self) -> int:
        """Press Ctrl-C and wait; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE_S)


@contextlib.contextmanager
def served(folder: Path, *words: str) -> Iterator[App]:
    """A dashboard with a database of its own in ``folder``, started from there.

    Args:
        folder: A private folder, which is also the working folder.
        words: Further arguments of ``tiertune serve``.
    """
    port = free_port()
    database, output = folder / "dashboard.duckdb", folder / "server.log"
    command = [sys.executable, "-P", "-m", "analytics", "serve", *words]
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--db", str(database)], cwd=folder, stdout=log, stderr=log
        )
    app = App(f"http://127.0.0.1:{port}", database, process, output)
    try:
        wait(app)
        yield app
    finally:
        if process.poll() is None:
            app.stop()


def free_port() -> int:
    """A TCP port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(app: App) -> None:
    """Until the server answers; what it printed where it does not."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if app.process.poll() is not None:
            raise AssertionError(f"The server ended: {app.output.read_text(errors='replace')}")
        if healthy(app.url):
            return
        time.sleep(0.2)
    raise AssertionError(f"The server did not answer: {app.output.read_text(errors='replace')}")


def healthy(url: str) -> bool:
    """Whether a dashboard answers there."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
