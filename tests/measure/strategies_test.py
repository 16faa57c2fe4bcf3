"""The calculator against the exact figures of the worked example."""

from itertools import combinations

import pytest

from analytics.errors import SchemaError
from analytics.measure.strategies import Prices, Workload, category_table, strategy_table, verified_cascade
from analytics.tuning.frontier import hull, icer

KIND = {"direct": "predictive", "cascade": "cascade"}


@pytest.fixture
def example(refcase):
    return refcase("worked_example", "worked_example")


@pytest.fixture
def workload(example):
    return [
        Workload(c["name"], c["n"], c["fast_acc"], c["reason_acc"], c["fast_tokens"], c["reason_tokens"])
        for c in example.inputs["categories"]
    ]


@pytest.fixture
def prices(example):
    price = example.inputs["usd_per_mtok"]
    return Prices(fast_output_usd_per_1m=price["fast"], strong_output_usd_per_1m=price["reasoning"])


def hybrid(workload, prices, *escalated, policy_kind="predictive"):
    table = strategy_table(workload, prices, policy_kind=policy_kind, hybrids=[escalated])
    return table.row(2, named=True)


def test_every_category_of_the_worked_example(example, workload, prices):
    direct = category_table(workload, prices, policy_kind="predictive")
    cascade = category_table(workload, prices, policy_kind="cascade")
    expected = example.expected["per_category"]
    assert direct["task_category"].to_list() == list(expected)
    for one, both in zip(direct.iter_rows(named=True), cascade.iter_rows(named=True), strict=True):
        got = {
            "n": one["requests"],
            "fast_correct": one["fast_correct"],
            "reason_correct": one["strong_correct"],
            "fast_cost": one["fast_cost_usd"],
            "reason_cost": one["strong_cost_usd"],
            "extra_correct": one["extra_correct"],
            "icer_direct": one["usd_per_extra_correct"],
            "icer_cascade": both["usd_per_extra_correct"],
        }
        assert example.close(got, expected[one["task_category"]])


def test_every_strategy_of_the_worked_example(example, workload, prices):
    for name, expected in example.expected["strategies"].items():
        kind = KIND[name.rsplit("_", 1)[1]]
        row = hybrid(workload, prices, *expected["escalate"], policy_kind=kind)
        got = {
            "escalate": row["escalated"],
            "correct": row["correct"],
            "accuracy": row["accuracy"],
            "cost": row["cost_usd"],
            "cost_per_correct": row["cost_per_correct_usd"],
            "correct_per_dollar": row["correct_per_dollar"],
        }
        assert example.close(got, expected), name


def test_every_subset_of_the_worked_example(example, workload, prices):
    names = [stated.task_category for stated in workload]
    subsets = [subset for size in range(4) for subset in combinations(names, size)]
    table = strategy_table(workload, prices, policy_kind="cascade", hybrids=subsets)[2:]
    expected = example.expected["all_cascade_subsets"]
    assert table["escalated"].to_list() == [row["escalate"] for row in expected]
    for column, key in {
        "correct": "correct", "cost_usd": "cost", "cost_per_correct_usd": "cost_per_correct"
    }.items():  # fmt: skip
        assert example.close(table[column].to_list(), [row[key] for row in expected])
    best = table.sort("correct_per_dollar", descending=True)["escalated"][0].to_list()
    assert best == example.expected["correct_per_dollar_argmax"]


def test_what_the_hybrid_gains_and_costs(example, workload, prices):
    standard, reasoning, mixed = (
        hybrid(workload, prices, *names) for names in ((), ("easy", "medium", "hard"), ("medium", "hard"))
    )
    cheap, dear, mixed_cascade = (
        hybrid(workload, prices, *names, policy_kind="cascade")
        for names in ((), ("easy", "medium", "hard"), ("medium", "hard"))
    )
    steps = [standard, mixed, reasoning]
    cost, correct = [row["cost_usd"] for row in steps], [row["correct"] for row in steps]
    price = icer(cost, correct, along=[0, 1, 2])
    got = {
        "hybrid_accuracy_gain_share": (correct[1] - correct[0]) / (correct[2] - correct[0]),
        "hybrid_accuracy_share": correct[1] / correct[2],
        "hybrid_cost_share": cost[1] / cost[2],
        "hybrid_incremental_cost_share": (cost[1] - cost[0]) / (cost[2] - cost[0]),
        "hybrid_cascade_cost_share": mixed_cascade["cost_usd"] / dear["cost_usd"],
        "hybrid_cascade_vs_all_reasoning_direct": mixed_cascade["cost_usd"] / cost[2],
        "icer_hybrid_vs_standard": price[0],
        "icer_reasoning_vs_hybrid": price[1],
        "icer_hybrid_cascade_vs_standard": (mixed_cascade["cost_usd"] - cheap["cost_usd"]) / (8800 - 6950),
    }
    assert example.close(got, example.expected["derived"])


