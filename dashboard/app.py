"""The list of pages, behind the sign-in; nothing else."""

from pathlib import Path

import streamlit as st

from dashboard import collector, sign_in
from dashboard.sidebar import sidebar

ASSETS = Path(__file__).parent / "assets"

st.set_page_config(page_title="tiertune", page_icon=str(ASSETS / "icon.png"), layout="wide")
st.logo(ASSETS / "logo.svg", size="large", icon_image=ASSETS / "icon.png")
sign_in.gate()
page = st.navigation(
    [
        st.Page("views/overview.py", title="Overview", icon=":material/dashboard:", default=True),
        st.Page("views/logs.py", title="Logs", icon=":material/upload_file:"),
        st.Page("views/tiers.py", title="Tiers", icon=":material/bar_chart:"),
        st.Page("views/confidence.py", title="Confidence", icon=":material/speed:"),
        st.Page("views/thresholds.py", title="Thresholds", icon=":material/tune:"),
        st.Page("views/experiments.py", title="Experiments", icon=":material/science:"),
        st.Page("views/export.py", title="Export", icon=":material/ios_share:"),
        st.Page("views/how_to_log.py", title="How to log", icon=":material/menu_book:"),
    ],
    expanded=True,
)
with st.spinner("Opening the log"):
    sidebar()
sign_in.account()
try:
    page.run()
finally:
    collector.spare_modules()
