"""Plans against published formulas, and what users who return do to them."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stores

from analytics.errors import InsufficientDataError
from analytics.experiments import design, splits
from analytics.experiments.design import Baseline, baseline, by_category, plan
from analytics.experiments.outcomes import Scope
from analytics.experiments.proposal import proposal, routes_between, sentence, usable_name
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy

DAYS = 10
PER_DAY = 100


def log(right: Callable[[int], float], **more: Callable[[int], object]) -> list[dict[str, object]]:
    """1,001 requests from the first to the last moment of ten days."""
    return [
        {
            "request_id": f"r{place}",
            "ts": np.datetime64("2026-10-01T00:00:00", "us").item()
            + place * (np.timedelta64(DAYS * 86_400 * 1_000_000 // 1000, "us").item()),
            "task_category": "law" if place % 5 else "rare",
            "fast_model": "small",
            "strong_model": "big",
            "confidence": place % 10 / 10,
            "escalated": False,
            "fast_correct": right(place),
            "fast_cost_usd": 0.001 * (1 + place % 3),
            **{name: value(place) for name, value in more.items()},
        }
        for place in range(DAYS * PER_DAY + 1)
    ]


def read(rows: list[dict[str, object]], tmp_path: Path, **scope: object) -> Baseline:
    with Store.open(tmp_path / "plan.duckdb") as store:
        stores.load(store, "d", rows, form="decisions")
        between = scope.pop("between", None)
        return baseline(store, Scope("d", None, **scope), between=between)  # type: ignore[arg-type]


@pytest.fixture
def independent(tmp_path: Path) -> Baseline:
    """901 of 1,001 right, no users."""
    return read(log(lambda place: float(place % 10 != 0)), tmp_path)


def test_a_rise_takes_what_power_prop_test_says(independent: Baseline) -> None:
    found = plan(independent, margin=0.02, aim="better")
    # R: power.prop.test(p1 = 900/1001, p2 = 900/1001 + .02, power = .8)$n per arm.
    p1 = 900 / 1001
    p2, mean = p1 + 0.02, p1 + 0.01
    z = (1.959963984540054, 0.8416212335729143)
    n = (
        (z[0] * math.sqrt(2 * mean * (1 - mean)) + z[1] * math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))) / 0.02
    ) ** 2
    assert found.requests == math.ceil(2 * n)
    assert found.arms == (math.ceil(2 * n) // 2, math.ceil(2 * n) - math.ceil(2 * n) // 2)


def test_a_margin_takes_twice_the_variance_over_its_square(independent: Baseline) -> None:
    found = plan(independent, margin=0.02)
    z = 1.959963984540054 + 0.8416212335729143
    variance = 900 / 1001 * (101 / 1001) * 1001 / 1000
    assert found.requests == math.ceil(4 * variance * (z / 0.02) ** 2)
    assert found.per_day == pytest.approx(100.1)
    assert found.days == pytest.approx(found.requests / 100.1, rel=1e-4)


def test_what_is_detectable_after_the_planned_days_is_the_margin(independent: Baseline) -> None:
    first = plan(independent, margin=0.02)
    again = plan(independent, margin=0.02, within=first.days or 0)
    assert again.detectable == pytest.approx(0.02, rel=1e-9)


def test_an_expected_loss_leaves_less_room(independent: Baseline) -> None:
    plain, less = (plan(independent, margin=0.02, expected=value) for value in (0.0, -0.01))
    # Half the distance takes four times the requests.
    assert less.requests == pytest.approx(4 * (plain.requests or 0), rel=1e-3)
    assert "reaches the margin" in (plan(independent, margin=0.02, expected=-0.02).reason or "")


def test_a_smaller_share_takes_longer(independent: Baseline) -> None:
    half, tenth = (plan(independent, margin=0.02, share=share) for share in (0.5, 0.1))
    # 1 / .1 + 1 / .9 against 1 / .5 + 1 / .5.
    assert (tenth.requests or 0) / (half.requests or 1) == pytest.approx((1 / 0.1 + 1 / 0.9) / 4, rel=1e-3)


def test_users_who_return_tell_less_the_longer_it_runs(tmp_path: Path) -> None:
    # 100 users of 10 requests each, all alike within a user: the design effect is 10 at the log's length.
    found = read(
        log(lambda place: float(place % 100 < 80), unit_id=lambda place: f"u{place % 100}"), tmp_path
    )
    entry = plan(found, margin=0.4)
    assert entry.days is not None
    # 1 + (10 - 1) x days / 10 days, up to the one request beyond the thousand.
    assert entry.design_effect == pytest.approx(1 + 9 * entry.days / DAYS, rel=0.02)
    # Ten such users a day never tell what takes more of them than there are.
    assert "no length of the test would do" in (plan(found, margin=0.02).reason or "")


def test_thresholds_only_count_the_requests_between_them(tmp_path: Path) -> None:
    control = ThresholdPolicy("cascade", Default("strong_only"), {"law": CategoryPolicy("cascade", 0.5)})
    treatment = ThresholdPolicy("cascade", Default("strong_only"), {"law": CategoryPolicy("cascade", 0.3)})
    between = routes_between(control, treatment, ["law", "rare"])
    assert between.rows() == [("law", 0.5, 0.3, 0.3, 0.5)]
    found = read(log(lambda place: float(place % 7 != 0)), tmp_path, between=between)
    entry = plan(found, margin=0.02)
    # Confidences .3 and .4 outside of "rare" (every fifth place): 200 of 1,001 requests.
    assert entry.routed == pytest.approx(200 / 1001)
    assert entry.gain == pytest.approx(1001 / 200, rel=0.1)


def test_a_category_alone_takes_longer_and_the_rarest_longest(tmp_path: Path) -> None:
    found = read(log(lambda place: float(place % 7 != 0)), tmp_path)
    whole = plan(found, margin=0.05, aim="non-inferior")
    each = by_category(found, whole)
    assert [entry.task_category for entry in each] == ["law", "rare"]
    assert all((entry.days or 0) > (whole.days or 0) for entry in each)


def test_what_does_not_vary_has_no_plan(tmp_path: Path) -> None:
    assert "does not vary" in (plan(read(log(lambda _: 1.0), tmp_path), margin=0.02).reason or "")


def test_without_grades_there_is_no_plan_on_accuracy(tmp_path: Path) -> None:
    found = read(log(lambda _: None), tmp_path)  # type: ignore[arg-type, return-value]
    assert plan(found, margin=0.02).reason == "no request has a known value of it"
    assert plan(found, "cost_usd", margin=0.0001).requests is not None


def test_less_than_a_day_is_no_traffic(tmp_path: Path) -> None:
    with pytest.raises(InsufficientDataError, match="at least one day"):
        read(log(lambda _: 1.0, ts=lambda _: None), tmp_path)


def test_the_cheapest_split_is_the_smallest_that_ends_in_time(independent: Baseline) -> None:
    entry = plan(independent, margin=0.05)
    ways = splits.splits(independent, entry, extra_per_request_usd=0.01)
    for way in ways:
        assert way.extra_usd == pytest.approx((way.plan.days or 0) * 100.1 * way.share * 0.01, rel=1e-9)
    timely = [way for way in ways if (way.plan.days or 0) <= design.LONGEST_DAYS]
    assert splits.cheapest(ways) == min(timely, key=lambda way: way.extra_usd or 0)
    saving = splits.splits(independent, entry, extra_per_request_usd=-0.01)
    # Where the treatment saves, the largest share saves most.
    assert splits.cheapest(saving, within=1e9) == min(saving, key=lambda way: way.extra_usd or 0)
    assert splits.cheapest(ways, within=0.1) == ways[0]


def test_the_simulated_chance_is_the_planned_one(independent: Baseline) -> None:
    for power in (0.8, 0.9):
        found = splits.simulated_power(plan(independent, margin=0.02, power=power))
        # 4,000 draws: two standard errors are .013; Newcombe and Wald differ by less than .02.
        assert found == pytest.approx(power, abs=0.03)


def test_both_at_once_are_rarer_than_each(independent: Baseline) -> None:
    accuracy, cost = (
        plan(independent, "cost_usd", margin=0.0005),
        plan(independent, "cost_usd", margin=0.0005),
    )
    together = splits.simulated_power(accuracy, cost, cost_effect=-0.0005)
    # Two independent questions with a chance of 80% each: 64%.
    assert together == pytest.approx(0.64, abs=0.03)


def test_the_sentence_has_requests_days_and_what_is_told(independent: Baseline) -> None:
    text = sentence(plan(independent, margin=0.02)).replace("\u00a0", " ")
    assert text.startswith("To show that accuracy is not worse by 2.0 points with a chance of 80%, run ")
    assert "requests at 100.1 a day" in text


def test_the_proposal_takes_over_the_plan(independent: Baseline) -> None:
    entry = plan(independent, margin=0.02, share=0.2)
    policies = [ThresholdPolicy("cascade", Default(route)) for route in ("strong_only", "fast_only")]
    found = proposal(entry, policies[0], policies[1], name="n")
    assert [(arm.name, arm.share) for arm in found.arms] == [("control", 0.8), ("treatment", 0.2)]
    assert (found.requests, found.margin, found.power) == (entry.requests, 0.02, 0.8)


@pytest.mark.parametrize(("text", "name"), [("a b/c", "a-b-c"), ("///", "experiment"), ("x" * 99, "x" * 60)])
def test_names_fit_every_router(text: str, name: str) -> None:
    assert usable_name(text) == name
