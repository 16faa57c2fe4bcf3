"""Grades of joined files on the answers of a dataset: what each is about, and which of several counts.

- A grade is about the call that its ``call_id`` names; without one about the answer that its request served,
  or the one of its ``model`` or ``side``; with a ``unit_id`` alone about every served answer of that user or
  session. An id that may be of either kind stands in several columns and is tried in that order.
- Of several grades by one grader for one answer the latest counts, at equal times the first.
- Of several graders the first in the dataset's order counts; the log's own grade has a place in it.
- A grade that was drawn with a probability leaves that beside the answer (``grade_probability``), also where
  another grade counts, and multiplies the answer's own ``sampling_probability``.

What the log itself said is kept beside (``correct_logged``), so that a joined file can be taken back.
"""

import json
from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

from analytics.logs.schema import Form
from analytics.logs.storage import catalogue, tables
from analytics.logs.storage.ladder import LABEL

OWN = None
"""The log's own grade in an order of graders."""

_SOURCES = ("human", "exact", "judge", "feedback")
_ABOUT_CORRECTNESS = (
    "correct", "is_correct", "correctness", "answer_correctness", "accuracy", "accurate", "pass", "passed",
    "exact_match", "right", "grade", "task_success", "success", "resolved",
)  # fmt: skip
_DRAWN = "grade_probability"
_CHANGED: dict[Form, tuple[str, ...]] = {
    "calls": ("correct", "correct_source", "sampling_probability"),
    "decisions": ("fast_correct", "strong_correct", "correct_source", "sampling_probability"),
}

_GRADES = f"""
    grades AS (
        SELECT *, coalesce(grader, '') AS named, row_number() OVER () AS place FROM {tables.GRADES})"""  # noqa: S608

# Level 0: the call itself; 1: an answer of the request; 2: the served answers of a user or session.
_LEVEL_1 = """grades.request_id = {rows}.request_id AND (grades.call_id IS NULL
    OR (grades.call_id = grades.request_id AND NOT EXISTS (
        SELECT 1 FROM found WHERE found.place = grades.place)))"""
_LEVEL_2 = """grades.unit_id = {rows}.unit_id
    AND (grades.call_id IS NULL OR grades.call_id = grades.unit_id)
    AND (grades.request_id IS NULL OR grades.request_id = grades.unit_id)
    AND NOT EXISTS (SELECT 1 FROM found WHERE found.place = grades.place)"""
_PICKED = ", ".join(
    f"grades.{name}" for name in ("place", "named", "correct", "correct_source", "sampling_probability", "ts")
)

_ROWS: dict[Form, str] = {
    "calls": f"""
        CREATE OR REPLACE TEMP TABLE answers AS
        WITH called AS (
            SELECT row, request_id, call_id, unit_id, {LABEL} AS label, model, served, shadow, call_index, ts
            FROM {{source}}),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY request_id ORDER BY
                coalesce(served::INTEGER * 3, 2 - coalesce(shadow, false)::INTEGER) DESC,
                call_index DESC NULLS LAST, ts DESC NULLS LAST, row DESC) = 1 AS serves,
                row_number() OVER (PARTITION BY request_id, label
                    ORDER BY call_index DESC NULLS LAST, ts DESC NULLS LAST, row DESC) = 1 AS last
            FROM called)
        SELECT row, '' AS side, request_id, call_id, unit_id, label, model, serves, last FROM ranked""",  # noqa: S608
    "decisions": """
        CREATE OR REPLACE TEMP TABLE answers AS
        WITH made AS (SELECT row, request_id, unit_id, fast_model, strong_model, escalated FROM {source})
        SELECT row, 'fast' AS side, request_id, NULL::VARCHAR AS call_id, unit_id, fast_model AS label,
            fast_model AS model, escalated IS FALSE AS serves, true AS last FROM made
        UNION ALL
        SELECT row, 'strong', request_id, NULL, unit_id, strong_model, strong_model, escalated IS TRUE, true
        FROM made""",
}

_MATCH = (
    """CREATE OR REPLACE TEMP TABLE found (
        row BIGINT, side VARCHAR, level INTEGER, place BIGINT, named VARCHAR, correct DOUBLE,
        correct_source VARCHAR, sampling_probability DOUBLE, ts TIMESTAMP)""",
    f"""INSERT INTO found WITH {_GRADES}
        SELECT row, answers.side, 0, {_PICKED}
        FROM grades JOIN answers ON grades.call_id = answers.call_id""",  # noqa: S608
    f"""INSERT INTO found WITH {_GRADES}
        SELECT row, answers.side, 1, {_PICKED} FROM grades JOIN answers ON {_LEVEL_1.format(rows="answers")}
        WHERE CASE WHEN grades.side IS NOT NULL THEN answers.side = grades.side
            WHEN grades.model IS NOT NULL THEN last AND grades.model IN (label, answers.model)
            ELSE serves END""",  # noqa: S608
    f"""INSERT INTO found WITH {_GRADES}
        SELECT row, answers.side, 2, {_PICKED} FROM grades JOIN answers ON {_LEVEL_2.format(rows="answers")}
        WHERE CASE WHEN grades.side IS NOT NULL THEN answers.side = grades.side
            WHEN grades.model IS NOT NULL THEN grades.model IN (label, answers.model) ELSE serves END""",  # noqa: S608
)

