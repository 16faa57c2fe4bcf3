"""Certified policies: walks of the reference cases, known truths, sampling, users, and what is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from decisions import log_of
from scipy import stats

from analytics.policy import Goal
from analytics.tuning.certificate import certification
from analytics.tuning.goals import tune
from analytics.tuning.graded_pairs import graded_pairs
from analytics.tuning.log import select
from analytics.tuning.walks import Test as Judge
from analytics.tuning.walks import common_walk

CASES = json.loads((Path(__file__).parents[1] / "refcases" / "certificate.json").read_text())


def paired(n, seed=1, *, loss=0.0, categories=("a", "b"), **extra):
    """Kept answers of confidence 0.9 and above lose ``loss`` against the strong model; others lose 30%."""
    generator = np.random.default_rng(seed)
    confidence = generator.integers(1, 21, n) / 20
    lost = generator.random(n) < np.where(confidence >= 0.9, loss, 0.3)
    right = generator.random(n) < 0.9
    return {
        "task_category": generator.choice(categories, n),
        "confidence": confidence,
        "fast_correct": (right & ~lost).astype(int),
        "strong_correct": right.astype(int),
        "fast_cost_usd": [0.001] * n,
        "strong_cost_usd": [0.02] * n,
        **extra,
    }


@pytest.mark.parametrize("case", CASES["walk"], ids=lambda case: case["name"])
def test_a_walk_stops_at_the_first_step_that_fails(case, tmp_path):
    rows = {"confidence": [], "fast_correct": [], "strong_correct": []}
    lost = won = 0
    for step in case["steps"]:
        more_lost, more_won = step["n_plus"] - lost, step["n_minus"] - won
        lost, won = step["n_plus"], step["n_minus"]
        n = step["rows_in_level"]
        rows["confidence"] += [step["confidence"]] * n
        rows["fast_correct"] += [0] * more_lost + [1] * (n - more_lost)
        rows["strong_correct"] += [1] * more_lost + [0] * more_won + [1] * (n - more_lost - more_won)
    rest = case["n"] - len(rows["confidence"])
    for name in rows:
        rows[name] += [None] * rest if name == "confidence" else [1] * rest
    chosen = select(log_of(rows, tmp_path))
    found = certification(chosen, Goal(margin=case["margin"], level=1 - case["delta"]))
    walk = common_walk(found.ground, Judge(case["margin"], None, case["delta"], clustered=False))
    assert walk.n == case["n"]
    steps = [(step["n_plus"], step["n_minus"]) for step in case["steps"]]
    assert list(zip(walk.lost.tolist(), walk.won.tolist(), strict=True))[: len(steps)] == steps
    assert walk.z[: len(steps)] == pytest.approx([step["z"] for step in case["steps"]], abs=1e-6)
    assert walk.passed - 1 == case["last_certified_level"]


def test_a_safe_threshold_is_certified_and_the_dangerous_ones_are_not(tmp_path):
    """Answers of 0.9 and above lose nothing; one level further .05 * .3 = 1.5 points are lost."""
    got = tune(select(log_of(paired(6000), tmp_path)), Goal(margin=0.01))
    assert got.certified
    assert {item.verdict for item in got.policy.categories.values()} == {"certified"}
    for item in got.policy.categories.values():
        assert item.route == "cascade"
        assert item.interval[1] >= 0.85
    assert min(item.interval[1] for item in got.policy.categories.values()) <= 0.9
    assert got.policy.certificate.z <= got.policy.certificate.z_critical
    assert "95% confidence" in got.promise
    assert "at most 1 point below always strong" in got.sentence


def test_few_pairs_say_how_many_are_needed(tmp_path):
    got = tune(select(log_of(paired(250, categories=("a",)), tmp_path)), Goal(margin=0.01))
    assert not got.certified
    assert "299 are needed" in got.promise
    assert "Grade about 49 more" in got.promise
    assert {item.verdict for item in got.policy.categories.values()} == {"estimated"}


def test_a_confidence_that_loses_too_much_at_the_top_says_that_data_will_not_help(tmp_path):
    rows = paired(3000, loss=0.5)
    found = certification(select(log_of(rows, tmp_path)), Goal(margin=0.01))
    assert found.held is None
    got = tune(select(log_of(rows, tmp_path)), Goal(margin=0.01))
    assert "more data will not help" in got.promise


def test_a_margin_of_exactly_the_loss_is_certified_in_five_percent_of_logs_at_most(tmp_path):
    """One level, whose loss is the margin exactly; the exact test errs in at most 5% of logs."""
    misses, logs = 0, 160
    for seed in range(logs):
        generator = np.random.default_rng(seed)
        lost = generator.random(400) < 0.03
        rows = {
            "confidence": [0.9] * 400,
            "fast_correct": (~lost).astype(int),
            "strong_correct": [1] * 400,
        }
        misses += certification(select(log_of(rows, tmp_path)), Goal(margin=0.03)).held is not None
    # 5% of 160 with a chance of one in a thousand of more
    assert misses <= stats.binom.ppf(0.999, logs, 0.05)
    assert misses > 0


def test_shadow_pairs_are_thinned_to_one_probability(tmp_path):
    """Escalated rows have a pair always, kept ones in a tenth: a tenth of either must stay."""
    generator = np.random.default_rng(3)
    rows = paired(20_000, categories=("a",))
    escalated = np.array(rows["confidence"]) < 0.6
    shadow = generator.random(20_000) < 0.1
    seen = escalated | shadow
    rows["escalated"] = escalated
    rows["sampling_probability"] = np.where(escalated, 1.0, 0.1)
    rows["strong_correct"] = np.where(seen, rows["strong_correct"], np.nan)
    pairs = graded_pairs(select(log_of(rows, tmp_path)), "strong")
    assert pairs.thinned_to == pytest.approx(0.1)
    kept = pairs.frame.filter(pairs.frame["confidence"] >= 0.6)["n"].sum()
    sent = pairs.frame.filter(pairs.frame["confidence"] < 0.6)["n"].sum()
    assert kept == shadow[~escalated].sum()
    assert abs(sent - escalated.sum() / 10) < 4 * np.sqrt(escalated.sum() * 0.09)


def test_shadow_logs_do_not_certify_what_loses_the_margin(tmp_path):
    """All kept rows lose 2.2 points over the log; without thinning they would drown in escalated pairs."""
    misses, logs = 0, 40
    for seed in range(logs):
        generator = np.random.default_rng(seed)
        n = 20_000
        confidence = np.where(generator.random(n) < 0.5, 0.9, 0.1)
        lost = generator.random(n) < 0.044
        seen = (confidence < 0.5) | (generator.random(n) < 0.1)
        rows = {
            "confidence": confidence,
            "escalated": confidence < 0.5,
            "sampling_probability": np.where(confidence < 0.5, 1.0, 0.1),
            "fast_correct": np.where((confidence > 0.5) & lost, 0, 1),
            "strong_correct": np.where(seen, 1, np.nan),
        }
        found = certification(select(log_of(rows, tmp_path)), Goal(margin=0.02))
        misses += found.held is not None
    assert misses <= stats.binom.ppf(0.999, logs, 0.05)


def test_unknown_sampling_probabilities_give_no_certificate(tmp_path):
    generator = np.random.default_rng(3)
    rows = paired(5000, categories=("a",))
    escalated = np.array(rows["confidence"]) < 0.6
    seen = escalated | (generator.random(5000) < 0.1)
    rows["escalated"] = escalated
    rows["strong_correct"] = np.where(seen, rows["strong_correct"], np.nan)
    found = certification(select(log_of(rows, tmp_path)), Goal(reference="strong"))
    assert found.held is None
    assert found.obstacle


def test_a_plain_cascade_is_certified_against_the_policy_in_force(tmp_path):
    """In force at 0.9; between 0.5 and 0.9 both models are right alike, below the fast one is wrong."""
    generator = np.random.default_rng(8)
    n = 8000
    confidence = generator.integers(4, 21, n) / 20
    fast = np.where(confidence >= 0.5, 1, 0)
    rows = {
        "confidence": confidence,
        "threshold": [0.9] * n,
        "escalated": confidence < 0.9,
        "fast_correct": fast,
        "strong_correct": np.where(confidence < 0.9, 1.0, np.nan),
        "fast_cost_usd": [0.001] * n,
        "strong_cost_usd": np.where(confidence < 0.9, 0.02, np.nan),
    }
    got = tune(select(log_of(rows, tmp_path)), Goal(margin=0.01))
    item = got.policy.categories["math"]
    assert got.certified
    assert got.reference == "in-force"
    assert item.interval == (0.45, 0.5)
    assert "below the policy in force" in got.promise
    assert got.certification.walks[None][0].n == n


def test_each_category_gets_a_promise_of_its_own(tmp_path):
    rows = paired(4000, categories=("a", "b"))
    worse = np.array(rows["task_category"]) == "b"
    generator = np.random.default_rng(5)
    fast = np.array(rows["fast_correct"])
    rows["fast_correct"] = np.where(worse & (generator.random(4000) < 0.3), 0, fast)
    got = tune(select(log_of(rows, tmp_path)), Goal(margin=0.02, scope="category"))
    good, bad = got.policy.categories["a"], got.policy.categories["b"]
    assert (good.route, good.verdict) == ("cascade", "certified")
    assert good.certificate.error_share == pytest.approx(0.025)
    assert (bad.route, bad.verdict, bad.certificate) == ("strong_only", "certified", None)
    assert got.policy.certificate is None
    assert "one category" in got.promise


def test_a_floor_needs_the_strong_model_itself_to_reach_it(tmp_path):
    rows = paired(4000)
    strong = float(np.mean(rows["strong_correct"]))
    low = tune(select(log_of(rows, tmp_path)), Goal(name="min-accuracy", min_accuracy=strong - 0.05))
    assert low.certified
    assert f"at least {strong - 0.05:.1%}" in low.promise
    found = certification(
        select(log_of(rows, tmp_path)), Goal(name="min-accuracy", min_accuracy=strong - 0.002)
    )
    assert found.held is None
    walk = found.walks[None][0]
    allowed = max(
        e for e in range(walk.n) if stats.binom.cdf(e, walk.n, 1 - (strong - 0.002)) <= walk.test.error
    )
    assert walk.most_errors == allowed
    assert walk.errors > allowed


def test_several_requests_per_user_need_the_folds_to_agree(tmp_path):
    """300 users of 10 requests that share their luck: the iid test alone errs far more often than 5%."""
    iid = folds = 0
    logs = 40
    for seed in range(logs):
        generator = np.random.default_rng(seed)
        unlucky = generator.random(300) < 0.03
        owner = np.repeat(np.arange(300), 10)
        rows = {
            "confidence": [0.9] * owner.size,
            "unit_id": [f"u{seed}-{at}" for at in owner],
            "fast_correct": np.where(unlucky[owner], 0, 1),
            "strong_correct": [1] * owner.size,
        }
        found = certification(select(log_of(rows, tmp_path)), Goal(margin=0.03))
        folds += found.held is not None
        test = found.walks[None][0].test
        assert test.clustered
        walk = common_walk(found.ground, Judge(test.margin, None, test.error, clustered=False))
        iid += walk.passed > 0
    assert iid > logs * 0.2
    assert folds <= stats.binom.ppf(0.999, logs, 0.07)


def test_few_users_count_once_each(tmp_path):
    """90 users of 40 requests that share their luck; the exact test sees 90 pairs, one of each user."""
    misses, logs = 0, 60
    for seed in range(logs):
        generator = np.random.default_rng(seed)
        unlucky = generator.random(90) < 0.06
        owner = np.repeat(np.arange(90), 40)
        rows = {
            "confidence": [0.9] * owner.size,
            "unit_id": [f"u{seed}-{at}" for at in owner],
            "fast_correct": np.where(unlucky[owner], 0, 1),
            "strong_correct": [1] * owner.size,
        }
        found = certification(select(log_of(rows, tmp_path)), Goal(margin=0.06))
        misses += found.held is not None
        assert sum(found.pairs.sizes.values()) == 90
        assert not found.walks[None][0].test.clustered
    assert misses <= stats.binom.ppf(0.999, logs, 0.05)


def test_few_users_of_a_cascade_have_no_certificate(tmp_path):
    generator = np.random.default_rng(1)
    owner = np.repeat(np.arange(50), 60)
    confidence = generator.integers(1, 21, owner.size) / 20
    rows = {
        "confidence": confidence,
        "unit_id": [f"u{at}" for at in owner],
        "threshold": [0.8] * owner.size,
        "escalated": confidence < 0.8,
        "fast_correct": (generator.random(owner.size) < 0.8).astype(int),
        "strong_correct": np.where(confidence < 0.8, 1.0, np.nan),
    }
    found = certification(select(log_of(rows, tmp_path)), Goal(margin=0.05))
    assert found.held is None
    assert "only 50 users" in found.obstacle


def test_fractional_grades_are_rounded_alike_on_both_sides(tmp_path):
    """Half a point on either side: no difference between the two, so none may be counted."""
    n = 2000
    rows = {"confidence": [0.9] * n, "fast_correct": [0.5] * n, "strong_correct": [0.5] * n}
    pairs = graded_pairs(select(log_of(rows, tmp_path)), "strong").frame
    assert pairs["lost"].sum() == pairs["won"].sum() == 0
    assert abs(int(pairs["wrong"].sum()) - n / 2) < 4 * np.sqrt(n / 4)
    rows["strong_correct"] = [0.8] * n
    pairs = graded_pairs(select(log_of(rows, tmp_path)), "strong").frame
    assert pairs["won"].sum() == 0
    assert abs(int(pairs["lost"].sum()) - 0.3 * n) < 4 * np.sqrt(n * 0.21)


def test_grades_shared_out_unlike_the_traffic_are_refused_for_the_whole(tmp_path):
    rows = paired(8000)
    generator = np.random.default_rng(4)
    seldom = (np.array(rows["task_category"]) == "b") & (generator.random(8000) < 0.8)
    for name in ("fast_correct", "strong_correct"):
        rows[name] = np.where(seldom, np.nan, rows[name])
    chosen = select(log_of(rows, tmp_path))
    assert "unlike the traffic" in certification(chosen, Goal()).obstacle
    assert certification(chosen, Goal(scope="category")).held is not None


def test_a_log_without_any_confidence_has_no_certificate(tmp_path):
    rows = paired(3000)
    rows["confidence"] = [None] * 3000
    assert "No request has a confidence" in certification(select(log_of(rows, tmp_path)), Goal()).obstacle


def test_escalation_at_random_is_estimated_and_says_why_it_is_not_certified(tmp_path):
    generator = np.random.default_rng(6)
    rows = paired(6000, categories=("a",))
    confidence = np.array(rows["confidence"])
    chance = np.where(confidence < 0.5, 0.9, 0.3)
    escalated = generator.random(6000) < chance
    rows |= {
        "escalated": escalated,
        "propensity": np.where(escalated, chance, 1 - chance),
        "strong_correct": np.where(escalated, rows["strong_correct"], np.nan),
    }
    found = certification(select(log_of(rows, tmp_path)), Goal(margin=0.02))
    assert found.held is None
    assert "escalation at random" in found.obstacle


def test_the_same_log_gives_the_same_certificate(tmp_path):
    first, again = (tune(select(log_of(paired(3000), tmp_path)), Goal(margin=0.02)) for _ in range(2))
    assert first.policy.certificate == again.policy.certificate
    assert first.policy.categories == again.policy.categories
