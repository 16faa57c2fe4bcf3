"""A copy of a whole database written, looked at, and put in the place of another.

A backup that comes back is a foreign file: it is opened read-only in a child process, and only if it holds
nothing but our own tables, every block of which can be read, does it take the place of the database. What
was there before stays beside it under another name, with its recipe and kept files, and can be opened so.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from analytics.errors import SchemaError
from analytics.logs.reading import child
from analytics.logs.reading.staging import LIMITS, restored
from analytics.logs.storage.database import (
    LOGS,
    StoreBusyError,
    StoreError,
    checkpoint,
    hardened,
    lock,
    private_folders,
    unwritten,
)
from analytics.logs.storage.kept import Kept
from analytics.logs.storage.quoting import identifier, quoted

Progress = Callable[[int, str], None]

_BYTES_PER_S = 5e6
_MAGIC, _MAGIC_AT = b"DUCK", 8
_BESIDE = (*LOGS, ".recipe.json")


@dataclass(frozen=True, slots=True)
class Held:
    """A dataset in a backup.

    Attributes:
        name: Its name.
        rows: Of its log.
        file_ids: Of its files.
    """

    name: str
    rows: int
    file_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a backup was found to hold."""

    datasets: list[Held]


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that took the place of a database.

    Attributes:
        datasets: That it holds.
        aside: Name of the database that was there before; null where there was none.
        not_kept: Files whose rows it has and that are not kept as they were loaded.
    """

    datasets: list[Held]
    aside: str | None
    not_kept: int


def backup(cursor: duckdb.DuckDBPyConnection, staging: Path, target: Path) -> None:
    """Write a copy of the whole database that ``cursor`` is in; an earlier file stays until it is whole.

    The live file is never opened by anything but DuckDB, which copies from within.

    Raises:
        OSError: The place cannot be written, or the disk is full.
    """
    home = staging / uuid.uuid4().hex
    home.mkdir(mode=0o700)
    copy = home / "backup.duckdb"
    try:
        cursor.execute("SET max_execution_time = 0")
        (database,) = cursor.execute("SELECT current_database()").fetchone() or ("",)
        cursor.execute(f"ATTACH {quoted(str(copy))} AS backup")
        try:
            cursor.execute(f"COPY FROM DATABASE {identifier(database)} TO backup")
            cursor.execute("UPDATE backup.folders SET path = ''")  # a place on this machine, not on others
        finally:
            cursor.execute("DETACH backup")
        partial = target.with_name(f".{target.name}.partial")
        try:
            _copied(copy, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def restore(path: Path, source: Path, *, progress: Progress | None = None) -> Restored:
    """Put a backup in the place of the database at ``path``, which nobody may have open.

    Args:
        path: Of the database, which need not exist or be sound.
        source: The backup; it stays as it is.
        progress: Called with the rows looked at and the stage.

    Raises:
        SchemaError: It is no backup, damaged, or by a later version; nothing was changed.
        StoreBusyError: Another process has the database open.
        StoreError: The disk is full or cannot be written; nothing was changed.
    """
    target = path.expanduser().resolve()
    _require_alone(source, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = lock(target)
    except OSError as error:
        raise unwritten(error) from None
    work = target.with_name(f"{target.name}.work")
    try:
        staging, spill = private_folders(work)
        _require_space(source, staging)
        copy = staging / "restored.duckdb"
        _copied(source, copy)
        found = _checked(copy, staging, progress)
        aside = _placed(copy, target, staging, spill)
    except OSError as error:
        raise unwritten(error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(held)
    kept = Kept(target.with_name(f"{target.name}.files"))
    files = {file_id for one in found.datasets for file_id in one.file_ids}
    return Restored(found.datasets, aside, sum(kept.path(file_id) is None for file_id in files))


def is_database(path: Path) -> bool:
    """Whether a file begins as a DuckDB database does; never asked of one that is open."""
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def is_backup(path: Path, staging: Path) -> bool:
    """Whether a file is a copy of a database of ours; it is opened in a child process only.

    Args:
        path: Of the file, which exists.
        staging: Private folder in which one is made for this.
    """
    if not is_database(path) or any(path.with_name(f"{path.name}{ending}").exists() for ending in LOGS):
        return False
    folder = staging / uuid.uuid4().hex
    folder.mkdir(mode=0o700)
    try:
        asked = {"path": str(path.resolve()), "folder": str(folder)}
        return child.result("layout", asked, folder=folder, seconds=LIMITS.seconds) is not None
    except SchemaError:
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _require_alone(source: Path, target: Path) -> None:
    """Refuse what is no file of its own.

    Raises:
        SchemaError: There is no such file, it is the database itself, or one in use.
    """
    if not source.is_file():
        raise SchemaError(f"There is no file {source}.")
    if not os.access(source, os.R_OK):
        raise SchemaError(f"{source} cannot be read. Check who may read it.")
    if target.exists() and source.samefile(target):
        raise SchemaError(f"{source} is the database itself. Name a file that tiertune backup wrote.")
    if source.with_name(f"{source.name}.wal").exists():
        raise SchemaError(
            f"{source.name}.wal lies beside {source}: it is a database that is open or was not closed, not a "
            "backup. Make one with tiertune backup FILE."
        )


def _require_space(source: Path, folder: Path) -> None:
    needed, free = source.stat().st_size, shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"Not enough free disk space: the backup needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are "
            "free. Nothing was changed."
        )


def _checked(copy: Path, staging: Path, progress: Progress | None) -> Checked:
    folder = staging / "checking"
    folder.mkdir(mode=0o700)
    found: Checked = restored(
        Checked,
        child.result(
            "verify",
            {"path": str(copy), "folder": str(folder)},
            folder=folder,
            seconds=LIMITS.seconds + copy.stat().st_size / _BYTES_PER_S,
            progress=progress,
        ),
    )
    return found


def _placed(copy: Path, target: Path, staging: Path, spill: Path) -> str | None:
    """Let ``copy`` be the database; the name under which the one before lies, null where there was none.

    First everything that there was gets a second name, then it goes from its own. Killed in between, the
    one before is still there under both, and a recipe that is gone is written again when it is opened.
    """
    _settle(target, staging, spill)
    files = target.with_name(f"{target.name}.files")
    name = f"{target.name}.before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    there = [ending for ending in ("", *_BESIDE) if target.with_name(f"{target.name}{ending}").exists()]
    with _undone() as undo:
        for ending in there:
            undo.append(target.with_name(f"{name}{ending}"))
            _linked(target.with_name(f"{target.name}{ending}"), undo[-1])
        if there and files.is_dir():
            beside = target.with_name(f"{name}.files")
            beside.mkdir(mode=0o700)
            undo.append(beside)
            for path in files.iterdir():
                _linked(path, beside / path.name)
        _synced(target.parent)
    gone = [ending for ending in there if ending]
    try:
        for ending in gone:
            target.with_name(f"{target.name}{ending}").unlink()
        target.with_name(f"{target.name}.broken").unlink(missing_ok=True)
        copy.replace(target)
    except BaseException:
        for ending in gone:
            with contextlib.suppress(FileExistsError):
                _linked(target.with_name(f"{name}{ending}"), target.with_name(f"{target.name}{ending}"))
        raise
    _synced(target.parent)
    return name if there else None


def _settle(target: Path, staging: Path, spill: Path) -> None:
    """Bring the database's log into it, as far as it is sound, so that it is whole in one file.

    Raises:
        StoreBusyError: Another program has it open.
    """
    if not target.exists():
        return
    try:
        connection = hardened(target, staging, spill)
    except StoreBusyError:
        raise
    except StoreError:  # damaged or foreign: it is set aside as it is
        return
    checkpoint(connection)
    with contextlib.suppress(duckdb.Error):
        connection.close()


@contextlib.contextmanager
def _undone() -> Iterator[list[Path]]:
    """Paths made so far, which are removed again if what follows fails."""
    made: list[Path] = []
    try:
        yield made
    except BaseException:
        for path in made:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


def _linked(source: Path, target: Path) -> None:
    """A second name for a file; a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        _copied(source, target)


def _copied(source: Path, target: Path) -> None:
    """A private copy, whole on the disk."""
    with (
        source.open("rb") as content,
        open(target, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as place,
    ):
        shutil.copyfileobj(content, place)
        place.flush()
        os.fsync(place.fileno())


def _synced(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
