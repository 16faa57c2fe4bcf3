"""CUPED: the reference case through a store, and tea-tasting on the users of the raw rows."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt
from scipy import stats
from stores import load
from trials import row

from analytics.experiments import preperiod
from analytics.experiments.assignment import assignment
from analytics.experiments.outcomes import Scope
from analytics.experiments.preperiod import adjusted

E = Scope("d", "e")
BEFORE, DURING = datetime(2026, 3, 1), datetime(2026, 4, 1)  # noqa: DTZ001 - a log's own UTC


def found(store, rows, **more):
    load(store, "d", rows, form="decisions")
    return adjusted(store, E, assignment(store, E), control="a", treatment="b", **more)


def request(name, user, arm, ts, *, cost=None, correct=None, latency=None):
    return row(
        name, arm, unit_id=user, ts=ts, escalated=False, fast_cost_usd=cost, fast_correct=correct,
        fast_latency_s=latency,
    )  # fmt: skip


def test_the_reference_case_from_a_log(store, refcase):
    case = refcase("ab", "cuped")
    rows = []
    for n, (x, y, arm) in enumerate(zip(*(case.inputs[name] for name in ("x_pre", "y", "arm")), strict=True)):
        rows.append(request(f"{n}-before", f"u{n}", None, BEFORE, cost=x))
        # Two requests of the same cost, so that users are seen to be what was assigned.
        rows += [request(f"{n}-{k}", f"u{n}", "ab"[arm], DURING, cost=y) for k in range(2)]
    entry = found(store, rows)["cost_usd"]
    assert case.close(entry.effect.value, case.expected["diff_cuped"])
    t = stats.t(57.97856483378245)  # Welch's degrees of both arms' y - theta x, by scipy.stats.ttest_ind
    assert entry.p_value == pytest.approx(2 * t.sf(case.expected["welch_t"]), rel=1e-6)
    half = t.ppf(0.975) * case.expected["se_cuped"]
    assert entry.effect.high - entry.effect.value == pytest.approx(half, rel=1e-6)
    assert (entry.seen, entry.users, entry.effect.n) == (60, 60, 120)


def history(seed, users=60):
    """Users of different taste, with a few requests before (some with none) and two or more during."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(users):
        cost, skill = draw.lognormal(0, 0.7), draw.uniform(0.3, 0.95)
        seen = draw.random() < 0.8
        for stage, count in (
            ("before", int(draw.integers(1, 6)) * seen),
            ("during", int(draw.integers(2, 7))),
        ):
            rows += [
                request(
                    f"{n}-{stage}-{k}", f"u{n}", "ab"[n % 2] if stage == "during" else None,
                    DURING + timedelta(hours=1 + k) if stage == "during" else BEFORE + timedelta(days=k),
                    cost=None if draw.random() < 0.1 else cost * draw.lognormal(0, 0.2),
                    correct=None if draw.random() < 0.1 else float(draw.random() < skill),
                    latency=draw.gamma(2) * cost,
                )
                for k in range(count)
            ]  # fmt: skip
    return rows


COLUMNS = {"cost_usd": "fast_cost_usd", "accuracy": "fast_correct", "latency_s": "fast_latency_s"}


def by_tea_tasting(rows, metric):
    frame = pd.DataFrame(rows)
    value, known = frame[COLUMNS[metric]].fillna(0.0), frame[COLUMNS[metric]].notna().astype(float)
    now = frame["arm"].notna()
    totals = pd.DataFrame(
        {
            "unit": frame["unit_id"], "above": value * now, "below": known * now,
            "before_above": value * ~now, "before_below": known * ~now,
            "variant": (frame["arm"] == "b") & now,
        }
    ).groupby("unit", as_index=False).agg(
        dict.fromkeys(("above", "below", "before_above", "before_below"), "sum") | {"variant": "max"}
    )  # fmt: skip
    totals["variant"] = totals["variant"].astype(int)
    asked = {"alternative": "two-sided", "equal_var": False, "use_t": True}
    metrics = {
        "plain": tt.RatioOfMeans("above", "below", **asked),
        "adjusted": tt.RatioOfMeans("above", "below", "before_above", "before_below", **asked),
    }
    return tt.Experiment(metrics).analyze(totals)


@pytest.mark.parametrize("metric", COLUMNS)
def test_ratios_over_users_are_those_of_tea_tasting(store, metric):
    for seed in range(3):
        rows = history(seed)
        load(store, f"d{seed}", rows, form="decisions")
        scope = Scope(f"d{seed}", "e")
        got = adjusted(store, scope, assignment(store, scope), control="a", treatment="b")[metric]
        expected = by_tea_tasting(rows, metric)
        better, plain = expected["adjusted"], expected["plain"]
        assert (got.effect.value, got.effect.low, got.effect.high, got.p_value) == pytest.approx(
            (better.effect_size, better.effect_size_ci_lower, better.effect_size_ci_upper, better.pvalue),
            rel=1e-8,
        )
        widths = [item.effect_size_ci_upper - item.effect_size_ci_lower for item in (better, plain)]
        assert got.variance_ratio == pytest.approx((widths[0] / widths[1]) ** 2, rel=1e-8)
        assert got.users == 60
        assert got.seen == len({entry["unit_id"] for entry in rows if entry["arm"] is None})
        assert got.effect.n == sum(1 for entry in rows if entry["arm"] and entry[COLUMNS[metric]] is not None)


