"""A log since a change against its thresholds file: by hand, against other libraries, by simulation."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
import stores
from statsmodels.stats.proportion import confint_proportions_2indep
from tea_tasting.aggr import Aggregates
from tea_tasting.metrics import Mean

from analytics.errors import InsufficientDataError, NotIdentifiedError
from analytics.estimate import Estimate, wilson
from analytics.experiments.outcomes import Scope
from analytics.export import departure, since_words
from analytics.export.departure import Side
from analytics.export.observed import Total, departures
from analytics.export.since import Since, since
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, Evidence, Overall, ThresholdPolicy
from tests.proofs.changes import Traffic
from tests.proofs.since import tallied

FULL = 1e9


def share(value: float, n: int) -> Estimate:
    low, high = wilson(value * n, n)
    return Estimate(value, low, high, n, "Wilson")


def policy(*, law: float = 0.5, chat: float = 0.2, n: int = 400, **more: Any) -> ThresholdPolicy:
    """Keep from .5 up in both categories, with the shares escalated that are expected."""
    return ThresholdPolicy(
        "cascade",
        Default("strong_only"),
        {
            "law": CategoryPolicy("cascade", 0.5, escalation_rate=share(law, n)),
            "chat": CategoryPolicy("cascade", 0.5, escalation_rate=share(chat, n)),
            "proofs": CategoryPolicy("strong_only"),
        },
        **more,
    )


def requests(category: str | None, n: int, escalated: int, **more: Any) -> list[dict[str, Any]]:
    """Requests of a category of which the first ones are escalated, as their confidence wants."""
    return [
        {
            "request_id": f"{category}-{place}-{len(more)}", "task_category": category, "fast_model": "small",
            "strong_model": "big", "confidence": 0.4 if place < escalated else 0.6,
            "escalated": place < escalated, **more,
        }
        for place in range(n)
    ]  # fmt: skip


def found(rows: list[dict[str, Any]], file: ThresholdPolicy, **more: Any) -> Since:
    with Store.open(None) as store:
        stores.load(store, "d", rows, form="decisions")
        return since(store, "d", file, **more)


def test_a_stated_wilson_interval_gives_its_trials_back() -> None:
    for value, n in ((0.3, 500), (0.0, 200), (1.0, 60), (0.99, 1000)):
        side = departure.stated("escalation_rate", share(value, n))
        assert side is not None
        assert side.size == pytest.approx(n, rel=1e-6)


def test_shares_are_compared_as_newcombe_does_and_p_is_where_the_interval_ends_at_zero() -> None:
    expected, actual = (
        Side(value, math.sqrt(value * (1 - value) / n), n, FULL, n) for value, n in ((0.3, 500), (0.36, 800))
    )
    low, high = confint_proportions_2indep(288, 800, 150, 500, method="newcomb")
    shown = departure.difference("accuracy", expected, actual)
    assert (shown.low, shown.high) == pytest.approx((low, high), rel=1e-9)
    p = departure.p_value("accuracy", expected, actual)
    ends = confint_proportions_2indep(288, 800, 150, 500, method="newcomb", alpha=p)
    assert ends[0] == pytest.approx(0, abs=1e-9)


def test_costs_are_compared_as_another_library_does() -> None:
    generator = np.random.default_rng(3)
    logs = [np.exp(generator.normal(-6, 0.8, n)) for n in (300, 500)]
    sides = [
        Side(float(c.mean()), float(c.std(ddof=1) / math.sqrt(c.size)), 0.0, c.size - 1.0, c.size)
        for c in logs
    ]
    aggregates = [
        Aggregates(count_=c.size, mean_={"c": float(c.mean())}, var_={"c": float(c.var(ddof=1))})
        for c in logs
    ]
    other = Mean("c", equal_var=False).analyze_aggregates(*aggregates)
    shown = departure.difference("cost_per_request_usd", *sides)
    assert shown.value == pytest.approx(other.rel_effect_size)
    # tea-tasting takes degrees of freedom from the absolute errors; here they are of the relative ones.
    assert shown.low == pytest.approx(other.rel_effect_size_ci_lower, abs=1e-3)
    assert shown.high == pytest.approx(other.rel_effect_size_ci_upper, abs=1e-3)
    errors = [side.error / side.value for side in sides]
    t = math.log(sides[1].value / sides[0].value) / math.hypot(*errors)
    degrees = math.hypot(*errors) ** 4 / (errors[0] ** 4 / 299 + errors[1] ** 4 / 499)
    p = departure.p_value("cost_per_request_usd", *sides)
    assert p == pytest.approx(2 * scipy.stats.t.sf(abs(t), degrees), rel=1e-6)


def test_the_error_over_users_is_the_cluster_robust_one() -> None:
    generator = np.random.default_rng(4)
    user = np.repeat(np.arange(50), generator.integers(1, 9, 50))
    x = generator.normal(size=user.size) + generator.normal(size=50)[user]
    fit = sm.OLS(x, np.ones(x.size)).fit(
        cov_type="cluster", cov_kwds={"groups": user, "use_correction": False}
    )
    n, r = np.bincount(user).astype(float), np.bincount(user, x)
    total = Total(50, n.sum(), r.sum(), r.sum(), (r * r).sum(), (r * n).sum(), (n * n).sum())
    assert total.above == pytest.approx(x.mean())
    assert total.error == pytest.approx(fit.bse[0] * math.sqrt(50 / 49))


def test_another_mix_of_categories_is_no_departure() -> None:
    # Law escalates half, chat a fifth, as the file says; the log has 300 of law and 100 of chat.
    file = policy(overall=Overall("estimated", None, 800, escalation_rate=share(0.35, 800)))
    result = found(requests("law", 300, 150) + requests("chat", 100, 20), file)
    whole = result.compared[0]
    assert (whole.category, whole.metric) == (None, "escalation_rate")
    # .75 x .5 + .25 x .2 = .425 of 400, where the file states .35 over its own half and half.
    assert whole.expected.value == pytest.approx(0.425)
    assert whole.actual.value == pytest.approx(170 / 400)
    # Of the file's error: sqrt((.75^2 x .5 x .5 + .25^2 x .2 x .8) / 400) = .0194.
    assert whole.expected.high is not None
    assert (whole.expected.high - 0.425) / 1.96 == pytest.approx(0.0194, abs=5e-4)
    assert whole.p_value == pytest.approx(1)
    mix = result.mixes[0]
    assert (mix.stated, mix.at_mix, mix.actual, mix.share) == pytest.approx((0.35, 0.425, 0.425, 1))
    assert result.answer == "as_expected"
    assert "All 400 decisions are the policy's." in since_words.sentence(result)


def test_holm_counts_every_comparison_that_was_made() -> None:
    result = found(requests("law", 300, 190) + requests("chat", 300, 60), policy())
    asked = [entry for entry in result.compared if entry.p_value is not None]
    # All requests, law and chat; costs and grades are not in the log.
    assert [entry.category for entry in asked] == [None, "chat", "law"]
    smallest = min(asked, key=lambda entry: entry.p_value or 1)
    assert smallest.category == "law"
    assert smallest.p_value is not None
    assert smallest.p_adjusted == pytest.approx(3 * smallest.p_value)
    assert result.answer == "alarm"
    assert since_words.sentence(result).startswith("Not as expected since the change.")


def test_decisions_that_are_not_the_policys_are_told_by_reason() -> None:
    def one(name: str, **more: Any) -> dict[str, Any]:
        whole = {"confidence": 0.6, "escalated": False, "task_category": "law", **more}
        return {"request_id": name, "fast_model": "small", "strong_model": "big", **whole}

    rows = [
        one("right"),
        one("equal", confidence=0.5),
        one("higher", escalated=True),
        one("lower", confidence=0.4),
        one("none", confidence=None),
        one("other", confidence=0.6, threshold=0.7, escalated=True),
        # The other threshold does not explain this one.
        one("neither", confidence=0.8, threshold=0.7, escalated=True),
        one("unknown", task_category="new"),
        one("unnamed", task_category=None),
        one("proof", task_category="proofs"),
        one("chance", escalated=True, propensity=0.1),
        one("unrouted", escalated=None),
    ]
    with Store.open(None) as store:
        stores.load(store, "d", rows, form="decisions")
        listed = departures(store, Scope("d", None), policy())
        result = since(store, "d", policy())
    assert dict(listed.select("request_id", "reason").iter_rows()) == {
        "higher": "escalated_from",
        "lower": "kept_below",
        "none": "missing_confidence",
        "other": "other_threshold",
        "neither": "escalated_from",
        "unknown": "unknown_category",
        "unnamed": "fixed_route",
        "proof": "fixed_route",
        "chance": "random",
    }
    assert result.decided == 11
    assert result.obeyed == pytest.approx(2 / 11)
    assert result.answer == "alarm"
    assert "The route of 1 requests is not logged" in " ".join(result.notes)


def test_the_cost_of_an_answer_that_only_the_strong_model_gave_is_that_of_its_call() -> None:
    rows = [
        {"request_id": f"r{place}", "task_category": "proofs", "fast_model": "small", "strong_model": "big",
         "escalated": True, "strong_cost_usd": 0.01 + place % 3 * 1e-3}
        for place in range(60)
    ]  # fmt: skip
    cost = Estimate(0.011, 0.0105, 0.0115, 400, "normal")
    file = replace(policy(), categories={"proofs": CategoryPolicy("strong_only", cost_per_request_usd=cost)})
    (entry,) = [entry for entry in found(rows, file).compared if entry.p_value is not None and entry.category]
    assert entry.actual.value == pytest.approx(0.011)


def test_grades_that_do_not_stand_for_all_are_not_compared() -> None:
    file = replace(policy(), categories={"law": CategoryPolicy("cascade", 0.5, accuracy=share(0.8, 400))})
    graded = requests("law", 400, 200, fast_correct=1.0, strong_correct=1.0)
    for row in graded[200:380]:
        row["fast_correct"] = None
    result = found(graded, file)
    (reason,) = {entry.reason for entry in result.compared if entry.metric == "accuracy"}
    assert reason is not None
    assert reason.startswith("10% of the kept and 100% of the escalated")
    # Half of either graded is as good as all.
    for place, row in enumerate(graded):
        row["fast_correct"] = row["strong_correct"] = 0.0 if place % 20 < 4 else 1.0 if place % 2 else None
    entries = found(graded, file).compared
    assert any(entry.p_value is not None for entry in entries if entry.metric == "accuracy")


def test_what_cannot_be_told_says_why() -> None:
    result = found(requests("law", 29, 20), policy())
    assert result.answer == "cannot_tell"
    assert "29 requests, and 30 are needed" in since_words.sentence(result)
    bare = ThresholdPolicy("cascade", Default("cascade", 0.5))
    assert found(requests("law", 100, 20), bare).answer == "cannot_tell"
    with pytest.raises(NotIdentifiedError, match="tuned on"):
        found(requests("law", 99, 9), policy(evidence=Evidence(log_sha256="x")), log_sha256="x")
    day = datetime(2026, 10, 2, tzinfo=UTC).date()
    # The same log, from a day on which its figures rest too; the day after is past them.
    own = policy(evidence=Evidence(log_sha256="x", until=datetime(2026, 10, 2, 9, tzinfo=UTC)))
    rows = requests("law", 99, 9, ts=datetime(2026, 10, 4))  # noqa: DTZ001 - a log's own UTC
    with pytest.raises(NotIdentifiedError, match="tuned on"):
        found(rows, own, log_sha256="x", start=day)
    assert found(rows, own, log_sha256="x", start=day + timedelta(days=1)).seen.requests == 99
    with pytest.raises(InsufficientDataError, match="within the dates"):
        found(requests("law", 99, 9), policy(), start=day)


def test_only_requests_from_the_first_day_on_count_and_days_are_shown() -> None:
    old = requests("law", 100, 90, ts=datetime(2026, 10, 1, 12))  # noqa: DTZ001 - a log's own UTC
    new = requests("law", 100, 50, ts=datetime(2026, 10, 2, 12), segment="s")  # noqa: DTZ001
    result = found(old + new, policy(), start=datetime(2026, 10, 2, tzinfo=UTC).date())
    assert (result.seen.requests, result.answer) == (100, "as_expected")
    (day,) = result.periods.iter_rows(named=True)
    assert (day["period"].day, day["n"], day["actual"], day["expected"]) == (2, 100, 0.5, 0.5)
    # sqrt(.25 / 400 + .25 / 100) = .0559: 19 of 20 such days lie within twice that.
    assert (day["expected_high"] - 0.5) / 1.96 == pytest.approx(0.0559, abs=2e-3)


@pytest.mark.parametrize(
    "traffic",
    [Traffic("alone", 1_000, 1_000), Traffic("users", 1_200, 1_200, per_user=6.0, spread=0.7)],
    ids=["alone", "users"],
)
def test_alarms_are_false_as_seldom_as_promised(traffic: Traffic) -> None:
    # 24 changes at 5%: 1.2 false alarms, with a standard deviation of 1.1; 6 are beyond 4 of them.
    assert tallied(traffic, 24)["alarm"] <= 5


def test_a_change_that_is_large_enough_is_found() -> None:
    dearer = Traffic("dearer", 3_000, 3_000, dearer=1.3)
    tally = tallied(dearer, 10)
    assert tally["cost_per_request_usd"] == 10
