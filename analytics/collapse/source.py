"""Where a log lives in somebody's database: its table, and which column is which field.

What users write becomes identifiers and literals of SQLGlot's, never text of a statement. Values are
brought into the ranges that loading keeps to; a warehouse cannot reject a row, so what loading would
reject for a value counts here as a row with that value unknown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from analytics.collapse import members
from analytics.collapse.dialects import HASH, MOMENT, TEXT, DialectName
from analytics.errors import SchemaError
from analytics.logs.meaning.fields import EARLIEST, LATEST, LONGEST_CATEGORY, MOST_USD
from analytics.logs.meaning.scales import bare
from analytics.logs.meaning.units import FALSE_WORDS, TRUE_WORDS
from analytics.logs.schema import FOLDS, TABLES, Form

TABLE, TYPED = "tiertune_table", "tiertune_typed"
READ: dict[Form, tuple[str, ...]] = {
    "decisions": (
        "request_id", "ts", "task_category", "fast_model", "strong_model", "policy_kind", "confidence",
        "confidence_kind", "fast_correct", "fast_cost_usd", "fast_latency_s", "fast_input_tokens",
        "fast_output_tokens", "strong_correct", "strong_cost_usd", "strong_latency_s", "strong_input_tokens",
        "strong_output_tokens", "router_cost_usd", "router_latency_s", "escalated", "threshold", "propensity",
        "sampling_probability", "unit_id", "experiment", "arm",
    ),
    "calls": (
        "request_id", "call_index", "ts", "task_category", "model", "effort", "served", "shadow",
        "confidence", "confidence_kind", "correct", "input_tokens", "output_tokens", "cost_usd", "latency_s",
        "status", "policy_kind", "threshold", "propensity", "sampling_probability", "router_cost_usd",
        "router_latency_s", "unit_id", "experiment", "arm",
    ),
}  # fmt: skip
"""The fields that a collapse reads; nothing else of a table is touched."""

UNITS: dict[str, str] = {
    "percent": "c / 100", "cents": "c / 100", "logprob": "exp(c)", "ms": "c / 1000", "us": "c / 1000000",
    "ns": "c / 1000000000", "fraction": "c", "s": "c", "usd": "c",
    "usd_nonzero": "nullif(c, 0)",
}  # fmt: skip
_BOOLEAN = "CASE WHEN c THEN 1 WHEN NOT c THEN 0 END"
# Microseconds since 1970 as a whole number; doubles hold those of our century to a microsecond.
_EPOCHS = {
    "epoch_s": "round(CAST(c AS DOUBLE) * 1000000)", "epoch_ms": "round(CAST(c AS DOUBLE) * 1000)",
    "epoch_us": "c", "epoch_ns": "floor(CAST(c AS DOUBLE) / 1000)",
}  # fmt: skip
OTHER_UNITS = ("boolean", "iso", *_EPOCHS)

_KINDS = {
    "policy_kind": ("cascade", "predictive"),
    "confidence_kind": ("self_report", "logprob", "verifier", "predictive"),
}
_FAILURES = {"error": ("error", "failure", "failed"), "timeout": ("timeout", "timed_out")}
# Bounds that keep NaN and infinity out as well: no engine has NaN between two numbers.
_ENDLESS = "1e300"
_CLEAN = {
    **dict.fromkeys(("confidence", "correct"), "CASE WHEN c >= 0 AND c <= 1 THEN c END"),
    **dict.fromkeys(("propensity", "sampling_probability"), "CASE WHEN c > 0 AND c <= 1 THEN c END"),
    **dict.fromkeys(("cost_usd", "router_cost_usd"), f"CASE WHEN c >= 0 AND c <= {MOST_USD:.0f} THEN c END"),
    **dict.fromkeys(("latency_s", "router_latency_s"), f"CASE WHEN c >= 0 AND c <= {_ENDLESS} THEN c END"),
    "threshold": f"CASE WHEN c >= -{_ENDLESS} AND c <= {_ENDLESS} THEN c END",
    **dict.fromkeys(("input_tokens", "output_tokens"), "CASE WHEN c >= 0 THEN c END"),
    "ts": (
        f"CASE WHEN c >= CAST('{EARLIEST}' AS TIMESTAMP) AND c < CAST('{LATEST}' AS TIMESTAMP) THEN c END"
    ),
    "task_category": f"CASE WHEN length(c) <= {LONGEST_CATEGORY} THEN c END",
    "policy_kind": "coalesce(c, 'cascade')",
}
# A failed call that was served is a wrong answer, not an ungraded one, whatever came after it.
_CALL_CLEAN = {
    "policy_kind": "c",
    "correct": (
        "CASE WHEN c >= 0 AND c <= 1 THEN c WHEN status IN ('error', 'timeout') "
        "AND coalesce(served, true) AND NOT coalesce(shadow, false) THEN 0 END"
    ),
}


@dataclass(frozen=True, slots=True)
class Source:
    """A table and what its columns are.

    Attributes:
        table: ``table_of`` a name, or ``parquet_of`` a path.
        dialect: Engine that holds it.
        form: One row per request, or one per call.
        columns: Field -> column, as it is spelled there, or a place inside of one (``members.place``).
        constants: Field -> its value in every row.
        units: Column or field -> unit.
        only: Place -> texts of which it must hold one, or the row is left out.
        without: Places that must be empty, or the row is left out.
    """

    table: exp.Table | exp.Subquery
    dialect: DialectName
    form: Form = "decisions"
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without: Sequence[str] = ()

    def given(self, name: str) -> bool:
        """Whether the table or a constant says something of a field."""
        return name in self.columns or name in self.constants


def typed(source: Source) -> exp.Select:
    """SELECT of every field that a collapse reads, cast to its type, in our units; absent ones null.

    Raises:
        SchemaError: A name cannot be quoted safely, a field is not read, a unit does not fit, a constant is
            no value of its field, or nothing identifies a request.
    """
    _check(source)
    types = {column.name: column.sql_type for column in TABLES[source.form]}
    selected = [exp.alias_(_typed(source, name, types[name]), name) for name in READ[source.form]]
    table = source.table.copy()
    table.set("alias", exp.TableAlias(this=exp.to_identifier(TABLE)))
    return exp.select(*selected).from_(table).where(*_conditions(source))


def clean(form: Form, *, relation: str) -> exp.Select:
    """SELECT of the fields in the ranges that loading keeps to, rows without a request id left out."""
    cleaned = _CLEAN | (_CALL_CLEAN if form == "calls" else {})
    selected = [
        exp.alias_(spelled(cleaned.get(name, cleaned.get(bare(name), "c")), c=exp.column(name)), name)
        for name in READ[form]
    ]
    return exp.select(*selected).from_(relation).where("request_id IS NOT NULL", dialect="duckdb")


def fold() -> str:
    """The fold of a decision, in functions that ``dialects`` spells out."""
    return f"{HASH}(coalesce(unit_id, request_id)) % {FOLDS}"


def table_of(name: str, dialect: DialectName) -> exp.Table:
    """A table by its name: up to three parts with dots between, a part in double quotes where it has dots.

    Raises:
        SchemaError: It is no such name.
    """
    parts, quoted = [""], False
    for char in name.strip():
        if char == '"':
            quoted = not quoted
        elif char == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    if quoted or not all(parts) or len(parts) > 3:  # noqa: PLR2004 - catalog, schema, table
        raise SchemaError(f"{name!r} is no table: write TABLE, SCHEMA.TABLE or CATALOG.SCHEMA.TABLE.")
    names = [_identifier(part, dialect) for part in parts]
    return exp.Table(**dict(zip(("this", "db", "catalog"), reversed(names), strict=False)))


def parquet_of(path: str) -> exp.Table:
    """Parquet files as ClickHouse reads them, ``*`` and all."""
    return exp.Table(
        this=exp.Anonymous(this="file", expressions=[exp.Literal.string(path), exp.Literal.string("Parquet")])
    )


def spelled(sql: str, **nodes: exp.Expression) -> exp.Expression:
    """An expression of our own in DuckDB's words, with nodes in place of its columns of these names."""

    def filled(part: exp.Expression) -> exp.Expression:
        return nodes[part.name].copy() if isinstance(part, exp.Column) and part.name in nodes else part

    return sqlglot.parse_one(sql, read="duckdb").transform(filled)


