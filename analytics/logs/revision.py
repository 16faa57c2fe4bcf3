"""A loaded file taken back, or read again under another mapping: the dataset as if it had always been so.

Where other files lost rows to the file (duplicates, conflicts), all files of the dataset are converted again
from what was kept and stored anew in one transaction.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.inspection import Inspection
from analytics.logs.meaning.answers import Answers, Mapping
from analytics.logs.meaning.convert import Converted
from analytics.logs.reading.staging import PLACES, Problem
from analytics.logs.reports import refuse_many_rejects
from analytics.logs.storage.arrivals import Arrival
from analytics.logs.storage.recipe import FileRecipe
from analytics.logs.store import Store

Progress = Callable[[int, str], None]
Cancel = Callable[[], bool]


def take_back(
    store: Store,
    dataset: str,
    file_id: str,
    *,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> None:
    """Take a file out of a dataset; rows of other files that it had kept out come in.

    Raises:
        SchemaError: There is no such file, it is the only log of the dataset, or a file is needed that was
            not kept.
        Cancelled: Stopped; nothing was changed.
    """
    files = _files(store, dataset)
    taken = _one(files, file_id)
    if taken.form != "grades" and sum(file.form != "grades" for file in files) == 1:
        raise SchemaError(f"{taken.name} is the only log of {dataset}. Delete the dataset instead.")
    if store.separable(dataset, file_id):
        store.take_back(dataset, file_id)
        return
    others = [file for file in files if file.file_id != file_id]
    with ExitStack() as staged:
        arrivals = [
            _again(store, file, staged, progress=progress, cancelled=cancelled)
            for file in _all_kept(store, others)
        ]
        store.replace(dataset, arrivals)


def inspect_again(
    store: Store,
    dataset: str,
    file_id: str,
    *,
    answers: Answers | None = None,
    workdir: Path | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Inspection:
    """A loaded file read once more, with its mapping as the proposal.

    Args:
        store: Where it is loaded.
        dataset: Name of its dataset.
        file_id: SHA-256 of its content.
        answers: What the user says now; None: what was said when it was loaded.
        workdir: Private folder within ``Store.staging`` in which a new one is made; by default itself.
        progress: Called with the records read and the stage.
        cancelled: Polled; true stops the work.

    Raises:
        SchemaError: There is no such file, or it was not kept.
        Cancelled: Stopped.
    """
    file = _one(_files(store, dataset), file_id)
    (kept,) = _all_kept(store, [file])
    mapping = Mapping.from_json(kept.mapping)
    return intake.inspect(
        store.kept(file_id),  # type: ignore[arg-type]
        name=file.name,
        answers=answers or intake.replaying(Answers.from_json(file.answers), mapping),
        workdir=workdir or store.staging,
        remembered=lambda _: file.mapping,
        trusted=True,
        progress=progress,
        cancelled=cancelled,
    )


def read_again(
    store: Store,
    dataset: str,
    inspection: Inspection,
    converted: Converted | None = None,
    *,
    answers: Answers,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> intake.FileReport:
    """Let a loaded file have the mapping that its new inspection proposes; its place in the order stays.

    Args:
        store: Where it is loaded.
        dataset: Name of its dataset.
        inspection: Of the file, from ``inspect_again``.
        converted: Its rows by that proposal, if that is done already.
        answers: What the user said about it now.
        progress: Called with records and stage.
        cancelled: Polled; true stops the work before anything is changed.

    Raises:
        SchemaError: Rows cannot be converted, too many are rejected, or a file is needed that was not kept.
        Cancelled: Stopped; nothing was changed.
    """
    mapping, changed = inspection.proposal.mapping, inspection.staged.file_id
    if converted is None:
        converted = intake.convert(
            inspection, mapping, prices=answers.prices, progress=progress, cancelled=cancelled
        )
    arrival = intake.arrived(
        inspection, mapping, converted, answers=answers, stated=store.prices(), again=True
    )

    def judge(conflicts: list[Problem]) -> None:
        if not answers.accept_rejects:
            rejects = [*arrival.problems[: arrival.rejected], *conflicts]
            rejected, unit = arrival.rejected + len(conflicts), PLACES[inspection.staged.format]
            refuse_many_rejects(arrival.read, rejected, rejects, unit=unit)

    judge([])
    files = _files(store, dataset)
    _one(files, changed)
    others = [file for file in files if file.file_id != changed]
    with ExitStack() as staged:
        again = {
            file.file_id: _again(store, file, staged, progress=progress, cancelled=cancelled)
            for file in _all_kept(store, others)
        }
        arrivals = [again.get(file.file_id, arrival) for file in files]
        found = store.replace(dataset, arrivals, judges={changed: judge})[arrivals.index(arrival)]
    return intake.report(mapping, arrival, found)


def _files(store: Store, dataset: str) -> list[FileRecipe]:
    found = next((one.files for one in store.recipe().datasets if one.name == dataset), None)
    if found is None:
        raise SchemaError(f"There is no dataset named {dataset}.")
    return found


def _one(files: list[FileRecipe], file_id: str) -> FileRecipe:
    found = next((file for file in files if file.file_id == file_id), None)
    if found is None:
        raise SchemaError("The dataset has no such file.")
    return found


def _all_kept(store: Store, files: list[FileRecipe]) -> list[FileRecipe]:
    absent = [file.name for file in files if store.kept(file.file_id) is None]
    if absent:
        raise SchemaError(
            f"Files as they were loaded are needed for this and not kept: {', '.join(absent)}. "
            "Delete the dataset and load its files again."
        )
    return files


def _again(
    store: Store,
    file: FileRecipe,
    staged: ExitStack,
    *,
    progress: Progress | None,
    cancelled: Cancel | None,
) -> Arrival:
    """A kept file converted as it was when it was loaded."""
    mapping, answers = Mapping.from_json(file.mapping), Answers.from_json(file.answers)
    inspection = intake.inspect(
        store.kept(file.file_id),  # type: ignore[arg-type]
        name=file.name,
        answers=intake.replaying(answers, mapping),
        workdir=store.staging,
        trusted=True,
        progress=progress,
        cancelled=cancelled,
    )
    staged.callback(inspection.discard)
    converted = intake.convert(
        inspection, mapping, prices=answers.prices, progress=progress, cancelled=cancelled
    )
    return intake.arrived(inspection, mapping, converted, answers=answers, stated=store.prices(), again=True)
