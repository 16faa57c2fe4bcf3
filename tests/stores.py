"""Rows into a store as the converter stages them."""

import hashlib
import uuid
from typing import Any

import polars as pl

from analytics.logs.ingest import Ingested
from analytics.logs.schema import TABLES, Form
from analytics.logs.store import Store

_TYPES: dict[str, Any] = {
    "VARCHAR": pl.String,
    "DOUBLE": pl.Float64,
    "BIGINT": pl.Int64,
    "BOOLEAN": pl.Boolean,
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
    return store.ingest(
        dataset,
        path,
        form=form,
        file_id=hashlib.sha256(file.encode()).hexdigest(),
        name=file,
        format="csv",
        **{"read": len(rows), **more},
    )


def rows(store: Store, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query answers."""
    with store.cursor() as cursor:
        return cursor.execute(query, list(values)).fetchall()
