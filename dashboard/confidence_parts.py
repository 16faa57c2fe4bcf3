"""What the Confidence page is built of: cards, pictures behind tabs, and their table twins."""

from collections.abc import Mapping, Sequence
from typing import Literal

import streamlit as st

from analytics.errors import TiertuneError
from analytics.estimate import Estimate
from analytics.measure.trust import Trust
from analytics.tuning.benefit import Benefit
from dashboard import components, confidence_data, story_confidence, words
from dashboard.charts import benefit as gain_charts
from dashboard.charts import reliability as charts
from dashboard.components import Card

ALL = "All categories"
PICKED = "of"
BINS = {"width": "Equal width", "mass": "Equal count"}
TABS = ("Reliability", "By category", "Gain of escalating", "Over time")
NOT_TIMED = "No request here has a time. Log `ts` to see whether the confidence still means what it meant."
NO_GAIN = (
    "No request with a confidence has both answers graded, so what escalating gains cannot be told. Have the "
    "strong model answer a tenth of the kept requests too, and log the probability."
)


def cards(found: Mapping[str | None, Trust]) -> None:
    """AUROC, overclaim, ECE beside its value under perfect calibration, Brier score, silent categories."""
    whole = found[None]
    names = [name for name in found if name is not None]
    silent = sum(found[name].word in ("none", "constant", "reversed") for name in names)
    unseen = sum(found[name].word == "unseen" for name in names)
    perfect = None if whole.perfect is None else words.percent(whole.perfect.mean)
    row = [
        _number_card("AUROC", whole.signal.auroc, 2, "0.50 says nothing, 1 ranks perfectly."),
        components.card(
            "Overclaim", whole.flag.gap, "points", hint="Mean confidence minus accuracy; above 0 is too sure."
        ),
        Card(
            "ECE",
            words.percent(whole.ece),
            words.NOT_IN_LOG if perfect is None else f"perfect{words.NBSP}{perfect}",
            "Expected calibration error over ten bins, and what the same confidences would show if they were "
            "right as often as they claim.",
        ),
        _number_card("Brier score", whole.brier, 3, "Mean squared distance of confidence and grade."),
        Card(
            "No signal",
            f"{silent} of {len(names)}",
            f"{unseen} unclear" if unseen else "categories",
            "Categories in which the confidence says nothing about which answers are right, or the reverse.",
        ),
    ]
    components.cards(row)


def _number_card(label: str, estimate: Estimate, digits: int, hint: str) -> Card:
    if estimate.value is None:
        return components.card(label, estimate, "count", hint=hint)
    low, high = estimate.low, estimate.high
    note = f"n{words.NBSP}{words.count(estimate.n)}"
    if low is not None and high is not None:
        note = f"{max(low, 0):.{digits}f}{words.DASH}{min(high, 1):.{digits}f}"
    return Card(label, f"{estimate.value:.{digits}f}", note, f"{hint} n {words.count(estimate.n)}.")


def controls(names: Sequence[str]) -> tuple[str | None, Literal["width", "mass"]]:
    """Which category the pictures show, None for all of them, and how its bins are made."""
    options = [ALL, *names]
    if st.session_state.get(PICKED, ALL) not in options:
        st.session_state[PICKED] = ALL
    with components.row():
        picked = st.selectbox("Category", options, key=PICKED, bind="query-params", width=280)
        by = st.segmented_control(
            "Bins",
            list(BINS),
            format_func=BINS.__getitem__,
            default="width",
            required=True,
            key="bins",
            bind="query-params",
            help="Ten bins of equal width, or of about as many answers each; equal values stay together.",
        )
    return (None if picked == ALL else picked), "mass" if by == "mass" else "width"


def pictures(
    found: Mapping[str | None, Trust],
    gains: Mapping[str | None, Benefit],
    category: str | None,
    *,
    by: Literal["width", "mass"],
) -> None:
    """Reliability, small multiples, gain of escalating and change over time; only the open tab is drawn."""
    reliability, multiples, gain, time = st.tabs(
        list(TABS), key="picture", bind="query-params", on_change="rerun"
    )
    entry = found[category]
    if reliability.open:
        with reliability:
            _reliability(entry, gains[category], by=by)
    if multiples.open:
        with multiples:
            _multiples(found, by=by)
    if gain.open:
        with gain:
            _gain(gains[category])
    if time.open:
        with time:
            _over_time(category)


def _reliability(entry: Trust, gain: Benefit, *, by: Literal["width", "mass"]) -> None:
    if not entry.answers.rows:
        st.markdown("No fast answer with a confidence is graded in this category.")
        return
    bins = confidence_data.bins(entry.answers, by)
    with st.container(border=True):
        components.bare_chart(
            charts.diagram(
                bins, confidence_data.histogram(entry.answers), fit=confidence_data.fit(entry.answers)
            ),
            key="reliability",
            alt=charts.described(bins),
        )
    reading = f"{story_confidence.READ} {story_confidence.FIT_READ}"
    components.caption(f"{story_confidence.signal_sentence(entry, gain)} {reading}")


def _multiples(found: Mapping[str | None, Trust], *, by: Literal["width", "mass"]) -> None:
    tables = {
        name: confidence_data.bins(entry.answers, by) for name, entry in found.items() if name is not None
    }
    notes = {name: _note(found[name]) for name in tables}
    if not charts.shown(tables):
        st.markdown("No category has a graded fast answer with a confidence.")
        return
    with st.container(border=True):
        components.bare_chart(
            charts.multiples(tables, notes),
            key="multiples",
            alt=charts.multiples_described({words.plain(name): part for name, part in tables.items()}, {}),
        )
    hidden = len(tables) - len(charts.shown(tables))
    more = (
        f" The {charts.SHOWN_CATEGORIES} largest categories; {hidden} more are in the table."
        if hidden
        else ""
    )
    components.caption(f"{story_confidence.SMALL_READ}{more}")


def _note(entry: Trust) -> str:
    """Under a small diagram: AUROC and the verdict on the signal."""
    value = entry.signal.auroc.value
    said = story_confidence.SHORT[entry.word]
    return said if value is None else f"{value:.2f} · {said}"


def _gain(gain: Benefit) -> None:
    if gain.word == "unobserved":
        st.markdown(NO_GAIN)
        return
    if gain.word == "too_few":
        st.markdown(
            f"Only {words.plural(gain.n, 'request')} with a confidence have both answers graded, or all have "
            "the same confidence: too few for a picture."
        )
        return
    with st.container(border=True):
        components.bare_chart(gain_charts.gains(gain), key="gain", alt=gain_charts.gains_described(gain))
    components.caption(story_confidence.gain_reading(gain))


def _over_time(category: str | None) -> None:
    try:
        frame, shift = confidence_data.over_time(category)
    except TiertuneError as error:
        components.explain(error)
        return
    if frame.is_empty():
        st.markdown(NOT_TIMED)
        return
    if frame["gap"].drop_nulls().is_empty():
        st.markdown("No step of time has 30 graded answers with a confidence, too few for a line.")
        return
    with st.container(border=True):
        components.bare_chart(
            gain_charts.over_time(frame), key="time", alt=gain_charts.over_time_described(frame)
        )
    in_steps = not confidence_data.rows_in_reach()
    said = story_confidence.shifted(shift)
    components.caption(f"{said} {story_confidence.IN_STEPS}" if in_steps else said)
