"""A dataset's models with their tokens and prices, and the log's own costs beside those by price.

Where the two differ, another way of billing is named only if it explains nearly all of the calls that differ.
"""

from typing import Any

import duckdb
import polars as pl

from analytics.logs.rates import CLASSES, STANDARD, Price, cost_sql
from analytics.logs.reports import single_price
from analytics.logs.storage import catalogue, tables
from analytics.logs.storage.pricing import SIDES, Side, bands

OFF_BY = 0.05
_FITS_BY = 0.01
_NEARLY_ALL = 0.9
_STEADY = 0.02
_SEVERAL = 10
_ROUNDING = 1e-9

_TOKENS = (
    "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens",
    "reasoning_tokens",
)  # fmt: skip
_BAND = "_model = label AND _service = {service} AND input_tokens > _above AND input_tokens <= _upto"
_THOUGHT = "LEAST(coalesce(reasoning_tokens, 0), output_tokens)"
_MADE = f"(output_tokens - {_THOUGHT}) * _output + {_THOUGHT} * _reasoning"
_FRESH = f"input_tokens * _input + {_MADE}"
# Costs as other tools reckon them, each with what a call must have for it to be told apart.
_WAYS = {
    "cacheless": f"CASE WHEN greatest(cached_tokens, cache_write_tokens) > 0 THEN {_FRESH} END",
    "thought_twice": f"CASE WHEN reasoning_tokens > 0 THEN {cost_sql()} + {_THOUGHT} * _reasoning END",
    "all_cached": f"CASE WHEN cached_tokens IS NULL THEN input_tokens * _cache_read + {_MADE} END",
}
_FITS = f"off AND abs(logged - {{way}}) <= {_FITS_BY} * {{way}} + {_ROUNDING}"

_FITTING = ", ".join(
    f"count(*) FILTER ({_FITS.format(way=way)})" for way in ("cacheless", "batch", "thought_twice")
)

_CHECK = f"""
    WITH rows AS ({{rows}}),
    usual AS (
        SELECT rows.*, {cost_sql()} AS priced,
            {", ".join(f"{sql} AS {name}" for name, sql in _WAYS.items())}
        FROM rows LEFT JOIN bands ON {_BAND.format(service="service")}),
    checked AS (
        SELECT usual.*, CASE WHEN service <> 'batch' THEN {cost_sql()} END AS batch,
            logged IS NOT NULL AND priced IS NOT NULL AND NOT hit AS both_known,
            both_known AND abs(logged - priced) > {OFF_BY} * priced AS off
        FROM usual LEFT JOIN bands ON {_BAND.format(service="'batch'")})
    SELECT label, count(*), {", ".join(f"sum({name})::BIGINT" for name in _TOKENS)},
        count(*) FILTER (cost IS NULL), count(*) FILTER (is_priced AND cost IS NOT NULL),
        count(*) FILTER (has_tokens AND NOT hit AND (cost IS NULL OR is_priced)
            AND cost IS DISTINCT FROM priced
            AND coalesce(abs(cost - priced) > {_ROUNDING} * priced, true)),
        count(*) FILTER (logged IS NOT NULL AND NOT has_tokens),
        count(*) FILTER (both_known), sum(logged) FILTER (both_known), sum(priced) FILTER (both_known),
        count(*) FILTER (off), {_FITTING},
        count(*) FILTER (off AND logged < priced AND logged >= all_cached - {_ROUNDING}),
        quantile_cont(logged / priced, [0.05, 0.5, 0.95]) FILTER (off AND priced > 0),
        histogram(service) FILTER (is_priced AND cost IS NOT NULL AND service <> '{STANDARD}')
    FROM checked WHERE label IS NOT NULL GROUP BY label ORDER BY label"""  # noqa: S608 - our own names only

_CHECKED: dict[str, Any] = {
    "model": pl.String,
    "calls": pl.Int64,
    **dict.fromkeys(_TOKENS, pl.Int64),
    **dict.fromkeys(("unknown_costs", "priced_costs", "outdated_costs", "without_tokens"), pl.Int64),
    "compared_calls": pl.Int64,
    "logged_usd": pl.Float64,
    "priced_usd": pl.Float64,
    **dict.fromkeys(("off_calls", "cacheless", "batch", "thought_twice", "all_cached"), pl.Int64),
    "ratios": pl.List(pl.Float64),
}
_PRICED: dict[str, Any] = {
    "price_source": pl.String,
    "set_at": pl.Datetime("us"),
    **{f"{name}_usd_per_1m": pl.Float64 for name in CLASSES},
    "services": pl.List(pl.String),
    "long_above_tokens": pl.Int64,
}
_OWN = ("cacheless", "batch", "thought_twice", "all_cached", "ratios")


