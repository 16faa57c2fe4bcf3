"""The estimators on the sample log against its known truth, through the same intake as an upload."""

import polars as pl
import pytest

from analytics.logs.intake import load
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from analytics.policy import Goal
from analytics.tuning.curve import curve
from analytics.tuning.evaluation import evaluate
from analytics.tuning.goals import tune
from analytics.tuning.log import read_log, select
from data import sample_benchmark, sample_log, truth

RARE = "formal_verification"
LEAST_ESCALATED = 20


def read(path):
    with Store.open(None) as store:
        (report,) = load(store, "log", [path], Answers())
        assert report.rejected == 0
        assert report.questions == []
        return select(read_log(store, "log"))


@pytest.fixture(scope="module")
def sample():
    return read(sample_log())


@pytest.fixture(scope="module", params=["sample", "benchmark"])
def chosen(request, sample):
    return sample if request.param == "sample" else read(sample_benchmark())


def deviations(chosen, column, low, high, true):
    """How many standard errors each identified point of each category is from the truth."""
    found = []
    for name in chosen.categories:
        points = curve(chosen, category=name).points
        # A normal interval needs some requests of either kind: with one escalated it cannot see the tail.
        points = points.filter(pl.col(column).is_not_null(), pl.col("escalated_n") >= LEAST_ESCALATED)
        for row in points.gather_every(max(1, points.height // 12)).iter_rows(named=True):
            error = (row[high] - row[low]) / (2 * 1.96)
            if name != RARE and error > 0:
                found.append((row[column] - true(name, row["threshold"])) / error)
    return found


@pytest.mark.parametrize(
    ("column", "low", "high", "true"),
    [
        ("accuracy", "accuracy_low", "accuracy_high", truth.true_accuracy),
        ("cost_per_request_usd", "cost_low", "cost_high", truth.true_cost),
    ],
)
def test_every_point_is_within_four_standard_errors_of_the_truth(chosen, column, low, high, true):
    found = deviations(chosen, column, low, high, true)
    assert len(found) > 100
    assert max(abs(value) for value in found) < 4


def test_a_category_with_two_shadow_answers_is_not_judged(sample):
    item = tune(sample, Goal(margin=0.02)).policy.categories[RARE]
    assert item.verdict in {"insufficient_evidence", "not_identified"}
    assert item.threshold is None
    assert item.reason


def test_the_tuned_policy_s_held_out_accuracy_covers_its_true_one(chosen):
    tuning = tune(chosen, Goal(margin=0.02))
    rows = {name: curve(chosen, category=name).n for name in tuning.figures.covered}
    total = 0.0
    for name, n in rows.items():
        item = tuning.policy.categories[name]
        if item.route == "cascade":
            value = truth.true_accuracy(name, item.threshold)
        else:
            value = (truth.true_fast_only if item.route == "fast_only" else truth.true_strong_only)(name)[0]
        total += n * value
    got = tuning.figures.overall.accuracy
    error = (got.high - got.low) / (2 * 1.96)
    assert abs(got.value - total / sum(rows.values())) < 4 * error


def test_evaluating_the_policy_again_gives_the_same_figures(chosen):
    tuning = tune(chosen, Goal(margin=0.02))
    again = evaluate(chosen, tuning.policy, folds=tuning.rows.folds).overall
    for name in ("accuracy", "cost_per_request_usd", "escalation_rate", "latency_p95_s"):
        assert getattr(again, name).as_json() == getattr(tuning.figures.overall, name).as_json()
