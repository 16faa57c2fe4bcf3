"""The open database, what the sidebar and the URL say, and every cache.

Cached values are shared by all sessions and never changed: their keys hold the database path, the dataset and
its version, so that a loaded file makes them stale at once. Old versions leave by the bound of each cache.
"""

import datetime as dt
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.logs import recovery
from analytics.logs.storage import kept
from analytics.logs.store import Store
from analytics.policy import Goal
from analytics.tuning.curve import Curve
from analytics.tuning.curve import curve as curve_of
from analytics.tuning.goals import Tuning, tune
from analytics.tuning.halves import Holdout
from analytics.tuning.identification import Missing
from analytics.tuning.log import Log, Selection, read_log, select, with_in_force
from dashboard import goal_words, reasons, words

DATABASE = "TIERTUNE_DB"


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: the key of every cached figure.

    Attributes:
        database: Path of the database; empty for a private one.
        dataset: Name of the log.
        version: Version of the dataset; grows with every change.
        since: First day; None for no limit.
        until: Last day, inclusive; None for no limit.
        categories: Categories kept; empty for all.
        pair: Fast and strong model; None for every pair.
        arm: Experiment arm; None for all rows.
        missing: What a missing confidence does: escalate, keep or exclude.
        holdout: What divides the rows that pick from those that report; only a tuning depends on it.
        in_force: Threshold of each category that was set to be in force; the log's own elsewhere.
    """

    database: str
    dataset: str
    version: int
    since: dt.date | None = None
    until: dt.date | None = None
    categories: tuple[str, ...] = ()
    pair: tuple[str, str] | None = None
    arm: str | None = None
    missing: Missing = "escalate"
    holdout: Holdout = "hash"
    in_force: tuple[tuple[str, float], ...] = ()


def database() -> str:
    """Path of the database that this dashboard has open; empty for a private temporary one."""
    return os.environ.get(DATABASE, "")


def store() -> Store:
    """The open store; take a fresh ``.cursor()`` per use, and never keep one.

    A damaged one is opened again: it is set aside, and what was kept of its files is loaded into a new one.

    Raises:
        TiertuneError: Another process has the database open.
    """
    path = database()
    if _store(path).damaged:
        with _reopening:  # whoever else noticed waits, and then finds a sound one
            if _store(path).damaged:
                _store.clear(path)
    return _store(path)


_reopening = threading.Lock()


@st.cache_resource(
    show_spinner="Opening the logs", show_time=True, max_entries=2, on_release=lambda held: held.close()
)
def _store(path: str) -> Store:
    opened = Store.open(Path(path) if path else None, keep=kept.wanted())
    try:
        recovery.recover(opened)
    except BaseException:
        opened.close()
        raise
    return opened


def catalogue() -> pl.DataFrame:
    """One row per dataset, as ``Store.datasets`` has it, which counts a dataset again only after a change."""
    return store().datasets()


def facts(dataset: str) -> dict[str, Any]:
    """The catalogue row of one dataset."""
    return catalogue().row(by_predicate=pl.col("name") == dataset, named=True)


def rows_in_reach(dataset: str) -> bool:
    """Whether single requests of a dataset can be read, not only sums over them."""
    return facts(dataset)["form"] != "cells" or store().reachable(dataset)


def graders(dataset: str) -> pl.DataFrame:
    """The graders of the grades joined to a dataset, see ``Store.graders``."""
    return _graders(database(), dataset, int(facts(dataset)["version"]))


@st.cache_resource(show_spinner=False, max_entries=8)
def _graders(path: str, dataset: str, version: int) -> pl.DataFrame:  # noqa: ARG001 - cache key
    return _store(path).graders(dataset)


def view() -> View | None:
    """What the sidebar shows; None while there is no dataset."""
    found: View | None = st.session_state.get("_view")
    return found


def remember(chosen: View | None) -> None:
    """Keep what the sidebar shows for the page that is drawn after it."""
    st.session_state["_view"] = chosen


def open_next(dataset: str) -> None:
    """Have the sidebar show this dataset from the next run on; in this one its picker is drawn already."""
    st.session_state["_open"] = dataset


def sidebar_params() -> dict[str, list[str]]:
    """The sidebar's part of the URL, for a link that sets more: a link replaces all of it."""
    names = ("dataset", "category", "pair", "dates", "arm", "missing")
    return {name: st.query_params.get_all(name) for name in names if name in st.query_params}


