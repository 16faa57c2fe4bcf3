"""A first look at a folder: what its columns mean, and which content its files have."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.meaning.in_place import is_empty
from analytics.logs.reading.staging import shown
from analytics.logs.storage import folders
from analytics.logs.storage.folders import FILENAME, Folder, Place
from analytics.logs.store import Store

SAMPLE_ROWS = 20_000
_BLOCK = 1 << 22


def looked(store: Store, root: Path, files: Sequence[Place], answers: Answers) -> Folder:
    """What the columns mean, told from the first rows of the last file as if it were loaded."""
    sample = store.staging / "sample.parquet"
    try:
        _sampled(root, files[-1].path, sample)
        inspection = intake.inspect(
            sample,
            name=files[-1].path,
            answers=answers,
            workdir=store.staging,
            remembered=store.saved_mapping,
        )
        try:
            intake.require_settled(inspection)
            mapping = inspection.proposal.mapping
        finally:
            inspection.discard()
    except (OSError, pa.ArrowException):
        raise SchemaError(f"The file {shown(files[-1].path)} cannot be read as Parquet.") from None
    finally:
        sample.unlink(missing_ok=True)
    types = _types(root, files)
    return Folder(root, mapping, types, answers.to_json())


def _sampled(root: Path, path: str, sample: Path) -> None:
    """The first rows of a file, with the keys in its folders' names as columns."""
    with pq.ParquetFile(root / path) as file:
        batch = next(file.iter_batches(batch_size=SAMPLE_ROWS), None)
        table = file.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])
    for part in Path(path).parent.parts:
        key, found, value = part.partition("=")
        if found and key not in table.column_names:
            table = table.append_column(key, pa.array([unquote(value)] * table.num_rows, pa.string()))
    pq.write_table(table, sample)


def _types(root: Path, files: Sequence[Place]) -> dict[str, str]:
    """Column -> type in DuckDB; of the folder's own files, which whoever runs the command has named."""
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM {folders.source(root, files)}").fetchall()  # noqa: S608
    return {str(row[0]): str(row[1]) for row in described if row[0] != FILENAME}


def filled(found: Folder) -> bool:
    """Whether a column that is read, and had no value in any file, has some now: then its type is known."""
    read = {name for sources in found.mapping.columns.values() for name in sources}
    empty = [name for name in read if is_empty(found.types.get(name, ""))]
    if not empty:
        return False
    types = _types(found.path, folders.listed(found.path))
    return any(not is_empty(types.get(name, "NULL")) for name in empty)


def hashed(root: Path, files: Sequence[Place]) -> dict[str, Place]:
    """The files with their SHA-256, by path."""

    def one(place: Place) -> Place:
        digest = hashlib.sha256()
        with (root / place.path).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        return replace(place, file_id=digest.hexdigest())

    try:
        with ThreadPoolExecutor(2) as pool:
            return {place.path: place for place in pool.map(one, files)}
    except OSError:
        raise SchemaError("A file of the folder cannot be read. Check who may read it.") from None
