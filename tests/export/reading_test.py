"""Thresholds read back out of a router's own config, written by us or by hand: both decide alike."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.errors import SchemaError
from analytics.export import golden
from analytics.export.litellm_reading import rules_of
from analytics.export.own_scores import inverted
from analytics.export.reading import in_force
from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy

PAIR: dict[str, Any] = {"fast_model": "swift", "strong_model": "deep"}
SOURCES = {
    "litellm-capability": "p_solve", "litellm-heuristic": "heuristic_v2_forecast", "vllm-sr": "hybrid",
    "routellm": "win_rate",
}  # fmt: skip
FILES = {
    **dict.fromkeys(("litellm-plugin", "litellm-capability", "litellm-heuristic"), "litellm.yaml"),
    "vllm-sr": "vllm-sr.yaml", "portkey": "portkey.json", "flagd": "flagd.json", "routellm": "routellm.json",
}  # fmt: skip
names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\0"), min_size=1, max_size=8
)
keeping = st.sampled_from(["escalate", "keep"])
open_thresholds = st.floats(0.001, 0.999)


def rules(*, keep: bool, constant: bool) -> Any:
    missing = keeping if keep else st.just("escalate")
    cascade = st.builds(
        lambda threshold, on_missing: CategoryPolicy("cascade", threshold, on_missing=on_missing, **PAIR),
        open_thresholds, missing,
    )  # fmt: skip
    single = st.sampled_from([CategoryPolicy(route, **PAIR) for route in ("fast_only", "strong_only")])
    return st.one_of(cascade, single) if constant else cascade


def policies(*, keep: bool, kind: str, source: str | None) -> Any:
    return st.builds(
        # One threshold beside them tells which model is which.
        lambda own, threshold: ThresholdPolicy(
            kind,  # type: ignore[arg-type]
            Default("cascade", threshold),
            {"one": CategoryPolicy("cascade", 0.25, **PAIR), **own},
            confidence=Score(None, source),
        ),
        st.dictionaries(names, rules(keep=keep, constant=True), max_size=4),
        open_thresholds,
    )


def read(policy: ThresholdPolicy, target: str) -> ThresholdPolicy:
    files = exported(policy, target).files
    return in_force(files[FILES[target]], target, kind=policy.policy_kind, beside=files).policy


def same(found: ThresholdPolicy, policy: ThresholdPolicy, *, scale: bool) -> None:
    """Both decide every golden case of either alike; a forecast is always on its scale."""
    for case in (*golden.cases(policy), *golden.cases(found)):
        if scale and (case.confidence is None or not 0 <= case.confidence <= 1):
            continue
        wanted = policy.route(case.category, case.confidence)
        assert found.route(case.category, case.confidence) == wanted, case


@settings(max_examples=60, deadline=None)
@given(policies(keep=True, kind="cascade", source=None))
@pytest.mark.parametrize("target", ["litellm-plugin", "portkey", "flagd"])
def test_what_a_writer_wrote_reads_back_for_any_confidence(target: str, policy: ThresholdPolicy) -> None:
    found = read(policy, target)
    same(found, policy, scale=False)
    assert found.policy_kind == "cascade"
    rule = found.rule("one")
    assert rule.threshold == 0.25


@settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.parametrize("target", ["litellm-capability", "litellm-heuristic", "vllm-sr", "routellm"])
def test_what_a_writer_wrote_reads_back_for_a_routers_own_score(target: str, data: st.DataObject) -> None:
    kind = "cascade" if target == "vllm-sr" else "predictive"
    policy = data.draw(policies(keep=False, kind=kind, source=SOURCES[target]))
    found = read(policy, target)
    if target == "routellm":  # its scores are the complements; of those both thresholds ask the same
        for name in (*policy.categories, None):
            ours, theirs = policy.rule(name), found.rule(name)
            assert (ours.threshold is None) == (theirs.threshold is None)
            assert ours.threshold is None or inverted(ours.threshold) == inverted(theirs.threshold or 0)
    else:
        same(found, policy, scale=True)
    assert found.policy_kind == kind
    assert found.confidence is not None
    assert found.confidence.source == SOURCES[target]


def test_a_hand_written_portkey_config_is_read_as_it_decides() -> None:
    # Tried in order: law below 0.6 goes to deep; law and chat from 0.6 to swift; what is left to deep.
    conditions = [
        {"query": {"metadata.user": {"$eq": "vip"}}, "then": "deep"},
        {"query": {"$and": [{"metadata.category": {"$eq": "law"}}, {"metadata.confidence": {"$lt": 0.6}}]},
         "then": "deep"},
        {"query": {"metadata.category": {"$in": ["law", "chat"]}, "metadata.confidence": {"$gte": 0.4}},
         "then": "swift"},
    ]  # fmt: skip
    config = {"strategy": {"mode": "conditional", "conditions": conditions, "default": "deep"}}
    found = in_force(json.dumps(config), "portkey")
    assert found.policy.categories["law"].threshold == 0.6
    assert found.policy.categories["chat"].threshold == 0.4
    assert found.policy.default.route == "strong_only"
    assert any("metadata.user" in sentence for sentence in found.unread)


def test_a_band_of_confidences_is_no_threshold_and_said() -> None:
    band = {"$and": [{"metadata.confidence": {"$gte": 0.4}}, {"metadata.confidence": {"$lte": 0.6}}]}
    config = {"strategy": {"conditions": [{"query": band, "then": "swift"}], "default": "deep"}}
    found = in_force(json.dumps(config), "portkey")
    assert any("no threshold" in sentence for sentence in found.unread)


def test_a_hand_written_litellm_config_says_what_is_left_aside() -> None:
    tiers = {"SIMPLE": "swift", "MEDIUM": "middle", "COMPLEX": "deep", "REASONING": "deep"}
    params = {
        "model": "auto_router/complexity_router",
        "complexity_router_config": {
            "classifier_type": "heuristic_v2", "heuristic_v2_success_threshold": 0.7, "tiers": tiers,
        },
    }  # fmt: skip
    other = {"model": "auto_router/complexity_router", "complexity_router_config": {"tiers": tiers}}
    config = {
        "model_list": [
            {"model_name": "router", "litellm_params": params},
            {"model_name": "second", "litellm_params": other},
        ]
    }
    found = in_force(json.dumps(config), "litellm-plugin")
    # Without a tag the first marker is every request's.
    assert (found.policy.default.threshold, found.policy.policy_kind) == (0.7, "predictive")
    assert any("middle" in sentence for sentence in found.unread)
    assert any("second" in sentence for sentence in found.unread)


def test_the_plug_in_without_its_module_asks_for_it() -> None:
    policy = ThresholdPolicy(
        "predictive", Default("strong_only"), {"law": CategoryPolicy("cascade", 0.8, **PAIR)}
    )
    files = exported(policy, "litellm-plugin").files
    with pytest.raises(SchemaError, match="py: add that file"):
        in_force(files["litellm.yaml"], "litellm-plugin")


@pytest.mark.parametrize(
    "text",
    [
        "RULES = {}\n",
        "RULES = open('x')\nDEFAULT = (0.5, False)\n",
        "RULES = {'a': (0.5,)}\nDEFAULT = (1, 2)",
        "RULES = {'a': (7.0, False)}\nDEFAULT = (0.5, False)",
        "RULES = {**x}\nDEFAULT = (0.5, False)",
        "RULES = {'a': (__import__('os').getpid(), False)}\nDEFAULT = (0.5, False)",
        "(" * 500,
        "\0",
        "def",
    ],
)
def test_a_module_is_parsed_and_never_run(text: str) -> None:
    with pytest.raises(SchemaError, match="as tiertune wrote it"):
        rules_of(text)


@pytest.mark.parametrize(
    ("target", "text", "said"),
    [
        ("litellm-plugin", "a: 1\n", "model_list is needed as a list, found nothing"),
        ("litellm-plugin", "model_list: [{model_name: a, litellm_params: {model: x}}]\n", "found none"),
        ("vllm-sr", "routing: {decisions: [{name: a}]}\n", "algorithm confidence is needed"),
        ("portkey", '{"strategy": {"mode": "single"}}', "strategy.conditions is needed"),
        ("flagd", '{"flags": {}}', "flags.tiertune-route is needed"),
        (
            "flagd",
            '{"flags": {"tiertune-route": {"variants": {"a": "b"}, "targeting": {"fractional": ["a"]}}}}',
            "found the operation fractional",
        ),
        (
            "flagd",
            '{"flags": {"tiertune-route": {"state": "DISABLED", "variants": {"a": "fast"}}}}',
            "ENABLED",
        ),
        ("routellm", '{"default": "gpt", "categories": {"law": 3}}', "2 problems"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_was_needed(target: str, text: str, said: str) -> None:
    with pytest.raises(SchemaError) as refused:
        in_force(text, target)
    assert said in str(refused.value)


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(-2, 2), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["if", "var", "===", "in", "and", "!", "$and", "$or", "$eq", "$in", "$gt",
                 "metadata.category", "metadata.confidence", "fractional", "query", "then"]
            ),
            inner, max_size=2,
        ),
    ),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(plain, st.lists(plain, max_size=3))
def test_no_rules_whatever_end_otherwise_than_read_or_refused(logic: Any, conditions: list[Any]) -> None:
    flag = {"variants": {"fast": "fast", "strong": "strong"}, "defaultVariant": "fast", "targeting": logic}
    portkey = [{"query": condition, "then": "x"} for condition in conditions]
    models = [{"model_name": "m", "litellm_params": condition} for condition in conditions]
    for target, document in (
        ("flagd", {"flags": {"tiertune-route": flag}}),
        ("portkey", {"strategy": {"conditions": portkey, "default": logic}}),
        ("litellm-plugin", {"model_list": models}),
        ("vllm-sr", {"routing": {"decisions": [{"rules": logic, "modelRefs": conditions}]}}),
    ):
        try:
            found = in_force(json.dumps(document), target)
        except SchemaError:
            continue
        assert found.policy.route("law", 0.5) in ("fast", "strong")
