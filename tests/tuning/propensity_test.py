"""Estimators by logged propensity, against reference cases and over all logs that could have been written."""

import itertools

import numpy as np
import polars as pl
import pytest

from analytics.estimate import Floats
from analytics.tuning import propensity
from analytics.tuning.cells import SUMS
from analytics.tuning.identification import contributions


def one_arm(inputs, t):
    """Weights of the policy "keep iff c >= t", and the logged probabilities of the actions taken."""
    confidence, escalated = np.array(inputs["c"]), np.array(inputs["escalated"], dtype=bool)
    p = np.array(inputs["p_escalate"])
    logged = np.where(escalated, p, 1 - p)
    return propensity.weights(escalated == ~(confidence >= t), logged), logged


def test_a_weight_of_a_million_shows_in_every_diagnostic(refcase):
    case = refcase("ope", "extreme_propensity")
    correct = np.array(case.inputs["y_served"], dtype=float)
    for t, want in case.expected.items():
        weight, logged = one_arm(case.inputs, float(t))
        cut, _ = propensity.clipped(weight, case.inputs["clip"])
        for name, used, estimator in (
            ("ips", weight, propensity.ips),
            ("snips", weight, propensity.snips),
            ("ips_clip20", cut, propensity.ips),
        ):
            value, error = estimator(correct, used)
            found = propensity.overlap(used, logged)
            got = {
                "value": value, "se": error, "ess": found.ess, "mean_w": found.mean_weight,
                "max_share": found.largest_share,
            }  # fmt: skip
            assert case.close(got, want[name]), (t, name, got)
        assert not propensity.overlap(weight, logged).estimable


def test_doubly_robust_equals_the_reference(refcase):
    case = refcase("ope", "dr_one_arm")
    confidence, escalated = np.array(case.inputs["c"]), np.array(case.inputs["escalated"], dtype=bool)
    keep, send = (np.array(case.inputs[name]) for name in ("m_keep", "m_escalate"))
    for t, want in case.expected.items():
        weight, _ = one_arm(case.inputs, float(t))
        value, error = propensity.doubly_robust(
            np.array(case.inputs["y_served"], dtype=float),
            weight,
            np.where(confidence >= float(t), keep, send),
            np.where(escalated, send, keep),
        )
        assert case.close({"value": value, "se": error}, want)


def test_without_overlap_there_is_no_estimate(refcase):
    case = refcase("ope", "no_overlap_snips")
    correct = np.array(case.inputs["y_served"], dtype=float)
    for t, want in case.expected.items():
        weight, logged = one_arm(case.inputs, float(t))
        value, error = propensity.snips(correct, weight)
        ess = propensity.overlap(weight, logged).ess
        assert case.close({"value": value, "se": error, "ess": ess}, want["snips"])
        assert case.close(ess, want["ips_ess"])
        assert propensity.ips(correct, weight) == (None, None)


def test_clipping_takes_away_the_mass_that_bounds_its_bias():
    # weights 4, 2, 0 cut at 3: one unit of three requests is lost
    cut, mass = propensity.clipped(np.array([4.0, 2.0, 0.0]), 3.0)
    assert cut.tolist() == [3.0, 2.0, 0.0]
    assert mass == pytest.approx(1 / 3)


# Eight requests in three groups of folds; the probabilities differ and some confidences are equal.
C = np.array([0.1, 0.1, 0.3, 0.3, 0.6, 0.6, 0.9, np.nan])
P = np.array([0.5, 0.25, 0.8, 0.1, 0.4, 0.05, 0.3, 0.7])
FAST = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 1.0, 1.0])
STRONG = np.array([1.0, 0.0, 1.0, 1.0, 1.0, 0.25, 0.0, 1.0])
FOLD = np.array([0, 4, 8, 1, 5, 9, 2, 6])
FAST_COST = np.array([0.001, 0.002, 0.001, 0.003, 0.001, 0.002, 0.004, 0.001])
COST = np.array([0.01, 0.02, 0.03, 0.05, 0.01, 0.08, 0.02, 0.04])


def logs():
    """Every log that the logger could have written, with its probability."""
    for actions in itertools.product([False, True], repeat=C.size):
        escalated = np.array(actions)
        yield escalated, float(np.prod(np.where(escalated, P, 1 - P)))


