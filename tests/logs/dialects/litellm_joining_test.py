"""Grades of LiteLLM's calls come from elsewhere, by any of its ids."""

import pytest
from stores import rows
from trace_files import load, written

CALL = {
    "call_type": "acompletion", "status": "success", "model": "gpt-4o-mini", "prompt_tokens": 100,
    "completion_tokens": 50, "startTime": 1795358625.0, "endTime": 1795358627.0, "metadata": {},
}  # fmt: skip
PAYLOAD = {**CALL, "response_cost": 0.001}
ENTRY = {**CALL, "spend": 0.001, "completionStartTime": "2026-11-20 09:00:02", "cache_hit": ""}
IDS = {"litellm_call_id": "call-{}", "trace_id": "trace-{}", "session_id": "session-{}"}


def logged(path, like, own):
    """Four calls, each with every id that LiteLLM has of it."""
    ids = {**IDS, own: "chatcmpl-{}"}
    return written(path, [like | {name: text.format(n) for name, text in ids.items()} for n in range(4)])


def graded(path, name, text):
    return written(path, [{name: text.format(n), "correct": n % 2} for n in range(4)])


@pytest.mark.parametrize(("like", "own"), [(PAYLOAD, "id"), (ENTRY, "request_id")])
@pytest.mark.parametrize("name", IDS)
def test_a_grade_names_the_call_the_trace_or_the_session(store, tmp_path, like, own, name):
    load(store, logged(tmp_path / "log.jsonl", like, own))
    load(store, graded(tmp_path / "grades.jsonl", name, IDS[name]), dialect="grades")
    assert rows(store, "SELECT correct FROM calls ORDER BY call_id") == [(0.0,), (1.0,), (0.0,), (1.0,)]


@pytest.mark.parametrize(("like", "own"), [(PAYLOAD, "id"), (ENTRY, "request_id")])
def test_a_grade_by_the_responses_id_needs_it_to_be_the_calls(store, tmp_path, like, own):
    path = logged(tmp_path / "log.jsonl", like, own)
    load(store, path, map={"call_id": (own,)})
    grades = graded(tmp_path / "grades.jsonl", "id", "chatcmpl-{}")
    load(store, grades, dialect="grades", map={"call_id": ("id",)})
    assert rows(store, "SELECT correct FROM calls ORDER BY call_id") == [(0.0,), (1.0,), (0.0,), (1.0,)]
