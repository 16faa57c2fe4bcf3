"""The controls of the Thresholds page: category, goal, its number, and the limits that go with it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from analytics.policy import Goal
from dashboard import goal_words, state

NUMBERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "non-inferior": (
        "margin",
        "Margin, points",
        {"min_value": 0.1, "max_value": 50.0, "step": 0.5, "format": "%.1f"},
    ),
    "min-accuracy": (
        "floor",
        "Accuracy, %",
        {"min_value": 1.0, "max_value": 100.0, "step": 1.0, "format": "%.1f"},
    ),
    "accuracy-per-dollar": (
        "floor",
        "Accuracy, %",
        {"min_value": 1.0, "max_value": 100.0, "step": 1.0, "format": "%.1f"},
    ),
    "budget": ("budget", "USD per request", {"min_value": 0.0, "step": 0.0005, "format": "%.5f"}),
    "value": ("value", "USD per correct", {"min_value": 0.0, "step": 0.01, "format": "%.3f"}),
}
HELP = {
    "non-inferior": "The cheapest policy whose accuracy is at most this far below the reference.",
    "min-accuracy": "The cheapest policy with at least this accuracy.",
    "budget": "The most accurate policy that costs at most this much per request.",
    "value": "The policy with the largest value of correct answers minus cost.",
    "accuracy-per-dollar": "Most correct answers per dollar, above an accuracy floor.",
}


def controls(categories: Sequence[str]) -> tuple[str, Goal]:
    """Draw the category, the goal with its number, and the popover with scope, reference and latency limit.

    Args:
        categories: Names to choose one from.
    """
    kept = state.goal_choice()
    choice = dict(kept)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if st.session_state.get("show") not in (None, *categories):
            st.session_state["show"] = categories[0]
        category = st.selectbox("Category", list(categories), key="show", bind="query-params", width=230)
        choice["goal"] = _segments("Goal", "goal", goal_words.NAMES, kept)
        key, label, options = NUMBERS[choice["goal"]]
        _seed(key, kept)
        choice[key] = st.number_input(
            label,
            value=goal_words.DEFAULTS[key],
            key=key,
            bind="query-params",
            width=140,
            help=HELP[choice["goal"]],
            **options,
        )
        with st.popover("Limits", icon=":material/speed:"):
            choice |= _limits(choice, kept)
    state.keep_goal(choice)
    return category, state.goal_from(choice)


def _limits(choice: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Scope and reference where the goal has them, the latency limit, what is held out, and pooling."""
    found: dict[str, Any] = {}
    if choice["goal"] in ("non-inferior", "min-accuracy"):
        found["scope"] = _select("Promise for", "scope", goal_words.SCOPES, kept)
    if choice["goal"] == "non-inferior":
        found["reference"] = _select("Compared with", "reference", goal_words.REFERENCES, kept)
    presets = dict.fromkeys((*goal_words.PRESETS, float(kept["p95"])))
    _seed("p95", kept)
    found["p95"] = st.selectbox(
        "95% of requests answered within",
        list(presets),
        key="p95",
        bind="query-params",
        format_func=goal_words.limit,
        help="Thresholds whose 95th percentile of latency is above the limit are left out.",
    )
    found["holdout"] = _select("Hold out", "holdout", goal_words.HOLDOUTS, kept)
    found["pool"] = _select("Categories with too little data", "pool", goal_words.POOLING, kept)
    return found


def _segments(label: str, key: str, names: dict[str, str], kept: dict[str, Any]) -> str:
    _seed(key, kept)
    picked = st.segmented_control(
        label,
        list(names),
        default=goal_words.DEFAULTS[key],
        required=True,
        format_func=names.__getitem__,
        key=key,
        bind="query-params",
    )
    return str(picked)


def _select(label: str, key: str, names: dict[str, str], kept: dict[str, Any]) -> str:
    _seed(key, kept)
    return st.selectbox(label, list(names), format_func=names.__getitem__, key=key, bind="query-params")


def _seed(key: str, kept: dict[str, Any]) -> None:
    """Give a widget that was not on the last page its remembered value, which also writes the URL."""
    if key in st.session_state or key in st.query_params or kept[key] == goal_words.DEFAULTS[key]:
        return
    st.session_state[key] = kept[key]
