"""The table and the sentences of the planners on the Thresholds page."""

import polars as pl

from analytics.tuning.grading_plan import GradingPlan
from analytics.tuning.shadow_plan import RATES, Exploration, Purchase, ShadowPlan
from dashboard import plan_panel, words


def purchase(name, calls, days, cost=0.5, question="raise", **more):
    explorations = tuple(
        Exploration(rate, calls, cost, None if days is None else days / rate) for rate in RATES
    )
    return Purchase(question, name, 0.9, 0.95, 100, calls, explorations, assumed=False, **more)


def plan(*purchases):
    return ShadowPlan(purchases, 100.0, (), None, ())


def test_the_table_has_a_row_for_each_question_that_a_number_answers():
    hopeless = Purchase("lower", None, None, None, 100, 0, (), assumed=False, impossible="No.")
    found = plan_panel.frame(plan(hopeless, purchase("law", 40, 5.0), purchase(None, 7, None, None)), 0.5)
    assert found.select("category", "confidence", "strong_calls", "cost_usd", "days").rows() == [
        ("law", "0.90 to 0.95", 40, 0.5, 10.0),
        ("All categories", "0.90 to 0.95", 7, None, None),
    ]


def test_the_sentence_counts_calls_money_and_what_is_known_soon():
    said = plan_panel.sentence(plan(purchase("law", 1500, 20.0), purchase("math", 40, 60.0)), 0.5)
    assert "1,540\u00a0shadow calls (about $1.00)" in said
    # 40 and 120 days at a half.
    assert said.endswith("in 2\u00a0categories; at this log's traffic 1 of them within 90\u00a0days.")
    unknown = plan_panel.sentence(plan(purchase("law", 15, None, None)), 0.5)
    assert unknown.endswith("15\u00a0shadow calls would tell whether to raise it in 1\u00a0category.")


def test_a_band_without_ends_says_so():
    assert plan_panel.band(None, None) == "all"
    assert plan_panel.band(0.9, None) == "0.90 and above"


def test_names_from_a_log_are_plain_in_the_sentence_of_the_sheet():
    strata = pl.DataFrame({"probability": [0.1, 0.25], "graded": [0, 40]})
    told = plan_panel.told(GradingPlan(strata, 500, 0, ("[law](http://x)",)))
    assert "10.0% to 25.0% of each category" in told
    assert "About 30 grades" in told
    assert "[law](http" not in told
    assert words.plain("[law](http://x)", limit=40) in told
