"""The config targets by name: what each is for, and the fragment that it takes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from analytics import expiry
from analytics.export import gateways, golden, litellm, own_scores, plain
from analytics.export.fragment import ASKED_FIRST, Fragment, Rules, handed_out, refused, rules
from analytics.policy import ThresholdPolicy


@dataclass(frozen=True, slots=True)
class Target:
    """A config target.

    Attributes:
        title: As a page names it.
        about: What it is for, one sentence.
        write: Its fragment.
    """

    title: str
    about: str
    write: Callable[[Rules], Fragment]


TARGETS: dict[str, Target] = {
    "litellm-plugin": Target(
        "LiteLLM, any confidence",
        "A custom classifier for LiteLLM's router: the caller sends category and confidence.",
        litellm.plugin,
    ),
    "litellm-capability": Target(
        "LiteLLM, capability judge",
        "LiteLLM's own forecast by a judge model, against a threshold per category.",
        litellm.capability,
    ),
    "litellm-heuristic": Target(
        "LiteLLM, trained heuristic",
        "LiteLLM's own trained predictor, against a threshold per category.",
        litellm.heuristic,
    ),
    "vllm-sr": Target(
        "vLLM Semantic Router", "Decisions by domain with its own confidence algorithm.", own_scores.vllm
    ),
    "portkey": Target(
        "Portkey", "Conditions on the category and confidence that the caller sends.", gateways.portkey
    ),
    "flagd": Target("flagd", "A flag that decides fast or strong, for OpenFeature.", gateways.flagd),
    "routellm": Target("RouteLLM", "Model strings with a threshold, by category.", own_scores.routellm),
    "python": Target("Python", "route() without dependencies, and its test.", plain.as_python),
    "json": Target("JSON", "The thresholds file as JSON.", plain.as_json),
    "csv": Target("CSV", "One line per category.", plain.as_csv),
}


ASKED_AFTER = ("litellm-plugin", "portkey", "flagd", "python")


def exported(policy: ThresholdPolicy, target: str, *, include_unsupported: bool = False) -> Fragment:
    """The files of a target, with the golden decisions that prove it.

    Args:
        policy: The policy.
        target: One of ``TARGETS``.
        include_unsupported: Whether categories without a supported verdict are handed out, marked.

    Raises:
        RefusedError: The target cannot express the policy.
    """
    handed = handed_out(policy, include_unsupported=include_unsupported)
    found = TARGETS[target].write(rules(handed))
    left = [] if include_unsupported else list(refused(policy))
    notes = found.notes
    if policy.policy_kind == "cascade" and target in ASKED_AFTER:
        notes = (ASKED_FIRST, *notes)
    if left:
        some = ", ".join(left[:4]) + (f" and {len(left) - 4} more" if len(left) > 4 else "")  # noqa: PLR2004
        notes += (f"Without a supported verdict, so left to the default: {some}.",)
    late = expiry.warning(policy)
    if late is not None:
        notes = (late, *notes)
    files = {
        **found.files,
        "golden.json": golden.as_json(handed),
        "tiertune_golden_check.py": golden.CHECK,
    }
    return replace(found, files=files, notes=notes)
