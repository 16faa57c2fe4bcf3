"""The command that turns a thresholds file into a router's config.

Its JSON document: ``{"target", "files": {NAME: TEXT}, "notes": [...]}``; with ``--into`` also ``"merged":
{"file", "text", "diff", "before"}``; with ``--rollout`` that of ``analytics.commands.rollouts``.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analytics import expiry, policy_file
from analytics.commands import flags, rollouts, writing
from analytics.commands.outcome import InputError, Outcome
from analytics.export.merge import FORMS, Merged, merged
from analytics.export.own_config import MAX_BYTES
from analytics.export.targets import TARGETS, exported
from analytics.policy import ThresholdPolicy


def add_export(commands: Any) -> None:
    """``tiertune export``."""
    parser = flags.command(commands, "export", text="A router's config from a thresholds file.", run=export)
    parser.add_argument("thresholds", type=Path, metavar="FILE", help="thresholds file, .yaml or .json")
    parser.add_argument("--to", required=True, choices=list(TARGETS), metavar="TARGET", help=_targets())
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write all files, golden decisions included, into a folder"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="CONFIG",
        help=f"merge into this config of yours, which itself stays as it is (for {', '.join(FORMS)})",
    )
    parser.add_argument(
        "--include-unsupported",
        action="store_true",
        help="hand out categories that no verdict supports as well, marked",
    )
    rollouts.add_rollout(parser)


def export(options: argparse.Namespace) -> Outcome:
    """The fragment of one target; printed, or written with its golden decisions."""
    policy = policy_file.load(options.thresholds)
    if options.rollout:
        return _rollout(options, policy)
    rollouts.refuse_idle(options)
    found = exported(policy, options.to, include_unsupported=options.include_unsupported)
    document: dict[str, Any] = {"target": options.to, "files": dict(found.files)}
    text, files, notes = next(iter(found.files.values())), dict(found.files), found.notes
    if options.into is not None:
        own = merged(_content(options.into), options.to, found)
        text, notes = own.text, (*notes, *own.notes)
        files = _with_merged(files, options, own)
        document["merged"] = {
            "file": options.into.name, "text": own.text, "diff": own.diff, "before": own.before,
        }  # fmt: skip
    document["notes"] = list(notes)
    if options.out is None:
        return Outcome(document, text.rstrip("\n"), notes)
    return Outcome(document, _written(options.out, files), notes)


def _rollout(options: argparse.Namespace, policy: ThresholdPolicy) -> Outcome:
    """The plan; printed, or written with the files of every step."""
    own = None if options.into is None else _content(options.into)
    document, plan, files, notes = rollouts.planned(options, policy, own)
    late = expiry.warning(policy)
    notes = notes if late is None else (late, *notes)
    document["notes"] = list(notes)
    text = plan.rstrip("\n") if options.out is None else _written(options.out, files)
    return Outcome(document, text, notes)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(max(MAX_BYTES.values()) + 1)
    except (OSError, ValueError):
        raise InputError(f"{path.name} cannot be read. --into takes the config of your router.") from None


def _with_merged(files: dict[str, str], options: argparse.Namespace, own: Merged) -> dict[str, str]:
    """The files to write: the merged config in the place of the fragment of that format.

    Raises:
        InputError: The merged config would be written over the user's own.
    """
    name = options.into.name
    if options.out is not None and (options.out / name).resolve() == options.into.resolve():
        raise InputError(f"--out must be another folder than that of {name}, so that your file stays.")
    found = {name: own.text, f"{name}.diff": f"{own.diff}\n", f"{name}.rollback": own.before}
    fragment = next(iter(files))
    # A config may have the name of a file of ours: the user's goes first.
    return found | {key: text for key, text in files.items() if key not in (fragment, *found)}


def _written(folder: Path, files: Mapping[str, str]) -> str:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; --out is a folder.")
    try:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}.") from None
    for name, text in files.items():
        writing.write(folder / name, text)
    return "\n".join(f"Wrote {folder / name}" for name in files)


def _targets() -> str:
    return "; ".join(f"{name}: {target.about}" for name, target in TARGETS.items()).replace("%", "%%")
