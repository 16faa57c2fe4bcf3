"""The command that compares the arms of an experiment.

Its JSON document: ``{"experiment", "control", "treatment", "answer": {"choice", "because", "sentence",
"risk", "more_days", "price_usd"}, "valid", "srm_p_value", "findings", "arms", "effects": {METRIC:
{"control", "treatment", "effect", "relative", "p_value", "reason"}}, "by_category", "any_time", "routes"}``;
``answer`` and what follows from effects are null where the sample ratio forbids a reading.
"""

import argparse
from pathlib import Path
from typing import Any

from analytics.commands import flags, opening, writing
from analytics.commands.outcome import InputError, Outcome, table
from analytics.estimate import LEVEL, Estimate, rounded
from analytics.experiments import outcomes, saying
from analytics.experiments.comparison import METRICS
from analytics.experiments.effects import Effect, Metric
from analytics.experiments.outcomes import Scope
from analytics.experiments.report import report
from analytics.experiments.study import MARGIN, Study, study

SUFFIXES = {".md": "markdown", ".html": "html"}


def add_compare(commands: Any) -> None:
    """``tiertune compare``."""
    text = "Arms of an experiment compared: effects, validity and what to do."
    parser = flags.command(commands, "compare", text=text, run=compared)
    flags.add_log(parser)
    parser.add_argument("--experiment", metavar="NAME", help="needed where the log has several")
    parser.add_argument("--control", metavar="ARM", help="arm that stays as it was (default: by its name)")
    parser.add_argument("--treatment", metavar="ARM", help="arm compared with it (default: the other one)")
    parser.add_argument(
        "--metric", choices=METRICS, action="append", help="show only this; repeatable (default: all)"
    )
    parser.add_argument("--by", choices=["category"], help="effects of every category")
    parser.add_argument(
        "--margin", type=flags.share, default=MARGIN, help=f"accuracy that may be lost (default: {MARGIN})"
    )
    parser.add_argument("--value", type=flags.positive, metavar="USD", help="worth of a correct answer")
    parser.add_argument(
        "--read",
        choices=["once", "any-time"],
        default="once",
        help="once, at the planned end, or with intervals that hold at every look (default: once)",
    )
    parser.add_argument("--split", type=_split, metavar="ARM=N,ARM=N", help="planned sizes (default: equal)")
    parser.add_argument("--level", type=flags.coverage, default=LEVEL, help="coverage (default: 0.95)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a report, .md or .html")


def compared(options: argparse.Namespace) -> Outcome:
    """One experiment."""
    suffix = None if options.report is None else options.report.suffix.lower()
    if suffix is not None and suffix not in SUFFIXES:
        raise InputError(f"A report ends in .md or .html, not {suffix or 'nothing'}.")
    with opening.opened(options, paired=False) as log:
        scope = Scope(log.dataset, chosen(log, options.experiment), fast=options.fast, strong=options.strong)
        if options.split is not None:
            _check_split(log, scope, options.split)
        found = study(
            log.store,
            scope,
            control=options.control,
            treatment=options.treatment,
            margin=options.margin,
            value_usd=options.value,
            read=options.read,
            level=options.level,
            split=options.split,
        )
        sha = log.read().facts.log_sha256 if options.report is not None else None
    notes = log.notes
    if found.peeked is not None:
        error = f"{found.peeked:.0%}"
        said = (
            "The experiment may still be running. Looked at every day, a reading made for one look is wrong "
            f"in {error} of tests without a difference: add --read any-time, or wait for its end."
        )
        notes = (*notes, said)
    if options.report is not None:
        written = report(found, log_sha256=sha)["html" if suffix == ".html" else "markdown"]
        writing.write(options.report, written)
        notes = (*notes, f"Wrote {options.report}.")
    shown = tuple(options.metric or (METRICS if options.value is None else (*METRICS, "net_usd")))
    return Outcome(_document(found), _text(found, shown, by_category=options.by == "category"), notes)


def chosen(log: opening.OpenLog, name: str | None) -> str | None:
    """The experiment that is meant.

    Raises:
        InputError: The log has several and none is named.
    """
    if name is not None:
        return name
    names = outcomes.arms(log.store, log.dataset)["experiment"].unique(maintain_order=True).to_list()
    if len(names) > 1:
        listed = ", ".join(str(item or "(without a name)") for item in names)
        raise InputError(f"The log has several experiments: {listed}. Name one with --experiment.")
    return names[0] if names else None


def _check_split(log: opening.OpenLog, scope: Scope, split: dict[str, float]) -> None:
    rows = outcomes.arms(log.store, log.dataset)
    arms = [arm for name, arm in rows.select("experiment", "arm").iter_rows() if name == scope.experiment]
    if set(arms) != set(split):
        raise InputError(f"--split names {', '.join(split)}, but the arms are {', '.join(arms)}.")