def put_in_force(dataset: str, thresholds: dict[str, float], source: str) -> None:
    """Take thresholds as those in force for the rest of this session, in place of the log's own.

    Args:
        dataset: Name of the log.
        thresholds: By category; the log's own stay in force elsewhere.
        source: Where they come from, for the sidebar; not escaped.
    """
    st.session_state.setdefault("_in_force", {})[dataset] = (tuple(sorted(thresholds.items())), source)


def forget_in_force(dataset: str) -> None:
    """Take the log's own thresholds as those in force again."""
    st.session_state.get("_in_force", {}).pop(dataset, None)


def set_in_force(dataset: str) -> tuple[tuple[tuple[str, float], ...], str]:
    """The thresholds that were set to be in force, and where they come from; empty without any."""
    found: tuple[tuple[tuple[str, float], ...], str] = st.session_state.get("_in_force", {}).get(
        dataset, ((), "")
    )
    return found


def opened() -> str | None:
    """The dataset that the sidebar was asked to show; asked once, answered once."""
    found: str | None = st.session_state.pop("_open", None)
    return found


def model_prices(dataset: str) -> pl.DataFrame:
    """A dataset's models with tokens, prices and compared costs, as ``Store.model_prices`` has them."""
    by_hand = tuple((model, repr(stated)) for model, stated in store().prices().items())
    return _model_prices(database(), dataset, facts(dataset)["version"], by_hand)


@st.cache_resource(show_spinner=False, max_entries=16)
def _model_prices(
    path: str,
    dataset: str,
    version: int,  # noqa: ARG001 - cache key
    by_hand: tuple[tuple[str, str], ...],  # noqa: ARG001 - cache key
) -> pl.DataFrame:
    return _store(path).model_prices(dataset)


def log(chosen: View) -> Log:
    """The cells and facts of the viewed dataset within its dates; one GROUP BY, then cached."""
    return _log(
        chosen.database, chosen.dataset, chosen.version, chosen.since, chosen.until, holdout=chosen.holdout
    )


@st.cache_resource(show_spinner="Reading the log", show_time=True, max_entries=8)
def _log(
    path: str,
    dataset: str,
    version: int,  # noqa: ARG001 - cache key
    since: dt.date | None,
    until: dt.date | None,
    *,
    holdout: Holdout,
) -> Log:
    end = None if until is None else until + dt.timedelta(days=1)
    return read_log(_store(path), dataset, since=since, until=end, holdout=holdout)


def require_log(question: str, *, then: str) -> Log:
    """The log to look at; without one the page explains what to upload and stops.

    Args:
        question: Title of the page.
        then: What the page will show with a log.
    """
    from dashboard import components  # noqa: PLC0415 - components draw with this module

    with components.explained(question):
        store()
        chosen = view()
        if chosen is not None:
            return log(chosen)
    components.no_log(question, then=then)
    return st.stop()


def selection() -> Selection:
    """The viewed log with the sidebar's filters applied.

    Raises:
        TiertuneError: Nothing is left, or several pairs are left in one category.
    """
    return selection_of(required())


def selection_of(chosen: View) -> Selection:
    """The selection of a view, cached."""
    return _selection(chosen)


@st.cache_resource(show_spinner="Reading the log", max_entries=16)
def _selection(chosen: View) -> Selection:
    return select(
        with_in_force(log(chosen), dict(chosen.in_force)),
        categories=list(chosen.categories) or None,
        pair=chosen.pair,
        arm=chosen.arm,
        missing=chosen.missing,
    )


