"""What storing a converted file would do, without doing it."""

from pathlib import Path

import pyarrow.parquet as pq

from analytics.logs.reading.staging import Problem
from analytics.logs.schema import Form
from analytics.logs.storage.ingest import KEYS, ingest_rows
from analytics.logs.store import Store


def foreseen_conflicts(store: Store, dataset: str, typed: Path, *, form: Form, file_id: str) -> list[Problem]:
    """Rows that would be refused because their key is taken by other content; nothing is changed.

    The rows are inserted and rolled back, unless their keys differ and the dataset is new.

    Args:
        store: Where the file is to go.
        dataset: Name of the log.
        typed: The converted file, in the store's staging folder.
        form: Table that it is for.
        file_id: SHA-256 of the file's content; a file that is loaded already has no conflicts.
    """
    if file_id in store.files(dataset)["file_id"]:
        return []
    present = set(pq.read_schema(typed).names)
    keys = ", ".join(key for key in KEYS[form] if key in present)
    with store.cursor() as cursor:
        repeated = cursor.execute(
            f"SELECT count(*) > count(DISTINCT hash({keys})) FROM read_parquet($path)",  # noqa: S608 - our own names
            {"path": str(typed)},
        ).fetchone()
        if repeated == (False,) and store.files(dataset).is_empty():
            return []
        cursor.execute("BEGIN")
        try:
            return ingest_rows(cursor, dataset, typed, form=form, file_id=file_id).conflicts
        finally:
            cursor.execute("ROLLBACK")
