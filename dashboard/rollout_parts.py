"""The expander that hands thresholds out step by step, with what must be shown between two steps."""

import math
from typing import TYPE_CHECKING, Any

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from dashboard import components, experiments_data, reasons, state, words
from dashboard.archive import safe_name, zipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.experiments.design import Baseline
    from analytics.export.fragment import Fragment
    from analytics.export.rollout import Rollout
    from analytics.policy import ThresholdPolicy
    from dashboard.router_config import Own

TARGETS = ("flagd", "litellm-plugin")
LAST, NOTHING = "no other arm is left", "-"
STEPS_READ = (
    "Load the requests of a step on the Logs page; its experiment is then on the Experiments page. Go on "
    "once the interval for accuracy rules out the loss in the table and the sample ratio passes."
)


def rollout_box(policy: "ThresholdPolicy", target: str, own: "Own | None") -> None:
    """Draw the expander.

    Args:
        policy: The thresholds that are handed out.
        target: One of ``TARGETS``.
        own: The user's config, if it was uploaded.
    """
    box = st.expander(
        "Roll it out step by step", key="rollout", on_change="rerun", icon=":material/steppers:"
    )
    if not box.open:
        return
    with box:
        names = list(policy.categories)
        with components.row():
            critical = st.multiselect(
                "Critical categories, which go last", names, key="critical", placeholder="None", width=400
            )
            margin = st.number_input(
                "Accuracy that a step may cost, points",
                min_value=0.1,
                max_value=20.0,
                value=words.POINT * _margin(policy),
                step=0.5,
                key="rollout-margin",
                width=240,
            )
        kept = [name for name in critical if name in policy.categories]
        try:
            _draw(policy, target, own, critical=kept, margin=margin / words.POINT)
        except TiertuneError as error:
            components.caption(reasons.said(str(error)))


def _margin(policy: "ThresholdPolicy") -> float:
    """The margin of the goal, else that of an experiment."""
    from analytics.experiments.study import MARGIN  # noqa: PLC0415 - only while the box is open

    return (policy.goal.margin if policy.goal else None) or MARGIN


def _draw(
    policy: "ThresholdPolicy", target: str, own: "Own | None", *, critical: list[str], margin: float
) -> None:
    from analytics.export.own_config import own_config  # noqa: PLC0415 - only while the box is open
    from analytics.export.rollout import rollout  # noqa: PLC0415
    from analytics.export.rollout_files import own_deployments, rollout_files  # noqa: PLC0415

    today = _today(own)
    traffic = _traffic(policy, today)
    found = rollout(policy, today=today, critical=critical, traffic=traffic, margin=margin)
    litellm = own is not None and target.startswith("litellm")
    known = own_deployments(own_config(own.content, "yaml").data) if own is not None and litellm else None
    fragments, plan = rollout_files(found, policy, target, today=today, deployments=known)
    st.markdown(_sentence(found, known_today=today is not None))
    components.table(
        frame(found),
        {
            "step": components.number_column("Step", 60),
            "share": components.share_column("New thresholds", 130),
            "categories": components.text_column("of the requests in", 300),
            "loss": components.text_column("Then rule out a loss of", 170, right=True),
            "requests": components.text_column("Graded requests", 130, right=True),
            "days": components.text_column("Days", 90, right=True),
        },
        key="rollout-steps",
        alt="Steps of the rollout, with what must be ruled out before the next one.",
        file="tiertune-rollout",
    )
    components.caption(STEPS_READ)
    for note in next(iter(fragments.values())).notes:
        st.markdown(f"- {words.plain(note, limit=300)}")
    st.download_button(
        "Download all steps and the plan",
        data=lambda: zipped(_files(fragments, plan, target, own)),
        file_name=f"tiertune-rollout-{target}.zip",
        mime="application/zip",
        key="rollout-files",
        on_click="ignore",
        icon=":material/download:",
    )
    st.code(plan, language="markdown", height=360)


def _files(fragments: "Mapping[int, Fragment]", plan: str, target: str, own: "Own | None") -> dict[str, str]:
    """The plan and the files of every step, merged into the user's config where there is one."""
    from analytics.export.merge import merged  # noqa: PLC0415 - for a click
    from analytics.export.rollout_files import PLAN  # noqa: PLC0415

    files = {PLAN: plan}
    for number, fragment in fragments.items():
        texts = dict(fragment.files)
        if own is not None:
            del texts[next(iter(fragment.files))]
            texts[safe_name(own.name)] = merged(own.content, target, fragment).text
        files |= {f"step-{number}/{name}": text for name, text in texts.items()}
    return files


def _today(own: "Own | None") -> "ThresholdPolicy | None":
    """The thresholds in force: of the uploaded config, else as the log says."""
    from analytics.tuning.policy_sums import in_force_policy  # noqa: PLC0415 - as above

    return in_force_policy(state.selection()) if own is None or own.today is None else own.today


def _traffic(policy: "ThresholdPolicy", today: "ThresholdPolicy | None") -> "Baseline | None":
    """What the log says of its requests; None where it says no times."""
    from analytics.experiments.proposal import routes_between  # noqa: PLC0415 - as above

    between = None if today is None else routes_between(today, policy, state.selection().categories)
    try:
        return experiments_data.baseline(None if between is None or between.is_empty() else between)
    except TiertuneError as error:
        components.caption(f"Without days: {reasons.said(str(error))}")
        return None


def _sentence(found: "Rollout", *, known_today: bool) -> str:
    """The plan in one sentence."""
    from analytics.experiments import saying  # noqa: PLC0415 - as above

    length = "" if found.days is None else f", {saying.days(found.days)} in all"
    against = (
        "" if known_today else " Today's thresholds are not known: every request counts as strong today."
    )
    return (
        f"**{words.plural(len(found.steps), 'step')}**{length}. Every gate rules out, at 95%, that the next "
        f"step costs its categories more than {saying.size('accuracy', found.margin)} of accuracy.{against}"
    )


def frame(found: "Rollout") -> pl.DataFrame:
    """``step, share, categories, loss, requests, days`` of each step; as a page has them."""
    from analytics.experiments import saying  # noqa: PLC0415 - as above
    from analytics.export.rollout import shown  # noqa: PLC0415

    rows: list[dict[str, Any]] = [
        {
            "step": step.number,
            "share": step.fraction,
            "categories": shown(step.categories),
            "loss": LAST if step.gate.loss is None else saying.size("accuracy", step.gate.loss),
            "requests": NOTHING if step.gate.loss is None else words.count(step.gate.requests),
            "days": NOTHING
            if step.gate.loss is None
            else words.count(None if step.gate.days is None else math.ceil(step.gate.days)),
        }
        for step in found.steps
    ]
    return pl.DataFrame(rows, schema=FRAME)


FRAME: dict[str, Any] = {
    "step": pl.Int64, "share": pl.Float64, "categories": pl.String, "loss": pl.String, "requests": pl.String,
    "days": pl.String,
}  # fmt: skip
