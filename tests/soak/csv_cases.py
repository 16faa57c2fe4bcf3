"""CSV files that are broken, or odd and still good."""

from analytics.logs.meaning.mapping import Answers
from tests.soak.cases import Case, Row, changed_rows, csv_lines, csv_with, good_csv, good_rows, joined


def lines() -> tuple[Case, ...]:
    """CSV files whose lines are wrong."""
    header = csv_lines(good_rows())[0]
    return (
        Case("header_only.csv", "no rows", header.encode, None, ("header but no rows", "Export")),
        Case(
            "nul_in_header.csv",
            "NUL in a column name",
            lambda: csv_with(1, lambda t: t.replace("tier", "ti\0er")),
            None,
            ("Line 1", "NUL", "plain text"),
        ),
        Case(
            "quote_in_header.csv",
            "open quote in line 1",
            lambda: csv_with(1, lambda t: '"' + t),
            None,
            ("opens a quote that never closes", "Mend line 1"),
        ),
        Case(
            "cut_last_line.csv",
            "cut in the last line",
            lambda: csv_with(21, lambda t: t[:30]),
            (20, 19, 1, 0),
            ("fields where 10 are expected", "line 21"),
        ),
        Case(
            "long_line.csv",
            "11 fields in line 5",
            lambda: csv_with(5, lambda t: t.replace("\n", ",x\n")),
            (20, 19, 1, 0),
            ("11 fields where 10 are expected", "line 5"),
        ),
        Case(
            "stray_quote.csv",
            "a quote within a quoted value",
            lambda: csv_with(5, lambda t: t.replace("maths", '"a"b"').replace("law", '"a"b"')),
            (20, 19, 1, 0),
            ("line 5", "quote"),
        ),
        Case(
            "open_quote.csv",
            "a quote opened on line 5 and another on line 7",
            lambda: csv_with(5, lambda t: t.replace("law", '"law')).replace(
                b"-06T00:00:00Z,law", b'-06T00:00:00Z,"law'
            ),
            (20, 17, 3, 0),
            ("line 5", "quote"),
            Answers(accept_rejects=True),
        ),
        Case(
            "quoted_newlines.csv",
            "CRLF and CR within quotes, which is legal",
            lambda: csv_with(5, lambda t: t.replace("law", '"l\r\nw"').replace("maths", '"m\rs"')),
            (20, 20, 0, 0),
        ),
        Case("tabs.tsv", "tabs", lambda: joined(csv_lines(good_rows(), delimiter="\t")), (20, 20, 0, 0)),
        Case("bars.csv", "bars", lambda: joined(csv_lines(good_rows(), delimiter="|")), (20, 20, 0, 0)),
        Case(
            "sep_line.csv",
            "Excel's sep= line",
            lambda: b"sep=;\n" + joined(csv_lines(good_rows(), delimiter=";")),
            (20, 20, 0, 0),
        ),
        Case(
            "comment_first.csv",
            "a comment before the header",
            lambda: b"# exported by hand\n" + good_csv(),
            None,
            ("line 1", "header"),
        ),
        Case(
            "trailing_commas.csv",
            "a comma at the end of each row but not of the header",
            lambda: joined([header, *(line.replace("\n", ",\n") for line in csv_lines(good_rows())[1:])]),
            None,
            ("11 fields where 10 are expected", "lines 2, 3, 4", "Mend the file"),
        ),
        Case(
            "index_column.csv",
            "a column without a name, as pandas writes its index",
            lambda: joined([f"{n - 1 if n else ''},{line}" for n, line in enumerate(csv_lines(good_rows()))]),
            (20, 20, 0, 0),
        ),
        Case(
            "header_again.csv",
            "two files set one after the other",
            lambda: joined([*csv_lines(good_rows()), header]),
            (21, 20, 1, 0),
            ("line 22",),
        ),
        Case(
            "blank_rows.csv",
            "rows of commas only at the end, as spreadsheets write them",
            lambda: good_csv() + b",,,,,,,,,\n" * 2,
            (22, 20, 2, 0),
            ("all its fields are empty", "lines 22, 23"),
        ),
        Case(
            "html_page.csv",
            "a sign-in page that was saved instead",
            lambda: b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n",
            None,
            ("web page", "Sign in and export"),
        ),
        Case(
            "long_value.csv",
            "a quoted value of 3 MiB over many lines",
            lambda: csv_with(
                21,
                lambda t: t.replace("maths", '"' + "m\n" * (3 << 19) + '"').replace(
                    "law", '"' + "l\n" * (3 << 19) + '"'
                ),
            ),
            None,
            ("line 21", "2 MiB"),
        ),
        Case(
            "utf16.csv", "UTF-16 with its mark", lambda: good_csv().decode().encode("utf-16"), (20, 20, 0, 0)
        ),
        Case(
            "utf32.csv", "UTF-32 with its mark", lambda: good_csv().decode().encode("utf-32"), (20, 20, 0, 0)
        ),
        Case(
            "utf16_cut.csv",
            "UTF-16 cut in the middle of a character",
            lambda: good_csv().decode().encode("utf-16")[:-1],
            (20, 19, 1, 0),
            ("line 21", "not valid text"),
        ),
        Case(
            "header_case.csv",
            "names with spaces, capitals and dots",
            lambda: csv_with(
                1, lambda t: t.replace("request_id", " Request ID ").replace("cost_usd", "Cost.USD")
            ),
            (20, 20, 0, 0),
        ),
        Case(
            "formulas.csv",
            "cells that a spreadsheet would run",
            lambda: joined(
                csv_lines(
                    changed_rows(
                        {4: {"category": '"=HYPERLINK(""http://x"",""y"")"'}, 5: {"category": "@SUM(1)"}}
                    )
                )
            ),
            (20, 20, 0, 0),
        ),
        Case(
            "markup.csv",
            "HTML and Markdown in the categories",
            lambda: joined(
                csv_lines(
                    changed_rows(
                        {4: {"category": "<script>alert(1)</script>"}, 5: {"category": "![x](http://x)"}}
                    )
                )
            ),
            (20, 20, 0, 0),
        ),
    )


