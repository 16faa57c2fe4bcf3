"""Ten million requests through the intake, against DuckDB merely copying the same file into a table.

Both sides run in fresh processes on fresh databases and take turns. Ours includes reading in a child process,
validation, deduplication, folds, the kept copy of the file, pairing of calls, and the cells that sweeps are
drawn from.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import duckdb

from tests.benchmarks import workload
from tests.soak.figures import Figure

ROWS = 10_000_000
TURNS = 3
LIMIT_MIB = 3 * 1024
GOALS = {"parquet": 3.0, "csv": 4.0}
_CALLS_SHARE = 5  # the file of calls has a fifth of the requests
_POLL_S = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")


def figures(count: int | None) -> Iterator[Figure]:
    """Ratios and peak memory; ``count`` requests instead of ten million."""
    rows = count or ROWS
    turns = TURNS if count is None else 1
    with tempfile.TemporaryDirectory(prefix="tiertune-large-") as name:
        folder = Path(name)
        files = {
            "parquet": folder / "wide.parquet",
            "csv": folder / "wide.csv",
            "calls": folder / "calls.parquet",
        }
        workload.write_upload(files["parquet"], rows=rows)
        workload.write_upload(files["csv"], rows=rows)
        workload.write_calls(files["calls"], rows=rows // _CALLS_SHARE)
        for kind, path in files.items():
            copies, loads = [], []
            for turn in range(turns):
                copies.append(_run("copy", path, folder / f"{kind}{turn}.copy"))
                loads.append(_run("load", path, folder / f"{kind}{turn}.duckdb"))
            yield from _figures(kind, path, copies, loads)


def _figures(
    kind: str, path: Path, copies: list[dict[str, float]], loads: list[dict[str, float]]
) -> Iterator[Figure]:
    ours, plain = ([run["seconds"] for run in runs] for runs in (loads, copies))
    loaded, peak_mib = int(loads[0]["loaded"]), max(run["peak_mib"] for run in loads)
    ratio = median(ours) / median(plain)
    size = f"{path.stat().st_size / 1e6:,.0f} MB"
    goal = GOALS.get(kind)
    what = "calls, Parquet" if kind == "calls" else f"wide requests, {'CSV' if kind == 'csv' else 'Parquet'}"
    yield Figure(
        f"load of {loaded:,} {what}",
        "ratio printed" if goal is None else f"at most {goal:g} times a plain CREATE TABLE AS",
        f"{ratio:.1f} times: {median(ours):.1f} s ({_range(ours)}) against {median(plain):.1f} s "
        f"({_range(plain)}), {size}, {len(ours)} turns",
        goal is None or ratio <= goal,
    )
    yield Figure(
        f"memory while {loaded:,} {what} are loaded",
        "under 3 GiB, all processes together",
        f"{peak_mib:,.0f} MiB",
        peak_mib < LIMIT_MIB,
    )


def _range(seconds: list[float]) -> str:
    return f"{min(seconds):.1f} to {max(seconds):.1f}"


def _run(what: str, path: Path, database: Path) -> dict[str, float]:
    """One turn in a process of its own, whose databases are gone afterwards."""
    command = [sys.executable, "-m", "tests.soak.large", what, str(path), str(database)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for leftover in database.parent.glob(f"{database.name}*"):
        if leftover.is_file():
            leftover.unlink()
        else:
            for file in leftover.iterdir():
                file.unlink()
            leftover.rmdir()
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def _copied(path: Path, database: Path) -> dict[str, float]:
    start = time.perf_counter()
    with duckdb.connect(str(database)) as connection:
        reader = "read_csv" if path.suffix == ".csv" else "read_parquet"
        connection.execute(f"CREATE TABLE copied AS SELECT * FROM {reader}(?)", [str(path)])
        connection.execute("CHECKPOINT")
    return {"seconds": time.perf_counter() - start}


def _loaded(path: Path, database: Path) -> dict[str, float]:
    from analytics.logs.intake import load  # noqa: PLC0415 - only the measured process needs them
    from analytics.logs.meaning.answers import Answers  # noqa: PLC0415
    from analytics.logs.storage import tables  # noqa: PLC0415
    from analytics.logs.store import Store  # noqa: PLC0415
    from analytics.tuning.cells import cells  # noqa: PLC0415

    peak, done = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, done))
    watcher.start()
    start = time.perf_counter()
    try:
        with Store.open(database) as store:
            (report,) = load(store, "large", [path], Answers())
            with store.cursor() as cursor:
                found = cells(cursor, tables.of(cursor, "large", "decisions"))
            seconds = time.perf_counter() - start
    finally:
        done.set()
        watcher.join()
    if report.loaded != report.read or (found.is_empty() and "wide" in path.name):
        raise AssertionError(f"read {report.read}, loaded {report.loaded}")
    return {"seconds": seconds, "loaded": report.loaded, "peak_mib": peak[0]}


def _watch(peak: list[float], done: threading.Event) -> None:
    """The most memory that this process and its children had at one moment."""
    while not done.wait(_POLL_S):
        total = 0.0
        for pid in ["self", *_children()]:
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20
            except (OSError, IndexError):  # it ended while it was looked at
                continue
        peak[0] = max(peak[0], total)


def _children() -> list[str]:
    found: list[str] = []
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found += task.read_text().split()
        except OSError:
            continue
    return found


if __name__ == "__main__":
    work = _copied if sys.argv[1] == "copy" else _loaded
    print(json.dumps(work(Path(sys.argv[2]), Path(sys.argv[3]))))
