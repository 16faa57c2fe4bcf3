"""Synthetic decisions of any size, the same at every run: each value is a hash of its row number.

Rows are independent and in no order of confidence or category, so no reader can skip a row group.
"""

from pathlib import Path

import duckdb

from analytics.logs.schema import DECISIONS

CATEGORIES = 20
STEPS = 100
ROWS_PER_UNIT = 3

_DRAWN = """
    SELECT i, hash(i, 1) % $categories AS c, hash(i, 2) % ($whole // $per_unit + 1) AS u,
        hash(i, 3) % 101 AS k,
        (hash(i, 4) % 1000000) / 1e6 AS a, (hash(i, 5) % 1000000) / 1e6 AS b,
        (hash(i, 6) % 1000000) / 1e6 AS d, (hash(i, 7) % 1000000) / 1e6 AS e,
        (hash(i, 8) % 1000000) / 1e6 AS m, (hash(i, 9) % 1000000) / 1e6 AS g
    FROM range($first, $first + $rows) AS numbers(i)"""
_VALUES = {
    "dataset": "'bench'",
    "file_id": "'bench'",
    "request_id": "'request-' || i",
    "ts": "TIMESTAMP '2026-01-01' + to_seconds(i)",
    "task_category": "'category ' || lpad(c::VARCHAR, 2, '0')",
    "fast_model": "'small-model'",
    "strong_model": "'large-model@high'",
    "policy_kind": "'cascade'",
    "confidence": "CASE WHEN m >= $missing THEN k / 100 END",
    "confidence_kind": "'self_report'",
    "fast_correct": "(a < 0.2 + 0.006 * k + 0.005 * c)::DOUBLE",
    "strong_correct": "CASE WHEN g >= $ungraded THEN (b < 0.9 - 0.005 * c)::DOUBLE END",
    "fast_cost_usd": "0.0001 + 0.0009 * d",
    "strong_cost_usd": "0.004 + 0.03 * e",
    "fast_latency_s": "round(0.2 + 2 * d * a, 3)",
    "strong_latency_s": "round(1 + 20 * e * b, 3)",
    "escalated": "m < $missing OR k < 60",
    "unit_id": "'user-' || u",
    "fold": "(('0x' || md5('user-' || u)[1:8])::UINTEGER % 20)::UTINYINT",
}  # fmt: skip
_UPLOADED = (
    "request_id", "ts", "task_category", "fast_model", "strong_model", "confidence", "fast_correct",
    "strong_correct", "fast_cost_usd", "strong_cost_usd", "fast_latency_s", "strong_latency_s", "escalated",
    "unit_id",
)  # fmt: skip


def write_decisions(
    path: Path,
    *,
    rows: int,
    missing: float = 0.01,
    ungraded: float = 0.0,
    first: int = 0,
    whole: int | None = None,
) -> None:
    """Write decisions as Parquet (Snappy), ``fold`` stored, columns as in ``schema.DECISIONS``.

    Args:
        path: File to write.
        rows: How many.
        missing: Share without a confidence.
        ungraded: Share without a strong grade.
        first: Number of the first, for one file of many.
        whole: Requests of all files; None: as many as in this one.
    """
    columns = [
        f"CAST({_VALUES.get(column.name, 'NULL')} AS {column.sql_type}) AS {column.name}"
        for column in DECISIONS
    ]
    values = {"rows": rows, "first": first, "whole": whole or rows, "missing": missing, "ungraded": ungraded}
    _write(path, columns, "FORMAT parquet, COMPRESSION snappy", **values)


def write_upload(path: Path, *, rows: int, first: int = 0, whole: int | None = None) -> None:
    """Write the same decisions as a wide file, CSV or Parquet by its ending, as a user would upload it.

    Args:
        path: File to write.
        rows: How many.
        first: Number of the first, for one file of many.
        whole: Requests of all files; None: as many as in this one.
    """
    columns = [f"{_VALUES[name]} AS {name}" for name in _UPLOADED]
    values = {"rows": rows, "first": first, "whole": whole or rows, "missing": 0.01, "ungraded": 0.0}
    _write(path, columns, _options(path), **values)


def write_calls(path: Path, *, rows: int) -> None:
    """Write as many requests with one row per call: a fast one each, and a strong one where it escalated.

    Args:
        path: File to write, CSV or Parquet by its ending.
        rows: Requests; about 1.6 times as many calls.
    """
    shared = [f"{_VALUES[name]} AS {name}" for name in ("request_id", "ts", "task_category", "unit_id")]
    fast, strong = (
        ", ".join(
            [
                *shared, f"{_VALUES[f'{side}_model']} AS model", f"{index} AS call_index",
                f"{_VALUES['confidence'] if side == 'fast' else 'NULL'} AS confidence",
                *(f"{_VALUES[f'{side}_{name}']} AS {name}" for name in ("correct", "cost_usd", "latency_s")),
                f"{_VALUES['escalated']} AS escalated",
            ]
        )
        for index, side in enumerate(("fast", "strong"))
    )  # fmt: skip
    escalated = f"SELECT {strong} FROM ({_DRAWN}) WHERE {_VALUES['escalated']}"
    _copy(
        f"SELECT {fast} FROM ({_DRAWN}) UNION ALL {escalated}",
        path,
        _options(path),
        rows=rows,
        missing=0.01,
        ungraded=0.0,
    )


def _options(path: Path) -> str:
    return "FORMAT csv, HEADER" if path.suffix == ".csv" else "FORMAT parquet, COMPRESSION snappy"


def _write(path: Path, columns: list[str], options: str, **values: float) -> None:
    _copy(f"SELECT {', '.join(columns)} FROM ({_DRAWN})", path, options, **values)


def _copy(query: str, path: Path, options: str, **values: float) -> None:
    sql = f"COPY ({query}) TO '{path}' ({options})"
    given = {
        "categories": CATEGORIES,
        "per_unit": ROWS_PER_UNIT,
        "first": 0,
        "whole": values["rows"],
        **values,
    }
    for name in sorted(given, key=len, reverse=True):  # COPY takes no parameters
        sql = sql.replace(f"${name}", str(given[name]))
    with duckdb.connect() as connection:
        connection.execute(sql)
