"""A log of which only sums are in the database: where its rows are, and what is new there."""

import streamlit as st

from analytics.collapse import folder
from analytics.logs.store import Store
from dashboard import changes, words


def elsewhere(store: Store, dataset: str) -> None:
    """Say where the rows are; for a folder, let the user look for new files."""
    found = store.folder(dataset)
    if found is None:
        st.caption(
            "Only sums of this log are here: it was loaded from cells files. All that needs single requests, "
            "such as dates, experiments and the rows behind a figure, has to be asked where the log is."
        )
        return
    files = len(store.places(dataset))
    name = words.plain(found.path.name, limit=60)
    if store.reachable(dataset):
        st.caption(f"The rows stay in the folder {name}, {words.plural(files, 'file')}; their sums are here.")
    else:
        st.warning(
            f"The folder {name} is not as it was when its sums were made: files are gone or were changed. "
            "The figures are of the earlier files, and single requests cannot be read.",
            icon=":material/folder_off:",
        )
    if st.button("Look for new files", key=f"refresh-{dataset}", icon=":material/refresh:"):
        changes.tried(
            lambda: st.session_state.update(_looked=folder.refreshed(store, dataset)),
            None,
            doing=f"Looking into {name}",
        )
    report = st.session_state.pop("_looked", None)
    if report is not None:
        st.toast(_told(report), icon=":material/folder_open:")


def _told(report: folder.FolderReport) -> str:
    if not report.new:
        return "No file is new."
    kept = words.plural(report.read - report.rejected, "row")
    text = f"{words.plural(report.new, 'file')} read, {kept}."
    if report.gone:
        text += " Files were gone or changed, so all were read again."
    if report.rejected:
        text += f" {words.plural(report.rejected, 'row')} left out."
    return text
