"""A move of the slider draws from what is in memory: no statement reads rows of a log."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import data
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
ROWS = re.compile(r"(?i)\b(decisions|calls)\b")


class Recorded:
    """A cursor that notes every statement."""

    def __init__(self, opened: AbstractContextManager[Any], statements: list[str]) -> None:
        self._opened, self._statements = opened, statements

    def execute(self, statement: str, *parameters: Any) -> Any:
        self._statements.append(statement)
        return self._cursor.execute(statement, *parameters)

    def sql(self, statement: str, **parameters: Any) -> Any:
        self._statements.append(statement)
        return self._cursor.sql(statement, **parameters)

    def __enter__(self) -> Self:
        self._cursor = self._opened.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._opened.__exit__(*raised)

    def __getattr__(self, name: str) -> Any:
        if name in ("query", "table", "executemany"):
            raise AssertionError(f"{name} is not recorded")
        return getattr(self._cursor, name)


@pytest.fixture
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Statements of the pages on a database with the sample log."""
    path = tmp_path / "slider.duckdb"
    with Store.open(path) as store:
        intake.load(store, "sample", [data.sample_log()], Answers())
    found: list[str] = []
    cursor = Store.cursor
    monkeypatch.setattr(Store, "cursor", lambda self: Recorded(cursor(self), found))
    monkeypatch.setenv("TIERTUNE_DB", str(path))
    st.cache_resource.clear()
    yield found
    st.cache_resource.clear()


def test_a_slider_move_runs_no_query_over_rows(statements: list[str]) -> None:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page("views/thresholds.py").run()
    assert not app.exception
    assert any(ROWS.search(statement) for statement in statements)
    slider = next(item for item in app.select_slider if item.label == "Threshold")
    before = {card.label: card.value for card in app.metric}
    statements.clear()
    slider.set_value(slider.options[len(slider.options) // 3]).run()
    assert not app.exception
    assert {card.label: card.value for card in app.metric} != before
    # The test draws the whole page anew, the sidebar's list of datasets too; a browser draws the box alone.
    assert [statement for statement in statements if ROWS.search(statement)] == []
