"""The records of a file that were rejected or changed, as a table to take away and mend."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from analytics.errors import SchemaError
from analytics.logs.inspection import time_limit_s
from analytics.logs.intake import FileReport
from analytics.logs.reading import child
from analytics.logs.reading.staging import PLACES, Problem

LINE = PLACES["csv"]
_FRAME = {
    "file": pl.String, "line": pl.Int64, "column": pl.String, "outcome": pl.String, "reason": pl.String,
    "original": pl.String,
}  # fmt: skip


def rejects(
    file: str, problems: Sequence[Problem], *, rejected: int, originals: Mapping[int, str] | None = None
) -> pl.DataFrame:
    """One row per problem of a file.

    Args:
        file: Its name.
        problems: Those of rejected records first, as in a ``FileReport``.
        rejected: How many records were rejected.
        originals: Lines as they stand in the file, by number.

    Returns:
        file, line (record or row of JSON and Parquet), column (null: the whole record), outcome (rejected, or
        changed: loaded without this value), reason, original (text of the line where it is known, else null).
    """
    known = originals or {}
    rows = [
        (
            file,
            problem.line,
            problem.column,
            "rejected" if place < rejected else "changed",
            problem.reason,
            known.get(problem.line),
        )
        for place, problem in enumerate(problems)
    ]
    return pl.DataFrame(rows, _FRAME, orient="row")


def is_table(path: Path) -> bool:
    """Whether a file begins as a table of rejects does, so that a newer one may take its place."""
    header = f"{','.join(_FRAME)}\n".encode()
    with path.open("rb") as file:
        return file.read(len(header)) == header


def reported(
    report: FileReport, path: Path, *, encoding: str | None, workdir: Path, trusted: bool = False
) -> pl.DataFrame:
    """``rejects`` of a file that was loaded, with its lines where it has any; see ``originals``."""
    found: dict[int, str] = {}
    if PLACES[report.format] == LINE:
        found = originals(path, report.problems, encoding=encoding, workdir=workdir, trusted=trusted)
    return rejects(report.file, report.problems, rejected=report.rejected, originals=found)


def originals(
    path: Path,
    problems: Sequence[Problem],
    *,
    encoding: str | None,
    workdir: Path,
    trusted: bool = False,
) -> dict[int, str]:
    """The lines of a text file that problems are about, read in a child process; none if that fails.

    Args:
        path: The file.
        problems: By line.
        encoding: Of the text, where the user said it.
        workdir: Private folder in which one is made for this.
        trusted: Whether it is one of our own kept files.
    """
    if not problems:
        return {}
    folder = workdir / uuid.uuid4().hex
    folder.mkdir(mode=0o700)
    try:
        found: dict[str, str] = child.result(
            "lines",
            {
                "path": str(path.resolve()),
                "folder": str(folder),
                "numbers": [problem.line for problem in problems],
                "encoding": encoding,
                "trusted": trusted,
            },
            folder=folder,
            seconds=time_limit_s(path.stat().st_size),
        )
    except (SchemaError, OSError):  # the list of lines and reasons is worth having without them
        return {}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {int(number): text for number, text in found.items()}
