"""Opening the DuckDB file: one process at a time, nothing readable but our own staging folder.

The live file is never opened, copied or hashed by Python: closing any descriptor on it would drop
DuckDB's lock. A second lock, on a file beside it, holds even so.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from analytics.errors import TiertuneError
from analytics.logs.storage import folders, tables
from analytics.logs.storage.migration import ForeignError, prepared
from analytics.logs.storage.quoting import quoted

MEMORY_LIMIT = "2GB"
SPILL_LIMIT = "32GB"
MOST_THREADS = 8
QUERY_LIMIT_MS = 120_000
_PATIENCE_S = 10.0
_UNLIMITED = "SET max_execution_time = 0"
_umask = threading.Lock()
_DAMAGE = (
    "Corrupt database file",
    "not a valid DuckDB database file",
    "checksum",
    "Failure while replaying WAL",
    "database has been invalidated",
)
LOGS = (".wal.checkpoint", ".wal.recovery", ".wal")
_FULL = ("No space left", "Disk quota exceeded", "File too large", "max_temp_directory_size")


class StoreError(TiertuneError):
    """The database itself cannot be used; nothing in it was changed."""

    kind = "input"


class StoreBusyError(StoreError):
    """Another process has the database open.

    Attributes:
        pid: Its process id; None if it could not be told.
    """

    def __init__(self, pid: int | None) -> None:
        who = "Another copy of tiertune" if pid is None else f"Another copy of tiertune (process {pid})"
        super().__init__(
            f"{who} has this database open. Close it, or use another database with --db other.duckdb. "
            "Files can be named instead of a dataset at any time."
        )
        self.pid = pid


class StoreDamagedError(StoreError):
    """The database is damaged, or the file is none; it was not changed."""

    def __init__(self) -> None:
        super().__init__(
            "This database is damaged, or another program made it. Nothing was changed. "
            "Move it aside, or use another one: --db other.duckdb."
        )


def is_damage(error: BaseException) -> bool:
    """Whether an error of DuckDB says that what lies on the disk is not what was written."""
    if is_full(error):
        return False
    if isinstance(error, duckdb.InternalException | duckdb.FatalException | duckdb.SerializationException):
        return True
    return isinstance(error, duckdb.Error) and any(word in str(error) for word in _DAMAGE)


def is_full(error: BaseException) -> bool:
    """Whether an error says that nothing more can be written to the disk."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return isinstance(error, duckdb.Error) and any(word in str(error) for word in _FULL)


def is_stopped(error: BaseException) -> bool:
    """Whether the database works again only after it was closed and opened."""
    return isinstance(error, duckdb.FatalException)


