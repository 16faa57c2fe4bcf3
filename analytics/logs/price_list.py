"""LiteLLM's list of model prices, read as a file from the installed package.

Importing litellm takes seconds and looks for the network, so it is not imported. The arithmetic follows
litellm's own (``litellm_core_utils/llm_cost_calc``, 1.106), with these differences:

- Where the list has no batch price, batch calls cost the usual price; litellm takes half of it.
- Prices that depend on the time of day are not applied (DeepSeek's).
- Extra charges are not in it: web search, regional and data-residency uplifts, audio and image tokens.
- Perplexity's cached tokens cost what the list says; litellm's own calculator bills them as input.
- A tier by length holds for an empty prompt too; litellm then bills nothing at all.
"""

import importlib.metadata
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from analytics.logs.rates import ANY_LENGTH, SERVICES, STANDARD, Band, Price, Rates

PRICE_MAP = "model_prices_and_context_window_backup.json"

_KEYS = {
    "input_usd": "input_cost_per_token",
    "output_usd": "output_cost_per_token",
    "cache_read_usd": "cache_read_input_token_cost",
    "cache_write_usd": "cache_creation_input_token_cost",
    "cache_write_1h_usd": "cache_creation_input_token_cost_above_1hr",
}
_REASONING = "output_cost_per_reasoning_token"
_ABOVE = "_above_"
_LONG = re.compile(rf"{_ABOVE}(\d+)(k?)_tokens")
_AT_THE_LIMIT = frozenset({"xai"})
"""Providers whose price for long prompts starts at the limit itself, not above it."""
_CACHED_AT_HALF = frozenset({"fireworks_ai"})
"""Providers whose cached tokens cost half of input where the list has no price for them."""
_SUFFIXES = {service: f"_{'batches' if service == 'batch' else service}" for service in SERVICES[1:]}
_DAY = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?!\d)")


@lru_cache(maxsize=1)
def prices() -> dict[str, Price]:
    """Price by name in lower case, of every entry that has one per token."""
    found = {}
    for name, entry in _price_map().items():
        bands = () if name == "sample_spec" else _bands(entry)
        if bands:
            mode = str(entry.get("mode") or "chat")
            found[name.strip().casefold()] = Price(bands, entry.get("supports_reasoning") is True, mode)
    return found


def price_map_date() -> str:
    """Which list is read, for the evidence: litellm's version and the newest day that a model's name has.

    The list itself carries no date; it cannot be older than the models in it.
    """
    newest = _newest_model()
    upto = "" if newest is None else f", models up to {newest}"
    return f"litellm {importlib.metadata.version('litellm')}{upto}"


@lru_cache(maxsize=1)
def _newest_model() -> date | None:
    days = []
    for name in _price_map():
        for year, month, day in _DAY.findall(name):
            try:
                days.append(date(int(year), int(month), int(day)))
            except ValueError:
                continue
    return max(days, default=None)


def _bands(entry: Mapping[str, Any]) -> tuple[Band, ...]:
    """Rates by service and length; empty where input or output has no price."""
    tiers = entry.get("tiered_pricing")
    if isinstance(tiers, list) and tiers:
        return _tiered(entry, tiers)
    usual = _flat(entry, "")
    if usual is None:
        return ()
    found = lengths = _by_length(entry, "", usual)
    for service, suffix in _SUFFIXES.items():
        bands = _batch(entry, usual) if service == "batch" else _by_service(entry, suffix)
        if bands and (bands != lengths or _lists(entry, suffix)):
            found = (*found, *(replace(band, service=service) for band in bands))
    return found


def _lists(entry: Mapping[str, Any], suffix: str) -> bool:
    """Whether an entry says what a service costs, be it what usual calls cost."""
    return any(
        _number(entry.get(f"{_KEYS[name]}{suffix}")) is not None for name in ("input_usd", "output_usd")
    )


def _by_service(entry: Mapping[str, Any], suffix: str) -> tuple[Band, ...]:
    rates = _flat(entry, suffix)
    return () if rates is None else _by_length(entry, suffix, rates)


