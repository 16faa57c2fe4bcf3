"""The store against a plain model of it: changes, reopenings and cuts in any order give what the model says.

A cut copies what lies on the disk while the database is open, as a kill leaves it, and goes on with that.
"""

import hashlib
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from analytics.logs.schema import TABLES, Form
from analytics.logs.storage import tables
from analytics.logs.storage.arrivals import Arrival
from analytics.logs.storage.recipe import RecipeFile
from analytics.logs.store import Store
from tests.soak.figures import Figure

NAMES = st.sampled_from(["a", "b", "it's"])
WANTED, STEPS = 500, 12
_TYPES: dict[str, Any] = {
    "VARCHAR": pl.String, "DOUBLE": pl.Float64, "BIGINT": pl.Int64, "BOOLEAN": pl.Boolean,
    "TIMESTAMP": pl.Datetime("us"),
}  # fmt: skip
Rows = dict[str, tuple[float, float | None]]

# File -> request -> (confidence, grade of the log). "one" and "twin" agree where they meet, "other" does not.
LOGS: dict[str, Rows] = {
    "one": {f"r{at}": (0.25, None if at % 2 else 1.0) for at in range(6)},
    "twin": {f"r{at}": (0.25, None if at % 2 else 1.0) for at in range(3, 9)},
    "other": {f"r{at}": (0.75, 0.0) for at in range(5, 8)},
    "apart": {f"s{at}": (0.5, None) for at in range(4)},
}
GRADED = {f"r{at}": 0.5 for at in range(7)}
GRADES = "grades"


class StoreMachine(RuleBasedStateMachine):
    """Files by name, in order, is all that the model knows of a dataset."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="tiertune-machine-"))
        self.place = self.root / "first" / "logs.duckdb"
        self.store = Store.open(self.place)
        self.held: dict[str, list[str]] = {}
        self.versions: dict[str, int] = {}
        self.highest = -1

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.root)

    @rule(dataset=NAMES, name=st.sampled_from(sorted(LOGS)))
    def load(self, dataset: str, name: str) -> None:
        before = _rows(self.held.get(dataset, []))
        found = self.store.ingest(dataset, self._arrival(name))
        again = name in self.held.get(dataset, [])
        same = [at for at, row in LOGS[name].items() if at in before and (again or before[at] == row)]
        new = [at for at in LOGS[name] if at not in before]
        conflicts = len(LOGS[name]) - len(same) - len(new)
        assert (found.loaded, found.duplicates, len(found.conflicts)) == (len(new), len(same), conflicts)
        if not again:
            self._changed(dataset, [*self.held.get(dataset, []), name])

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def join_grades(self, data: st.DataObject) -> None:
        dataset = data.draw(st.sampled_from(sorted(self.held)))
        self.store.ingest(dataset, self._arrival(GRADES))
        if GRADES not in self.held[dataset]:
            self._changed(dataset, [*self.held[dataset], GRADES])

    @precondition(lambda self: any(len(names) > 1 for names in self.held.values()))
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        several = sorted(dataset for dataset, names in self.held.items() if len(names) > 1)
        dataset = data.draw(st.sampled_from(several))
        name = data.draw(st.sampled_from(self.held[dataset]))
        left = [one for one in self.held[dataset] if one != name]
        if left == [GRADES]:
            return
        if self.store.separable(dataset, _file_id(name)):
            self.store.take_back(dataset, _file_id(name))
        else:
            self.store.replace(dataset, [self._arrival(one) for one in left])
        self._changed(dataset, left)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def read_again(self, data: st.DataObject) -> None:
        dataset = data.draw(st.sampled_from(sorted(self.held)))
        order = data.draw(st.permutations(self.held[dataset]))
        self.store.replace(dataset, [self._arrival(one) for one in order])
        self._changed(dataset, list(order))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), to=NAMES)
    def rename(self, data: st.DataObject, to: str) -> None:
        dataset = data.draw(st.sampled_from(sorted(self.held)))
        if to not in self.held:
            self.store.rename(dataset, to)
            self._changed(to, self.held.pop(dataset))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        dataset = data.draw(st.sampled_from(sorted(self.held)))
        self.store.delete(dataset)
        del self.held[dataset]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.place)

    @rule()
    def cut(self) -> None:
        home = self.root / uuid.uuid4().hex
        home.mkdir()
        beside = [one for one in self.place.parent.iterdir() if not one.name.endswith((".work", ".lock"))]
        # By another process: were this one to open the live file, its lock would be gone.
        subprocess.run(["cp", "-a", *map(str, beside), str(home)], check=True)
        self.store.close()
        self.place = home / self.place.name
        self.store = Store.open(self.place)

    @invariant()
    def holds_what_the_model_says(self) -> None:
        recipe = self.store.recipe()
        names = {_file_id(name): name for name in (*LOGS, GRADES)}
        assert {one.name: [names[file.file_id] for file in one.files] for one in recipe.datasets} == self.held
        assert self.store.missing() == []
        on_disk = RecipeFile(self.place.with_name(f"{self.place.name}.recipe.json")).read()
        assert (on_disk or recipe) == recipe
        with self.store.cursor() as cursor:
            for dataset, held in self.held.items():
                table = tables.of(cursor, dataset, "decisions")
                found = cursor.execute(
                    "SELECT request_id, confidence, fast_correct FROM query_table($table)", {"table": table}
                ).fetchall()
                assert {row[0]: row[1:] for row in found} == _graded(held)
                assert len(found) == len(_graded(held))

    def _changed(self, dataset: str, names: list[str]) -> None:
        """Remember, and see that the version is one that nothing ever had."""
        self.held[dataset] = names
        version = self.store.version(dataset)
        assert version > self.highest
        self.highest = version

    def _arrival(self, name: str) -> Arrival:
        form: Form = "grades" if name == GRADES else "decisions"
        columns = {one.name: _TYPES[one.sql_type] for one in TABLES[form] if one.mappable}
        if name == GRADES:
            rows: list[dict[str, Any]] = [
                {"request_id": at, "side": "fast", "correct": grade} for at, grade in GRADED.items()
            ]
        else:
            rows = [
                {"request_id": at, "fast_model": "s", "strong_model": "l", "confidence": row[0],
                 "fast_correct": row[1]}
                for at, row in LOGS[name].items()
            ]  # fmt: skip
        path = self.store.staging / f"{uuid.uuid4().hex}.parquet"
        numbered = [{"line": line, **row} for line, row in enumerate(rows, start=2)]
        pl.DataFrame(numbered, {"line": pl.Int64, **columns}, orient="row").write_parquet(path)
        return Arrival(typed=path, form=form, file_id=_file_id(name), name=name, format="csv", read=len(rows))


def figures(count: int | None) -> Iterator[Figure]:
    """How many sequences of changes agree with the model."""
    runs = WANTED if count is None else count
    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=runs, stateful_step_count=STEPS, deadline=None)
    )
    yield Figure(
        "sequences of changes, reopenings and cuts against a plain model", f"{WANTED} agree",
        f"{runs} of up to {STEPS} steps agree", met=True,
    )  # fmt: skip


def _file_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _rows(names: list[str]) -> Rows:
    """The first row of a request counts."""
    found: Rows = {}
    for name in names:
        for request, row in LOGS.get(name, {}).items():
            found.setdefault(request, row)
    return found


def _graded(names: list[str]) -> Rows:
    """The log's own grade counts; a joined one fills its gaps."""
    joined = GRADED if GRADES in names else {}
    return {
        request: (confidence, joined.get(request) if grade is None else grade)
        for request, (confidence, grade) in _rows(names).items()
    }
