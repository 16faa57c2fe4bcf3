"""kill -9 at chosen and at random moments, most of them between BEGIN and COMMIT; then all is looked at.

The killed process does what the product does (``victim``), and says in memory that outlives it where it
was (``marked``). It is killed by the process group; its readers end by themselves.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from analytics.logs import recovery
from analytics.logs.store import Store
from tests.first_layout import FIRST
from tests.soak import marked, stock, wholeness
from tests.soak.figures import Figure
from tests.soak.stock import Stocked
from tests.soak.wholeness import Held

WANTED, INSIDE = 200, 120
SEED = 20261127
PATIENCE_S = 60.0
# Scenario, phase in which it is killed (None: any moment), and how often of 200.
PLAN: tuple[tuple[str, str | None, int], ...] = (
    ("load", "transaction", 86), ("load", "commit", 14), ("load", "checkpoint", 8), ("load", "recipe", 6),
    ("load", "after", 4), ("load", None, 10), ("read", "staging", 8), ("read", None, 4),
    ("take-back", "transaction", 8), ("take-back", "recipe", 3), ("take-back", "commit", 3),
    ("replace", "transaction", 6), ("replace", "staging", 3), ("replace", "commit", 2),
    ("delete", "transaction", 3), ("delete", "commit", 3), ("grades", "transaction", 6), ("rename", None, 2),
    ("backup", "staging", 3), ("recovery", "transaction", 6), ("recovery", None, 4), ("open", None, 2),
    ("migration", "transaction", 4), ("migration", "commit", 2),
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What many kills left.

    Attributes:
        kills: Processes killed.
        inside: Of these, killed between BEGIN and COMMIT, as their marks say.
        phases: How often each phase was hit.
        corrupt: Databases that did not open, or were found damaged.
        faults: Sentences about anything else that was wrong.
        slowest_s: Longest opening afterwards, recovery of a lost database left out.
        acknowledged: Changes that were acknowledged in all.
    """

    kills: int = 0
    inside: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    corrupt: int = 0
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    acknowledged: int = 0


def killed(folder: Path, plan: list[tuple[str, str | None]], files: list[Stocked], *, seed: int) -> Outcome:
    """Kill once for each entry of ``plan`` and look at the database each time.

    Args:
        folder: A private, empty folder.
        plan: Scenario and phase.
        files: That are loaded.
        seed: Of all choices.
    """
    os.umask(0o077)  # the figures' own files; the product must not need it, see ``wholeness``
    stock.saved(files, folder / "stock.json")
    chance, found, held = random.Random(seed), Outcome(), dict[str, list[str]]()  # noqa: S311
    place = folder / "db" / "logs.duckdb"
    place.parent.mkdir()
    for scenario, phase in plan:
        number = found.kills
        if number and number % 25 == 0:
            print(f"{number} kills, {found.inside} inside, {len(found.faults)} faults", flush=True)
        if scenario == "migration":
            _migration(folder / "old", phase, chance, found)
            continue
        if scenario == "recovery" and held:
            place.unlink()
        (folder / "held.json").write_text(json.dumps(held))
        allowed = _one(folder, scenario, phase, chance=chance, found=found)
        try:
            began = time.monotonic()
            with Store.open(place) as store:
                opened_s = time.monotonic() - began
                found.corrupt += store.aside is not None
                if scenario == "recovery":
                    recovery.recover(store)
                wrong = wholeness.faults(store, place, allowed, files)
                by_id = {one.file_id: one.name for one in files}
                held = {
                    dataset.name: [by_id[file.file_id] for file in dataset.files]
                    for dataset in store.recipe().datasets
                }
            found.slowest_s = max(found.slowest_s, opened_s)
            wrong += _left(place)
        except Exception as error:  # noqa: BLE001 - it is counted and shown
            found.corrupt += 1
            wrong = [f"does not open: {type(error).__name__} {error}"]
            shutil.rmtree(place.parent)
            place.parent.mkdir()
            held = {}
        found.faults += [f"kill {number} ({scenario}, {phase}): {text}" for text in wrong]
    return found


def whole_plan(kills: int, seed: int) -> list[tuple[str, str | None]]:
    """``PLAN`` for so many kills, in an order of chance."""
    entries = [(scenario, phase) for scenario, phase, times in PLAN for _ in range(times)]
    random.Random(seed).shuffle(entries)  # noqa: S311
    return [entries[at % len(entries)] for at in range(kills)]