def _check(source: Source) -> None:
    known = set(READ[source.form])
    unread = sorted({*source.columns, *source.constants} - known)
    if unread:
        listed = ", ".join(sorted(known))
        raise SchemaError(f"A collapse does not read {', '.join(unread)}. Fields: {listed}.")
    if "request_id" not in source.columns:
        raise SchemaError(
            "Missing: request_id. Its hash decides folds and rounding (--map request_id=COLUMN)."
        )
    named = {*source.columns.values(), *known, *(bare(name) for name in known)}
    strange = sorted(set(source.units) - named)
    if strange:
        raise SchemaError(f"No such column: {', '.join(strange)}. Map it first (--map FIELD=COLUMN).")


def _typed(source: Source, name: str, kind: str) -> exp.Expression:
    column = source.columns.get(name)
    units = source.units
    unit = units.get(name) or units.get(bare(name)) or units.get(column or "")
    if column is not None:
        where, value = _at(source, column)
        if where.inside:
            value = members.typed_text(value, "DOUBLE" if unit in _EPOCHS else kind, source.dialect)
            unit = None if unit == "boolean" else unit  # flags are read from text anyway
    elif name in source.constants:
        value = _constant(name, source.constants[name], kind)
    else:
        return exp.cast(exp.null(), TEXT if kind == "VARCHAR" else kind)
    return _in_type(name, kind, value, unit)


