"""What the pages say of tiers: like with like, and only what the log holds."""

import polars as pl

from analytics.estimate import Estimate, undefined
from analytics.measure.verdicts import Verdict
from dashboard import story, story_tiers, words
from dashboard.charts.tiers import UNKNOWN

SP = words.NBSP


def verdict(name: str, word: str, gain: float | None = 0.1) -> Verdict:
    known = undefined("not graded") if gain is None else Estimate(gain, gain - 0.05, gain + 0.05, 100, "test")
    return Verdict(name, word, known, undefined("none"), "because")  # type: ignore[arg-type]


def tiers(**costs: float | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"tier": list(costs), "calls": 10, "accuracy": 0.5, "cost_per_call_usd": list(costs.values())},
        schema_overrides={"cost_per_call_usd": pl.Float64},
    )


def test_the_answer_leads_with_the_verdicts_and_compares_no_accuracies_of_tiers():
    found = [
        verdict("a", "wins"),
        verdict("b", "wins"),
        verdict("c", "do_not_overpay"),
        verdict("d", "cannot_tell", None),
    ]
    text = story_tiers.answer(tiers(small=0.0001, reasoning=0.02), found)
    assert text == (
        f"On the same requests the strong model pays off in **2** of 4{SP}categories and is not worth paying "
        "for in **1**; for 1 this log cannot tell. A call costs $0.00010 on small and $0.020 on reasoning."
    )


def test_without_costs_the_answer_is_how_much_more_often_the_strong_model_is_right():
    found = [
        verdict("a", "cannot_tell", 0.12),
        verdict("b", "cannot_tell", 0.3),
        verdict("c", "cannot_tell", 0.01),
    ]
    text = story_tiers.answer(tiers(small=None), found)
    # The third gain may be below zero: 1 point, give or take 5.
    assert f"right more often in **2** of 3{SP}categories, by 12.0 to 30.0 points" in text
    assert "A call costs" not in text


def test_a_surely_better_model_of_unknown_cost_is_not_among_what_the_log_cannot_tell():
    found = [
        verdict("a", "do_not_overpay", 0.0),
        verdict("b", "cannot_tell", 0.2),
        verdict("c", "cannot_tell", None),
    ]
    assert story_tiers.verdict_count(found) == (
        f"On the same requests the strong model is not worth paying for in **1** of 3{SP}categories; "
        "in **1** it is right more often at an unknown cost; for 1 this log cannot tell."
    )


def test_where_nothing_can_be_told_the_answer_says_so():
    text = story_tiers.answer(tiers(small=0.001), [verdict("a", "cannot_tell", None)])
    assert text.startswith(f"For none of 1{SP}category can this log tell")


def test_models_of_no_tier_are_not_called_a_tier():
    assert story_tiers.prices(tiers(**{UNKNOWN: 0.5})) == "A call costs $0.50 on models of no tier."


def test_ungraded_calls_claim_nothing_about_costs_that_are_not_there():
    bare = tiers(small=None).with_columns(accuracy=pl.lit(None, pl.Float64))
    assert story_tiers.answer(bare, []) == "10 calls, none of them graded, so what they get right is unknown."


def test_a_difference_is_never_told_without_its_interval():
    found = Estimate(-0.005, -0.0171, 0.0077, 1000, "test")
    assert story._distance(found, "always strong") == (
        f"loses 0.5{SP}points of accuracy against always strong (−1.7{SP}to{SP}0.8)"
    )
