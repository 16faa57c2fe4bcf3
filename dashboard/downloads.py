"""Tables as files: CSV and Parquet."""

import io
from collections.abc import Callable

import polars as pl
import streamlit as st

from analytics.spreadsheet import csv_text


def downloads(frame: pl.DataFrame | Callable[[], pl.DataFrame], *, file: str, key: str) -> None:
    """CSV and Parquet of ``frame`` as two quiet buttons at the right.

    Args:
        frame: The table, or what makes it once somebody wants it; that may use nothing of Streamlit.
        file: Name of the downloads without ending.
        key: Unique on the page.
    """
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        for ending, mime, write in (
            ("csv", "text/csv", _csv),
            ("parquet", "application/octet-stream", _parquet),
        ):
            st.download_button(
                "CSV" if ending == "csv" else "Parquet",
                data=lambda write=write: write(frame() if callable(frame) else frame),  # type: ignore[misc]
                file_name=f"{file}.{ending}",
                mime=mime,
                key=f"{key}-{ending}",
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
            )


def _csv(frame: pl.DataFrame) -> bytes:
    return csv_text(frame).encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
