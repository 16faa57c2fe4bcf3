"""How a command opens its LOG: files are loaded into a private store, a name is looked up in the database."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from analytics.commands import flags
from analytics.commands.outcome import InputError, fitted
from analytics.errors import NotIdentifiedError, SchemaError
from analytics.logs import intake, recovery
from analytics.logs.intake import FileReport
from analytics.logs.reading.staging import shown
from analytics.logs.schema import TIERS
from analytics.logs.storage import kept
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store, StoreError
from analytics.tuning.halves import Holdout
from analytics.tuning.log import Log, Selection, read_log, select

LONGEST_NAME = 80
ENDINGS = (".gz", ".zst", ".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")
BESIDE = ".recipe.json"
_NAMED = 10


class LadderError(SchemaError):
    """Which model is strong is not in the log, and nobody has said so."""


@dataclass(frozen=True, slots=True)
class OpenLog:
    """A LOG argument that was resolved.

    Attributes:
        store: Open until the command ends; a private one for files.
        dataset: Name of the dataset in it.
        notes: Sentences on how its files were read.
    """

    store: Store
    dataset: str
    notes: tuple[str, ...] = ()

    def read(self, *, holdout: Holdout = "hash") -> Log:
        """Its cells and facts; ``holdout`` says what divides the rows that pick from those that report."""
        return read_log(self.store, self.dataset, holdout=holdout)


@contextlib.contextmanager
def opened(options: argparse.Namespace, *, paired: bool = True) -> Iterator[OpenLog]:
    """The LOG of a command: files in a private store, or a dataset of the database.

    Args:
        options: The parsed flags.
        paired: Whether the command is about fast and strong model, so that its ladder must be settled.

    Raises:
        LadderError: Which model is strong must be confirmed first.
        InputError: It is neither, or flags about files were given for a loaded dataset.
        StoreBusyError: It is a dataset, and another process has the database open.
    """
    names: list[str] = options.log
    files = [Path(name) for name in names]
    if all(path.is_file() for path in files):
        with Store.open(None) as store:
            notes = _remember(store, options)
            dataset = dataset_name(files[0])
            reports = loaded(store, dataset, files, options)
            if paired:
                confirm_ladder(store, dataset)
            notes += tuple(dict.fromkeys(note for report in reports for note in report.notes))
            yield OpenLog(store, dataset, notes)
        return
    if len(names) > 1:
        absent = ", ".join(name for name, path in zip(names, files, strict=True) if not path.is_file())
        raise InputError(f"There is no file {absent}. LOG is the name of one dataset, or files.")
    with _stored(names[0], options) as store:
        if paired:
            confirm_ladder(store, names[0])
        yield OpenLog(store, names[0])


@contextlib.contextmanager
def database(options: argparse.Namespace, *, keep: bool = True) -> Iterator[Store]:
    """The database of a command, opened; what it turned out to lack is loaded again first and told.

    Args:
        options: The parsed flags.
        keep: Whether files are kept as they are loaded, unless the environment says no.

    Raises:
        StoreBusyError: Another process has it open.
        StoreError: It cannot be opened or written.
    """
    with Store.open(flags.database(options), keep=keep and kept.wanted()) as store:
        with progress() as told:
            found = recovery.recover(store, progress=told)
        if found is not None:
            print(fitted(recovery.sentence(found), sys.stderr.encoding), file=sys.stderr)  # noqa: T201
        yield store


@contextlib.contextmanager
def dataset(options: argparse.Namespace, name: str, *, keep: bool = True) -> Iterator[Store]:
    """The database of a command about one dataset that must be in it, see ``database``.

    Raises:
        InputError: There is none of this name.
    """
    path = flags.database(options)
    if not Store.exists(path):
        raise InputError(f"There is no dataset named {shown(name)}: the database {path} does not exist.")
    with database(options, keep=keep) as store:
        found = store.datasets()["name"].to_list()
        if name not in found:
            listed = ", ".join(shown(item) for item in found) or "none"
            raise InputError(f"There is no dataset named {shown(name)}. Datasets: {listed}.")
        yield store


def dataset_name(path: Path) -> str:
    """The name that a dataset gets unless the user says otherwise: the file's without its endings."""
    name = (path.resolve() if path.name in {"", ".."} else path).name
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name.strip()[:LONGEST_NAME] or "log"


