"""The commands about logs themselves: load, datasets, delete."""

import argparse
from pathlib import Path
from typing import Any

from analytics import machine_output
from analytics.commands import flags, opening
from analytics.commands.outcome import InputError, Outcome, count, percent, table
from analytics.logs.intake import FileReport
from analytics.logs.reading.staging import PLACES, shown
from analytics.logs.store import Store

SHOWN_PROBLEMS = 20


def add_load(commands: Any) -> None:
    """``tiertune load``."""
    parser = flags.command(commands, "load", text="Load log files into a dataset.", run=load)
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="CSV, JSON, JSON lines, Parquet; .gz, .zst"
    )
    parser.add_argument(
        "--dataset", metavar="NAME", help="dataset to load into (default: the first file's name)"
    )
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
    with Store.open(flags.database(options)) as store:
        reports = opening.loaded(store, dataset, options.files, options)
        question = opening.open_ladder(store, dataset)
    lines = [line for report in reports for line in _report_lines(report)]
    notes = tuple(dict.fromkeys(note for report in reports for note in report.notes))
    if question is not None:
        notes = (*notes, f"Before thresholds can be compared: {question}")
    return Outcome(
        machine_output.load_document(dataset, reports), "\n".join([f"Dataset {dataset}", *lines]), notes
    )


def datasets(options: argparse.Namespace) -> Outcome:
    """The datasets of the database."""
    path = flags.database(options)
    if not path.exists():
        return Outcome({"datasets": []}, "No datasets yet. Load one: tiertune load FILE")
    with Store.open(path) as store:
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
    if not path.exists():
        raise InputError(f"There is no dataset named {options.dataset}: the database {path} does not exist.")
    with Store.open(path) as store:
        store.delete(options.dataset)
    return Outcome({"deleted": options.dataset}, f"Deleted {shown(options.dataset)}.")


def _report_lines(report: FileReport) -> list[str]:
    counted = f"{report.loaded:,} loaded + {report.rejected:,} rejected + {report.duplicates:,} duplicates"
    lines = [f"{shown(report.file)} ({report.format}): {report.read:,} read = {counted}"]
    if report.confidence_set_null:
        lines.append(
            f"  {report.confidence_set_null:,} confidences are no number in [0, 1] and count as missing"
        )
    read_from = ", ".join(f"{name} = {shown(source)}" for name, source in report.mapping.items())
    lines.append(f"  {read_from}")
    unit = PLACES[report.format]
    for problem in report.problems[:SHOWN_PROBLEMS]:
        column = f", {shown(problem.column)}" if problem.column else ""
        lines.append(f"  {unit} {problem.line}{column}: {shown(problem.reason, limit=200)}")
    if report.problems_total > SHOWN_PROBLEMS:
        lines.append(f"  and {report.problems_total - SHOWN_PROBLEMS:,} more; --json lists them")
    return lines


def _period(row: dict[str, Any]) -> str:
    first, last = row["first_ts"], row["last_ts"]
    return "-" if first is None else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
