"""The commands about grades from elsewhere: join a file of them to a log, say which graders count.

Their JSON documents:

- ``join``: ``dataset``, ``files`` as ``load`` has them, each with ``candidates`` (columns whose values are
  ids of the log: ``column``, ``key``, ``values``, ``matched``, ``share``, ``used``), ``unmatched`` (grades
  about no answer) and ``examples`` (ids of three of them); the rest as ``graders`` has it.
- ``graders``: ``dataset``, ``order`` (``log`` is the log's own grade), ``rules`` and ``graders``, one object
  each: ``grader``, ``source``, ``grades``, ``matched``, ``answers``, ``mean``, ``rank`` (null: does not
  count), ``with_log``, ``equal_to_log``.
"""

import argparse
import csv
from pathlib import Path
from shlex import quote
from typing import Any

import polars as pl

from analytics import machine_output
from analytics.commands import flags, opening
from analytics.commands.logs import report_lines
from analytics.commands.outcome import UNKNOWN, InputError, Outcome, count, percent, table
from analytics.logs import joining
from analytics.logs.joining import RULES, Joined
from analytics.logs.reading.staging import shown
from analytics.logs.store import Store

LOG, UNNAMED = "log", "unnamed"
SHOWN_CANDIDATES = 8


def add_join(commands: Any) -> None:
    """``tiertune join``."""
    text = "Join grades, scores or feedback from another file to a loaded log."
    parser = flags.command(commands, "join", text=text, run=join)
    parser.add_argument("dataset", metavar="NAME", help="name of the log's dataset")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files of grades, or folders")
    parser.add_argument(
        "--key", choices=joining.KEYS["calls"], help="id to join by (default: as the columns' names say)"
    )
    parser.add_argument("--grader", metavar="NAME", help="who or what graded, for the whole file")
    flags.add_keep(parser)
    flags.add_answers(parser, grades=True)


def add_graders(commands: Any) -> None:
    """``tiertune graders``."""
    text = "The graders of joined grades, and which of them count."
    parser = flags.command(commands, "graders", text=text, run=graders)
    parser.add_argument("dataset", metavar="NAME", help="name of the log's dataset")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--order",
        metavar="A,B,...",
        help=f"the graders that count, the first that graded an answer decides; {LOG} is the log itself",
    )
    one.add_argument("--reset", action="store_true", help="the order that the graders' names suggest")


def join(options: argparse.Namespace) -> Outcome:
    """Join files of grades to a log."""
    if options.grader is not None:
        options.map.append(("grader", ()))
        options.set.append(("grader", options.grader))
    files, notes = opening.log_files(options.files)
    with opening.dataset(options, options.dataset, keep=not options.no_keep) as store:
        with opening.progress() as told:
            done = joining.joined(
                store,
                options.dataset,
                files,
                flags.answers(options),
                names=[str(path) for path in files],
                key=options.key,
                progress=told,
            )
        found = _graders(store, options.dataset)
    parts = [line for item in done for line in (*report_lines(item.report), *_match_lines(item))]
    document = machine_output.load_document(options.dataset, [item.report for item in done])
    for entry, item in zip(document["files"], done, strict=True):
        entry["candidates"] = item.candidates.drop("samples").to_dicts()
        entry["unmatched"], entry["examples"] = item.unmatched, item.examples
    text = "\n".join([f"Joined to {shown(options.dataset)}", *parts, "", found.text])
    told_notes = [note for item in done for note in item.report.notes]
    return Outcome({**document, **found.document}, text, (*notes, *dict.fromkeys(told_notes), *found.notes))


def graders(options: argparse.Namespace) -> Outcome:
    """Show the graders of a log, or say which of them count."""
    with opening.dataset(options, options.dataset) as store:
        if options.reset:
            store.set_grader_order(options.dataset, None)
        elif options.order is not None:
            known = store.graders(options.dataset)["grader"].to_list()
            store.set_grader_order(options.dataset, _order(options.order, known))
        return _graders(store, options.dataset)


def _order(text: str, known: list[str]) -> list[str | None]:
    """The graders of a list separated by commas, as a line of CSV has them; None is the log itself.

    Raises:
        InputError: One stands in it twice, or none at all.
    """
    words = {UNNAMED: "", LOG: None} | {name: name for name in known if name}
    try:
        (parts,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        parts = []
    names = [part.strip() for part in parts if part.strip()]
    if not names or len(set(names)) < len(names):
        raise InputError(f"--order names each grader that counts once, such as --order {LOG},ann.")
    return [words.get(name, name) for name in names]


def _graders(store: Store, dataset: str) -> Outcome:
    found, order = store.graders(dataset), store.grader_order(dataset)
    names = [LOG if name is None else name or UNNAMED for name in order]
    document = {"dataset": dataset, "order": names, "graders": found.to_dicts(), "rules": RULES}
    if found.is_empty():
        text = f"No grades were joined to {shown(dataset)}: tiertune join {quote(dataset)} FILE"
        return Outcome(document, text)
    rows = [
        [
            row["grader"] or UNNAMED,
            row["source"] or UNKNOWN,
            UNKNOWN if row["rank"] is None else f"{order.index(row['grader']) + 1}",
            count(row["grades"]),
            count(row["matched"]),
            count(row["answers"]),
            percent(row["mean"]),
            count(row["with_log"]),
            percent(row["equal_to_log"]),
        ]
        for row in found.iter_rows(named=True)
    ]
    header = (
        *("grader", "kind", "place", "grades", "matched", "answers", "mean", "graded by both"),
        "agrees with log",
    )
    text = f"{table(header, rows, texts=2)}\nOrder: {', '.join(shown(name) for name in names)}\n{RULES}"
    return Outcome(document, text, _silent(found, dataset, names))


def _silent(found: pl.DataFrame, dataset: str, order: list[str]) -> tuple[str, ...]:
    names = [name or UNNAMED for name in found.filter(pl.col("rank").is_null())["grader"]]
    if not names:
        return ()
    listed = ", ".join(shown(name) for name in names)
    wanted = ",".join([*(_listed(shown(name)) for name in order), "GRADER"])
    verb = "does" if len(names) == 1 else "do"
    said = f"tiertune graders {quote(dataset)} --order {quote(wanted)}"
    return (f"{listed} {verb} not count. Say who does: {said}",)


def _listed(name: str) -> str:
    """A grader's name as ``_order`` reads it among others."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"' if {",", '"'} & set(name) else name


def _match_lines(item: Joined) -> list[str]:
    """By which columns it was joined, what else would match, and grades that are about nothing."""
    rows = [
        [
            row["column"],
            row["key"],
            count(row["values"]),
            count(row["matched"]),
            percent(row["share"]),
            "joined by" if row["used"] else "",
        ]
        for row in item.candidates.head(SHOWN_CANDIDATES).iter_rows(named=True)
    ]
    header = ("column", "id in the log", "different ids", "in the log", "match", "")
    lines = [f"  {line}" for line in table(header, rows, texts=2).split("\n")]
    if item.unmatched:
        examples = ", ".join(shown(name) for name in item.examples)
        lines.append(
            f"  {item.unmatched:,} of {item.grades:,} grades are about no answer of the log: {examples}"
        )
    return lines
