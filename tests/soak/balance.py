"""Generated logs with repeats, conflicts and bad values: every record is loaded, rejected or a duplicate."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from tests.soak.database import held
from tests.soak.figures import Figure
from tests.soak.forked import inside

EXAMPLES = 5_000
_SEED = 20261127
_FIELDS = ("request_id", "model", "task_category", "confidence", "correct", "cost_usd", "ts")
_LONG = "x" * 201
# A value as it is written, and what the store makes of it; BAD rejects the record.
_BAD = object()
_NOTHING = (None, None)
_VALUES: dict[str, list[tuple[Any, Any]]] = {
    "request_id": [*((name, name) for name in "abcde"), _NOTHING],
    "model": [("m", "m"), ("n", "n")],
    "task_category": [("law", "law"), (" law ", "law"), ('a, "b"\nc', 'a, "b"\nc'), (_LONG, _BAD), _NOTHING],
    "confidence": [
        (0.25, 0.25), ("0.250", 0.25), (0.5, 0.5), ("nan", None), ("high", None), (-0.5, None), _NOTHING,
    ],
    "correct": [(0, 0.0), (1, 1.0), ("yes", 1.0), ("perhaps", _BAD), _NOTHING],
    "cost_usd": [
        (0.001, 0.001), ("$0.001", 0.001), (2, 2.0), (-1, _BAD), ("inf", _BAD), ("free", _BAD),
        (20_000, _BAD), _NOTHING,
    ],
    "ts": [
        ("2026-01-01T00:00:00Z", 1), ("2026-01-01T01:00:00+01:00", 1), ("2026-02-30T00:00:00Z", _BAD),
        ("1999-01-01T00:00:00Z", _BAD), _NOTHING,
    ],
}  # fmt: skip
_ANSWERS = Answers(
    map={**{field: (field,) for field in _FIELDS}, "call_index": ()},
    unit={"confidence": "fraction", "correct": "fraction", "cost_usd": "usd", "ts": "iso"},
    decimal=".",
    accept_rejects=True,
)
Record = tuple[tuple[Any, Any], ...]
RECORDS = st.lists(
    st.tuples(*(st.sampled_from(_VALUES[field]) for field in _FIELDS)), min_size=1, max_size=25
)


class Ledger:
    """What a dataset must hold, by the rules alone: the first of a key counts, equal ones are duplicates.

    Attributes:
        rows: Records loaded so far.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[Any, Any], tuple[Any, ...]] = {}
        self._files: set[bytes] = set()
        self.rows = 0

    def take(self, data: bytes, records: list[Record]) -> tuple[int, int, int, int]:
        """Records read, loaded, rejected, duplicates of the next file."""
        good = [tuple(value for _, value in record) for record in records]
        good = [values for values in good if _BAD not in values]
        rejected, loaded, duplicates = len(records) - len(good), 0, 0
        if data in self._files:
            return len(records), 0, rejected, len(good)
        self._files.add(data)
        for values in good:
            # Without an id a record is known by its place in its file.
            first = self._first.setdefault(values[:2], values) if values[0] is not None else None
            if first is None or first is values:
                loaded += 1
            elif first == values:
                duplicates += 1
            else:
                rejected += 1
        self.rows += loaded
        return len(records), loaded, rejected, duplicates


def figures(count: int | None) -> Iterator[Figure]:
    """Whether the law holds for so many generated logs."""
    cores = os.cpu_count() or 1
    share = -(-(count or EXAMPLES) // cores)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as processes:
        parts = list(processes.map(_checked, [share] * cores, [_SEED + at for at in range(cores)]))
    examples, records = (sum(numbers) for numbers in zip(*parts, strict=True))
    yield Figure(
        "generated logs: read = loaded + rejected + duplicates",
        f"{EXAMPLES:,} examples",
        f"holds in all of {examples:,} examples, {records:,} records; each part as counted by hand rules",
        examples >= EXAMPLES,
    )


def _checked(count: int, seeded: int) -> tuple[int, int]:
    """Examples and records that were tried from one seed; the first that breaks the law is raised."""
    done = records = 0

    with tempfile.TemporaryDirectory(prefix="tiertune-soak-") as folder, Store.open(None) as store, inside():

        @seed(seeded)
        @settings(
            max_examples=count, deadline=None, database=None, phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(
            written=RECORDS,
            kind=st.sampled_from(("csv", "jsonl", "json")),
            cuts=st.tuples(st.integers(0, 25), st.integers(0, 25)),
        )
        def law(written: list[Record], kind: str, cuts: tuple[int, int]) -> None:
            nonlocal done, records
            records += balanced(store, Path(folder), written, kind=kind, cuts=cuts)
            done += 1
            if done % 500 == 0:
                print(f"{done:,} examples", flush=True)

        law()
    return done, records


def balanced(store: Store, folder: Path, records: list[Record], *, kind: str, cuts: tuple[int, int]) -> int:
    """Load a log as two files that may overlap and compare with the rules; the records that were read."""
    ledger, read = Ledger(), 0
    for part in (records[: max(1, cuts[0])], records[min(cuts[1], len(records) - 1) :]):
        data = written(part, kind)
        path = folder / "log"
        path.write_bytes(data)
        [report] = intake.load(store, "balance", [path], _ANSWERS, names=[f"log.{kind}"])
        counts = (report.read, report.loaded, report.rejected, report.duplicates)
        assert counts == ledger.take(data, part), data
        assert report.read == report.loaded + report.rejected + report.duplicates
        assert held(store, "balance") == ledger.rows, data
        read += report.read
    store.delete("balance")
    return read


def written(records: list[Record], kind: str) -> bytes:
    """The records as a file."""
    rows = [dict(zip(_FIELDS, (text for text, _ in record), strict=True)) for record in records]
    if kind == "csv":
        sink = io.StringIO(newline="")
        writer = csv.DictWriter(sink, _FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return sink.getvalue().encode()
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    return json.dumps(rows).encode()