def model_prices(cursor: duckdb.DuckDBPyConnection, dataset: str) -> pl.DataFrame:
    """The models of a dataset, those without a price first, then by name.

    Returns:
        model, calls, the tokens of each class, unknown_costs, priced_costs, outdated_costs (by an earlier
        price, or unknown though there is a price now), without_tokens (calls whose logged cost cannot be
        compared), compared_calls (with a logged cost and a price), logged_usd, priced_usd (of those),
        ratio (logged to priced, null without any), off_calls (more than 5% off), off_share (in [0, 1]),
        reason (sentences, null where the data show none), price_source (hand, list, null: unknown),
        set_at (UTC), the price of each class in USD per million tokens, services (with prices of their
        own), long_above_tokens (from where long prompts have prices of their own).
    """
    form, key = catalogue.require_rows(cursor, dataset), catalogue.key(cursor, dataset)
    source = tables.with_row(cursor, form, key)
    rows = " UNION ALL ".join(_rows(source, side) for side in SIDES[form])
    with bands(cursor, form, key) as prices:
        found = cursor.execute(_CHECK.format(rows=rows)).fetchall()
    checked = pl.DataFrame([row[:-1] for row in found], schema=_CHECKED, orient="row")
    unlisted = {row[0]: _unlisted(prices.get(row[0]), row[-1] or {}) for row in found}
    priced: list[tuple[object, ...]] = []
    for model in checked["model"]:
        known = prices.get(model)
        if known is None:
            priced.append((None, None, *(None for _ in CLASSES), [], None))
            continue
        hand = known.by_hand
        each = known.per_1m().values()
        at = (hand and "hand") or "list", hand.set_at if hand else None
        priced.append((*at, *each, list(known.services()), known.long_above_tokens))
    frame = pl.concat([checked, pl.DataFrame(priced, schema=_PRICED, orient="row")], how="horizontal")
    said = [" ".join((*_reasons(row), *unlisted[row["model"]])) for row in frame.iter_rows(named=True)]
    reasons = pl.Series("reason", [text or None for text in said], pl.String)
    return (
        frame.with_columns(
            reasons,
            ratio=pl.when(pl.col("priced_usd") > 0).then(pl.col("logged_usd") / pl.col("priced_usd")),
            off_share=pl.when(pl.col("compared_calls") > 0).then(
                pl.col("off_calls") / pl.col("compared_calls")
            ),
        )
        .drop(_OWN)
        .sort(pl.col("price_source").is_not_null(), "model")
    )


def _rows(source: str, side: Side) -> str:
    """The calls of one side of a dataset's rows, each with what the log itself says it cost."""
    at = side.prefix
    cost, tokens = f"{at}cost_usd", ", ".join(f"{at}{name} AS {name}" for name in _TOKENS)
    called = (
        f"WHERE coalesce({at}input_tokens, {at}output_tokens, {cost}, {at}correct) IS NOT NULL" if at else ""
    )
    return f"""SELECT {side.label} AS label, {tokens}, {cost} AS cost, {side.hit} AS hit,
            coalesce({at}service_tier, '{STANDARD}') AS service,
            coalesce({side.source} = 'priced', false) AS is_priced,
            coalesce({cost}_logged, CASE WHEN NOT is_priced THEN {cost} END) AS logged,
            {at}input_tokens IS NOT NULL AND {at}output_tokens IS NOT NULL AS has_tokens
        FROM {source} {called}"""  # noqa: S608 - our own names only


def _unlisted(known: Price | None, priced: dict[str, int]) -> list[str]:
    """What to know of priced calls whose service tier has no price of its own."""
    calls = {service: count for service, count in priced.items() if known and not known.has(service)}
    return [single_price(service, count) for service, count in sorted(calls.items())]


def _reasons(row: dict[str, Any]) -> list[str]:
    """Why logged and priced cost differ, as far as the calls that differ show it."""
    off, compared = row["off_calls"], row["compared_calls"]
    said = []
    if compared and off >= OFF_BY * compared:
        enough = _NEARLY_ALL * off
        low, middle, high = row["ratios"] or (0.0, 0.0, 0.0)
        if row["cacheless"] >= enough:
            said.append("The log's costs fit if cached tokens are billed as any other input.")
        elif row["batch"] >= enough and "batch" in row["services"]:
            said.append("The log's costs fit the batch price, though the log does not say batch.")
        elif row["thought_twice"] >= enough:
            said.append("The log's costs fit if reasoning tokens are billed a second time, beside output.")
        elif off >= max(_SEVERAL, _NEARLY_ALL * compared) and middle and high - low <= _STEADY * middle:
            what = "a markup" if middle > 1 else "a discount"
            said.append(
                f"The log's costs are steadily {middle:.2f} times the price: {what}, or another price."
            )
        elif row["all_cached"] >= enough:
            said.append("The log counts no cached tokens; its costs fit if part of the input was cached.")
    if row["without_tokens"]:
        calls = f"{row['without_tokens']:,} call{'' if row['without_tokens'] == 1 else 's'}"
        said.append(f"{calls} with a logged cost cannot be compared: input or output tokens are missing.")
    return said
