"""The thresholds in force, from a router's own config: one reader per target, beside its writer."""

from collections.abc import Callable, Mapping
from typing import Any

from analytics.export import gateways_reading, own_scores_reading
from analytics.export.litellm_reading import MODULE, litellm
from analytics.export.own_config import own_config
from analytics.export.probe import ReadBack
from analytics.policy import PolicyKind
from analytics.strict_text import Format

FORMS: dict[str, Format] = {
    "litellm-plugin": "yaml",
    "litellm-capability": "yaml",
    "litellm-heuristic": "yaml",
    "vllm-sr": "yaml",
    "portkey": "json",
    "flagd": "json",
    "routellm": "json",
}
"""Targets whose config can be read, and what it is written in."""
_READERS: dict[str, Callable[[dict[str, Any], PolicyKind], ReadBack]] = {
    "vllm-sr": own_scores_reading.vllm,
    "portkey": gateways_reading.portkey,
    "flagd": gateways_reading.flagd,
    "routellm": own_scores_reading.routellm,
}


def in_force(
    content: str | bytes,
    target: str,
    *,
    kind: PolicyKind = "cascade",
    beside: Mapping[str, str] | None = None,
) -> ReadBack:
    """The policy that a router's config decides by.

    Args:
        content: The config, UTF-8.
        target: One of ``FORMS``. All LiteLLM targets read any of LiteLLM's three.
        kind: Kind of the thresholds, where the config does not say it.
        beside: Text of further files by name; of LiteLLM's plug-in ``tiertune_classifier.py``.

    Raises:
        SchemaError: It cannot be read; the message lists what is wrong.
    """
    data = own_config(content, FORMS[target]).data
    if target.startswith("litellm"):
        return litellm(data, kind, (beside or {}).get(MODULE))
    return _READERS[target](data, kind)
