"""The command that compares a log written since a change with what its thresholds file led to expect.

Its JSON document: ``{"answer": "as_expected|alarm", "alarm", "sentence", "requests", "from", "to", "rows":
[{"task_category", "metric", "expected", "actual", "difference", "p_value", "p_adjusted", "detectable",
"departs", "reason"}], "mix": [{"metric", "stated", "at_mix", "actual", "share"}], "decisions": {"known",
"share_obeyed", "not_the_policys": [{"task_category", "reason", "n"}]}, "periods": [...], "notes"}``;
``task_category`` null is all requests, at the new log's mix of categories. A difference of costs is a share
of the expected.
"""

import argparse
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics import policy_file
from analytics.commands import flags, opening
from analytics.commands.outcome import Outcome, count, table
from analytics.errors import InsufficientDataError
from analytics.estimate import rounded
from analytics.experiments import saying
from analytics.export import since_words
from analytics.export.since import Since, since
from analytics.machine_output import plain_rows

if TYPE_CHECKING:
    from analytics.export.since import Compared


def add_since(commands: Any) -> None:
    """``tiertune since``."""
    text = "Expected against actual: a log written since a thresholds file is in force."
    parser = flags.command(commands, "since", text=text, run=compared)
    parser.add_argument("policy", type=Path, metavar="FILE", help="thresholds file in force, .yaml or .json")
    flags.add_log(parser)
    parser.add_argument(
        "--from",
        dest="start",
        type=_day,
        metavar="DATE",
        help="first day that counts, YYYY-MM-DD in UTC (default: the whole log)",
    )


def compared(options: argparse.Namespace) -> Outcome:
    """Every figure of the file against the log.

    Raises:
        InsufficientDataError: No figure can be compared, and nothing is wrong with the decisions.
    """
    policy = policy_file.load(options.policy)
    with opening.opened(options) as log:
        found = since(
            log.store,
            log.dataset,
            policy,
            start=options.start,
            log_sha256=log.store.log_sha256(log.dataset),
            pair=(options.fast, options.strong),
        )
    if found.answer == "cannot_tell":
        raise InsufficientDataError(since_words.sentence(found))
    return Outcome(_document(found), _text(found), (*log.notes, *found.notes))


def _text(found: Since) -> str:
    rows = [
        [
            "All, at this mix" if entry.category is None else entry.category,
            since_words.TITLES[entry.metric],
            since_words.with_interval(entry.metric, entry.expected),
            since_words.with_interval(entry.metric, entry.actual),
            since_words.changed(entry),
            saying.p_value(entry.p_adjusted),
            _reading(entry),
        ]
        for entry in found.compared
    ]
    header = ["category", "figure", "expected", "actual", "difference", "p (Holm)", ""]
    parts = [since_words.sentence(found), table(header, rows, texts=2)]
    parts += ["\n".join(since_words.mix_words(found))] if found.mixes else []
    reasons = since_words.reason_rows(found)
    if reasons:
        listing = [[row["category"], count(row["n"]), row["why"]] for row in reasons]
        parts.append(table(["decisions not the policy's", "n", "why"], listing))
    return "\n\n".join(part for part in parts if part)


def _reading(entry: "Compared") -> str:
    if entry.reason is not None:
        return "not compared"
    return "DEPARTS" if entry.departs else "within chance"


def _document(found: Since) -> dict[str, Any]:
    return {
        "answer": found.answer,
        "alarm": found.answer == "alarm",
        "sentence": since_words.sentence(found),
        "requests": found.seen.requests,
        "from": None if found.seen.first is None else found.seen.first.isoformat() + "Z",
        "to": None if found.seen.last is None else found.seen.last.isoformat() + "Z",
        "rows": [
            {
                "task_category": entry.category,
                "metric": entry.metric,
                "expected": entry.expected.as_json(),
                "actual": entry.actual.as_json(),
                "difference": entry.difference.as_json(),
                "p_value": rounded(entry.p_value),
                "p_adjusted": rounded(entry.p_adjusted),
                "detectable": rounded(entry.detectable),
                "departs": entry.departs,
                "reason": entry.reason,
            }
            for entry in found.compared
        ],
        "mix": [
            {key: rounded(value) if isinstance(value, float) else value for key, value in asdict(mix).items()}
            for mix in found.mixes
        ],
        "decisions": {
            "known": found.decided,
            "share_obeyed": rounded(found.obeyed),
            "not_the_policys": [
                {"task_category": row["category"], "reason": row["reason"], "n": row["n"]}
                for row in since_words.reason_rows(found)
            ],
        },
        "periods": plain_rows(found.periods),
        "notes": list(found.notes),
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2026-11-22") from None
