"""Every text target decides as the policy does, for random policies with hostile names, and reads back."""

import importlib.util
import json
import math
import operator
import re
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import policy_file
from analytics.experiments.spec import Arm, Experiment
from analytics.export import gateways, golden, own_scores, plain
from analytics.export.fragment import MARK, RefusedError, handed_out, rules
from analytics.export.targets import TARGETS, exported
from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy

names = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=12
)
thresholds = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5, 1e-5, 0.1 + 0.2]))
missing = st.sampled_from(["escalate", "keep"])
own = st.one_of(
    st.builds(CategoryPolicy, st.just("cascade"), thresholds, on_missing=missing),
    st.builds(CategoryPolicy, st.sampled_from(["fast_only", "strong_only"])),
)
defaults = st.one_of(
    st.builds(Default, st.just("cascade"), thresholds, missing),
    st.builds(Default, st.sampled_from(["fast_only", "strong_only"])),
)
hostile = st.sampled_from(["=1+1", "'quoted'", 'a,b\n"c"', "no", "1", "2026-01-01", "{x}", "\u202eevil", "'"])
policies = st.builds(
    ThresholdPolicy,
    st.just("cascade"),
    defaults,
    st.dictionaries(st.one_of(names, hostile).filter(lambda name: name != plain.DEFAULT), own, max_size=5),
)


def module(text: str) -> ModuleType:
    spec = importlib.util.spec_from_loader("exported", loader=None)
    assert spec is not None
    found = importlib.util.module_from_spec(spec)
    exec(compile(text, "exported.py", "exec"), found.__dict__)  # noqa: S102 - our own export, under test
    return found


@settings(max_examples=200, deadline=None)
@given(policies)
def test_the_python_module_decides_every_golden_case(policy: ThresholdPolicy) -> None:
    route = module(exported(policy, "python").files["tiertune_route.py"]).route
    for case in golden.cases(policy):
        assert route(case.category, case.confidence) == case.route
    for odd in (True, "0.9", 10**400, float("inf")):
        assert route("x", odd) == policy.route("x", odd)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(policies)
def test_csv_and_json_read_back_exactly(policy: ThresholdPolicy) -> None:
    fragment = exported(policy, "csv")
    assert plain.read_csv(fragment.files["thresholds.csv"]) == policy
    assert policy_file.loads(exported(policy, "json").files["thresholds.json"]) == policy


def test_a_category_called_as_the_default_is_refused_by_csv() -> None:
    rule = {plain.DEFAULT: CategoryPolicy("strong_only")}
    with pytest.raises(RefusedError, match="Use json"):
        exported(ThresholdPolicy("cascade", Default("fast_only"), rule), "csv")


def portkey(config: dict[str, Any], metadata: dict[str, Any]) -> str:  # noqa: C901 - a small interpreter
    """Portkey's documented rules, written apart from the export: the first condition that holds decides."""

    def number(value: Any) -> float:
        # JavaScript's parseFloat: the longest prefix that is a number, else NaN.
        found = re.match(r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)", str(value))
        return float(found.group()) if found else math.nan

    compare = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}

    def holds(query: dict[str, Any]) -> bool:
        for key, wanted in query.items():
            if key == "$and":
                if not all(holds(part) for part in wanted):
                    return False
                continue
            value = metadata.get(key.removeprefix("metadata."))
            for sign, other in wanted.items():
                if sign == "$eq":
                    if value != other:
                        return False
                elif not compare[sign](number(value), number(other)):
                    return False
        return True

    strategy = config["strategy"]
    for condition in strategy["conditions"]:
        if holds(condition["query"]):
            return str(condition["then"])
    return str(strategy["default"])


@settings(max_examples=200, deadline=None)
@given(policies)
def test_portkey_decides_every_golden_case(policy: ThresholdPolicy) -> None:
    config = json.loads(exported(policy, "portkey").files["portkey.json"])
    for case in golden.cases(policy):
        metadata: dict[str, Any] = {} if case.category is None else {"category": case.category}
        if case.confidence is not None:
            metadata["confidence"] = case.confidence
        wanted = "fast-model" if case.route == "fast" else "reasoning-model"
        assert portkey(config, metadata) == wanted, case


def flagd(logic: Any, context: dict[str, Any]) -> Any:  # noqa: PLR0911 - a small interpreter
    """JsonLogic as flagd documents it, written apart from the export."""
    if not isinstance(logic, dict):
        return logic
    ((sign, parts),) = logic.items()
    if sign == "var":
        return context.get(parts)
    if sign == "if":
        for place in range(0, len(parts) - 1, 2):
            if flagd(parts[place], context):
                return flagd(parts[place + 1], context)
        return flagd(parts[-1], context)
    if sign == "and":
        return all(flagd(part, context) for part in parts)
    first, second = (flagd(part, context) for part in parts)
    if sign in ("===", "!=="):
        same = type(first) is type(second) and first == second
        return same if sign == "===" else not same
    return {">=": operator.ge, "<=": operator.le}[sign](first, second)


