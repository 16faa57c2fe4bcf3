"""Cells by two roads, for tests of one against the other."""

import hashlib

import duckdb
import polars as pl
from decisions import decisions
from feature_rows import kept
from polars.testing import assert_frame_equal

from analytics.collapse import local, source, union
from analytics.collapse.parts import MERGED, PARTS, POLARS, TYPES
from analytics.collapse.source import Source
from analytics.collapse.statements import selects
from analytics.tuning.cells import cells

KEYS = [name for name in TYPES if name == "part" or any(name in part.keys for part in PARTS.values())]


def with_folds(rows):
    """A full frame of decisions from rows of a file, values that loading would not keep as null."""
    good = kept(rows)
    units = zip(good["unit_id"], good["request_id"], strict=True)
    folds = [int(hashlib.md5((unit or request).encode()).hexdigest()[:8], 16) % 20 for unit, request in units]  # noqa: S324
    return decisions(good.with_columns(fold=pl.Series(folds, dtype=pl.Int64)))


def expected(rows, *, several_pairs=False):
    """The cells by DuckDB's own statements over a table of decisions."""
    frame = with_folds(rows)
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute("CREATE TABLE log AS FROM frame")
        connection.execute("CREATE TABLE decisions AS FROM log LIMIT 0")
        parts = {"sweep": cells(connection.cursor(), "log")}
        for name, text in selects(log="log", several_pairs=several_pairs).items():
            if name != "sweep":
                parts[name] = connection.sql(text).pl()
    return local.stacked(parts)


def by_statement(rows, *, name="log", columns=None, form="decisions", constants=None, units=None, **how):
    """The cells by the statement for DuckDB over a table with these rows."""
    mapped = {column: column for column in rows.columns} if columns is None else columns
    named = '"' + name.replace('"', '""') + '"'
    given = Source(
        source.table_of(f'"{name}"', "duckdb"), "duckdb", form, mapped, constants or {}, units or {}
    )
    with duckdb.connect() as connection:
        connection.register("given", rows)
        connection.execute(f"CREATE TABLE {named} AS FROM given")
        found = connection.sql(union.statement(given, **how)).pl()
    assert found.schema == pl.Schema(POLARS)
    return found


def merged(*frames):
    """Cells of several sources as those of one."""
    how = {"sum": pl.Expr.sum, "min": pl.Expr.min, "max": pl.Expr.max}
    whole = pl.concat(frames)
    values = [
        pl.when(pl.col(name).is_not_null().any()).then(how[kind](pl.col(name))).alias(name)
        for name, kind in MERGED.items()
    ]
    # ``threshold`` and the like are keys of one part; a name that is both key and value is none here.
    return whole.group_by("tiertune_cells", *KEYS).agg(values).select(*POLARS)


def assert_same(found, wanted, *, but=()):
    """Equal keys and counts, sums to a relative 1e-12."""
    columns = [name for name in wanted.columns if name not in but]
    found, wanted = (frame.select(columns).sort(KEYS) for frame in (found, wanted))
    assert (
        found["part"].value_counts().sort("part").rows() == wanted["part"].value_counts().sort("part").rows()
    )
    floats = [name for name in columns if wanted.schema[name] == pl.Float64]
    others = [name for name in columns if name not in floats]
    assert_frame_equal(found.select(others), wanted.select(others), check_exact=True)
    assert_frame_equal(found.select(floats), wanted.select(floats), rel_tol=1e-12, abs_tol=1e-300)
