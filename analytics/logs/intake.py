"""From a log file to rows in the store: inspect, convert, load. Files are parsed in a child process."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from analytics.collapse.upkeep import kept_up
from analytics.errors import SchemaError
from analytics.logs.inspection import (
    Cancel,
    Inspection,
    Progress,
    inspect,
    removed_on_failure,
    require_settled,
    time_limit_s,
)
from analytics.logs.meaning.convert import TYPED, Converted
from analytics.logs.meaning.mapping import Answers, Mapping, signature
from analytics.logs.prices import Overrides
from analytics.logs.reading import child
from analytics.logs.reading.child import Cancelled
from analytics.logs.reading.staging import LIMITS, PLACES, Problem, Staged, restored
from analytics.logs.reports import (
    REJECTED_SHARE,
    FileReport,
    ManyRejectsError,
    OpenQuestionsError,
    named,
    price_notes,
    refuse_many_rejects,
    summary,
)
from analytics.logs.storage.arrivals import Arrival
from analytics.logs.storage.database import StoreError, unwritten
from analytics.logs.storage.ingest import Ingested
from analytics.logs.store import Store

__all__ = [
    "REJECTED_SHARE",
    "Cancelled",
    "FileReport",
    "Inspection",
    "ManyRejectsError",
    "OpenQuestionsError",
    "arrived",
    "convert",
    "inspect",
    "load",
    "loaded",
    "named",
    "remember",
    "replaying",
    "report",
    "require_settled",
    "summary",
    "uploaded",
]


def convert(
    inspection: Inspection,
    mapping: Mapping,
    *,
    prices: dict[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Converted:
    """Turn the staged rows into typed ones by ``mapping``, in a child process.

    Args:
        inspection: The file.
        mapping: Confirmed by the user or the flags.
        prices: Model -> (input, output) price in USD per million tokens.
        progress: Called with the rows converted and the stage.
        cancelled: Polled; true stops the work.

    Raises:
        SchemaError: The rows cannot be converted.
        Cancelled: Stopped by ``cancelled``.
    """
    ready = inspection.ready(mapping, prices or {})
    if ready is not None:
        return ready
    found = child.result(
        "convert",
        {"folder": str(inspection.folder), "mapping": mapping.to_json(), "prices": prices or {}},
        folder=inspection.folder,
        seconds=time_limit_s(inspection.staged.size_bytes),
        progress=progress,
        cancelled=cancelled,
    )
    converted: Converted = restored(Converted, found)
    return converted


def loaded(
    store: Store,
    dataset: str,
    inspection: Inspection,
    mapping: Mapping,
    converted: Converted,
    *,
    answers: Answers,
    badge: str | None = None,
    again: bool = False,
) -> FileReport:
    """Store a converted file in one transaction and report what became of each record.

    Args:
        store: Where the rows go; the file must have been inspected in its staging folder.
        dataset: Name of the log.
        inspection: How the file was read.
        mapping: What it was converted by.
        converted: What that gave.
        answers: What the user said, remembered with the file.
        badge: Shown beside the dataset's name.
        again: Whether it was loaded once before, so that its rejects are accepted.

    Raises:
        SchemaError: More than 10% of the records are rejected, conflicts included, and that is not
            accepted; nothing was loaded.
    """
    staged = inspection.staged
    rejected = staged.rejected + converted.rejected
    rejects, _ = problems(staged, converted)

    def judge(conflicts: list[Problem]) -> None:
        if not (answers.accept_rejects or again):
            problems, unit = [*rejects, *conflicts], PLACES[staged.format]
            refuse_many_rejects(staged.read, rejected + len(conflicts), problems, unit=unit)

    judge([])
    arrival = arrived(inspection, mapping, converted, answers=answers, stated=store.prices(), again=again)
    stored = store.ingest(dataset, arrival, badge=badge, raw=inspection.raw, judge=judge)
    with contextlib.suppress(StoreError):  # the file is in; what pages read of it can be summed up later
        kept_up(store, dataset, anew=False)
    return report(mapping, arrival, stored)


def report(mapping: Mapping, arrival: Arrival, stored: Ingested) -> FileReport:
    """What became of each record of a file that was stored."""
    rejects, changes = arrival.problems[: arrival.rejected], arrival.problems[arrival.rejected :]
    return FileReport(
        file=arrival.name,
        format=arrival.format,
        read=arrival.read,
        loaded=stored.loaded,
        rejected=arrival.rejected + len(stored.conflicts),
        duplicates=stored.duplicates,
        confidence_set_null=arrival.confidence_set_null,
        mapping=mapping.shown(),
        problems=[*rejects, *stored.conflicts, *changes][: LIMITS.problems],
        problems_total=(arrival.problems_total or 0) + len(stored.conflicts),
        notes=list(arrival.notes),
        passed=dict(arrival.passed),
    )


def arrived(
    inspection: Inspection,
    mapping: Mapping,
    converted: Converted,
    *,
    answers: Answers,
    stated: Overrides,
    again: bool = False,
) -> Arrival:
    """A converted file as the store takes it.

    Args:
        inspection: How the file was read.
        mapping: What it was converted by.
        converted: What that gave.
        answers: What the user said, remembered with the file.
        stated: Prices set by hand before.
        again: Whether it was loaded once before.
    """
    staged = inspection.staged
    told = price_notes(converted.unpriced, converted.unlisted, stated)
    rejects, changes = problems(staged, converted)
    return Arrival(
        typed=inspection.folder / TYPED,
        form=converted.form,
        file_id=staged.file_id,
        name=staged.file_name,
        format=staged.format,
        read=staged.read,
        rejected=staged.rejected + converted.rejected,
        confidence_set_null=converted.confidence_set_null,
        mapping=mapping.to_json(),
        answers=answers.to_json(),
        problems=[*rejects, *changes][: LIMITS.problems],
        problems_total=staged.problems_total + converted.problems_total,
        notes=list(dict.fromkeys([*staged.notes, *inspection.proposal.notes, *converted.notes, *told])),
        passed=staged.passed,
        prices=answers.prices,
        again=again,
        distinct=converted.distinct,
    )


def problems(staged: Staged, converted: Converted) -> tuple[list[Problem], list[Problem]]:
    """Problems of rejected records, by line, and of values that were set to null."""
    rejects = [*staged.problems, *converted.problems[: converted.rejected]]
    return sorted(rejects, key=lambda problem: problem.line), converted.problems[converted.rejected :]


def load(
    store: Store,
    dataset: str,
    paths: Sequence[Path],
    answers: Answers,
    *,
    names: Sequence[str] | None = None,
    badge: str | None = None,
    grades: bool = True,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> list[FileReport]:
    """Load files into a dataset: every file is read and converted before the first is stored.

    Args:
        store: Where the rows go.
        dataset: Name of the log.
        paths: The files; each is one transaction.
        answers: Answers to what the files leave open.
        names: What the user calls them; the paths' last parts where null.
        badge: Shown beside the dataset's name.
        grades: Whether a file of grades is taken too; else it is refused.
        progress: Called with the records done and the stage.
        cancelled: Polled until the first file is stored; true stops the work.

    Raises:
        OpenQuestionsError: A file leaves something open; nothing was loaded.
        SchemaError: A file cannot be loaded; nothing was loaded.
        Cancelled: Stopped; nothing was loaded.
    """
    ready: list[tuple[Inspection, Converted]] = []
    try:
        for place, path in enumerate(paths):
            name = names[place] if names else path.name
            with named(name):
                inspection, converted = _prepared(
                    store,
                    path,
                    name=name,
                    answers=answers,
                    grades=grades,
                    progress=progress,
                    cancelled=cancelled,
                )
                ready.append((inspection, converted))
        if cancelled is not None and cancelled():
            raise Cancelled("Stopped; nothing was loaded.")
        reports = []
        for inspection, converted in ready:
            with named(inspection.staged.file_name):
                reports.append(
                    loaded(
                        store,
                        dataset,
                        inspection,
                        inspection.proposal.mapping,
                        converted,
                        answers=answers,
                        badge=badge,
                    )
                )
            remember(store, inspection, answers)
        return reports
    finally:
        for inspection, _ in ready:
            inspection.discard()


def replaying(answers: Answers, mapping: Mapping) -> Answers:
    """The answers with which a file is read just as it was when this mapping was confirmed."""
    return replace(answers, dialect=mapping.dialect, encoding=mapping.encoding or answers.encoding)


def uploaded(source: BinaryIO, workdir: Path) -> Path:
    """A private copy of an upload, under a name of our own.

    Raises:
        StoreError: The disk is full.
    """
    path = workdir / uuid.uuid4().hex
    try:
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise unwritten(error) from None
    return path


def _prepared(
    store: Store,
    path: Path,
    *,
    name: str,
    answers: Answers,
    grades: bool,
    progress: Progress | None,
    cancelled: Cancel | None,
) -> tuple[Inspection, Converted]:
    """A file read and converted; what it staged is gone if that fails."""
    inspection = inspect(
        path,
        name=name,
        answers=answers,
        workdir=store.staging,
        remembered=store.saved_mapping,
        keep=store.keeps_files,
        progress=progress,
        cancelled=cancelled,
    )
    with removed_on_failure(inspection.folder):
        mapping = inspection.proposal.mapping
        if mapping.form == "grades" and not grades:
            raise SchemaError(
                "These are grades, which belong to a log that is loaded already. Nothing was loaded. Join "
                "them to it: tiertune join NAME FILE."
            )
        require_settled(inspection)
        converted = convert(
            inspection, mapping, prices=answers.prices, progress=progress, cancelled=cancelled
        )
        require_few_rejects(inspection, converted, answers)
    return inspection, converted


def require_few_rejects(inspection: Inspection, converted: Converted, answers: Answers) -> None:
    """Refuse a file of which more than 10% is rejected with ``SchemaError``, unless that is accepted."""
    if not answers.accept_rejects:
        staged = inspection.staged
        rejects, _ = problems(staged, converted)
        rejected, unit = staged.rejected + converted.rejected, PLACES[staged.format]
        refuse_many_rejects(staged.read, rejected, rejects, unit=unit)


def remember(store: Store, inspection: Inspection, answers: Answers) -> None:
    """Keep a mapping that the user had a say in for files with the same columns."""
    if answers.map or answers.set or answers.unit or answers.decimal or answers.dates:
        store.save_mapping(signature(inspection.staged.columns), inspection.proposal.mapping.to_json())