def _flat(entry: Mapping[str, Any], suffix: str) -> Rates | None:
    """Rates of short prompts; where a service has no price for a class it costs the usual one."""
    found = {name: _rate(entry, key, suffix) for name, key in _KEYS.items()}
    if found["input_usd"] is None or found["output_usd"] is None:
        return None
    if found["cache_read_usd"] is None and entry.get("litellm_provider") in _CACHED_AT_HALF:
        found["cache_read_usd"] = found["input_usd"] / 2
    own_output = suffix and _number(entry.get(f"{_KEYS['output_usd']}{suffix}")) is not None
    reasoning = _number(entry.get(f"{_REASONING}{suffix}"))
    if reasoning is None and not own_output:
        reasoning = _number(entry.get(_REASONING))
    return Rates(**found, reasoning_usd=reasoning)  # type: ignore[arg-type]


def _by_length(entry: Mapping[str, Any], suffix: str, rates: Rates) -> tuple[Band, ...]:
    bands = [Band(STANDARD, ANY_LENGTH, rates)]
    for text, above in _limits(entry, ("", suffix)):
        changed = {name: _rate(entry, f"{key}{text}", suffix) for name, key in _KEYS.items()}
        rates = replace(rates, **{name: usd for name, usd in changed.items() if usd is not None})
        bands.append(Band(STANDARD, above, rates))
    return tuple(bands)


def _batch(entry: Mapping[str, Any], usual: Rates) -> tuple[Band, ...]:
    """Batch rates, empty without any; cached and reasoning tokens without one cost as input and output do."""
    suffix = _SUFFIXES["batch"]
    keys = {name: key for name, key in _KEYS.items() if name != "cache_write_1h_usd"}
    found = {name: _number(entry.get(f"{key}{suffix}")) for name, key in keys.items()}
    if found["input_usd"] is None:
        return ()
    if found["output_usd"] is None:
        found["output_usd"] = usual.output_usd / 2
    rates = Rates(**found)  # type: ignore[arg-type]
    bands = [Band(STANDARD, ANY_LENGTH, rates)]
    for text, above in _limits(entry, (suffix,)):
        changed = {name: _number(entry.get(f"{key}{text}{suffix}")) for name, key in keys.items()}
        rates = replace(rates, **{name: usd for name, usd in changed.items() if usd is not None})
        bands.append(Band(STANDARD, above, rates))
    return tuple(bands)


def _tiered(entry: Mapping[str, Any], tiers: list[Any]) -> tuple[Band, ...]:
    """One table of rates by length for every service; a prompt costs the rates of its tier throughout."""
    bands: list[Band] = []
    known = [tier for tier in tiers if len(tier.get("range") or ()) == 2]  # noqa: PLR2004 - from and to
    for tier in sorted(known, key=lambda one: float(one["range"][0])):
        paid = _number(tier.get(_KEYS["input_usd"]))
        sold = _number(tier.get(_KEYS["output_usd"]))
        sold = _number(entry.get(_KEYS["output_usd"])) if sold is None else sold
        if paid is None or sold is None:
            return ()
        others = {name: _number(tier.get(key)) for name, key in _KEYS.items() if name.startswith("cache")}
        rates = Rates(paid, sold, **others, reasoning_usd=_number(tier.get(_REASONING)))
        bands.append(Band(STANDARD, int(float(tier["range"][0])) if bands else ANY_LENGTH, rates))
    return tuple(bands)


def _limits(entry: Mapping[str, Any], suffixes: tuple[str, ...]) -> list[tuple[str, int]]:
    """``_above_200k_tokens`` and the tokens above which it holds, for the limits in an entry, ascending."""
    found = {}
    for name, value in entry.items():
        part = _LONG.search(name) if _ABOVE in name else None
        if part is None or value is None or not name.startswith(tuple(_KEYS.values())):
            continue
        if name[part.end() :] in suffixes:
            tokens = int(part[1]) * (1000 if part[2] else 1)
            found[part[0]] = tokens - (entry.get("litellm_provider") in _AT_THE_LIMIT)
    return sorted(found.items(), key=lambda limit: limit[1])


def _rate(entry: Mapping[str, Any], key: str, suffix: str) -> float | None:
    own = _number(entry.get(f"{key}{suffix}"))
    return _number(entry.get(key)) if own is None else own


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


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
