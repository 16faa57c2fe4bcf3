"""Long programs that print figures against their goals, by name."""

import argparse
import importlib
from collections.abc import Iterator, Mapping

from tests.soak import figures
from tests.soak.figures import Figure


def run(package: str, programs: Mapping[str, str], *, about: str) -> int:
    """Run programs, print their figures, and say by the exit code whether every goal was met.

    Args:
        package: Where they are, such as ``tests.soak``.
        programs: Name -> module with ``figures(count: int | None) -> Iterator[Figure]``; a count of None is
            the full number that the goal asks for.
        about: What they are for.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=about)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(programs)}; default: all")
    parser.add_argument("--count", type=int, help="fewer cases than the goal asks for; goals are not judged")
    parser.add_argument("--write", action="store_true", help=f"update {figures.PAGE.name} as well")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in programs]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(programs)}")
    if options.write and options.count is not None:
        parser.error("--write publishes a full run")
    met = True
    for name in options.names or programs:
        found = []
        for figure in _figures(f"{package}.{programs[name]}", options.count):
            print(figures.line(name, figure), flush=True)
            found.append(figure)
        if options.write:
            figures.write(name, found)
        met = met and all(figure.met for figure in found)
    return 0 if met or options.count is not None else 1


def _figures(module: str, count: int | None) -> Iterator[Figure]:
    found: Iterator[Figure] = importlib.import_module(module).figures(count)
    return found
