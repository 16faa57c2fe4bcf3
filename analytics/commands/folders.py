"""The command that makes a log of a folder without copying it.

Its JSON document: ``dataset``, ``files`` (of the log now), ``new``, ``copies``, ``gone``, ``read``,
``rejected``, ``reasons`` (reason -> rows left out).
"""

import argparse
from pathlib import Path
from typing import Any

from analytics.collapse import folder
from analytics.collapse.folder import FolderReport
from analytics.commands import flags, opening
from analytics.commands.outcome import Outcome
from analytics.logs.reading.staging import shown
from analytics.logs.store import Store


def add_open(commands: Any) -> None:
    """``tiertune open``."""
    parser = flags.command(
        commands,
        "open",
        text="Make a log of a folder of Parquet files whose rows stay there; again: read what is new.",
        run=open_folder,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="Parquet files, one row per request")
    parser.add_argument("--dataset", metavar="NAME", help="name of the log (default: the folder's)")
    flags.add_answers(parser)


def open_folder(options: argparse.Namespace) -> Outcome:
    """Make a log of a folder, or look for new files in it."""
    with opening.database(options) as store:
        found = looked_into(store, options.folder, options, dataset=options.dataset)
    document = {
        "dataset": found.dataset,
        **{name: getattr(found, name) for name in ("files", "new", "copies", "gone", "read", "rejected")},
        "reasons": dict(found.reasons),
    }
    return Outcome(document, sentence(found), found.notes)


def looked_into(
    store: Store, path: Path, options: argparse.Namespace, *, dataset: str | None = None
) -> FolderReport:
    """A folder as a log, with what is done told on standard error."""
    name = (dataset or opening.dataset_name(path)).strip()
    with opening.progress() as told:
        return folder.opened(
            store, name, path, flags.answers(options), progress=lambda stage: told(0, stage) if told else None
        )


def sentence(found: FolderReport) -> str:
    """What looking into a folder gave, for people."""
    files = f"{found.files:,} file{'' if found.files == 1 else 's'}"
    if not found.new:
        return f"{shown(found.dataset)}: {files}, none is new."
    kept = found.read - found.rejected
    told = f"{shown(found.dataset)}: {files}, {found.new:,} read, {kept:,} rows."
    if found.gone:
        told += f" {found.gone:,} gone or changed, so all were read again."
    if found.copies:
        told += f" {found.copies:,} left out: the same content as another."
    if found.rejected:
        why = ", ".join(f"{reason} ({count:,})" for reason, count in found.reasons)
        told += f" {found.rejected:,} rows left out: {why}."
    return told
