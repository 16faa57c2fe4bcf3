"""What SQLGlot does not carry from DuckDB to the warehouses: one rewrite each, on the parsed statement."""

from collections.abc import Callable
from typing import Literal, cast, get_args

import sqlglot
from sqlglot import exp

DialectName = Literal[
    "bigquery", "snowflake", "databricks", "redshift", "postgres", "trino", "spark", "clickhouse", "duckdb"
]
DIALECTS: tuple[DialectName, ...] = get_args(DialectName)

TEXT = "TEXT"
"""Type of all text; a plain VARCHAR has no more than 256 bytes on Redshift and needs a length on Spark."""
HASH, MOMENT = "TIERTUNE_HASH", "TIERTUNE_MOMENT"
"""Functions of our own: first eight hex digits of an MD5 as a number; time of microseconds since 1970."""

_SPARK_HASH = "CAST(CONV(SUBSTR(MD5(x), 1, 8), 16, 10) AS BIGINT)"
_SPARK_MOMENT = "TIMESTAMP_MICROS(x)"
_FUNCTIONS: dict[str, dict[DialectName, str]] = {
    HASH: {
        "bigquery": "CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5(x)), 1, 8)) AS INT64)",
        "snowflake": "TO_NUMBER(LEFT(MD5(x), 8), 'XXXXXXXX')",
        "databricks": _SPARK_HASH,
        "redshift": "STRTOL(LEFT(MD5(x), 8), 16)",
        "postgres": "CAST(CAST('x' || LEFT(MD5(x), 8) AS BIT(32)) AS BIGINT)",
        "trino": "FROM_BASE(SUBSTR(LOWER(TO_HEX(MD5(TO_UTF8(x)))), 1, 8), 16)",
        "spark": _SPARK_HASH,
        "clickhouse": "reinterpretAsUInt32(reverse(unhex(substring(hex(MD5(x)), 1, 8))))",
        "duckdb": "CAST('0x' || LEFT(MD5(x), 8) AS BIGINT)",
    },
    MOMENT: {
        "bigquery": "DATETIME(TIMESTAMP_MICROS(x))",
        "snowflake": "TO_TIMESTAMP_NTZ(x, 6)",
        "databricks": _SPARK_MOMENT,
        "redshift": "TIMESTAMP '1970-01-01' + x * INTERVAL '1 microsecond'",
        "postgres": "TIMESTAMP '1970-01-01' + x * INTERVAL '1 microsecond'",
        "trino": "CAST(AT_TIMEZONE(FROM_UNIXTIME_NANOS(x * 1000), 'UTC') AS TIMESTAMP(6))",
        "spark": _SPARK_MOMENT,
        "clickhouse": "fromUnixTimestamp64Micro(x, 'UTC')",
        "duckdb": "MAKE_TIMESTAMP(x)",
    },
}
# Time without a zone, UTC as ours; with microseconds, and null where unknown.
_TIMES: dict[DialectName, str] = {
    "bigquery": "DATETIME", "snowflake": "TIMESTAMP_NTZ", "databricks": "TIMESTAMP_NTZ",
    "spark": "TIMESTAMP_NTZ", "trino": "TIMESTAMP(6)", "clickhouse": "Nullable(DateTime64(6, 'UTC'))",
}  # fmt: skip
# Here 1.01 is a decimal, not a double: its logarithm would have other digits.
_DECIMAL_LITERALS = frozenset({"databricks", "postgres", "redshift", "snowflake", "spark", "trino"})
# Standard SQL, which ClickHouse keeps only if told: nulls of empty sums and joins, names before aliases.
_CLICKHOUSE_SETTINGS = (
    "aggregate_functions_null_for_empty = 1, join_use_nulls = 1, prefer_column_name_to_alias = 1"
)


def text(statement: exp.Query, dialect: DialectName) -> str:
    """A statement that was parsed as DuckDB's, for another engine; every name in it is quoted.

    Args:
        statement: In DuckDB's functions and types; changed by this call.
        dialect: Engine that will run it.
    """
    for kind, rewrite in _REWRITES:
        for node in reversed(list(statement.find_all(kind))):  # inner ones first
            node.replace(rewrite(node, dialect))
    for select in statement.find_all(exp.Select):
        # ClickHouse would name a column of a join with its table.
        select.set("expressions", [_named(column) for column in select.expressions])
    for subquery in statement.find_all(exp.Subquery):
        if isinstance(subquery.parent, exp.From | exp.Join) and not subquery.alias:
            subquery.set("alias", exp.TableAlias(this=exp.to_identifier("unnamed")))
    if dialect != "clickhouse":
        return statement.sql(dialect=dialect, identify=True, pretty=True)
    whole = exp.select("*").from_(statement.subquery("tiertune_cells_of_all_parts"))
    return f"{whole.sql(dialect=dialect, identify=True, pretty=True)}\nSETTINGS {_CLICKHOUSE_SETTINGS}"


def _named(column: exp.Expression) -> exp.Expression:
    plain = isinstance(column, exp.Column) and column.table and not isinstance(column.this, exp.Star)
    return cast("exp.Expression", exp.alias_(column, column.name)) if plain else column


def _filtered(node: exp.Expression, _: DialectName) -> exp.Expression:
    """``sum(x) FILTER (WHERE c)`` -> ``sum(CASE WHEN c THEN x END)``."""
    aggregate: exp.Expression = node.this
    condition = node.expression.this
    value = exp.Literal.number(1) if isinstance(aggregate.this, exp.Star) else aggregate.this
    return type(aggregate)(this=exp.Case(ifs=[exp.If(this=condition, true=value)]))


