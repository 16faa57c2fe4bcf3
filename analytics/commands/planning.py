"""The command that plans a test: requests, days, cost, and the file of the experiment.

Its JSON document: ``{"plan": {...}, "power_simulated", "splits": [{"share", "days", "requests",
"extra_usd"}], "by_category": [...], "experiment": TEXT or null}``; numbers that no length of the test would
give are null with a ``reason``.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from analytics import policy_file
from analytics.commands import flags, opening, writing
from analytics.commands.outcome import InputError, Outcome, count, percent, table
from analytics.errors import NotIdentifiedError
from analytics.estimate import LEVEL, rounded
from analytics.experiments import saying, spec
from analytics.experiments.design import AIMS, LONGEST_DAYS, Baseline, Plan, baseline, by_category, plan
from analytics.experiments.effects import Metric
from analytics.experiments.outcomes import Scope
from analytics.experiments.proposal import proposal, routes_between, sentence, usable_name
from analytics.experiments.spec import Experiment
from analytics.experiments.splits import Split, cheapest, simulated_power, splits
from analytics.experiments.study import MARGIN
from analytics.policy import ThresholdPolicy
from analytics.tuning.policy_sums import in_force_policy

SUFFIXES = (".yaml", ".yml", ".json")


def add_plan(commands: Any) -> None:
    """``tiertune plan``."""
    text = "How long a test must run at this log's traffic, and its file."
    parser = flags.command(commands, "plan", text=text, run=planned)
    flags.add_log(parser)
    parser.add_argument(
        "--metric", choices=list(AIMS), default="accuracy", help="what decides (default: accuracy)"
    )
    parser.add_argument(
        "--margin",
        type=flags.positive,
        help="loss allowed or effect to be found, in the metric's unit (default: 0.02, or a tenth of a cost)",
    )
    parser.add_argument(
        "--aim", choices=["non-inferior", "better"], help="default: non-inferior accuracy, better cost"
    )
    parser.add_argument("--category", metavar="NAME", help="one category (default: all)")
    parser.add_argument("--by", choices=["category"], help="every category on its own")
    parser.add_argument("--share", type=flags.coverage, default=0.5, help="of the treatment (default: 0.5)")
    parser.add_argument("--power", type=flags.coverage, default=0.8, help="chance of the answer (0.8)")
    parser.add_argument("--level", type=flags.coverage, default=LEVEL, help="coverage (default: 0.95)")
    parser.add_argument(
        "--within",
        type=flags.positive,
        default=LONGEST_DAYS,
        metavar="DAYS",
        help=f"days in which it should end (default: {LONGEST_DAYS})",
    )
    parser.add_argument(
        "--extra-cost", type=float, metavar="USD", help="treatment minus control per request, if known"
    )
    parser.add_argument(
        "--thresholds", type=Path, metavar="FILE", help="proposed thresholds, tested against those in force"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the experiment, .yaml or .json")
    parser.add_argument("--name", help="name of the experiment (default: from the thresholds file)")


def planned(options: argparse.Namespace) -> Outcome:
    """A plan, and the experiment file where thresholds are proposed."""
    if options.out is not None:
        if options.out.suffix.lower() not in SUFFIXES:
            raise InputError(f"An experiment file ends in {', '.join(SUFFIXES)}.")
        flags.required(options.thresholds, "--thresholds", "An experiment file")
    proposed = None if options.thresholds is None else policy_file.load(options.thresholds)
    with opening.opened(options, paired=proposed is not None) as log:
        between, control = None, None
        if proposed is not None:
            between, control = _differing(log, options, proposed)
        found = baseline(
            log.store, Scope(log.dataset, None, fast=options.fast, strong=options.strong), between=between
        )
    if options.category is not None and options.category not in found.categories:
        raise InputError(
            f"There is no category {options.category}. There are: {', '.join(found.categories)}."
        )
    entry = plan(
        found,
        options.metric,
        margin=options.margin or _usual_margin(found, options.metric),
        aim=options.aim,
        category=options.category,
        share=options.share,
        power=options.power,
        level=options.level,
        within=options.within,
    )
    ways = splits(found, entry, extra_per_request_usd=options.extra_cost)
    each = by_category(found, entry) if options.by == "category" else []
    written, notes = None, log.notes
    if proposed is not None and control is not None:
        written = _written(options, proposal(entry, control, proposed, name=_name(options)))
        notes = notes if options.out is None else (*notes, f"Wrote {options.out}.")
    power = simulated_power(entry)
    best = cheapest(ways, within=options.within)
    document = {
        "plan": _entry(entry),
        "power_simulated": rounded(power),
        "splits": [
            {
                "share": way.share,
                "days": rounded(way.plan.days),
                "requests": way.plan.requests,
                "extra_usd": rounded(way.extra_usd),
            }
            for way in ways
        ],
        "cheapest_share": None if best is None else best.share,
        "by_category": [_entry(item) for item in each],
        "experiment": written,
    }
    text = _text(entry, ways, each, power=power)
    if written is not None and options.out is None:
        text += f"\n\n{written.rstrip()}"
    return Outcome(document, text, notes)


def _usual_margin(found: Baseline, metric: Metric) -> float:
    """Two points of accuracy, or a tenth of a cost."""
    if metric == "accuracy":
        return MARGIN
    return 0.1 * (plan(found, metric, margin=1.0).value or 1.0)


def _name(options: argparse.Namespace) -> str:
    return usable_name(options.name or options.thresholds.stem)


def _written(options: argparse.Namespace, test: Experiment) -> str:
    """The experiment file, written where the flags say so."""
    as_json = options.out is not None and options.out.suffix.lower() == ".json"
    text = spec.dumps(test, file_format="json" if as_json else "yaml")
    if options.out is not None:
        writing.write(options.out, text)
    return text


def _text(entry: Plan, ways: list[Split], each: list[Plan], *, power: float | None) -> str:
    lines = [sentence(entry)]
    if power is not None:
        lines.append(f"Chance of that answer by simulation: {percent(power)}.")
    split_rows = [
        [
            percent(way.share),
            count(way.plan.requests),
            saying.days(way.plan.days),
            saying.UNKNOWN if way.extra_usd is None else saying.money(way.extra_usd, plus=True),
        ]
        for way in ways
    ]
    lines += ["", table(["treatment's share", "requests", "days", "extra cost"], split_rows)]
    if each:
        rows = [
            [
                item.task_category or "-",
                f"{item.per_day:.1f}",
                count(item.requests),
                saying.days(item.days) if item.reason is None else "none",
                saying.UNKNOWN if item.detectable is None else saying.size(item.metric, item.detectable),
            ]
            for item in each
        ]
        header = ["category", "a day", "requests", "days", f"told in {entry.within:g} days"]
        lines += ["", table(header, rows)]
    return "\n".join(lines)


def _differing(
    log: opening.OpenLog, options: argparse.Namespace, proposed: ThresholdPolicy
) -> tuple[pl.DataFrame, ThresholdPolicy]:
    selection = opening.selected(log, log.read(), options)
    control = in_force_policy(selection)
    if control is None:
        raise NotIdentifiedError(
            "A test of thresholds needs those in force, and this log does not say them for every category: "
            "log threshold with every request."
        )
    between = routes_between(control, proposed, selection.categories)
    if between.is_empty():
        raise InputError("The proposed thresholds route every request as those in force: nothing to test.")
    return between, control


def _entry(entry: Plan) -> dict[str, Any]:
    found = asdict(entry)
    return {key: rounded(value) if isinstance(value, float) else value for key, value in found.items()}
