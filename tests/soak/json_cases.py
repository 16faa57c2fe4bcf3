"""JSON files that are broken, or odd and still good."""

import json

from analytics.logs.meaning.mapping import Answers
from tests.soak.cases import Case, good_rows, joined, json_lines, json_with


def cases() -> tuple[Case, ...]:
    """JSON lines and JSON."""
    deep = '{"a":' * 70 + "1" + "}" * 70
    return (
        Case(
            "cut.jsonl",
            "cut in the last line",
            lambda: json_with(20, lambda t: t[:40]),
            (20, 19, 1, 0),
            ("not JSON from character", "line 20"),
        ),
        Case(
            "comma_lines.jsonl",
            "a comma after each line",
            lambda: joined([t[:-1] + ",\n" for t in json_lines(good_rows())]),
            None,
            ("line 1", "write one object per line"),
        ),
        Case(
            "scalars.jsonl",
            "a number among the objects",
            lambda: json_with(7, lambda _: "42\n"),
            (20, 19, 1, 0),
            ("not a JSON object", "line 7"),
        ),
        Case(
            "key_twice.jsonl",
            "a key stands twice",
            lambda: json_with(7, lambda t: t.replace("{", '{"cost_usd": 5, ', 1)),
            (20, 19, 1, 0),
            ("cost_usd", "twice", "line 7"),
        ),
        Case(
            "long_number.jsonl",
            "a number of 5,000 digits",
            lambda: json_with(7, lambda t: t.replace("107", "9" * 5000)),
            (20, 19, 1, 0),
            ("too many digits", "line 7"),
        ),
        Case(
            "nan.jsonl",
            "NaN and Infinity, which JSON lacks",
            lambda: json_with(7, lambda t: t.replace("0.28", "NaN")).replace(
                b'"confidence": 0.32', b'"confidence": Infinity'
            ),
            (20, 20, 0, 0),
            ("confidence", "lines 7, 8"),
        ),
        Case(
            "deep.jsonl",
            "70 levels deep",
            lambda: json_with(7, lambda t: t.replace("}", f', "x": {deep}}}', 1)),
            (20, 19, 1, 0),
            ("nested deeper than 64 levels", "line 7"),
        ),
        Case(
            "nul.jsonl",
            "an escaped NUL",
            lambda: json_with(7, lambda t: t.replace("maths", "a\\u0000").replace("law", "a\\u0000")),
            (20, 19, 1, 0),
            ("NUL", "line 7"),
        ),
        Case(
            "paths_meet.jsonl",
            "two members of one dotted path",
            lambda: json_with(7, lambda t: t.replace("}", ', "a.b": 1, "a": {"b": 2}}')),
            (20, 19, 1, 0),
            ("a.b", "line 7"),
        ),
        Case(
            "empty_objects.jsonl",
            "an empty object",
            lambda: json_with(7, lambda _: "{}\n"),
            (20, 19, 1, 0),
            ("empty", "line 7"),
        ),
        Case(
            "python.jsonl",
            "printed by Python, not JSON",
            lambda: joined([f"{row}\n" for row in good_rows()]),
            None,
            ("line 1", "JSON"),
        ),
        Case(
            "cut.json",
            "an array cut off",
            lambda: json.dumps(good_rows(), indent=1).encode()[:-400],
            None,
            ("broken or cut off", "line", "Export it again"),
        ),
        Case(
            "rest.json",
            "text after the array",
            lambda: json.dumps(good_rows()).encode() + b"\nDone.",
            None,
            ("broken or cut off", "line 2", "Export it again"),
        ),
        Case("empty.json", "an empty array", lambda: b"[]", None, ("no rows", "Export")),
        Case(
            "rows_as_lists.json",
            "rows as lists",
            lambda: json.dumps([[*row.values()] for row in good_rows()]).encode(),
            None,
            ("record 1", "not a JSON object", "one JSON object per"),
        ),
        Case("text.json", "one text", lambda: b'"hello"', None, ("line 1", "header")),
        Case(
            "marked.json",
            "a byte-order mark",
            lambda: b"\xef\xbb\xbf" + json.dumps(good_rows()).encode(),
            (20, 20, 0, 0),
        ),
        Case("utf16.json", "UTF-16", lambda: json.dumps(good_rows()).encode("utf-16"), (20, 20, 0, 0)),
        Case(
            "wide.jsonl",
            "3,000 further keys",
            lambda: json_with(
                7, lambda t: t.replace("}", "".join(f', "k{n}": 1' for n in range(3000)) + "}")
            ),
            (20, 20, 0, 0),
            ("more than 2,000 columns",),
        ),
        Case(
            "latin1.jsonl",
            "a Latin-1 byte",
            lambda: json_with(7, lambda t: t.replace("maths", "m\u00e9").replace("law", "l\u00e9")).replace(
                "\u00e9".encode(), b"\xe9"
            ),
            (20, 19, 1, 0),
            ("line 7",),
            Answers(encoding="utf-8"),
            ("Line 7", "0xE9", "--encoding"),
        ),
    )
