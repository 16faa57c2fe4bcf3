"""Every page runs with no log, with the sample, and with a log that lacks any one of its optional columns."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import data
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

APP = Path(__file__).parent.parent / "dashboard" / "app.py"
PAGES = ("overview", "logs", "tiers", "confidence", "thresholds", "experiments", "export", "how_to_log")
WITHOUT = {
    "nothing": (),
    "grades": ("fast_correct", "strong_correct"),
    "costs": ("fast_cost_usd", "strong_cost_usd"),
    "confidence": ("confidence",),
    "times": ("ts",),
    "latency": ("fast_latency_s", "strong_latency_s"),
    "categories": ("task_category",),
    "strong outcomes": ("strong_correct", "strong_cost_usd", "strong_latency_s"),
}
SAMPLE = "sample"


def requests(number: int = 400) -> pl.DataFrame:
    """A replayed log with every optional column: both outcomes on every row, seeded."""
    chance = random.Random(20261123)  # noqa: S311 - a simulated log
    rows = []
    for place in range(number):
        confidence = round(chance.random(), 2)
        rows.append(
            {
                "request_id": f"q{place}",
                "ts": f"2026-10-{1 + place % 28:02d}T12:00:00Z",
                "task_category": ("billing", "refunds")[place % 2],
                "fast_model": "swift",
                "strong_model": "deep",
                "confidence": confidence,
                "fast_correct": int(chance.random() < 0.3 + 0.6 * confidence),
                "strong_correct": int(chance.random() < 0.9),
                "fast_cost_usd": 0.0002 * (1 + chance.random()),
                "strong_cost_usd": 0.004 * (1 + chance.random()),
                "fast_latency_s": 0.4 + chance.random(),
                "strong_latency_s": 6 + chance.random(),
            }
        )
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the sample and one dataset per missing group of columns."""
    folder = tmp_path_factory.mktemp("pages")
    with Store.open(folder / "stocked.duckdb") as store:
        intake.load(store, SAMPLE, [data.sample_log()], Answers(), badge="Sample log (simulated)")
        for name, columns in WITHOUT.items():
            path = folder / f"{name}.csv"
            requests().drop(columns).write_csv(path)
            intake.load(store, f"without {name}", [path], Answers())
    return folder / "stocked.duckdb"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages") / "empty.duckdb"


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The database that the pages open, as the server's environment names it."""
    path: Path = request.getfixturevalue(request.param)
    before = os.environ.get("TIERTUNE_DB")
    os.environ["TIERTUNE_DB"] = str(path)
    yield path
    if before is None:
        del os.environ["TIERTUNE_DB"]
    else:
        os.environ["TIERTUNE_DB"] = before


@pytest.fixture(scope="module", autouse=True)
def released() -> Iterator[None]:
    """The pages keep the database open; give it back for the tests that follow."""
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


def shown(page: str, **query: str) -> AppTest:
    """The page after one run with these words in its address."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    return app.switch_page(f"views/{page}.py").run()


def broken(app: AppTest) -> list[str]:
    """What went wrong on a page."""
    return [f"{item.value} {item.stack_trace}" for item in app.exception]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database", ["empty"], indirect=True)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_any_log_explains_itself(page: str) -> None:
    app = shown(page)
    assert broken(app) == []
    assert app.title
    assert not app.metric


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database", ["stocked"], indirect=True)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_the_sample_with_its_badge(page: str) -> None:
    app = shown(page, dataset=SAMPLE)
    assert broken(app) == []
    assert app.title
    badges = [item.value.replace("\\", "") for item in app.sidebar.markdown]
    assert any("Sample log (simulated)" in badge for badge in badges)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database", ["stocked"], indirect=True)
@pytest.mark.parametrize("lacking", WITHOUT)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_a_log_without(page: str, lacking: str) -> None:
    app = shown(page, dataset=f"without {lacking}")
    assert broken(app) == []
    assert app.title


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database", ["stocked"], indirect=True)
def test_a_log_without_confidence_is_told_what_to_log() -> None:
    app = shown("thresholds", dataset="without confidence")
    kinds = ("markdown", "info", "warning", "caption")
    said = " ".join(item.value for kind in kinds for item in app.get(kind))
    assert "confidence" in said
    assert not app.exception
