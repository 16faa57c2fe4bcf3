"""The command that turns a thresholds file into a router's config.

Its JSON document: ``{"target", "files": {NAME: TEXT}, "notes": [...]}``.
"""

import argparse
from pathlib import Path
from typing import Any

from analytics import policy_file
from analytics.commands import flags, writing
from analytics.commands.outcome import InputError, Outcome
from analytics.export.targets import TARGETS, exported


def add_export(commands: Any) -> None:
    """``tiertune export``."""
    parser = flags.command(commands, "export", text="A router's config from a thresholds file.", run=export)
    parser.add_argument("thresholds", type=Path, metavar="FILE", help="thresholds file, .yaml or .json")
    parser.add_argument("--to", required=True, choices=list(TARGETS), metavar="TARGET", help=_targets())
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write all files, golden decisions included, into a folder"
    )
    parser.add_argument(
        "--include-unsupported",
        action="store_true",
        help="hand out categories that no verdict supports as well, marked",
    )


def export(options: argparse.Namespace) -> Outcome:
    """The fragment of one target; printed, or written with its golden decisions."""
    policy = policy_file.load(options.thresholds)
    found = exported(policy, options.to, include_unsupported=options.include_unsupported)
    document = {"target": options.to, "files": dict(found.files), "notes": list(found.notes)}
    if options.out is None:
        first = next(iter(found.files.values()))
        return Outcome(document, first.rstrip("\n"), found.notes)
    folder: Path = options.out
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --out is a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}.") from None
    for name, text in found.files.items():
        writing.write(folder / name, text)
    listed = "\n".join(f"Wrote {folder / name}" for name in found.files)
    return Outcome(document, listed, found.notes)


def _targets() -> str:
    return "; ".join(f"{name}: {target.about}" for name, target in TARGETS.items()).replace("%", "%%")
