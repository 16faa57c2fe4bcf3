"""Every case of tests/badinputs/manifest.json through the real child process into a real store.

Verdicts and counts are the manifest's; the senses are the parts of its ideal messages that a user needs.
"""

import gzip
import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from stores import rows

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.storage import tables
from analytics.logs.store import Store

FOLDER = Path(__file__).parents[1] / "badinputs"
CASES = [
    case
    for case in json.loads((FOLDER / "manifest.json").read_text())["cases"]
    if not case["file"].startswith(("cfg_", "(generate)"))
]
COUNTED = [case for case in CASES if case["verdict"] in {"accept", "partial"}]
REFUSED = [case for case in CASES if case["verdict"] == "reject_file"]
ASKED = [case for case in CASES if case["verdict"] == "ask_user"]

# Part of the refusal, of a note, or of a problem; also the lines that must be named.
SENSES = {
    "empty.csv": "empty (0 bytes)",
    "whitespace_only.csv": "no header and no rows",
    "no_header.csv": "No known column names in line 1. Expected at least request_id, category, confidence",
    "csv_named.parquet": "The name says Parquet but the content is CSV; read as CSV.",
    "parquet_named.csv": "The name says CSV but the content is Parquet; read as Parquet.",
    "mixed_delims.csv": "1 field where 10 are expected (lines 3, 4, ",
    "unterminated_quote.csv": "opens a quote that never closes; 6 lines from here on were not read (line 6)",
    "nul_bytes.csv": "NUL byte in category (line 11)",
    "dup_columns.csv": 'Column "category" appears twice (columns 3 and 5)',
    "dup_columns_case.csv": '"category" and "Category" differ only in case',
    "missing_required.csv": "Missing: category, confidence, correct, cost. Found: request_id, timestamp",
    "wide_5000_columns.csv": "5,005 columns, more than 2,000: only the 5 with known names were read",
    "conf_words.csv": "lines 2, 3, 4, 5, 7",
    "cost_huge.csv": "impossible cost (> 10,000 USD a request) (lines 2, 3)",
    "ts_extreme.csv": "time outside 2015-2100 (lines 2, 3, 4, 5)",
    "dup_ids_conflict.csv": "(lines 7, 8, 9, 10, 11)",
    "no_request_id.csv": "rows identified by file hash + row number",
    "cat_long.csv": "category longer than 200 characters (line 2)",
    "bad_line.jsonl": "not JSON from character 24 on (line 6)",
    "array_named.jsonl": "the content is JSON",
    "wrapped.json": "page 1",
    "deep_200.jsonl": "nested deeper than 64 levels (line 1)",
    "deep_100k.json": "JSON nested too deeply",
    "types_change.jsonl": "confidence is no number",
    "surrogate.jsonl": "invalid Unicode escape (line 1)",
    "gz_named.csv": "The content is gzip",
    "truncated.csv.gz": "The compressed file is incomplete; nothing was loaded",
    "zip_slip.zip": "Zip archives are not supported: upload the CSV, .gz or .zst",
    "flipped.parquet": "The Parquet file is damaged",
    "magic_only.parquet": "The Parquet file is damaged",
    "pickle.parquet": "This is not a Parquet file",
    "internal_error.parquet": "The Parquet file is damaged",
}
# The manifest leaves these counts to the rule that a confidence which is no number loads as missing: all
# twelve rows load, eight of them without a confidence.
SETTLED = {"types_change.jsonl": (12, 0)}

