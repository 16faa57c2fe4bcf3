"""A rollout as files: one per step for flagd or LiteLLM, and the plan in Markdown."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from analytics.experiments import saying
from analytics.export import gateways
from analytics.export.fragment import ASKED_FIRST, Fragment, RefusedError, Rules, commented, rules
from analytics.export.litellm import ESCALATED, KEPT, PUBLIC, TAGGED, marker, pair_tags
from analytics.export.plain import as_python
from analytics.export.rollout import EXPERIMENT, NEW, TODAY, Rollout, Step, shown
from analytics.paper import Section, Table, markdown
from analytics.policy import Default, ThresholdPolicy

PLAN = "rollout.md"
TARGETS = ("flagd", "litellm-plugin")
WHOLE = 100
INFINITE = 'float("inf")'
_DONE, _WAITING = "moved", "waiting"
_MODULE = "tiertune_rollout.py"

_STEP = '''

# The step of the rollout: None stands for categories without a rule of their own.
MOVED = {moved}
MOVING = {moving}
TODAY_RULES = {rules}
TODAY_DEFAULT = {default}


def _kept(table, default, category, confidence):
    threshold, keeps_missing = table.get(category, default)
    usable = isinstance(confidence, (Real, Decimal)) and not isinstance(confidence, bool)
    usable = usable and 0 <= confidence <= 1
    return float(confidence) >= threshold if usable else keeps_missing


def tier(category, confidence):
    """SIMPLE and REASONING where old and new thresholds agree; MEDIUM and COMPLEX are drawn by weight."""
    named = category if category in RULES or category in TODAY_RULES else None
    new = route(category, confidence) == "fast"
    old = _kept(TODAY_RULES, TODAY_DEFAULT, category, confidence)
    if named in MOVED:
        old = new
    elif named not in MOVING:
        new = old
    if new == old:
        return "SIMPLE" if new else "REASONING"
    return "MEDIUM" if new else "COMPLEX"


class Classifier:
    """LiteLLM asks this for a tier; metadata carries the caller's category and confidence."""

    async def classify(self, context):
        metadata = context.metadata or {{}}
        return tier(metadata.get("category"), metadata.get("confidence"))