def _text(found: Study, shown: tuple[str, ...], *, by_category: bool) -> str:
    assigned, valid = found.reading.assigned, found.reading.validity
    lines = [] if found.answer is None else [found.answer.sentence, found.answer.risk, ""]
    lines += [f"{item.title}. {item.body}" for item in valid.findings]
    sizes = ", ".join(f"{arm} {count:,}" for arm, count in assigned.assigned.items())
    lines += [f"Assigned {assigned.noun}: {sizes}; sample ratio p {saying.p_value(valid.srm_p_value)}", ""]
    if found.comparison is None:
        return "\n".join(lines)
    both = (found.comparison.control, found.comparison.treatment)
    effects = {metric: e for metric, e in found.comparison.effects.items() if metric in shown}
    header = ["metric", *both, "effect", "relative", "p"]
    lines.append(table(header, [_row(metric, effect) for metric, effect in effects.items()]))
    if by_category:
        for metric in effects:
            rows = [
                [
                    name,
                    *_row(metric, part[metric])[1:],
                    saying.p_value(found.comparison.p_adjusted[metric][name]),
                ]
                for name, part in found.comparison.by_category.items()
            ]
            header = [saying.TITLES[metric], *both, "effect", "relative", "p", "p (Holm)"]
            lines += ["", table(header, rows)]
    if found.rivals:
        rows = [
            [
                rival.arm,
                saying.with_interval("accuracy", rival.accuracy.effect, difference=True),
                saying.p_value(rival.p_accuracy),
                saying.with_interval("cost_usd", rival.cost.effect, difference=True),
                saying.p_value(rival.p_cost),
            ]
            for rival in found.rivals
        ]
        lines += ["", table(["arm", "accuracy", "p (Holm)", "cost per request", "p (Holm)"], rows)]
    return "\n".join(lines)


def _row(metric: Metric, effect: Effect) -> list[str]:
    return [
        saying.TITLES[metric],
        saying.number(metric, effect.control.value),
        saying.number(metric, effect.treatment.value),
        saying.with_interval(metric, effect.effect, difference=True),
        saying.relative(effect.relative),
        saying.p_value(effect.p_value) if effect.reason is None else f"none: {effect.reason}",
    ]


def _document(found: Study) -> dict[str, Any]:
    said, compared_ = found.answer, found.comparison
    valid = found.reading.validity
    document: dict[str, Any] = {
        "experiment": found.reading.scope.experiment,
        "control": None if compared_ is None else compared_.control,
        "treatment": None if compared_ is None else compared_.treatment,
        "unit": found.reading.assigned.unit,
        "arms": [
            {
                "arm": arm,
                "assigned": found.reading.assigned.assigned[arm],
                "requests": found.reading.assigned.requests[arm],
                "planned": rounded(valid.planned[arm]),
            }
            for arm in found.reading.arms
        ],
        "valid": valid.readable,
        "srm_p_value": rounded(valid.srm_p_value),
        "findings": [
            {"kind": item.kind, "title": item.title, "body": item.body, "blocks": item.blocks}
            for item in valid.findings
        ],
        "answer": None
        if said is None
        else {
            "choice": said.decision.choice,
            "because": said.decision.because,
            "sentence": said.sentence,
            "risk": said.risk,
            "more_days": rounded(said.more_days),
            "price_usd": _estimate(said.decision.price_usd),
        },
        "effects": None,
        "by_category": None,
        "any_time": None,
        "routes": None,
    }
    if compared_ is not None:
        document |= _effects(found)
    return document


def _effects(found: Study) -> dict[str, Any]:
    compared_ = found.comparison
    if compared_ is None:
        return {}
    routes = compared_.routes
    return {
        "effects": {metric: _effect(entry) for metric, entry in compared_.effects.items()},
        "by_category": [
            {
                "task_category": name,
                "effects": {
                    metric: _effect(entry) | {"p_adjusted": rounded(compared_.p_adjusted[metric][name])}
                    for metric, entry in part.items()
                },
            }
            for name, part in compared_.by_category.items()
        ],
        "any_time": {
            metric: {
                key: rounded(value) if isinstance(value, float) else value
                for key, value in looks.last.items()
                if key != "day"
            }
            for metric, looks in found.looks.items()
        },
        "routes": None
        if routes is None
        else {
            "share": rounded(routes.share(compared_.control, compared_.treatment)),
            "pairs": routes.pairs,
            "mended": routes.mended,
            "worsened": routes.worsened,
            "p_value": rounded(routes.p_value),
        },
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "control": _estimate(effect.control),
        "treatment": _estimate(effect.treatment),
        "effect": _estimate(effect.effect),
        "relative": _estimate(effect.relative),
        "p_value": rounded(effect.p_value),
        "reason": effect.reason,
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else found.as_json()


def _split(text: str) -> dict[str, float]:
    parts = [part.rpartition("=") for part in text.split(",")]
    try:
        found = {name.strip(): float(value) for name, _, value in parts}
    except ValueError:
        found = {}
    if len(found) < 2 or any(not value > 0 or value == float("inf") for value in found.values()):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form control=50,treatment=50")
    return found
