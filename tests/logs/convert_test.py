"""Typed rows from staged ones: what loads, what is rejected, what becomes missing, what is priced."""

import datetime as dt

import duckdb
import polars as pl
import pytest
from staged_rows import bad_input, columns_of, load, profiled, propose, stage

from analytics.errors import SchemaError
from analytics.logs.meaning.convert import TYPED, convert
from analytics.logs.meaning.faults import Faults
from analytics.logs.meaning.fields import Fault
from analytics.logs.meaning.mapping import Answers, Mapping, proposal
from analytics.logs.reading.staging import PLACES, Problem
from analytics.logs.reports import refuse_many_rejects
from analytics.logs.schema import TABLES


def reasons(report):
    return {(problem.line, problem.reason) for problem in report.problems}


def test_a_plain_file_loads_with_units_in_its_names(tmp_path):
    frame, report = load(tmp_path, bad_input("ok_baseline.csv"))
    first = {name: value for name, value in frame.row(1, named=True).items() if value is not None}
    assert first == {
        "line": 3, "request_id": "r001", "ts": dt.datetime.fromisoformat("2026-01-01T00:01:00"),
        "task_category": "math", "model": "m-large", "tier_logged": "large", "confidence": 0.14,
        "correct": 1.0,
        "cost_usd": 0.002, "cost_source": "logged", "latency_s": 0.101, "arm": "B",
    }  # fmt: skip
    assert frame["tier"].to_list() == ["small", None] * 5
    assert (report.form, report.rows, report.rejected, report.problems_total, report.notes) == (
        "calls",
        10,
        0,
        0,
        [],
    )


@pytest.mark.parametrize("form", ["calls", "decisions"])
def test_typed_columns_are_those_of_the_table_that_the_file_gives(tmp_path, form):
    side = "fast_" if form == "decisions" else ""
    load(tmp_path, {f"{side}correct": ["1"], f"{side}output_tokens": ["3"], "ts": ["2026-01-01"]})
    found = duckdb.sql(f"DESCRIBE FROM read_parquet('{tmp_path / TYPED}')").fetchall()
    models = {"fast_model", "strong_model"} if side else {"model"}
    given = {"request_id", "ts", f"{side}correct", f"{side}output_tokens", *models}
    expected = [(one.name, one.sql_type) for one in TABLES[form] if one.name in given]
    assert [(name, kind) for name, kind, *_ in found] == [("line", "BIGINT"), *expected]


@pytest.mark.parametrize(
    ("file", "answers", "expected"),
    [
        ("conf_mixed_scale.csv", {"unit": {"confidence": "percent"}}, (10, 0, 0)),
        ("conf_mixed_scale.csv", {"unit": {"confidence": "fraction"}}, (10, 0, 3)),
        ("conf_words.csv", {}, (10, 0, 9)),
        ("correct_words.csv", {}, (10, 0, 0)),
        ("cost_huge.csv", {}, (8, 2, 0)),
        ("ts_extreme.csv", {}, (2, 8, 0)),
        ("ts_ambiguous_ddmm.csv", {"dates": "mdy"}, (10, 0, 0)),
        ("ts_mixed.csv", {"unit": {"timestamp": "epoch_ms"}}, (1, 9, 0)),
        ("dup_ids_conflict.csv", {}, (10, 0, 0)),
        ("id_sci.csv", {}, (10, 0, 0)),
        ("no_request_id.csv", {}, (10, 0, 0)),
        ("cat_long.csv", {}, (9, 1, 0)),
        ("cat_yaml_words.csv", {}, (10, 0, 0)),
        ("evil_columns.csv", {}, (10, 0, 0)),
    ],
)
def test_bad_inputs_load_as_their_manifest_says(tmp_path, file, answers, expected):
    _, report = load(tmp_path, bad_input(file), **answers)
    assert (report.rows, report.rejected, report.confidence_set_null) == expected


def test_rejects_name_line_column_and_reason(tmp_path):
    _, report = load(tmp_path, bad_input("cost_huge.csv"))
    reason = "impossible cost (> 10,000 USD a request)"
    assert report.problems == [Problem(2, "cost_usd", reason), Problem(3, "cost_usd", reason)]


def test_money_is_read_after_the_answer_and_other_currencies_are_rejected(tmp_path):
    frame, report = load(tmp_path, bad_input("cost_money.csv"), unit={"cost_usd": "usd"}, decimal=".")
    # The euro row is cut to "€0" here; the pounds, "1.234,56" and the bracketed (negative) cost go with it.
    assert frame["cost_usd"].to_list() == [0.01, 1234.56, 0.01, 1e-5, 0.5, 0.01]
    assert {line for line, _ in reasons(report)} == {4, 8, 9, 10}


