"""The commands about logs themselves: load, datasets, delete."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import polars as pl

from analytics import machine_output
from analytics.commands import flags, opening, writing
from analytics.commands.outcome import InputError, Outcome, count, percent, table
from analytics.errors import SchemaError
from analytics.logs import rejects
from analytics.logs.intake import FileReport, ManyRejectsError
from analytics.logs.reading.staging import PLACES, shown
from analytics.logs.store import Store
from analytics.spreadsheet import csv_text

SHOWN_PROBLEMS = 20
_GRADES_ALONE = frozenset(
    {"request_id", "unit_id", "ts", "correct", "correct_source", "sampling_probability", "attributes"}
)


def add_load(commands: Any) -> None:
    """``tiertune load``."""
    parser = flags.command(commands, "load", text="Load log files into a dataset.", run=load)
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="CSV, JSON, JSON lines, Parquet; .gz, .zst; a folder stands for all of them in it",
    )
    parser.add_argument(
        "--dataset", metavar="NAME", help="dataset to load into (default: the first file's name)"
    )
    parser.add_argument(
        "--rejects", type=Path, metavar="FILE", help="write rejected and changed records there, as CSV"
    )
    flags.add_keep(parser)
    flags.add_answers(parser)


def add_datasets(commands: Any) -> None:
    """``tiertune datasets``."""
    flags.command(commands, "datasets", text="List the datasets.", run=datasets)


def add_delete(commands: Any) -> None:
    """``tiertune delete``."""
    parser = flags.command(commands, "delete", text="Forget a dataset and its rows.", run=delete)
    parser.add_argument("dataset", metavar="NAME", help="name of the dataset")


def load(options: argparse.Namespace) -> Outcome:
    """Load files into a dataset of the database."""
    dataset = (options.dataset or opening.dataset_name(options.files[0])).strip()
    files, skipped = opening.log_files(options.files)
    if options.rejects is not None:
        files = _without_rejects(files, options.rejects)
    with opening.database(options, keep=not options.no_keep) as store:
        try:
            reports = opening.loaded(store, dataset, files, options)
        except ManyRejectsError as error:
            if options.rejects is None:
                raise
            _write_refused(error, options, store.staging)
            raise SchemaError(f"{error} Which and why stands in {options.rejects}.") from None
        if options.rejects is not None:
            _write_rejects(reports, files, options, store.staging)
        question = opening.open_ladder(store, dataset)
        unknown = opening.unknown_tiers(store, dataset)
    lines = [
        line for report in reports for line in report_lines(report, rejects_flag=options.rejects is None)
    ]
    notes = (*skipped, *dict.fromkeys(note for report in reports for note in report.notes))
    notes += tuple(
        f"{shown(report.file)} names no model and has nothing but grades. If they are about another log, "
        f"take them back and join them to it: tiertune join NAME {quote(report.file)}"
        for report in reports
        if _GRADES_ALONE.issuperset(report.mapping)
    )
    if options.rejects is not None:
        lines.append(f"Rejected and changed records: {options.rejects}")
    notes += (*opening.ladder_note(question), *unknown)
    return Outcome(
        machine_output.load_document(dataset, reports), "\n".join([f"Dataset {dataset}", *lines]), notes
    )


def datasets(options: argparse.Namespace) -> Outcome:
    """The datasets of the database."""
    if not Store.exists(flags.database(options)):
        return Outcome({"datasets": []}, "No datasets yet. Load one: tiertune load FILE")
    with opening.database(options) as store:
        found = store.datasets().to_dicts()
    rows = [
        [
            row["name"],
            _period(row),
            count(row["requests"]),
            count(row["categories"]),
            count(row["models"]),
            count(row["files"]),
            percent(row["confidence_share"]),
            percent(row["graded_share"]),
            percent(row["both_graded_share"]),
            percent(row["cost_share"]),
            percent(row["latency_share"]),
        ]
        for row in found
    ]
    header = (
        "dataset",
        "period",
        "requests",
        "categories",
        "models",
        "files",
        "confidence",
        "graded",
        "both graded",
        "cost",
        "latency",
    )
    text = table(header, rows, texts=2) if rows else "No datasets yet. Load one: tiertune load FILE"
    return Outcome(machine_output.datasets_document(found), text)


def delete(options: argparse.Namespace) -> Outcome:
    """Forget a dataset."""
    path = flags.database(options)
    if not Store.exists(path):
        raise InputError(f"There is no dataset named {options.dataset}: the database {path} does not exist.")
    with opening.database(options) as store:
        store.delete(options.dataset)
    return Outcome({"deleted": options.dataset}, f"Deleted {shown(options.dataset)}.")


def report_lines(report: FileReport, *, rejects_flag: bool = False) -> list[str]:
    """What became of a file, line by line; with the flag that writes all rejects where there is one."""
    counted = f"{report.loaded:,} loaded + {report.rejected:,} rejected + {report.duplicates:,} duplicates"
    lines = [f"{shown(report.file)} ({report.format}): {report.read:,} read = {counted}"]
    if report.confidence_set_null:
        lines.append(
            f"  {report.confidence_set_null:,} confidences are no number in [0, 1] and count as missing"
        )
    if report.passed:
        reasons = sorted(report.passed.items(), key=lambda item: -item[1])
        listed = "; ".join(f"{number:,} {shown(reason, limit=160)}" for reason, number in reasons)
        lines.append(f"  beside these, {sum(report.passed.values()):,} passed over: {listed}")
    read_from = ", ".join(f"{name} = {shown(source)}" for name, source in report.mapping.items())
    lines.append("  a log's cells" if "part" in report.mapping else f"  {read_from}")
    unit = PLACES[report.format]
    for problem in report.problems[:SHOWN_PROBLEMS]:
        column = f", {shown(problem.column)}" if problem.column else ""
        lines.append(f"  {unit} {problem.line}{column}: {shown(problem.reason, limit=200)}")
    if report.problems_total > SHOWN_PROBLEMS:
        more = report.problems_total - SHOWN_PROBLEMS
        written = ", --rejects FILE writes them" if rejects_flag else ""
        lines.append(f"  and {more:,} more; --json lists them{written}")
    return lines


def _without_rejects(files: Sequence[Path], target: Path) -> list[Path]:
    """The files without the table of an earlier load, which a folder may hold and the next one replaces.

    Raises:
        InputError: Something else is there, or it cannot be written; nothing was loaded.
    """
    writing.require_writable(target)
    if not target.exists():
        return list(files)
    if not target.is_file() or not rejects.is_table(target):
        raise InputError(
            f"{target} exists and is no table of rejected records. Nothing was loaded. Name another file for "
            "--rejects."
        )
    found = [path for path in files if not path.exists() or not path.samefile(target)]
    if not found:
        raise InputError(f"There is nothing to load but {target}, which is a table of rejected records.")
    return found


def _write_rejects(
    reports: Sequence[FileReport], files: Sequence[Path], options: argparse.Namespace, workdir: Path
) -> None:
    frames = [
        rejects.reported(report, path, encoding=options.encoding, workdir=workdir)
        for report, path in zip(reports, files, strict=True)
    ]
    writing.write(options.rejects, csv_text(pl.concat(frames)))


def _write_refused(error: ManyRejectsError, options: argparse.Namespace, workdir: Path) -> None:
    """The rejects of the one file for which nothing was loaded."""
    lines = (
        rejects.originals(Path(error.name), error.problems, encoding=options.encoding, workdir=workdir)
        if error.unit == rejects.LINE
        else {}
    )
    found = rejects.rejects(error.name, error.problems, rejected=len(error.problems), originals=lines)
    writing.write(options.rejects, csv_text(found))


def _period(row: dict[str, Any]) -> str:
    first, last = row["first_ts"], row["last_ts"]
    return "-" if first is None else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
