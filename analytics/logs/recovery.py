"""A database built again from the files that were kept, after it was damaged, lost or cut short."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from analytics.errors import SchemaError, TiertuneError
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
        lost: Names of files that are not kept or could not be read, with the reason.
    """

    aside: str | None
    datasets: list[str] = field(default_factory=list)
    files: int = 0
    rows: int = 0
    lost: list[str] = field(default_factory=list)


def recover(store: Store, *, progress: Progress | None = None) -> Recovery | None:
    """Load again every kept file that is missing; None if nothing was.

    What was set by hand comes back as well. The outcome is noted in the database for its next reader.

    Args:
        store: As it was opened.
        progress: Called with records and stage of the file being read.
    """
    missing = store.missing()
    if not missing and store.aside is None:
        return None
    names, lost, files, rows = [], [], 0, 0
    for dataset in missing:
        name = store.revive(dataset)
        names.append(name)
        for file in dataset.files:
            try:
                rows += _loaded_again(store, name, file, progress=progress)
                files += 1
            except TiertuneError as error:
                lost.append(f"{file.name}: {error}")
            store.given_up(dataset.key, [file.file_id])
        _as_by_hand(store, name, dataset)
    found = Recovery(store.aside, names, files, rows, lost)
    store.note(NOTE, staging.dumps(found))
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
    told = f"{kept} with {found.rows:,} rows were loaded again."
    gone = f" Not to be had any more: {'; '.join(found.lost)}" if found.lost else " Nothing is missing."
    return f"{start} {told}{gone}"


def _loaded_again(store: Store, dataset: str, file: FileRecipe, *, progress: Progress | None) -> int:
    """Rows that a kept file gives again.

    Raises:
        TiertuneError: It was not kept, or cannot be read.
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
    """What somebody had set: prices, pairs, tiers; what no longer fits is as it follows from the rows."""
    try:
        if dataset.pricing == "all":
            store.reprice(name, of="all")
        if dataset.pairs:
            store.set_ladder(name, dataset.pairs)
        for model, tier in dataset.tiers.items():
            store.set_tier(name, model, tier)
    except SchemaError:
        return
