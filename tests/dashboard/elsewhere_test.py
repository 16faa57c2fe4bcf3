"""Every page of a log whose rows are elsewhere: a folder, a folder that was changed, a cells file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analytics.collapse import folder, local
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from tests.collapse.wide_logs import wide_log, written

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PAGES = ("overview", "logs", "tiers", "confidence", "thresholds", "experiments", "export")
DATASETS = ("folder", "changed", "cells")


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a log of each kind."""
    root = tmp_path_factory.mktemp("elsewhere")
    frame = wide_log(900).drop("threshold", "sampling_probability")
    with Store.open(root / "logs.duckdb") as store:
        for name in ("folder", "changed"):
            written(frame, root / name / "a.parquet")
            folder.opened(store, name, root / name, Answers())
        intake.load(store, "rows", [root / "folder" / "a.parquet"], Answers())
        local.write(local.collapsed(store, "rows"), root / "cells.parquet")
        intake.load(store, "cells", [root / "cells.parquet"], Answers())
    written(frame[:800], root / "changed" / "a.parquet")
    return root / "logs.duckdb"


@pytest.fixture
def app(stocked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("TIERTUNE_DB", str(stocked))
    yield AppTest.from_file(str(APP), default_timeout=120)
    st.cache_resource.clear()


def shown(app: AppTest, page: str, dataset: str) -> AppTest:
    app.query_params["dataset"] = dataset
    app.run()
    if page != "overview":
        app.switch_page(f"views/{page}.py").run()
    assert [item.value for item in app.exception] == []
    return app


def texts(app: AppTest) -> str:
    return " ".join(
        str(item.value) for kind in ("markdown", "caption", "warning") for item in getattr(app, kind)
    )


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("dataset", DATASETS)
def test_pages_are_drawn(app: AppTest, page: str, dataset: str) -> None:
    shown(app, page, dataset)
    assert app.title or app.markdown


@pytest.mark.parametrize(("dataset", "reached"), [("folder", True), ("changed", False), ("cells", False)])
def test_dates_are_offered_where_rows_can_be_reached(app: AppTest, dataset: str, *, reached: bool) -> None:
    shown(app, "overview", dataset)
    assert bool(app.sidebar.date_input) == reached
    assert ("No dates to choose" in texts(app)) == (not reached)


@pytest.mark.parametrize(
    ("dataset", "said"), [("folder", "The rows stay in the folder"), ("cells", "loaded from cells files")]
)
def test_the_logs_page_says_where_rows_are(app: AppTest, dataset: str, said: str) -> None:
    assert said in texts(shown(app, "logs", dataset))


def test_a_changed_folder_is_read_again_by_its_button(app: AppTest, stocked: Path) -> None:
    assert "is not as it was" in texts(shown(app, "logs", "changed"))
    app.button(key="refresh-changed").click().run()
    assert [item.value for item in app.exception] == []
    assert "is not as it was" not in texts(app)
    assert "800 requests" in texts(app)
    assert stocked.exists()


@pytest.mark.parametrize(("dataset", "sums"), [("folder", False), ("cells", True)])
def test_experiments_are_compared(app: AppTest, dataset: str, *, sums: bool) -> None:
    said = texts(shown(app, "experiments", dataset))
    assert ("The slow end of latencies" in said) == sums
    app.query_params["shown"] = "Over time"
    said = texts(shown(app, "experiments", dataset))
    assert ("the effect over time needs each user" in said) == sums


def test_what_needs_rows_is_explained(app: AppTest) -> None:
    app.query_params["shown"] = "Next test"
    assert "only sums of this log" in texts(shown(app, "experiments", "cells"))


@pytest.mark.parametrize(("dataset", "in_steps"), [("folder", False), ("cells", True)])
def test_the_confidence_over_time_is_shown(app: AppTest, dataset: str, *, in_steps: bool) -> None:
    app.query_params["picture"] = "Over time"
    said = texts(shown(app, "confidence", dataset))
    assert "in distribution (PSI" in said
    assert ("within one step of 1/128" in said) == in_steps
