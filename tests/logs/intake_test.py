"""The road from a file to the store: the child process and its deaths, stopping, repeats, several files."""

import gzip
import stat
import sys
import threading
import time
from types import SimpleNamespace

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stores import rows as stored

from analytics.errors import SchemaError
from analytics.logs import intake, reports
from analytics.logs.meaning.mapping import Answers
from analytics.logs.reading import child
from analytics.logs.reading.staging import Problem
from tests.soak.forked import fresh

HEADER = "request_id,category,model,confidence,correct,cost_usd\n"
BREAKING = """
import os, sys, time
from pathlib import Path
from analytics.logs.reading import staging, steps

def abort(payload, progress):
    os.write(2, b"thread panicked at /secret/path")
    os.abort()

def memory(payload, progress):
    return len(bytearray(staging.LIMITS.memory_bytes))

def disk(payload, progress):
    with Path("big").open("wb") as file:
        file.truncate(staging.LIMITS.written_bytes + 1)

def panic(payload, progress):
    raise BaseException("panicked at /secret/path")

def sleep(payload, progress):
    progress(1, "sleeping")
    time.sleep(60)

def noise(payload, progress):
    print('{"result": "wrong"}', flush=True)
    os.write(1, b"not json\\n")
    return "right"

def environment(payload, progress):
    return dict(os.environ)

steps.STEPS.update(
    abort=abort, memory=memory, disk=disk, panic=panic, sleep=sleep, noise=noise, environment=environment)
sys.exit(steps.main())
"""


@pytest.fixture
def breaking(tmp_path, monkeypatch):
    """``child.result`` with steps that die."""
    program = tmp_path / "breaking.py"
    program.write_text(BREAKING)
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-P", str(program)))

    def result(step, **options):
        with fresh():
            return child.result(step, {}, folder=tmp_path, **options)

    return result


def rows(count, *, start=0, model="m"):
    return "".join(f"r{i},code,{model},0.5,{i % 2},0.001\n" for i in range(start, start + count))


def file(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("how", "sense"),
    [
        ("abort", "ended before it was done (reference "),
        ("panic", "stopped at something that it did not expect (reference "),
        ("memory", "more than 4 GiB of memory"),
        ("disk", "The disk is full, or the file grows past the size limit"),
    ],
)
def test_every_death_of_the_child_is_a_refused_file(breaking, capfd, how, sense):
    with pytest.raises(SchemaError) as caught:
        breaking(how)
    assert sense in str(caught.value)
    assert "Nothing was loaded" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_what_a_dead_child_printed_is_logged_under_the_reference(breaking, caplog):
    with pytest.raises(SchemaError) as caught:
        breaking("abort")
    reference = str(caught.value).split("reference ")[1][:8]
    assert reference in caplog.text
    assert "panicked" in caplog.text


def test_a_child_past_its_time_is_killed(breaking):
    began = time.monotonic()
    with pytest.raises(SchemaError, match="longer than its time limit"):
        breaking("sleep", seconds=1.0)
    assert time.monotonic() - began < 10


def test_stopping_kills_the_child_at_once(breaking):
    stop = threading.Event()
    began = time.monotonic()
    with pytest.raises(intake.Cancelled):
        breaking("sleep", progress=lambda _rows, _stage: stop.set(), cancelled=stop.is_set)
    assert time.monotonic() - began < 30  # the step sleeps for 60 s


def test_what_a_library_prints_is_no_answer(breaking):
    assert breaking("noise") == "right"


