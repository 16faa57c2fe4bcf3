"""Exported configs in the installed LiteLLM router: the model that answers is the one the policy names."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from analytics.export import golden
from analytics.export.fragment import RefusedError, rules
from analytics.export.litellm import EPSILON, guarded
from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy

PROGRAM = Path(__file__).parents[1] / "fixtures" / "litellm" / "routed_decisions.py"
HOSTILE = 'law: "$1"\n- {x}'


def policy(source: str | None = None, *, keep: bool = False, several: bool = False) -> ThresholdPolicy:
    pair = {"fast_model": "small", "strong_model": "big"}
    other = {"fast_model": "small", "strong_model": "bigger"} if several else pair
    categories = {
        "maths": CategoryPolicy("cascade", 0.85, **pair),
        HOSTILE: CategoryPolicy("cascade", 0.3, **other),
        "chat": CategoryPolicy("fast_only", **pair),
        "proofs": CategoryPolicy("strong_only", **other),
    }
    if keep:
        categories["kept"] = CategoryPolicy("cascade", 0.5, on_missing="keep", **pair)
    return ThresholdPolicy(
        "predictive", Default("cascade", 0.7), categories, confidence=Score("predictive", source)
    )


def asked(found: ThresholdPolicy, target: str, folder: Path, *, tagged: bool, scale: bool) -> dict[str, Any]:
    """Every golden decision through LiteLLM; ``scale`` leaves out what is no forecast at all."""
    for name, text in exported(found, target).files.items():
        (folder / name).write_text(text, encoding="utf-8")
    cases = [
        case
        for case in golden.cases(found)
        if not scale or (case.confidence is not None and 0 <= case.confidence <= 1)
    ]
    document = [
        {
            "category": case.category,
            "tags": None if not tagged or case.category is None else [f"cat:{case.category}"],
            "confidence": "NaN"
            if case.confidence is not None and math.isnan(case.confidence)
            else case.confidence,
        }
        for case in cases
    ]
    (folder / "cases.json").write_text(json.dumps(document), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), str(folder / "cases.json")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    table = rules(found)
    wanted = []
    for case in cases:
        rule = table.categories.get(case.category or "", table.default)
        wanted.append(rule.fast if case.route == "fast" else rule.strong)
    wrong = [
        (case, got, want)
        for case, got, want in zip(cases, answer["answered"], wanted, strict=True)
        if got != want
    ]
    assert wrong == []
    return answer | {"cases": len(cases)}


@pytest.mark.parametrize("several", [False, True])
def test_the_plug_in_obeys_every_golden_decision(tmp_path: Path, *, several: bool) -> None:
    found = asked(policy(keep=True, several=several), "litellm-plugin", tmp_path, tagged=several, scale=False)
    assert found["cases"] >= 60


def test_the_trained_heuristic_obeys_every_decision_on_its_scale(tmp_path: Path) -> None:
    found = asked(policy("x.heuristic_v2_forecast"), "litellm-heuristic", tmp_path, tagged=True, scale=True)
    thresholds = {entry["heuristic_v2_success_threshold"] for entry in found["loaded"]}
    assert thresholds == {0.7, 0.85, 0.3, 0.5}


def test_the_capability_judge_obeys_every_decision_on_its_scale(tmp_path: Path) -> None:
    found = asked(policy("classifier_p_solve"), "litellm-capability", tmp_path, tagged=True, scale=True)
    assert {entry["classifier_type"] for entry in found["loaded"]} == {"capability"}


def test_a_base_threshold_allows_for_the_epsilon_that_litellm_forgives() -> None:
    for threshold in (0.3, 0.5, 0.85, 0.96, 1e-9):
        base = guarded(threshold)
        below = math.nextafter(threshold, 0)
        # LiteLLM: p_solve >= base or abs(base - p_solve) <= epsilon.
        assert threshold >= base or abs(base - threshold) <= EPSILON
        assert below < base
        assert abs(base - below) > EPSILON
    with pytest.raises(RefusedError, match="just below it"):
        guarded(1.0)


@pytest.mark.parametrize("target", ["litellm-capability", "litellm-heuristic", "vllm-sr", "routellm"])
def test_a_score_that_is_not_the_targets_own_is_refused(target: str) -> None:
    for source in (None, "fast_verbal_confidence", "my_p_solve_of_old"):
        with pytest.raises(RefusedError, match="Use litellm-plugin"):
            exported(policy(source), target)


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("litellm-capability", "p_solve"),
        ("litellm-heuristic", "heuristic_v2_forecast"),
        ("routellm", "win_rate"),
    ],
)
def test_thresholds_about_answers_are_no_forecast(target: str, source: str) -> None:
    cascade = replace(policy(source), policy_kind="cascade")
    with pytest.raises(RefusedError, match="decides before any answer"):
        exported(cascade, target)


@pytest.mark.parametrize(
    ("target", "source"),
    [("litellm-capability", "p_solve"), ("litellm-heuristic", "heuristic_v2_forecast")],
)
def test_keeping_without_a_forecast_is_refused_where_it_cannot_be_said(target: str, source: str) -> None:
    with pytest.raises(RefusedError, match="Use litellm-plugin"):
        exported(policy(source, keep=True), target)


def test_every_marker_sets_all_tiers_and_the_default_stands_first() -> None:
    for target, source in (("litellm-plugin", None), ("litellm-capability", "p_solve")):
        document = yaml.safe_load(exported(policy(source), target).files["litellm.yaml"])
        markers = [entry["litellm_params"] for entry in document["model_list"]]
        assert markers[0]["tags"] == ["default"]
        for marker in markers:
            assert set(marker["complexity_router_config"]["tiers"]) == {
                "SIMPLE",
                "MEDIUM",
                "COMPLEX",
                "REASONING",
            }