def log_files(given: Sequence[Path]) -> tuple[list[Path], tuple[str, ...]]:
    """Files as they are, and of folders every log file in them, with a sentence on what was skipped.

    Raises:
        InputError: A folder holds no log file.
    """
    found: list[Path] = []
    notes = []
    for path in given:
        if not path.is_dir():
            found.append(path)
            continue
        within = [item for item in sorted(path.rglob("*")) if item.is_file()]
        hidden = [item for item in within if _is_hidden(item.relative_to(path))]
        visible = [item for item in within if not _is_hidden(item.relative_to(path))]
        foreign = [item for item in visible if not _is_log(item)]
        logs = [item for item in visible if _is_log(item)]
        if not logs:
            raise InputError(f"There is no log file in the folder {path}. Logs end in {', '.join(ENDINGS)}.")
        found += logs
        skipped = [f"{_listed(hidden, path)} (hidden)"] if hidden else []
        skipped += [f"{_listed(foreign, path)} (no ending of a log)"] if foreign else []
        notes += [f"Skipped in {path}: {'; '.join(skipped)}."] if skipped else []
    return list(dict.fromkeys(found)), tuple(notes)


def _is_log(path: Path) -> bool:
    """Whether a file's name is that of a log; what lies beside a database of ours is none."""
    return path.suffix.lower() in ENDINGS and not path.name.endswith(BESIDE)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _listed(paths: Sequence[Path], folder: Path) -> str:
    names = [shown(str(path.relative_to(folder))) for path in paths[:_NAMED]]
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return f"{', '.join(names)}{more}"


def loaded(
    store: Store, dataset: str, files: list[Path], options: argparse.Namespace, *, badge: str | None = None
) -> list[FileReport]:
    """Load files with the answers of the flags, ladder included.

    Which model is strong may stay open: only the commands that compare the two need to know.

    Raises:
        SchemaError: A file cannot be loaded or leaves something open; nothing was loaded.
    """
    for path in files:
        if not path.is_file():
            raise InputError(f"There is no file {path}.")
    known = dataset in store.datasets()["name"]
    names = [str(path) for path in files]
    with progress() as told:
        reports = intake.load(
            store,
            dataset,
            files,
            flags.answers(options),
            names=names,
            badge=badge,
            grades=False,
            progress=told,
        )
    try:
        given_ladder(store, dataset, options)
    except SchemaError:
        if not known:
            store.delete(dataset)
        raise
    return reports


def given_ladder(store: Store, dataset: str, options: argparse.Namespace) -> None:
    """Set the ladder that the flags give, if they give one.

    Raises:
        SchemaError: The flags do not fit the log's models.
    """
    steps = flags.steps(options)
    if steps:
        store.set_ladder(dataset, [Pair(None, fast, strong, at) for at, (fast, strong) in enumerate(steps)])


def confirm_ladder(store: Store, dataset: str) -> None:
    """Refuse to guess a ladder that must be confirmed.

    Raises:
        LadderError: No request has two models, and nobody has said which is strong.
    """
    question = open_ladder(store, dataset)
    if question is not None:
        raise LadderError(question)


def open_ladder(store: Store, dataset: str) -> str | None:
    """What must be confirmed about a ladder, with the flag that does it; None where it is settled."""
    held = store.ladder(dataset)
    if held.confirmed or not held.pairs:
        return None
    proposed = list(dict.fromkeys(f"{pair.fast_model}>{pair.strong_model}" for pair in held.pairs))
    shown_flags = " ".join(f"--ladder {_quoted(step)}" for step in proposed)
    return f"{held.reason} Proposed: {shown_flags}."


