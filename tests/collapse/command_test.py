"""tiertune cells: files, statements, engines that are not there."""

import http.server
import io
import json
import sys
import threading
from pathlib import Path

import duckdb
import polars as pl
import pytest
from collapsing import assert_same, expected
from feature_rows import feature_rows
from shell import Shell

from analytics.collapse.dialects import DIALECTS
from analytics.collapse.local import stacked
from analytics.collapse.parts import POLARS, TYPES
from analytics.commands.cells import DIALECTS as OFFERED
from analytics.spreadsheet import unescaped

MAP = ("--map", "request_id=id", "--map", "confidence=conf", "--map", "fast_correct=ok")


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "logs.duckdb"))
    return Shell(tmp_path, capsys)


def rows() -> pl.DataFrame:
    return feature_rows(600).with_columns(
        pl.col("fast_model").replace("tiny@low", "small"), pl.col("strong_model").replace("huge", "big")
    )


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file_of_cells_holds_what_the_log_gives(shell: Shell, ending: str) -> None:
    log = rows()
    log.write_parquet(shell.folder / "log.parquet")
    found = shell.json("cells", "log.parquet", "--out", f"cells.{ending}")
    path = shell.folder / f"cells.{ending}"
    if ending == "csv":
        read = (
            duckdb.connect().sql(f"SELECT * FROM read_csv('{path}', header = true, columns = {TYPES})").pl()
        )
    else:
        read = pl.read_parquet(path)
    if ending == "csv":
        assert "'=1+1" in read["task_category"]
        read = read.with_columns(pl.col(pl.String).map_elements(unescaped, pl.String))
    assert read.schema == pl.Schema(POLARS)
    # Loading guesses what a confidence is where most rows say it; nothing else differs.
    assert_same(read, expected(log))
    assert found["parts"] == dict(read["part"].value_counts().iter_rows())
    assert "thresholds" in shell.text("cells", "log.parquet", "--out", f"cells.{ending}")


def test_a_dataset_has_the_cells_of_its_file(shell: Shell) -> None:
    rows().write_parquet(shell.folder / "log.parquet")
    shell.text("load", "log.parquet")
    shell.text("cells", "log", "--out", "a.parquet")
    shell.text("cells", "log.parquet", "--out", "b.parquet")
    assert_same(*(pl.read_parquet(shell.folder / f"{name}.parquet") for name in "ab"))
    assert "\n  a log's cells\n" in shell.text("load", "a.parquet", "--dataset", "sums")


def test_every_dialect_is_offered(shell: Shell) -> None:
    assert OFFERED == DIALECTS
    for dialect in DIALECTS:
        found = shell.json("cells", "--sql", dialect, "--table", "db.log", *MAP, "--unit", "conf=percent")
        assert found["dialect"] == dialect
        assert found["sql"].startswith(("WITH", "SELECT"))


def test_the_printed_statement_runs(shell: Shell) -> None:
    log = feature_rows(200).select("request_id", "confidence", "fast_correct")
    text = shell.text(
        "cells", "--sql", "duckdb", "--table", "log", *MAP, "--set", "fast_model=s", "--set", "strong_model=b"
    )
    with duckdb.connect() as connection:
        connection.register(
            "rows", log.rename({"request_id": "id", "confidence": "conf", "fast_correct": "ok"})
        )
        connection.execute("CREATE TABLE log AS FROM rows")
        found = connection.sql(text).pl()
    assert found.filter(part="sweep")["n"].sum() == 200
    shell.text("cells", "--sql", "duckdb", "--table", "log", *MAP, "--out", "cells.sql")
    assert (shell.folder / "cells.sql").read_text().endswith(";\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "cells.parquet"), "Which log"),
        (("log.csv",), "--out"),
        (("log.csv", "--out", "cells.xlsx"), "ends in .parquet or .csv"),
        (("log.csv", "--out", "absent/cells.csv"), "cannot be written"),
        (("log.csv", "--out", "c.csv", "--table", "t"), "--table is about a log elsewhere"),
        (("--sql", "oracle", "--table", "t"), "invalid choice"),
        (("--sql", "postgres", *MAP), "--table"),
        (("--sql", "postgres", "--table", "t"), "Missing: request_id"),
        (("log.csv", "--sql", "postgres", "--table", "t", *MAP), "LOG is a log here"),
        (("--sql", "postgres", "--engine", "spark", "--table", "t"), "not allowed with"),
        (("--sql", "postgres", "--table", "t", *MAP, "--decimal", ","), "no meaning"),
        (("--sql", "postgres", "--table", "t", "--map", "request_id=a+b"), "one column"),
        (("--sql", "postgres", "--table", "t", *MAP, "--ladder", "a>b"), "--form calls"),
        (("--sql", "postgres", "--table", "t", *MAP, "--steps", "100"), "power of two"),
        (("--sql", "postgres", "--table", "t", *MAP, "--missing", "keep"), "--missing"),
        (("--engine", "spark", "--out", "c.csv"), "either --table or --parquet"),
        (("--engine", "clickhouse", "--out", "c.csv", "--host", "ftp://x", "--table", "t"), "no address"),
        (("--engine", "clickhouse", "--out", "c.csv", "--master", "x", "--table", "t"), "no meaning"),
    ],
)
def test_what_is_asked_wrongly_is_said(shell: Shell, words: tuple[str, ...], said: str) -> None:
    shell.write("log.csv", "request_id,confidence\na,0.5\n")
    assert said in shell.refused("cells", *words)


