"""A database that no crash, full disk, second process or damage takes anything from.

One process holds its lock. Every change is one transaction, with a recipe of what the database consists of
beside it; files are kept as they were loaded, so that it can be built again.
"""

import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import duckdb

from analytics.logs.storage import catalogue, copies, overrides
from analytics.logs.storage import recipe as recipes
from analytics.logs.storage.database import (
    StoreDamagedError,
    StoreError,
    checkpoint,
    hardened,
    is_damage,
    is_full,
    is_stopped,
    lock,
    private_files,
    private_folders,
    set_aside,
    transaction,
    unopened,
    unwritten,
)
from analytics.logs.storage.kept import Kept
from analytics.logs.storage.recipe import DatasetRecipe, Recipe, RecipeFile


class SafeDatabase:
    """An open database. Use it from any thread, each time through a fresh ``cursor()``.

    Beside the database lie the files as they were loaded and a recipe of what it consists of. If it is
    damaged or lacks what the recipe has, ``missing`` says so; ``recovery.recover`` builds that again.

    Attributes:
        staging: Private folder in which converted files must lie to be ingested.
        aside: Name under which a damaged database was set aside when this one was opened, else None.
    """

    def __init__(self, path: Path, *, private: Path | None, keep: bool) -> None:
        work = path.with_name(f"{path.name}.work")
        held = lock(path)
        self._recipe = RecipeFile(_recipe_path(path)) if private is None else None
        self._broken = path.with_name(f"{path.name}.broken")
        self._kept = Kept(path.with_name(f"{path.name}.files")) if private is None else None
        self._path, self._keeps = path, keep
        try:
            self.staging, self._spill = private_folders(work)
            known = None if self._recipe is None else self._recipe.read()
            connection, self.aside = _opened(
                path, self.staging, self._spill, self._broken, known=known is not None
            )
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            os.close(held)
            raise
        self._writing = threading.RLock()
        self._held, self._stopped = [connection], False
        self._workers: list[threading.Thread] = []
        self._finish = weakref.finalize(self, _cleared, self._held, held, work, private)
        self._missing: list[DatasetRecipe] = []
        if self._recipe is not None:
            try:
                self._compare(known)
            except BaseException:
                self.close()
                raise

    @classmethod
    def open(cls, path: Path | None, *, keep: bool = True) -> Self:
        """Open or create the database at ``path``; None: a private one that is deleted on ``close``.

        A damaged one is set aside if it can be built again, see ``missing``.

        Args:
            path: Of the database.
            keep: Whether files are kept as they are loaded, so that it can be built again; those that
                were kept before stay.

        Raises:
            StoreBusyError: Another process has it open.
            StoreError: It cannot be opened or written.
        """
        if path is None:
            folder = Path(tempfile.mkdtemp(prefix="tiertune-"))
            return cls(folder / "private.duckdb", private=folder, keep=False)
        target = path.expanduser().resolve()
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                return cls(target, private=None, keep=keep)
            except StoreDamagedError:  # noticed only now that it was read: the second time it is set aside
                return cls(target, private=None, keep=keep)
        except OSError as error:
            if is_full(error):
                raise unopened(error) from None
            raise StoreError(
                "The folder of the database cannot be made or written. Choose another with --db other.duckdb."
            ) from None

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether there is a database at ``path``, or the recipe of one that was lost."""
        target = path.expanduser().resolve()
        return target.exists() or _recipe_path(target).exists()

    @staticmethod
    def in_use(path: Path) -> bool:
        """Whether the file at ``path`` is a database that was worked with, and so no mere copy of one."""
        return _recipe_path(path.resolve()).exists()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and give its lock back; a private database is deleted. Twice does no harm."""
        for worker in self._workers:
            worker.join()
        self._finish()

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A fresh cursor, to be used by one thread.

        Raises:
            StoreDamagedError: What it reads is damaged; the next time that it is opened it is set aside.
            StoreError: The disk is full.
        """
        with self._watched(), self._connection().cursor() as cursor:
            yield cursor

    @property
    def damaged(self) -> bool:
        """Whether something was found to be damaged, so that the store has to be opened again."""
        return self._broken.exists()

    @property
    def keeps_files(self) -> bool:
        """Whether files are kept as they are loaded."""
        return self._keeps and self._kept is not None

    def size_bytes(self) -> int:
        """Bytes of the database on the disk; 0 if somebody deleted it meanwhile."""
        return self._path.stat().st_size if self._path.exists() else 0

    def kept_bytes(self) -> int:
        """Bytes of the kept files on the disk."""
        return 0 if self._kept is None else self._kept.size_bytes()

    def kept(self, file_id: str) -> Path | None:
        """Where a file lies as it was loaded; None if it was not kept."""
        return None if self._kept is None else self._kept.path(file_id)

    def recipe(self) -> Recipe:
        """What the database consists of."""
        with self.cursor() as cursor:
            return recipes.recipe_of(cursor)

    def missing(self) -> list[DatasetRecipe]:
        """Files that were acknowledged and are not in the database, by dataset."""
        return list(self._missing)

    def revive(self, lost: DatasetRecipe) -> str:
        """Make sure that a dataset of the recipe exists again, with its number; its name.

        The name differs only if another dataset has it by now.
        """
        with self._transaction() as cursor:
            return catalogue.revived(cursor, lost.key, lost.name, lost.form, lost.badge)

    def given_up(self, key: int, file_ids: Iterable[str]) -> None:
        """Do not look for these files of a dataset any longer: they are back, or they cannot be had.

        Raises:
            StoreError: The disk is full; what is missing is looked for again the next time.
        """
        done = set(file_ids)
        self._look_for([_without(lost, done) if lost.key == key else lost for lost in self._missing])

    def finished(self, key: int) -> None:
        """A dataset is as it was, what was set by hand included, unless files of it are still missing.

        Raises:
            StoreError: The disk is full; it is finished the next time.
        """
        self._look_for([lost for lost in self._missing if lost.key != key or lost.files])

    def _look_for(self, missing: list[DatasetRecipe]) -> None:
        with self._writing:
            self._missing = missing
            try:
                self._write_recipe(self.recipe())
            except OSError as error:
                raise unwritten(error) from None

    def later(self, change: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Make a change in a transaction of its own while the caller goes on; closing waits for it.

        For what only saves time later: if it fails, everything is as it was and nobody is told.
        """

        def work() -> None:
            with contextlib.suppress(StoreError, duckdb.Error), self._transaction() as cursor:
                change(cursor)

        self._workers = [worker for worker in self._workers if worker.is_alive()]
        self._workers.append(threading.Thread(target=work, name="tiertune-later"))
        self._workers[-1].start()

    def note(self, name: str, text: str | None) -> None:
        """Remember a text under a name, for whoever opens the database next; None forgets it."""
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM meta WHERE name = ?", [f"note {name}"])
            if text is not None:
                cursor.execute("INSERT INTO meta VALUES (?, ?)", [f"note {name}", text])

    def noted(self, name: str) -> str | None:
        """The text remembered under a name."""
        with self.cursor() as cursor:
            found = cursor.execute("SELECT value FROM meta WHERE name = ?", [f"note {name}"]).fetchone()
        return str(found[0]) if found else None

    def backup(self, target: Path) -> None:
        """Write a copy of the whole database, which ``tiertune restore`` takes.

        Raises:
            StoreError: The disk is full, or the place cannot be written.
        """
        try:
            with self._writing, self.cursor() as cursor, private_files():
                copies.backup(cursor, self.staging, target)
        except OSError as error:
            raise StoreError(
                "The backup could not be written: the disk is full or the place cannot be written. "
                "Nothing was changed."
            ) from error

    @contextlib.contextmanager
    def _transaction(self, *, forgets: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor in a transaction; the recipe follows, or goes before where something is forgotten.

        Whatever happens in between, nothing that was acknowledged is missing from the recipe, and nothing
        comes back that was forgotten. The recipe is on the disk before the commit, under another name, so
        that a full disk refuses the whole; kept files go when nothing can need them any more.
        """
        with self._writing, self._watched():
            missing = self._missing
            try:
                with transaction(self._connection()) as cursor:
                    yield cursor
                    recipe = recipes.recipe_of(cursor).with_missing(self._missing)
                    if self._recipe is not None:
                        self._recipe.draft(recipe)
                        if forgets:
                            self._recipe.put()
            except BaseException:
                self._missing = missing
                if self._recipe is not None:
                    self._recipe.undo()
                raise
            if self._recipe is not None:
                if not forgets:
                    self._recipe.put()
                self._recipe.settle()
            self._forget_others(recipe)
            self._stopped = not checkpoint(self._held[0])

    @contextlib.contextmanager
    def _keeping(self, file_id: str, raw: Path | None) -> Iterator[None]:
        """Keep a file if what is done meanwhile succeeds; else it is back in its place, for the next try.

        No other loader may forget files meanwhile, as none knows of this one.
        """
        if raw is None or self._kept is None or not self._keeps:
            yield
            return
        with self._writing:
            try:
                self._kept.keep(file_id, raw)
            except OSError as error:
                raise unwritten(error) from None
            try:
                yield
            except BaseException:
                self._kept.give_back(file_id, raw)
                raise

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """The connection, opened again if a full disk had stopped it.

        Raises:
            StoreError: The disk is still full, or another thread has not noticed yet.
        """
        if self._stopped:
            with self._writing:
                if self._stopped:
                    with contextlib.suppress(duckdb.Error):
                        self._held[0].close()
                    self._held[0] = hardened(self._path, self.staging, self._spill)
                    self._stopped = False
        return self._held[0]

    def _reopen(self) -> None:
        """Close the database and open it again, as it may read other folders now."""
        with self._writing:
            self._held[0].close()
            self._held[0] = hardened(self._path, self.staging, self._spill)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            if is_full(error):
                self._stopped = self._stopped or is_stopped(error)
                raise unwritten(error) from None
            if not is_damage(error):
                raise
            self._broken.touch(mode=0o600)
            raise StoreDamagedError from None

    def _write_recipe(self, recipe: Recipe) -> None:
        """Write what there is and what is still to be built again, and forget files that nothing needs."""
        if self._recipe is not None:
            whole = recipe.with_missing(self._missing)
            try:
                self._recipe.draft(whole)
                self._recipe.put()
            finally:
                self._recipe.settle()
            self._forget_others(whole)

    def _forget_others(self, recipe: Recipe) -> None:
        if self._kept is not None:
            with contextlib.suppress(OSError):  # what cannot be deleted now goes the next time
                self._kept.forget_others(recipe.file_ids())

    def _compare(self, known: Recipe | None) -> None:
        """Notice what the recipe has and the database lacks; mappings come back at once."""
        found = self.recipe()
        if known is None:
            if not found.datasets:
                return  # nothing says what files that may be kept here are for
            known = found
        self._missing = known.missing_from(found)
        with contextlib.suppress(OSError):  # on a full disk the older one is good until the next change
            self._write_recipe(
                replace(
                    found,
                    mappings={**known.mappings, **found.mappings},
                    prices={**known.prices, **found.prices},
                )
            )
        lost = {name: text for name, text in known.mappings.items() if name not in found.mappings}
        prices = {name: price for name, price in known.prices.items() if name not in found.prices}
        if lost or prices or self._missing:
            with self._transaction() as cursor:
                catalogue.number_past(cursor, max((gone.key for gone in self._missing), default=0))
                for signature, mapping in lost.items():
                    cursor.execute("INSERT OR IGNORE INTO mappings VALUES (?, ?)", [signature, mapping])
                for model, price in prices.items():
                    overrides.state(cursor, model, price.stated())


def _recipe_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.recipe.json")


def _without(lost: DatasetRecipe, file_ids: set[str]) -> DatasetRecipe:
    return replace(lost, files=[file for file in lost.files if file.file_id not in file_ids])


def _opened(
    path: Path, staging: Path, spill: Path, broken: Path, *, known: bool
) -> tuple[duckdb.DuckDBPyConnection, str | None]:
    """The connection; a damaged database is set aside first if there is a recipe to build it again by."""
    aside = None
    if broken.exists() and known:
        aside = set_aside(path) if path.exists() else None
    broken.unlink(missing_ok=True)
    try:
        return hardened(path, staging, spill), aside
    except StoreDamagedError:
        if not known or aside is not None:
            raise
        aside = set_aside(path)
        return hardened(path, staging, spill), aside


def _cleared(
    held: list[duckdb.DuckDBPyConnection], descriptor: int, work: Path, private: Path | None
) -> None:
    """What closing does, also when a store is forgotten: nothing of it is left but the database."""
    with contextlib.suppress(duckdb.Error):  # a full disk: what was committed is in the log file
        held[0].close()
    shutil.rmtree(work, ignore_errors=True)
    os.close(descriptor)
    if private is not None:
        shutil.rmtree(private, ignore_errors=True)
