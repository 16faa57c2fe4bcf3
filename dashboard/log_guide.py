"""The guide on logging as a page shows it, and the template that goes with it."""

from pathlib import Path

import streamlit as st

import data


def guide(path: Path) -> None:
    """The guide without its own title; its sections one step smaller, because a page has an answer above."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        st.info("The guide is not part of this installation. It is docs/logging.md in the project.")
        return
    for section in sections(text):
        st.markdown(section)


def sections(text: str) -> list[str]:
    """The guide's sections as Markdown, headings lowered by one step and its title left out."""
    found: list[list[str]] = [[]]
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("# ") and not fenced:
            continue
        if line.startswith("## ") and not fenced:
            found.append([f"#{line}"])
        else:
            found[-1].append(line)
    return ["\n".join(lines).strip() for lines in found if any(lines)]


def template_button(*, key: str) -> None:
    """The log template as a download: every column worth logging and a few rows."""
    st.download_button(
        "Log template",
        data=lambda: data.log_template().read_bytes(),
        file_name="log_template.csv",
        mime="text/csv",
        key=key,
        on_click="ignore",
        icon=":material/download:",
        help="A CSV with every column worth logging and a few rows. It loads as it is.",
    )
