"""The flags that several commands share, above all those that answer what the page would ask."""

import argparse
import codecs
import itertools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from analytics.commands.outcome import InputError
from analytics.logs.dialects import DIALECTS
from analytics.logs.meaning.mapping import Answers
from analytics.logs.schema import TABLES

T = TypeVar("T")

UNITS = (
    "fraction",
    "percent",
    "logprob",
    "s",
    "ms",
    "us",
    "ns",
    "iso",
    "epoch_s",
    "epoch_ms",
    "epoch_us",
    "epoch_ns",
    "usd",
    "usd_nonzero",
    "cents",
    "boolean",
)
ELSEWHERE = ("boolean", "usd_nonzero")
"""Units of columns in a warehouse, which has types."""
LOG_HELP = "name of a dataset, or one or more files (then nothing is stored)"


def add_common(parser: argparse.ArgumentParser) -> None:
    """The flags of every command."""
    parser.add_argument("--db", type=Path, metavar="PATH", help="database (default: in your data folder)")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def add_log(parser: argparse.ArgumentParser, *, pair: bool = True) -> None:
    """The positional LOG and the answers that its files may need."""
    parser.add_argument("log", nargs="+", metavar="LOG", help=LOG_HELP)
    add_answers(parser)
    if pair:
        chosen = parser.add_argument_group("which models, where a category has several pairs")
        chosen.add_argument("--fast", metavar="MODEL", help="label of the fast model")
        chosen.add_argument("--strong", metavar="MODEL", help="label of the strong model")


def add_keep(parser: argparse.ArgumentParser) -> None:
    """The flag of commands that load files for good."""
    parser.add_argument(
        "--no-keep",
        action="store_true",
        help="keep no copy of the files, which a damaged database would be built again from",
    )


def add_answers(parser: argparse.ArgumentParser, *, grades: bool = False) -> None:
    """Flags that answer what the page would ask about a file; fewer about one of grades."""
    group = parser.add_argument_group("answers about the files")
    group.add_argument(
        "--map",
        action="append",
        default=[],
        type=_source,
        metavar="FIELD=COLUMN[+COLUMN]",
        help="read a field from these columns; nothing after = leaves it unread",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        type=_constant,
        metavar="FIELD=VALUE",
        help="a field's value in every row",
    )
    group.add_argument(
        "--unit",
        action="append",
        default=[],
        type=_unit,
        metavar="COLUMN=UNIT",
        help=f"one of {', '.join(UNITS)}",
    )
    group.add_argument(
        "--dialect", type=_dialect, metavar="NAME", help="whose export it is (default: as recognised)"
    )
    group.add_argument("--encoding", type=_encoding, metavar="NAME", help="of the text, such as windows-1252")
    group.add_argument("--decimal", choices=[".", ","], help="decimal mark of numbers")
    group.add_argument("--dates", choices=["dmy", "mdy", "ymd"], help="order of day, month and year")
    group.add_argument(
        "--accept-rejects", action="store_true", help="load a file although more than 10%% of it is rejected"
    )
    if grades:
        parser.set_defaults(ladder=[], price=[], missing="escalate")
    else:
        _add_answers_on_models(group)


def _add_answers_on_models(group: Any) -> None:
    group.add_argument(
        "--ladder",
        action="append",
        default=[],
        type=_steps,
        metavar="'FAST>STRONG'",
        help="which model escalates to which; repeat it for several steps",
    )
    group.add_argument(
        "--price",
        action="append",
        default=[],
        type=_price,
        metavar="MODEL=IN,OUT",
        help="USD per 1M tokens, kept for later",
    )
    group.add_argument(
        "--missing",
        choices=["escalate", "keep", "exclude"],
        default="escalate",
        help="what a request without a confidence does (default: escalate)",
    )


def answers(options: argparse.Namespace) -> Answers:
    """The answers among the parsed flags.

    Raises:
        InputError: A unit is for tables elsewhere only.
    """
    elsewhere = [f"{column}={unit}" for column, unit in options.unit if unit in ELSEWHERE]
    if elsewhere:
        raise InputError(
            f"--unit {elsewhere[0]} is for tables elsewhere (tiertune cells --sql or --engine). A file's own "
            "columns tell a cost of 0 that is unknown, and flags and grades are read from their words."
        )
    return Answers(
        map=dict(options.map),
        set=dict(options.set),
        unit=dict(options.unit),
        dialect=options.dialect,
        encoding=options.encoding,
        decimal=options.decimal,
        dates=options.dates,
        prices=dict(options.price),
        accept_rejects=options.accept_rejects,
        missing=options.missing,
    )


