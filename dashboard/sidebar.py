"""The frame beside every page: the dataset, its filters (all in the URL), and what its log lacks."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from analytics.tuning.identification import Missing
from analytics.tuning.log import Log
from dashboard import findings, reasons, state, words

ALL_PAIRS = "All pairs"
ALL_ARMS = "All arms"
WIDEST_PAIR = 30  # characters that the closed picker shows
ARROW = f"{words.NBSP}\u2192{words.NBSP}"
MISSING: dict[Missing, str] = {
    "escalate": "escalate",
    "keep": "keep the fast answer",
    "exclude": "leave out",
}


def sidebar() -> None:
    """Draw the sidebar and remember what it chooses; without a dataset it stays empty.

    Called by the entry script, not by a page: only there do the widgets keep their URL from page to page.
    """
    state.remember(None)
    with st.sidebar:
        try:
            datasets = state.catalogue()
        except TiertuneError as error:
            st.warning(reasons.said(str(error)), icon=":material/lock:")
            return
        if datasets.is_empty():
            st.caption("No log is loaded yet.")
            return
        chosen = _dataset(datasets)
        facts = state.facts(chosen.dataset)
        try:
            log = state.log(chosen)
        except TiertuneError as error:
            state.remember(chosen)
            st.caption(reasons.said(str(error)))
            return
        state.remember(_filters(chosen, log, facts))
        _lacks(facts, log)


def _dataset(datasets: pl.DataFrame) -> state.View:
    names: list[str] = datasets["name"].to_list()
    if (opened := state.opened()) in names:
        st.session_state["dataset"] = opened
    _only_known("dataset", names)
    name = st.selectbox("Dataset", names, key="dataset", bind="query-params")
    facts = state.facts(name)
    if facts["badge"]:
        st.badge(words.plain(facts["badge"]), icon=":material/science:", color="orange")
    categories = words.plural(int(facts["categories"]), "category", "categories")
    st.caption(f"{words.count(facts['requests'])} requests · {categories} · {_graded(facts)}")
    in_force, source = state.set_in_force(name)
    if in_force:
        st.caption(f"In force for this session: {words.plain(source)}.")
        if st.button("Use the log's thresholds", key="own_in_force", icon=":material/undo:", type="tertiary"):
            state.forget_in_force(name)
            st.rerun()
    return state.View(state.database(), name, int(facts["version"]), in_force=in_force)


def _filters(chosen: state.View, log: Log, facts: dict[str, Any]) -> state.View:
    pair = _pair(log)
    names = [words.category(name) for name in log.facts.categories]
    _only_known("category", names)
    kept = st.multiselect(
        "Categories", names, key="category", bind="query-params", placeholder=f"All {len(names)}"
    )
    since = until = arm = None
    missing: Missing = "escalate"
    arms = [str(name) for name in log.facts.arms if name is not None]
    first, last = _day(facts["first_ts"]), _day(facts["last_ts"])
    gaps = (facts["confidence_share"] or 0.0) < 1.0
    if first is not None or arms or gaps:
        with st.expander("More filters", icon=":material/filter_list:", key="more"):
            if state.rows_in_reach(chosen.dataset):
                since, until = _dates(first, last)
            else:
                st.caption("No dates to choose: only sums of this log are here.")
            arm = _arm(arms)
            missing = _missing() if gaps else missing
    return replace(
        chosen, since=since, until=until, categories=tuple(kept), pair=pair, arm=arm, missing=missing
    )


def _pair(log: Log) -> tuple[str, str] | None:
    """The pair picker; "All pairs" only where no category has more than one."""
    pairs = {ARROW.join(pair): (str(pair[0]), str(pair[1])) for pair in log.facts.pairs}
    options = list(pairs) if state.crowded(log) else [ALL_PAIRS, *pairs]
    if len(pairs) == 1:
        options = list(pairs)
    _only_known("pair", options)
    shown = st.selectbox("Model pair", options, key="pair", bind="query-params")
    if shown is not None and len(shown) > WIDEST_PAIR:
        st.caption(words.plain(shown, limit=90))
    return pairs.get(shown) if shown else None


def _dates(first: dt.date | None, last: dt.date | None) -> tuple[dt.date | None, dt.date | None]:
    if first is None or last is None:
        return None, None
    span = st.date_input(
        "Dates", (first, last), min_value=first, max_value=last, key="dates", bind="query-params"
    )
    if not isinstance(span, tuple) or len(span) != 2 or span == (first, last):  # noqa: PLR2004 - both ends
        return None, None
    return span


def _arm(arms: Sequence[str]) -> str | None:
    if not arms:
        return None
    options = [ALL_ARMS, *arms]
    _only_known("arm", options)
    shown = st.selectbox("Experiment arm", options, key="arm", bind="query-params")
    return None if shown == ALL_ARMS else shown


def _missing() -> Missing:
    options: list[Missing] = list(MISSING)
    return st.selectbox(
        "Missing confidence",
        options,
        key="missing",
        bind="query-params",
        format_func=MISSING.__getitem__,
        help="What a request without a confidence does. A router escalates it unless it is told otherwise.",
    )


def _lacks(facts: dict[str, Any], log: Log) -> None:
    lines = findings.lacks(facts, log)
    with st.expander("What this log lacks", icon=":material/rule:"):
        for name, consequence in lines:
            st.markdown(f"**{name}**  \n{words.dollars(consequence)}")
        if not lines:
            st.markdown("Nothing that these pages need.")


def _only_known(key: str, options: Sequence[str]) -> None:
    """Take back a choice that another dataset does not have, before the widget meets it.

    The first option is put in its place: the browser would go on showing a choice that is only deleted here.
    """
    held = st.session_state.get(key)
    if isinstance(held, list):
        st.session_state[key] = [entry for entry in held if entry in options]
    elif held is not None and held not in options:
        st.session_state[key] = options[0]


def _graded(facts: dict[str, Any]) -> str:
    both, fast = facts["both_graded_share"] or 0.0, facts["graded_share"] or 0.0
    if both >= 1.0:
        return "both answers graded"
    if fast > 0.0:
        pairs = words.percent(both, digits=0)
        return f"{words.percent(fast, digits=0)} of fast answers graded, {pairs} of pairs"
    return "no grades"


def _day(moment: dt.datetime | dt.date | None) -> dt.date | None:
    return moment.date() if isinstance(moment, dt.datetime) else moment
