"""What speaks against reading an experiment: sizes, mix of work, grades, models and prices that differ."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from scipy import stats
from stores import call, load
from trials import row

from analytics.errors import NotIdentifiedError
from analytics.experiments.comparison import comparison, reading
from analytics.experiments.outcomes import Scope
from analytics.experiments.validity import shares, srm_p_value

E = Scope("d", "e")
START = datetime(2026, 3, 1)  # noqa: DTZ001 - a log's own UTC


def read(store, rows, *, form="decisions", **more):
    load(store, "d", rows, form=form)
    return reading(store, E, **more)


def kinds(found):
    return [item.kind for item in found.validity.findings]


def clean(size=2000, seed=1, **more):
    """An A/A log: two arms by a fair coin, four categories, exact prices, times over 20 days."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(size):
        tokens_in, tokens_out = (int(count) for count in draw.integers(50, 2000, 2))
        rows.append(
            row(
                n, "ab"[draw.integers(2)], ts=START + timedelta(days=20 * n / size),
                task_category=str(draw.choice(["law", "maths", "code", "chat"], p=[0.4, 0.3, 0.2, 0.1])),
                confidence=float(draw.random()), escalated=False,
                fast_correct=float(draw.random() < 0.8) if draw.random() < 0.9 else None,
                fast_input_tokens=tokens_in, fast_output_tokens=tokens_out,
                fast_cost_usd=0.25e-6 * tokens_in + 2e-6 * tokens_out, fast_latency_s=float(draw.random()),
                **more,
            )
        )  # fmt: skip
    return rows


def test_nothing_is_found_on_a_clean_log(store):
    found = read(store, clean())
    assert found.validity.findings == ()
    assert found.validity.readable
    counts = [*found.assigned.assigned.values()]
    assert found.validity.srm_p_value == pytest.approx(stats.chisquare(counts).pvalue)


def test_nothing_is_found_on_small_clean_logs_whose_categories_have_models_of_their_own(store):
    draw = np.random.default_rng(2)
    for size in (60, 200):
        rows = []
        for n in range(size):
            kind = int(draw.choice(5, p=[0.6, 0.2, 0.1, 0.06, 0.04]))
            rows.append(
                row(n, "ab"[draw.integers(2)], task_category=f"c{kind}", fast_model=f"m{kind}",
                    ts=START + timedelta(days=30 * float(draw.random())))
            )  # fmt: skip
        load(store, f"of {size}", rows, form="decisions")
        assert reading(store, Scope(f"of {size}", "e")).validity.findings == ()


@pytest.mark.parametrize("counts", [(10, 10), (500, 400), (9_000, 9_300, 9_100), (1, 30)])
def test_the_sample_ratio_is_tested_as_scipy_does(counts):
    arms = dict(zip("abc", counts, strict=False))
    assert srm_p_value(arms, shares(list(arms), None)) == pytest.approx(stats.chisquare(counts).pvalue)
    split = dict(zip("abc", (2, 1, 1), strict=False))
    wanted = np.array([split[arm] for arm in arms])
    expected = stats.chisquare(counts, wanted / wanted.sum() * sum(counts)).pvalue
    assert srm_p_value(arms, shares(list(arms), {arm: split[arm] for arm in arms})) == pytest.approx(expected)


def sized(a, b):
    return [row(n, "a" if n < a else "b") for n in range(a + b)]


@pytest.mark.parametrize(
    ("a", "b", "blocked"), [(1000, 1000, False), (1000, 1160, False), (1000, 1170, True)]
)
def test_effects_are_blocked_below_a_p_value_of_one_in_two_thousand(store, a, b, blocked):
    # (b - a)^2 / (a + b): 25600 / 2160 = 11.85, p = .00058; 28900 / 2170 = 13.32, p = .00026.
    found = read(store, sized(a, b))
    assert (found.validity.srm_p_value < 0.0005) is blocked
    assert found.validity.readable is not blocked
    if blocked:
        with pytest.raises(
            NotIdentifiedError, match=r"not of the planned size\. a, b: 1,000 to 1,170 requests"
        ):
            comparison(store, found, treatment="b")


