"""What a log holds, what was in force when it was written, and how much of each column is known."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import polars as pl

from analytics.logs.schema import TABLES, Form
from analytics.logs.storage import tables

_WINDOW = "($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"

_FACTS = f"""
    SELECT count(DISTINCT request_id), count(*), count(DISTINCT unit_id), count(unit_id), min(ts), max(ts),
        list(DISTINCT {{'name': task_category}}), list(DISTINCT [fast_model, strong_model]),
        list(DISTINCT arm) FILTER (arm IS NOT NULL),
        list(DISTINCT experiment) FILTER (experiment IS NOT NULL),
        list(DISTINCT confidence_kind) FILTER (confidence_kind IS NOT NULL)
    FROM {tables.DECISIONS} WHERE {_WINDOW}"""  # noqa: S608 - our own names only

# A request without confidence escalates. Equality keeps. No ts counts as oldest.
_IN_FORCE = f"""
    WITH logged AS (
        SELECT *, last_value(threshold) OVER (
            PARTITION BY task_category, fast_model, strong_model
            ORDER BY coalesce(ts, TIMESTAMP '-infinity'), request_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS latest
        FROM {tables.DECISIONS} WHERE threshold IS NOT NULL)
    SELECT task_category, fast_model, strong_model, any_value(latest) AS threshold,
        count(DISTINCT threshold) AS distinct_thresholds, count(*) AS rows_with_threshold, max(ts) AS last_ts,
        avg((escalated = (confidence IS NULL OR confidence < threshold))::DOUBLE) AS served_as_logged,
        avg((escalated = (confidence IS NULL OR confidence < latest))::DOUBLE) AS served_under_latest
    FROM logged GROUP BY task_category, fast_model, strong_model
    ORDER BY task_category NULLS LAST, fast_model, strong_model"""  # noqa: S608

_LARGEST_UNIT = f"""
    SELECT max(rows) FROM (
        SELECT count(*) AS rows FROM {tables.DECISIONS} WHERE unit_id IS NOT NULL AND {_WINDOW}
        GROUP BY unit_id)"""  # noqa: S608
_LEAST_UNITS, _LARGEST_SHARE = 100, 0.05

_ROWS: dict[Form, str] = {"decisions": tables.DECISIONS, "calls": tables.CALLS, "grades": tables.GRADES}


@dataclass(frozen=True, slots=True)
class Facts:
    """Size and content of the decisions of a log.

    Attributes:
        requests: Distinct request ids.
        rows: Decisions: one per request and pair.
        units: Distinct users or sessions; None where no row names one.
        first_ts: UTC; None without times.
        last_ts: UTC; None without times.
        categories: In order; None, last, where requests have no category.
        pairs: (fast, strong) labels, in order.
        arms: Of experiments, in order.
        experiments: Names, in order.
        files: How many were loaded into the dataset, whatever the dates.
        log_sha256: Identity of the dataset's content.
        confidence_kinds: Kinds that the rows name, in order.
        confidence_sources: Columns of the files that became ``confidence``, several joined by ``+``.
        largest_unit: Decisions of the unit that has most; None where units have one request each.
    """

    requests: int
    rows: int
    units: int | None
    first_ts: datetime | None
    last_ts: datetime | None
    categories: tuple[str | None, ...]
    pairs: tuple[tuple[str, str], ...]
    arms: tuple[str, ...]
    experiments: tuple[str, ...]
    files: int
    log_sha256: str
    confidence_kinds: tuple[str, ...]
    confidence_sources: tuple[str, ...]
    largest_unit: int | None = None

    @property
    def clustered(self) -> bool:
        """Whether some unit has several requests, so that requests are not independent."""
        return self.units is not None and self.units < self.requests

    @property
    def few_units(self) -> bool:
        """Whether units are too few, or one is too large, for the spread between folds to allow for them."""
        if not self.clustered or self.units is None:
            return False
        return self.units < _LEAST_UNITS or (self.largest_unit or 0) > _LARGEST_SHARE * self.rows


def facts(
    cursor: duckdb.DuckDBPyConnection,
    dataset: str,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
) -> Facts:
    """What the decisions of a dataset hold.

    Args:
        cursor: A cursor of its own for this call.
        dataset: Name of the dataset.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.
    """
    window = {"decisions": tables.of(cursor, dataset, "decisions"), "since": since, "until": until}
    found = cursor.execute(_FACTS, window).fetchone() or (0, 0, 0, 0, *[None] * 7)
    requests, rows, units, named, first, last, categories, pairs, arms, experiments, kinds = found
    files = files_of(cursor, dataset)
    names = {item["name"] for item in categories or []}
    largest = None
    if named and units < requests:
        (largest,) = cursor.execute(_LARGEST_UNIT, window).fetchone() or (None,)
    return Facts(
        requests=requests,
        rows=rows,
        units=units if named else None,
        first_ts=first,
        last_ts=last,
        categories=(*sorted(names - {None}), *({None} & names)),
        pairs=tuple(sorted((pair[0], pair[1]) for pair in pairs or [])),
        arms=tuple(sorted(arms or [])),
        experiments=tuple(sorted(experiments or [])),
        files=len(files.ids),
        log_sha256=log_sha256(files.ids),
        confidence_kinds=tuple(sorted(kinds or [])),
        confidence_sources=files.sources,
        largest_unit=largest,
    )


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a dataset: their ids, and the columns of them that became ``confidence``."""

    ids: tuple[str, ...]
    sources: tuple[str, ...]


def files_of(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Files:
    """The files of a dataset."""
    found = cursor.execute("SELECT file_id, mapping FROM files WHERE dataset = ?", [dataset]).fetchall()
    sources = {source for _, text in found if (source := _source(text))}
    return Files(tuple(file_id for file_id, _ in found), tuple(sorted(sources)))


def in_force(cursor: duckdb.DuckDBPyConnection, dataset: str) -> pl.DataFrame:
    """The thresholds that the log says its requests were routed by.

    Returns:
        One row per task_category, fast_model and strong_model with a logged threshold: threshold (the
        latest by ts, then by request id), distinct_thresholds, rows_with_threshold, last_ts,
        served_as_logged (share of rows with a known ``escalated`` that did what their own threshold
        says, null where none is known), served_under_latest (the same for the latest threshold).
    """
    found: pl.DataFrame = cursor.sql(
        _IN_FORCE, params={"decisions": tables.of(cursor, dataset, "decisions")}
    ).pl()
    return found


def coverage(cursor: duckdb.DuckDBPyConnection, dataset: str) -> pl.DataFrame:
    """How much of each canonical column is known.

    Returns:
        column, known (rows), rows, share (in [0, 1], null without rows), in the order of the schema.
        Of the calls for a call-level dataset, else of the decisions.
    """
    kind = cursor.execute("SELECT form FROM datasets WHERE name = ?", [dataset]).fetchone()
    form: Form = kind[0] if kind else "decisions"
    names = [column.name for column in TABLES[form] if column.mappable]
    counted = ", ".join(f"count({name})" for name in names)
    found = cursor.execute(
        f"SELECT count(*), {counted} FROM {_ROWS[form]}",  # noqa: S608 - our own names
        {form: tables.of(cursor, dataset, form)},
    ).fetchone() or (0, *[0] * len(names))
    rows = found[0]
    shares = [count / rows if rows else None for count in found[1:]]
    schema = {"column": pl.String, "known": pl.Int64, "rows": pl.Int64, "share": pl.Float64}
    return pl.DataFrame([names, found[1:], [rows] * len(names), shares], schema=schema, orient="col")


def log_sha256(file_ids: Iterable[str]) -> str:
    """Identity of a log: SHA-256 (hex) of its sorted file ids joined by newlines."""
    return hashlib.sha256("\n".join(sorted(file_ids)).encode()).hexdigest()


def _source(mapping: str | None) -> str | None:
    """The columns that became ``confidence``, in either shape of a stored mapping."""
    document: dict[str, Any] = json.loads(mapping or "{}")
    source = (document.get("columns") or document).get("confidence")
    return "+".join(source) if isinstance(source, list) else source
