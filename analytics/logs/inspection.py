"""A file read in a child process, with a proposal of what its columns mean."""

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from analytics.errors import SchemaError
from analytics.logs.meaning.convert import Converted
from analytics.logs.meaning.look import Look
from analytics.logs.meaning.mapping import Answers, Mapping, Proposal, proposal, signature
from analytics.logs.reading import child
from analytics.logs.reading.staging import LIMITS, Staged, restored
from analytics.logs.reports import OpenQuestionsError
from analytics.logs.storage.kept import RAW

Progress = Callable[[int, str], None]
Cancel = Callable[[], bool]

_BYTES_PER_S = 1e6


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file that has been read, and what its columns may mean. ``discard`` removes what it staged.

    Attributes:
        staged: How it was read.
        looked: What its values look like, and maybe its rows converted already.
        proposal: The mapping to confirm.
        folder: Private folder with ``rows.parquet`` and ``staged.json``.
        answers: What the user had said when it was read.
    """

    staged: Staged
    looked: Look
    proposal: Proposal
    folder: Path
    answers: Answers

    @property
    def raw(self) -> Path | None:
        """A private copy of the file as it is, if one was to be made."""
        path = self.folder / RAW
        return path if path.exists() else None

    def ready(self, mapping: Mapping, prices: dict[str, tuple[float, float]]) -> Converted | None:
        """The rows converted by this mapping and these prices, if that is done already."""
        same = self.looked.mapping == mapping and self.answers.prices == prices
        return self.looked.converted if same else None

    def discard(self) -> None:
        """Remove the private folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def inspect(
    path: Path,
    *,
    name: str,
    answers: Answers,
    workdir: Path,
    remembered: Callable[[str], str | None] | None = None,
    keep: bool = False,
    trusted: bool = False,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Inspection:
    """Read a file in a child process and propose what its columns mean.

    Args:
        path: Where the bytes lie.
        name: What the user calls the file; shown, never opened.
        answers: What is known already.
        workdir: Private folder in which a new one is made for this file.
        remembered: JSON text of the mapping confirmed before for a signature of column names.
        keep: Whether a copy of the file as it is is made too, for ``raw``.
        trusted: Whether it is one of our own kept files, to which no limits of size apply.
        progress: Called with the records read and the stage.
        cancelled: Polled; true stops the work.

    Raises:
        SchemaError: The file cannot be read, or less than four times its size is free on the disk.
        Cancelled: Stopped by ``cancelled``.
    """
    try:
        with path.open("rb"):
            pass
    except OSError:
        raise SchemaError(
            "The file does not exist or cannot be opened. Check its name and who may read it."
        ) from None
    folder = workdir / uuid.uuid4().hex
    folder.mkdir(mode=0o700)
    with removed_on_failure(folder):
        _require_space(path, folder)
        found = child.result(
            "inspect",
            {
                "path": str(path.resolve()),
                "folder": str(folder),
                "name": name,
                "answers": answers.to_json(),
                "keep": keep,
                "trusted": trusted,
            },
            folder=folder,
            seconds=time_limit_s(path.stat().st_size),
            progress=progress,
            cancelled=cancelled,
        )
        staged = Staged.load(folder)
        looked: Look = restored(Look, found)
        saved = remembered(signature(staged.columns)) if remembered else None
        mapping = Mapping.from_json(saved) if saved else None
        proposed = proposal(staged, looked.profiles, saved=mapping, overrides=answers)
        return Inspection(staged, looked, proposed, folder, answers)


def require_settled(inspection: Inspection) -> None:
    """Refuse to go on while a file leaves something open or gives nothing.

    Raises:
        OpenQuestionsError: Something must be answered first.
        SchemaError: Nothing can be loaded by the proposed mapping.
    """
    proposed = inspection.proposal
    if inspection.staged.questions:  # what the values look like is not known before the encoding is
        raise OpenQuestionsError(inspection.staged.questions)
    if proposed.refusal:
        raise SchemaError(proposed.refusal)
    if proposed.questions:
        raise OpenQuestionsError(proposed.questions)


def _require_space(path: Path, folder: Path) -> None:
    needed, free = 4 * path.stat().st_size, shutil.disk_usage(folder).free
    if free < needed:
        raise SchemaError(
            f"Not enough free disk space: loading this file needs about {needed / 1e6:,.0f} MB, "
            f"{free / 1e6:,.0f} MB are free. Free some space and load it again."
        )


def time_limit_s(size_bytes: int) -> float:
    """Wall time that the child process may take, in seconds."""
    return LIMITS.seconds + size_bytes / _BYTES_PER_S


@contextlib.contextmanager
def removed_on_failure(folder: Path) -> Iterator[None]:
    """Remove a staging folder if what is done with it fails or is stopped."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
