"""Take it with me: the tuned thresholds as a file, and how they differ from today's."""

import streamlit as st

from analytics import policy_file
from analytics.export.fragment import handed_out, refused
from dashboard import components, export_parts, state, story_export, words
from dashboard.change_parts import effect, evidence_downloads
from dashboard.since_tab import keep, since_tab
from dashboard.target_tab import target_tab

QUESTION = "What do I hand to the router?"

log = state.require_log(
    QUESTION, then="the thresholds file, its expected effect and how it differs from today's"
)
goal = state.goal()
tuning, reason = state.recommended(goal)
if tuning is None:
    components.title_block(QUESTION, reason)
    components.empty(
        "No thresholds to export",
        add="Log what is missing, or choose another goal on the Thresholds page.",
        then="This page will then show the thresholds file, its effect and how it differs from today's.",
        icon=":material/ios_share:",
        link=("views/how_to_log.py", "How to log"),
    )
    components.section("Since the change")
    since_tab()
    st.stop()

held = refused(tuning.policy)
components.title_block(QUESTION, story_export.answer(tuning, held))
components.cards(story_export.cards(tuning))
components.caption(
    f"Expected effect, on requests that the thresholds were not picked on. {story_export.said(tuning)}"
)

include = bool(held) and st.checkbox(
    f"Include {words.plural(len(held), 'category', 'categories')} without a supported verdict, marked",
    key="unsupported",
    bind="query-params",
    help="They have no threshold of their own and follow the default either way.",
)
with components.explained():
    tuning = export_parts.with_expiry(tuning)
    policy = handed_out(tuning.policy, include_unsupported=include)
    export_parts.downloads(policy)
    evidence_downloads(tuning)
    keep(log.name, policy)
    yaml, json, router, today, since = st.tabs(
        ["YAML", "JSON", "For a router", "Compare with today", "Since the change"],
        key="file",
        bind="query-params",
        on_change="rerun",
    )
    with yaml:
        st.code(policy_file.dumps(policy), language="yaml", height=480)
    with json:
        st.code(policy_file.dumps(policy, format="json"), language="json", height=480)
    if router.open:
        with router:
            target_tab(tuning, include_unsupported=include)
    with today:
        current = export_parts.uploaded_policy()
        if current is not None:
            effect(tuning, current)
            export_parts.comparison(current, policy)
        else:
            components.caption(
                "Upload the thresholds file that the router uses now to see which rules change."
            )
    if since.open:
        with since:
            since_tab()

if held:
    components.section("What is not in the file")
    export_parts.refused_table(held, policy.default)

components.section("How the router reads it")
st.markdown(export_parts.RULE[policy.policy_kind])
st.code(story_export.snippet(policy), language="python")
components.section("Check it in a shell")
st.code(export_parts.command(log.name), language="bash")
components.caption(
    "Stop the dashboard first, or name the log file instead of the dataset. The figures are those shown here."
)
components.provenance(story_export.evidence(tuning))
