import polars as pl
import pytest

from analytics.estimate import Estimate, undefined
from analytics.tuning.curve import Curve, Point
from dashboard import goal_words, look, words
from dashboard.candidates import candidates, position
from dashboard.charts import plane, thresholds
from dashboard.charts.candidate_axis import axis, plateau, thinned


def estimate(value, spread=0.02, n=100):
    if value is None:
        return undefined("not in this log")
    return Estimate(value, value - spread, value + spread, n, "test")


def point(name, accuracy, cost, share):
    return Point(name, None, estimate(accuracy), estimate(cost, 0.0001), estimate(share), undefined("none"))


def curve(thresholds_, accuracies, *, strong=0.9, costs=True, escalated=None):
    """A curve with one row per threshold and the last row that escalates all."""
    m = len(thresholds_)
    shares = escalated or [at / m for at in range(m + 1)]
    rows = {
        "threshold": [*thresholds_, None],
        "escalation_rate": shares,
        "accuracy": accuracies,
        "accuracy_low": [0.3 if a is None else a - 0.02 for a in accuracies],
        "accuracy_high": [0.95 if a is None else a + 0.02 for a in accuracies],
        "bound_low": [0.35 if a is None else a for a in accuracies],
        "bound_high": [0.93 if a is None else a for a in accuracies],
        "cost_per_request_usd": [0.001 + 0.01 * s if costs else None for s in shares],
        "cost_low": [0.001 + 0.009 * s if costs else None for s in shares],
        "cost_high": [0.001 + 0.011 * s if costs else None for s in shares],
        "vs_strong": [None if a is None or strong is None else a - strong for a in accuracies],
        "vs_strong_low": [None] * (m + 1),
        "vs_strong_high": [None] * (m + 1),
        "saved": [None if not costs else 1 - (0.001 + 0.01 * s) / 0.01 for s in shares],
    }
    frame = pl.DataFrame(rows, strict=False, schema_overrides=dict.fromkeys(rows, pl.Float64))
    return Curve(
        task_category="law", fast_model="f", strong_model="s", policy_kind="cascade", estimator="paired",
        n=100, graded_n=100, pairs=100, missing_confidence=0, points=frame,
        fast_only=point("fast_only", accuracies[0], 0.001 if costs else None, 0.0),
        strong_only=point("strong_only", strong, 0.01 if costs else None, 1.0),
        oracle=point("oracle", None, None, None), in_force=None,
        apgr=None, cpt50=None, cpt80=None, aiq=None, auroc=None, ece=None,
    )  # fmt: skip


def test_the_slider_goes_from_never_to_always_strong():
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, 0.8, 0.88]))
    assert [choice.label for choice in found] == ["never escalate", "0.80", "0.95", "always strong"]
    assert [choice.route for choice in found] == ["fast_only", "cascade", "cascade", "strong_only"]


def test_missing_confidences_keep_the_smallest_threshold_apart_from_never():
    # 10% have no confidence and escalate even at the smallest threshold.
    found = candidates(curve([0.5, 0.8], [0.7, 0.75, 0.8], escalated=[0.1, 0.5, 1.0]))
    assert [choice.label for choice in found] == ["never escalate", "0.50", "0.80", "always strong"]


@pytest.mark.parametrize(
    ("route", "threshold", "index"),
    [
        ("fast_only", None, 0),
        ("cascade", 0.3, 0),  # below the smallest confidence: keeps all
        ("cascade", 0.5, 0),
        ("cascade", 0.51, 1),  # every threshold in (0.5, 0.8] is the same policy
        ("cascade", 0.8, 1),
        ("cascade", 0.81, 2),
        ("strong_only", None, 3),
        (None, None, None),
    ],
)
def test_a_threshold_belongs_to_the_candidate_that_is_the_same_policy(route, threshold, index):
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, 0.8, 0.88]))
    assert position(found, route, threshold) == index


def test_labels_get_as_many_decimals_as_tell_them_apart():
    found = candidates(curve([0.5, 0.9001, 0.9002], [0.7, 0.75, 0.8, 0.88]))
    assert [choice.label for choice in found[1:-1]] == ["0.9001", "0.9002"]


def test_what_the_log_cannot_tell_has_bounds_and_no_value():
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, None, None], strong=None))
    assert found[2].accuracy.value is None
    assert found[2].bounds == (0.35, 0.93)
    assert found[2].vs_strong.value is None


def test_few_candidates_are_evenly_spaced_and_many_on_their_own_scale():
    few = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, 0.8, 0.88]))
    assert axis(few).even
    many = [at / 100 for at in range(1, 60)]
    places = axis(candidates(curve(many, [0.7] * 60)))
    assert not places.even
    assert places.x[1] == 0.02
    assert places.x[-1] > 0.59


def test_thinning_keeps_the_ends_the_chosen_and_the_one_in_force():
    kept = thinned(10_000, [1234, None, 77])
    assert len(kept) <= 404
    assert {0, 77, 1234, 9999} <= set(kept)


def test_the_plateau_is_the_unbroken_run_within_the_margin():
    # 0.70, 0.795, 0.80 and strong 0.80: within 0.01 of the third are the second to the last.
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.795, 0.80, 0.88], strong=0.80))
    assert plateau(found, chosen=2, margin=0.01) == (1, 3)
    assert plateau(found, chosen=0, margin=0.01) == (0, 0)


