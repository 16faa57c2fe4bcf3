"""An effect at the end of each day: by hand, and against the rows up to that day."""

import math
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats
from stores import load
from trials import moments_of, row

from analytics.experiments import looks as module
from analytics.experiments.assignment import assignment
from analytics.experiments.effects import ratio_error
from analytics.experiments.looks import looks
from analytics.experiments.outcomes import Scope
from analytics.experiments.sequential import difference_sequence, peeking_error

E = Scope("d", "e")
START = datetime(2026, 3, 2, 9)  # noqa: DTZ001 - a log's own UTC; a Monday
Z = float(stats.norm.ppf(0.975))


def request(name, arm, day, **more):
    return row(name, arm, ts=START + timedelta(days=day), escalated=False, **more)


def looked(store, rows, metric, *, dataset="d", **more):
    load(store, dataset, rows, form="decisions")
    scope = Scope(dataset, "e")
    return looks(store, scope, assignment(store, scope), metric, control="a", treatment="b", **more)


def test_one_day_of_costs_by_hand(store):
    # 100 costs of 1 and 3 USD against 100 of 2 and 4: means 2 and 3, variances 100/99, so the difference has
    # the error sqrt(2/99). A tenth of the control's 2 USD is mixed over.
    rows = [
        request(f"{arm}{n}", arm, 0, fast_cost_usd=1.0 + 2 * (n % 2) + (arm == "b"))
        for arm in "ab"
        for n in range(100)
    ]
    rows[0]["ts"] -= timedelta(hours=1)  # without two moments there is no time
    found = looked(store, rows, "cost_usd")
    assert (found.tau, found.by_week, found.table.height) == (pytest.approx(0.2), False, 1)
    assert found.peeking_error == pytest.approx(0.05)
    last = found.last
    assert (last["day"], last["n_control"], last["n_treatment"]) == (date(2026, 3, 2), 100, 100)
    error = math.sqrt(2 / 99)
    assert last["effect"] == pytest.approx(1.0)
    assert (last["fixed_low"], last["fixed_high"]) == pytest.approx((1 - Z * error, 1 + Z * error))
    # METHODS, section 6, with n = 100 and V = 200/99:
    # radius sqrt(2 V (V + n tau^2) / (n tau)^2 x (ln 20 + ln((V + n tau^2) / V) / 2)),
    # ln ratio = ln(V / (V + n tau^2)) / 2 + (n tau effect)^2 / (2 V (V + n tau^2)).
    v = 200 / 99
    whole = v + 100 * 0.04
    radius = math.sqrt(2 * v * whole / (100 * 0.2) ** 2 * (math.log(20) + math.log(whole / v) / 2))
    assert (last["low"], last["high"]) == pytest.approx((1 - radius, 1 + radius))
    log_ratio = math.log(v / whole) / 2 + (100 * 0.2) ** 2 / (2 * v * whole)
    assert last["p_value"] == pytest.approx(math.exp(-log_ratio))
    assert "from 100 requests per arm" in found.method


def test_three_days_of_grades_by_hand(store):
    # Right of all so far: a 1/2, 2/4, 2/4 and b 1/1, 2/2, 4/4; day 3 has nothing of a.
    plan = {0: {"a": (1, 0), "b": (1,)}, 1: {"a": (1, 0), "b": (1,)}, 4: {"b": (1, 1)}}
    rows = [
        request(f"{day}{arm}{n}", arm, day, fast_correct=float(grade))
        for day, arms in plan.items()
        for arm, grades in arms.items()
        for n, grade in enumerate(grades)
    ]
    rows.append(request("ungraded", "a", 2))
    found = looked(store, rows, "accuracy")
    table = found.table
    assert table["day"].to_list() == [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 6)]
    assert table["n_control"].to_list() == [2, 4, 4]
    assert table["n_treatment"].to_list() == [1, 2, 4]
    assert table["effect"].to_list() == [0.5, 0.5, 0.5]
    assert found.tau is None
    assert found.peeking_error == peeking_error(3)
    assert found.method.endswith("exact")
    x2, n2, x1, n1 = (np.array(part, dtype=float) for part in ([1, 2, 2], [2, 4, 4], [1, 2, 4], [1, 2, 4]))
    low, high = difference_sequence(x1, n1, x2, n2)
    assert table["low"].to_list() == pytest.approx(np.maximum.accumulate(low))
    assert table["high"].to_list() == pytest.approx(np.minimum.accumulate(high))
    # One request of b on the first day has no variance; by the last day a's is 1/4 x 4/3 / 4 and b's is 0.
    assert table["fixed_low"][0] is None
    assert table["fixed_low"][2] == pytest.approx(0.5 - Z * math.sqrt(1 / 12))


