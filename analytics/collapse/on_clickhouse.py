"""A log in ClickHouse: on a server over HTTP, or in Parquet files read by the embedded engine."""

import io
import urllib.error
import urllib.parse
import urllib.request

import polars as pl

from analytics.collapse.engine import Engine, EngineError, installed, refused
from analytics.collapse.source import parquet_of, table_of

_TIMEOUT_S = 6 * 3600


def embedded(*, table: str | None = None, parquet: str | None = None, path: str | None = None) -> Engine:
    """ClickHouse inside of this process, by chdb.

    Args:
        table: Name of a table in the database at ``path``.
        parquet: Path of Parquet files, in place of a table.
        path: Folder of a database of chdb's.

    Raises:
        EngineError: chdb is not installed.
    """
    chdb = installed("chdb", extra="clickhouse")

    def answer(statement: str) -> pl.DataFrame:
        try:
            found = chdb.query(statement, "Parquet", path=path or "")
        except RuntimeError as error:
            raise refused("ClickHouse", error) from error
        return pl.read_parquet(io.BytesIO(found.bytes()))

    named = parquet_of(parquet) if parquet is not None else table_of(table or "", "clickhouse")
    return Engine("clickhouse", named, answer)


def server(address: str, *, table: str, user: str | None = None, password: str | None = None) -> Engine:
    """A ClickHouse server.

    Args:
        address: Of its HTTP interface, such as ``http://localhost:8123``.
        table: Name of the table.
        user: None for the server's default user.
        password: Of the user.

    Raises:
        EngineError: The address is none of HTTP.
    """
    if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
        raise EngineError(f"{address!r} is no address such as http://localhost:8123.")
    settings = {"default_format": "Parquet", "output_format_parquet_string_as_string": "1"}
    url = f"{address.rstrip('/')}/?{urllib.parse.urlencode(settings)}"
    credentials = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
    headers = {name: value for name, value in credentials.items() if value is not None}

    def answer(statement: str) -> pl.DataFrame:
        request = urllib.request.Request(url, statement.encode(), headers)  # noqa: S310 - HTTP, see above
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                return pl.read_parquet(io.BytesIO(response.read()))
        except urllib.error.HTTPError as error:
            raise refused("ClickHouse", error.read().decode(errors="replace")) from error
        except (urllib.error.URLError, TimeoutError) as error:
            raise EngineError(f"No ClickHouse answers at {address}.") from error

    return Engine("clickhouse", table_of(table, "clickhouse"), answer)
