"""Files that are ready to be stored, made once: what a load does after the reading, without its price.

Each was read and converted by the product itself, so that what is kept of it can be read again.
"""

import dataclasses
import hashlib
import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.storage.arrivals import Arrival
from analytics.logs.store import Store

HEADER = "request_id,category,model,confidence,correct,cost_usd\n"
OVERLAP = "overlap"
GRADES = "grades"
_RAW, _TYPED = "raw", "typed.parquet"


@dataclass(frozen=True, slots=True)
class Stocked:
    """One file.

    Attributes:
        name: As it was uploaded, without its ending; for the first half of ``overlap`` rows see ``ids``.
        file_id: SHA-256 of its content.
        folder: Where it lies as it came and as it was converted.
        ids: First and last+1 number of its requests; empty range for grades.
        family: Requests of different families never meet.
        arrival: What the store takes, but for its place.
    """

    name: str
    file_id: str
    folder: Path
    ids: tuple[int, int]
    family: str
    arrival: dict[str, Any]

    @property
    def rows(self) -> int:
        return self.ids[1] - self.ids[0]

    @property
    def source(self) -> Path:
        """The file as a user would load it."""
        return self.folder / f"{self.name}.csv"

    def into(self, staging: Path) -> tuple[Arrival, Path]:
        """The file in a store's staging folder: converted, and as it came."""
        home = staging / uuid.uuid4().hex
        home.mkdir(mode=0o700)
        shutil.copyfile(self.folder / _TYPED, home / _TYPED)
        shutil.copyfile(self.folder / _RAW, home / _RAW)
        (home / _RAW).chmod(0o600)
        return Arrival(typed=home / _TYPED, **self.arrival), home / _RAW


def text(family: str, first: int, last: int) -> str:
    """A call-level log; every fifth request was escalated, so that there are pairs to be made."""
    lines = []
    for at in range(first, last):
        lines.append(f"{family}-{at},law,m-small,0.{at % 10},{at % 2},0.001\n")
        if at % 5 == 0:
            lines.append(f"{family}-{at},law,m-large,,1,0.01\n")
    return HEADER + "".join(lines)


def rows(family: str, first: int, last: int) -> int:
    """Calls in ``text``, counted by hand: one each, and one more for each multiple of five."""
    del family
    return last - first + len([at for at in range(first, last) if at % 5 == 0])


def stocked(folder: Path, *, plain: int, requests: int) -> list[Stocked]:
    """``plain`` files without a common request, then two that overlap by half, then grades of the first.

    Args:
        folder: Where they are to lie.
        plain: How many files have no request in common.
        requests: In each of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(f"plain{at}", f"f{at}", (0, requests)) for at in range(plain)]
    wanted += [
        (f"{OVERLAP}{at}", OVERLAP, (at * requests // 2, requests + at * requests // 2)) for at in (0, 1)
    ]
    found = []
    with Store.open(folder / "stock.duckdb") as store:
        for name, family, ids in wanted:
            found.append(_one(store, folder / name, text(family, *ids), family=family, ids=ids))
        marks = "".join(f"f0-{at},m-small,{(at + 1) % 2},judge\n" for at in range(requests))
        graded = "request_id,model,correct,grader\n" + marks
        found.append(_one(store, folder / GRADES, graded, family="f0", ids=(0, 0)))
    return found


def saved(found: list[Stocked], path: Path) -> None:
    """The list for another process."""
    path.write_text(json.dumps([{**dataclasses.asdict(one), "folder": str(one.folder)} for one in found]))


def restored(path: Path) -> list[Stocked]:
    """The list of another process."""
    return [
        Stocked(**{**one, "folder": Path(one["folder"]), "ids": tuple(one["ids"])})
        for one in json.loads(path.read_text())
    ]


def content_sha256(kept: Path) -> str:
    """Identity of what a kept file holds."""
    with pa.OSFile(str(kept)) as file, pa.CompressedInputStream(file, "zstd") as content:
        return hashlib.sha256(content.read()).hexdigest()


def _one(store: Store, folder: Path, content: str, *, family: str, ids: tuple[int, int]) -> Stocked:
    folder.mkdir()
    name = folder.name
    source = folder / f"{name}.csv"
    source.write_text(content)
    answers = Answers(dialect=GRADES) if name == GRADES else Answers()
    inspection = intake.inspect(source, name=source.name, answers=answers, workdir=store.staging, keep=True)
    mapping = inspection.proposal.mapping
    converted = intake.convert(inspection, mapping)
    arrival = intake.arrived(inspection, mapping, converted, answers=answers, stated={})
    shutil.copyfile(arrival.typed, folder / _TYPED)
    shutil.copyfile(inspection.folder / "raw", folder / _RAW)
    inspection.discard()
    plain = {
        field.name: getattr(arrival, field.name)
        for field in dataclasses.fields(arrival)
        if field.name not in {"typed", "problems"}
    }
    return Stocked(name, arrival.file_id, folder, ids, family, plain)
