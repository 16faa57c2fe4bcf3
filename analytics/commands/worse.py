"""The command that lists what escalation made worse.

Its JSON document: ``{"rows": [{"task_category", "pairs", "mended", "worsened", "p_value", "mid_p",
"sampled"}], "requests": [...]}``; ``task_category`` null is all together, ``requests`` as
``regressions.worsened_rows`` has them.
"""

import argparse
from dataclasses import asdict
from typing import Any

from analytics.commands import flags, opening
from analytics.commands.outcome import InputError, Outcome, count, number, table
from analytics.machine_output import plain_rows
from analytics.tuning.regressions import regressions, worsened_rows

SHOWN = 20
SAMPLED = "Strong answers of kept requests are a sample: counts are of the requests observed."


def add_regressions(commands: Any) -> None:
    """``tiertune regressions``."""
    text = "Requests that escalation made worse, with McNemar's exact test."
    parser = flags.command(commands, "regressions", text=text, run=listed)
    flags.add_log(parser)
    parser.add_argument("--category", metavar="NAME", help="list the requests of this category only")
    parser.add_argument("--rows", type=int, default=SHOWN, metavar="N", help=f"requests to list ({SHOWN})")


def listed(options: argparse.Namespace) -> Outcome:
    """Counts by category, and the requests themselves."""
    with opening.opened(options) as log:
        selection = opening.selected(log, log.read(), options)
        if options.category is not None and options.category not in selection.categories:
            known = ", ".join(selection.categories)
            raise InputError(f"There is no category {options.category}. There are: {known}.")
        found = regressions(selection)
        rows = worsened_rows(log.store, selection, category=options.category, most=max(options.rows, 0))
    counts = [
        [
            "All categories" if item.task_category is None else item.task_category,
            count(item.pairs),
            count(item.mended),
            count(item.worsened),
            "-" if item.p_value is None else f"{item.p_value:.3g}",
        ]
        for item in found
    ]
    text = table(["category", "both graded", "mended", "made worse", "p"], counts)
    if rows.height:
        listing = [
            [row["request_id"], row["task_category"] or "-", number(row["confidence"])]
            for row in rows.iter_rows(named=True)
        ]
        text += f"\n\n{table(['request made worse', 'category', 'confidence'], listing)}"
    document = {"rows": [asdict(item) for item in found], "requests": plain_rows(rows)}
    return Outcome(document, text, (*log.notes, *selection.notes, *([SAMPLED] if found[0].sampled else [])))