def test_a_leap_second_and_a_local_gap_are_times(tmp_path):
    frame, _ = load(tmp_path, bad_input("ts_extreme.csv"))
    assert [str(value) for value in frame["ts"]] == ["2026-03-29 02:30:00", "2027-01-01 00:00:00"]


def test_categories_stay_the_words_they_are(tmp_path):
    frame, _ = load(tmp_path, bad_input("cat_yaml_words.csv"))
    expected = ["yes", "no", "on", "null", "~", "1e3", "0x10", "2026-01-01", "a: b", "- x"]
    assert frame["task_category"].to_list() == expected


def test_ids_are_texts(tmp_path):
    frame, _ = load(tmp_path, bad_input("id_sci.csv"))
    assert frame["request_id"].n_unique() == 10
    assert frame["request_id"].to_list()[:4] == ["1E5", "100000", "00100000", "1e5"]


def test_rows_without_an_id_are_known_by_file_and_line(tmp_path):
    columns = bad_input("no_request_id.csv")
    staged = stage(tmp_path, columns)
    frame, _ = load(tmp_path, columns)
    assert frame["request_id"].to_list() == [f"{staged.file_id[:16]}:{line}" for line in range(2, 12)]
    frame, report = load(tmp_path, {"request_id": ["a", None], "correct": ["1", "0"]})
    assert frame["request_id"][0] == "a"
    assert frame["request_id"][1].endswith(":3")
    assert report.notes == ["1 row has no request id: identified by file hash + row number."]


def test_calls_that_name_no_model_have_one_called_unknown(tmp_path):
    frame, report = load(tmp_path, {"request_id": ["a", "b"], "model": ["m", None], "correct": ["1", "0"]})
    assert frame["model"].to_list() == ["m", "unknown"]
    assert report.notes == ['1 call names no model: it is called "unknown".']


def test_several_columns_make_one_id(tmp_path):
    columns = {"idx": ["0", "0"], "dataset": ["a", "b"], "fast_correct": ["1", "0"]}
    frame, _ = load(tmp_path, columns)
    assert frame["request_id"].to_list() == ["0/a", "0/b"]


def test_grades(tmp_path):
    grades = ["1", "0.25", "yes", "n/a", None, "-0.03", "perhaps"]
    frame, report = load(
        tmp_path,
        {"correct": grades, "cost_usd": ["1"] * 7},
        unit={"correct": "fraction"},
        map={"correct": ("correct",)},
    )
    assert frame["correct"].to_list() == [1.0, 0.25, 1.0, None, None, None]
    assert reasons(report) == {(7, "grade outside 0 to 1"), (8, "grade is no number and no known word")}
    assert report.rejected == 1


@pytest.mark.parametrize("cost", ["-1", "nan", "inf", "10000.01", "free"])
def test_an_impossible_cost_rejects_its_row(tmp_path, cost):
    frame, report = load(tmp_path, {"correct": ["1"] * 9, "cost_usd": ["0.1", *["1"] * 7, cost]})
    assert (frame.height, report.rejected) == (8, 1)


@pytest.mark.parametrize("name", ["propensity", "sampling_probability"])
def test_a_probability_outside_0_to_1_rejects_its_row(tmp_path, name):
    frame, report = load(tmp_path, {"correct": ["1"] * 5, name: ["0.5", "1", None, "0", "1.1"]})
    assert frame[name].to_list() == [0.5, 1.0, None]
    assert report.rejected == 2


def test_what_only_a_value_lacks_keeps_the_row(tmp_path):
    columns = {
        "fast_correct": ["1", "0"], "fast_latency_s": ["-1", "2"], "fast_output_tokens": ["1.5", "7"],
        "escalated": ["maybe", "yes"], "threshold": ["high", "0.8"],
    }  # fmt: skip
    frame, report = load(tmp_path, columns)
    kept = frame.select("fast_latency_s", "fast_output_tokens", "escalated", "threshold").rows()
    assert kept == [(None, None, None, None), (2.0, 7, True, 0.8)]
    assert (report.rejected, report.problems_total) == (0, 4)
    assert "escalated: 1 value is loaded as missing (neither yes nor no; line 2)." in report.notes


