"""The process that is killed: ``python -m tests.soak.victim FOLDER SCENARIO SEED``; it works until then.

It tells each change before it begins and when the store has acknowledged it, one JSON line each.
"""

import json
import random
import shutil
import sys
import time
from pathlib import Path

from analytics.logs import intake, recovery, revision
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from tests.soak import marked, stock
from tests.soak.stock import Stocked
from tests.soak.wholeness import Held

MOST_FILES = 6


class Victim:
    """A store that is changed, and what it has acknowledged."""

    def __init__(self, store: Store, held: Held, files: list[Stocked], mark: marked.Mark, seed: int) -> None:
        self.store, self.held, self.mark = store, held, mark
        self.files = {one.name: one for one in files}
        self.chance = random.Random(seed)  # noqa: S311 - the same work for the same seed

    def change(self, then: Held, work) -> None:
        """Tell what the store is about to hold, let it, tell that it does."""
        print(json.dumps(["try", then]), flush=True)
        work()
        self.mark.phase = "outside"
        self.held = {name: list(names) for name, names in then.items()}
        print(json.dumps(["done", then]), flush=True)

    def loaded(self, dataset: str, name: str, *, read: bool = False) -> None:
        file = self.files[name]
        then = {**self.held, dataset: [*self.held.get(dataset, []), name]}

        def store() -> None:
            arrival, raw = file.into(self.store.staging)
            self.store.ingest(dataset, arrival, raw=raw)
            shutil.rmtree(arrival.typed.parent)

        def read_and_store() -> None:
            self.mark.phase = "staging"
            intake.load(self.store, dataset, [file.source], Answers())

        self.change(then, read_and_store if read else store)

    def room(self) -> None:
        """Delete a dataset where there are many files, so that the database does not grow for ever."""
        if sum(map(len, self.held.values())) > MOST_FILES:
            self.deleted(self.chance.choice(sorted(self.held)))

    def deleted(self, dataset: str) -> None:
        then = {name: names for name, names in self.held.items() if name != dataset}
        self.change(then, lambda: self.store.delete(dataset))

    def taken(self, dataset: str, name: str) -> None:
        then = {**self.held, dataset: [one for one in self.held[dataset] if one != name]}
        file_id = self.files[name].file_id
        self.change(then, lambda: revision.take_back(self.store, dataset, file_id))

    def fresh(self) -> tuple[str, str]:
        """A dataset and a plain file that it lacks."""
        plain = [name for name in self.files if name.startswith("plain")]
        choices = [
            (dataset, name)
            for dataset in ("a", "b", "c")
            for name in plain
            if name not in self.held.get(dataset, [])
        ]
        return self.chance.choice(choices)

    def go_on(self, scenario: str) -> None:
        """One round of a scenario; what is to be killed runs with the mark set."""
        self.room()
        if scenario in ("load", "read"):
            self.mark.aimed = True
            self.loaded(*self.fresh(), read=scenario == "read")
        elif scenario == "delete":
            dataset, name = self.fresh()
            self.loaded(dataset, name)
            self.mark.aimed = True
            self.deleted(dataset)
        else:
            self._special(scenario)
        self.mark.aimed = False

    def _special(self, scenario: str) -> None:
        if "s" in self.held:
            self.deleted("s")
        self.loaded("s", "plain0")
        if scenario == "rename":
            self.mark.aimed = True
            then = {("t" if name == "s" else name): names for name, names in self.held.items()}
            self.change(then, lambda: self.store.rename("s", "t"))
            self.mark.aimed = False
            self.deleted("t")
        elif scenario == "grades":
            self.mark.aimed = True
            self.loaded("s", stock.GRADES)
            self.taken("s", stock.GRADES)
        elif scenario == "backup":
            self.mark.aimed, self.mark.phase = True, "staging"
            folder = self.store.staging.parents[1] / "copies"
            folder.mkdir(mode=0o700, exist_ok=True)
            self.store.backup(folder / "backup.duckdb")
        elif scenario == "take-back":
            self.loaded("s", "plain1")
            self.mark.aimed = True
            self.taken("s", "plain1")
        elif scenario == "replace":
            for name in ("overlap0", "overlap1"):
                self.loaded("s", name)
            self.mark.aimed, self.mark.phase = True, "staging"
            self.taken("s", "overlap0")  # the second had lost rows to it: all files are read again


def main() -> int:
    """Open, recover, and change until killed."""
    folder, scenario, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    mark = marked.Mark(folder / "mark")
    mark.aimed = scenario in ("recovery", "migration", "open")
    with marked.installed(mark), Store.open(folder / "db" / "logs.duckdb") as store:
        recovery.recover(store)
        mark.aimed = False
        print(json.dumps(["open", None]), flush=True)
        if scenario in ("recovery", "migration", "open"):
            time.sleep(60)
        held = json.loads((folder / "held.json").read_text())
        victim = Victim(store, held, stock.restored(folder / "stock.json"), mark, seed)
        while True:
            victim.go_on(scenario)


if __name__ == "__main__":
    sys.exit(main())
