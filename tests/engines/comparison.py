"""How far the cells of one engine are from those of another."""

from dataclasses import dataclass

import polars as pl

from analytics.collapse.parts import PARTS, POLARS

_KEYS = [name for name in POLARS if name == "part" or any(name in part.keys for part in PARTS.values())]
_VALUES = [name for name in POLARS if name not in {*_KEYS, "tiertune_cells"}]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs.

    Attributes:
        cells: How many cells there are.
        missing: Cells that only one of the two has.
        counts: Cells with another count or time.
        largest: Largest difference of a sum, relative to the larger.
    """

    cells: int
    missing: int
    counts: int
    largest: float


def difference(found: pl.DataFrame, wanted: pl.DataFrame) -> Difference:
    """Cells compared key by key."""
    assert found.schema == wanted.schema == pl.Schema(POLARS)
    both = wanted.join(found, on=_KEYS, how="inner", nulls_equal=True, suffix="_found")
    missing = wanted.height + found.height - 2 * both.height
    sums = [name for name in _VALUES if POLARS[name] == pl.Float64]
    exact = [name for name in _VALUES if name not in sums]
    counts = both.filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_found")) for name in exact)
        | pl.any_horizontal(pl.col(name).is_null() != pl.col(f"{name}_found").is_null() for name in sums)
    ).height
    apart = [
        ((pl.col(name) - pl.col(f"{name}_found")).abs() / pl.max_horizontal(name, f"{name}_found").abs())
        .fill_nan(0)
        .max()
        .alias(name)
        for name in sums
    ]
    largest = both.select(apart).max_horizontal().item() if both.height else 0.0
    return Difference(wanted.height, missing, counts, float(largest or 0.0))
