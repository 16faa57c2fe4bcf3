"""``python -m tests.benchmarks``: speed against other tools; equal results are asserted first."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import (
    append,
    collapse,
    curves,
    experiments,
    folder,
    growth,
    loading,
    resampled,
    served,
    sweep,
    tuning,
    workload,
)
from tests.benchmarks.timing import Section

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTIONS = (
    "sweep",
    "curves",
    "collapse",
    "growth",
    "bootstrap",
    "tuning",
    "folder",
    "served",
    "append",
    "experiments",
    "loading",
)
FILES, LATER = 10, 3
PACKAGES = ("duckdb", "polars", "pandas", "numpy", "pyarrow", "scikit-learn", "scipy")


def main() -> int:
    """Measure, print, and say by the exit code whether every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows; goals are not judged")
    parser.add_argument("--write", action="store_true", help=f"write the figures to {PAGE.name} as well")
    parser.add_argument(
        "--huge", action="store_true", help="the largest log has 100 million requests, not 10"
    )
    parser.add_argument(
        "--data", type=Path, help="keep the largest log in this folder, or take it from there"
    )
    parser.add_argument("--only", choices=SECTIONS, action="append", help="measure only this; repeatable")
    options = parser.parse_args()
    if options.write and (options.quick or options.only):
        parser.error("--write publishes a full run")
    found = []
    million = 100_000 if options.quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="tiertune-bench-") as made:
        log = (options.data or Path(made)) / "log"
        largest = million * (100 if options.huge else 10)
        asked = options.only or SECTIONS
        for section in _all(Path(made), asked, log=log, largest=largest, quick=options.quick):
            print("\n".join(_text(section)), flush=True)
            found.append(section)
    print(_machine())
    if options.write:
        PAGE.write_text(_page(found), encoding="utf-8")
        for name, text in {name: text for section in found for name, text in section.files.items()}.items():
            PAGE.with_name(name).write_text(text, encoding="utf-8")
    met = all(goal.met for section in found for goal in section.goals)
    return 0 if met or options.quick else 1


def _all(work: Path, asked: Sequence[str], *, log: Path, largest: int, quick: bool) -> Iterator[Section]:
    """Every section that was asked for, those on the largest log last."""
    yield from _sections(work, asked, quick=quick)
    if {"growth", "folder", "served"} & {*asked}:
        _written(log, largest)
    if "growth" in asked:
        sizes = []
        for rows in (largest // 1000, largest // 100, largest // 10):
            path = work / f"{rows}.parquet"
            workload.write_decisions(path, rows=rows, ungraded=0.1)
            sizes.append(growth.Size(rows, path, 3))
        yield growth.section([*sizes, growth.Size(largest, log / "*.parquet", 3)])
    if {"folder", "served"} & {*asked}:
        later = [work / f"later-{place}.parquet" for place in range(LATER)]
        rows = largest // 100
        for place, path in enumerate(later):
            workload.write_decisions(
                path, rows=rows, first=largest + place * rows, whole=largest, ungraded=0.1
            )
        yield folder.section(log, later, work, rows=largest, file_rows=rows)
    if "served" in asked:
        yield served.section(work / "folder.duckdb", dataset="log", rows=largest)
    if "append" in asked:
        each, rows = largest // FILES, largest // 100
        later = [work / f"uploaded-{place}.parquet" for place in range(LATER)]
        for place, path in enumerate(later):
            workload.write_upload(path, rows=rows, first=largest + place * rows, whole=largest)
        yield append.section(_uploads(work, each, whole=largest), later, work, rows=rows)


def _uploads(work: Path, rows: int, *, whole: int) -> Iterator[Path]:
    """The largest log as files to load, each removed once it was."""
    for place in range(whole // rows):
        path = work / "upload.parquet"
        workload.write_upload(path, rows=rows, first=place * rows, whole=whole)
        yield path
        path.unlink()


def _written(log: Path, rows: int) -> None:
    """The largest log, a folder of files one after the other in time."""
    log.mkdir(parents=True, exist_ok=True)
    for place in range(FILES):
        path, each = log / f"part-{place}.parquet", rows // FILES
        if not path.exists():
            workload.write_decisions(path, rows=each, first=place * each, whole=rows, ungraded=0.1)


def _sections(folder: Path, asked: Sequence[str], *, quick: bool) -> Iterator[Section]:
    million = 100_000 if quick else 1_000_000
    paired = folder / "paired.parquet"
    if "sweep" in asked or "curves" in asked:
        workload.write_decisions(paired, rows=million)
    if "sweep" in asked:
        yield sweep.section(paired, rows=million, repeats=3 if quick else 9, slow_repeats=1 if quick else 3)
    if "curves" in asked:
        yield curves.section(paired, rows=million, repeats=5 if quick else 15)
    if "collapse" in asked:
        path = folder / "ten.parquet"
        workload.write_decisions(path, rows=10 * million, ungraded=0.1)
        yield collapse.section(path, rows=10 * million, repeats=2 if quick else 5)
        path.unlink()
    if "bootstrap" in asked:
        small, path = folder / "small.parquet", folder / "graded.parquet"
        workload.write_decisions(small, rows=million // 5)
        workload.write_decisions(path, rows=10 * million)
        yield resampled.compared(small, repeats=2 if quick else 5)
        yield resampled.section(path, rows=10 * million, repeats=2 if quick else 5, row_draws=3)
        path.unlink()
    if "tuning" in asked:
        path = folder / "graded.parquet"
        workload.write_decisions(path, rows=10 * million)
        yield tuning.section(path, rows=10 * million, repeats=3 if quick else 7)
        path.unlink()
    if "experiments" in asked:
        path = folder / "tested.parquet"
        workload.write_decisions(path, rows=10 * million)
        yield experiments.section(path, folder, rows=10 * million, repeats=2 if quick else 5)
        path.unlink()
    if "loading" in asked:
        path = folder / "upload.csv"
        workload.write_upload(path, rows=million)
        yield loading.section(path, folder, rows=million, repeats=1 if quick else 2)


def _text(section: Section) -> list[str]:
    """A section as Markdown."""
    first = section.timings[0].median
    lines = [f"## {section.title}", "", section.method, ""]
    lines += ["| what | median (range, runs) | against the first |", "|---|---|---|"]
    lines += [
        f"| {timing.name} | {timing.text()} | {timing.median / first:.2f} |" for timing in section.timings
    ]
    lines += ["", "| goal | measured | |", "|---|---|---|"]
    lines += [
        f"| {goal.text} | {goal.measured} | {'met' if goal.met else 'MISSED'} |" for goal in section.goals
    ]
    return [*lines, "", *(line for remark in section.remarks for line in (remark, ""))]


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {packages}."
    )


def _page(sections: list[Section]) -> str:
    lines = [
        "# Benchmarks", "",
        "Written by `python -m tests.benchmarks --write`; `make bench` measures anew, RouteLLM too once",
        "`make bench-peers` has fetched its sources.", "",
        f"{datetime.now(UTC):%d %B %Y}, {_machine()}", "",
        "Synthetic requests, the same at every run, in no order of confidence or category. What two tools",
        "both compute is checked for equality before they are timed, except where a section says otherwise.",
        "Contestants take turns after an uncounted round; a slow one takes part in fewer rounds, without",
        "the uncounted one, and its number of runs says so. One that answers only a part of the question",
        "has that in its name. Figures are medians with ranges, measured and not extrapolated unless they",
        "say so. The machine is shared: read ratios, not seconds.", "",
    ]  # fmt: skip
    return "\n".join([*lines, *(line for section in sections for line in _text(section))]).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
