"""The commands about prices: show them, set one by hand, price a dataset anew.

Their JSON documents:

- ``prices`` and ``price``: ``price_list`` (which list, up to which day it knows models) and ``prices``, one
  object per model: ``model``, ``source`` (hand, list; null: unknown), ``set_at`` (UTC, of a price by hand),
  ``input_usd_per_1m``, ``output_usd_per_1m``, ``cache_read_usd_per_1m``, ``cache_write_usd_per_1m``,
  ``cache_write_1h_usd_per_1m``, ``reasoning_usd_per_1m``, ``by_hand`` (classes set by hand), ``services``
  (batch, flex, ... with the same prices per class, where they have their own), ``long_above_tokens`` (null:
  one price for all lengths), ``calls``, ``input_tokens``, ``output_tokens`` (in the datasets). ``price`` adds
  ``outdated``, the datasets with costs by an earlier price.
- ``reprice``: ``dataset``, ``price_list``, ``which`` (missing, all), the numbers of costs ``changed``,
  ``priced``, ``logged``, ``unknown``, and ``models``, one object per model: ``model``, ``calls``, ``source``,
  ``unknown_costs``, ``without_tokens``, ``compared_calls``, ``logged_usd``, ``priced_usd``, ``ratio``,
  ``off_share``, ``reason``.
"""

import argparse
from typing import Any

import polars as pl

from analytics.commands import flags
from analytics.commands.outcome import UNKNOWN, InputError, Outcome, count, money, number, percent, table
from analytics.logs.prices import Override, Price, price, price_map_date
from analytics.logs.rates import CLASSES
from analytics.logs.reading.staging import shown
from analytics.logs.store import Store

_TOKENS = ("calls", "input_tokens", "output_tokens")
_COMPARED = (
    "model", "calls", "unknown_costs", "without_tokens", "compared_calls", "logged_usd", "priced_usd",
    "ratio", "off_share", "reason",
)  # fmt: skip
_FLAGS = {
    "input": "input tokens",
    "output": "output tokens",
    "cache_read": "input tokens read from the provider's cache (default: as input)",
    "cache_write": "input tokens written to it (default: as input)",
    "cache_write_1h": "of those, the ones written for an hour (default: as --cache-write)",
    "reasoning": "reasoning tokens (default: as output)",
}


def add_prices(commands: Any) -> None:
    """``tiertune prices``."""
    parser = flags.command(commands, "prices", text="What the tokens of models cost.", run=prices)
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="as logged (default: the models of all datasets)"
    )


def add_price(commands: Any) -> None:
    """``tiertune price``."""
    text = "Set the price of a model by hand, for all datasets and every later load."
    parser = flags.command(commands, "price", text=text, run=set_price)
    parser.add_argument("model", metavar="MODEL", help="as logged; with @effort for that effort alone")
    group = parser.add_argument_group("USD per 1M tokens; input and output are as listed if not given")
    for name, what in _FLAGS.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=flags.not_negative, metavar="USD", help=what)
    parser.add_argument("--remove", action="store_true", help="back to the list price")


def add_reprice(commands: Any) -> None:
    """``tiertune reprice``."""
    text = "Price a dataset anew by today's prices, and compare them with the costs in its log."
    parser = flags.command(commands, "reprice", text=text, run=reprice)
    parser.add_argument("dataset", metavar="NAME", help="name of the dataset")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--missing",
        dest="which",
        action="store_const",
        const="missing",
        help="only what has no logged cost, which counts again where prices took its place (default)",
    )
    one.add_argument(
        "--all",
        dest="which",
        action="store_const",
        const="all",
        help="prices count before logged costs, which are kept to be compared and taken back",
    )
    parser.set_defaults(which="missing")


def prices(options: argparse.Namespace) -> Outcome:
    """The price of each model named, or of each model in the datasets, unknown ones first."""
    path = flags.database(options)
    if not path.exists():
        return _table(options.models, {}, {})
    with Store.open(path) as store:
        stated, used = store.prices(), _used(store)
    names = options.models or list(dict.fromkeys([*used, *stated]))
    return _table(names, stated, used)


def set_price(options: argparse.Namespace) -> Outcome:
    """Set a price by hand, or take it back."""
    stated = Override(**{name: getattr(options, name) for name in CLASSES})
    if options.remove == bool(stated.given()):
        raise InputError(
            "Give at least one price, such as --input 1.25 --output 10, or --remove alone. See tiertune "
            "price --help."
        )
    model = options.model.strip()
    with Store.open(flags.database(options)) as store:
        before = {name.casefold() for name in store.prices()}
        if options.remove and model.casefold() not in before:
            listed = ", ".join(shown(name) for name in store.prices()) or "none"
            raise InputError(f"No price of {shown(model)} was set by hand. Set by hand: {listed}.")
        store.set_price(model, None if options.remove else stated)
        known, used = store.prices(), _used(store)
        outdated = [
            name
            for name in store.datasets()["name"]
            if store.model_prices(name)["outdated_costs"].sum()  # of any model: they are out of date alike
        ]
    found = _table([model], known, used)
    notes = [f"Costs in {shown(name)} are by an earlier price: tiertune reprice {name}" for name in outdated]
    if price(model, overrides=known) is None and not options.remove:
        notes.append("Input and output must both have a price before a call of this model has a cost.")
    return Outcome({**found.document, "outdated": outdated}, found.text, tuple(notes))


