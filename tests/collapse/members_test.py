"""Values inside of columns: the same cells as from columns of their own, and rows that are left out."""

import duckdb
import polars as pl
import pytest
import sqlglot
from collapsing import assert_same
from feature_rows import feature_rows

from analytics.collapse import members, source, union
from analytics.collapse.dialects import DIALECTS
from analytics.collapse.source import Source
from analytics.errors import SchemaError

COLUMNS = {
    "request_id": "request_id",
    "task_category": "said->inner->category",
    "fast_model": "fast_model",
    "strong_model": "strong_model",
    "confidence": "said->confidence",
    "escalated": "said->escalated",
    "fast_correct": "said->right",
    "fast_cost_usd": "usage[cost]",
    "fast_output_tokens": "usage[tokens]",
}
PLAIN = {field: field for field in COLUMNS}


def collapsed(frame, columns, **more):
    given = Source(source.table_of("log", "duckdb"), "duckdb", "decisions", columns, **more)
    with duckdb.connect() as connection:
        connection.register("given", frame)
        connection.execute("CREATE TABLE log AS FROM given")
        return connection.sql(union.statement(given)).pl()


# What callers say in one column of JSON, what was used in a map; gaps are null there and absent here.
NESTED = """
    SELECT request_id, fast_model, strong_model, to_json({
        'inner': {'category': task_category}, 'confidence': confidence, 'escalated': escalated,
        'right': CASE fast_correct WHEN 1 THEN true WHEN 0 THEN false END})::VARCHAR AS said,
        map_from_entries(list_filter([
            {'k': 'cost', 'v': fast_cost_usd}, {'k': 'tokens', 'v': fast_output_tokens::DOUBLE}],
            lambda e: e.v IS NOT NULL)) AS usage
    FROM flat"""


def test_members_and_entries_are_read_as_columns_are():
    rows = feature_rows(2000).with_columns(fast_correct=pl.col("fast_correct").round())
    flat = rows.select(list(PLAIN))
    with duckdb.connect() as connection:
        connection.register("flat", flat)
        connection.execute(f"CREATE TABLE log AS {NESTED}")
        given = Source(source.table_of("log", "duckdb"), "duckdb", "decisions", COLUMNS)
        found = connection.sql(union.statement(given)).pl()
    assert_same(found, collapsed(flat, PLAIN))


def test_a_member_that_is_no_number_is_unknown():
    told = [
        '{"c": 0.5}',
        '{"c": "0.5"}',
        '{"c": "high"}',
        '{"c": null}',
        "{}",
        '{"c": {"d": 1}}',
        '{"c": true}',
    ]
    frame = pl.DataFrame({"id": [f"r{i}" for i in range(7)], "f": "a", "s": "b", "told": told})
    columns = {"request_id": "id", "fast_model": "f", "strong_model": "s", "confidence": "told->c"}
    sweep = collapsed(frame, columns).filter(part="sweep").group_by("confidence").agg(pl.col("n").sum())
    assert dict(sweep.iter_rows()) == {0.5: 2, 1.0: 1, None: 4}


def test_rows_that_do_not_belong_are_left_out():
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "c", "d", "e"],
            "f": "x",
            "s": "y",
            "kind": ["chat", "chat", "embed", "text", None],
            "meta": ['{"origin": null}', '{"origin": "judge"}', "{}", "{}", "{}"],
        }
    )
    columns = {"request_id": "id", "fast_model": "f", "strong_model": "s"}

    def rows(**more):
        return collapsed(frame, columns, **more).filter(part="log")["n"].item()

    assert rows() == 5
    assert rows(only={"kind": ["chat"]}) == 2
    assert rows(only={"kind": ["chat", "text"]}) == 3
    assert rows(without=["meta->origin"]) == 4
    assert rows(only={"kind": ["chat"]}, without=["meta->origin"]) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_its_own_words(dialect):
    columns = COLUMNS if dialect in {"clickhouse", "duckdb", "spark", "databricks", "trino"} else {
        field: place for field, place in COLUMNS.items() if "[" not in place
    }  # fmt: skip
    given = Source(
        source.table_of("log", dialect), dialect, "decisions", columns,
        only={"said->kind": ["it's"]}, without=["said->origin"],
    )  # fmt: skip
    (parsed,) = sqlglot.parse(union.statement(given), read=dialect)
    assert parsed.find(sqlglot.exp.Where)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a->", "letters, digits"),
        ("a->b'c", "letters, digits"),
        ("a->b.c", "letters, digits"),
        ("a[b", "no place"),
        ("->b", "no place"),
        ("a[]", "letters, digits"),
        ("a->b[c]", "no place"),
    ],
)
def test_other_places_are_refused(text, said):
    with pytest.raises(SchemaError, match=said):
        members.place(text)


def test_maps_of_an_engine_without_them_are_refused():
    given = Source(source.table_of("log", "postgres"), "postgres", columns={"request_id": "a[b]"})
    with pytest.raises(SchemaError, match="postgres have no entries"):
        union.statement(given)
