"""What replacing the file in force does on this log, and the sheet for whoever approves it."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from analytics import policy_file
from dashboard import components, state, words
from dashboard.components import Card

if TYPE_CHECKING:
    from analytics.export.change import Change
    from analytics.policy import ThresholdPolicy
    from analytics.tuning.goals import Tuning
    from analytics.tuning.log import Selection


def effect(tuning: "Tuning", current: "ThresholdPolicy", *, key: str = "against", back: bool = True) -> None:
    """The new policy against an uploaded one: routes, accuracy, cost, latency; and the way back.

    Args:
        tuning: The new policy with its evidence.
        current: The one in force.
        key: Begins the keys of the buttons.
        back: Whether the rules in force are offered as a file of their own.
    """
    found = _change(state.selection(), tuning, current)
    against = found.differences[None]
    before, after = found.before.overall, found.after.overall
    moved = f"n{words.NBSP}{words.count(after.escalation_rate.n)}"
    components.cards(
        [
            Card(
                "Routed differently", words.percent(found.moved[None]), moved, "Share of this log's requests."
            ),
            components.card("Accuracy", against.accuracy, "points", hint="New minus today, paired."),
            components.card("Cost saved", against.saved, "percent", digits=0, hint="Of today's cost."),
            Card(
                "Escalated",
                words.percent(after.escalation_rate.value),
                f"today{words.NBSP}{words.percent(before.escalation_rate.value)}",
            ),
            Card(
                "p95 latency",
                words.seconds(after.latency_p95_s.value),
                f"today{words.NBSP}{words.seconds(before.latency_p95_s.value)}",
            ),
        ]
    )
    components.caption(
        f"Both files on {tuning.rows.reported_on} of this log. Keep today's file to go back to."
    )
    with st.container(horizontal=True, gap="small"):
        if back:
            st.download_button(
                "Today's rules, to roll back",
                data=lambda: policy_file.dumps(current).encode(),
                file_name="rollback.yaml",
                mime="application/yaml",
                key="rollback",
                on_click="ignore",
                icon=":material/undo:",
            )
        _sheet_buttons(tuning, current, key=key)


def evidence_downloads(tuning: "Tuning") -> None:
    """The evidence sheet of the policy, against the one in force where the log says it."""
    from analytics.tuning.policy_sums import in_force_policy  # noqa: PLC0415 - heavy, for this page alone

    current = in_force_policy(state.selection())
    with st.container(horizontal=True, gap="small"):
        _sheet_buttons(tuning, current, key="sheet")


def _sheet_buttons(tuning: "Tuning", current: "ThresholdPolicy | None", *, key: str) -> None:
    selection = state.selection()
    for ending, form, mime in (("html", "html", "text/html"), ("md", "markdown", "text/markdown")):
        st.download_button(
            f"Evidence sheet ({'HTML' if form == 'html' else 'Markdown'})",
            data=lambda form=form: _sheet(selection, tuning, current)[form].encode(),  # type: ignore[misc]
            file_name=f"tiertune-evidence.{ending}",
            mime=mime,
            key=f"{key}-{ending}",
            on_click="ignore",
            icon=":material/description:",
        )


def _sheet(selection: "Selection", tuning: "Tuning", current: "ThresholdPolicy | None") -> "dict[Any, str]":
    """The sheet, made once somebody wants it, without anything of this session."""
    from analytics.export.evidence import evidence_sheet  # noqa: PLC0415 - heavy, for a click

    found = None if current is None else _change(selection, tuning, current)
    return evidence_sheet(tuning, selection, against=found)


def _change(selection: "Selection", tuning: "Tuning", current: "ThresholdPolicy") -> "Change":
    from analytics.export.change import change  # noqa: PLC0415 - heavy, for this page alone

    return change(selection, current, tuning.policy, folds=tuning.rows.folds)