# file: (answers, sense of the question, flag that the message names, loaded, rejected)
ANSWERS = {
    "utf16_nobom.csv": (Answers(encoding="utf-16-le"), "looks like UTF-16", "--encoding utf-16-le", 10, 0),
    "latin1.csv": (
        Answers(encoding="windows-1252"), "Line 11 is not valid UTF-8 (byte 0xE9). 9 rows",
        "--encoding windows-1252", 10, 0,
    ),
    "cp1252_smart.csv": (
        Answers(encoding="windows-1252"), "Line 11 is not valid UTF-8 (byte 0x93). 9 rows",
        "--encoding windows-1252", 10, 0,
    ),
    "semicolon_decimal_comma.csv": (
        Answers(decimal=","), 'Delimiter ";" and decimal comma detected', "--decimal ,", 10, 0,
    ),
    "conf_mixed_scale.csv": (
        Answers(unit={"confidence": "percent"}), "values in 0-1 and in 0-100",
        "--unit confidence=percent", 10, 0,
    ),
    # Ragged line 4, GBP in line 8, a comma that is no thousands mark in line 9, a negative cost in line 10.
    "cost_money.csv": (
        Answers(unit={"cost_usd": "usd"}, decimal=".", accept_rejects=True), "currency signs",
        "--unit cost_usd=usd", 6, 4,
    ),
    # Only line 2 is a time in epoch seconds.
    "ts_mixed.csv": (
        Answers(unit={"timestamp": "epoch_s"}, accept_rejects=True), "timestamp mixes",
        "--unit timestamp=", 1, 9,
    ),
    "ts_ambiguous_ddmm.csv": (
        Answers(dates="dmy"), "day and month cannot be told apart", "--dates dmy", 10, 0,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def store():
    with Store.open(None) as opened:
        yield opened


def name_of(case):
    return case.get("upload_as", case["file"])


def load(store, case, *, dataset, answers=None):
    try:
        return intake.load(
            store, dataset, [FOLDER / case["file"]], answers or Answers(), names=[name_of(case)]
        )[0]
    finally:
        assert list(store.staging.iterdir()) == []


def clean(text):
    """Nothing of ours is in a text that the user reads."""
    for foreign in (
        "Traceback",
        "/tmp",  # noqa: S108 - the place that must not be named
        str(FOLDER),
        "pyarrow",
        "Arrow",
        "polars",
        "Exception",
        "rows.parquet",
    ):
        assert foreign not in text
    return text


def said(report):
    """All texts of a report, problems as a refusal would sum them up."""
    return clean(" ".join([*report.notes, intake.summary(report.problems)]))


@pytest.mark.parametrize("case", COUNTED, ids=lambda case: name_of(case) or "no name")
def test_a_readable_file_loads_with_the_counts_of_the_manifest(store, case):
    dataset = f"{case['file']} as {name_of(case)!r}"
    loaded, rejected = SETTLED.get(case["file"], (case["rows_loaded"], case["rows_rejected"]))
    if rejected > 0.1 * (loaded + rejected):
        with pytest.raises(SchemaError, match="--accept-rejects") as caught:
            load(store, case, dataset=dataset)
        assert SENSES[case["file"]] in clean(str(caught.value))
        assert store.files(dataset).is_empty()
    report = load(store, case, dataset=dataset, answers=Answers(accept_rejects=True))
    if case["file"] == "reupload_b_overlap.csv":
        # Alone it is ten new rows; the overlap is the next test.
        loaded = 10
    assert (report.loaded, report.rejected, report.duplicates) == (loaded, rejected, 0)
    assert report.read == loaded + rejected
    assert SENSES.get(case["file"], "") in said(report)
    assert report.file == name_of(case)
    if case["file"] == "types_change.jsonl":
        assert report.confidence_set_null == 8
    assert rows(store, "SELECT count(*) FROM calls WHERE dataset = ?", dataset) == [(loaded,)]


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_an_unreadable_file_is_refused_with_a_reason_and_loads_nothing(store, case, capfd):
    with pytest.raises(SchemaError) as caught:
        load(store, case, dataset="refused")
    assert SENSES[case["file"]] in clean(str(caught.value))
    assert "refused" not in store.datasets()["name"]
    assert capfd.readouterr() == ("", "")  # no panic text, and no PICKLE EXECUTED


@pytest.mark.parametrize("case", ASKED, ids=name_of)
def test_an_open_question_loads_nothing_and_its_flag_loads_the_rows(case):
    answers, sense, flag, loaded, rejected = ANSWERS[case["file"]]
    with Store.open(None) as store:
        with pytest.raises(intake.OpenQuestionsError) as caught:
            load(store, case, dataset="asked", answers=Answers(accept_rejects=True))
        text = clean(str(caught.value))
        assert sense in text
        assert flag in text
        assert any(flag in question.flag for question in caught.value.questions)
        assert store.datasets().is_empty()
        report = load(store, case, dataset="asked", answers=answers)
        assert (report.loaded, report.rejected, report.read) == (loaded, rejected, loaded + rejected)
        if rejected:
            strict = replace(answers, accept_rejects=False)
            with pytest.raises(SchemaError, match="--accept-rejects"):
                load(store, case, dataset="strict", answers=strict)


def test_rows_that_another_file_brought_are_duplicates(store):
    first = load(store, {"file": "reupload_a.csv"}, dataset="overlap")
    again = load(store, {"file": "ok_baseline.csv"}, dataset="overlap")
    second = load(store, {"file": "reupload_b_overlap.csv"}, dataset="overlap")
    assert [(report.loaded, report.duplicates) for report in (first, again, second)] == [
        (10, 0),
        (0, 10),
        (5, 5),
    ]
    assert second.rejected == 0


def test_a_damaged_parquet_file_leaves_other_sessions_alone(store):
    load(store, {"file": "ok_baseline.csv"}, dataset="other session")
    with store.cursor() as cursor:
        with pytest.raises(SchemaError):
            load(store, {"file": "internal_error.parquet"}, dataset="damaged")
        table = tables.of(cursor, "other session", "calls")
        count = cursor.execute("SELECT count(*) FROM query_table($table)", {"table": table}).fetchone()
    assert count == (10,)


def test_a_line_of_fifty_megabytes_refuses_the_file(store, tmp_path):
    path = tmp_path / "big_one_line.csv"
    path.write_bytes(b"request_id,category,confidence\nr1," + b"a" * 50_000_000 + b",0.5\n")
    with pytest.raises(SchemaError, match="Line 2 is longer than 2 MiB"):
        intake.load(store, "line", [path], Answers())


def test_a_gigabyte_of_one_letter_in_a_megabyte_is_stopped(store, tmp_path):
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as bomb:
        for _ in range(1 << 10):
            bomb.write(b"a" * (1 << 20))
    with pytest.raises(SchemaError, match="Decompressed size passes the limit of"):
        intake.load(store, "bomb", [path], Answers())


def test_two_million_good_rows_load_in_bounded_memory(store, tmp_path):
    path = tmp_path / "rows_2m.csv"
    with path.open("w") as file:
        file.write("request_id,category,model,confidence,correct,cost_usd\n")
        for start in range(0, 2_000_000, 10_000):
            file.writelines(
                f"r{i},c{i % 9},m,0.{i % 100:02d},{i % 2},0.00{i % 10}\n"
                for i in range(start, start + 10_000)
            )
    seen = []
    [report] = intake.load(
        store, "2m", [path], Answers(), progress=lambda rows, stage: seen.append((rows, stage))
    )
    store.delete("2m")
    assert (report.read, report.loaded, report.rejected) == (2_000_000, 2_000_000, 0)
    for stage in ("reading", "looking at values"):
        counts = [rows for rows, told in seen if told == stage]
        assert counts
        assert counts == sorted(counts)
        assert counts[-1] <= 2_000_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1 << 20  # kilobytes: 1 GiB
