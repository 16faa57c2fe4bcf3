"""The box that a slider moves: one category's candidates, five cards, three panels; no query runs in it."""

import streamlit as st

from analytics.tuning.curve import Curve
from analytics.tuning.goals import Tuning
from analytics.tuning.plateau import Plateau
from dashboard import candidates as choices_of
from dashboard import components, honesty, reasons, state, studies, words
from dashboard.candidates import Candidate, Controls
from dashboard.charts import thresholds

SLIDER = "t"
ONE_POINT = 0.01


@st.fragment
def threshold_box(curve: Curve, tuning: Tuning | None, *, margin: float = ONE_POINT) -> None:
    """Draw the box of one category; a slider move reruns this function alone, from the cached curve.

    Args:
        curve: Of the category.
        tuning: The recommended policy, where there is one.
        margin: Half height of the green field where the log cannot compare with the chosen threshold.
    """
    name = words.category(curve.task_category)
    entry = tuning.policy.categories.get(name) if tuning is not None else None
    choices = choices_of.candidates(curve)
    picked = None if entry is None else choices_of.position(choices, entry.route, entry.threshold)
    force = curve.in_force
    in_force = None if force is None else choices_of.position(choices, "cascade", force.threshold)
    default = next((index for index in (picked, in_force) if index is not None), 0)
    with st.container(border=True):
        _head(curve, name, entry.verdict if entry is not None else None)
        chosen = _slider(choices, default, token=f"{name}|{choices[default].label}")
        _cards(choices[chosen])
        beside = choices_of.controls(curve, choices)
        field = studies.plateau(name, choices_of.point_row(curve, choices, chosen))
        components.bare_chart(
            thresholds.panels(
                choices,
                chosen=chosen,
                in_force=in_force,
                margin=margin,
                alike=choices_of.alike(curve, choices, field),
                random=beside.random,
            ),
            key="panels",
            alt=thresholds.described(choices, chosen),
        )
    components.caption(_reading(curve, choices[chosen], field, margin=margin, recommended=chosen == picked))
    if said := _beside(beside, chosen):
        components.caption(said)
    if entry is not None and entry.reason:
        components.caption(words.plain(entry.reason, limit=300))


def _head(curve: Curve, name: str, verdict: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(words.plain(name, limit=60), anchor=False, width="content")
        components.verdict_badge(verdict)
        graded = "" if curve.graded_n == curve.n else f"{words.count(curve.graded_n)} graded · "
        st.caption(
            f"n {words.count(curve.n)} · {graded}{words.estimator(curve.estimator)} · 95% intervals",
            width="content",
        )


def _slider(choices: list[Candidate], default: int, *, token: str) -> int:
    """Index of the chosen candidate; a new category or goal moves the slider back to the recommendation."""
    labels = [choice.label for choice in choices]
    before = st.session_state.get("_t_token")
    if (before is not None and before != token) or st.session_state.get(SLIDER, labels[0]) not in labels:
        st.session_state[SLIDER] = labels[default]
    st.session_state["_t_token"] = token
    if len(labels) < 2:  # noqa: PLR2004 - nothing to slide
        return default
    label = st.select_slider(
        "Threshold",
        labels,
        value=labels[default],
        key=SLIDER,
        bind="query-params",
        help="Keep the fast answer if its confidence is at least this; escalate otherwise. It starts at the "
        "recommendation. Moving it changes the picture, not the exported policy.",
    )
    return labels.index(label)


def _cards(choice: Candidate) -> None:
    escalated = choice.escalation_rate
    share = escalated.value
    counted = None if share is None else f"{words.count(share * escalated.n)} of {words.count(escalated.n)}"
    components.cards(
        [
            components.card("Accuracy", choice.accuracy, "percent"),
            components.card("Cost per request", choice.cost_per_request_usd, "money"),
            components.card("Escalated", escalated, "percent", note=counted),
            components.card("Vs always strong", choice.vs_strong, "points"),
            components.card("Saved", choice.saved, "percent", hint="Share of the cost of always strong."),
        ],
        boxed=True,
    )


def _reading(
    curve: Curve, choice: Candidate, found: Plateau | None, *, margin: float, recommended: bool
) -> str:
    first = "The line is what each threshold would have given on this log, the band its 95% interval."
    field = ""
    if found is not None:
        field = (
            " In the green field are the thresholds whose accuracy this log cannot tell from the chosen "
            f"one's; {honesty.least(found)}. "
            f"{honesty.equivalent(found)}"
        )
    elif not curve.points.is_empty() and curve.n > curve.missing_confidence:
        field = (
            " The green field marks thresholds whose accuracy is within "
            f"{margin * words.POINT:g}{words.NBSP}pt of the chosen one; further left fewer requests are "
            "escalated."
        )
    if curve.graded_n == 0:
        field = " Accuracy is unknown, because no request is graded."
    elif choice.accuracy.value is None:
        field = ""
    rows = (
        " These figures are about all rows; the table below has those of the policy." if recommended else ""
    )
    return first + field + rows + _missing(curve, choice) + _not_told(curve)


def _beside(beside: Controls, chosen: int) -> str:
    """The permanent controls in figures, beside the chosen candidate."""
    known = [
        (name, value)
        for name, value in (
            ("always fast", beside.fast),
            ("escalating at random for the same cost (dotted)", beside.random[chosen]),
            ("the oracle, which no router reaches,", beside.oracle),
        )
        if value is not None
    ]
    if not known:
        return ""
    return f"Beside it: {words.joined([f'{name} {words.percent(value)}' for name, value in known])}."


def _not_told(curve: Curve) -> str:
    """What the hatched field means, what its darker part assumes, and what to log to need neither."""
    points = curve.points
    if curve.graded_n == 0 or points.is_empty() or points["identified"].all():
        return ""
    said = " Where it is hatched the log holds no outcome for some requests, so any value in it is possible."
    if (points["bound_low_mtr"] > points["bound_low"]).any() or (
        points["bound_high_mtr"] < points["bound_high"]
    ).any():
        against = (
            f"here it was worse in {words.count(round(curve.harmed))} of "
            f"{words.plural(curve.pairs, 'request')} with both answers graded"
            if curve.pairs
            else "no request has both answers graded to check that"
        )
        said += f" Its darker part holds if the strong model is never worse on a request; {against}."
    if points["cost_bound_high"].is_not_null().any():
        said += " Grey costs let strong calls that were never made cost from nothing to the dearest one."
    why = curve.reasons.get("identified")
    return f"{said} {reasons.said(why)}" if why else said


def _missing(curve: Curve, choice: Candidate) -> str:
    """What becomes of requests without a confidence, which only a threshold asks for."""
    gone, view = curve.missing_confidence, state.view()
    if not gone or view is None or choice.route != "cascade":
        return ""
    one = gone == 1
    done = {
        "escalate": "counts as escalated" if one else "count as escalated",
        "keep": "keeps the fast answer" if one else "keep the fast answer",
        "exclude": "is left out" if one else "are left out",
    }
    return f" {words.plural(gone, 'request')} without a confidence {done[view.missing]}."
