"""Reading files into staged rows. Expected rows are written out by hand or come from another library."""

import csv
import datetime as dt
import decimal
import gzip
import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from analytics.errors import SchemaError
from analytics.logs.reading import lines, reader_csv, readers, sniff, staged_rows, staging
from analytics.logs.reading.reader_parquet import NotPlainError
from analytics.logs.reading.staging import ROWS, Problem, Question, Staged

HEADER = b"request_id,category,confidence\n"


def read(tmp_path, data, *, name="log.csv", **options):
    """(staged, rows without line, lines) of bytes."""
    source, folder = tmp_path / "source", tmp_path / "staged"
    source.write_bytes(data)
    folder.mkdir(exist_ok=True)
    staged = readers.staged_file(source, folder, name=name, **{"copied": True, **options})
    table = pq.read_table(folder / ROWS)
    rows = [list(row.values()) for row in table.drop_columns(["line"]).to_pylist()]
    assert staged.read == table.num_rows + staged.rejected
    return staged, rows, table["line"].to_pylist()


def refusal(tmp_path, data, **options):
    with pytest.raises(SchemaError) as caught:
        read(tmp_path, data, **options)
    assert str(tmp_path) not in str(caught.value)
    return str(caught.value)


def reasons(staged):
    return [(problem.line, problem.column, problem.reason) for problem in staged.problems]


# CSV


def test_a_row_starts_on_its_physical_line_after_quoted_newlines_and_blank_lines(tmp_path):
    # line 1 header, 2-3 one record, 4 blank, 5 a record, 6-8 one record, 9 a record
    data = HEADER + b'a,"x\ny",1\n\nb,z,2\nc,"p\r\nq\nr",3\nd,,4\n'
    _, rows, numbers = read(tmp_path, data)
    assert numbers == [2, 5, 6, 9]
    assert rows == [["a", "x\ny", "1"], ["b", "z", "2"], ["c", "p\r\nq\nr", "3"], ["d", None, "4"]]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_every_line_end_and_delimiter_gives_the_same_rows(tmp_path, end, delimiter):
    data = (HEADER + b"a,x,1\nb,y,2\n").replace(b",", delimiter).replace(b"\n", end)
    staged, rows, numbers = read(tmp_path, data)
    assert (rows, numbers) == ([["a", "x", "1"], ["b", "y", "2"]], [2, 3])
    assert staged.delimiter == delimiter.decode()


