"""What every engine is asked about: logs as Parquet, their cells by DuckDB, and processes that end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from analytics.collapse import local
from analytics.collapse.source import READ
from analytics.collapse.statements import selects
from analytics.tuning.cells import cells
from tests.benchmarks.workload import write_decisions

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "engines"
PACKAGES = ("pyspark>=4.3", "chdb>=4.4")
LIMIT_S = 3600
_GRACE_S = 20


class UnavailableError(RuntimeError):
    """An engine cannot be had on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log and its cells by DuckDB.

    Attributes:
        about: For people.
        path: Parquet file with columns of ``decisions``.
        columns: Those of them that a collapse reads and the file gives.
        cells: Columns as in ``parts.POLARS``.
        seconds: What the collapse took DuckDB.
    """

    about: str
    path: Path
    columns: tuple[str, ...]
    cells: pl.DataFrame
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """What an engine answered about a log, and after how many seconds."""

    log: Log
    cells: pl.DataFrame
    seconds: float


def logs(rows: int) -> list[Log]:
    """A small log with all that a log can have, and a large plain one."""
    large = FOLDER / f"decisions-{rows}.parquet"
    if not large.exists():
        write_decisions(large, rows=rows, ungraded=0.2)
    small = FOLDER / "features.parquet"
    _write_features(small)
    return [_log("30,000 requests with every feature", small), _log(f"{rows:,} plain requests", large)]


def _log(about: str, path: Path) -> Log:
    started = time.perf_counter()
    with duckdb.connect() as connection:
        parts = {"sweep": cells(connection.cursor(), path)}
        for name, text in selects(log=f"read_parquet('{path}')").items():
            if name != "sweep":
                parts[name] = connection.sql(text).pl()
        seconds = time.perf_counter() - started
        known = connection.sql(f"SELECT * FROM read_parquet('{path}') LIMIT 0").columns
    columns = tuple(name for name in READ["decisions"] if name in known)
    return Log(about, path, columns, local.stacked(parts), seconds)


def _write_features(path: Path) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from collapsing import with_folds  # noqa: PLC0415 - found by the line above
    from feature_rows import feature_rows  # noqa: PLC0415

    with_folds(feature_rows(30_000, sampled=300)).write_parquet(path)


def interpreter() -> Path:
    """Python of a venv with the engines' packages, and with ours by way of the running one."""
    home = FOLDER / "venv"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    (site,) = home.glob("lib/python*/site-packages")
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "ours.pth").write_text(f"{ours}\n", encoding="utf-8")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True, timeout=LIMIT_S)
    return python


def command(
    python: Path, *words: str, environment: dict[str, str] | None = None
) -> tuple[pl.DataFrame, float]:
    """Cells by ``tiertune cells`` in the engines' venv, and the seconds that the command took."""
    out = FOLDER / "cells.parquet"
    out.unlink(missing_ok=True)
    started = time.perf_counter()
    call = [str(python), "-m", "analytics", "cells", *words, "--out", str(out)]
    with process(call, environment=environment) as running:
        told, _ = running.communicate(timeout=LIMIT_S)
    if running.returncode != 0:
        raise RuntimeError(f"{' '.join(call)}\n{told.decode(errors='replace')[-3000:]}")
    return pl.read_parquet(out), time.perf_counter() - started


@contextlib.contextmanager
def process(
    call: Sequence[str], *, environment: dict[str, str] | None = None, log: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with children of its own, all of which end with this block.

    Args:
        call: Program and arguments.
        environment: Variables beside ours.
        log: File for what it prints; None for a pipe.
    """
    with contextlib.ExitStack() as stack:
        stream = subprocess.PIPE if log is None else stack.enter_context(log.open("wb"))
        running = subprocess.Popen(
            call,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            start_new_session=True,
        )
        try:
            yield running
        finally:
            end(running)


def end(running: "subprocess.Popen[bytes]") -> None:
    """End a process and its children: first asked, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(_GRACE_S)
            if number == signal.SIGTERM:
                continue
            return
