"""One million CSV rows through the intake, as the page and the command line load them."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.benchmarks.timing import Goal, Section, Timing, peak_mib

LIMIT_MIB = 2048
_POLL_S = 0.02


def section(path: Path, folder: Path, *, rows: int, repeats: int) -> Section:
    """Measure loading, each time in a fresh process and into a fresh database on disk.

    Args:
        path: The CSV file.
        folder: Where the databases go.
        rows: Records in the file.
        repeats: Runs.
    """
    runs = []
    for turn in range(repeats):
        database = folder / f"load{turn}.duckdb"
        command = [sys.executable, "-m", "tests.benchmarks.loading", str(path), str(database)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        run = json.loads(said.splitlines()[-1])
        if (run["read"], run["loaded"]) != (rows, rows):
            raise AssertionError(f"read {run['read']}, loaded {run['loaded']} of {rows} rows")
        runs.append(run)
    parent, child = (max(run[name] for run in runs) for name in ("parent_mib", "child_mib"))
    worst = max(parent, child)
    return Section(
        title=f"Loading {rows:,} CSV rows ({path.stat().st_size / 1e6:.0f} MB) through the intake",
        method=(
            "Inspect, convert and store on disk, each run in a fresh process; every row was read and loaded. "
            f"Progress was reported {min(run['reports'] for run in runs)} times or more."
        ),
        timings=(Timing("tiertune, CSV file to database", tuple(run["seconds"] for run in runs)),),
        goals=(
            Goal(f"every process under {LIMIT_MIB:,} MiB", f"{worst:,.0f} MiB", worst < LIMIT_MIB),
            Goal(
                f"both together under {LIMIT_MIB:,} MiB",
                f"{parent + child:,.0f} MiB",
                parent + child < LIMIT_MIB,
            ),
        ),
        remarks=(f"Peak memory: {parent:,.0f} MiB here, {child:,.0f} MiB in the process that parses.",),
    )


def _children(pid: str) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += task.read_text().split()
    return found


def _watch(peaks: list[float], done: threading.Event) -> None:
    while not done.wait(_POLL_S):
        try:
            peaks += [peak for child in _children("self") if (peak := peak_mib(child)) is not None]
        except OSError:  # a process ended while it was looked at
            continue


def _load(path: Path, database: Path) -> None:
    from analytics.logs.intake import load  # noqa: PLC0415
    from analytics.logs.meaning.answers import Answers  # noqa: PLC0415 - only the measured process needs them
    from analytics.logs.store import Store  # noqa: PLC0415

    peaks: list[float] = [0.0]
    reports: list[tuple[int, str]] = []
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(peaks, done))
    watcher.start()
    start = time.perf_counter()
    try:
        with Store.open(database) as store:
            (report,) = load(
                store, "bench", [path], Answers(), progress=lambda rows, stage: reports.append((rows, stage))
            )
        seconds = time.perf_counter() - start
    finally:
        done.set()
        watcher.join()
    print(
        json.dumps(
            {
                "seconds": seconds, "read": report.read, "loaded": report.loaded, "reports": len(reports),
                "parent_mib": peak_mib() or 0.0, "child_mib": max(peaks),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    _load(Path(sys.argv[1]), Path(sys.argv[2]))
