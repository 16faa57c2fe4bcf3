"""A file added to a log that was loaded: what it costs beside many requests and beside none."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from analytics.collapse.upkeep import kept_up
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
        before = sum(_added(store, path).requests for path in earlier)
        loading = time.perf_counter() - started
        large, empty = [], []
        for place, path in enumerate(later):
            large.append(_added(store, path))
            # A log of this size would not keep its cells; here both do the same work.
            with patch.object(tables, "LARGE", 1), Store.open(work / f"empty-{place}.duckdb") as other:
                empty.append(_added(other, path))
        size = store.size_bytes()
        held = read_log(store, "log").facts.requests
    if held != before + len(later) * rows:
        raise AssertionError(f"{held} requests instead of {before} and {len(later)} times {rows}")
    beside = Timing(f"{rows:,} requests beside {before:,}", tuple(added.added_s for added in large))
    alone = Timing("the same beside none", tuple(added.added_s for added in empty))
    read = Timing(f"reading the cells of {before + rows:,}", tuple(added.read_s for added in large))
    few = Timing(f"reading the cells of {rows:,}", tuple(added.read_s for added in empty))
    ratio = beside.median / alone.median
    return Section(
        title=f"Adding {rows:,} requests to a loaded log of {before:,}",
        method=(
            "A Parquet file through the intake: inspected, converted, compared with what is there, stored, "
            "and its cells added to those that are kept, which both logs do here. Each request was loaded "
            "once. Then the cells are read for the first figures: those of all files since the last time "
            "that they were merged."
        ),
        timings=(beside, alone, read, few),
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


class _Added(NamedTuple):
    """Seconds that adding a file and then reading the log's cells took, and requests that it brought."""

    added_s: float
    read_s: float
    requests: int


def _added(store: Store, path: Path) -> _Added:
    start = time.perf_counter()
    [report] = intake.load(store, "log", [path], Answers())
    kept_up(store, "log")
    added = time.perf_counter()
    read_log(store, "log")
    return _Added(added - start, time.perf_counter() - added, report.loaded)
