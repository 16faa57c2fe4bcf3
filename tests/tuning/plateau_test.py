"""The plateau: paired arithmetic by hand, equivalent intervals, and coverage where the truth is known."""

import numpy as np
import pytest
from decisions import log_of

from analytics.errors import NotIdentifiedError
from analytics.tuning.curve import curve
from analytics.tuning.log import Selection, select
from analytics.tuning.plateau import plateau


def test_differences_are_those_of_the_requests_in_between(tmp_path):
    """10 requests at each of 0.2, 0.5, 0.8; escalating gains 4 and loses 1, gains 2, loses 3."""
    fast = [0] * 4 + [1] * 6 + [0] * 2 + [1] * 8 + [1] * 10
    strong = [1] * 4 + [0] + [1] * 5 + [1] * 10 + [0] * 3 + [1] * 7
    rows = {
        "confidence": [0.2] * 10 + [0.5] * 10 + [0.8] * 10,
        "fast_correct": fast, "strong_correct": strong,
        "fast_cost_usd": [1.0] * 30, "strong_cost_usd": [9.0] * 30,
    }  # fmt: skip
    found = plateau(select(log_of(rows, tmp_path)), "math")
    # Accuracies: 24/30, +3, +2, -3 answers at thresholds 0.2, 0.5, 0.8 and above.
    assert (found.best, found.reference) == (2, 2)
    assert found.points["difference"].to_list() == pytest.approx([-5 / 30, -2 / 30, 0.0, -3 / 30])
    # 7 differing pairs lie between 0.2 and 0.8, and one is added on either side: sqrt(9) / 30.
    half = found.critical_value * 3 / 30
    assert found.points["difference_high"][0] == pytest.approx(-5 / 30 + half)
    assert found.inside == [0, 1, 2, 3]
    assert found.cheapest == 0
    # Escalating all costs what always strong costs, not both calls.
    assert found.points["cost_per_request_usd"].to_list() == pytest.approx([1.0, 4.0, 7.0, 9.0])


def test_every_threshold_carries_its_equivalent_interval(tmp_path):
    rows = {"confidence": [0.2, 0.5, 0.5, 0.9] * 5, "fast_correct": [1] * 20, "strong_correct": [1] * 20}
    chosen = select(log_of(rows, tmp_path))
    found = plateau(chosen, "math").points
    assert found.select("threshold", "low_edge").equals(curve(chosen).points.select("threshold", "low_edge"))


def test_without_costs_the_cheapest_has_the_fewest_escalations(tmp_path):
    rows = {"confidence": [0.2, 0.9] * 20, "fast_correct": [0, 1] * 20, "strong_correct": [1] * 40}
    found = plateau(select(log_of(rows, tmp_path)), "math", index=2)
    assert not found.by_cost
    assert found.inside == [1, 2]
    assert found.cheapest == 1


def test_no_differing_grade_is_no_certainty_that_there_is_none(tmp_path):
    rows = {"confidence": [0.2, 0.9] * 20, "fast_correct": [1] * 40, "strong_correct": [1] * 40}
    found = plateau(select(log_of(rows, tmp_path)), "math", index=0)
    assert found.points["difference_high"][1] >= 1.959 * np.sqrt(2) / 40


def test_what_a_cascade_does_not_identify_is_left_out(tmp_path):
    """Answers of the strong model are known below 0.5 only, so thresholds above it are unknown."""
    confidence = [0.1, 0.3, 0.6, 0.9] * 30
    rows = {
        "confidence": confidence,
        "escalated": [at < 0.5 for at in confidence],
        "fast_correct": [0, 1, 1, 1] * 30,
        "strong_correct": [1 if at < 0.5 else None for at in confidence],
    }
    chosen = select(log_of(rows, tmp_path))
    found = plateau(chosen, "math")
    assert found.points["identified"].to_list() == [True, True, True, False, False]
    assert found.points["difference"].null_count() == 2
    assert 3 not in found.inside
    with pytest.raises(NotIdentifiedError):
        plateau(chosen, "math", index=4)


def test_the_log_that_identifies_nothing_has_no_plateau(tmp_path):
    with pytest.raises(NotIdentifiedError):
        plateau(select(log_of({"confidence": [0.2, 0.9]}, tmp_path)), "math")


def _drawn(selection: Selection, seed: int, n: int, gain: np.ndarray, inside: np.ndarray) -> Selection:
    """The selection with counts of a fresh log: levels are what the plateau reads."""
    generator = np.random.default_rng(seed)
    at = selection.levels["math"]
    rows = generator.multinomial(n, np.full(gain.size, 1 / gain.size))
    won = generator.binomial(rows, inside)
    plus = generator.binomial(won, (1 + gain / inside) / 2)
    columns = at.columns | {
        "n": np.append(0.0, rows),
        "rows": np.append(0.0, rows),
        "pairs": np.append(0.0, rows),
        "gain_sum": np.append(0.0, 2.0 * plus - won),
        "gain_sq": np.append(0.0, won).astype(float),
        "keep_sum": np.append(0.0, rows - plus).astype(float),
        "esc_sum": np.append(0.0, rows - won + plus).astype(float),
    }
    selection.levels["math"] = type(at)(at.confidence, columns)
    return selection


@pytest.mark.parametrize("n", [100, 400, 3000])
@pytest.mark.parametrize("levels", [12, 40])
@pytest.mark.parametrize("shape", ["flat", "sloping", "kink"])
def test_the_truly_best_threshold_is_inside_and_what_is_outside_truly_differs(tmp_path, n, levels, shape):
    """600 logs with known gains: both claims of the docstring, each in at least 95% (within 3 errors)."""
    place = np.linspace(-1, 1, levels)
    # Expected gain of escalating at each confidence, and the share of pairs that differ.
    gain = {"flat": np.zeros(levels), "sloping": -0.08 * place, "kink": np.where(place < 0.3, 0.0, -0.06)}[
        shape
    ]
    inside = np.full(levels, 0.15)
    rows = {"confidence": np.arange(1, levels + 1) / levels, "fast_correct": [1] * levels,
            "strong_correct": [1] * levels}  # fmt: skip
    selection = select(log_of(rows, tmp_path))
    truth = np.append(0.0, np.cumsum(gain)) / levels
    best, draws = int(np.argmax(truth)), 600
    kept = honest = 0
    for seed in range(draws):
        found = plateau(_drawn(selection, seed, n, gain, inside), "math")
        outside = ~found.points["inside"].to_numpy()
        kept += not outside[best]
        # Outside thresholds differ from the reference, in the direction that the log says.
        said = np.sign(found.points["difference"].to_numpy())
        true = np.sign(np.round(truth - truth[found.reference], 12))
        honest += bool((said[outside] == true[outside]).all())
    error = np.sqrt(0.95 * 0.05 / draws)
    assert kept / draws >= 0.95 - 3 * error
    assert honest / draws >= 0.95 - 3 * error


def test_differences_agree_with_the_curve(tmp_path):
    generator = np.random.default_rng(3)
    confidence = generator.integers(1, 9, 500) / 8
    rows = {
        "confidence": confidence,
        "fast_correct": (generator.random(500) < confidence).astype(int),
        "strong_correct": (generator.random(500) < 0.8).astype(int),
    }
    chosen = select(log_of(rows, tmp_path))
    accuracy = curve(chosen).points["accuracy"].to_numpy()
    found = plateau(chosen, "math")
    assert found.points["difference"].to_numpy() == pytest.approx(accuracy - accuracy[found.reference])
