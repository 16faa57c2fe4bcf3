"""What runs inside the child process: ``python -m analytics.logs.reading.steps``, JSON in, JSON lines out."""

import contextlib
import dataclasses
import errno
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from analytics.errors import SchemaError, TiertuneError
from analytics.logs.reading.staging import LIMITS

Progress = Callable[[int, str], None]

GRADES = "grades"
_EVERY_S = 0.2


def main() -> int:
    """Run the step that standard input asks for and write its answer to standard output."""
    threading.Thread(target=_ends_with, args=(os.getppid(),), daemon=True).start()
    answers = _answers()
    _limit()
    _answer(answers, json.load(sys.stdin))
    return 0


def _answer(answers: BinaryIO, request: dict[str, Any]) -> None:
    last, stage_told = 0.0, ""

    def progress(done: int, stage: str) -> None:
        nonlocal last, stage_told
        if stage != stage_told or time.monotonic() - last >= _EVERY_S:
            last, stage_told = time.monotonic(), stage
            _say(answers, {"progress": [done, stage]})

    _say(answers, _outcome(request, progress))


def _outcome(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    try:
        return {"result": STEPS[request["step"]](request["payload"], progress)}
    except TiertuneError as error:
        return {"error": [type(error).__name__, str(error)]}
    except MemoryError:
        text = (
            f"Reading this file needs more than {LIMITS.memory_bytes >> 30} GiB of memory. Load it in parts."
        )
    except OSError as error:
        if error.errno not in {errno.EFBIG, errno.ENOSPC, errno.EDQUOT}:
            traceback.print_exc()
            return {"error": ["OSError", ""]}
        text = (
            "The disk is full, or the file grows past the size limit when it is read. "
            "Free some space or load it in parts."
        )
    except BaseException:  # noqa: BLE001 - a Rust panic is no Exception
        traceback.print_exc()
        return {"error": ["unexpected", ""]}
    return {"error": [SchemaError.__name__, f"{text} Nothing was loaded."]}


def _inspect(payload: dict[str, Any], progress: Progress) -> Any:
    import duckdb  # noqa: PLC0415 - each step loads only what it needs

    from analytics.logs.dialects import DIALECTS  # noqa: PLC0415
    from analytics.logs.meaning.answers import Answers  # noqa: PLC0415
    from analytics.logs.meaning.look import Look, look  # noqa: PLC0415
    from analytics.logs.reading.reader_parquet import NotPlainError  # noqa: PLC0415
    from analytics.logs.reading.readers import staged_file  # noqa: PLC0415
    from analytics.logs.storage.kept import RAW  # noqa: PLC0415
    from analytics.logs.storage.kept import copied as copied_raw  # noqa: PLC0415

    folder, answers = Path(payload["folder"]), Answers.from_json(payload["answers"])

    def read(*, copied: bool) -> Look:
        staged = staged_file(
            Path(payload["path"]),
            folder,
            name=payload["name"],
            encoding=answers.encoding,
            wanted=tuple(sorted({source for sources in answers.map.values() for source in sources})),
            given=DIALECTS[answers.dialect] if answers.dialect else None,
            copied=copied or answers.dialect == GRADES,
            trusted=payload["trusted"],
            progress=lambda done: progress(done, "reading"),
        )
        for copy in ("content", "text"):
            if staged.source != str(folder / copy):
                (folder / copy).unlink(missing_ok=True)
        return look(folder, staged, answers, progress=lambda done: progress(done, "looking at values"))

    with ThreadPoolExecutor(1) as beside:
        keeping = beside.submit(copied_raw, Path(payload["path"]), folder / RAW) if payload["keep"] else None
        try:
            found = read(copied=False)
        except (NotPlainError, duckdb.Error):  # what Arrow reads, DuckDB may not
            found = read(copied=True)
        if keeping is not None:
            keeping.result()
    return dataclasses.asdict(found)


def _convert(payload: dict[str, Any], progress: Progress) -> Any:
    from analytics.logs.meaning.convert import convert  # noqa: PLC0415
    from analytics.logs.meaning.mapping import Mapping  # noqa: PLC0415

    prices = {model: (float(paid), float(made)) for model, (paid, made) in payload["prices"].items()}
    converted = convert(
        Path(payload["folder"]),
        Mapping.from_json(payload["mapping"]),
        prices=prices,
        progress=lambda done: progress(done, "converting"),
    )
    return dataclasses.asdict(converted)


def _lines(payload: dict[str, Any], _progress: Progress) -> Any:
    from analytics.logs.reading.readers import original_lines  # noqa: PLC0415

    return original_lines(
        Path(payload["path"]),
        Path(payload["folder"]),
        numbers=payload["numbers"],
        encoding=payload["encoding"],
        trusted=payload["trusted"],
    )


def _layout(payload: dict[str, Any], _progress: Progress) -> Any:
    from analytics.logs.storage.verification import layout  # noqa: PLC0415

    return layout(Path(payload["path"]), Path(payload["folder"]))


def _verify(payload: dict[str, Any], progress: Progress) -> Any:
    from analytics.logs.storage.verification import verified  # noqa: PLC0415

    datasets = verified(
        Path(payload["path"]),
        Path(payload["folder"]),
        progress=lambda done: progress(done, "checking the backup"),
    )
    return {"datasets": datasets}


STEPS: dict[str, Callable[[dict[str, Any], Progress], Any]] = {
    "inspect": _inspect,
    "convert": _convert,
    "lines": _lines,
    "layout": _layout,
    "verify": _verify,
}


def _ends_with(parent: int) -> None:
    """End this process when its parent was killed: nobody waits for the answer."""
    while os.getppid() == parent:
        time.sleep(_EVERY_S)
    os._exit(1)


def _answers() -> BinaryIO:
    """The pipe to the parent; from now on anything printed goes to standard error."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return pipe


def _say(answers: BinaryIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")


def _limit() -> None:
    """Bound memory, written files and core dumps; Windows has no such limits."""
    with contextlib.suppress(ImportError):
        import resource  # noqa: PLC0415 - absent on Windows

        for what, most in (
            (resource.RLIMIT_AS, LIMITS.memory_bytes),
            (resource.RLIMIT_FSIZE, LIMITS.written_bytes),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(what)
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
