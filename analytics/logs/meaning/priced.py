"""Costs that a log lacks, from its tokens and the price of its models."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from analytics.logs.prices import Price, price, stated_pairs
from analytics.logs.rates import CLASSES, SERVICES, STANDARD, cost_sql

_RATES = {f"_{name}": pl.Float64 for name in CLASSES}


@dataclass(slots=True)
class Prices:
    """Prices of the models met so far.

    Attributes:
        stated: Model -> (input, output) price in USD per million tokens.
        known: Model -> price, null where none is known.
        priced: Rows whose cost was computed.
        unpriced: Models with tokens and neither cost nor price.
        unlisted: Service tier -> model -> its costs that are at the price of usual calls, as the list has
            none for the tier.
    """

    stated: Mapping[str, tuple[float, float]]
    known: dict[str, Price | None] = field(default_factory=dict)
    priced: int = 0
    unpriced: dict[str, None] = field(default_factory=dict)
    unlisted: dict[str, dict[str, int]] = field(default_factory=dict)

    def fill(self, frame: pl.DataFrame, side: str = "") -> pl.DataFrame:
        """The frame with ``{side}cost_usd`` filled where input and output tokens and a price are known.

        ``cost_source`` becomes "priced" on those rows, and "logged" where it was null and a cost was logged;
        for one of two sides ``{side}cost_source`` says the same of that side.
        """
        cost = f"{side}cost_usd"
        sources = list(dict.fromkeys(("cost_source", f"{side}cost_source")))
        open_rows = pl.col(cost).is_null() & pl.col(f"{side}input_tokens").is_not_null()
        wanted = frame.filter(open_rows & pl.col(f"{side}output_tokens").is_not_null())
        logged = pl.col(cost).is_not_null()
        if wanted.height:
            frame = self._priced(frame, wanted[f"{side}model"].drop_nulls().unique().to_list(), side)
            filled = pl.col(cost).is_null() & pl.col("_priced").is_not_null()
            self.priced += int(frame.select(filled.sum()).item())
            self._count_unlisted(frame, filled, side)
            frame = frame.with_columns(
                *(pl.when(filled).then(pl.lit("priced")).otherwise(name).alias(name) for name in sources),
                pl.coalesce(cost, "_priced").alias(cost),
            ).drop("_priced")
        return frame.with_columns(
            pl.when(pl.col(name).is_null() & logged).then(pl.lit("logged")).otherwise(name).alias(name)
            for name in sources
        )

    def _count_unlisted(self, frame: pl.DataFrame, filled: pl.Expr, side: str) -> None:
        """Count the costs of service tiers without a price of their own."""
        tier, model = f"{side}service_tier", f"{side}model"
        if frame[tier].null_count() == frame.height:
            return
        apart = frame.filter(filled & (pl.col(tier) != STANDARD)).group_by(tier, model).len()
        for service, name, costs in apart.sort(tier, model).iter_rows():
            known = self.known.get(name)
            if known is not None and not known.has(service):
                counted = self.unlisted.setdefault(service, {})
                counted[name] = counted.get(name, 0) + costs

    def _priced(self, frame: pl.DataFrame, names: list[str], side: str) -> pl.DataFrame:
        """The frame with ``_priced``: USD, null where tokens or price are unknown."""
        for name in names:
            if name not in self.known:
                self.known[name] = price(name, overrides=stated_pairs(self.stated))
            if self.known[name] is None:
                self.unpriced.setdefault(name)
        found = {name: known for name in names if (known := self.known[name]) is not None}
        limits = sorted({band.above_tokens for known in found.values() for band in known.bands})
        longer = [(pl.col(f"{side}input_tokens") > limit).cast(pl.Int64) for limit in limits[1:]]
        keys = {"_model": pl.String, "_service": pl.String, "_band": pl.Int64}
        table = pl.DataFrame(
            [row for name, known in found.items() for row in _rows(name, known, limits)],
            schema={**keys, **_RATES},
            orient="row",
        )
        return (
            frame.with_columns(
                pl.col(f"{side}model").alias("_model"),
                pl.col(f"{side}service_tier").fill_null(STANDARD).alias("_service"),
                (pl.sum_horizontal(longer) if longer else pl.lit(0, pl.Int64)).alias("_band"),
            )
            .join(table, on=list(keys), how="left", maintain_order="left")
            .with_columns(pl.sql_expr(cost_sql(side)).alias("_priced"))
            .drop(*keys, *_RATES)
        )


def _rows(name: str, known: Price, limits: list[int]) -> list[tuple[object, ...]]:
    """Rates of a model for each service and each stretch between the limits of all models."""
    return [
        (name, service, place, *_at(known, service, limit))
        for service in SERVICES
        for place, limit in enumerate(limits)
    ]


def _at(known: Price, service: str, above_tokens: int) -> tuple[float, ...]:
    """USD per token by class for prompts longer than that."""
    bands = [band for band in known.of_service(service) if band.above_tokens <= above_tokens]
    return bands[-1].rates.each()