def _one(
    folder: Path, scenario: str, phase: str | None, *, chance: random.Random, found: Outcome
) -> list[Held]:
    """Start, kill, and say what the database may hold now."""
    (folder / "mark").unlink(missing_ok=True)
    mark = marked.Mark(folder / "mark")
    command = [sys.executable, "-m", "tests.soak.victim", str(folder), scenario, str(chance.randrange(10**6))]
    with (folder / "said").open("wb") as said, (folder / "errors").open("ab") as errors:
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=errors,
            start_new_session=True,
            umask=0o022,
            cwd=Path(__file__).parents[2],
        )
        _wait(process, mark, phase, chance)
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    found.kills += 1
    if not alive:
        found.faults.append(f"kill {found.kills}: the victim had ended by itself, see {folder / 'errors'}")
    found.inside += mark.inside
    found.phases[f"{scenario}: {mark.phase}{' inside' if mark.inside else ''}"] += 1
    last, trying = json.loads((folder / "held.json").read_text()), None
    for line in (folder / "said").read_text().splitlines():
        kind, then = json.loads(line)
        if kind == "try":
            trying = then
        elif kind == "done":
            last, trying = then, None
            found.acknowledged += 1
    return [last] if trying is None else [last, trying]


def _wait(
    process: subprocess.Popen[bytes], mark: marked.Mark, phase: str | None, chance: random.Random
) -> None:
    """Until the moment has come: the phase of the aimed work and a little of it, or any moment."""
    deadline = time.monotonic() + PATIENCE_S
    skipped = chance.randrange(3) if phase in ("transaction", "commit") else 0
    before = False
    while time.monotonic() < deadline and process.poll() is None:
        there = mark.aimed and (phase is None or mark.phase == phase)
        if there and not before:
            if skipped == 0:
                break
            skipped -= 1
        before = there
        time.sleep(0.0002)
    most_s = {None: 1.0, "transaction": 0.05, "staging": 1.0}.get(phase, 0.001)
    time.sleep(chance.random() * most_s)


def _migration(folder: Path, phase: str | None, chance: random.Random, found: Outcome) -> None:
    """A database of the first layout, killed while it is brought up to date."""
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "db" / "logs.duckdb"
    place.parent.mkdir(parents=True)
    with duckdb.connect(place) as old:
        old.execute(FIRST)
        old.execute(
            """INSERT INTO decisions BY NAME
               SELECT 'wide' AS dataset, 'f1' AS file_id, 'm' || i AS request_id, 'a' AS fast_model,
                   'b' AS strong_model, i % 10 / 10 AS confidence FROM range(400000) AS n(i)"""
        )
    place.chmod(0o600)
    (folder / "held.json").write_text("{}")
    _one(folder, "migration", phase, chance=chance, found=found)
    with Store.open(place) as store:
        counts = store.datasets()["requests"].to_list()  # of: calls of it's, empty, wide
        if counts != [1, 0, 400_003]:
            found.faults.append(f"migration: {counts}")


def _left(place: Path) -> list[str]:
    """What a closed database leaves beside itself that it should not."""
    wanted = {place.name, *(f"{place.name}{ending}" for ending in (".lock", ".recipe.json", ".files"))}
    more = {one.name for one in place.parent.iterdir()} - wanted - {"copies"}
    copies = list((place.parent / "copies").glob("*")) + list((place.parent / "copies").glob(".*"))
    return [
        *([f"left behind after closing: {sorted(more)}"] if more else []),
        *([f"{len(copies)} copies"] if len(copies) > 2 else []),
    ]


def figures(count: int | None) -> Iterator[Figure]:
    """What so many kills left; 200 by default."""
    kills = WANTED if count is None else count
    with tempfile.TemporaryDirectory(prefix="tiertune-kills-") as name:
        files = stock.stocked(Path(name) / "stock", plain=6, requests=40_000)
        found = killed(Path(name), whole_plan(kills, SEED), files, seed=SEED)
        print((Path(name) / "errors").read_text()[-4000:], *found.faults, sep="\n")
    print("Where they were killed:", dict(found.phases.most_common()))
    yield Figure(
        "kill -9 during changes, databases that were corrupt",
        f"0 of {WANTED}",
        f"{found.corrupt} of {found.kills}; opened again within {found.slowest_s:.1f} s",
        met=found.corrupt == 0 and found.kills >= WANTED,
    )
    yield Figure(
        "kill -9, proven between BEGIN and COMMIT",
        f"at least {INSIDE} of {WANTED}",
        f"{found.inside} of {found.kills}",
        met=found.inside >= INSIDE,
    )
    yield Figure(
        "kill -9, partial files, lost acknowledged changes and anything left behind",
        "0",
        f"{len(found.faults)}; {found.acknowledged} changes were acknowledged",
        met=not found.faults,
    )
