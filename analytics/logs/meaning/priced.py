"""Costs that a log lacks, from its tokens and the price of its models."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from analytics.logs.prices import Price, price

_PARTS = ("input", "cached", "output", "reasoning")


@dataclass(slots=True)
class Prices:
    """Prices of the models met so far.

    Attributes:
        overrides: Model -> (input, output) price in USD per million tokens.
        known: Model -> price, null where none is known.
        priced: Rows whose cost was computed.
        unpriced: Models with tokens and neither cost nor price.
    """

    overrides: Mapping[str, tuple[float, float]]
    known: dict[str, Price | None] = field(default_factory=dict)
    priced: int = 0
    unpriced: dict[str, None] = field(default_factory=dict)

    def fill(self, frame: pl.DataFrame, side: str = "") -> pl.DataFrame:
        """The frame with ``{side}cost_usd`` filled where input and output tokens and a price are known.

        ``cost_source`` becomes "priced" on those rows, and "logged" where it was null and a cost was logged.
        """
        model, cost = f"{side}model", f"{side}cost_usd"
        open_rows = pl.col(cost).is_null() & pl.col(f"{side}input_tokens").is_not_null()
        wanted = frame.filter(open_rows & pl.col(f"{side}output_tokens").is_not_null())
        if wanted.height:
            names = wanted[model].drop_nulls().unique().to_list()
            table = self._table(names, model)
            frame = frame.join(table, on=model, how="left", maintain_order="left")
            frame = frame.with_columns(_cost(side).alias("_priced"))
            filled = pl.col(cost).is_null() & pl.col("_priced").is_not_null()
            self.priced += int(frame.select(filled.sum()).item())
            frame = frame.with_columns(
                pl.when(filled).then(pl.lit("priced")).otherwise("cost_source").alias("cost_source"),
                pl.coalesce(cost, "_priced").alias(cost),
            ).drop("_priced", *(f"_{part}" for part in _PARTS))
        logged = pl.col("cost_source").is_null() & pl.col(cost).is_not_null()
        return frame.with_columns(
            pl.when(logged).then(pl.lit("logged")).otherwise("cost_source").alias("cost_source")
        )

    def _table(self, names: list[str], model: str) -> pl.DataFrame:
        for name in names:
            if name not in self.known:
                self.known[name] = price(name, overrides=self.overrides)
            if self.known[name] is None:
                self.unpriced.setdefault(name)
        found = [(name, _per_token(self.known[name])) for name in names]
        return pl.DataFrame(
            [(name, *parts) for name, parts in found],
            schema={model: pl.String, **{f"_{part}": pl.Float64 for part in _PARTS}},
            orient="row",
        )


def _per_token(found: Price | None) -> tuple[float | None, ...]:
    if found is None:
        return (None,) * len(_PARTS)
    cached = found.input_usd if found.cached_input_usd is None else found.cached_input_usd
    reasoning = found.output_usd if found.reasoning_usd is None else found.reasoning_usd
    return found.input_usd, cached, found.output_usd, reasoning


def _cost(side: str) -> pl.Expr:
    """USD; a part cannot be more than its whole, and an unknown part is none."""
    whole_in, whole_out = pl.col(f"{side}input_tokens"), pl.col(f"{side}output_tokens")
    cached = pl.min_horizontal(pl.col(f"{side}cached_tokens").fill_null(0), whole_in)
    reasoning = pl.min_horizontal(pl.col(f"{side}reasoning_tokens").fill_null(0), whole_out)
    known = whole_in.is_not_null() & whole_out.is_not_null()
    cost = (
        (whole_in - cached) * pl.col("_input")
        + cached * pl.col("_cached")
        + (whole_out - reasoning) * pl.col("_output")
        + reasoning * pl.col("_reasoning")
    )
    return pl.when(known).then(cost)
