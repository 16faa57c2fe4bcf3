"""Costs of a dataset by price: what the log lacks, or, where that was asked for, also what it has.

A cost is ``logged`` or ``priced``. Where a priced one stands in the place of a logged one, the logged one is
kept beside it (``cost_usd_logged``), so that it can be compared and taken back. Answers from the gateway's
own cache were not bought: their logged cost stays.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import duckdb

from analytics.logs.prices import Price, price
from analytics.logs.rates import CLASSES, SERVICES, STANDARD, Overrides, cost_sql
from analytics.logs.schema import Form
from analytics.logs.storage import catalogue, tables
from analytics.logs.storage.ladder import LABEL
from analytics.logs.storage.overrides import overrides

Which = Literal["missing", "all"]

_ENDLESS = 2**62
_RATES = ", ".join(f"_{name} DOUBLE" for name in CLASSES)
_BANDS = f"""CREATE OR REPLACE TEMP TABLE bands (
    _model VARCHAR, _service VARCHAR, _above BIGINT, _upto BIGINT, {_RATES})"""
_JOINED = """_model = label AND _service = coalesce({side}service_tier, '{standard}')
    AND {side}input_tokens > _above AND {side}input_tokens <= _upto"""


class Side(NamedTuple):
    """One of the answers that a row has.

    Attributes:
        prefix: Of its columns.
        label: SQL of its model's label.
        source: Column that says where its cost comes from.
        hit: SQL of whether it came from the gateway's cache.
    """

    prefix: str
    label: str
    source: str
    hit: str


SIDES: dict[Form, tuple[Side, ...]] = {
    "calls": (Side("", LABEL, "cost_source", "coalesce(cache_hit, false)"),),
    "decisions": tuple(
        Side(f"{side}_", f"{side}_model", f"{side}_cost_source", "false") for side in ("fast", "strong")
    ),
}


@dataclass(frozen=True, slots=True)
class Repriced:
    """What changed when a dataset was priced anew.

    Attributes:
        which: missing: logged costs count where there are any; all: prices count wherever they are known.
        changed: Costs that are others than before.
        priced: Costs by price that the dataset has now.
        logged: Costs by the log that it has now.
        unknown: Costs that it lacks.
    """

    which: Which
    changed: int
    priced: int
    logged: int
    unknown: int


def which(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Which:
    """Whether prices count for all costs of a dataset, or for missing ones only."""
    found = cursor.execute("SELECT pricing FROM datasets WHERE name = ?", [dataset]).fetchone()
    return "all" if found and found[0] == "all" else "missing"


def reprice(cursor: duckdb.DuckDBPyConnection, dataset: str, *, of: Which) -> Repriced:
    """Price a dataset by today's list and the prices set by hand.

    Args:
        cursor: Inside a transaction; models, ladder and decisions have to be brought up to date after it.
        dataset: Name of a dataset.
        of: missing: what has no logged cost; all: everything that has a price.
    """
    form, key = catalogue.require_rows(cursor, dataset), catalogue.key(cursor, dataset)
    cursor.execute("UPDATE datasets SET pricing = nullif(?, 'missing') WHERE name = ?", [of, dataset])
    changed = _priced(cursor, form, key, of=of)
    if of == "missing":
        taken_back(cursor, dataset)
    return Repriced(of, changed, *_counted(cursor, form, key))


def taken_back(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Let the log's own costs stand again wherever prices took their place."""
    form, key = catalogue.require(cursor, dataset), catalogue.key(cursor, dataset)
    held, table = set(tables.columns(cursor, form, key)), tables.name(form, key)
    sides = [side for side in SIDES.get(form, ()) if f"{side.prefix}cost_usd_logged" in held]
    for side in sides:
        kept = f"{side.prefix}cost_usd_logged"
        cursor.execute(
            f"""UPDATE {table} SET {side.prefix}cost_usd = {kept}, {side.source} = 'logged'
                WHERE {kept} IS NOT NULL"""  # noqa: S608 - our own names only
        )
    if sides:
        tables.drop_columns(cursor, form, key, [f"{side.prefix}cost_usd_logged" for side in sides], values={})
        _summed_up(cursor, form, key)


