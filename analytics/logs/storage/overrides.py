"""Prices of models set by hand, for every dataset and every later load."""

import datetime as dt
from collections.abc import Iterable, Mapping

import duckdb

from analytics.errors import SchemaError
from analytics.logs.rates import CLASSES, Override
from analytics.logs.storage import catalogue

LONGEST_MODEL = 200
MOST_USD_PER_1M = 1e6
_COLUMNS = ", ".join(f"{name}_usd_per_1m" for name in CLASSES)
TABLE = f"""CREATE TABLE IF NOT EXISTS prices (
    model VARCHAR PRIMARY KEY, {_COLUMNS.replace(",", " DOUBLE,")} DOUBLE, set_at TIMESTAMP)"""


def overrides(cursor: duckdb.DuckDBPyConnection) -> dict[str, Override]:
    """The prices set by hand by model, in order of the names."""
    found = cursor.execute(
        f"SELECT model, {_COLUMNS}, set_at FROM prices ORDER BY lower(model)"  # noqa: S608 - our own names only
    ).fetchall()
    return {
        str(model): Override(**dict(zip(CLASSES, values, strict=True)), set_at=set_at)
        for model, *values, set_at in found
    }


def state(cursor: duckdb.DuckDBPyConnection, model: str, stated: Override | None) -> None:
    """Set the price of a model, or take it back; capital letters do not tell models apart."""
    cursor.execute("DELETE FROM prices WHERE lower(model) = lower(?)", [model])
    if stated is not None and stated.given():
        values = [getattr(stated, name) for name in CLASSES]
        marks = ", ".join("?" for _ in CLASSES)
        cursor.execute(
            f"INSERT INTO prices (model, {_COLUMNS}, set_at) VALUES (?, {marks}, ?)",  # noqa: S608
            [model, *values, stated.set_at or catalogue.now()],
        )


def add(
    cursor: duckdb.DuckDBPyConnection,
    pairs: Mapping[str, tuple[float, float]] | Iterable[tuple[str, tuple[float, float]]],
    *,
    at: dt.datetime | None = None,
) -> None:
    """Set input and output price of models, in USD per million tokens, as a load gives them."""
    for model, (paid, made) in dict(pairs).items():
        state(cursor, model, Override(input=paid, output=made, set_at=at))


def checked(model: str, stated: Override | None) -> str:
    """The name of the model, trimmed.

    Raises:
        SchemaError: The name is empty or too long, or a price is no number from 0 to ``MOST_USD_PER_1M``.
    """
    name = model.strip()
    if not name or len(name) > LONGEST_MODEL or not name.isprintable():
        raise SchemaError(f"A model's name has 1 to {LONGEST_MODEL} characters, none of them invisible.")
    for kind, value in ({} if stated is None else stated.given()).items():
        if not 0 <= value <= MOST_USD_PER_1M:  # NaN is not between them either
            raise SchemaError(
                f"A price is from 0 to {MOST_USD_PER_1M:,.0f} USD per million tokens. Found for "
                f"{kind.replace('_', ' ')}: {value}."
            )
    return name
