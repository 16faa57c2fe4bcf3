"""A confirmed mapping as SQL, for Parquet files whose rows stay where they are.

It says what ``convert`` says of columns that are typed: numbers, times, flags, plain texts. Where reading a
value needs more than that, as with numbers written as text, the log has to be loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analytics.errors import SchemaError
from analytics.logs.meaning.fields import EARLIEST, LATEST, LONGEST_CATEGORY, MOST_USD, WORDS
from analytics.logs.meaning.mapping import Mapping as ColumnMapping
from analytics.logs.meaning.scales import bare
from analytics.logs.schema import DECISIONS
from analytics.logs.storage.ingest import FOLD
from analytics.logs.storage.quoting import identifier, quoted

_NUMBERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip
_PER_SECOND = {None: 1, "s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCHS = {"epoch_s": "1000000", "epoch_ms": "1000", "epoch_us": "1", "epoch_ns": "0.001"}
_WHOLE = (
    "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "cache_write_tokens",
    "cache_write_1h_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InPlace:
    """What rows that stay in their files are.

    Attributes:
        columns: Canonical column of ``decisions`` -> SQL over the files' columns, ``fold`` included.
        faults: Reason -> SQL condition under which a row is left out, for that reason.
        notes: Sentences on what is not read as it would be from a loaded file.
    """

    columns: dict[str, str]
    faults: dict[str, str]
    notes: tuple[str, ...] = ()

    def rows(self, source: str, *, sound: bool = False) -> str:
        """A SELECT of the rows that stay, from a relation of the files.

        Every column of ``decisions`` is there, null where the files do not give it.

        Args:
            source: The relation.
            sound: Whether none is known to be left out, so that none has to be looked at.
        """
        given = {column.name: f"CAST(NULL AS {column.sql_type})" for column in DECISIONS} | self.columns
        listed = ", ".join(f"{text} AS {name}" for name, text in given.items())
        wrong = [f"coalesce({text}, false)" for text in self.faults.values()]
        where = "" if sound or not wrong else f" WHERE NOT ({' OR '.join(wrong)})"
        return f"SELECT {listed} FROM {source}{where}"  # noqa: S608 - names are quoted


def is_empty(kind: str) -> bool:
    """Whether a type says that no value of a column is known."""
    return kind.strip('"').upper() == "NULL"


def in_place(mapping: ColumnMapping, types: Mapping[str, str]) -> InPlace:
    """How the rows of typed files are read where they lie.

    Args:
        mapping: As confirmed.
        types: Column of the files -> its type in DuckDB.

    Raises:
        SchemaError: The rows cannot be read without being loaded; the message says why.
    """
    if mapping.form != "decisions" or mapping.dialect != "wide":
        raise SchemaError(
            "Only logs with one row per request, the fast and the strong outcome side by side, can stay "
            "where they are. Load this one: tiertune load."
        )
    if "request_id" not in mapping.columns:
        raise SchemaError(
            "A log that stays where it is needs a request id in every row. Found none. Name its column "
            "(--map request_id=COLUMN) or load the log: tiertune load."
        )
    columns: dict[str, str] = {}
    faults: dict[str, str] = {}
    for column in DECISIONS:
        if column.mappable:
            text, wrong = _field(column.name, mapping, types)
            if text is not None:
                columns[column.name] = f"CAST({text} AS {column.sql_type})"
                faults |= wrong
    faults["the row has no request id"] = f"{columns['request_id']} IS NULL"
    columns["policy_kind"] = f"coalesce({columns.get('policy_kind', 'NULL')}, 'cascade')"
    unit = columns.get("unit_id", "NULL")
    columns["fold"] = FOLD.replace("unit_id", unit).replace("request_id", columns["request_id"])
    return InPlace(columns, faults, _notes(columns))


def _notes(columns: dict[str, str]) -> tuple[str, ...]:
    unpriced = [
        side
        for side in ("fast", "strong")
        if f"{side}_input_tokens" in columns and f"{side}_cost_usd" not in columns
    ]
    if not unpriced:
        return ()
    return ("Tokens are not priced in a log that stays where it is: costs have to be in its files.",)


Sql = tuple[str | None, dict[str, str]]


def _field(name: str, mapping: ColumnMapping, types: Mapping[str, str]) -> Sql:
    constant = mapping.constants.get(name)
    sources = [one for one in mapping.columns.get(name, ()) if not is_empty(types[one])]
    if not sources:
        return (None if constant is None else _constant(name, constant)), {}
    base = bare(name)
    read = _READ.get(base, _word if base in WORDS else _text)
    if base == "request_id" and len(sources) > 1:
        joined = " || '/' || ".join(f"coalesce(CAST({identifier(one)} AS VARCHAR), '')" for one in sources)
        return joined, {}
    found = [_Source(name, one, types[one], mapping.units.get(name), mapping) for one in sources]
    parts = [read(one) for one in found]
    faults = {reason: text for _, wrong in parts for reason, text in wrong.items()}
    texts = [text for text, _ in parts if text is not None]
    if constant is not None:
        texts.append(_constant(name, constant))
    return (texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"), faults


@dataclass(frozen=True, slots=True)
class _Source:
    """A column that a field is read from."""

    field: str
    column: str
    kind: str
    unit: str | None
    mapping: ColumnMapping

    @property
    def sql(self) -> str:
        return identifier(self.column)

    @property
    def is_text(self) -> bool:
        return self.kind.startswith(("VARCHAR", "ENUM"))

    def number(self) -> str:
        """The column as a number.

        Raises:
            SchemaError: It holds no numbers.
        """
        if not self.kind.startswith((*_NUMBERS, "BOOLEAN")):
            raise SchemaError(
                f"{self.field} is read from a column of type {self.kind.lower()}; a log that stays where it "
                "is needs numbers there. Convert the column, or load the log: tiertune load."
            )
        return f"CAST({self.sql} AS DOUBLE)"


def _constant(name: str, text: str) -> str:
    if bare(name) in {"task_category", "model", *WORDS} or name in {"segment", "experiment", "arm"}:
        return quoted(text)
    raise SchemaError(f"{name} cannot be one value for all rows of a log that stays where it is.")


def _text(source: _Source) -> Sql:
    if source.kind.startswith(("STRUCT", "MAP", "BLOB")) or source.kind.endswith("[]"):
        return f"CAST(to_json({source.sql}) AS VARCHAR)", {}
    return f"nullif(trim(CAST({source.sql} AS VARCHAR)), '')", {}


def _category(source: _Source) -> Sql:
    text, _ = _text(source)
    return text, {
        f"category longer than {LONGEST_CATEGORY} characters": f"length({text}) > {LONGEST_CATEGORY}"
    }


def _word(source: _Source) -> Sql:
    text = f"regexp_replace(lower(trim(CAST({source.sql} AS VARCHAR))), '[ -]', '_', 'g')"
    cases = " ".join(
        f"WHEN {quoted(word)} THEN {quoted(kind)}" for word, kind in WORDS[bare(source.field)].items()
    )
    return f"CASE {text} {cases} END", {}


def _share(source: _Source, unit: str | None) -> str:
    value = source.number()
    if unit == "percent":
        return f"({value} / 100)"
    return f"exp({value})" if unit == "logprob" else value


def _within(value: str, low: str, high: str) -> str:
    return f"CASE WHEN {_between(value, low, high)} THEN {value} END"


def _between(value: str, low: str, high: str, *, least: str = ">=") -> str:
    # The statistics of a Parquet file leave NaN out, so that comparisons alone may be taken as settled.
    return f"(isfinite({value}) AND {value} {least} {low} AND {value} <= {high})"


def _confidence(source: _Source) -> Sql:
    return _within(_share(source, source.unit), "0", "1"), {}


def _threshold(source: _Source) -> Sql:
    value = _share(source, source.unit or source.mapping.units.get("confidence"))
    return f"CASE WHEN isfinite({value}) THEN {value} END", {}


def _probability(source: _Source) -> Sql:
    value = source.number()
    reason = "probability outside 0 (excluded) to 1"
    return value, {f"{source.field}: {reason}": f"NOT {_between(value, '0', '1', least='>')}"}


def _cost(source: _Source) -> Sql:
    value = f"({source.number()} / 100)" if source.unit == "cents" else source.number()
    outside = f"NOT {_between(value, '0', str(MOST_USD))}"
    return value, {f"{source.field}: cost below 0, above {MOST_USD:,.0f} USD, or no number": outside}


def _latency(source: _Source) -> Sql:
    value = f"({source.number()} / {_PER_SECOND[source.unit]})"
    return f"CASE WHEN isfinite({value}) AND {value} >= 0 THEN {value} END", {}


def _tokens(source: _Source) -> Sql:
    value = source.number()
    return f"CASE WHEN {_between(value, '0', '9e15')} AND {value} = floor({value}) THEN {value} END", {}


def _flag(source: _Source) -> Sql:
    if source.kind == "BOOLEAN":
        return source.sql, {}
    if source.is_text:
        raise SchemaError(
            f"{source.field} is read from a column of text; a log that stays where it is needs true and "
            "false there. Convert the column, or load the log: tiertune load."
        )
    value = source.number()
    return f"CASE {value} WHEN 1 THEN true WHEN 0 THEN false END", {}


def _moment(source: _Source) -> Sql:
    if source.unit in _EPOCHS:
        value = source.number()
        text = f"make_timestamp(CAST({value} * {_EPOCHS[source.unit]} AS BIGINT))"
    elif source.kind == "TIMESTAMP WITH TIME ZONE":
        text = f"timezone('UTC', {source.sql})"
    elif source.kind.startswith(("TIMESTAMP", "DATE")):
        text = f"CAST({source.sql} AS TIMESTAMP)"
    else:
        raise SchemaError(
            f"{source.field} is read from a column of type {source.kind.lower()}; a log that stays where it "
            "is needs times there, or a number and its unit (--unit ts=epoch_ms)."
        )
    low, high = (f"TIMESTAMP {quoted(str(end))}" for end in (EARLIEST, LATEST))
    return text, {"time outside 2015-2100": f"NOT ({text} >= {low} AND {text} < {high})"}


_READ: dict[str, Callable[[_Source], Sql]] = {
    "ts": _moment,
    "task_category": _category,
    "confidence": _confidence,
    "correct": lambda source: (_within(_share(source, source.unit), "0", "1"), {}),
    "cost_usd": _cost,
    "router_cost_usd": _cost,
    "latency_s": _latency,
    "router_latency_s": _latency,
    "threshold": _threshold,
    "propensity": _probability,
    "sampling_probability": _probability,
    "escalated": _flag,
    **dict.fromkeys(_WHOLE, _tokens),
}
