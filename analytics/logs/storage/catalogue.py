"""The ledger of datasets: which there are, in which form, of what size."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from analytics.errors import SchemaError
from analytics.logs.schema import UNCATEGORISED, Form
from analytics.logs.storage import tables

_FORMS: dict[str, str] = {
    "decisions": "one row per request",
    "calls": "one row per model call",
    "grades": "grades for a log",
    "cells": "sums over a log",
}

_DECISIONS = f"""
    SELECT count(DISTINCT request_id) AS requests, min(ts) AS first_ts, max(ts) AS last_ts,
        count(DISTINCT coalesce(task_category, $uncategorised)) AS categories, count(*) AS rows,
        count(confidence) / count(*) AS confidence_share, count(fast_correct) / count(*) AS graded_share,
        count(fast_correct + strong_correct) / count(*) AS both_graded_share,
        count(fast_cost_usd) / count(*) AS cost_share, count(fast_latency_s) / count(*) AS latency_share
    FROM {tables.DECISIONS}"""  # noqa: S608 - our own names only

_CALLS = f"""
    SELECT count(DISTINCT request_id), min(ts), max(ts),
        count(DISTINCT coalesce(task_category, $uncategorised)), count(*),
        count(confidence) / count(*), count(correct) / count(*), 0.0,
        count(cost_usd) / count(*), count(latency_s) / count(*)
    FROM {tables.CALLS}"""  # noqa: S608 - our own names only

# A log of calls without pairs has no sweep: then its calls are counted.
_CELLS = f"""
    WITH part AS (SELECT * FROM {tables.CELLS}),
    sweep AS (
        SELECT sum(n) AS n, count(DISTINCT coalesce(task_category, $uncategorised)) AS categories,
            sum(n) FILTER (confidence IS NOT NULL) AS confident, sum(n) FILTER (fast_graded) AS graded,
            sum(n) FILTER (fast_graded AND strong_graded) AS both_graded,
            sum(n) FILTER (fast_cost_known) AS cost, sum(fast_latency_n) AS latency
        FROM part WHERE part = 'sweep'),
    called AS (
        SELECT sum(n) AS n, count(DISTINCT coalesce(task_category, $uncategorised)) AS categories,
            0 AS confident, sum(graded) AS graded, 0 AS both_graded, sum(cost_n) AS cost,
            sum(latency_n) AS latency
        FROM part WHERE part = 'calls'),
    counted AS (SELECT * FROM sweep WHERE n > 0 UNION ALL
        SELECT * FROM called WHERE NOT EXISTS (SELECT 1 FROM sweep WHERE n > 0)),
    whole AS (
        SELECT sum(requests) AS requests, min(first_ts) AS first_ts, max(last_ts) AS last_ts
        FROM part WHERE part = 'log')
    SELECT coalesce(requests, 0)::BIGINT, first_ts, last_ts, categories, coalesce(n, 0)::BIGINT,
        coalesce(confident, 0) / n, coalesce(graded, 0) / n, coalesce(both_graded, 0) / n,
        coalesce(cost, 0) / n, coalesce(latency, 0) / n
    FROM whole CROSS JOIN counted"""  # noqa: S608 - our own names only

_SUMMARY: dict[str, Any] = {
    "requests": pl.Int64, "first_ts": pl.Datetime("us"), "last_ts": pl.Datetime("us"), "categories": pl.Int64,
    "confidence_share": pl.Float64, "graded_share": pl.Float64, "both_graded_share": pl.Float64,
    "cost_share": pl.Float64, "latency_share": pl.Float64,
}  # fmt: skip
_LEDGER: dict[str, Any] = {"name": pl.String, "form": pl.String, "badge": pl.String, "version": pl.Int64}
_COUNTS: dict[str, Any] = {"models": pl.Int64, "files": pl.Int64}
ORDER = (
    "name", "form", "requests", "first_ts", "last_ts", "categories", "models", "files", "confidence_share",
    "graded_share", "both_graded_share", "cost_share", "latency_share", "badge", "version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """What one version of a dataset looks like; ``values`` follow the names of the summary columns."""

    values: tuple[object, ...]


def datasets(
    cursor: duckdb.DuckDBPyConnection, known: dict[tuple[str, int], Summary]
) -> tuple[pl.DataFrame, dict[tuple[str, int], Summary]]:
    """One row per dataset, and the summaries to hand in next time; only new versions are scanned."""
    ledger = cursor.execute(
        """SELECT name, form, badge, version,
               (SELECT count(*) FROM models WHERE dataset = datasets.name),
               (SELECT count(*) FROM files WHERE dataset = datasets.name)
           FROM datasets ORDER BY name"""
    ).fetchall()
    schema = {**_LEDGER, **_COUNTS, **_SUMMARY}
    summaries = {
        (row[0], row[3]): known.get((row[0], row[3])) or _summary(cursor, row[0], row[1]) for row in ledger
    }
    rows = [(*row, *summaries[row[0], row[3]].values) for row in ledger]
    return pl.DataFrame(rows, schema=schema, orient="row").select(ORDER), summaries


def form(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Form | None:
    """The form of a dataset; None where there is none of this name."""
    found = cursor.execute("SELECT form FROM datasets WHERE name = ?", [dataset]).fetchone()
    return found[0] if found else None


def require(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Form:
    """The form of a dataset that must exist.

    Raises:
        SchemaError: There is none of this name.
    """
    found = form(cursor, dataset)
    if found is not None:
        return found
    names = [row[0] for row in cursor.execute("SELECT name FROM datasets ORDER BY name LIMIT 20").fetchall()]
    raise SchemaError(f"There is no dataset named {dataset}. Found: {', '.join(names) or 'none'}.")


def require_rows(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Form:
    """The form of a dataset that must exist and have its rows here.

    Raises:
        SchemaError: There is none of this name.
        RowsElsewhereError: It was loaded from a cells file.
    """
    found = require(cursor, dataset)
    if found == "cells":
        raise tables.RowsElsewhereError
    return found


def require_form(cursor: duckdb.DuckDBPyConnection, dataset: str, wanted: Form, badge: str | None) -> None:
    """Make the dataset if it is new.

    Raises:
        SchemaError: It holds rows of the other form, or there is none to join grades to.
    """
    found = require_rows(cursor, dataset) if wanted == "grades" else form(cursor, dataset)
    if wanted == "grades":
        return
    if found is None:
        cursor.execute(
            """INSERT INTO datasets (name, form, created, version, badge, id)
               VALUES (?, ?, ?, 0, ?, nextval('versions'))""",
            [dataset, wanted, now(), badge],
        )
    elif found != wanted:
        raise SchemaError(
            f"The dataset {dataset} has {_FORMS[found]}, this file {_FORMS[wanted]}. "
            "Load it into another dataset: --dataset NAME."
        )


def key(cursor: duckdb.DuckDBPyConnection, dataset: str) -> int:
    """The number of a dataset, which is part of its tables' names.

    Raises:
        SchemaError: There is none of this name.
    """
    require(cursor, dataset)
    found = cursor.execute("SELECT id FROM datasets WHERE name = ?", [dataset]).fetchone()
    return int(found[0]) if found else 0


def revived(cursor: duckdb.DuckDBPyConnection, key: int, name: str, form: str, badge: str | None) -> str:
    """Make the dataset of this number if there is none; its name, which may be another if that is taken."""
    found = cursor.execute("SELECT name FROM datasets WHERE id = ?", [key]).fetchone()
    if found:
        return str(found[0])
    taken = {row[0] for row in cursor.execute("SELECT name FROM datasets").fetchall()}
    free = (f"{name} (again{f' {place}' if place > 1 else ''})" for place in itertools.count(1))
    chosen = name if name not in taken else next(other for other in free if other not in taken)
    cursor.execute(
        "INSERT INTO datasets (name, form, created, version, badge, id) VALUES (?, ?, ?, 0, ?, ?)",
        [chosen, form, now(), badge, key],
    )
    number_past(cursor, key)
    changed(cursor, chosen)
    return chosen


def number_past(cursor: duckdb.DuckDBPyConnection, key: int) -> None:
    """Let the next number be above ``key``."""
    last = cursor.execute("SELECT nextval('versions')").fetchone()
    if last and last[0] <= key:
        cursor.execute(f"CREATE OR REPLACE SEQUENCE versions START WITH {int(key) + 1}")


def has_file(cursor: duckdb.DuckDBPyConnection, dataset: str, file_id: str) -> bool:
    """Whether this content was loaded into this dataset before."""
    found = cursor.execute(
        "SELECT 1 FROM files WHERE dataset = ? AND file_id = ?", [dataset, file_id]
    ).fetchone()
    return found is not None


def rows_in(cursor: duckdb.DuckDBPyConnection, typed: Path) -> int:
    """Rows of a staged Parquet file."""
    found = cursor.execute("SELECT count(*) FROM read_parquet(?)", [str(typed)]).fetchone()
    return int(found[0]) if found else 0


def now() -> datetime:
    """The time in UTC, as the tables store it."""
    return datetime.now(UTC).replace(tzinfo=None)


def changed(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Give a dataset a version that none had before, so that everything cached about it is stale."""
    cursor.execute("UPDATE datasets SET version = nextval('versions') WHERE name = ?", [dataset])