def test_the_panels_mark_chosen_and_in_force_and_say_when_they_are_one():
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, 0.8, 0.88]))
    texts = [note.text for note in thresholds.panels(found, chosen=1, in_force=1).layout.annotations]
    assert "<b>chosen 0.80</b> = in force" in texts
    texts = [note.text for note in thresholds.panels(found, chosen=1, in_force=2).layout.annotations]
    assert {"<b>chosen 0.80</b>", "in force"} <= set(texts)


def test_unknown_outcomes_are_hatched_and_named():
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, None, None], strong=None))
    figure = thresholds.panels(found, chosen=1)
    assert any(trace.fillpattern.shape == "/" for trace in figure.data if trace.fill == "toself")
    assert any("This log cannot tell" in note.text for note in figure.layout.annotations)


def test_without_costs_the_plane_runs_over_the_share_escalated():
    found = curve([0.5, 0.8], [0.7, 0.75, 0.8], costs=False)
    figure = plane.strategies(found, {"fast_only": found.fast_only, "strong_only": found.strong_only})
    assert figure.layout.xaxis.title.text == "Share of requests escalated"
    assert "share escalated" in plane.title(found)


def test_strategies_without_an_accuracy_are_left_out_of_the_plane():
    found = curve([0.5, 0.8], [0.7, 0.75, 0.8])
    figure = plane.strategies(found, {"fast_only": found.fast_only, "oracle": found.oracle, "in_force": None})
    assert [trace.name for trace in figure.data if trace.mode == "markers"] == ["Always fast"]
    assert [note.text for note in figure.layout.annotations if "<b>" in note.text] == [
        "<b>Always fast</b>  70.0%"
    ]


def test_a_recommendation_that_is_a_control_shares_its_mark():
    found = curve([0.5, 0.8], [0.7, 0.75, 0.8])
    figure = plane.strategies(found, {"strong_only": found.strong_only, "recommended": found.strong_only})
    texts = [note.text for note in figure.layout.annotations if "<b>" in note.text]
    assert len(texts) == 1
    assert "Recommended = always strong" in texts[0]


def test_the_rules_go_through_all_panels():
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, 0.8, 0.88]))
    lines = [
        shape
        for shape in thresholds.panels(found, chosen=1, in_force=2).layout.shapes
        if shape.type == "line"
    ]
    assert [(line.yref, line.y0) for line in lines] == [("paper", 0), ("paper", 0)]
    assert all(line.y1 >= 1 for line in lines)


def test_without_thresholds_never_is_compared_with_always_strong_and_has_no_plateau():
    found = candidates(curve([], [0.7], escalated=[1.0]))
    assert [choice.label for choice in found] == ["never escalate", "always strong"]
    assert found[0].vs_strong.value == pytest.approx(-0.2)  # 0.7 - 0.9
    assert found[0].saved.value == pytest.approx(0.9)  # 1 - 0.001 / 0.01
    figure = thresholds.panels(found, chosen=0)
    assert not [shape for shape in figure.layout.shapes if shape.type == "rect"]


def test_figures_hold_tokens_and_no_colours_of_one_theme():
    found = candidates(curve([0.5, 0.8, 0.95], [0.7, 0.75, 0.8, 0.88]))
    text = thresholds.panels(found, chosen=1).to_json()
    assert look.ACCENT in text
    assert "#3B5BDB" not in text


@pytest.mark.parametrize("key", list(goal_words.DEFAULTS))
def test_a_goal_survives_its_way_through_a_link(key):
    value = goal_words.DEFAULTS[key]
    assert goal_words.parsed(key, goal_words.written(key, value)) == value


@pytest.mark.parametrize("text", ["", "nan", "-1", "inf", "<b>", "1e999"])
def test_a_broken_link_falls_back_to_the_default_goal(text):
    assert goal_words.parsed("budget", text) == goal_words.DEFAULTS["budget"]
    assert goal_words.parsed("goal", text) == "non-inferior"


def test_what_a_cascade_cannot_tell_is_drawn_in_two_tints_and_said(tmp_path):
    from decisions import log_of  # noqa: PLC0415 - one test alone needs a log

    from analytics.tuning.curve import curve as curve_of  # noqa: PLC0415
    from analytics.tuning.log import select  # noqa: PLC0415
    from dashboard.threshold_box import _not_told  # noqa: PLC0415

    rows = {
        "confidence": [0.9, 0.8, 0.3, 0.2],
        "fast_correct": [1, 1, 1, 0],
        "strong_correct": [None, None, 0, 1],
        "fast_cost_usd": [0.001] * 4,
        "strong_cost_usd": [None, None, 0.01, 0.03],
        "escalated": [False, False, True, True],
    }
    got = curve_of(select(log_of(rows, tmp_path)))
    found = candidates(got)
    # at .9 one kept request is escalated whose strong answer is unknown; its fast one is right
    assert found[-2].bounds == pytest.approx((0.5, 0.75))
    assert found[-2].tighter == pytest.approx((0.75, 0.75))
    assert found[-2].cost_bounds == pytest.approx((0.011, 0.0185))
    drawn = [trace for trace in thresholds.panels(found, chosen=0).data if trace.fill == "toself"]
    tints = [trace for trace in drawn if trace.fillcolor == look.band(look.NEUTRAL)]
    assert {trace.yaxis or "y" for trace in tints} == {"y", "y2"}
    said = _not_told(got).replace(words.NBSP, " ")
    assert "here it was worse in 1 of 2 requests" in said
    assert "ask the strong model as well for a random share of the kept requests" in said