def _at(source: Source, text: str) -> tuple[members.Place, exp.Expression]:
    """A place, and the column or the text that is there."""
    where = members.place(text)
    column = exp.column(_identifier(where.column, source.dialect), table=TABLE)
    return where, members.text_at(where, column, source.dialect)


def _conditions(source: Source) -> list[exp.Expression]:
    """Which rows are read: the text of places among the wanted ones, or empty."""
    empty = [
        spelled("coalesce(CAST(c AS VARCHAR), '') = ''", c=_at(source, text)[1]) for text in source.without
    ]
    among = []
    for text, wanted in source.only.items():
        values = [_constant(text, value, "VARCHAR") for value in wanted]
        among.append(exp.In(this=exp.cast(_at(source, text)[1], TEXT), expressions=values))
    return [*among, *empty]


def _in_type(name: str, kind: str, value: exp.Expression, unit: str | None) -> exp.Expression:
    fits = {
        "DOUBLE": unit in {None, "boolean", *UNITS},
        "TIMESTAMP": unit in {None, "iso", *_EPOCHS},
    }.get(kind, unit is None)
    if not fits:
        raise SchemaError(f"{name} is not measured in {unit}.")
    if unit in _EPOCHS:
        return spelled(f"{MOMENT}(CAST({_EPOCHS[unit]} AS BIGINT))", c=value)
    if unit == "boolean":
        return spelled(f"CAST({_BOOLEAN} AS DOUBLE)", c=value)
    if kind != "VARCHAR":
        return spelled(UNITS.get(unit or "", "c"), c=exp.cast(value, kind))
    bare_text = spelled("nullif(trim(CAST(c AS VARCHAR)), '')", c=value)
    if name == "status":
        return _words({word: status for status, words in _FAILURES.items() for word in words}, bare_text)
    return _words({word: word for word in _KINDS[name]}, bare_text) if name in _KINDS else bare_text


def _words(known: Mapping[str, str], value: exp.Expression) -> exp.Expression:
    cases = " ".join(f"WHEN '{word}' THEN '{meaning}'" for word, meaning in known.items())
    return spelled(f"CASE replace(replace(lower(c), ' ', '_'), '-', '_') {cases} END", c=value)


def _identifier(name: str, dialect: DialectName) -> exp.Identifier:
    """A quoted name. Not every engine has a way to write these characters inside of quotes."""
    unsafe = {"\\", "`"} if dialect in {"bigquery", "clickhouse"} else {"\\"}
    if not name or not name.isprintable() or unsafe & set(name):
        raise SchemaError(f"{name!r} cannot be quoted for {dialect}. Give the column a plain name in a view.")
    return exp.to_identifier(name, quoted=True)


def _constant(name: str, value: str, kind: str) -> exp.Expression:
    wrong = SchemaError(f"{value!r} is no value of {name}.")
    text = value.strip()
    if kind == "BOOLEAN":
        if text.lower() not in {*TRUE_WORDS, *FALSE_WORDS}:
            raise wrong
        return exp.Boolean(this=text.lower() in TRUE_WORDS)
    if kind in {"DOUBLE", "BIGINT"}:
        try:
            number = float(text)
        except ValueError:
            raise wrong from None
        if not math.isfinite(number):
            raise wrong
        return exp.Literal.number(text if kind == "DOUBLE" else int(number))
    # Engines differ in how they escape these; none of our values needs them.
    if not text.isprintable() or "\\" in text:
        raise wrong
    return exp.Literal.string(text)
