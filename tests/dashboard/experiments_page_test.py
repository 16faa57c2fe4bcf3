"""The Experiments page: the decision on the sample, and a sentence for every log that cannot be read."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import data
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

APP = Path(__file__).parent.parent.parent / "dashboard" / "app.py"
HOSTILE = "a](http://x.test) <b>$E=mc^2$"


def rows(number: int = 1600, **more: Any) -> list[dict[str, Any]]:
    """Requests assigned to two arms by turns; ``more`` overrides columns by a function of the place."""
    chance = random.Random(5)  # noqa: S311 - a simulated log
    found = []
    for place in range(number):
        arm = ("control", "treatment")[place % 2]
        row = {
            "request_id": f"q{place}",
            "ts": f"2026-10-{1 + place * 28 // number:02d}T12:00:00Z",
            "task_category": ("billing", "refunds")[place // 2 % 2],
            "fast_model": "swift",
            "strong_model": "deep",
            "confidence": round(chance.random(), 2),
            "escalated": False,
            "fast_correct": int(chance.random() < 0.8),
            "fast_cost_usd": (0.002 if arm == "control" else 0.001) * (1 + place % 7 / 100),
            "fast_latency_s": 1 + chance.random(),
            "experiment": "cheaper-model",
            "arm": arm,
        }
        found.append(row | {name: value(place) for name, value in more.items()})
    return found


LOGS: dict[str, list[dict[str, Any]]] = {
    "cheaper": rows(4000, fast_correct=lambda place: int(place % 10 < 8)),
    "no experiment": rows(experiment=lambda _: None, arm=lambda _: None),
    "one arm": rows(arm=lambda _: "control"),
    "before and after": rows(arm=lambda place: "control" if place < 800 else "treatment"),
    "off": rows(arm=lambda place: "control" if place % 10 < 6 else "treatment"),
    "no grades": rows(fast_correct=lambda _: None),
    "all right": rows(fast_correct=lambda _: 1),
    "fixed costs": rows(fast_cost_usd=lambda place: 0.002 if place % 2 == 0 else 0.001),
    "three arms": rows(2400, arm=lambda place: ("control", "b", "c")[place % 3]),
    "no times": rows(ts=lambda _: None),
    "hostile": rows(experiment=lambda _: HOSTILE, arm=lambda place: (HOSTILE, f"{HOSTILE}2")[place % 2]),
}


@pytest.fixture(scope="module", autouse=True)
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("experiments")
    path = folder / "logs.duckdb"
    with Store.open(path) as store:
        intake.load(store, "sample", [data.sample_log()], Answers())
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
    app.switch_page("views/experiments.py").run()
    assert [f"{item.value} {item.stack_trace}" for item in app.exception] == []
    return app


def said(app: AppTest) -> str:
    """Everything on the page, without the escapes of markdown."""
    kinds = ("header", "markdown", "caption", "warning")
    return " ".join(item.value for kind in kinds for item in app.get(kind)).replace("\\", "")


def test_the_sample_shows_the_decision_and_that_a_price_changed() -> None:
    app = shown("sample")
    text = said(app)
    # The treatment of the sample escalates up to .95 instead of .85: dearer, and right more often.
    assert "Adopt treatment if one more correct answer is worth more than $0." in text
    assert "gpt-6-sol cost $2.00 and $10.00 instead of $2.50 and $12.50" in text
    assert [card.label for card in app.metric][:2] == ["Sample ratio", "Accuracy"]


def test_a_worth_decides_between_accuracy_and_cost() -> None:
    assert "Adopt treatment: with a correct answer worth $5.00" in said(shown("sample", worth="5.0"))
    assert "Keep control: with a correct answer worth $0.0010" in said(shown("sample", worth="0.001"))


@pytest.mark.parametrize("tab", ["By category", "Over time", "Next test"])
def test_every_tab_draws_the_sample(tab: str) -> None:
    shown("sample", shown=tab)


def test_the_next_test_says_what_the_rare_category_takes() -> None:
    app = shown("sample", shown="Next test")
    (table,) = [item.value for item in app.dataframe if "takes" in item.value.columns]
    rare = table[table["category"] == "formal_verification"]
    assert list(rare["takes"]) == ["more than 10\u00a0years"]


def test_a_cheaper_arm_with_the_same_answers_is_adopted() -> None:
    # 2,000 an arm: the standard error is sqrt(2 x .8 x .2 / 2000) = .0126, so 3 points can be told, 2 not.
    assert "Adopt treatment: it costs 50% less" in said(shown("cheaper", loses="3.0"))
    assert "more: so far accuracy changes by 0.0 points" in said(shown("cheaper")).replace("\u00a0", " ")


def test_a_sample_ratio_that_is_off_hides_every_effect() -> None:
    app = shown("off")
    assert "Nothing is read from this experiment" in said(app)
    assert [card.label for card in app.metric] == ["Sample ratio"]


def test_a_planned_split_makes_unequal_arms_readable() -> None:
    app = shown("off")
    app.number_input("planned-0").set_value(60.0)
    app.number_input("planned-1").set_value(40.0)
    app.run()
    assert "Nothing is read" not in said(app)


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ("no experiment", "No experiment in this dataset"),
        ("before and after", "That is before and after, not an experiment"),
        ("one arm", "An experiment compares two arms"),
        ("no grades", "accuracy is unknown"),
        ("fixed costs", "the cost has no interval, as it does not vary within the arms"),
        ("all right", "every request has the same outcome in both arms"),
        ("no times", "A plan needs the traffic of at least one day"),
    ],
)
def test_a_log_that_cannot_be_read_gets_its_sentence(dataset: str, sentence: str) -> None:
    assert sentence in said(shown(dataset, shown="Next test" if dataset == "no times" else "Effects"))


def test_several_treatments_are_corrected_for_their_number() -> None:
    app = shown("three arms")
    (table,) = [item.value for item in app.dataframe if "p_accuracy" in item.value.columns]
    assert list(table["arm"]) == ["b", "c"]


def test_hostile_names_stay_text() -> None:
    app = shown("hostile")
    for kind in ("header", "markdown", "caption", "warning"):
        for item in app.get(kind):
            assert "](http" not in item.value
            assert "<b>" not in item.value


def test_the_winner_becomes_the_policy_in_force() -> None:
    app = shown("sample")
    app.button("in-force-True").click().run()
    assert not app.exception
    assert any("In force for this session" in item.value for item in app.sidebar.caption)
    thresholds = app.switch_page("views/thresholds.py").run()
    assert not thresholds.exception
    view = thresholds.session_state["_view"]
    # The treatment of the sample had .95 in every category.
    assert {value for _, value in view.in_force} == {0.95}
    thresholds.button("own_in_force").click().run()
    assert thresholds.session_state["_view"].in_force == ()
