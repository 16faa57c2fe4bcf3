"""A log cut in two by time: the same figures as two logs filtered by hand, and labels that say so."""

import datetime as dt
import json

import numpy as np
import pytest
from stores import load

from analytics import policy_file
from analytics.cli import main
from analytics.errors import InsufficientDataError
from analytics.logs.schema import PICK_FOLDS, REPORT_FOLDS
from analytics.logs.store import Store
from analytics.policy import Goal
from analytics.tuning.evaluation import evaluate
from analytics.tuning.goals import tune
from analytics.tuning.halves import written
from analytics.tuning.log import read_log, select
from analytics.tuning.picking import pick

START = dt.datetime(2026, 3, 1)  # noqa: DTZ001 - logs hold naive UTC
GOAL = Goal(margin=0.03)


def drifting(n=2000, seed=3, *, users=None):
    """The fast model gets worse with time, so the two halves differ."""
    generator = np.random.default_rng(seed)
    confidence = generator.integers(1, 11, n) / 10
    late = np.arange(n) / n
    fast = generator.random(n) < np.clip(confidence - 0.2 * late, 0, 1)
    strong = generator.random(n) < 0.9
    order = generator.permutation(n)
    return [
        {
            "request_id": f"r{i}", "ts": START + dt.timedelta(minutes=int(i)), "task_category": "ab"[i % 2],
            "fast_model": "small", "strong_model": "big", "policy_kind": "cascade",
            "confidence": float(confidence[i]), "fast_correct": float(fast[i]),
            "strong_correct": float(strong[i]), "fast_cost_usd": 0.001, "strong_cost_usd": 0.01,
            **({} if users is None else {"unit_id": f"u{i % users}"}),
        }
        for i in order
    ]  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "halves.duckdb") as opened:
        yield opened


def test_a_time_holdout_is_the_log_filtered_by_hand(store):
    """Picked as on a log of the first half alone, reported as on a log of the second half alone."""
    rows = drifting()
    load(store, "whole", rows, form="decisions")
    selection = select(read_log(store, "whole", holdout="time"))
    cut = selection.log.cut
    assert cut == START + dt.timedelta(minutes=999)  # 999 requests before it, 1,001 from it on
    first, second = ([row for row in rows if (row["ts"] < cut) == early] for early in (True, False))
    load(store, "first", first, form="decisions", file="first.csv")
    load(store, "second", second, form="decisions", file="second.csv")
    early, late = (select(read_log(store, name)) for name in ("first", "second"))
    assert pick(selection, GOAL).choices == pick(early, GOAL, folds=None).choices
    tuning = tune(selection, GOAL)
    wanted = evaluate(late, tuning.policy).categories
    for name, found in tuning.figures.categories.items():
        assert found.accuracy == wanted[name].accuracy
        assert found.cost_per_request_usd.value == pytest.approx(wanted[name].cost_per_request_usd.value)
        assert found.escalation_rate == wanted[name].escalation_rate


def test_the_halves_are_named_for_what_they_are(store):
    load(store, "whole", drifting(), form="decisions")
    log = read_log(store, "whole", holdout="time")
    tuning = tune(select(log), GOAL)
    evidence, at = tuning.policy.evidence, written(log.cut)
    assert at == "2026-03-01T16:39:00Z"
    assert evidence.picked_on == f"first half of the period, before {at}"
    assert evidence.reported_on == f"second half of the period, from {at}"
    assert tuning.notes[0] == (
        "Picked on requests before 2026-03-01 16:39 UTC; every figure is of those from then on."
    )
    assert not tuning.certified
    assert "makes no promise" in tuning.promise
    assert all(item.verdict == "estimated" for item in tuning.policy.categories.values())