@pytest.mark.parametrize(("engine", "module"), [("spark", "pyspark.sql"), ("clickhouse", "chdb")])
def test_an_engine_that_is_not_installed_names_its_extra(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, engine: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    message = shell.refused("cells", "--engine", engine, "--parquet", "log.parquet", "--out", "c.parquet")
    assert f"tiertune[{engine}]" in message
    assert not (shell.folder / "c.parquet").exists()


class _ClickHouse(http.server.BaseHTTPRequestHandler):
    """Answers as a ClickHouse server would whose table has the columns of ``answers``."""

    answers: dict[str, pl.DataFrame]
    asked: list[tuple[str, str | None]]

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append((text, self.headers["X-ClickHouse-Key"]))
        buffer = io.BytesIO()
        self.answers["head" if "LIMIT 0" in text else "cells"].write_parquet(buffer)
        self.send_response(200 if "refuse" not in text else 500)
        self.end_headers()
        self.wfile.write(buffer.getvalue() if "refuse" not in text else b"Code: 60. Table is unknown\nstack")

    def log_message(self, *_: object) -> None:
        pass


def test_a_clickhouse_server_is_asked_over_http(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = expected(feature_rows(100))
    _ClickHouse.answers = {"head": feature_rows(1).head(0), "cells": cells}
    _ClickHouse.asked = []
    server = http.server.HTTPServer(("127.0.0.1", 0), _ClickHouse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        host = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("CLICKHOUSE_PASSWORD", "secret")
        words = ("cells", "--engine", "clickhouse", "--host", host, "--out", "c.parquet")
        shell.text(*words, "--table", "logs.log")
        assert_same(pl.read_parquet(shell.folder / "c.parquet"), cells)
        head, statement = _ClickHouse.asked
        assert head == ('SELECT * FROM "logs"."log" LIMIT 0', "secret")
        assert "SETTINGS" in statement[0]
        refusal = shell.refused(*words, "--table", "refuse")
        assert "Table is unknown" in refusal
        assert "stack" not in json.dumps(refusal)
    finally:
        server.shutdown()
        server.server_close()
    assert "No ClickHouse answers" in shell.refused(*words, "--table", "log")


def test_parts_without_rows_are_no_rows() -> None:
    assert stacked({"sweep": expected(feature_rows(3)).filter(part="sweep").clear()}).is_empty()


def test_rows_that_do_not_belong_are_named_in_the_statement(shell: Shell) -> None:
    text = shell.text(
        "cells", "--sql", "postgres", "--table", "t", "--map", "request_id=m->id", "--only", "kind=chat",
        "--only", "kind=text", "--without", "m->origin",
    )  # fmt: skip
    assert """IN ('chat', 'text')""" in text
    assert "#>> '{origin}'" in text
    shell.write("log.csv", "request_id,confidence\na,0.5\n")
    said = shell.refused("cells", "log.csv", "--out", "c.parquet", "--without", "m")
    assert "--without is about a log elsewhere" in said


@pytest.mark.parametrize("unit", ["boolean", "usd_nonzero"])
def test_units_of_warehouses_are_none_of_files(shell: Shell, unit: str) -> None:
    shell.write("log.csv", "request_id,confidence\na,0.5\n")
    assert "is for tables elsewhere" in shell.refused("load", "log.csv", "--unit", f"cost={unit}")
