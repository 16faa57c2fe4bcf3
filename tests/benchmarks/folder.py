"""A folder as a log: what opening it costs, and what one more file costs beside a large and an empty one."""

import shutil
import time
from pathlib import Path

from analytics.collapse import folder
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from analytics.tuning.log import read_log
from tests.benchmarks.timing import Goal, Section, Timing, peak_mib

MOST_RATIO = 1.3


def section(root: Path, more: list[Path], work: Path, *, rows: int, file_rows: int) -> Section:
    """Measure opening and appending; leaves the database of the folder in ``work``.

    Args:
        root: Folder with Parquet files of decisions.
        more: Files with later decisions, one per round; they are added to the folder and taken out again.
        work: Where databases go.
        rows: Requests in the folder.
        file_rows: Requests in each of ``more``.
    """
    with Store.open(work / "folder.duckdb") as store:
        opening = _once(store, root)
        start = time.perf_counter()
        read_log(store, "log")
        reading = time.perf_counter() - start
        large, empty, added = [], [], []
        try:
            for place, file in enumerate(more):
                added.append(Path(shutil.copy(file, root / f"later-{place}.parquet")))
                large.append(_once(store, root))
                alone = work / f"alone-{place}"
                alone.mkdir()
                shutil.copy(file, alone / "later.parquet")
                with Store.open(work / f"alone-{place}.duckdb") as other:
                    empty.append(_once(other, alone))
        finally:
            for file in added:
                file.unlink()
    one, other_ = (
        Timing(f"one file more, {file_rows:,} requests", tuple(large)),
        Timing("the same file as the first of a folder", tuple(empty)),
    )
    ratio = one.median / other_.median
    return Section(
        title=f"A folder of Parquet files as a log, {rows:,} requests",
        method=(
            "Opening hashes the files, checks their rows, looks for repeated requests and sums up; no row is "
            "copied. Then one file is added, beside the large folder and beside nothing."
        ),
        timings=(
            Timing("opening the folder", (opening,)),
            Timing("reading its cells", (reading,)),
            one,
            other_,
        ),
        goals=(
            Goal(
                f"one file more costs at most {MOST_RATIO:g} times what it costs alone",
                f"{ratio:.2f} times",
                ratio <= MOST_RATIO,
            ),
        ),
        remarks=(f"Peak memory of this process: {peak_mib() or 0:,.0f} MiB.",),
    )


def _once(store: Store, root: Path) -> float:
    start = time.perf_counter()
    folder.opened(store, "log", root, Answers())
    return time.perf_counter() - start