def reprice(options: argparse.Namespace) -> Outcome:
    """Price a dataset anew."""
    path = flags.database(options)
    if not path.exists():
        raise InputError(f"There is no dataset named {options.dataset}: the database {path} does not exist.")
    with Store.open(path) as store:
        done = store.reprice(options.dataset, of=options.which)
        found = store.model_prices(options.dataset)
    document = {
        "dataset": options.dataset,
        "price_list": price_map_date(),
        "which": done.which,
        "changed": done.changed,
        "priced": done.priced,
        "logged": done.logged,
        "unknown": done.unknown,
        "models": [
            {"source": row["price_source"], **{name: row[name] for name in _COMPARED}}
            for row in found.iter_rows(named=True)
        ],
    }
    text = (
        f"{shown(options.dataset)}: costs changed: {done.changed:,}. {done.priced:,} are by price, "
        f"{done.logged:,} by the log, {done.unknown:,} unknown.\n{_compared(found)}\n{_source()}"
    )
    reasons = [
        f"{shown(row['model'])}: {row['reason']}" for row in found.iter_rows(named=True) if row["reason"]
    ]
    return Outcome(document, text, (*reasons, *_unknown(found)))


def _table(names: list[str], stated: dict[str, Override], used: dict[str, tuple[int, ...]]) -> Outcome:
    found = [(name, price(name, overrides=stated)) for name in names]
    found.sort(key=lambda item: item[1] is not None)
    entries = [_entry(name, known, used.get(name)) for name, known in found]
    rows = [
        [
            entry["model"],
            _says(entry),
            *(number(entry[f"{kind}_usd_per_1m"]) for kind in CLASSES),
            ", ".join((*entry["services"], *_long(entry))) or UNKNOWN,
            count(entry["calls"]),
            count(entry["input_tokens"]),
            count(entry["output_tokens"]),
        ]
        for entry in entries
    ]
    header = (
        *("model", "price by", "input", "output", "cache read", "cache write", "written 1h", "reasoning"),
        *("also for", "calls", "input tokens", "output tokens"),
    )
    text = (
        f"{table(header, rows, texts=2)}\n{_source()}" if rows else "No models yet: name some, or load a log."
    )
    unknown = [name for name, known in found if known is None]
    notes = [
        f"No price is known for {shown(name)}: tiertune price {name} --input X --output Y" for name in unknown
    ]
    return Outcome({"price_list": price_map_date(), "prices": entries}, text, tuple(notes))


def _entry(name: str, known: Price | None, used: tuple[int, ...] | None) -> dict[str, Any]:
    hand = None if known is None else known.by_hand
    per_1m = dict.fromkeys(CLASSES) if known is None else known.per_1m()
    return {
        "model": name,
        "source": None if known is None else "hand" if hand else "list",
        "set_at": f"{hand.set_at:%Y-%m-%dT%H:%M:%SZ}" if hand and hand.set_at else None,
        **{f"{kind}_usd_per_1m": per_1m[kind] for kind in CLASSES},
        "by_hand": list(hand.given()) if hand else [],
        "services": {}
        if known is None
        else {
            service: {f"{kind}_usd_per_1m": usd for kind, usd in known.per_1m(service).items()}
            for service in known.services()
        },
        "long_above_tokens": None if known is None else known.long_above_tokens,
        **dict(zip(_TOKENS, used or (0, 0, 0), strict=True)),
    }


def _says(entry: dict[str, Any]) -> str:
    if entry["source"] == "hand":
        return f"hand, {entry['set_at'][:10]}" if entry["set_at"] else "hand"
    return entry["source"] or "unknown"


def _long(entry: dict[str, Any]) -> list[str]:
    limit = entry["long_above_tokens"]
    return [] if limit is None else [f"over {limit:,} tokens"]


def _source() -> str:
    return f"USD per 1M tokens. List: {price_map_date()}. tiertune price sets one by hand."


def _used(store: Store) -> dict[str, tuple[int, ...]]:
    """Calls, input and output tokens by model, over all datasets; unknown counts are none."""
    frames = [store.model_prices(name).select("model", *_TOKENS) for name in store.datasets()["name"]]
    if not frames:
        return {}
    summed = pl.concat(frames).group_by("model").agg(pl.col(_TOKENS).sum()).sort("model")
    return {row[0]: tuple(int(value or 0) for value in row[1:]) for row in summed.iter_rows()}


def _compared(found: pl.DataFrame) -> str:
    header = ("model", "calls", "compared", "logged", "priced", "ratio", "off by over 5%")
    rows = [
        [
            row["model"],
            count(row["calls"]),
            count(row["compared_calls"]),
            money(row["logged_usd"]),
            money(row["priced_usd"]),
            UNKNOWN if row["ratio"] is None else f"{row['ratio']:.3f}",
            percent(row["off_share"]),
        ]
        for row in found.iter_rows(named=True)
    ]
    return table(header, rows)


def _unknown(found: pl.DataFrame) -> list[str]:
    rows = found.filter(pl.col("price_source").is_null())
    return [
        f"No price is known for {shown(row['model'])} ({row['calls']:,} calls, "
        f"{(row['input_tokens'] or 0) + (row['output_tokens'] or 0):,} tokens): "
        f"tiertune price {row['model']} --input X --output Y"
        for row in rows.iter_rows(named=True)
    ]
