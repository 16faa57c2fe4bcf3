"""The price of a model by the name that a log has for it: set by hand, else from LiteLLM's list.

Many logged names are in no list, so an unknown price is the normal case and never an error.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from analytics.logs import price_list
from analytics.logs.price_list import price_map_date
from analytics.logs.rates import PER_MILLION, Override, Overrides, Price, overridden, per_million

__all__ = [
    "PER_MILLION",
    "Override",
    "Overrides",
    "Price",
    "effort_of",
    "per_million",
    "price",
    "price_map_date",
    "stated_pairs",
    "tier_of",
]

STANDARD_FROM = 0.25
FRONTIER_FROM = 1.25
REASONING_FROM = 3.00
_OFF = frozenset({"none", "off", "no", "false", "0", "disabled", "minimal", "no_think", "no-think"})
_SLIGHT = frozenset({"low"})

_EFFORT = re.compile(r"@([^@/]*)$")
_DATED = re.compile(
    r"[-@:](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3}|\d{2}-\d{2}|\d{2}-\d{4}|latest|default)$"
)
_VENDOR = re.compile(
    r"^(?:[a-z]{2,6}\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|google)\.(?=[a-z])"
)
_REVISION = re.compile(r"-v\d+(:\d+)?$")


def price(model: str, *, overrides: Overrides | None = None) -> Price | None:
    """The list price of a logged model name; None where it is not known for certain.

    Tried in this order: the name, the name without ``@effort``, without provider prefixes, without its
    date; then, unless a provider is named, names of the map that differ only by prefix or date, if all
    of those agree on the price. Capital letters do not count.

    Args:
        model: As logged, e.g. ``openai/gpt-4o``, ``gpt-4o-2024-08-06`` or ``o3@high``.
        overrides: Prices set by hand by model, which win; what they leave open is as listed.
    """
    stated = _stated(model, overrides or {})
    listed = _listed(model)
    return listed if stated is None else overridden(listed, stated)


def stated_pairs(pairs: Mapping[str, tuple[float, float]]) -> dict[str, Override]:
    """Overrides from input and output price in USD per million tokens by model."""
    return {model: Override(input=paid, output=made) for model, (paid, made) in pairs.items()}


def tier_of(price: Price | None, effort: str | None = None) -> str | None:
    """The tier that a price and a reasoning effort imply; None where the price is unknown.

    The price is ``Price.blended_usd_per_1m``: three input tokens to one output token. Cuts lie between
    the usual prices of neighbouring tiers: small below 0.25 USD, standard below 1.25, frontier from
    there. A model that supports reasoning is of the reasoning tier from 3.00 on (2 in and 8 out
    blend to 3.50), or at any price where the log says an effort of medium or more; never where the
    effort says that it did not think. Everyone may overrule this by hand.

    Args:
        price: Of the model.
        effort: Reasoning effort as logged: a word, or a budget in tokens.
    """
    if price is None:
        return None
    blended = price.blended_usd_per_1m
    word = "" if effort is None else effort.strip().casefold()
    thinks = price.supports_reasoning and word not in _OFF
    if thinks and (blended >= REASONING_FROM or word not in _SLIGHT | {""}):
        return "reasoning"
    if blended >= FRONTIER_FROM:
        return "frontier"
    return "standard" if blended >= STANDARD_FROM else "small"


def effort_of(label: str) -> str | None:
    """The effort in a model's label, ``high`` in ``o3@high``; None where there is none."""
    found = _EFFORT.search(label)
    listed = _folded(label) in price_list.prices()
    if found is None or listed or re.fullmatch(r"\d{6,8}|default|latest", found[1]):
        return None
    return found[1] or None


def _stated(model: str, overrides: Overrides) -> Override | None:
    stated = {_folded(name): found for name, found in overrides.items()}
    return next((stated[name] for name in _without_effort(_folded(model)) if name in stated), None)


def _listed(model: str) -> Price | None:
    prices = price_list.prices()
    for name in _candidates(model):
        if name in prices:
            return prices[name]
    if _folded(model).partition("/")[0] in _providers() and "/" in model:
        return None
    agreed = _agreed()
    for name in _candidates(model):
        found = agreed.get(_bare(name))
        if found is not None:
            return found
    return None


def _candidates(model: str) -> list[str]:
    """Names under which the map may hold the model, the most specific first."""
    names = []
    for name in _without_effort(_folded(model)):
        parts = name.split("/")
        names += ["/".join(parts[start:]) for start in range(len(parts))]
    undated = [_DATED.sub("", name) for name in names]
    return list(dict.fromkeys(name for name in names + undated if name))


def _without_effort(name: str) -> list[str]:
    return [name, _EFFORT.sub("", name)]


def _folded(name: str) -> str:
    return name.strip().casefold()


def _bare(name: str) -> str:
    """The model alone: no provider path, no vendor prefix, no revision, no date."""
    last = _REVISION.sub("", _VENDOR.sub("", name.rpartition("/")[2]))
    return _DATED.sub("", last)


@lru_cache(maxsize=1)
def _providers() -> frozenset[str]:
    """First parts of the names in the map that have several."""
    return frozenset(name.partition("/")[0] for name in price_list.prices() if "/" in name)


@lru_cache(maxsize=1)
def _agreed() -> dict[str, Price | None]:
    """Price by bare name, None where two entries of the map disagree on it."""
    agreed: dict[str, Price | None] = {}
    for name, entry in price_list.prices().items():
        bare = _bare(name)
        known = agreed.setdefault(bare, entry)
        if known is not None and (known.input_usd, known.output_usd) != (entry.input_usd, entry.output_usd):
            agreed[bare] = None
    return agreed