def test_a_crlf_across_two_chunks_is_one_line_end(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", len(HEADER))
    data = (HEADER + b"a,x,1\nb,y,2\n").replace(b"\n", b"\r\n")
    _, _, numbers = read(tmp_path, data)
    assert numbers == [2, 3]


def test_the_delimiter_that_excel_declares_is_taken_and_its_line_skipped(tmp_path):
    staged, rows, numbers = read(tmp_path, b"sep=;\r\n" + HEADER.replace(b",", b";") + b"a;x;0,5\r\n")
    assert (staged.delimiter, rows, numbers) == (";", [["a", "x", "0,5"]], [3])


def test_a_ragged_row_is_rejected_with_its_line(tmp_path):
    staged, rows, _ = read(tmp_path, HEADER + b"a,x,1\nb,y\nc,z,3,4\nd,w,5\n")
    assert [row[0] for row in rows] == ["a", "d"]
    assert reasons(staged) == [
        (3, None, "2 fields where 3 are expected"),
        (4, None, "4 fields where 3 are expected"),
    ]


def test_an_unterminated_quote_rejects_every_line_from_it_to_the_end(tmp_path):
    staged, rows, _ = read(tmp_path, HEADER + b'a,x,1\nb,"y,2\nc,z,3\nd,w,4\n')
    assert (rows, staged.read, staged.rejected) == ([["a", "x", "1"]], 4, 3)
    assert reasons(staged) == [
        (3, None, "opens a quote that never closes; 3 lines from here on were not read")
    ]


def test_a_quote_closed_by_a_later_one_rejects_the_lines_between_and_reading_goes_on(tmp_path):
    # The quote of line 2 ends before z in line 3; line 4 is whole again.
    staged, rows, numbers = read(tmp_path, HEADER + b'a,"x,1\nb,"z",2\nc,y,3\n')
    assert (rows, numbers, staged.rejected) == ([["c", "y", "3"]], [4], 2)


def test_a_quote_that_runs_past_the_limit_rejects_all_lines_after_it(tmp_path):
    filler = b"b,y,2\n" * 400_000  # 2.4 MB without a quote
    staged, rows, _ = read(tmp_path, HEADER + b'a,x,1\nb,"y,2\n' + filler)
    assert (len(rows), staged.rejected, staged.read) == (1, 400_001, 400_002)


def test_a_stray_quote_in_one_line_rejects_that_line_alone(tmp_path):
    staged, rows, _ = read(tmp_path, HEADER + b'a,"x"y,1\nb,y,2\n')
    assert (rows, reasons(staged)) == (
        [["b", "y", "2"]],
        [(2, None, "a quote inside a value is not doubled")],
    )


def test_a_line_past_two_mebibytes_refuses_the_file(tmp_path):
    text = refusal(tmp_path, HEADER + b"a," + b"x" * (2 << 20) + b",1\n")
    assert text.startswith("Line 2 is longer than 2 MiB")


def test_a_header_without_rows_and_blank_files_are_refused(tmp_path):
    assert "header but no rows" in refusal(tmp_path, HEADER)
    assert "no header and no rows" in refusal(tmp_path, b" \n\r\n\t\n")
    assert "0 bytes" in refusal(tmp_path, b"")


def test_names_equal_but_for_case_are_refused(tmp_path):
    assert "appears twice (columns 1 and 2)" in refusal(tmp_path, b"model,model\na,b\n")
    assert "differ only in case" in refusal(tmp_path, b"model,Model\na,b\n")


def test_a_file_without_header_is_refused_but_unknown_words_in_line_1_are_not(tmp_path):
    assert "No known column names in line 1" in refusal(tmp_path, b"a,x,0.5\nb,y,0.7\n")
    staged, rows, _ = read(tmp_path, b"alpha,beta\na,x\n")
    assert (staged.columns, rows) == (["alpha", "beta"], [["a", "x"]])


def test_a_record_without_any_value_is_rejected_and_a_blank_line_is_none(tmp_path):
    # Lines 3 and 5 are what spreadsheets write below a table; line 4 is blank, line 6 has a space.
    staged, rows, _ = read(tmp_path, HEADER + b"a,x,1\n,,\n\n,,\n ,,\n")
    assert ([row[0] for row in rows], staged.read, staged.rejected) == (["a", " "], 4, 2)
    assert {(one.line, one.reason) for one in staged.problems} == {
        (3, "all its fields are empty"), (5, "all its fields are empty"),
    }  # fmt: skip
    staged, rows, _ = read(tmp_path, b'{"request_id": "a"}\n{}\n')
    assert ([row[0] for row in rows], staged.read) == (["a"], 2)
    assert [(one.line, one.reason) for one in staged.problems] == [(2, "the object is empty")]


def test_a_byte_order_mark_leaves_no_question_about_the_encoding(tmp_path):
    text = HEADER.decode() + "a,x,1\nb,y,2\n"
    # Cut in the middle of the last character: the line that has it is rejected, nothing is asked.
    staged, rows, _ = read(tmp_path, text.encode("utf-16")[:-1])
    assert ([row[0] for row in rows], staged.rejected, staged.questions) == (["a"], 1, [])
    staged, rows, _ = read(tmp_path, b"\xef\xbb\xbf" + text.encode().replace(b"y", b"\xff"))
    assert ([row[0] for row in rows], staged.rejected, staged.questions) == (["a"], 1, [])


def test_a_json_document_that_is_cut_off_tells_how_many_records_were_whole(tmp_path):
    text = refusal(tmp_path, b'[{"request_id": "a"},\n{"request_id": "b"},\n{"request_id": "c')
    assert "after 2 records (line 3)" in text


def test_archives_and_web_pages_are_refused_by_name(tmp_path):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("log.csv"), io.BytesIO())
    assert "Tar archives are not supported: upload the CSV" in refusal(tmp_path, tar.getvalue())
    assert "web page" in refusal(tmp_path, b"\n<!DOCTYPE html><html>Please sign in</html>")


