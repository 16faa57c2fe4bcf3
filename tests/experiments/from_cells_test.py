"""Experiments from cells alone: what the rows of the same log say, and tea-tasting of users in a frame."""

import itertools
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
import tea_tasting as tt
from polars.testing import assert_frame_equal
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from stores import call, load
from trials import row, same, served

from analytics.collapse import local
from analytics.errors import NotIdentifiedError
from analytics.experiments.changes import model_rows, period_rows
from analytics.experiments.comparison import METRICS, comparison, reading
from analytics.experiments.from_cells import sums
from analytics.experiments.outcomes import Scope, arms
from analytics.experiments.study import study
from analytics.experiments.validity import _mix_sums
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.schema import LATER_CELLS

START = datetime(2026, 5, 4)  # noqa: DTZ001 - naive UTC, as stored


def rows_of(seed, *, size=1200, by="unit", shared=0, first=0):
    """Requests of two arms and some of none, with gaps, assigned by user or one by one."""
    draw = np.random.default_rng(seed)

    def maybe(value, missing=0.1):
        return None if draw.random() < missing else value

    rows = []
    for place in range(first, first + size):
        user = int(draw.integers(90))
        arm = ("control", "new")[user % 2 if by == "unit" and user >= shared else int(draw.integers(2))]
        rows.append(
            row(
                place, None if draw.random() < 0.05 else arm,
                task_category=["law", "maths", None][draw.integers(3)],
                policy_kind=[None, "cascade", "predictive"][draw.integers(3)],
                ts=maybe(START + timedelta(hours=float(draw.random() * 24 * 12)), 0.02),
                escalated=maybe(bool(draw.random() < 0.4)), confidence=maybe(round(float(draw.random()), 2)),
                fast_correct=maybe(float(draw.random() < 0.7)), strong_correct=maybe(round(draw.random(), 1)),
                fast_cost_usd=maybe(draw.lognormal(-5)), strong_cost_usd=maybe(draw.lognormal(-3)),
                fast_latency_s=maybe(draw.gamma(2)), strong_latency_s=maybe(draw.gamma(4)),
                router_cost_usd=maybe(0.001, 0.5),
                unit_id=maybe(f"u{first}-{user}", 0.05 if by == "unit" else 0.3),
            )
        )  # fmt: skip
    return rows


def calls_of(seed, requests=500):
    draw = np.random.default_rng(seed)
    rows = []
    for place in range(requests):
        user = int(draw.integers(60))
        more = {
            "experiment": "e", "arm": ("control", "new")[user % 2], "unit_id": f"u{user}",
            "task_category": ("law", "maths")[place % 2],
        }  # fmt: skip
        rows += [
                call(
                    f"r{place}", ("mini", "big")[min(index, 1)], call_index=index,
                    ts=START + timedelta(minutes=place), tier=("small", "frontier")[min(index, 1)],
                    correct=None if draw.random() < 0.2 else float(draw.random() < 0.7),
                    served=[None, True, False][draw.integers(3)], shadow=[None, None, True][draw.integers(3)],
                    status=[None, "success", "error"][draw.integers(3)],
                    cost_usd=None if draw.random() < 0.05 else draw.lognormal(-4),
                    latency_s=None if draw.random() < 0.05 else draw.gamma(2), **more,
                )
                for index in range(int(draw.integers(1, 4)))
            ]  # fmt: skip
    return rows


def collapsed(store, dataset, path):
    """A cells file of a dataset, loaded as ``cells``."""
    local.write(local.collapsed(store, dataset), path)
    intake.load(store, "cells", [path], Answers())
    return path


def close(found, expected):
    """Equal but for rounding, or both unknown."""
    if found is None or expected is None:
        return found is expected
    return found == pytest.approx(expected, rel=1e-9, abs=1e-12)


