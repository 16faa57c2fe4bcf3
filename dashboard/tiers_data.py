"""The figures of the Tiers page, cached by what is viewed; one group-by each, none on a redraw."""

import datetime as dt

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.measure.tiers import Grouping, tier_estimates, tier_table
from analytics.measure.timeline import timeline
from analytics.measure.verdicts import Verdict, verdicts
from dashboard import reasons, state
from dashboard.charts.tiers import UNKNOWN
from dashboard.state import View


def figures(by: Grouping) -> pl.DataFrame:
    """Sums and estimates of the viewed calls by ``by``, as ``tier_estimates`` has them; tier never null."""
    return _figures(_view(), by)


def over_time(category: str | None, *, every: bool) -> pl.DataFrame:
    """Estimates by tier and step of time for one category, or for all viewed ones where ``every``.

    Returns:
        As ``timeline``; no rows where the log has no timestamps.
    """
    view = _view()
    facts = state.facts(view.dataset)
    first, last = facts["first_ts"], facts["last_ts"]
    if first is None or last is None:
        return pl.DataFrame()
    since, until = view.since or first.date(), view.until or last.date()
    chosen = view.categories if every else (category,)
    return _over_time(view, since, until, chosen)


def measured() -> tuple[list[Verdict], str]:
    """The verdict of every category, or none and the sentence that says why."""
    try:
        return verdicts(state.curves().values()), ""
    except TiertuneError as error:
        return [], reasons.said(str(error))


@st.cache_resource(show_spinner="Reading the log", show_time=True, max_entries=32)
def _figures(view: View, by: Grouping) -> pl.DataFrame:
    end = None if view.until is None else view.until + dt.timedelta(days=1)
    with state.store().cursor() as cursor:
        sums = tier_table(
            cursor, view.dataset, by=by, since=view.since, until=end, categories=list(view.categories) or None
        )
    return _named(tier_estimates(sums))


@st.cache_resource(show_spinner="Reading the log", show_time=True, max_entries=64)
def _over_time(
    view: View, since: dt.date, until: dt.date, categories: tuple[str | None, ...]
) -> pl.DataFrame:
    with state.store().cursor() as cursor:
        found = timeline(cursor, view.dataset, first=since, last=until, categories=list(categories) or None)
    return _named(found)


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("tier").fill_null(UNKNOWN)) if "tier" in frame.columns else frame


def _view() -> View:
    chosen = state.view()
    if chosen is None:
        raise TiertuneError("No log is loaded. Add one on the Logs page.")
    return chosen