def test_empty_column_names_are_called_by_their_place(tmp_path):
    staged, _, _ = read(tmp_path, b"request_id,,confidence\na,x,1\n")
    assert staged.columns == ["request_id", "column 2", "confidence"]


def test_past_two_thousand_columns_only_known_and_wanted_names_are_read(tmp_path):
    names = ["request_id", "wish", *(f"extra {i}" for i in range(2_000)), "confidence"]
    data = (",".join(names) + "\na,w" + ",1" * 2_001 + "\n").encode()
    staged, rows, _ = read(tmp_path, data, wanted=("wish",))
    assert (staged.columns, rows) == (["request_id", "wish", "confidence"], [["a", "w", "1"]])
    assert "2,003 columns" in staged.notes[0]


# Lines of every kind: whole, quoted, over several lines, ragged, blank and broken ones.
PLAIN = ("a,x,1", "b,y y,2", "c,é,", " d ,z,3", ",,")
ODD = ('e,"x,y",1', 'f,"x\ny",1', 'g,"x""y",1', "h,x", "i,x,1,2", "", "  ", 'j,"x"y,1', 'k,"x,1', "l,\0,1")
BLOCK = 40


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(*[st.sampled_from(PLAIN)] * 8, st.sampled_from(ODD)), min_size=4, max_size=60),
    st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]),
    st.booleans(),
)
def test_blocks_read_at_once_give_what_the_strict_reader_gives(tmp_path, monkeypatch, body, end, broken):
    data = end.join([HEADER.strip(), *(line.encode() for line in body), *[b"x,\xff,1"] * broken])
    outcomes = []
    taken = []
    plain_rows = reader_csv._plain_rows

    def counted(block, *rest):
        frame = plain_rows(block, *rest)
        taken.append(frame is not None)
        return frame

    for replaced in (counted, lambda *_: None):
        with monkeypatch.context() as patched:
            patched.setattr(lines, "BLOCK", BLOCK)
            patched.setattr(reader_csv, "_plain_rows", replaced)
            try:
                staged, rows, numbers = read(tmp_path, data)
                outcomes.append((rows, numbers, staged.read, staged.problems, staged.questions))
            except SchemaError as error:
                outcomes.append(str(error))
    event(f"both ways in one file: {True in taken and False in taken}")
    assert outcomes[0] == outcomes[1]


def test_a_line_with_a_field_too_many_beside_one_with_a_field_too_few_is_not_read_at_once(tmp_path):
    staged, rows, _ = read(tmp_path, HEADER + b"a,x,1\nb,y,2,3\nc,z\nd,w,4\n")
    assert ([row[0] for row in rows], staged.rejected) == (["a", "d"], 2)


# encodings


def test_invalid_utf8_asks_for_the_encoding_and_the_answer_reads_every_row(tmp_path):
    data = HEADER + "a,x,1\nb,Prüfung,2\n".encode("windows-1252")
    asked, rows, _ = read(tmp_path, data)
    assert (len(rows), asked.rejected) == (1, 1)
    assert asked.questions[0].flag == "--encoding windows-1252"
    assert asked.questions[0].text.startswith("Line 3 is not valid UTF-8 (byte 0xFC). 1 rows")
    staged, rows, _ = read(tmp_path, data, encoding="windows-1252")
    assert (staged.questions, staged.rejected, rows[1][1]) == ([], 0, "Prüfung")
    staged, rows, _ = read(tmp_path, data, encoding="utf-8")
    assert (staged.questions, staged.rejected, len(rows)) == ([], 1, 1)


