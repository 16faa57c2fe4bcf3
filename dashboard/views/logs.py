"""What have I loaded, what was rejected and why?"""

import streamlit as st

from dashboard import (
    components,
    copies,
    datasets_panel,
    file_boxes,
    loading,
    log_guide,
    state,
    story_logs,
    words,
)

QUESTION = "What have I loaded, and what was rejected?"
TYPES = ["csv", "tsv", "txt", "jsonl", "ndjson", "json", "parquet", "gz", "zst"]

with components.explained(QUESTION):
    store = state.store()
    datasets = state.catalogue()
tasks: dict[str, loading.Task] = st.session_state.setdefault("_tasks", {})

components.title_block(QUESTION, story_logs.answer(datasets, list(tasks.values())))
copies.recovered(store)
round_number = st.session_state.setdefault("_uploads", 0)
folder = st.session_state.get("whole-folder", False)
uploads = st.file_uploader(
    "Add a folder of log files" if folder else "Add log files",
    type=TYPES,
    accept_multiple_files="directory" if folder else True,
    key=f"uploader-{round_number}-{folder}",
    help="What your gateway or tracing tool exports, or a table with one row per request or model call. The "
    "format is read from the content, not from the name.",
)
st.toggle("A whole folder", key="whole-folder", help="Every log file in it, those in folders inside as well.")
if uploads:
    for upload in uploads:
        with components.explained():
            task = loading.spilled(upload, upload.name, folder=store.staging)
            tasks[task.key] = task
            loading.read(task, store)
    # A new uploader forgets the files, which by now lie on disk, and gives their memory back.
    st.session_state["_uploads"] = round_number + 1
    st.rerun()

file_boxes.file_boxes(tasks, store, datasets["name"].to_list())

if datasets.is_empty():
    components.empty(
        "No log in this database",
        add="Drop a request log above: CSV, JSON lines, JSON or Parquet, also as gz or zst.",
        then="This page will then show how columns are read, what is rejected and why, and what is missing.",
        link=("views/how_to_log.py", "How to log"),
    )
else:
    components.section("Datasets")
    datasets_panel.datasets_table(datasets)
    view = state.view()
    if view is not None:
        components.section(f"About {words.plain(view.dataset, limit=32)}")
        datasets_panel.dataset_tabs(store, view.dataset)

    with st.expander("Backup of all datasets", icon=":material/save:"):
        copies.backup(store)

with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    log_guide.template_button(key="template")
    st.page_link("views/how_to_log.py", label="How to log", icon=":material/menu_book:")
