"""The Confidence page of logs that lack something: each its own sentence, and no number like an answer."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

APP = Path(__file__).parent.parent.parent / "dashboard" / "app.py"
Row = dict[str, Any]


def rows(number: int, **more: Callable[[random.Random, float], Any]) -> list[Row]:
    """A replayed log; ``more`` overrides columns by a function of chance and confidence."""
    chance = random.Random(7)  # noqa: S311 - a simulated log
    found = []
    for place in range(number):
        confidence = round(chance.choice([0.5, 0.7, 0.8, 0.9, 0.95, 1.0]), 2)
        row: Row = {
            "request_id": f"q{place}",
            "ts": f"2026-10-{1 + place % 28:02d}T12:00:00Z",
            "task_category": ("billing", "refunds")[place % 2],
            "fast_model": "swift",
            "strong_model": "deep",
            "confidence": confidence,
            "fast_correct": int(chance.random() < confidence),
            "strong_correct": int(chance.random() < 0.95),
        }
        found.append(row | {name: value(chance, confidence) for name, value in more.items()})
    return found


def one_arm() -> list[Row]:
    found = rows(600, escalated=lambda _, confidence: confidence < 0.8)
    return [row | {"fast_correct" if row["escalated"] else "strong_correct": None} for row in found]


LOGS: dict[str, list[Row]] = {
    "sound": rows(1200),
    "no confidence": rows(400, confidence=lambda *_: None),
    "no grades": rows(400, fast_correct=lambda *_: None, strong_correct=lambda *_: None),
    "three rows": rows(3),
    "one class": rows(400, fast_correct=lambda *_: 1),
    "two values": rows(400, confidence=lambda chance, _: chance.choice([0.5, 0.9])),
    "constant": rows(400, confidence=lambda *_: 0.9),
    "nothing to say": rows(20_000, fast_correct=lambda chance, _: int(chance.random() < 0.8)),
    "one arm": one_arm(),
    "fractions": rows(800, fast_correct=lambda chance, confidence: round(confidence * chance.random(), 2)),
}


@pytest.fixture(scope="module", autouse=True)
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("confidence")
    path = folder / "logs.duckdb"
    with Store.open(path) as store:
        for name, log in LOGS.items():
            file = folder / f"{name}.csv"
            pl.DataFrame(log, infer_schema_length=None).write_csv(file)
            intake.load(store, name, [file], Answers())
    before = os.environ.get("TIERTUNE_DB")
    os.environ["TIERTUNE_DB"] = str(path)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()
    del os.environ["TIERTUNE_DB"]
    if before is not None:
        os.environ["TIERTUNE_DB"] = before


def shown(dataset: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in {"dataset": dataset, **query}.items():
        app.query_params[key] = value
    app.switch_page("views/confidence.py").run()
    assert [f"{item.value} {item.stack_trace}" for item in app.exception] == []
    return app


def said(app: AppTest) -> str:
    kinds = ("header", "markdown", "caption", "warning")
    return " ".join(str(item.value) for kind in kinds for item in app.get(kind)).replace("\\", "")


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ("no confidence", "No request in this log has a confidence"),
        ("no grades", "no fast answer with one is graded"),
        ("three rows", "Only 3\u00a0fast answers with a confidence are graded; at least 30 are needed"),
    ],
)
def test_what_cannot_be_judged_has_its_sentence_and_no_card(dataset: str, sentence: str) -> None:
    app = shown(dataset)
    assert sentence in said(app)
    assert not app.metric
    assert not app.dataframe


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ("sound", "the confidence ranks right answers above wrong ones"),
        ("one class", "all of them are right, so nothing can be ranked"),
        ("two values", "With 0.50 and 0.90 only there is a single threshold"),
        ("constant", "all of them claim the same"),
        ("nothing to say", "this confidence carries no signal about which are right"),
        ("one arm", "None of the 215 escalated requests has a graded fast answer"),
    ],
)
def test_what_can_be_judged_in_part_says_what_cannot(dataset: str, sentence: str) -> None:
    if dataset == "one arm":
        escalated = sum(row["escalated"] for row in LOGS["one arm"])
        sentence = sentence.replace("215", str(escalated))
    assert sentence in said(shown(dataset))


@pytest.mark.parametrize("dataset", ["one class", "constant"])
def test_a_ranking_that_cannot_be_is_unknown(dataset: str) -> None:
    cards = {item.label: item.value for item in shown(dataset).metric}
    assert cards["AUROC"] == ("Unknown" if dataset == "one class" else "0.50")


@pytest.mark.parametrize("picture", ["Reliability", "By category", "Gain of escalating", "Over time"])
@pytest.mark.parametrize("dataset", ["sound", "one class", "constant", "one arm", "fractions"])
def test_every_picture_is_drawn_or_says_why_not(dataset: str, picture: str) -> None:
    for query in ({}, {"of": "billing", "bins": "mass"}):
        app = shown(dataset, picture=picture, **query)
        drawn = len(app.get("plotly_chart"))
        if dataset == "one arm" and picture == "Gain of escalating":
            assert drawn == 0
            assert "has both answers graded" in said(app)
        elif not (dataset == "constant" and picture == "Gain of escalating"):
            assert drawn == 1


def test_a_category_without_signal_has_its_sentence() -> None:
    assert "This confidence carries no signal here." in said(shown("nothing to say", of="billing"))


def test_a_category_of_a_link_that_does_not_exist_shows_all() -> None:
    app = shown("sound", of="nowhere")
    assert app.selectbox(key="of").value == "All categories"
