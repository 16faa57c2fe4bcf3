"""Every case of tests/badinputs/manifest.json through the real child process into a real store.

Verdicts and counts are the manifest's; the senses are the parts of its ideal messages that a user needs.
"""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from stores import rows

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.storage import tables
from analytics.logs.store import Store
from tests.soak.manifest import ANSWERS, FOLDER, MANIFEST, SENSES, SETTLED

pytestmark = pytest.mark.fresh_reader

CASES = [case for case in MANIFEST if not case["file"].startswith(("cfg_", "(generate)"))]
COUNTED = [case for case in CASES if case["verdict"] in {"accept", "partial"}]
REFUSED = [case for case in CASES if case["verdict"] == "reject_file"]
ASKED = [case for case in CASES if case["verdict"] == "ask_user"]


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


# In a process of its own: the system counts the largest of all children that a process ever had.
LOADED_ALONE = """
import json, resource, sys
from pathlib import Path
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
seen, path = [], Path(sys.argv[1])
with Store.open(None) as store:
    [report] = intake.load(store, "2m", [path], Answers(), progress=lambda *told: seen.append(told))
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([[report.read, report.loaded, report.rejected], seen, peak]))
"""


def test_two_million_good_rows_load_in_bounded_memory(tmp_path):
    path = tmp_path / "rows_2m.csv"
    with path.open("w") as file:
        file.write("request_id,category,model,confidence,correct,cost_usd\n")
        for start in range(0, 2_000_000, 10_000):
            file.writelines(
                f"r{i},c{i % 9},m,0.{i % 100:02d},{i % 2},0.00{i % 10}\n"
                for i in range(start, start + 10_000)
            )
    command = [sys.executable, "-c", LOADED_ALONE, str(path)]
    root = Path(__file__).parents[2]
    told = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    counted, seen, peak = json.loads(told)
    assert counted == [2_000_000, 2_000_000, 0]
    for stage in ("reading", "looking at values"):
        counts = [rows for rows, said in seen if said == stage]
        assert counts
        assert counts == sorted(counts)
        assert counts[-1] <= 2_000_000
    assert 50_000 < peak < 1 << 20  # kilobytes: 1 GiB
