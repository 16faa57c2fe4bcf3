"""The same file from eight threads at once, several times over: it counts once."""

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from tests.soak import stock, wholeness
from tests.soak.figures import Figure
from tests.soak.stock import Stocked

THREADS, ROUNDS = 8, 5


@dataclass(slots=True)
class Outcome:
    """What many loads of one file gave.

    Attributes:
        rounds: How often eight threads began at once.
        loads: Loads that reported their rows as new.
        duplicates: Loads that reported all rows as known.
        faults: Anything else.
    """

    rounds: int = 0
    loads: int = 0
    duplicates: int = 0
    faults: list[str] = field(default_factory=list)


def repeated(folder: Path, files: list[Stocked], *, rounds: int) -> Outcome:
    """Load one file by eight threads at once, and so on with the next into the same dataset.

    Args:
        folder: A private, empty folder.
        files: The first ones are loaded.
        rounds: How many.
    """
    found, place = Outcome(), folder / "db" / "logs.duckdb"
    place.parent.mkdir(mode=0o700)
    held: wholeness.Held = {}
    with Store.open(place) as store:
        for file in files[:rounds]:
            barrier = threading.Barrier(THREADS)
            rows = stock.rows(file.family, *file.ids)

            def load(file: Stocked = file, barrier: threading.Barrier = barrier, rows: int = rows) -> None:
                barrier.wait()
                try:
                    (report,) = intake.load(store, "a", [file.source], Answers())
                except Exception as error:  # noqa: BLE001 - it is counted and shown
                    found.faults.append(f"{type(error).__name__}: {error}")
                    return
                outcome = (report.loaded, report.duplicates)
                if outcome == (rows, 0):
                    found.loads += 1
                elif outcome == (0, rows):
                    found.duplicates += 1
                else:
                    found.faults.append(f"loaded {outcome[0]}, duplicates {outcome[1]}")

            threads = [threading.Thread(target=load) for _ in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found.rounds += 1
            held = {"a": [*held.get("a", []), file.name]}
            found.faults += wholeness.faults(store, place, [held], files)
    return found


def figures(count: int | None) -> Iterator[Figure]:
    """How often a file counts that eight threads load; five rounds by default."""
    with tempfile.TemporaryDirectory(prefix="tiertune-repeats-") as name:
        files = stock.stocked(Path(name) / "stock", plain=ROUNDS, requests=20_000)
        found = repeated(Path(name), files, rounds=ROUNDS if count is None else count)
    print(*found.faults, sep="\n")
    yield Figure(
        f"the same file by {THREADS} threads at once",
        f"counted once, {ROUNDS} times",
        f"{found.loads} loads and {found.duplicates} recognised repetitions in {found.rounds} rounds, "
        f"{len(found.faults)} faults",
        met=(found.loads, found.duplicates) == (ROUNDS, ROUNDS * (THREADS - 1)) and not found.faults,
    )
