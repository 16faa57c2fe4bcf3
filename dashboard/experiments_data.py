"""The figures of the Experiments page, cached by what is viewed; no row leaves the database for them."""

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.experiments import outcomes, routes
from analytics.experiments.outcomes import Scope
from dashboard import state
from dashboard.state import View

if TYPE_CHECKING:
    from analytics.experiments.design import Baseline
    from analytics.experiments.study import Study
    from analytics.experiments.verdict import Read

Split = tuple[tuple[str, float], ...]


def arms() -> pl.DataFrame:
    """The arms of every experiment of the dataset, see ``outcomes.arms``."""
    chosen = _view()
    return _arms(chosen.database, chosen.dataset, chosen.version)


@st.cache_resource(show_spinner="Looking for experiments", show_time=True, max_entries=8)
def _arms(path: str, dataset: str, version: int) -> pl.DataFrame:  # noqa: ARG001 - cache key
    return outcomes.arms(state.store(), dataset)


def study(
    experiment: str | None,
    *,
    control: str,
    treatment: str,
    margin: float,
    value_usd: float | None,
    read: "Read",
    split: Split | None,
) -> "Study":
    """The experiment, read and compared; seconds on a large log, then cached.

    Raises:
        TiertuneError: It cannot be read within the filters.
    """
    return _study(_view(), experiment, (control, treatment), margin, value_usd, read=read, split=split)


@st.cache_resource(show_spinner="Comparing the arms", show_time=True, max_entries=16)
def _study(
    chosen: View,
    experiment: str | None,
    arms: tuple[str, str],
    margin: float,
    value_usd: float | None,
    *,
    read: "Read",
    split: Split | None,
) -> "Study":
    from analytics.experiments.study import study as read_study  # noqa: PLC0415 - scipy, off other pages' path

    return read_study(
        state.store(),
        scope(chosen, experiment),
        control=arms[0],
        treatment=arms[1],
        margin=margin,
        value_usd=value_usd,
        read=read,
        split=None if split is None else dict(split),
    )


def baseline(between: pl.DataFrame | None) -> "Baseline":
    """What the log says about the requests that a test would have.

    Raises:
        TiertuneError: It has no times, or less than a day.
    """
    rows = None if between is None else tuple(between.rows())
    return _baseline(_view(), rows, () if between is None else tuple(between.columns))


@st.cache_resource(show_spinner="Reading the traffic", show_time=True, max_entries=16)
def _baseline(
    chosen: View, rows: tuple[tuple[object, ...], ...] | None, columns: tuple[str, ...]
) -> "Baseline":
    from analytics.experiments.design import baseline as read_baseline  # noqa: PLC0415 - as above

    between = None if rows is None else pl.DataFrame(list(rows), schema=list(columns), orient="row")
    return read_baseline(state.store(), scope(chosen, None), between=between)


def winner_thresholds(experiment: str | None, arm: str) -> dict[str, float]:
    """The thresholds of an arm by category, where the log says them."""
    return _winner(_view(), experiment, arm)


@st.cache_resource(show_spinner=False, max_entries=16)
def _winner(chosen: View, experiment: str | None, arm: str) -> dict[str, float]:
    return routes.arm_thresholds(state.store(), scope(chosen, experiment), arm)


def scope(chosen: View, experiment: str | None) -> Scope:
    """The requests of an experiment that the sidebar's filters leave."""
    fast, strong = chosen.pair or (None, None)
    return Scope(
        chosen.dataset,
        experiment,
        since=chosen.since,
        until=None if chosen.until is None else chosen.until + dt.timedelta(days=1),
        categories=chosen.categories or None,
        fast=fast,
        strong=strong,
    )


def names(found: pl.DataFrame) -> list[str | None]:
    """Experiments in order, the latest first."""
    return found["experiment"].unique(maintain_order=True).to_list()


def _view() -> View:
    """The view without an arm: an experiment is about all of them."""
    chosen = state.view()
    if chosen is None:
        raise TiertuneError("No log is loaded. Add one on the Logs page.")
    return replace(chosen, arm=None, missing="escalate", holdout="hash", in_force=())
