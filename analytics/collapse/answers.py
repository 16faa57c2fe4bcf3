"""Graded fast answers by step of time and confidence, from cells alone.

``measure.confidence_drift`` reads them of rows where those can be reached.

Sums and their errors are those of the rows. Confidences are told apart in steps of 1/128: a step in which all
are the same has that confidence, any other its lower end.
"""

from typing import Any

import duckdb
import polars as pl

from analytics.collapse.log import made_before
from analytics.logs.storage import tables
from analytics.logs.storage.tables import Kept
from analytics.tuning.latency import STEPS

_SUMS = ("n", "confidence_sum", "correct_sum", "correct_sq", "residual_sq", "residual_fourth")
# Answers without a time are in the part as well, so that both numbers are the same.
_COUNTED = f"""
    SELECT coalesce(sum(n) FILTER (part = 'sweep' AND confidence IS NOT NULL AND fast_graded), 0),
        coalesce(sum(n) FILTER (part = 'confidence_days'), 0)
    FROM {tables.CELLS} WHERE part IN ('sweep', 'confidence_days')"""  # noqa: S608 - our own names only
_BY_STEP = f"""
    WITH found AS MATERIALIZED (
        SELECT * FROM {tables.CELLS}
        WHERE part = 'confidence_days' AND day >= $first AND day < $until
            AND ($categories IS NULL
                OR coalesce(task_category, $uncategorised) IN (SELECT unnest($categories)))
            AND ($fast IS NULL OR fast_model = $fast) AND ($strong IS NULL OR strong_model = $strong)
            AND ($arm IS NULL OR arm = $arm) AND ($kind IS NULL OR policy_kind = $kind)),
    levels AS (
        SELECT step, CASE WHEN min(confidence_low) = max(confidence_high) THEN min(confidence_low)
            ELSE step::DOUBLE / {STEPS} END AS level
        FROM found GROUP BY step)
    SELECT (day - $begin::DATE) // $days AS step, level,
        {", ".join(f"sum(found.{name})::{'BIGINT' if name == 'n' else 'DOUBLE'} AS {name}" for name in _SUMS)}
    FROM found JOIN levels USING (step) GROUP BY 1, 2 ORDER BY 1, 2"""  # noqa: S608


def by_step(cursor: duckdb.DuckDBPyConnection, kept: Kept, asked: dict[str, Any]) -> pl.DataFrame:
    """Sums over graded fast answers by step of time and confidence.

    Args:
        cursor: A cursor of its own for this call.
        kept: The dataset's cells.
        asked: first, until, categories, uncategorised, fast, strong, arm, kind, begin and days, as
            ``confidence_drift.confidence_by_step`` asks its rows.

    Returns:
        ``step`` (number of the step of time), ``level`` and the sums, as the rows give them.

    Raises:
        NotIdentifiedError: The cells were made without this part.
    """
    if not complete(cursor, kept):
        raise made_before("have no graded answers by day")
    rows: pl.DataFrame = cursor.sql(_BY_STEP, params={"cells": kept.cells} | asked).pl()
    return rows


def complete(cursor: duckdb.DuckDBPyConnection, kept: Kept) -> bool:
    """Whether all files of these cells have this part."""
    ((graded, found),) = cursor.execute(_COUNTED, {"cells": kept.cells}).fetchall()
    return bool(graded == found)
