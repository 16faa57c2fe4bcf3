"""The planner of the next test: how many requests, how many days, what it costs, and its file."""

from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.experiments import saying
from dashboard import components, experiments_data, reasons, state, tall, words

if TYPE_CHECKING:
    from analytics.experiments.design import Baseline, Plan
    from analytics.experiments.spec import StopRule
    from analytics.policy import ThresholdPolicy

ALL = "All categories"
NO_PROPOSAL = "None, only the traffic"
RECOMMENDED = "Recommended against in force"
MARGINS = {"accuracy": 2.0, "cost_usd": 10.0, "cost_per_correct_usd": 10.0}
AIMS = {
    "accuracy": "Accuracy is not worse",
    "better": "Accuracy is better",
    "cost_usd": "Cost per request changes",
    "cost_per_correct_usd": "Cost per correct answer changes",
}
RULES: "dict[StopRule, str]" = {"fixed-horizon": "Once, at its end", "always-valid": "At any time"}
SPLITS_READ = "A smaller share of the treatment risks less and takes longer."
EXTRA_READ = (
    " The extra cost is that of the treatment's requests beyond what they would have cost in the control; a "
    "saving has a minus."
)


@st.fragment
def plan_tab() -> None:
    """Draw the planner; a move of a control reruns this function alone."""
    from analytics.experiments.design import by_category, plan  # noqa: PLC0415 - scipy, off other pages' path
    from analytics.experiments.proposal import sentence  # noqa: PLC0415

    control, treatment, why = _policies()
    with components.row():
        options = [NO_PROPOSAL] if treatment is None else [NO_PROPOSAL, RECOMMENDED]
        if st.session_state.get("thresholds_tested", options[-1]) not in options:
            st.session_state["thresholds_tested"] = options[-1]
        tested = st.selectbox(
            "Thresholds to test",
            options,
            index=len(options) - 1,
            key="thresholds_tested",
            width=260,
            help=why or None,
        )
        aim = st.selectbox("To show that", list(AIMS), format_func=AIMS.__getitem__, key="aim", width=240)
        metric = "accuracy" if aim == "better" else aim
        relative = metric != "accuracy"
        margin = st.number_input(
            "By at least, %" if relative else "By more than, points" if aim == "accuracy" else "By, points",
            min_value=0.1,
            max_value=90.0,
            value=MARGINS[metric],
            step=0.5,
            key=f"by-{aim}",
            width=150,
        )
        share = st.number_input(
            "Treatment's share, %",
            min_value=1.0,
            max_value=99.0,
            value=50.0,
            step=5.0,
            key="plan_share",
            width=150,
        )
        power = st.number_input(
            "Chance of an answer, %", min_value=50.0, max_value=99.0, value=80.0, step=5.0, key="plan_power",
            width=160,
        )  # fmt: skip
    routed = tested == RECOMMENDED and control is not None and treatment is not None
    between = _between(control, treatment) if routed else None
    if between is not None and between.is_empty():
        components.caption(
            "The recommended thresholds route every request as those in force: nothing to test."
        )
        return
    try:
        found = experiments_data.baseline(between)
    except TiertuneError as error:
        components.caption(reasons.said(str(error)))
        return
    with components.row():
        names = [ALL, *found.categories]
        if st.session_state.get("plan_of", ALL) not in names:
            st.session_state["plan_of"] = ALL
        picked = st.selectbox("In", names, key="plan_of", width=260)
        within = st.number_input(
            "It may take, days", min_value=1, max_value=730, value=28, step=7, key="plan_days", width=150
        )
    size = margin / words.POINT
    if relative:
        value = plan(found, metric, margin=1.0).value  # type: ignore[arg-type]
        if value is None:
            components.caption("This log does not know it for any request.")
            return
        size *= value
    entry = plan(
        found,
        metric,  # type: ignore[arg-type]
        margin=size,
        aim="better" if aim != "accuracy" else "non-inferior",
        category=None if picked == ALL else picked,
        share=share / words.POINT,
        power=power / words.POINT,
        within=within,
    )
    st.markdown(words.plain(sentence(entry), limit=700))
    _chance(entry)
    _ways(found, entry, within=within, extra=_extra(control, treatment) if routed else None)
    components.section("Each category on its own")
    _categories(by_category(found, entry), within=within)
    if routed and control is not None and treatment is not None:
        _file(entry, control, treatment)


def _policies() -> "tuple[ThresholdPolicy | None, ThresholdPolicy | None, str]":
    """The policy in force and the recommended one; None with the reason where there is none."""
    from analytics.tuning.policy_sums import in_force_policy  # noqa: PLC0415 - as above

    try:
        control = in_force_policy(state.selection())
        tuning, reason = state.recommended(state.goal())
    except TiertuneError as error:
        return None, None, reasons.said(str(error))
    if control is None:
        return (
            None,
            None,
            "Thresholds are tested against those in force, which this log does not say: log threshold.",
        )
    if tuning is None:
        return control, None, reason
    return control, tuning.policy, ""


