"""A disk that is full at chosen points: while reading, storing, backing up, recovering and opening.

A small disk is mounted where that is permitted. Elsewhere, and in the ordinary tests, no file may grow past
a limit, which DuckDB and Python meet as the same kind of error.
"""

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from analytics.errors import TiertuneError
from analytics.logs import intake, recovery, revision
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from dashboard import loading
from tests.soak import marked, stock, wholeness
from tests.soak.figures import Figure
from tests.soak.stock import Stocked
from tests.soak.wholeness import Held

SAYS = ("disk is full", "free disk space", "free some space")
KIB, WANTED = 1024, 20
# What is done, the phase at which the disk fills up (None: before), and how much stays free, in KiB.
POINTS: tuple[tuple[str, str | None, int], ...] = (
    ("upload", None, 0), ("read", None, 0), ("read", None, 400), ("read", None, 3000),
    ("read", "transaction", 0),
    ("load", "transaction", 0), ("load", "transaction", 256), ("load", "transaction", 1024),
    ("load", "recipe", 0), ("load", "recipe", 4), ("load", "commit", 0), ("load", "commit", 256),
    ("load", "checkpoint", 0), ("load", "checkpoint", 512),
    ("take-back", "transaction", 0), ("take-back", "recipe", 0), ("take-back", "commit", 0),
    ("replace", "staging", 0), ("replace", "transaction", 64), ("replace", "checkpoint", 0),
    ("grades", "transaction", 128), ("grades", "checkpoint", 0), ("grades", "checkpoint", 64),
    ("delete", "recipe", 0), ("delete", "commit", 0),
    ("backup", None, 0), ("backup", None, 1024), ("recovery", None, 0), ("recovery", "transaction", 0),
    ("recovery", "commit", 64), ("open", None, 0),
)  # fmt: skip


class Mounted:
    """A small disk that a ballast fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, free_kib: int) -> None:
        """Leave so much."""
        self.empty()
        left = shutil.disk_usage(self.folder).free - free_kib * KIB
        descriptor = os.open(self._ballast, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if left > 0:
                os.posix_fallocate(descriptor, 0, left)
        finally:
            os.close(descriptor)

    def empty(self) -> None:
        """Free the space again."""
        self._ballast.unlink(missing_ok=True)


class Limited:
    """A process none of whose files may grow further than this."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, free_kib: int) -> None:
        """Allow so much for each file."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (free_kib * KIB, self._before[1]))

    def empty(self) -> None:
        """Allow anything."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@dataclass(slots=True)
class _Trigger:
    """Fills the disk when a phase is reached."""

    disk: Mounted | Limited
    target: str | None = None
    free_kib: int = 0
    armed: bool = False
    inside: bool = False
    _phase: str = "outside"

    @property
    def phase(self) -> str:
        return self._phase

    @phase.setter
    def phase(self, name: str) -> None:
        self._phase = name
        if self.armed and name == self.target:
            self.armed = False
            self.disk.fill(self.free_kib)


@dataclass(slots=True)
class Outcome:
    """What full disks left.

    Attributes:
        points: Points tried.
        refused: Of these, how many stopped the work with a message.
        faults: What was wrong, one sentence each.
        messages: All messages.
    """

    points: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    messages: set[str] = field(default_factory=set)


def filled(
    disk: Mounted | Limited, points: tuple[tuple[str, str | None, int], ...], files: list[Stocked]
) -> Outcome:
    """Fill the disk once for each point and look at the database each time.

    Args:
        disk: An empty one.
        points: As in ``POINTS``.
        files: That are loaded; they lie on another disk.
    """
    found, trigger = Outcome(), _Trigger(disk)
    with marked.installed(trigger):
        for at, (work, phase, free_kib) in enumerate(points):
            home = disk.folder / f"point{at}"
            home.mkdir(mode=0o700)
            trigger.target, trigger.free_kib = phase, free_kib
            wrong = _point(home / "logs.duckdb", work, trigger, files, found)
            found.points += 1
            found.faults += [f"{work}, {phase}, {free_kib} KiB: {text}" for text in wrong]
            shutil.rmtree(home)
    return found


def _point(place: Path, work: str, trigger: _Trigger, files: list[Stocked], found: Outcome) -> list[str]:
    before: Held = {"a": ["plain0", "overlap0", "overlap1"], "b": ["plain1"]}
    by_name = {one.name: one for one in files}
    with Store.open(place) as store:
        for dataset, names in before.items():
            for name in names:
                _stored(store, dataset, by_name[name])
    after, action = _actions(by_name)[work]
    if work in ("recovery", "open"):
        if work == "recovery":
            place.unlink()

        def whole() -> None:
            with Store.open(place) as store:
                action(store)

        said = _tried(whole, trigger, found)
        trigger.disk.empty()
        return [*_judged(said), *_later(place, before, files)]
    with Store.open(place) as store:
        said = _tried(lambda: action(store), trigger, found)
        now = [after or before] if said is None else [before]
        wrong = [*_judged(said), *_told("with a full disk", wholeness.faults(store, place, now, files))]
        trigger.disk.empty()
        for one in store.staging.iterdir():  # what the page had spilled; the page deletes it with its task
            shutil.rmtree(one)
        if said is not None and after is not None:
            action(store)
            wrong += _told("with space again", wholeness.faults(store, place, [after], files))
    return [*wrong, *_later(place, after or before, files)]


