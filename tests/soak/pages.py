"""Twenty hostile files dropped on the real Logs page: what it shows, counts and never shows."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.testing.v1 import AppTest

from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.store import Store
from tests.soak import badinputs, manifest
from tests.soak.cases import Case
from tests.soak.database import held
from tests.soak.figures import Figure

FILES = 20
_APP = Path(__file__).parents[2] / "dashboard" / "app.py"
_NAMES = (
    "no_header.csv", "latin1.csv", "mixed_delims.csv", "unterminated_quote.csv", "nul_bytes.csv",
    "dup_columns.csv", "evil_columns.csv", "wide_5000_columns.csv", "conf_words.csv", "cost_huge.csv",
    "cat_long.csv", "bad_line.jsonl", "deep_100k.json", "wrapped.json", "truncated.csv.gz",
    "internal_error.parquet", "<img src=x onerror=alert(1)>.csv", "../../etc/passwd.csv", "blank_rows.csv",
    "year_290000.parquet",
)  # fmt: skip
_TEXTS = (
    "title",
    "header",
    "subheader",
    "markdown",
    "caption",
    "error",
    "warning",
    "info",
    "success",
    "text",
)
_PLACES = re.compile(r"(?:line|row|record)s? ([\d, ]+)")
_CONTROL, _CONTROL_ROWS = "control", 10
_PATIENCE_S = 120.0


def figures(count: int | None) -> Iterator[Figure]:
    """Hostile files on the page: exceptions, wrong counts, server paths, words that are missing."""
    run = badinputs.Run()
    chosen = {case.name: case for case in badinputs.cases() if case.name in _NAMES}
    with tempfile.TemporaryDirectory(prefix="tiertune-soak-") as folder, _database(Path(folder)) as database:
        with Store.open(database) as store:
            intake.load(store, _CONTROL, [manifest.FOLDER / "ok_baseline.csv"], Answers())
        loaded = {}
        for name in _NAMES[:count]:
            run.cases.append(name)
            loaded |= _dropped(chosen[name], run)
        st.cache_data.clear()
        st.cache_resource.clear()
        with Store.open(database) as store:
            for dataset, rows in {**loaded, _CONTROL: _CONTROL_ROWS}.items():
                if held(store, dataset) != rows:
                    run.fault("counts", f"{dataset} holds {held(store, dataset)} rows, not {rows}")
    done = len(run.cases)
    yield Figure("hostile files on the page", str(FILES), str(done), done >= FILES)
    for sort, what in (
        ("tracebacks", "tracebacks or exceptions"),
        ("counts", "wrong verdicts or counts"),
        ("paths", "server paths or raw errors on the page"),
        ("words", "pages without the words that the case asks for"),
    ):
        found = len(run.faults.get(sort, ()))
        yield Figure(f"hostile files on the page: {what}", "0", f"{found} of {done} files", found == 0)


@contextmanager
def _database(folder: Path) -> Iterator[Path]:
    """The database that the pages open, as the server's environment names it."""
    before, path = os.environ.get("TIERTUNE_DB"), folder / "pages.duckdb"
    os.environ["TIERTUNE_DB"] = str(path)
    try:
        yield path
    finally:
        os.environ.pop("TIERTUNE_DB")
        if before is not None:
            os.environ["TIERTUNE_DB"] = before
        st.cache_data.clear()
        st.cache_resource.clear()


def _dropped(case: Case, run: badinputs.Run) -> dict[str, int]:
    """Drop one file, press what there is to press; the rows that its dataset must hold then."""
    app = AppTest.from_file(str(_APP), default_timeout=_PATIENCE_S).switch_page("views/logs.py").run()
    app.file_uploader[0].set_value([(case.name, case.data(), "application/octet-stream")]).run()
    task = _waited(app)
    many = case.counts is not None and case.counts[2] > badinputs.REJECTED_SHARE * case.counts[0]
    seen = [_text(app, case, run)]
    if task.stage == "asking" and not case.asks and case.counts is not None:
        _press(app, f"use-{task.key}")
        task = _waited(app)
        seen.append(_text(app, case, run))
    if task.stage == "rejects":
        if not many:
            run.fault("counts", f"{case.name}: many rejects, where there are few")
        _press(app, f"accept-{task.key}")
        task = _waited(app)
        seen.append(_text(app, case, run))
    words = case.asks or case.says
    missing = [word for word in words if not _says(" ".join(seen), word)]
    if missing:
        run.fault("words", f"{case.name}: {missing} not in: {seen[-1][-1500:]}")
    report = task.report
    if case.asks or case.counts is None:
        if report is not None:
            run.fault("counts", f"{case.name}: loaded, where it had to be asked about or refused")
        return {}
    if report is None:
        run.fault("counts", f"{case.name}: not loaded but {task.stage}")
        return {}
    counts = (report.read, report.loaded, report.rejected, report.duplicates)
    if counts != case.counts or f"{report.read} read" not in seen[-1].replace("*", ""):
        run.fault("counts", f"{case.name}: {counts}, not {case.counts}")
    return {task.dataset: report.loaded}


def _says(page: str, word: str) -> bool:
    """Whether a page has a word of a message: flags are said as what to press, lines have a column."""
    if "--" in word:
        return True
    place = _PLACES.fullmatch(word)
    if place:
        return all(f",{number}," in page for number in place[1].split(", "))
    return word.split(" (line", maxsplit=1)[0] in page


def _press(app: AppTest, key: str) -> None:
    found = [button for button in app.button if button.key == key]
    if found and not found[0].disabled:
        found[0].click().run()


def _waited(app: AppTest) -> Any:
    """The task of the file, once it waits for its user, and the page as it stands then."""
    [task] = app.session_state["_tasks"].values()
    deadline = time.monotonic() + _PATIENCE_S
    while task.busy and time.monotonic() < deadline:
        time.sleep(0.05)
    app.run()
    return task


def _text(app: AppTest, case: Case, run: badinputs.Run) -> str:
    """Everything that the page says, without the marks that make it plain text in Markdown."""
    for broken in app.exception:
        run.fault("tracebacks", f"{case.name}: {broken.value} {broken.stack_trace}")
    shown = [str(item.value) for kind in _TEXTS for item in getattr(app, kind)]
    shown += [item.value.to_csv() for item in app.dataframe]
    text = " ".join(shown).replace("\\", "").replace("\u00a0", " ")
    for foreign in badinputs.FOREIGN:
        if foreign in text:
            run.fault("paths", f"{case.name}: {foreign} in {text[:1500]}")
    return text
