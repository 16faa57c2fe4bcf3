"""The columns of a cells file as what they are: a row with a sum that cannot be read is rejected."""

import polars as pl

from analytics.logs.meaning.fields import Fault, Field, Reading
from analytics.logs.schema import CELL_LAYOUT, CELL_PARTS, CELLS, FOLDS
from analytics.spreadsheet import FORMULA

_TYPES: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "DOUBLE": pl.Float64(),
    "BIGINT": pl.Int64(),
    "BOOLEAN": pl.Boolean(),
    "DATE": pl.Date(),
    "TIMESTAMP": pl.Datetime("us"),
}
_KINDS = {column.name: column.sql_type for column in CELLS}
_MOST = 2**53
_RANGES: dict[str, tuple[float, float]] = {
    **{name: (0, _MOST) for name, kind in _KINDS.items() if kind == "BIGINT"},
    **dict.fromkeys(("confidence", "propensity", "sampling_probability", "grade_probability"), (0.0, 1.0)),
    "fold": (0, FOLDS - 1),
    "step": (-1, 128),
    "bin": (-10_000, 10_000),
}


def unescaped(name: str, column: pl.Series, reading: Reading) -> Field:
    """As ``typed``, of our own CSV: it has an apostrophe before what a spreadsheet would run."""
    if _TYPES[_KINDS[name]] == pl.String:
        risky = column.str.contains(FORMULA) & column.str.starts_with("'")
        column = pl.select(pl.when(risky).then(column.str.slice(1)).otherwise(column)).to_series()
    return typed(name, column, reading)


def typed(name: str, column: pl.Series, _: Reading) -> Field:
    """Values of one column and the faults among them, each of which rejects its row.

    Args:
        name: Of the column.
        column: Strings, null where the file has nothing; or values as they stand in it.
    """
    kind = _TYPES[_KINDS[name]]
    if name == "part":
        known = column.is_in(CELL_PARTS).fill_null(value=False)
        return column.set(~known, None), [Fault(~known, "no known part of a cells file", rejects=True)]
    values, held = _cast(column, kind), column.is_not_null()
    faults = [Fault(held & values.is_null(), f"{name} cannot be read", rejects=True)]
    if name == "tiertune_cells":
        other = (values != CELL_LAYOUT).fill_null(value=True)
        faults.append(Fault(other, f"no cells file of layout {CELL_LAYOUT}", rejects=True))
    if kind == pl.Float64:
        faults.append(Fault(~values.is_finite().fill_null(value=True), f"{name} is not finite", rejects=True))
    if name in _RANGES:
        low, high = _RANGES[name]
        outside = ((values < low) | (values > high)).fill_null(value=False)
        faults.append(Fault(outside, f"{name} outside {low:g} to {high:g}", rejects=True))
    return values, faults


def _cast(column: pl.Series, kind: pl.DataType) -> pl.Series:
    """Values as they stand, or as engines write them into a CSV; null where they cannot be read."""
    if column.dtype != pl.String or kind == pl.String:
        return column.cast(kind, strict=False)
    text = column.str.strip_chars()
    text = text.set(text == "", None)
    if kind == pl.Boolean:
        words = text.str.to_lowercase()
        return words.replace_strict(
            {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False},
            default=None,
            return_dtype=pl.Boolean,
        )
    if kind == pl.Date:
        return text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if isinstance(kind, pl.Datetime):
        bare = text.str.replace("T", " ").str.replace(r"(Z| ?UTC|\+00(:?00)?)$", "")
        return bare.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    if kind == pl.Int64:  # an engine may write a count as 12.0
        return text.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    return text.cast(kind, strict=False)