def test_a_planned_split_is_no_mismatch(store):
    found = read(store, sized(1800, 200), split={"a": 9, "b": 1})
    assert found.validity.planned == pytest.approx({"a": 0.9, "b": 0.1})
    assert (found.validity.srm_p_value, found.validity.readable) == (pytest.approx(1.0), True)
    assert not reading(store, E).validity.readable
    for wrong in (
        {"a": 1},
        {"a": 1, "b": 0},
        {"a": 1, "b": -1},
        {"a": 1, "b": float("inf")},
        {"a": 1, "c": 1},
    ):
        with pytest.raises(ValueError, match="one positive number for each arm: a, b"):
            reading(store, E, split=wrong)


def test_users_and_not_requests_are_counted_against_the_split(store):
    # 20 users in each arm, those of b with three times the requests.
    rows = [
        row(f"{user}-{n}", "ab"[user % 2], unit_id=f"u{user}")
        for user in range(40)
        for n in range(6 if user % 2 else 2)
    ]
    found = read(store, rows)
    assert found.assigned.assigned == {"a": 20, "b": 20}
    assert found.validity.srm_p_value == pytest.approx(1.0)


def mixed(first, second, each=400):
    """``each`` requests per arm, of which so many are of category law."""
    return [
        row(f"{arm}{n}", arm, task_category="law" if n < law else "maths")
        for arm, law in (("a", first), ("b", second))
        for n in range(each)
    ]


@pytest.mark.parametrize(
    ("first", "second", "found"), [(200, 200, False), (200, 230, False), (200, 260, True)]
)
def test_a_different_mix_of_work_is_said(store, first, second, found):
    # Two categories, Holm: 2 x p. 230: z = .075 / sqrt((.25 + .2444) / 400) = 2.13; 260: 4.29, p = 1.8e-5.
    body = [item.body for item in read(store, mixed(first, second)).validity.findings if item.kind == "mix"]
    assert bool(body) is found
    if found:
        z = 0.15 / np.sqrt((0.25 + 0.65 * 0.35) / 400)
        assert f"50.0% of the requests of a and 65.0% of those of b (p {4 * stats.norm.sf(z):.1g})" in body[0]


def test_arms_without_a_common_category_have_a_different_mix(store):
    assert kinds(read(store, mixed(50, 0, each=50))) == ["mix"]
    load(store, "two", mixed(2, 0, each=2), form="decisions")
    # Two requests each tell nothing: half of all ways to deal four requests out are no less different.
    assert reading(store, Scope("two", "e")).validity.findings == ()


def test_a_difference_below_a_point_does_not_hide_a_larger_one(store):
    # law 0 against 0.9% of 4,000 (z = 6.0), chat 2.2% against 1.0% (z = 4.3), maths 97.8% against 98.1%.
    counts = {"a": (0, 88), "b": (36, 40)}
    rows = [
        row(f"{arm}{n}", arm, task_category="law" if n < law else "chat" if n < law + chat else "maths")
        for arm, (law, chat) in counts.items()
        for n in range(4000)
    ]
    (finding,) = read(store, rows).validity.findings
    assert finding.body.startswith("chat is 2.2% of the requests of a and 1.0%")


