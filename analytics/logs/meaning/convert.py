"""Staged text into typed rows by a confirmed mapping, in batches of constant memory."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow.parquet as pq

from analytics.errors import SchemaError
from analytics.logs.dialects import DIALECTS
from analytics.logs.dialects.dialect import plain
from analytics.logs.meaning import cell_fields
from analytics.logs.meaning.faults import Faults
from analytics.logs.meaning.fields import Fault, Field, Reading, typed
from analytics.logs.meaning.mapping import NO_MODEL, refusal
from analytics.logs.meaning.mapping import Mapping as ColumnMapping
from analytics.logs.meaning.priced import Prices
from analytics.logs.reading import staged_rows
from analytics.logs.reading.rows import Behind
from analytics.logs.reading.staging import PLACES, Problem, Staged
from analytics.logs.schema import TABLES, Form

TYPED = "typed.parquet"
BATCH = 400_000

_TYPES: dict[str, pl.DataType] = {
    "DATE": pl.Date(),
    "VARCHAR": pl.String(),
    "DOUBLE": pl.Float64(),
    "BIGINT": pl.Int64(),
    "BOOLEAN": pl.Boolean(),
    "TIMESTAMP": pl.Datetime("us"),
}
_SHORT = 16
THREADS = 2
_UNIQUE = frozenset({"request_id", "call_id", "unit_id", "attributes", "prompt", "answer"})
_JOINED = frozenset({"request_id", "call_id"})
_GROWING = "DELTA_BINARY_PACKED"


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of the staged rows.

    Attributes:
        form: Table that the rows are for.
        rows: In ``typed.parquet``.
        rejected: Staged rows that are not.
        confidence_set_null: Rows that stay with a missing confidence though the field is mapped.
        problems: One per rejected record, by line, then values that were set to null; at most 10,000.
        problems_total: How many there are.
        notes: Sentences on what was changed or computed.
        unpriced: Models with tokens but neither cost nor price.
        unlisted: Service tier -> model -> its costs at the price of usual calls, for want of another.
        distinct: Whether it is known that no two rows have the same request id.
    """

    form: Form
    rows: int
    rejected: int
    confidence_set_null: int
    problems: list[Problem] = field(default_factory=list)
    problems_total: int = 0
    notes: list[str] = field(default_factory=list)
    unpriced: list[str] = field(default_factory=list)
    unlisted: dict[str, dict[str, int]] = field(default_factory=dict)
    distinct: bool = False


