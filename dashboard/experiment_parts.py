"""What the Experiments page is built of: its controls, cards, pictures behind tabs, and their tables."""

from typing import TYPE_CHECKING, Any

import polars as pl
import streamlit as st

from analytics.experiments import saying
from dashboard import components, reasons, tall, words
from dashboard.charts import experiments as charts
from dashboard.components import Card
from dashboard.experiment_controls import Question

if TYPE_CHECKING:
    from analytics.experiments.comparison import Comparison
    from analytics.experiments.effects import Metric
    from analytics.experiments.study import Study

TABS = ("Effects", "By category", "Over time", "Next test")
METRICS: "tuple[Metric, ...]" = ("accuracy", "cost_usd", "cost_per_correct_usd", "latency_s", "latency_p95_s")
FOLLOWED: "tuple[Metric, ...]" = ("accuracy", "cost_usd")
EFFECTS_READ = (
    "Dots are estimates, bars their 95% intervals. A filled circle is surely better, a diamond surely worse, "
    "a hollow circle can be either."
)
USEFUL = 0.98
"""Variance ratio from which an adjustment is worth a number."""
FOREST_READ = (
    "The largest categories first. The grey stroke is the effect drawn towards the common one, the more "
    "the less a category tells by itself: where they disagree, trust the stroke."
)


def cards(found: "Study") -> None:
    """Sample ratio, then the effects that decide, each with its interval."""
    valid, assigned = found.reading.validity, found.reading.assigned
    row = [
        Card(
            "Sample ratio",
            "Off" if not valid.readable else "As planned",
            f"p{words.NBSP}{saying.p_value(valid.srm_p_value)}",
            f"Assigned {assigned.noun}: "
            + ", ".join(f"{words.plain(arm)} {count:,}" for arm, count in assigned.assigned.items())
            + ". Below 0.0005 nothing is read.",
        )
    ]
    compared = found.comparison
    if compared is not None:
        accuracy, cost = compared.effects["accuracy"], compared.effects["cost_usd"]
        worth, p95 = compared.effects["cost_per_correct_usd"], compared.effects["latency_p95_s"]
        row += [
            components.card("Accuracy", accuracy.effect, "points", hint="Treatment minus control."),
            _relative("Cost per request", cost.relative, "Treatment against control."),
            _relative("Cost per correct", worth.relative, "Treatment against control."),
            _relative("p95 latency", p95.relative, "Treatment against control."),
        ]
    components.cards(row)


def _relative(label: str, found: Any, hint: str) -> Card:
    if found.value is None:
        return Card(
            label, words.UNKNOWN, words.NOT_IN_LOG, f"{hint} {reasons.said(found.reason or '')}".strip()
        )
    ends = words.NOT_IN_LOG
    if found.low is not None and found.high is not None:
        ends = words.percent_interval(found.low, found.high, digits=0)
    return Card(label, words.change(found.value), ends, f"{hint} n {words.count(found.n)}; {found.method}.")


def pictures(found: "Study", compared: "Comparison", question: Question) -> None:
    """Effects, forest plot and course over time; only the open tab is drawn."""
    from dashboard.experiment_plan import plan_tab  # noqa: PLC0415 - only where an experiment is shown

    effects, forest, time, plan = st.tabs(list(TABS), key="shown", bind="query-params", on_change="rerun")
    if effects.open:
        with effects:
            _effects(found, compared)
    if forest.open:
        with forest:
            _forest(compared)
    if time.open:
        with time:
            _over_time(found, question)
    if plan.open:
        with plan:
            plan_tab()


