"""The tab "For a router" with a config of the user's: merged, compared, refused, rolled out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import data
from analytics.export.merge import merged
from analytics.export.rollout import rollout
from analytics.export.rollout_files import rollout_files
from analytics.export.targets import exported
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from dashboard import rollout_parts
from dashboard.archive import safe_name
from dashboard.router_config import Own

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PAIR = {"fast_model": "fast", "strong_model": "strong"}
TODAY = ThresholdPolicy(
    "cascade", Default("strong_only"), {"legal_reasoning": CategoryPolicy("cascade", 0.5, **PAIR)}
)
OWN = (
    "# ours\nmodel_list:\n  - model_name: fast  # cheap\n    litellm_params: {model: openai/x, api_key: k}\n"
)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("router") / "logs.duckdb"
    with Store.open(path) as store:
        intake.load(store, "sample", [data.sample_log()], Answers())
    return path


@pytest.fixture(scope="module", autouse=True)
def released() -> Iterator[None]:
    """The page keeps the database open; give it back for the tests that follow."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def app(stocked: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("TIERTUNE_DB", str(stocked))
    found = AppTest.from_file(str(APP), default_timeout=120)
    found.query_params["dataset"] = "sample"
    found.query_params["file"] = "For a router"
    return found.switch_page("views/export.py")


def shown(app: AppTest) -> str:
    assert not app.exception
    kinds = ("markdown", "caption", "text", "code", "error", "header", "subheader")
    texts = [element.value for kind in kinds for element in app.get(kind)]
    return "\n".join(str(text) for text in texts)


def given(app: AppTest, target: str, *files: tuple[str, str]) -> str:
    app.run()
    app.selectbox(key="target").set_value(target).run()
    loader = app.file_uploader(key=f"own-{target}")
    return shown(loader.set_value([(name, text.encode(), "text/plain") for name, text in files]).run())


def test_a_config_is_merged_and_compared(app: AppTest) -> None:
    fragment = exported(TODAY, "litellm-plugin")
    config = merged(OWN, "litellm-plugin", fragment).text
    module = ("tiertune_classifier.py", fragment.files["tiertune_classifier.py"])
    text = given(app, "litellm-plugin", ("config.yaml", config), module)
    assert "+  # tiertune: Goal: non-inferior" in text
    assert "threshold: 0.5" in text
    assert "What that changes" in text
    labels = {metric.label for metric in app.metric}
    assert {"Routed differently", "Cost saved", "p95 latency"} <= labels


def test_a_broken_config_is_refused_with_all_its_problems(app: AppTest) -> None:
    broken = "model_list: 3\na: &x 1\nb: *x\nc: 1\nc: 2\n"
    text = given(app, "litellm-plugin", ("config.yaml", broken))
    assert "This file is not valid. Nothing of it is used." in text
    assert "4 problems" in text
    assert "What that changes" not in text


def test_a_rollout_is_drawn_with_its_gates_and_follows_the_critical_categories(app: AppTest) -> None:
    config = json.dumps(json.loads(exported(TODAY, "flagd").files["flagd.json"]))
    app.session_state["rollout"] = True
    text = given(app, "flagd", ("flagd.json", config))
    assert "Every gate rules out" in text
    assert "# Rollout" in text
    assert "critical |" not in text
    after = shown(app.multiselect(key="critical").set_value(["legal_reasoning"]).run())
    assert "critical |" in after


def test_an_expiry_goes_into_every_file(app: AppTest) -> None:
    app.run()
    assert "Tune again by" not in shown(app)
    app.selectbox(key="expires").set_value("90d").run()
    assert "# Tune again by" in shown(app)


def test_the_table_of_a_rollout_has_a_row_per_step() -> None:
    policy = ThresholdPolicy(
        "cascade", Default("strong_only"), {"law": CategoryPolicy("cascade", 0.5, **PAIR)}
    )
    frame = rollout_parts.frame(rollout(policy))
    assert frame["share"].to_list() == [0.05, 0.25, 0.5, 1.0]
    # 2 points over the next share: 8, 4, 2.
    assert [text.replace("\u00a0", " ") for text in frame["loss"].to_list()] == [
        "8.0 points", "4.0 points", "2.0 points", rollout_parts.LAST,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("config.yaml", "config.yaml"),
        ("../../etc/x y.yaml", "x-y.yaml"),
        ("C:\\a\\b.json", "b.json"),
        ("..", "config"),
        ("", "config"),
    ],
)
def test_a_name_cannot_leave_its_folder(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_the_archive_of_a_rollout_has_the_users_config_at_every_step() -> None:
    found = rollout(TODAY)
    fragments, plan = rollout_files(found, TODAY, "litellm-plugin")
    own = Own("../my proxy.yaml", OWN.encode(), None)
    files = rollout_parts._files(fragments, plan, "litellm-plugin", own)
    assert sorted(name for name in files if name.startswith("step-1/")) == [
        "step-1/my-proxy.yaml", "step-1/tiertune_rollout.py",
    ]  # fmt: skip
    assert files["step-1/my-proxy.yaml"].startswith(OWN)
    assert files["rollout.md"] == plan
    assert len(files) == 1 + 2 * len(found.steps)
