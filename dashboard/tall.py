"""A box that keeps long tables from pushing the rest of the page out of sight."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

ROWS = 16
HEIGHT_PX = 620


def box(rows: int) -> DeltaGenerator:
    """A container as high as its content up to ``ROWS`` table rows; beyond that it scrolls."""
    return st.container(height=HEIGHT_PX if rows > ROWS else "content", border=False)
