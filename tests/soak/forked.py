"""The product's child steps in a process forked from one that has imported everything, for many files.

A fresh interpreter spends a second on imports, which ten thousand files cannot afford. Here a process
without threads of ours imports once and forks for each file; what runs in the fork is the child's own code
under its own limits, what reads its answer is the parent's own code, and a death of it is that file's.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analytics.logs.reading import child, steps
from analytics.logs.reading.staging import LIMITS

_COMMAND = (sys.executable, "-P", "-m", "tests.soak.forked")


class Forks:
    """Stands in for ``child.result``.

    Attributes:
        deaths: Signal or exit code of every fork that did not end well.
        peak_kib: Largest memory of any fork.
        printed: What forks wrote to standard error: tracebacks and panics.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._one_by_one = threading.Lock()
        self.deaths: list[int] = []
        self.peak_kib = 0
        self.printed: list[str] = []
        environment = child._environment(Path(tempfile.gettempdir()))
        self._server = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )

    def close(self) -> None:
        """Let the process that forks come to its end."""
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def result(
        self,
        step: str,
        payload: dict[str, Any],
        *,
        folder: Path,
        seconds: float = LIMITS.seconds,
        progress: child.Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Any:
        """What ``child.result`` would return or raise."""
        request = {"step": step, "payload": payload, "folder": str(folder)}
        with self._one_by_one:
            return self._answer(request, folder, seconds, progress, cancelled)

    def _answer(
        self,
        request: dict[str, Any],
        folder: Path,
        seconds: float,
        progress: child.Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> Any:
        assert self._server.stdin
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()
        self._pid = 0
        messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        pump = threading.Thread(target=self._pump, args=(messages,), daemon=True)
        pump.start()
        try:
            return child._answer(messages, time.monotonic() + seconds, progress, cancelled, folder)
        finally:
            pump.join(1)
            if pump.is_alive() and self._pid:
                os.kill(self._pid, signal.SIGKILL)
            pump.join()
            with contextlib.suppress(OSError):
                self.printed.extend(filter(None, [(folder / child._STDERR).read_text(errors="replace")]))

    def _pump(self, messages: "queue.SimpleQueue[bytes]") -> None:
        assert self._server.stdout
        for line in self._server.stdout:
            if line.startswith(b'{"pid"'):
                self._pid = json.loads(line)["pid"]
            elif line.startswith(b'{"ended"'):
                ended = json.loads(line)
                self.peak_kib = max(self.peak_kib, ended["peak_kib"])
                if ended["ended"]:
                    self.deaths.append(ended["ended"])
                break
            else:
                messages.put(line)
        messages.put(b"")


_fresh = child.result


@contextlib.contextmanager
def fresh() -> Iterator[None]:
    """Within, files are read as the product does it, by a fresh interpreter each."""
    own, child.result = child.result, _fresh
    try:
        yield
    finally:
        child.result = own


@contextlib.contextmanager
def inside() -> Iterator[None]:
    """Within, files are read by the child's code in this very process, which a death of it would end."""

    def result(step: str, payload: dict[str, Any], **_: Any) -> Any:
        answer = json.loads(json.dumps(steps._outcome({"step": step, "payload": payload}, lambda *_: None)))
        if "error" in answer:
            kind, text = answer["error"]
            raise child._ERRORS[kind](text)
        return answer["result"]

    own, child.result = child.result, result
    try:
        yield
    finally:
        child.result = own


@contextlib.contextmanager
def forked() -> Iterator[Forks]:
    """Within, files are read in forks."""
    forks, own = Forks(), child.result
    child.result = forks.result
    try:
        yield forks
    finally:
        child.result = own
        forks.close()


def serve() -> None:
    """Fork for every request on standard input; say how each fork ended."""
    imported()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _run(json.loads(line))
            finally:
                os._exit(1)
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        # A killed fork may have left half a line.
        sys.stdout.write("\n" + json.dumps({"ended": code, "peak_kib": usage.ru_maxrss}) + "\n")
        sys.stdout.flush()


def imported() -> None:
    """Import what the steps import, and pandas, which pyarrow looks for once in every process."""
    import pandas  # noqa: F401, ICN001, PLC0415

    from analytics.logs.dialects import DIALECTS  # noqa: F401, PLC0415
    from analytics.logs.meaning import convert, look  # noqa: F401, PLC0415
    from analytics.logs.reading import readers  # noqa: F401, PLC0415
    from analytics.logs.storage import kept  # noqa: F401, PLC0415


def _run(request: dict[str, Any]) -> None:
    folder = request["folder"]
    stderr = os.open(f"{folder}/{child._STDERR}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(stderr, 2)
    os.chdir(folder)
    os.environ["TMPDIR"] = folder
    answers = steps._answers()
    steps._say(answers, {"pid": os.getpid()})
    steps._limit()
    steps._answer(answers, request)
    os._exit(0)


if __name__ == "__main__":
    serve()