def set_aside(path: Path) -> str:
    """Move a damaged database and its log files out of the way, under a new name; that name.

    The database goes last: killed before, the next start finds it and no log file that would be replayed
    into a new one.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    name = f"{path.name}.damaged-{stamp}"
    for ending in (*LOGS, ""):
        source = path.with_name(f"{path.name}{ending}")
        if source.exists():
            source.replace(path.with_name(f"{name}{ending}"))
    return name


def lock(path: Path) -> int:
    """Descriptor of the held lock beside the database at ``path``; closing it gives the lock back.

    Raises:
        StoreBusyError: Another process holds it.
    """
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).strip()
        os.close(descriptor)
        raise StoreBusyError(int(holder) if holder.isdigit() else None) from None
    with contextlib.suppress(OSError):  # on a full disk the lock holds without saying whose it is
        os.pwrite(descriptor, f"{os.getpid():<31}\n".encode(), 0)
    return descriptor


def private_folders(work: Path) -> tuple[Path, Path]:
    """Empty folders for staged files and for spilled intermediate results, for nobody else to read.

    A reader whose parent was killed may still write there for a moment; what it does is thrown away.
    """
    patience = time.monotonic() + _PATIENCE_S
    while work.exists():
        shutil.rmtree(work, ignore_errors=time.monotonic() < patience)
    staging, spill = work / "staging", work / "spill"
    for folder in (work, staging, spill):
        folder.mkdir(mode=0o700)
    return staging, spill


def hardened(path: Path, staging: Path, spill: Path) -> duckdb.DuckDBPyConnection:
    """The connection from which every cursor is taken; its tables exist.

    Raises:
        StoreBusyError: Another process has it open.
        StoreDamagedError: It is damaged, or no database at all.
        StoreError: It cannot be opened, or another program or a later version wrote it.
    """
    with private_files():
        try:
            if not path.exists():
                _created(path)
            connection = connected(path, staging, spill, folders_too=True)
        except duckdb.Error as error:
            raise unopened(error) from None
        try:
            prepared(connection)
            folders.show(connection)
        except ForeignError as error:
            connection.close()
            raise StoreError(str(error)) from None
        except duckdb.Error as error:
            connection.close()
            raise unopened(error) from None
        except BaseException:
            connection.close()
            raise
    path.chmod(0o600)
    return connection


def connected(
    path: Path, staging: Path, spill: Path, *, read_only: bool = False, folders_too: bool = False
) -> duckdb.DuckDBPyConnection:
    """A connection that can do nothing but work on the database itself.

    Nothing outside ``staging`` can be read or written through it, but for the folders that are logs; no
    extension or setting can be loaded or changed, but for the time limit of a query. The order of the steps
    matters: allowed folders can only be named while external access is on.

    Raises:
        duckdb.Error: It cannot be opened.
    """
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
        "memory_limit": MEMORY_LIMIT,
        "threads": min(os.cpu_count() or 1, MOST_THREADS),
        "temp_directory": str(spill),
        "max_temp_directory_size": SPILL_LIMIT,
        "max_execution_time": QUERY_LIMIT_MS,
        "preserve_insertion_order": False,
    }
    connection = duckdb.connect(path, read_only=read_only, config=config)
    try:
        places = [str(staging)]
        if folders_too:
            connection.execute(f"ATTACH ':memory:' AS {tables.ELSEWHERE}")
            places += folders.allowed(connection)
        connection.execute(f"SET allowed_directories = [{', '.join(quoted(place) for place in places)}]")
        connection.execute("SET allowed_configs = ['max_execution_time']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def _created(path: Path) -> None:
    """An empty database, made under another name: a full disk or a kill leaves no half of one at ``path``."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        duckdb.connect(fresh).close()
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor inside one transaction without time limit; all of it is kept, or nothing.

    Raises:
        StoreError: The disk or the memory is full.
    """
    with private_files(), connection.cursor() as cursor:
        cursor.execute(_UNLIMITED)
        cursor.execute("BEGIN")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing may stay
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            raise unwritten(error) from None


def checkpoint(connection: duckdb.DuckDBPyConnection) -> bool:
    """Make what was committed independent of the log file; readers can make it wait for the next time.

    Returns:
        Whether the database still works: a full disk stops it, and nothing that was committed is lost.
    """
    with private_files(), connection.cursor() as cursor:
        cursor.execute(_UNLIMITED)
        try:
            cursor.execute("CHECKPOINT")
        except duckdb.Error as error:
            return not is_stopped(error)
    return True


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Files that DuckDB creates meanwhile, its write-ahead log above all, are readable by us alone."""
    with _umask:
        before = os.umask(0o077)
        try:
            yield
        finally:
            os.umask(before)


def unopened(error: BaseException) -> StoreError:
    """What to raise instead of an error that kept the database from being opened."""
    if "Conflicting lock" in str(error):
        pid = re.search(r"PID (\d+)", str(error))
        return StoreBusyError(int(pid[1]) if pid else None)
    if is_full(error):
        return StoreError("The disk is full. The database was not opened; free some space and start again.")
    if is_damage(error):
        return StoreDamagedError()
    return StoreError(
        "This database cannot be opened: it cannot be read or written, or a later version of DuckDB made it. "
        "Nothing was changed. Move it aside, or use another one: --db other.duckdb."
    )


def unwritten(error: BaseException) -> BaseException:
    """What to raise instead of an error that stopped a change."""
    if is_full(error):
        return StoreError("The disk is full. Nothing was changed; free some space and try again.")
    if isinstance(error, OSError):
        return StoreError("The folder of the database cannot be written. Nothing was changed.")
    if not isinstance(error, duckdb.Error):
        return error
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreError(
            f"This needs more than {MEMORY_LIMIT} of memory. Nothing was changed. Load the log in parts, as "
            "several datasets."
        )
    if isinstance(error, duckdb.ConstraintException):
        return StoreError("A value outside its range reached the database. Nothing was changed.")
    return error
