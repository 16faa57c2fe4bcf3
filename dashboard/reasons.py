"""Messages of the analytics as a page says them: controls of the page instead of flags of a command."""

import re

from dashboard import goal_words, words

FLAG = re.compile(r"\s*\(--[^)]*\)")
PHRASES = (
    ("Choose one with --fast and --strong.", "Choose one under Model pair in the sidebar."),
    (
        "or give prices with --price MODEL=IN,OUT.",
        "or load it again and set fast_cost_usd and strong_cost_usd under Change mapping.",
    ),
    (
        (
            "or use another database with --db other.duckdb. Files can be named instead of a dataset "
            "at any time."
        ),
        "or start this dashboard with another database.",
    ),
    ("or use another database: --db other.duckdb.", "or start this dashboard with another one."),
    ("Use another one: --db other.duckdb.", "Start this dashboard with another one."),
    ("Choose another with --db other.duckdb.", "Start this dashboard with another one."),
    (
        "Load the logs again into a new one: --db other.duckdb.",
        "Start this dashboard with a new one and load the logs again.",
    ),
    ("or use another one: --db other.duckdb.", "or start this dashboard with another one."),
    (
        "Load it into another dataset: --dataset NAME.",
        "Load it into another dataset: type a new name under Into the dataset.",
    ),
    ("or load the rest with --accept-rejects.", "or load the others with the button below."),
    (" with --encoding.", "."),
)
NOTHING_PICKED = "No threshold can be picked from this log. "
OF_ONE = " of this category"


def page_text(message: str) -> str:
    """``message`` without flags and file words; not escaped."""
    text = FLAG.sub("", message)
    for phrase, instead in PHRASES:
        text = text.replace(phrase, instead)
    for name, shown in goal_words.NAMES.items():
        text = text.replace(f"The goal {name} needs", f"The goal {shown} needs")
    if text.startswith(NOTHING_PICKED):
        alone = text.removeprefix(NOTHING_PICKED).count(". ") == 0
        text = text.replace(OF_ONE, "" if alone else " of some categories")
    return text


def said(message: str, *, limit: int = 600) -> str:
    """``message`` as a page says it, with the names in it made harmless."""
    return words.plain(page_text(message), limit=limit)
