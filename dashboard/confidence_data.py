"""The figures of the Confidence page, cached by what is viewed; no row leaves the database for them."""

import datetime as dt
from dataclasses import dataclass

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.measure.calibration import isotonic
from analytics.measure.confidence_drift import Shift, confidence_by_step, drift, shift
from analytics.measure.graded import Graded, summed
from analytics.measure.recalibration import Method, Recalibration, recalibration
from analytics.measure.reliability import equal_mass, equal_width, reliability_table, residual_inflation
from analytics.measure.trust import Trust, trust
from analytics.tuning.benefit import Benefit, benefits
from dashboard import state
from dashboard.state import View

STEPS = 20
METHODS: tuple[Method, ...] = ("platt", "isotonic")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many requests with a confidence there are, and how many of them have a graded fast answer.

    Attributes:
        rows: All requests.
        confident: Requests with a confidence.
        kept: Of those, kept ones (also where the route was not logged).
        kept_graded: Kept ones whose fast answer is graded.
        sent: Escalated ones.
        sent_graded: Escalated ones whose fast answer is graded.
    """

    rows: int
    confident: int
    kept: int
    kept_graded: int
    sent: int
    sent_graded: int


def figures() -> dict[str | None, Trust]:
    """How far the confidence can be trusted, by category and, under None, over all of them."""
    return _figures(_view())


def gains() -> dict[str | None, Benefit]:
    """What escalating gains, by category and, under None, over all of them."""
    return _gains(_view())


def recalibrated(category: str | None) -> list[Recalibration]:
    """Each recalibration of the answers of one category, or of all of them."""
    return _recalibrated(_view(), category)


def coverage() -> Coverage:
    """What of the viewed requests has a confidence and a grade."""
    cells = state.selection().cells
    n, sent = pl.col("n"), pl.col("escalated").fill_null(value=False)
    confident, graded = pl.col("confidence").is_not_null(), pl.col("fast_graded")
    counts = [
        n.filter(condition).sum()
        for condition in (
            pl.lit(value=True), confident, confident & ~sent, confident & ~sent & graded,
            confident & sent, confident & sent & graded,
        )
    ]  # fmt: skip
    found = cells.select(count.alias(str(place)) for place, count in enumerate(counts))
    return Coverage(*(int(value) for value in found.row(0)))


def bins(answers: Graded, by: str) -> pl.DataFrame:
    """The bins of a reliability diagram, of equal width or of about as many answers."""
    return reliability_table(answers, equal_mass(answers) if by == "mass" else equal_width(answers))


def histogram(answers: Graded) -> pl.DataFrame:
    """How often confidences occur in ``STEPS`` steps of equal width."""
    counts = summed(equal_width(answers, bins=STEPS), answers.n, size=STEPS)
    left = [place / STEPS for place in range(STEPS)]
    right = [(place + 1) / STEPS for place in range(STEPS)]
    return pl.DataFrame({"left": left, "right": right, "n": counts.astype(int)})


def fit(answers: Graded) -> pl.DataFrame:
    """The isotonic fit of the grades."""
    return pl.DataFrame({"confidence": answers.confidence, "accuracy": isotonic(answers)})


def over_time(category: str | None) -> tuple[pl.DataFrame, Shift | None]:
    """Figures by step of time and the later half against the earlier; no rows without times."""
    view = _view()
    facts = state.facts(view.dataset)
    first, last = facts["first_ts"], facts["last_ts"]
    if first is None or last is None:
        return pl.DataFrame(), None
    return _over_time(view, view.since or first.date(), view.until or last.date(), category)


def rows_in_reach() -> bool:
    """Whether single requests of the viewed log can be read, so that confidences are told apart exactly."""
    return state.rows_in_reach(_view().dataset)


@st.cache_resource(show_spinner="Measuring the confidence", show_time=True, max_entries=16)
def _figures(view: View) -> dict[str | None, Trust]:  # noqa: ARG001 - cache key
    selection = state.selection()
    return trust(selection.rows, clustered=selection.log.facts.clustered)


@st.cache_resource(show_spinner="Measuring the confidence", show_time=True, max_entries=16)
def _gains(view: View) -> dict[str | None, Benefit]:  # noqa: ARG001 - cache key
    return benefits(state.selection())


@st.cache_resource(show_spinner=False, max_entries=64)
def _recalibrated(view: View, category: str | None) -> list[Recalibration]:
    answers = _figures(view)[category].answers
    return [recalibration(answers, method) for method in METHODS]


@st.cache_resource(show_spinner="Reading the log", show_time=True, max_entries=64)
def _over_time(
    view: View, since: dt.date, until: dt.date, category: str | None
) -> tuple[pl.DataFrame, Shift | None]:
    selection = state.selection()
    with state.store().cursor() as cursor:
        steps = confidence_by_step(
            cursor,
            view.dataset,
            first=since,
            last=until,
            categories=list(view.categories) or None if category is None else [category],
            pair=view.pair or (None, None),
            arm=view.arm,
            policy_kind=selection.policy_kind,
        )
    inflation = residual_inflation(_figures(view)[category].answers)
    return drift(steps, gap_inflation=inflation, auroc_inflation=inflation), shift(steps, inflation=inflation)


def _view() -> View:
    chosen = state.view()
    if chosen is None:
        raise TiertuneError("No log is loaded. Add one on the Logs page.")
    return chosen
