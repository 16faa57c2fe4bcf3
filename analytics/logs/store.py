"""The logs that were loaded: one DuckDB file, one dataset per log, one process at a time."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from analytics.errors import SchemaError
from analytics.logs.rates import Override
from analytics.logs.schema import TIERS
from analytics.logs.storage import (
    catalogue,
    facts,
    folders,
    grading,
    overrides,
    pairing,
    price_check,
    pricing,
    upkeep,
)
from analytics.logs.storage import ladder as ladders
from analytics.logs.storage.arrivals import Arrival, Judge, arrived, emptied, forgotten, refreshed
from analytics.logs.storage.database import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
)
from analytics.logs.storage.folder_store import FolderStore, usable_name
from analytics.logs.storage.ingest import Ingested
from analytics.logs.storage.ladder import Ladder, Pair
from analytics.logs.storage.models import refresh_models

_OWNED = ("files", "ladder", "models", "folders", "places", "kept_cells")

__all__ = ["Store", "StoreBusyError", "StoreDamagedError", "StoreError"]


class Store(FolderStore):
    """The open logs; see ``SafeDatabase`` for what holds whatever happens."""

    def __init__(self, path: Path, *, private: Path | None, keep: bool) -> None:
        self._summaries: dict[tuple[str, int], catalogue.Summary] = {}
        super().__init__(path, private=private, keep=keep)

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
        dataset = usable_name(dataset)
        with self._keeping(arrival.file_id, raw), self._transaction() as cursor:
            if folders.folder(cursor, dataset) is not None:
                raise SchemaError(
                    f"The rows of {dataset} stay in a folder. Put the file there, then look for changes: "
                    "tiertune open FOLDER. Load it into another dataset: --dataset NAME."
                )
            if catalogue.has_file(cursor, dataset, arrival.file_id):
                return Ingested(0, catalogue.rows_in(cursor, arrival.typed))
            catalogue.require_form(cursor, dataset, arrival.form, badge)
            grading.taken_back(cursor, dataset)
            pricing.taken_back(cursor, dataset)
            found = arrived(cursor, dataset, arrival, judge)
            before = catalogue.version(cursor, dataset)
            refreshed(cursor, dataset, added=arrival.file_id if arrival.form == "decisions" else None)
            if arrival.form == "decisions" and pricing.which(cursor, dataset) == "missing":
                upkeep.appended(cursor, dataset, before, arrival.file_id)
            return found

    def take_back(self, dataset: str, file_id: str) -> None:
        """Take a file out of a dataset again, which must be ``separable``.

        Raises:
            SchemaError: There is no such dataset or file, or its files are a folder's.
        """
        with self._transaction(forgets=True) as cursor:
            if folders.folder(cursor, dataset) is not None:
                raise SchemaError(
                    "The files of this log are those of its folder. Remove the file there, then look for "
                    "changes: tiertune open FOLDER."
                )
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
        name = usable_name(name)
        with self._transaction() as cursor:
            catalogue.require(cursor, dataset)
            if name == dataset:
                return
            if catalogue.form(cursor, name) is not None:
                raise SchemaError(f"There is a dataset named {name} already. Choose another name.")
            cursor.execute("UPDATE datasets SET name = ? WHERE name = ?", [name, dataset])
            for table in _OWNED:
                cursor.execute(f"UPDATE {table} SET dataset = ? WHERE dataset = ?", [name, dataset])  # noqa: S608
            upkeep.carried(cursor, name, catalogue.version(cursor, name))

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
            return catalogue.version(cursor, dataset)

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
            upkeep.carried(cursor, dataset, catalogue.version(cursor, dataset))

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
