"""LiteLLM: a classifier plug-in for any confidence, and its own capability and heuristic scores.

Every tier of a marker is set, as a tier without models is served by the default model; and a marker for the
tag ``default`` stands first, as a request without a known tag falls to the first one.
"""

import math
import re
from typing import Any

import yaml

from analytics.export.fragment import (
    Fragment,
    RefusedError,
    Rule,
    Rules,
    commented,
    one_line,
    require_forecast,
    require_score,
)
from analytics.export.plain import as_python

PUBLIC = "smart"
KEPT, ESCALATED = "tiertune-keeps", "tiertune-escalates"
"""Names whose deployments a rollout draws by weight: what it newly keeps, and what it newly escalates."""
TAG = "cat:"
EPSILON = 2.0**-52
_DRAWN = re.compile(rf"({KEPT}|{ESCALATED})(-[0-9]+)?")
MARKER = "auto_router/complexity_router"
TAGGED = 'Send the category as a tag: metadata {"tags": ["cat:NAME"]}; leave enable_tag_filtering off.'

_PLUGIN = '''

class Classifier:
    """LiteLLM asks this for a tier; metadata carries the caller's category and confidence."""

    async def classify(self, context):
        metadata = context.metadata or {}
        chosen = route(metadata.get("category"), metadata.get("confidence"))
        return "SIMPLE" if chosen == "fast" else "REASONING"


classifier = Classifier()
'''


_LOGGER = '''{comments}"""Logs what tiertune needs, a JSON line per routed request: a callback for LiteLLM.

The file is TIERTUNE_LOG, else tiertune-requests.jsonl; load it on the Logs page as it is.
"""

import json
import os
import threading

from litellm.integrations.custom_logger import CustomLogger
from tiertune_classifier import DEFAULT, RULES

# Category: (fast model, strong model).
PAIRS = {pairs}
DEFAULT_PAIR = {default}


class Logger(CustomLogger):
    """LiteLLM passes the parameters by these names."""

    def __init__(self):
        super().__init__()
        self.path = os.environ.get("TIERTUNE_LOG", "tiertune-requests.jsonl")
        self.lock = threading.Lock()

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.write(kwargs, start_time, end_time)

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.write(kwargs, start_time, end_time)

    def write(self, kwargs, start_time, end_time):
        metadata = (kwargs.get("litellm_params") or {{}}).get("metadata") or {{}}
        model = metadata.get("deployment_model_name")
        if model is None or metadata.get("model_group") != {public}:
            return
        payload = kwargs.get("standard_logging_object") or {{}}
        category, confidence = metadata.get("category"), metadata.get("confidence")
        fast, strong = PAIRS.get(category, DEFAULT_PAIR)
        threshold = RULES.get(category, DEFAULT)[0]
        side = "strong" if model == strong else "fast"
        number = isinstance(confidence, (int, float)) and not isinstance(confidence, bool)
        usable = number and 0 <= confidence <= 1
        row = {{
            "request_id": payload.get("litellm_call_id") or kwargs.get("litellm_call_id"),
            "ts": start_time.astimezone().isoformat(),
            "task_category": category,
            "fast_model": fast,
            "strong_model": strong,
            "policy_kind": "predictive",
            "confidence": confidence if usable else None,
            "threshold": threshold if threshold <= 1 else None,
            "escalated": model == strong,
            "unit_id": metadata.get("user_id"),
            "experiment": metadata.get("experiment"),
            "arm": metadata.get("arm"),
            side + "_cost_usd": payload.get("response_cost"),
            side + "_latency_s": (end_time - start_time).total_seconds(),
            side + "_input_tokens": payload.get("prompt_tokens"),
            side + "_output_tokens": payload.get("completion_tokens"),
        }}
        with self.lock, open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\\n")


logger = Logger()
'''


