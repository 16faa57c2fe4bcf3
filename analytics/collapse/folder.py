"""A folder of Parquet files as a log, without copying a row: opened once, then only new files are read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from analytics.collapse import folder_checks as checks
from analytics.collapse import keeping
from analytics.collapse.folder_look import filled, hashed, looked
from analytics.errors import SchemaError
from analytics.logs.meaning.answers import Answers
from analytics.logs.reading.staging import Problem, shown
from analytics.logs.reports import refuse_many_rejects
from analytics.logs.storage import folders
from analytics.logs.storage.facts import log_sha256
from analytics.logs.storage.folders import Folder, Place
from analytics.logs.storage.tables import Kept
from analytics.logs.store import Store

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What looking into a folder gave.

    Attributes:
        dataset: Name of the log.
        files: Files that it is made of now.
        new: Files that were read this time.
        copies: Files left out because another has the same content.
        gone: Files that are not there any more, or were changed, so that all were read again.
        read: Rows of the files that were read.
        rejected: Of these, left out.
        reasons: Reason -> rows left out for it.
        notes: Sentences on how the rows are read.
    """

    dataset: str
    files: int
    new: int
    copies: int = 0
    gone: int = 0
    read: int = 0
    rejected: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def opened(
    store: Store,
    dataset: str,
    path: Path,
    answers: Answers,
    *,
    progress: Progress = lambda _: None,
) -> FolderReport:
    """Make a log of a folder, or look for new files in one that is a log already.

    Args:
        store: The open store, which nobody else uses meanwhile.
        dataset: Name of the log.
        path: Of the folder.
        answers: What the files leave open; those of the first time where none are given.
        progress: Called with what is done.

    Raises:
        SchemaError: There is no Parquet file, or its rows cannot be read where they are.
        OpenQuestionsError: The files leave something open.
    """
    root = path.expanduser().resolve()
    if not root.is_dir():
        raise SchemaError(f"There is no folder {shown(path.name)}.")
    held = store.folder(dataset)
    if held is None or held.path != root or answers != Answers() or filled(held):
        files = folders.listed(root)
        if not files:
            raise SchemaError(
                f"The folder {shown(root.name)} has no Parquet file (names that end with .parquet). "
                "Load files of other formats: tiertune load."
            )
        if answers == Answers() and held is not None:
            answers = Answers.from_json(held.answers)
        progress("looking at values")
        found = looked(store, root, files, answers)
        found.read()
        other = held is not None and (held.mapping, held.types) != (found.mapping, found.types)
        store.set_folder(dataset, found)
        return refreshed(store, dataset, anew=other, progress=progress)
    return refreshed(store, dataset, progress=progress)


def refreshed(
    store: Store, dataset: str, *, anew: bool = False, progress: Progress = lambda _: None
) -> FolderReport:
    """Read the files of a folder that are new; all of them where one is gone or was changed.

    Args:
        store: The open store.
        dataset: Name of a log that is a folder.
        anew: Whether all files are read again.
        progress: Called with what is done.

    Raises:
        SchemaError: The folder is gone, a file does not fit, or requests stand twice.
    """
    found = store.folder(dataset)
    if found is None:
        raise SchemaError(f"The rows of {dataset} are not in a folder.")
    if not found.known or not found.path.is_dir():
        raise SchemaError(
            "The folder of this log is not there. If it lies elsewhere now, open it there: "
            "tiertune open FOLDER."
        )
    known = {place.path: place for place in store.places(dataset)}
    files = folders.listed(found.path)
    fresh = [place for place in files if not place.same(known.get(place.path))]
    progress("hashing files")
    content = hashed(found.path, fresh)
    now = [content.get(place.path) or known[place.path] for place in files]
    unique = {place.file_id: place for place in reversed(now)}
    before = {place.file_id for place in known.values()}
    gone = len(before - unique.keys())
    anew = anew or gone > 0
    news = [place for place in unique.values() if anew or place.file_id not in before]
    kept = (
        []
        if anew
        else [
            replace(unique[one.file_id], first_ts=one.first_ts, last_ts=one.last_ts) for one in known.values()
        ]
    )
    report = FolderReport(dataset, len(unique), len(news), len(files) - len(unique), gone)
    if not news:
        if sorted(kept, key=_by_path) != sorted(known.values(), key=_by_path) or not store.reachable(dataset):
            store.set_cells(dataset, kept, lambda _cursor, _tables: None, anew=anew)
        return report
    return _added(store, dataset, found, report, news=news, kept=kept, anew=anew, progress=progress)


def _added(
    store: Store,
    dataset: str,
    found: Folder,
    report: FolderReport,
    *,
    news: list[Place],
    kept: list[Place],
    anew: bool,
    progress: Progress,
) -> FolderReport:
    read = found.read()
    answers = Answers.from_json(found.answers)
    with store.cursor() as cursor:
        cursor.execute("SET max_execution_time = 0")
        progress("checking rows")
        checks.require_columns(cursor, found, news)
        timed, arrivals = checks.counted(cursor, found, read, news)
        total, rejected = sum(one.read for one in arrivals), sum(one.rejected for one in arrivals)
        why = checks.reasons(cursor, found, read, news) if rejected else ()
        if not answers.accept_rejects:
            listed = [Problem(0, None, f"{reason} ({count:,} rows)") for reason, count in why]
            refuse_many_rejects(total, rejected, listed, unit="row")
        sound = rejected == 0 and (anew or store.files(dataset)["rejected"].sum() == 0)
        progress("looking for repeated requests")
        asked = [
            checks.new_requests(cursor, found, read, group, news=timed, sound=sound)
            for group in checks.overlapping(timed, kept)
        ]
        summed, requests = news, sum(count for count, _ in asked)
        spread = any(some for _, some in asked)
        if spread:  # their calls would count twice: all files are summed up together
            summed = [*kept, *timed]
            requests = sum(
                checks.new_requests(cursor, found, read, group, news=summed, sound=sound)[0]
                for group in checks.overlapping(summed, [])
            )
        several = checks.several_pairs(cursor, found, read, summed, sound=sound)
    progress("summing up")

    def fill(cursor: duckdb.DuckDBPyConnection, tables: Kept) -> None:
        if spread:
            keeping.clear(cursor, tables)
        keeping.add(
            cursor,
            tables,
            source=log_sha256(place.file_id for place in summed),
            log=f"({read.rows(folders.source(found.path, summed), sound=sound)})",
            requests=requests,
            several_pairs=several,
        )

    store.set_cells(dataset, [*kept, *timed], fill, arrivals=arrivals, anew=anew)
    keeping.compact_later(store, dataset)
    return replace(report, read=total, rejected=rejected, reasons=why, notes=read.notes)


def _by_path(place: Place) -> str:
    return place.path
