"""What a change of thresholds does, worked by hand; and the sheet for whoever approves it."""

from pathlib import Path

import pytest
import stores

from analytics.export.change import change, rule_words
from analytics.export.evidence import evidence_sheet
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, Goal, ThresholdPolicy
from analytics.tuning.goals import tune
from analytics.tuning.log import Selection, read_log, select

HOSTILE = "<b>law</b> | [x](http://x.test)"


def selection(tmp_path: Path, category: str = "law") -> Selection:
    """1,000 requests of confidences 0 to .9; the fast model is right from .5 up, the strong one always."""
    rows = [
        {
            "request_id": f"r{place}",
            "task_category": category,
            "fast_model": "small",
            "strong_model": "big",
            "confidence": place % 10 / 10,
            "fast_correct": float(place % 10 >= 5),
            "strong_correct": 1.0,
            "fast_cost_usd": 0.001,
            "strong_cost_usd": 0.01,
            "escalated": place % 10 < 8,
            "threshold": 0.8,
            "ts": "2026-10-01T00:00:00",
        }
        for place in range(1000)
    ]
    with Store.open(tmp_path / "change.duckdb") as store:
        for row in rows:
            row["ts"] = None
        stores.load(store, "d", rows, form="decisions")
        return select(read_log(store, "d"))


def policy(threshold: float, category: str = "law") -> ThresholdPolicy:
    return ThresholdPolicy(
        "cascade", Default("strong_only"), {category: CategoryPolicy("cascade", threshold)}
    )


def test_a_lower_threshold_moves_the_requests_between(tmp_path: Path) -> None:
    found = change(selection(tmp_path), policy(0.8), policy(0.3))
    # Confidences .3 to .7 were escalated and are kept now: 5 of 10.
    assert found.moved == {"law": 0.5, None: 0.5}
    # Of these, .3 and .4 are wrong: 2 of 10 answers are lost.
    assert found.differences[None].accuracy.value == pytest.approx(-0.2)
    # A request cost .001 + .8 x .01 and costs .001 + .3 x .01.
    assert found.differences[None].saved_usd.value == pytest.approx(0.005)
    assert [entry.value for entry in found.escalated] == [0.8, 0.3]
    assert found.rules == (("law", "threshold 0.8", "threshold 0.3"),)


def test_the_same_rules_change_nothing(tmp_path: Path) -> None:
    found = change(selection(tmp_path), policy(0.8), policy(0.8))
    assert found.moved[None] == 0
    assert found.rules == ()


def test_rules_read_as_words() -> None:
    assert rule_words(CategoryPolicy("fast_only")) == "never escalate"
    assert rule_words(Default("strong_only")) == "always strong"
    assert rule_words(CategoryPolicy("cascade", 0.1 + 0.2, on_missing="keep")) == (
        "threshold 0.30000000000000004, keeps missing"
    )


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_the_sheet_says_what_changes_what_it_saves_and_what_it_rests_on(tmp_path: Path, form: str) -> None:
    chosen = selection(tmp_path)
    tuning = tune(chosen, Goal(margin=0.02))
    against = change(chosen, policy(0.8), tuning.policy, folds=tuning.rows.folds)
    sheet = evidence_sheet(tuning, chosen, against=against)[form]  # type: ignore[index]
    assert chosen.log.facts.log_sha256 in sheet
    assert "threshold 0.8" in sheet
    assert "threshold 0.5" in sheet
    assert "routed differently" in sheet
    assert len(sheet.encode()) < 100_000


def test_names_in_a_sheet_are_text(tmp_path: Path) -> None:
    chosen = selection(tmp_path, HOSTILE)
    tuning = tune(chosen, Goal(margin=0.02))
    sheets = evidence_sheet(tuning, chosen)
    assert "<b>" not in sheets["html"]
    assert "<b>" not in sheets["markdown"].replace("\\<", "")
    assert "[x](http" not in sheets["markdown"].replace("\\[", "").replace("\\]", "")
