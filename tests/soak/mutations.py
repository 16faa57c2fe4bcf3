"""10,000 damaged files, one after the other into one database that has to stay whole."""

import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.reading.staging import Question
from analytics.logs.store import Store
from tests.soak.badinputs import FOREIGN
from tests.soak.database import held
from tests.soak.figures import Figure
from tests.soak.forked import Forks, forked, fresh
from tests.soak.mutants import FORMATS, mutant

FILES = 10_000
LONGEST_S = 30.0
_REOPENED_EVERY = 100
_REAL_EVERY = 101  # no multiple of the number of formats
_CONTROL, _CONTROL_ROWS, _MORE = "control", 10, " and more"
_OTHER_FORM = "Load it into another dataset"
_BAD = Path(__file__).parents[1] / "badinputs"


@dataclass(slots=True)
class Run:
    """What happened so far.

    Attributes:
        at: The file that is at work: format, number, name, mutations.
        faults: Everything that must not happen, by sort: the file's format and number, and what was seen.
        outcomes: Loaded, partly loaded, refused, asked.
        rows: By dataset, what the database must hold.
        slowest_s: Longest time that one file took.
        read: Records of the files that loaded.
    """

    at: str = ""
    faults: dict[str, list[str]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    read: int = 0

    def fault(self, sort: str, text: str) -> None:
        """Take note, and say at once what was seen."""
        self.faults.setdefault(sort, []).append(f"{self.at}: {text}")
        print(f"FAULT {sort}: {self.at}: {text}", flush=True)

    def count(self, *sorts: str) -> int:
        """How many faults of these sorts there are."""
        return sum(len(self.faults.get(sort, ())) for sort in sorts)


def figures(count: int | None) -> Iterator[Figure]:
    """Damaged files through the child: deaths, invalid databases, hangs, wrong counts, tracebacks."""
    number = count or FILES
    run = Run()
    with (
        tempfile.TemporaryDirectory(prefix="tiertune-soak-") as folder,
        forked() as forks,
        suppress(KeyboardInterrupt),  # what was measured until then counts
    ):
        _all(Path(folder), number, run, forks)
    mixed = ", ".join(f"{many:,} {word}" for word, many in run.outcomes.most_common())
    done = sum(run.outcomes.values())
    files = f"{done:,} files of {len(FORMATS)} formats ({mixed})"
    real = -(-done // _REAL_EVERY)
    how = f"{real:,} by a fresh child, the others by its code in a fork"
    deaths = run.count("death")
    yield Figure(
        "damaged files: deaths of the app",
        "0 of 10,000",
        f"{deaths} of {files}; {how}",
        deaths == 0 and done >= number,
    )
    broken = run.count("database")
    yield Figure(
        "damaged files: invalid databases",
        "0",
        f"{broken}; counted after every file, closed and opened again after every {_REOPENED_EVERY}",
        broken == 0,
    )
    hangs = run.count("hang")
    yield Figure("damaged files: longest time of one", "30 s", f"{run.slowest_s:.1f} s", hangs == 0)
    wrong = run.count("counts")
    balance = (
        f"{wrong} of {run.outcomes['loaded'] + run.outcomes['partly loaded']:,}, {run.read:,} records read"
    )
    yield Figure("damaged files: read is not loaded + rejected + duplicates", "0", balance, wrong == 0)
    died = run.count("reader died", "text")
    yield Figure(
        "damaged files: readers that died or said more than a reason",
        "0",
        f"{died}; largest reader {forks.peak_kib / 2**10:,.0f} MiB",
        died == 0,
    )


def _all(folder: Path, number: int, run: Run, forks: Forks) -> None:
    database = folder / "soak.duckdb"
    store = Store.open(database, keep=False)
    try:
        intake.load(store, _CONTROL, [_BAD / "ok_baseline.csv"], Answers())
        run.rows[_CONTROL] = _CONTROL_ROWS
        started = time.monotonic()
        for place in range(number):
            kind = FORMATS[place % len(FORMATS)]
            damaged = mutant(kind, place // len(FORMATS))
            run.at = f"{kind} {place // len(FORMATS)} ({damaged.name}: {damaged.how})"
            path = folder / "upload"
            path.write_bytes(damaged.data)
            with _watched(run, forks), fresh() if place % _REAL_EVERY == 0 else nullcontext():
                run.outcomes[_outcome(store, kind, path, damaged.name, run)] += 1
            left = list(store.staging.iterdir())
            if left:
                run.fault("counts", f"left behind {left}")
            _whole(store, run, of=(_CONTROL, kind, kind + _MORE))
            if place % _REOPENED_EVERY == _REOPENED_EVERY - 1:
                store.close()
                store = Store.open(database, keep=False)
                _whole(store, run, of=tuple(run.rows))
                for name in [name for name, rows in run.rows.items() if rows and name != _CONTROL]:
                    store.delete(name)
                    del run.rows[name]
                rate = (place + 1) / (time.monotonic() - started)
                print(f"{place + 1:,} files, {rate:.1f}/s, {dict(run.outcomes)}", flush=True)
    finally:
        store.close()


@contextmanager
def _watched(run: Run, forks: Forks) -> Iterator[None]:
    """Take note of what must not happen while one file is loaded."""
    before, printed = len(forks.deaths), len(forks.printed)
    started = time.monotonic()
    try:
        yield
    except Exception:  # noqa: BLE001 - what the app would not have expected either
        run.outcomes["died"] += 1
        run.fault("death", traceback.format_exc(limit=-3))
    took = time.monotonic() - started
    run.slowest_s = max(run.slowest_s, took)
    if took > LONGEST_S:
        run.fault("hang", f"{took:.0f} s")
    if len(forks.deaths) > before:
        run.fault("reader died", f"exit {forks.deaths[before:]}")
    if len(forks.printed) > printed:
        run.fault("reader died", str(forks.printed[printed:]))


def _outcome(store: Store, dataset: str, path: Path, name: str, run: Run) -> str:
    answers = Answers(accept_rejects=True)
    for _ in range(4):
        try:
            [report] = intake.load(store, dataset, [path], answers, names=[name])
        except intake.OpenQuestionsError as asked:
            _judge(str(asked), run)
            answers = _answered(answers, asked.questions)
            continue
        except SchemaError as refused:
            _judge(str(refused), run)
            if _OTHER_FORM in str(refused):
                dataset += _MORE
                continue
            return "refused"
        _judge(" ".join([*report.notes, intake.summary(report.problems)]), run)
        if report.read != report.loaded + report.rejected + report.duplicates:
            run.fault("counts", f"{report.read}, {report.loaded}, {report.rejected}, {report.duplicates}")
        run.rows[dataset] += report.loaded
        run.read += report.read
        return "partly loaded" if report.rejected else "loaded"
    return "asked"


def _answered(answers: Answers, questions: list[Question]) -> Answers:
    """The likeliest answer to each question."""
    for question in questions:
        first = question.options[0]
        if question.kind == "unit":
            answers = replace(answers, unit={**answers.unit, str(question.column): first})
        else:
            answers = replace(answers, **{question.kind: first})
    return answers


def _judge(text: str, run: Run) -> None:
    """Nothing of ours may stand in a text for people, and no reader may have been surprised."""
    if "reference " in text:
        run.fault("reader died", text)
    if any(foreign in text for foreign in FOREIGN):
        run.fault("text", text)


def _whole(store: Store, run: Run, *, of: tuple[str, ...]) -> None:
    """The database answers, and its datasets hold the rows that were acknowledged."""
    try:
        for name in of:
            rows, found = run.rows[name], held(store, name)
            if found != rows:
                run.fault("counts", f"{name} holds {found} rows, not {rows}")
                run.rows[name] = found
    except Exception:  # noqa: BLE001 - whatever it is, the database did not answer
        run.fault("database", f"{traceback.format_exc(limit=-2)}")
