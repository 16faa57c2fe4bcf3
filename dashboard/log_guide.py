"""The guide on logging as a page shows it, and the template that goes with it."""

import re
from pathlib import Path

import streamlit as st

import data

SHORT_TABLE = 8
LEAST_WIDTH = 380
BESIDE = re.compile(r"\[([^\]]+)\]\([\w-]+\.md\)")
"""A link to another guide, which is no page of its own here."""


def guide(path: Path) -> None:
    """The guide without its own title; its sections one step smaller, because a page has an answer above."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        st.info(f"The guide is not part of this installation. It is docs/{path.name} in the project.")
        return
    for section in sections(BESIDE.sub(r"\1", text)):
        before, rows, after = listed(section)
        st.markdown(before)
        if rows:
            with st.grid(2, min_column_width=LEAST_WIDTH):
                for name, meaning in rows:
                    st.markdown(f"{name}  \n{meaning}")
            if after:
                st.markdown(after)


def listed(section: str) -> tuple[str, list[tuple[str, str]], str]:
    """A section with a long table as the text before it, its rows, and the text after it.

    A table of names and meanings wastes half of a narrow screen on the names; as a list it does not. Short
    tables and those with more columns stay as they are.
    """
    lines = section.splitlines()
    table = [place for place, line in enumerate(lines) if line.startswith("|")]
    if len(table) <= SHORT_TABLE:
        return section, [], ""
    first, last = table[0], table[-1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[first + 2 : last + 1]]
    rows = [(row[0], row[1]) for row in cells if len(row) == 2]  # noqa: PLR2004 - name and meaning
    if len(rows) < len(cells):
        return section, [], ""
    return "\n".join(lines[:first]), rows, "\n".join(lines[last + 1 :]).strip()


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


def callback_link() -> None:
    """Where the callback for LiteLLM is handed out; the guide says how it is installed."""
    st.page_link(
        "views/export.py",
        label="Get LiteLLM's config and its logging callback",
        icon=":material/ios_share:",
        query_params={"file": "For a router", "target": "litellm-plugin"},
    )


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