def test_the_child_sees_no_keys_of_the_parent(breaking, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert "OPENAI_API_KEY" not in breaking("environment")


def test_a_child_is_started_from_any_thread(store, tmp_path):
    path = file(tmp_path, "a.csv", HEADER + rows(3))
    found = []
    thread = threading.Thread(target=lambda: found.extend(intake.load(store, "log", [path], Answers())))
    thread.start()
    thread.join()
    assert found[0].loaded == 3


def test_the_same_content_loads_once_whatever_its_name_and_packing(store, tmp_path):
    text = HEADER + rows(5)
    plain = file(tmp_path, "a.csv", text)
    packed = file(tmp_path, "b.csv.gz", gzip.compress(text.encode()))
    first, second = intake.load(store, "log", [plain, packed], Answers())
    version = store.version("log")
    third = intake.load(store, "log", [plain], Answers())[0]
    assert [(r.read, r.loaded, r.duplicates) for r in (first, second, third)] == [
        (5, 5, 0),
        (5, 0, 5),
        (5, 0, 5),
    ]
    assert store.version("log") == version
    assert store.files("log").height == 1


def test_any_split_of_a_log_loads_the_same_rows(store, tmp_path):
    whole = file(tmp_path, "whole.csv", HEADER + rows(10))
    parts = [file(tmp_path, f"{at}.csv", HEADER + rows(5, start=at)) for at in (0, 5)]
    intake.load(store, "whole", [whole], Answers())
    intake.load(store, "parts", parts, Answers())
    query = "SELECT * EXCLUDE (dataset, file_id) FROM calls WHERE dataset = ? ORDER BY request_id"
    found = [stored(store, query, name) for name in ("whole", "parts")]
    assert found[0] == found[1]
    assert len(found[0]) == 10


def test_nothing_is_loaded_if_the_second_of_two_files_is_refused(store, tmp_path):
    good = file(tmp_path, "good.csv", HEADER + rows(5))
    for bad in (b"", (HEADER + "a,Prüfung,m,1,1,1\n").encode("latin-1"), (HEADER + "a,b\n").encode()):
        with pytest.raises(SchemaError, match=r"^bad\.csv: "):
            intake.load(store, "log", [good, file(tmp_path, "bad.csv", bad)], Answers())
        assert store.datasets().is_empty()
        assert list(store.staging.iterdir()) == []


def test_stopping_a_load_leaves_nothing_behind(store, tmp_path):
    path = file(tmp_path, "a.csv", HEADER + rows(200_000))
    stop = threading.Event()
    with pytest.raises(intake.Cancelled):
        intake.load(
            store, "log", [path], Answers(),
            progress=lambda done, _stage: stop.set() if done else None, cancelled=stop.is_set,
        )  # fmt: skip
    assert store.datasets().is_empty()
    assert list(store.staging.iterdir()) == []


def test_exactly_a_tenth_rejected_still_loads_and_one_more_does_not(store, tmp_path):
    tenth = file(tmp_path, "tenth.csv", HEADER + rows(9) + "short\n")
    more = file(tmp_path, "more.csv", HEADER + rows(8) + "short\n")
    [report] = intake.load(store, "log", [tenth], Answers())
    assert (report.read, report.loaded, report.rejected) == (10, 9, 1)
    with pytest.raises(SchemaError, match="1 of 9 records were rejected"):
        intake.load(store, "other", [more], Answers())


def test_conflicts_with_rows_already_loaded_count_as_rejects(store, tmp_path):
    intake.load(store, "log", [file(tmp_path, "a.csv", HEADER + rows(10))], Answers())
    changed = file(tmp_path, "b.csv", HEADER + rows(10).replace("0.5", "0.6") + rows(2, start=10))
    with pytest.raises(SchemaError, match="10 of 12 records were rejected"):
        intake.load(store, "log", [changed], Answers())
    assert store.files("log").height == 1
    [report] = intake.load(store, "log", [changed], Answers(accept_rejects=True))
    assert (report.read, report.loaded, report.rejected, report.duplicates) == (12, 2, 10, 0)
    assert len(report.problems) == report.problems_total == 10


def test_a_mapping_that_the_user_gave_is_used_again_for_the_same_columns(store, tmp_path):
    header = "request_id,category,model,sureness,mark,cost_usd\n"
    first = file(tmp_path, "a.csv", header + rows(5))
    second = file(tmp_path, "b.csv", header + rows(5, start=5))
    intake.load(store, "log", [first], Answers(map={"confidence": ("sureness",), "correct": ("mark",)}))
    [report] = intake.load(store, "log", [second], Answers())
    assert (report.mapping["confidence"], report.mapping["correct"]) == ("sureness", "mark")


def test_what_is_staged_is_private_and_removed(store, tmp_path):
    path = file(tmp_path, "a.csv", HEADER + rows(3))
    inspection = intake.inspect(path, name="../../etc/x.csv", answers=Answers(), workdir=store.staging)
    assert stat.S_IMODE(inspection.folder.stat().st_mode) == 0o700
    assert inspection.folder.parent == store.staging
    assert inspection.staged.file_name == "../../etc/x.csv"
    inspection.discard()
    assert list(store.staging.iterdir()) == []


def test_an_upload_is_kept_under_a_name_of_our_own(store, tmp_path):
    with file(tmp_path, "a.csv", b"content").open("rb") as source:
        path = intake.uploaded(source, store.staging)
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_not_there_or_not_readable_is_refused(store, tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(SchemaError, match="does not exist or cannot be opened"):
            intake.load(store, "log", [path], Answers())


def test_a_full_disk_is_said_before_anything_is_read(store, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(SchemaError, match="Not enough free disk space"):
        intake.load(store, "log", [file(tmp_path, "a.csv", HEADER + rows(3))], Answers())


def test_a_refusal_sums_up_the_most_frequent_reasons_with_their_lines():
    problems = [Problem(9, None, "short"), *(Problem(line, "cost", "negative") for line in range(1, 8))]
    assert reports.summary(problems) == "cost: negative (lines 1, 2, 3, 4, 5, ...); short (line 9)"


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_a_time_that_no_calendar_has_is_rejected_alone(store, tmp_path, unit):
    # 2**63 - 1 milliseconds or microseconds are past every year that Polars or DuckDB can name.
    times = pa.array([1_767_225_600_000 * (1000 if unit == "us" else 1), 2**63 - 1], pa.timestamp(unit))
    table = pa.table({"model": ["m", "m"], "cost_usd": [0.1, 0.2], "timestamp": times})
    pq.write_table(table, tmp_path / "log.parquet")
    [report] = intake.load(store, "d", [tmp_path / "log.parquet"], Answers(accept_rejects=True))
    assert (report.read, report.loaded, report.rejected) == (2, 1, 1)
    assert [(one.line, one.column) for one in report.problems] == [(2, "timestamp")]


WIDE = "request_id,fast_model,strong_model,category,confidence,fast_correct,strong_correct\n"


def wide(*ids):
    return WIDE + "".join(f"{one},f,s,law,0.{at % 10},1,0\n" for at, one in enumerate(ids))


@pytest.mark.parametrize(
    ("ids", "again"),
    [
        (("a", "b", " a"), 1),  # the same id once spaces are gone
        (("a", "b", "a"), 1),
        (("a", "b", ""), 0),  # known by its line
        (("1", "2", "1.0"), 0),
    ],
)
def test_a_request_counts_once_however_its_id_is_written(store, tmp_path, ids, again):
    path = file(tmp_path, "log.csv", wide(*ids))
    (report,) = intake.load(store, "log", [path], Answers(accept_rejects=True))
    assert (report.loaded, report.duplicates + report.rejected) == (len(ids) - again, again)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_requests_of_an_earlier_file_are_known_though_a_file_repeats_none(store, tmp_path, ending):
    first = file(tmp_path, "first.csv", wide("a", "b", "c"))
    second = file(tmp_path, "second.csv", wide("x", "b", "c", "y"))
    if ending == "parquet":
        table = pl.read_csv(second)
        second = tmp_path / "second.parquet"
        table.write_parquet(second)
    reports = [intake.load(store, "log", [path], Answers())[0] for path in (first, second)]
    assert [(one.loaded, one.duplicates) for one in reports] == [(3, 0), (2, 2)]
    assert stored(store, "SELECT request_id FROM decisions ORDER BY ALL") == [(one,) for one in "abcxy"]
