"""Every hostile or broken file through the real child process into a real store, and what is said of it."""

import re
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from analytics import policy_file
from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.reading.staging import PLACES
from analytics.logs.reports import REJECTED_SHARE
from analytics.logs.store import Store
from tests.soak import binary_cases, csv_cases, json_cases, manifest
from tests.soak.cases import Case
from tests.soak.database import held
from tests.soak.figures import Figure

LEAST = 120
FOREIGN = ("Traceback", "/tmp", "/home/", "pyarrow", "ArrowInvalid", "polars", "Exception", "Error(", "Errno")  # noqa: S108
_PLACE = re.compile(
    r"(?i)\b(lines?|columns?|records?|rows?|characters?|files?|names?|archives?|workbooks|pickle|size)\b"
    r"|--unit|\w+:"
)
_REMEDY = re.compile(
    r"(?i)\b(add|answer|check|choose|confirm|copy|export|give|leave|load it|map|mend|remove|rename|rescale)\b"
    r"|(?i:\b(save|say|sign in|upload|write)\b)|--[a-z]"
)
_CONTROL, _CONTROL_ROWS = "control", 10


@dataclass(slots=True)
class Run:
    """What was seen so far.

    Attributes:
        cases: Names of the files.
        said: Texts that were shown, by file.
        faults: What must not be, by sort.
    """

    cases: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)

    def fault(self, sort: str, text: str) -> None:
        """Take note, and say at once what was seen."""
        self.faults.setdefault(sort, []).append(text)
        print(f"FAULT {sort}: {text}", flush=True)

    def judge(self, text: str, *, name: str, refused: bool) -> None:
        """Nothing of ours stands in a text; one that refuses or asks names the place and the way out."""
        print(f"  {name}: {text}", flush=True)
        self.said.append(text)
        if any(foreign in text for foreign in FOREIGN):
            self.fault("paths", f"{name}: {text}")
        if "(reference " in text:
            self.fault("tracebacks", f"{name}: {text}")
        if refused and not (_PLACE.search(text.removeprefix(f"{name}: ")) and _REMEDY.search(text)):
            self.fault("no remedy", f"{name}: {text}")


def cases() -> list[Case]:
    """All of them, but for thresholds files."""
    own = (
        *csv_cases.lines(),
        *csv_cases.values(),
        *json_cases.cases(),
        *binary_cases.packed(),
        *binary_cases.tables(),
    )
    return [*manifest.cases(), *own]


def figures(count: int | None) -> Iterator[Figure]:
    """Hostile files: tracebacks, wrong counts, server paths, messages without place or remedy."""
    run = Run()
    with (
        tempfile.TemporaryDirectory(prefix="tiertune-soak-") as folder,
        Store.open(Path(folder) / "s.duckdb") as store,
    ):
        intake.load(store, _CONTROL, [manifest.FOLDER / "ok_baseline.csv"], Answers())
        for case in cases()[:count]:
            run.cases.append(case.name)
            path = Path(folder) / "upload"
            path.write_bytes(case.data())
            try:
                if case.asks:  # an answer is remembered for files with the same columns
                    with Store.open(None) as fresh:
                        _through(fresh, case, path, run)
                else:
                    _through(store, case, path, run)
                if held(store, _CONTROL) != _CONTROL_ROWS:
                    run.fault("counts", f"{case.name}: other rows were touched")
            except Exception:  # noqa: BLE001 - what the app would not have expected either
                run.fault("tracebacks", f"{case.name}: {traceback.format_exc(limit=-3)}")
    _thresholds(run)
    done = len(run.cases)
    yield Figure("hostile files through the child", f"at least {LEAST}", f"{done}", done >= LEAST)
    for sort, what in (
        ("tracebacks", "tracebacks, or readers that died"),
        ("counts", "wrong verdicts or counts"),
        ("paths", "server paths or raw errors in texts"),
        ("words", "texts without the words that their case asks for"),
        ("no remedy", "refusals and questions without place or remedy"),
    ):
        found = len(run.faults.get(sort, ()))
        yield Figure(
            f"hostile files: {what}", "0", f"{found} of {len(run.said)} texts, {done} files", found == 0
        )


def _through(store: Store, case: Case, path: Path, run: Run) -> None:
    """One file as its user would load it: first without a word, then with what was asked for."""
    name, dataset = case.name, f"{len(run.cases)} {case.name}".strip()
    answers = Answers() if case.asks or case.answers.accept_rejects else case.answers
    many = case.counts is not None and case.counts[2] > REJECTED_SHARE * case.counts[0]
    words: tuple[str, ...] = ()
    for wanted, said, then in (
        (bool(case.asks), case.asks, replace(case.answers, accept_rejects=False)),
        (many, ("--accept-rejects", *case.says), replace(case.answers, accept_rejects=True)),
    ):
        if wanted:
            words = case.says if many else words
            refusal = _refusal((store, dataset), case, path, answers, run)
            _expect(said, refusal, name, run)
            answers = then
    if case.counts is None:
        _expect(case.says, _refusal((store, dataset), case, path, answers, run), name, run)
        return
    [report] = intake.load(store, dataset, [path], answers, names=[name])
    counts = (report.read, report.loaded, report.rejected, report.duplicates)
    if counts != case.counts or held(store, dataset) != report.loaded:
        run.fault("counts", f"{name}: {counts}, not {case.counts}; {held(store, dataset)} rows held")
    if any(problem.line < 1 or not problem.reason for problem in report.problems):
        run.fault("no remedy", f"{name}: a problem without line or reason")
    text = " ".join([*report.notes, intake.summary(report.problems, unit=PLACES[report.format])])
    run.judge(text, name=name, refused=False)
    _expect(case.says, text, name, run)


def _refusal(place: tuple[Store, str], case: Case, path: Path, answers: Answers, run: Run) -> str:
    """What is said when the file is refused or something is asked; nothing may be loaded then."""
    store, dataset = place
    try:
        intake.load(store, dataset, [path], answers, names=[case.name])
    except SchemaError as refused:
        if dataset in store.datasets()["name"].to_list():
            run.fault("counts", f"{case.name}: refused, and yet a dataset was made")
        run.judge(str(refused), name=case.name, refused=True)
        return str(refused)
    run.fault("counts", f"{case.name}: was not refused")
    return ""


def _expect(words: tuple[str, ...], text: str, name: str, run: Run) -> None:
    missing = [word for word in words if word not in text]
    if missing:
        run.fault("words", f"{name}: {missing} not in: {text}")


def _thresholds(run: Run) -> None:
    """The thresholds files of the collection; a test of its own wants the manifest's words, remedy or not."""
    for path in sorted(manifest.FOLDER.glob("cfg_*")):
        run.cases.append(path.name)
        try:
            policy_file.load(path)
        except SchemaError as refused:
            run.judge(str(refused), name=path.name, refused=False)
        except Exception:  # noqa: BLE001 - what the app would not have expected either
            run.fault("tracebacks", f"{path.name}: {traceback.format_exc(limit=-3)}")
        else:
            run.fault("counts", f"{path.name}: was not refused")
