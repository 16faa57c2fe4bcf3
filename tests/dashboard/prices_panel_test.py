"""The panel of prices: what is said, a price by hand, costs priced anew; drawn without a browser."""

import re
from pathlib import Path

import pytest
import streamlit as st
from stores import call, load, rows
from streamlit.testing.v1 import AppTest

from analytics.logs.price_list import price_map_date
from analytics.logs.rates import CLASSES
from analytics.logs.store import Store
from dashboard import prices_panel, state

MISTRAL = "mistral/mistral-large-latest"
HOSTILE = "[x](http://evil.example) $a$ **b**"


def page() -> None:
    """The panel alone, as a page would draw it."""
    from dashboard import state  # noqa: PLC0415 - AppTest runs the text of this function
    from dashboard.prices_panel import prices_panel  # noqa: PLC0415

    prices_panel(state.store(), "prod")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """gpt-4o costs 3500 millionths by price and 5000 in the log; two calls of ours have no price."""
    path = tmp_path / "logs.duckdb"
    tokens = {"input_tokens": 1000, "output_tokens": 100}
    with Store.open(path, keep=False) as store:
        made = [call(f"r{n}", "gpt-4o", **tokens, cost_usd=0.005, cost_source="logged") for n in range(12)]
        made += [call(f"o{n}", HOSTILE, **tokens) for n in range(2)]
        load(store, "prod", made, form="calls")
    monkeypatch.setenv(state.DATABASE, str(path))
    yield path
    st.cache_resource.clear()


def drawn() -> AppTest:
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    parts = [*app.warning, *app.caption, *app.markdown, *app.error]
    return " ".join(re.sub(r"\s", " ", str(part.value)) for part in parts)


def costs() -> list[tuple]:
    return rows(state.store(), "SELECT DISTINCT cost_usd, cost_source FROM calls ORDER BY ALL NULLS LAST")


@pytest.mark.usefixtures("database")
def test_unknown_models_and_the_date_of_the_list_are_told():
    app = drawn()
    text = said(app)
    assert "2 calls with 2,200 tokens" in text
    assert price_map_date() in text.replace("\\", "")  # the page escapes what markdown might read
    assert app.selectbox[0].options == [HOSTILE, "gpt-4o"]
    # 5000 / 3500 in every call.
    assert "steadily 1.43 times the price" in text


def test_batch_calls_at_the_price_of_usual_ones_are_named_without_any_logged_cost(tmp_path, monkeypatch):
    path = tmp_path / "logs.duckdb"
    tokens = {"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"}
    with Store.open(path, keep=False) as store:
        # the list has batch prices of gpt-4o and none of Mistral's
        made = [call(f"{model} {n}", model, **tokens) for n in range(3) for model in (MISTRAL, "gpt-4o")]
        load(store, "prod", made, form="calls")
        store.reprice("prod", of="missing")
    monkeypatch.setenv(state.DATABASE, str(path))
    text = said(drawn())
    st.cache_resource.clear()
    assert "3 batch calls cost here what usual calls do, as the list has no batch price" in text
    assert text.count("batch calls cost") == 1


@pytest.mark.usefixtures("database")
def test_a_price_by_hand_is_saved_and_costs_follow_on_request():
    app = drawn()
    for place, value in ((0, 1.0), (1, 2.0)):
        app.number_input[place].set_value(value)
    app.button[0].click().run()
    assert not app.exception
    (stated,) = state.store().prices().values()
    assert (stated.input, stated.output, stated.cache_read) == (1.0, 2.0, None)
    assert costs() == [(0.005, "logged"), (None, None)]
    assert "2 costs would be different at today's prices" in said(app)
    app.button[2].click().run()
    # 1000 x 1 + 100 x 2 = 1200 millionths.
    assert costs() == [(pytest.approx(0.0012), "priced"), (0.005, "logged")]
    assert "would be different" not in said(app)
    app.radio[0].set_value("all").run()
    app.button[2].click().run()
    assert costs() == [(pytest.approx(0.0012), "priced"), (pytest.approx(0.0035), "priced")]
    app.button[1].click().run()
    assert state.store().prices() == {}


@pytest.mark.usefixtures("database")
def test_an_empty_form_is_refused_in_a_sentence():
    app = drawn()
    app.button[0].click().run()
    assert [error.value for error in app.error] == ["Give at least one price."]


def test_every_class_has_a_field():
    assert tuple(prices_panel.TITLES) == CLASSES