def users(seed, days=6):
    """Users who return on several days, of whom some costs are unknown; ``a`` starts with few requests."""
    draw = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        for n in range(90):
            user = int(draw.integers(120))
            taste = 1 + user % 5
            rows.append(
                request(
                    f"{day}-{n}", "ab"[user % 2], day, unit_id=f"u{user}", confidence=float(draw.random()),
                    fast_cost_usd=None if draw.random() < 0.1 else taste * draw.lognormal(),
                    fast_correct=float(draw.random() < 0.5 + taste / 12),
                    fast_latency_s=taste + draw.random(),
                )
            )  # fmt: skip
    return rows


def until(rows, day, arm):
    last = (START + timedelta(days=day)).date()
    return [entry for entry in rows if entry["arm"] == arm and entry["ts"].date() <= last]


COLUMNS = {
    "cost_usd": ("c", "cn"), "accuracy": ("y", "k"), "latency_s": ("l", "ln"),
    "cost_per_correct_usd": ("bc", "bg"), "net_usd": ("net", "bn"),
}  # fmt: skip


@pytest.mark.parametrize("metric", COLUMNS)
def test_each_look_is_that_of_the_rows_so_far(store, metric):
    rows = users(1)
    found = looked(store, rows, metric, tau=0.3, value_usd=4.0)
    assert found.table.height == 6
    low, high, surest = -math.inf, math.inf, 1.0
    for day, look in enumerate(found.table.iter_rows(named=True)):
        arms = []
        for arm in "ab":
            part = until(rows, day, arm)
            arms.append(
                moments_of(
                    [entry["unit_id"] for entry in part],
                    cost=[entry["fast_cost_usd"] for entry in part],
                    correct=[entry["fast_correct"] for entry in part],
                    latency=[entry["fast_latency_s"] for entry in part],
                ).netted(4.0)
            )
        above, below = COLUMNS[metric]
        counts = [arm.count(below) for arm in arms]
        assert (look["n_control"], look["n_treatment"]) == tuple(counts)
        if min(counts) < 100:
            assert look["effect"] is look["low"] is look["p_value"] is look["fixed_high"] is None
            continue
        before, after = (arm.sums[above] / arm.sums[below] for arm in arms)
        effect = after - before
        variance = sum(ratio_error(arm, above, below) ** 2 for arm in arms)
        mixed = variance + 0.3**2
        radius = math.sqrt(2 * variance * mixed / 0.3**2 * (math.log(20) + math.log(mixed / variance) / 2))
        log_ratio = math.log(variance / mixed) / 2 + (0.3 * effect) ** 2 / (2 * variance * mixed)
        low, high = max(low, effect - radius), min(high, effect + radius)
        surest = min(surest, math.exp(-max(log_ratio, 0.0)))
        got = [look[name] for name in ("effect", "low", "high", "p_value", "fixed_low", "fixed_high")]
        ends = [effect + side * Z * math.sqrt(variance) for side in (-1, 1)]
        assert got == pytest.approx([effect, low, high, surest, *ends], rel=1e-9), day
    assert counts[1] > 200