def test_what_came_after_the_start_or_of_another_arm_is_no_history(store):
    rows = history(1)
    plain = found(store, rows)
    more = [request("later", "u0", None, DURING + timedelta(days=9), cost=99.0)]
    more += [{**request("other", "u1", "x", BEFORE, cost=99.0), "experiment": "another"}]
    more += [request("stranger", "nobody", None, BEFORE, cost=99.0)]
    load(store, "more", rows + more, form="decisions")
    scope = Scope("more", "e")
    got = adjusted(store, scope, assignment(store, scope), control="a", treatment="b")
    for metric, entry in plain.items():
        assert got[metric].effect.value == pytest.approx(entry.effect.value)
        assert (got[metric].seen, got[metric].users) == (entry.seen, entry.users)


def test_the_start_is_that_of_the_dates_looked_at(store):
    rows = history(2)
    load(store, "d", rows, form="decisions")
    # From the third hour on: what the users did in the arms before that is no history either.
    scope = Scope("d", "e", since=DURING + timedelta(hours=3))
    got = adjusted(store, scope, assignment(store, scope), control="a", treatment="b")["cost_usd"]
    late = [e for e in rows if e["arm"] is None or e["ts"] >= DURING + timedelta(hours=3)]
    present = {entry["unit_id"] for entry in late if entry["arm"]}
    expected = by_tea_tasting([e for e in late if e["unit_id"] in present], "cost_usd")["adjusted"]
    assert got.effect.value == pytest.approx(expected.effect_size, rel=1e-8)


def test_users_in_both_arms_are_left_out(store):
    rows = history(3)
    plain = found(store, rows)
    wrong = [request(f"wrong-{n}", "u99", "ab"[n % 2], DURING, cost=50.0) for n in range(2)]
    wrong += [request("wrong-before", "u99", None, BEFORE, cost=50.0)]
    load(store, "more", rows + wrong, form="decisions")
    scope = Scope("more", "e")
    got = adjusted(store, scope, assignment(store, scope), control="a", treatment="b")
    assert got["cost_usd"].effect.value == pytest.approx(plain["cost_usd"].effect.value)
    assert got["cost_usd"].users == 60


def test_without_a_history_nothing_is_adjusted(store):
    during = [entry for entry in history(4) if entry["arm"]]
    assert found(store, during) == {}
    # 6 of 60 users seen before are a tenth and enough, 5 are not.
    for seen in (5, 6):
        more = [request(f"b{n}", f"u{n}", None, BEFORE, cost=1.0 + n) for n in range(seen)]
        load(store, f"seen {seen}", during + more, form="decisions")
        scope = Scope(f"seen {seen}", "e")
        got = adjusted(store, scope, assignment(store, scope), control="a", treatment="b")
        assert set(got) == ({"cost_usd"} if seen == 6 else set())


def test_requests_or_rows_without_times_have_no_history(store):
    single = [request(f"r{n}", f"u{n}", "ab"[n % 2], DURING, cost=1.0 + n % 3) for n in range(20)]
    before = [request(f"b{n}", f"u{n}", None, BEFORE, cost=1.0 + n % 3) for n in range(20)]
    assert found(store, single + before) == {}  # each user has one request, which is what was assigned
    timeless = [{**entry, "ts": None} for entry in history(5)]
    load(store, "timeless", timeless, form="decisions")
    scope = Scope("timeless", "e")
    assert adjusted(store, scope, assignment(store, scope), control="a", treatment="b") == {}


def test_a_history_that_does_not_vary_changes_nothing(store):
    rows = [
        {**entry, "fast_correct": 1.0 if entry["arm"] is None else entry["fast_correct"]}
        for entry in history(6)
    ]
    got = found(store, rows)["accuracy"]
    expected = by_tea_tasting(rows, "accuracy")["plain"]
    assert got.effect.value == pytest.approx(expected.effect_size)
    assert got.variance_ratio == pytest.approx(1.0)


@pytest.mark.parametrize("now", [1.01, 1.0, 0.0])
def test_what_does_not_vary_now_is_not_adjusted(store, now):
    rows = [
        {**entry, "fast_cost_usd": now, "fast_correct": min(now, 1.0)} if entry["arm"] else entry
        for entry in history(7)
    ]
    assert set(found(store, rows)) == {"latency_s"}


def test_what_the_history_tells_exactly_is_not_adjusted(store):
    rows = history(9)
    seen = {entry["unit_id"] for entry in rows if entry["arm"] is None}
    rows = [
        {**entry, "fast_cost_usd": 0.1 + int(entry["unit_id"][1:]) % 7}
        for entry in rows
        if entry["unit_id"] in seen
    ]
    # Equally many requests of each user, or costs per request would tell what sums do not.
    kept = [entry for entry in rows if entry["request_id"].endswith(("before-0", "during-0", "during-1"))]
    assert set(found(store, kept)) == {"accuracy", "latency_s"}


def test_many_users_are_dealt_into_buckets(store, monkeypatch):
    rows = history(8, users=400)
    load(store, "d", rows, form="decisions")
    one = adjusted(store, E, assignment(store, E), control="a", treatment="b")["cost_usd"]
    monkeypatch.setattr(preperiod, "MOST_UNITS", 100)
    many = adjusted(store, E, assignment(store, E), control="a", treatment="b")["cost_usd"]
    assert (many.seen, many.users) == (one.seen, one.users)
    assert many.effect.value == pytest.approx(one.effect.value, abs=0.2 * one.effect.high)
    assert many.variance_ratio == pytest.approx(one.variance_ratio, abs=0.1)