def _between(control: "ThresholdPolicy | None", treatment: "ThresholdPolicy | None") -> pl.DataFrame | None:
    from analytics.experiments.proposal import routes_between  # noqa: PLC0415 - as above

    if control is None or treatment is None:
        return None
    return routes_between(control, treatment, state.selection().categories)


def _extra(control: "ThresholdPolicy | None", treatment: "ThresholdPolicy | None") -> float | None:
    """What a request of the recommended policy costs beyond one in force, USD; None where unknown."""
    if control is None or treatment is None:
        return None
    tuning, _ = state.recommended(state.goal())
    against = None if tuning is None else tuning.vs_in_force.get(None)
    saved = None if against is None else against.saved_usd.value
    return None if saved is None else -saved


def _chance(entry: "Plan") -> None:
    from analytics.experiments.splits import simulated_power  # noqa: PLC0415 - as above

    power = simulated_power(entry)
    if power is not None:
        drawn = f"Simulated 4,000 times, a test of this size answers in {words.percent(power, digits=0)}"
        components.caption(
            f"{drawn} if there is no difference." if entry.aim == "non-inferior" else f"{drawn}."
        )


def _ways(found: "Baseline", entry: "Plan", *, within: float, extra: float | None) -> None:
    from analytics.experiments.splits import cheapest, splits  # noqa: PLC0415 - as above

    ways = splits(found, entry, extra_per_request_usd=extra)
    best = cheapest(ways, within=within)
    if best is None:
        return
    components.section("How to split the traffic")
    frame = pl.DataFrame(
        [
            {
                "share": way.share,
                "requests": way.plan.requests,
                "days": None if way.plan.days is None else way.plan.days,
                "extra_usd": way.extra_usd,
                "said": "cheapest in time"
                if way is best and (way.plan.days or 0) <= within
                else "quickest"
                if way is best
                else "",
            }
            for way in ways
        ],
        schema={
            "share": pl.Float64,
            "requests": pl.Int64,
            "days": pl.Float64,
            "extra_usd": pl.Float64,
            "said": pl.String,
        },
    )
    components.table(
        frame,
        {
            "share": components.share_column("Treatment's share", 150, "gray"),
            "requests": components.number_column("Requests", 100),
            "days": components.number_column("Days", 80, "%,.0f"),
            "extra_usd": components.money_column("Extra cost", 110, frame["extra_usd"]),
            "said": components.text_column("", 150),
        },
        key="ways",
        alt="Requests, days and extra cost of the test at several splits",
    )
    components.caption(SPLITS_READ + ("" if extra is None else EXTRA_READ))


def _categories(entries: "list[Plan]", *, within: float) -> None:
    frame = pl.DataFrame(
        [
            {
                "category": entry.task_category,
                "per_day": entry.per_day,
                "requests": entry.requests,
                "takes": saying.days(entry.days) if entry.reason is None else "cannot be told",
                "detectable": None
                if entry.detectable is None
                else saying.size(entry.metric, entry.detectable),
                "days": entry.days,
                "reason": entry.reason,
            }
            for entry in entries
        ],
        infer_schema_length=None,
    )
    with tall.box(frame.height):
        components.table(
            frame,
            {
                "category": components.text_column("Category", 180),
                "per_day": components.number_column("Requests a day", 120, "%,.1f"),
                "requests": components.number_column("Needed", 100),
                "takes": components.text_column("Takes", 150, right=True),
                "detectable": components.text_column(f"Told in {within} days", 150, right=True),
            },
            key="plan-categories",
            alt="What it takes to decide on each category alone",
            file="tiertune-plan",
        )
    components.caption(
        "The last column is the smallest difference that the days you gave would tell. Where that is too "
        "large, buy shadow calls instead (Thresholds, What to buy): they answer without waiting for traffic."
    )


def _file(entry: "Plan", control: "ThresholdPolicy", treatment: "ThresholdPolicy") -> None:
    from analytics.experiments import spec  # noqa: PLC0415 - as above
    from analytics.experiments.proposal import proposal, usable_name  # noqa: PLC0415

    components.section("The experiment file")
    with components.row():
        name = st.text_input("Name", value="threshold-test", key="test_name", width=240, max_chars=60)
        rule = st.segmented_control(
            "Read",
            RULES,
            default="fixed-horizon",
            required=True,
            format_func=RULES.__getitem__,
            key="stop_rule",
        )
        test = proposal(entry, control, treatment, name=usable_name(name), rule=rule)
        st.download_button(
            "Experiment (YAML)",
            data=lambda: spec.dumps(test).encode(),
            file_name=f"{test.name}.yaml",
            mime="text/yaml",
            key="experiment-yaml",
            on_click="ignore",
            icon=":material/download:",
            type="primary",
        )
    components.caption(
        "Both arms with their thresholds, the split by a stable hash of the user, and when to stop. Log "
        "experiment and arm with every request; this page then reads the result."
    )
