"""``python -m tests.engines``: the same collapse on Spark, ClickHouse and Postgres, against DuckDB's.

A venv of its own, a Spark cluster with a master and two workers, and a Postgres server live under
``build/engines`` while it runs; all processes are ended whatever happens.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from tests.engines import clickhouse, postgres, spark, tools
from tests.engines.bench import FOLDER, Log, Run, UnavailableError, logs
from tests.engines.comparison import Difference, difference
from tests.soak import figures
from tests.soak.figures import Figure

ENGINES: dict[str, tuple[str, Callable[[list[Log]], Iterator[Run]]]] = {
    "clickhouse": ("ClickHouse, embedded", clickhouse.runs),
    "spark": ("Spark, a master and two workers", spark.runs),
    "postgres": ("Postgres server", postgres.runs),
    "tools": ("Tables of tools", tools.runs),
}
LARGEST_DIFFERENCE = 1e-12


def main() -> int:
    """Run engines; 1 where one disagrees with DuckDB or could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENGINES)}; default: all")
    parser.add_argument("--rows", type=int, default=10_000_000, metavar="N", help="of the large log")
    parser.add_argument("--quick", action="store_true", help="100,000 of them")
    parser.add_argument("--write", action="store_true", help=f"update {figures.PAGE.name} as well")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in ENGINES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(ENGINES)}")
    if options.quick and options.write:
        parser.error("--write publishes a full run")
    signal.signal(signal.SIGTERM, _stop)
    FOLDER.mkdir(parents=True, exist_ok=True)
    held = logs(100_000 if options.quick else options.rows)
    met = True
    for name in options.names or ENGINES:
        engine, runs = ENGINES[name]
        found: list[Figure] = []
        try:
            for run in runs(held):
                found += _figures(engine, run)
        except UnavailableError as error:
            print(f"NOT RUN: {engine}: {error}", file=sys.stderr, flush=True)
            found.append(Figure(f"{engine}: cells", "as DuckDB's", f"not run: {error}", met=False))
        met = met and all(figure.met for figure in found)
        if options.write:
            figures.write(f"engines {name}", found)
    return 0 if met else 1


def _figures(engine: str, run: Run) -> list[Figure]:
    told: Difference = difference(run.cells, run.log.cells)
    same = told.missing == 0 and told.counts == 0 and told.largest <= LARGEST_DIFFERENCE
    print(
        f"{engine:35} {run.log.about:50} {told.cells:9,} cells, {told.missing:,} missing, "
        f"{told.counts:,} with other counts, sums within {told.largest:.1e}; "
        f"{run.seconds:.1f} s, DuckDB {run.log.seconds:.1f} s",
        flush=True,
    )
    name, theirs, ours = f"{engine}, {run.log.about}", run.seconds, run.log.seconds
    return [
        Figure(
            f"{name}: cells that are not DuckDB's",
            f"0, sums within {LARGEST_DIFFERENCE:.0e}",
            f"{told.missing + told.counts:,} of {told.cells:,}, sums within {told.largest:.1e}",
            met=same,
        ),
        Figure(
            f"{name}: time, start of the engine's client included",
            "ratio printed",
            f"{theirs / ours:.0f} times DuckDB's: {theirs:.0f} s, {ours:.1f} s",
            met=True,
        ),
    ]


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    # Files of the servers are theirs alone; a path with spaces would be split by Spark's scripts.
    if " " in str(Path.cwd()):
        sys.exit("Spark's scripts do not start from a folder with a space in its name.")
    sys.exit(main())
