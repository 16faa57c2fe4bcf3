"""The logs that were loaded: one DuckDB file, one dataset per log, one process at a time."""

import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import duckdb
import polars as pl

from analytics.errors import SchemaError
from analytics.logs.rates import Override
from analytics.logs.schema import TIERS
from analytics.logs.storage import catalogue, copies, facts, grading, overrides, pairing, price_check, pricing
from analytics.logs.storage import ladder as ladders
from analytics.logs.storage import recipe as recipes
from analytics.logs.storage.arrivals import Arrival, Judge, arrived, emptied, forgotten, refreshed
from analytics.logs.storage.database import (
    StoreBusyError,
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
from analytics.logs.storage.ingest import Ingested
from analytics.logs.storage.kept import Kept
from analytics.logs.storage.ladder import Ladder, Pair
from analytics.logs.storage.models import refresh_models
from analytics.logs.storage.recipe import DatasetRecipe, Recipe, RecipeFile

LONGEST_NAME = 200
_OWNED = ("files", "ladder", "models")

__all__ = ["Store", "StoreBusyError", "StoreDamagedError", "StoreError"]


class Store:
    """An open database of logs. Use it from any thread, each time through a fresh ``cursor()``.

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
        self._summaries: dict[tuple[str, int], catalogue.Summary] = {}
        self._held, self._stopped = [connection], False
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

    def datasets(self) -> pl.DataFrame:
        """One row per dataset, by name.

        Returns:
            name, form, requests, first_ts, last_ts, categories (how many, uncategorised is one), models
            and files (how many), the shares in [0, 1] confidence_share, graded_share (fast answer),
            both_graded_share, cost_share, latency_share (fast answer; of all calls where a log has no
            pairs; null without rows), badge, version.
        """
        with self.cursor() as cursor:
            found, self._summaries = catalogue.datasets(cursor, self._summaries)
        return found

    def ingest(
        self,
        dataset: str,
        arrival: Arrival,
        *,
        badge: str | None = None,
        raw: Path | None = None,
        judge: Judge = lambda _: None,
    ) -> Ingested:
        """Load one converted file, all of it or nothing; the same file again changes nothing.

        Args:
            dataset: Name of the dataset; made if it is new, unless the file holds grades.
            arrival: The file.
            badge: Shown beside the dataset's name everywhere.
            raw: The file as it came, a private copy that is taken over; null if it is not to be kept.
            judge: Called with the conflicts before anything is kept; what it raises leaves nothing behind.

        Returns:
            What was loaded; ``conflicts`` count as rejected.

        Raises:
            SchemaError: The dataset holds the other form, or its name is unusable.
            StoreError: The disk is full.
        """
        dataset = _dataset_name(dataset)
        with self._keeping(arrival.file_id, raw), self._transaction() as cursor:
            if catalogue.has_file(cursor, dataset, arrival.file_id):
                return Ingested(0, catalogue.rows_in(cursor, arrival.typed))
            catalogue.require_form(cursor, dataset, arrival.form, badge)
            grading.taken_back(cursor, dataset)
            pricing.taken_back(cursor, dataset)
            found = arrived(cursor, dataset, arrival, judge)
            refreshed(cursor, dataset)
            return found

    def take_back(self, dataset: str, file_id: str) -> None:
        """Take a file out of a dataset again, which must be ``separable``.

        Raises:
            SchemaError: There is no such dataset or file.
        """
        with self._transaction(forgets=True) as cursor:
            grading.taken_back(cursor, dataset)
            forgotten(cursor, dataset, file_id)
            refreshed(cursor, dataset)

    def separable(self, dataset: str, file_id: str) -> bool:
        """Whether no other file of a dataset lost a row because this one has it too."""
        with self.cursor() as cursor:
            found = cursor.execute(
                """SELECT coalesce(bool_and(duplicates = 0 AND problems NOT LIKE ?), true) FROM files
                   WHERE dataset = ? AND file_id <> ?""",
                ["%the first is kept%", dataset, file_id],
            ).fetchone()
        return bool(found and found[0])

    def replace(
        self, dataset: str, arrivals: Sequence[Arrival], *, judges: Mapping[str, Judge] | None = None
    ) -> list[Ingested]:
        """Let a dataset consist of these files, in this order; what was set by hand stays.

        Args:
            dataset: Name of a dataset that exists.
            arrivals: Its files from now on.
            judges: By file id, called with the file's conflicts; what one raises leaves all as it was.

        Raises:
            SchemaError: There is no such dataset, or a file does not fit it.
        """
        with self._transaction(forgets=True) as cursor:
            catalogue.require(cursor, dataset)
            emptied(cursor, dataset)
            found = []
            for arrival in arrivals:
                catalogue.require_form(cursor, dataset, arrival.form, None)
                judge = (judges or {}).get(arrival.file_id, lambda _: None)
                found.append(arrived(cursor, dataset, arrival, judge))
            refreshed(cursor, dataset)
        return found

    def graders(self, dataset: str) -> pl.DataFrame:
        """The graders of the files joined to a dataset, see ``grading.graders``."""
        with self.cursor() as cursor:
            return grading.graders(cursor, dataset)

    def unmatched_grades(self, dataset: str, file_id: str) -> tuple[int, int, list[str]]:
        """Grades of a joined file that are about no answer, see ``grading.unmatched``."""
        with self.cursor() as cursor:
            return grading.unmatched(cursor, dataset, file_id)

    def grader_order(self, dataset: str) -> list[str | None]:
        """Which graders count, the first that graded an answer decides; None is the log itself."""
        with self.cursor() as cursor:
            return grading.order_of(cursor, dataset)

    def set_grader_order(self, dataset: str, order: Sequence[str | None] | None) -> None:
        """Say which graders count, in order; None: as their names and the log suggest.

        Raises:
            SchemaError: There is no such dataset or grader.
        """
        with self._transaction() as cursor:
            known = set(grading.graders(cursor, dataset)["grader"])
            unknown = [name for name in order or [] if name is not None and name not in known]
            if unknown:
                found = ", ".join(sorted(known)) or "none"
                raise SchemaError(f"No grader is named {', '.join(unknown)}. Graders: {found}.")
            grading.taken_back(cursor, dataset)
            grading.set_order(cursor, dataset, order)
            refreshed(cursor, dataset)

    def rename(self, dataset: str, name: str) -> None:
        """Give a dataset another name.

        Raises:
            SchemaError: There is none of the old name, or one of the new.
        """
        name = _dataset_name(name)
        with self._transaction() as cursor:
            catalogue.require(cursor, dataset)
            if name == dataset:
                return
            if catalogue.form(cursor, name) is not None:
                raise SchemaError(f"There is a dataset named {name} already. Choose another name.")
            cursor.execute("UPDATE datasets SET name = ? WHERE name = ?", [name, dataset])
            for table in _OWNED:
                cursor.execute(f"UPDATE {table} SET dataset = ? WHERE dataset = ?", [name, dataset])  # noqa: S608
            catalogue.changed(cursor, name)

    def delete(self, dataset: str) -> None:
        """Forget a dataset and all that belongs to it, kept files included; mappings confirmed by hand stay.

        Raises:
            SchemaError: There is none of this name.
        """
        with self._transaction(forgets=True) as cursor:
            key = catalogue.key(cursor, dataset)
            self._missing = [lost for lost in self._missing if lost.key != key]
            emptied(cursor, dataset)
            for table in _OWNED:
                cursor.execute(f"DELETE FROM {table} WHERE dataset = ?", [dataset])  # noqa: S608
            cursor.execute("DELETE FROM datasets WHERE name = ?", [dataset])

    def version(self, dataset: str) -> int:
        """Number that grows with every change of a dataset and is never used again.

        Raises:
            SchemaError: There is none of this name.
        """
        with self.cursor() as cursor:
            catalogue.require(cursor, dataset)
            found = cursor.execute("SELECT version FROM datasets WHERE name = ?", [dataset]).fetchone()
        return int(found[0]) if found else 0

    def files(self, dataset: str) -> pl.DataFrame:
        """The loaded files of a dataset, oldest first.

        Returns:
            file_id, name, format, loaded_at (UTC), read, loaded, rejected, duplicates,
            confidence_set_null, mapping, problems and notes (JSON text), problems_total.
        """
        with self.cursor() as cursor:
            found: pl.DataFrame = cursor.sql(
                "SELECT * EXCLUDE dataset FROM files WHERE dataset = ? ORDER BY loaded_at, file_id",
                params=[dataset],
            ).pl()
            return found

    def log_sha256(self, dataset: str) -> str:
        """Identity of a dataset's content: SHA-256 of its sorted file ids joined by newlines."""
        return facts.log_sha256(self.files(dataset)["file_id"].to_list())

    def ladder(self, dataset: str) -> Ladder:
        """The pairs in use, whether they are confirmed, and where they come from."""
        with self.cursor() as cursor:
            return ladders.ladder(cursor, dataset)

    def set_ladder(self, dataset: str, pairs: Iterable[Pair]) -> None:
        """Confirm or replace the ladder of a call-level dataset and rebuild its decisions.

        Raises:
            SchemaError: The rows name their pairs themselves, or the pairs do not fit the calls.
        """
        with self._transaction() as cursor:
            if catalogue.require(cursor, dataset) != "calls":
                raise SchemaError(
                    f"Every row of {dataset} names its fast and strong model itself. Change the mapping and "
                    "load the file again to change them."
                )
            ladders.confirm_ladder(cursor, dataset, pairs)
            pairing.rebuild_decisions(cursor, dataset)
            catalogue.changed(cursor, dataset)

    def strong_only_requests(self, dataset: str) -> int:
        """Requests of a cascade that called the strong model alone: they give no decision."""
        with self.cursor() as cursor:
            return pairing.strong_only_requests(cursor, dataset)

    def models(self, dataset: str) -> pl.DataFrame:
        """The models of a dataset by label.

        Returns:
            model, tier (null: unknown), tier_source (log, price, hand or null), input_usd_per_1m,
            output_usd_per_1m (USD per million tokens, null: unknown).
        """
        with self.cursor() as cursor:
            found: pl.DataFrame = cursor.sql(
                "SELECT * EXCLUDE dataset FROM models WHERE dataset = ? ORDER BY model", params=[dataset]
            ).pl()
            return found

    def set_tier(self, dataset: str, model: str, tier: str | None) -> None:
        """Put a model into a tier by hand, for good; None: back to what log and price say.

        Raises:
            SchemaError: The dataset has no such model, or there is no such tier.
        """
        if tier is not None and tier not in TIERS:
            raise SchemaError(f"There is no tier {tier}. Tiers: {', '.join(TIERS)}.")
        with self._transaction() as cursor:
            form = catalogue.require(cursor, dataset)
            source = None if tier is None else "hand"
            changed = cursor.execute(
                "UPDATE models SET tier = ?, tier_source = ? WHERE dataset = ? AND model = ?",
                [tier, source, dataset, model],
            ).fetchone()
            if changed == (0,):
                raise SchemaError(f"The dataset {dataset} has no model {model}.")
            refresh_models(cursor, dataset, form)
            catalogue.changed(cursor, dataset)

    def prices(self) -> dict[str, Override]:
        """The prices set by hand by model; they hold for every dataset and every later load."""
        with self.cursor() as cursor:
            return overrides.overrides(cursor)

    def set_price(self, model: str, stated: Override | None) -> None:
        """Set the price of a model by hand, or take it back; costs follow when a dataset is priced anew.

        Raises:
            SchemaError: The name is empty or too long, or a price is not from 0 to 1,000,000 USD.
        """
        with self._transaction(forgets=stated is None) as cursor:
            overrides.state(cursor, overrides.checked(model, stated), stated)

    def model_prices(self, dataset: str) -> pl.DataFrame:
        """A dataset's models with tokens, prices and compared costs, see ``price_check.model_prices``."""
        with self.cursor() as cursor:
            return price_check.model_prices(cursor, dataset)

    def priced_costs(self, dataset: str) -> pricing.Which:
        """Whether prices count for all costs of a dataset, or for those that its log lacks."""
        with self.cursor() as cursor:
            return pricing.which(cursor, dataset)

    def reprice(self, dataset: str, *, of: pricing.Which = "missing") -> pricing.Repriced:
        """Price a dataset by today's list and the prices set by hand; see ``pricing.reprice``.

        Raises:
            SchemaError: There is no such dataset.
        """
        with self._transaction() as cursor:
            grading.taken_back(cursor, dataset)
            found = pricing.reprice(cursor, dataset, of=of)
            refreshed(cursor, dataset)
            return found

    def saved_mapping(self, signature: str) -> str | None:
        """JSON text of the mapping confirmed before for files with this signature; None if there is none."""
        with self.cursor() as cursor:
            found = cursor.execute("SELECT mapping FROM mappings WHERE signature = ?", [signature]).fetchone()
        return str(found[0]) if found else None

    def save_mapping(self, signature: str, mapping: str) -> None:
        """Remember a confirmed mapping (JSON text) for files with the same signature."""
        with self._transaction() as cursor:
            cursor.execute("INSERT OR REPLACE INTO mappings VALUES (?, ?)", [signature, mapping])

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


def _dataset_name(name: str) -> str:
    trimmed = name.strip()
    if not trimmed or len(trimmed) > LONGEST_NAME or "\0" in trimmed:
        raise SchemaError(f"A dataset's name has 1 to {LONGEST_NAME} characters. Found: {len(trimmed)}.")
    return trimmed