def convert(
    folder: Path,
    mapping: ColumnMapping,
    *,
    prices: Mapping[str, tuple[float, float]] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Converted:
    """Write ``typed.parquet`` from the staged rows by a confirmed mapping.

    Args:
        folder: The private folder, with ``rows.parquet`` and ``staged.json``.
        mapping: As confirmed.
        prices: Model -> (input, output) price in USD per million tokens, over the price map.
        progress: Called with the number of rows done so far.

    Raises:
        SchemaError: The mapping gives neither a grade, a cost, tokens nor a confidence, or a constant is no
            value of its field.
    """
    staged = Staged.load(folder)
    with (
        ThreadPoolExecutor(THREADS) as pool,
        Conversion(folder, staged, mapping, prices=prices) as conversion,
    ):
        for rows in staged_rows.batches(folder, staged, conversion.positions, size=BATCH):
            conversion.add(rows, pool)
            if progress:
                progress(conversion.done)
        return conversion.converted()


class Conversion:
    """``typed.parquet`` while it is written: ``line`` and the columns of the form that can have a value.

    ``file_id`` and ``fold`` are left to the store. Rejected rows are not written. A cost that is not logged
    is computed where input and output tokens and a price are known.

    Args:
        folder: The private folder.
        staged: As the file was read.
        mapping: What the columns mean.
        prices: Model -> (input, output) price in USD per million tokens, over the price map.

    Attributes:
        positions: Columns of the file that are needed.
        done: Rows taken so far.

    Raises:
        SchemaError: The mapping gives no fact, or a constant is no value of its field.
    """

    def __init__(
        self,
        folder: Path,
        staged: Staged,
        mapping: ColumnMapping,
        *,
        prices: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        reason = refusal(mapping, staged.columns)
        if reason:
            raise SchemaError(reason)
        self._mapping = mapping
        self._batches = _Batches(folder, staged, mapping, Prices(prices or {}))
        self._file = _TypedFile(folder / TYPED, self._batches.empty())
        self.positions, self.done, self._written = self._batches.wanted, 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: pl.DataFrame, pool: ThreadPoolExecutor) -> None:
        """Take the next rows: ``line`` and ``c{position}`` of every position."""
        frame = self._batches.typed(rows, pool)
        self._file.write(frame)
        self.done += rows.height
        self._written += frame.height

    def converted(self, *, id_alone: str | None = None) -> Converted:
        """What became of the rows, once all are written.

        Args:
            id_alone: Column of which no value stands twice in the file, if one is known.
        """
        self._file.close()
        faults = self._batches.faults
        return Converted(
            self._mapping.form,
            self._written,
            self.done - self._written,
            faults.confidence_set_null,
            faults.problems(),
            faults.total,
            [*faults.notes(), *self._batches.notes()],
            [name for name in self._batches.prices.unpriced if name],
            self._batches.prices.unlisted,
            self._batches.ids_as_they_are
            and id_alone is not None
            and self._mapping.columns.get("request_id") == (id_alone,),
        )


class _TypedFile:
    """``typed.parquet`` while it is written."""

    def __init__(self, path: Path, empty: pl.DataFrame) -> None:
        self._schema = empty.to_arrow().schema
        texts = {name for name in empty.columns if empty.schema[name] == pl.String}
        grades = {name for name in empty.columns if name.endswith("correct")}
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression={name: "lz4" if name in texts else "none" for name in empty.columns},
            use_dictionary=sorted((texts - _UNIQUE) | grades),
            column_encoding={name: _GROWING for name in ("line", "ts") if name in empty.columns},
            write_statistics=False,
        )
        self._behind = Behind()

    def close(self) -> None:
        """Write what is waiting and the footer; twice does no harm."""
        try:
            self._behind.close()
        finally:
            self._writer.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        self._behind.call(self._writer.write_table, frame.to_arrow())


