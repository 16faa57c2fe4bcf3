"""The tab that turns the thresholds into a router's config, with its golden decisions."""

import io
import zipfile
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import components, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.policy import ThresholdPolicy

LANGUAGES = {"yaml": "yaml", "json": "json", "py": "python", "csv": None}
GOLDEN_READ = (
    "golden.json holds requests at and around every threshold with the route that the policy wants; "
    "tiertune_golden_check.py asks your router for each of them, in its own CI."
)


def target_tab(policy: "ThresholdPolicy", *, include_unsupported: bool) -> None:
    """Draw the picker and the fragment of the picked target, or why it cannot express the policy."""
    from analytics.export.fragment import RefusedError  # noqa: PLC0415 - only while the tab is open
    from analytics.export.targets import TARGETS, exported  # noqa: PLC0415

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
        found = exported(policy, target, include_unsupported=include_unsupported)
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
    own = [name for name in found.files if not name.startswith(("golden", "tiertune_golden"))]
    for name in own:
        st.caption(name)
        st.code(found.files[name], language=LANGUAGES[name.rpartition(".")[2]], height=360)
    components.caption(GOLDEN_READ)


def zipped(files: "Mapping[str, str]") -> bytes:
    """Files in one archive, the same bytes for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()