def _later(place: Path, held: Held, files: list[Stocked]) -> list[str]:
    """What the next start finds, and whether it can load."""
    with Store.open(place) as store:
        recovery.recover(store)
        wrong = wholeness.faults(store, place, [held], files)
        _stored(store, "new", next(one for one in files if one.name == "plain2"))
        wrong += wholeness.faults(store, place, [{**held, "new": ["plain2"]}], files)
        if store.aside is not None:
            wrong.append("was set aside")
    return _told("at the next start", wrong)


def _told(when: str, faults: list[str]) -> list[str]:
    return [f"{when}: {text}" for text in faults]


def _tried(work: Callable[[], None], trigger: _Trigger, found: Outcome) -> BaseException | None:
    trigger.armed = True
    if trigger.target is None:
        trigger.disk.fill(trigger.free_kib)
    try:
        work()
    except Exception as error:  # noqa: BLE001 - which one it may be is judged
        found.refused += 1
        found.messages.add(str(error))
        return error
    finally:
        trigger.armed = False
    return None


def _judged(said: BaseException | None) -> list[str]:
    """A refusal is one of our own and says what is full."""
    if said is None:
        return []
    if not isinstance(said, TiertuneError):
        return [f"raised {type(said).__name__}: {said}"]
    if not any(words in str(said).lower() for words in SAYS):
        return [f"said: {said}"]
    return []


def _stored(store: Store, dataset: str, file: Stocked) -> None:
    arrival, raw = file.into(store.staging)
    try:
        store.ingest(dataset, arrival, raw=raw)
    finally:
        shutil.rmtree(arrival.typed.parent)


def _actions(files: dict[str, Stocked]) -> dict[str, tuple[Held | None, Callable[[Store], None]]]:
    """What is done, and what the database holds when it is done."""
    more: Held = {"a": ["plain0", "overlap0", "overlap1"], "b": ["plain1", "plain2"]}
    graded: Held = {"a": ["plain0", "overlap0", "overlap1", stock.GRADES], "b": ["plain1"]}

    def upload(store: Store) -> None:
        with files["plain2"].source.open("rb") as content:
            loading.spilled(content, "plain2.csv", folder=store.staging)

    def load(store: Store) -> None:
        # Converted on a disk with room, which is freed of it before the store begins.
        arrival, raw = files["plain2"].into(store.staging)
        try:
            store.ingest("b", arrival, raw=raw)
        finally:
            shutil.rmtree(arrival.typed.parent)

    def taken(name: str) -> Callable[[Store], None]:
        return lambda store: revision.take_back(store, "a", files[name].file_id)

    def backup(store: Store) -> None:
        store.backup(store.staging.parents[1] / "backup.duckdb")

    return {
        "upload": (None, upload),
        "read": (more, lambda store: _read(store, files["plain2"])),
        "load": (more, load),
        "take-back": ({"a": ["overlap0", "overlap1"], "b": ["plain1"]}, taken("plain0")),
        "replace": ({"a": ["plain0", "overlap1"], "b": ["plain1"]}, taken("overlap0")),
        "delete": ({"b": ["plain1"]}, lambda store: store.delete("a")),
        "grades": (graded, lambda store: _stored(store, "a", files[stock.GRADES])),
        "backup": (None, backup),
        "recovery": (None, lambda store: _nothing(recovery.recover(store))),
        "open": (None, lambda store: _nothing(store.datasets())),
    }


def _nothing(_: object) -> None:
    """What was done is all that matters."""


def _read(store: Store, file: Stocked) -> None:
    intake.load(store, "b", [file.source], Answers())


@contextlib.contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Mounted | Limited]:
    """A disk of this size where one may be mounted, else the limit on each file."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        yield Limited(folder)
        return
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def figures(count: int | None) -> Iterator[Figure]:
    """What full disks left, at every point or the first few."""
    with tempfile.TemporaryDirectory(prefix="tiertune-full-") as name:
        (Path(name) / "disk").mkdir()
        with small_disk(Path(name) / "disk", 128) as disk:
            files = stock.stocked(Path(name) / "stock", plain=3, requests=20_000)
            found = filled(disk, POINTS[:count], files)
    print(*found.faults, "Messages:", *sorted(found.messages), sep="\n")
    kind = "a small disk" if isinstance(disk, Mounted) else "a limit on each file"
    yield Figure(
        "full disk: earlier rows lost, unclear messages, later loads that fail",
        "0 at 20 points",
        f"{len(found.faults)} at {found.points} points ({found.refused} refused, by {kind})",
        met=not found.faults and found.points >= WANTED,
    )