classifier = Classifier()
'''


def rollout_files(
    found: Rollout,
    policy: ThresholdPolicy,
    target: str,
    *,
    today: ThresholdPolicy | None = None,
    deployments: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[dict[int, Fragment], str]:
    """The fragment of every step by its number, and the plan as Markdown.

    Args:
        found: The plan.
        policy: The new thresholds.
        target: One of ``TARGETS``.
        today: Those in force; None takes every request as strong today.
        deployments: LiteLLM's parameters of the user's models by name, for the weighted copies.

    Raises:
        RefusedError: The target has no weights or fractions that this writes.
    """
    if target not in TARGETS:
        raise RefusedError(
            f"A rollout is written for {' and '.join(TARGETS)}, not for {target}. Use flagd beside it."
        )
    if target == "flagd":
        steps = {step.number: flagd(step, policy) for step in found.steps}
    else:
        old = today or ThresholdPolicy(policy.policy_kind, Default("strong_only"))
        steps = {step.number: litellm(step, policy, old, deployments or {}) for step in found.steps}
    if policy.policy_kind == "cascade":
        steps = {
            number: replace(fragment, notes=(ASKED_FIRST, *fragment.notes))
            for number, fragment in steps.items()
        }
    return steps, plan_text(found, steps[1].notes)


def flagd(step: Step, policy: ThresholdPolicy) -> Fragment:
    """Flags of one step: ``tiertune-route`` as ever, and ``tiertune-rollout`` for who follows it.

    The value is ``new`` or ``today``; the variant says whether it was drawn (``new``, ``today``) or is
    everybody's (``moved``, ``waiting``). A user stays in the new part as the share grows: the hash of the
    targeting key decides, and the new part is the first on its scale.
    """
    document = json.loads(gateways.flagd(rules(policy)).files["flagd.json"])
    drawn: Any = {"fractional": [[NEW, _percent(step)], [TODAY, WHOLE - _percent(step)]]}
    choices: list[Any] = []
    ruled = list(policy.categories)
    for names, answer in ((step.done, _DONE), (step.categories, drawn)):
        own = [name for name in names if name is not None]
        if own:
            choices += [{"in": [{"var": "category"}, own]}, answer]
    rest = _DONE if None in step.done else drawn if None in step.categories else _WAITING
    left = [name for name in ruled if name not in (*step.done, *step.categories)]
    if left and rest != _WAITING:
        choices += [{"in": [{"var": "category"}, left]}, _WAITING]
    document["flags"][EXPERIMENT] = {
        "state": "ENABLED",
        "variants": {NEW: NEW, TODAY: TODAY, _DONE: NEW, _WAITING: TODAY},
        "defaultVariant": _WAITING,
        "targeting": {"if": [*choices, rest]},
        "metadata": {"experiment": step.experiment, "step": step.number},
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return Fragment({"flagd.json": text}, FLAGD_NOTES)


FLAGD_NOTES = (
    f"Ask {EXPERIMENT} first, with category in the context and the user as targeting key.",
    "Where it says new follow tiertune-route, where it says today do what the application does now.",
    f"Where its variant is {NEW} or {TODAY}, log it as arm, and its metadata experiment as experiment.",
    "A user stays in the new part as the share grows.",
)
LITELLM_NOTES = (
    "Only requests that old and new thresholds route differently are drawn, each anew: a user may get both.",
    "Log arm new where the deployment's model_info.id ends in -new, today where it ends in -today.",
    "The effect is that on requests routed differently, so a gate asks for more than it would of all.",
)


def litellm(
    step: Step, policy: ThresholdPolicy, today: ThresholdPolicy, deployments: Mapping[str, Mapping[str, Any]]
) -> Fragment:
    """Markers as the plug-in's, and for each pair two names with two weighted deployments each.

    These serve what old and new thresholds route differently: LiteLLM draws one of the two by its weight.
    """
    new, old = rules(policy), rules(today)
    markers, drawn = [], []
    for place, (fast, strong) in enumerate(new.pairs):
        end = f"-{place + 1}" if place else ""
        kept, escalated = KEPT + end, ESCALATED + end
        config = {
            "classifier_type": "custom",
            "classifier_plugin": "tiertune_rollout.classifier",
            "tiers": {"SIMPLE": fast, "MEDIUM": kept, "COMPLEX": escalated, "REASONING": strong},
            "default_model": strong,
        }
        markers.append(marker(PUBLIC, pair_tags(new, place), config))
        drawn += _weighted(kept, (fast, strong), step, deployments)
        drawn += _weighted(escalated, (strong, fast), step, deployments)
    head = commented((*new.comments, f"Step {step.number} of the rollout: {_said(step)}."))
    document = {"model_list": [*markers, *drawn]}
    text = head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    notes: tuple[str, ...] = LITELLM_NOTES if len(markers) == 1 else (*LITELLM_NOTES, TAGGED)
    if not {model for pair in new.pairs for model in pair} <= set(deployments):
        notes += (f"Put your provider and its key into the deployments of {KEPT} and {ESCALATED}.",)
    beside = f"Put {_MODULE} beside the proxy's config."
    return Fragment({"litellm.yaml": text, _MODULE: _module(step, new, old)}, (*notes, beside))


def _weighted(
    name: str, models: tuple[str, str], step: Step, deployments: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Two deployments under one name: the new thresholds' model, and today's."""
    weights = (_percent(step), WHOLE - _percent(step))
    return [
        {
            "model_name": name,
            "litellm_params": {**deployments.get(model, {"model": model}), "weight": weight},
            "model_info": {"id": f"{name}-{arm}"},
        }
        for arm, model, weight in zip((NEW, TODAY), models, weights, strict=True)
        if weight
    ]


def _module(step: Step, new: Rules, old: Rules) -> str:
    table = {name: (rule.threshold, rule.keeps_missing) for name, rule in old.categories.items()}
    lines = "".join(f"    {name!a}: {_pair(*pair)},\n" for name, pair in table.items())
    return as_python(new).files["tiertune_route.py"] + _STEP.format(
        moved=_names(step.done),
        moving=_names(step.categories),
        rules="{\n" + lines + "}" if lines else "{}",
        default=_pair(old.default.threshold, old.default.keeps_missing),
    )


def _names(names: tuple[str | None, ...]) -> str:
    return "{" + ", ".join(ascii(name) for name in names) + "}" if names else "set()"


def _pair(threshold: float, keeps: bool) -> str:  # noqa: FBT001 - a pair
    return f"({INFINITE if math.isinf(threshold) else repr(threshold)}, {keeps})"


def _percent(step: Step) -> int:
    return round(WHOLE * step.fraction)


def plan_text(found: Rollout, notes: Sequence[str]) -> str:
    """The plan in Markdown, for whoever carries it out.

    Args:
        found: The plan.
        notes: What holds for every step's files.
    """
    whole = f", {saying.days(found.days)} in all" if found.days is not None else ""
    lead = f"{len(found.steps)} steps{whole}; no step may cost its categories more than "
    lead += f"{saying.size('accuracy', found.margin)} of accuracy."
    risks = [
        [
            shown([risk.category]),
            saying.UNKNOWN if risk.share is None else saying.percent(risk.share),
            saying.UNKNOWN if risk.loss is None else saying.size("accuracy", risk.loss),
            "critical" if risk.critical else "",
        ]
        for risk in found.risks
    ]
    order: list[str | Table] = [
        "Least expected risk first: share of the requests times the accuracy that the interval leaves open.",
        "What is called critical goes last, and so does whatever has no rule of its own.",
        Table(["Category", "share", "may lose", ""], risks),
    ]
    if found.unchanged:
        order.append(f"Routed as today: {shown(found.unchanged)}.")
    if not found.today:
        order.append("The thresholds in force are not known: every request counts as strong today.")
    rows = [[str(step.number), _said(step), f"step-{step.number}/"] for step in found.steps]
    sections = [
        Section("Order", order),
        Section("Steps", [Table(["Step", "who follows the new thresholds", "file"], rows), *notes]),
    ]
    for step in found.steps:
        parts: list[str | Table] = [step.gate.sentence]
        if step.gate.command is not None:
            parts.append(f"On the Experiments page, experiment {step.experiment}; or: {step.gate.command}")
        after = "the next" if step.number < len(found.steps) else "the end"
        sections.append(Section(f"After step {step.number}, before {after}", parts))
    sections.append(
        Section(
            "Back", ["Put back the file of the step before; at the first, the one from before the rollout."]
        )
    )
    return markdown("Rollout", lead, sections)


def _said(step: Step) -> str:
    text = f"{saying.percent(step.fraction, digits=0)} of {shown(step.categories)}"
    return f"{text}, and all of {shown(step.done)}" if step.done else text


def own_deployments(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """LiteLLM's parameters by model name, of a config's ``model_list``; the first of each name."""
    found: dict[str, dict[str, Any]] = {}
    entries = data.get("model_list")
    for entry in entries if isinstance(entries, list) else []:
        params = entry.get("litellm_params") if isinstance(entry, dict) else None
        name = entry.get("model_name") if isinstance(entry, dict) else None
        if isinstance(params, dict) and isinstance(name, str):
            found.setdefault(name, {key: value for key, value in params.items() if key != "weight"})
    return found
