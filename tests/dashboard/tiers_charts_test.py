"""The tier charts draw what the frame holds, and nothing where it is null."""

import datetime as dt
import tomllib
from pathlib import Path

import polars as pl
import pytest

from dashboard import look
from dashboard.charts import tiers

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=alert(1)> $\\href{javascript:1}{x}$"


def cell(
    category: str | None, tier: str, accuracy: float | None, calls: int = 100, price: float | None = 0.002
):
    return {
        "task_category": category,
        "tier": tier,
        "calls": calls,
        "accuracy": accuracy,
        "accuracy_low": None if accuracy is None else accuracy - 0.05,
        "accuracy_high": None if accuracy is None else accuracy + 0.05,
        "cost_per_call_usd": None if price is None else price / 2,
        "cost_per_correct_usd": price,
    }


def test_the_matrix_has_tiers_in_order_of_price_and_categories_by_name():
    frame = pl.DataFrame([cell("law", "reasoning", 0.8), cell("art", "small", 0.5), cell(None, "small", 0.6)])
    figure = tiers.matrix(frame)
    assert figure.layout.xaxis.ticktext == ("small", "reasoning")
    assert figure.layout.yaxis.ticktext == ("art", "law", "Uncategorised")
    assert [list(row) for row in figure.data[0].z] == [[0.5, None], [None, 0.8], [0.6, None]]


def test_a_cell_says_accuracy_cost_per_correct_and_n():
    figure = tiers.matrix(pl.DataFrame([cell("law", "small", 0.79, calls=1234)]))
    assert figure.data[0].text[0][0] == "<b>79.0%</b><br>&#36;0.0020<br>n 1,234"


def test_a_cell_without_grades_has_words_instead_of_a_colour():
    figure = tiers.matrix(pl.DataFrame([cell("law", "small", None), cell("law", "reasoning", 0.7)]))
    assert [list(row) for row in figure.data[0].z] == [[None, 0.7]]
    assert "not graded" in figure.layout.annotations[0].text


def _luminance(channels: list[float]) -> float:
    """WCAG 2.2, relative luminance of channels in [0, 1]."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_on_every_shade_of_the_matrix_has_four_and_a_half_to_one(mode):
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][mode]
    figure = tiers.matrix(pl.DataFrame([cell("law", "small", 0.1), cell("law", "reasoning", 0.9)]))
    assert figure.data[0].textfont.color == look.INK
    page, ink, accent = (
        _channels(colour)
        for colour in (
            theme["backgroundColor"], theme["chartCategoricalColors"][9], theme["chartCategoricalColors"][4],
        )
    )  # fmt: skip
    ends = [int(shade.removeprefix(look.ACCENT), 16) / 255 for _, shade in figure.data[0].colorscale]
    for step in range(11):
        alpha = ends[0] + (ends[1] - ends[0]) * step / 10
        below = _luminance([alpha * a + (1 - alpha) * b for a, b in zip(accent, page, strict=True)])
        text = _luminance(ink)
        assert (max(text, below) + 0.05) / (min(text, below) + 0.05) >= 4.5


def test_a_click_on_a_cell_carries_category_and_tier():
    figure = tiers.matrix(pl.DataFrame([cell("law", "small", 0.7), cell(None, "reasoning", 0.9)]))
    assert [tuple(data) for data in figure.data[1].customdata] == [("law", "small"), (None, "reasoning")]


def test_only_the_largest_categories_are_drawn():
    frame = pl.DataFrame([cell(f"c{index:02}", "small", 0.5, calls=index + 1) for index in range(50)])
    shown = tiers.shown_categories(frame)
    assert len(shown) == 20
    assert shown[0] == "c30"  # of 50 sizes 1 to 50 the thirty smallest, c00 to c29, are left out


def test_hostile_category_names_are_harmless_in_the_matrix():
    figure = tiers.matrix(pl.DataFrame([cell(HOSTILE, "small", 0.5)]))
    shown = [*figure.layout.yaxis.ticktext, *figure.data[1].text]
    assert all("<img" not in text and "$" not in text for text in shown)


def daily(**columns) -> pl.DataFrame:
    return pl.DataFrame(
        {"day": [dt.date(2026, 1, 5), dt.date(2026, 1, 12)], "tier": ["small", "small"], **columns}
    )


def test_a_line_over_time_has_its_interval_as_a_band():
    frame = daily(accuracy=[0.6, 0.7], accuracy_low=[0.5, 0.6], accuracy_high=[0.7, 0.8])
    band, line = tiers.over_time(frame, "accuracy", kind="percent").data
    assert band.y == (0.7, 0.8, 0.6, 0.5)
    assert line.y == (0.6, 0.7)
    assert line.line.color == look.SMALL


def test_a_second_percentile_is_dashed():
    frame = daily(latency_p50_s=[1.0, 2.0], latency_p95_s=[3.0, 4.0])
    figure = tiers.over_time(frame, "latency_p50_s", kind="seconds", upper="latency_p95_s")
    assert [line.line.dash for line in figure.data] == ["solid", "dash"]
    assert figure.layout.yaxis.range == pytest.approx((0.0, 4.2))  # 5% above the largest p95


def test_labels_of_lines_that_end_together_are_pushed_apart():
    frame = pl.concat([daily(calls=[10, 100]), daily(calls=[10, 101]).with_columns(tier=pl.lit("reasoning"))])
    figure = tiers.over_time(frame, "calls", kind="count")
    low, high = sorted(note.y for note in figure.layout.annotations)
    assert high - low >= 18 / 240 * 101 * 1.05 - 1e-9


def test_a_tier_without_any_value_is_not_drawn():
    frame = daily(accuracy=[None, None]).with_columns(pl.col("accuracy").cast(pl.Float64))
    assert not tiers.over_time(frame, "accuracy", kind="percent").data


def test_tokens_that_the_log_lacks_are_left_out():
    frame = pl.DataFrame({"tier": ["small", "reasoning"], "output_tokens": [50, 900]}).with_columns(
        input_tokens=pl.lit(None, pl.Int64)
    )
    figure = tiers.tokens(frame)
    assert [(bar.name, bar.y, bar.x) for bar in figure.data] == [
        ("output", ("reasoning", "small"), (900, 50))
    ]


def test_a_model_of_no_tier_is_drawn_as_unknown():
    figure = tiers.matrix(pl.DataFrame([cell("law", tiers.UNKNOWN, 0.5), cell("law", "small", 0.5)]))
    assert figure.layout.xaxis.ticktext == ("small", "unknown")
