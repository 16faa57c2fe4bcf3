"""What lies inside of a column: a member of its JSON, an entry of its map. ``COLUMN->KEY``, ``COLUMN[KEY]``.

Tools keep what callers say in one column of JSON. A member is text; numbers and flags are read from that
text, and what is none of them is unknown: a warehouse cannot reject a row.
"""

import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from analytics.collapse.dialects import DialectName
from analytics.errors import SchemaError

_PLACE = re.compile(r"(?P<column>[^\[\]>]+?)(?:\[(?P<entry>[^\[\]]*)\])?(?P<members>(?:->[^>\[\]]*)*)")
_KEY = re.compile(r"\w{1,100}", re.ASCII)
_NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$"
_TRUE, _FALSE = "lower(c) IN ('true', '1')", "lower(c) IN ('false', '0')"
# A member of c, which may be JSON or text that holds it. The others have DuckDB's, which SQLGlot spells out.
_JSON: dict[DialectName, str] = {
    "postgres": "CAST(c AS JSONB) #>> '{{{0}}}'",
    "clickhouse": "nullIf(nullIf(JSON_VALUE(toString(c), '$.{1}'), ''), 'null')",
}
_JSON_ELSEWHERE = "c ->> '$.{1}'"
_ENTRY: dict[DialectName, str] = {
    "clickhouse": "CASE WHEN mapContains(c, '{0}') THEN toString(c['{0}']) END",
    **dict.fromkeys(("spark", "databricks", "trino"), "CAST(element_at(c, '{0}') AS VARCHAR)"),
    "duckdb": "CAST(c['{0}'] AS VARCHAR)",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands.

    Attributes:
        column: Of the table, as it is spelled there.
        entry: Key of a map in it; None where it is no map.
        members: Keys from the outside of its JSON inwards; empty for the column itself.
    """

    column: str
    entry: str | None = None
    members: tuple[str, ...] = ()

    @property
    def inside(self) -> bool:
        """Whether the value is only a part of the column."""
        return self.entry is not None or bool(self.members)


def place(text: str) -> Place:
    """What ``COLUMN``, ``COLUMN->KEY->KEY``, ``COLUMN[KEY]`` or ``COLUMN[KEY]->KEY`` names.

    Raises:
        SchemaError: It has arrows or brackets and is none of these.
    """
    if "->" not in text and "[" not in text:
        return Place(text)
    found = _PLACE.fullmatch(text)
    if found is None:
        raise SchemaError(
            f"{text!r} is no place: write COLUMN, COLUMN->KEY, COLUMN[KEY] or COLUMN[KEY]->KEY."
        )
    members = tuple(found["members"].split("->")[1:])
    for key in (*members, *([] if found["entry"] is None else [found["entry"]])):
        if not _KEY.fullmatch(key):
            raise SchemaError(
                f"{text!r}: a key has letters, digits and underscores. Give others a name in a view."
            )
    return Place(found["column"].strip(), found["entry"], members)


def text_at(where: Place, column: exp.Expression, dialect: DialectName) -> exp.Expression:
    """The text of a value; null where there is none.

    Args:
        where: Its place.
        column: The column of it.
        dialect: Engine that holds it.

    Raises:
        SchemaError: The engine has no maps.
    """
    value = column
    if where.entry is not None:
        if dialect not in _ENTRY:
            raise SchemaError(
                f"Columns of {dialect} have no entries: write COLUMN->KEY for a member of JSON."
            )
        value = _filled(_ENTRY[dialect].format(where.entry), dialect, value)
    if where.members:
        names = ",".join(where.members), ".".join(where.members)
        own = _JSON.get(dialect)
        value = _filled((own or _JSON_ELSEWHERE).format(*names), dialect if own else "duckdb", value)
    return value


def typed_text(text: exp.Expression, kind: str, dialect: DialectName) -> exp.Expression:
    """A text as a value of a type; null where it is none.

    Args:
        text: As ``text_at`` gives it.
        kind: DuckDB's type.
        dialect: Engine that reads it.
    """
    if kind == "BOOLEAN":
        return _filled(f"CASE WHEN {_TRUE} THEN true WHEN {_FALSE} THEN false END", "duckdb", text)
    if kind not in {"DOUBLE", "BIGINT"}:
        return text
    number: exp.Expression
    if dialect == "clickhouse":  # which would try both branches of a CASE
        number = exp.Anonymous(this="toFloat64OrNull", expressions=[text.copy()])
    else:
        number = _filled(
            f"CASE WHEN regexp_matches(c, '{_NUMBER}') THEN CAST(c AS DOUBLE) END", "duckdb", text
        )
    flag = _filled("CASE lower(c) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END", "duckdb", text)
    return exp.Coalesce(this=number, expressions=[exp.cast(flag, "DOUBLE")])


def _filled(sql: str, dialect: DialectName, value: exp.Expression) -> exp.Expression:
    """SQL of ours in an engine's words, with a value in place of its column ``c``."""

    def filled(part: exp.Expression) -> exp.Expression:
        return value.copy() if isinstance(part, exp.Column) and part.name == "c" else part

    return exp.paren(sqlglot.parse_one(sql, read=dialect).transform(filled))
