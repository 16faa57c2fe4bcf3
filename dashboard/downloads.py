"""Tables as files: CSV that no spreadsheet takes for formulas, and Parquet."""

import io

import polars as pl
import streamlit as st

FORMULA = r"^[=+\-@\t\r\n\x00]"


def downloads(frame: pl.DataFrame, *, file: str, key: str) -> None:
    """CSV and Parquet of ``frame`` as two quiet buttons at the right."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        for ending, mime, write in (
            ("csv", "text/csv", _csv),
            ("parquet", "application/octet-stream", _parquet),
        ):
            st.download_button(
                "CSV" if ending == "csv" else "Parquet",
                data=lambda write=write: write(frame),  # type: ignore[misc]
                file_name=f"{file}.{ending}",
                mime=mime,
                key=f"{key}-{ending}",
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
            )


def _csv(frame: pl.DataFrame) -> bytes:
    """CSV in which no text starts a formula when a spreadsheet opens it."""
    texts = pl.col(pl.String)
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    flat = frame.with_columns(pl.col(lists).list.join(", ")) if lists else frame
    safe = flat.with_columns(
        pl.when(texts.str.contains(FORMULA)).then("'" + texts).otherwise(texts).name.keep()
    )
    return safe.write_csv().encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
