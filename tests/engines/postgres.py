"""A Postgres server on this machine, Debian's package, with its data in a folder that is deleted again."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from analytics.collapse.parts import POLARS, TYPES
from analytics.logs.schema import DECISIONS
from tests.engines.bench import FOLDER, LIMIT_S, ROOT, Log, Run, UnavailableError, process

_START_S = 60
_SETTINGS = {
    "listen_addresses": "", "fsync": "off", "full_page_writes": "off", "max_wal_size": "4GB",
    "shared_buffers": "1GB", "work_mem": "256MB",
}  # fmt: skip
_SQL_TYPES = {"VARCHAR": "text", "DOUBLE": "double precision", "UTINYINT": "smallint"}


def runs(logs: list[Log]) -> Iterator[Run]:
    """What the server answers about each log, without the time that copying the log to it takes.

    Raises:
        UnavailableError: Postgres is not installed and cannot be.
    """
    with server(programs()) as environment:
        for log in logs:
            _copy(log, environment)
            yield Run(log, *_cells(log, environment))


def programs() -> Path:
    """Folder of initdb and postgres, installed by apt if need be."""
    for attempt in (False, True):
        if attempt:
            _install()
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if found and shutil.which("psql"):
            return found[-1].parent
    raise UnavailableError("the package postgresql has no server in /usr/lib/postgresql")


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UnavailableError("Postgres is not installed, and only root can: apt-get install postgresql")
    installed = subprocess.run(
        ["apt-get", "install", "--yes", "--no-install-recommends", "postgresql"],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    if installed.returncode != 0:
        raise UnavailableError("apt-get install postgresql fails")


@contextlib.contextmanager
def server(home: Path) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="tiertune-postgres-") as folder:
        user = _unprivileged()
        data = Path(folder) / "data"
        if user:
            os.chown(folder, *user)
        begin = [
            "setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups",
        ] if user else []  # fmt: skip
        made = [*begin, str(home / "initdb"), "-D", str(data), "-A", "trust", "-U", "tiertune"]
        subprocess.run([*made, "--locale=C", "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        served = [*begin, str(home / "postgres"), "-D", str(data), "-k", folder, *options]
        environment = {"PGHOST": folder, "PGUSER": "tiertune", "PGDATABASE": "postgres", "PGTZ": "UTC"}
        with process(served, log=FOLDER / "postgres.log"):
            until = time.monotonic() + _START_S
            while not _ready(environment):
                if time.monotonic() > until:
                    raise UnavailableError(f"the server does not answer after {_START_S} s")
                time.sleep(0.2)
            yield environment


def _unprivileged() -> tuple[int, int] | None:
    """User and group of the package, as the server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    found = pwd.getpwnam("postgres")
    return found.pw_uid, found.pw_gid


def _ready(environment: dict[str, str]) -> bool:
    asked = ["psql", "-q", "-c", "SELECT 1"]
    told = subprocess.run(asked, env={**os.environ, **environment}, capture_output=True, check=False)
    return told.returncode == 0


def _copy(log: Log, environment: dict[str, str]) -> None:
    """The log's columns into a table of the same names."""
    kinds = {column.name: _SQL_TYPES.get(column.sql_type, column.sql_type) for column in DECISIONS}
    fields = ", ".join(f"{name} {kinds[name]}" for name in log.columns)
    asked(environment, "-c", f"DROP TABLE IF EXISTS requests; CREATE UNLOGGED TABLE requests ({fields})")
    csv = FOLDER / "requests.csv"
    try:
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT {', '.join(log.columns)} FROM read_parquet('{log.path}')) TO '{csv}' (HEADER)"
            )
        asked(environment, "-c", f"\\copy requests FROM '{csv}' CSV HEADER")
    finally:
        csv.unlink(missing_ok=True)
    asked(environment, "-c", "ANALYZE requests")


def _cells(log: Log, environment: dict[str, str]) -> tuple[pl.DataFrame, float]:
    mapped = [word for name in log.columns for word in ("--map", f"{name}={name}")]
    return by_psql(environment, "--table", "requests", *mapped)


def by_psql(environment: dict[str, str], *words: str) -> tuple[pl.DataFrame, float]:
    """As docs/cells.md says: the statement printed for these words, by psql into a CSV file."""
    printed = [sys.executable, "-m", "analytics", "cells", "--sql", "postgres", *words]
    started = time.perf_counter()
    text = subprocess.run(
        printed,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    out = FOLDER / "cells.csv"
    statement = FOLDER / "cells.sql"
    statement.write_text(text)
    asked(environment, "--csv", "-o", str(out), "-f", str(statement))
    with duckdb.connect() as connection:
        read = f"SELECT * FROM read_csv('{out}', header = true, columns = {TYPES})"
        found = connection.sql(read).pl().select(*POLARS)
    return found, time.perf_counter() - started


def asked(environment: dict[str, str], *words: str) -> None:
    told = subprocess.run(
        ["psql", "-q", "-v", "ON_ERROR_STOP=1", *words],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    if told.returncode != 0:
        raise RuntimeError(told.stderr.decode(errors="replace")[-3000:])
