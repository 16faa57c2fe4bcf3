"""Thresholds files with one fault each, made from a valid one, and policies that a target cannot express."""

import copy
from collections.abc import Iterator
from typing import Any

from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy

VALID: dict[str, Any] = {
    "schema": "tiertune/thresholds/v1",
    "policy_kind": "cascade",
    "created": "2026-11-22T14:00:00Z",
    "goal": {"name": "non-inferior", "margin": 0.01, "reference": "strong", "scope": "overall"},
    "default": {"route": "strong_only"},
    "categories": {
        "law": {
            "route": "cascade", "threshold": 0.96, "interval": [0.95, 0.96], "on_missing": "escalate",
            "fast_model": "small", "strong_model": "big", "verdict": "estimated", "n": 551,
            "accuracy": {"value": 0.47, "low": 0.44, "high": 0.5},
            "cost_per_request_usd": {"value": 0.0011, "low": 0.001, "high": 0.0012},
            "escalation_rate": {"value": 0.82, "low": 0.8, "high": 0.84},
        },
        "chat": {"route": "fast_only"},
    },
}  # fmt: skip
_REQUIRED = (
    ("schema",), ("policy_kind",), ("default",), ("categories",), ("default", "route"),
    ("categories", "law", "route"), ("categories", "law", "threshold"), ("categories", "chat", "route"),
)  # fmt: skip
_NO_WORD: tuple[Any, ...] = ("sometimes", 4, True, [], {}, float("nan"))
_NO_SHARE: tuple[Any, ...] = (-0.1, 1.1, 95, "0.5", True, [], {}, float("nan"), float("inf"))
_NO_TEXT: tuple[Any, ...] = (4, [], {}, True)
_FAULTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("policy_kind", "route", "on_missing", "verdict", "reference", "scope", "goal.name"), _NO_WORD
    ),
    **dict.fromkeys(("threshold", "margin", "accuracy.value", "escalation_rate.value"), _NO_SHARE),
    **dict.fromkeys(("fast_model", "strong_model"), _NO_TEXT),
    "schema": ("tiertune/thresholds/v9", "router/v1", 1, "", None),
    "n": (-1, 1.5, "551", True, [], float("nan")),
    "low": (2.0,),
    "high": (-1.0,),
    "interval": ([0.97, 0.99], [0.96, 0.95], [0.96], 0.96, "0.95 to 0.96", [None, None]),
    "created": ("yesterday", 4, [], "2026-13-01T00:00:00Z"),
}
"""By key, or by the last two keys: values that must not stand there."""
_NO_MAPPING: tuple[Any, ...] = (4, "text", [], True)


def documents() -> Iterator[dict[str, Any]]:
    """Documents of which each has one fault."""
    for path in _REQUIRED:
        yield _changed(path, remove=True)
    for path, value in _places(VALID, ()):
        if isinstance(value, dict) and path != ("categories",):
            yield _changed((*path, "treshold"), 0.5)
        if isinstance(value, dict) and path:
            yield from (_changed(path, other) for other in _NO_MAPPING)
        faults = _FAULTS.get(".".join(path[-2:]), _FAULTS.get(path[-1] if path else "", ()))
        yield from (_changed(path, other) for other in faults)


def _places(part: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, part
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _places(value, (*path, name))


def _changed(path: tuple[str, ...], value: Any = None, *, remove: bool = False) -> dict[str, Any]:
    document = copy.deepcopy(VALID)
    place = document
    for name in path[:-1]:
        place = place[name]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


def inexpressible() -> Iterator[tuple[str, ThresholdPolicy]]:
    """Targets with policies that they cannot run as they are."""
    law = {"law": CategoryPolicy("cascade", 0.8)}
    sources = {
        "litellm-capability": "p_solve", "litellm-heuristic": "heuristic_v2_forecast", "routellm": "win_rate",
        "vllm-sr": "hybrid",
    }  # fmt: skip
    default = Default("strong_only")
    for target, source in sources.items():
        right, wrong = ("cascade", "predictive") if target == "vllm-sr" else ("predictive", "cascade")
        for other in (None, "fast_verbal_confidence", f"my_{source}_of_old"):
            yield target, ThresholdPolicy(right, default, law, confidence=Score(None, other))
        yield target, ThresholdPolicy(wrong, default, law, confidence=Score(None, source))
    keeps = {"law": CategoryPolicy("cascade", 0.5, on_missing="keep")}
    for target in ("litellm-capability", "litellm-heuristic", "vllm-sr"):
        kind = "cascade" if target == "vllm-sr" else "predictive"
        yield target, ThresholdPolicy(kind, default, keeps, confidence=Score(None, sources[target]))
    zero = {"law": CategoryPolicy("cascade", 0.0)}
    yield "vllm-sr", ThresholdPolicy("cascade", default, zero, confidence=Score(None, "hybrid"))
    one = {"law": CategoryPolicy("cascade", 1.0)}
    yield "litellm-capability", ThresholdPolicy("predictive", default, one, confidence=Score(None, "p_solve"))
    pairs = {
        "law": CategoryPolicy("cascade", 0.5, fast_model="a", strong_model="b"),
        "chat": CategoryPolicy("cascade", 0.5, fast_model="a", strong_model="c"),
    }
    yield "routellm", ThresholdPolicy("predictive", default, pairs, confidence=Score(None, "win_rate"))
    yield "csv", ThresholdPolicy("cascade", default, {"(default)": CategoryPolicy("strong_only")})
