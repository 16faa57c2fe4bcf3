"""The commands about what a dataset consists of: its files, and the tiers of its models.

Their JSON documents:

- ``files``: ``dataset`` and ``files``, one object each: ``file``, ``file_id``, ``holds`` (log, grades),
  ``format``, ``loaded_at`` (UTC), ``read``, ``loaded``, ``rejected``, ``duplicates``, ``passed`` (reason ->
  records), ``kept`` (whether it lies beside the database as it was loaded).
- ``take-back``: ``dataset``, ``taken_back``, ``file_id``. ``read-again``: as ``load``.
- ``tier``: ``dataset`` and ``models``, one object each: ``model``, ``tier`` (null: unknown), ``tier_source``
  (log, price, hand or null), ``input_usd_per_1m``, ``output_usd_per_1m``.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from analytics import machine_output
from analytics.commands import flags, opening
from analytics.commands.logs import report_lines
from analytics.commands.outcome import UNKNOWN, InputError, Outcome, count, number, table
from analytics.logs import intake, joining, revision
from analytics.logs.meaning.answers import Answers
from analytics.logs.reading.staging import shown
from analytics.logs.schema import TIERS
from analytics.logs.store import Store

SUGGESTED = "auto"
_PREFIX, _SHORTEST = 8, 4


def add_files(commands: Any) -> None:
    """``tiertune files``."""
    parser = flags.command(commands, "files", text="The files of a dataset.", run=files)
    parser.add_argument("dataset", metavar="NAME", help="name of the dataset")


def add_take_back(commands: Any) -> None:
    """``tiertune take-back``."""
    text = "Take a file out of a dataset, which is then as if it had never been loaded."
    parser = flags.command(commands, "take-back", text=text, run=take_back)
    _add_file(parser)


def add_read_again(commands: Any) -> None:
    """``tiertune read-again``."""
    text = "Read a loaded file again with other answers; those not given stay as they were."
    parser = flags.command(commands, "read-again", text=text, run=read_again)
    _add_file(parser)
    flags.add_answers(parser)


def add_tier(commands: Any) -> None:
    """``tiertune tier``."""
    text = "The tiers of a dataset's models, or put a model into a tier by hand."
    parser = flags.command(commands, "tier", text=text, run=tier)
    parser.add_argument("dataset", metavar="NAME", help="name of the dataset")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="as listed")
    parser.add_argument(
        "tier",
        nargs="?",
        choices=[*TIERS, SUGGESTED],
        metavar="TIER",
        help=f"{', '.join(TIERS)}, or {SUGGESTED}: as log and price say",
    )


def files(options: argparse.Namespace) -> Outcome:
    """The files of a dataset."""
    with opening.dataset(options, options.dataset) as store:
        found = [_entry(row, store) for row in store.files(options.dataset).iter_rows(named=True)]
    rows = [
        [
            entry["file"],
            entry["holds"],
            entry["format"],
            *(count(entry[name]) for name in ("read", "loaded", "rejected", "duplicates")),
            count(sum(entry["passed"].values())),
            entry["loaded_at"].replace("T", " ")[:16],
            "yes" if entry["kept"] else "no",
            entry["file_id"][:_PREFIX],
        ]
        for entry in found
    ]
    header = (
        *("file", "holds", "format", "read", "loaded", "rejected", "duplicates", "passed over"),
        *("loaded at, UTC", "kept", "id"),
    )
    return Outcome({"dataset": options.dataset, "files": found}, table(header, rows, texts=3))


def take_back(options: argparse.Namespace) -> Outcome:
    """Take a file out of a dataset."""
    with opening.dataset(options, options.dataset) as store:
        entry = _named(store, options)
        with opening.progress() as told:
            revision.take_back(store, options.dataset, entry["file_id"], progress=told)
    document = {"dataset": options.dataset, "taken_back": entry["file"], "file_id": entry["file_id"]}
    return Outcome(document, f"Took {shown(entry['file'])} back from {shown(options.dataset)}.")


def read_again(options: argparse.Namespace) -> Outcome:
    """Read a loaded file again with other answers."""
    with opening.dataset(options, options.dataset) as store:
        entry = _named(store, options)
        with intake.named(entry["file"]), opening.progress() as told:
            answers = _together(revision.answers(store, options.dataset, entry["file_id"]), options)
            inspection = revision.inspect_again(
                store, options.dataset, entry["file_id"], answers=answers, progress=told
            )
            try:
                intake.require_settled(inspection)
                if inspection.proposal.mapping.form == "grades":
                    joining.require_match(joining.candidates(store, options.dataset, inspection))
                report = revision.read_again(
                    store, options.dataset, inspection, answers=answers, progress=told
                )
                intake.remember(store, inspection, answers)
            finally:
                inspection.discard()
        opening.given_ladder(store, options.dataset, options)
        question = opening.open_ladder(store, options.dataset)
    notes = (*dict.fromkeys(report.notes), *opening.ladder_note(question))
    text = "\n".join([f"Dataset {shown(options.dataset)}", *report_lines(report)])
    return Outcome(machine_output.load_document(options.dataset, [report]), text, notes)


def tier(options: argparse.Namespace) -> Outcome:
    """Show the tiers of a dataset's models, or set one by hand."""
    if options.model is not None and options.tier is None:
        raise InputError(f"Say which tier {shown(options.model)} is in: {', '.join((*TIERS, SUGGESTED))}.")
    with opening.dataset(options, options.dataset) as store:
        if options.model is not None:
            wanted = None if options.tier == SUGGESTED else options.tier
            store.set_tier(options.dataset, options.model, wanted)
        found = store.models(options.dataset).to_dicts()
        notes = opening.unknown_tiers(store, options.dataset)
    rows = [
        [
            row["model"],
            row["tier"] or "unknown",
            row["tier_source"] or UNKNOWN,
            number(row["input_usd_per_1m"]),
            number(row["output_usd_per_1m"]),
        ]
        for row in found
    ]
    header = ("model", "tier", "says", "input, USD per 1M", "output, USD per 1M")
    return Outcome({"dataset": options.dataset, "models": found}, table(header, rows, texts=3), notes)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="name of the dataset")
    parser.add_argument(
        "file", metavar="FILE", help="its name or the beginning of its id, see tiertune files"
    )


