"""The commands that say what to buy: strong calls of kept requests, and grades.

Their JSON documents:

- ``shadow-plan``: ``requests_per_day``, ``purchases`` (one object each: ``question`` raise or lower,
  ``task_category``, ``low``, ``high``, ``requests``, ``pairs``, ``assumed``, ``impossible`` and
  ``explorations``, each with ``rate``, ``strong_calls``, ``cost_usd``, ``days``), ``answered``,
  ``assumptions`` and ``config``.
- ``grading-sheet``: ``file``, ``requests``, ``answers``, ``to_grade``, ``given_up`` (grades of the log that
  no longer count once the sheet is joined), ``left_out`` and ``strata`` as ``grading_plan`` has them.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from analytics.commands import flags, opening, policies, writing
from analytics.commands.outcome import UNKNOWN, InputError, Outcome, count, money, number, table
from analytics.estimate import rounded
from analytics.spreadsheet import csv_text
from analytics.tuning.grading_plan import grading_plan
from analytics.tuning.grading_sheet import grading_sheet
from analytics.tuning.shadow_config import shadow_config
from analytics.tuning.shadow_plan import RATES, Purchase, ShadowPlan, shadow_plan

HALF = RATES[1]
NOTHING = "No strong call would tell more: no kept request lacks its strong answer."
BLIND = "Without a confidence there is no threshold to ask about. Log the fast answer's confidence first."
QUESTIONS = {"raise": "raise it?", "lower": "certify lower"}


def add_shadow_plan(commands: Any) -> None:
    """``tiertune shadow-plan``."""
    text = "Which strong calls to buy, and at what cost, where a log cannot tell."
    parser = flags.command(commands, "shadow-plan", text=text, run=planned)
    flags.add_log(parser)
    policies.add_goal(parser)
    parser.add_argument(
        "--strong-cost",
        type=flags.positive,
        metavar="USD",
        help="cost of a strong call where the log has none",
    )
    parser.add_argument(
        "--rate",
        type=float,
        choices=RATES,
        default=HALF,
        help=f"share of the requests in question to ask about, in the lines to paste (default: {HALF:g})",
    )


def add_grading_sheet(commands: Any) -> None:
    """``tiertune grading-sheet``."""
    text = "Draw requests to grade, as a CSV sheet that tiertune join loads back."
    parser = flags.command(commands, "grading-sheet", text=text, run=drawn)
    flags.add_log(parser)
    parser.add_argument("--rows", type=_rows, required=True, metavar="N", help="requests to draw")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="sheet to write, .csv")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="another one draws others (default: 0)"
    )


def planned(options: argparse.Namespace) -> Outcome:
    """The strong calls that would answer what the log cannot."""
    goal = policies.goal_of(options)
    with opening.opened(options) as log:
        selection = opening.selected(log, log.read(), options)
    plan = shadow_plan(selection, goal, strong_call_usd=options.strong_cost)
    notes = (*log.notes, *selection.notes)
    if not plan.purchases:
        blind = selection.rows["confidence"].null_count() == selection.rows.height
        return Outcome(_document(plan, None), BLIND if blind else NOTHING, notes)
    config = shadow_config(plan, options.rate) if plan.buys else None
    text = "\n\n".join([_plan_table(plan), "\n".join(plan.assumptions), *([config] if config else [])])
    return Outcome(_document(plan, config), text, notes)


def drawn(options: argparse.Namespace) -> Outcome:
    """The sheet of drawn requests, written to a file."""
    if options.out.suffix.lower() != ".csv":
        raise InputError(f"--out ends in .csv. Found: {options.out.name}.")
    writing.require_writable(options.out)
    with opening.opened(options) as log:
        selection = opening.selected(log, log.read(), options)
        if options.rows < len(selection.categories):
            raise InputError(
                f"--rows must be at least {len(selection.categories)}, one for each category. Found: "
                f"{options.rows}."
            )
        plan = grading_plan(selection, options.rows, seed=options.seed)
        with log.store.cursor() as cursor:
            sheet = grading_sheet(cursor, log.dataset, selection, plan)
    writing.write(options.out, csv_text(sheet.frame))
    document = {
        "file": str(options.out),
        "requests": sheet.requests,
        "answers": sheet.frame.height,
        "to_grade": sheet.to_grade,
        "given_up": plan.given_up,
        "left_out": list(plan.left_out),
        "strata": plan.strata.to_dicts(),
    }
    rows = [
        [
            row["task_category"],
            _band(row["low"], row["high"], missing=row["missing"]),
            count(row["requests"]),
            count(row["graded"]),
            count(row["drawn"]),
            f"{row['probability']:.4g}",
        ]
        for row in plan.strata.iter_rows(named=True)
    ]
    header = ("category", "confidence", "requests", "graded", "drawn", "probability")
    name = quote(log.dataset)
    files = all(Path(item).is_file() for item in options.log)
    first = f"tiertune load {' '.join(quote(item) for item in options.log)}; " if files else ""
    text = (
        f"Wrote {options.out}: {sheet.requests:,} requests, {sheet.to_grade:,} answers to grade.\n\n"
        f"{table(header, rows, texts=2)}\n\n"
        "Fill in the column correct (1, 0, or in between), then: "
        f"{first}tiertune join {name} {quote(str(options.out))}"
    )
    return Outcome(
        document, text, (*log.notes, *selection.notes, *_sheet_notes(plan.given_up, plan.left_out))
    )


def _sheet_notes(given_up: int, left_out: tuple[str, ...]) -> list[str]:
    notes = []
    if given_up:
        notes.append(
            f"About {given_up:,} grades that the log has lie outside the sample. They do not stand for all "
            "requests, so they do not count once the sheet is joined."
        )
    if left_out:
        notes.append(f"Mostly graded already, so none is drawn: {', '.join(left_out)}.")
    return notes


def _plan_table(plan: ShadowPlan) -> str:
    rows = [
        [
            purchase.task_category or "All categories",
            QUESTIONS[purchase.question],
            _band(purchase.low, purchase.high),
            count(purchase.pairs) if purchase.explorations else UNKNOWN,
            *_half(purchase),
            *(_days(item.days) for item in purchase.explorations or ()),
            *([UNKNOWN] * (len(RATES) - len(purchase.explorations))),
        ]
        for purchase in plan.purchases
    ]
    header = (
        *("category", "question", "confidence", "pairs", "strong calls", "cost"),
        *(f"days at {rate:.0%}" for rate in RATES),
    )
    said = [
        f"{purchase.task_category or 'All categories'}: {purchase.impossible}"
        for purchase in plan.purchases
        if purchase.impossible is not None
    ]
    return "\n".join([table(header, rows, texts=3), *said])


def _half(purchase: Purchase) -> list[str]:
    """Calls and cost at the middle rate; at others the floor's share differs a little."""
    item = next((item for item in purchase.explorations if item.rate == HALF), None)
    return [UNKNOWN, UNKNOWN] if item is None else [count(item.strong_calls), money(item.cost_usd)]


def _band(low: float | None, high: float | None, *, missing: bool = False) -> str:
    if missing:
        return "none"
    if low is None:
        return "all"
    return f"from {number(low)}" if high is None else f"{number(low)} to {number(high)}"


def _days(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}" if value >= 1 else "under 1"


def _document(plan: ShadowPlan, config: str | None) -> dict[str, Any]:
    purchases = [asdict(purchase) for purchase in plan.purchases]
    for purchase in purchases:
        for item in purchase["explorations"]:
            item["cost_usd"], item["days"] = rounded(item["cost_usd"]), rounded(item["days"])
    return {
        "requests_per_day": rounded(plan.requests_per_day),
        "shadow_share": rounded(plan.shadow_share),
        "purchases": purchases,
        "answered": list(plan.answered),
        "assumptions": list(plan.assumptions),
        "config": config,
    }


def _rows(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:  # noqa: PLR2004 - a sheet for people
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests from 1 to 100000")
    return int(text)
