"""Slower studies of a selection, each cached by what is viewed: for tabs that are open."""

import datetime as dt

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.measure.suspicions import Suspicion
from analytics.measure.suspicions import suspicions as suspicions_of
from analytics.policy import Goal
from analytics.tuning.plateau import Plateau
from analytics.tuning.plateau import plateau as plateau_of
from analytics.tuning.price_sensitivity import Repriced, Worth, price_sensitivity, worths
from analytics.tuning.regressions import Regressions, worsened_rows
from analytics.tuning.regressions import regressions as regressions_of
from analytics.tuning.shadow_plan import ShadowPlan
from analytics.tuning.shadow_plan import shadow_plan as shadow_plan_of
from analytics.tuning.stability import Stability
from analytics.tuning.stability import stability as stability_of
from dashboard import state
from dashboard.state import View


def stability(goal: Goal) -> Stability:
    """What the goal picks from resamples of the log; a second or two, then cached.

    Raises:
        TiertuneError: Resamples of this log have no answer.
    """
    return _stability(state.divided(), goal)


@st.cache_resource(show_spinner="Picking from resamples of this log", show_time=True, max_entries=16)
def _stability(chosen: View, goal: Goal) -> Stability:
    return stability_of(state.selection_of(chosen), goal, state.tuning_of(chosen, goal).policy)


def plateau(category: str, index: int | None) -> Plateau | None:
    """The thresholds that cannot be told from one of them; None where the log does not identify it.

    Args:
        category: One of the selection's categories.
        index: Row of the curve's points; None gives None.
    """
    return None if index is None else _plateau(state.required(), category, index)


@st.cache_resource(show_spinner=False, max_entries=512)
def _plateau(chosen: View, category: str, index: int) -> Plateau | None:
    try:
        return plateau_of(state.selection_of(chosen), category, index=index)
    except TiertuneError:
        return None


def shadow_plan(goal: Goal) -> ShadowPlan:
    """The strong calls that would answer what this log cannot tell about a goal."""
    return _shadow_plan(state.required(), goal)


@st.cache_resource(show_spinner=False, max_entries=32)
def _shadow_plan(chosen: View, goal: Goal) -> ShadowPlan:
    try:
        certified = state.tuning_of(chosen, goal).certification
    except TiertuneError:
        certified = None
    return shadow_plan_of(state.selection_of(chosen), goal, certified=certified)


def prices(goal: Goal) -> list[Repriced]:
    """The policy of a goal at several prices of the strong model."""
    return _prices(state.required(), goal)


@st.cache_resource(show_spinner="Tuning at other prices", show_time=True, max_entries=16)
def _prices(chosen: View, goal: Goal) -> list[Repriced]:
    return price_sensitivity(state.selection_of(chosen), goal)


def worth(goal: Goal) -> list[Worth]:
    """What correct answers cost around each category's choice; empty without costs."""
    return _worth(state.required(), goal)


@st.cache_resource(show_spinner=False, max_entries=16)
def _worth(chosen: View, goal: Goal) -> list[Worth]:
    return worths(state.selection_of(chosen), state.tuning_of(chosen, goal).policy)


def regressions() -> list[Regressions]:
    """What escalation mended and made worse, over all categories and in each."""
    return _regressions(state.required())


@st.cache_resource(show_spinner=False, max_entries=32)
def _regressions(chosen: View) -> list[Regressions]:
    return regressions_of(state.selection_of(chosen))


def worsened(category: str | None) -> pl.DataFrame:
    """The requests that escalation made worse, as ``regressions.worsened_rows`` has them."""
    return _worsened(state.required(), category)


@st.cache_resource(show_spinner="Looking up the requests", show_time=True, max_entries=8)
def _worsened(chosen: View, category: str | None) -> pl.DataFrame:
    end = None if chosen.until is None else chosen.until + dt.timedelta(days=1)
    return worsened_rows(
        state.store(), state.selection_of(chosen), category=category, since=chosen.since, until=end
    )


def suspicions() -> list[Suspicion]:
    """What looks wrong in the viewed log itself."""
    return _suspicions(state.required())


@st.cache_resource(show_spinner=False, max_entries=32)
def _suspicions(chosen: View) -> list[Suspicion]:
    return suspicions_of(state.selection_of(chosen))
