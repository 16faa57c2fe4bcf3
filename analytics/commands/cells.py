"""The command that collapses a log to its cells: here, on an engine, or as one statement to run there.

Its JSON document: ``{"out", "parts": {NAME: ROWS}}``, or ``{"dialect", "sql"}`` with ``--sql``.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from analytics.commands import flags, opening, writing
from analytics.commands.outcome import InputError, Outcome, table

if TYPE_CHECKING:
    import polars as pl

EngineName = Literal["spark", "clickhouse"]
DIALECTS = (
    "bigquery", "snowflake", "databricks", "redshift", "postgres", "trino", "spark", "clickhouse", "duckdb",
)  # fmt: skip
ENDINGS = (".parquet", ".csv")
PASSWORD = "CLICKHOUSE_PASSWORD"  # noqa: S105 - name of a variable


def add_cells(commands: Any) -> None:
    """``tiertune cells``."""
    parser = flags.command(
        commands, "cells", text="Collapse a log to sums without rows, where it lives.", run=cells
    )
    parser.add_argument("log", nargs="*", metavar="LOG", help=f"{flags.LOG_HELP}; none for a log elsewhere")
    parser.add_argument("--out", type=Path, metavar="FILE", help="cells file to write, .parquet or .csv")
    elsewhere = parser.add_argument_group("a log that lives elsewhere")
    how = elsewhere.add_mutually_exclusive_group()
    how.add_argument(
        "--sql", choices=DIALECTS, metavar="DIALECT", help=f"print the statement for {_listed()}"
    )
    how.add_argument("--engine", choices=get_args(EngineName), help="ask this engine, and write --out")
    elsewhere.add_argument("--table", metavar="NAME", help="table of the log: TABLE, SCHEMA.TABLE, ...")
    elsewhere.add_argument(
        "--parquet", metavar="PATH", help="Parquet files that the engine reads, not a table"
    )
    elsewhere.add_argument("--master", metavar="URL", help="Spark cluster (default: as Spark is configured)")
    elsewhere.add_argument(
        "--host", metavar="URL", help=f"ClickHouse over HTTP, password in {PASSWORD}; else it is embedded"
    )
    elsewhere.add_argument("--user", metavar="NAME", help="user of the ClickHouse server")
    elsewhere.add_argument("--path", metavar="FOLDER", help="database of embedded ClickHouse with the table")
    elsewhere.add_argument(
        "--form", choices=["decisions", "calls"], help="a row per request (default), or per call"
    )
    elsewhere.add_argument(
        "--only",
        action="append",
        default=[],
        type=_condition,
        metavar="COLUMN=VALUE",
        help="leave out rows that have something else there; repeat it for several values",
    )
    elsewhere.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="COLUMN",
        help="leave out rows that have something there",
    )
    elsewhere.add_argument(
        "--several-pairs",
        action="store_true",
        help="a model stands in several pairs, so one call of it is on several rows",
    )
    elsewhere.add_argument(
        "--steps", type=_power, metavar="N", help="floor confidences to multiples of 1/N, a power of two"
    )
    flags.add_answers(parser)


def cells(options: argparse.Namespace) -> Outcome:
    """The cells of a log, in a file; or the statement that gives them."""
    if options.sql:
        return _statement(options)
    out: Path = flags.required(options.out, "--out", "A cells file")
    if out.suffix not in ENDINGS:
        raise InputError(f"{out} is no cells file: its name ends in {' or '.join(ENDINGS)}.")
    writing.require_writable(out)
    if options.engine:
        return _written(_on_engine(options), out)
    if not options.log:
        raise InputError(
            "Which log? LOG names a dataset or files; --engine and --sql are for logs elsewhere."
        )
    given = _about_elsewhere(options)
    if given:
        raise InputError(f"{', '.join(given)} is about a log elsewhere: use --engine or --sql, without LOG.")
    from analytics.collapse import local  # noqa: PLC0415 - nothing else needs it

    with opening.opened(options) as log:
        return _written(local.collapsed(log.store, log.dataset), out, notes=log.notes)


def _statement(options: argparse.Namespace) -> Outcome:
    from analytics.collapse import source, union  # noqa: PLC0415 - SQLGlot takes a second to import

    _refuse(options, "--parquet", "--master", "--host", "--user", "--path")
    name = flags.required(options.table, "--table", "A statement")
    mapped, constants, units = _mapping(options)
    given = source.Source(
        source.table_of(name, options.sql),
        options.sql,
        options.form or "decisions",
        mapped,
        constants,
        units,
        _wanted(options),
        options.without,
    )
    text = union.statement(given, **_how(options))
    document = {"dialect": options.sql, "sql": text}
    if options.out is None:
        return Outcome(document, text)
    writing.write(options.out, f"{text};\n")
    return Outcome(document, f"Wrote {options.out}")


def _on_engine(options: argparse.Namespace) -> "pl.DataFrame":
    from analytics.collapse import engine, on_clickhouse, on_spark  # noqa: PLC0415 - as above

    if (options.table is None) == (options.parquet is None):
        raise InputError("Where is the log? Give either --table or --parquet.")
    mapped, constants, units = _mapping(options)
    asked = {
        "form": options.form or "decisions",
        "columns": mapped,
        "constants": constants,
        "units": units,
        "only": _wanted(options),
        "without": options.without,
        **_how(options),
    }
    if options.engine == "spark":
        _refuse(options, "--host", "--user", "--path")
        with on_spark.opened(table=options.table, parquet=options.parquet, master=options.master) as spark:
            return engine.collapsed(spark, **asked)
    _refuse(options, "--master")
    if options.host is None:
        clickhouse = on_clickhouse.embedded(table=options.table, parquet=options.parquet, path=options.path)
    else:
        name = flags.required(options.table, "--table", "A ClickHouse server")
        password = os.environ.get(PASSWORD)
        clickhouse = on_clickhouse.server(options.host, table=name, user=options.user, password=password)
    return engine.collapsed(clickhouse, **asked)


def _written(found: "pl.DataFrame", out: Path, *, notes: tuple[str, ...] = ()) -> Outcome:
    from analytics.collapse import local  # noqa: PLC0415 - as above

    with writing.replaced(out) as path:
        local.write(found, path)
    counts = dict(found["part"].value_counts().sort("part").iter_rows())
    document = {"out": str(out), "parts": counts}
    rows = [(name, f"{count:,}") for name, count in counts.items()]
    return Outcome(document, f"{table(('part', 'rows'), rows)}\nWrote {out}", notes)


def _mapping(options: argparse.Namespace) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Columns, constants and units of a table elsewhere."""
    _refuse(options, "--dialect", "--encoding", "--decimal", "--dates", "--accept-rejects", "--price")
    if options.missing != "escalate":
        raise InputError("--missing is for the commands that read thresholds; cells hold both.")
    if options.log:
        raise InputError("LOG is a log here; --engine and --sql read the table of --table.")
    for name, columns in options.map:
        if len(columns) != 1:
            raise InputError(f"--map {name}= takes one column of a table. Join several in a view.")
    return {name: columns[0] for name, columns in options.map}, dict(options.set), dict(options.unit)