def test_the_mix_of_a_few_busy_users_is_no_finding(store):
    # One user of a has 300 requests of law; by requests the mix differs wildly, by users it does not.
    rows = [
        row(f"{user}-{n}", "ab"[user % 2], unit_id=f"u{user}", task_category=["maths", "law"][user // 2 % 2])
        for user in range(80)
        for n in range(300 if user == 2 else 2)
    ]
    assert kinds(read(store, rows)) == []


def test_arms_that_are_not_graded_alike_are_said(store):
    rows = [
        row(n, "ab"[n % 2], escalated=False, fast_correct=None if n % 2 and n % 5 == 0 else 1.0)
        for n in range(1000)
    ]
    (finding,) = read(store, rows).validity.findings
    assert finding.kind == "grades"
    assert finding.body.startswith("100.0% of the answers of a are graded and 80.0% of those of b.")
    assert not finding.blocks


def paired(n, arm, model):
    return row(n, arm, fast_model=model, ts=START + timedelta(hours=n))


def test_a_model_that_one_arm_alone_uses_is_said(store):
    rows = [paired(n, "ab"[n % 2], "new" if n % 2 and n % 3 == 0 else "old") for n in range(300)]
    (finding,) = read(store, rows).validity.findings
    assert finding.title == "The arms do not use the same models"
    assert finding.body.startswith("new > big is not in every arm.")


def test_a_model_that_comes_in_the_middle_is_said(store):
    rows = [paired(n, "ab"[n // 2 % 2], "old" if n < 150 else "new") for n in range(300)]
    (finding,) = read(store, rows).validity.findings
    assert finding.title == "The models changed in the middle"
    # 150 hours from 1 March are 6 days and 6 hours.
    assert finding.body.startswith("new > big was used from 7 Mar 2026 to 13 Mar 2026 only")


def priced(day_of_change, *, before, after, model="small"):
    draw = np.random.default_rng(4)
    rows = []
    for n in range(400):
        day = n * 10 // 400
        tokens_in, tokens_out = (int(count) for count in draw.integers(50, 4000, 2))
        one, other = after if day >= day_of_change else before
        rows.append(
            row(n, "ab"[n % 2], ts=START + timedelta(days=day, minutes=n), fast_model=model, escalated=False,
                fast_input_tokens=tokens_in, fast_output_tokens=tokens_out,
                fast_cost_usd=(one * tokens_in + other * tokens_out) / 1e6)
        )  # fmt: skip
    return rows


def test_a_price_change_is_found_with_both_prices(store):
    (finding,) = read(store, priced(6, before=(0.25, 2.0), after=(0.3, 2.5))).validity.findings
    assert (finding.kind, finding.blocks) == ("prices", False)
    expected = (
        "From 7 Mar 2026 a million input and output tokens of small cost $0.30 and $2.50 instead of "
        "$0.25 and $2.00."
    )
    assert finding.body.startswith(expected)


@pytest.mark.parametrize("after", [(0.25, 2.0), (0.251, 2.008)])
def test_prices_that_stay_or_change_by_less_than_a_hundredth_are_no_finding(store, after):
    assert kinds(read(store, priced(6, before=(0.25, 2.0), after=after))) == []


def test_costs_that_no_two_prices_explain_are_no_price_change(store):
    rows = priced(6, before=(0.25, 2.0), after=(0.3, 2.5))
    for n, entry in enumerate(rows):
        entry["fast_cost_usd"] *= 1 + 0.1 * (n % 3)  # a cache, say
    assert kinds(read(store, rows)) == []


def test_a_price_change_is_found_in_calls(store):
    rows = [
        call(entry["request_id"], "mini", tier="small", arm=entry["arm"], experiment="e", ts=entry["ts"],
             input_tokens=entry["fast_input_tokens"], output_tokens=entry["fast_output_tokens"],
             cost_usd=entry["fast_cost_usd"], call_index=0)
        for entry in priced(3, before=(1.0, 4.0), after=(2.0, 4.0))
    ]  # fmt: skip
    strong = [{**rows[0], "model": "big", "call_index": 1, "tier": "frontier", "cost_usd": 1.0}]
    found = read(store, [*rows, *strong], form="calls")
    assert [item.kind for item in found.validity.findings] == ["prices"]
    assert "of mini cost $2.00 and $4.00 instead of $1.00 and $4.00" in found.validity.findings[0].body


def test_blocking_findings_come_first(store):
    rows = [*mixed(300, 100), *(row(f"more{n}", "b", task_category="maths") for n in range(400))]
    found = read(store, rows)
    assert kinds(found) == ["ratio", "mix"]
    assert [item.blocks for item in found.validity.findings] == [True, False]
