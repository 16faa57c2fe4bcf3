"""Routers asked for golden decisions: installed ones themselves, others by their documented rules."""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from analytics.experiments.spec import Arm, Experiment
from analytics.export import gateways, golden
from analytics.export.fragment import rules
from analytics.export.golden import Case
from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy

LITELLM = Path(__file__).parents[1] / "fixtures" / "litellm" / "routed_decisions.py"
FLAGD = Path(__file__).parents[1] / "fixtures" / "flagd" / "decisions.py"
HOSTILE = 'law: "$1"\n- {x}'
PAIR = {"fast_model": "small", "strong_model": "big"}


def policy(kind: str, source: str | None = None, *, keep: bool = False) -> ThresholdPolicy:
    """Every kind of rule, one of them under a hostile name."""
    categories = {
        "maths": CategoryPolicy("cascade", 0.85, **PAIR),
        HOSTILE: CategoryPolicy("cascade", 0.3, **PAIR),
        "chat": CategoryPolicy("fast_only", **PAIR),
        "proofs": CategoryPolicy("strong_only", **PAIR),
    }
    if keep:
        categories["kept"] = CategoryPolicy("cascade", 0.5, on_missing="keep", **PAIR)
    return ThresholdPolicy(kind, Default("cascade", 0.7), categories, confidence=Score(None, source))


def on_scale(cases: list[Case]) -> list[Case]:
    """Those that a router with a score of its own can meet."""
    return [case for case in cases if case.confidence is not None and 0 <= case.confidence <= 1]


def sent(case: Case) -> float | str | None:
    """A confidence as JSON has it."""
    return "NaN" if case.confidence is not None and math.isnan(case.confidence) else case.confidence


def litellm(target: str, found: ThresholdPolicy, folder: Path, *, scale: bool) -> tuple[int, int]:
    """Decisions of the installed ``litellm.Router`` over HTTP: right ones, and all."""
    folder.mkdir()
    for name, text in exported(found, target).files.items():
        (folder / name).write_text(text, encoding="utf-8")
    cases = on_scale(golden.cases(found)) if scale else golden.cases(found)
    document = [
        {
            "category": case.category,
            "tags": [f"cat:{case.category}"] if scale and case.category is not None else None,
            "confidence": sent(case),
        }
        for case in cases
    ]
    (folder / "cases.json").write_text(json.dumps(document), encoding="utf-8")
    answered = _printed(LITELLM, str(folder), str(folder / "cases.json"), folder=folder)["answered"]
    wanted = ["small" if case.route == "fast" else "big" for case in cases]
    return sum(map(str.__eq__, answered, wanted)), len(cases)


def flagd(found: ThresholdPolicy, folder: Path) -> tuple[int, int]:
    """Decisions of flagd's own offline provider."""
    folder.mkdir()
    # The program asks for the arm of an experiment as well.
    test = Experiment("next", (Arm("control", 0.8, found), Arm("treatment", 0.2, found)))
    (folder / "flags.json").write_text(
        gateways.flagd(rules(found), test).files["flagd.json"], encoding="utf-8"
    )
    cases = golden.cases(found)
    asked = [{"category": case.category, "confidence": sent(case)} for case in cases]
    (folder / "cases.json").write_text(json.dumps(asked), encoding="utf-8")
    routes = _printed(FLAGD, str(folder / "flags.json"), str(folder / "cases.json"), folder=folder)["routes"]
    return sum(map(str.__eq__, routes, [case.route for case in cases])), len(cases)


def _printed(program: Path, *words: str, folder: Path) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, str(program), *words],
        capture_output=True, text=True, timeout=400, check=False, cwd=folder,
    )  # fmt: skip
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr[-2000:])
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


def routellm(found: ThresholdPolicy) -> tuple[int, int]:
    """RouteLLM's rule: its score is the chance that the strong model wins, asked from the threshold up."""
    document = json.loads(exported(found, "routellm").files["routellm.json"])

    def decide(case: Case) -> str:
        name = document["categories"].get(case.category, document["default"])
        _, _, threshold = name.split("-", 2)
        return "strong" if 1 - (case.confidence or 0.0) >= float(threshold) else "fast"

    return _right(decide, on_scale(golden.cases(found)))


def vllm(found: ThresholdPolicy) -> tuple[int, int]:
    """vLLM Semantic Router's rule: the first decision by priority whose domain holds; small to large."""
    document = yaml.safe_load(exported(found, "vllm-sr").files["vllm-sr.yaml"])["routing"]
    decisions = sorted(document["decisions"], key=lambda one: -one["priority"])

    def holds(decision: Mapping[str, Any], category: str | None) -> bool:
        conditions = decision["rules"]["conditions"]
        return all(one["type"] == "domain" and one["name"] == category for one in conditions)

    def decide(case: Case) -> str:
        decision = next(one for one in decisions if holds(one, case.category))
        models = [entry["model"] for entry in decision["modelRefs"]]
        sure = decision.get("algorithm", {}).get("confidence", {})
        keeps = len(models) == 1 or (case.confidence or 0.0) >= sure["threshold"]
        return "fast" if (models[0] if keeps else models[1]) == "small" else "strong"

    return _right(decide, on_scale(golden.cases(found)))


def python(found: ThresholdPolicy) -> tuple[int, int]:
    """The exported module itself."""
    route = module(found)
    return _right(lambda case: route(case.category, case.confidence), golden.cases(found))


def module(found: ThresholdPolicy) -> Callable[[str | None, float | None], str]:
    """``route`` of the exported module."""
    names: dict[str, Any] = {}
    text = exported(found, "python").files["tiertune_route.py"]
    exec(compile(text, "tiertune_route.py", "exec"), names)  # noqa: S102 - our own export
    route: Callable[[str | None, float | None], str] = names["route"]
    return route


def _right(decide: Callable[[Case], str], cases: list[Case]) -> tuple[int, int]:
    return sum(decide(case) == case.route for case in cases), len(cases)
