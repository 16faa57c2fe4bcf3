import re
import tomllib
from pathlib import Path

import pytest
from streamlit.elements.lib import streamlit_plotly_theme as theme

from dashboard import look

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def test_tokens_are_still_those_that_the_front_end_replaces():
    ours = [
        look.SMALL, look.STANDARD, look.FRONTIER, look.REASONING, look.ACCENT,
        look.CERTIFIED, look.ESTIMATED, look.NEUTRAL, look.WORSE, look.INK,
    ]  # fmt: skip
    assert ours == [getattr(theme, f"CATEGORY_{index}") for index in range(10)]
    assert list(look.SEQUENTIAL) == [getattr(theme, f"SEQUENTIAL_{index}") for index in range(10)]
    assert list(look.DIVERGING) == [getattr(theme, f"DIVERGING_{index}") for index in range(10)]
    assert look.PAGE == theme.BG_COLOR


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_each_theme_gives_every_token_a_colour(mode):
    colors = CONFIG["theme"][mode]
    assert len(colors["chartCategoricalColors"]) == len(set(colors["chartCategoricalColors"])) == 10
    assert len(colors["chartSequentialColors"]) == len(colors["chartDivergingColors"]) == 10


def _luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_mark_stands_out_from_the_page_by_three_to_one(mode):
    page = _luminance(CONFIG["theme"][mode]["backgroundColor"])
    for color in CONFIG["theme"][mode]["chartCategoricalColors"]:
        mark = _luminance(color)
        assert (max(mark, page) + 0.05) / (min(mark, page) + 0.05) >= 3.0


def test_the_server_answers_this_machine_only_and_tells_nobody():
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert set(CONFIG["server"]["allowedHosts"]) == {"localhost", "127.0.0.1"}
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"


def test_no_other_module_of_the_dashboard_writes_a_colour_token():
    for path in (ROOT / "dashboard").rglob("*.py"):
        if path.name != "look.py":
            assert not re.search(r"#0000\d\d", path.read_text(encoding="utf-8")), path


def test_no_page_allows_raw_html():
    for path in (ROOT / "dashboard").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "unsafe_allow_html" not in text
        assert "st.html" not in text


def test_figures_have_no_legend_no_title_and_no_tool_bar():
    figure = look.base(300)
    assert figure.layout.showlegend is False
    assert figure.layout.title.text is None
    assert figure.layout.height == 300
    assert look.CONFIG["displayModeBar"] is False


def test_bands_are_tokens_with_an_opacity():
    assert look.band(look.ACCENT) == "#0000052E"
    assert look.wash(look.CERTIFIED) == "#0000061F"
