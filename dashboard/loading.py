"""The Logs page's loading session: files on their way from an upload into the database.

Each file is a ``Task`` that a worker thread moves on while pages are drawn again and again. The thread
makes no Streamlit calls; a fragment polls the task. While a task is busy its thread alone writes to it,
and while it waits for the user the page alone does.
"""

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, Literal

from analytics.errors import SchemaError, TiertuneError
from analytics.logs import intake, revision
from analytics.logs.intake import FileReport, Inspection
from analytics.logs.meaning.convert import Converted
from analytics.logs.meaning.mapping import Answers, signature
from analytics.logs.store import Store

Stage = Literal["reading", "asking", "loading", "rejects", "done", "failed", "stopped"]

ACCEPT = "--accept-rejects"
BUSY = ("reading", "loading")
STOPPED = "Stopped. Nothing of this file was loaded."
UNEXPECTED = (
    "Something went wrong that only the server's log tells. Under Datasets stands what is loaded; the same "
    "file can be loaded again, and counts once."
)
ENDINGS = (".gz", ".zst", ".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")
NAME_LENGTH = 80

_turn = threading.Semaphore(2)
"""Two files are worked on at a time, whoever uploads them; the others wait for their turn."""


@dataclass(slots=True)
class Task:
    """One uploaded file and how far it is.

    Attributes:
        key: Identifies the task, also in widget keys.
        name: File name as uploaded; for showing only, never a path.
        path: Where the content lies, under a name of ours.
        size: Bytes as uploaded.
        dataset: Name of the dataset that it goes into.
        answers: What the user said about the file so far.
        stage: What happens now.
        rows: Records parsed in this stage, as the child process reports them.
        began: Monotonic time at which the stage began, seconds.
        inspection: What was recognised; None before.
        converted: Typed rows that wait for the user to accept many rejects; else None.
        report: The result; None before.
        message: Why it failed or was refused.
        storing: Whether its rows are being stored, in one step that cannot be stopped half-way.
        ending: Set when the user stops the task.
        again: File id of a loaded file that is being read once more; None for an upload.
        found: Why a field was mapped for the user, by field: so an id that matches a log.
    """

    key: str
    name: str
    path: Path
    size: int
    dataset: str
    answers: Answers = field(default_factory=Answers)
    stage: Stage = "reading"
    rows: int = 0
    began: float = field(default_factory=time.monotonic)
    inspection: Inspection | None = None
    converted: Converted | None = None
    report: FileReport | None = None
    message: str = ""
    storing: bool = False
    ending: threading.Event = field(default_factory=threading.Event)
    again: str | None = None
    found: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it waits for nothing but the user's word to load it."""
        if self.stage != "asking" or self.inspection is None or self.message:
            return False
        staged, proposal = self.inspection.staged, self.inspection.proposal
        return not (staged.questions or proposal.questions or proposal.refusal)

    @property
    def grades(self) -> bool:
        """Whether the file holds grades, to be joined to a log that is loaded."""
        return self.inspection is not None and self.inspection.proposal.mapping.form == "grades"

    @property
    def busy(self) -> bool:
        """Whether a thread works on it."""
        return self.stage in BUSY

    @property
    def rows_per_second(self) -> float:
        """Records parsed per second of this stage so far."""
        return self.rows / max(time.monotonic() - self.began, 0.1)

    @property
    def rejected(self) -> int:
        """Records known to be rejected so far."""
        found = self.inspection.staged.rejected if self.inspection is not None else 0
        return found + (self.converted.rejected if self.converted is not None else 0)

    @property
    def share(self) -> float | None:
        """Part of the records that the loading stage has passed; None while their number is unknown."""
        if self.stage != "loading" or self.inspection is None or not self.inspection.staged.read:
            return None
        return min(self.rows / self.inspection.staged.read, 1.0)


def spilled(content: BinaryIO, name: str, *, folder: Path) -> Task:
    """A task for an upload whose content now lies in ``folder``, not in memory.

    Args:
        content: The upload, at its beginning.
        name: Its name as the browser gave it.
        folder: Private folder that this process may write.
    """
    key = uuid.uuid4().hex
    home = folder / key
    home.mkdir(mode=0o700, parents=True)
    try:
        path = intake.uploaded(content, home)
    except TiertuneError:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return Task(key, name, path, path.stat().st_size, dataset_name(name))


def reopened(store: Store, dataset: str, file_id: str, name: str) -> Task:
    """A task that reads a loaded file once more, to give it another mapping.

    Args:
        store: Where it is loaded.
        dataset: Name of its dataset.
        file_id: SHA-256 of its content.
        name: Its name as it was uploaded.
    """
    key = uuid.uuid4().hex
    home = store.staging / key
    home.mkdir(mode=0o700, parents=True)
    return Task(key, name, home / key, 0, dataset, again=file_id)