def test_a_rejected_row_counts_once_and_its_missing_confidence_not_at_all(tmp_path):
    columns = {
        "correct": ["1", "1"],
        "cost_usd": ["-1", "1"],
        "ts": ["never", None],
        "confidence": ["x", "0.5"],
    }
    _, report = load(tmp_path, columns)
    assert (report.rows, report.rejected, report.confidence_set_null) == (1, 1, 0)
    assert report.problems == [Problem(2, "ts", "no time that can be read")]


def test_rejects_come_before_empty_confidences_in_a_long_list(tmp_path):
    rows = 12_000
    columns = {"correct": ["1"] * rows, "confidence": [None] * rows, "cost_usd": ["1"] * (rows - 1) + ["-1"]}
    _, report = load(tmp_path, columns)
    assert report.problems_total == rows
    assert len(report.problems) == 10_000
    assert report.problems[0] == Problem(rows + 1, "cost_usd", "cost is negative")
    assert report.confidence_set_null == rows - 1


def test_constants_fill_and_are_checked(tmp_path):
    columns = {"id": ["1", "2"], "fast_correct": ["1", "0"], "fast_cost_usd": ["7", None]}
    frame, _ = load(tmp_path, columns, set={"strong_cost_usd": "20", "fast_model": "small"})
    assert frame["strong_cost_usd"].to_list() == [20.0, 20.0]
    assert frame["fast_model"].to_list() == ["small", "small"]
    assert frame["strong_model"].to_list() == ["strong", "strong"]
    with pytest.raises(SchemaError, match="fast_cost_usd cannot be cheap"):
        load(tmp_path, columns, set={"fast_cost_usd": "cheap"})


def test_a_constant_beside_a_column_fills_its_gaps(tmp_path):
    columns = {"id": ["1", "2"], "fast_correct": ["1", "0"], "fast_cost_usd": ["7", None]}
    answers = {"map": {"fast_cost_usd": ("fast_cost_usd",)}, "set": {"fast_cost_usd": "5"}}
    frame, _ = load(tmp_path, columns, **answers)
    assert frame["fast_cost_usd"].to_list() == [7.0, 5.0]


def test_costs_are_priced_from_tokens_where_none_is_logged(tmp_path):
    columns = {
        "model": ["m", "m", "m", "other", "m"],
        "input_tokens": ["1000", "1000", "1000", "1000", None],
        "output_tokens": ["200", "200", None, "200", "200"],
        "cost_usd": [None, "0.5", None, None, None],
    }
    frame, report = load(tmp_path, columns, prices={"m": (2.0, 10.0)})
    # 1000 x 2e-6 + 200 x 10e-6 = 0.004
    assert frame["cost_usd"].to_list() == pytest.approx([0.004, 0.5, None, None, None], nan_ok=True)
    assert frame["cost_source"].to_list() == ["priced", "logged", None, None, None]
    assert report.notes[-1] == "1 cost was computed from tokens and list prices."
    assert report.unpriced == ["other"]


def test_list_prices_count_cached_tokens_at_their_own_price(tmp_path):
    columns = {
        "fast_model": ["gpt-4o"], "fast_correct": ["1"], "fast_input_tokens": ["1000"],
        "fast_cached_tokens": ["400"], "fast_output_tokens": ["100"],
    }  # fmt: skip
    frame, _ = load(tmp_path, columns)
    # gpt-4o in litellm's map: 2.50 USD per 1M input, 1.25 cached, 10.00 output:
    # 600 x 2.5e-6 + 400 x 1.25e-6 + 100 x 10e-6 = 0.0015 + 0.0005 + 0.001
    assert frame["fast_cost_usd"].to_list() == pytest.approx([0.003])
    assert frame["cost_source"].to_list() == ["priced"]


def test_a_failed_call_that_was_served_is_wrong(tmp_path):
    columns = {
        "model": ["m"] * 5,
        "status": ["error", "timeout", "error", "error", "ok"],
        "correct": [None, None, "1", None, None],
        "shadow": [None, "no", None, "yes", None],
        "cost_usd": ["1"] * 5,
    }
    frame, _ = load(tmp_path, columns)
    assert frame["correct"].to_list() == [0.0, 0.0, 1.0, None, None]


def test_a_label_carries_its_effort_once(tmp_path):
    columns = {"model": ["o3", "o3@high", "o3"], "effort": ["high", "high", None], "correct": ["1", "0", "1"]}
    frame, _ = load(tmp_path, columns)
    assert frame["model"].to_list() == ["o3@high", "o3@high", "o3"]


