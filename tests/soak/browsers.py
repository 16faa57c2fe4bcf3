"""Twenty sessions, each with a dataset of its own, five of them loading: what do they see, what does it cost?

Each dataset has names of categories and models that occur in no other, and a number of requests of its own.
"""

import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from tests.app import App, served
from tests.soak import stock
from tests.soak.figures import Figure
from tests.soak.tab import Drawn, Tab, pressed

SESSIONS, LOADING, MINUTES = 20, 5, 10
MOST_MB = 50.0
PAGES = ("", "tiers", "confidence", "thresholds", "export", "logs", "how_to_log")
REQUESTS = 400
SEED = 20261127
_SAMPLE_S = 2.0
_PAUSE_S = (0.5, 3.0)
_PATIENCE_S = 90.0


@dataclass(slots=True)
class Outcome:
    """What the sessions met.

    Attributes:
        runs: Pages drawn and buttons pressed.
        loads: Files that were loaded through the page.
        errors: Exceptions, red boxes, wrong totals, broken connections; a sentence each.
        foreign: Runs that showed a name of another session's dataset.
        seconds: Of each run.
        memory_mb: Resident memory of the server, every two seconds.
    """

    runs: int = 0
    loads: int = 0
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def growth_mb(self) -> float:
        """Memory of the last tenth of the time less that of the third tenth, when every cache has filled."""
        tenth = max(len(self.memory_mb) // 10, 1)
        return statistics.median(self.memory_mb[-tenth:]) - statistics.median(
            self.memory_mb[2 * tenth : 3 * tenth]
        )


@dataclass(slots=True)
class _Session:
    """One user."""

    number: int
    app: App
    found: Outcome
    until: float
    requests: int
    files: int = 0

    def work(self) -> None:
        """Look at pages, and load where this session does, until the time is over."""
        chance = random.Random(SEED + self.number)  # noqa: S311
        tab = self.tab()
        try:
            while time.monotonic() < self.until:
                if chance.random() < 0.04:
                    tab.close()
                    tab = self.tab()
                if self.number < LOADING and chance.random() < 0.5:
                    self.load(tab)
                else:
                    self.see(tab.opened(chance.choice(PAGES)))
                time.sleep(chance.uniform(*_PAUSE_S))
        except Exception as error:  # noqa: BLE001 - it is counted and shown
            self.found.errors.append(f"session {self.number}: {type(error).__name__} {error}")
        finally:
            tab.close()

    def tab(self) -> Tab:
        return Tab(self.app.url, f"dataset=own-{self.number}")

    def see(self, drawn: Drawn, *, total: bool = True) -> Drawn:
        """Judge what was drawn."""
        self.found.runs += 1
        self.found.seconds.append(drawn.seconds)
        said = [*drawn.exceptions(), *drawn.errors()]
        self.found.errors += [f"session {self.number} was shown: {text}" for text in said]
        if total and f"{self.requests:,} requests".encode() not in drawn.raw:
            self.found.errors.append(f"session {self.number} was not shown its {self.requests:,} requests")
        others = [at for at in range(SESSIONS) if at != self.number]
        seen = [at for at in others if any(name in drawn.raw for name in _names(at))]
        self.found.foreign += [f"session {self.number} was shown dataset {at}" for at in seen]
        return drawn

    def load(self, tab: Tab) -> None:
        """Load one more file into the own dataset, as the page is used for it."""
        self.files += 1
        content = _text(self.number, f"more{self.files}", REQUESTS).encode()
        page = self.see(tab.opened("logs"))
        drawn = self.see(tab.uploaded(page, f"own-{self.number}.csv", content))
        drawn = self.waited(tab, drawn, "Use this mapping")
        self.requests += REQUESTS
        drawn = self.see(tab.run(widgets=[pressed(_button(drawn, "Use this mapping"))]), total=False)
        drawn = self.waited(tab, drawn, "Close")
        self.see(tab.run(widgets=[pressed(_button(drawn, "Close"))]))
        self.found.loads += 1

    def waited(self, tab: Tab, drawn: Drawn, label: str) -> Drawn:
        """The page when it shows a button, its fragment asked again as often as it wants."""
        deadline = time.monotonic() + _PATIENCE_S
        fragments = drawn.again
        while drawn.widget("button", label) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page never showed {label}")
            for fragment, interval in fragments.items():
                time.sleep(interval)
                drawn = self.see(tab.run(fragment=fragment), total=False)
            fragments = {**fragments, **drawn.again}
        return drawn


def browsed(folder: Path, *, minutes: float) -> Outcome:
    """Let the sessions work.

    Args:
        folder: A private, empty folder.
        minutes: For how long.
    """
    found, totals = Outcome(), [1000 + 37 * number for number in range(SESSIONS)]
    with Store.open(folder / "dashboard.duckdb") as store:
        for number, requests in enumerate(totals):
            source = folder / "first.csv"
            source.write_text(_text(number, "first", requests))
            intake.load(store, f"own-{number}", [source], Answers())
    with served(folder) as app:
        until = time.monotonic() + minutes * 60
        sessions = [_Session(number, app, found, until, requests) for number, requests in enumerate(totals)]
        threads = [threading.Thread(target=session.work) for session in sessions]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            if time.monotonic() < until:
                found.memory_mb.append(_resident_mb(app.process.pid))
            time.sleep(_SAMPLE_S)
        printed = app.output.read_text(errors="replace")
        if "Traceback" in printed:
            found.errors.append(f"the server printed: {printed[-2000:]}")
    with Store.open(folder / "dashboard.duckdb") as store:
        held = dict(store.datasets().select("name", "requests").iter_rows())
    wanted = {f"own-{session.number}": session.requests for session in sessions}
    if held != wanted:
        found.errors.append(f"the database holds {held}, loaded were {wanted}")
    return found


def figures(count: int | None) -> Iterator[Figure]:
    """What ten minutes give, or ``count`` minutes."""
    minutes = MINUTES if count is None else count
    with tempfile.TemporaryDirectory(prefix="tiertune-browsers-") as name:
        found = browsed(Path(name), minutes=minutes)
    print(*found.errors[:20], *found.foreign[:20], sep="\n")
    print("Memory in MB, once a minute:", [round(one) for one in found.memory_mb[:: int(60 / _SAMPLE_S)]])
    who = f"{SESSIONS} sessions for {minutes} minutes, {LOADING} of them loading"
    yield Figure(
        f"{who}: errors",
        "0",
        f"{len(found.errors)} in {found.runs:,} runs and {found.loads} loads; half of the runs within "
        f"{statistics.median(found.seconds):.1f} s, 95% within {_late(found.seconds):.1f} s",
        met=not found.errors and found.runs > 0,
    )
    yield Figure(f"{who}: values from another dataset", "0", f"{len(found.foreign)}", met=not found.foreign)
    yield Figure(
        f"{who}: memory growth",
        f"under {MOST_MB:.0f} MB",
        f"{found.growth_mb():.0f} MB from the third minute to the last, "
        f"at {statistics.median(found.memory_mb[-5:]):.0f} MB in the end",
        met=found.growth_mb() < MOST_MB,
    )


def _text(number: int, family: str, requests: int) -> str:
    """A log whose category and models have names of their own."""
    category, fast, strong = (name.decode() for name in _names(number))
    text = stock.text(f"{family}-{number}", 0, requests)
    return text.replace("law", category).replace("m-small", fast).replace("m-large", strong)


def _names(number: int) -> tuple[bytes, bytes, bytes]:
    return f"kind{number}q".encode(), f"fast{number}q".encode(), f"strong{number}q".encode()


def _button(drawn: Drawn, label: str) -> str:
    found = drawn.widget("button", label)
    if found is None:
        raise LookupError(f"There is no button {label}.")
    return found


def _late(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * len(seconds))]


def _resident_mb(pid: int) -> float:
    """Resident memory of a process, without its children."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