def test_requests_of_one_day_stay_in_one_half(store):
    """Three days of dates: the middle one is the median, and goes with the later ones."""
    rows = [row | {"ts": START + dt.timedelta(days=i % 3)} for i, row in enumerate(drifting(300))]
    load(store, "days", rows, form="decisions")
    assert read_log(store, "days", holdout="time").cut == START + dt.timedelta(days=1)
    # With most requests on the first day there is still something before the cut.
    most = [row | {"ts": START + dt.timedelta(days=i % 4 == 0)} for i, row in enumerate(drifting(300))]
    load(store, "most", most, form="decisions", file="most.csv")
    assert read_log(store, "most", holdout="time").cut == START + dt.timedelta(days=1)


def test_missing_and_equal_times_are_refused(store):
    rows = drifting(100)
    rows[7] |= {"ts": None}
    load(store, "gap", rows, form="decisions")
    with pytest.raises(InsufficientDataError, match="1 of 100 have none"):
        read_log(store, "gap", holdout="time")
    load(store, "one", [row | {"ts": START} for row in drifting(50)], form="decisions", file="one.csv")
    with pytest.raises(InsufficientDataError, match="all of these have the same"):
        read_log(store, "one", holdout="time")


def test_users_stay_together_where_spreads_are_measured(store):
    """A user's requests share an effect and lie on both sides of the cut; the design effect sees them all."""
    generator = np.random.default_rng(5)
    effect = generator.normal(0, 0.3, 100)
    rows = drifting(4000, users=100)
    for row in rows:
        right = 0.6 + effect[int(row["unit_id"][1:])] > generator.random()
        row |= {"fast_correct": float(right)}
    load(store, "users", rows, form="decisions")
    by_hash, by_time = (select(read_log(store, "users", holdout=by)) for by in ("hash", "time"))
    # About 1 + 39 * 0.09 / 0.24 = 15; users torn apart would halve it.
    assert by_hash.accuracy_inflation > 8
    assert by_time.accuracy_inflation > 8
    assert set(by_time.rows["fold"].unique()) == {*PICK_FOLDS, *REPORT_FOLDS}


def test_a_file_tuned_by_time_is_evaluated_by_time(tmp_path, capsys, monkeypatch):
    """The command's figures of the file are the file's own; without the cut they would be of folds 10-19."""
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "db.duckdb"))
    path, out = tmp_path / "log.jsonl", tmp_path / "thresholds.yaml"
    path.write_text(
        "\n".join(json.dumps(row | {"ts": row["ts"].isoformat() + "Z"}) for row in drifting(users=300))
    )
    words = ["tune", str(path), "--margin", "0.03", "--holdout", "time", "--out", str(out), "--json"]
    assert main(words) == 0
    tuned = json.loads(capsys.readouterr().out)
    assert tuned["held_out"]["folds"] is None
    assert tuned["held_out"]["from"] == "2026-03-01T16:39:00Z"
    assert tuned["x-filters"] == {"cut_by_time": "2026-03-01T16:39:00Z"}
    assert main(["evaluate", str(out), str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"] == "held-out"
    assert shown["overall"]["accuracy"] == tuned["held_out"]["overall"]["accuracy"]
    assert shown["overall"]["cost_per_request_usd"] == tuned["held_out"]["overall"]["cost_per_request_usd"]
    policy = policy_file.load(out)
    assert policy.evidence.reported_on.startswith("second half")
    assert main(["evaluate", str(out), str(path)]) == 0
    assert "(second half of the period, from 2026-03-01T16:39:00Z)" in capsys.readouterr().out
    broken = tmp_path / "broken.yaml"
    broken.write_text(out.read_text().replace('by_time": "2026-03-01T16:39:00Z"', 'by_time": "yesterday"'))
    assert main(["evaluate", str(broken), str(path), "--json"]) == 2
    assert "yesterday" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_log_without_times_says_what_it_lacks(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "db.duckdb"))
    path = tmp_path / "log.jsonl"
    rows = [{name: value for name, value in row.items() if name != "ts"} for row in drifting(200)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert main(["tune", str(path), "--holdout", "time", "--json"]) == 1
    assert "needs the time of every request" in json.loads(capsys.readouterr().out)["error"]["message"]