def _effects(found: "Study", compared: "Comparison") -> None:
    with st.container(border=True):
        components.bare_chart(charts.effects(compared), key="effects", alt=charts.effects_described(compared))
    components.caption(f"{EFFECTS_READ} {_compared(compared)}")
    frame = pl.DataFrame(
        [
            {
                "metric": saying.TITLES[metric],
                "control": saying.number(metric, entry.control.value),
                "treatment": saying.number(metric, entry.treatment.value),
                "effect": saying.with_interval(metric, entry.effect, difference=True),
                "relative": saying.relative(entry.relative),
                "p": saying.p_value(entry.p_value) if entry.reason is None else "none",
                "n": entry.effect.n,
                "method": entry.effect.method if entry.reason is None else entry.reason,
                "effect_value": entry.effect.value,
                "effect_low": entry.effect.low,
                "effect_high": entry.effect.high,
                "p_value": entry.p_value,
            }
            for metric, entry in compared.effects.items()
        ],
        infer_schema_length=None,
    )
    columns = {
        "metric": components.text_column("Metric", 190),
        "control": components.text_column(words.one_line(compared.control, limit=18), 100, right=True),
        "treatment": components.text_column(words.one_line(compared.treatment, limit=18), 100, right=True),
        "effect": components.text_column("Effect (95%)", 220, right=True),
        "relative": components.text_column("Relative", 150, right=True),
        "p": components.text_column("p", 90, right=True),
        "n": components.number_column("n", 76),
    }
    components.table(frame, columns, key="effects-table", alt="Effects by metric", file="tiertune-experiment")
    if compared.before:
        components.caption(_before(compared))
    _rivals(found)


def _before(compared: "Comparison") -> str:
    """What the users' own past takes out of the noise."""
    first = next(iter(compared.before.values()))
    known = f"{words.count(first.seen)} of {words.count(first.users)} users were here before the experiment"
    parts = [
        f"{saying.TITLES[metric].lower()} {saying.with_interval(metric, entry.effect, difference=True)}, "
        f"variance {entry.variance_ratio:.2f} times"
        for metric, entry in compared.before.items()
    ]
    if min(entry.variance_ratio for entry in compared.before.values()) > USEFUL:
        return f"{known}, but what they did then says little about now (CUPED changes nothing)."
    return f"{known}; comparing all requests adjusted for that (CUPED): {'; '.join(parts)}."


def _compared(compared: "Comparison") -> str:
    """Which requests the effects are from."""
    routes = compared.routes
    if routes is None:
        return compared.not_routed
    share = words.percent(routes.share(compared.control, compared.treatment), digits=0)
    plain, own = compared.all_requests["accuracy"].error, compared.effects["accuracy"].error
    gain = ""
    if plain and own:
        gain = f", which tells as much as {(plain / own) ** 2:.1f} times the requests would"
    paired = ""
    if routes.pairs:
        paired = (
            f" Of {words.count(routes.pairs)} of them with both answers graded the strong model mends "
            f"{words.count(routes.mended)} and breaks {words.count(routes.worsened)}"
        )
        paired += "." if routes.p_value is None else f" (McNemar's p {saying.p_value(routes.p_value)})."
    return (
        f"The arms differ in thresholds only, so effects come from the {share} of requests that they route "
        f"differently{gain}; cost per correct answer and p95 compare all.{paired}"
    )


def _rivals(found: "Study") -> None:
    if not found.rivals:
        return
    frame = pl.DataFrame(
        [
            {
                "arm": rival.arm,
                "accuracy": saying.with_interval("accuracy", rival.accuracy.effect, difference=True),
                "p_accuracy": saying.p_value(rival.p_accuracy),
                "cost": saying.with_interval("cost_usd", rival.cost.effect, difference=True),
                "p_cost": saying.p_value(rival.p_cost),
            }
            for rival in found.rivals
        ]
    )
    components.section("All treatments")
    components.table(
        frame,
        {
            "arm": components.text_column("Arm", 170),
            "accuracy": components.text_column("Accuracy", 220, right=True),
            "p_accuracy": components.text_column("p (Holm)", 90, right=True),
            "cost": components.text_column("Cost per request", 230, right=True),
            "p_cost": components.text_column("p (Holm)", 90, right=True),
        },
        key="rivals",
        alt="Every treatment against the control, corrected for their number",
    )


