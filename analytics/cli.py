"""The command line: the same capabilities from a shell, for pipelines.

Exit status 0: done; 1: the question has no answer in this data; 2: the input is wrong. Messages go to
standard error; with ``--json`` standard output holds one JSON document and nothing else.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from analytics.commands import (
    cells,
    copies,
    experiments,
    exports,
    figures,
    files,
    folders,
    joins,
    logs,
    planning,
    plans,
    policies,
    prices,
    serve,
    since,
    worse,
)
from analytics.commands.outcome import InputError, Outcome, fitted
from analytics.errors import TiertuneError

UNANSWERED = ("insufficient_data", "not_identified")
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Words after the program's name; None takes them from the process.

    Returns:
        The exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        options = parser().parse_args(words)
        outcome: Outcome | None = options.run(options)
        if outcome is not None:
            _say(outcome, machine=options.json)
    except TiertuneError as error:
        return _failed(error, machine="--json" in words)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)  # noqa: T201 - this is the command line
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class _Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that ``--json`` gets its error document."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. See {self.prog} --help.")


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    whole = _Parser(
        prog="tiertune",
        description="Per-category escalation thresholds from your own request logs.",
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"tiertune {version('tiertune')}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        serve.add_serve,
        logs.add_load,
        folders.add_open,
        logs.add_datasets,
        logs.add_delete,
        joins.add_join,
        joins.add_graders,
        files.add_files,
        files.add_take_back,
        files.add_read_again,
        files.add_tier,
        copies.add_backup,
        copies.add_restore,
        figures.add_tiers,
        figures.add_curve,
        policies.add_tune,
        policies.add_evaluate,
        plans.add_shadow_plan,
        plans.add_grading_sheet,
        worse.add_regressions,
        experiments.add_compare,
        planning.add_plan,
        exports.add_export,
        since.add_since,
        cells.add_cells,
        prices.add_prices,
        prices.add_price,
        prices.add_reprice,
    ):
        add(commands)
    return whole


def _say(outcome: Outcome, *, machine: bool) -> None:
    for note in outcome.notes:
        print(fitted(note, sys.stderr.encoding), file=sys.stderr)  # noqa: T201 - this is the command line
    text = (
        json.dumps(outcome.document, allow_nan=False)
        if machine
        else fitted(outcome.text, sys.stdout.encoding)
    )
    print(text, flush=True)  # noqa: T201 - this is the command line


def _failed(error: TiertuneError, *, machine: bool) -> int:
    if machine:
        document = {"error": {"kind": error.kind, "message": str(error)}}
        print(json.dumps(document, allow_nan=False), flush=True)  # noqa: T201 - this is the command line
    print(fitted(f"tiertune: {error}", sys.stderr.encoding), file=sys.stderr)  # noqa: T201 - this is the command line
    return 1 if error.kind in UNANSWERED else 2
