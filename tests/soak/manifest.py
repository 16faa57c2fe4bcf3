"""What the files of tests/badinputs must become, beyond what their manifest says in numbers."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

from analytics.logs.meaning.mapping import Answers
from tests.soak.cases import Case

FOLDER = Path(__file__).parents[1] / "badinputs"
MANIFEST: list[dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["cases"]

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


def cases() -> list[Case]:
    """The cases of the manifest that are logs, those that have to be generated among them."""
    found = [_case(case) for case in MANIFEST if not case["file"].startswith(("cfg_", "(generate)"))]
    return [*found, *_generated()]


def _case(case: dict[str, Any]) -> Case:
    file = case["file"]
    loaded, rejected = SETTLED.get(file, (case.get("rows_loaded"), case.get("rows_rejected")))
    says, asks, answers = (SENSES[file],) if file in SENSES else (), (), Answers()
    if case["verdict"] == "ask_user":
        answers, *asked, loaded, rejected = ANSWERS[file]
        asks = tuple(asked)
    if file == "reupload_b_overlap.csv":
        loaded = 10  # alone; the overlap is a test of its own
    counts = None if case["verdict"] == "reject_file" else (loaded + rejected, loaded, rejected, 0)
    data = (FOLDER / file).read_bytes
    return Case(case.get("upload_as", file), case["wrong"], data, counts, says, answers, asks)


def _generated() -> tuple[Case, ...]:
    return (
        Case(
            "big_one_line.csv",
            "one line of 50 MB",
            lambda: b"request_id,category,confidence\nr1," + b"a" * 50_000_000 + b",0.5\n",
            None,
            ("Line 2 is longer than 2 MiB", "leave long texts out"),
        ),
        Case("bomb.csv.gz", "1 GiB of one letter", _bomb, None, ("Decompressed size passes the limit",)),
        Case("rows_2m.csv", "nothing: 2 million good rows", _many, (2_000_000, 2_000_000, 0, 0)),
    )


def _bomb() -> bytes:
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=9, mtime=0) as bomb:
        for _ in range(1 << 10):
            bomb.write(b"a" * (1 << 20))
    return sink.getvalue()


def _many() -> bytes:
    rows = (f"r{i},c{i % 9},m,0.{i % 100:02d},{i % 2},0.00{i % 10}\n" for i in range(2_000_000))
    return ("request_id,category,model,confidence,correct,cost_usd\n" + "".join(rows)).encode()