def test_only_confidences_that_count_are_looked_at(store):
    rows = users(2)
    between = pl.DataFrame({"category": ["law"], "low": [0.2], "high": [0.9]})
    found = looked(store, rows, "latency_s", between=between)
    inside = [entry for entry in rows if 0.2 <= entry["confidence"] < 0.9]
    counts = [sum(1 for entry in inside if entry["arm"] == arm) for arm in "ab"]
    assert [found.last["n_control"], found.last["n_treatment"]] == counts
    means = [np.mean([entry["fast_latency_s"] for entry in inside if entry["arm"] == arm]) for arm in "ab"]
    assert found.last["effect"] == pytest.approx(means[1] - means[0])


def test_long_experiments_are_looked_at_by_week(store, monkeypatch):
    monkeypatch.setattr(module, "MOST_DAYS", 9)
    rows = users(3, days=11)
    found = looked(store, rows, "latency_s")
    # The first day is a Monday, so that 11 days are two weeks.
    assert found.by_week
    assert found.table["day"].to_list() == [date(2026, 3, 2), date(2026, 3, 9)]
    assert found.table["n_control"].to_list() == [len(until(rows, day, "a")) for day in (6, 10)]


def test_many_users_are_dealt_into_buckets(store, monkeypatch):
    rows = users(4)
    one = looked(store, rows, "latency_s", tau=0.3)
    monkeypatch.setattr(module, "MOST_UNITS", 64)
    many = looks(store, E, assignment(store, E), "latency_s", control="a", treatment="b", tau=0.3)
    assert many.last["effect"] == pytest.approx(one.last["effect"])
    widths = [item.last["fixed_high"] - item.last["fixed_low"] for item in (one, many)]
    assert widths[1] / widths[0] == pytest.approx(1, abs=0.4)


def test_users_in_both_arms_are_left_out(store):
    rows = users(6)
    wrong = [request(f"wrong{n}", "ab"[n % 2], 1, unit_id="wrong", fast_latency_s=900.0) for n in range(2)]
    one = looked(store, rows, "latency_s", dataset="without")
    many = looked(store, rows + wrong, "latency_s")
    assert many.last["n_control"] == one.last["n_control"]
    assert many.last["effect"] == pytest.approx(one.last["effect"])


def test_partial_grades_are_no_proportion(store):
    rows = [
        request(f"{arm}{n}", arm, n % 2, fast_correct=[0.0, 0.5, 1.0][n % 3])
        for arm in "ab"
        for n in range(120)
    ]
    found = looked(store, rows, "accuracy", tau=0.02)
    assert found.tau == 0.02
    assert found.table["effect"].to_list() == [None, pytest.approx(0.0)]


def test_without_times_or_values_there_are_no_looks(store):
    timeless = [{**entry, "ts": None} for entry in users(5)]
    assert looked(store, timeless, "cost_usd", dataset="timeless") is None
    at_once = [{**entry, "ts": START} for entry in users(5)]
    assert looked(store, at_once, "cost_usd", dataset="at once") is None
    of_a = [
        {**entry, "fast_cost_usd": entry["fast_cost_usd"] if entry["arm"] == "a" else None}
        for entry in users(5)
    ]
    assert looked(store, of_a, "cost_usd", dataset="of a") is None
    still = [{**entry, "fast_cost_usd": 1.01} for entry in users(5)]
    assert looked(store, still, "cost_usd", dataset="still") is None
    few = [request(f"{arm}{n}", arm, n, fast_cost_usd=float(n)) for arm in "ab" for n in range(30)]
    assert looked(store, few, "cost_usd", dataset="few") is None
    for short, long in ("ab", "ba"):
        uneven = [
            request(f"{arm}{n}", arm, n % 3, fast_cost_usd=float(n % 7))
            for arm, size in ((short, 99), (long, 300))
            for n in range(size)
        ]
        assert looked(store, uneven, "cost_usd", dataset=f"few {short}") is None