def test_the_printed_figures_are_wrong_by_what_the_case_says(example, workload, prices):
    rows = {
        "all_standard": hybrid(workload, prices),
        "all_reasoning": hybrid(workload, prices, "easy", "medium", "hard"),
        "hybrid": hybrid(workload, prices, "medium", "hard"),
    }
    for name, row in rows.items():
        wrong = example.expected["discrepancies"][name]
        got = {
            "true_correct": row["correct"],
            "binomial_sd": row["correct_sd"],
            "z": (wrong["printed_correct"] - row["correct"]) / row["correct_sd"],
            "true_cost": row["cost_usd"],
            "cost_ratio_printed_over_true": wrong["printed_cost"] / row["cost_usd"],
            "true_cpc": row["cost_per_correct_usd"],
        }
        assert example.close(got, {key: wrong[key] for key in got})


def test_a_perfect_verifier_escalates_exactly_the_wrong_answers(example, workload, prices):
    names = {"low": "frechet_low", "independent": "independent", "high": "frechet_high"}
    for row in verified_cascade(workload, prices).iter_rows(named=True):
        got = {
            "correct": row["correct"],
            "cost": row["cost_usd"],
            "cost_per_correct": row["cost_per_correct_usd"],
        }
        assert example.close(got, example.expected["perfect_verifier_cascade"][names[row["errors"]]])


def test_hybrids_come_cheapest_extra_answer_first_and_lie_on_the_hull(workload, prices):
    table = strategy_table(workload, prices, policy_kind="predictive")
    assert table["strategy"].to_list() == ["fast_only", "strong_only", "hybrid", "hybrid", "hybrid"]
    assert table["escalated"].to_list()[2:] == [["hard"], ["hard", "medium"], ["hard", "medium", "easy"]]
    assert hull(table["cost_usd"], table["correct"]).tolist() == [0, 2, 3, 1]


def test_strong_only_is_cheaper_than_escalating_everything(workload, prices):
    table = strategy_table(workload, prices, policy_kind="cascade")
    # METHODS section 7: 690.00 direct, 710.70 where the fast call is paid first
    assert table["cost_usd"].to_list()[1] == pytest.approx(690.0, rel=1e-12)
    assert table["cost_usd"].to_list()[-1] == pytest.approx(710.7, rel=1e-12)


def test_input_and_output_tokens_have_their_own_prices():
    stated = Workload("law", 10, 0.5, 0.9, 200, 400, fast_input_tokens=1000, strong_input_tokens=1000)
    prices = Prices(2.0, 10.0, 0.5, 1.0)
    row = category_table([stated], prices, policy_kind="predictive").row(0, named=True)
    # fast: 10 x (1000 x .5 + 200 x 2) / 1e6 = .009; strong: 10 x (1000 x 1 + 400 x 10) / 1e6 = .05
    assert (row["fast_cost_usd"], row["strong_cost_usd"]) == pytest.approx((0.009, 0.05), rel=1e-12)


def test_what_is_undefined_is_null():
    worse = Workload("chat", 10, 0.9, 0.8, 100, 100)
    hopeless = Workload("proof", 10, 0.0, 0.0, 100, 100)
    free = Prices(0.0, 0.0)
    assert category_table([worse], free, policy_kind="cascade")["usd_per_extra_correct"].to_list() == [None]
    table = strategy_table([hopeless], free, policy_kind="cascade")
    assert table["cost_per_correct_usd"].to_list() == table["correct_per_dollar"].to_list() == [None, None]
    nobody = strategy_table([Workload("chat", 0, 0.9, 0.8, 1, 1)], free, policy_kind="cascade")
    assert nobody["accuracy"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (Workload("law", 10, 70, 0.9, 1, 1), "fast_accuracy of law must be from 0 to 1, found 70"),
        (Workload("law", -1, 0.7, 0.9, 1, 1), "requests of law must be at least 0, found -1"),
        (
            Workload("law", 1, 0.7, float("nan"), 1, 1),
            "strong_accuracy of law must be from 0 to 1, found nan",
        ),
    ],
)
def test_an_impossible_figure_is_named(stated, message):
    with pytest.raises(SchemaError, match=message):
        strategy_table([stated], Prices(1.0, 1.0), policy_kind="cascade")


def test_a_doubled_an_unknown_and_no_category_are_named():
    law = Workload("law", 10, 0.7, 0.9, 1, 1)
    with pytest.raises(SchemaError, match="law stands twice"):
        strategy_table([law, law], Prices(1.0, 1.0), policy_kind="cascade")
    with pytest.raises(SchemaError, match="no category is stated"):
        strategy_table([], Prices(1.0, 1.0), policy_kind="cascade")
    with pytest.raises(SchemaError, match=r"Unknown categories: Law\. Found: law\."):
        strategy_table([law], Prices(1.0, 1.0), policy_kind="cascade", hybrids=[["Law"]])
