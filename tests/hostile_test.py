"""Names from a log that attack the page: on every page they are text and nothing else."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_log
import pytest
import streamlit as st
from google.protobuf.json_format import MessageToDict
from hostile_texts import TEXTS
from streamlit.testing.v1 import AppTest

from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from dashboard import words

APP = Path(__file__).parent.parent / "dashboard" / "app.py"
PAGES = ("overview", "logs", "tiers", "confidence", "thresholds", "export", "how_to_log")
NAMES = (
    *(text.replace("\x00", " ") for text in TEXTS),
    *(hostile_log.PAIRS, hostile_log.CALLS, hostile_log.FILE, hostile_log.BADGE),
    *(hostile_log.FAST, hostile_log.STRONG, hostile_log.OTHER, hostile_log.COLUMN),
    *hostile_log.GRADERS,
)
IN_MARKDOWN, IN_FIGURES = "<[$:`*#|@", ("<", "&", "$", "%{")
"""Signs that markdown and Plotly read something into; a name without any is harmless as it is."""
PLAIN = {
    *("id", "elementId", "formId", "alt", "key", "rawValues", "rawValue", "setValue", "queryParamKey"),
    *("data", "arrowData", "columns", "userKey", "hash", "url", "deferredFileId"),
}
"""Fields that the browser shows as text, or not at all."""
PLAIN_ELEMENTS = {"code", "text", "text_input"}
PLAIN_OPTIONS = {"selectbox", "multiselect"}
ADDRESS = (
    "category",
    "pair",
    "arm",
    "missing",
    "dates",
    "show",
    "goal",
    "margin",
    "p95",
    "t",
    "view",
    "changes",
    "of",
    "bins",
    "picture",
)
"""What a link to a page may say, beside the dataset."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("hostile") / "hostile.duckdb"
    hostile_log.fill(path)
    before = os.environ.get("TIERTUNE_DB")
    os.environ["TIERTUNE_DB"] = str(path)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield path
    st.cache_data.clear()
    st.cache_resource.clear()
    os.environ.pop("TIERTUNE_DB")
    if before is not None:
        os.environ["TIERTUNE_DB"] = before


def nodes(node: Any) -> Iterator[Any]:
    """Every block and element below a node."""
    yield node
    for child in getattr(node, "children", {}).values():
        yield from nodes(child)


def strings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of a message with the names of the fields that lead to it."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from strings(part, (*path, key))
    elif isinstance(value, list):
        for part in value:
            yield from strings(part, path)
    elif isinstance(value, str):
        yield path, value


def read_as_markup(app: AppTest) -> list[tuple[str, str, str]]:
    """Every text of a page into which the browser reads markup: element, field, text."""
    found = []
    for node in nodes(app._tree):
        if getattr(node, "proto", None) is None or node.type in PLAIN_ELEMENTS:
            continue
        for path, text in strings(MessageToDict(node.proto)):
            if node.type == "plotly_chart" and path[-1] == "spec":
                found += [
                    ("figure", ".".join(field), part) for field, part in strings(drawn(json.loads(text)))
                ]
            elif not PLAIN.intersection(path) and not (node.type in PLAIN_OPTIONS and "options" in path):
                found.append((node.type, ".".join(path), text))
    return found


def drawn(figure: dict[str, Any]) -> dict[str, Any]:
    """A figure without the values of points that no hover text names, which only a click gives back."""
    for trace in figure["data"]:
        if "customdata" not in trace.get("hovertemplate", ""):
            trace.pop("customdata", None)
    return figure


def unescaped(app: AppTest) -> list[tuple[str, str, str]]:
    """Names that the page hands over as they are, where the browser reads markup."""
    return [
        (kind, field, name)
        for kind, field, text in read_as_markup(app)
        for name in NAMES
        if name in text and any(sign in name for sign in (IN_FIGURES if kind == "figure" else IN_MARKDOWN))
    ]


def shown(page: str, dataset: str) -> AppTest:
    """A page with one of the hostile logs."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["dataset"] = dataset
    app.switch_page(f"views/{page}.py").run()
    assert [item.value for item in app.exception] == []
    return app


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("dataset", [hostile_log.PAIRS, hostile_log.CALLS], ids=["pairs", "calls"])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_hands_a_name_to_the_browser_as_markup(page: str, dataset: str) -> None:
    app = shown(page, dataset)
    assert len(read_as_markup(app)) > 10
    assert unescaped(app) == []


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", [hostile_log.FAST, hostile_log.STRONG])
def test_a_link_cannot_bring_markup_onto_a_page(page: str, name: str) -> None:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key in ("dataset", *ADDRESS):
        app.query_params[key] = name if key != "dataset" else f"none {name}"
    app.switch_page(f"views/{page}.py").run()
    assert [item.value for item in app.exception] == []
    assert unescaped(app) == []


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("target", ["litellm-plugin", "portkey", "flagd"])
def test_a_routers_config_and_a_rollout_bring_no_markup_onto_the_page(target: str) -> None:
    rules = {name: CategoryPolicy("cascade", 0.5, fast_model=name, strong_model="x") for name in NAMES}
    today = exported(ThresholdPolicy("cascade", Default("strong_only"), rules), target).files
    config = next(iter(today.values()))
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["dataset"], app.query_params["file"] = hostile_log.PAIRS, "For a router"
    app.session_state["rollout"] = True
    app.switch_page("views/export.py").run()
    app.selectbox(key="target").set_value(target).run()
    duplicates = json.dumps(dict.fromkeys(NAMES, 1))
    for text in (config, duplicates[:-1] + "," + duplicates[1:]):
        files = [("own.json" if text.startswith("{") else "own.yaml", text.encode(), "text/plain")]
        if target == "litellm-plugin":
            files = [("own.yaml", text.encode(), "text/plain")]
            files.append(("tiertune_classifier.py", today["tiertune_classifier.py"].encode(), "text/plain"))
        app.file_uploader(key=f"own-{target}").set_value(files).run()
        assert [item.value for item in app.exception] == []
        assert unescaped(app) == []
        assert ("not valid" in " ".join(item.value for item in app.error)) == (text is not config)


@pytest.mark.usefixtures("hostile")
def test_the_hostile_logs_have_thresholds_and_graders_so_that_every_page_is_full() -> None:
    assert "Graders" in [tab.label for tab in shown("logs", hostile_log.CALLS).tabs]
    assert [tab.label for tab in shown("export", hostile_log.PAIRS).tabs] == [
        "YAML",
        "JSON",
        "For a router",
        "Compare with today",
        "Since the change",
    ]


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("page", PAGES[:-1])
def test_a_page_that_does_not_escape_is_seen(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "plain", lambda text, **_: words.category(text))
    monkeypatch.setattr(words, "label", lambda text, **_: words.category(text))
    assert unescaped(shown(page, hostile_log.PAIRS))
