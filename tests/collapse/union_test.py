"""The one statement: the same cells as DuckDB's own road, in nine dialects, whatever names and values."""

import polars as pl
import pytest
import sqlglot
from collapsing import KEYS, assert_same, by_statement, expected, merged
from feature_rows import feature_rows
from sqlglot import exp

from analytics.collapse import source, union
from analytics.collapse.dialects import DIALECTS
from analytics.collapse.parts import POLARS, TYPES
from analytics.collapse.source import READ, Source
from analytics.errors import SchemaError

EVIL = ['x"; DROP TABLE log; --', "x'; DROP TABLE log; --", "select", "Ünïcödé 猫", "$1 {x} :y ?"]


def whole(dialect, *, table="log", form="decisions", columns=None, **more):
    how = {"ladder": [("small", "big")]} if form == "calls" else {}
    mapped = columns or {name: name for name in READ[form]}
    given = Source(source.table_of(table, dialect), dialect, form, mapped, **more)
    return union.statement(given, **how)


@pytest.mark.parametrize("form", ["decisions", "calls"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_is_read_by_the_parser_of_its_dialect(dialect, form):
    (parsed,) = sqlglot.parse(whole(dialect, form=form), read=dialect)
    inner = parsed.find(exp.Union) or parsed
    assert inner.named_selects == list(TYPES)
    assert not list(parsed.find_all(exp.Filter))


@pytest.mark.parametrize("sampled", [7, 400], ids=["probabilities as they are", "probabilities in bins"])
@pytest.mark.parametrize("dirty", [False, True])
def test_the_statement_for_duckdb_gives_the_cells_that_loading_gives(sampled, dirty):
    rows = feature_rows(3000, sampled=sampled, dirty=dirty)
    assert_same(by_statement(rows), expected(rows))


def test_an_unknown_probability_stays_unknown_in_bins():
    rows = feature_rows(3000, sampled=400)
    unknown = rows["sampling_probability"].null_count()
    for found in (by_statement(rows), expected(rows)):
        sweep = found.filter(part="sweep")
        assert sweep.filter(pl.col("sampling_probability").is_null())["n"].sum() == unknown
        assert sweep["sampling_probability"].n_unique() < 400


def test_few_large_cells_are_the_same_too():
    rows = feature_rows(20_000).with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("propensity", "sampling_probability", "threshold")
    )
    rows = rows.with_columns(
        arm=None, experiment=None, policy_kind=None, confidence_kind=None, task_category=pl.lit("one"),
        unit_id=pl.lit("user"), confidence=pl.lit(0.5), fast_model=pl.lit("s"), strong_model=pl.lit("b"),
        escalated=pl.lit(value=True),
    )  # fmt: skip
    found = by_statement(rows)
    assert_same(found, expected(rows))
    assert found.filter(part="sweep")["n"].max() > 5000


def test_no_rows_give_the_size_alone():
    found = by_statement(feature_rows(10).clear())
    assert_same(found, expected(feature_rows(10).clear()))
    assert found["part"].to_list() == ["log"]
    assert found.row(0, named=True)["largest_unit"] is None


def test_a_log_of_ids_alone_has_typed_nulls_elsewhere():
    rows = feature_rows(50).select("request_id")
    found = by_statement(rows, constants={"fast_model": "small", "strong_model": "big"})
    assert found.filter(part="sweep").select(pl.col("n").sum()).item() == 50


def test_calls_on_several_rows_count_once_if_told():
    rows = feature_rows(400).with_columns(strong_model=pl.lit("big"), fast_model=pl.lit("small"))
    second = rows.with_columns(fast_model=pl.lit("tiny"), escalated=False)
    both = pl.concat([rows.with_columns(escalated=False), second])
    sums = by_statement(both, several_pairs=True).filter(part="calls", model="big")
    once = by_statement(rows.with_columns(escalated=False)).filter(part="calls", model="big")
    assert_same(sums, once)


def test_confidences_in_steps_add_up_to_those_as_they_are():
    rows = feature_rows(2000)
    stepped = by_statement(rows, steps=128).filter(part="sweep")
    plain = by_statement(rows).filter(part="sweep")
    floored = plain.with_columns((pl.col("confidence") * 128).floor() / 128)
    assert_same(stepped, merged(floored))


def test_cells_of_two_halves_merge_to_those_of_the_whole():
    rows = feature_rows(3000)
    # Users of the halves are apart, as the sizes of users add up only then.
    apart = rows.with_columns(
        unit_id=pl.when(pl.int_range(pl.len()) < 1500)
        .then("unit_id")
        .otherwise(pl.lit("b") + pl.col("unit_id"))
    )
    halves = [by_statement(part) for part in (apart.head(1500), apart.tail(1500))]
    assert_same(merged(*halves), by_statement(apart))


def test_nothing_of_a_request_is_in_the_cells():
    assert not {"request_id", "unit_id", "prompt", "answer", "segment", "attributes"} & set(TYPES)
    rows = feature_rows(300)
    texts = by_statement(rows).select(pl.col(pl.String)).to_dict(as_series=False)
    shown = {value for column in texts.values() for value in column}
    assert not shown & {*rows["request_id"], *rows["unit_id"].drop_nulls()}


@pytest.mark.parametrize("evil", [*EVIL, "a.b"])
def test_evil_names_are_names_and_nothing_else(evil):
    rows = feature_rows(200)
    found = by_statement(
        rows.rename({"confidence": evil}), name=evil.replace('"', ""), columns={
            name: evil if name == "confidence" else name for name in rows.columns
        },
    )  # fmt: skip
    assert_same(found, expected(rows))


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_evil_names_and_values_stay_inside_their_quotes(dialect, evil):
    table = evil.replace('"', "")
    text = whole(
        dialect, table=f'"{table}"', columns={"request_id": evil},
        constants={"arm": evil, "fast_model": "x' OR '1'='1"},
    )  # fmt: skip
    (parsed,) = sqlglot.parse(text, read=dialect)
    names = {found.name for found in parsed.find_all(exp.Table)}
    assert {name for name in names if not name.startswith("tiertune_")} == {table}
    assert evil in {column.name for column in parsed.find_all(exp.Column)}
    assert {evil, "x' OR '1'='1"} <= {literal.this for literal in parsed.find_all(exp.Literal)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"columns": {"confidence": "c"}}, "Missing: request_id"),
        ({"columns": {"request_id": "r", "prompt": "p"}}, "does not read prompt"),
        ({"columns": {"request_id": "r\\"}}, "cannot be quoted"),
        ({"columns": {"request_id": "r\n"}}, "cannot be quoted"),
        ({"columns": {"request_id": "r"}, "constants": {"arm": "a\\"}}, "no value of arm"),
        ({"columns": {"request_id": "r"}, "constants": {"threshold": "high"}}, "no value of threshold"),
        ({"columns": {"request_id": "r"}, "constants": {"threshold": "nan"}}, "no value of threshold"),
        ({"columns": {"request_id": "r"}, "constants": {"escalated": "2"}}, "no value of escalated"),
        ({"columns": {"request_id": "r"}, "units": {"x": "ms"}}, "No such column: x"),
        ({"columns": {"request_id": "r", "ts": "t"}, "units": {"t": "ms"}}, "not measured in ms"),
        ({"columns": {"request_id": "r"}, "form": "calls"}, "ladder"),
    ],
)
def test_what_cannot_be_said_in_sql_is_refused(given, said):
    with pytest.raises(SchemaError, match=said):
        union.statement(Source(source.table_of("log", "postgres"), "postgres", **given))