def dataset_name(file_name: str) -> str:
    """The name that a dataset gets unless the user says otherwise: the file's without its endings."""
    name = PureWindowsPath(file_name).name
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name.strip()[:NAME_LENGTH] or "log"


def read(task: Task, store: Store) -> None:
    """Start to recognise the file; then it waits for the user."""
    _start(task, "reading", lambda: _read(task, store))


def load(task: Task, store: Store) -> None:
    """Start to load the file under the mapping that the page shows.

    More than a tenth rejected stops at the stage ``rejects``; ``accept`` goes on from there.
    """
    _start(task, "loading", lambda: _load(task, store))


def accept(task: Task, store: Store) -> None:
    """Go on although many records are rejected."""
    task.answers = replace(task.answers, accept_rejects=True)
    _start(task, "loading", lambda: _load(task, store))


def stop(task: Task) -> None:
    """End what the thread does; nothing of the file stays loaded."""
    task.ending.set()


def discard(task: Task) -> None:
    """Stop the task and delete what was staged for it; the database keeps what it has."""
    stop(task)
    shutil.rmtree(task.path.parent, ignore_errors=True)


def _start(task: Task, stage: Literal["reading", "loading"], work: Callable[[], None]) -> None:
    task.stage, task.rows, task.began, task.message = stage, 0, time.monotonic(), ""
    task.ending = threading.Event()
    threading.Thread(target=_worked, args=(task, work), name=f"intake-{task.key[:8]}", daemon=True).start()


def _worked(task: Task, work: Callable[[], None]) -> None:
    """Do ``work`` when it is this task's turn; whatever happens, the task ends in a stage that waits."""
    try:
        with _turn:
            if task.ending.is_set():
                task.message, task.stage = STOPPED, "stopped"
                return
            task.began = time.monotonic()
            work()
    except intake.Cancelled:
        task.message, task.stage = STOPPED, "stopped"
    except TiertuneError as error:
        task.message, task.stage = str(error), "failed"
    except Exception:
        logging.getLogger(__name__).exception("Loading failed")
        task.message, task.stage = UNEXPECTED, "failed"


def _read(task: Task, store: Store) -> None:
    first = task.inspection is None
    if task.inspection is not None:
        task.inspection.discard()
    if task.again is not None:
        task.inspection = revision.inspect_again(
            store,
            task.dataset,
            task.again,
            answers=None if first else task.answers,
            workdir=task.path.parent,
            progress=_counter(task),
            cancelled=task.ending.is_set,
        )
        task.answers = task.inspection.answers
    else:
        task.inspection = intake.inspect(
            task.path,
            name=task.name,
            answers=task.answers,
            workdir=task.path.parent,
            remembered=store.saved_mapping,
            keep=store.keeps_files,
            progress=_counter(task),
            cancelled=task.ending.is_set,
        )
    task.converted = None
    if task.grades and not (task.inspection.staged.questions or task.inspection.proposal.refusal):
        task.converted = _converted(task)  # what it says is matched with a log before the user decides
    task.stage = "asking"


def _load(task: Task, store: Store) -> None:
    inspection = task.inspection
    if inspection is None:
        raise ValueError("A file is read before it is loaded.")
    mapping = inspection.proposal.mapping
    task.converted = task.converted or _converted(task)
    if task.ending.is_set():
        raise intake.Cancelled(STOPPED)
    try:
        if task.again is not None:
            task.report = revision.read_again(
                store,
                task.dataset,
                inspection,
                task.converted,
                answers=task.answers,
                progress=_counter(task),
                cancelled=task.ending.is_set,
            )
        else:
            task.storing = True
            task.report = intake.loaded(
                store, task.dataset, inspection, mapping, task.converted, answers=task.answers
            )
    except SchemaError as error:
        # The refusal names the flag that answers it; on the page a button does.
        task.message, task.stage = str(error), "rejects" if ACCEPT in str(error) else "asking"
        return
    finally:
        task.storing = False
    store.save_mapping(signature(inspection.staged.columns), mapping.to_json())
    task.stage = "done"
    shutil.rmtree(task.path.parent, ignore_errors=True)


def _converted(task: Task) -> Converted:
    inspection = task.inspection
    if inspection is None:
        raise ValueError("A file is read before it is converted.")
    return intake.convert(
        inspection,
        inspection.proposal.mapping,
        prices=task.answers.prices,
        progress=_counter(task),
        cancelled=task.ending.is_set,
    )


def _counter(task: Task) -> Callable[[int, str], None]:
    def counted(rows: int, _stage: str) -> None:
        task.rows = rows

    return counted
