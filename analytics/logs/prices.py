"""What a model costs per token, from the price map inside the installed litellm package.

The map is read as a file: importing litellm takes seconds and looks for the network. Many logged names
are in no price map, so an unknown price is the normal case and never an error.
"""

import importlib.metadata
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

PRICE_MAP = "model_prices_and_context_window_backup.json"
PER_MILLION = 1e6
Overrides = Mapping[str, tuple[float, float]]

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


@dataclass(frozen=True, slots=True)
class Price:
    """What one token costs, in USD.

    Attributes:
        input_usd: Per input token.
        output_usd: Per output token, reasoning included.
        cached_input_usd: Per input token read from the provider's cache; None: as any input token.
        reasoning_usd: Per reasoning token; None: as any output token.
        supports_reasoning: Whether the model can think before it answers.
        mode: chat, responses, completion, ...
    """

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None
    reasoning_usd: float | None = None
    supports_reasoning: bool = False
    mode: str = "chat"

    @property
    def blended_usd_per_1m(self) -> float:
        """USD per million tokens at three input tokens to one output token, the field's usual mix."""
        return (3 * self.input_usd + self.output_usd) / 4 * PER_MILLION

    def cost_usd(
        self, input_tokens: int, output_tokens: int, *, cached_tokens: int = 0, reasoning_tokens: int = 0
    ) -> float:
        """Cost of one call.

        Args:
            input_tokens: All input tokens, those from the cache included.
            output_tokens: All output tokens, reasoning included.
            cached_tokens: Input tokens read from the cache.
            reasoning_tokens: Output tokens spent on reasoning.

        Prices that grow with the length of the prompt, batch and priority prices are not modelled.
        """
        cached = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        reasoning = self.output_usd if self.reasoning_usd is None else self.reasoning_usd
        return (
            (input_tokens - cached_tokens) * self.input_usd
            + cached_tokens * cached
            + (output_tokens - reasoning_tokens) * self.output_usd
            + reasoning_tokens * reasoning
        )


def price(model: str, *, overrides: Overrides | None = None) -> Price | None:
    """The list price of a logged model name; None where it is not known for certain.

    Tried in this order: the name, the name without ``@effort``, without provider prefixes, without its
    date; then, unless a provider is named, names of the map that differ only by prefix or date, if all
    of those agree on the price. Capital letters do not count.

    Args:
        model: As logged, e.g. ``openai/gpt-4o``, ``gpt-4o-2024-08-06`` or ``o3@high``.
        overrides: Input and output price in USD per million tokens by model, which win.
    """
    stated = _stated(model, overrides or {})
    listed = _listed(model)
    if stated is None:
        return listed
    paid = Price(stated[0] / PER_MILLION, stated[1] / PER_MILLION)
    if listed is None:
        return paid
    return replace(paid, supports_reasoning=listed.supports_reasoning, mode=listed.mode)


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
    if found is None or _folded(label) in _prices() or re.fullmatch(r"\d{6,8}|default|latest", found[1]):
        return None
    return found[1] or None


def price_map_date() -> str:
    """Which price map is read, for the evidence: ``litellm`` and its version."""
    return f"litellm {importlib.metadata.version('litellm')}"


def _stated(model: str, overrides: Overrides) -> tuple[float, float] | None:
    stated = {_folded(name): pair for name, pair in overrides.items()}
    return next((stated[name] for name in _without_effort(_folded(model)) if name in stated), None)


def _listed(model: str) -> Price | None:
    prices = _prices()
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
def _prices() -> dict[str, Price]:
    prices = {}
    for name, entry in _price_map().items():
        found = _entry(entry)
        if found is not None and name != "sample_spec":
            prices[_folded(name)] = found
    return prices


@lru_cache(maxsize=1)
def _providers() -> frozenset[str]:
    """First parts of the names in the map that have several."""
    return frozenset(name.partition("/")[0] for name in _prices() if "/" in name)


@lru_cache(maxsize=1)
def _agreed() -> dict[str, Price | None]:
    """Price by bare name, None where two entries of the map disagree on it."""
    agreed: dict[str, Price | None] = {}
    for name, entry in _prices().items():
        bare = _bare(name)
        known = agreed.setdefault(bare, entry)
        if known is not None and (known.input_usd, known.output_usd) != (entry.input_usd, entry.output_usd):
            agreed[bare] = None
    return agreed


def _entry(entry: Mapping[str, Any]) -> Price | None:
    paid, sold = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if paid is None or sold is None:
        return None
    return Price(
        input_usd=float(paid),
        output_usd=float(sold),
        cached_input_usd=_optional(entry.get("cache_read_input_token_cost")),
        reasoning_usd=_optional(entry.get("output_cost_per_reasoning_token")),
        supports_reasoning=entry.get("supports_reasoning") is True,
        mode=str(entry.get("mode") or "chat"),
    )


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


@lru_cache(maxsize=1)
def _price_map() -> dict[str, dict[str, Any]]:
    spec = importlib.util.find_spec("litellm")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        path = Path(folder) / PRICE_MAP
        if path.is_file():
            entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
            return entries
    return {}