@pytest.mark.parametrize("name", ["", "a.b.c.d", 'a"b', "a..b", "a\\b"])
def test_no_name_of_a_table(name):
    with pytest.raises(SchemaError):
        source.table_of(name, "postgres")


def test_units_are_arithmetic():
    rows = feature_rows(500)
    micros = pl.col("ts").dt.epoch("us")
    scaled = rows.with_columns(
        ts=micros // 1000,
        confidence=pl.col("confidence") * 100,
        fast_latency_s=pl.col("fast_latency_s") * 1000,
        strong_cost_usd=pl.col("strong_cost_usd") * 100,
        fast_correct=pl.col("fast_correct") == 1,
    )
    units = {
        "ts": "epoch_ms", "confidence": "percent", "fast_latency_s": "ms", "strong_cost_usd": "cents",
        "fast_correct": "boolean",
    }  # fmt: skip
    # What the units do is done beforehand, so that rounding is the same.
    plain = scaled.with_columns(
        ts=(pl.col("ts") * 1000).cast(pl.Datetime("us")),
        confidence=pl.col("confidence") / 100,
        fast_latency_s=pl.col("fast_latency_s") / 1000,
        strong_cost_usd=pl.col("strong_cost_usd") / 100,
        fast_correct=pl.col("fast_correct").cast(pl.Float64),
    )
    assert_same(by_statement(scaled, units=units), expected(plain))


def test_columns_of_the_cells_are_typed_as_the_file_says():
    assert by_statement(feature_rows(20)).schema == pl.Schema(POLARS)
    assert set(KEYS) < set(POLARS)