@settings(max_examples=200, deadline=None)
@given(policies)
def test_flagd_decides_every_golden_case(policy: ThresholdPolicy) -> None:
    flag = json.loads(exported(policy, "flagd").files["flagd.json"])["flags"]["tiertune-route"]
    for case in golden.cases(policy):
        context: dict[str, Any] = {"category": case.category}
        if case.confidence is not None:
            context["confidence"] = case.confidence
        assert flag["variants"][flagd(flag["targeting"], context)] == case.route, case


def test_an_experiment_becomes_a_sticky_fraction() -> None:
    policy = ThresholdPolicy("cascade", Default("strong_only"))
    test = Experiment("next", (Arm("control", 0.8, policy), Arm("treatment", 0.2, policy)))
    flags = json.loads(gateways.flagd(rules(policy), test).files["flagd.json"])["flags"]
    assert flags["next"]["targeting"] == {"fractional": [["control", 4], ["treatment", 1]]}


@settings(max_examples=300, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_score_the_other_way_round_asks_the_strong_model_at_the_same_point(t: float, score: float) -> None:
    # RouteLLM: strong iff score >= threshold; ours: fast iff 1 - score >= t.
    asked = score >= own_scores.inverted(t)
    assert asked == (1 - score < t)


def test_routellm_gets_a_model_string_per_category() -> None:
    policy = ThresholdPolicy(
        "predictive",
        Default("cascade", 0.5),
        {"law": CategoryPolicy("cascade", 0.75)},
        confidence=Score("predictive", "routellm.win_rate"),
    )
    document = json.loads(exported(policy, "routellm").files["routellm.json"])
    # RouteLLM reads model.split("-", 2).
    _, router, threshold = document["categories"]["law"].split("-", 2)
    assert (router, float(threshold)) == ("mf", own_scores.inverted(0.75))


def test_vllm_gets_one_decision_per_category_and_the_fast_model_first() -> None:
    policy = ThresholdPolicy(
        "cascade",
        Default("strong_only"),
        {"law": CategoryPolicy("cascade", 0.72, fast_model="small", strong_model="big")},
        confidence=Score("logprob", "hybrid"),
    )
    (law, default) = yaml.safe_load(exported(policy, "vllm-sr").files["vllm-sr.yaml"])["routing"]["decisions"]
    assert [entry["model"] for entry in law["modelRefs"]] == ["small", "big"]
    assert law["algorithm"]["confidence"]["threshold"] == 0.72
    assert [entry["model"] for entry in default["modelRefs"]] == ["big"]
    for refused in (CategoryPolicy("cascade", 0.0), CategoryPolicy("cascade", 0.5, on_missing="keep")):
        changed = ThresholdPolicy(
            "cascade", Default("strong_only"), {"law": refused}, confidence=policy.confidence
        )
        with pytest.raises(RefusedError, match="Use portkey"):
            exported(changed, "vllm-sr")


def test_what_no_verdict_supports_is_left_out_unless_asked_for() -> None:
    policy = ThresholdPolicy(
        "cascade",
        Default("strong_only"),
        {"rare": CategoryPolicy("cascade", verdict="insufficient_evidence", reason="few")},
    )
    fragment = exported(policy, "json")
    assert policy_file.loads(fragment.files["thresholds.json"]).categories == {}
    assert any("rare" in note for note in fragment.notes)
    marked = exported(policy, "json", include_unsupported=True)
    assert json.loads(marked.files["thresholds.json"])["categories"]["rare"][MARK] is True
    assert handed_out(policy).categories == {}


def test_the_golden_runner_says_which_decisions_a_router_gets_wrong(tmp_path: Path) -> None:
    policy = ThresholdPolicy("cascade", Default("strong_only"), {"law": CategoryPolicy("cascade", 0.8)})
    for name, text in exported(policy, "python").files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(
        "def route(category, confidence):\n    return 'fast'\n", encoding="utf-8"
    )

    def ran(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    good = ran("tiertune_golden_check.py", "golden.json", "tiertune_route:route")
    assert good.returncode == 0, good.stdout
    assert ran("tiertune_golden_check.py", "golden.json", "wrong:route").returncode == 1
    assert ran("tiertune_route_test.py").returncode == 0


def test_a_module_of_a_thousand_categories_is_fast_enough_to_be_in_the_path() -> None:
    policy = ThresholdPolicy(
        "cascade",
        Default("strong_only"),
        {f"c{place}": CategoryPolicy("cascade", place / 1000) for place in range(1000)},
    )
    route = module(exported(policy, "python").files["tiertune_route.py"]).route
    start = time.perf_counter()
    for place in range(100_000):
        route("c500", place / 100_000)
    # A million a second on an idle machine; a tenth of that is a broken implementation on any.
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("target", list(TARGETS))
def test_every_target_comes_with_golden_decisions(target: str) -> None:
    source = {
        "litellm-capability": "p_solve", "litellm-heuristic": "heuristic_v2_forecast",
        "vllm-sr": "avg_logprob", "routellm": "win_rate",
    }.get(target)  # fmt: skip
    policy = ThresholdPolicy(
        "cascade" if target == "vllm-sr" else "predictive",
        Default("strong_only"),
        {"law": CategoryPolicy("cascade", 0.8)},
        confidence=Score(None, source),
    )
    files = exported(policy, target).files
    assert "golden.json" in files
    assert len(json.loads(files["golden.json"])["cases"]) > 20
