"""A database built again from the files that were kept, after it was damaged, lost or cut short."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers, Mapping
from analytics.logs.reading import staging
from analytics.logs.storage.recipe import DatasetRecipe, FileRecipe
from analytics.logs.store import Store

NOTE = "recovery"
Progress = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of what was missing.

    Attributes:
        aside: Name under which the damaged database lies beside the new one; null if none was damaged.
        datasets: Names of those that are back, in whole or in part.
        files: That were loaded again.
        rows: That they gave.
        lost: Names of files that are not kept or could not be read this time, with the reason.
    """

    aside: str | None
    datasets: list[str] = field(default_factory=list)
    files: int = 0
    rows: int = 0
    lost: list[str] = field(default_factory=list)


def recover(store: Store, *, progress: Progress | None = None) -> Recovery | None:
    """Load again every kept file that is missing; None if nothing was.

    What was set by hand comes back as well. The outcome is noted in the database for its next reader, and
    with each file anew, so that a recovery that is cut off is told of and goes on the next time. A kept file
    that cannot be loaded stays and is tried again at every start, until its dataset is deleted.

    Args:
        store: As it was opened.
        progress: Called with records and stage of the file being read.

    Raises:
        StoreError: The disk is full; what is missing is looked for again the next time.
    """
    missing = store.missing()
    if not missing and store.aside is None:
        return None
    found = replace(noted(store) or Recovery(None), lost=[])
    found = replace(found, aside=store.aside or found.aside)
    store.note(NOTE, staging.dumps(found))
    for dataset in missing:
        name = store.revive(dataset)
        found = replace(found, datasets=list(dict.fromkeys([*found.datasets, name])))
        for file in dataset.files:
            try:
                rows = _loaded_again(store, name, file, progress=progress)
            except SchemaError as error:
                found = replace(found, lost=[*found.lost, f"{file.name}: {error}"])
                if store.kept(file.file_id) is None:
                    store.given_up(dataset.key, [file.file_id])
            else:
                found = replace(found, files=found.files + 1, rows=found.rows + rows)
                store.given_up(dataset.key, [file.file_id])
            store.note(NOTE, staging.dumps(found))
        _as_by_hand(store, name, dataset)
        store.finished(dataset.key)
    return found


def noted(store: Store) -> Recovery | None:
    """The outcome of the last recovery, until somebody has read it."""
    text = store.noted(NOTE)
    found: Recovery | None = staging.restored(Recovery, json.loads(text)) if text else None
    return found


def dismissed(store: Store) -> None:
    """Forget the outcome: it has been read."""
    store.note(NOTE, None)


def sentence(found: Recovery) -> str:
    """What happened, for people."""
    start = (
        f"The database was damaged and set aside as {found.aside}."
        if found.aside
        else "The database lacked files that had been loaded."
    )
    kept = f"{found.files:,} kept file{'' if found.files == 1 else 's'}"
    rows = f"{found.rows:,} row{'' if found.rows == 1 else 's'}"
    told = f"{kept} with {rows} {'was' if found.files == 1 else 'were'} loaded again."
    gone = f" Not loaded: {'; '.join(found.lost)}" if found.lost else " Nothing is missing."
    return f"{start} {told}{gone}"


def _loaded_again(store: Store, dataset: str, file: FileRecipe, *, progress: Progress | None) -> int:
    """Rows that a kept file gives again.

    Raises:
        SchemaError: It was not kept, or cannot be read.
    """
    path = store.kept(file.file_id)
    if path is None:
        raise SchemaError("it was not kept; load it again.")
    mapping = Mapping.from_json(file.mapping)
    answers = Answers.from_json(file.answers)
    inspection = intake.inspect(
        path,
        name=file.name,
        answers=intake.replaying(answers, mapping),
        workdir=store.staging,
        trusted=True,
        keep=False,
        progress=progress,
    )
    try:
        converted = intake.convert(inspection, mapping, prices=answers.prices, progress=progress)
        report = intake.loaded(store, dataset, inspection, mapping, converted, answers=answers, again=True)
        return report.loaded
    finally:
        inspection.discard()


def _as_by_hand(store: Store, name: str, dataset: DatasetRecipe) -> None:
    """What somebody had set: graders, prices, pairs, tiers; what no longer fits is as the rows have it."""
    if dataset.graders is not None:
        with contextlib.suppress(SchemaError):
            store.set_grader_order(name, dataset.graders)
    if dataset.pricing == "all":
        with contextlib.suppress(SchemaError):
            store.reprice(name, of="all")
    if dataset.pairs:
        with contextlib.suppress(SchemaError):
            store.set_ladder(name, dataset.pairs)
    for model, tier in dataset.tiers.items():
        with contextlib.suppress(SchemaError):
            store.set_tier(name, model, tier)
