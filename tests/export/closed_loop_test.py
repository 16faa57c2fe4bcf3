"""Tune, export, route 2,000 requests through LiteLLM, load what it logged: every decision is the policy's."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import stores

from analytics.export.targets import exported
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy

PROGRAM = Path(__file__).parents[1] / "fixtures" / "litellm" / "routed_decisions.py"
REQUESTS = 2000
PAIR = {"fast_model": "small", "strong_model": "big"}
POLICY = ThresholdPolicy(
    "predictive",
    Default("strong_only"),
    {
        "maths": CategoryPolicy("cascade", 0.85, **PAIR),
        "chat": CategoryPolicy("cascade", 0.3, on_missing="keep", **PAIR),
        "proofs": CategoryPolicy("strong_only", **PAIR),
    },
)


def test_the_router_escalates_exactly_as_the_policy_says_and_logs_it(tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 - simulated requests
    cases = [
        {
            "category": chance.choice(["maths", "chat", "proofs", "new", None]),
            "tags": None,
            "confidence": None if chance.random() < 0.05 else round(chance.random(), 2),
        }
        for _ in range(REQUESTS)
    ]
    for name, text in exported(POLICY, "litellm-plugin").files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    log = tmp_path / "requests.jsonl"
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), str(tmp_path / "cases.json")],
        capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path,
        env={**os.environ, "TIERTUNE_LOG": str(log)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    with Store.open(None) as store:
        (report,) = intake.load(store, "loop", [log], Answers())
        assert (report.read, report.loaded, report.rejected) == (REQUESTS, REQUESTS, 0)
        rows = stores.rows(
            store,
            "SELECT task_category, confidence, escalated, policy_kind FROM decisions WHERE dataset = 'loop'",
        )
    assert len(rows) == REQUESTS
    wrong = [
        row for row in rows if row[2] != (POLICY.route(row[0], row[1]) == "strong") or row[3] != "predictive"
    ]
    assert wrong == []
    expected = sum(POLICY.route(case["category"], case["confidence"]) == "strong" for case in cases)
    assert sum(bool(row[2]) for row in rows) == expected
