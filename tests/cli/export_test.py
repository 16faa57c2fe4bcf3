"""``tiertune export`` as a shell sees it: merged into a config, step by step, and past its date."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from shell import Shell

from analytics import policy_file
from analytics.estimate import Estimate
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy

LEVEL = 0.95
P: dict[str, Any] = {"fast_model": "swift", "strong_model": "deep"}
POLICY = ThresholdPolicy(
    "cascade",
    Default("strong_only"),
    {
        "law": CategoryPolicy("cascade", 0.8, n=300, accuracy=Estimate(0.9, 0.85, 0.95, 300, "t", 0.95), **P),
        "chat": CategoryPolicy(
            "cascade", 0.4, n=900, accuracy=Estimate(0.9, 0.88, 0.92, 900, "t", 0.95), **P
        ),
    },
)
OWN = (
    "# mine\nmodel_list:\n  - model_name: swift  # cheap\n    litellm_params: {model: openai/x, api_key: k}\n"
)


def log_rows(days: int = 10) -> str:
    """100 requests a day that were all escalated, of two categories; nine of ten fast answers are right."""
    lines = []
    for place in range(100 * days):
        moment = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(minutes=place * 14.4)
        row = {
            "request_id": f"r{place}", "ts": moment.isoformat(), "task_category": ("law", "chat")[place % 2],
            "fast_model": "swift", "strong_model": "deep", "confidence": place % 100 / 100,
            "fast_correct": int(place % 10 > 0), "strong_correct": int(place % 7 > 0), "fast_cost_usd": 0.001,
            "strong_cost_usd": 0.01, "escalated": True, "threshold": 1.0,
        }  # fmt: skip
        lines.append(json.dumps(row))
    return "\n".join(lines) + "\n"


@pytest.fixture
def thresholds(shell: Shell) -> str:
    return shell.write("thresholds.yaml", policy_file.dumps(POLICY))


def test_a_config_is_merged_and_stays_as_it_was(shell: Shell, thresholds: str) -> None:
    shell.write("proxy/config.yaml", OWN)
    words = ("export", thresholds, "--to", "litellm-plugin", "--into", "proxy/config.yaml")
    found = shell.json(*words)
    assert yaml.safe_load(shell.text(*words)) == yaml.safe_load(found["merged"]["text"])
    assert found["merged"]["before"] == OWN
    assert any("lacks the model deep: add it" in note for note in found["notes"])
    shell.text(*words, "--out", "new")
    assert (shell.folder / "new" / "config.yaml").read_text("utf-8") == found["merged"]["text"]
    assert (shell.folder / "new" / "config.yaml.rollback").read_text("utf-8") == OWN
    assert "+  - model_name: smart" in (shell.folder / "new" / "config.yaml.diff").read_text("utf-8")
    assert (shell.folder / "new" / "tiertune_classifier.py").exists()
    assert (shell.folder / "proxy" / "config.yaml").read_text("utf-8") == OWN


def test_the_users_file_is_never_written_over(shell: Shell, thresholds: str) -> None:
    shell.write("proxy/config.yaml", OWN)
    words = ("export", thresholds, "--to", "litellm-plugin", "--into", "proxy/config.yaml", "--out", "proxy")
    assert "--out must be another folder" in shell.refused(*words)
    assert (shell.folder / "proxy" / "config.yaml").read_text("utf-8") == OWN
    assert not (shell.folder / "proxy" / "golden.json").exists()


def test_what_cannot_be_merged_is_refused(shell: Shell, thresholds: str) -> None:
    shell.write("broken.yaml", "model_list: 3\na: 1\na: 2\n")
    words = ("export", thresholds, "--to", "litellm-plugin", "--into")
    message = shell.refused(*words, "broken.yaml")
    assert "2 problems" in message
    assert "cannot be read" in shell.refused(*words, "absent.yaml")
    assert "python has no config" in shell.refused(
        "export", thresholds, "--to", "python", "--into", "broken.yaml"
    )


def test_a_rollout_writes_a_file_per_step_and_the_plan(shell: Shell, thresholds: str) -> None:
    words = ("export", thresholds, "--to", "flagd", "--rollout", "--critical", "law")
    found = shell.json(*words)
    assert [step["categories"] for step in found["steps"]] == [["chat"]] * 4 + [["law"]] * 4
    assert found["days"] is None
    assert "name a log with --log" in " ".join([*found["notes"], shell.err])
    shell.text(*words, "--out", "rollout")
    for step in found["steps"]:
        written = (shell.folder / "rollout" / f"step-{step['number']}" / "flagd.json").read_text("utf-8")
        assert written == step["files"]["flagd.json"]
    assert (shell.folder / "rollout" / "rollout.md").read_text("utf-8") == found["plan"]
    assert shell.text(*words).startswith("# Rollout")


def test_a_log_gives_the_days_of_a_rollout_and_the_thresholds_in_force(shell: Shell, thresholds: str) -> None:
    log = shell.write("log.jsonl", log_rows())
    found = shell.json("export", thresholds, "--to", "flagd", "--rollout", "--log", log, "--shares", "0.5,1")
    gate = found["steps"][0]["gate"]
    # Half of 100 requests a day are of the first step's category.
    assert gate["days"] == pytest.approx(gate["requests"] / 50, rel=0.01)
    assert found["days"] == pytest.approx(sum(step["gate"]["days"] or 0 for step in found["steps"]))
    assert "are not known" not in found["plan"]
    assert len(found["steps"]) == 4


def test_a_rollout_into_a_config_copies_the_deployments(shell: Shell, thresholds: str) -> None:
    shell.write("config.yaml", OWN)
    words = (
        "export",
        thresholds,
        "--to",
        "litellm-plugin",
        "--rollout",
        "--into",
        "config.yaml",
        "--out",
        "steps",
    )
    shell.text(*words)
    entries = yaml.safe_load((shell.folder / "steps" / "step-1" / "config.yaml").read_text("utf-8"))[
        "model_list"
    ]
    assert entries[0] == yaml.safe_load(OWN)["model_list"][0]
    weights = {
        entry["model_info"]["id"]: entry["litellm_params"] for entry in entries if "model_info" in entry
    }
    assert weights["tiertune-keeps-new"] == {"model": "openai/x", "api_key": "k", "weight": 5}
    assert (shell.folder / "steps" / "config.yaml.rollback").read_text("utf-8") == OWN


def test_flags_of_a_rollout_need_one(shell: Shell, thresholds: str) -> None:
    assert "--critical belongs to --rollout" in shell.refused(
        "export", thresholds, "--to", "flagd", "--critical", "law"
    )
    message = shell.refused("export", thresholds, "--to", "portkey", "--rollout")
    assert "not for portkey" in message


def test_tune_sets_an_expiry_that_evaluate_and_export_warn_of(shell: Shell) -> None:
    log = shell.write("log.jsonl", log_rows())
    shell.text("tune", log, "--expires", "90d", "--out", "t.yaml", "--evidence", "sheet.md")
    policy = policy_file.load(shell.folder / "t.yaml")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert policy.expires is not None
    assert timedelta(days=89) <= policy.expires - today <= timedelta(days=91)
    assert "Tune again by" in (shell.folder / "sheet.md").read_text("utf-8")
    shell.text("evaluate", "t.yaml", log)
    assert "expired" not in shell.err
    text = (shell.folder / "t.yaml").read_text("utf-8")
    old = "\n".join(
        'expires: "2026-01-31"' if line.startswith("expires:") else line for line in text.splitlines()
    )
    shell.write("old.yaml", old + "\n")
    for words in (("evaluate", "old.yaml", log), ("export", "old.yaml", "--to", "python")):
        shell.text(*words)
        assert "These thresholds expired on 31 Jan 2026" in shell.err


@pytest.mark.parametrize("when", ["2026-01-31", "0d", "soon", "99999d", "2026-13-45", ""])
def test_an_expiry_that_is_past_or_no_date_is_refused(shell: Shell, when: str) -> None:
    log = shell.write("log.jsonl", log_rows(1))
    assert "--expires: The expiry must be a day to come" in shell.refused("tune", log, "--expires", when)
