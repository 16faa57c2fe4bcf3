"""What happened to a damaged database, and a copy of a sound one to take away."""

import streamlit as st

from analytics.errors import TiertuneError
from analytics.logs import recovery
from analytics.logs.store import Store
from dashboard import components, reasons, state, words

LARGEST_DOWNLOAD = 500_000_000


def recovered(store: Store) -> None:
    """Tell what was built again after damage, until somebody says that it was read."""
    found = recovery.noted(store)
    if found is None:
        return
    components.finding("Logs were built again from the files kept", reasons.said(recovery.sentence(found)))
    if st.button("I have read this", key="recovered", icon=":material/check:"):
        recovery.dismissed(store)
        st.rerun()


def backup(store: Store) -> None:
    """A copy of the whole database: made on request, then downloaded; large ones by the command."""
    path = state.database()
    if not path:
        st.caption("These logs are in a temporary database, which is deleted when the dashboard ends.")
        return
    size = store.size_bytes()
    if size > LARGEST_DOWNLOAD:
        st.markdown(
            f"The database has {words.size(size)}, more than a browser should carry. Stop the dashboard and "
            "run `tiertune backup FILE`, which copies it beside."
        )
        return
    st.markdown(
        f"A copy of all datasets with everything set by hand ({words.size(size)}), without the files as they "
        "were loaded. `tiertune restore FILE` puts it in place of a database."
    )
    if st.button("Prepare a backup", key="backup", icon=":material/save:"):
        try:
            with st.spinner("Copying the database", show_time=True):
                st.session_state["_backup"] = _copied(store)
        except TiertuneError as error:
            st.error(reasons.said(str(error)), icon=":material/error:")
            return
    if (copy := st.session_state.get("_backup")) is not None:
        st.download_button(
            "Download the backup",
            copy,
            file_name="tiertune-backup.duckdb",
            mime="application/octet-stream",
            key="backup-download",
            icon=":material/download:",
            on_click=lambda: st.session_state.pop("_backup", None),
        )


def _copied(store: Store) -> bytes:
    """The bytes of a copy, which does not stay on the disk."""
    target = store.staging / "backup.download"
    try:
        store.backup(target)
        return target.read_bytes()
    finally:
        target.unlink(missing_ok=True)