def version(cursor: duckdb.DuckDBPyConnection, dataset: str) -> int:
    """The version of a dataset; 0 where there is none of this name."""
    found = cursor.execute("SELECT version FROM datasets WHERE name = ?", [dataset]).fetchall()
    return int(found[0][0]) if found else 0


def _summary(cursor: duckdb.DuckDBPyConnection, dataset: str, kind: Form) -> Summary:
    named = {"uncategorised": UNCATEGORISED}
    kept = tables.kept_cells(cursor, dataset)
    if kept is not None:
        return _summed(cursor.execute(_CELLS, {"cells": kept.cells, **named}).fetchone())
    decisions, calls = (tables.of(cursor, dataset, form) for form in ("decisions", "calls"))
    found = cursor.execute(_DECISIONS, {"decisions": decisions, **named}).fetchone()
    if kind == "calls":
        called = cursor.execute(_CALLS, {"calls": calls, **named}).fetchone()
        if called and found:
            found = (*called[:4], *(found[4:] if found[4] else called[4:]))
    return _summed(found)


def _summed(found: tuple[Any, ...] | None) -> Summary:
    requests, first, last, categories, _, *shares = found or (0, None, None, 0, 0, *[None] * 5)
    # 0 / 0 is NaN in DuckDB and null here.
    return Summary((requests, first, last, categories, *(None if s is None or s != s else s for s in shares)))  # noqa: PLR0124
