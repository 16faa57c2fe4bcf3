"""Which models a dataset has, with their tiers and list prices."""

import duckdb

from analytics.logs.prices import Price, effort_of, per_million, price, tier_of
from analytics.logs.schema import TIERS, Form
from analytics.logs.storage import tables
from analytics.logs.storage.ladder import LABEL
from analytics.logs.storage.overrides import overrides

_OF_CELLS = f"""
    SELECT DISTINCT model, NULL FROM (
        SELECT model FROM {tables.CELLS} WHERE part = 'calls'
        UNION ALL SELECT unnest([fast_model, strong_model]) FROM {tables.CELLS} WHERE part = 'sweep')
    WHERE model IS NOT NULL ORDER BY model"""  # noqa: S608 - our own names only
# A tier word of the log counts only where all calls of a model agree on it.
_LABELS: dict[Form, str] = {
    "decisions": f"""
        SELECT DISTINCT model, NULL FROM (
            SELECT unnest([fast_model, strong_model]) AS model
            FROM (SELECT DISTINCT fast_model, strong_model FROM {tables.DECISIONS}
                WHERE $added IS NULL OR file_id = $added))
        WHERE model IS NOT NULL
        UNION SELECT model, NULL FROM models WHERE dataset = $dataset AND $added IS NOT NULL
        ORDER BY model""",  # noqa: S608 - our own names only
    "calls": f"""
        SELECT {LABEL} AS label, CASE WHEN min(tier) = max(tier) THEN min(tier) END
        FROM {tables.CALLS} WHERE model IS NOT NULL GROUP BY label ORDER BY label""",  # noqa: S608
    "cells": _OF_CELLS,
}


def refresh_models(
    cursor: duckdb.DuckDBPyConnection, dataset: str, form: Form, *, added: str | None = None
) -> None:
    """Bring the models of a dataset up to date; tiers set by hand stay.

    Args:
        cursor: Inside a transaction.
        dataset: Name of the dataset.
        form: Its form.
        added: The file of decisions that is all that is new; None: anything may be.
    """
    held = {
        name: (tier, source)
        for name, tier, source in cursor.execute(
            "SELECT model, tier, tier_source FROM models WHERE dataset = $dataset", {"dataset": dataset}
        ).fetchall()
    }
    stated = overrides(cursor)
    rows = []
    asked: dict[str, str | None] = {form: tables.of(cursor, dataset, form)}
    if form == "decisions":
        asked |= {"dataset": dataset, "added": added}
    for label, logged in cursor.execute(_LABELS[form], asked).fetchall():
        tier, source = held.get(label, (None, None))
        found = price(label, overrides=stated)
        if source != "hand":
            tier, source = _tier(label, logged, found)
        rows.append((dataset, label, tier, source, *_millions(found)))
    cursor.execute("DELETE FROM models WHERE dataset = $dataset", {"dataset": dataset})
    if rows:
        cursor.executemany("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?)", rows)


def _tier(label: str, logged: str | None, found: Price | None) -> tuple[str | None, str | None]:
    if logged in TIERS:
        return logged, "log"
    tier = tier_of(found, effort_of(label))
    return tier, None if tier is None else "price"


def _millions(found: Price | None) -> tuple[float | None, float | None]:
    """Input and output price in USD per million tokens; null where unknown."""
    if found is None:
        return None, None
    return per_million(found.input_usd), per_million(found.output_usd)