def test_bytes_without_a_meaning_in_the_given_encoding_reject_their_row(tmp_path):
    staged, rows, _ = read(tmp_path, HEADER + b"a,\x81,1\nb,\xe9,2\n", encoding="windows-1252")
    assert (rows, staged.rejected) == ([["b", "é", "2"]], 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_a_byte_order_mark_decides_the_encoding(tmp_path, encoding):
    staged, rows, _ = read(tmp_path, "request_id,category\na,Prüfung\n".encode(encoding))
    assert (rows, staged.columns, staged.questions) == ([["a", "Prüfung"]], ["request_id", "category"], [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_asked_about(tmp_path, encoding):
    data = "request_id,category\na,math\n".encode(encoding)
    staged, _, _ = read(tmp_path, data)
    assert staged.questions[0].flag == f"--encoding {encoding}"
    staged, rows, _ = read(tmp_path, data, encoding=encoding)
    assert (staged.questions, rows) == ([], [["a", "math"]])


def test_an_encoding_that_is_none_is_refused(tmp_path):
    for name in ("rot13", "zip", "no such", "idna", "../x"):
        assert "Unknown encoding" in refusal(tmp_path, HEADER + b"a,x,1\n", encoding=name)


# compression


def test_a_gzip_with_a_wrong_checksum_or_a_cut_is_refused(tmp_path):
    packed = gzip.compress(HEADER + b"a,x,1\n")
    crc = bytes([packed[-8] ^ 1])
    assert "damaged" in refusal(tmp_path, packed[:-8] + crc + packed[-7:])
    for cut in (len(packed) - 1, len(packed) - 9, 12, 3):
        assert "incomplete" in refusal(tmp_path, packed[:cut])


def test_gzip_members_and_zero_padding_are_read_as_one_file(tmp_path):
    data = gzip.compress(HEADER + b"a,x,1\n") + gzip.compress(b"b,y,2\n") + b"\0" * 100
    staged, rows, _ = read(tmp_path, data)
    assert (len(rows), staged.compression) == (2, "gzip")


def test_a_zstd_cut_off_anywhere_is_refused(tmp_path):
    packed = pa.Codec("zstd").compress(HEADER + b"a,x,1\n" * 50, asbytes=True)
    for cut in (len(packed) - 1, len(packed) // 2):
        assert "incomplete" in refusal(tmp_path, packed[:cut])


def test_the_file_id_is_that_of_the_decompressed_content(tmp_path):
    data = HEADER + b"a,x,1\n"
    plain, _, _ = read(tmp_path, data)
    packed, _, _ = read(tmp_path, gzip.compress(data))
    assert plain.file_id == packed.file_id


def test_a_bomb_is_stopped_by_its_ratio(tmp_path):
    assert "Decompressed size passes the limit of 200 times" in refusal(
        tmp_path, gzip.compress(b"a" * 64_000_000)
    )
    zstd = pa.Codec("zstd").compress(b"a" * 64_000_000, asbytes=True)
    assert "Decompressed size passes the limit of 200 times" in refusal(tmp_path, zstd)


def test_the_decompressed_limit_holds_whatever_the_ratio(tmp_path, monkeypatch):
    monkeypatch.setattr(sniff, "LIMITS", staging.Limits(decompressed_bytes=1_000_000))
    assert "limit of 1 MB" in refusal(tmp_path, gzip.compress(b"a,b\n" * 300_000))


@pytest.mark.parametrize(
    ("start", "sense"),
    [
        (b"PK\x03\x04", "Zip archives"),
        (b"PARE", "Encrypted Parquet"),
        (b"\x80\x05\x95", "pickle"),
        (b"BZh91AY", "bzip2"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 8, "not a CSV, JSON or Parquet file"),
    ],
)
def test_foreign_formats_are_refused_by_their_name(tmp_path, start, sense):
    assert sense in refusal(tmp_path, start + b"\x01\x02" * 40)


# JSON


def test_json_lines_are_flattened_and_late_columns_join(tmp_path):
    data = b"\n".join(
        [
            b'{"id": 1, "m": {"a": {"b": 0.1}}, "tags": ["x", 1]}',
            b"",
            b'{"id": "2", "ok": true, "m": null, "late": 1e-7, "\xc3\xbc": ""}',
            b'{"id": 12345678901234567890, "m": {}, "nan": NaN, "inf": -Infinity}',
        ]
    )
    staged, rows, numbers = read(tmp_path, data, name="log.jsonl")
    assert numbers == [1, 3, 4]
    values = [
        {name: value for name, value in zip(staged.columns, row, strict=True) if value is not None}
        for row in rows
    ]
    assert values == [
        {"id": "1", "m.a.b": "0.1", "m": "{...}", "tags": '["x", 1]'},
        {"id": "2", "ok": "true", "late": "1e-07"},
        {"id": "12345678901234567890", "nan": "NaN", "inf": "-Infinity"},
    ]


def test_bad_json_lines_are_rejected_one_by_one(tmp_path):
    deep = b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}"
    data = b"\n".join(
        [
            b'{"a": 1}',
            b'{"a": 1',
            b"[1]",
            b'{"a": 1, "a": 2}',
            deep,
            b'{"a": "\\ud800"}',
            b'{"a": "\\ud83d\\ude00"}',
            b'{"a": "x\\u0000"}',
            b'{"a": ' + b"9" * 5_000 + b"}",
            b'{"a": 1} x',
            b"[" * 100_000,
            b'{"a": {"b": 1}, "a.b": 2}',
        ]
    )
    staged, rows, numbers = read(tmp_path, data, name="log.jsonl")
    assert numbers == [1, 7]
    assert rows[1][0] == "😀"
    assert [problem.line for problem in staged.problems] == [2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
    assert "deeper than 64" in staged.problems[3].reason
    assert "Unicode escape" in staged.problems[4].reason


def test_sixty_four_levels_are_still_read(tmp_path):
    deep = b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}"  # the object is one level, the lists are 63
    _, rows, _ = read(tmp_path, deep + b"\n" + deep, name="log.jsonl")
    assert len(rows) == 2


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a": 1}, {"a": 2}]',
        b'[\n {"a": 1},\n {"a": 2}\n]\n',
        b'{"data": [{"a": 1}, {"a": 2}]}',
        b'{"meta": {"n": [1]}, "items": [\n{"a": 1},\n{"a": 2}\n], "z": null}',
        b'{"a": 1}\n{"a": 2}\n',
        b'{"a": 1}\r{"a": 2}',
        b'\xef\xbb\xbf[{"a": 1}, {"a": 2}]',
    ],
)
def test_every_shape_of_json_gives_the_same_rows(tmp_path, data):
    _, rows, numbers = read(tmp_path, data, name="x.json")
    assert (rows, numbers) == ([["1"], ["2"]], [1, 2])


def test_a_json_document_larger_than_its_buffer_is_read_whole(tmp_path):
    records = [{"id": i, "text": "é" * (i % 700), "n": i / 7} for i in range(2_000)]
    for indent in (None, 2):
        data = json.dumps({"page": 1, "total_pages": 3, "rows": records}, indent=indent).encode()
        staged, rows, _ = read(tmp_path, data, name="x.json")
        assert [row[2] for row in rows] == [repr(i / 7) for i in range(2_000)]
        assert staged.notes == ['Rows found under "rows".', "This is page 1 of 3; load the other pages too."]


def test_a_broken_array_is_refused_whole(tmp_path):
    for data in (b'[{"a": 1}, {"a": 2}', b'[{"a": 1} {"a": 2}]', b'[{"a": 1},]', b'[{"a": 1}] x', b"[{]"):
        assert "broken or cut off" in refusal(tmp_path, data, name="x.json")


def test_a_list_of_messages_inside_one_record_is_not_taken_for_rows(tmp_path):
    staged, rows, _ = read(tmp_path, b'{"id": 1, "messages": [{"role": "user"}]}', name="x.json")
    assert (staged.columns, rows) == (["id", "messages"], [["1", '[{"role": "user"}]']])


def test_a_broken_first_line_does_not_refuse_json_lines(tmp_path):
    staged, rows, numbers = read(tmp_path, b'{"a": 1\n{"a": 2}\n{"a": 3}\n', name="x.jsonl")
    assert (rows, numbers, staged.rejected, staged.format) == ([["2"], ["3"]], [2, 3], 1, "jsonl")


def test_objects_where_others_have_a_number_are_seen_whatever_their_order(tmp_path):
    for data in (b'{"c": 0.5}\n{"c": {"v": 1}}\n', b'{"c": {"v": 1}}\n{"c": 0.5}\n'):
        staged, rows, _ = read(tmp_path, data, name="x.jsonl")
        place = staged.columns.index("c")
        assert sorted(row[place] for row in rows) == ["0.5", "{...}"]


def test_json_with_invalid_bytes_asks_for_the_encoding(tmp_path):
    for data in (b'[{"a": "x"}, {"a": "\xe9"}]', b'{"a": "x"}\n{"a": "\xe9"}\n'):
        staged, rows, _ = read(tmp_path, data, name="x.json")
        assert (len(rows), staged.rejected) == (1, 1)
        assert "(byte 0xE9)" in staged.questions[0].text
        staged, rows, _ = read(tmp_path, data, encoding="latin-1")
        assert rows == [["x"], ["é"]]


# Parquet


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def test_parquet_values_become_exact_text(tmp_path):
    when = dt.datetime(2026, 1, 1, 12, 30, tzinfo=dt.UTC)
    table = pa.table(
        {
            "f32": pa.array([0.1, None], pa.float32()),
            "f64": pa.array([2 / 3, float("nan")]),
            "i": pa.array([2**53 + 1, None], pa.int64()),
            "money": pa.array([decimal.Decimal("0.0000012345"), None], pa.decimal128(20, 10)),
            "b": pa.array([True, None]),
            "t": pa.array([when, None], pa.timestamp("ns", tz="Europe/Berlin")),
            "naive": pa.array([when.replace(tzinfo=None), None], pa.timestamp("ms")),
            "day": pa.array([when.date(), None]),
            "took": pa.array([1_500, None], pa.duration("ms")),
            "d": pa.array(["x", ""]).dictionary_encode(),
            "s": pa.array([{"a": 1, "b": {"c": "z"}}, None]),
            "l": pa.array([[1, 2], []]),
            "bin": pa.array([b"text", b"\xff\x00"]),
        }
    )
    staged, rows, numbers = read(tmp_path, parquet(table), name="x.parquet")
    assert numbers == [1, 2]
    assert dict(zip(staged.columns, rows[0], strict=True)) == {
        "f32": "0.10000000149011612",  # struct.unpack("f", struct.pack("f", 0.1)) as a double
        "f64": "0.6666666666666666",
        "i": "9007199254740993",
        "money": "0.0000012345",
        "b": "true",
        "t": "2026-01-01T12:30:00Z",
        "naive": "2026-01-01T12:30:00Z",
        "day": "2026-01-01",
        "took": "1.5",
        "d": "x",
        "s.a": "1",
        "s.b.c": "z",
        "l": "[1, 2]",
        "bin": "text",
    }
    assert rows[1] == [None, "nan", *[None] * 10, "[]", "ff00"]


def test_times_keep_the_digits_that_they_have(tmp_path):
    table = pa.table({"t": pa.array([1, 1_000, 1_000_000_000], pa.timestamp("ns"))})
    _, rows, _ = read(tmp_path, parquet(table), name="x.parquet")
    assert [row[0] for row in rows] == [
        "1970-01-01T00:00:00.000000001Z",
        "1970-01-01T00:00:00.000001000Z",
        "1970-01-01T00:00:01.000000000Z",
    ]


def test_a_parquet_row_with_a_nul_character_is_rejected(tmp_path):
    table = pa.table({"id": ["a", "b\0", "c"], "x": ["1", "2", None]})
    staged, rows, numbers = read(tmp_path, parquet(table), name="x.parquet")
    assert (rows, numbers) == ([["a", "1"], ["c", None]], [1, 3])
    assert reasons(staged) == [(2, "id", "NUL character in a text")]


def test_a_plain_parquet_file_serves_as_the_staged_rows(tmp_path):
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=dt.UTC)
    table = pa.table(
        {
            "id": ["a", "", None],
            "x": [0.1, None, 1.0],
            "n": pa.array([1, 2, None], pa.int32()),
            "ok": [True, None, False],
            "ts": pa.array([moment, None, moment], pa.timestamp("ms", tz="UTC")),
        }
    )
    source, folder = tmp_path / "source", tmp_path / "staged"
    source.write_bytes(parquet(table))
    folder.mkdir()
    staged = readers.staged_file(source, folder, name="x.parquet")
    assert (staged.read, staged.source, list(folder.glob("rows*"))) == (3, str(source), [])
    (frame,) = staged_rows.batches(folder, staged, range(5), checked=True)
    _, copied, _ = read(tmp_path, parquet(table), name="x.parquet")
    assert frame["line"].to_list() == [1, 2, 3]
    texts = [staged_rows.as_text(frame[f"c{at}"]).to_list() for at in range(5)]
    assert [list(row) for row in zip(*texts, strict=True)] == copied