LOGS = {
    "users": lambda: (rows_of(1), "decisions"),
    "users, some in both arms": lambda: (rows_of(2, shared=6), "decisions"),
    "requests": lambda: (rows_of(3, by="request"), "decisions"),
    "nobody returns": lambda: (
        [entry | {"unit_id": None} for entry in rows_of(4, by="request")],
        "decisions",
    ),
    "calls": lambda: (calls_of(5), "calls"),
}
ROWS, CELLS = Scope("rows", "e"), Scope("cells", "e")


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("kind", list(LOGS))
def test_arms_are_those_of_the_rows(store, tmp_path, kind, ending):
    given, form = LOGS[kind]()
    load(store, "rows", given, form=form)
    collapsed(store, "rows", tmp_path / f"cells.{ending}")
    ours, theirs = reading(store, ROWS), reading(store, CELLS)
    seen = arms(store, "cells")
    # In a log of calls, requests with shadow calls only have an arm as well; they are no outcomes.
    columns = ["experiment", "arm"] if form == "calls" else seen.columns
    assert seen.select(columns).rows() == arms(store, "rows").select(columns).rows()
    for name in ("unit", "assigned", "requests", "shared", "shared_requests", "first", "last"):
        assert getattr(theirs.assigned, name) == getattr(ours.assigned, name), name
    assert theirs.moments.keys() == ours.moments.keys()
    for key, expected in ours.moments.items():
        same(theirs.moments[key], expected)
    assert theirs.validity.srm_p_value == ours.validity.srm_p_value
    told = sums(store, CELLS)
    for expected, found in zip(
        _mix_sums(store, ROWS, ours.assigned), told.mix(ours.assigned.unit), strict=True
    ):
        assert_frame_equal(
            expected, found.select(expected.columns), check_row_order=False, check_dtypes=False, rel_tol=1e-12
        )
    names = ["arm", "fast_model", "strong_model", "n", "units", "first", "last"]
    expected = model_rows(store, ROWS).select(names)
    assert_frame_equal(expected, told.models().select(names), check_row_order=False)
    for expected, found in zip(period_rows(store, ROWS), told.periods(), strict=True):
        assert found[:3] == expected[:3]
        assert found[3] == pytest.approx(expected[3], abs=0.05)


@pytest.mark.parametrize("kind", list(LOGS))
def test_effects_are_those_of_all_requests_by_the_rows(store, tmp_path, kind):
    given, form = LOGS[kind]()
    load(store, "rows", given, form=form)
    collapsed(store, "rows", tmp_path / "cells.parquet")
    ours = comparison(
        store, reading(store, ROWS), control="control", treatment="new", value_usd=0.1, routes=False
    )
    theirs = comparison(store, reading(store, CELLS), control="control", treatment="new", value_usd=0.1)
    assert theirs.by_category.keys() == ours.by_category.keys()
    for before, after in ((ours.effects, theirs.effects), *zip(
        ours.by_category.values(), theirs.by_category.values(), strict=True
    )):  # fmt: skip
        for metric in (*(name for name in METRICS if name != "latency_p95_s"), "net_usd"):
            expected, found = before[metric], after[metric]
            assert found.reason == expected.reason
            assert close(found.p_value, expected.p_value)
            for name in ("control", "treatment", "effect", "relative"):
                one, two = getattr(expected, name), getattr(found, name)
                assert (two.n, two.method) == (one.n, one.method)
                for end in ("value", "low", "high"):
                    assert close(getattr(two, end), getattr(one, end))
        p95 = after["latency_p95_s"]
        assert p95.effect.value is None
        assert p95.control.value is None
        assert "single requests" in p95.reason
    assert theirs.ranks is None
    assert theirs.before == {}


def test_cost_of_users_is_tea_tastings(store, tmp_path):
    given = [entry | {"unit_id": entry["unit_id"] or entry["request_id"]} for entry in rows_of(7, shared=0)]
    load(store, "rows", given, form="decisions")
    collapsed(store, "rows", tmp_path / "cells.parquet")
    found = comparison(store, reading(store, CELLS), control="control", treatment="new")
    told = [(entry["arm"], entry["unit_id"], served(entry)["cost"]) for entry in given if entry["arm"]]
    frame = pd.DataFrame(told, columns=["arm", "unit", "cost"]).dropna()
    users = frame.groupby(["arm", "unit"])["cost"].agg(["sum", "count"]).reset_index()
    users["variant"] = (users["arm"] == "new").astype(int)
    result = tt.Experiment(cost=tt.RatioOfMeans("sum", "count", use_t=True, equal_var=False)).analyze(
        users, control=0
    )["cost"]
    effect = found.effects["cost_usd"]
    assert effect.p_value == pytest.approx(result.pvalue, rel=1e-9)
    assert effect.effect.value == pytest.approx(result.effect_size, rel=1e-9)
    assert effect.effect.low == pytest.approx(result.effect_size_ci_lower, rel=1e-9)
    assert effect.relative.high == pytest.approx(result.rel_effect_size_ci_upper, rel=1e-9)