def _wanted(options: argparse.Namespace) -> dict[str, list[str]]:
    """Place -> the texts that rows may have there."""
    found: dict[str, list[str]] = {}
    for name, value in options.only:
        found.setdefault(name, []).append(value)
    return found


def _how(options: argparse.Namespace) -> dict[str, Any]:
    ladder = flags.steps(options)
    if ladder and options.form != "calls":
        raise InputError("--ladder pairs calls: add --form calls.")
    return {"ladder": ladder, "several_pairs": options.several_pairs, "steps": options.steps}


def _refuse(options: argparse.Namespace, *refused: str) -> None:
    given = [flag for flag in refused if getattr(options, flag[2:].replace("-", "_"))]
    if given:
        raise InputError(f"{', '.join(given)} has no meaning for {options.engine or '--sql'}.")


def _about_elsewhere(options: argparse.Namespace) -> list[str]:
    names = (
        "table",
        "parquet",
        "master",
        "host",
        "user",
        "path",
        "form",
        "only",
        "without",
        "several_pairs",
        "steps",
    )
    return [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]


def _listed() -> str:
    return ", ".join(DIALECTS[:-1]) + f" or {DIALECTS[-1]}"


def _condition(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=VALUE")
    return name.strip(), value


def _power(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 128 or value & (value - 1):  # noqa: PLR2004 - the steps of latencies
        raise argparse.ArgumentTypeError(f"{text!r} is no power of two from 128")
    return value
