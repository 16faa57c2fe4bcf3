"""``python -m tests.soak NAME...``: the long proofs of what a bad file or a crash can and cannot do."""

import argparse
import importlib
import sys
from collections.abc import Iterator

from tests.soak import figures
from tests.soak.figures import Figure

# Name -> module of tests.soak with ``figures(count: int | None) -> Iterator[Figure]``; a count of None is
# the full number that the goal asks for.
PROGRAMS: dict[str, str] = {
    "badinputs": "badinputs",
    "pages": "pages",
    "balance": "balance",
    "mutations": "mutations",
    "large": "large",
    "kills": "kills",
    "disk-full": "disk_full",
    "repeats": "repeats",
    "browsers": "browsers",
    "machine": "machine",
}


def main() -> int:
    """Run the programs, print their figures, and say by the exit code whether every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROGRAMS)}; default: all")
    parser.add_argument("--count", type=int, help="fewer cases than the goal asks for; goals are not judged")
    parser.add_argument("--write", action="store_true", help=f"update {figures.PAGE.name} as well")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in PROGRAMS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PROGRAMS)}")
    if options.write and options.count is not None:
        parser.error("--write publishes a full run")
    met = True
    for name in options.names or PROGRAMS:
        found = []
        for figure in _figures(name, options.count):
            print(figures.line(name, figure), flush=True)
            found.append(figure)
        if options.write:
            figures.write(name, found)
        met = met and all(figure.met for figure in found)
    return 0 if met or options.count is not None else 1


def _figures(name: str, count: int | None) -> Iterator[Figure]:
    found: Iterator[Figure] = importlib.import_module(f"tests.soak.{PROGRAMS[name]}").figures(count)
    return found


if __name__ == "__main__":
    sys.exit(main())
