"""The part of the store that is about logs whose rows stay in a folder."""

from collections.abc import Callable, Sequence

import duckdb

from analytics.errors import SchemaError
from analytics.logs.storage import catalogue, folders, tables, upkeep
from analytics.logs.storage.arrivals import Arrival, emptied, entered, refreshed
from analytics.logs.storage.ingest import Ingested
from analytics.logs.storage.safe import SafeDatabase

LONGEST_NAME = 200


class FolderStore(SafeDatabase):
    """The open database, and the folders that are logs in it."""

    def folder(self, dataset: str) -> folders.Folder | None:
        """The folder in which a dataset's rows stay; None where they are no folder's."""
        with self.cursor() as cursor:
            return folders.folder(cursor, dataset)

    def places(self, dataset: str) -> list[folders.Place]:
        """The files that the cells of a folder are made of, by name."""
        with self.cursor() as cursor:
            return folders.places(cursor, dataset)

    def reachable(self, dataset: str) -> bool:
        """Whether a dataset's rows can be read: here, or in a folder that is as its cells saw it."""
        with self.cursor() as cursor:
            try:
                tables.of(cursor, dataset, "decisions")
            except tables.RowsElsewhereError:
                return False
        return True

    def set_folder(self, dataset: str, found: folders.Folder, *, badge: str | None = None) -> None:
        """Make a dataset of a folder, which has no files yet, or say where its folder lies now.

        The database is opened again, since what it may read is settled when it is opened: nobody else may
        use it meanwhile.

        Raises:
            SchemaError: A dataset of this name is no folder's, or the name is unusable.
        """
        dataset = usable_name(dataset)
        with self._transaction() as cursor:
            if catalogue.form(cursor, dataset) and folders.folder(cursor, dataset) is None:
                raise SchemaError(
                    f"There is a dataset named {dataset} already, with rows of its own. Choose another name."
                )
            folders.register(cursor, dataset, found, badge=badge)
        self._reopen()

    def set_cells(
        self,
        dataset: str,
        files: Sequence[folders.Place],
        fill: Callable[[duckdb.DuckDBPyConnection, tables.Kept], None],
        *,
        arrivals: Sequence[Arrival] = (),
        anew: bool = False,
    ) -> None:
        """Add what new files of a folder come to, in one transaction; then its view shows them.

        Args:
            dataset: Of the folder.
            files: All files that its cells are made of from now on.
            fill: Called with a cursor and the dataset's tables of cells, to which it adds.
            arrivals: The ledger entries of the new files.
            anew: Whether what is there is thrown away first.
        """
        with self._transaction(forgets=anew) as cursor:
            key = catalogue.key(cursor, dataset)
            if anew:
                emptied(cursor, dataset)
            fill(cursor, tables.kept_ready(cursor, key))
            for arrival in arrivals:
                entered(cursor, dataset, arrival, Ingested(arrival.read - arrival.rejected, 0))
            folders.keep_places(cursor, dataset, files)
            refreshed(cursor, dataset)
        with self._writing, self.cursor() as cursor:
            folders.view(cursor, dataset, key)

    def cells_due(self, dataset: str) -> upkeep.Due | None:
        """What has to be done before the cells of a large dataset say what its rows say."""
        with self.cursor() as cursor:
            return upkeep.due(cursor, dataset)

    def keep_cells(
        self, dataset: str, fill: Callable[[duckdb.DuckDBPyConnection, tables.Kept, upkeep.Due], None]
    ) -> None:
        """Bring the cells of a large dataset up to date; where another thread did it, nothing is done.

        Args:
            dataset: Name of the dataset.
            fill: Called with a cursor, the dataset's tables of cells, to which it adds, and what is due.
        """
        with self._transaction() as cursor:
            found = upkeep.due(cursor, dataset)
            if found is None:
                return
            key = catalogue.key(cursor, dataset)
            if found.anew:
                for form in tables.KEPT:
                    tables.drop(cursor, form, key)
            fill(cursor, tables.kept_ready(cursor, key), found)
            upkeep.done(cursor, dataset)


def usable_name(name: str) -> str:
    """A dataset's name without blanks around it.

    Raises:
        SchemaError: It is unusable.
    """
    trimmed = name.strip()
    if not trimmed or len(trimmed) > LONGEST_NAME or "\0" in trimmed:
        raise SchemaError(f"A dataset's name has 1 to {LONGEST_NAME} characters. Found: {len(trimmed)}.")
    return trimmed
