"""By which column a file of grades is joined to a log: the columns whose values are ids of that log."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import polars as pl

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.inspection import Inspection, Progress
from analytics.logs.intake import FileReport
from analytics.logs.meaning.answers import Answers
from analytics.logs.meaning.convert import Converted
from analytics.logs.meaning.profile import ColumnProfile
from analytics.logs.reading.staging import ROWS
from analytics.logs.schema import Form
from analytics.logs.storage import catalogue, tables
from analytics.logs.store import Store

KEYS: dict[Form, tuple[str, ...]] = {
    "calls": ("call_id", "request_id", "unit_id"),
    "decisions": ("request_id", "unit_id"),
}
"""Ids of a log that a grade may name, the most specific first."""

GRADES = "grades"
"""The dialect of a table of grades; a tool's own file of them is recognised all the same."""

RULES = (
    "Of several grades by one grader for one answer the latest counts; of several graders the first of "
    "the order that graded the answer. Graders left out of the order do not count."
)
"""Which of several grades counts, for people."""

_COLUMNS, _LONGEST_ID = 24, 200
_FRAME = {
    "column": pl.String, "key": pl.String, "values": pl.Int64, "matched": pl.Int64, "share": pl.Float64,
    "samples": pl.String, "used": pl.Boolean,
}  # fmt: skip


def candidates(store: Store, dataset: str, inspection: Inspection) -> pl.DataFrame:
    """How well each column of a file of grades matches each id of a log.

    Args:
        store: Where the log is loaded; the file must have been inspected in its staging folder.
        dataset: Name of the log.
        inspection: The file, read as grades.

    Returns:
        One row per column and key where any value matches, the best first, and one for each pair in use:
        column (name in the file), key (call_id, request_id or unit_id), values (different ones in the file),
        matched (of those, in the log), share (of those, in [0, 1]; null without values), samples (three
        values), used (whether the proposed mapping reads the key from this column).

    Raises:
        SchemaError: There is no such dataset.
    """
    mapping = inspection.proposal.mapping
    likely = {profile.name: profile for profile in inspection.looked.profiles if _is_id(profile)}
    used = {(name, key) for key in KEYS["calls"] for name in mapping.columns.get(key, ())}
    wanted = list(dict.fromkeys([*(name for name, _ in used), *likely]))[:_COLUMNS]
    found: list[tuple[str, str, int, int]] = []
    with store.cursor() as cursor:
        form = catalogue.require_rows(cursor, dataset)
        source = {form: tables.of(cursor, dataset, form)}
        log = tables.CALLS if form == "calls" else tables.DECISIONS
        values = cursor.read_parquet(str(inspection.folder / ROWS), hive_partitioning=False)
        for name in wanted:
            position = inspection.staged.columns.index(name)
            different = values.project(f"c{position} AS id").filter("id IS NOT NULL").distinct()
            cursor.execute("CREATE OR REPLACE TEMP TABLE candidate (id VARCHAR)")
            different.insert_into("temp.candidate")
            for key in KEYS[form]:
                counted = cursor.execute(
                    f"SELECT count(*), count(*) FILTER (id IN (SELECT {key} FROM {log})) FROM candidate",  # noqa: S608
                    source,
                ).fetchone()
                found.append((name, key, *(counted or (0, 0))))
        cursor.execute("DROP TABLE IF EXISTS candidate")
    samples = {profile.name: " · ".join(profile.samples) for profile in inspection.looked.profiles}
    rows = [
        (name, key, total, matched, matched / total if total else None, samples[name], (name, key) in used)
        for name, key, total, matched in found
        if matched or (name, key) in used
    ]
    frame = pl.DataFrame(rows, _FRAME, orient="row")
    return frame.sort("share", "matched", descending=True, nulls_last=True, maintain_order=True)


def likeliest(found: pl.DataFrame) -> tuple[str, str] | None:
    """Column and key to join by where none in use matches at all; null if one does, or none could.

    Args:
        found: From ``candidates``.
    """
    if found.filter(pl.col("used") & (pl.col("matched") > 0)).height:
        return None
    best = found.filter(pl.col("matched") > 0).head(1)
    return next(best.select("column", "key").iter_rows(), None)


def require_match(found: pl.DataFrame) -> None:
    """Refuse grades that are about nothing in the log.

    Args:
        found: From ``candidates``.

    Raises:
        SchemaError: No id that the proposed mapping reads is in the log.
    """
    if not found.filter("used")["matched"].sum():
        raise SchemaError(
            "No id of this file is in that log, so nothing was changed. Check that both name requests the "
            "same way, or say which column holds which id (--map request_id=COLUMN)."
        )