def _entry(row: dict[str, Any], store: Store) -> dict[str, Any]:
    return {
        "file": row["name"],
        "file_id": row["file_id"],
        "holds": "grades" if row["form"] == "grades" else "log",
        "format": row["format"],
        "loaded_at": f"{row['loaded_at']:%Y-%m-%dT%H:%M:%SZ}",
        **{name: row[name] for name in ("read", "loaded", "rejected", "duplicates")},
        "passed": json.loads(row["passed"] or "{}"),
        "kept": store.kept(row["file_id"]) is not None,
    }


def _named(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    """The one file of a dataset that a name or the beginning of an id means.

    Raises:
        InputError: None, or several.
    """
    entries = [_entry(row, store) for row in store.files(options.dataset).iter_rows(named=True)]
    given = options.file
    found = [entry for entry in entries if entry["file"] == given]
    found = found or [entry for entry in entries if Path(entry["file"]).name == given]
    if not found and len(given) >= _SHORTEST:
        found = [entry for entry in entries if entry["file_id"].startswith(given.lower())]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{shown(entry['file'])} ({entry['file_id'][:_PREFIX]})" for entry in found or entries)
    if found:
        raise InputError(f"Several files are named so; give the beginning of an id: {listed}.")
    raise InputError(f"{shown(options.dataset)} has no file {shown(given)}. Files: {listed}.")


def _together(before: Answers, options: argparse.Namespace) -> Answers:
    """What was said when the file was loaded, and the flags, which count before it."""
    given = flags.answers(options)
    return replace(
        before,
        map={**before.map, **given.map},
        set={**before.set, **given.set},
        unit={**before.unit, **given.unit},
        prices={**before.prices, **given.prices},
        dialect=given.dialect or before.dialect,
        encoding=given.encoding or before.encoding,
        decimal=given.decimal or before.decimal,
        dates=given.dates or before.dates,
        accept_rejects=given.accept_rejects or before.accept_rejects,
    )
