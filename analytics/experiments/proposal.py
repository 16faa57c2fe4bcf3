"""From two policies to the test between them: what differs, how long it takes, and its file."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from analytics.experiments import saying
from analytics.experiments.design import Plan
from analytics.experiments.spec import Arm, Experiment, StopRule, kept_from
from analytics.logs.schema import UNCATEGORISED
from analytics.policy import ThresholdPolicy

CONTROL, TREATMENT = "control", "treatment"


def routes_between(
    control: ThresholdPolicy, treatment: ThresholdPolicy, categories: Sequence[str]
) -> pl.DataFrame:
    """Confidences that two policies route differently.

    Returns:
        ``category``, ``control``, ``treatment`` (least confidence kept), ``low`` and ``high``: confidences
        from ``low`` to below ``high`` differ; categories in which none does are left out.
    """
    rows = []
    for name in categories:
        known = None if name == UNCATEGORISED else name
        ends = [kept_from(policy.rule(known)) for policy in (control, treatment)]
        if ends[0] != ends[1]:
            rows.append((name, *ends, min(ends), max(ends)))
    schema = {
        "category": pl.String,
        **dict.fromkeys(("control", "treatment", "low", "high"), pl.Float64),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def proposal(
    entry: Plan,
    control: ThresholdPolicy,
    treatment: ThresholdPolicy,
    *,
    name: str,
    unit: str = "unit_id",
    rule: StopRule = "fixed-horizon",
    made: datetime | None = None,
) -> Experiment:
    """The experiment that a plan asks for, with the rules of both policies.

    Args:
        entry: The plan; its numbers may be missing.
        control: Policy in force.
        treatment: Policy that is proposed.
        name: Of the experiment.
        unit: Column whose values are assigned.
        rule: When it may be read.
        made: When the file is made; None for now.
    """
    return Experiment(
        name,
        (Arm(CONTROL, 1 - entry.share, control), Arm(TREATMENT, entry.share, treatment)),
        entry.metric,
        entry.aim,
        entry.margin,
        entry.level,
        entry.power,
        unit,
        rule,
        entry.requests,
        None if entry.days is None else round(entry.days, 1),
        created=(made or datetime.now(UTC)).replace(microsecond=0),
    )


def sentence(entry: Plan) -> str:
    """What a plan asks for, in plain text."""
    title = saying.TITLES[entry.metric].lower()
    size = saying.size(entry.metric, entry.margin)
    wanted = (
        f"To show that {title} is not worse by {size}"
        if entry.aim == "non-inferior"
        else f"To find a change of {title} by {size}"
    )
    where = "" if entry.task_category is None else f" in {entry.task_category}"
    if entry.requests is None or entry.days is None:
        return f"{wanted}{where}: {entry.reason or saying.UNKNOWN}."
    text = (
        f"{wanted}{where} with a chance of {saying.percent(entry.power, digits=0)}, run "
        f"{saying.days(entry.days)} ({entry.requests:,} requests at {entry.per_day:,.1f} a day)."
    )
    if entry.routed is not None and entry.gain is not None:
        text += (
            f" Only the {saying.percent(entry.routed)} of requests that are routed differently are compared, "
            f"which takes {entry.gain:.1f} times fewer."
        )
    if entry.detectable is not None:
        text += (
            f" In {saying.days(entry.within)} it would tell {saying.size(entry.metric, entry.detectable)}."
        )
    return text


def usable_name(text: str) -> str:
    """A name that every log and router takes: letters, digits, dots and hyphens, at most 60."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60] or "experiment"
