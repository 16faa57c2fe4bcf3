"""The tab that turns the thresholds into a router's config, with its golden decisions."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import components, words
from dashboard.archive import zipped

if TYPE_CHECKING:
    from analytics.tuning.goals import Tuning

LANGUAGES = {"yaml": "yaml", "json": "json", "py": "python", "csv": None}
GOLDEN_READ = (
    "golden.json holds requests at and around every threshold with the route that the policy wants; "
    "tiertune_golden_check.py asks your router for each of them, in its own CI."
)


def target_tab(tuning: "Tuning", *, include_unsupported: bool) -> None:
    """Draw the picker and the fragment of the picked target, or why it cannot express the policy.

    Below it what follows from the user's own config, and the rollout.
    """
    from analytics.export.fragment import RefusedError, handed_out  # noqa: PLC0415 - only while it is open
    from analytics.export.targets import TARGETS, exported  # noqa: PLC0415
    from dashboard import rollout_parts, router_config  # noqa: PLC0415

    names = list(TARGETS)
    target = st.selectbox(
        "Router",
        names,
        format_func=lambda name: TARGETS[name].title,
        key="target",
        bind="query-params",
        width=300,
    )
    components.caption(TARGETS[target].about)
    try:
        found = exported(tuning.policy, target, include_unsupported=include_unsupported)
    except RefusedError as error:
        components.finding("This router cannot run these thresholds", words.plain(str(error), limit=500))
        return
    for note in found.notes:
        st.markdown(f"- {words.plain(note, limit=300)}")
    st.download_button(
        "Download all files",
        data=lambda: zipped(found.files),
        file_name=f"tiertune-{target}.zip",
        mime="application/zip",
        key="target-files",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )
    shown = [name for name in found.files if not name.startswith(("golden", "tiertune_golden"))]
    for name in shown:
        st.caption(name)
        st.code(found.files[name], language=LANGUAGES[name.rpartition(".")[2]], height=360)
    components.caption(GOLDEN_READ)
    handed = handed_out(tuning.policy, include_unsupported=include_unsupported)
    own = router_config.own_config(target, found, tuning, handed)
    if target in rollout_parts.TARGETS:
        rollout_parts.rollout_box(handed, target, own)
