"""Databases of earlier versions, brought up to this one in a single transaction.

Version 1 had one table of decisions and one of calls for all datasets; from version 2 on each dataset has
its own (``tables``). Version 3 keeps prices set by hand for all datasets; before, each file had those that
were given with it. Version 4 knows with which probability a grade was drawn. Version 5 has cells: of logs
whose rows are elsewhere, and of large ones. Version 6 has more columns of cells. ``meta`` says the version;
version 1 had no such table.
"""

import contextlib
import json

import duckdb

from analytics.errors import TiertuneError
from analytics.logs.schema import TABLES, Form
from analytics.logs.storage import overrides, tables

VERSION = 6

_LEDGERS = (
    "CREATE SEQUENCE IF NOT EXISTS versions",
    "CREATE TABLE IF NOT EXISTS meta (name VARCHAR PRIMARY KEY, value VARCHAR)",
    """CREATE TABLE IF NOT EXISTS datasets (
        name VARCHAR PRIMARY KEY, form VARCHAR NOT NULL, created TIMESTAMP, version BIGINT NOT NULL,
        ladder_confirmed BOOLEAN, ladder_by_hand BOOLEAN, ladder_reason VARCHAR, badge VARCHAR,
        id BIGINT, graders VARCHAR, pricing VARCHAR)""",
    """CREATE TABLE IF NOT EXISTS files (
        dataset VARCHAR, file_id VARCHAR, name VARCHAR, format VARCHAR, loaded_at TIMESTAMP, read BIGINT,
        loaded BIGINT, rejected BIGINT, duplicates BIGINT, confidence_set_null BIGINT, mapping VARCHAR,
        problems VARCHAR, problems_total BIGINT, notes VARCHAR, form VARCHAR, passed VARCHAR,
        answers VARCHAR, position BIGINT, PRIMARY KEY (dataset, file_id))""",
    """CREATE TABLE IF NOT EXISTS ladder (
        dataset VARCHAR, task_category VARCHAR, fast_model VARCHAR, strong_model VARCHAR, position BIGINT)""",
    """CREATE TABLE IF NOT EXISTS models (
        dataset VARCHAR, model VARCHAR, tier VARCHAR, tier_source VARCHAR,
        input_usd_per_1m DOUBLE, output_usd_per_1m DOUBLE)""",
    "CREATE TABLE IF NOT EXISTS mappings (signature VARCHAR PRIMARY KEY, mapping VARCHAR NOT NULL)",
    overrides.TABLE,
    """CREATE TABLE IF NOT EXISTS kept_cells (
        dataset VARCHAR PRIMARY KEY, version BIGINT NOT NULL, pending VARCHAR NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS folders (
        dataset VARCHAR PRIMARY KEY, path VARCHAR NOT NULL, mapping VARCHAR NOT NULL, types VARCHAR NOT NULL,
        answers VARCHAR NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS places (
        dataset VARCHAR, file_id VARCHAR, path VARCHAR, size BIGINT, modified_ns BIGINT, first_ts TIMESTAMP,
        last_ts TIMESTAMP, PRIMARY KEY (dataset, file_id))""",
)
_FORMS: tuple[Form, ...] = ("decisions", "calls")
_FIRST = frozenset({"datasets", "files", "ladder", "models", "mappings", "decisions", "calls"})


class ForeignError(TiertuneError):
    """The database was not made by tiertune, or by a later version of it; nothing in it was changed."""

    kind = "input"


def prepared(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Make the tables of this version; the version that was found if it was an earlier one, else None.

    Raises:
        ForeignError: Another program or a later version made it.
    """
    found = layout(connection)
    if found == VERSION:
        return None
    if found is not None and found > VERSION:
        raise ForeignError(
            f"This database was made by a later version of tiertune (layout {found}; this one knows "
            f"{VERSION}). Update tiertune, or use another database: --db other.duckdb."
        )
    connection.execute("BEGIN")
    try:
        if found == 1:
            _from_first(connection)
        if found is not None and found <= 2:  # noqa: PLR2004 - before prices by hand
            connection.execute("ALTER TABLE datasets ADD COLUMN pricing VARCHAR")
        for statement in _LEDGERS:
            connection.execute(statement)
        tables.create_templates(connection)
        if found == 1:
            _move_rows(connection)
        if found == 2:  # noqa: PLR2004 - prices were given with files
            _keep_prices(connection)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('layout', ?)", [str(VERSION)])
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a commit that failed has rolled back already
            connection.execute("ROLLBACK")
        raise
    return found


def layout(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The layout of a database; None for an empty one.

    Raises:
        ForeignError: It has other tables.
    """
    names = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not names:
        return None
    if "meta" in names:
        found = connection.execute("SELECT value FROM meta WHERE name = 'layout'").fetchone()
        if found and str(found[0]).isdigit():
            return int(found[0])
    elif names >= _FIRST:
        return 1
    raise ForeignError(
        "This database was made by another program. Nothing was changed. Use another one: --db other.duckdb."
    )


def _from_first(connection: duckdb.DuckDBPyConnection) -> None:
    for form in _FORMS:
        connection.execute(f"ALTER TABLE {form} RENAME TO {form}_first")
    connection.execute("ALTER TABLE datasets ADD COLUMN id BIGINT")
    connection.execute("ALTER TABLE datasets ADD COLUMN graders VARCHAR")
    connection.execute("UPDATE datasets SET id = nextval('versions')")
    for column in ("form VARCHAR", "passed VARCHAR", "answers VARCHAR", "position BIGINT"):
        connection.execute(f"ALTER TABLE files ADD COLUMN {column}")
    connection.execute("UPDATE files SET form = (SELECT form FROM datasets WHERE name = files.dataset)")


def _keep_prices(connection: duckdb.DuckDBPyConnection) -> None:
    """Prices that were given with files, the last one for each model."""
    given = "SELECT answers, loaded_at FROM files WHERE answers IS NOT NULL ORDER BY position"
    for answers, loaded_at in connection.execute(given).fetchall():
        prices = json.loads(answers).get("prices") or {}
        overrides.add(
            connection, {model: (paid, made) for model, (paid, made) in prices.items()}, at=loaded_at
        )


def _move_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Each dataset's rows into tables of its own, with the columns that have any value."""
    for name, key in connection.execute("SELECT name, id FROM datasets").fetchall():
        for form in _FORMS:
            _move(connection, form, str(name), int(key))
    for form in _FORMS:
        connection.execute(f"DROP TABLE {form}_first")


def _move(connection: duckdb.DuckDBPyConnection, form: Form, dataset: str, key: int) -> None:
    held = {
        row[0]
        for row in connection.execute(f"SELECT column_name FROM (DESCRIBE {form}_first)").fetchall()  # noqa: S608
    }
    names = [column.name for column in TABLES[form] if column.name in held]
    counted = ", ".join(f"count({name})" for name in names)
    found = connection.execute(
        f"SELECT count(*), {counted} FROM {form}_first WHERE dataset = ?",  # noqa: S608 - our own names only
        [dataset],
    ).fetchone() or (0,)
    if not found[0]:
        return
    present = [name for name, count in zip(names, found[1:], strict=True) if count]
    table = tables.ready(connection, form, key, present)
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT {', '.join(present)} FROM {form}_first WHERE dataset = ?",  # noqa: S608
        [dataset],
    )
