"""How to log so that a threshold can be told: what to record, why, and a template to start from."""

import streamlit as st

import data
from dashboard import components, log_guide

components.title_block(
    "How do I log so that a threshold can be told?",
    "One record per request with both models, the confidence and a grade; a tenth of the kept requests "
    "answered by the strong model too shows what **higher** thresholds would do.",
)
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    log_guide.template_button(key="template")
    st.page_link(components.LOGS_PAGE, label="Add a log", icon=":material/upload_file:")
own, tools = st.tabs(["Your own log", "Exports of your tools"])
with own:
    log_guide.guide(data.logging_guide())
with tools:
    log_guide.callback_link()
    log_guide.guide(data.exports_guide())