def curve(category: str | None = None) -> Curve:
    """The curve of one category of the selection; None pools all of them under one threshold.

    Raises:
        TiertuneError: The selection cannot give a curve.
    """
    return _curve(required(), category)


def curves() -> dict[str, Curve]:
    """The curve of every category of the selection."""
    with st.spinner("Working out every threshold", show_time=True):
        return {name: curve(name) for name in selection().categories}


@st.cache_resource(show_spinner=False, max_entries=512)
def _curve(chosen: View, category: str | None) -> Curve:
    return curve_of(_selection(chosen), category=category)


def tuning(goal: Goal) -> Tuning:
    """The recommended policy for ``goal`` with what holds it up.

    Raises:
        TiertuneError: The goal has no answer in this log.
    """
    return tuning_of(divided(), goal)


def tuning_of(chosen: View, goal: Goal) -> Tuning:
    """The recommended policy of a view, cached."""
    return _tuning(chosen, goal)


def divided() -> View:
    """The view with what the goal picker holds out."""
    return replace(required(), holdout=goal_choice()["holdout"])


def recommended(goal: Goal) -> tuple[Tuning | None, str]:
    """The recommended policy, or None with the sentence that says why this log has none."""
    try:
        return tuning(goal), ""
    except TiertuneError as error:
        return None, reasons.said(str(error))


@st.cache_resource(show_spinner="Tuning every category", show_time=True, max_entries=32)
def _tuning(chosen: View, goal: Goal) -> Tuning:
    return tune(_selection(chosen), goal)


def goal_choice() -> dict[str, Any]:
    """What the goal picker says, from this session or the URL: an entry for each of the defaults."""
    kept: dict[str, Any] | None = st.session_state.get("_goal")
    if kept is not None:
        return kept
    choice = dict(goal_words.DEFAULTS)
    for key in goal_words.DEFAULTS:
        text = st.query_params.get(key)
        if text is not None:
            choice[key] = goal_words.parsed(key, text)
    return choice


def crowded(log: Log) -> bool:
    """Whether some category has several model pairs, so that one must be chosen."""
    pairs = log.cells.select("task_category", "fast_model", "strong_model").unique()
    return pairs.height > pairs["task_category"].n_unique()


def keep_goal(choice: dict[str, Any]) -> None:
    """Remember the goal for the other pages of this session."""
    st.session_state["_goal"] = dict(choice)


def goal() -> Goal:
    """The goal chosen on the Thresholds page or in the link, which every page uses.

    On pages without the picker the choice is written to the URL, so that the view is a link.
    """
    choice = goal_choice()
    for key, default in goal_words.DEFAULTS.items():
        shown = st.query_params.get(key)
        if choice[key] == default:
            if shown is not None:
                del st.query_params[key]
        elif shown != (text := goal_words.written(key, choice[key])):
            st.query_params[key] = text
    return goal_from(choice)


def goal_from(choice: dict[str, Any]) -> Goal:
    """The goal that the picker's values mean: points and percent become shares, 0 seconds no limit."""
    name = choice["goal"]
    by_margin = name == "non-inferior"
    needs_floor = name in ("min-accuracy", "accuracy-per-dollar")
    return Goal(
        name=name,
        margin=float(choice["margin"]) / words.POINT if by_margin else None,
        reference=choice["reference"] if by_margin and choice["reference"] != "auto" else None,
        scope=choice["scope"],
        min_accuracy=float(choice["floor"]) / words.POINT if needs_floor else None,
        budget_usd=float(choice["budget"]) if name == "budget" else None,
        value_usd=float(choice["value"]) if name == "value" else None,
        max_p95_s=float(choice["p95"]) or None,
        pool=choice["pool"] == "yes",
    )


def required() -> View:
    """The view.

    Raises:
        TiertuneError: No log is loaded.
    """
    chosen = view()
    if chosen is None:
        raise TiertuneError("No log is loaded. Add one on the Logs page.")
    return chosen