def test_a_router_record_shows_the_side_that_was_served(tmp_path):
    columns = {
        "answer": ["a", "b", "c", "d"],
        "model_used": ["fast-1", "strong-1", "fast-1", "strong-1"],
        "confidence": ["0.9", "0.95", "0.7", "0.99"],
        "latency": ["1.2", "4", "0.8", "5"],
        "escalated": ["False", "True", "False", "True"],
        "fast_model_confidence": [None, "0.3", "0.71", None],
        "total_tokens": ["10", "20", "30", "40"],
        "correct": ["1", "0", "0", "1"],
    }
    assert propose(tmp_path, columns).mapping.dialect == "router_record"
    frame, _ = load(tmp_path, columns)
    assert frame["confidence"].to_list() == [0.9, 0.3, 0.71, None]
    assert frame["fast_model"].to_list() == ["fast-1"] * 4
    assert frame["strong_model"].to_list() == ["strong-1"] * 4
    assert frame["fast_correct"].to_list() == [1.0, None, 0.0, None]
    assert frame["strong_correct"].to_list() == [None, 0.0, None, 1.0]
    # An escalated request's latency is the sum of two calls, which no column holds.
    assert frame["fast_latency_s"].to_list() == [1.2, None, 0.8, None]
    assert "strong_latency_s" not in frame.columns


def test_calls_of_one_model_in_a_request_are_ordered_by_time(tmp_path):
    columns = {
        "request_id": ["r1", "r1", "r2"],
        "timestamp": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"],
        "model": ["m", "m", "m"],
        "correct": ["0", "1", "1"],
    }
    frame, _ = load(tmp_path, columns)
    # 1767225600 s is 2026-01-01 00:00 UTC.
    assert frame["call_index"].to_list() == [1767225600000000, 1767225601000000, 1767225600000000]


def test_nothing_loads_that_says_nothing(tmp_path):
    stage(tmp_path, {"model": ["m"]})
    with pytest.raises(SchemaError, match="Missing: category, confidence, correct, cost"):
        convert(tmp_path, Mapping("calls", "call_level", {"model": ("model",)}))


def test_progress_counts_staged_rows_and_batches_agree(tmp_path):
    rows = 120_000
    columns = {
        "request_id": range(rows),
        "correct": ["1"] * rows,
        "confidence": [f"0.{at}" for at in range(rows)],
    }
    staged = stage(tmp_path, columns)
    made = proposal(staged, profiled(tmp_path, staged), overrides=Answers())
    seen = []
    report = convert(tmp_path, made.mapping, progress=seen.append)
    assert (seen[-1], report.rows) == (rows, rows)
    assert seen == sorted(seen)
    frame = pl.read_parquet(tmp_path / TYPED)
    assert frame["confidence"].to_list() == [float(f"0.{at}") for at in range(rows)]
    assert frame["line"].to_list() == list(range(2, rows + 2))


def test_public_logs_keep_every_row_and_value(tmp_path, datasets):
    source = datasets / "mmlu_pro_calibration" / "pairs.parquet"
    frame, report = load(tmp_path, columns_of(source))
    logged = pl.read_parquet(source)
    assert report.rejected == 0
    assert frame["confidence"].to_list() == logged["fast_verbal_numerical_confidence"].to_list()
    assert frame["strong_correct"].to_list() == logged["reasoning_correct"].to_list()
    assert frame.select("request_id", "fast_model", "strong_model").n_unique() == 120_320
    constants = {"fast_cost_usd": "5", "strong_cost_usd": "20"}
    frame, report = load(
        tmp_path, columns_of(datasets / "automix_llama_gpt5" / "pairs.parquet"), set=constants
    )
    assert (report.rows, report.rejected, frame["request_id"].n_unique()) == (4_000, 0, 4_000)
    assert frame["strong_cost_usd"].unique().to_list() == [20.0]
    frame, report = load(tmp_path, columns_of(datasets / "routerarena" / "long.parquet"))
    # One score of the source is -0.033, no grade from 0 to 1.
    assert (report.rows, report.rejected, frame["correct"].null_count()) == (1_618, 0, 1)


def test_rows_of_parquet_and_records_of_json_are_not_called_lines():
    faults = Faults(PLACES["parquet"])
    outside = Fault(pl.Series([True]), "confidence outside 0 to 1", rejects=False)
    faults.add(outside, lines=pl.Series([2]), column="score", field="confidence")
    assert faults.notes() == ["score: 1 value is loaded as missing (confidence outside 0 to 1; row 2)."]
    rejects = [Problem(2, "cost_usd", "cost is negative")]
    with pytest.raises(SchemaError, match=r"cost is negative \(record 2\)"):
        refuse_many_rejects(2, 1, rejects, unit=PLACES["json"])