def applied(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Put prices in the place of logged costs, if that was asked for; the logged ones are kept beside."""
    if which(cursor, dataset) == "all":
        form, key = catalogue.require(cursor, dataset), catalogue.key(cursor, dataset)
        _priced(cursor, form, key, of="all")


def filled(cursor: duckdb.DuckDBPyConnection, dataset: str, file_id: str) -> None:
    """Price what has no logged cost in the rows of a file."""
    form, key = catalogue.require(cursor, dataset), catalogue.key(cursor, dataset)
    _priced(cursor, form, key, of="missing", file_id=file_id)


def _priced(
    cursor: duckdb.DuckDBPyConnection, form: Form, key: int, *, of: Which, file_id: str | None = None
) -> int:
    """Give a dataset's rows the costs that they should have; how many are others than before.

    What was priced before and has no price any more gets the log's own cost again, or is unknown.
    """
    held = set(tables.columns(cursor, form, key))
    sides = [
        side for side in SIDES[form] if {f"{side.prefix}input_tokens", f"{side.prefix}output_tokens"} <= held
    ]
    wanted = ["cost_source", *(side.source for side in sides)]
    for side in sides:
        kept = f"{side.prefix}cost_usd_logged"
        wanted += [f"{side.prefix}cost_usd", *([kept] if of == "all" or kept in held else [])]
    if not sides:
        return 0
    table = tables.ready(cursor, form, key, wanted)
    changed = 0
    with bands(cursor, form, key):
        for side in sides:
            cost = f"{side.prefix}cost_usd"
            cursor.execute(
                f"CREATE OR REPLACE TEMP TABLE changes AS {_changes(cursor, form, key, side)}",
                {"of": of, "file_id": file_id},
            )
            found = cursor.execute("SELECT count(*) FILTER (differs) FROM changes").fetchone()
            changed += int(found[0]) if found else 0
            cursor.execute(
                f"""UPDATE {table} SET {cost} = new_cost, {side.source} = new_source
                        {f", {cost}_logged = new_kept" if f"{cost}_logged" in wanted else ""}
                    FROM changes WHERE {table}.rowid = changes.row"""  # noqa: S608 - our own names only
            )
            cursor.execute("DROP TABLE changes")
    _summed_up(cursor, form, key)
    return changed


def _changes(cursor: duckdb.DuckDBPyConnection, form: Form, key: int, side: Side) -> str:
    """SQL of the rows whose cost, or what is known of it, is to be another; inside ``bands``."""
    at = side.prefix
    cost, kept = f"{at}cost_usd", f"{at}cost_usd_logged"
    joined = _JOINED.format(side=at, standard=STANDARD)
    return f"""
        WITH found AS (
            SELECT row, {cost} AS cost, {kept} AS kept, {side.source} AS source, {cost_sql(at)} AS priced,
                {at}input_tokens IS NOT NULL AND {at}output_tokens IS NOT NULL AS has_tokens,
                coalesce({kept}, CASE WHEN {side.source} IS DISTINCT FROM 'priced' THEN {cost} END) AS own,
                CASE WHEN $of::VARCHAR = 'all' AND NOT {side.hit} THEN priced END AS instead
            FROM (SELECT *, {side.label} AS label FROM {tables.with_row(cursor, form, key)}
                  WHERE $file_id::VARCHAR IS NULL OR file_id = $file_id::VARCHAR)
            LEFT JOIN bands ON {joined}),
        decided AS (
            SELECT *,
                CASE WHEN own IS NOT NULL THEN coalesce(instead, own)
                    WHEN has_tokens THEN priced ELSE cost END AS new_cost,
                CASE WHEN instead IS NOT NULL THEN own END AS new_kept,
                CASE WHEN own IS NOT NULL AND instead IS NULL THEN 'logged'
                    WHEN new_cost IS NOT NULL THEN 'priced' END AS new_source
            FROM found)
        SELECT row, new_cost, new_kept, new_source, cost IS DISTINCT FROM new_cost AS differs FROM decided
        WHERE differs OR kept IS DISTINCT FROM new_kept OR source IS DISTINCT FROM new_source"""  # noqa: S608


@contextlib.contextmanager
def bands(
    cursor: duckdb.DuckDBPyConnection, form: Form, key: int, stated: Overrides | None = None
) -> Iterator[dict[str, Price]]:
    """The rates of a dataset's models in a temporary table ``bands``; the prices by label.

    Args:
        cursor: For this dataset alone.
        form: Of the dataset.
        key: Its number.
        stated: Prices set by hand; None: those of the database.
    """
    known = overrides(cursor) if stated is None else stated
    found = {}
    for label in labels(cursor, form, key):
        model_price = price(label, overrides=known)
        if model_price is not None:
            found[label] = model_price
    cursor.execute(_BANDS)
    rows = [row for label, model_price in found.items() for row in _band_rows(label, model_price)]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor.execute(f"INSERT INTO bands SELECT {', '.join('unnest(?)' for _ in columns)}", columns)
    try:
        yield found
    finally:
        cursor.execute("DROP TABLE IF EXISTS bands")


def labels(cursor: duckdb.DuckDBPyConnection, form: Form, key: int) -> list[str]:
    """Labels of the models that a dataset's rows name."""
    source = tables.with_row(cursor, form, key)
    parts = " UNION ALL ".join(f"SELECT {side.label} AS label FROM {source}" for side in SIDES[form])  # noqa: S608
    found = cursor.execute(f"SELECT DISTINCT label FROM ({parts}) WHERE label IS NOT NULL ORDER BY label")  # noqa: S608
    return [str(row[0]) for row in found.fetchall()]


def _band_rows(label: str, found: Price) -> Iterator[tuple[object, ...]]:
    for service in SERVICES:
        own = found.of_service(service)
        ends = [*(band.above_tokens for band in own[1:]), _ENDLESS]
        for band, upto in zip(own, ends, strict=True):
            yield (label, service, band.above_tokens, upto, *band.rates.each())


def _summed_up(cursor: duckdb.DuckDBPyConnection, form: Form, key: int) -> None:
    """Let the row of a wide log say "priced" where one of its costs is, as its sides have it."""
    held = set(tables.columns(cursor, form, key))
    own = [side.source for side in SIDES[form] if side.source in held and side.source != "cost_source"]
    if own and "cost_source" in held:
        table, listed = tables.name(form, key), ", ".join(own)
        costs = ", ".join(name for side in SIDES[form] if (name := f"{side.prefix}cost_usd") in held)
        cursor.execute(
            f"""UPDATE {table} SET cost_source =
                    CASE WHEN 'priced' IN ({listed}) THEN 'priced' ELSE coalesce({listed}) END
                WHERE coalesce({listed}) IS NOT NULL{f" OR coalesce({costs}) IS NULL" if costs else ""}"""  # noqa: S608
        )


def _counted(cursor: duckdb.DuckDBPyConnection, form: Form, key: int) -> tuple[int, int, int]:
    """Costs by price, by the log, and unknown ones."""
    source = tables.with_row(cursor, form, key)
    parts = " UNION ALL ".join(
        f"""SELECT count(*) FILTER ({side.source} = 'priced' AND {side.prefix}cost_usd IS NOT NULL) AS priced,
                count({side.prefix}cost_usd) AS known,
                count(*) FILTER ({side.prefix}cost_usd IS NULL AND {called}) AS unknown FROM {source}"""  # noqa: S608
        for side in SIDES[form]
        for called in [f"{side.prefix}input_tokens IS NOT NULL" if side.prefix else "true"]
    )
    found = cursor.execute(
        f"SELECT sum(priced), sum(known) - sum(priced), sum(unknown) FROM ({parts})"  # noqa: S608
    ).fetchone() or (0, 0, 0)
    return int(found[0]), int(found[1]), int(found[2])
