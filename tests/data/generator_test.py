import math
from pathlib import Path

import numpy as np
import pytest

from data import generator, scenario, truth


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        generator.main(["--benchmark", "--out", str(tmp_path / name)])
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_another_seed_gives_another_sample_of_the_same_size() -> None:
    ours, other = (generator.sample_rows(seed=seed, benchmark=True) for seed in (1, 2))
    assert len(ours) == len(other)
    assert ours != other


def test_a_name_without_gz_is_written_as_plain_text(tmp_path: Path) -> None:
    generator.main(["--benchmark", "--out", str(tmp_path / "plain.csv")])
    header = (tmp_path / "plain.csv").read_text(encoding="utf-8").split("\n", 1)[0]
    assert header.startswith("request_id,ts,task_category,")
    assert "threshold" not in header


def test_the_shadow_coin_is_the_salted_hash_of_the_request_id() -> None:
    # printf 'shadow:req-000001' | md5sum (coreutils 9) begins with 83730c8b
    expected = 0x83730C8B / 2**32
    assert generator.share_of("shadow", "req-000001") == expected
    assert generator.share_of("shadow", "req-000001") != generator.share_of("segment", "req-000001")


def test_probabilities_of_each_category_add_to_one_and_one_percent_states_none() -> None:
    for category in scenario.CATEGORIES:
        values, probability = scenario.confidence_distribution(category)
        assert math.isclose(probability.sum(), 1.0, rel_tol=1e-12)
        assert math.isnan(values[-1])
        assert math.isclose(probability[-1], 0.01, rel_tol=1e-12)


def test_no_user_effect_pushes_a_probability_out_of_range() -> None:
    # otherwise the mean over users would not be the curve, and the truth not exact
    for category in scenario.CATEGORIES:
        values, _ = scenario.confidence_distribution(category)
        for side in scenario.correct_given_confidence(category, values):
            assert side.min() >= scenario.UNIT_EFFECT
            assert side.max() <= 1 - scenario.UNIT_EFFECT


def test_confidence_curves_are_linear_between_their_knots() -> None:
    # competition_math at 0.85: half way between 0.45 and 0.65 for fast, 0.90 and 0.94 for strong
    fast, strong = scenario.correct_given_confidence("competition_math", np.array([0.85]))
    assert fast[0] == pytest.approx(0.55)
    assert strong[0] == pytest.approx(0.92)


def test_the_median_of_a_log_normal_table_is_its_median() -> None:
    table = scenario.log_normal(1000, 0.4)
    assert (table[2047] + table[2048]) / 2 == pytest.approx(1000, abs=1)
    # mean of a log-normal distribution: median * exp(sigma^2 / 2) = 1000 * exp(0.08) = 1083.29
    assert table.mean() == pytest.approx(1083.29, rel=2e-3)


def test_nine_tenths_of_a_tier_s_latencies_lie_in_its_usual_range() -> None:
    # MISSION's tiers table: small 50-200 ms, standard 0.5-2 s, frontier 2-5 s, reasoning 15-120 s
    ranges = {
        scenario.SMALL: (50, 200),
        scenario.STANDARD: (500, 2000),
        scenario.COMPACT: (500, 2000),
        scenario.FRONTIER: (2000, 5000),
        scenario.REASONING: (15_000, 120_000),
        scenario.DEEP: (15_000, 120_000),
    }
    for model, (low, high) in ranges.items():
        table = scenario.log_normal(*model.latency, unit=0.001)
        assert ((table >= low) & (table <= high)).mean() > 0.9, model.name


def test_escalating_all_is_always_strong_plus_the_fast_call() -> None:
    for category in scenario.CATEGORIES:
        fast_call = truth.expected_call_costs(category)[0]
        accuracy, cost = truth.true_strong_only(category)
        assert truth.true_accuracy(category, None) == accuracy
        assert truth.true_cost(category, None) == pytest.approx(cost + fast_call, rel=1e-12)
        assert truth.true_escalation_rate(category, None) == pytest.approx(1, rel=1e-12)


def test_a_threshold_of_zero_escalates_only_missing_confidences() -> None:
    assert truth.true_escalation_rate("extraction", 0.0) == pytest.approx(0.01, rel=1e-12)


def test_the_category_without_signal_has_the_same_accuracy_at_every_confidence() -> None:
    # finance_multistep is 0.68 fast and 0.88 strong throughout, so V(t) = 0.68 + 0.20 x escalation rate
    for threshold in (0.5, 0.8, 0.95, 1.0, None):
        rate = truth.true_escalation_rate("finance_multistep", threshold)
        assert truth.true_accuracy("finance_multistep", threshold) == pytest.approx(0.68 + 0.20 * rate)


def test_the_strong_model_is_worse_in_one_category_only() -> None:
    worse = [c for c in scenario.CATEGORIES if truth.true_strong_only(c)[0] < truth.true_fast_only(c)[0]]
    assert worse == ["summarisation"]


def test_overall_weighs_categories_by_their_requests() -> None:
    counts = [spec.requests for spec in scenario.CATEGORIES.values()]
    assert sum(counts) == 20_000
    assert truth.overall([1.0, *[0.0] * (len(counts) - 1)]) == counts[0] / 20_000
