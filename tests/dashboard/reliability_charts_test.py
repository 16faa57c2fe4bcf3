"""The pictures of the Confidence page draw what their frames hold."""

import datetime as dt
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analytics.estimate import Estimate
from analytics.measure.graded import graded_answers
from analytics.measure.reliability import equal_width, reliability_table
from analytics.tuning.benefit import Benefit, Rise
from dashboard import confidence_data, look
from dashboard.charts import benefit, reliability

HEX = re.compile(r"#[0-9A-Fa-f]{6}")
TOKENS = {f"#{index:06d}" for index in (*range(1, 31), 36, 37, 38)}


@pytest.fixture
def answers():
    chance = np.random.default_rng(0)
    c = np.concatenate([chance.choice([0.6, 0.8, 0.95], 300), [0.45] * 4])
    return graded_answers(c, (chance.random(304) < c).astype(float))


@pytest.fixture
def bins(answers):
    return reliability_table(answers, equal_width(answers))


@pytest.fixture
def gain():
    table = pl.DataFrame(
        {
            "bin": [0, 1, 2], "n": [40, 5, 60], "first": [0.4, 0.6, 0.9], "last": [0.5, 0.7, 0.9],
            "confidence": [0.45, 0.65, 0.9], "gain": [0.1, 0.0, 0.3], "low": [0.0, -0.4, 0.2],
            "high": [0.2, 0.4, 0.4], "error": [0.05, 0.2, 0.05],
        }
    )  # fmt: skip
    rise = Rise(0.001, 0.2, (0.4, 0.5), (0.9, 0.9))
    return Benefit(Estimate(0.2, 0.1, 0.3, 105, ""), 105, 0.001, 0.001, "rises", rise, 0.001, table, 0)


def test_bins_of_few_answers_are_hollow_and_axes_begin_below_everything(answers, bins):
    figure = reliability.diagram(bins, confidence_data.histogram(answers), fit=confidence_data.fit(answers))
    dots = next(trace for trace in figure.data if trace.error_y.array is not None)
    assert list(dots.x) == bins["confidence"].to_list()
    assert list(dots.y) == bins["accuracy"].to_list()
    assert list(dots.marker.color) == [look.PAGE, *[look.ACCENT] * 3]
    assert list(np.add(dots.y, dots.error_y.array)) == pytest.approx(bins["high"].to_list())
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    assert figure.layout.yaxis.range[0] <= bins["low"].min()
    bars = next(trace for trace in figure.data if trace.type == "bar")
    assert sum(bars.y) == 304
    drawn = str([trace.to_plotly_json() for trace in figure.data])
    assert set(HEX.findall(drawn)) <= TOKENS


def test_small_diagrams_escape_names_and_stop_at_the_largest(bins):
    tables = {f"<b>c{place:02d}</b>": bins.with_columns(pl.col("n") + place) for place in range(20)}
    figure = reliability.multiples(tables, dict.fromkeys(tables, "ranks"))
    names = [entry.text for entry in figure.layout.annotations]
    assert len(names) == reliability.SHOWN_CATEGORIES
    assert all("&lt;b&gt;" in text for text in names)
    assert "c00" not in "".join(names)
    domains = [figure.layout[f"yaxis{place or ''}"].domain for place in (0, *range(2, 19))]
    assert all(0 <= low < high <= 1 for low, high in domains)


def test_the_gain_marks_where_it_rises_only_if_more_than_chance(gain):
    marked = benefit.gains(gain)
    assert any("rises by 20.0" in entry.text for entry in marked.layout.annotations)
    unmarked = benefit.gains(replace(gain, rise_adjusted=0.2))
    assert not any("rises" in entry.text for entry in unmarked.layout.annotations)
    line = next(trace for trace in marked.data if trace.mode == "lines+markers")
    assert list(line.marker.color) == [look.ACCENT, look.PAGE, look.ACCENT]
    band = marked.data[0]
    assert list(band.y) == [0.2, 0.4, 0.2, 0.0]
    assert "0.65" in benefit.gains_described(gain)


def test_time_without_a_value_is_not_drawn():
    days = [dt.date(2026, 1, day) for day in (1, 2)]
    figures = {
        f"{name}{end}": [0.5, None] for name in ("gap", "brier", "auroc") for end in ("", "_low", "_high")
    }
    figure = benefit.over_time(pl.DataFrame({"day": days, "n": [40, 3], **figures}))
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [list(line.y) for line in lines] == [[0.5]] * 3