def about_files(options: argparse.Namespace) -> list[str]:
    """The given flags that say how a file is read, and so have no meaning for a loaded dataset."""
    given = {
        "--map": options.map,
        "--set": options.set,
        "--unit": options.unit,
        "--dialect": options.dialect,
        "--encoding": options.encoding,
        "--decimal": options.decimal,
        "--dates": options.dates,
        "--price": options.price,
        "--accept-rejects": options.accept_rejects,
    }
    return [flag for flag, value in given.items() if value]


def database(options: argparse.Namespace) -> Path:
    """Where the datasets are: ``--db``, else TIERTUNE_DB, else the user's data folder."""
    if options.db is not None:
        return Path(options.db).expanduser().absolute()
    named = os.environ.get("TIERTUNE_DB")
    if named:
        return Path(named).expanduser().absolute()
    folder = os.environ.get("XDG_DATA_HOME")
    base = Path(folder) if folder and Path(folder).is_absolute() else Path.home() / ".local" / "share"
    return base / "tiertune" / "tiertune.duckdb"


def share(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1 (one point is 0.01)")
    return value


def coverage(text: str) -> float:
    """An argparse type: the coverage of an interval, such as 0.95."""
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no coverage between 0 and 1")
    return value


def port(text: str) -> int:
    """An argparse type: a TCP port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:  # noqa: PLR2004 - the ports there are
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def positive(text: str) -> float:
    """An argparse type: a finite number above 0."""
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def not_negative(text: str) -> float:
    """An argparse type: a finite number from 0."""
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0")
    return value


def numbers(text: str) -> list[float]:
    """An argparse type: finite numbers separated by commas."""
    return [_number(part) for part in text.split(",")]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is no number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is no finite number")
    return value


def _assigned(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name.strip(), value


def _field(name: str) -> str:
    known = {column.name for columns in TABLES.values() for column in columns if column.mappable}
    if name not in known:
        raise argparse.ArgumentTypeError(f"there is no field {name!r}; fields: {', '.join(sorted(known))}")
    return name


def _source(text: str) -> tuple[str, tuple[str, ...]]:
    name, columns = _assigned(text)
    return _field(name), tuple(part for part in columns.split("+") if part)


def _constant(text: str) -> tuple[str, str]:
    name, value = _assigned(text)
    return _field(name), value


def _unit(text: str) -> tuple[str, str]:
    column, unit = text.rpartition("=")[::2]
    if not column or unit not in UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=UNIT with a unit of {', '.join(UNITS)}")
    return column, unit


def _dialect(text: str) -> str:
    if text not in DIALECTS:
        raise argparse.ArgumentTypeError(f"there is no dialect {text!r}; dialects: {', '.join(DIALECTS)}")
    return text


def _encoding(text: str) -> str:
    try:
        codecs.lookup(text)
    except LookupError:
        raise argparse.ArgumentTypeError(f"there is no encoding {text!r}") from None
    return text


def _steps(text: str) -> list[tuple[str, str]]:
    models = [part.strip() for part in text.split(">")]
    if len(models) < 2 or not all(models):  # noqa: PLR2004 - a step needs two models
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form FAST>STRONG")
    return list(itertools.pairwise(models))


def _price(text: str) -> tuple[str, tuple[float, float]]:
    model, pair = text.rpartition("=")[::2]
    parts = [_number(part) for part in pair.split(",")] if model else []
    if len(parts) != 2 or min(parts) < 0:  # noqa: PLR2004 - input and output
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form MODEL=IN,OUT in USD per 1M tokens")
    return model, (parts[0], parts[1])


def required(value: T | None, flag: str, why: str) -> T:
    """``value``, or the error that names the flag that gives it."""
    if value is None:
        raise InputError(f"{why} needs {flag}.")
    return value


def steps(options: argparse.Namespace) -> list[tuple[str, str]]:
    """All steps of the ladder flags, in order."""
    given: list[list[tuple[str, str]]] = options.ladder
    return list(dict.fromkeys(step for chain in given for step in chain))


def command(
    commands: Any, name: str, *, text: str, run: Callable[[argparse.Namespace], Any]
) -> argparse.ArgumentParser:
    """A new subcommand with the common flags."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    add_common(parser)
    parser.set_defaults(run=run)
    return parser