def _truth(node: exp.Expression, _: DialectName) -> exp.Expression:
    """``x IS TRUE`` -> ``coalesce(x, false)``, ``x IS FALSE`` -> ``NOT coalesce(x, true)``."""
    if not isinstance(node.expression, exp.Boolean):
        return node
    wanted = bool(node.expression.this)
    known = exp.Coalesce(this=node.this, expressions=[exp.Boolean(this=not wanted)])
    return exp.paren(known) if wanted else exp.paren(exp.Not(this=known))


def _hashed(node: exp.Expression, dialect: DialectName) -> exp.Expression:
    """DuckDB's cast of hex digits, as ``cells`` spells it, -> the engine's own."""
    digest = node.find(exp.MD5) if node.args["to"].is_type("UINT") else None
    return _own(exp.Anonymous(this=HASH, expressions=[digest.this]), dialect) if digest else node


def _own(node: exp.Expression, dialect: DialectName) -> exp.Expression:
    """A function of ours -> its spelling."""
    spelled = _FUNCTIONS.get(str(node.this))
    if spelled is None:
        return node
    (argument,) = node.expressions

    def filled(part: exp.Expression) -> exp.Expression:
        return argument.copy() if isinstance(part, exp.Column) and part.name == "x" else part

    made = sqlglot.parse_one(spelled[dialect], read=dialect).transform(filled)
    return exp.paren(made) if isinstance(made, exp.Binary) else made


def _any(node: exp.Expression, _: DialectName) -> exp.Expression:
    """Any value of equal ones: the largest, as not every engine has ``any_value``."""
    return exp.Max(this=node.this)


def _literal(node: exp.Expression, dialect: DialectName) -> exp.Expression:
    if node.is_string or dialect not in _DECIMAL_LITERALS or node.is_int:
        return node
    return exp.cast(node.copy(), "DOUBLE")


def _digits(node: exp.Expression, _: DialectName) -> exp.Expression:
    """Decimals are rounded by the same arithmetic everywhere: Postgres has no such function of doubles."""
    decimals = node.args.get("decimals")
    if decimals is None:
        return node
    scale = exp.cast(exp.Literal.number(f"1e{decimals.name}"), "DOUBLE")
    half = exp.cast(exp.Literal.number("0.5"), "DOUBLE")
    shifted = exp.Add(this=exp.Mul(this=exp.paren(node.this), expression=scale), expression=half)
    return exp.paren(exp.Div(this=exp.Floor(this=shifted), expression=scale.copy(), typed=False, safe=False))


def _ending(node: exp.Expression, _: DialectName) -> exp.Expression:
    text, end = node.this.sql(), node.expression.sql()
    start = f"length({text}) - length({end}) + 1"
    found = sqlglot.parse_one(
        f"length({text}) >= length({end}) AND substr({text}, {start}) = {end}", read="duckdb"
    )
    return exp.paren(found)


def _timed(node: exp.Expression, dialect: DialectName) -> exp.Expression:
    if dialect in _TIMES and node.args["to"].is_type("TIMESTAMP", "TIMESTAMPNTZ"):
        node.set("to", exp.DataType.build(_TIMES[dialect], dialect=dialect))
    return node


def _whole(node: exp.Expression, dialect: DialectName) -> exp.Expression:
    """ClickHouse converts what lies under a null as well, and fails where that is NaN."""
    if dialect != "clickhouse" or not isinstance(node.this, exp.Floor):
        return node
    return exp.Anonymous(this="accurateCastOrNull", expressions=[node.this, exp.Literal.string("Int64")])


def _characters(node: exp.Expression, dialect: DialectName) -> exp.Expression:
    """ClickHouse counts bytes unless told."""
    if dialect != "clickhouse":
        return node
    if isinstance(node, exp.Length):
        return exp.Anonymous(this="lengthUTF8", expressions=[node.this])
    given = [node.this, node.args["start"], node.args.get("length")]
    return exp.Anonymous(this="substringUTF8", expressions=[part for part in given if part])


def _places(node: exp.Expression, _: DialectName) -> exp.Expression:
    """Computed keys of a GROUP BY by their place: not every engine finds an expression among its columns."""
    selected = [column.unalias() for column in cast("exp.Select", node.parent).selects]
    for key in node.expressions:
        if not isinstance(key, exp.Column | exp.Literal) and key in selected:
            key.replace(exp.Literal.number(selected.index(key) + 1))
    return node


def _decided(node: exp.Expression, _: DialectName) -> exp.Expression:
    """A case that a constant decides, as where no probability is binned."""
    first = node.args["ifs"][0].this if not node.this else None
    said = first.left if isinstance(first, exp.And) else first
    if isinstance(said, exp.Boolean) and not said.this and len(node.args["ifs"]) == 1:
        return cast("exp.Expression", node.args["default"])
    return node


_REWRITES: tuple[tuple[type[exp.Expression], Callable[[exp.Expression, DialectName], exp.Expression]], ...]
_REWRITES = (
    (exp.EndsWith, _ending),
    (exp.Filter, _filtered),
    (exp.Is, _truth),
    (exp.Anonymous, _own),
    (exp.AnyValue, _any),
    (exp.Literal, _literal),
    (exp.Round, _digits),
    (exp.Case, _decided),
    (exp.Group, _places),
    (exp.Cast, _hashed),
    (exp.Cast, _timed),
    (exp.Cast, _whole),
    (exp.Length, _characters),
    (exp.Substring, _characters),
)