def plugin(rules: Rules, *, public: str = PUBLIC) -> Fragment:
    """A custom classifier that routes by the category and confidence that the caller sends.

    Args:
        rules: The rules.
        public: Model name that callers ask for.
    """
    module = as_python(rules).files["tiertune_route.py"] + _PLUGIN
    markers = []
    for place, (fast, strong) in enumerate(rules.pairs):
        tags = pair_tags(rules, place)
        config = {
            "classifier_type": "custom",
            "classifier_plugin": "tiertune_classifier.classifier",
            "tiers": _tiers(fast, strong),
            "default_model": strong,
        }
        markers.append(marker(public, tags, config))
    notes = ["Send category and confidence in metadata; a missing confidence is left out or null."]
    if len(markers) > 1:
        notes.append(TAGGED)
    files = {"litellm.yaml": _yaml(rules, markers), "tiertune_classifier.py": module}
    beside = "Put tiertune_classifier.py beside the proxy's config."
    # After a cascade's own fast call LiteLLM sees half of a request; its caller logs the whole.
    if rules.policy.policy_kind == "predictive":
        files["tiertune_logger.py"] = _logger(rules, public)
        beside = (
            "Put both Python files beside the proxy's config and tiertune_logger.logger among its callbacks."
        )
    return Fragment(files, (*notes, beside))


def pair_tags(rules: Rules, place: int) -> list[str]:
    """The tags of a pair's marker: the first pair is the default's, others take their categories."""
    if place == 0:
        return ["default"]
    pair = rules.pairs[place]
    return [f"{TAG}{name}" for name, rule in rules.categories.items() if (rule.fast, rule.strong) == pair]


def _logger(rules: Rules, public: str) -> str:
    """The callback that writes every routed request as a log that loads."""
    pairs = {name: (rule.fast, rule.strong) for name, rule in rules.categories.items()}
    return _LOGGER.format(
        comments=commented(rules.comments[:1]),
        pairs="{\n" + "".join(f"    {name!a}: {pair!a},\n" for name, pair in pairs.items()) + "}",
        default=ascii((rules.default.fast, rules.default.strong)),
        public=ascii(public),
    )


def capability(
    rules: Rules,
    *,
    judge: str = "fast-model",
    calibration: tuple[float, float] | None = None,
    public: str = PUBLIC,
) -> Fragment:
    """LiteLLM's capability forecast against a base threshold, one marker per category.

    Args:
        rules: The rules.
        judge: Model name that forecasts.
        calibration: Slope and intercept of the fitted recalibration, which the thresholds are then about.
        public: Model name that callers ask for.

    Raises:
        RefusedError: The thresholds are about another score, or one cannot be expressed.
    """
    names = ("classifier_p_solve", "p_solve")
    require_score(rules.policy, "litellm-capability", names, "the capability judge's p_solve")
    require_forecast(rules.policy, "litellm-capability")
    markers = []
    for tags, rule in _tagged(rules):
        _refuse_missing(rule, tags, "litellm-capability")
        efficient = {
            "efficient_tier": "SIMPLE",
            "capable_tier": "REASONING",
            "base_threshold": guarded(rule.threshold),
        }
        if calibration is not None:
            slope, intercept = calibration
            efficient["calibration"] = {
                "version": "tiertune",
                "slope": float(slope),
                "intercept": float(intercept),
            }
        config = {
            "classifier_type": "capability",
            "classifier_llm_config": {"model": judge},
            "capability_classifier_config": efficient,
            "tiers": _tiers(rule.fast, rule.strong),
            "default_model": rule.strong,
        }
        markers.append(marker(public, tags, config))
    return Fragment({"litellm.yaml": _yaml(rules, markers)}, (TAGGED,))


