"""A log on Spark: a table of its catalogue, or Parquet files that its workers can read."""

import contextlib
from collections.abc import Iterator
from typing import cast

import polars as pl

from analytics.collapse.engine import Engine, EngineError, installed, refused
from analytics.collapse.source import table_of

_VIEW = "tiertune_parquet"


@contextlib.contextmanager
def opened(
    *, table: str | None = None, parquet: str | None = None, master: str | None = None
) -> Iterator[Engine]:
    """Spark with a log, stopped afterwards unless it ran before.

    Args:
        table: Name in its catalogue.
        parquet: Path or address of Parquet files, in place of a table.
        master: Address of the cluster, such as ``spark://HOST:7077``; None: as Spark is configured.

    Raises:
        EngineError: PySpark is not installed, Spark does not start, or it refuses something.
    """
    sql = installed("pyspark.sql", extra="spark")
    errors = installed("pyspark.errors", extra="spark")
    running = sql.SparkSession.getActiveSession()
    builder = sql.SparkSession.builder.appName("tiertune")
    # Days and times of a log are UTC, whatever the zone of the machines.
    builder = builder.config("spark.sql.session.timeZone", "UTC")
    # All cells come to the driver; a million of them are more than the gigabyte that Spark allows by itself.
    builder = builder.config("spark.driver.maxResultSize", "0")
    if master is not None:
        builder = builder.master(master)
    try:
        session = builder.getOrCreate()
    except errors.PySparkException as error:
        raise EngineError(
            "Spark does not start. It needs Java 17 or newer, and a cluster (--master) that can be reached."
        ) from error

    def answer(statement: str) -> pl.DataFrame:
        try:
            return cast("pl.DataFrame", pl.from_arrow(session.sql(statement).toArrow()))
        except errors.PySparkException as error:
            raise refused("Spark", error) from error

    try:
        if parquet is not None:
            try:
                session.read.parquet(parquet).createOrReplaceTempView(_VIEW)
            except errors.PySparkException as error:
                raise refused("Spark", error) from error
        yield Engine("spark", table_of(_VIEW if parquet is not None else table or "", "spark"), answer)
    finally:
        if running is None:
            session.stop()