def ladder_note(question: str | None) -> tuple[str, ...]:
    """That a ladder must be confirmed, as a note; none where it is settled."""
    return () if question is None else (f"Before thresholds can be compared: {question}",)


def unknown_tiers(store: Store, dataset: str) -> tuple[str, ...]:
    """Which models of a dataset are in no tier, as a note with the command that says it; none if all are."""
    unknown = [row["model"] for row in store.models(dataset).to_dicts() if row["tier"] is None]
    if not unknown:
        return ()
    listed = ", ".join(shown(name) for name in unknown[:_NAMED])
    more = f" and {len(unknown) - _NAMED:,} more" if len(unknown) > _NAMED else ""
    model = quote(unknown[0]) if len(unknown) == 1 else "MODEL"
    set_by = f"tiertune tier {quote(dataset)} {model} TIER, with one of {', '.join(TIERS)}"
    return (f"No tier is known for {listed}{more}. Set it: {set_by}.",)


@contextlib.contextmanager
def _stored(name: str, options: argparse.Namespace) -> Iterator[Store]:
    path = flags.database(options)
    if not Store.exists(path):
        raise InputError(
            f"There is no file {name}, and no database {path} that could have a dataset of this name."
        )
    with database(options) as store:
        found = store.datasets()["name"].to_list()
        if name not in found:
            listed = ", ".join(shown(item) for item in found) or "none"
            raise InputError(f"There is no file and no dataset named {name}. Datasets: {listed}.")
        given = flags.about_files(options)
        if given:
            raise InputError(
                f"{', '.join(given)} says how a file is read, but {name} is loaded already. Load the file "
                "again into another dataset, or name the file instead."
            )
        given_ladder(store, name, options)
        yield store


def selected(
    log: OpenLog,
    whole: Log,
    options: argparse.Namespace,
    *,
    pair: tuple[str | None, str | None] | None = None,
) -> Selection:
    """The part of a log that the flags ask about.

    Args:
        log: The opened LOG.
        whole: What was read of it.
        options: The parsed flags.
        pair: Models to keep where no flag names any.

    Raises:
        InputError: No request has the models that the flags name.
        NotIdentifiedError: No request has a fast and a strong model at all.
    """
    wanted = (options.fast, options.strong) if options.fast or options.strong else pair
    found = select(whole, pair=wanted, missing=options.missing)
    if not found.categories:
        if whole.facts.pairs and wanted is not None:
            pairs = "; ".join(f"{fast} > {strong}" for fast, strong in whole.facts.pairs)
            raise InputError(f"No requests of this pair. Pairs: {pairs}.")
        reason = log.store.ladder(log.dataset).reason
        raise NotIdentifiedError(f"This log has no request with a fast and a strong model. {reason}")
    return found


def _remember(store: Store, options: argparse.Namespace) -> tuple[str, ...]:
    """Take over the mappings and prices set before; a note where that fails, as files work all the same."""
    if not Store.exists(flags.database(options)):
        return ()
    try:
        with database(options) as other:
            with other.cursor() as cursor:
                mappings = cursor.execute("SELECT signature, mapping FROM mappings").fetchall()
            prices = other.prices()
    except StoreError as error:
        why = str(error).partition(". ")[0].rstrip(".")
        return (f"Mappings and prices that were set before are not used here. {why}.",)
    for model, stated in prices.items():
        store.set_price(model, stated)
    for signature, mapping in mappings:
        store.save_mapping(signature, mapping)
    return ()


@contextlib.contextmanager
def progress() -> Iterator[Callable[[int, str], None] | None]:
    """A counter on standard error, where a person watches it."""
    if not sys.stderr.isatty():
        yield None
        return

    def told(done: int, stage: str) -> None:
        print(f"\r{stage}: {done:,} records\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - for a person

    try:
        yield told
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - the counter goes


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
