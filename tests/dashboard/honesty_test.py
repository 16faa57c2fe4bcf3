"""Sentences and charts on plateau, stability and optimism, from small logs whose answer is plain."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from decisions import log_of

from analytics.estimate import Estimate, undefined
from analytics.policy import Goal
from analytics.tuning.curve import curve
from analytics.tuning.log import select
from analytics.tuning.optimism import SAVED
from analytics.tuning.plateau import plateau
from analytics.tuning.stability import CategoryStability, Stability
from dashboard import honesty, words
from dashboard.candidates import alike, candidates, point_row
from dashboard.charts import optimism as meter_chart
from dashboard.charts import stability as chart
from dashboard.charts import thresholds


def known(value, low=None, high=None):
    return Estimate(value, low, high, 100, "test")


def scored(accuracy, saved):
    usd = undefined("no costs") if saved is None else known(saved, saved - 1, saved + 1)
    return {"accuracy": known(accuracy, accuracy - 0.02, accuracy + 0.02),
            "cost_per_request_usd": undefined("no costs"), SAVED: usd}  # fmt: skip


def tuned(**meter):
    names = ("in_sample", "cross_fitted", "held_out", "certified")
    return SimpleNamespace(
        optimism=dict.fromkeys(names) | meter, reference="strong", certified=False, policy=None
    )


def options(*rows):
    schema = {"route": pl.String, "threshold": pl.Float64, "low_edge": pl.Float64, "share": pl.Float64,
              "chosen": pl.Boolean}  # fmt: skip
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def resampled(count=3):
    """Categories that pick 0.8 in six of ten resamples, 0.9 in three, always strong in one."""
    table = options(
        ("cascade", 0.8, 0.7, 0.6, False),
        ("cascade", 0.9, 0.8, 0.3, True),
        ("strong_only", None, None, 0.1, False),
    )
    items = {f"<b>c{at}": CategoryStability(f"<b>c{at}", table, 0, 2, 0.3, 0.0, None) for at in range(count)}
    return Stability(items, 10, 500, 0.25, 0.0, clustered=False)


def two_sided(tmp_path, **more):
    """Accuracy rises by far up to 0.5 and is flat above it: 0.5, 0.8 and escalating all are alike."""
    confidence = [0.2] * 400 + [0.5] * 300 + [0.8] * 300
    fast = [0] * 400 + [0, 1] * 150 + [1, 0] * 150
    strong = [1] * 400 + [1, 0] * 150 + [0, 1] * 150
    rows = {"confidence": confidence, "fast_correct": fast, "strong_correct": strong, **more}
    return select(log_of(rows, tmp_path))


def test_the_plateau_in_a_sentence(tmp_path):
    costs = {"fast_cost_usd": [1.0] * 1000, "strong_cost_usd": [5.0] * 1000}
    found = plateau(two_sided(tmp_path, **costs), "math", index=2)
    assert honesty.plateau(found) == (
        "Thresholds from 0.50 to always strong cannot be told apart in accuracy on this log; "
        "the cheapest of them is 0.50."
    )
    assert honesty.equivalent(found) == (
        "Every threshold above 0.50 and up to 0.80 is the same policy on this log."
    )


def test_without_costs_the_sentence_says_what_is_least(tmp_path):
    found = plateau(two_sided(tmp_path), "math", index=2)
    assert honesty.least(found) == "the one that escalates least of them is 0.50"


def test_a_threshold_that_stands_alone_is_said_to(tmp_path):
    found = plateau(two_sided(tmp_path), "math", index=0)
    assert honesty.plateau(found) == (
        "Every other threshold that this log identifies differs in accuracy from never escalate."
    )


def test_the_green_field_is_the_plateau(tmp_path):
    chosen = two_sided(tmp_path)
    line = curve(chosen)
    choices = candidates(line)
    assert [point_row(line, choices, at) for at in range(len(choices))] == [0, 1, 2, 3]
    inside = alike(line, choices, plateau(chosen, "math", index=2))
    assert inside == [1, 2, 3]
    figure = thresholds.panels(choices, chosen=2, alike=inside)
    (field,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (field.x0, field.x1) == (0.5, 2.5)
    assert any(note.text == thresholds.ALIKE for note in figure.layout.annotations)
    assert not any("within" in (note.text or "") for note in figure.layout.annotations)


def test_missing_confidences_shift_the_rows_of_the_curve(tmp_path):
    rows = {
        "confidence": [0.2, 0.5, None, 0.8] * 20,
        "fast_correct": [0, 1, 0, 1] * 20,
        "strong_correct": [1] * 80,
    }
    line = curve(select(log_of(rows, tmp_path)))
    choices = candidates(line)
    # Never escalating is no threshold here: even the smallest one escalates what has no confidence.
    assert [point_row(line, choices, at) for at in range(len(choices))] == [None, 0, 1, 2, 3]


def test_what_resamples_pick_is_drawn_by_share():
    figure = chart.picks(resampled())
    dots = [trace for trace in figure.data if trace.mode == "markers" and trace.marker.symbol is None]
    sizes = np.array(dots[0].marker.size)
    assert sizes / sizes[0] == pytest.approx(np.sqrt([1, 0.5, 1 / 6]))
    rings = [trace for trace in figure.data if trace.marker.symbol == "circle-open"]
    assert [ring.x[0] for ring in rings] == [2.0] * 3
    assert "<b>c" not in "".join(figure.layout.yaxis.ticktext)
    assert "0.80 to always strong" in chart.described(resampled())


def test_many_thresholds_are_on_a_linear_axis():
    values = np.round(np.linspace(0.5, 0.99, 40), 4)
    rows = [("cascade", at, None, 1 / 40, place == 3) for place, at in enumerate(values.tolist())]
    item = CategoryStability("c", options(*rows), 2, 37, 1 / 40, 0.0, None)
    figure = chart.picks(Stability({"c": item}, 40, 100, None, 0.0, clustered=True))
    ring = figure.data[-1]
    assert ring.x[0] == values[3]
    assert figure.layout.xaxis.ticktext[0] == "never"


def test_the_miss_rate_in_a_sentence():
    said = honesty.stability(resampled(), Goal(), tuned())
    assert said == (
        "Picked again on 10 resamples of 500 requests from this log, the policy misses the goal in **25%** "
        "of them, judged on the whole log."
    )


def test_optimism_in_a_sentence():
    """0.842 claimed and 0.830 found: 1.2 points; 4.10 and 3.75 dollars saved: 35 cents."""
    found = tuned(in_sample=scored(0.842, 4.10), cross_fitted=scored(0.830, 3.75))
    assert honesty.optimism(found).replace(words.NBSP, " ") == (
        "On the rows that chose it the pick looks 1.2 points more accurate and $0.35 per 1,000 requests "
        "cheaper than it is on rows that had no part in it."
    )
    same = tuned(in_sample=scored(0.83, None), cross_fitted=scored(0.83, None))
    assert (
        honesty.optimism(same) == "On the rows that chose it the pick looks no better than it is on others."
    )
    assert honesty.optimism(tuned()) == "How optimistic the pick is cannot be told from this log."


def test_the_meter_has_a_dumbbell_in_accuracy_and_in_dollars():
    found = tuned(in_sample=scored(0.842, 4.1), cross_fitted=scored(0.83, 3.75), held_out=scored(0.82, 3.5))
    figure = meter_chart.meter(found)
    bars = [(trace.xaxis, *trace.x) for trace in figure.data if trace.mode == "lines"]
    assert bars == [("x", 0.842, 0.83), ("x", 0.842, 0.82), ("x2", 4.1, 3.75), ("x2", 4.1, 3.5)]
    assert "saved per 1,000 requests $3.5" in meter_chart.described(found)


def test_the_meter_without_costs_says_so():
    figure = meter_chart.meter(tuned(in_sample=scored(0.8, None), held_out=scored(0.7, None)))
    assert any(words.NOT_IN_LOG in (note.text or "") for note in figure.layout.annotations)
