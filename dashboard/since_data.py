"""A log since a change against its thresholds file, cached by what is viewed and which file it is."""

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from analytics import policy_file
from dashboard import state
from dashboard.state import View

if TYPE_CHECKING:
    from analytics.export.since import Since
    from analytics.policy import ThresholdPolicy


def since(policy: "ThresholdPolicy", start: dt.date | None) -> "Since":
    """The viewed dataset from a first day on; of the sidebar's filters only the model pair counts.

    Raises:
        TiertuneError: The log cannot be compared with these thresholds at all.
    """
    return _since(_view(), policy_file.dumps(policy), start)


@st.cache_resource(show_spinner="Comparing with what was expected", show_time=True, max_entries=16)
def _since(chosen: View, file: str, start: dt.date | None) -> "Since":
    from analytics.export.since import since as compared  # noqa: PLC0415 - heavy, for this tab alone

    store = state.store()
    return compared(
        store,
        chosen.dataset,
        policy_file.loads(file),
        start=start,
        log_sha256=store.log_sha256(chosen.dataset),
        pair=chosen.pair or (None, None),
    )


def departures(policy: "ThresholdPolicy", start: dt.date | None) -> pl.DataFrame:
    """The first requests whose decision is not the policy's, see ``observed.departures``."""
    return _departures(_view(), policy_file.dumps(policy), start)


@st.cache_resource(show_spinner=False, max_entries=8)
def _departures(chosen: View, file: str, start: dt.date | None) -> pl.DataFrame:
    from analytics.experiments.outcomes import Scope  # noqa: PLC0415 - heavy, for this tab alone
    from analytics.export.observed import departures as listed  # noqa: PLC0415

    fast, strong = chosen.pair or (None, None)
    scope = Scope(chosen.dataset, None, since=start, fast=fast, strong=strong)
    return listed(state.store(), scope, policy_file.loads(file))


def _view() -> View:
    """What the sidebar shows without the filters that do not count here."""
    shown = state.required()
    return View(shown.database, shown.dataset, shown.version, pair=shown.pair)
