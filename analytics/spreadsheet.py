"""CSV that no spreadsheet takes for formulas: the one way in which a table is written as CSV."""

import re

import polars as pl

FORMULA = r"""^['" ]*[=+\-@\t\r\n\x00\uFF1D\uFF0B\uFF0D\uFF20]"""
"""What a spreadsheet may run: these signs, their full-width twins, also behind quotes or spaces."""


_FORMULA = re.compile(FORMULA)


def unescaped(text: str) -> str:
    """A text as it was before ``csv_text`` made it harmless."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_text(frame: pl.DataFrame) -> str:
    """``frame`` as CSV with a header; texts that look like formulas get an apostrophe in front.

    Numbers stay numbers, whatever their sign. A text that had an apostrophe before such a sign gets another
    one, so that taking one away from every text that starts so gives back what was written. Lists are joined
    by commas, null is an empty field.
    """
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    words = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Categorical | pl.Enum)]
    flat = frame.with_columns(
        pl.col(lists).cast(pl.List(pl.String)).list.join(", "), pl.col(words).cast(pl.String)
    )
    texts = pl.col(pl.String)
    safe = flat.with_columns(
        pl.when(texts.str.contains(FORMULA)).then("'" + texts).otherwise(texts).name.keep()
    )
    names = pl.Series(safe.columns, dtype=pl.String)
    risky = names.str.contains(FORMULA)
    return safe.rename({name: f"'{name}" for name, bad in zip(names, risky, strict=True) if bad}).write_csv()
