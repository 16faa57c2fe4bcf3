"""The tab that compares a log since a change: what it says with and without a file, of hostile names too."""

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analytics import policy_file
from analytics.estimate import Estimate
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from dashboard.charts import since as charts

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
HOSTILE = "<b>law</b> $x$ [a](http://x.test)"


def policy(share: float) -> ThresholdPolicy:
    """Keep from .5 up; a share is expected to be escalated."""
    figure = Estimate(share, share - 0.02, share + 0.02, 2000, "stated")
    return ThresholdPolicy(
        "cascade", Default("strong_only"), {HOSTILE: CategoryPolicy("cascade", 0.5, escalation_rate=figure)}
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """1,000 requests without grades in ten days, 400 of them escalated, 20 of these against the policy."""
    folder = tmp_path_factory.mktemp("since")
    rows = pl.DataFrame(
        {
            "request_id": [f"r{place}" for place in range(1000)],
            "ts": [f"2026-11-{1 + place // 100:02d}T12:00:00Z" for place in range(1000)],
            "task_category": HOSTILE, "fast_model": "small", "strong_model": "big",
            "confidence": [0.4 if place % 10 < 4 and place >= 50 else 0.6 for place in range(1000)],
            "escalated": [place % 10 < 4 for place in range(1000)],
        }
    )  # fmt: skip
    rows.write_csv(folder / "log.csv")
    with Store.open(folder / "since.duckdb") as store:
        intake.load(store, "log", [folder / "log.csv"], Answers())
    before = os.environ.get("TIERTUNE_DB")
    os.environ["TIERTUNE_DB"] = str(folder / "since.duckdb")
    st.cache_resource.clear()
    yield folder
    st.cache_resource.clear()
    if before is None:
        del os.environ["TIERTUNE_DB"]
    else:
        os.environ["TIERTUNE_DB"] = before


def shown(file: ThresholdPolicy | None) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["dataset"] = "log"
    if file is not None:
        app.session_state["_handed_out"] = {"before": policy_file.dumps(file)}
    app.switch_page("views/export.py").run()
    if file is not None:
        app.selectbox(key="since-file").select("before").run()
    assert not app.exception
    return app


@pytest.mark.usefixtures("database")
def test_without_a_file_the_tab_says_what_it_would_show() -> None:
    said = " ".join(item.value for item in shown(None).caption)
    assert "what the file led to expect" in said


@pytest.mark.usefixtures("database")
def test_a_log_is_compared_although_nothing_can_be_tuned_on_it() -> None:
    app = shown(policy(0.4))
    # 20 of 1,000 decisions are another's: an alarm, though the share escalated is as expected.
    (said,) = [item.value.replace("\\", "") for item in app.warning if "since the change" in item.value]
    assert "20 of 1,000 decisions (2.0%) are not the policy" in said
    assert "<b>" not in said
    tables = [item.value for item in app.dataframe]
    whole = next(table for table in tables if "reading" in table)
    assert [entry[0] for entry in whole["reading"]][:3] == ["Within chance", "Not compared", "Not compared"]
    reasons = next(table for table in tables if "why" in table and "n" in table)
    assert reasons["n"].to_list() == [20]


@pytest.mark.usefixtures("database")
def test_a_share_that_departs_is_named() -> None:
    warnings = " ".join(item.value.replace("\\", "") for item in shown(policy(0.3)).warning)
    assert "Escalated: 40.0%, where 30.0% was expected at this log's mix of categories" in warnings


def test_the_picture_counts_the_periods_outside_the_band() -> None:
    rows = pl.DataFrame(
        {
            "period": [None, None], "n": [100, 100], "expected": [0.3, 0.3],
            "actual": [0.3, 0.5], "actual_low": [0.2, 0.4], "actual_high": [0.4, 0.6],
            "expected_low": [0.2, 0.2], "expected_high": [0.4, 0.4],
        }
    )  # fmt: skip
    assert "1 of 2 periods lie outside" in charts.described(rows, "escalation_rate")