def test_a_plain_parquet_file_with_a_nul_character_has_to_be_copied(tmp_path):
    source, folder = tmp_path / "source", tmp_path / "staged"
    source.write_bytes(parquet(pa.table({"id": ["a", "b\0"]})))
    folder.mkdir()
    staged = readers.staged_file(source, folder, name="x.parquet")
    with pytest.raises(NotPlainError):
        list(staged_rows.batches(folder, staged, [0], checked=True))


def test_every_cut_of_a_parquet_file_is_refused_as_damaged(tmp_path):
    data = parquet(pa.table({"id": [str(i) for i in range(1_000)]}))
    for cut in (4, 8, len(data) // 2, len(data) - 1):
        assert "The Parquet file is damaged" in refusal(tmp_path, data[:cut], name="x.parquet")


def test_parquet_without_rows_is_refused(tmp_path):
    assert "no rows" in refusal(tmp_path, parquet(pa.table({"id": pa.array([], pa.string())})))


# all


def test_names_that_disagree_with_the_content_are_noted(tmp_path):
    staged, _, _ = read(tmp_path, HEADER + b"a,x,1\n", name="log.PARQUET")
    assert staged.notes == ["The name says Parquet but the content is CSV; read as CSV."]
    staged, _, _ = read(tmp_path, gzip.compress(HEADER + b"a,x,1\n"), name="log.csv")
    assert "The content is gzip" in staged.notes[0]
    staged, _, _ = read(tmp_path, HEADER + b"a,x,1\n", name="")
    assert staged.notes == []


def test_staged_is_the_same_after_a_round_trip_through_json(tmp_path):
    staged = Staged(
        "n", "csv", None, "utf-8", ",", ["a", "ü"], 3, 1, "0" * 64, 9, [Problem(2, None, "r")], 1, ["note"],
        [Question("encoding", None, "t", ["x"], "--encoding x")],
    )  # fmt: skip
    staged.save(tmp_path)
    assert Staged.load(tmp_path) == staged


_cells = st.sampled_from(["a", "", '"', '""', '"x"', "x\ny", "\r", "0.5", " ", "\x00", "é", "x" * 50])
_csv_like = st.lists(st.lists(_cells, max_size=4).map(",".join), max_size=12).map("\n".join)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=300), _csv_like.map(str.encode)))
def test_every_record_is_read_loaded_or_rejected_for_any_bytes(tmp_path, data):
    try:
        staged, rows, numbers = read(tmp_path, HEADER + data)
    except SchemaError as error:
        event(str(error))
        return
    assert staged.read == len(rows) + staged.rejected
    assert all(len(row) == 3 for row in rows)
    assert numbers == sorted(set(numbers))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.lists(
            st.text(st.characters(categories=["L", "N", "P", "S", "Z"], include_characters="\n\r\t")),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
    )
)
def test_what_python_writes_as_csv_is_read_back(tmp_path, rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    staged, found, _ = read(tmp_path, HEADER + text.getvalue().encode())
    assert found == [[cell or None for cell in row] for row in rows if any(row)]
    assert staged.rejected == len(rows) - len(found)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=200), st.text(alphabet='[]{}",:1a \n\\u0d8', max_size=80).map(str.encode)
    )
)
def test_any_bytes_as_json_are_read_or_refused(tmp_path, data):
    try:
        read(tmp_path, b"{" + data)
        read(tmp_path, b"[" + data)
    except SchemaError:
        pass
