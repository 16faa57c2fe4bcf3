"""The process in which files are parsed: a crash, a bomb or a panic there is a refused file, no more.

A fresh interpreter is started with ``subprocess`` rather than ``multiprocessing``, which would run the
parent's main module again and cannot be trusted from a Streamlit thread. Both sides speak JSON lines.
"""

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import analytics
from analytics import errors
from analytics.logs.reading.staging import LIMITS

Progress = Callable[[int, str], None]

_COMMAND = (sys.executable, "-P", "-m", "analytics.logs.reading.steps")
_STDERR = "stderr.txt"
_POLL_S = 0.05
_KEPT_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "SYSTEMROOT",
    "VIRTUAL_ENV",
)
_ERRORS: dict[str, type[errors.TiertuneError]] = {
    kind.__name__: kind
    for kind in (errors.SchemaError, errors.InsufficientDataError, errors.NotIdentifiedError)
}
_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Cancelled(Exception):  # noqa: N818 - not an error: the user stopped the work
    """The work was stopped by the user; nothing was loaded."""


def result(
    step: str,
    payload: dict[str, Any],
    *,
    folder: Path,
    seconds: float = LIMITS.seconds,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Any:
    """What a step of ``analytics.logs.reading.steps`` returns, run in a process of its own.

    Args:
        step: Name of the step.
        payload: Its arguments, plain JSON.
        folder: Private folder that the process works in.
        seconds: Wall time after which it is killed.
        progress: Called here with the rows done and the stage, about five times a second.
        cancelled: Polled; true kills the process.

    Raises:
        Cancelled: ``cancelled`` said so.
        TiertuneError: The step refused the file, or its process died.
    """
    with (folder / _STDERR).open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own module, no user text
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        pump = threading.Thread(target=_pump, args=(process.stdout, messages), daemon=True)
        pump.start()
        try:
            _send(process.stdin, {"step": step, "payload": payload})
            return _answer(messages, time.monotonic() + seconds, progress, cancelled, folder)
        finally:
            process.kill()
            process.wait()
            pump.join()


def _environment(folder: Path) -> dict[str, str]:
    """No keys or tokens of the parent reach the process that handles foreign files."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    root = str(Path(analytics.__file__).parents[1])
    return kept | {"PYTHONPATH": root, "TMPDIR": str(folder), "PYTHONUTF8": "1", "RUST_BACKTRACE": "0"}


def _send(pipe: IO[bytes] | None, request: dict[str, Any]) -> None:
    if pipe is None:
        raise ValueError("the child was started without a pipe")
    with contextlib.suppress(BrokenPipeError), pipe:  # it died at the start; the answer says so
        pipe.write(json.dumps(request).encode())


def _pump(pipe: IO[bytes] | None, messages: "queue.SimpleQueue[bytes]") -> None:
    """Hand on each line; an empty one means the end."""
    if pipe is not None:
        with pipe:
            for line in pipe:
                messages.put(line)
    messages.put(b"")


def _answer(
    messages: "queue.SimpleQueue[bytes]",
    deadline: float,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
    folder: Path,
) -> Any:
    while True:
        if cancelled is not None and cancelled():
            raise Cancelled("Stopped; nothing was loaded.")
        if time.monotonic() > deadline:
            raise _death(folder, "took longer than its time limit")
        try:
            line = messages.get(timeout=_POLL_S)
        except queue.Empty:
            continue
        message = _parsed(line)
        if "progress" in message and progress is not None:
            progress(*message["progress"])
        elif "result" in message:
            return message["result"]
        elif "error" in message:
            kind, text = message["error"]
            if kind in _ERRORS:
                raise _ERRORS[kind](text)
            raise _death(folder, "stopped at something that it did not expect")
        elif not line:
            raise _death(folder, "ended before it was done")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _death(folder: Path, how: str) -> errors.SchemaError:
    """The refusal that the user sees; what the process printed goes to the log under the same reference."""
    reference = uuid.uuid4().hex[:8]
    try:
        printed = (folder / _STDERR).read_bytes()[-4000:].decode(errors="replace")
    except OSError:
        printed = ""
    _log.error("Reference %s: the reader %s.\n%s", reference, how, printed)
    return errors.SchemaError(
        f"The file could not be read: its reader {how} (reference {reference}). Nothing was loaded. "
        "The file may be damaged or too large for this machine; export it again or in parts."
    )
