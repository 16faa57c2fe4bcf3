"""A database that is found damaged while the dashboard runs: opened again, built again, and told."""

import threading

import pytest
import streamlit as st

from analytics.logs import intake, recovery
from analytics.logs.meaning.mapping import Answers
from dashboard import state

LOG = "request_id,model,confidence,cost_usd\n" + "".join(f"r{i},m,0.5,0.001\n" for i in range(20))


@pytest.fixture
def database(tmp_path, monkeypatch):
    path = tmp_path / "logs.duckdb"
    monkeypatch.setenv("TIERTUNE_DB", str(path))
    st.cache_resource.clear()
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    intake.load(state.store(), "log", [log], Answers())
    yield path
    st.cache_resource.clear()


def test_damage_is_mended_once_for_all_sessions(database):
    before = state.store()
    assert state.store() is before
    database.with_name(f"{database.name}.broken").touch()  # what a reader leaves that met damage
    assert before.damaged
    found = []
    sessions = [threading.Thread(target=lambda: found.append(state.store())) for _ in range(4)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    assert len({id(store) for store in found}) == 1
    assert found[0] is not before
    assert found[0].datasets()["requests"].to_list() == [20]
    told = recovery.noted(found[0])
    assert (told.files, told.rows, told.lost) == (1, 20, [])
    assert [path.name for path in database.parent.glob("*.damaged-*")] == [told.aside]
    recovery.dismissed(found[0])
    assert recovery.noted(state.store()) is None
