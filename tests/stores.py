"""Rows into a store as the converter stages them."""

import hashlib
import uuid
from typing import Any

import polars as pl

from analytics.logs.schema import TABLES, Form
from analytics.logs.storage import tables
from analytics.logs.storage.arrivals import Arrival
from analytics.logs.storage.ingest import Ingested
from analytics.logs.store import Store

_TYPES: dict[str, Any] = {
    "VARCHAR": pl.String,
    "DOUBLE": pl.Float64,
    "BIGINT": pl.Int64,
    "BOOLEAN": pl.Boolean,
    "DATE": pl.Date,
    "TIMESTAMP": pl.Datetime("us"),
}


def typed(rows: list[dict[str, Any]], form: Form) -> pl.DataFrame:
    """Rows with every canonical column of the form; ``line`` counts from 2 where a row has none."""
    columns = {column.name: _TYPES[column.sql_type] for column in TABLES[form] if column.mappable}
    numbered = [{"line": line, **row} for line, row in enumerate(rows, start=2)]
    return pl.DataFrame(numbered, schema={"line": pl.Int64, **columns}, orient="row")


def load(
    store: Store, dataset: str, rows: list[dict[str, Any]], *, form: Form, file: str = "log.csv", **more: Any
) -> Ingested:
    """Stage and ingest rows; the file's identity is its name."""
    path = store.staging / f"{uuid.uuid4()}.parquet"
    typed(rows, form).write_parquet(path)
    badge = more.pop("badge", None)
    arrival = Arrival(
        typed=path,
        form=form,
        file_id=hashlib.sha256(file.encode()).hexdigest(),
        name=file,
        format="csv",
        **{"read": len(rows), **more},
    )
    return store.ingest(dataset, arrival, badge=badge)


def load_frame(store: Store, dataset: str, rows: pl.DataFrame, *, file: str | None = None) -> Ingested:
    """Stage and ingest a frame of decisions, which may lack columns; its identity is the dataset's name."""
    path = store.staging / f"{uuid.uuid4()}.parquet"
    columns = {column.name: _TYPES[column.sql_type] for column in TABLES["decisions"] if column.mappable}
    typed_rows = rows.select(
        pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias("line"),
        *(
            pl.col(name).cast(kind) if name in rows.columns else pl.lit(None, dtype=kind).alias(name)
            for name, kind in columns.items()
        ),
    )
    typed_rows.write_parquet(path)
    arrival = Arrival(
        typed=path,
        form="decisions",
        file_id=hashlib.sha256((file or dataset).encode()).hexdigest(),
        name=file or dataset,
        format="parquet",
        read=rows.height,
    )
    return store.ingest(dataset, arrival)


def rows(store: Store, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query answers; in it ``decisions``, ``calls`` and ``grades`` hold the rows of all datasets."""
    with store.cursor() as cursor:
        named = cursor.execute("SELECT name, id FROM datasets").fetchall()
        (database,) = cursor.execute("SELECT current_database()").fetchone() or ("",)
        for form in TABLES:
            parts = [f"SELECT '' AS dataset, * FROM \"{database}\".main.{form}"]
            for name, key in named:
                table = tables.held(cursor, key, form)
                text = name.replace("'", "''")
                if table != form:
                    parts.append(f"SELECT '{text}' AS dataset, * FROM \"{database}\".main.{table}")
            cursor.execute(f"CREATE OR REPLACE TEMP VIEW {form} AS {' UNION ALL BY NAME '.join(parts)}")
        try:
            return cursor.execute(query, list(values)).fetchall()
        finally:
            for form in TABLES:
                cursor.execute(f"DROP VIEW temp.{form}")


def call(request: str, model: str, **more: Any) -> dict[str, Any]:
    """One call of a call-level log."""
    return {"request_id": request, "model": model, "task_category": "maths", **more}


def decisions(store: Store, columns: str, dataset: str = "d") -> list[tuple[Any, ...]]:
    """Columns of a dataset's decisions, in order of request and models."""
    query = f"SELECT {columns} FROM decisions WHERE dataset = ? ORDER BY request_id, fast_model, strong_model"
    return rows(store, query, dataset)


WIDE = {
    "task_category": "law", "fast_model": "gpt-5-mini", "strong_model": "gpt-6-sol", "confidence": 0.5,
    "fast_correct": 1.0, "fast_cost_usd": 0.001, "fast_latency_s": 1.0,
}  # fmt: skip


def wide(count: int, **more: Any) -> list[dict[str, Any]]:
    """Rows of a wide log, alike but for their request id."""
    return [{**WIDE, "request_id": f"r{number}", **more} for number in range(count)]
