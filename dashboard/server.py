"""What ``tiertune serve`` starts: the pages behind the doorman."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.doorman import Doorman

app = st.App(Path(__file__).with_name("app.py"), middleware=[Middleware(Doorman)])
