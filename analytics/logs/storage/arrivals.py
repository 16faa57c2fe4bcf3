"""Converted files on their way into a dataset, and what follows for the dataset once they are in."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb

from analytics.errors import SchemaError
from analytics.logs.reading.staging import LIMITS, Problem
from analytics.logs.schema import TABLES, Form
from analytics.logs.storage import catalogue, grading, overrides, pairing, pricing, tables
from analytics.logs.storage import ladder as ladders
from analytics.logs.storage.ingest import Ingested, ingest_rows
from analytics.logs.storage.models import refresh_models

Judge = Callable[[list[Problem]], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A converted file.

    Attributes:
        typed: Parquet file in ``Store.staging``, written by our own child process.
        form: decisions, calls or grades.
        file_id: SHA-256 of the decompressed content.
        name: File name as uploaded.
        format: csv, jsonl, json or parquet.
        read: Records seen, rejected ones included.
        rejected: Records that are not in ``typed``.
        confidence_set_null: Confidences that were no number in [0, 1].
        mapping: JSON text of the mapping.
        answers: JSON text of what else the user said.
        problems: Of rejected records and changed values.
        problems_total: How many there are; None: as many as given.
        notes: Sentences about how the file was read.
        passed: Records that were passed over, by reason.
        prices: Input and output price in USD per million tokens by model, as given with the file.
        again: Whether it was loaded once before: what was said then is no news.
        distinct: Whether it is known that no two of its rows have the same request id.
    """

    typed: Path
    form: Form
    file_id: str
    name: str
    format: str
    read: int
    rejected: int = 0
    confidence_set_null: int = 0
    mapping: str = "{}"
    answers: str = "{}"
    problems: Sequence[Problem] = ()
    problems_total: int | None = None
    notes: Sequence[str] = ()
    passed: Mapping[str, int] = field(default_factory=dict)
    prices: Mapping[str, tuple[float, float]] | None = None
    again: bool = False
    distinct: bool = False


def arrived(cursor: duckdb.DuckDBPyConnection, dataset: str, arrival: Arrival, judge: Judge) -> Ingested:
    """Rows of a file that is new into its dataset's table, and what became of them into the ledger.

    Args:
        cursor: Inside a transaction.
        dataset: Name of a dataset that exists.
        arrival: The file.
        judge: Called with the conflicts; what it raises leaves nothing behind.
    """
    key = catalogue.key(cursor, dataset)
    if not arrival.again:
        overrides.add(cursor, arrival.prices or {})
    found = ingest_rows(
        cursor,
        key,
        arrival.typed,
        form=arrival.form,
        file_id=arrival.file_id,
        distinct=arrival.distinct,
    )
    judge(found.conflicts)
    entered(cursor, dataset, arrival, found)
    if arrival.form in pricing.SIDES and (arrival.prices or overrides.overrides(cursor)):
        pricing.filled(cursor, dataset, arrival.file_id)
    return found


def entered(cursor: duckdb.DuckDBPyConnection, dataset: str, arrival: Arrival, found: Ingested) -> None:
    """What became of a file's rows, into the ledger."""
    total = len(arrival.problems) if arrival.problems_total is None else arrival.problems_total
    shown = [*arrival.problems, *found.conflicts][: LIMITS.problems]
    cursor.execute(
        """INSERT INTO files (dataset, file_id, name, format, loaded_at, read, loaded, rejected, duplicates,
               confidence_set_null, mapping, problems, problems_total, notes, form, passed, answers, position)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nextval('versions'))""",
        [
            *(dataset, arrival.file_id, arrival.name, arrival.format, catalogue.now(), arrival.read),
            *(found.loaded, arrival.rejected + len(found.conflicts), found.duplicates),
            *(arrival.confidence_set_null, arrival.mapping),
            *(json.dumps([asdict(problem) for problem in shown]), total + len(found.conflicts)),
            *(
                json.dumps(list(arrival.notes)),
                arrival.form,
                json.dumps(dict(arrival.passed)),
                arrival.answers,
            ),
        ],
    )


def refreshed(cursor: duckdb.DuckDBPyConnection, dataset: str, *, added: str | None = None) -> None:
    """Bring up to date what follows from a dataset's rows: grades, costs, models, ladder, decisions, version.

    Args:
        cursor: Inside a transaction.
        dataset: Whose answers have the log's own grades only.
        added: The file of decisions that is all that is new; None: anything may be.
    """
    form = catalogue.require(cursor, dataset)
    if form != "cells":
        grading.applied(cursor, dataset)
        pricing.applied(cursor, dataset)
    refresh_models(cursor, dataset, form, added=added)
    ladders.refresh_ladder(cursor, dataset, form, added=added)
    if form == "calls":
        pairing.rebuild_decisions(cursor, dataset)
    catalogue.changed(cursor, dataset)


def forgotten(cursor: duckdb.DuckDBPyConnection, dataset: str, file_id: str) -> None:
    """Take a file's rows out of a dataset whose other files lost no row to it.

    Raises:
        SchemaError: The dataset has no such file.
    """
    if not catalogue.has_file(cursor, dataset, file_id):
        raise SchemaError(f"The dataset {dataset} has no such file.")
    key = catalogue.key(cursor, dataset)
    for form in TABLES:
        if tables.columns(cursor, form, key):
            cursor.execute(f"DELETE FROM {tables.name(form, key)} WHERE file_id = ?", [file_id])  # noqa: S608
    cursor.execute("DELETE FROM files WHERE dataset = ? AND file_id = ?", [dataset, file_id])


def emptied(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Take all rows and files out of a dataset; what was set by hand stays."""
    key = catalogue.key(cursor, dataset)
    for form in TABLES:
        tables.drop(cursor, form, key)
    cursor.execute("DELETE FROM files WHERE dataset = ?", [dataset])
