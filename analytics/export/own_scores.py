"""Routers that compute the score themselves: RouteLLM, vLLM Semantic Router."""

import json
import math
import struct

import yaml

from analytics.export.fragment import (
    Fragment,
    RefusedError,
    Rule,
    Rules,
    commented,
    facts,
    require_forecast,
    require_score,
    scored_by,
)

SUFFIX = "_tiertune"
"""Ends the name of every decision of ours."""
METHODS = ("avg_logprob", "margin", "hybrid", "self_verify", "automix_entailment")


def routellm(rules: Rules, *, router: str = "mf") -> Fragment:
    """Model strings ``router-NAME-THRESHOLD`` by category, for callers that choose one per request.

    RouteLLM's score is the chance that the strong model wins, the other way round from a confidence: it asks
    the strong model iff the score reaches the threshold.

    Args:
        rules: The rules.
        router: RouteLLM's name of the router that gave the score.

    Raises:
        RefusedError: The thresholds are about another score, or a category has models of its own.
    """
    policy = rules.policy
    require_score(
        policy,
        "routellm",
        ("routellm", "win_rate", "strong_win_rate"),
        "the chance that the strong model wins",
    )
    require_forecast(policy, "routellm")
    if len(rules.pairs) > 1:
        raise RefusedError("routellm has one pair of models, and these thresholds have several. Use python.")
    strings = {name: _string(rule, router) for name, rule in rules.categories.items()}
    document = {"default": _string(rules.default, router), "categories": strings, **facts(policy)}
    note = "Ask for the model string of the request's category, and for default where it has none."
    return Fragment(
        {"routellm.json": json.dumps(document, ensure_ascii=False, indent=2) + "\n"},
        (note, "RouteLLM always has a score, so what a missing one would do is not expressed."),
    )


def _string(rule: Rule, router: str) -> str:
    return f"router-{router}-{inverted(rule.threshold)!r}"


def inverted(threshold: float) -> float:
    """The least score at which the strong model is asked: the first whose complement is below the threshold.

    The complement of a score is rounded, so the boundary is found among the doubles themselves, by bisection
    over their order.
    """
    if math.isinf(threshold):
        return 0.0
    if threshold <= 0:
        return 1.5  # beyond every score
    kept, asked = _place(0.0), _place(1.0)
    while asked - kept > 1:
        middle = (kept + asked) // 2
        if 1 - _double(middle) < threshold:
            asked = middle
        else:
            kept = middle
    return _double(asked)


def _place(value: float) -> int:
    """Where a double that is not negative stands in the order of all of them."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def _double(place: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", place))[0])


def vllm(rules: Rules, *, method: str | None = None) -> Fragment:
    """Decisions for vLLM Semantic Router, one per category, by its own confidence algorithm.

    Args:
        rules: The rules.
        method: Its confidence method; None takes the one that the thresholds name.

    Raises:
        RefusedError: The thresholds are about another score, or one of them cannot be expressed.
    """
    policy = rules.policy
    require_score(policy, "vllm-sr", METHODS, "its own confidence of the answer")
    chosen = method or scored_by(policy)
    if policy.policy_kind != "cascade":
        raise RefusedError(
            "vllm-sr escalates after the fast answer, and these thresholds forecast. Use portkey."
        )
    decisions = [_vllm_decision(name, rule, chosen, priority=200) for name, rule in rules.categories.items()]
    decisions.append(_vllm_decision(None, rules.default, chosen, priority=100))
    document = {
        "routing": {
            "signals": {"domains": [_vllm_domain(name) for name in rules.categories]},
            "decisions": decisions,
        }
    }
    text = commented(rules.comments) + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return Fragment(
        {"vllm-sr.yaml": text},
        ("Merge it into the output of vllm-sr config init and run vllm-sr config validate.",),
    )


def _vllm_domain(name: str) -> dict[str, object]:
    """A category as a signal; its validator wants a description."""
    return {"name": name, "description": f"Requests of the category {name}", "mmlu_categories": [name]}


def _vllm_decision(name: str | None, rule: Rule, method: str, *, priority: int) -> dict[str, object]:
    where = "default" if name is None else name
    conditions = [] if name is None else [{"type": "domain", "name": name}]
    found: dict[str, object] = {
        "name": f"{where}{SUFFIX}",
        "priority": priority,
        "rules": {"operator": "AND", "conditions": conditions},
    }
    if rule.route is not None:
        model = rule.fast if rule.route == "fast" else rule.strong
        return found | {"modelRefs": [{"model": model, "use_reasoning": rule.route == "strong"}]}
    if rule.threshold == 0:
        raise RefusedError(
            f"vllm-sr takes a threshold of 0 for none, so {where} cannot be expressed. Use portkey or python."
        )
    if rule.keeps_missing:
        raise RefusedError(
            f"vllm-sr cannot keep an answer without a confidence, as {where} asks. Use portkey or python."
        )
    return found | {
        # Some versions ignore the order that is asked for, so the fast model stands first as well.
        "modelRefs": [
            {"model": rule.fast, "use_reasoning": False},
            {"model": rule.strong, "use_reasoning": True},
        ],
        "algorithm": {
            "type": "confidence",
            "confidence": {
                "confidence_method": method,
                "threshold": rule.threshold,
                "escalation_order": "small_to_large",
                "on_error": "skip",
            },
        },
    }
