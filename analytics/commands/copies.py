"""The commands that copy the whole database and put a copy back.

Their JSON documents:

- ``backup``: ``backup`` (the file), ``bytes``, ``datasets`` (names).
- ``restore``: ``restored`` (the file), ``database``, ``datasets`` (``name``, ``rows``, ``files``), ``aside``
  (where the database lies that was there before; null where there was none), ``not_kept`` (files that are not
  kept as they were loaded).
"""

import argparse
from pathlib import Path
from shlex import quote
from typing import Any

from analytics.commands import flags, opening
from analytics.commands.outcome import InputError, Outcome, count
from analytics.logs import recovery
from analytics.logs.reading.staging import shown
from analytics.logs.storage import copies
from analytics.logs.store import Store


def add_backup(commands: Any) -> None:
    """``tiertune backup``."""
    text = "Write a copy of all datasets and of everything set by hand to one file."
    parser = flags.command(commands, "backup", text=text, run=backup)
    parser.add_argument("file", type=Path, metavar="FILE", help="an earlier backup there is replaced")


def add_restore(commands: Any) -> None:
    """``tiertune restore``."""
    text = "Put a backup in the place of the database, which stays beside it under another name."
    parser = flags.command(commands, "restore", text=text, run=restore)
    parser.add_argument("file", type=Path, metavar="FILE", help="a file that tiertune backup wrote")


def backup(options: argparse.Namespace) -> Outcome:
    """Write a copy of the database."""
    path, target = flags.database(options), options.file
    if not Store.exists(path):
        raise InputError(f"There is nothing to copy: the database {path} does not exist.")
    if target.is_dir():
        raise InputError(f"{target} is a folder. Name a file in it.")
    if target.exists() and path.exists() and target.samefile(path):
        raise InputError(f"{target} is the database itself. Name another file.")
    with opening.database(options) as store:
        if target.exists() and (Store.in_use(target) or not copies.is_backup(target, store.staging)):
            raise InputError(f"{target} exists and is no backup. Name another file.")
        store.backup(target)
        names = store.datasets()["name"].to_list()
    size = target.stat().st_size
    what = f"{count(len(names))} dataset{'' if len(names) == 1 else 's'}"
    text = (
        f"Copied {what} to {target} ({size / 1e6:,.1f} MB), without the files as they were loaded.\n"
        f"Put it back with: tiertune restore {quote(str(target))}"
    )
    return Outcome({"backup": str(target), "bytes": size, "datasets": names}, text)


def restore(options: argparse.Namespace) -> Outcome:
    """Put a backup in the place of the database."""
    path = flags.database(options)
    with opening.progress() as told:
        found = copies.restore(path, options.file, progress=told)
    with opening.database(options) as store:  # writes down what it consists of
        recovery.dismissed(store)  # what a backup tells of an earlier recovery is of another database
    aside = None if found.aside is None else path.resolve().with_name(found.aside)
    files = sum(len(one.file_ids) for one in found.datasets)
    lines = [f"Restored {path} from {options.file}:"]
    lines += [
        f"  {shown(one.name)}: {one.rows:,} rows, files: {len(one.file_ids):,}" for one in found.datasets
    ] or ["  no datasets"]
    if aside is not None:
        lines.append(f"What was there before: {aside}")
        lines.append(f"  it is whole, and opens with --db {quote(str(aside))}")
    unkept = (
        f"Of {files:,} files {found.not_kept:,} cannot be read again, as they are not kept here as they were "
        "loaded. Their rows are there."
    )
    document = {
        "restored": str(options.file),
        "database": str(path),
        "aside": None if aside is None else str(aside),
        "datasets": [
            {"name": one.name, "rows": one.rows, "files": len(one.file_ids)} for one in found.datasets
        ],
        "not_kept": found.not_kept,
    }
    return Outcome(document, "\n".join(lines), (unkept,) if found.not_kept else ())
