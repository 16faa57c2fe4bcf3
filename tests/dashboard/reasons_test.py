"""Messages of the analytics name controls of the page, not flags of a command."""

import re
from pathlib import Path

import pytest

from analytics.errors import TiertuneError
from analytics.logs.reports import refuse_many_rejects
from analytics.logs.storage.database import StoreBusyError
from dashboard.reasons import page_text, said

ANALYTICS = Path(__file__).parents[2] / "analytics"
FLAG = re.compile(r"(?<![\w-])--[a-z]")


def messages() -> list[str]:
    """Every text of the analytics, the commands aside, that names a flag; literals side by side are one."""
    found = []
    for path in ANALYTICS.rglob("*.py"):
        if "commands" in path.parts or path.name == "cli.py":
            continue
        source = re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        found += [text for text in re.findall(r'f?"([^"\n]*)"', source) if FLAG.search(text)]
    return found


@pytest.mark.parametrize("message", messages())
def test_no_flag_is_left_in_a_message_on_a_page(message: str):
    # A text that is a flag alone is the answer of a question; the page shows its text and its options only.
    if not message.startswith(("--", "{")) and " " in message:
        assert not FLAG.search(page_text(message))


def test_there_are_such_messages():
    assert len(messages()) > 8


def test_a_database_in_use_says_what_can_be_done_about_the_dashboard():
    text = page_text(str(StoreBusyError(7)))
    assert text.endswith("Close it, or start this dashboard with another database.")


def test_many_rejects_point_to_the_button():
    with pytest.raises(TiertuneError) as refused:
        refuse_many_rejects(10, 5, [])
    assert page_text(str(refused.value)).endswith("or load the others with the button below.")


def test_a_reason_of_every_category_is_one_of_the_log():
    one = "No threshold can be picked from this log. No request of this category has a confidence."
    assert page_text(one) == "No threshold can be picked from this log. No request has a confidence."
    two = f"{one} No request of this category is graded."
    assert "of some categories" in page_text(two)


def test_goals_have_the_names_of_the_picker():
    assert page_text("The goal accuracy-per-dollar needs costs.") == "The goal Per dollar needs costs."


def test_names_in_a_message_are_made_harmless():
    assert "<b>" not in said("There is a dataset named <b> already.").replace("\\", "|")
