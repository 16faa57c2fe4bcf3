"""Whether the ledgers of a foreign database hold only what we write, so that reading them can rely on it.

A file's id is the name under which its kept copy lies, and texts are parsed as JSON wherever they are read:
what another program wrote there must not reach beyond the folder of kept files, nor end a page.
"""

import json
from typing import Any

import duckdb

from analytics.logs.meaning.answers import Answers, Mapping
from analytics.logs.reading.staging import PLACES
from analytics.logs.schema import TABLES, TIERS
from analytics.logs.storage.overrides import MOST_USD_PER_1M, overrides
from analytics.logs.storage.recipe import recipe_of

_LOGS = ("calls", "decisions", "cells")
_SOURCES = ("log", "price", "hand")
_COUNTS = ("read", "loaded", "rejected", "duplicates", "confidence_set_null", "problems_total")
_UNFIT = (
    "FROM datasets WHERE NOT coalesce(form IN $logs AND id > 0 AND isfinite(created), false)",
    "FROM (SELECT id FROM datasets GROUP BY id HAVING count(*) > 1)",
    f"""FROM files WHERE dataset NOT IN (SELECT name FROM datasets) OR name IS NULL
        OR NOT regexp_full_match(file_id, '[0-9a-z]{{1,64}}') OR NOT coalesce(isfinite(loaded_at), false)
        OR NOT coalesce(format IN $formats, false) OR form NOT IN $forms
        OR NOT coalesce({" AND ".join(f"{name} >= 0" for name in _COUNTS)}, false)""",  # noqa: S608 - our own names only
    "FROM models WHERE tier NOT IN $tiers OR tier_source NOT IN $sources OR model IS NULL",
    "FROM folders WHERE path <> ''",
    "FROM ladder WHERE fast_model IS NULL OR strong_model IS NULL",
)
_KEYS = """
    SELECT table_name, constraint_column_names FROM duckdb_constraints()
    WHERE constraint_type = 'PRIMARY KEY' AND database_name = current_database() ORDER BY ALL"""


def fits(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether every entry of the ledgers is one that we could have written.

    Args:
        connection: To a database that has the tables of this version.
    """
    values = {
        "logs": _LOGS, "forms": tuple(TABLES), "formats": tuple(PLACES), "tiers": TIERS, "sources": _SOURCES,
    }  # fmt: skip
    for unfit in _UNFIT:
        named = {name: value for name, value in values.items() if f"${name}" in unfit}
        if connection.execute(f"SELECT 1 {unfit} LIMIT 1", named).fetchone():
            return False
    try:
        return _texts_fit(connection)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return False


def keys(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, list[str]]]:
    """The primary keys of the tables, which let the same file count once."""
    return connection.execute(_KEYS).fetchall()


def _texts_fit(connection: duckdb.DuckDBPyConnection) -> bool:
    recipe = recipe_of(connection)
    files = [file for dataset in recipe.datasets for file in dataset.files]
    mappings = [Mapping.from_json(text) for text in (*(f.mapping for f in files), *recipe.mappings.values())]
    for file in files:
        Answers.from_json(file.answers)
    told = connection.execute("SELECT passed, problems, notes FROM files").fetchall()
    prices = [price for one in overrides(connection).values() for price in one.given().values()]
    return (
        all(mapping.form in TABLES for mapping in mappings)
        and all(_is_list_of(one.graders, (str, type(None))) for one in recipe.datasets if one.graders)
        and all(_is_told(*(json.loads(text) if text else None for text in texts)) for texts in told)
        and all(0 <= price <= MOST_USD_PER_1M for price in prices)
    )


def _is_told(passed: Any, problems: Any, notes: Any) -> bool:
    """Whether records passed over, problems and notes of a file have the shapes in which they are shown."""
    return (
        (passed is None or (isinstance(passed, dict) and all(type(n) is int for n in passed.values())))
        and (problems is None or _is_list_of(problems, (dict,)))
        and (notes is None or _is_list_of(notes, (str,)))
    )


def _is_list_of(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, list) and all(isinstance(item, kinds) for item in value)