def _forest(compared: "Comparison") -> None:
    metric = st.segmented_control(
        "Effect on",
        METRICS,
        format_func=saying.TITLES.__getitem__,
        default="accuracy",
        required=True,
        key="effect_on",
        bind="query-params",
    )
    if not charts.forest_rows(compared, metric):
        st.markdown("No category has an interval for this effect.")
        return
    with st.container(border=True):
        components.bare_chart(
            charts.forest(compared, metric), key="forest", alt=charts.forest_described(compared, metric)
        )
    components.caption(f"{FOREST_READ} {_spread(compared, metric)}")
    rows = [
        {
            "category": name,
            "control": saying.number(metric, part[metric].control.value),
            "treatment": saying.number(metric, part[metric].treatment.value),
            "effect": saying.with_interval(metric, part[metric].effect, difference=True),
            "p": saying.p_value(part[metric].p_value),
            "holm": saying.p_value(compared.p_adjusted[metric][name]),
            "screening": saying.p_value(compared.q_values[metric][name]),
            "n": part[metric].effect.n,
            "effect_value": part[metric].effect.value,
            "effect_low": part[metric].effect.low,
            "effect_high": part[metric].effect.high,
            "p_value": part[metric].p_value,
            "reason": part[metric].reason,
        }
        for name, part in compared.by_category.items()
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    with tall.box(frame.height):
        components.table(
            frame,
            {
                "category": components.text_column("Category", 160),
                "control": components.text_column(words.one_line(compared.control, limit=14), 90, right=True),
                "treatment": components.text_column(
                    words.one_line(compared.treatment, limit=14), 90, right=True
                ),
                "effect": components.text_column("Effect (95%)", 220, right=True),
                "p": components.text_column("p", 90, right=True),
                "holm": components.text_column(
                    "p (Holm)", 90, right=True, hint="To decide: holds for all categories at once."
                ),
                "screening": components.text_column(
                    "BH", 80, right=True, hint="To screen: share of false finds among those below."
                ),
                "n": components.number_column("n", 76),
            },
            key="forest-table",
            alt="Effect by category",
            file="tiertune-experiment-categories",
        )


def _spread(compared: "Comparison", metric: "Metric") -> str:
    found = compared.spread[metric]
    if found is None:
        return "Whether the effect differs between categories cannot be told."
    if found.p_value < 0.05:  # noqa: PLR2004 - the usual level
        return (
            f"The effect differs between categories (Cochran's Q, p {saying.p_value(found.p_value)}): decide "
            "category by category."
        )
    return f"The categories may well have one effect (Cochran's Q, p {saying.p_value(found.p_value)})."


def _over_time(found: "Study", question: Question) -> None:
    known = [metric for metric in (*FOLLOWED, "net_usd") if metric in found.looks]
    if found.reading.sums is not None:
        st.markdown(
            "Only sums of this log are here: the effect over time needs each user's requests in order. Ask "
            "where the log is."
        )
        return
    if not known:
        st.markdown(
            "No request here has a time, or an arm has under 100 requests. Log `ts` to see the effect over "
            "time."
        )
        return
    metric = st.segmented_control(
        "Effect on",
        known,
        format_func=saying.TITLES.__getitem__,
        default=known[0],
        required=True,
        key="followed",
    )
    looks = found.looks[metric]
    if looks.last["low"] is None:
        st.markdown("An arm has under 100 requests so far, too few for an interval that holds at any time.")
        return
    with st.container(border=True):
        components.bare_chart(
            charts.over_time(looks, read=question.read), key="looks", alt=charts.over_time_described(looks)
        )
    step = "week" if looks.by_week else "day"
    error = words.percent(looks.peeking_error, digits=0)
    components.caption(
        f"The band holds at every look ({looks.method}); the dashed lines at one planned look only. Were "
        f"each {step} a look that may stop the test by the dashed lines, {error} of tests without a "
        "difference would be stopped as if there were one, not 5%. Always-valid p "
        f"{saying.p_value(looks.last['p_value'])}."
    )


def findings(found: "Study") -> None:
    """What a reader of the effects must know."""
    for item in found.reading.validity.findings:
        components.finding(reasons.said(item.title), reasons.said(item.body))
    if found.peeked is not None:
        error = words.percent(found.peeked, digits=0)
        components.finding(
            "This experiment may still be running",
            "Its requests go on to the end of the log. Read once means at its planned end: looked at "
            f"every day and stopped at the first good one, {error} of tests without a difference would be "
            "taken for one. Choose to read it at any time, or wait for its end.",
        )
    if found.comparison is not None and found.comparison.few_units:
        components.finding(
            "Few users",
            "An arm has fewer than 30 users, so that the spread between them is itself uncertain and "
            "intervals may be too narrow. Run longer, or assign by request.",
        )
