"""The commands about policies: tune one from a log, evaluate one on a log."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from analytics import expiry, machine_output, policy_file
from analytics.commands import flags, opening, writing
from analytics.commands.outcome import (
    InputError,
    Outcome,
    count,
    money,
    number,
    percent_interval,
    seconds,
    table,
)
from analytics.errors import SchemaError
from analytics.estimate import LEVEL
from analytics.export.change import change
from analytics.export.evidence import evidence_sheet
from analytics.logs.reading.staging import shown as safe
from analytics.logs.schema import REPORT_FOLDS
from analytics.measure.suspicions import suspicions
from analytics.policy import Goal, GoalName, ThresholdPolicy
from analytics.tuning import halves
from analytics.tuning.baselines import baselines, control_points
from analytics.tuning.curve import Point
from analytics.tuning.evaluation import evaluate
from analytics.tuning.goals import CUT, FILTERS, Tuning, tune
from analytics.tuning.halves import ALL_ROWS, Holdout
from analytics.tuning.log import Log, Selection, read_log, select
from analytics.tuning.policy_sums import in_force_policy

NEEDED = {
    "min-accuracy": ("min_accuracy", "--min-accuracy"),
    "accuracy-per-dollar": ("min_accuracy", "--min-accuracy"),
    "budget": ("budget", "--budget"),
    "value": ("value", "--value"),
}
CONTROLS = {
    "fast_only": "Always fast",
    "strong_only": "Always strong",
    "in_force": "In force",
    "random": "Random",
    "oracle": "Oracle",
}
USED = {
    "margin": ("non-inferior",),
    "reference": ("non-inferior",),
    "min_accuracy": ("min-accuracy", "accuracy-per-dollar"),
    "budget": ("budget",),
    "value": ("value",),
}


def add_tune(commands: Any) -> None:
    """``tiertune tune``."""
    parser = flags.command(commands, "tune", text="Pick a threshold per category by a goal.", run=tuned)
    flags.add_log(parser)
    add_goal(parser)
    parser.add_argument(
        "--holdout",
        choices=get_args(Holdout),
        default="hash",
        help="what divides the rows that pick from those that report: a hash of the user (default), or time",
    )
    parser.add_argument(
        "--expires", metavar="DATE|DAYSd", help="when to tune again: 2027-02-22, or 90d from today"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the thresholds file, .yaml or .json")
    parser.add_argument(
        "--evidence", type=Path, metavar="FILE", help="write one page for who approves it, .html or .md"
    )


SHEETS: dict[str, Literal["markdown", "html"]] = {".html": "html", ".md": "markdown"}


def add_goal(parser: argparse.ArgumentParser) -> None:
    """The flags that say what thresholds are for."""
    goal = parser.add_argument_group("goal")
    goal.add_argument(
        "--goal", choices=get_args(GoalName), default="non-inferior", help="default: non-inferior"
    )
    goal.add_argument(
        "--margin", type=flags.share, help="accuracy that may be lost, 0.01 = one point (default)"
    )
    goal.add_argument("--reference", choices=["strong", "in-force"], help="what the margin is measured from")
    goal.add_argument("--scope", choices=["overall", "category"], default="overall", help="what is promised")
    goal.add_argument("--min-accuracy", type=flags.share, help="floor, 0 to 1")
    goal.add_argument("--budget", type=flags.positive, metavar="USD", help="most per request")
    goal.add_argument("--value", type=flags.positive, metavar="USD", help="what a correct answer is worth")
    goal.add_argument(
        "--pool", action="store_true", help="categories with too little data share one threshold"
    )
    goal.add_argument(
        "--max-p95-s", type=flags.positive, metavar="S", help="limit of the 95th percentile of latency"
    )
    goal.add_argument(
        "--level", type=flags.coverage, default=LEVEL, help="coverage of the intervals (default: 0.95)"
    )


def add_evaluate(commands: Any) -> None:
    """``tiertune evaluate``."""
    parser = flags.command(commands, "evaluate", text="What a thresholds file does on a log.", run=evaluated)
    parser.add_argument("policy", type=Path, metavar="FILE", help="thresholds file, .yaml or .json")
    flags.add_log(parser)
    parser.add_argument(
        "--rows",
        choices=["held-out", "all"],
        help="held-out: the rows of the file's own figures, the default on its own log; all: every row",
    )


def tuned(options: argparse.Namespace) -> Outcome:
    """The best policy by a goal; written to a file where ``--out`` says so."""
    goal = goal_of(options)
    expires = None if options.expires is None else _moment(options.expires)
    if options.out is not None and options.out.suffix.lower() not in policy_file.SUFFIXES:
        raise InputError(f"--out ends in {', '.join(policy_file.SUFFIXES)}. Found: {options.out.name}.")
    sheet = SHEETS.get(options.evidence.suffix.lower()) if options.evidence is not None else None
    if options.evidence is not None and sheet is None:
        raise InputError(f"--evidence ends in {', '.join(SHEETS)}. Found: {options.evidence.name}.")
    with opening.opened(options) as log:
        selection = opening.selected(log, log.read(holdout=options.holdout), options)
    tuning = tune(selection, goal)
    tuning = replace(tuning, policy=replace(tuning.policy, expires=expires))
    text = f"{tuning.sentence}\n\n{_policy_table(tuning)}"
    if options.out is not None:
        form: Literal["json", "yaml"] = "json" if options.out.suffix.lower() == ".json" else "yaml"
        writing.write(options.out, policy_file.dumps(tuning.policy, format=form))
        text += f"\n\nWrote {options.out}"
    if sheet is not None:
        current = in_force_policy(selection)
        against = (
            None if current is None else change(selection, current, tuning.policy, folds=tuning.rows.folds)
        )
        writing.write(options.evidence, evidence_sheet(tuning, selection, against=against)[sheet])
        text += f"\n\nWrote {options.evidence}"
    wrong = []
    for item in suspicions(selection):
        where = f" in {', '.join(item.categories)}" if item.categories else ""
        wrong.append(f"{item.title}{where}. {item.body}")
    return Outcome(machine_output.tune_document(tuning), text, (*log.notes, *wrong, *tuning.notes))


def evaluated(options: argparse.Namespace) -> Outcome:
    """The figures of a thresholds file on a log."""
    policy = policy_file.load(options.policy)
    level = policy.goal.level if policy.goal else LEVEL
    with opening.opened(options) as log:
        whole = log.read()
        same = policy.evidence is not None and policy.evidence.log_sha256 == whole.facts.log_sha256
        rows = options.rows or ("held-out" if same else "all")
        filed = same and rows == "held-out"
        seen = _as_tuned(log, whole, policy) if filed else whole
        selection = opening.selected(log, seen, options, pair=_one_pair(policy))
    selection, notes = _as_selected(selection, policy) if filed else (selection, [])
    folds = REPORT_FOLDS if rows == "held-out" else None
    shown = halves.rows(None, selection.log.cut).reported_on if rows == "held-out" else "all"
    if filed and _certified(policy):
        known = halves.reported(selection.log.cut)
        reported = known.get(str(policy.evidence and policy.evidence.reported_on), known[ALL_ROWS])
        folds, shown = reported.folds, reported.reported_on
        rows = "all" if folds is None else shown
        notes.append(f"The file is certified; its figures are of {shown}, and so are these.")
    found = evaluate(selection, policy, folds=folds, rows=shown, level=level)
    fixed = baselines(selection, folds=folds, covered=found.covered, level=level)
    controls = control_points(selection, found.overall, fixed, folds=folds, level=level)
    left_out = [name for name in selection.categories if name not in found.covered]
    if left_out:
        notes.append(
            f"Figures over all categories leave out what this log cannot tell: {', '.join(left_out)}."
        )
    notes += _other_kind(selection, policy)
    late = expiry.warning(policy)
    notes += [] if late is None else [late]
    points: list[tuple[str, Point | None]] = [("All categories", found.overall), *found.categories.items()]
    points += [(label, controls.get(name)) for name, label in CONTROLS.items()]
    text = f"On {count(found.overall.escalation_rate.n)} requests ({shown})\n\n{_points_table(points)}"
    document = machine_output.evaluate_document(found, controls, rows=rows)
    return Outcome(document, text, (*log.notes, *selection.notes, *notes))


def _moment(text: str) -> datetime:
    try:
        return expiry.moment(text)
    except SchemaError as error:
        raise InputError(f"--expires: {error}") from None


def _certified(policy: ThresholdPolicy) -> bool:
    return policy.overall is not None and policy.overall.verdict == "certified"


def goal_of(options: argparse.Namespace) -> Goal:
    """The goal of the flags.

    Raises:
        InputError: It lacks its number, or a number belongs to another goal.
    """
    name = options.goal
    if name in NEEDED:
        attribute, flag = NEEDED[name]
        flags.required(getattr(options, attribute), flag, f"The goal {name}")
    for attribute, goals in USED.items():
        if getattr(options, attribute) is not None and name not in goals:
            flag = f"--{attribute.replace('_', '-')}"
            raise InputError(f"{flag} belongs to --goal {' or '.join(goals)}, not to {name}.")
    return Goal(
        name=name,
        margin=options.margin,
        reference=options.reference,
        scope=options.scope,
        min_accuracy=options.min_accuracy,
        budget_usd=options.budget,
        value_usd=options.value,
        max_p95_s=options.max_p95_s,
        level=options.level,
        pool=options.pool,
    )


def _one_pair(policy: ThresholdPolicy) -> tuple[str | None, str | None] | None:
    """The pair of models that every category of the file names, if it is one."""
    pairs = {(item.fast_model, item.strong_model) for item in policy.categories.values()}
    return next(iter(pairs)) if len(pairs) == 1 else None


def _as_tuned(log: opening.OpenLog, whole: Log, policy: ThresholdPolicy) -> Log:
    """The log within the period that the file was tuned on, divided as it was then."""
    evidence, filters = policy.evidence, policy.extra.get(FILTERS)
    text = filters.get(CUT) if isinstance(filters, Mapping) else None
    cut = None if text is None else halves.read(text)
    if text is not None and cut is None:
        raise InputError(f"{FILTERS}.{CUT} of the file is not a time. Found: {safe(str(text))}.")
    first, last = (None, None) if evidence is None else (evidence.since, evidence.until)
    holdout: Holdout | datetime = "hash" if cut is None else cut
    since = until = None
    if first is not None and last is not None:
        since, last = first.replace(tzinfo=None), last.replace(tzinfo=None)
        until = last + timedelta(microseconds=1)
        if (since, last) == (whole.facts.first_ts, whole.facts.last_ts):
            since = until = None
    if since is None and cut is None:
        return whole
    return read_log(log.store, log.dataset, since=since, until=until, holdout=holdout)


def _as_selected(selection: Selection, policy: ThresholdPolicy) -> tuple[Selection, list[str]]:
    """The selection with the filters that the file says it was tuned under."""
    filters = policy.extra.get(FILTERS)
    if not isinstance(filters, Mapping):
        return selection, []
    categories, arm, missing = (filters.get(key) for key in ("categories", "arm", "missing"))
    less = select(
        selection.log,
        categories=None if categories is None else [str(name) for name in categories],
        pair=_one_pair(policy),
        arm=None if arm is None else str(arm),
        missing="exclude" if missing == "exclude" else selection.missing,
    )
    parts = [] if categories is None else ["its own categories"]
    parts += [] if arm is None else [f"arm {arm}"]
    parts += ["requests with a confidence"] if missing == "exclude" else []
    if not parts:
        return less, []
    return less, [f"As when the file was tuned, only {', '.join(parts)} count."]


def _other_kind(selection: Selection, policy: ThresholdPolicy) -> list[str]:
    if selection.policy_kind == policy.policy_kind:
        return []
    kinds = f"The file is for a {policy.policy_kind} router, this log is of a {selection.policy_kind} one"
    return [f"{kinds}: costs and latencies are counted as the log's."]


def _policy_table(tuning: Tuning) -> str:
    rows = []
    for name, item in tuning.policy.categories.items():
        rule = "-" if item.threshold is None and item.route == "cascade" else item.route.replace("_", " ")
        at = tuning.figures.categories[name]
        rows.append(
            [
                name,
                rule if item.threshold is None else f"{number(item.threshold)}",
                item.verdict or "-",
                percent_interval(at.accuracy),
                money(at.cost_per_request_usd.value),
                percent_interval(at.escalation_rate),
                count(at.escalation_rate.n),
            ]
        )
    default, whole = tuning.policy.default, tuning.figures.overall
    rule = number(default.threshold) if default.threshold is not None else default.route.replace("_", " ")
    rows.append(["(any other)", rule, "default", "-", "-", "-", "-"])
    rows.append(
        [
            "All categories",
            "",
            "",
            percent_interval(whole.accuracy),
            money(whole.cost_per_request_usd.value),
            percent_interval(whole.escalation_rate),
            count(whole.escalation_rate.n),
        ]
    )
    accuracy = "accuracy" if tuning.certified else "held-out accuracy"
    header = ["category", "threshold", "verdict", accuracy, "per request", "escalated", "n"]
    return table(header, rows, texts=3)


def _points_table(points: Sequence[tuple[str, Point | None]]) -> str:
    rows = [
        [
            name,
            percent_interval(point.accuracy),
            money(point.cost_per_request_usd.value),
            percent_interval(point.escalation_rate),
            seconds(point.latency_p95_s.value),
            count(point.accuracy.n),
        ]
        for name, point in points
        if point is not None
    ]
    return table(["", "accuracy", "per request", "escalated", "p95", "graded"], rows)