def joined_by(answers: Answers, column: str, key: str) -> Answers:
    """``answers`` with a file of grades joined by this column as that id, and by no other."""
    others: dict[str, tuple[str, ...]] = {name: () for name in KEYS["calls"] if name != key}
    return replace(answers, map={**answers.map, **others, key: (column,)})


@dataclass(frozen=True, slots=True)
class Joined:
    """A file of grades that was joined to a log.

    Attributes:
        report: What became of each record.
        candidates: From ``candidates``, as it was joined.
        unmatched: Grades that are about no answer of the log.
        grades: All that the log now has of this file.
        examples: Ids of up to three that are about no answer.
    """

    report: FileReport
    candidates: pl.DataFrame
    unmatched: int
    grades: int
    examples: list[str]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A file of grades before any is stored: how it was read, its rows, and how its ids match."""

    inspection: Inspection
    answers: Answers
    converted: Converted
    candidates: pl.DataFrame


def joined(
    store: Store,
    dataset: str,
    paths: Sequence[Path],
    answers: Answers,
    *,
    names: Sequence[str],
    key: str | None = None,
    progress: Progress | None = None,
) -> list[Joined]:
    """Join files of grades to a log, each by the column and id that match best where nobody says otherwise.

    Every file is read, matched and converted before the first is stored.

    Args:
        store: Where the log is loaded.
        dataset: Name of the log.
        paths: The files; each is one transaction.
        answers: What the user says about them.
        names: What the user calls them.
        key: Id to join by: call_id, request_id or unit_id; None: every one that the mapping reads, or the
            best where none of these matches.
        progress: Called with records and stage.

    Raises:
        OpenQuestionsError: A file leaves something open; nothing was joined.
        SchemaError: There is no such dataset, no id of a file is in it, or its rows cannot be converted.
    """
    answers = replace(answers, dialect=answers.dialect or GRADES)
    ready, done = [], []
    with ExitStack() as staged:
        for path, name in zip(paths, names, strict=True):
            with intake.named(name):
                read = _Reading(store, path, name, progress, staged)
                ready.append(_prepared(read, dataset, answers, key=key))
        for one in ready:
            inspection, mapping = one.inspection, one.inspection.proposal.mapping
            with intake.named(inspection.staged.file_name):
                report = intake.loaded(
                    store, dataset, inspection, mapping, one.converted, answers=one.answers
                )
            intake.remember(store, inspection, one.answers)
            alone, total, examples = store.unmatched_grades(dataset, inspection.staged.file_id)
            done.append(Joined(report, one.candidates, alone, total, examples))
        return done


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one file is read, again and again under other answers; what that staged goes with ``staged``."""

    store: Store
    path: Path
    name: str
    progress: Progress | None
    staged: ExitStack

    def __call__(self, answers: Answers) -> Inspection:
        inspection = intake.inspect(
            self.path,
            name=self.name,
            answers=answers,
            workdir=self.store.staging,
            remembered=self.store.saved_mapping,
            keep=self.store.keeps_files,
            progress=self.progress,
        )
        self.staged.callback(inspection.discard)
        return inspection


def _prepared(read: _Reading, dataset: str, answers: Answers, *, key: str | None) -> _Ready:
    inspection = read(answers)
    found = candidates(read.store, dataset, inspection)
    by = _by_key(found, key) if key else likeliest(found)
    if by is not None:
        answers = joined_by(answers, *by)
        inspection = read(answers)
        found = candidates(read.store, dataset, inspection)
    mapping = inspection.proposal.mapping
    if mapping.form != "grades":
        raise SchemaError(f"This is a log, not a file of grades. Load it: tiertune load {quote(read.name)}.")
    intake.require_settled(inspection)
    require_match(found)
    converted = intake.convert(inspection, mapping, prices=answers.prices, progress=read.progress)
    intake.require_few_rejects(inspection, converted, answers)
    return _Ready(inspection, answers, converted, found)


def _by_key(found: pl.DataFrame, key: str) -> tuple[str, str]:
    """The column that matches an id best, one in use before others.

    Raises:
        SchemaError: None does.
    """
    matching = found.filter(pl.col("matched") > 0)
    best = matching.filter(key=key).sort("used", descending=True, maintain_order=True).head(1)
    if best.is_empty():
        others = ", ".join(f"{row['column']} as {row['key']}" for row in matching.iter_rows(named=True))
        raise SchemaError(
            f"No column of this file holds a {key} of that log. Columns that match: {others or 'none'}."
        )
    return next(best.select("column", "key").iter_rows())


def _is_id(profile: ColumnProfile) -> bool:
    """Whether a column's values could name requests, calls or users."""
    if not profile.filled or profile.longest > _LONGEST_ID or profile.numbers > profile.whole:
        return False
    return profile.distinct > 1 or profile.filled == 1
