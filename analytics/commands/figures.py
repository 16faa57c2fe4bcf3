"""The commands that describe a log: tiers and curve."""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from analytics import machine_output
from analytics.commands import flags, opening
from analytics.commands.outcome import (
    InputError,
    Outcome,
    count,
    money,
    number,
    percent,
    percent_interval,
    seconds,
    table,
)
from analytics.estimate import LEVEL
from analytics.measure.tiers import GROUPINGS, tier_estimates, tier_table
from analytics.tuning.curve import Curve, Point, curve

SHOWN_POINTS = 21


def add_tiers(commands: Any) -> None:
    """``tiertune tiers``."""
    parser = flags.command(commands, "tiers", text="What each tier costs and gets right.", run=tiers)
    flags.add_log(parser, pair=False)
    parser.add_argument(
        "--by",
        choices=["category", "tier", "model", "day"],
        default="category",
        help="grouping (default: category)",
    )


def add_curve(commands: Any) -> None:
    """``tiertune curve``."""
    parser = flags.command(
        commands, "curve", text="Accuracy, cost and escalation rate at every threshold.", run=curves
    )
    flags.add_log(parser)
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--category", metavar="NAME", help="one category (default: all pooled)")
    one.add_argument("--by", choices=["category"], help="one curve per category")
    parser.add_argument(
        "--thresholds", type=flags.numbers, metavar="T,...", help="only at these, any finite numbers"
    )
    parser.add_argument(
        "--level", type=flags.coverage, default=LEVEL, help="coverage of the intervals (default: 0.95)"
    )


def tiers(options: argparse.Namespace) -> Outcome:
    """What each category, tier, model or day costs and gets right."""
    with opening.opened(options, paired=False) as log, log.store.cursor() as cursor:
        found = tier_estimates(tier_table(cursor, log.dataset, by=options.by))
    keys = GROUPINGS[options.by]
    rows = [
        [
            *(_group(row[key]) for key in keys),
            count(row["calls"]),
            percent_interval(machine_output.tier_estimate(row, "accuracy")),
            money(row["cost_usd"]),
            money(row["cost_per_call_usd"]),
            money(row["cost_per_correct_usd"]),
            seconds(row["latency_p50_s"]),
            seconds(row["latency_p95_s"]),
        ]
        for row in found.iter_rows(named=True)
    ]
    header = [
        *(key.removeprefix("task_") for key in keys),
        "calls",
        "accuracy",
        "cost",
        "per call",
        "per correct",
        "p50",
        "p95",
    ]
    return Outcome(
        machine_output.tiers_document(found, keys), table(header, rows, texts=len(keys)), log.notes
    )


def _group(value: object) -> str:
    return "(none)" if value is None else str(value)


def curves(options: argparse.Namespace) -> Outcome:
    """One curve, or one per category."""
    with opening.opened(options) as log:
        selection = opening.selected(log, log.read(), options)
    if options.category is not None and options.category not in selection.categories:
        raise InputError(
            f"There is no category {options.category}. Found: {', '.join(selection.categories)}."
        )
    names = list(selection.categories) if options.by else [options.category]
    found = [curve(selection, category=name, level=options.level) for name in names]
    documents = [machine_output.curve_document(item, thresholds=options.thresholds) for item in found]
    return Outcome(
        {"curves": documents} if options.by else documents[0],
        "\n\n".join(_curve_text(item, options.thresholds) for item in found),
        (*log.notes, *selection.notes),
    )


def _curve_text(item: Curve, thresholds: Sequence[float] | None) -> str:
    name = item.task_category or "All categories"
    pair = f", {item.fast_model} > {item.strong_model}" if item.fast_model else ""
    lines = [f"{name}{pair}: {count(item.n)} requests, {item.policy_kind}, estimator {item.estimator}"]
    if item.missing_confidence:
        lines.append(f"{count(item.missing_confidence)} requests have no confidence")
    points = _thinned(item.points) if thresholds is None else machine_output.points_at(item, thresholds)
    lines.append(_points_table(points, item))
    if thresholds is None and points.height < item.points.height:
        shown = f"{points.height} of {item.points.height} thresholds"
        lines.append(f"{shown}; all with --json, chosen ones with --thresholds")
    areas = [
        f"{label} {number(value)}"
        for label, value in (
            ("APGR", item.apgr),
            ("CPT(50%)", item.cpt50),
            ("CPT(80%)", item.cpt80),
            ("AIQ", item.aiq),
            ("AUROC", item.auroc),
            ("ECE", item.ece),
        )
        if value is not None
    ]
    reasons = list(dict.fromkeys(item.reasons.values()))
    return "\n".join([*lines, *([", ".join(areas)] if areas else []), *reasons])


def _points_table(points: pl.DataFrame, item: Curve) -> str:
    rows = [
        [
            "escalate all" if row["threshold"] is None else number(row["threshold"]),
            percent(row["escalation_rate"]),
            _accuracy(row),
            money(row["cost_per_request_usd"]),
            money(row["cost_per_correct_usd"]),
            seconds(row["latency_p95_s"]),
        ]
        for row in points.iter_rows(named=True)
    ]
    controls = (
        ("always fast", item.fast_only),
        ("always strong", item.strong_only),
        ("oracle", item.oracle),
        ("in force", item.in_force),
    )
    rows += [_control(name, point) for name, point in controls if point is not None]
    return table(["threshold", "escalated", "accuracy", "per request", "per correct", "p95"], rows)


def _control(name: str, point: Point) -> list[str]:
    cost, right = point.cost_per_request_usd.value, point.accuracy.value
    per_correct = cost / right if cost is not None and right else None
    return [
        name,
        percent(point.escalation_rate.value),
        percent_interval(point.accuracy),
        money(cost),
        money(per_correct),
        seconds(point.latency_p95_s.value),
    ]


def _accuracy(row: dict[str, Any]) -> str:
    """Accuracy with its interval; where the log cannot tell, the bounds alone."""
    low, high = row["accuracy_low"], row["accuracy_high"]
    if low is None or high is None:
        return percent(row["accuracy"])
    between = f"{100 * low:.1f} to {100 * high:.1f}"
    return f"{percent(row['accuracy'])} ({between})" if row["accuracy"] is not None else f"? ({between})"


def _thinned(points: pl.DataFrame) -> pl.DataFrame:
    """At most ``SHOWN_POINTS`` rows, evenly over the escalation rate, first and last included."""
    if points.height <= SHOWN_POINTS:
        return points
    rates = points["escalation_rate"].to_numpy()
    wanted = np.linspace(rates[0], rates[-1], SHOWN_POINTS)
    rows = np.unique(np.clip(np.searchsorted(rates, wanted), 0, points.height - 1))
    return points[sorted({0, *rows.tolist(), points.height - 1})]
