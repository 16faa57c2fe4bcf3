"""The part of ``tiertune export`` that hands thresholds out step by step.

Its JSON document: ``{"target", "steps": [{"number", "categories", "rest", "fraction", "done", "experiment",
"gate": {"sentence", "loss", "requests", "days", "command"}, "files": {NAME: TEXT}}], "plan": TEXT, "days",
"notes": [...]}``; ``rest`` says whether the step is about categories without a rule of their own too.
"""

import argparse
from dataclasses import asdict
from typing import Any

from analytics import policy_file
from analytics.commands import flags, opening
from analytics.commands.outcome import InputError
from analytics.estimate import rounded
from analytics.experiments.design import Baseline, baseline
from analytics.experiments.outcomes import Scope
from analytics.experiments.proposal import routes_between
from analytics.export.fragment import Fragment, handed_out
from analytics.export.merge import FORMS, merged
from analytics.export.own_config import own_config
from analytics.export.rollout import FRACTIONS, Rollout, Step, rollout
from analytics.export.rollout_files import PLAN, own_deployments, rollout_files
from analytics.policy import ThresholdPolicy
from analytics.tuning.policy_sums import in_force_policy


def add_rollout(parser: argparse.ArgumentParser) -> None:
    """The flags of a rollout."""
    group = parser.add_argument_group("step by step, for flagd and litellm-plugin")
    group.add_argument("--rollout", action="store_true", help="a file per step, and the plan with its gates")
    group.add_argument(
        "--critical", nargs="+", default=[], metavar="CATEGORY", help="categories that go last"
    )
    group.add_argument(
        "--shares",
        type=flags.numbers,
        metavar="F,F,...",
        help=f"rising shares of a step's requests (default: {','.join(f'{share:g}' for share in FRACTIONS)})",
    )
    group.add_argument("--margin", type=flags.share, help="accuracy that may be lost (default: of the goal)")
    group.add_argument("--today", metavar="FILE", help="thresholds file in force (default: of --log)")
    group.add_argument("--log", nargs="+", metavar="LOG", help="log whose traffic gives the days")
    group.add_argument("--fast", metavar="MODEL", help="label of the fast model, where --log has several")
    group.add_argument("--strong", metavar="MODEL", help="label of the strong model")
    flags.add_answers(parser)


def refuse_idle(options: argparse.Namespace) -> None:
    """Refuse the flags of a rollout without one.

    Raises:
        InputError: One is given.
    """
    given = {
        "--critical": options.critical, "--shares": options.shares, "--margin": options.margin,
        "--today": options.today, "--log": options.log,
    }  # fmt: skip
    for flag, value in given.items():
        if value not in (None, []):
            raise InputError(f"{flag} belongs to --rollout.")


def planned(
    options: argparse.Namespace, policy: ThresholdPolicy, own: bytes | None
) -> tuple[dict[str, Any], str, dict[str, str], tuple[str, ...]]:
    """The machine output, the plan, the files by name and the notes of a rollout."""
    handed = handed_out(policy, include_unsupported=options.include_unsupported)
    today = None if options.today is None else policy_file.load(options.today)
    traffic: Baseline | None = None
    notes: tuple[str, ...] = ()
    if options.log is not None:
        traffic, today, notes = _traffic(options, handed, today)
    found = rollout(
        handed, today=today, critical=options.critical, traffic=traffic, margin=options.margin,
        fractions=options.shares or FRACTIONS,
    )  # fmt: skip
    known = None
    if own is not None and options.to.startswith("litellm"):
        known = own_deployments(own_config(own, FORMS[options.to]).data)
    fragments, plan = rollout_files(found, handed, options.to, today=today, deployments=known)
    files = {PLAN: plan}
    if own is not None:
        files[f"{options.into.name}.rollback"] = own.decode()
    steps = []
    for step in found.steps:
        texts = _texts(fragments[step.number], options, own)
        files |= {f"step-{step.number}/{name}": text for name, text in texts.items()}
        steps.append(_entry(step, texts))
    document = {
        "target": options.to,
        "steps": steps,
        "plan": plan,
        "days": None if found.days is None else rounded(found.days),
        "notes": list(notes),
    }
    return document, plan, files, (*notes, *_unknown(found))


def _unknown(found: Rollout) -> tuple[str, ...]:
    if found.days is not None or found.steps[0].gate.requests is None:
        return ()
    return ("Days come from traffic: name a log with --log.",)


def _traffic(
    options: argparse.Namespace, policy: ThresholdPolicy, today: ThresholdPolicy | None
) -> tuple[Baseline, ThresholdPolicy | None, tuple[str, ...]]:
    """What a log says of its requests, and the thresholds in force where no file does."""
    with opening.opened(options) as log:
        selection = opening.selected(log, log.read(), options)
        old = today or in_force_policy(selection)
        between = None if old is None else routes_between(old, policy, selection.categories)
        scope = Scope(log.dataset, None, fast=options.fast, strong=options.strong)
        differs = between if between is not None and not between.is_empty() else None
        return baseline(log.store, scope, between=differs), old, log.notes


def _texts(fragment: Fragment, options: argparse.Namespace, own: bytes | None) -> dict[str, str]:
    """The files of one step; the user's own config in the place of the fragment where there is one."""
    if own is None:
        return dict(fragment.files)
    first = next(iter(fragment.files))
    rest = {name: text for name, text in fragment.files.items() if name != first}
    return {options.into.name: merged(own, options.to, fragment).text, **rest}


def _entry(step: Step, texts: dict[str, str]) -> dict[str, Any]:
    gate = asdict(step.gate)
    return {
        "number": step.number,
        "categories": [name for name in step.categories if name is not None],
        "rest": None in step.categories,
        "fraction": step.fraction,
        "done": [name for name in step.done if name is not None],
        "experiment": step.experiment,
        "gate": {key: rounded(value) if isinstance(value, float) else value for key, value in gate.items()},
        "files": texts,
    }