def heuristic(rules: Rules, *, public: str = PUBLIC) -> Fragment:
    """LiteLLM's trained success predictor against a threshold, one marker per category.

    Raises:
        RefusedError: The thresholds are about another score, or one cannot be expressed.
    """
    names = ("heuristic_v2_forecast", "heuristic_v2")
    require_score(rules.policy, "litellm-heuristic", names, "the trained heuristic's forecast")
    require_forecast(rules.policy, "litellm-heuristic")
    markers = []
    for tags, rule in _tagged(rules):
        _refuse_missing(rule, tags, "litellm-heuristic")
        config = {
            "classifier_type": "heuristic_v2",
            "heuristic_v2_success_threshold": float(rule.threshold),
            "tiers": _tiers(rule.fast, rule.strong),
            "default_model": rule.strong,
        }
        markers.append(marker(public, tags, config))
    return Fragment({"litellm.yaml": _yaml(rules, markers)}, (TAGGED,))


def is_our_marker(entry: Any) -> bool:
    """Whether an entry of ``model_list`` is one that these writers put there: by its name and its tags."""
    if isinstance(entry, dict) and _DRAWN.fullmatch(str(entry.get("model_name"))):
        return True
    params = entry.get("litellm_params") if isinstance(entry, dict) else None
    if not isinstance(params, dict) or entry.get("model_name") != PUBLIC or params.get("model") != MARKER:
        return False
    tags = params.get("tags")
    return isinstance(tags, list) and all(
        isinstance(tag, str) and (tag == "default" or tag.startswith(TAG)) for tag in tags
    )


def guarded(threshold: float) -> float:
    """The base threshold under which LiteLLM's comparison keeps exactly from ``threshold`` up.

    It forgives one epsilon of rounding, which would let the next number below pass too.

    Raises:
        RefusedError: There is no such number, as at 1.
    """
    if threshold <= 0:
        return 0.0
    found = threshold + EPSILON
    below = math.nextafter(threshold, -math.inf)
    if found > 1 or found - threshold > EPSILON or found - below <= EPSILON:
        raise RefusedError(
            f"litellm-capability cannot tell {threshold!r} from the number just below it. Use litellm-plugin."
        )
    return found


def _tagged(rules: Rules) -> list[tuple[list[str], Rule]]:
    """Tags and rule of every marker, the default's first."""
    entries = [(["default"], rules.default)]
    entries += [([f"{TAG}{name}"], rule) for name, rule in rules.categories.items()]
    return [(tags, _expressible(rule)) for tags, rule in entries]


def _expressible(rule: Rule) -> Rule:
    """Always strong needs no threshold: both ends of the ladder are the strong model."""
    if math.isinf(rule.threshold):
        return Rule(0.5, False, rule.strong, rule.strong)
    if rule.route == "fast":
        return Rule(0.5, False, rule.fast, rule.fast)
    return rule


def _refuse_missing(rule: Rule, tags: list[str], target: str) -> None:
    if rule.keeps_missing:
        raise RefusedError(
            f"{target} sends a request without a forecast to the strong model, and {one_line(tags[0])} keeps "
            "it. Use litellm-plugin."
        )


def _tiers(fast: str, strong: str) -> dict[str, str]:
    """All four tiers: only the first is the fast model's."""
    return {"SIMPLE": fast, "MEDIUM": strong, "COMPLEX": strong, "REASONING": strong}


def marker(public: str, tags: list[str], config: dict[str, Any]) -> dict[str, Any]:
    """An entry of ``model_list`` that LiteLLM's complexity router stands behind."""
    params = {"model": MARKER, "tags": tags, "complexity_router_config": config}
    return {"model_name": public, "litellm_params": params}


def _yaml(rules: Rules, markers: list[dict[str, Any]]) -> str:
    models = list(dict.fromkeys(name for pair in rules.pairs for name in pair))
    head = commented(
        (
            *rules.comments,
            f"Merge into model_list. The models {', '.join(models)} must be in it under these names.",
        )
    )
    return head + yaml.safe_dump({"model_list": markers}, sort_keys=False, allow_unicode=True, width=100)
