"""A rollout: its order and gates by hand, its shares in flagd's own provider and in LiteLLM's own router."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from analytics.errors import SchemaError
from analytics.estimate import Estimate
from analytics.export.fragment import RefusedError
from analytics.export.merge import merged
from analytics.export.rollout import Rollout, rollout, stated
from analytics.export.rollout_files import own_deployments, rollout_files
from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, Goal, ThresholdPolicy

FIXTURES = Path(__file__).parents[1] / "fixtures"
PAIR: dict[str, Any] = {"fast_model": "swift", "strong_model": "deep"}
HOSTILE = 'odd "name"\n{x}'


def rule(threshold: float, n: int, accuracy: float, low: float) -> CategoryPolicy:
    return CategoryPolicy(
        "cascade", threshold, n=n, accuracy=Estimate(accuracy, low, 1.0, n, "t", 0.95), **PAIR
    )


POLICY = ThresholdPolicy(
    "cascade",
    Default("strong_only"),
    {
        "law": rule(0.8, 500, 0.8, 0.75),
        "chat": rule(0.5, 2000, 0.9, 0.89),
        HOSTILE: rule(0.6, 400, 0.9, 0.80),
        "health": rule(0.9, 100, 0.9, 0.70),
        "proofs": CategoryPolicy("strong_only", **PAIR),
    },
)


def plan(**more: Any) -> Rollout:
    return rollout(POLICY, critical=["health"], **more)


def test_categories_go_by_expected_risk_and_critical_ones_last() -> None:
    # Share times what the interval leaves open: chat 2/3 x .01 = .0067, law 1/6 x .05 = .0083,
    # the odd one 2/15 x .1 = .0133. Half of the sum is .0142: chat alone is below it, with law above.
    found = plan()
    assert [risk.category for risk in found.risks] == ["chat", "law", HOSTILE, "health"]
    assert [risk.expected for risk in found.risks[:3]] == pytest.approx([1 / 150, 1 / 120, 2 / 150])
    waves = [step.categories for step in found.steps if step.fraction == 1]
    assert waves == [("chat",), ("law", HOSTILE), ("health",)]
    assert [step.fraction for step in found.steps] == [0.05, 0.25, 0.5, 1.0] * 3
    assert found.steps[-1].done == ("chat", "law", HOSTILE)
    # No verdict of its own, so routed as today: the default and what is always strong.
    assert found.unchanged == ("proofs", None)


def test_a_gate_rules_out_what_would_cost_the_margin_at_the_next_share() -> None:
    steps = plan(margin=0.02).steps
    # .02 / .25, .02 / .5, .02 / 1.
    assert [step.gate.loss for step in steps[:4]] == [pytest.approx(0.08), 0.04, 0.02, None]
    # (1.959964 + .841621)^2 x .9 x .1 x (1 / .05 + 1 / .95) / .08^2 = 2,323.7; x 2000 / 1999 = 2,324.9.
    assert steps[0].gate.requests == 2325
    # The same with (1 / .5 + 1 / .5) / .02^2 = 10,000: 7,063.9 x 2000 / 1999 = 7,067.5.
    assert steps[2].gate.requests == 7068
    assert "must be above −8.0 points" in steps[0].gate.sentence.replace("\u00a0", " ")
    assert steps[0].gate.command is not None
    assert "--experiment tiertune-rollout-1 --control today --treatment new" in steps[0].gate.command
    assert "--split new=5,today=95 --margin 0.08" in steps[0].gate.command
    assert "chat 89.0%" in steps[3].gate.sentence


def test_without_a_period_there_are_requests_and_no_days() -> None:
    found = plan()
    assert found.days is None
    assert found.steps[0].gate.requests is not None
    assert found.steps[0].gate.days is None


def test_days_follow_from_the_traffic() -> None:
    # 2,500 requests of which 2,000 chat, in a day; so 2,325 requests of chat take 1.16 days.
    traffic = stated(POLICY)
    found = plan(traffic=traffic, margin=0.02)
    assert found.steps[0].gate.days == pytest.approx(2324.9 / 2000, rel=1e-4)
    assert "could rule out" not in found.steps[0].gate.sentence
    # A hundredth of the traffic: 116 days. In 28 days n = 560: 2.8016 x sqrt(.09005 x 21.0526 / 560) = .163.
    slow = plan(traffic=replace(stated(POLICY), days=100.0), margin=0.02)
    said = slow.steps[0].gate.sentence.replace("\u00a0", " ")
    assert "117 days at this log's traffic. In 28 days it could rule out a loss of 16.3 points." in said
    assert found.days == pytest.approx(
        sum(step.gate.days or 0 for step in found.steps if step.gate.days is not None)
    )


def test_the_margin_is_that_of_the_goal() -> None:
    goal = ThresholdPolicy("cascade", POLICY.default, POLICY.categories, goal=Goal(margin=0.01))
    assert rollout(goal).margin == 0.01
    assert rollout(POLICY).margin == 0.02


def test_what_both_policies_route_alike_is_not_rolled_out() -> None:
    today = ThresholdPolicy("cascade", Default("strong_only"), {"chat": POLICY.categories["chat"]})
    found = rollout(POLICY, today=today)
    assert "chat" not in {risk.category for risk in found.risks}
    assert found.unchanged == ("chat", "proofs", None)
    with pytest.raises(RefusedError, match="nothing to roll out"):
        rollout(POLICY, today=POLICY)


@pytest.mark.parametrize("shares", [[], [0.5], [0.5, 0.25, 1], [0, 1], [0.5, 0.5, 1], [0.001, 1]])
def test_shares_that_do_not_rise_to_all_are_refused(shares: list[float]) -> None:
    with pytest.raises(SchemaError, match="must rise to 1"):
        rollout(POLICY, fractions=shares)


def test_a_margin_of_nothing_is_refused() -> None:
    with pytest.raises(SchemaError, match="above 0"):
        rollout(POLICY, margin=0.0)


def test_a_critical_category_that_is_none_is_refused() -> None:
    with pytest.raises(SchemaError, match="Found: healt"):
        rollout(POLICY, critical=["healt"])


def test_other_targets_are_refused() -> None:
    with pytest.raises(RefusedError, match="not for portkey"):
        rollout_files(plan(), POLICY, "portkey")


def test_names_in_a_plan_are_text() -> None:
    policy = ThresholdPolicy(
        "cascade", Default("strong_only"), {"<b>[x](http://x.test)": rule(0.5, 100, 0.9, 0.8)}
    )
    _, text = rollout_files(rollout(policy), policy, "flagd")
    assert "<b>" not in text.replace("\\<", "")
    assert "[x](" not in text.replace("\\[", "")


def test_flagd_moves_the_planned_share_and_keeps_whom_it_moved(tmp_path: Path) -> None:
    fragments, _ = rollout_files(plan(), POLICY, "flagd")
    for number, fragment in fragments.items():
        (tmp_path / f"step-{number}.json").write_text(fragment.files["flagd.json"], encoding="utf-8")
    keys = 10_000
    cases = [{"step": step, "category": "chat", "keys": keys} for step in (1, 2, 3)]
    cases += [{"step": 4, "category": "chat", "keys": 300}, {"step": 1, "category": "health", "keys": 300}]
    cases += [{"step": 6, "category": HOSTILE, "keys": keys}, {"step": 6, "category": "chat", "keys": 300}]
    cases += [{"step": 12, "category": name, "keys": 300} for name in ("health", "law", "proofs", None)]
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    program = FIXTURES / "flagd" / "rollout_shares.py"
    ran = subprocess.run(
        [sys.executable, str(program), str(tmp_path), str(tmp_path / "cases.json")],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    drawn = [letters for letters, _ in found]
    for letters, share in zip((*drawn[:3], drawn[5]), (0.05, 0.25, 0.5, 0.25), strict=True):
        # Four standard deviations of 10,000 draws.
        assert abs(letters.count("n") - keys * share) < 4 * math.sqrt(keys * share * (1 - share))
        assert set(letters) == {"n", "t"}
    for before, after in ((drawn[0], drawn[1]), (drawn[1], drawn[2])):
        assert all(later == "n" for earlier, later in zip(before, after, strict=True) if earlier == "n")
    assert found[3] == ["n" * 300, ["new"]]
    assert found[4] == ["w" * 300, ["today"]]
    assert found[6] == ["m" * 300, ["new"]]
    assert found[7] == ["n" * 300, ["new"]]
    assert found[8] == ["m" * 300, ["new"]]
    assert [values for _, values in found[9:]] == [["today"], ["today"]]


def test_litellm_draws_what_is_routed_differently_by_weight(tmp_path: Path) -> None:
    own = {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {"model": f"openai/{name}", "mock_response": name, "api_key": "x"},
            }
            for name in ("swift", "deep")
        ]
    }
    text = yaml.safe_dump(own)
    today = ThresholdPolicy(
        "cascade", Default("strong_only"), {"law": CategoryPolicy("cascade", 0.6, **PAIR)}
    )
    found = rollout(POLICY, today=today, critical=["health"])
    number = next(step.number for step in found.steps if "law" in step.categories and step.fraction == 0.25)
    fragments, _ = rollout_files(
        found, POLICY, "litellm-plugin", today=today, deployments=own_deployments(own)
    )
    fragment = fragments[number]
    for name, content in fragment.files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    whole = merged(text, "litellm-plugin", fragment).text
    # The step after it takes its place, and a plain export that of both.
    later = merged(whole, "litellm-plugin", fragments[number + 1]).text
    assert later == merged(text, "litellm-plugin", fragments[number + 1]).text
    (tmp_path / "config.yaml").write_text(whole, encoding="utf-8")
    times = 400
    cases = [
        {"category": "law", "confidence": 0.7, "times": times},  # today kept, newly escalated
        {"category": "law", "confidence": 0.9, "times": 30},  # both keep
        {"category": "law", "confidence": 0.1, "times": 30},  # both escalate
        {"category": "health", "confidence": 0.95, "times": 30},  # its turn has not come
        {"category": "chat", "confidence": 0.95, "times": 30},  # moved before
        {"category": None, "confidence": 0.95, "times": 30},
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    program = FIXTURES / "litellm" / "rollout_shares.py"
    ran = subprocess.run(
        [sys.executable, str(program), str(tmp_path), str(tmp_path / "cases.json")],
        capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    counts = json.loads(ran.stdout.splitlines()[-1])
    assert abs(counts[0]["deep"] - 100) < 4 * math.sqrt(400 * 0.25 * 0.75)
    assert counts[0]["swift"] == times - counts[0]["deep"]
    assert counts[1:] == [{"swift": 30}, {"deep": 30}, {"deep": 30}, {"swift": 30}, {"deep": 30}]


def test_every_pair_of_models_has_weights_of_its_own() -> None:
    several = {**POLICY.categories, "other": CategoryPolicy("cascade", 0.5, fast_model="a", strong_model="b")}
    policy = ThresholdPolicy("cascade", Default("strong_only"), several)
    fragments, _ = rollout_files(rollout(policy), policy, "litellm-plugin")
    entries = yaml.safe_load(fragments[1].files["litellm.yaml"])["model_list"]
    markers = [entry["litellm_params"] for entry in entries if entry["model_name"] == "smart"]
    assert [marker["tags"] for marker in markers] == [["default"], ["cat:other"]]
    second = markers[1]["complexity_router_config"]["tiers"]
    models = {
        tier: {
            (entry["litellm_params"]["model"], entry["litellm_params"]["weight"])
            for entry in entries
            if entry["model_name"] == second[tier]
        }
        for tier in ("MEDIUM", "COMPLEX")
    }
    assert models == {"MEDIUM": {("a", 5), ("b", 95)}, "COMPLEX": {("b", 5), ("a", 95)}}
    # A plain export afterwards takes all of them away.
    text = merged("model_list: []\n", "litellm-plugin", fragments[1]).text
    plain = merged(text, "litellm-plugin", exported(policy, "litellm-plugin")).text
    assert "tiertune-" not in plain.replace("# tiertune:", "")
