"""A file added to a log that was loaded: what it costs beside many requests and beside none."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from unittest.mock import patch

from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage import tables
from analytics.logs.store import Store
from analytics.tuning.log import read_log
from tests.benchmarks.timing import Goal, Section, Timing, duration, peak_mib

MOST_RATIO = 1.3


def section(earlier: Iterable[Path], later: Sequence[Path], work: Path, *, rows: int) -> Section:
    """Measure adding files; each time until the log can be tuned.

    Args:
        earlier: Files of requests as uploaded, one after the other in time; each read before the next.
        later: Files that come after them, one per round.
        work: Where databases go.
        rows: Requests in each of ``later``.
    """
    started = time.perf_counter()
    with Store.open(work / "appended.duckdb") as store:
        before = sum(_added(store, path)[1] for path in earlier)
        loading = time.perf_counter() - started
        large, empty = [], []
        for place, path in enumerate(later):
            large.append(_added(store, path)[0])
            # A log of this size would not keep its cells; here both do the same work.
            with patch.object(tables, "LARGE", 1), Store.open(work / f"empty-{place}.duckdb") as other:
                empty.append(_added(other, path)[0])
        size = store.size_bytes()
        held = read_log(store, "log").facts.requests
    if held != before + len(later) * rows:
        raise AssertionError(f"{held} requests instead of {before} and {len(later)} times {rows}")
    beside = Timing(f"{rows:,} requests beside {before:,}", tuple(large))
    alone = Timing("the same beside none", tuple(empty))
    ratio = beside.median / alone.median
    return Section(
        title=f"Adding {rows:,} requests to a loaded log of {before:,}",
        method=(
            "A Parquet file through the intake, until figures can be read: inspected, converted, compared "
            "with what is there, stored, summed up; in both logs its cells are kept. Each request was loaded "
            "once."
        ),
        timings=(beside, alone),
        goals=(
            Goal(
                f"at most {MOST_RATIO:g} times what it costs beside none",
                f"{ratio:.2f} times",
                ratio <= MOST_RATIO,
            ),
        ),
        remarks=(
            f"The earlier requests took {duration(loading)} to write as files and to load.",
            f"The database has {size / 2**30:.1f} GiB. Peak memory here: {peak_mib() or 0:,.0f} MiB.",
        ),
    )


def _added(store: Store, path: Path) -> tuple[float, int]:
    """Seconds until the log with this file can be tuned, and requests that it brought."""
    start = time.perf_counter()
    [report] = intake.load(store, "log", [path], Answers())
    read_log(store, "log")
    return time.perf_counter() - start, report.loaded