def test_requests_and_the_sample_ratio_are_statsmodels_and_scipys(store, tmp_path):
    # Grades of 0 and 1, requests that were assigned one by one: 380 and 420, 300 and 310 of them right.
    rows = [
        row(f"{arm}{place}", arm, escalated=False, fast_correct=float(place < right))
        for arm, n, right in (("control", 380, 300), ("new", 420, 310))
        for place in range(n)
    ]
    load(store, "rows", rows, form="decisions")
    collapsed(store, "rows", tmp_path / "cells.parquet")
    read = reading(store, CELLS)
    assert read.validity.srm_p_value == pytest.approx(stats.chisquare([380, 420]).pvalue)
    found = comparison(store, read, treatment="new").effects["accuracy"]
    assert found.effect.value == pytest.approx(310 / 420 - 300 / 380)
    assert (found.treatment.low, found.treatment.high) == pytest.approx(
        proportion_confint(310, 420, method="wilson")
    )


def test_sources_without_common_users_add_up(store, tmp_path):
    parts = [rows_of(seed, first=seed * 10_000, shared=4) for seed in (11, 12)]
    for place, part in enumerate(parts):
        load(store, f"part{place}", part, form="decisions")
        collapsed(store, f"part{place}", tmp_path / f"{place}.parquet")
    load(store, "rows", list(itertools.chain(*parts)), form="decisions")
    ours, theirs = reading(store, ROWS), reading(store, CELLS)
    assert theirs.assigned.assigned == ours.assigned.assigned
    assert theirs.assigned.shared == ours.assigned.shared > 0
    for key, expected in ours.moments.items():
        same(theirs.moments[key], expected)


def test_a_study_says_what_the_log_is_needed_for(store, tmp_path):
    load(store, "rows", rows_of(8), form="decisions")
    collapsed(store, "rows", tmp_path / "cells.parquet")
    found = study(store, CELLS)
    assert "sums" in [item.kind for item in found.reading.validity.findings]
    assert found.looks == {}
    assert found.answer.accuracy.low is not None
    with pytest.raises(NotIdentifiedError, match="requests in their order"):
        study(store, CELLS, read="any-time")


@pytest.mark.parametrize(
    "some", [{"categories": ("law",)}, {"fast": "other"}, {"strong": "other"}, {"since": START}]
)
def test_a_part_of_an_experiment_needs_the_log(store, tmp_path, some):
    load(store, "rows", rows_of(8, size=300), form="decisions")
    collapsed(store, "rows", tmp_path / "cells.parquet")
    with pytest.raises(NotIdentifiedError, match="Take the filters away"):
        reading(store, Scope("cells", "e", **some))
    whole = ("law", "maths", "Uncategorised")
    assert reading(store, Scope("cells", "e", categories=whole, fast="small")).assigned.units


def test_what_cannot_be_compared_is_said_as_of_rows(store, tmp_path):
    load(store, "rows", rows_of(8, size=300), form="decisions")
    collapsed(store, "rows", tmp_path / "cells.parquet")
    with pytest.raises(NotIdentifiedError, match="There is no experiment other"):
        reading(store, Scope("cells", "other"))
    store.delete("cells")
    load(store, "none", [row(n, None) for n in range(30)], form="decisions")
    collapsed(store, "none", tmp_path / "none.parquet")
    assert arms(store, "cells").is_empty()
    with pytest.raises(NotIdentifiedError, match="no experiment"):
        reading(store, CELLS)


def test_a_file_of_the_first_version_says_nothing_of_experiments(store, tmp_path):
    load(store, "rows", rows_of(8, size=300), form="decisions")
    path = tmp_path / "cells.parquet"
    early = local.collapsed(store, "rows").drop(LATER_CELLS)
    kept = ~pl.col("part").str.starts_with("arm") & (pl.col("part") != "confidence_days")
    local.write(early.filter(kept), path)
    intake.load(store, "cells", [path], Answers())
    for asked in (lambda: arms(store, "cells"), lambda: reading(store, CELLS)):
        with pytest.raises(NotIdentifiedError, match="Make the cells file again"):
            asked()
    # Nor do those of several files of which one is early, nor cells made of these again.
    load(store, "more", rows_of(9, size=300, first=5000), form="decisions")
    collapsed(store, "more", tmp_path / "more.parquet")
    with pytest.raises(NotIdentifiedError, match="some of its files"):
        arms(store, "cells")
    assert not local.collapsed(store, "cells")["part"].str.starts_with("arm").any()


def test_requests_in_several_pairs_are_refused(store, tmp_path):
    rows = rows_of(8, size=200)
    twice = [entry | {"strong_model": "other"} for entry in rows]
    load(store, "rows", [*rows, *twice], form="decisions")
    collapsed(store, "rows", tmp_path / "cells.parquet")
    with pytest.raises(NotIdentifiedError, match="several model pairs"):
        reading(store, CELLS)