def cells(escalated, *, both: bool) -> pl.DataFrame:
    """One cell per request; ``both``: of an escalated one the fast grade is known as well."""
    fast, strong = ~escalated | both, escalated
    sums = {
        "n": np.ones(C.size),
        "correct_x": FAST * STRONG * (fast & strong),
        "cost_x": FAST_COST * COST * (fast & strong),
    }
    for side, seen, grade, cost in (("fast", fast, FAST, FAST_COST), ("strong", strong, STRONG, COST)):
        sums |= {f"{side}_correct_sum": grade * seen, f"{side}_correct_sq": grade**2 * seen}
        sums |= {f"{side}_cost_sum": cost * seen, f"{side}_cost_sq": cost**2 * seen}
    keys = {
        "task_category": "math",
        "fast_model": "small",
        "strong_model": "big",
        "policy_kind": "cascade" if both else "predictive",
        "sampling_probability": None,
    }
    seen = {
        "confidence": C,
        "fold": FOLD,
        "propensity": np.where(escalated, P, 1 - P),
        "escalated": escalated,
        **dict.fromkeys(("fast_graded", "fast_cost_known"), fast),
        **dict.fromkeys(("strong_graded", "strong_cost_known"), strong),
    }
    table = pl.DataFrame(seen | {name: sums.get(name, np.zeros(C.size)) for name in SUMS}, nan_to_null=True)
    return table.with_columns(pl.lit(value).alias(name) for name, value in keys.items()).with_columns(
        pl.col("n").cast(pl.Int64), pl.col("sampling_probability").cast(pl.Float64)
    )


def observed(*, one_arm: bool) -> pl.DataFrame:
    """That the eight requests can be weighted, which so few never could by the rules."""
    facts = {
        "task_category": "math",
        "fast_model": "small",
        "strong_model": "big",
        "policy_kind": "predictive" if one_arm else "cascade",
        **dict.fromkeys(("shadow", "shadow_cost", "selective"), False),
        "explored_n": 8.0,
        "one_arm": one_arm,
        "explored": True,
        "explored_cost": True,
    }
    return pl.DataFrame([facts])


@pytest.mark.parametrize("both", [True, False])
def test_over_all_logs_that_could_have_been_written_the_mean_estimate_is_the_truth(both):
    thresholds = [0.1, 0.3, 0.6, 0.9, np.inf]
    expected = {t: np.zeros(3) for t in thresholds}
    for escalated, probability in logs():
        frame = contributions(cells(escalated, both=both), observed(one_arm=not both))
        assert frame.select((pl.col("keep_gap") + pl.col("esc_gap")).sum()).item() == 0
        for t in thresholds:
            send = ~(t <= C)
            totals = [
                float(np.where(send, frame[f"esc_{name}"], frame[f"keep_{name}"]).sum())
                for name in ("sum", "cost_sum")
            ]
            gain = float(np.where(send, 0.0, frame["gain_sum"]).sum())
            expected[t] += probability * np.array([*totals, gain])
    for t, found in expected.items():
        send = ~(t <= C)
        truth = [
            np.where(send, STRONG, FAST).sum(),
            np.where(send, FAST_COST * both + COST, FAST_COST).sum(),
            np.where(send, 0.0, STRONG - FAST).sum(),
        ]
        assert found == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize("both", [True, False])
def test_cells_give_what_the_estimator_gives_on_rows(both):
    """Predictions aside, which cells and rows share: the sums are the row formulas, squares included."""
    escalated = np.array([True, False, True, False, False, True, False, True])
    frame = contributions(cells(escalated, both=both), observed(one_arm=not both))
    logged = np.where(escalated, P, 1 - P)
    # By tenths of seven confidences: pairs reach 1/7, 3/7, 5/7, the last 6.5/7; the missing one is apart.
    bins = np.array([0, 0, 1, 1, 2, 2, 3, 4])
    groups = FOLD // 4

    def fitted(outcome: Floats, seen) -> Floats:
        return propensity.cross_fitted_means(np.where(seen, outcome, 0), seen.astype(float), bins, groups)

    for t in (0.3, 0.6, np.inf):
        send = ~(t <= C)
        if both:
            value, error = propensity.exploration_difference(
                FAST,
                STRONG,
                send,
                escalated=escalated,
                escalated_prob=P,
                gain=fitted(STRONG - FAST, escalated),
            )
        else:
            keep, strong = fitted(FAST, ~escalated), fitted(STRONG, escalated)
            value, error = propensity.doubly_robust(
                np.where(escalated, STRONG, FAST),
                propensity.weights(escalated == send, logged),
                np.where(send, strong, keep),
                np.where(escalated, strong, keep),
            )
        total = float(np.where(send, frame["esc_sum"], frame["keep_sum"]).sum())
        squares = float(np.where(send, frame["esc_sq"], frame["keep_sq"]).sum())
        assert total / 8 == pytest.approx(value, abs=1e-12)
        assert ((squares / 8 - (total / 8) ** 2) / 7) ** 0.5 == pytest.approx(error, abs=1e-12)


def test_no_row_predicts_itself():
    total, bins = np.array([1.0, 0.0, 1.0]), np.array([0, 0, 0])
    got = propensity.cross_fitted_means(total, np.ones(3), bins, np.array([0, 1, 1]))
    # the first row sees 0 and 1 (mean 1/2, counted once more): (1 + 1/2) / 3; the others see 1 alone
    assert got.tolist() == pytest.approx([0.5, 1.0, 1.0])
    assert propensity.cross_fitted_means(total, np.ones(3), bins, bins).tolist() == [0.0] * 3