def values() -> tuple[Case, ...]:
    """CSV files whose values are wrong."""

    def case(
        name: str, wrong: str, changes: dict[int, Row], counts: tuple[int, int, int, int], *says: str
    ) -> Case:
        return Case(name, wrong, lambda: joined(csv_lines(changed_rows(changes))), counts, says)

    return (
        case(
            "confidence_odd.csv",
            "confidences that are no numbers in 0 to 1",
            {
                2: {"confidence": "NaN"},
                3: {"confidence": "inf"},
                4: {"confidence": -0.1},
                5: {"confidence": ""},
            },
            (20, 20, 0, 0),
            "confidence",
            "lines 2, 3",
            "line 4",
            "line 5",
        ),
        Case(
            "confidence_over.csv",
            "one confidence above 1 by a hair: a fraction or a percentage?",
            lambda: joined(csv_lines(changed_rows({3: {"confidence": 1.0000001}}))),
            (20, 20, 0, 0),
            ("confidence outside 0 to 1", "line 3"),
            Answers(unit={"confidence": "fraction"}),
            ("confidence has values in 0-1 and in 0-100", "1.0000001", "--unit confidence="),
        ),
        case(
            "cost_negative.csv",
            "a negative cost",
            {3: {"cost_usd": -0.5}},
            (20, 19, 1, 0),
            "cost is negative",
            "line 3",
        ),
        case(
            "cost_nan.csv",
            "a cost that is NaN",
            {3: {"cost_usd": "NaN"}},
            (20, 19, 1, 0),
            "cost is not finite",
            "line 3",
        ),
        case(
            "cost_inf.csv",
            "an endless cost",
            {3: {"cost_usd": "1e999"}},
            (20, 19, 1, 0),
            "cost is not finite",
            "line 3",
        ),
        case(
            "cost_word.csv",
            "a cost in words",
            {3: {"cost_usd": "free"}},
            (20, 19, 1, 0),
            "no number in USD",
            "line 3",
        ),
        case(
            "grade_outside.csv",
            "a grade of 5 among zeros and ones",
            {3: {"correct": 5}},
            (20, 20, 0, 0),
            '"correct" runs from 0 to 5',
            "not read",
            "Rescale it",
        ),
        case(
            "grade_word.csv",
            "a grade in an unknown word",
            {3: {"correct": "perhaps"}},
            (20, 19, 1, 0),
            "no known word",
            "line 3",
        ),
        case(
            "tokens_odd.csv",
            "tokens that no model counts",
            {2: {"input_tokens": -5}, 3: {"input_tokens": 1.5}, 4: {"input_tokens": "9" * 30}},
            (20, 20, 0, 0),
            "no whole number",
            "lines 2, 3, 4",
        ),
        case(
            "latency_odd.csv",
            "latencies that are none",
            {2: {"latency_s": -1}, 3: {"latency_s": "inf"}, 4: {"latency_s": "fast"}},
            (20, 20, 0, 0),
            "latency is no duration",
            "lines 2, 3, 4",
        ),
        case(
            "day_missing.csv",
            "30 February",
            {3: {"timestamp": "2026-02-30T00:00:00Z"}},
            (20, 19, 1, 0),
            "no time that can be read",
            "line 3",
        ),
        case(
            "year_2150.csv",
            "a time of 2150",
            {3: {"timestamp": "2150-01-01T00:00:00Z"}},
            (20, 19, 1, 0),
            "time outside 2015-2100",
            "line 3",
        ),
        case(
            "ids_missing.csv",
            "rows without an id",
            {3: {"request_id": ""}, 4: {"request_id": ""}},
            (20, 20, 0, 0),
            "2 rows have no request id",
        ),
        Case(
            "rows_twice.csv",
            "five rows stand twice",
            lambda: joined([*csv_lines(good_rows()), *csv_lines(good_rows())[1:6]]),
            (25, 20, 0, 5),
        ),
        Case(
            "ids_twice.csv",
            "two ids stand twice with other values",
            lambda: joined(
                [
                    *csv_lines(good_rows()),
                    *csv_lines(changed_rows({2: {"cost_usd": 9}, 3: {"cost_usd": 9}}))[1:3],
                ]
            ),
            (22, 20, 2, 0),
            ("the first is kept", "lines 22, 23"),
        ),
        Case(
            "all_bad.csv",
            "no row has a usable cost",
            lambda: joined(csv_lines([row | {"cost_usd": -1} for row in good_rows()])),
            None,
            ("20 of 20 records were rejected", "cost is negative", "lines 2, 3, 4", "Mend the file"),
        ),
        Case(
            "percent.csv",
            "confidence with percent signs",
            lambda: joined(
                csv_lines([row | {"confidence": f"{row['confidence'] * 100:.0f}%"} for row in good_rows()])
            ),
            (20, 20, 0, 0),
        ),
    )