class _Batches:
    """Everything that the conversion of one file needs from batch to batch."""

    def __init__(self, folder: Path, staged: Staged, mapping: ColumnMapping, prices: Prices) -> None:
        self.mapping = mapping
        self.dialect = DIALECTS[mapping.dialect]
        self.prices = prices
        self.faults = Faults(PLACES[staged.format])
        self.file_id = staged.file_id[:_SHORT]
        self.without_id = self.without_model = 0
        self.ids_as_they_are = True
        self.schema = {
            column.name: _TYPES[column.sql_type] for column in TABLES[mapping.form] if column.mappable
        }
        self.kept = [name for name in self.schema if name in _filled_by(mapping)]
        self.position = {name: f"c{at}" for at, name in enumerate(staged.columns)}
        place = {name: at for at, name in enumerate(staged.columns)}
        self.wanted = sorted({place[source] for wanted in mapping.columns.values() for source in wanted})
        read = cell_fields.unescaped if staged.format == "csv" else cell_fields.typed
        self._typed = read if mapping.form == "cells" else typed
        self.models = self._usual_models(folder, staged) if self.dialect.one_side else {}
        for name, text in mapping.constants.items():
            _, faults = typed(name, pl.Series([text]), self._reading(name, constant=True))
            fault = next((fault for fault in faults if fault.rows.any()), None)
            if fault:
                raise SchemaError(f"{name} cannot be {text}: {fault.reason}.")

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema={"line": pl.Int64, **{name: self.schema[name] for name in self.kept}})

    def typed(self, rows: pl.DataFrame, pool: ThreadPoolExecutor) -> pl.DataFrame:
        """The rows that stay, typed, with the columns that can have a value."""
        lines = rows["line"].cast(pl.Int64)
        rows = self._of_fast(rows)
        work: dict[str, Future[Field]] = {}
        for name in self.schema:
            text = self._text(name, rows)
            if text is not None:
                reading = self._reading(name, constant=name not in self.mapping.columns)
                work[name] = pool.submit(self._typed, name, text, reading)
        columns = {name: self._filled(name, done.result()[0]) for name, done in work.items()}
        self.ids_as_they_are = self.ids_as_they_are and self._same_ids(rows, columns)
        faults = [(name, fault) for name, done in work.items() for fault in done.result()[1]]
        rejected = self._noted(faults, lines)
        absent = {
            name: pl.Series([None], dtype=kind).new_from_index(0, rows.height)
            for name, kind in self.schema.items()
            if name not in columns
        }
        frame = (
            pl.DataFrame({"line": lines, **columns, **absent})
            .select("line", *self.schema)
            .cast(pl.Schema({"line": pl.Int64(), **self.schema}))
        )
        stays = frame if rejected is None else frame.filter(~rejected)
        return self._completed(stays).select("line", *self.kept)

    def _same_ids(self, rows: pl.DataFrame, columns: Mapping[str, pl.Series]) -> bool:
        """Whether every row has an id, which is one column's value as it stands."""
        sources = self.mapping.columns.get("request_id", ())
        if len(sources) != 1:
            return False
        ids, text = columns["request_id"], rows[self.position[sources[0]]]
        if text.null_count():
            return False
        return text.dtype.is_integer() or (text.dtype == pl.String and bool((ids == text).all()))

    def _noted(self, faults: list[tuple[str, Fault]], lines: pl.Series) -> pl.Series | None:
        """Which rows are rejected; every such row is one problem, every lost value of the others is one."""
        if not faults:
            return None
        rejected = pl.repeat(False, len(lines), eager=True)
        for name, fault in sorted(faults, key=lambda item: not item[1].rejects):
            fresh = fault.rows & ~rejected
            source = next(iter(self.mapping.columns.get(name, ())), None)
            self.faults.add(fault, lines=lines.filter(fresh), column=source, field=name)
            rejected = rejected | fresh if fault.rejects else rejected
        return rejected

    def notes(self) -> list[str]:
        notes = []
        if self.without_id:
            rows = "row has" if self.without_id == 1 else "rows have"
            notes.append(f"{self.without_id:,} {rows} no request id: identified by file hash + row number.")
        if self.without_model:
            calls = "call names" if self.without_model == 1 else "calls name"
            notes.append(f'{self.without_model:,} {calls} no model: it is called "{NO_MODEL}".')
        if self.prices.priced:
            costs = "cost was" if self.prices.priced == 1 else "costs were"
            notes.append(f"{self.prices.priced:,} {costs} computed from tokens and list prices.")
        return notes

    def _reading(self, name: str, *, constant: bool) -> Reading:
        if constant:
            return Reading()
        unit = self.mapping.units.get(name)
        if name == "threshold" and unit is None:
            unit = self.mapping.units.get("confidence")
        if name == "call_index" and unit == "time":
            unit = self.mapping.units.get("ts", unit)
        return Reading(unit, self.mapping.decimal, self.mapping.dates)

    def _text(self, name: str, rows: pl.DataFrame) -> pl.Series | None:
        """Text of a field; null where neither a column nor a constant gives it."""
        if name == "tier_logged" and name not in self.mapping.columns:
            name = "tier"
        sources = [rows[self.position[source]] for source in self.mapping.columns.get(name, ())]
        if not sources:
            text = self.mapping.constants.get(name)
            return None if text is None else pl.Series([text]).new_from_index(0, rows.height)
        if len(sources) == 1:
            return sources[0]
        texts = [staged_rows.as_text(part) for part in sources]
        if name in _JOINED:
            joined = pl.concat_str([part.fill_null("") for part in texts], separator="/")
            some = pl.any_horizontal([part.is_not_null() for part in texts])
            return pl.select(pl.when(some).then(joined)).to_series()
        return pl.select(pl.coalesce(texts)).to_series()

    def _filled(self, name: str, values: pl.Series) -> pl.Series:
        """Rows without a value get the constant, if there is one beside the column."""
        text = self.mapping.constants.get(name)
        if text is None or name not in self.mapping.columns:
            return values
        constant, _ = typed(name, pl.Series([text]), Reading())
        return values.fill_null(constant[0])

    def _of_fast(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Columns that speak of the served answer, blanked where that was the strong one."""
        source = self.mapping.columns.get("escalated", ("",))[0]
        blank = [self.position[name] for name in self.position if plain(name) in self.dialect.of_served]
        blank = [column for column in blank if column in rows.columns]
        if not blank or source not in self.position:
            return rows
        escalated, _ = typed("escalated", rows[self.position[source]], Reading())
        return rows.with_columns(
            pl.when(~escalated.fill_null(value=False)).then(pl.col(column)).alias(column) for column in blank
        )

    def _completed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What follows from the row itself: its id, labels, one-sided outcomes, failures, priced costs."""
        if self.mapping.form in {"grades", "cells"}:
            return frame
        without = frame["request_id"].null_count()
        if without:
            self.without_id += without if "request_id" in self.mapping.columns else 0
            line_id = pl.concat_str([pl.lit(self.file_id), pl.col("line").cast(pl.String)], separator=":")
            frame = frame.with_columns(pl.coalesce("request_id", line_id))
        if self.mapping.form == "calls":
            self.without_model += frame["model"].null_count() if "model" in self.mapping.columns else 0
            named = frame.with_columns(pl.col("model").fill_null(NO_MODEL))
            return self.prices.fill(_failed(_labelled(named)))
        if self.dialect.one_side:
            frame = self._sided(frame)
        return self.prices.fill(self.prices.fill(frame, "fast_"), "strong_")

    def _sided(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Outcomes of the served answer, on the side that was served."""
        escalated = pl.col("escalated").fill_null(value=False)
        other = {"fast": escalated, "strong": ~escalated}
        changes = []
        for name in self.schema:
            side, _, rest = name.partition("_")
            if side in other and rest == "model":
                usual = self.models.get(side)
                if usual:
                    changes.append(pl.when(other[side]).then(pl.lit(usual)).otherwise(name).alias(name))
            elif side in other:
                changes.append(pl.when(~other[side]).then(name).alias(name))
        return frame.with_columns(changes)

    def _usual_models(self, folder: Path, staged: Staged) -> dict[str, str]:
        """The model that kept and that escalated requests show most often."""
        model, escalated = (self.mapping.columns.get(name, ("",))[0] for name in ("fast_model", "escalated"))
        if model not in self.position or escalated not in self.position:
            return {}
        places = [staged.columns.index(name) for name in dict.fromkeys((model, escalated))]
        parts = [
            rows.group_by(self.position[model], self.position[escalated]).len()
            for rows in staged_rows.batches(folder, staged, places)
        ]
        counts = pl.concat(parts).group_by(self.position[model], self.position[escalated]).sum()
        sides, _ = typed("escalated", counts[self.position[escalated]], Reading())
        usual = {}
        for side, is_strong in (("fast", False), ("strong", True)):
            mine = counts.filter(sides.fill_null(value=False) == is_strong).drop_nulls(self.position[model])
            if mine.height:
                usual[side] = str(mine.sort("len", descending=True)[self.position[model]][0])
        return {"strong": "strong", "fast": "fast", **usual}


def _filled_by(mapping: ColumnMapping) -> set[str]:
    """The fields that rows may have under a mapping: those it gives and those that follow from them."""
    names = {*mapping.columns, *mapping.constants}
    if mapping.form in {"grades", "cells"}:
        return names
    names.add("request_id")
    for side in ("fast_", "strong_") if mapping.form == "decisions" else ("",):
        if {f"{side}input_tokens", f"{side}output_tokens"} <= names:
            names |= {f"{side}cost_usd", f"{side}cost_source"}
    if any(name.endswith("cost_usd") for name in names):
        names.add("cost_source")
    if mapping.form == "calls":
        names |= {"tier_logged"} if "tier" in names else set()
        names |= {"correct"} if "status" in names else set()
    return names


def _labelled(frame: pl.DataFrame) -> pl.DataFrame:
    """The model's label carries its effort, once."""
    ending = pl.concat_str([pl.lit("@"), "effort"])
    bare = pl.col("effort").is_null() | pl.col("model").str.ends_with(ending)
    return frame.with_columns(pl.when(bare).then("model").otherwise(pl.col("model") + ending).alias("model"))


def _failed(frame: pl.DataFrame) -> pl.DataFrame:
    """A failed call that was served is a wrong answer, not an ungraded one."""
    served = pl.col("served").fill_null(value=True) & ~pl.col("shadow").fill_null(value=False)
    failed = pl.col("status").is_in(["error", "timeout"]) & served & pl.col("correct").is_null()
    return frame.with_columns(pl.when(failed).then(0.0).otherwise("correct").alias("correct"))