# One grade per answer and grader: the most specific, then the latest, then the first.
_ONE_EACH = """
    CREATE OR REPLACE TEMP TABLE given AS
    SELECT * FROM found QUALIFY row_number() OVER (
        PARTITION BY row, side, named ORDER BY level, ts DESC NULLS LAST, place) = 1"""

_EFFECTIVE = """
    CREATE OR REPLACE TEMP TABLE effective AS
    SELECT row, side, correct, correct_source, sampling_probability FROM given
    JOIN (SELECT unnest($names) AS named, unnest($ranks) AS rank) USING (named)
    QUALIFY row_number() OVER (PARTITION BY row, side ORDER BY rank) = 1"""


def taken_back(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Let a dataset's answers have the grades that the log itself gave them."""
    form, key = catalogue.require(cursor, dataset), catalogue.key(cursor, dataset)
    held = set(tables.columns(cursor, form, key))
    logged = [name for name in _CHANGED.get(form, ()) if f"{name}_logged" in held]
    if logged:
        values = {name: f"{name}_logged" for name in logged}
        gone = [*values.values(), *({_DRAWN} & held)]
        tables.drop_columns(cursor, form, key, gone, values=values)


def applied(cursor: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Give a dataset's answers the grades that count; the log's own are kept beside.

    Args:
        cursor: Inside a transaction.
        dataset: Name of a dataset whose answers have the log's own grades only.
    """
    form, key = catalogue.require(cursor, dataset), catalogue.key(cursor, dataset)
    grades = {"grades": tables.held(cursor, key, "grades")}
    if cursor.execute(f"SELECT 1 FROM {tables.GRADES} LIMIT 1", grades).fetchone() is None:  # noqa: S608
        return
    order = order_of(cursor, dataset)
    before = order.index(OWN) if OWN in order else len(order)
    _match(cursor, form, key)
    kept = [f"{name}_logged" for name in _CHANGED[form]]
    table = tables.ready(cursor, form, key, [*_CHANGED[form], *kept, _DRAWN])
    cursor.execute(f"UPDATE {table} SET {', '.join(f'{name}_logged = {name}' for name in _CHANGED[form])}")  # noqa: S608
    _match(cursor, form, key)  # only now, as a table that was widened has other row numbers
    # Graders that come after the log's own grade fill its gaps; those before it replace it.
    for names, gaps_only in ((order[:before], False), (order[before + 1 :], True)):
        ranks = {str(name): rank for rank, name in enumerate(names)}
        if ranks:
            cursor.execute(_EFFECTIVE, {"names": list(ranks), "ranks": list(ranks.values())})
            for side in ("",) if form == "calls" else ("fast", "strong"):
                _update(cursor, table, side, gaps_only=gaps_only)
    for name in ("answers", "found", "given", "effective"):
        cursor.execute(f"DROP TABLE IF EXISTS {name}")


def order_of(cursor: duckdb.DuckDBPyConnection, dataset: str) -> list[str | None]:
    """Graders whose grades count, the first that graded an answer decides; ``OWN`` is the log itself.

    As set by hand, else the log first, then the only grader, or those whose name speaks of correctness.
    """
    found = cursor.execute("SELECT graders FROM datasets WHERE name = ?", [dataset]).fetchone()
    if found and found[0]:
        stored: list[str | None] = json.loads(found[0])
        return stored
    known = cursor.execute(
        f"""SELECT coalesce(grader, '') AS named FROM {tables.GRADES} GROUP BY named
            ORDER BY coalesce(list_position($sources, min(correct_source)), 9), named""",  # noqa: S608
        {"grades": tables.of(cursor, dataset, "grades"), "sources": list(_SOURCES)},
    ).fetchall()
    names = [str(row[0]) for row in known]
    telling = [name for name in names if _plain(name) in _ABOUT_CORRECTNESS or not name]
    return [OWN, *(names if len(names) == 1 else telling)]


def graders(cursor: duckdb.DuckDBPyConnection, dataset: str) -> pl.DataFrame:
    """The graders of the joined files.

    Returns:
        One row per grader, those that count first, in their order: grader, source (human, ...; null where
        unknown), grades, matched (of those), answers (graded by it), mean (of all its grades, in [0, 1]),
        rank (from 1; null: does not count), with_log (answers that the log graded too), equal_to_log (share
        of those with the same grade, null without any).
    """
    form, key = catalogue.require(cursor, dataset), catalogue.key(cursor, dataset)
    if not tables.columns(cursor, "grades", key):
        return pl.DataFrame(schema=_GRADERS)
    _match(cursor, form, key)
    rows = cursor.execute(
        _REPORT[form].format(source=tables.with_row(cursor, form, key)),
        {"grades": tables.held(cursor, key, "grades")},
    ).fetchall()
    counted = [name for name in order_of(cursor, dataset) if name is not OWN]
    ranks = {name: place for place, name in enumerate(counted, 1)}
    frame = pl.DataFrame([(*row[:6], ranks.get(row[0]), *row[6:]) for row in rows], _GRADERS, orient="row")
    return frame.sort("rank", "grader", nulls_last=True)


def unmatched(cursor: duckdb.DuckDBPyConnection, dataset: str, file_id: str) -> tuple[int, int, list[str]]:
    """Grades of a joined file: how many are about no answer of the log, of how many, ids of three of them."""
    form, key = catalogue.require(cursor, dataset), catalogue.key(cursor, dataset)
    grades = {"grades": tables.held(cursor, key, "grades")}
    _match(cursor, form, key)
    counted = f"""
        WITH {_GRADES}, joined AS (
            SELECT coalesce(call_id, request_id, unit_id) AS id, place,
                place NOT IN (SELECT place FROM found) AS alone
            FROM grades WHERE file_id = $file_id)
        SELECT count(*) FILTER (alone), count(*), arg_min(id, place, $examples) FILTER (alone) FROM joined"""  # noqa: S608 - our own names only
    found = cursor.execute(counted, {**grades, "file_id": file_id, "examples": _EXAMPLES}).fetchone()
    number, total, ids = found or (0, 0, None)
    return int(number), int(total), [str(name) for name in ids or []]


_EXAMPLES = 3
_GRADERS: dict[str, Any] = {
    "grader": pl.String, "source": pl.String, "grades": pl.Int64, "matched": pl.Int64, "answers": pl.Int64,
    "mean": pl.Float64, "rank": pl.Int64, "with_log": pl.Int64, "equal_to_log": pl.Float64,
}  # fmt: skip

_LOGGED: dict[Form, str] = {
    "calls": "log.correct_logged",
    "decisions": "CASE given.side WHEN 'fast' THEN fast_correct_logged ELSE strong_correct_logged END",
}
_REPORT: dict[Form, str] = {
    form: f"""
        WITH {_GRADES},
        totals AS (
            SELECT named, min(correct_source) AS source, count(*) AS grades, avg(correct) AS mean,
                count(*) FILTER (place IN (SELECT place FROM found)) AS matched
            FROM grades GROUP BY named),
        beside AS (
            SELECT named, count(DISTINCT (given.row, given.side)) AS answers,
                count({logged}) AS with_log, avg(({logged} = given.correct)::DOUBLE) AS equal
            FROM given JOIN {{source}} AS log ON log.row = given.row GROUP BY named)
        SELECT named, source, grades, matched, coalesce(answers, 0), mean, coalesce(with_log, 0), equal
        FROM totals LEFT JOIN beside USING (named)"""  # noqa: S608 - our own names only
    for form, logged in _LOGGED.items()
}


def _match(cursor: duckdb.DuckDBPyConnection, form: Form, key: int) -> None:
    """Which grade is about which answer: ``found``, and ``given`` with one per answer and grader."""
    cursor.execute(_ROWS[form].format(source=tables.with_row(cursor, form, key)))
    create, *inserts = _MATCH
    cursor.execute(create)
    for insert in inserts:
        cursor.execute(insert, {"grades": tables.held(cursor, key, "grades")})
    cursor.execute(_ONE_EACH)


def _update(cursor: duckdb.DuckDBPyConnection, table: str, side: str, *, gaps_only: bool) -> None:
    column = f"{side}_correct" if side else "correct"
    about = f"FROM effective WHERE {table}.rowid = effective.row AND effective.side = $side"
    drawn = "effective.sampling_probability"
    cursor.execute(
        f"""UPDATE {table} SET {_DRAWN} = {drawn},
                sampling_probability = coalesce(sampling_probability_logged, 1) * {drawn}
            {about} AND {drawn} IS NOT NULL""",  # noqa: S608
        {"side": side},
    )
    gaps = f"AND {table}.{column} IS NULL" if gaps_only else ""
    cursor.execute(
        f"""UPDATE {table} SET {column} = effective.correct,
                correct_source = coalesce(effective.correct_source, {table}.correct_source)
            {about} {gaps}""",  # noqa: S608
        {"side": side},
    )


def set_order(cursor: duckdb.DuckDBPyConnection, dataset: str, order: Sequence[str | None] | None) -> None:
    """Remember which graders count, in order; None: as their names and the log suggest."""
    text = None if order is None else json.dumps(list(order))
    cursor.execute("UPDATE datasets SET graders = ? WHERE name = ?", [text, dataset])


def _plain(name: str) -> str:
    return "_".join("".join(char if char.isalnum() else " " for char in name.lower()).split())
